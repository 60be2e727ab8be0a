"""Parsers of exact numbers: growth factors, shares and factors."""

from __future__ import annotations

from fractions import Fraction

from kvopt.model.errors import InputError
from kvopt.model.instance import abridged
from kvopt.model.spec import Parser
from kvopt.theory.quadratic import Exact, parse_exact

__all__ = ["at_least_one", "fraction", "growth_factor", "positive"]

SMALLEST_GROWTH = Fraction(1001, 1000)


LARGEST_DENOMINATOR = 10**9
"""Growth factors that are run are multiplied up exactly; finer ones take too long."""


def growth_factor(text: str, name: str) -> Exact:
    """Parse the growth factor alpha of slices or classes.

    Raises
    ------
    InputError
        If it is not a number above 1, or so close to 1 that its powers take too
        long to reach any length.
    """
    alpha = parse_exact(text, name)
    if alpha <= 1:
        raise InputError(f"{name}: must be greater than 1, got {text}")
    if alpha < SMALLEST_GROWTH:
        raise InputError(f"{name}: must be at least {float(SMALLEST_GROWTH)} to be run, got {text}")
    parts = (alpha,) if isinstance(alpha, Fraction) else (alpha.a, alpha.b)
    if max(part.denominator for part in parts) > LARGEST_DENOMINATOR:
        raise InputError(
            f"{name}: must have denominators up to {LARGEST_DENOMINATOR}, got {abridged(text)}"
        )
    return alpha


def at_least_one(text: str, name: str) -> Fraction:
    """Parse a rational number >= 1.

    Raises
    ------
    InputError
        If it is not one.
    """
    value = parse_exact(text, name)
    if not isinstance(value, Fraction):
        raise InputError(f"{name}: must be rational, got {text}")
    if value < 1:
        raise InputError(f"{name}: must be at least 1, got {text}")
    return value


def positive(text: str, name: str) -> Fraction:
    """Parse a rational number > 0.

    Raises
    ------
    InputError
        If it is not one, or its denominator exceeds `LARGEST_DENOMINATOR`.
    """
    value = parse_exact(text, name)
    if not (isinstance(value, Fraction) and value > 0):
        raise InputError(f"{name}: must be a rational number above 0, got {text}")
    if value.denominator > LARGEST_DENOMINATOR:
        raise InputError(
            f"{name}: must have a denominator up to {LARGEST_DENOMINATOR}, got {abridged(text)}"
        )
    return value


def fraction(low: Fraction, high: Fraction, what: str) -> Parser:
    """Return a parser of rational numbers in the open interval (low, high), `what` in words."""

    def parse(text: str, name: str) -> Fraction:
        value = parse_exact(text, name)
        if not (isinstance(value, Fraction) and low < value < high):
            raise InputError(f"{name}: must be a rational number {what}, got {text}")
        return value

    return parse
