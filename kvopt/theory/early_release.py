"""What phases with early release of slots cost at most, for one prompt and memory.

The lemmas named here are those of proofs/text/early_release.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from kvopt.theory.slice_plans import LARGEST_FACTOR, UNIT, Weights, close, weights_to_try

__all__ = ["early_phase_bound"]


class Phase(NamedTuple):
    """A phase as lemma 3 sees it, in rounds.

    Attributes
    ----------
    rise
        By how much the weight grew since the phase before.
    killed, least
        D and the least C: what an attempt costs those after it if it is killed, and at least.
    density
        Slots times the weight of the last round before the phase, 0 without early release.
    span
        What is between the last slice and this one, over the slots.
    """

    rise: Fraction
    killed: Fraction
    least: Fraction
    density: Fraction
    span: Fraction


def early_phase_bound(
    prompt: int,
    memory: int,
    slices: Sequence[int],
    distances: Sequence[Fraction],
    slots: Sequence[int],
) -> Fraction | None:
    """Return what GSA with these phases costs at most over the optimum, rounded up (theorem 6).

    Parameters
    ----------
    prompt, memory
        s and M (tokens).
    slices
        tau_0 < ... < tau_m (rounds); outputs are at most the last one.
    distances
        Distance between the starts in each phase without early release (rounds).
    slots
        In each phase how many requests run at least while others wait, slots being released
        early; 0 in a phase without early release.

    Returns
    -------
    Fraction or None
        A multiple of 1 / 1000; None if it would be absurdly large.
    """
    bounds = []
    before = [0, *slices[:-1]]
    for theta in weights_to_try(prompt, memory, slices[-1]):
        weights = Weights(prompt, memory, slices[-1], theta)
        phases, classes = [], []
        weight = waits = Fraction(0)
        for old, slice, distance, k in zip(before, slices, distances, slots, strict=True):
            now = weights.sum(old + 1)
            least = Fraction(old + 1, k) if k else distance
            killed = Fraction(slice, k) if k else distance
            density = k * (now - weights.sum(old))
            span = Fraction(slice - old - 1, k) if k else Fraction(0)
            phases.append(Phase(now - weight, killed, least, density, span))
            classes.append((old + 1, slice, waits - least / 2))
            waits += slice - least
            weight = now
        if (factor := least_factor(phases)) is not None:
            bounds.append(close(weights, factor, classes)[1])
    return min(bounds, default=None)


def least_factor(phases: Sequence[Phase]) -> Fraction | None:
    """Return the least multiple of 1 / UNIT found by bisection at which the carries suffice."""
    low, high = 0, UNIT
    while not carries_suffice(phases, Fraction(high, UNIT)):
        low, high = high, 2 * high
        if high > LARGEST_FACTOR:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if carries_suffice(phases, Fraction(middle, UNIT)):
            high = middle
        else:
            low = middle
    return Fraction(high, UNIT)


def carries_suffice(phases: Sequence[Phase], factor: Fraction) -> bool:
    """Return whether the carries of lemma 3 suffice at R = factor, those of lemma 4 at the end."""
    carry = factor * phases[0].rise
    for phase, after in pairwise(phases):
        chosen = max(phase.least, carry - phase.killed)
        if (carry - chosen) * phase.density * factor < phase.killed:
            chosen = max(phase.killed, chosen)
        if chosen >= carry:
            return False
        carry = factor * after.rise + chosen - phase.killed**2 / (carry - chosen)
    last = phases[-1]
    return carry >= min(last.killed, last.least + last.span / (1 + factor * last.density))
