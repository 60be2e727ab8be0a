"""Sorted-F: batches that minimise output per squared number of requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kvopt.model.instance import Instance, IntArray
from kvopt.policies.in_order import RegroupedQueue, plan_in_order
from kvopt.policies.policy import Policy
from kvopt.simulation.decisions import Decisions
from kvopt.simulation.machine import Machine
from kvopt.theory.batches import EXACT_REQUESTS, batches
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.orders import RequestType, distinct_orders
from kvopt.theory.other_bounds import SORTED_F_THEOREM

__all__ = ["SortedF"]


@dataclass(frozen=True, slots=True)
class SortedF(Policy):
    """Sorted-F: order by batches X that minimise (sum of o over X) / |X|^2, then by length.

    Again and again, of the requests left, the batch with the smallest such quotient
    is taken among those that could all start at once on an empty machine and run to
    their ends; its requests are put into the order by (output length, request).  Then
    the requests start in that order, each as soon as it fits for its whole run.

    Up to ten requests the batch is the best one, the larger one on a tie, then the one
    with the smallest requests.  Beyond that it is built greedily [our reading]: by (output
    length, prompt, request) a request is taken if the batch still fits and its quotient
    falls.

    With release times, batches are formed anew of what waits whenever something is
    released [our reading].

    Guarantee: at most 48 times the optimum if every batch is the best one, whatever the
    prompts; claimed for up to ten requests.  Source: Wang, Ye, Zhou 2025, arXiv 2508.06133.
    """

    name: ClassVar[str] = "sorted-f"
    clairvoyant: ClassVar[bool] = True

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""

        def groups_of(requests: IntArray) -> Iterator[list[int]]:
            prompts, outputs = machine.prompts_of(requests), machine.outputs_of(requests)
            for batch in batches(prompts, outputs, machine.memory):
                yield requests[batch].tolist()

        return plan_in_order(machine, "batches", RegroupedQueue(groups_of))

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound, if every batch is the best one."""
        if instance.has_releases or len(instance) > EXACT_REQUESTS:
            return None
        return SORTED_F_THEOREM.stated()

    def worst_orders(
        self, memory: int, requests: Sequence[RequestType]
    ) -> Iterator[Sequence[RequestType]]:
        """Yield one order if the prompts are equal, else all; see `Policy.worst_orders`."""
        if len({prompt for prompt, _ in requests}) == 1:
            yield tuple(requests)
        else:
            yield from distinct_orders(requests)
