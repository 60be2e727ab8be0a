"""SVF: smallest volume first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from kvopt.model.instance import Instance, IntArray
from kvopt.policies.in_order import KeyQueue, plan_in_order
from kvopt.policies.policy import Compiler, Cost, Policy
from kvopt.simulation.decisions import Decisions
from kvopt.simulation.machine import Machine
from kvopt.theory.guarantee import Guarantee, with_own_lengths
from kvopt.theory.ordering import areas, in_order_cost
from kvopt.theory.orders import RequestType, orders_of_ties
from kvopt.theory.other_bounds import SVF_SHARPER

__all__ = ["SVF"]


@dataclass(frozen=True, slots=True)
class SVF(Policy):
    """SVF: smallest area (memory times rounds) first, each as soon as it fits for its whole run.

    The requests start by (area, request), none before its predecessor [our reading]; with
    release times, those that have been released.

    Guarantee: if no request ever uses more than a * M tokens, a < 1, the total completion
    time is at most max(2 / (1 - a), 1 + 4 / (3 (1 - a))) times the optimum, whatever the
    prompts (proofs/text/mixed_prompts.md, theorem 1).  Source: arXiv 2606.22327, which
    has 1 + 2 / (1 - a).
    """

    name: ClassVar[str] = "svf"
    clairvoyant: ClassVar[bool] = True

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""

        def areas_of(requests: IntArray) -> IntArray:
            return areas(machine.prompts_of(requests), machine.outputs_of(requests))

        return plan_in_order(machine, "area", KeyQueue(areas_of))

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound for the largest peak of the instance."""
        share = Fraction(int((instance.prompts + instance.outputs).max()), instance.memory)
        if share == 1 or instance.has_releases:
            return None
        shared = 2 / (1 - share)
        bound = with_own_lengths(shared, Fraction(0))
        return Guarantee(bound, "derived", SVF_SHARPER.source, "largest peak", 1 + shared)

    def cost_formula(self, compiled: Compiler) -> Cost:
        """Return the cost of a layout in rounds; see `Policy.cost_formula`."""
        cost = compiled(in_order_cost)
        return lambda memory, prompts, outputs: cost(memory, prompts, outputs, True)

    def worst_orders(
        self, memory: int, requests: Sequence[RequestType]
    ) -> Iterator[Sequence[RequestType]]:
        """Yield the orders of requests of equal area; see `Policy.worst_orders`."""
        return orders_of_ties(requests, lambda r: 2 * r[0] * r[1] + r[1] * (r[1] + 1))
