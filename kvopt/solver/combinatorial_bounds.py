"""Lower bounds on the optimal total completion time, for instances of any size.

With releases after time 0 those of `kvopt.solver.releases.busy_time` take their place.

All of them are computed in integers over the distinct requests, and rounded up,
as every cost is an integer.  Proofs: proofs/text/lower_bounds.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kvopt.model.instance import Instance, Request
from kvopt.model.stopping import Stopping
from kvopt.solver.stage import Bound, Incumbent, refuse_releases

__all__ = [
    "CombinatorialBounds",
    "LowerBound",
    "Weights",
    "area_bound",
    "best_lower_bound",
    "busy_time_bound",
    "memory_weights",
    "slot_bound",
    "slot_weights",
    "total_output_bound",
    "twelve_moments",
]


@dataclass(frozen=True, slots=True)
class LowerBound:
    """A proved lower bound on the optimal total completion time.

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
    """Return the best bound in closed form: on the total latency if there are releases."""
    if instance.has_releases:
        return _best_with_releases(instance)
    bounds = [
        LowerBound(total_output_bound(instance), "total output"),
        LowerBound(area_bound(instance), "area"),
        LowerBound(busy_time_bound(instance), "busy time"),
    ]
    if (value := slot_bound(instance)) is not None:
        bounds.append(LowerBound(value, "slots"))
    return max(bounds, key=lambda bound: bound.value)


def _best_with_releases(instance: Instance) -> LowerBound:
    from kvopt.solver.releases.busy_time import released_busy_time_bound, released_slot_bound

    bounds = [
        LowerBound(total_output_bound(instance), "total output"),
        LowerBound(released_busy_time_bound(instance), "busy time"),
        LowerBound(released_slot_bound(instance) or 0, "slots"),
    ]
    return max(bounds, key=lambda bound: bound.value)


class CombinatorialBounds:
    """The stage that proves the bounds in closed form: total output and busy time."""

    name = "combinatorial-bounds"

    def applies(self, state: Incumbent) -> bool:
        """Return True."""
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove the busy-time bounds, none below the total output.

        The area bound is never more than the busy-time bound (proofs/text/lower_bounds.md).
        """
        least = total_output_bound(state.instance)
        bounds = {"memory": busy_time_bound(state.instance), "slots": slot_bound(state.instance)}
        for weights, value in bounds.items():
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


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights w_1..w_o of the rounds of a request, summed up.

    Parameters
    ----------
    weight
        Sum of w_j.
    moment, unit
        Sum of w_j * (j - 1/2), as the fraction moment / unit.
    """

    weight: int
    moment: int
    unit: int


def memory_weights(instance: Instance) -> list[Weights]:
    """Return the weights s + j of the rounds of each type, in units of 1 / M, shape (types,)."""
    requests = instance.request_types().requests
    return [Weights(r.area, twelve_moments(r.prompt, r.output), 12) for r in requests]


def slot_weights(instance: Instance, most: int) -> tuple[list[Weights], int] | None:
    """Return the slot weights of each type and what they are multiples of, as 1 / capacity.

    None if more than `most` requests might run at once.
    """
    requests = instance.request_types().requests
    unit = min(r.prompt for r in requests) + 1
    if instance.memory // unit > most:
        return None
    scale = math.lcm(*range(1, instance.memory // unit + 1))
    return [_slot_weights(r, instance.memory, unit, scale) for r in requests], scale


def twelve_moments(s: int, o: int) -> int:
    """Return 12 times the sum over j = 1..o of (s + j)(j - 1/2)."""
    return 6 * s * o * o + o * (o + 1) * (4 * o - 1)


def _slot_weights(request: Request, memory: int, unit: int, scale: int) -> Weights:
    """Return the slot weights of a request, times `scale`."""
    weight = moment = 0
    first = 1
    while first <= request.output:
        others = (memory - request.prompt - first) // unit
        last = min(request.output, memory - request.prompt - others * unit)
        rounds = last - first + 1
        weight += scale // (1 + others) * rounds
        # Twice the sum of j - 1/2 over first..last is the difference of squares.
        moment += scale // (1 + others) * (last * last - (first - 1) * (first - 1))
        first = last + 1
    return Weights(weight, moment, 2)


def _busy_time(instance: Instance, weights: Sequence[Weights], capacity: int) -> int:
    """Return the bound for weights in units of 1 / capacity, rounded up.

    That is the sum over pairs of min(w_i, w_j) plus half the sum of the w_i, both
    divided by `capacity`, plus the sum of the delta_i.
    """
    refuse_releases(instance, "the busy-time bound in closed form")
    counts = instance.request_types().counts.tolist()
    weights_of = list(zip(weights, counts, strict=True))
    pairs, total = _pair_sums((w.weight, count) for w, count in weights_of)
    terms = [(2 * pairs + total, 2 * capacity)]
    for request, (w, count) in zip(instance.request_types().requests, weights_of, strict=True):
        terms.append((count * (request.output * w.weight * w.unit - w.moment), w.weight * w.unit))
    # Each fraction rounded down to a multiple of 2^-64: still a lower bound, and no common
    # denominator of thousands of digits.
    total = sum((numerator << 64) // denominator for numerator, denominator in terms)
    return -(-total >> 64)


def _pair_sums(values: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the sum of min over all pairs, and the sum, of values with multiplicities."""
    pairs = total = later = 0
    for value, count in sorted(values, reverse=True):
        pairs += value * (count * (count - 1) // 2 + count * later)
        total += value * count
        later += count
    return pairs, total
