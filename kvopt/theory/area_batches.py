"""Batches of requests by area, and the bound of SVF in batches.

Derived: proofs/text/area_batches.md, for whose theorem 5 the numbers below are chosen.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.theory.guarantee import Theorem
from kvopt.theory.ordering import area_order, areas, earliest_starts

__all__ = [
    "GROWTH",
    "LENGTH_WEIGHT",
    "STEPS",
    "SVF_BATCHES_THEOREM",
    "batch_ends",
    "batch_order",
    "batch_starts",
    "levels",
    "smallest_offset",
]

GROWTH = Fraction(101, 100)
"""Ratio of consecutive levels, g."""

STEPS = 76
"""Levels in a batch, K: the ends of consecutive batches have the ratio lambda = g^K = 2.13."""

LENGTH_WEIGHT = Fraction(21, 10)
"""How much an output counts beside the rounds for areas, beta."""

SVF_BATCHES_THEOREM = Theorem(
    policy="svf-batches",
    kind="upper",
    regime="general",
    formula="9.54",
    constant=Fraction(954, 100),
    prompts="any",
    kills=False,
    source="proofs/text/area_batches.md, theorem 5",
)


def levels(prompts: IntArray, outputs: IntArray, memory: int) -> IntArray:
    """Return the level of each request, shape (n,).

    By (area, place), let V_i be the sum of the areas up to and including request i.  Its
    level is the smallest e >= 0 with 4 V_i / M <= beta g^e and o_i <= g^e.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each, n >= 1.
    memory
        Memory budget M (tokens).
    """
    order = area_order(prompts, outputs)
    sums = list(accumulate(areas(prompts, outputs)[order].tolist()))  # maybe beyond 64 bits
    longest = int(outputs.max())
    room = LENGTH_WEIGHT * memory / 4
    up_to_length: list[int] = []  # the largest output of each level
    up_to_area: list[int] = []  # how many of the sums are small enough for it
    power = (1, 1)  # g^e, numerator and denominator
    while not up_to_length or up_to_length[-1] < longest or up_to_area[-1] < len(sums):
        up, down = power
        up_to_length.append(min(longest, up // down))
        largest = room.numerator * up // (room.denominator * down)
        up_to_area.append(bisect_right(sums, largest))
        power = (up * GROWTH.numerator, down * GROWTH.denominator)
    by_length = np.searchsorted(np.array(up_to_length), outputs)
    by_area = np.searchsorted(np.array(up_to_area), np.arange(1, len(sums) + 1))
    found: IntArray = by_length.astype(np.int64)
    found[order] = np.maximum(found[order], by_area)
    return found


def batch_ends(levels: IntArray, offset: int) -> IntArray:
    """Return the last level of the batch of each request, shape (n,).

    Batches end at the levels offset, offset + K, offset + 2 K, ....
    """
    ends: IntArray = offset - (offset - levels) // STEPS * STEPS
    return ends


def smallest_offset(levels: IntArray) -> int:
    """Return the offset from 0 to K - 1 for which the sum of g^(last level of the batch) is least.

    Of equal ones it is the first.
    """
    counts = np.bincount(levels, minlength=int(levels.max()) + STEPS)
    up_to = np.concatenate(([0], np.cumsum(counts))).tolist()  # requests below each level
    up, down = GROWTH.numerator, GROWTH.denominator
    weights = [down ** len(counts)]  # g^e, times a common denominator
    for _ in counts[1:]:
        weights.append(weights[-1] // down * up)

    def total(offset: int) -> int:
        ends = range(offset, len(counts), STEPS)
        return sum(weights[e] * (up_to[e + 1] - up_to[max(0, e + 1 - STEPS)]) for e in ends)

    return min(range(STEPS), key=total)


def batch_order(
    prompts: IntArray, outputs: IntArray, memory: int, offset: int | None = None
) -> IntArray:
    """Return the places of requests in the order of SVF in batches, shape (n,).

    That is by the batch, in a batch those with a peak s + o above M/2 first, then by (area, place).

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each, n >= 1.
    memory
        Memory budget M (tokens).
    offset
        Where the levels are cut, from 0 to K - 1; None for `smallest_offset`.
    """
    found = levels(prompts, outputs, memory)
    ends = batch_ends(found, smallest_offset(found) if offset is None else offset)
    narrow = 2 * (prompts + outputs) <= memory
    order = area_order(prompts, outputs)
    return order[np.lexsort((narrow[order], ends[order]))]


def batch_starts(
    prompts: IntArray, outputs: IntArray, memory: int, offset: int | None = None
) -> IntArray:
    """Return the starts of SVF in batches (rounds), shape (n,).

    In the order of `batch_order` each starts as soon as it fits for its whole run, none before
    its predecessor.  Parameters are as there.
    """
    order = batch_order(prompts, outputs, memory, offset)
    starts = np.zeros(len(prompts), dtype=np.int64)
    starts[order] = earliest_starts(prompts[order], outputs[order], memory)
    return starts
