"""Decimals of exact numbers that keep what they claim: lower bounds down, upper bounds up."""

from __future__ import annotations

import math
from fractions import Fraction

from kvopt.theory.quadratic import Exact

__all__ = ["gap_text", "rounded_down", "rounded_up"]


def rounded_down(x: Exact, decimals: int) -> str:
    """Write a number >= 0 rounded down to so many decimals, exactly: a lower bound.

    Examples
    --------
    >>> from fractions import Fraction
    >>> rounded_down(Fraction(2, 3), 2), rounded_up(Fraction(2, 3), 2)
    ('0.66', '0.67')
    """
    return _fixed(math.floor(10**decimals * x), decimals)


def rounded_up(x: Exact, decimals: int) -> str:
    """Write a number >= 0 rounded up to so many decimals, exactly: an upper bound."""
    return _fixed(-math.floor(-(10**decimals) * x), decimals)


def gap_text(lower: int, upper: int) -> str:
    """Write how far apart the ends of a bracket are, 1 - lower / upper, in percent rounded up.

    Examples
    --------
    >>> gap_text(97, 100), gap_text(2, 3)
    ('3.00 %', '33.34 %')
    """
    return f"{rounded_up(100 * (1 - Fraction(lower, upper)), 2)} %"


def _fixed(digits: int, decimals: int) -> str:
    """Write digits / 10^decimals."""
    whole, part = divmod(digits, 10**decimals)
    return f"{whole}.{part:0{decimals}d}"
