"""MC-SF: memory-constrained shortest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kvopt.instance import Instance
from kvopt.machine import Decisions, Machine
from kvopt.policies.in_order import start_in_order
from kvopt.policies.policy import Policy
from kvopt.theory import MCSF_THEOREM, Guarantee

__all__ = ["MCSF"]


@dataclass(frozen=True, slots=True)
class MCSF(Policy):
    """MC-SF: shortest output first, each as soon as it fits for its whole run.

    In each round the waiting requests are taken by (output length, request) and
    the longest prefix is admitted that keeps the memory within the budget at
    every completion of what runs or is admitted.  Testing completions is enough,
    as memory falls nowhere else (proofs/model.md, lemma 3).  As nothing unforeseen
    happens, the first of the queue starts at its earliest feasible time, and
    none before its predecessor.

    Guarantee: with one common prompt length the total completion time is at most
    9216 times the optimum.  Source: Jaillet et al. 2025, arXiv 2502.07115.
    """

    name: ClassVar[str] = "mc-sf"
    clairvoyant: ClassVar[bool] = True

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        yield from start_in_order(machine, np.argsort(machine.outputs, kind="stable").tolist())

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the published bound, if the theorem's assumptions hold."""
        return None if instance.common_prompt is None else MCSF_THEOREM.stated()
