"""The options of import that are about arrival times."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from kvopt.model.errors import InputError
from kvopt.model.instance import abridged
from kvopt.model.milliseconds import MAX_ARRIVAL, decimal_fraction, parse_duration_ms

if TYPE_CHECKING:
    from kvopt.traces import Arrivals

__all__ = ["arrival_options", "arrivals_from"]

UNITS = {"": 1_000_000, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
"""Units of a time on the command line (microseconds)."""


def time_option(name: str) -> Any:
    """Return a reader of times with a unit, for click; in microseconds."""

    def read(text: str) -> int:
        match = re.fullmatch(r"([0-9.]{1,40})(ms|s|min|h)?", text)
        value = decimal_fraction(match[1]) if match else None
        if value == 0 and name == "--until":
            raise InputError(f"{name}: must be above 0, got {abridged(text)}")
        if match is None or value is None or value * UNITS[match[2] or ""] > MAX_ARRIVAL:
            raise InputError(
                f"{name}: must be a time such as 90, 90s, 1500ms, 10min or 2h, got {abridged(text)}"
            )
        return round(value * UNITS[match[2] or ""])

    return read


def round_option(text: str) -> int:
    """Read the length of a round, in microseconds; for click."""
    return parse_duration_ms(text, "--round-ms")


def rate_option(text: str) -> Fraction:
    """Read a factor of the rate, exact; for click."""
    value = decimal_fraction(text)
    if value is None or value <= 0:
        raise InputError(f"--rate-scale: must be a positive number, got {abridged(text)}")
    return value


OPTIONS = (
    click.option("--arrivals", is_flag=True, help="Keep the times of arrival."),
    click.option(
        "--round-ms",
        "round_length",
        type=round_option,
        metavar="D",
        help="Length of a round in ms: requests are released by their times of arrival.",
    ),
    click.option(
        "--rate-scale",
        "rate",
        type=rate_option,
        metavar="X",
        help="Let requests arrive at X times the rate of the trace.",
    ),
    click.option(
        "--from",
        "begin",
        type=time_option("--from"),
        metavar="T",
        help="Keep what arrives T after the first row or later; 90, 90s, 1500ms, 10min, 2h.",
    ),
    click.option(
        "--until",
        "end",
        type=time_option("--until"),
        metavar="T",
        help="Keep what arrives before that.",
    ),
)


def arrival_options(command: Any) -> Any:
    """Give a command the options on arrival times."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def arrivals_from(given: dict[str, Any]) -> Arrivals | None:
    """Take the values of these options out of all, and return what they ask for.

    Raises
    ------
    InputError
        If one is given without --arrivals, or is not acceptable.
    """
    from kvopt.traces import Arrivals

    wanted = given.pop("arrivals")
    options = {
        "--round-ms": ("round_length", given.pop("round_length")),
        "--rate-scale": ("rate", given.pop("rate")),
        "--from": ("begin", given.pop("begin")),
        "--until": ("end", given.pop("end")),
    }
    values = {key: value for key, value in options.values() if value is not None}
    if not wanted:
        for option, (_, value) in options.items():
            if value is not None:
                raise InputError(f"{option}: must come with --arrivals")
        return None
    try:
        return Arrivals(**values)
    except InputError as error:
        field, _, rest = str(error).partition(": ")
        names = {key: option for option, (key, _) in options.items()}
        rest = rest.replace("after begin =", "after --from =")
        raise InputError(f"{names.get(field, field)}: {rest}") from None
