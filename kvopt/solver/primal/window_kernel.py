"""Simulated annealing on a window of a schedule, compiled together.

The functions are plain Python on sequences of integers; the tests run the same source on lists.
Loads: `kvopt.solver.primal.moves`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.arrays import copy_into
from kvopt.solver.compiling import Kernel, inlined, lean
from kvopt.solver.primal.moves import (
    DELAY,
    FAR,
    SWAP,
    UNIT,
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

__all__ = [
    "DRAWS_PER_MOVE",
    "WINDOWS",
    "Functions",
    "Placed",
    "Scratch",
    "Stretch",
    "Window",
]

DRAWS_PER_MOVE = 8
"""Random numbers that a move takes."""


class Placed(NamedTuple):
    """A schedule: the requests in the order in which they are placed."""

    order: Any
    """The request at each place, shape (n,)."""
    delay: Any
    """Delay of each request after its earliest start (rounds), shape (n,)."""
    start: Any
    """Start of the request at each place (rounds), shape (n,)."""
    floor: Any
    """A round up to which nothing fits from each place on, shape (n + 1,)."""
    end: Any
    """Last round that the requests before each place use, shape (n + 1,)."""


class Scratch(NamedTuple):
    """Room for a schedule that is tried, and for the best one of a window."""

    load: Any
    """A load, shape (rounds,)."""
    order: Any
    start: Any
    floor: Any
    end: Any
    best_order: Any
    best_delay: Any
    best_start: Any


class Window(NamedTuple):
    """What part of the schedule moves change, and what they look at."""

    first: int
    """The first place; those before it are in the load of the prefix."""
    moved: int
    """The place after the last that is drawn."""
    reached: int
    """The place after the last to which a request may move."""
    last: int
    """The place after the last that is placed anew."""
    tail: int
    """The mean shift of so many places at the end counts for all places beyond; at least 1."""
    beyond: int
    """How many places are beyond."""
    slack: int
    """By so much the estimate of a schedule may exceed what is allowed before its end (rounds)."""


class Stretch(NamedTuple):
    """Places that are to be placed anew, and how."""

    prefixed: int
    """The prefix holds the places before this."""
    first: int
    """The first place that is placed anew; those since `prefixed` are where they are."""
    last: int
    """The place after the last."""
    lag: int
    """How much later than before, if `delays` is 0."""
    delays: int
    """0: no request earlier than it was, plus the lag, and delays accordingly; 1: with the
    delays that they have; 2: without delays; 3: none before the one before it."""


@lean
def move_prefix(lengths: Lengths, placed: Placed, prefix: Any, first: int, last: int) -> None:
    """Make a load that holds the places before `first` hold those before `last`."""
    for k in range(first, last):
        i = placed.order[k]
        enter(prefix, lengths.prompts[i], lengths.outputs[i], placed.start[k], 1)
    for k in range(last, first):
        i = placed.order[k]
        enter(prefix, lengths.prompts[i], lengths.outputs[i], placed.start[k], -1)


@inlined
def filled_up(load: Any, prefix: Any, filled: int, last: int) -> int:
    """Copy the prefix from round `filled` to round `last`, and return the later of both."""
    if last > filled:
        copy_into(load, prefix, filled + 1, last + 1)
        return last
    return filled


@inlined
def with_places(
    lengths: Lengths, placed: Placed, prefix: Any, load: Any, first: int, last: int
) -> int:
    """Make a load hold the prefix, from the floor on, and the places from `first` to `last`."""
    low = placed.floor[first]
    end: int = placed.end[last] + 1
    copy_into(load, prefix, low, end + 1)
    for k in range(first, last):
        i = placed.order[k]
        enter(load, lengths.prompts[i], lengths.outputs[i], placed.start[k], 1)
    return end


def complete(
    lengths: Lengths, placed: Placed, prefix: Any, scratch: Scratch, stretch: Stretch, keep: bool
) -> int:
    """Place requests anew.

    Parameters
    ----------
    lengths, placed
        The instance and the schedule.
    prefix
        The load of the places before the stretch.
    scratch
        Room.
    stretch
        Which, and how.
    keep
        Whether the schedule takes the new starts over.

    Returns
    -------
    int
        Sum of the new starts (rounds), or more than any if they do not fit into the rounds.
    """
    first, delays = stretch.first, stretch.delays
    load = scratch.load
    memory = lengths.memory
    filled = with_places(lengths, placed, prefix, load, stretch.prefixed, first)
    low = placed.floor[first]
    end = placed.end[first]
    cost = 0
    for k in range(first, stretch.last):
        i = placed.order[k]
        s = lengths.prompts[i]
        o = lengths.outputs[i]
        wanted = placed.start[k] + stretch.lag if delays == 0 else 0
        delay = placed.delay[i] if delays == 1 else 0
        reach = max(end, wanted) + delay + 2 * o + 2
        if reach >= len(prefix):
            return FAR
        filled = filled_up(load, prefix, filled, reach)
        soonest = earliest(load, memory, s, o, low)
        start = soonest
        if wanted > soonest:
            start = earliest(load, memory, s, o, wanted)
        elif delay > 0:
            start = earliest(load, memory, s, o, soonest + delay)
        enter(load, s, o, start, 1)
        cost += start
        end = max(end, start + o)
        if delays == 3:
            low = start
        while load[low + 1] - low - 1 + lengths.smallest + 1 > memory:
            low += 1
        if keep:
            placed.delay[i] = start - soonest
            placed.start[k] = start
            placed.floor[k + 1] = low
            placed.end[k + 1] = end
    return cost


@inlined
@lean
def draw_change(
    mixture: Mixture,
    window: Window,
    placed: Placed,
    lengths: Lengths,
    scratch: Scratch,
    draws: Any,
    drawn: int,
) -> tuple[int, int, int]:
    """Draw a move, and write the order that it makes into the scratch.

    Returns
    -------
    first, last, delayed
        The first and last place that change, the first -1 if none does; the request whose delay
        changes, or -1.
    """  # fmt: skip
    span = window.moved - window.first
    a, b, length = draw_places(mixture, draws, drawn, window.first, span, span)
    old, new = placed.order, scratch.order
    if length == DELAY:
        new[a] = old[a]
        return a, a, old[a]
    if b < window.first or max(a, b) + abs(length) > window.reached:
        return -1, -1, -1
    if length != SWAP:
        move_block(old, new, a, b, length)
        return min(a, b), max(a, b) + length - 1, -1
    i = old[a]
    j = old[b]
    if are_alike(lengths, i, j) and placed.delay[i] == placed.delay[j]:
        return -1, -1, -1
    for k in range(min(a, b) + 1, max(a, b)):
        new[k] = old[k]
    new[a] = j
    new[b] = i
    return min(a, b), max(a, b), -1


@inlined
@lean
def changed_delay(mixture: Mixture, delay: int, extra: int) -> int:
    """Return another delay (rounds)."""
    if delay > 0 and extra % 8 < 3:
        return 0 if extra % 8 == 0 else max(0, delay - 1 - extra // 8 % 3)
    return max(delay, min(mixture.largest_delay, delay + 1 + extra // 8 % 3))


@inlined
def place_window(
    lengths: Lengths,
    window: Window,
    placed: Placed,
    prefix: Any,
    scratch: Scratch,
    first: int,
    last: int,
    allowed: int,
) -> int:
    """Place the requests of the scratch from place `first` on, and return what that changes.

    That is the sum of the shifts, those of the tail counting for the places beyond, times
    the tail's length; more than any if it exceeds what is allowed, or seems to go to.
    """  # fmt: skip
    load = scratch.load
    memory = lengths.memory
    filled = with_places(lengths, placed, prefix, load, window.first, first)
    low = placed.floor[first]
    end = placed.end[first]
    tail_begin = window.last - window.tail
    change = 0
    shift = 0  # a moving average, in units of 1/1024
    for k in range(first, window.last):
        i = scratch.order[k] if k <= last else placed.order[k]
        s = lengths.prompts[i]
        o = lengths.outputs[i]
        reach = end + placed.delay[i] + 2 * o + 2
        if reach >= len(prefix):
            return FAR
        filled = filled_up(load, prefix, filled, reach)
        start = earliest(load, memory, s, o, low)
        if placed.delay[i] > 0:
            start = earliest(load, memory, s, o, start + placed.delay[i])
        enter(load, s, o, start, 1)
        end = max(end, start + o)
        while load[low + 1] - low - 1 + lengths.smallest + 1 > memory:
            low += 1
        scratch.start[k] = start
        scratch.floor[k + 1] = low
        scratch.end[k + 1] = end
        d = start - placed.start[k]
        if k < tail_begin:
            change += window.tail * d
            shift += (UNIT * d - shift) // 8
            rest = 3 * shift * (window.last + window.beyond - 1 - k) // (4 * UNIT)
            if k >= last + 8 and change + window.tail * (rest - window.slack) > allowed:
                return FAR
        else:
            change += (window.tail + window.beyond) * d
    return change if change <= allowed else FAR


def anneal_window(
    lengths: Lengths,
    mixture: Mixture,
    window: Window,
    placed: Placed,
    prefix: Any,
    scratch: Scratch,
    draws: Any,
    temperatures: Any,
) -> int:
    """Anneal the order and the delays of a window, and leave the best schedule found there.

    Parameters
    ----------
    lengths, mixture, window
        The instance, the mixture of moves, the window.
    placed
        The schedule, which changes.
    prefix
        The load of the places before the window.
    scratch
        Room.
    draws
        Random numbers, uniform in [0, 2^31).
    temperatures
        By how much a schedule may get worse on average at each move (1/1024 rounds).

    Returns
    -------
    int
        How many requests it has placed, about.
    """
    current = best = work = 0
    for k in range(window.first, window.last):
        scratch.best_order[k] = placed.order[k]
        scratch.best_delay[k] = placed.delay[placed.order[k]]
        scratch.best_start[k] = placed.start[k]
    for number in range(len(temperatures)):
        drawn = DRAWS_PER_MOVE * number
        first, last, delayed = draw_change(mixture, window, placed, lengths, scratch, draws, drawn)
        if first < 0:
            continue
        before = 0
        if delayed >= 0:
            before = placed.delay[delayed]
            placed.delay[delayed] = changed_delay(mixture, before, draws[drawn + 6])
        worse = worsening(mixture, temperatures[number], draws[drawn + 5])
        allowed = window.tail * worse
        change = place_window(lengths, window, placed, prefix, scratch, first, last, allowed)
        work += window.last - window.first
        if change == FAR:
            if delayed >= 0:
                placed.delay[delayed] = before
            continue
        current += change
        for k in range(first, last + 1):
            placed.order[k] = scratch.order[k]
        for k in range(first, window.last):
            placed.start[k] = scratch.start[k]
            placed.floor[k + 1] = scratch.floor[k + 1]
            placed.end[k + 1] = scratch.end[k + 1]
        if current < best:
            best = current
            for k in range(window.first, window.last):
                scratch.best_order[k] = placed.order[k]
                scratch.best_delay[k] = placed.delay[placed.order[k]]
                scratch.best_start[k] = placed.start[k]
    for k in range(window.first, window.last):
        i = scratch.best_order[k]
        placed.order[k] = i
        placed.delay[i] = scratch.best_delay[k]
        placed.start[k] = scratch.best_start[k]
    return work


class Functions(NamedTuple):
    """The functions that are called from outside, compiled or not."""

    move_prefix: Callable[..., None]
    complete: Callable[..., int]
    anneal_window: Callable[..., int]


def _warm_up(functions: Functions) -> None:
    """Call each with nothing to do."""

    def zeros() -> Any:
        return np.zeros(2, dtype=np.int64)

    lengths = no_lengths()
    placed = Placed(*(zeros() for _ in Placed._fields))
    scratch = Scratch(*(zeros() for _ in Scratch._fields))
    functions.move_prefix(lengths, placed, zeros(), 0, 0)
    functions.complete(lengths, placed, zeros(), scratch, Stretch(0, 0, 0, 0, 0), False)
    mixture, window = no_mixture(), Window(0, 0, 0, 0, 1, 0, 0)
    functions.anneal_window(
        lengths, mixture, window, placed, zeros(), scratch, zeros(), zeros()[:0]
    )


WINDOWS = Kernel(
    "annealing of windows",
    (
        copy_into,
        worsening,
        draw_places,
        move_block,
        are_alike,
        earliest,
        enter,
        move_prefix,
        filled_up,
        with_places,
        complete,
        draw_change,
        changed_delay,
        place_window,
        anneal_window,
    ),
    Functions,
    _warm_up,
    error_model="numpy",
)
"""All that annealing of windows compiles; see `kvopt.solver.compiling`."""
