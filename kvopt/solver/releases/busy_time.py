"""The busy-time bound for requests with release times: a fluid schedule, smallest area first.

Proof: proofs/text/release_times.md, theorem 1.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable

from kvopt.model.instance import Instance
from kvopt.solver.busy_time_weights import (
    PLACES,
    Weights,
    memory_weights,
    slot_weights,
    sum_of_deltas,
    sum_of_quotients,
)

__all__ = ["fluid_busy_times", "released_busy_time_bound", "released_slot_bound"]


def released_busy_time_bound(instance: Instance) -> int:
    """Return the busy-time bound on the total latency with memory weights, rounded up (rounds)."""
    return _fluid_bound(instance, memory_weights(instance), instance.memory)


def released_slot_bound(instance: Instance, most: int = 64) -> int | None:
    """Return the bound with slot weights, or None if more than `most` might run at once.

    See `kvopt.solver.combinatorial_bounds.slot_bound`.
    """
    found = slot_weights(instance, most)
    return None if found is None else _fluid_bound(instance, *found)


def _fluid_bound(instance: Instance, weights: list[Weights], capacity: int) -> int:
    """Return the sum of mean busy times of the fluid schedule and of all delta_i, rounded up.

    Time is in units of 1 / capacity of a round, so that a weight of w takes w units.

    Parameters
    ----------
    instance
        The instance.
    weights
        Those of each type (units of 1 / capacity), shape (types,).
    capacity
        How much weight a round can take.
    """
    types = instance.request_types()
    columns = (types.releases.tolist(), [one.weight for one in weights], types.counts.tolist())
    total = fluid_busy_times(zip(*columns, strict=True), capacity, PLACES)
    total += sum_of_deltas(instance, weights)
    return -(-total >> PLACES) - instance.total_release


def fluid_busy_times(requests: Iterable[tuple[int, int, int]], capacity: int, places: int) -> int:
    """Return the sum of the mean busy times of the fluid schedule, in units of 2^-places, or less.

    Parameters
    ----------
    requests
        Release (rounds), weight, and number of alike requests.
    capacity
        How much weight a round can take.
    places
        Binary places of the result.
    """
    waiting: list[tuple[int, int]] = []  # (weight of each, weight left of all that are alike)
    now = 0  # time in units of 1 / capacity
    doubled: list[int] = []  # twice the mean busy times, times the denominators
    denominators: list[int] = []

    def serve(until: float) -> None:
        """Serve the smallest first until a time or the end."""
        nonlocal now
        while waiting and now < until:
            weight, left = waiting[0]
            taken = int(min(left, until - now))
            doubled.append((2 * now + taken) * taken)
            denominators.append(weight * capacity)
            now += taken
            if taken < left:
                heapq.heapreplace(waiting, (weight, left - taken))
            else:
                heapq.heappop(waiting)

    for release, weight, count in sorted(requests):
        serve(release * capacity)
        now = max(now, release * capacity)
        heapq.heappush(waiting, (weight, weight * count))
    serve(math.inf)
    return sum_of_quotients(doubled, denominators, places) // 2
