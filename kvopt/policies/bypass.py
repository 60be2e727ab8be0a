"""Bypass: later requests may pass one that does not fit, a limited number of times."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.instance import IntArray
from kvopt.model.spec import integer, yes_or_no
from kvopt.policies.arrival_queue import ArrivalQueue
from kvopt.policies.policy import parameter
from kvopt.policies.thrashing import MANY_KILLS, course_from_now, follow, still_running
from kvopt.simulation.decisions import LATEST, Decisions, Until, Wait
from kvopt.simulation.machine import Machine

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
    """Waiting requests by (output length, request), each with how often others passed it.

    When a request is taken, all that wait before it are passed.  What waits behind one that
    was passed as often as allowed is out of reach.  Every operation takes array work in the
    number of requests that wait, but that the first is taken at once.

    Parameters
    ----------
    passes
        How often a request may be passed.

    Attributes
    ----------
    requests
        The waiting requests in their order, shape (w,).
    """

    def __init__(self, passes: int) -> None:
        self.passes = passes
        self._least = LATEST  # no prompt is smaller
        self._show(np.zeros((4, 0), dtype=np.int64))

    def _show(self, rows: IntArray) -> None:
        """Take a row each of requests, output lengths, prompts, and how often they were passed."""
        self._rows = rows
        self.requests, self._outputs, self._prompts, self._counts = rows

    def put(self, requests: IntArray, outputs: IntArray, prompts: IntArray) -> None:
        """Enter requests, shape (a,)."""
        new = np.array([requests, outputs, prompts, np.zeros_like(requests)])
        self._least = min(self._least, int(prompts.min()))
        if not len(self.requests) and len(requests) == 1:
            self._show(new)
        elif len(requests) == 1:
            output = int(outputs[0])
            low = int(self._outputs.searchsorted(output))
            high = int(self._outputs.searchsorted(output, side="right"))
            place = low + int(self.requests[low:high].searchsorted(int(requests[0])))
            parts = self._rows[:, :place], new, self._rows[:, place:]
            self._show(np.concatenate(parts, axis=1))
        else:
            rows = np.concatenate((self._rows, new), axis=1)
            self._show(rows[:, np.lexsort((rows[0], rows[1]))])

    def take(self, place: int) -> None:
        """Remove the request at a place; those before it are passed."""
        self._counts[:place] += 1
        if place:
            self._show(np.delete(self._rows, place, axis=1))
        else:
            self._show(self._rows[:, 1:])

    def next_below(self, place: int, prompt: int) -> int | None:
        """Return the first place from `place` on with a smaller prompt, if it is within reach."""
        if prompt <= self._least or place == len(self.requests):
            return None
        if not place and self._prompts[0] < prompt:
            return 0
        smaller = self._prompts[place:] < prompt
        if not smaller.any():
            return None
        found = place + int(np.argmax(smaller))
        return None if (self._counts[:found] >= self.passes).any() else found


def shortest_with_bypass(machine: Machine, passes: int) -> Decisions:
    """Start the shortest first, each as soon as it fits for its whole run, with bypass.

    At each time the waiting requests are gone through by (output length, request), and each
    is started that fits for its whole run beside what runs.  Where one does not fit, none fits
    that comes later in this order and has as large a prompt: it uses as much memory in every
    round, and longer.  So only those are tried whose prompt is smaller than all before.  All ends
    are known, so each has an earliest start, which only becomes later when another is started.

    Parameters
    ----------
    machine
        The machine of a clairvoyant policy, with nothing running.
    passes
        How often a request may be passed.
    """
    queue = PassedQueue(passes)
    possible: dict[int, int] = {}  # no start is possible before that time
    while True:
        if len(new := machine.arrivals()):
            queue.put(new, machine.outputs_of(new), machine.prompts_of(new))
        ahead, least = LATEST, machine.memory  # of those that do not fit: start, prompt
        place = queue.next_below(0, least)
        while place is not None:
            request = int(queue.requests[place])
            start = possible.get(request, machine.now)
            if start <= machine.now:
                start = machine.earliest_start(request)
            if start > machine.now:
                possible[request] = start
                ahead, least = min(ahead, start), machine.prompt(request)
                place += 1
            else:
                machine.start(request)
                possible.pop(request, None)
                queue.take(place)
            place = queue.next_below(place, least)
        yield Wait(ahead if ahead < LATEST else None, completions=False)


def fcfs_with_bypass(machine: Machine, passes: int) -> Decisions:
    """Admit by (release, request) what fits in the next round, with bypass.

    On overflow the request admitted last is killed, the one with the later place of those
    admitted at once.  A start and a kill take logarithmic time.  When kills follow each other
    and nothing else happens, they are worked out ahead, as by FCFS.

    Parameters
    ----------
    machine
        The machine.
    passes
        How often a request may be passed.
    """
    requests: list[int] = []  # by place
    queue = ArrivalQueue(passes)  # with the tokens needed in the next round
    admitted: list[int] = []  # places in order of admission; finished ones leave late
    kills = 0  # since something else happened
    while True:
        for i in machine.arrivals().tolist():
            requests.append(i)
            queue.add(machine.held(i) + 1)
            kills = 0
        while machine.memory_next_round() > machine.memory:
            latest = admitted.pop()
            if not machine.completed(i := requests[latest]):
                machine.kill(i)
                queue.put_back(latest, machine.held(i) + 1)
                kills += 1
        while (place := queue.first(machine.memory - machine.memory_next_round())) is not None:
            machine.start(requests[place])
            queue.take(place)
            admitted.append(place)
        if kills < MANY_KILLS or machine.keeps_tokens:
            rounds = machine.rounds_until_overflow()
            done = yield Wait(None if rounds is None else machine.now + rounds)
        else:
            admitted = [place for place in admitted if not machine.completed(requests[place])]
            done, foreseen = yield from _thrash(machine, requests, queue, admitted, kills)
            kills = 2 * kills if foreseen >= MANY_KILLS else 0
        if len(done):
            kills = 0


def _thrash(
    machine: Machine, requests: list[int], queue: ArrivalQueue, admitted: list[int], kills: int
) -> Generator[Wait | Until, IntArray, tuple[IntArray, int]]:
    """Foresee kills and starts while nobody passes another.

    What runs and waits is brought up to date.  Returns what completed, and how many kills were
    foreseen.
    """
    places = [*admitted, *queue.waiting()]
    # What was killed must come first of what waits, so the kills must not get to where the
    # places fall.
    floor = 1 + max((k for k in range(len(places) - 1) if places[k] > places[k + 1]), default=0)
    order = np.array(requests, dtype=np.int64)[places]
    prompts = machine.prompts_of(order).tolist()
    behind, least = [], machine.memory + 1
    for place, prompt in zip(reversed(places), reversed(prompts), strict=True):
        stuck = place in queue.stuck
        behind.append(machine.memory + 1 if stuck else least)
        least = prompt if stuck else min(prompt, least)
    course = course_from_now(
        machine,
        order,
        len(admitted),
        machine.memory,
        kills,
        floor=min(floor, len(admitted)),
        behind=behind[::-1],
    )
    done = yield from follow(machine, order, course)
    running = still_running(machine, course)
    for k in range(len(admitted), running):
        queue.take(places[k])
    for k in range(running, len(admitted)):
        queue.put_back(places[k], prompts[k] + 1)
    admitted[:] = places[:running]
    return done, sum(end < course.until for end in course.ends)
