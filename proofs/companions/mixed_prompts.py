"""Companion of mixed_prompts.md: SVF link by link, and instances on which policies are bad."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from fractions import Fraction

from kvopt import Instance, Schedule, policy_from_spec, simulate, solve, violations
from kvopt.generate import equal_areas
from kvopt.theory.other_bounds import RECT_THEOREM


def check_svf(instance: Instance, factor: Fraction = Fraction(2)) -> None:
    """Theorem 1, link by link; the factor 2 of the areas may be replaced to see it fail."""
    policy = policy_from_spec("svf")
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    starts = simulate(instance, policy).starts().tolist()
    requests, memory = list(instance), instance.memory
    order = sorted(range(len(requests)), key=lambda i: (requests[i].area, i))
    free = memory - max(r.prompt + r.output for r in requests)  # (1 - a) M
    for place, i in enumerate(order):
        before = order[:place]
        assert all(starts[j] <= starts[i] for j in before)
        for t in range(starts[i]):
            running = [
                requests[j] for j in before if starts[j] <= t < starts[j] + requests[j].output
            ]
            assert sum(r.prompt + r.output for r in running) > free
        peaks = sum((requests[j].prompt + requests[j].output) * requests[j].output for j in before)
        areas = sum(requests[j].area for j in before)
        assert free * starts[i] <= peaks <= factor * areas
    pairs = Fraction(
        sum(requests[i].area * (len(order) - 1 - place) for place, i in enumerate(order)), memory
    )
    share = 2 / (1 - Fraction(memory - free, memory))
    total = instance.total_output
    cost = sum(starts) + total
    optimum = solve(instance, math.inf).lower_bound
    assert pairs <= optimum - Fraction(total, 3)
    assert cost <= share * pairs + total <= guarantee.bound * optimum
    assert guarantee.published == 1 + share
    assert guarantee.bound == max(share, 1 + 2 * share / 3) < guarantee.published


def check_unbounded(n: int) -> None:
    """Theorem 2: both costs, and the quotient."""
    length = 2 * n - 1
    memory = n * length
    instance = equal_areas(n)
    assert instance.memory == memory == length * (length + 1) // 2
    assert instance.prompts.tolist() == [0, memory - 1] * n
    assert instance.outputs.tolist() == [length, 1] * n
    policy = policy_from_spec("svf")
    assert policy.guarantee(instance) is None
    cost = simulate(instance, policy).total_completion_time()
    assert cost == n * n * (length + 1) + n * length
    starts = [i // 2 if i % 2 else n for i in range(2 * n)]
    other = cost_of(instance, starts)
    assert other == n * (n + 1) // 2 + n * (n + length)
    assert Fraction(cost, other) == Fraction(4 * n * n + 4 * n - 2, 7 * n - 1)
    assert Fraction(cost, other) > Fraction(4 * n, 7)
    assert Fraction(4 * n, 7) ** 2 > Fraction(16, 100) * memory


def cost_of(instance: Instance, starts: list[int]) -> int:
    """Return the cost of starts that fit."""
    schedule = Schedule.from_starts(instance, starts)
    assert not violations(schedule)
    return schedule.total_completion_time()


def check_rect(memory: int, reached: Fraction) -> None:
    """Check that Rect, as read, exceeds what is published for it, within its assumptions."""
    wide = round(3.06 * memory**0.5)
    tenth, quarter = memory // 10, memory // 4
    instance = Instance(memory, [tenth] * 13 + [quarter] * wide, [tenth] * 13 + [1] * wide)
    assert all(r.output <= r.prompt and 4 * r.prompt <= memory for r in instance)
    cost = simulate(instance, policy_from_spec("rect")).total_completion_time()
    other = simulate(instance, policy_from_spec("svf")).total_completion_time()
    assert Fraction(cost, other) > reached


def small_instances(memory: int, requests: int) -> Iterator[Instance]:
    """Yield all instances of that size with peaks below the memory; for ties, one order each."""
    types = [(s, o) for s in range(memory - 1) for o in range(1, memory - s)]
    for chosen in itertools.combinations_with_replacement(types, requests):
        prompts, outputs = zip(*chosen, strict=True)
        yield Instance(memory, prompts, outputs)


def random_instance(rng: random.Random) -> Instance:
    """Return a few requests with any prompts whose peaks are below the memory."""
    memory = rng.randint(3, 24)
    prompts = [rng.randint(0, memory - 2) for _ in range(rng.randint(1, 7))]
    return Instance(memory, prompts, [rng.randint(1, memory - 1 - s) for s in prompts])


def main(fast: bool) -> None:
    rng = random.Random(9)
    for _ in range(150 if fast else 3000):
        check_svf(random_instance(rng))
    for memory, most in ((3, 4), (4, 3)) if fast else ((3, 6), (4, 5), (5, 4), (6, 3)):
        for requests in range(1, most + 1):
            for instance in small_instances(memory, requests):
                check_svf(instance)
    for n in range(1, 12 if fast else 40):
        check_unbounded(n)
    assert RECT_THEOREM.constant == 36
    check_rect(9600, Fraction(42))
    for memory in () if fast else (600, 2400, 38400, 153600):
        check_rect(memory, Fraction(math.isqrt(1764 * memory), 100))


if __name__ == "__main__":
    main(fast=False)
