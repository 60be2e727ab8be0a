"""How a cost in areas and outputs compares with the optimum, for one common prompt length.

With A half the sum over all ordered pairs of requests of the smaller area, over the memory, and L
the sum of the outputs, OPT >= a A + b L for a curve of pairs (a, b): theorem 3 of
proofs/text/area_and_length.md, and what is proved for all prompts, (1, 1/3).
"""

from __future__ import annotations

import math
from fractions import Fraction

from kvopt.theory.quadratic import Exact
from kvopt.theory.random_bounds import log_below

__all__ = ["AREA_AND_LENGTH", "area_and_length", "ratio_of_cost"]

AREA_AND_LENGTH = "proofs/text/area_and_length.md, theorem 5"

TANGENT = (Fraction("2.144"), Fraction("0.7627"))
"""w and a number that is at least ln w, where the line through (1, 1/3) touches the curve."""

FINEST = 4096
"""Denominators of the w that are tried."""

LARGEST = 10**6
"""No larger w is tried: 2 A / 3 + L is about as good there."""


def area_and_length(w: Fraction, log: Fraction) -> tuple[Fraction, Fraction]:
    """Return a and b such that OPT >= a A + b L.

    Parameters
    ----------
    w
        Any number >= 2.
    log
        A number >= ln w.

    Examples
    --------
    >>> area_and_length(Fraction(2), Fraction(7, 10))
    (Fraction(25, 29), Fraction(14, 29))
    """
    weight = 2 * w - 1 + 2 * w * log
    return (4 * w - 3) / weight, 2 * w * log / weight


def ratio_of_cost(shared: Exact, own: Exact) -> Exact:
    """Bound shared A + own L by the optimum; derived: proofs/text/area_and_length.md, lemma 4.

    Which of the proved pairs is used is chosen in floating point; any of them is true. Where it is
    on the curve the bound is rounded up to a multiple of 10^-6.

    Parameters
    ----------
    shared, own
        Positive factors of A and of L.

    Examples
    --------
    >>> float(ratio_of_cost(Fraction(2), Fraction(1)))  # the SPT pipeline
    2.231964846164191
    """
    a, b = area_and_length(*TANGENT)
    third = Fraction(1, 3)
    if shared >= 3 * own:
        return shared
    if shared * b >= own * a:
        slope = (b - third) / (1 - a)
        return (own + slope * shared) / (third + slope)
    wanted = float(shared) / float(own)
    low, high = float(TANGENT[0]), float(LARGEST)
    while high - low > 1 / FINEST:
        middle = (low + high) / 2
        if (2 - 1.5 / middle) / math.log(middle) > wanted:
            low = middle
        else:
            high = middle
    w = Fraction(round(high * FINEST), FINEST)
    a, b = area_and_length(w, log_below(w) + Fraction(1, 10**15))
    bound = min(max(shared / a, own / b), 2 * shared / 3 + own)
    return Fraction(math.ceil(bound * 10**6), 10**6)
