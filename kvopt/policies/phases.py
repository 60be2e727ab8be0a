"""Stretches of time in which a set of requests is run, which GBA and GSA are made of."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator
from fractions import Fraction

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.simulation.decisions import Decisions, Until, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.pipeline import SpacingRule, staggered

__all__ = [
    "FEW",
    "in_batches",
    "run_as_they_fit",
    "run_in_slots",
    "run_one_at_a_time",
    "run_pipeline",
    "start_staggered",
]

FEW = 16
"""Fewer attempts than this are started one by one: cheaper than as a commitment."""


def in_batches(machine: Machine, run_batch: Callable[[IntArray], Decisions]) -> Decisions:
    """Run all that wait as a batch, then what has arrived meanwhile as the next one.

    Parameters
    ----------
    machine
        The machine.
    run_batch
        Runs requests, none of them running, to their ends, so that nothing runs after it.
    """
    while True:
        if len(batch := machine.waiting()):
            yield from run_batch(batch)
        else:
            yield Wait()


def start_staggered(
    machine: Machine, requests: IntArray, slice: int, begin: Fraction, distance: Fraction
) -> Generator[Wait | Until, IntArray, IntArray]:
    """Start one attempt of each request, staggered, and wait until the last has started.

    Parameters
    ----------
    machine
        The machine.
    requests
        Which requests, none of them running, in the order of their starts, shape (a,).
    slice
        After how many rounds an attempt is killed unless it has completed.
    begin, distance
        The starts are floor(begin + j * distance) (rounds), none before now.

    Returns
    -------
    array
        The starts (rounds), shape (a,).
    """
    starts = staggered(begin, len(requests), distance)
    if len(requests) >= FEW:
        machine.commit(requests, starts, kill_at=slice)
        if machine.now < starts[-1]:
            yield Until(int(starts[-1]))
        return starts
    for request, start in zip(requests.tolist(), starts.tolist(), strict=True):
        if machine.now < start:
            yield Until(start)
        machine.start(request, kill_at=slice)
    return starts


def run_pipeline(
    machine: Machine, requests: IntArray, slice: int, spacing: SpacingRule
) -> Decisions:
    """Run one attempt of each request, staggered, and wait until the last slice is over.

    Parameters
    ----------
    machine
        The machine, with nothing running.
    requests
        Which requests, in the order of their starts, shape (a,), a >= 1.
    slice
        After how many rounds an attempt is killed unless it has completed.
        A slot stays taken for the whole slice even if its request completes early.
    spacing
        Distance between starts; gets the largest prompt among the requests.
    """
    distance = spacing(int(machine.prompts_of(requests).max()), slice, machine.memory)
    starts = staggered(Fraction(machine.now), len(requests), distance)
    machine.commit(requests, starts, kill_at=slice)
    yield Until(int(starts[-1]) + slice)


def run_in_slots(machine: Machine, requests: IntArray, slice: int, slots: int) -> Decisions:
    """Run one attempt of each request, so many at a time, and wait until nothing runs.

    A slot is taken by the next request as soon as the one in it completes or is killed
    (proofs/text/early_release.md, lemma 1).

    Parameters
    ----------
    machine
        The machine, with nothing running.
    requests
        Which requests, in the order of their starts, shape (a,), a >= 1.
    slice
        After how many rounds an attempt is killed unless it has completed.
    slots
        How many run at a time; so many must fit side by side for the whole slice.
    """
    next_one = running = 0
    ends: deque[tuple[int, IntArray]] = deque()  # (end of the slice, requests), by end
    while True:
        if free := min(slots - running, len(requests) - next_one):
            starting = requests[next_one : next_one + free]
            if free < FEW:
                for request in starting.tolist():
                    machine.start(request, kill_at=slice)
            else:
                machine.commit(starting, np.full(free, machine.now), kill_at=slice)
            ends.append((machine.now + slice, starting))
            next_one, running = next_one + free, running + free
        if not running:
            return
        while len(ends[0][1]) < FEW and machine.completed_of(ends[0][1]).all():
            ends.popleft()
        end, started = ends[0]
        completed = yield Wait(end, releases=False)
        running -= len(completed)
        if machine.now == end:
            running -= int((~machine.completed_of(started)).sum())
            ends.popleft()


def run_one_at_a_time(machine: Machine, requests: IntArray, early: bool = False) -> Decisions:
    """Run requests one after another, request i in a slot of M - s_i rounds, and wait.

    Every request completes, as no output is longer than that; with `early` the next one starts
    as soon as it does.
    """
    if early:
        for request in requests.tolist():
            machine.start(request, kill_at=machine.memory - machine.prompt(request))
            while not machine.completed(request):
                yield Wait(releases=False)
        return
    slots = machine.memory - machine.prompts_of(requests)
    ends = machine.now + np.cumsum(slots)
    machine.commit(requests, ends - slots, kill_at=slots)
    yield Until(int(ends[-1]))


def run_as_they_fit(machine: Machine, requests: IntArray, slices: IntArray) -> Decisions:
    """Run one attempt of each request, of which each fits for its whole slice, and wait.

    The wide ones, whose prompt and slice exceed M/2 together, start first, each of the two
    groups by (slice, place).  In this order each starts at the earliest time at which it fits
    beside what runs (proofs/text/mixed_non_clairvoyant.md, lemma 4).

    Parameters
    ----------
    machine
        The machine, with nothing running.
    requests
        Which requests, shape (a,).
    slices
        After how many rounds each attempt is killed unless it has completed, shape (a,).
    """
    small = 2 * (machine.prompts_of(requests) + slices) <= machine.memory
    order = np.lexsort((slices, small))
    ends: list[tuple[int, int]] = []  # a heap of (-end of the slice, request)
    for request, slice in zip(requests[order].tolist(), slices[order].tolist(), strict=True):
        while (start := machine.earliest_start(request, slice)) > machine.now:
            yield Wait(start, releases=False)
        machine.start(request, kill_at=slice)
        heapq.heappush(ends, (-machine.now - slice, request))
    while ends:
        end, request = ends[0]
        if machine.completed(request) or -end <= machine.now:
            heapq.heappop(ends)
        else:
            yield Wait(-end, releases=False)
