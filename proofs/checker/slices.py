"""Slices: files that prove a ratio to the optimum for GSA's phases (text/certified_slices.md).

A file has one prompt s, a memory M and phases [tau_q, d_q].  In phase q = 0, 1, ... every
unfinished request gets one attempt of at most tau_q rounds; attempt number j of the phase starts
j d_q rounds (rounded down with the beginning of the phase) after the phase begins, and the next
phase begins when the last slice is over.  Claimed: whenever all prompts are s and all outputs at
most the last slice, this needs at most M tokens and costs at most `bound` times the optimum,
whatever the order of the requests in each phase.

Why that follows from what is tested is proved in certified_slices.md; each function names its
lemma.  All numbers are integers and fractions.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from itertools import accumulate
from typing import Any, NamedTuple

from budget import Budget
from limits import MAX_TOKENS
from reading import Refused, fields, integer, listed, short

FORMAT = "kvopt-slices/1"
MAX_ROUNDS = 200_000  # the last slice: all outputs up to it are looked at
MAX_PHASES = 1_000
MAX_ATTEMPTS = 10**7  # of all phases that run at once, together
MAX_SLOTS = 64  # with slot weights
FRACTION = re.compile(r"(0|[1-9][0-9]{0,39})/([1-9][0-9]{0,39})")


class Claim(NamedTuple):
    """What a file has proved."""

    prompt: int
    memory: int
    longest: int
    phases: int
    bound: Fraction
    lower_bound: None = None  # it is about all instances
    upper_bound: None = None
    rule: str = "slices"
    states: None = None

    def __str__(self) -> str:
        whom = "" if self.prompt + self.longest == self.memory else f", outputs <= {self.longest}"
        return (
            f"{self.phases} phases cost at most {self.bound} times the optimum"
            f" (memory {self.memory}, prompts {self.prompt}{whom})"
        )


def check(content: Any, budget: Budget) -> Claim:
    """Return what a file proves, or raise `Refused`."""
    keys = ("format", "prompt", "memory", "phases", "area_weight", "factor", "bound")
    given = fields(content, "slices", keys)
    prompt = integer(given["prompt"], 0, MAX_TOKENS - 1, "prompt")
    memory = integer(given["memory"], prompt + 1, MAX_TOKENS, "memory")
    slices, distances = read_phases(given["phases"], memory - prompt, budget)
    theta = fraction(given["area_weight"], "area_weight")
    factor = fraction(given["factor"], "factor")
    bound = fraction(given["bound"], "bound")
    if theta > 1:
        raise Refused(f"area_weight: must be at most 1, got {theta}")
    if bound < factor:
        raise Refused(f"bound: must be at least the factor {factor}, got {bound}")
    for slice, distance in zip(slices, distances):
        if (peak := peak_of(prompt, slice, distance)) > memory:
            raise Refused(f"phases: the one of slice {slice} needs {peak} tokens")
    budget.spend(20 * slices[-1])
    budget.use(200 * slices[-1])
    scale, weights = weights_of(prompt, memory, slices[-1], theta)
    sums = [0, *accumulate(weights)]
    least = [Fraction(sums[t + 1], scale) for t in (0, *slices[:-1])]
    if not not_negative(least, distances, factor, budget):
        raise Refused(f"factor: {factor} is too small for these phases")
    if (output := unpaid(slices, distances, sums, factor, bound, budget)) is not None:
        raise Refused(f"bound: {bound} is too small for an output of {output}")
    return Claim(prompt, memory, slices[-1], len(slices), bound)


def peak_of(prompt: int, slice: int, distance: Fraction) -> int:
    """Return the memory of attempts of `slice` rounds at this distance (pipeline.md, theorem 1).

    The attempts number 0, 1, ... start at floor(j d); when number 0 is in its last round,
    those with j d < tau run, and number j uses s + tau - floor(j d).
    """
    p, q = distance.numerator, distance.denominator
    return sum(prompt + slice - j * p // q for j in range(-(-slice * q // p)))


def weights_of(prompt: int, memory: int, longest: int, theta: Fraction) -> tuple[int, list[int]]:
    """Return a scale, and that many times the weight of each round (lemma 1).

    Round j weighs theta (s + j) / M + (1 - theta) / floor((M + 1 - j) / (s + 1)).
    """
    p, q = theta.numerator, theta.denominator
    if p == q:
        return memory, [prompt + j for j in range(1, longest + 1)]
    most = memory // (prompt + 1)
    if most > MAX_SLOTS:
        raise Refused(f"area_weight: must be 1/1 if more than {MAX_SLOTS} requests can run at once")
    slots = math.lcm(*range(1, most + 1))
    return q * memory * slots, [
        p * slots * (prompt + j) + (q - p) * memory * (slots // ((memory + 1 - j) // (prompt + 1)))
        for j in range(1, longest + 1)
    ]


def not_negative(
    least: list[Fraction], distances: list[Fraction], factor: Fraction, budget: Budget
) -> bool:
    """Return whether all pivots are as lemma 5 needs them.

    With phi_q the least weight of a request that reaches phase q, g_0 = R phi_0 and
    g_{q+1} = R (phi_{q+1} - phi_q) + d_q - d_q^2 / (g_q - d_q): each g_q must be more than d_q,
    the last one at least d_q.
    """
    pivot = factor * least[0]
    for q in range(len(distances) - 1):
        d = distances[q]
        if pivot <= d:
            return False
        budget.spend(200 + 20 * words(pivot) ** 2)
        pivot = factor * (least[q + 1] - least[q]) + d - d * d / (pivot - d)
    return pivot >= distances[-1]


def unpaid(
    slices: list[int],
    distances: list[Fraction],
    sums: list[int],
    factor: Fraction,
    bound: Fraction,
    budget: Budget,
) -> int | None:
    """Return an output whose own cost is too large for theorem 6, or None.

    An output o of class p must have o + (sum over q < p of tau_q - d_q) - d_p / 2
    <= R delta(o) + (bound - R) o, delta(o) = 1/2 + (Phi(1) + ... + Phi(o - 1)) / Phi(o).
    """
    before = Fraction(0)
    doubled = begin = 0  # doubled is Phi(0) + ... + Phi(o - 1)
    for slice, distance in zip(slices, distances):
        extra = before - distance / 2 - factor / 2
        slope = bound - factor - 1
        budget.spend((slice - begin) * (100 + 20 * words(extra) ** 2))
        for output in range(begin + 1, slice + 1):
            doubled += sums[output - 1]
            # extra <= factor * doubled / sums[output] + slope * output, without fractions
            if (extra - slope * output) * sums[output] > factor * doubled:
                return output
        before += slice - distance
        begin = slice
    return None


def words(number: Fraction) -> int:
    """Return how long a fraction is, in words of 64 bits; its arithmetic takes the square."""
    return (number.numerator.bit_length() + number.denominator.bit_length()) // 64


def fraction(value: Any, place: str) -> Fraction:
    """Return a fraction >= 0 that is written "p/q"."""
    if not isinstance(value, str) or not (match := FRACTION.fullmatch(value)):
        raise Refused(f"{place}: must be a string 'p/q' of integers, got {short(value)}")
    return Fraction(int(match[1]), int(match[2]))


def read_phases(value: Any, longest: int, budget: Budget) -> tuple[list[int], list[Fraction]]:
    """Return slices, which increase, and distances."""
    if not 1 <= len(listed(value, "phases")) <= MAX_PHASES:
        raise Refused(f"phases: must be a list of 1 to {MAX_PHASES} pairs")
    slices: list[int] = []
    distances = []
    attempts = 0
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise Refused(f"phases: must be pairs of slice and distance, got {short(pair)}")
        low = slices[-1] + 1 if slices else 1
        slices.append(integer(pair[0], low, min(longest, MAX_ROUNDS), "phases: slice"))
        distances.append(fraction(pair[1], "phases: distance"))
        if not 0 < distances[-1] <= slices[-1]:
            raise Refused(f"phases: distance: must be in (0, slice], got {distances[-1]}")
        here = math.ceil(slices[-1] / distances[-1])
        attempts += here
        if attempts > MAX_ATTEMPTS:
            raise Refused(f"phases: more than {MAX_ATTEMPTS} attempts run at once")
        budget.spend(5 * here)
    return slices, distances
