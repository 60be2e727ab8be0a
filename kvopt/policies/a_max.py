"""A-Max: MC-SF on the upper ends of predicted intervals."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from kvopt.model.instance import Instance
from kvopt.model.running_profile import RunningProfile
from kvopt.model.spec import optional
from kvopt.policies.intervals import predicted
from kvopt.policies.mc_sf import MCSF
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.guarantee import Guarantee, inherited
from kvopt.theory.orders import RequestType, distinct_orders, orders_of_ties
from kvopt.theory.parsing import at_least_one

__all__ = ["AMax"]


@dataclass(frozen=True, slots=True)
class AMax(Policy):
    """A-Max: shortest predicted maximum first, each as soon as that much surely fits.

    MC-SF with each output length replaced by the upper end u of its predicted
    interval, until the request completes; the same over what has been released [our
    reading].  Nothing is ever killed.

    Guarantee: none, but with width=1 it is MC-SF.  Source: Chen, Ye, Zhou 2025,
    arXiv 2508.14544; how the intervals come about is our reading.

    Parameters
    ----------
    width
        The true length is known up to this factor, >= 1; none for no prediction, so
        that u = M - s_i and the policy is non-clairvoyant.
    """

    name: ClassVar[str] = "a-max"

    width: Fraction | None = parameter(
        None, optional(at_least_one), "lengths are known up to this factor, or none"
    )

    @property
    def clairvoyant(self) -> bool:
        """True if there are predictions, which are made from the true lengths."""
        return self.width is not None

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        if machine.start_in_order("length", self.width):
            yield Wait()
            return
        profile = RunningProfile(machine.memory)
        waiting: list[tuple[int, int]] = []  # a heap of (assumed length, request)
        ends: dict[int, tuple[int, int]] = {}  # of what runs: start, and assumed end
        first, start = None, 0  # a request whose earliest start is known as long as nothing changes
        while True:
            if len(arrivals := machine.arrivals()):
                _, upper = predicted(machine, arrivals, self.width)
                for pair in zip(upper.tolist(), arrivals.tolist(), strict=True):
                    heapq.heappush(waiting, pair)
            now = machine.now
            profile.advance(now)
            while waiting:
                longest, i = waiting[0]
                if i != first:
                    first, start = i, profile.earliest_start(machine.prompt(i), longest, now)
                if start > now:
                    break
                first = None
                heapq.heappop(waiting)
                machine.start(i)
                ends[i] = now, now + longest
                profile.add(now, machine.prompt(i), now + longest)
            completed = yield Wait(start if waiting else None)
            for done in completed.tolist():
                started, end = ends.pop(done)
                if end > machine.now:
                    profile.remove(started, machine.prompt(done), end)
                    first = None

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return MC-SF's bound, if the lengths are known exactly."""
        if self.width != 1:
            return None
        return inherited(MCSF().guarantee(instance), "with width=1 it is MC-SF")

    def worst_orders(
        self, memory: int, requests: Sequence[RequestType]
    ) -> Iterator[Sequence[RequestType]]:
        """Yield the orders of requests predicted alike; see `Policy.worst_orders`."""
        if self.width is None:
            return distinct_orders(requests)
        p, q = self.width.numerator, self.width.denominator
        return orders_of_ties(requests, lambda r: min(r[1] * p // q, memory - r[0]))
