"""Batches of requests by area, and the bound of SVF in batches.

Derived: proofs/text/area_batches.md, for whose theorem 5 the numbers below are chosen.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from functools import lru_cache
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

ONE = Fraction(1)

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
    largest_outputs = _largest(ONE, GROWTH, int(outputs.max()).bit_length())
    largest_sums = _largest(LENGTH_WEIGHT * memory / 4, GROWTH, sums[-1].bit_length())
    found = np.array([bisect_left(largest_outputs, o) for o in outputs.tolist()], dtype=np.int64)
    by_area = np.array([bisect_left(largest_sums, v) for v in sums], dtype=np.int64)
    found[order] = np.maximum(found[order], by_area)
    return found


@lru_cache(maxsize=64)
def _largest(unit: Fraction, growth: Fraction, bits: int) -> tuple[int, ...]:
    """Return the largest integers up to unit * growth^e for e = 0, 1, ..., to 2^bits at least."""
    largest = [unit.numerator // unit.denominator]
    up, down = unit.numerator, unit.denominator
    while largest[-1] < 1 << bits:
        up, down = up * growth.numerator, down * growth.denominator
        largest.append(up // down)
    return tuple(largest)


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
    # With an offset at which no level ends, all batches end one level later than with the one
    # before it; so only those count at which one does.  Only differences of levels matter.
    base = int(levels.min())
    offsets = sorted(set((levels % STEPS).tolist()))
    levels = levels - base
    counts = np.bincount(levels, minlength=int(levels.max()) + STEPS)
    up_to = np.concatenate(([0], np.cumsum(counts))).tolist()  # requests below each level
    up, down = GROWTH.numerator, GROWTH.denominator
    weights = [down ** len(counts)]  # g^e, times a common denominator
    for _ in counts[1:]:
        weights.append(weights[-1] // down * up)

    def total(offset: int) -> int:
        ends = range((offset - base) % STEPS, len(counts), STEPS)
        return sum(weights[e] * (up_to[e + 1] - up_to[max(0, e + 1 - STEPS)]) for e in ends)

    best: int = min(offsets, key=total)
    return best


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
    order = area_order(prompts, outputs)
    narrow = 2 * (prompts + outputs) <= memory
    if narrow.all() and (np.diff(outputs[order]) >= 0).all():
        return order  # the levels do not decrease either, wherever they are cut
    found = levels(prompts, outputs, memory)
    ends = batch_ends(found, smallest_offset(found) if offset is None else offset)
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
