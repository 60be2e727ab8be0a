"""GBA-D: GBA with every request pulled forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from kvopt.model.instance import Instance, IntArray
from kvopt.policies.gba import GBA
from kvopt.policies.phases import in_batches
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions, Until
from kvopt.simulation.machine import Machine
from kvopt.theory.classes import pulled_beside
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
    (proofs/text/sharper_bounds.md, lemma 17).

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

        def run_batch(batch: IntArray) -> Decisions:
            prompts, outputs = machine.prompts_of(batch), machine.outputs_of(batch)
            planned = GBA(self.alpha).starts(prompts, outputs, machine.memory)
            starts = machine.now + pulled_beside(prompts, outputs, machine.memory, planned)
            machine.commit(batch, starts)
            yield Until(int((starts + outputs).max()))

        return in_batches(machine, run_batch)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return GBA's bound, if the theorem's assumptions hold."""
        why = "no request completes later than under GBA"
        return inherited(GBA(self.alpha).guarantee(instance), why)

    def slice_lengths(self, memory: int, prompt: int) -> Sequence[int]:
        """Return GBA's class ends; see `Policy.slice_lengths`."""
        return GBA(self.alpha).slice_lengths(memory, prompt)

    def never_cheaper(self) -> Policy:
        """Return GBA (proofs/text/sharper_bounds.md, lemma 17); see `Policy.never_cheaper`."""
        return GBA(self.alpha)
