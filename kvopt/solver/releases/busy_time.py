"""The busy-time bound for requests with release times: a fluid schedule, smallest area first.

Proof: proofs/text/release_times.md, theorem 1.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable

from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.combinatorial_bounds import Weights, memory_weights, slot_weights
from kvopt.solver.stage import Bound, Incumbent

__all__ = ["ReleaseBounds", "fluid_busy_times", "released_busy_time_bound", "released_slot_bound"]

PLACES = 64
"""Binary places of the fractions that are added up; each is rounded down."""


class ReleaseBounds:
    """The stage that proves the bounds by mean busy times of the fluid schedule."""

    name = "combinatorial-bounds"
    with_releases = True

    def applies(self, state: Incumbent) -> bool:
        """Return True."""
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove the busy-time bounds, none below the total output."""
        instance = state.instance
        bounds = {
            "memory": released_busy_time_bound(instance),
            "slots": released_slot_bound(instance),
        }
        for weights, value in bounds.items():
            if value is not None:
                proof = {"rule": "busy-time", "weights": weights}
                state.prove(Bound(max(value, instance.total_output), "busy-time", proof))


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
    counts, releases = types.counts.tolist(), types.releases.tolist()
    total = 0
    for one, request, count in zip(weights, types.requests, counts, strict=True):
        numerator = request.output * one.weight * one.unit - one.moment
        total += (count * numerator << PLACES) // (one.weight * one.unit)
    rows = zip(releases, (one.weight for one in weights), counts, strict=True)
    total += fluid_busy_times(rows, capacity, PLACES)
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
    now = doubled = 0  # time in units of 1 / capacity

    def serve(until: float) -> None:
        """Serve the smallest first until a time or the end."""
        nonlocal now, doubled
        while waiting and now < until:
            weight, left = waiting[0]
            taken = int(min(left, until - now))
            doubled += ((2 * now + taken) * taken << places) // (weight * capacity)
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
    return doubled // 2
