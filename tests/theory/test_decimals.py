"""Decimals are rounded to the side that keeps a claim true."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from kvopt.theory.decimals import rounded_down, rounded_up
from kvopt.theory.quadratic import parse_exact


@given(st.fractions(min_value=0, max_value=10**9), st.integers(0, 8))
def test_a_lower_bound_is_not_more_and_an_upper_one_not_less(x: Fraction, decimals: int) -> None:
    down, up = rounded_down(x, decimals), rounded_up(x, decimals)
    unit = Fraction(1, 10**decimals)
    assert Fraction(down) <= x < Fraction(down) + unit
    assert Fraction(up) - unit < x <= Fraction(up)
    if decimals:
        assert len(down.partition(".")[2]) == len(up.partition(".")[2]) == decimals


def test_irrational_numbers() -> None:
    root = parse_exact("sqrt(2)", "x")
    assert (rounded_down(root, 4), rounded_up(root, 4)) == ("1.4142", "1.4143")
