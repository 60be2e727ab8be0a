"""The moves of simulated annealing over (order, delays), compiled together.

The functions are plain Python on sequences of integers.  The tests run the same source on lists,
and it takes the same steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.arrays import copy_into
from kvopt.solver.compiling import Kernel, inlined, lean
from kvopt.solver.primal.moves import (
    DELAY,
    SWAP,
    Lengths,
    Mixture,
    are_alike,
    draw_places,
    earliest,
    enter,
    move_block,
    no_lengths,
    no_mixture,
    worsening,
)

__all__ = ["ANNEALING", "Best", "Counters", "Functions", "Placement", "Setting"]

DRAWS_PER_MOVE = 7
"""Random numbers that a move takes."""

NO_LIMIT = 1 << 60
"""More than any sum of starts (rounds)."""


class Setting(NamedTuple):
    """The instance and the mixture of moves."""

    lengths: Lengths
    """The instance."""
    mixture: Mixture
    """The mixture of moves."""
    chain_work: int
    """Rounds looked at in a chain, about."""
    delay_bits: int
    """By up to how many bits moves change a delay; 0 for up to 3 rounds."""


class Placement(NamedTuple):
    """A schedule, as it is written and as it is decoded."""

    order: Any
    """The request at each place, shape (n,)."""
    delay: Any
    """Delay of each request (rounds), shape (n,)."""
    start: Any
    """Start of the request at each place (rounds), shape (n,)."""
    floor: Any
    """A round before which nothing fits from each place on, shape (n + 1,)."""
    load: Any
    """The load of the first places, shape (rounds,)."""


class Best(NamedTuple):
    """The best schedule known, and how it was written; shape (n,) each."""

    start: Any
    """Start of each request (rounds)."""
    order: Any
    """The request at each place."""
    delay: Any
    """Delay of each request (rounds)."""


class Counters(NamedTuple):
    """Numbers that change, shape (1,) each."""

    cost: Any
    """Sum of starts of the current schedule (rounds); -1 before it is decoded."""
    best_cost: Any
    """Sum of starts of the best one (rounds)."""
    placed: Any
    """How many places are in `load` of the current schedule."""
    end: Any
    """Last round that `load` of the current schedule may fill."""
    trial_end: Any
    """The same of the schedule that is tried."""
    decoded: Any
    """Schedules decoded in this chain."""
    work: Any
    """Rounds looked at in this chain."""
    drawn: Any
    """Random numbers used in this chain."""


@inlined
@lean
def change_delay(
    setting: Setting, current: Placement, trial: Placement, i: int, extra: int
) -> None:
    """Change the delay of request i in the trial schedule, by a random number."""
    delay = current.delay[i]
    largest = setting.mixture.largest_delay
    if setting.delay_bits > 0:
        step = 1 + extra // 64 % (1 << (extra // 4 % setting.delay_bits))
        if delay > 0 and extra % 4 == 0:
            trial.delay[i] = 0
        elif extra % 4 == 1:
            trial.delay[i] = max(0, delay - step)
        else:
            trial.delay[i] = min(largest, delay + step)
    elif delay > 0 and extra % 2 == 0:
        trial.delay[i] = 0
    elif delay < largest:
        trial.delay[i] = min(largest, delay + 1 + extra // 2 % 3)
    else:
        trial.delay[i] = max(0, delay - 1 - extra // 2 % 3)


@inlined
@lean
def draw_move(
    setting: Setting, current: Placement, trial: Placement, draws: Any, drawn: int
) -> tuple[int, int]:
    """Change the trial schedule by a random move.

    Parameters
    ----------
    setting, current, trial
        The instance and the schedules.
    draws
        Random numbers, uniform in [0, 2^31).
    drawn
        How many of them are used up.

    Returns
    -------
    first, delayed
        The first place that changed, or -1 if none did; the request whose delay did, or -1.
    """
    n = len(current.order)
    mixture = setting.mixture
    a, b, length = draw_places(mixture, draws, drawn, 0, n, n - 1)
    if length == DELAY:
        delayed = current.order[a]
        change_delay(setting, current, trial, delayed, draws[drawn + 6])
        return a, delayed
    if b < 0 or max(a, b) + abs(length) > n:
        return -1, -1
    if length == SWAP:
        i = current.order[a]
        j = current.order[b]
        if are_alike(setting.lengths, i, j):
            return -1, -1
        trial.order[a] = j
        trial.order[b] = i
    else:
        move_block(current.order, trial.order, a, b, length)
    return min(a, b), -1


@inlined
@lean
def place_until(setting: Setting, current: Placement, counters: Counters, first: int) -> None:
    """Make `load` of the current schedule hold the places before `first`, and no others."""
    lengths = setting.lengths
    placed = counters.placed[0]
    while placed != first:
        sign = 1
        if placed > first:
            placed -= 1
            sign = -1
        i = current.order[placed]
        enter(current.load, lengths.prompts[i], lengths.outputs[i], current.start[placed], sign)
        if sign == 1:
            placed += 1
        counters.work[0] += lengths.outputs[i]
    counters.placed[0] = placed


@inlined
def decode(
    setting: Setting,
    current: Placement,
    trial: Placement,
    counters: Counters,
    first: int,
    allowed: int,
) -> int:
    """Place the requests of the trial schedule from place `first` on, as in the current one before.

    Returns the sum of starts (rounds), or -1 if it exceeds what is allowed.
    """
    n = len(trial.order)
    lengths = setting.lengths
    load, memory = trial.load, lengths.memory
    last = max(counters.end[0], counters.trial_end[0]) + 1
    copy_into(load, current.load, 0, last)
    end = counters.end[0]
    cost = 0
    for k in range(first):
        cost += current.start[k]
    low = current.floor[first]
    before = -1
    work = 0
    for k in range(first, n):
        i = trial.order[k]
        s = lengths.prompts[i]
        o = lengths.outputs[i]
        begin = max(low, lengths.releases[i])
        # A request that is no smaller than the one just placed, and released no earlier, fits no
        # earlier than it did.
        if k > first:
            j = trial.order[k - 1]
            later = lengths.releases[i] >= lengths.releases[j]
            if later and s >= lengths.prompts[j] and o >= lengths.outputs[j]:
                begin = max(begin, before)
        before = earliest(load, memory, s, o, begin)
        start = before
        if trial.delay[i] > 0:
            start = earliest(load, memory, s, o, before + trial.delay[i])
        work += start - begin + 2 * o
        trial.start[k] = start
        cost += start
        enter(load, s, o, start, 1)
        end = max(end, start + o)
        while load[low + 1] - low + lengths.smallest > memory:
            low += 1
        trial.floor[k + 1] = low
        if cost + (n - 1 - k) * low > allowed:
            cost = -1
            break
    counters.trial_end[0] = end
    counters.work[0] += work
    return cost


@inlined
def accept(
    current: Placement, trial: Placement, best: Best, counters: Counters, first: int, cost: int
) -> None:
    """Make the trial schedule, which differs from place `first` on, the current one."""
    n = len(current.order)
    end = counters.trial_end[0]
    counters.cost[0] = cost
    counters.placed[0] = n
    counters.end[0] = end
    copy_into(current.load, trial.load, 0, end + 1)
    for k in range(first, n):
        current.order[k] = trial.order[k]
        current.start[k] = trial.start[k]
        current.floor[k + 1] = trial.floor[k + 1]
    if cost < counters.best_cost[0]:
        counters.best_cost[0] = cost
        for k in range(n):
            best.start[current.order[k]] = current.start[k]
            best.order[k] = current.order[k]
            best.delay[k] = trial.delay[k]


def run_chain(
    setting: Setting,
    current: Placement,
    trial: Placement,
    best: Best,
    counters: Counters,
    draws: Any,
    temperature: int,
) -> None:
    """Run a Markov chain at one temperature, changing the sequences in place.

    Parameters
    ----------
    setting
        The instance and the mixture of moves.
    current, trial
        The current schedule, and one that is tried; between moves they are written alike.
    best, counters
        The best schedule, and numbers that change.
    draws
        Random numbers, uniform in [0, 2^31).
    temperature
        By how much a schedule may get worse on average (1/1024 rounds).
    """
    counters.work[0] = counters.drawn[0] = counters.decoded[0] = 0
    last = len(draws) - DRAWS_PER_MOVE - 1
    while counters.work[0] < setting.chain_work and counters.drawn[0] <= last:
        first = 0
        delayed = -1
        allowed = NO_LIMIT
        if counters.cost[0] >= 0:  # it has been decoded
            drawn = counters.drawn[0]
            counters.drawn[0] = drawn + DRAWS_PER_MOVE
            worse = worsening(setting.mixture, temperature, draws[drawn + 5])
            allowed = counters.cost[0] + worse
            first, delayed = draw_move(setting, current, trial, draws, drawn)
            if first < 0:
                continue
        place_until(setting, current, counters, first)
        counters.decoded[0] += 1
        cost = decode(setting, current, trial, counters, first, allowed)
        if cost >= 0:
            accept(current, trial, best, counters, first, cost)
            if delayed >= 0:
                current.delay[delayed] = trial.delay[delayed]
        else:
            for k in range(first, len(current.order)):
                trial.order[k] = current.order[k]
            if delayed >= 0:
                trial.delay[delayed] = current.delay[delayed]


class Functions(NamedTuple):
    """The function that is called from outside, compiled or not."""

    run_chain: Callable[..., None]


def _warm_up(functions: Functions) -> None:
    """Call it with nothing to do."""

    def zeros() -> Any:
        return np.zeros(2, dtype=np.int64)

    setting = Setting(no_lengths(), no_mixture(), 0, 0)
    placements = [Placement(*(zeros() for _ in Placement._fields)) for _ in range(2)]
    best = Best(*(zeros() for _ in Best._fields))
    counters = Counters(*(zeros() for _ in Counters._fields))
    functions.run_chain(setting, *placements, best, counters, zeros(), 1)


ANNEALING = Kernel(
    "simulated annealing",
    (
        copy_into,
        worsening,
        draw_places,
        move_block,
        are_alike,
        earliest,
        enter,
        change_delay,
        draw_move,
        place_until,
        decode,
        accept,
        run_chain,
    ),
    Functions,
    _warm_up,
    error_model="numpy",
)
"""All that simulated annealing compiles; see `kvopt.solver.compiling`."""
