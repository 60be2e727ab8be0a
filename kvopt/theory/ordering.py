"""Rules that turn an order of requests into starts, and their costs.

Policies and the solver's heuristics use them alike: arrays in, starts out.  The functions
that give costs are plain Python on integers and arrays of them, so that numba can compile
them.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.running_profile import RunningProfile
from kvopt.model.stopping import Stopping
from kvopt.theory.pipeline import SpacingRule, staggered, sum_of_floors, tight_spacing

__all__ = [
    "area_order",
    "areas",
    "best_layout",
    "best_released_layout",
    "earliest_fit",
    "earliest_starts",
    "in_order_cost",
    "length_order",
    "pipeline_cost",
    "pipeline_starts",
    "shortest_first_starts",
]

LOOK_EVERY = 256
"""Requests placed between two looks at the limit."""


def length_order(outputs: IntArray) -> IntArray:
    """Return the places of requests by (output length, place), the order of MC-SF, shape (n,)."""
    return np.argsort(outputs, kind="stable")


def area_order(prompts: IntArray, outputs: IntArray) -> IntArray:
    """Return the places of requests by (area, place), the order of SVF, shape (n,)."""
    return np.argsort(areas(prompts, outputs), kind="stable")


def areas(prompts: IntArray, outputs: IntArray) -> IntArray:
    """Return the memory times rounds of requests (token-rounds), shape (n,)."""
    return prompts * outputs + outputs * (outputs + 1) // 2


def earliest_fit(
    prompts: IntArray,
    outputs: IntArray,
    memory: int,
    in_order: bool = True,
    begin: int = 0,
    stop: Stopping | None = None,
) -> IntArray | None:
    """Place requests one after another, each at the earliest start at which it fits.

    With `in_order` that admits at every time the longest prefix of the waiting requests
    that keeps the memory within the budget at every completion, the test of MC-SF
    (Jaillet et al. 2025, arXiv 2502.07115): as nothing unforeseen happens, it passes for
    the first of the queue exactly from its earliest feasible start on.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens) in the order in which requests are placed, shape
        (n,) each.
    memory
        Memory budget M (tokens).
    in_order
        True if no request may start before the one placed before it.
    begin
        Earliest start of all (rounds).
    stop
        When it is over, None is returned; None for no limit.

    Returns
    -------
    ndarray of int64, shape (n,), or None
        Starts in the given order (rounds).
    """
    running = RunningProfile(memory)  # in order, all others have started
    profile = LiveProfile(memory)
    running.advance(begin)
    profile.advance(begin)
    starts: list[int] = []
    lengths = zip(prompts.tolist(), outputs.tolist(), strict=True)
    for placed, (prompt, output) in enumerate(lengths):
        if stop is not None and placed % LOOK_EVERY == 0 and stop.over():
            return None
        if in_order:
            start = running.earliest_start(prompt, output, begin)
            running.advance(start)
            running.add(start, prompt, start + output)
            begin = start
        else:
            start = profile.earliest_start(prompt, output, begin)
            profile.add(start, prompt, start + output)
        starts.append(start)
    return np.array(starts, dtype=np.int64)


def earliest_starts(prompts: IntArray, outputs: IntArray, memory: int) -> IntArray:
    """Return the starts of `earliest_fit`, none before its predecessor (rounds), shape (n,)."""
    starts = earliest_fit(prompts, outputs, memory)
    assert starts is not None  # there is no limit
    return starts


def shortest_first_starts(prompts: IntArray, outputs: IntArray, memory: int) -> IntArray:
    """Return the earliest starts of requests that start in this order (rounds), shape (n,).

    Both starts and lengths do not decrease, so requests complete in the order of their
    starts, and what runs is a queue.  Request i can start at p beside j, which
    completes at e_j with the machine then using m_j tokens, if p >= e_j or
    m_j + s_i + e_j - p <= M; so p is at least the smaller of e_j and m_j + e_j + s_i - M.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), by output length, shape (n,) each.
    memory
        Memory budget M (tokens).
    """
    starts: list[int] = []
    ends, loads = np.zeros((2, len(prompts)), dtype=np.int64)  # loads: m_j + e_j
    first = start = end = 0  # of the queue; of the request before this one
    lengths = zip(prompts.tolist(), outputs.tolist(), strict=True)
    for i, (prompt, output) in enumerate(lengths):
        if first < i:
            allowed = np.minimum(ends[first:i], loads[first:i] + (prompt - memory))
            start = max(start, int(allowed.max()))
        while first < i and ends[first] <= start:
            first += 1
        loads[first:i] += ends[first:i] + (prompt - start)
        tie = first < i and end == start + output
        end = start + output
        starts.append(start)
        ends[i] = end
        loads[i] = loads[i - 1] if tie else prompt + output + end
    return np.array(starts, dtype=np.int64)


def pipeline_starts(
    prompts: IntArray, outputs: IntArray, memory: int, spacing: SpacingRule = tight_spacing
) -> IntArray:
    """Return the starts of the SPT pipeline (rounds), shape (n,).

    The requests start at floor(x) by (output length, place); after request i, x grows by the
    distance at which a pipeline of requests like i fits.  The memory suffices, as
    the lengths do not decrease (proofs/text/pipeline.md, theorem 5).  All are treated as if they
    had the largest prompt; those that would then not fit follow one after another.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each, n >= 1.
    memory
        Memory budget M (tokens).
    spacing
        The distances.
    """
    prompt = int(prompts.max())
    starts = np.zeros(len(prompts), dtype=np.int64)
    order = np.argsort(outputs, kind="stable")
    lengths, first = np.unique(outputs[order], return_index=True)
    now, end = Fraction(0), 0
    for length, members in zip(lengths.tolist(), np.split(order, first[1:]), strict=True):
        count = len(members)
        if prompt + length <= memory:
            distance = spacing(prompt, length, memory)
            starts[members] = staggered(now, count, distance)
            now += count * distance
            end = max(end, int(starts[members[-1]]) + length)
        else:
            starts[members] = end + np.arange(count) * length
            end += count * length
    return starts


_tight = functools.lru_cache(maxsize=1 << 14)(tight_spacing)


def pipeline_cost(memory: int, prompt: int, outputs: IntArray) -> int:
    """Return the cost of the SPT pipeline with a common prompt: a sum of floors for each length.

    Parameters
    ----------
    memory, prompt
        Memory budget M and common prompt length s (tokens).
    outputs
        Output lengths (tokens), shape (n,).
    """
    total = 0
    now = Fraction(0)
    lengths, counts = np.unique(outputs, return_counts=True)
    for output, count in zip(lengths.tolist(), counts.tolist(), strict=True):
        distance = _tight(prompt, output, memory)
        q = math.lcm(now.denominator, distance.denominator)
        offset, step = (x.numerator * (q // x.denominator) for x in (now, distance))
        total += sum_of_floors(count, step, q, offset) + count * output
        now += count * distance
    return total


def lay_out(
    memory: int,
    prompts: IntArray,
    outputs: IntArray,
    releases: IntArray,
    order: IntArray,
    in_order: bool,
    load: IntArray,
) -> int:
    """Return the cost of starting requests one after another, each as early as it fits.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    releases
        Release times (rounds), shape (n,).
    order
        In which order they are placed, shape (n,).
    in_order
        Whether none may start before the one placed before it.
    load
        Room for the memory in use in each round, zeros, shape (r,), r more than the last release
        and the sum of the outputs together, by which all has ended.

    Returns
    -------
    int
        Total completion time (rounds).
    """
    total = start = 0
    for i in order:
        if not in_order or start < releases[i]:
            start = releases[i]
        prompt, output = prompts[i], outputs[i]
        j = output
        while j > 0:
            used = load[start + j] + prompt
            if used + j > memory:
                # At a later start the round has a lower age, or is not part of the run.
                start += min(j, used + j - memory)
                j = output
            else:
                j -= 1
        for j in range(1, output + 1):
            load[start + j] += prompt + j
        total += start + output
    return total


def best_layout(memory: int, prompts: IntArray, outputs: IntArray) -> int:
    """Return the cost of the best of four schedules: by length or area, with or without gaps."""
    n = outputs.shape[0]
    rounds = outputs.sum() + 1
    best = -1
    common = prompts.min() == prompts.max()
    at_once = np.zeros_like(outputs)
    for by_area in range(1 if common else 2):
        order = np.argsort(
            prompts * outputs + outputs * (outputs + 1) // 2 if by_area else outputs,
            kind="mergesort",
        )
        for in_order in range(2):
            load = np.zeros(rounds, dtype=np.int64)
            cost = lay_out(memory, prompts, outputs, at_once, order, in_order == 1, load)
            if best < 0 or cost < best:
                best = cost
    return best if n else 0


def best_released_layout(
    memory: int, prompts: IntArray, outputs: IntArray, releases: IntArray
) -> int:
    """Return the total latency of the best of five schedules (rounds).

    Each request in turn starts as early as it fits, gaps included: by output, by area, by release,
    and by outputs or areas put off by the releases.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    releases
        Release times (rounds), shape (n,).
    """
    areas = prompts * outputs + outputs * (outputs + 1) // 2
    best = -1
    for kind in range(5):
        keys = outputs if kind in (0, 3) else areas if kind in (1, 4) else releases
        if kind >= 3:
            keys = keys + releases
        order = np.argsort(keys * (outputs.max() + 1) + outputs, kind="mergesort")
        load = np.zeros(releases.max() + outputs.sum() + 1, dtype=np.int64)
        cost = lay_out(memory, prompts, outputs, releases, order, False, load)
        if best < 0 or cost < best:
            best = cost
    return int(best - releases.sum())


def in_order_cost(memory: int, prompts: IntArray, outputs: IntArray, by_area: bool) -> int:
    """Return the cost of MC-SF, or of SVF: by length, or by area, none before the last."""
    keys = prompts * outputs + outputs * (outputs + 1) // 2 if by_area else outputs
    order = np.argsort(keys, kind="mergesort")
    load = np.zeros(outputs.sum() + 1, dtype=np.int64)
    return lay_out(memory, prompts, outputs, np.zeros_like(outputs), order, True, load)
