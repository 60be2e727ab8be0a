"""Companion of pipeline.md: every statement on all small parameters, in integers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

from kvopt.theory.pipeline import sps_peak, sps_slots, sps_spacing


def simulated_peak(prompt: int, slice: int, distance: Fraction, attempts: int) -> int:
    """Return the peak memory of a pipeline, counted round by round."""
    starts = [math.floor(j * distance) for j in range(attempts)]
    return max(
        sum(prompt + r - start for start in starts if start < r <= start + slice)
        for r in range(1, starts[-1] + slice + 1)
    )


def peak_formula(prompt: int, slice: int, distance: Fraction) -> int:
    """Return F(d) of Theorem 1."""
    terms = math.ceil(slice / distance)
    return sum(prompt + slice - math.floor(j * distance) for j in range(terms))


def check_peak(prompt: int, slice: int, distance: Fraction) -> None:
    """Theorem 1."""
    terms = math.ceil(slice / distance)
    peak = peak_formula(prompt, slice, distance)
    assert simulated_peak(prompt, slice, distance, 2 * terms + 3) == peak
    assert simulated_peak(prompt, slice, distance, terms) == peak
    for fewer in range(1, terms):
        assert simulated_peak(prompt, slice, distance, fewer) <= peak


def check_sps_peak(prompt: int, slice: int, slots: int) -> None:
    """Corollaries 2 and 3."""
    assert sps_peak(prompt, slice, slots) == peak_formula(prompt, slice, Fraction(slice, slots))
    ceilings = sum(-(-i * slice // slots) for i in range(1, slots + 1))
    assert sps_peak(prompt, slice, slots) == slots * prompt + ceilings
    assert sps_peak(prompt, slice, slots) < sps_peak(prompt, slice, slots + 1)


def check_utilisation(
    prompt: int,
    slice: int,
    memory: int,
    bound: Callable[[int], Fraction] = lambda slots: Fraction(slots, slots + 2),
) -> None:
    """Theorem 4; another bound may be given to see it fail."""
    slots = sps_slots(prompt, slice, memory)
    assert sps_peak(prompt, slice, slots) <= memory < sps_peak(prompt, slice, slots + 1)
    area = prompt * slice + slice * (slice + 1) // 2
    assert Fraction(area * slots, slice * memory) > bound(slots) >= Fraction(1, 3)


def check_no_drain(prompt: int, memory: int, rng: random.Random) -> None:
    """Theorem 5, with the distances of SPS, which do not decrease."""
    slices = sorted(rng.randint(1, memory - prompt) for _ in range(12))
    distances = [sps_spacing(prompt, slice, memory) for slice in range(1, memory - prompt + 1)]
    assert distances == sorted(distances)
    x, runs = Fraction(0), []
    for slice in slices:
        runs.append((math.floor(x), math.floor(x) + slice))
        x += distances[slice - 1] + rng.choice((0, 0, Fraction(1, 3)))
    for r in range(1, max(end for _, end in runs) + 1):
        assert sum(prompt + r - start for start, end in runs if start < r <= end) <= memory


def main(fast: bool) -> None:
    most = 8 if fast else 16
    for prompt in range(4):
        for slice in range(1, most):
            for denominator in range(1, 6):
                for numerator in range(1, denominator * slice + 2):
                    check_peak(prompt, slice, Fraction(numerator, denominator))
    most = 20 if fast else 80
    for prompt in (0, 1, 2, 5, 30):
        for slice in range(1, most):
            for slots in range(1, most):
                check_sps_peak(prompt, slice, slots)
            for memory in range(prompt + slice, prompt + slice + 3 * most):
                check_utilisation(prompt, slice, memory)
    rng = random.Random(5)
    for memory in range(2, 20 if fast else 40):
        for prompt in range(memory):
            for _ in range(5 if fast else 40):
                check_no_drain(prompt, memory, rng)
