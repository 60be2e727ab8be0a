"""Bounds on expected ratios."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from kvopt.theory.random_bounds import log_below


@pytest.mark.parametrize("exponent", [1, 3, 6, 12, 24, 27, 60, 200])
def test_logarithms_of_what_is_close_to_1(exponent: int) -> None:
    rest = Fraction(1, 10**exponent)
    found = log_below(1 + rest)
    assert rest - rest**2 / 2 - Fraction(1, 10**15) <= found <= rest - rest**2 / 2 + rest**3 / 3
    assert found >= rest * Fraction(9, 10)


@pytest.mark.parametrize("x", [Fraction(3, 2), Fraction(2), Fraction(27, 10), Fraction(10**30)])
def test_logarithms(x: Fraction) -> None:
    assert float(log_below(x)) == pytest.approx(math.log(x), abs=1e-15, rel=1e-15)
