"""Times in milliseconds, exact: whole microseconds inside, decimal numbers outside."""

from __future__ import annotations

import re
from fractions import Fraction

from kvopt.model.errors import InputError
from kvopt.model.request import IntArray
from kvopt.model.text import abridged_repr

__all__ = [
    "MAX_ARRIVAL",
    "checked_ms",
    "decimal_fraction",
    "decimal_text",
    "exact_number",
    "ms_number",
    "ms_text",
    "parse_duration_ms",
    "rounds_of",
]

MAX_ARRIVAL = 10**15
"""Largest arrival time accepted (microseconds), about 31 years.

Up to it, a float that is parsed from three decimals tells the microsecond exactly."""

_DECIMAL = re.compile(r"([+-]?)([0-9]{0,30})(?:\.([0-9]{0,30}))?(?:[eE]([+-]?[0-9]{1,2}))?")


def decimal_fraction(text: str) -> Fraction | None:
    """Return the exact value of a decimal number, or None if the text is none.

    Examples
    --------
    >>> decimal_fraction("11.28"), decimal_fraction("1e-3"), decimal_fraction("NaN")
    (Fraction(282, 25), Fraction(1, 1000), None)
    """
    match = _DECIMAL.fullmatch(text.strip())
    if match is None or not text.isascii():
        return None
    sign, whole, part, exponent = match[1], match[2], match[3] or "", int(match[4] or 0)
    if not whole + part:
        return None
    value = Fraction(int(whole + part), 10 ** len(part)) * Fraction(10) ** exponent
    return -value if sign == "-" else value


def exact_number(value: object) -> Fraction | None:
    """Return an int, a Fraction, or a decimal number given as text; None for anything else.

    Examples
    --------
    >>> exact_number("0.5"), exact_number(2), exact_number(0.5), exact_number(True)
    (Fraction(1, 2), Fraction(2, 1), None, None)
    """
    if isinstance(value, str):
        return decimal_fraction(value)
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return Fraction(value)
    return None


def decimal_text(value: Fraction) -> str:
    """Write a number >= 0 with at most 9 decimals, without superfluous zeros.

    Examples
    --------
    >>> decimal_text(Fraction("11.280")), decimal_text(Fraction(3))
    ('11.28', '3')
    """
    whole, part = divmod(value.numerator * (10**9 // value.denominator), 10**9)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".")


def checked_ms(value: object, field: str) -> int:
    """Return a number of milliseconds from a JSON file in microseconds.

    Raises
    ------
    InputError
        If it is not a number from 0 to 10^12 with at most three decimals.
    """
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if 0 <= number <= MAX_ARRIVAL // 1000:
        time = number * 1000 if isinstance(number, int) else round(number * 1000)
        if time / 1000 == number:
            return time
    raise InputError(
        f"{field}: must be a number from 0 to {MAX_ARRIVAL // 1000} (milliseconds) with at most"
        f" three decimals, got {abridged_repr(value, 60)}"
    )


def parse_duration_ms(text: str, field: str) -> int:
    """Return a positive number of milliseconds, given as text, in microseconds.

    Raises
    ------
    InputError
        If it is not one of at most 10^12 with at most three decimals.

    Examples
    --------
    >>> parse_duration_ms("12.5", "--round-ms")
    12500
    """
    value = decimal_fraction(text)
    if value is None or not 0 < value * 1000 <= MAX_ARRIVAL or (value * 1000).denominator != 1:
        raise InputError(
            f"{field}: must be a positive number of milliseconds, at most {MAX_ARRIVAL // 1000},"
            f" with at most three decimals, got {abridged_repr(text, 60)}"
        )
    return int(value * 1000)


def ms_number(time: int) -> int | float:
    """Return a time (microseconds) in milliseconds, as JSON has it: whole ones as integers."""
    return time // 1000 if time % 1000 == 0 else time / 1000


def ms_text(time: int) -> str:
    """Return a time (microseconds) in milliseconds as text, without superfluous zeros.

    Examples
    --------
    >>> ms_text(4_314_584), ms_text(2_000_000)
    ('4,314.584', '2,000')
    """
    whole, part = divmod(time, 1000)
    return f"{whole:,}" + (f".{part:03d}".rstrip("0") if part else "")


def rounds_of(times: IntArray, round_length: int) -> IntArray:
    """Return the first ends of rounds at or after given times.

    Parameters
    ----------
    times
        Times (microseconds), shape (n,).
    round_length
        Length of a round (microseconds).

    Returns
    -------
    ndarray of int64, shape (n,)
        Times in rounds.

    Examples
    --------
    >>> import numpy as np
    >>> rounds_of(np.array([0, 1, 30_000, 30_001]), 30_000).tolist()
    [0, 1, 1, 2]
    """
    return -(-times // round_length)
