"""SVF in batches: smallest area first, in batches of geometrically growing size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.running_profile import RunningProfile
from kvopt.model.spec import yes_or_no
from kvopt.policies.in_order import RELEASE
from kvopt.policies.phases import FEW
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions, Until
from kvopt.simulation.machine import Machine
from kvopt.theory.area_batches import SVF_BATCHES_THEOREM, batch_order
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

    With release times, what is released forms the next instance as soon as all that was released
    before has started; it is planned beside what still runs [our reading].

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
        if not self.pull and machine.start_in_order("area-batches"):
            yield RELEASE
            return
        profile: LiveProfile | RunningProfile = (
            LiveProfile(machine.memory) if self.pull else RunningProfile(machine.memory)
        )
        while True:
            if len(released := np.sort(machine.arrivals())):
                profile.advance(machine.now)
                prompts, outputs = machine.prompts_of(released), machine.outputs_of(released)
                starts = starts_beside(profile, prompts, outputs, machine.memory)
                yield from _start(machine, released, starts)
            else:
                yield RELEASE

    def general_bound(self) -> Guarantee:
        """Return the bound, which is one number; see `Policy.general_bound`."""
        bound = SVF_BATCHES_THEOREM.stated()
        return replace(bound, source=f"{bound.source}; {PULLED}") if self.pull else bound

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound, if all requests are released at time 0."""
        return None if instance.has_releases else self.general_bound()


def starts_beside(
    profile: LiveProfile | RunningProfile, prompts: IntArray, outputs: IntArray, memory: int
) -> IntArray:
    """Return the starts of requests beside what runs, pulled forward with a `LiveProfile`.

    Parameters
    ----------
    profile
        What runs, from now on; what is started is entered into it.
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each, n >= 1.
    memory
        Memory budget M (tokens).
    """
    starts = np.zeros(len(prompts), dtype=np.int64)
    start = profile.now
    for i in batch_order(prompts, outputs, memory).tolist():
        prompt, output = int(prompts[i]), int(outputs[i])
        starts[i] = start = profile.earliest_start(prompt, output, start)
        if isinstance(profile, RunningProfile):
            profile.advance(start)
        profile.add(start, prompt, start + output)
    if isinstance(profile, LiveProfile) and len(starts) > 1:
        starts = pulled_beside(prompts, outputs, memory, starts, profile)
    return starts


def _start(machine: Machine, requests: IntArray, starts: IntArray) -> Decisions:
    """Start requests and wait until the last of them has started."""
    if len(requests) >= FEW:
        machine.commit(requests, starts)
        if (last := int(starts.max())) > machine.now:
            yield Until(last)
        return
    order = np.argsort(starts, kind="stable")
    for request, start in zip(requests[order].tolist(), starts[order].tolist(), strict=True):
        if start > machine.now:
            yield Until(start)
        machine.start(request)
