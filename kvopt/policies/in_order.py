"""Starting requests in a given order, each as soon as it fits for its whole run."""

from __future__ import annotations

from collections.abc import Iterable

from kvopt.simulation.machine import Decisions, Machine, Until

__all__ = ["start_in_order"]


def start_in_order(machine: Machine, order: Iterable[int]) -> Decisions:
    """Start each request at the earliest time at which it fits, none before its predecessor.

    That admits at every time the longest prefix of the waiting requests that keeps the
    memory within the budget at every completion, the test of MC-SF: as nothing
    unforeseen happens, it passes for the first of the queue exactly from its earliest
    feasible start on.

    Parameters
    ----------
    machine
        The machine of a clairvoyant policy.
    order
        All requests, first to last.
    """
    for request in order:
        start = machine.earliest_start(request)
        if start > machine.now:
            yield Until(start)
        machine.start(request)
