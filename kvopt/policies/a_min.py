"""A-Min: optimistic estimates, raised when they prove too low."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from kvopt.model.running_profile import RunningProfile
from kvopt.model.spec import optional
from kvopt.policies.intervals import predicted
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.parsing import at_least_one

__all__ = ["AMin"]


@dataclass(frozen=True, slots=True)
class AMin(Policy):
    """A-Min: smallest estimate first; on overflow evict the smallest estimate, and raise it.

    The estimate e of a request begins at the lower end of its predicted interval.  At
    each time, while the next round would overflow, the running attempt with the
    smallest (e, request) is killed and its estimate raised to the tokens it had
    generated.  Then waiting requests are admitted by (e, request), as long as the MC-SF
    test passes for the lengths max(e, progress + 1): an attempt that has outlived its
    estimate is expected to end after the next round.  With release times the same goes
    for what has been released [our reading].

    What is not overdue ends as announced, and between events the next round only
    gets fuller; so the first of the queue can start at its earliest time beside the
    announced ends if the next round fits then, and else not before something happens.
    Kills are decided one by one, in logarithmic time each: who is killed next depends on the
    estimates that kills raise.

    Guarantee: none here.  Source: Chen, Ye, Zhou 2025, arXiv 2508.14544; the order among
    equal estimates, and how the intervals come about, is our reading.

    Parameters
    ----------
    width
        The true length is known up to this factor, >= 1; none for no prediction, so
        that the lower end is 1 and the policy is non-clairvoyant.
    """

    name: ClassVar[str] = "a-min"

    width: Fraction | None = parameter(
        None, optional(at_least_one), "lengths are known up to this factor, or none"
    )

    @property
    def clairvoyant(self) -> bool:
        """True if there are predictions, which are made from the true lengths."""
        return self.width is not None

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        estimate: dict[int, int] = {}
        waiting: list[tuple[int, int]] = []  # a heap of (estimate, request)
        running: list[tuple[int, int]] = []  # a heap like `waiting`; finished ones leave late
        start: dict[int, int] = {}
        profile = RunningProfile(machine.memory)  # of what is not overdue, as it is expected
        while True:
            if len(arrivals := machine.arrivals()):
                lower, _ = predicted(machine, arrivals, self.width)
                for i, e in zip(arrivals.tolist(), lower.tolist(), strict=True):
                    estimate[i] = e
                    heapq.heappush(waiting, (e, i))
            now = machine.now
            profile.advance(now)
            while machine.memory_next_round() > machine.memory:
                _, i = heapq.heappop(running)
                if i not in start:
                    continue
                machine.kill(i)
                begun = start.pop(i)
                profile.remove(begun, machine.prompt(i), begun + estimate[i])
                estimate[i] = max(estimate[i], now - begun)
                heapq.heappush(waiting, (estimate[i], i))
            retry = None
            while waiting:
                e, i = waiting[0]
                if machine.memory_next_round() + machine.prompt(i) + 1 > machine.memory:
                    break
                retry = profile.earliest_start(machine.prompt(i), e, now)
                if retry > now:
                    break
                retry = None
                heapq.heappop(waiting)
                machine.start(i)
                start[i] = now
                profile.add(now, machine.prompt(i), now + e)
                heapq.heappush(running, (e, i))
            rounds = machine.rounds_until_overflow()  # None: then nothing waits, either
            times = [] if rounds is None else [now + rounds]
            times += [] if retry is None else [retry]
            for i in (yield Wait(min(times, default=None))).tolist():
                begun = start.pop(i)
                if begun + estimate[i] > machine.now:
                    profile.remove(begun, machine.prompt(i), begun + estimate[i])
