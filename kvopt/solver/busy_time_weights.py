"""Weights of the rounds of a request, by which the busy-time bounds take mean times.

Round j of a request weighs w_j, such that what runs in one round never weighs more than 1.  With W
the sum of the w_j, its completion time is the mean time of its weight plus delta = o minus the sum
of w_j (j - 1/2) / W.  Derived: proofs/text/lower_bounds.md, theorem 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, Request

__all__ = [
    "PLACES",
    "Weights",
    "memory_weights",
    "slot_weights",
    "sum_of_deltas",
    "sum_of_quotients",
    "twelve_moments",
]

PLACES = 64
"""Binary places of the fractions that are added up.  Each is rounded down: the sum is still a lower
bound, and has no common denominator of thousands of digits."""

BITS = 62
"""Whole numbers of so many bits are worked on in arrays."""

FEW = 64
"""Up to so many quotients are added up one by one."""


class Weights(NamedTuple):
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
    types = instance.request_types()
    columns = (types.areas, types.prompts, types.outputs)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Weights(area, twelve_moments(s, o), 12) for area, s, o in rows]


def slot_weights(instance: Instance, most: int) -> tuple[list[Weights], int] | None:
    """Return the slot weights of each type and what they are multiples of, as 1 / capacity.

    None if more than `most` requests might run at once.
    """
    unit = int(instance.prompts.min()) + 1
    if instance.memory // unit > most:
        return None
    scale = math.lcm(*range(1, instance.memory // unit + 1))
    requests = instance.request_types().requests
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
    columns = (types.outputs.tolist(), types.counts.tolist(), weights)
    rows = list(zip(*columns, strict=True))
    return sum_of_quotients(
        [count * (output * w.weight * w.unit - w.moment) for output, count, w in rows],
        [w.weight * w.unit for w in weights],
        PLACES,
    )


def sum_of_quotients(numerators: list[int], denominators: list[int], places: int) -> int:
    """Return the sum of quotients in units of 2^-places, each of them rounded down.

    Parameters
    ----------
    numerators, denominators
        As many of the one, >= 0, as of the other, >= 1.
    places
        Binary places.
    """
    largest = max(denominators, default=1)
    step = BITS - largest.bit_length()  # so many places of a quotient fit beside a remainder
    if len(numerators) <= FEW or step < 1 or max(numerators).bit_length() > BITS:
        pairs = zip(numerators, denominators, strict=True)
        return sum((above << places) // below for above, below in pairs)
    below = np.array(denominators, dtype=np.int64)
    whole, rest = np.divmod(np.array(numerators, dtype=np.int64), below)
    total: int = sum(whole.tolist())
    while places > 0:
        bits = min(step, places)
        whole, rest = np.divmod(rest << bits, below)
        total = (total << bits) + sum(whole.tolist())
        places -= bits
    return total
