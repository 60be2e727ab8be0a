"""Bounds for given slices: what a run of GSA or GBA can cost, by prompt and memory.

For one prompt length s and one memory M the cost of phases with given slices and distances
is a quadratic form in the numbers of requests that reach each phase, and so is a lower
bound on the optimum.  Comparing the two takes one pass over the slices, in fractions.  A
dynamic program finds slices for which the comparison comes out well.  Proofs:
proofs/text/certified_slices.md; the theorems named here are its own.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from kvopt.model.formats import SLICES_FORMAT
from kvopt.theory.pipeline import SPACINGS, SliceRule, area

__all__ = [
    "CLASSES_SOURCE",
    "MOST_PHASES",
    "PHASES_SOURCE",
    "SlicePlan",
    "best_plan",
    "certified_slices",
    "class_bound",
    "phase_bound",
    "plan_of",
    "plan_to_json",
]

PHASES_SOURCE = "proofs/text/certified_slices.md theorem 9"
CLASSES_SOURCE = "proofs/text/certified_slices.md theorem 7"

MOST_PHASES = 100
"""With more phases or classes than this no bound is computed from the slices themselves."""

UNIT = 1000
"""Factors and bounds are rounded up to multiples of 1 / UNIT."""

MOST_SLOTS = 32
"""Slot weights are left out if more requests than this may run at once: they gain nothing."""

MOST_ROUNDS = 20_000
"""Slot weights are left out beyond so many rounds, as their sums are tables."""

ALL_ROUNDS = 1_000
"""Up to so many rounds every output length is looked at, beyond that every class."""

LARGEST_FACTOR = 10**6 * UNIT
"""A factor that is not below this (in units of 1 / UNIT) is not looked for."""


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """Slices for one prompt and memory, and the ratio that is proved for them (theorem 6).

    Parameters
    ----------
    prompt, memory
        s and M (tokens).
    slices
        tau_0 < ... < tau_m (rounds); every output is at most the last one.
    distances
        Distance between starts in each phase (rounds).
    area_weight
        theta in the weights of the lower bound: theta * memory weights +
        (1 - theta) * slot weights.
    factor
        R, for which the pivots are positive.
    bound
        What cost / optimum is at most, >= R.
    """

    prompt: int
    memory: int
    slices: tuple[int, ...]
    distances: tuple[Fraction, ...]
    area_weight: Fraction
    factor: Fraction
    bound: Fraction


def plan_to_json(plan: SlicePlan) -> dict[str, Any]:
    """Return a plan as a certificate for proofs/checker, a JSON object."""
    return {
        "format": SLICES_FORMAT,
        "prompt": plan.prompt,
        "memory": plan.memory,
        "phases": [
            [slice, _text(distance)]
            for slice, distance in zip(plan.slices, plan.distances, strict=True)
        ],
        "area_weight": _text(plan.area_weight),
        "factor": _text(plan.factor),
        "bound": _text(plan.bound),
    }


def _text(x: Fraction) -> str:
    return f"{x.numerator}/{x.denominator}"


# The weights of the lower bound


class Weights:
    """Sums of the weights of the rounds of a request, and what they leave, as fractions.

    Round j of a request weighs theta * (s + j) / M + (1 - theta) / floor((M + 1 - j) /
    (s + 1)) (proofs/text/certified_slices.md, lemma 1).

    Parameters
    ----------
    prompt, memory
        s and M (tokens).
    longest
        Largest output length that is asked for (rounds).
    theta
        Share of the memory weights.
    """

    def __init__(self, prompt: int, memory: int, longest: int, theta: Fraction) -> None:
        self.prompt, self.memory, self.longest, self.theta = prompt, memory, longest, theta
        self._scale = 1
        self._sums: list[int] = []  # Phi(0), Phi(1), ... in units of 1 / scale
        self._twice: list[int] = []  # their sums: entry o is Phi(0) + ... + Phi(o - 1)
        if theta != 1:
            p, q = theta.numerator, theta.denominator
            slots = math.lcm(*range(1, memory // (prompt + 1) + 1))
            self._scale = q * memory * slots
            total = double = 0
            self._sums.append(0)
            self._twice.append(0)
            for j in range(1, longest + 1):
                double += total
                slot = (q - p) * memory * (slots // ((memory + 1 - j) // (prompt + 1)))
                total += p * (prompt + j) * slots + slot
                self._sums.append(total)
                self._twice.append(double)

    def sum(self, rounds: int) -> Fraction:
        """Return Phi, the weight of the first rounds together (rounds)."""
        if self.theta == 1:
            return Fraction(area(self.prompt, rounds), self.memory)
        return Fraction(self._sums[rounds], self._scale)

    def delta(self, output: int) -> Fraction:
        """Return delta: the output less the mean age of its weight (rounds)."""
        if self.theta == 1:
            s = self.prompt
            moment = 6 * s * output * output + output * (output + 1) * (4 * output - 1)
            return output - Fraction(moment, 12 * area(s, output))
        return Fraction(1, 2) + Fraction(self._twice[output], self._sums[output])

    def outputs(self, begin: int, end: int) -> Sequence[int]:
        """Return which outputs in begin..end to look at: what holds for them holds for all.

        With memory weights alone delta grows by at least 1/3 with every round (lemma 3);
        callers make sure that the first output is then the worst.
        """
        if self.theta == 1 and self.longest > ALL_ROUNDS:
            return (begin,)
        return range(begin, end + 1)


def weights_to_try(prompt: int, memory: int, longest: int) -> list[Fraction]:
    """Return the shares of the memory weights to try."""
    few = memory // (prompt + 1) <= MOST_SLOTS and longest <= MOST_ROUNDS
    return [Fraction(1), Fraction(1, 2), Fraction(0)] if few else [Fraction(1)]


# Phases (GSA)


def plan_of(
    prompt: int, memory: int, slices: Sequence[int], distances: Sequence[Fraction]
) -> SlicePlan | None:
    """Return the best ratio that theorem 6 proves for GSA's phases with drains.

    Parameters
    ----------
    prompt, memory
        s and M (tokens).
    slices
        tau_0 < ... < tau_m (rounds); outputs are at most the last one.
    distances
        Distance between the starts in each phase (rounds), at which its pipeline fits.

    Returns
    -------
    SlicePlan or None
        None if the factor would be absurdly large.
    """
    plans = []
    for theta in weights_to_try(prompt, memory, slices[-1]):
        weights = Weights(prompt, memory, slices[-1], theta)
        if (factor := _least_factor(weights, slices, distances, pivots_hold)) is None:
            continue
        factor, bound = close(weights, factor, _own_waits(slices, distances))
        plans.append(
            SlicePlan(prompt, memory, tuple(slices), tuple(distances), theta, factor, bound)
        )
    return min(plans, key=lambda plan: plan.bound, default=None)


def phase_bound(
    prompt: int, memory: int, slices: Sequence[int], distances: Sequence[Fraction]
) -> Fraction | None:
    """Return the best ratio that theorem 9 proves for GSA's phases with drains, or None.

    It is at most that of `plan_of`, whose parameters it has, and which has certificates.
    """
    bounds = []
    for theta in weights_to_try(prompt, memory, slices[-1]):
        weights = Weights(prompt, memory, slices[-1], theta)
        factor = _least_factor(weights, slices, distances, carries_hold)
        if factor is not None:
            bounds.append(close(weights, factor, _own_waits(slices, distances))[1])
    return min(bounds, default=None)


def _own_waits(
    slices: Sequence[int], distances: Sequence[Fraction]
) -> list[tuple[int, int, Fraction]]:
    """Return the classes of outputs with e(o) - o, as `close` takes them."""
    classes, begin, before = [], 1, Fraction(0)
    for slice, distance in zip(slices, distances, strict=True):
        classes.append((begin, slice, before - distance / 2))
        begin, before = slice + 1, before + slice - distance
    return classes


Conditions = Callable[[Sequence[Fraction], Sequence[Fraction], Fraction], bool]
"""Whether the steps of the weights, the distances and a factor go together."""


def pivots_hold(steps: Sequence[Fraction], distances: Sequence[Fraction], factor: Fraction) -> bool:
    """Return whether the quadratic form of lemma 5 is not negative at this factor.

    Parameters
    ----------
    steps
        phi_0, phi_1 - phi_0, phi_2 - phi_1, ... of the phases (rounds).
    distances
        d_0, d_1, ... (rounds).
    factor
        R.
    """
    carry = factor * steps[0]
    for distance, step in zip(distances, steps[1:], strict=False):
        if carry <= distance:
            return False
        carry = factor * step + distance - distance * distance / (carry - distance)
    return carry >= distances[-1]


def carries_hold(
    steps: Sequence[Fraction], distances: Sequence[Fraction], factor: Fraction
) -> bool:
    """Return whether that form is not negative for numbers that do not increase (lemma 8).

    Parameters are those of `pivots_hold`.
    """
    carry = factor * steps[0]
    for distance, step in zip(distances, steps[1:], strict=False):
        if carry <= distance:
            return False
        carry = factor * step + carry_over(carry, distance)
    return carry >= distances[-1]


def carry_over(carry: Fraction, distance: Fraction) -> Fraction:
    """Return c(g, d) of lemma 8, for g > d > 0.

    Examples
    --------
    >>> print(carry_over(Fraction(5), Fraction(1)), carry_over(Fraction(3), Fraction(2)))
    3 -2
    """
    if carry >= 2 * distance:
        return carry - 2 * distance
    return distance - distance * distance / (carry - distance)


def _least_factor(
    weights: Weights,
    slices: Sequence[int],
    distances: Sequence[Fraction],
    hold: Conditions,
) -> Fraction | None:
    """Return the least multiple of 1 / UNIT at which the conditions hold, by bisection."""
    sums = [weights.sum(1), *(weights.sum(slice + 1) for slice in slices[:-1])]
    steps = [sums[0], *(b - a for a, b in pairwise(sums))]
    low, high = 0, UNIT
    while not hold(steps, distances, Fraction(high, UNIT)):
        low, high = high, 2 * high
        if high > LARGEST_FACTOR:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if hold(steps, distances, Fraction(middle, UNIT)):
            high = middle
        else:
            low = middle
    return Fraction(high, UNIT)


def close(
    weights: Weights, factor: Fraction, classes: Sequence[tuple[int, int, Fraction]]
) -> tuple[Fraction, Fraction]:
    """Return the factor and the bound, rounded up.

    A class (begin, end, extra) has outputs o in begin..end, and such a request costs
    o + extra beside what it shares with others.  The bound is `factor` + x for the least
    x >= 0 with o + extra <= factor delta(o) + x o for all of them.
    """
    excess = Fraction(0)
    first_only = False
    for begin, end, extra in classes:
        outputs = weights.outputs(begin, end)
        first_only |= len(outputs) < end - begin + 1
        for o in outputs:
            excess = max(excess, 1 + (extra - factor * weights.delta(o)) / o)
    if first_only:  # then the slack must grow with the output: factor / 3 + x >= 1
        excess = max(excess, 1 - factor / 3)
    bound = Fraction(math.ceil((factor + excess) * UNIT), UNIT)
    return factor, bound


# Classes (GBA and the SPT pipeline)


def class_bound(
    prompt: int,
    memory: int,
    slices: Sequence[int],
    distances: Sequence[Fraction],
    drain: bool,
    lengths: Sequence[int] | None = None,
) -> Fraction:
    """Return the best ratio that theorem 7 proves for classes run one after another.

    Parameters
    ----------
    prompt, memory
        s and M (tokens).
    slices
        Ends tau_0 < ... < tau_m of the classes (rounds); outputs are at most the last.
    distances
        Distance between the starts in each class (rounds).
    drain
        Whether a class waits for the last slice of the one before it.
    lengths
        The outputs there are, increasing; None for all up to the last slice.
    """
    bounds = []
    for theta in weights_to_try(prompt, memory, slices[-1]):
        weights = Weights(prompt, memory, slices[-1], theta)
        factor, before, begin = Fraction(0), Fraction(0), 1
        classes: list[tuple[int, int, Fraction]] = []
        for slice, distance in zip(slices, distances, strict=True):
            extra = before - distance / 2
            if lengths is None:
                least: int | None = begin
                classes.append((begin, slice, extra))
            else:
                inside = lengths[
                    bisect.bisect_left(lengths, begin) : bisect.bisect_right(lengths, slice)
                ]
                least = inside[0] if inside else None
                classes += [(o, o, extra) for o in inside]
            if least is not None:
                factor = max(factor, distance / weights.sum(least))
                before += (slice - distance) if drain else 0
            begin = slice + 1
        bounds.append(close(weights, factor, classes)[1])
    return min(bounds)


# The best slices


@functools.lru_cache(maxsize=256)
def best_plan(prompt: int, memory: int, spacing: str) -> SlicePlan:
    """Return slices with about the best ratio that theorem 6 proves, and that ratio.

    A dynamic program over the slices in floating point (proofs/text/certified_slices.md,
    section 4) proposes slices; the ratio is computed for them in fractions.

    Parameters
    ----------
    prompt
        Common prompt length s (tokens).
    memory
        Memory budget M (tokens), > s.  Slices are thinned out to a few hundred
        candidates if M - s is larger.
    spacing
        Name of the spacing rule.
    """
    longest = memory - prompt
    sizes = _candidates(longest)
    rule = SPACINGS[spacing]
    distances = dict(zip(sizes, (rule(prompt, t, memory) for t in sizes), strict=True))
    plans = []
    for theta in weights_to_try(prompt, memory, longest):
        slices = _propose(prompt, memory, sizes, [float(distances[t]) for t in sizes], theta)
        if slices is not None:
            plans.append(plan_of(prompt, memory, slices, [distances[t] for t in slices]))
    doubling = sorted({*(2**p for p in range(longest.bit_length())), longest})
    plans.append(plan_of(prompt, memory, doubling, [rule(prompt, t, memory) for t in doubling]))
    return min((plan for plan in plans if plan), key=lambda plan: plan.bound)


def certified_slices(prompt: int, memory: int, spacing: str) -> SliceRule:
    """Return the slices of `best_plan` as a slice rule."""
    finite = best_plan(prompt, memory, spacing).slices

    def slice(phase: int) -> int:
        return finite[phase] if phase < len(finite) else memory

    return slice


MOST_SLICES = 240
BISECTIONS = 13
HIGHEST = 64.0


def _candidates(longest: int) -> list[int]:
    """Return the slices to choose from: all, or some hundreds, short ones in finer steps."""
    if longest <= MOST_SLICES:
        return list(range(1, longest + 1))
    half = MOST_SLICES // 2 if longest <= MOST_ROUNDS else MOST_SLICES
    sizes = {math.floor(longest ** (i / half)) for i in range(half + 1)}
    sizes |= {longest * i // half for i in range(1, half + 1)}
    return sorted({*sizes, longest})


def _propose(
    prompt: int, memory: int, sizes: Sequence[int], distances: Sequence[float], theta: Fraction
) -> list[int] | None:
    """Return slices for about the least R such that pivots and own costs hold at bound R."""
    import numpy as np

    longest = sizes[-1]
    starts = [0, *sizes[:-1]]  # where the classes between neighbours begin, less 1
    weights = Weights(prompt, memory, longest, theta)
    # The outputs to look at, and where those of each class between neighbours begin.
    looked_at = [weights.outputs(a + 1, b) for a, b in zip(starts, sizes, strict=True)]
    rounds = np.array([o for outputs in looked_at for o in outputs], dtype=float)
    firsts = np.cumsum([0, *(len(outputs) for outputs in looked_at[:-1])])
    left = np.array([float(weights.delta(int(o))) for o in rounds])
    done = np.array([float(weights.sum(a + 1)) for a in starts])  # phi of the phase after a
    begins, ends, spaced = np.array(starts), np.array(sizes), np.array(distances)

    def attempt(ratio: float) -> list[int] | None:
        """Return the slices that show the ratio to be feasible, or None."""
        room = np.minimum.reduceat(ratio * left - rounds, firsts)  # of such a class
        carry = np.full(len(sizes), -math.inf)  # by the slice before, as in `begins`
        carry[0] = ratio * done[0]
        waits = np.zeros(len(sizes))
        parent = np.zeros(len(sizes), dtype=np.int64)
        for b in range(len(sizes)):
            d = spaced[b]
            margin = carry[: b + 1] - d
            worst = np.minimum.accumulate(room[b::-1])[::-1]
            possible = (margin > 0) & (waits[: b + 1] - d / 2 <= worst)
            if not possible.any():
                if b == len(sizes) - 1:
                    return None
                continue
            value = np.full(b + 1, -math.inf)
            if b < len(sizes) - 1:
                rise = ratio * (done[b + 1] - done[: b + 1]) + d
                np.subtract(rise, d * d / np.where(possible, margin, 1), out=value, where=possible)
                best = int(np.argmax(value))
                parent[b + 1] = best
                carry[b + 1] = value[best]
                waits[b + 1] = waits[best] + ends[b] - d
            else:
                value[possible] = margin[possible]
                chain, a = [longest], int(np.argmax(value))
                while a:
                    chain.append(int(begins[a]))
                    a = int(parent[a])
                return chain[::-1]
        return None

    low, high = 1.0, HIGHEST
    slices = attempt(high)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        found = attempt(middle)
        low, high, slices = (middle, high, slices) if found is None else (low, middle, found)
    return slices
