"""The fluid schedule of rule "busy-time" with release times (text/release_times.md, theorem 1).

At each moment the fluid serves, at full capacity, a released and unfinished request of the least
weight.  Then for every k those of the k least weights have got at each time as much as they
possibly can, so no schedule has a smaller sum of mean busy times.
"""

from __future__ import annotations

import heapq

Row = tuple[int, int, int]  # release, weight, how many


def busy_times(rows: list[Row], capacity: int) -> int:
    """Return the sum of the mean busy times, in units of 2^-64 and rounded down.

    Time is counted in units of 1 / capacity, so that a weight of w takes w units.
    """
    waiting: list[tuple[int, int]] = []  # (weight, weight left of all that are alike)
    now = doubled = 0
    rows = sorted(rows)
    for i, (release, weight, count) in enumerate(rows):
        now = max(now, release * capacity)
        heapq.heappush(waiting, (weight, weight * count))
        until = rows[i + 1][0] * capacity if i + 1 < len(rows) else None
        while waiting and (until is None or now < until):
            weight, left = waiting[0]
            taken = left if until is None else min(left, until - now)
            doubled += ((2 * now + taken) * taken << 64) // (weight * capacity)
            now += taken
            heapq.heapreplace(waiting, (weight, left - taken))
            if taken == left:
                heapq.heappop(waiting)
    return doubled // 2
