"""MC-SF: memory-constrained shortest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kvopt.model.instance import Instance
from kvopt.policies.bypass import (
    check_passes,
    passes_parameter,
    shortest_with_bypass,
    skip_parameter,
)
from kvopt.policies.in_order import KeyQueue, plan_in_order
from kvopt.policies.policy import Compiler, Cost, Policy
from kvopt.simulation.decisions import Decisions
from kvopt.simulation.machine import Machine
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.ordering import in_order_cost
from kvopt.theory.orders import RequestType, orders_of_ties
from kvopt.theory.other_bounds import MCSF_THEOREM

__all__ = ["MCSF"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MCSF(Policy):
    """MC-SF: shortest output first, each as soon as it fits for its whole run.

    In each round the waiting requests are taken by (output length, request) and
    the longest prefix is admitted that keeps the memory within the budget at
    every completion of what runs or is admitted.  Testing completions is enough,
    as memory falls nowhere else (proofs/text/model.md, lemma 3).  As nothing unforeseen
    happens, the first of the queue starts at its earliest feasible time, and
    none before its predecessor.

    With skip=yes [our reading] what does not fit may be passed, at most K = passes times.  With
    mixed prompts each start then costs array work in the number that wait, as all of them
    before it are passed.

    Guarantee: with one common prompt length the total completion time is at most
    9216 times the optimum; none with skip=yes.  Source: Jaillet et al. 2025,
    arXiv 2502.07115; the bypass is ours.

    Parameters
    ----------
    skip
        Whether later requests may pass one that does not fit.
    passes
        How often a request may be passed, with skip=yes, until it has started.
    """

    name: ClassVar[str] = "mc-sf"
    clairvoyant: ClassVar[bool] = True

    skip: bool = skip_parameter()
    passes: int = passes_parameter()

    def __post_init__(self) -> None:
        Policy.__post_init__(self)
        check_passes(self.name, self.skip, self.passes)

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        if self.skip:
            return shortest_with_bypass(machine, self.passes)
        return plan_in_order(machine, "length", KeyQueue(machine.outputs_of))

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the published bound, if the theorem's assumptions hold."""
        if instance.common_prompt is None or instance.has_releases or self.skip:
            return None
        return MCSF_THEOREM.stated()

    def cost_formula(self, compiled: Compiler) -> Cost | None:
        """Return the cost of a layout in rounds; see `Policy.cost_formula`."""
        if self.skip:
            return None
        cost = compiled(in_order_cost)
        return lambda memory, prompts, outputs: cost(memory, prompts, outputs, False)

    def worst_orders(
        self, memory: int, requests: Sequence[RequestType]
    ) -> Iterator[Sequence[RequestType]]:
        """Yield the orders of requests of equal output length; see `Policy.worst_orders`."""
        return orders_of_ties(requests, lambda request: request[1])
