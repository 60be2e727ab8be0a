"""Things named on the command line as NAME:key=value:key=value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kvopt.model.errors import InputError
from kvopt.model.instance import MAX_TOKENS, abridged, check_integer

__all__ = [
    "Parser",
    "choice",
    "integer",
    "optional",
    "parse_values",
    "split_spec",
    "yes_or_no",
]

Parser = Callable[[str, str], Any]
"""(text, name) -> value; raises InputError with the name in its message."""


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
