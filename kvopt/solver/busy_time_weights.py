"""Weights of the rounds of a request, by which the busy-time bounds take mean times.

Round j of a request weighs w_j, such that what runs in one round never weighs more than 1.  With W
the sum of the w_j, its completion time is the mean time of its weight plus delta = o minus the sum
of w_j (j - 1/2) / W.  Derived: proofs/text/lower_bounds.md, theorem 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kvopt.model.instance import Instance, Request

__all__ = [
    "PLACES",
    "Weights",
    "memory_weights",
    "slot_weights",
    "sum_of_deltas",
    "twelve_moments",
]

PLACES = 64
"""Binary places of the fractions that are added up.  Each is rounded down: the sum is still a lower
bound, and has no common denominator of thousands of digits."""


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


def sum_of_deltas(instance: Instance, weights: Sequence[Weights]) -> int:
    """Return the sum of the delta of all requests, in units of 2^-PLACES, or less.

    Parameters
    ----------
    instance
        The instance.
    weights
        Those of each type, shape (types,).
    """
    types = instance.request_types()
    total = 0
    for request, count, w in zip(types.requests, types.counts.tolist(), weights, strict=True):
        numerator = count * (request.output * w.weight * w.unit - w.moment)
        total += (numerator << PLACES) // (w.weight * w.unit)
    return total
