"""Sorted-F: batches that minimise output per squared number of requests."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import ClassVar

import numpy as np

from kvopt.instance import Instance
from kvopt.machine import Decisions, Machine
from kvopt.policies.in_order import start_in_order
from kvopt.policies.policy import Policy
from kvopt.theory import SORTED_F_THEOREM, Guarantee

__all__ = ["SortedF"]

EXACT_REQUESTS = 10
"""Up to so many waiting requests the best batch is found by trying all."""


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

    Guarantee: at most 48 times the optimum if every batch is the best one, whatever the
    prompts; claimed for up to ten requests.  Source: Wang, Ye, Zhou 2025, arXiv 2508.06133.
    """

    name: ClassVar[str] = "sorted-f"
    clairvoyant: ClassVar[bool] = True

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        prompts, outputs = machine.prompts.tolist(), machine.outputs.tolist()
        by_length = np.lexsort((machine.prompts, machine.outputs)).tolist()
        order: list[int] = []
        while by_length:
            if len(by_length) <= EXACT_REQUESTS:
                batch = _best_batch(by_length, prompts, outputs, machine.memory)
            else:
                batch = _greedy_batch(by_length, prompts, outputs, machine.memory)
            order += sorted(batch, key=lambda i: (outputs[i], i))
            by_length = [i for i in by_length if i not in batch]
        yield from start_in_order(machine, order)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return the bound, if every batch is the best one."""
        return SORTED_F_THEOREM.stated() if len(instance) <= EXACT_REQUESTS else None


def _fits(batch: list[int], prompts: list[int], outputs: list[int], memory: int) -> bool:
    """Tell whether a batch may start at once on an empty machine."""
    used = 0  # prompts of those that still run
    longest_first = sorted(batch, key=outputs.__getitem__, reverse=True)
    for running, i in enumerate(longest_first, start=1):
        used += prompts[i]
        if used + running * outputs[i] > memory:
            return False
    return True


def _best_batch(
    waiting: list[int], prompts: list[int], outputs: list[int], memory: int
) -> set[int]:
    """Return the batch with the smallest quotient, of all there are."""
    best: tuple[Fraction, int, tuple[int, ...]] | None = None
    for size in range(1, len(waiting) + 1):
        for batch in combinations(sorted(waiting), size):
            key = (Fraction(sum(outputs[i] for i in batch), size * size), -size, batch)
            if (best is None or key < best) and _fits(list(batch), prompts, outputs, memory):
                best = key
    assert best is not None
    return set(best[2])


def _greedy_batch(
    waiting: list[int], prompts: list[int], outputs: list[int], memory: int
) -> set[int]:
    """Return a batch that starts with the shortest request; `waiting` is in order of length."""
    batch: list[int] = []
    total = 0
    # Memory in the last round of each of the batch, none of which is longer than the next.
    loads: list[int] = []
    for i in waiting:
        size = len(batch)
        if batch and (total + outputs[i]) * size * size >= total * (size + 1) * (size + 1):
            break  # so it is for all longer ones
        new = [load + prompts[i] + outputs[j] for load, j in zip(loads, batch, strict=True)]
        if max(new, default=0) <= memory:
            batch.append(i)
            total += outputs[i]
            loads = [*new, prompts[i] + outputs[i]]
    return set(batch)
