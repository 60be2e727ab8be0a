"""The SPT pipeline: shortest first, each as soon after the last as requests like it allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kvopt.model.instance import Instance, IntArray
from kvopt.policies.phases import in_batches
from kvopt.policies.policy import Compiler, Cost, Policy
from kvopt.simulation.decisions import Decisions, Until
from kvopt.simulation.machine import Machine
from kvopt.theory.guarantee import Guarantee, strongest
from kvopt.theory.ordering import pipeline_cost, pipeline_starts
from kvopt.theory.orders import RequestType
from kvopt.theory.other_bounds import SPT_PIPELINE_SHARPER
from kvopt.theory.pipeline import tight_spacing
from kvopt.theory.slice_plans import CLASSES_SOURCE, MOST_PHASES, class_bound

__all__ = ["SPTPipeline"]


@dataclass(frozen=True, slots=True)
class SPTPipeline(Policy):
    """SPT pipeline: shortest output first, spaced so that requests like it would just fit.

    The requests start at floor(x) by (output length, request); after request i, x grows
    by the smallest distance at which a pipeline of requests like i fits.  The memory
    suffices, as the lengths do not decrease (proofs/text/pipeline.md, theorem 5).

    Guarantee: with one common prompt length at most 2.232 times the optimum; derived:
    proofs/text/area_and_length.md (7/3 in proofs/text/sharper_bounds.md).  Less from the
    lengths themselves: proofs/text/certified_slices.md.

    With mixed prompts [our reading] all are treated as if they had the largest
    prompt; the requests that would then not fit follow one after another.  Nothing is
    proved about that, nor with release times: what is released while a batch runs forms
    the next one [our reading].
    """

    name: ClassVar[str] = "spt-pipeline"
    clairvoyant: ClassVar[bool] = True

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""

        def run_batch(batch: IntArray) -> Decisions:
            outputs = machine.outputs_of(batch)
            starts = machine.now + pipeline_starts(
                machine.prompts_of(batch), outputs, machine.memory
            )
            machine.commit(batch, starts)
            yield Until(int((starts + outputs).max()))

        return in_batches(machine, run_batch)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound, if the theorem's assumptions hold."""
        prompt = instance.common_prompt
        if prompt is None or instance.has_releases:
            return None
        general = SPT_PIPELINE_SHARPER.stated()
        lengths = sorted({request.output for request, _ in instance.types()})
        if len(lengths) > MOST_PHASES:
            return general
        distances = [tight_spacing(prompt, o, instance.memory) for o in lengths]
        bound = class_bound(prompt, instance.memory, lengths, distances, False, lengths)
        own = Guarantee(bound, "derived", CLASSES_SOURCE, "these lengths")
        return strongest([own, general])

    def cost_formula(self, compiled: Compiler) -> Cost:
        """Return sums of floors, for a common prompt; see `Policy.cost_formula`."""

        def cost(memory: int, prompts: IntArray, outputs: IntArray) -> int | None:
            if (prompts != prompts[0]).any():
                return None
            return pipeline_cost(memory, int(prompts[0]), outputs)

        return cost

    def worst_orders(
        self, memory: int, requests: Sequence[RequestType]
    ) -> Iterator[Sequence[RequestType]]:
        """Yield one order, as the order does not matter; see `Policy.worst_orders`."""
        yield tuple(requests)
