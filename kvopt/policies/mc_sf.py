"""MC-SF: memory-constrained shortest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.policies.policy import Policy
from kvopt.simulation.machine import Decisions, Machine
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.other_bounds import MCSF_THEOREM

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
        order = np.argsort(machine.outputs, kind="stable")
        prompts, outputs = machine.prompts[order], machine.outputs[order]
        machine.commit(order, _starts(prompts, outputs, machine.memory))
        return
        yield

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the published bound, if the theorem's assumptions hold."""
        return None if instance.common_prompt is None else MCSF_THEOREM.stated()


def _starts(prompts: IntArray, outputs: IntArray, memory: int) -> IntArray:
    """Return the earliest starts of requests that start in this order (rounds), shape (n,).

    Both starts and lengths do not decrease, so requests complete in the order of their
    starts, and what runs is a queue.  Request i can start at p beside j, which
    completes at e_j with the machine then using m_j tokens, if p >= e_j or
    m_j + s_i + e_j - p <= M; so p is at least the smaller of e_j and m_j + e_j + s_i - M.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), by output length, shape (n,) each.
    memory
        Memory budget M (tokens).
    """
    starts: list[int] = []
    ends, loads = np.zeros((2, len(prompts)), dtype=np.int64)  # loads: m_j + e_j
    first = start = end = 0  # of the queue; of the request before this one
    lengths = zip(prompts.tolist(), outputs.tolist(), strict=True)
    for i, (prompt, output) in enumerate(lengths):
        if first < i:
            allowed = np.minimum(ends[first:i], loads[first:i] + (prompt - memory))
            start = max(start, int(allowed.max()))
        while first < i and ends[first] <= start:
            first += 1
        loads[first:i] += ends[first:i] + (prompt - start)
        tie = first < i and end == start + output
        end = start + output
        starts.append(start)
        ends[i] = end
        loads[i] = loads[i - 1] if tie else prompt + output + end
    return np.array(starts, dtype=np.int64)
