"""Starting what waits as soon as it fits, in code that numba compiles.

The functions are plain Python on integers and arrays; the tests run the same source both ways.
The loads are those of `kvopt.model.running_profile`: the memory in the round of each end, plus
that end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.compiling import Kernel

__all__ = [
    "DISPATCH_KERNEL",
    "DispatchFunctions",
    "Dispatched",
    "Queued",
    "dispatched_at_least",
    "dispatched_by_rank",
]

LEAST_SECONDS = 0.3
"""So long a schedule may take that is to be known however short the limit is; 100,000 requests take
some hundredths of a second."""

STEPS_AT_ONCE = 1_000
"""Requests or times that are looked at between two looks at the limit."""

NOW, ARRIVED, WAITING, LOW, HIGH, STARTED = range(6)
"""What the state holds: the time (rounds), how many requests have come and how many of these wait,
the places of the first end ahead and after the last, and how many requests have started."""


class Queued(NamedTuple):
    """The requests of an instance, by rank: the smaller of two that wait goes first."""

    memory: int
    prompts: IntArray
    outputs: IntArray
    releases: IntArray
    arrivals: IntArray
    """The ranks by release, shape (n,)."""

    @classmethod
    def of(cls, instance: Instance, by_rank: IntArray) -> Queued:
        """Return those of an instance; `by_rank` holds the request of each rank, shape (n,)."""
        columns = (instance.prompts, instance.outputs, instance.releases)
        prompts, outputs, releases = (column[by_rank] for column in columns)
        order = np.lexsort((by_rank, releases))
        return cls(instance.memory, prompts, outputs, releases, order)


class Dispatched(NamedTuple):
    """What has been done so far."""

    starts: IntArray
    """Start of each rank (rounds), shape (n,)."""
    heap: IntArray
    """The ranks that wait, a heap, shape (n,)."""
    ends: IntArray
    """Ends of what runs, ascending (rounds), shape (room,)."""
    loads: IntArray
    """The memory in the round of each end, plus that end, shape (room,)."""
    state: IntArray
    """See `NOW`, shape (6,)."""

    @classmethod
    def begin(cls, queued: Queued) -> Dispatched:
        """Return what is so before anything is done."""
        n = len(queued.prompts)
        most = min(n, queued.memory // (int(queued.prompts.min()) + 1))  # run at once
        arrays = (np.zeros(size, dtype=np.int64) for size in (n, n, 2 * most + 2, 2 * most + 2, 6))
        return cls(*arrays)


def push(heap: IntArray, size: int, value: int) -> None:
    """Enter a value into a heap of some size."""
    place = size
    while place > 0 and heap[(place - 1) // 2] > value:
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = value


def pop(heap: IntArray, size: int) -> None:
    """Take the smallest value out of a heap of some size."""
    value = heap[size - 1]
    place = 0
    while 2 * place + 1 < size - 1:
        child = 2 * place + 1
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = value


def first_fit(
    done: Dispatched, low: int, high: int, memory: int, prompt: int, rounds: int, start: int
) -> int:
    """Return the earliest start, from `start` on, at which a request fits for its whole run."""
    ends, loads = done.ends, done.loads
    room = memory - prompt
    while True:
        while low < high and ends[low] <= start:
            low += 1
        after = worst = low
        while after < high and ends[after] < start + rounds:
            if loads[after] > loads[worst]:
                worst = after
            after += 1
        if after > low and loads[worst] > room + start:
            # It is too early until the load fits, or until that end is no longer inside.
            start = min(loads[worst] - room, ends[worst])
        elif after == high:
            return start
        else:
            end = ends[after]
            used = loads[after] - end - (high - after) * (end - start - rounds)  # in the last round
            if used + rounds <= room:
                return start
            start = end + 1 - rounds  # until then that round gets only fuller


def run_from(done: Dispatched, low: int, high: int, prompt: int, start: int, end: int) -> None:
    """Enter what starts into the ends and loads from `low` to `high`."""
    ends, loads = done.ends, done.loads
    constant = prompt - start
    place = low
    while place < high and ends[place] < end:
        loads[place] += ends[place] + constant
        place += 1
    after = high - place
    rest = 0
    if after:
        rest = loads[place] - (after + 1) * ends[place]
    for k in range(high, place, -1):
        ends[k] = ends[k - 1]
        loads[k] = loads[k - 1]
    ends[place] = end
    loads[place] = rest + constant + (after + 2) * end


def dispatch(queued: Queued, done: Dispatched, steps: int) -> int:
    """Start what waits, the smallest rank first; return how many have started in all.

    Parameters
    ----------
    queued
        The requests.
    done
        What has been done so far, which changes.
    steps
        How many requests or times are looked at, at most.
    """
    ends, loads, state = done.ends, done.loads, done.state
    arrivals, releases = queued.arrivals, queued.releases
    n = len(arrivals)
    now, arrived, waiting = state[NOW], state[ARRIVED], state[WAITING]
    low, high, started = state[LOW], state[HIGH], state[STARTED]
    for _ in range(steps):
        if arrived == n and waiting == 0:
            break
        if waiting == 0:
            now = max(now, releases[arrivals[arrived]])
        while arrived < n and releases[arrivals[arrived]] <= now:
            push(done.heap, waiting, arrivals[arrived])
            waiting += 1
            arrived += 1
        while low < high and ends[low] <= now:
            low += 1
        rank = done.heap[0]
        prompt, rounds = queued.prompts[rank], queued.outputs[rank]
        start = first_fit(done, low, high, queued.memory, prompt, rounds, now)
        if start > now and arrived < n and releases[arrivals[arrived]] <= start:
            now = releases[arrivals[arrived]]  # somebody may come who goes first
            continue
        pop(done.heap, waiting)
        waiting -= 1
        while low < high and ends[low] <= start:
            low += 1
        if high == len(ends):
            for k in range(low, high):
                ends[k - low] = ends[k]
                loads[k - low] = loads[k]
            high -= low
            low = 0
        run_from(done, low, high, prompt, start, start + rounds)
        high += 1
        done.starts[rank] = start
        started += 1
        now = start
    state[NOW], state[ARRIVED], state[WAITING] = now, arrived, waiting
    state[LOW], state[HIGH], state[STARTED] = low, high, started
    return int(started)


class DispatchFunctions(NamedTuple):
    """The function that is called from outside the kernel, compiled or not."""

    dispatch: Callable[[Queued, Dispatched, int], int]


def _warm_up(functions: DispatchFunctions) -> None:
    """Start a request of one token."""
    queued = Queued.of(Instance(1, [0], [1]), np.zeros(1, dtype=np.int64))
    functions.dispatch(queued, Dispatched.begin(queued), 1)


DISPATCH_KERNEL = Kernel(
    "dispatching of requests",
    (push, pop, first_fit, run_from, dispatch),
    DispatchFunctions,
    _warm_up,
    error_model="numpy",
)
"""All that dispatching compiles; see `kvopt.solver.compiling`."""


def dispatched_by_rank(
    instance: Instance,
    by_rank: IntArray,
    stop: Stopping,
    functions: DispatchFunctions | None = None,
) -> IntArray | None:
    """Start at each time the first of what is released and waits, as soon as it fits.

    Where all are released at once none starts before the one that goes before it.

    Parameters
    ----------
    instance
        The instance.
    by_rank
        The requests in the order in which they go, shape (n,).
    stop
        How long it may take.
    functions
        Those of the kernel; by default compiled.

    Returns
    -------
    ndarray of int64, shape (n,), or None
        Start times in instance order (rounds); None if `stop` was over first.
    """
    functions = functions or DISPATCH_KERNEL.compiled(stop)
    queued = Queued.of(instance, by_rank)
    done = Dispatched.begin(queued)
    while not stop.over():
        if functions.dispatch(queued, done, STEPS_AT_ONCE) == len(instance):
            starts = np.empty_like(done.starts)
            starts[by_rank] = done.starts
            return starts
    return None


def dispatched_at_least(instance: Instance, by_rank: IntArray, stop: Stopping) -> IntArray | None:
    """Return the same as `dispatched_by_rank`, which may take `LEAST_SECONDS` in any case.

    Parameters are as there; None also after an interruption.
    """
    if stop.interrupted:
        return None
    functions = DISPATCH_KERNEL.compiled(stop)
    seconds = max(stop.left(), LEAST_SECONDS)
    least = Stopping(seconds, stopped=lambda: stop.interrupted)
    return dispatched_by_rank(instance, by_rank, least, functions)
