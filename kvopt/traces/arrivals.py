"""What becomes of the arrival times of a trace: windows, rates, milliseconds, releases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.instance import Instance, IntArray, check_integer
from kvopt.model.milliseconds import MAX_ARRIVAL, ms_text, rounds_of
from kvopt.model.text import counted
from kvopt.traces.timestamps import TimeReader

__all__ = ["Arrivals", "Times", "told", "with_arrivals"]

LARGEST_RATE = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """How to use the arrival times of a trace.

    Times are relative to the first row that is read (or to the earliest one that is kept, if
    that is earlier), or to the beginning of the window if there is one.

    Parameters
    ----------
    round_length
        Length of a round (microseconds): a request is released at the first end of a round at or
        after its arrival.  None to release all requests at time 0.
    rate
        So many times the rate of the trace: times are divided by it, exactly, and rounded to
        microseconds.
    begin, end
        Keep rows from `begin` on and before `end` only (microseconds after the first row that is
        read, at the rate of the trace); None for no limit.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    round_length: int | None = None
    rate: Fraction = Fraction(1)
    begin: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        for field, low in (("round_length", 1), ("begin", 0), ("end", 1)):
            if (value := getattr(self, field)) is not None:
                check_integer(value, field, low, MAX_ARRIVAL)
        if not Fraction(1, LARGEST_RATE) <= self.rate <= LARGEST_RATE:
            raise InputError(
                f"rate: must be a number from 1/{LARGEST_RATE} to {LARGEST_RATE}, got {self.rate}"
            )
        if self.begin is not None and self.end is not None and self.begin >= self.end:
            raise InputError(
                f"end: must be after begin = {ms_text(self.begin)} ms, got {ms_text(self.end)} ms"
            )

    def within(self, time: int) -> bool:
        """Tell whether a time relative to the first row (microseconds) is in the window."""
        after = self.begin is None or self.begin <= time
        return after and (self.end is None or time < self.end)

    def notes(self) -> Iterator[str]:
        """Yield what to say of these options."""
        if self.begin is not None:
            yield f"from {ms_text(self.begin)} ms on"
        if self.end is not None:
            yield f"until {ms_text(self.end)} ms"
        if self.rate != 1:
            yield f"at {self.rate} times the rate"


class Times:
    """Arrival times of the rows of a trace, as they are read.

    Parameters
    ----------
    read
        Reads the time of a row.
    column
        Name of the column, for messages.
    """

    def __init__(self, read: TimeReader, column: str) -> None:
        self._read = read
        self._column = column
        self._first: int | None = None
        self._zoned = False
        self._latest = 0
        self.out_of_order = 0
        """So many rows are earlier than one before them."""
        self.first_out_of_order = 0
        """The line of the first one of these."""

    def of(self, line: int, content: object) -> int:
        """Return the time of the row in a line, relative to the first row (microseconds).

        Raises
        ------
        InputError
            If the time is missing or not acceptable, or one time names its time zone and
            another does not.
        """
        place = f"line {line}: {self._column}"
        if content is None:
            raise InputError(f"{place}: must be one column of the file for --arrivals")
        time, zoned = self._read(content, place)
        if self._first is None:
            self._first, self._zoned = time, zoned
        if zoned != self._zoned:
            has = ("no offset from UTC", "an offset from UTC")
            raise InputError(
                f"{place}: must have {has[self._zoned]}, as the first row, got {content!r}"
            )
        relative = time - self._first
        if relative < self._latest:
            self.out_of_order += 1
            self.first_out_of_order = self.first_out_of_order or line
        self._latest = max(self._latest, relative)
        return relative


def with_arrivals(instance: Instance, times: IntArray, arrivals: Arrivals) -> Instance:
    """Return an instance with its requests sorted by arrival, and released.

    Parameters
    ----------
    instance
        The instance, requests in file order.
    times
        Times relative to the first row of the trace (microseconds), shape (n,).
    arrivals
        What to do with them.

    Raises
    ------
    InputError
        If times are too far apart.
    """
    origin = min(arrivals.begin or 0, int(times.min()))
    order = np.argsort(times, kind="stable")
    up, down = arrivals.rate.denominator, arrivals.rate.numerator
    relative = (times[order] - origin).tolist()
    scaled = [(2 * time * up + down) // (2 * down) for time in relative] if up != down else relative
    if scaled[-1] > MAX_ARRIVAL:
        raise InputError(
            f"arrivals: must be at most {ms_text(MAX_ARRIVAL)} ms after the first row,"
            f" got {ms_text(scaled[-1])} ms"
        )
    array = np.array(scaled, dtype=np.int64)
    length = arrivals.round_length
    return Instance(
        instance.memory,
        instance.prompts[order],
        instance.outputs[order],
        instance.name,
        instance.comment,
        instance.source,
        None if length is None else rounds_of(array, length),
    ).with_arrivals(array)


def told(instance: Instance, arrivals: Arrivals, times: Times, outside: int) -> str:
    """Return a line on what was done with the arrival times.

    Parameters
    ----------
    instance
        What was made.
    arrivals
        The options.
    times
        The times read.
    outside
        How many rows were outside the window.
    """
    assert instance.arrivals is not None
    parts = [f"arrival times kept, {ms_text(int(instance.arrivals[-1]))} ms to the last one"]
    parts += arrivals.notes()
    if arrivals.begin is not None or arrivals.end is not None:
        parts.append(f"{counted(outside, 'row')} outside the window")
    if times.out_of_order:
        parts.append(
            f"sorted, {counted(times.out_of_order, 'row')} being out of order, the first in line"
            f" {times.first_out_of_order}"
        )
    if arrivals.round_length is None:
        parts.append("all released at time 0 (--round-ms releases them by these times)")
    else:
        parts.append(
            f"released by rounds of {ms_text(arrivals.round_length)} ms,"
            f" the last at {instance.releases[-1]}"
        )
        if instance.load is not None:
            parts.append(f"load {float(instance.load):.3g}")
    return ", ".join(parts)
