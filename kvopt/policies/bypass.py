"""Bypass: later requests may pass one that does not fit, a limited number of times."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.spec import integer, yes_or_no
from kvopt.policies.policy import parameter
from kvopt.simulation.decisions import Decisions, Wait
from kvopt.simulation.machine import NOBODY, Machine

__all__ = [
    "PASSES",
    "PassedQueue",
    "check_passes",
    "fcfs_with_bypass",
    "passes_parameter",
    "shortest_with_bypass",
    "skip_parameter",
]

PASSES = 100
"""How often a request may be passed, unless something else is said."""


def skip_parameter() -> bool:
    """Declare the parameter `skip` of a policy."""
    skip: bool = parameter(
        False, yes_or_no, "whether requests that do not fit are passed: yes or no"
    )
    return skip


def passes_parameter() -> int:
    """Declare the parameter `passes` of a policy."""
    passes: int = parameter(PASSES, integer(1), "how often a request may be passed, with skip=yes")
    return passes


def check_passes(policy: str, skip: bool, passes: int) -> None:
    """Refuse a number of passes where there are none."""
    if passes != PASSES and not skip:
        raise InputError(f"policy {policy}: passes: must be {PASSES} with skip=no")


class PassedQueue:
    """Waiting requests in an order, each with how often others passed it.

    When a request is taken, all that wait before it are passed.  What waits behind one that
    was passed as often as allowed is out of reach.  Every operation takes array work in the
    number of requests that wait.

    Parameters
    ----------
    passes
        How often a request may be passed.

    Attributes
    ----------
    requests
        The waiting requests in their order, shape (w,).
    marks
        A number for each, which its user gives it and may change, shape (w,).
    """

    def __init__(self, passes: int) -> None:
        self.passes = passes
        self.requests = NOBODY
        self.marks = NOBODY
        self._keys = np.zeros((2, 0), dtype=np.int64)
        self._passed: dict[int, int] = {}  # of what was taken
        self._counts = NOBODY

    def put(self, request: int, key: tuple[int, int], mark: int) -> None:
        """Enter a request behind those with a smaller key; it keeps how often it was passed."""
        first, second = self._keys
        low = int(first.searchsorted(key[0]))
        high = int(first.searchsorted(key[0], side="right"))
        place = low + int(second[low:high].searchsorted(key[1]))
        self._keys = np.insert(self._keys, place, key, axis=1)
        self.requests = np.insert(self.requests, place, request)
        self.marks = np.insert(self.marks, place, mark)
        self._counts = np.insert(self._counts, place, self._passed.get(request, 0))

    def take(self, place: int) -> int:
        """Remove the request at a place and return it; those before it are passed."""
        request = int(self.requests[place])
        self._passed[request] = int(self._counts[place])
        self._counts[:place] += 1
        self._keys = np.delete(self._keys, place, axis=1)
        self.requests = np.delete(self.requests, place)
        self.marks = np.delete(self.marks, place)
        self._counts = np.delete(self._counts, place)
        return request

    def reach(self) -> int:
        """Return how many requests may be taken: up to the first that must not be passed."""
        stuck = self._counts >= self.passes
        return int(np.argmax(stuck)) + 1 if stuck.any() else len(stuck)

    def take_marked(self, most: Callable[[], int]) -> Iterator[int]:
        """Take, in order, each request whose mark is at most `most()`, asked again each time.

        The limit must not grow from one to the next.
        """
        place = 0
        while True:
            fits = self.marks[place : self.reach()] <= most()
            if not fits.any():
                return
            place += int(np.argmax(fits))
            yield self.take(place)


def shortest_with_bypass(machine: Machine, passes: int) -> Decisions:
    """Start the shortest first, each as soon as it fits for its whole run, with bypass.

    At each time the waiting requests are gone through by (output length, request), and each
    is started that fits for its whole run beside what runs.  All ends are known, so each
    request has an earliest start, which only becomes later when another is started.

    Parameters
    ----------
    machine
        The machine of a clairvoyant policy, with nothing running.
    passes
        How often a request may be passed.
    """
    queue = PassedQueue(passes)  # marks: no start is possible before that time
    while True:
        for i in machine.arrivals().tolist():
            queue.put(i, (machine.output(i), i), machine.now)
        place = 0
        while place < queue.reach():
            due = queue.marks[place : queue.reach()] <= machine.now
            if not due.any():
                break
            place += int(np.argmax(due))
            request = int(queue.requests[place])
            start = machine.earliest_start(request)
            if start > machine.now:
                queue.marks[place] = start
                place += 1
            else:
                machine.start(queue.take(place))
        ahead = queue.marks[: queue.reach()]
        yield Wait(int(ahead.min()) if len(ahead) else None, completions=False)


def fcfs_with_bypass(machine: Machine, passes: int) -> Decisions:
    """Admit by (release, request) what fits in the next round, with bypass.

    On overflow the request admitted last is killed, the one with the later place of those
    admitted at once.

    Parameters
    ----------
    machine
        The machine.
    passes
        How often a request may be passed.
    """
    queue = PassedQueue(passes)  # marks: tokens needed in the next round
    admitted: list[tuple[int, int, int]] = []  # a heap of -(start, release, request)
    while True:
        for i in machine.arrivals().tolist():
            queue.put(i, (machine.release(i), i), machine.held(i) + 1)
        while machine.memory_next_round() > machine.memory:
            _, release, i = (-x for x in heapq.heappop(admitted))
            if not machine.completed(i):
                machine.kill(i)
                queue.put(i, (release, i), machine.held(i) + 1)
        for i in queue.take_marked(lambda: machine.memory - machine.memory_next_round()):
            machine.start(i)
            heapq.heappush(admitted, (-machine.now, -machine.release(i), -i))
        rounds = machine.rounds_until_overflow()
        yield Wait(None if rounds is None else machine.now + rounds)
