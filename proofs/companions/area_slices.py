"""Slices of equal area and sums over pairs, literally, for the companions about mixed prompts."""

from __future__ import annotations

import itertools
from fractions import Fraction

from kvopt import Instance

Growth = Fraction


def area(prompt: int, rounds: int) -> int:
    """Return vol(rounds)."""
    return prompt * rounds + rounds * (rounds + 1) // 2


def slice_at(
    prompt: int, level: int, memory: int, growth: Growth, scale: Fraction = Fraction(1)
) -> int:
    """Return tau by its definition, for areas c growth^q; 0 at level -1."""
    if level < 0:
        return 0
    rounds = 0
    while rounds < memory - prompt and area(prompt, rounds + 1) <= scale * growth**level:
        rounds += 1
    return rounds


def level_of(
    prompt: int, output: int, memory: int, growth: Growth, scale: Fraction = Fraction(1)
) -> int:
    """Return p(i)."""
    levels = itertools.count()
    return next(q for q in levels if slice_at(prompt, q, memory, growth, scale) >= output)


def pair_sum(instance: Instance) -> int:
    """Return 2 M A, the sum of min(v_i, v_j) over all ordered pairs."""
    areas = sorted(r.area for r in instance)
    return sum(v * (2 * (len(areas) - place) - 1) for place, v in enumerate(areas))


def check_optimum(instance: Instance, optimum: int) -> None:
    """Lemma 1, the first two claims; the third on the multiples around b = a / 3."""
    pairs = Fraction(pair_sum(instance), 2 * instance.memory)
    total = instance.total_output
    assert optimum >= max(pairs + Fraction(total, 3), total)
    for a, b in ((6, 1), (6, 2), (6, 3), (1, 5)):
        assert a * pairs + b * total <= max(Fraction(a), Fraction(2 * a, 3) + b) * optimum
