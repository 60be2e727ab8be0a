"""Placing a part of a schedule anew, copies of a request some distance apart, compiled.

The function is plain Python on arrays of integers; the tests run the same source uncompiled.
Loads: `kvopt.solver.primal.moves`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.arrays import copy_into
from kvopt.solver.compiling import Kernel, lean
from kvopt.solver.primal.moves import FAR, Lengths, Loaded, earliest, enter, no_lengths

__all__ = ["STAGGERING", "Functions"]


@lean
def place_staggered(
    lengths: Lengths,
    loaded: Loaded,
    trial: Loaded,
    listed: Any,
    kind: Any,
    spacing: Any,
    soonest: Any,
    allowed: int,
) -> tuple[int, int]:
    """Place requests anew in the order of a list, copies of one some distance apart.

    Parameters
    ----------
    lengths, loaded
        The instance and the schedule.
    trial
        Where the new starts are written; the others are left as they are there.
    listed
        The requests, each once; the others stay where they are in the schedule.
    kind
        The kind of each request, shape (n,).
    spacing
        How long after one of its kind the next one starts at the soonest (rounds), shape (kinds,).
    soonest
        When the first of each kind may start (rounds), shape (kinds,); it is overwritten.
    allowed
        Largest sum of starts that is of interest (rounds).

    Returns
    -------
    cost, work
        Sum of the starts of those listed (rounds), or `FAR` if it exceeds what is allowed or one
        would end after the horizon; how many rounds were looked at.
    """  # fmt: skip
    load = trial.load
    copy_into(load, loaded.load, 0, len(load))
    work = len(load)
    for i in listed:
        enter(load, lengths.prompts[i], lengths.outputs[i], loaded.start[i], -1)
        work += lengths.outputs[i]
    cost = 0
    for i in listed:
        s = lengths.prompts[i]
        o = lengths.outputs[i]
        low = max(soonest[kind[i]], lengths.releases[i])
        if low + o > loaded.horizon:
            return FAR, work
        start = earliest(load, lengths.memory, s, o, low)
        work += start - low + 2 * o
        cost += start
        if cost > allowed or start + o > loaded.horizon:
            return FAR, work
        enter(load, s, o, start, 1)
        soonest[kind[i]] = start + spacing[kind[i]]
        trial.start[i] = start
    return cost, work


class Functions(NamedTuple):
    """The function that is called from outside, compiled or not."""

    place_staggered: Callable[..., tuple[int, int]]


def _warm_up(functions: Functions) -> None:
    """Call it with nothing to do."""
    numbers = np.zeros(2, dtype=np.int64)
    loaded, trial = (Loaded(numbers.copy(), numbers.copy(), 0) for _ in range(2))
    functions.place_staggered(
        no_lengths(), loaded, trial, numbers[:0], numbers, numbers, numbers.copy(), 0
    )


STAGGERING = Kernel(
    "staggering of copies",
    (copy_into, earliest, enter, place_staggered),
    Functions,
    _warm_up,
    error_model="numpy",
)
"""All that staggering compiles; see `kvopt.solver.compiling`."""
