"""Starting requests in a given order, each as soon as it fits for its whole run."""

from __future__ import annotations

from collections.abc import Callable

from kvopt.model.instance import IntArray
from kvopt.simulation.machine import Decisions, Machine, Wait

__all__ = ["plan_in_order"]

RELEASE = Wait(completions=False)
"""Until something is released."""


def plan_in_order(
    machine: Machine,
    order_of: Callable[[IntArray], IntArray],
    starts_of: Callable[[IntArray, IntArray, int], IntArray],
) -> Decisions:
    """Start what waits in an order, none before its predecessor.

    As nothing unforeseen happens until something is released, all that waits is planned at
    once.  What is released later is put into the order of what has not started by then.

    Parameters
    ----------
    machine
        The machine of a clairvoyant policy, with nothing running.
    order_of
        Puts requests, given in request order, into their order.
    starts_of
        (prompts, outputs, memory) in that order -> starts from time 0 on an empty machine
        (rounds).
    """
    while not len(machine.arrivals()):
        yield RELEASE
    order = order_of(machine.waiting())
    prompts, outputs = machine.prompts_of(order), machine.outputs_of(order)
    machine.commit(order, machine.now + starts_of(prompts, outputs, machine.memory))
    yield RELEASE
    machine.withdraw()
    queue: list[int] = []  # in reverse
    while True:
        if len(machine.arrivals()):
            queue = order_of(machine.waiting()).tolist()[::-1]
        start = None
        while queue:
            start = machine.earliest_start(queue[-1])
            if start > machine.now:
                break
            machine.start(queue.pop())
            start = None
        yield Wait(start, completions=False)
