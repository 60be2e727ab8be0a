"""Alpha-protection: FCFS that keeps a part of the memory free for growth."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from kvopt.model.spec import integer, optional
from kvopt.policies.fcfs import keep_parameter, run_fcfs
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions
from kvopt.simulation.machine import Machine
from kvopt.theory.parsing import fraction

__all__ = ["AlphaProtection"]

INSIDE = "between 0 and 1"
share = fraction(Fraction(0), Fraction(1), INSIDE)


@dataclass(frozen=True, slots=True)
class AlphaProtection(Policy):
    """Alpha-protection: as FCFS, but admit only up to (1 - a) M tokens in the next round.

    If nothing runs, the first of the queue is admitted regardless.  On overflow the
    request admitted last is killed and put back at the front of the queue, as by
    FCFS; or, with clearing=b, each running request is killed with probability b,
    again and again until the next round fits, and goes back to its place in arrival order
    at the front of the queue.

    Guarantee: none.  Source: Jaillet et al. 2025, arXiv 2502.07115; that the memory of
    the next round counts, and the place of what was cleared, is our reading.

    Parameters
    ----------
    a
        Protected share of the memory, in (0, 1).
    clearing
        Probability b in (0, 1) with which a running request is cleared, or none.
    seed
        Seed of the clearing.
    keep
        Whether a killed request keeps its tokens, as by FCFS.
    """

    name: ClassVar[str] = "alpha-protection"
    clairvoyant: ClassVar[bool] = False

    a: Fraction = parameter(Fraction(1, 5), share, "protected share of the memory")
    clearing: Fraction | None = parameter(
        None, optional(share), "probability of clearing a running request, or none"
    )
    seed: int = parameter(0, integer(0), "seed of the clearing")
    keep: bool = keep_parameter()

    @property
    def keeps_tokens(self) -> bool:
        """True if a killed request keeps its tokens; see `Policy`."""
        return self.keep

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        limit = math.floor((1 - self.a) * machine.memory)
        if self.clearing is None:
            return run_fcfs(machine, limit)
        rng, probability = random.Random(self.seed), float(self.clearing)
        return run_fcfs(machine, limit, lambda: rng.random() < probability)
