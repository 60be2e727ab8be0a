"""Stretches of time in which a set of requests is run, which GBA and GSA are made of."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from kvopt.instance import IntArray
from kvopt.machine import Decisions, Machine, Until

__all__ = [
    "SpacingRule",
    "run_one_at_a_time",
    "run_pipeline",
]

SpacingRule = Callable[[int, int, int], Fraction]
"""(prompt, slice, memory) -> distance between starts (rounds).

Attempts of `slice` rounds with starts floor(j * distance), j = 0, 1, ..., must
fit into the memory.
"""


def run_pipeline(
    machine: Machine, requests: IntArray, slice: int, spacing: SpacingRule
) -> Decisions:
    """Run one attempt of each request, staggered, and wait until the last slice is over.

    Parameters
    ----------
    machine
        The machine, with nothing running.
    requests
        Which requests, in the order of their starts, shape (a,), a >= 1.
    slice
        After how many rounds an attempt is killed unless it has completed.
        A slot stays taken for the whole slice even if its request completes early.
    spacing
        Distance between starts; gets the largest prompt among the requests.
    """
    distance = spacing(int(machine.prompts[requests].max()), slice, machine.memory)
    offsets = np.arange(len(requests)) * distance.numerator // distance.denominator
    machine.commit(requests, machine.now + offsets, kill_at=slice)
    yield Until(machine.now + int(offsets[-1]) + slice)


def run_one_at_a_time(machine: Machine, requests: IntArray) -> Decisions:
    """Run requests one after another, request i in a slot of M - s_i rounds, and wait.

    Every request completes, as no output is longer than that.
    """
    slots = machine.memory - machine.prompts[requests]
    ends = machine.now + np.cumsum(slots)
    machine.commit(requests, ends - slots, kill_at=slots)
    yield Until(int(ends[-1]))
