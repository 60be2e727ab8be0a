"""GSA, literally (Feng, Yang, Zhang 2026, arXiv 2601.22996)."""

from fractions import Fraction
from itertools import count
from math import floor

from oracles.batches import Batch, in_batches
from oracles.model import Attempt, Request, by_start, check, largest_prompt, slot
from oracles.pipelines import (
    floor_power,
    run_one_by_one,
    run_pipeline,
    run_spaced,
    slice_length,
    spacing_of,
)


def gsa(
    memory: int,
    requests: list[Request],
    releases: list[int],
    alpha: Fraction | int | str,
    beta: Fraction | int = 1,
) -> list[Attempt]:
    """Run GSA(alpha, beta), batch by batch."""
    return in_batches(requests, releases, lambda batch: gsa_batch(memory, batch, alpha, beta))


def gsa_batch(
    memory: int, requests: list[Request], alpha: Fraction | int | str, beta: Fraction | int = 1
) -> Batch:
    """Run growing slices, and a kill for whoever does not complete in one.

    With mixed prompts, a phase reckons with the largest prompt left. After a phase with the
    longest slice for that prompt, the requests that remain run one at a time.
    """
    check(memory, requests, alpha)
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    now = previous = 0
    for phase in count():
        if not unfinished:
            break
        longest = memory - max(requests[i][0] for i in unfinished)
        length = min(floor_power(alpha, phase, beta), longest)
        if length == previous:
            continue
        ran, now = run_pipeline(memory, requests, unfinished, now, length)
        attempts += ran
        unfinished = [i for i in unfinished if requests[i][1] > length]
        previous = length
        if length == longest:
            attempts += run_one_by_one(memory, requests, unfinished, now)
            now += slots_of(memory, requests, unfinished)
            break
    return by_start(attempts), now


def gsa_with(
    memory: int,
    requests: list[Request],
    releases: list[int],
    alpha: Fraction | int | str,
    beta: Fraction | int = 1,
    spacing: str = "sps",
    slices: str = "alpha",
    drain: bool = True,
) -> list[Attempt]:
    """Run GSA(alpha, beta) with another spacing, other slices, or phases that overlap."""
    return in_batches(
        requests,
        releases,
        lambda batch: gsa_batch_with(memory, batch, alpha, beta, spacing, slices, drain),
    )


def gsa_batch_with(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    beta: Fraction | int,
    spacing: str,
    slices: str,
    drain: bool,
) -> Batch:
    """Run one batch, which is over when its last slot is."""
    check(memory, requests, alpha)
    if not drain:
        return gsa_undrained(memory, requests, alpha, beta, spacing, slices)
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    now = previous = 0
    for phase in count():
        if not unfinished:
            break
        longest = memory - largest_prompt(requests, unfinished)
        length = min(slice_length(requests, phase, alpha, beta, slices), longest)
        if length == previous:
            continue
        ran, now = run_spaced(memory, requests, unfinished, now, length, spacing)
        attempts += ran
        unfinished = [i for i in unfinished if requests[i][1] > length]
        previous = length
        if length == longest:
            attempts += run_one_by_one(memory, requests, unfinished, now)
            now += slots_of(memory, requests, unfinished)
            break
    return by_start(attempts), now


def gsa_undrained(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    beta: Fraction | int,
    spacing: str,
    slices: str,
) -> Batch:
    """Run GSA with each phase following on the one before.

    A request whose turn comes while its last slot lasts is waited for, until it completes or
    until the slot ends. One that completes exactly then has completed.
    """
    prompt = largest_prompt(requests)
    longest = memory - prompt
    lengths: list[int] = []
    for phase in count():
        length = min(slice_length(requests, phase, alpha, beta, slices), longest)
        if length > 0 and length not in lengths:
            lengths.append(length)
        if length == longest:
            break

    attempts: list[Attempt] = []
    last_start: dict[int, int] = {}
    completion: dict[int, int] = {}  # known to the policy from that time on
    x = Fraction(0)
    previous = last_slot = 0
    for length in lengths:
        for i in range(len(requests)):
            if i in completion and completion[i] <= floor(x):
                continue
            if i in last_start:
                slot_end = last_start[i] + previous
                if slot_end > floor(x):
                    if i in completion:
                        x = max(x, Fraction(completion[i]))
                        continue
                    x = max(x, Fraction(slot_end))
            start = floor(x)
            attempts.append(slot(requests, i, start, length))
            last_start[i] = start
            last_slot = max(last_slot, start + length)
            if requests[i][1] <= length:
                completion[i] = start + requests[i][1]
            x += spacing_of(memory, prompt, length, spacing)
        previous = length
    # What is left had a slot in the last phase, and no slot of an earlier phase ends later.
    left = [i for i in range(len(requests)) if i not in completion]
    attempts += run_one_by_one(memory, requests, left, last_slot)
    return by_start(attempts), last_slot + slots_of(memory, requests, left)


def slots_of(memory: int, requests: list[Request], members: list[int]) -> int:
    """Return how long the slots of some requests last that run one at a time."""
    return sum(memory - requests[i][0] for i in members)
