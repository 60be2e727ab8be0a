"""GBA-D: GBA with every request pulled forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance
from kvopt.model.memory_profile import LiveProfile
from kvopt.policies.gba import GBA
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.machine import Decisions, Machine
from kvopt.theory.gba_bounds import GBA_ALPHA
from kvopt.theory.guarantee import Guarantee, inherited
from kvopt.theory.parsing import growth_factor
from kvopt.theory.quadratic import Exact

__all__ = ["GBAD"]


@dataclass(frozen=True, slots=True)
class GBAD(Policy):
    """GBA-D(alpha): as GBA, but each request starts as soon as it fits for its whole run.

    In the order of GBA's starts [our reading] each request is moved to the earliest
    time at which it fits for its whole run beside the requests moved before it and
    those still planned at GBA's times.  So none completes later than under GBA
    (proofs/sharper_bounds.md, lemma 17).

    Guarantee: that of GBA, as no request completes later.  Source: Feng, Yang, Zhang
    2026, arXiv 2601.22996, which leaves the details open.

    Parameters
    ----------
    alpha
        Ratio of consecutive class ends, > 1.
    """

    name: ClassVar[str] = "gba-d"
    clairvoyant: ClassVar[bool] = True

    alpha: Exact = parameter(GBA_ALPHA, growth_factor, "ratio of consecutive class ends")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        planned = GBA(self.alpha).starts(machine)
        order = np.argsort(planned, kind="stable").tolist()
        prompts, outputs = machine.prompts.tolist(), machine.outputs.tolist()
        starts = planned.tolist()
        profile = LiveProfile(machine.memory)
        for i in order:
            profile.add(starts[i], prompts[i], starts[i] + outputs[i])
        # No start before this was possible for the last request of the same kind, nor is it
        # now: since then rounds have become free only after `following`.
        earliest: dict[tuple[int, int], int] = {}
        for place, i in enumerate(order):
            start, kind = starts[i], (prompts[i], outputs[i])
            profile.remove(start, prompts[i], start + outputs[i])
            starts[i] = profile.earliest_start(*kind, earliest.get(kind, 0))
            profile.add(starts[i], prompts[i], starts[i] + outputs[i])
            following = starts[order[place + 1]] if place + 1 < len(order) else start
            earliest[kind] = max(0, min(starts[i], following - outputs[i] + 1))
        machine.commit(np.arange(len(machine)), starts)
        return
        yield

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return GBA's bound, if the theorem's assumptions hold."""
        why = "no request completes later than under GBA"
        return inherited(GBA(self.alpha).guarantee(instance), why)
