"""What a policy decides: pauses, and attempts that are planned or foreseen."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.theory.released_order import Order

__all__ = ["LATEST", "NEVER", "Commitment", "Decisions", "Foreseen", "InOrder", "Until", "Wait"]

NEVER = np.iinfo(np.int64).max
"""End of an attempt that nobody has announced (time)."""

LATEST = 10**17
"""Latest time a policy may plan for (rounds); sums of times stay within 64 bits."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass to the next completion or release, or to `until` if that is earlier.

    Parameters
    ----------
    until
        Time to wake at if nothing happens before it (rounds), or None.
    completions, releases
        Whether completions and releases end the pause; those on the way are reported
        after it in any case, completions as its value, releases by `Machine.arrivals`.
    """

    until: int | None = None
    completions: bool = True
    releases: bool = True


@dataclass(frozen=True, slots=True)
class Until:
    """Let time pass to exactly `time`; what happens on the way is reported then."""

    time: int


Decisions = Generator[Wait | Until, IntArray, None]
"""What `Policy.run` returns: it yields pauses and is sent the requests that completed."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """Attempts decided on in one go, as arrays.

    Parameters
    ----------
    requests, starts
        Request and start time (rounds) of each attempt, shape (a,) each.
    kill_at
        Age at which each attempt is killed unless it has completed by then
        (rounds), shape (a,); `NEVER` for none.
    """

    requests: IntArray
    starts: IntArray
    kill_at: IntArray


@dataclass(frozen=True, slots=True)
class InOrder:
    """An order to which all starts are left; see `Machine.start_in_order`.

    Parameters
    ----------
    order
        The order.
    width
        Up to which factor output lengths are known, or None.
    """

    order: Order
    width: Fraction | None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Attempts that are foreseen, by (request, start); see `Machine.foresee`.

    Parameters
    ----------
    requests, starts, ends
        Request, start and end of each attempt (rounds), shape (a,) each.
    running
        Whether the attempt runs already, shape (a,).
    """

    requests: IntArray
    starts: IntArray
    ends: IntArray
    running: NDArray[np.bool_]
