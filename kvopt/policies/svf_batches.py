"""SVF in batches: smallest area first, in batches of geometrically growing size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from kvopt.model.instance import Instance, IntArray
from kvopt.model.spec import yes_or_no
from kvopt.policies.phases import in_batches
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions, Until
from kvopt.simulation.machine import Machine
from kvopt.theory.area_batches import SVF_BATCHES_THEOREM, batch_starts
from kvopt.theory.classes import pulled_beside
from kvopt.theory.guarantee import Guarantee

__all__ = ["SVFBatches"]

PULLED = "no request completes later when pulled forward"


@dataclass(frozen=True, slots=True)
class SVFBatches(Policy):
    """SVF in batches: smallest area first, long requests later, wide ones first in a batch.

    With V_i the sum of the areas up to and including request i, in the order of SVF, the key of
    i is max(4 V_i / M, 2.1 o_i).  Batches are intervals of keys whose ends grow by the
    factor 1.01^76 = 2.13; of the 76 ways to cut, 1.01 apart, the one is taken for which the
    ends of the batches of all requests add up to least.  The order is by batch, in a batch the
    wide requests first, with a peak s + o above M/2, and then as for SVF.  Each starts as soon
    as it fits for its whole run, none before its predecessor.  So SVF's waiting for the memory
    to drain, before wide requests, is rare enough.

    Guarantee: at most 9.54 times the optimum, whatever the prompts, if all requests are
    released at time 0.  Source: derived, proofs/text/area_batches.md, theorem 5; SVF is
    of arXiv 2606.22327.

    With release times, what is released while a batch algorithm runs forms the next instance for
    it [our reading].

    Parameters
    ----------
    pull
        Whether each request, in the order of starts, is moved to the earliest time at which it
        fits for its whole run beside all others; none completes later.
    """

    name: ClassVar[str] = "svf-batches"
    clairvoyant: ClassVar[bool] = True

    pull: bool = parameter(False, yes_or_no, "whether requests are pulled forward: yes or no")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""

        def run_batch(batch: IntArray) -> Decisions:
            prompts, outputs = machine.prompts_of(batch), machine.outputs_of(batch)
            starts = batch_starts(prompts, outputs, machine.memory)
            if self.pull:
                starts = pulled_beside(prompts, outputs, machine.memory, starts)
            machine.commit(batch, machine.now + starts)
            yield Until(machine.now + int((starts + outputs).max()))

        return in_batches(machine, run_batch)

    def general_bound(self) -> Guarantee:
        """Return the bound, which is one number; see `Policy.general_bound`."""
        bound = SVF_BATCHES_THEOREM.stated()
        return replace(bound, source=f"{bound.source}; {PULLED}") if self.pull else bound

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound, if all requests are released at time 0."""
        return None if instance.has_releases else self.general_bound()
