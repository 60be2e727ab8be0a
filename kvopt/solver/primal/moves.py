"""Loads, and moves of simulated annealing over an order of requests.

Annealing of the whole order and of windows share this; their kernels compile it with their own
functions.  A *load* holds, for each round r, the memory in use plus r.  A request with prompt s
fits for its whole run from p on if load[r] <= M - s + p in every round r of the run: one comparison
with a constant, which processors do for several rounds at once.  They do if places in arrays are
unsigned; those that might be negative, and then count from the end, are looked up one by one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.compiling import inlined, lean

__all__ = [
    "DELAY",
    "FAR",
    "MOST_TEMPERATURE",
    "QUANTILES",
    "SWAP",
    "UNIT",
    "Lengths",
    "Loaded",
    "Mixture",
    "are_alike",
    "draw_places",
    "earliest",
    "enter",
    "lengths_of",
    "load_of",
    "move_block",
    "no_lengths",
    "no_mixture",
    "worsening",
]

UNIT = 1024
"""Temperatures are multiples of 1/1024 of a round, as are quantiles of the exponential
distribution."""

MOST_TEMPERATURE = 1 << 40
"""Hottest temperature (1/1024 rounds): with it no number reaches 2^63."""

QUANTILES: tuple[int, ...] = tuple(round(-UNIT * math.log((k + 0.5) / UNIT)) for k in range(UNIT))
"""Quantiles of the exponential distribution, in units of 1/1024."""

VECTOR_ROUNDS = 24
"""Runs of so many rounds are looked through as a whole, which processors do several at once."""

FAR = 1 << 60
"""More than any sum of starts (rounds)."""

DELAY, SWAP = 0, -1
"""Kinds of moves that move no requests in a row."""


class Lengths(NamedTuple):
    """The instance."""

    memory: int
    """The memory budget (tokens)."""
    smallest: int
    """The smallest prompt (tokens)."""
    prompts: Any
    """Prompt lengths (tokens), shape (n,)."""
    outputs: Any
    """Output lengths (rounds), shape (n,)."""
    releases: Any
    """Release times (rounds), shape (n,)."""


class Loaded(NamedTuple):
    """A schedule and its load."""

    start: Any
    """Start of each request (rounds), shape (n,)."""
    load: Any
    """Its load, longer than the last round by the longest output, shape (rounds,)."""
    horizon: int
    """No request may end later (round)."""


class Mixture(NamedTuple):
    """The mixture of moves."""

    exponential: Any
    """Quantiles of the exponential distribution, in units of 1/1024, shape (1024,)."""
    delay_moves: int
    """How many of 100 moves change a delay."""
    block_moves: int
    """How many of 100 moves move two to four requests in a row."""
    swap_moves: int
    """How many of 100 moves swap two requests; all others move one."""
    largest_delay: int
    """The largest delay that moves give (rounds)."""


def lengths_of(instance: Instance) -> Lengths:
    """Return the lengths of an instance, in arrays of their own."""
    columns = (instance.prompts, instance.outputs, instance.releases)
    return Lengths(instance.memory, int(instance.prompts.min()), *(c.copy() for c in columns))


def load_of(instance: Instance, starts: IntArray, rounds: int) -> IntArray:
    """Return the load of a schedule: the memory in use in each round, plus its number.

    Parameters
    ----------
    instance
        The instance.
    starts
        Start times (rounds), shape (n,).
    rounds
        For how many rounds, more than the last one.
    """
    # Second differences: a run adds s + 1 in its first round, and one more in each later one.
    bend = np.zeros(rounds + 2, dtype=np.int64)
    ends = starts + instance.outputs
    peaks = instance.prompts + instance.outputs
    np.add.at(bend, starts + 1, instance.prompts + 1)
    np.add.at(bend, starts + 2, -instance.prompts)
    np.add.at(bend, ends + 1, -peaks - 1)
    np.add.at(bend, ends + 2, peaks)
    return np.cumsum(np.cumsum(bend))[:rounds] + np.arange(rounds)


def no_lengths() -> Lengths:
    """Return lengths to compile for."""
    return Lengths(1, 0, _zeros(), _zeros(), _zeros())


def no_mixture() -> Mixture:
    """Return a mixture to compile for."""
    return Mixture(_zeros(), 0, 0, 0, 0)


def _zeros() -> IntArray:
    return np.zeros(2, dtype=np.int64)


@inlined
@lean
def worsening(mixture: Mixture, temperature: int, draw: int) -> int:
    """Return by how much a schedule may get worse in a move, by a random number (rounds)."""
    allowed: int = temperature * mixture.exponential[draw % UNIT] >> 20
    return allowed


@inlined
@lean
def draw_places(
    mixture: Mixture, draws: Any, drawn: int, first: int, span: int, farthest: int
) -> tuple[int, int, int]:
    """Draw a move.

    Parameters
    ----------
    mixture
        The mixture of moves.
    draws
        Random numbers, uniform in [0, 2^31), of which it uses 0 to 4 and 6...
    drawn
        ...from this one on.
    first, span
        The first place that may move, and how many may.
    farthest
        How many places away the other one may be.

    Returns
    -------
    a, b, length
        A place and another one, which may be out of range; how many in a row move from the former
        to the latter, `SWAP` if the two are to be swapped, `DELAY` if a delay is to change.
    """  # fmt: skip
    kind = draws[drawn] % 100
    a = first + draws[drawn + 1] % span
    distance = 1 + draws[drawn + 2] % (1 + draws[drawn + 3] % farthest)
    b = a + distance if draws[drawn + 4] % 2 == 0 else a - distance
    if kind < mixture.delay_moves:
        return a, a, DELAY
    if kind >= 100 - mixture.swap_moves:
        return a, b, SWAP
    if kind < mixture.delay_moves + mixture.block_moves:
        return a, b, 2 + draws[drawn + 6] % 3
    return a, b, 1


@inlined
@lean
def move_block(old: Any, new: Any, a: int, b: int, length: int) -> None:
    """Write an order that is another one with requests in a row moved from place a to place b."""
    for k in range(b, a):
        new[k + length] = old[k]
    for k in range(a, b):
        new[k] = old[k + length]
    for k in range(length):
        new[b + k] = old[a + k]


@inlined
@lean
def are_alike(lengths: Lengths, i: int, j: int) -> bool:
    """Tell whether two requests are of the same type."""
    same: bool = (
        lengths.outputs[i] == lengths.outputs[j]
        and lengths.prompts[i] == lengths.prompts[j]
        and lengths.releases[i] == lengths.releases[j]
    )
    return same


@inlined
@lean
def earliest(load: Any, memory: int, prompt: int, output: int, start: int) -> int:
    """Return the earliest start, from `start` on, at which a request fits for its whole run."""
    if output < VECTOR_ROUNDS:
        searching = True
        while searching:
            # The latest round without room rules out every start that is too early for it.
            searching = False
            for r in range(start + output, start, -1):
                if load[r] > memory - prompt + start:
                    start = min(load[r] + prompt - memory, r)
                    searching = True
                    break
        return start
    seen = start
    while True:
        # A round r in which there is no room yet rules out all starts before `begin`.
        begin = start
        for r in range(seen + 1, start + output + 1):
            begin = max(begin, min(load[np.uint64(r)] + prompt - memory, r))
        if begin == start:
            return start
        seen = start + output
        start = begin


@inlined
@lean
def enter(load: Any, prompt: int, output: int, start: int, sign: int) -> None:
    """Add a request to a load, or take it out."""
    for j in range(1, output + 1):
        load[np.uint64(start + j)] += sign * (prompt + j)
