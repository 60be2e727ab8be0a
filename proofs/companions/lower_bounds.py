"""Companion of lower_bounds.md: each link of the proofs on optimal schedules, in fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from kvopt import Instance, solve
from kvopt.generate import generate_random
from kvopt.solver.combinatorial_bounds import area_bound, busy_time_bound, slot_bound

Weights = list[list[Fraction]]


def memory_weights(instance: Instance) -> Weights:
    """Return w_i(j) = (s_i + j) / M."""
    return [
        [Fraction(r.prompt + j, instance.memory) for j in range(1, r.output + 1)] for r in instance
    ]


def slot_weights(instance: Instance) -> Weights:
    """Return w_i(j) = 1 / (1 + floor((M - s_i - j) / (s_min + 1)))."""
    unit = min(r.prompt for r in instance) + 1
    return [
        [Fraction(1, 1 + (instance.memory - r.prompt - j) // unit) for j in range(1, r.output + 1)]
        for r in instance
    ]


def check_area(instance: Instance, starts: Sequence[int]) -> int:
    """Theorem 1, link by link; returns the bound rounded up."""
    completions = sorted(t + r.output for t, r in zip(starts, instance, strict=True))
    areas = sorted(r.area for r in instance)
    used, bound = 0, Fraction(0)
    for completion, area in zip(completions, areas, strict=True):
        used += area
        assert completion * instance.memory >= used
        bound += Fraction(used, instance.memory)
    n = len(areas)
    pairs = sum(min(areas[i], areas[j]) for i in range(n) for j in range(i))
    assert bound == Fraction(pairs + sum(areas), instance.memory)
    assert bound <= sum(completions)
    return -(-bound.numerator // bound.denominator)


def check_busy_time(
    instance: Instance, starts: Sequence[int], weights: Weights, half: Fraction = Fraction(1, 2)
) -> int:
    """Theorem 2, link by link; returns the bound rounded up.

    The factor 1/2 of the sum of the W_i may be replaced to see it fail.
    """
    makespan = max(t + r.output for t, r in zip(starts, instance, strict=True))
    for r in range(1, makespan + 1):
        runs = [(r - t - 1, w) for t, w in zip(starts, weights, strict=True) if t < r <= t + len(w)]
        assert sum(w[age] for age, w in runs) <= 1
    total = [sum(w) for w in weights]
    age = [
        sum(w[j] * (j + Fraction(1, 2)) for j in range(len(w))) / whole
        for w, whole in zip(weights, total, strict=True)
    ]
    delta = [r.output - a for r, a in zip(instance, age, strict=True)]
    busy = [t + a for t, a in zip(starts, age, strict=True)]
    order = sorted(range(len(total)), key=total.__getitem__)
    sum_w = sum_wb = bound = Fraction(0)
    for i in order:
        bound += sum_w + half * total[i] + delta[i]
        sum_w += total[i]
        sum_wb += total[i] * busy[i]
        assert sum_wb >= sum_w * sum_w / 2
    cost = sum(t + r.output for t, r in zip(starts, instance, strict=True))
    assert cost == sum(busy) + sum(delta)
    assert bound <= cost
    return -(-bound.numerator // bound.denominator)


def check_delta(prompt: int, output: int) -> None:
    """Check the closed forms for memory weights."""
    moment = sum((prompt + j) * (j - Fraction(1, 2)) for j in range(1, output + 1))
    assert 12 * moment == 6 * prompt * output**2 + output * (output + 1) * (4 * output - 1)
    area = prompt * output + output * (output + 1) // 2
    assert output - moment / area >= Fraction(2 * output + 1, 6)


def check(instance: Instance) -> None:
    """All of it on an optimal schedule, and against the package's bounds."""
    optimum = solve(instance, math.inf)
    starts = optimum.starts.tolist()
    assert check_area(instance, starts) == area_bound(instance) <= optimum.lower_bound
    bound = check_busy_time(instance, starts, memory_weights(instance))
    assert bound == busy_time_bound(instance) <= optimum.lower_bound
    bound = check_busy_time(instance, starts, slot_weights(instance))
    assert bound == slot_bound(instance)
    assert bound <= optimum.lower_bound


def main(fast: bool) -> None:
    for number in range(100 if fast else 1000):
        check(generate_random("tiny", 33, number))
    for number in range(3 if fast else 30):
        check(generate_random("small", 34, number))
    for prompt in range(12):
        for output in range(1, 40):
            check_delta(prompt, output)
