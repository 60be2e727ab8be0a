"""Starting requests in a given order, each as soon as it fits for its whole run."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.simulation.decisions import Decisions, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.released_order import Order, planned_starts

__all__ = ["KeyQueue", "Queue", "RegroupedQueue", "plan_in_order"]

RELEASE = Wait(completions=False)
"""Until something is released."""


class Queue(Protocol):
    """Requests that wait, in an order."""

    def put(self, requests: IntArray) -> None:
        """Enter requests that have been released, shape (a,)."""
        ...

    def first(self) -> int | None:
        """Return the first request; None if there is none."""
        ...

    def take(self) -> None:
        """Remove the first request."""
        ...


class KeyQueue:
    """Requests by (key, request).

    Parameters
    ----------
    keys_of
        Returns the keys of requests, shape (a,), smaller ones first.
    """

    def __init__(self, keys_of: Callable[[IntArray], IntArray]) -> None:
        self._keys_of = keys_of
        self._heap: list[tuple[int, int]] = []

    def put(self, requests: IntArray) -> None:
        """Enter requests; see `Queue.put`."""
        for pair in zip(self._keys_of(requests).tolist(), requests.tolist(), strict=True):
            heapq.heappush(self._heap, pair)

    def first(self) -> int | None:
        """Return the first request; see `Queue.first`."""
        return self._heap[0][1] if self._heap else None

    def take(self) -> None:
        """Remove the first request; see `Queue.take`."""
        heapq.heappop(self._heap)


class RegroupedQueue:
    """Requests in an order that depends on all of them, made anew when some are entered.

    Only as much of it is worked out as is asked for.

    Parameters
    ----------
    groups_of
        Returns requests, given in request order, group by group, each in its order.
    """

    def __init__(self, groups_of: Callable[[IntArray], Iterator[list[int]]]) -> None:
        self._groups_of = groups_of
        self._waiting: set[int] = set()
        self._groups: Iterator[list[int]] = iter(())
        self._next: list[int] = []  # the rest of a group, in reverse

    def put(self, requests: IntArray) -> None:
        """Enter requests; see `Queue.put`."""
        self._waiting.update(requests.tolist())
        self._groups = self._groups_of(np.array(sorted(self._waiting), dtype=np.int64))
        self._next = []

    def first(self) -> int | None:
        """Return the first request; see `Queue.first`."""
        if not self._waiting:
            return None
        while not self._next:
            self._next = next(self._groups)[::-1]
        return self._next[-1]

    def take(self) -> None:
        """Remove the first request; see `Queue.take`."""
        self._waiting.remove(self._next.pop())


def plan_in_order(machine: Machine, order: Order, queue: Queue) -> Decisions:
    """Start what waits in an order, none before its predecessor.

    The simulator does it all at once, if it can.  Else, as nothing unforeseen happens until
    something is released, all that waits is planned in one go.  What is released later is put
    into the order of what has not started by then.

    Parameters
    ----------
    machine
        The machine of a clairvoyant policy, with nothing running.
    order
        The order, by its name.
    queue
        The same order, with nothing in it.
    """
    if machine.start_in_order(order):
        yield RELEASE
        return
    while not len(machine.arrivals()):
        yield RELEASE
    waiting = machine.waiting()
    prompts, outputs = machine.prompts_of(waiting), machine.outputs_of(waiting)
    starts = machine.now + planned_starts(order, prompts, outputs, machine.memory)
    machine.commit(waiting, starts)
    yield RELEASE
    machine.withdraw()
    machine.arrivals()  # they wait like those whose starts were withdrawn
    queue.put(machine.waiting())
    while True:
        start = None
        while (request := queue.first()) is not None:
            start = machine.earliest_start(request)
            if start > machine.now:
                break
            start = None
            machine.start(request)
            queue.take()
        yield Wait(start, completions=False)
        if len(arrivals := machine.arrivals()):
            queue.put(arrivals)
