"""Lower bounds on the optimal total latency, for instances of any size.

The closed forms are for requests that are all released at time 0; else those of
`kvopt.solver.releases.busy_time` take their place.

All of them are computed in integers over the distinct requests, and rounded up,
as every cost is an integer.  Proofs: proofs/text/lower_bounds.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kvopt.model.errors import require
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.busy_time_weights import (
    PLACES,
    Weights,
    memory_weights,
    slot_weights,
    sum_of_deltas,
)
from kvopt.solver.releases.busy_time import released_busy_time_bound, released_slot_bound
from kvopt.solver.stage import Bound, Incumbent, refuse_releases

__all__ = [
    "CombinatorialBounds",
    "LowerBound",
    "area_bound",
    "best_lower_bound",
    "busy_time_bound",
    "busy_time_bounds",
    "slot_bound",
    "total_output_bound",
]


@dataclass(frozen=True, slots=True)
class LowerBound:
    """A proved lower bound on the optimal total latency.

    Parameters
    ----------
    value
        The bound (rounds).
    name
        Which argument gives it.
    """

    value: int
    name: str


def best_lower_bound(instance: Instance) -> LowerBound:
    """Return the best lower bound on the total latency that takes no search.

    Raises
    ------
    TypeError
        If the instance is something else.
    """
    require(instance, Instance, "instance")
    memory, slots = busy_time_bounds(instance)
    bounds = [LowerBound(total_output_bound(instance), "total output")]
    if not instance.has_releases:
        bounds.append(LowerBound(area_bound(instance), "area"))
    bounds += [LowerBound(memory, "busy time"), LowerBound(slots or 0, "slots")]
    return max(bounds, key=lambda bound: bound.value)


class CombinatorialBounds:
    """The stage that proves the bounds of mean busy times, and of the total output."""

    name = "combinatorial-bounds"
    with_releases = True

    def applies(self, state: Incumbent) -> bool:
        """Return True."""
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove the busy-time bounds, none below the total output.

        The area bound is never more than the busy-time bound (proofs/text/lower_bounds.md).
        """
        least = total_output_bound(state.instance)
        bounds = zip(("memory", "slots"), busy_time_bounds(state.instance), strict=True)
        for weights, value in bounds:
            if value is not None:
                proof = {"rule": "busy-time", "weights": weights}
                state.prove(Bound(max(value, least), "busy-time", proof))


def total_output_bound(instance: Instance) -> int:
    """Return the sum of the output lengths: no request completes before its own length."""
    return instance.total_output


def area_bound(instance: Instance) -> int:
    """Return the area bound (1/M) * sum over i of the i smallest areas' sum, rounded up.

    The i requests that complete first have used up at least the i smallest areas
    by then, at no more than M token-rounds a round.
    """
    refuse_releases(instance, "the area bound")
    pairs, total = _pair_sums((r.area, count) for r, count in instance.types())
    return -(-(pairs + total) // instance.memory)


def busy_time_bounds(instance: Instance) -> tuple[int, int | None]:
    """Return the busy-time bounds with memory and with slot weights, the latter None at times.

    They are those of `busy_time_bound` and `slot_bound`, or their like with release times.
    """
    if instance.has_releases:
        return released_busy_time_bound(instance), released_slot_bound(instance)
    return busy_time_bound(instance), slot_bound(instance)


def busy_time_bound(instance: Instance) -> int:
    """Return the bound P + V1/2 + sum of delta_i, rounded up.

    With areas v_i: P = (1/M) * sum over pairs of min(v_i, v_j), V1 = (1/M) * sum of
    v_i, and delta_i is o_i minus the mean age of the rounds of request i, weighted
    by memory, round j having age j - 1/2.  Derived: proofs/text/lower_bounds.md, theorem 2.
    """
    return _busy_time(instance, memory_weights(instance), instance.memory)


def slot_bound(instance: Instance, most: int = 64) -> int | None:
    """Return the busy-time bound with weights that count how many attempts fit, rounded up.

    An attempt that uses m tokens leaves room for at most (M - m) / (s + 1) others, s
    being the smallest prompt, so 1 / (1 + floor((M - m) / (s + 1))) may take the place
    of m / M in `busy_time_bound`.  Strong when few requests fit at once; None if more
    than `most` might; it gains nothing then.  Derived: proofs/text/lower_bounds.md, theorem 2.
    """
    found = slot_weights(instance, most)
    return None if found is None else _busy_time(instance, *found)


def _busy_time(instance: Instance, weights: Sequence[Weights], capacity: int) -> int:
    """Return the bound for weights in units of 1 / capacity, rounded up.

    That is the sum over pairs of min(w_i, w_j) plus half the sum of the w_i, both
    divided by `capacity`, plus the sum of the delta_i.
    """
    refuse_releases(instance, "the busy-time bound in closed form")
    counts = instance.request_types().counts.tolist()
    pairs, total = _pair_sums((w.weight, count) for w, count in zip(weights, counts, strict=True))
    busy = ((2 * pairs + total) << PLACES) // (2 * capacity)
    return -(-(busy + sum_of_deltas(instance, weights)) >> PLACES)


def _pair_sums(values: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the sum of min over all pairs, and the sum, of values with multiplicities."""
    pairs = total = later = 0
    for value, count in sorted(values, reverse=True):
        pairs += value * (count * (count - 1) // 2 + count * later)
        total += value * count
        later += count
    return pairs, total
