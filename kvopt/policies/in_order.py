"""Starting requests in a given order, each as soon as it fits for its whole run."""

from __future__ import annotations

from collections.abc import Callable

from kvopt.model.instance import IntArray
from kvopt.simulation.machine import Decisions, Machine

__all__ = ["plan_in_order"]


def plan_in_order(
    machine: Machine,
    order_of: Callable[[IntArray], IntArray],
    starts_of: Callable[[IntArray, IntArray, int], IntArray],
) -> Decisions:
    """Plan all that waits, in an order, as nothing unforeseen happens.

    Parameters
    ----------
    machine
        The machine of a clairvoyant policy, with nothing running.
    order_of
        Puts requests into their order.
    starts_of
        (prompts, outputs, memory) in that order -> starts from time 0 (rounds).
    """
    order = order_of(machine.waiting())
    prompts, outputs = machine.prompts_of(order), machine.outputs_of(order)
    machine.commit(order, machine.now + starts_of(prompts, outputs, machine.memory))
    return
    yield
