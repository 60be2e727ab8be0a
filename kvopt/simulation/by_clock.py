"""Simulation by a clock: rounds take milliseconds, and requests arrive in between."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.instance import Instance
from kvopt.model.schedule import Schedule
from kvopt.model.stopping import Stopping
from kvopt.simulation.clock import Clock, RoundTimes
from kvopt.simulation.decisions import LATEST, Commitment, Foreseen, Wait
from kvopt.simulation.machine import Machine
from kvopt.simulation.policy import Policy
from kvopt.simulation.simulate import World, run_policy

__all__ = ["simulate_by_clock"]


def simulate_by_clock(
    instance: Instance,
    policy: Policy,
    clock: Clock,
    progress: Callable[[int], None] | None = None,
    stop: Stopping | None = None,
) -> tuple[Schedule, RoundTimes]:
    """Run a policy on an instance whose requests arrive in milliseconds.

    A request is seen at the first end of a round at or after its arrival.  Where nothing runs or
    is planned, and the policy waits for what arrives next, an empty round lasts until then.

    Parameters
    ----------
    instance
        The instance; `Instance.arrivals` says when its requests arrive, all at time 0 if that is
        None.
    policy
        The policy.
    clock
        How long rounds take: a `LinearClock`, a `TiledClock`, or another one.
    progress
        Called now and then with the number of requests completed so far.
    stop
        When it is over, the simulation is broken off; None for no limit.

    Returns
    -------
    schedule : Schedule
        What the policy did, in rounds.  Its instance has the rounds in which requests were seen
        as release times.
    times : RoundTimes
        When each round ends, for `kvopt.metrics`.

    Raises
    ------
    InputError
        If there are release times but no arrival times.
    PolicyError
    StoppedError
        As `kvopt.simulate` does.

    Examples
    --------
    >>> from kvopt import FCFS, Instance, metrics
    >>> from kvopt.simulation.clock import clock_from_spec
    >>> instance = Instance(10, [2, 2], [3, 3]).with_arrivals([0, 15_000])  # microseconds
    >>> clock = clock_from_spec("linear:c0=10")
    >>> schedule, times = simulate_by_clock(instance, FCFS(), clock)
    >>> schedule.instance.releases.tolist(), schedule.starts().tolist()
    ([0, 2], [0, 2])
    >>> metrics(schedule, times).latency.tolist()
    [30.0, 35.0]
    """
    if instance.arrivals is None and instance.has_releases:
        raise InputError(
            "arrival_ms: must be there for a clock, which does not know what a release in rounds is"
        )
    world = _ClockedWorld(instance, policy, clock)
    schedule = run_policy(world, policy, progress, stop)
    return schedule, world.times


class _ClockedWorld(World):
    """A world in which arrivals are known in ticks, and releases follow from the clock."""

    takes_orders = False

    def __init__(self, instance: Instance, policy: Policy, clock: Clock) -> None:
        super().__init__(instance, policy)
        n = len(instance)
        arrivals = np.zeros(n, dtype=np.int64) if instance.arrivals is None else instance.arrivals
        arrivals = arrivals * (clock.ticks // 1000)
        self.clock = clock
        self.times = RoundTimes(clock.ticks, arrivals, instance.memory)
        self.to_come = np.argsort(arrivals, kind="stable")
        self.times_to_come = arrivals[self.to_come]
        self.seen = np.zeros(n, dtype=np.int64)  # the round in which each request was seen
        self.running = 0
        self.constant = 0  # memory in round r of what runs: constant + running * r
        # (time, number, request, prompt, end, whether it completes then)
        self.starts: list[tuple[int, int, int, int, int, bool]] = []
        # (time, number, request, prompt - start, whether it completes then)
        self.ends: list[tuple[int, int, int, int, bool]] = []
        self.live: dict[int, tuple[int, int]] = {}  # request -> (number, prompt - start)
        self.number = 0
        self.walked: int | None = None
        self.idle_since: tuple[int, int] = (0, -1)

    def withdraw(self) -> None:
        """Forget what is planned and has not started."""
        super().withdraw()
        self.starts.clear()

    def carry_out(
        self, kills: list[int], starts: list[tuple[int, int]], commitments: list[Commitment]
    ) -> None:
        """Kill, start and plan attempts; see `World.carry_out`."""
        super().carry_out(kills, starts, commitments)
        for request in kills:
            self._stop(request)
        for request, kill_at in starts:
            self._plan(request, self.now, kill_at)
        for commitment in commitments:
            columns = (commitment.requests, commitment.starts, commitment.kill_at)
            for request, start, kill_at in zip(*(c.tolist() for c in columns), strict=True):
                self._plan(request, start, kill_at)

    def idle(self, machine: Machine) -> bool:
        """Tell whether nothing runs, is planned, was decided, and neither time nor news comes."""
        if machine.running or self.active or machine.undelivered():
            return False
        before, self.idle_since = self.idle_since, (self.times.tick, self.released)
        return self.released == len(self.to_come) or before == self.idle_since

    def release(self, machine: Machine) -> None:
        """Tell the machine what has arrived by the end of the current round."""
        self._walk(self.now, False, None)
        count = int(self.times_to_come.searchsorted(self.times.tick, side="right"))
        if count > self.released:
            new = slice(self.released, count)
            ticks = self.times_to_come[new].tolist()
            rounds = np.array([self.times.first_end(tick) for tick in ticks], dtype=np.int64)
            requests = self.to_come[new].copy()
            self.seen[requests] = rounds
            order = np.lexsort((requests, rounds))
            requests, instance = requests[order], self.instance
            outputs = instance.outputs[requests] if self.clairvoyant else None
            machine.arrive(requests, instance.prompts[requests], rounds[order], outputs)
            self.released = count

    def next_event(self, limit: int, pause: Wait) -> int:
        """Return when the first thing happens that ends a pause; see `World.next_event`."""
        if self.walked is not None:  # what was foreseen has passed until then
            time, self.walked = self.walked, None
            return time
        target = self._next_arrival() if pause.releases else None
        return self._walk(limit, pause.completions, target)

    def first_event(self, foreseen: Foreseen, limit: int) -> int:
        """Return when something arrives or completes of what is foreseen; see `World`."""
        columns = (foreseen.requests, foreseen.starts, foreseen.ends, foreseen.running)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        self.starts.clear()  # what starts now is among the foreseen
        for request, start, end, running in rows:
            if not running or request not in self.live:
                self._plan(request, start, end - start)
            elif end < start + int(self.singles.outputs[request]):
                number, constant = self.live[request]
                heapq.heappush(self.ends, (end, number, request, constant, False))
        self.walked = limit = self._walk(limit, True, self._next_arrival())
        # What runs now has no end announced, and what was to start is forgotten.
        self.starts.clear()
        self.ends = []
        for request, start, end, _ in rows:
            completion = start + int(self.singles.outputs[request])
            if start < limit <= end and completion != limit:
                if request not in self.live:  # the walk killed it at the limit
                    self._run(request, start)
                number, constant = self.live[request]
                self.ends.append((completion, number, request, constant, True))
        heapq.heapify(self.ends)
        return limit

    def schedule(self) -> Schedule:
        """Let everything that runs end, and return all attempts; see `World.schedule`."""
        truth = self.instance
        texts = (truth.name, truth.comment, truth.source)
        self.instance = Instance(
            truth.memory, truth.prompts, truth.outputs, *texts, self.seen
        ).with_arrivals(truth.arrivals)
        schedule = super().schedule()
        self._walk(schedule.makespan, False, None)
        return schedule

    def _next_arrival(self) -> int | None:
        """Return when the next request arrives (tick); None if all have arrived."""
        if self.released == len(self.to_come):
            return None
        return int(self.times_to_come[self.released])

    def _walk(self, limit: int, completions: bool, target: int | None) -> int:
        """Let rounds pass to a limit, or to a completion or a tick, and return the time."""
        times = self.times
        while times.round < limit:
            prompt_tokens = self._begin()
            if not self.running:
                self.ends.clear()  # of what was killed before
            stop = limit
            for heap in (self.starts, self.ends):
                if heap:
                    stop = min(stop, heap[0][0])
            if target is not None and stop == LATEST:
                times.jump(target)
                break
            memory = self.constant + self.running * times.round
            pace = self.clock.pace(self.running, memory, prompt_tokens)
            reached = times.go_on(stop, target, self.running, memory, pace)
            completed = self._finish()
            if reached or (completed and completions):
                break
        return times.round

    def _plan(self, request: int, start: int, kill_at: int) -> None:
        prompt, output = int(self.singles.prompts[request]), int(self.singles.outputs[request])
        end = start + min(kill_at, output)
        planned = (start, self.number, request, prompt, end, kill_at >= output)
        heapq.heappush(self.starts, planned)
        self.number += 1

    def _begin(self) -> int:
        """Start what is planned for now, and return its prompt tokens."""
        prompt_tokens = 0
        while self.starts and self.starts[0][0] <= self.times.round:
            start, number, request, prompt, end, completes = heapq.heappop(self.starts)
            heapq.heappush(self.ends, (end, number, request, prompt - start, completes))
            self.live[request] = number, prompt - start
            self.constant += prompt - start
            self.running += 1
            prompt_tokens += prompt
        return prompt_tokens

    def _finish(self) -> bool:
        """End what ends now, and tell whether something completes."""
        completed = False
        while self.ends and self.ends[0][0] <= self.times.round:
            _, number, request, constant, completes = heapq.heappop(self.ends)
            if self.live.get(request) == (number, constant):  # it was not killed before
                self._stop(request)
                completed = completed or completes
        return completed

    def _run(self, request: int, start: int) -> None:
        """Let an attempt run."""
        prompt = int(self.singles.prompts[request])
        self.live[request] = self.number, prompt - start
        self.number += 1
        self.constant += prompt - start
        self.running += 1

    def _stop(self, request: int) -> None:
        """End what runs of a request."""
        self.constant -= self.live.pop(request)[1]
        self.running -= 1
