"""Pipelines of attempts of equal length: how far apart, and how long.

In a pipeline attempt i starts at floor(i * d).  A spacing rule gives the distance d, a
slice rule the lengths of the slices in the phases of GSA or the classes of GBA.  SPS
(k slots, d = slice / k) and the slices floor(alpha^p) are the paper's: Feng, Yang and
Zhang 2026, arXiv 2601.22996.  The others are derived: proofs/text/pipeline.md and
proofs/text/sharper_bounds.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.theory.quadratic import Exact

__all__ = [
    "SPACINGS",
    "SliceRule",
    "SpacingRule",
    "area",
    "area_slices",
    "capped_slices",
    "geometric_slices",
    "pipeline_peak",
    "rounds_within",
    "slices_up_to",
    "sps2_spacing",
    "sps_peak",
    "sps_slots",
    "sps_slots_of_each",
    "sps_spacing",
    "staggered",
    "sum_of_floors",
    "tight_spacing",
    "utilisation",
]

SpacingRule = Callable[[int, int, int], Fraction]
"""(prompt, slice, memory) -> distance between starts (rounds).

Attempts of `slice` rounds with starts floor(j * distance), j = 0, 1, ..., must
fit into the memory.  The distance must not decrease with the slice.
"""

SliceRule = Callable[[int], int]
"""phase number (from 0) -> length of its slices before the cap of memory - prompt (rounds).

Must not decrease, and must grow without limit.
"""


def sps_peak(prompt: int, slice: int, slots: int) -> int:
    """Return the peak memory of a staggered pipeline with enough attempts (tokens).

    Attempts of `slice` rounds with starts floor(i * slice / slots) use at most

        slots * prompt + (slots * slice + slice + slots - gcd(slice, slots)) / 2

    tokens in any round, exactly that much if there are at least `slots` of them.
    Derived: proofs/text/pipeline.md.

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

    The peak increases with the number of slots (proofs/text/pipeline.md), so a binary
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


def sps_slots_of_each(prompts: IntArray, slices: IntArray, memory: int) -> IntArray:
    """Return `sps_slots` of each prompt and slice, by the same search in arrays.

    Parameters
    ----------
    prompts, slices
        Tokens and rounds, shape (n,) each.
    memory
        Memory budget M (tokens), at most 10^9.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    low, high = np.ones_like(slices), np.full_like(slices, memory)
    while (low < high).any():
        middle = (low + high + 1) // 2
        doubled = middle * slices + slices + middle - np.gcd(slices, middle)
        fits = middle * prompts + doubled // 2 <= memory
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    return low


def sps_spacing(prompt: int, slice: int, memory: int) -> Fraction:
    """Return slice / slots, the spacing of the paper's pipeline (rounds).

    Feng, Yang and Zhang 2026, arXiv 2601.22996 (SPS).
    """
    return Fraction(slice, sps_slots(prompt, slice, memory))


def sps2_spacing(prompt: int, slice: int, memory: int) -> Fraction:
    """Return the spacing of SPS, or the smallest one that runs two at a time if SPS runs one.

    With k = 1 slots that is min(slice, 2 (prompt + slice) - memory).  Where SPS may use a
    third of the memory only, this uses more than half of it.  Derived:
    proofs/text/sharper_bounds.md.
    """
    slots = sps_slots(prompt, slice, memory)
    if slots > 1:
        return Fraction(slice, slots)
    return Fraction(min(slice, 2 * (prompt + slice) - memory))


def tight_spacing(prompt: int, slice: int, memory: int) -> Fraction:
    """Return the smallest distance at which a pipeline fits (rounds), exactly.

    The peak of a pipeline does not increase with the distance and changes only at
    fractions a / j with integers a <= slice and j * distance <= slice, so a walk
    through the Stern-Brocot tree down to such denominators finds it.  Derived:
    proofs/text/sharper_bounds.md, lemma 1.

    Examples
    --------
    >>> sps_spacing(0, 5, 9), tight_spacing(0, 5, 9)
    (Fraction(5, 2), Fraction(2, 1))
    """

    def fits(numerator: int, denominator: int) -> bool:
        return pipeline_peak(prompt, slice, Fraction(numerator, denominator)) <= memory

    # The distance is at least area / memory, or more than the memory would be used.
    deepest = slice * memory // area(prompt, slice)
    low, high = 0, slice
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle, 1) else (middle, high)
    left, right = (low, 1), (high, 1)  # neighbours; the left one does not fit, the right one does
    while left[1] + right[1] <= deepest:
        left = _gallop(left, right, deepest, lambda p, q: not fits(p, q))
        if left[1] + right[1] <= deepest:
            right = _gallop(right, left, deepest, fits)
    return Fraction(*right)


SPACINGS: dict[str, SpacingRule] = {
    "sps": sps_spacing,
    "sps2": sps2_spacing,
    "tight": tight_spacing,
}
"""The spacing rules that can be named on the command line."""


def pipeline_peak(prompt: int, slice: int, distance: Fraction) -> int:
    """Return the peak memory of a pipeline with enough attempts (tokens).

    That is the sum over j >= 0 with j * distance < slice of prompt + slice -
    floor(j * distance).  Derived: proofs/text/pipeline.md, theorem 1.

    Parameters
    ----------
    prompt
        Common prompt length s (tokens).
    slice
        Length of the attempts (rounds).
    distance
        Distance between starts (rounds), > 0.
    """
    p, q = distance.numerator, distance.denominator
    terms = -(-slice * q // p)
    return terms * (prompt + slice) - sum_of_floors(terms, p, q)


def staggered(begin: Fraction, number: int, distance: Fraction) -> IntArray:
    """Return floor(begin + j * distance) for j = 0, ..., number - 1 (rounds), exactly."""
    whole = math.floor(begin)
    p, q = distance.numerator, distance.denominator
    return whole + (np.arange(number) * p + math.floor((begin - whole) * q)) // q


def area(prompt: int, rounds: int) -> int:
    """Return the memory summed over the rounds of an attempt (token-rounds)."""
    return prompt * rounds + rounds * (rounds + 1) // 2


def rounds_within(prompt: int, largest_area: int) -> int:
    """Return the largest number of rounds with at most a given area (token-rounds, >= 0)."""
    b = 2 * prompt + 1
    return (math.isqrt(b * b + 8 * largest_area) - b) // 2  # solves t^2 + b t = 2 area


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


def area_slices(growth: Exact, prompt: int, scale: Fraction = Fraction(1)) -> SliceRule:
    """Return slices geometric in area: the largest t with area(t) <= scale (s + 1) growth^p.

    Derived: proofs/text/sharper_bounds.md.

    Parameters
    ----------
    growth
        Growth factor of the areas, > 1.
    prompt
        Common prompt length s (tokens).
    scale
        Area of the first slice in units of the smallest one, >= 1.
    """
    largest_area = geometric_slices(growth, scale * (prompt + 1))
    return lambda phase: rounds_within(prompt, largest_area(phase))


def capped_slices(slice_of: SliceRule, longest: int) -> Iterator[int]:
    """Yield the slices capped at the longest one, equal ones once, up to the longest (rounds)."""
    phase = previous = 0
    while previous < longest:
        slice = min(slice_of(phase), longest)
        phase += 1
        if slice != previous:
            yield slice
            previous = slice


def slices_up_to(output: int, slice_of: SliceRule, longest: int) -> list[int]:
    """Return the different slices, capped, up to the first that is enough for an output.

    Parameters
    ----------
    output
        Largest output length (rounds).
    slice_of
        The slice rule.
    longest
        The cap, memory - prompt (rounds), >= output.
    """
    slices = [min(slice_of(0), longest)]
    phase = 0
    while slices[-1] < output:
        phase += 1
        if (slice := min(slice_of(phase), longest)) != slices[-1]:
            slices.append(slice)
    return slices


def utilisation(
    prompt: int, memory: int, slices: Sequence[int], distances: Sequence[Fraction]
) -> Fraction:
    """Return the least share of the memory that full pipelines use, rounded down.

    That is the least area / (distance * memory), to three decimals.

    Parameters
    ----------
    prompt, memory
        s and M (tokens).
    slices, distances
        Slices of the pipelines and distances of their starts (rounds), at least one.
    """
    used = min(
        area(prompt, slice) / (distance * memory)
        for slice, distance in zip(slices, distances, strict=True)
    )
    return Fraction(math.floor(1000 * used), 1000)


def _gallop(
    step: tuple[int, int],
    base: tuple[int, int],
    deepest: int,
    holds: Callable[[int, int], bool],
) -> tuple[int, int]:
    """Return step + k * base for the largest k at which `holds`, as it does for k = 0."""
    most = (deepest - step[1]) // base[1]
    low, high = 0, 1
    while high <= most and holds(step[0] + high * base[0], step[1] + high * base[1]):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(step[0] + middle * base[0], step[1] + middle * base[1]):
            low = middle
        else:
            high = middle
    return step[0] + low * base[0], step[1] + low * base[1]


def sum_of_floors(terms: int, numerator: int, denominator: int, offset: int = 0) -> int:
    """Return the sum over j < terms of floor((j * numerator + offset) / denominator).

    As Euclid would, in time logarithmic in the numbers, all of them >= 0.

    Examples
    --------
    >>> sum_of_floors(4, 5, 3, 1)  # 0 + 2 + 3 + 5
    10
    """
    total = 0
    n, a, m = terms, numerator, denominator
    while True:
        total += (n - 1) * n // 2 * (a // m) + n * (offset // m)
        a, offset = a % m, offset % m
        top = a * n + offset
        if top < m:
            return total
        n, offset, m, a = top // m, top % m, a, m
