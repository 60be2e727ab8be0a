"""Stretches of time in which a set of requests is run, which GBA and GSA are made of."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from kvopt.instance import IntArray
from kvopt.machine import Decisions, Machine, Until
from kvopt.pipeline import SpacingRule

__all__ = ["run_one_at_a_time", "run_pipeline", "staggered"]


def staggered(begin: Fraction, number: int, distance: Fraction) -> IntArray:
    """Return floor(begin + j * distance) for j = 0, ..., number - 1 (rounds), exactly."""
    whole = math.floor(begin)
    p, q = distance.numerator, distance.denominator
    return whole + (np.arange(number) * p + math.floor((begin - whole) * q)) // q


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
    starts = staggered(Fraction(machine.now), len(requests), distance)
    machine.commit(requests, starts, kill_at=slice)
    yield Until(int(starts[-1]) + slice)


def run_one_at_a_time(machine: Machine, requests: IntArray) -> Decisions:
    """Run requests one after another, request i in a slot of M - s_i rounds, and wait.

    Every request completes, as no output is longer than that.
    """
    slots = machine.memory - machine.prompts[requests]
    ends = machine.now + np.cumsum(slots)
    machine.commit(requests, ends - slots, kill_at=slots)
    yield Until(int(ends[-1]))
