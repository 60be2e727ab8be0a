"""Things named on the command line as NAME:key=value:key=value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from kvopt.model.errors import InputError
from kvopt.model.instance import MAX_TOKENS, abridged, check_integer
from kvopt.theory.quadratic import Exact, parse_exact

__all__ = [
    "Parser",
    "at_least_one",
    "choice",
    "fraction",
    "growth_factor",
    "integer",
    "optional",
    "parse_values",
    "split_spec",
    "yes_or_no",
]

Parser = Callable[[str, str], Any]
"""(text, name) -> value; raises InputError with the name in its message."""

SMALLEST_GROWTH = Fraction(1001, 1000)
LARGEST_DENOMINATOR = 10**9
"""Growth factors that are run are multiplied up exactly; finer ones take too long."""


def split_spec(spec: str, what: str) -> tuple[str, dict[str, str]]:
    """Split NAME:key=value:key=value into the name and the values as text.

    Parameters
    ----------
    spec
        The text.
    what
        What is named, for messages.

    Raises
    ------
    InputError
        If a part has no "=", or a key appears twice.

    Examples
    --------
    >>> split_spec("gsa:alpha=2", "policy")
    ('gsa', {'alpha': '2'})
    """
    name, *parts = spec.split(":")
    given: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"{what} {name}: must have key=value after ':', got {abridged(part)}")
        if key in given:
            raise InputError(f"{what} {name}: {key}: given twice, got {abridged(value)}")
        given[key] = value
    return name, given


def parse_values(
    given: Mapping[str, str], known: Mapping[str, Parser], what: str
) -> dict[str, Any]:
    """Parse values by the parsers of their keys.

    Raises
    ------
    InputError
        If a key is not known or a value not acceptable.
    """
    values = {}
    for key, text in given.items():
        if key not in known:
            names = ", ".join(known) or "none"
            raise InputError(f"{what}: {abridged(key)}: unknown parameter, known: {names}")
        values[key] = known[key](text, f"{what}: {key}")
    return values


def integer(low: int, high: int = MAX_TOKENS) -> Parser:
    """Return a parser of integers in [low, high]."""

    def parse(text: str, name: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= 20:
            return check_integer(int(text), name, low, high)
        raise InputError(f"{name}: must be an integer from {low} to {high}, got {abridged(text)}")

    return parse


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


def fraction(low: Fraction, high: Fraction, what: str) -> Parser:
    """Return a parser of rational numbers in the open interval (low, high), `what` in words."""

    def parse(text: str, name: str) -> Fraction:
        value = parse_exact(text, name)
        if not (isinstance(value, Fraction) and low < value < high):
            raise InputError(f"{name}: must be a rational number {what}, got {text}")
        return value

    return parse


def choice(*values: str) -> Parser:
    """Return a parser of one of a few words."""

    def parse(text: str, name: str) -> str:
        if text not in values:
            raise InputError(f"{name}: must be {' or '.join(values)}, got {abridged(text)}")
        return text

    return parse


def yes_or_no(text: str, name: str) -> bool:
    """Parse yes or no."""
    return bool(choice("yes", "no")(text, name) == "yes")


def optional(parse: Parser) -> Parser:
    """Return a parser that also takes "none", for None."""
    return lambda text, name: None if text == "none" else parse(text, name)
