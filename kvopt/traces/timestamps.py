"""Times of arrival as traces write them, in microseconds.

Digits below the microsecond are rounded to the nearest one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import NamedTuple, NoReturn

from kvopt.model.errors import InputError
from kvopt.model.instance import abridged
from kvopt.model.milliseconds import exact_number

__all__ = ["Moment", "TimeReader", "date_and_time", "number_of"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LARGEST = 10**18
"""Largest number accepted in a column of numbers (microseconds), some 30,000 years."""

_DATE_AND_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,12}))? ?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)


class Moment(NamedTuple):
    """A time of arrival: microseconds since some moment, and whether it names a time zone."""

    time: int
    zoned: bool


TimeReader = Callable[[object, str], Moment]
"""(content of a field, its place for messages) -> the time; raises InputError."""


def date_and_time(value: object, place: str) -> Moment:
    """Read YYYY-MM-DD HH:MM:SS, with any fraction of the second and any offset from UTC.

    Without an offset, days have 24 hours: no clock is put forward or back.

    Examples
    --------
    >>> a = date_and_time("2023-11-16 18:17:03.9799600", "line 2")
    >>> b = date_and_time("2023-11-16T20:17:04+02:00", "line 3")
    >>> b.time - a.time, a.zoned, b.zoned
    (20040, False, True)
    """
    match = _DATE_AND_TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    rule = "a date and time YYYY-MM-DD HH:MM:SS.ffffff, with or without an offset from UTC"
    if match is None:
        _refuse(value, place, rule)
    date, clock, part, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{zone or '+00:00'}")
        whole = (moment - EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        _refuse(value, place, rule)
    digits = part or ""
    below = int(digits[:6].ljust(6, "0")) + (digits[6:7] >= "5")
    return Moment(whole + below, zone is not None)


def number_of(unit: int, words: str) -> TimeReader:
    """Return a reader of decimal numbers.

    Parameters
    ----------
    unit
        The unit of the numbers (microseconds).
    words
        Its name, in the plural.
    """

    def read(value: object, place: str) -> Moment:
        number = exact_number(repr(value) if isinstance(value, float) else value)
        if number is None or not 0 <= number * unit <= LARGEST:
            _refuse(value, place, f"a number of {words} from 0 to {LARGEST // unit}")
        return Moment(int(number * unit + Fraction(1, 2)), False)

    return read


def _refuse(value: object, place: str, rule: str) -> NoReturn:
    raise InputError(f"{place}: must be {rule}, got {abridged(value)}")
