"""SVF: smallest volume first."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance
from kvopt.policies.in_order import start_in_order
from kvopt.policies.policy import Policy
from kvopt.simulation.machine import Decisions, Machine
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.other_bounds import SVF_THEOREM

__all__ = ["SVF"]


@dataclass(frozen=True, slots=True)
class SVF(Policy):
    """SVF: smallest area (memory times rounds) first, each as soon as it fits for its whole run.

    The requests start by (area, request), none before its predecessor [our reading].

    Guarantee: if no request ever uses more than a * M tokens, a < 1, the total
    completion time is at most 1 + 2 / (1 - a) times the optimum, whatever the prompts.
    Source: arXiv 2606.22327.
    """

    name: ClassVar[str] = "svf"
    clairvoyant: ClassVar[bool] = True

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        outputs = machine.outputs
        areas = machine.prompts * outputs + outputs * (outputs + 1) // 2
        yield from start_in_order(machine, np.argsort(areas, kind="stable").tolist())

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound for the largest peak of the instance."""
        share = Fraction(int((instance.prompts + instance.outputs).max()), instance.memory)
        if share == 1:
            return None
        return Guarantee(1 + 2 / (1 - share), "published", SVF_THEOREM.source)
