"""A-Max: MC-SF on the upper ends of predicted intervals."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.spec import optional
from kvopt.policies.intervals import predicted
from kvopt.policies.mc_sf import MCSF
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.machine import Decisions, Machine, Wait
from kvopt.theory.guarantee import Guarantee, inherited
from kvopt.theory.parsing import at_least_one

__all__ = ["AMax"]


@dataclass(frozen=True, slots=True)
class AMax(Policy):
    """A-Max: shortest predicted maximum first, each as soon as that much surely fits.

    MC-SF with each output length replaced by the upper end u of its predicted
    interval, until the request completes.  Nothing is ever killed.

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
        _, upper = predicted(machine, self.width)
        order = np.argsort(upper, kind="stable").tolist()
        longest, prompts = upper.tolist(), machine.prompts.tolist()
        profile = LiveProfile(machine.memory)
        ends: dict[int, tuple[int, int]] = {}  # of what runs: start, and assumed end
        head = 0
        while head < len(order):
            i = order[head]
            start = profile.earliest_start(prompts[i], longest[i], machine.now)
            if start == machine.now:
                machine.start(i)
                ends[i] = start, start + longest[i]
                profile.add(start, prompts[i], start + longest[i])
                head += 1
                continue
            for done in (yield Wait(until=start)).tolist():
                started, end = ends.pop(done)
                if end > machine.now:
                    profile.remove(started, prompts[done], end)
            profile.advance(machine.now)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return MC-SF's bound, if the lengths are known exactly."""
        if self.width != 1:
            return None
        return inherited(MCSF().guarantee(instance), "with width=1 it is MC-SF")
