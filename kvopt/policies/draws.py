"""What policies draw: an offset of slices or areas, and an order."""

from __future__ import annotations

import random
from fractions import Fraction

from kvopt.theory.quadratic import Exact

__all__ = ["FIXED_OR_RANDOM", "random_offset", "shuffle"]

FIXED_OR_RANDOM = ("fixed", "random")

OFFSET_BITS = 20
"""Random factors are rounded to multiples of 2^-20, so that every machine has the same ones."""


def random_offset(alpha: Exact, rng: random.Random) -> Fraction:
    """Return alpha to a random power in [0, 1), rounded, at most alpha.

    Parameters
    ----------
    alpha
        Growth factor, > 1.
    rng
        Draws one number.
    """
    steps = round(float(alpha) ** rng.random() * 2**OFFSET_BITS)
    if Fraction(steps, 2**OFFSET_BITS) > alpha:
        steps -= 1  # the bounds are about offsets up to alpha
    return Fraction(steps, 2**OFFSET_BITS)


def shuffle(items: list[int], rng: random.Random) -> None:
    """Shuffle as `random.shuffle` does (Fisher and Yates), in two thirds of its time."""
    bits = rng.getrandbits
    for i in range(len(items) - 1, 0, -1):
        width = (i + 1).bit_length()
        j = bits(width)
        while j > i:
            j = bits(width)
        items[i], items[j] = items[j], items[i]
