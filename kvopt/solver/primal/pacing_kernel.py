"""Placing a part of a schedule anew, copies of a request at a pace, compiled.

The function is plain Python on arrays of integers; the tests run the same source uncompiled.
Loads: `kvopt.solver.primal.moves`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.arrays import copy_into
from kvopt.solver.compiling import Kernel, lean
from kvopt.solver.primal.moves import Lengths, earliest, enter, no_lengths

__all__ = ["FAR", "PACING", "Functions", "Paced", "Scratch"]

FAR = 1 << 60
"""More than any sum of starts (rounds)."""


class Paced(NamedTuple):
    """A schedule."""

    start: Any
    """Start of each request (rounds), shape (n,)."""
    load: Any
    """Its load, shape (rounds,)."""
    end: int
    """Its last round."""


class Scratch(NamedTuple):
    """Room for a schedule that is tried."""

    start: Any
    """Starts of those placed anew, the others as they are (rounds), shape (n,)."""
    load: Any
    """A load, shape (rounds,)."""


@lean
def place_paced(
    lengths: Lengths,
    paced: Paced,
    scratch: Scratch,
    listed: Any,
    kind: Any,
    pace: Any,
    soonest: Any,
    allowed: int,
) -> tuple[int, int]:
    """Place requests anew in the order of a list, each as early as it fits and its pace permits.

    Parameters
    ----------
    lengths, paced
        The instance and the schedule.
    scratch
        Where the new starts are written.
    listed
        The requests, each once; the others stay where they are.
    kind
        The kind of each request, shape (n,).
    pace
        How long after one of its kind the next one starts at the soonest (rounds), shape (kinds,).
    soonest
        When the first of each kind may start (rounds), shape (kinds,); it is overwritten.
    allowed
        Largest sum of starts that is of interest (rounds).

    Returns
    -------
    cost, work
        Sum of the starts of those listed (rounds), or `FAR` if it exceeds what is allowed or they
        do not fit into the rounds; how many rounds were looked at.
    """  # fmt: skip
    load = scratch.load
    copy_into(load, paced.load, 0, len(load))
    work = len(load)
    for i in listed:
        enter(load, lengths.prompts[i], lengths.outputs[i], paced.start[i], -1)
        work += lengths.outputs[i]
    end = paced.end
    cost = 0
    for i in listed:
        s = lengths.prompts[i]
        o = lengths.outputs[i]
        low = max(soonest[kind[i]], lengths.releases[i])
        if max(low, end) + 2 * o + 2 > len(load):
            return FAR, work
        start = earliest(load, lengths.memory, s, o, low)
        work += start - low + 2 * o
        cost += start
        if cost > allowed:
            return FAR, work
        enter(load, s, o, start, 1)
        end = max(end, start + o)
        soonest[kind[i]] = start + pace[kind[i]]
        scratch.start[i] = start
    return cost, work


class Functions(NamedTuple):
    """The function that is called from outside, compiled or not."""

    place_paced: Callable[..., tuple[int, int]]


def _warm_up(functions: Functions) -> None:
    """Call it with nothing to do."""
    numbers = np.zeros(2, dtype=np.int64)
    paced, scratch = Paced(numbers, numbers.copy(), 0), Scratch(numbers.copy(), numbers.copy())
    functions.place_paced(
        no_lengths(), paced, scratch, numbers[:0], numbers, numbers, numbers.copy(), 0
    )


PACING = Kernel(
    "placing of requests at a pace",
    (copy_into, earliest, enter, place_paced),
    Functions,
    _warm_up,
    error_model="numpy",
)
"""All that pacing compiles; see `kvopt.solver.compiling`."""
