"""A lower bound on the total latency: the fluid schedule of areas with release times."""

from __future__ import annotations

import heapq
from fractions import Fraction

from kvopt import Instance

__all__ = ["latency_bound"]

SCALE = 2**64
"""Fractions are rounded down to multiples of one over this, so that sums stay short."""


def latency_bound(instance: Instance) -> int:
    """Return a lower bound on the total latency of all schedules without kills (rounds).

    In a round at most M units of memory are in use, so the memory times rounds of a request, its
    area, is work done at a total speed of M.  The sum of mean busy times is least if the released
    unfinished request of smallest area is always served (Goemans, WSPT with release dates and
    preemption).  A completion time is the mean busy time of its request plus a number that depends
    on the request only: its output minus the mean age of its memory.  No latency is below the
    output, either.
    """
    memory = instance.memory
    to_come = sorted((a * memory, s * o + o * (o + 1) // 2) for s, o, a in _rows(instance))
    waiting: list[tuple[int, int, int]] = []  # (area, number, work left)
    moments = [0] * len(to_come)  # twice the integral of time over the work, in 1/M rounds
    areas = [area for _, area in to_come]
    now = number = 0
    while waiting or number < len(to_come):
        if not waiting:
            now = max(now, to_come[number][0])
        while number < len(to_come) and to_come[number][0] <= now:
            heapq.heappush(waiting, (areas[number], number, areas[number]))
            number += 1
        area, k, left = heapq.heappop(waiting)
        until = to_come[number][0] if number < len(to_come) else now + left
        work = min(left, until - now)
        moments[k] += (now + work) ** 2 - now**2
        now += work
        if work < left:
            heapq.heappush(waiting, (area, k, left - work))
    total = sum(
        SCALE * moment // (2 * area * memory) for moment, area in zip(moments, areas, strict=True)
    )
    total += sum(int(SCALE * _after_mean(s, o)) for s, o, _ in _rows(instance))
    return max(-(-total // SCALE) - instance.total_release, instance.total_output)


def _rows(instance: Instance) -> list[tuple[int, int, int]]:
    return [(r.prompt, r.output, r.release) for r in instance]


def _after_mean(prompt: int, output: int) -> Fraction:
    """Return the output minus the mean age of the memory of a run (rounds).

    Round j has memory prompt + j and age j - 1/2.
    """
    ones, squares = output * (output + 1) // 2, output * (output + 1) * (2 * output + 1) // 6
    area = prompt * output + ones
    return output - (prompt * ones + squares - Fraction(area, 2)) / area
