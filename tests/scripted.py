"""Policies of a few lines, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from kvopt import Attempt, Decisions, Instance, Machine, Policy, simulate, violations

Run = Callable[[Machine], Decisions]


def policy(run_: Run, clairvoyant_: bool = False) -> Policy:
    """Return a policy that runs so."""

    class Scripted(Policy):
        name: ClassVar[str] = "scripted"
        clairvoyant: ClassVar[bool] = clairvoyant_

        def run(self, machine: Machine) -> Decisions:
            return run_(machine)

    return Scripted()


def attempts(run: Run, instance: Instance, clairvoyant: bool = False) -> list[Attempt]:
    """Return the attempts of such a policy, which are feasible."""
    schedule = simulate(instance, policy(run, clairvoyant))
    assert violations(schedule) == []
    return list(schedule)
