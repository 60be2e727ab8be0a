"""Area budget: equal areas for all, as much as fits into a time that doubles, or nearly so."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.policies.phases import in_batches, run_as_they_fit
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions
from kvopt.simulation.machine import Machine
from kvopt.theory.area_levels import AreaBudget as Budget
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.mixed_bounds import AREA_BUDGET_ALPHA, AREA_BUDGET_SHARE, area_budget_claim
from kvopt.theory.parsing import growth_factor, positive
from kvopt.theory.quadratic import Exact

__all__ = ["AreaBudget"]


@dataclass(frozen=True, slots=True)
class AreaBudget(Policy):
    """Area budget: in each stage equal areas for all, as much as fits into alpha^k rounds.

    In stage k = 0, 1, ... let T = alpha^k.  Every unfinished request gets the longest slice
    whose area is at most a, of at most T and at most M - s_i rounds; a is the largest integer
    with which the areas of these slices add up to at most budget * M * T.  Those whose slice is
    longer than all before take part: first the wide ones, whose prompt and slice exceed M/2
    together, each of the two groups by (slice, request).  In this order each starts as soon as it
    fits for its whole slice beside what runs.  What has not completed by then is killed.  The next
    stage begins when nothing runs.  What is released while a batch runs forms the next one.

    Guarantee: with the default parameters the total completion time is at most 1375/24 < 57.30
    times the optimum, whatever the prompts (proofs/text/mixed_non_clairvoyant.md, theorem 13); how
    much the stages of a run are filled gives a smaller bound for it (theorem 14).

    Parameters
    ----------
    alpha
        Growth factor of the stages, > 1.
    budget
        Area given out in a round of a stage, as a share of the memory, > 0.
    """

    name: ClassVar[str] = "area-budget"
    clairvoyant: ClassVar[bool] = False

    alpha: Exact = parameter(AREA_BUDGET_ALPHA, growth_factor, "growth factor of the stages")
    budget: Fraction = parameter(AREA_BUDGET_SHARE, positive, "area in a round, in memories")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        return in_batches(machine, lambda batch: self._run_batch(machine, batch))

    def _run_batch(self, machine: Machine, batch: IntArray) -> Decisions:
        budget = Budget(machine.prompts_of(batch), machine.memory, self.alpha, self.budget)
        longest = np.zeros(len(batch), dtype=np.int64)
        for stage in count():
            alive = np.flatnonzero(~machine.completed_of(batch))
            if not len(alive):
                return
            slices = budget.slices(stage, alive)
            longer = slices > longest[alive]
            members, slices = alive[longer], slices[longer]
            longest[members] = slices
            yield from run_as_they_fit(machine, batch[members], slices)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound of the run for the default parameters."""
        default = (AREA_BUDGET_ALPHA, AREA_BUDGET_SHARE)
        if instance.has_releases or (self.alpha, self.budget) != default:
            return None
        return area_budget_claim(instance.prompts, instance.outputs, instance.memory)
