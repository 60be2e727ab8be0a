"""Formulas of the staggered pipeline and of the slices it is run with.

Both are from Feng, Yang and Zhang 2026 (arXiv 2601.22996).  In a pipeline (SPS) of
k slots, attempt i of equal length starts at floor(i * slice / k).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from kvopt.quadratic import Exact

__all__ = ["SliceRule", "geometric_slices", "sps_peak", "sps_slots", "sps_spacing"]

SliceRule = Callable[[int], int]
"""phase number (from 0) -> length of its slices before the cap of memory - prompt (rounds).

Must not decrease, and must grow without limit.
"""


def sps_peak(prompt: int, slice: int, slots: int) -> int:
    """Return the peak memory of a staggered pipeline with enough attempts (tokens).

    Attempts of `slice` rounds with starts floor(i * slice / slots) use at most

        slots * prompt + (slots * slice + slice + slots - gcd(slice, slots)) / 2

    tokens in any round, exactly that much if there are at least `slots` of them.
    Derived: proofs/pipeline.md.

    Parameters
    ----------
    prompt
        Common prompt length s (tokens).
    slice
        Length of the attempts tau (rounds).
    slots
        Number of slots k >= 1.

    Examples
    --------
    >>> sps_peak(prompt=0, slice=4, slots=2)  # memory in use: 1 2 4 6 4 6 4 6 ...
    6
    """
    doubled = slots * slice + slice + slots - math.gcd(slice, slots)
    return slots * prompt + doubled // 2


def sps_slots(prompt: int, slice: int, memory: int) -> int:
    """Return the largest number of slots whose peak fits into the memory.

    The peak increases with the number of slots (proofs/pipeline.md), so a binary
    search finds it.  It may exceed the slice.

    Parameters
    ----------
    prompt, slice
        As for `sps_peak`; prompt + slice <= memory.
    memory
        Memory budget M (tokens).
    """
    low, high = 1, memory
    while low < high:
        middle = (low + high + 1) // 2
        if sps_peak(prompt, slice, middle) <= memory:
            low = middle
        else:
            high = middle - 1
    return low


def sps_spacing(prompt: int, slice: int, memory: int) -> Fraction:
    """Return slice / slots, the spacing of the paper's pipeline (rounds).

    Feng, Yang and Zhang 2026, arXiv 2601.22996 (SPS).
    """
    return Fraction(slice, sps_slots(prompt, slice, memory))


def geometric_slices(alpha: Exact, beta: Exact) -> SliceRule:
    """Return the slice rule floor(beta * alpha^p), exact (arXiv 2601.22996).

    Parameters
    ----------
    alpha
        Growth factor > 1.
    beta
        First slice >= 1 (rounds).
    """
    power = beta
    floors = [math.floor(power)]

    def slice(phase: int) -> int:
        nonlocal power
        while len(floors) <= phase:
            power *= alpha
            floors.append(math.floor(power))
        return floors[phase]

    return slice
