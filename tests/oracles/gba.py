"""GBA, literally (Feng, Yang, Zhang 2026, arXiv 2601.22996)."""

from fractions import Fraction
from itertools import count
from math import floor

from oracles.batches import Batch, in_batches, until_last_end
from oracles.model import Attempt, Request, by_start, check, largest_prompt
from oracles.pipelines import (
    floor_power,
    run_one_by_one,
    run_pipeline,
    run_spaced,
    slice_length,
    spacing_of,
)


def gba(
    memory: int, requests: list[Request], releases: list[int], alpha: Fraction | int | str
) -> list[Attempt]:
    """Run GBA(alpha), batch by batch."""
    return in_batches(
        requests, releases, lambda batch: until_last_end(gba_batch(memory, batch, alpha))
    )


def gba_batch(memory: int, requests: list[Request], alpha: Fraction | int | str) -> list[Attempt]:
    """Run classes of growing output length, one pipeline after another.

    With mixed prompts, a class reckons with its own largest prompt. After a class with the
    longest slice for that prompt, the requests that remain run one at a time.
    """
    check(memory, requests, alpha)
    attempts: list[Attempt] = []
    waiting = list(range(len(requests)))
    now = 0
    for number in count():
        if not waiting:
            break
        class_end = floor_power(alpha, number)
        members = [i for i in waiting if requests[i][1] <= class_end]
        if not members:
            continue
        longest = memory - max(requests[i][0] for i in members)
        length = min(class_end, longest)
        members = [i for i in members if requests[i][1] <= length]
        ran, now = run_pipeline(memory, requests, members, now, length)
        attempts += ran
        waiting = [i for i in waiting if i not in members]
        if length == longest:
            attempts += run_one_by_one(memory, requests, waiting, now)
            break
    return by_start(attempts)


def gba_with(
    memory: int,
    requests: list[Request],
    releases: list[int],
    alpha: Fraction | int | str,
    spacing: str = "sps",
    slices: str = "alpha",
    drain: bool = True,
) -> list[Attempt]:
    """Run GBA(alpha) with another spacing, other classes, or classes that overlap."""

    def run_batch(batch: list[Request]) -> Batch:
        ran = gba_batch_with(memory, batch, alpha, spacing, slices, drain)
        return until_last_end(ran)

    return in_batches(requests, releases, run_batch)


def gba_batch_with(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    spacing: str,
    slices: str,
    drain: bool,
) -> list[Attempt]:
    """Run one batch."""
    check(memory, requests, alpha)
    if not drain:
        return gba_undrained(memory, requests, alpha, spacing, slices)
    attempts: list[Attempt] = []
    waiting = list(range(len(requests)))
    now = 0
    for number in count():
        if not waiting:
            break
        class_end = slice_length(requests, number, alpha, 1, slices)
        members = [i for i in waiting if requests[i][1] <= class_end]
        if not members:
            continue
        longest = memory - largest_prompt(requests, members)
        length = min(class_end, longest)
        members = [i for i in members if requests[i][1] <= length]
        ran, now = run_spaced(memory, requests, members, now, length, spacing)
        attempts += ran
        waiting = [i for i in waiting if i not in members]
        if length == longest:
            attempts += run_one_by_one(memory, requests, waiting, now)
            break
    return by_start(attempts)


def gba_undrained(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    spacing: str,
    slices: str,
) -> list[Attempt]:
    """Run GBA with each class following on the one before."""
    prompt = largest_prompt(requests)
    longest = memory - prompt
    attempts: list[Attempt] = []
    waiting = [i for i, (_, output) in enumerate(requests) if output <= longest]
    x = Fraction(0)
    last_slot = 0
    for number in count():
        if not waiting:
            break
        class_end = slice_length(requests, number, alpha, 1, slices)
        length = min(class_end, longest)
        for i in [i for i in waiting if requests[i][1] <= class_end]:
            start = floor(x)
            attempts.append((i, start, start + requests[i][1], False))
            last_slot = max(last_slot, start + length)
            x += spacing_of(memory, prompt, length, spacing)
            waiting.remove(i)
    left = [i for i, (_, output) in enumerate(requests) if output > longest]
    attempts += run_one_by_one(memory, requests, left, last_slot)
    return by_start(attempts)
