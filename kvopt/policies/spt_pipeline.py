"""The SPT pipeline: shortest first, each request as soon after the last as its kind allows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance
from kvopt.policies.phases import staggered
from kvopt.policies.policy import Policy
from kvopt.simulation.machine import Decisions, Machine
from kvopt.theory.guarantee import Guarantee, strongest
from kvopt.theory.other_bounds import SPT_PIPELINE_THEOREM
from kvopt.theory.pipeline import tight_spacing
from kvopt.theory.slice_plans import CLASSES_SOURCE, MOST_PHASES, class_bound

__all__ = ["SPTPipeline"]


@dataclass(frozen=True, slots=True)
class SPTPipeline(Policy):
    """SPT pipeline: shortest output first, spaced so that its own kind would just fit.

    The requests start at floor(x) by (output length, request); after request i, x grows
    by the smallest distance at which a pipeline of requests like i fits.  The memory
    suffices, as the lengths do not decrease (proofs/pipeline.md, theorem 5).

    Guarantee: with one common prompt length at most 7/3 times the optimum; derived:
    proofs/sharper_bounds.md.  Less from the lengths themselves:
    proofs/certified_slices.md.

    With mixed prompts [our reading] all are treated as if they had the largest
    prompt; the requests that would then not fit follow one after another.  Nothing is
    proved about that.
    """

    name: ClassVar[str] = "spt-pipeline"
    clairvoyant: ClassVar[bool] = True

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        prompt = int(machine.prompts.max())
        starts = np.zeros(len(machine), dtype=np.int64)
        order = np.argsort(machine.outputs, kind="stable")
        lengths, first = np.unique(machine.outputs[order], return_index=True)
        now, end = Fraction(0), 0
        for length, members in zip(lengths.tolist(), np.split(order, first[1:]), strict=True):
            count = len(members)
            if prompt + length <= machine.memory:
                distance = tight_spacing(prompt, length, machine.memory)
                starts[members] = staggered(now, count, distance)
                now += count * distance
                end = max(end, int(starts[members[-1]]) + length)
            else:
                starts[members] = end + np.arange(count) * length
                end += count * length
        machine.commit(np.arange(len(machine)), starts)
        return
        yield

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound, if the theorem's assumptions hold."""
        prompt = instance.common_prompt
        if prompt is None:
            return None
        general = SPT_PIPELINE_THEOREM.stated()
        lengths = sorted({request.output for request, _ in instance.types()})
        if len(lengths) > MOST_PHASES:
            return general
        distances = [tight_spacing(prompt, o, instance.memory) for o in lengths]
        bound = class_bound(prompt, instance.memory, lengths, distances, False, lengths)
        own = Guarantee(bound, "derived", CLASSES_SOURCE, "these lengths")
        return strongest([own, general])
