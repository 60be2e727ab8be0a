"""Area phases: GSA by area for any prompts, with a slice of its own for each prompt."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.policies.phases import in_batches, run_as_they_fit
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions
from kvopt.simulation.machine import Machine
from kvopt.theory.area_levels import AreaLevels
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.mixed_bounds import area_phases_claim
from kvopt.theory.parsing import growth_factor
from kvopt.theory.quadratic import Exact

__all__ = ["AreaPhases"]


@dataclass(frozen=True, slots=True)
class AreaPhases(Policy):
    """Area phases: as GSA with slices of equal area, each prompt having its own, for any prompts.

    In phase q = 0, 1, ... request i has the longest slice whose area is at most alpha^q,
    but at most M - s_i.  Those unfinished requests whose slice is longer than before take
    part: first the wide ones, whose prompt and slice exceed M/2 together, each of the two
    groups by (slice, request).  In this order each starts as soon as it fits for its whole slice
    beside what runs.  What has not completed by then is killed.  The next phase begins when
    nothing runs.  What is released while a batch runs forms the next one.

    Guarantee: a claim about each run, whatever the prompts: the total completion time is at most
    max(R/U, 2R/(3U) + b) times the optimum, R = alpha + 2 alpha^1.5 / (alpha - 1).  Let h be the
    largest prompt + slice of an attempt; then U = max(1/4, (1 - h/M) / 2).  And
    b = 1 + (sum of D N) / L, over all phases, D being the longest slice in a phase, N the number of
    requests unfinished after it, and L the sum of the outputs.  No constant bounds b
    (proofs/text/mixed_non_clairvoyant.md, theorems 5 and 6).

    Parameters
    ----------
    alpha
        Growth factor of the areas, > 1.
    """

    name: ClassVar[str] = "area-phases"
    clairvoyant: ClassVar[bool] = False

    alpha: Exact = parameter(Fraction(3), growth_factor, "growth factor of the areas")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        return in_batches(machine, lambda batch: self._run_batch(machine, batch))

    def _run_batch(self, machine: Machine, batch: IntArray) -> Decisions:
        levels = AreaLevels(machine.prompts_of(batch), machine.memory, self.alpha)
        while len(alive := np.flatnonzero(~machine.completed_of(batch))):
            members = levels.advance(alive)
            yield from run_as_they_fit(machine, batch[members], levels.slices[members])

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound for the slices and waits of the run on this instance."""
        if instance.has_releases:
            return None
        return area_phases_claim(instance.prompts, instance.outputs, instance.memory, self.alpha)
