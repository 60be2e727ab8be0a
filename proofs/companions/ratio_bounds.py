"""Companion of ratio_bounds.md: the chains from cost to optimum, link by link, exactly."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from kvopt import GBA, GSA, Instance, simulate, solve
from kvopt.theory.gba_bounds import gba_bound, gba_bound_large_memory
from kvopt.theory.gsa_bounds import GSA_ALPHA, gsa_bound, gsa_bound_large_memory
from kvopt.theory.pipeline import geometric_slices, sps_spacing
from kvopt.theory.quadratic import GOLDEN_RATIO, Exact

ALPHAS: tuple[Exact, ...] = (
    Fraction(11, 10),
    Fraction(4, 3),
    Fraction(3, 2),
    GOLDEN_RATIO,
    GSA_ALPHA,
    Fraction(2),
    Fraction(3),
)


def area(prompt: int, x: int) -> int:
    return prompt * x + x * (x + 1) // 2


def phases(instance: Instance, alpha: Exact) -> list[tuple[int, int]]:
    """Return (p, tau_p) of the phases that are run."""
    prompt = instance.common_prompt
    assert prompt is not None
    longest = instance.memory - prompt
    slice_of = geometric_slices(alpha, Fraction(1))
    found: list[tuple[int, int]] = []
    p = 0
    while not found or found[-1][1] < longest:
        slice = min(slice_of(p), longest)
        if not found or slice > found[-1][1]:
            found.append((p, slice))
        p += 1
    return found


def check_lemma(instance: Instance, alpha: Exact, third: Fraction = Fraction(1, 3)) -> None:
    """Lemma 1 (a) to (e); the utilisation of one third may be replaced to see it fail."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    run = phases(instance, alpha)
    for _, slice in run:
        distance = sps_spacing(prompt, slice, memory)
        assert distance * third * memory <= area(prompt, slice)
    for request in set(instance):
        last = next(k for k, (_, slice) in enumerate(run) if slice >= request.output)
        p, slice = run[last]
        if p >= 1:
            assert alpha ** (p - 1) < request.output
        assert area(prompt, slice) <= alpha * alpha * request.area
        before = sum(slice for _, slice in run[:last])
        assert before <= alpha * request.output / (alpha - 1)
        areas = sum(area(prompt, slice) for _, slice in run[: last + 1])
        assert areas <= alpha * alpha * alpha * request.area / (alpha - 1)


def check_costs(instance: Instance, alpha: Exact) -> None:
    """Theorems 2 and 3: cost <= a P + b L <= bound * optimum."""
    areas = [r.area for r in instance]
    n, total = len(areas), instance.total_output
    pairs = Fraction(
        sum(min(areas[i], areas[j]) for i in range(n) for j in range(i)), instance.memory
    )
    optimum = solve(instance, math.inf).lower_bound
    assert pairs <= optimum
    assert total <= optimum
    lengths = (2 * alpha - 1) / (alpha - 1) * total
    gba = simulate(instance, GBA(alpha=alpha)).total_completion_time()
    middle = 3 * alpha * alpha * pairs + lengths
    assert gba <= middle <= gba_bound(alpha) * optimum
    gsa = simulate(instance, GSA(alpha=alpha)).total_completion_time()
    middle = 6 * alpha * alpha * alpha / (alpha - 1) * pairs + lengths
    assert gsa <= middle <= gsa_bound(alpha) * optimum


def check_algebra(alpha: Exact) -> None:
    """Check the last steps of the proofs, which are inequalities in alpha alone."""
    assert 2 * alpha - 1 <= alpha * alpha
    assert gba_bound(alpha) == 3 * alpha * alpha + alpha * alpha / (alpha - 1)
    cube = alpha * alpha * alpha
    assert gsa_bound(alpha) == 6 * cube / (alpha - 1) + 2 * cube / ((alpha - 1) * (alpha - 1))
    assert gba_bound_large_memory(alpha) == alpha * alpha + alpha * alpha / (alpha - 1)
    limit = 2 * cube / (alpha - 1) + 2 * cube / ((alpha - 1) * (alpha - 1))
    assert gsa_bound_large_memory(alpha) == limit
    assert alpha * alpha / (alpha - 1) <= 2 * cube / ((alpha - 1) * (alpha - 1))
    assert alpha * alpha + alpha / (alpha - 1) <= cube / (alpha - 1)


def common_prompt_instance(rng: random.Random, n: int, memory: int) -> Instance:
    prompt = rng.randint(0, memory // 3)
    outputs = [rng.randint(1, memory - prompt) for _ in range(rng.randint(1, n))]
    return Instance(memory, [prompt] * len(outputs), outputs)


def main(fast: bool) -> None:
    rng = random.Random(2)
    for alpha in ALPHAS:
        check_algebra(alpha)
        for _ in range(15 if fast else 150):
            small = common_prompt_instance(rng, n=7, memory=rng.randint(2, 16))
            check_lemma(small, alpha)
            check_costs(small, alpha)
            check_lemma(common_prompt_instance(rng, n=20, memory=rng.randint(100, 5000)), alpha)
