"""Companion of area_batches.md: SVF in batches, link by link, in fractions."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from fractions import Fraction

from kvopt import Instance, Schedule, policy_from_spec, simulate, solve, violations
from kvopt.theory.area_batches import (
    GROWTH,
    LENGTH_WEIGHT,
    STEPS,
    SVF_BATCHES_THEOREM,
    batch_ends,
    batch_starts,
    levels,
    smallest_offset,
)

LAMBDA = GROWTH**STEPS
MU = GROWTH * (LAMBDA - 1) / (STEPS * (GROWTH - 1))
SHARE = MU * (1 + 1 / (LENGTH_WEIGHT * (LAMBDA - 1)))
"""a in the text."""

WEIGHT = Fraction(608, 100)
"""w in the text."""

RATIO = Fraction(954, 100)


class Numbers:
    """What the text calls h, v, V, kappa of an instance, by request, and its order."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.memory = instance.memory
        self.requests = list(instance)
        self.peaks = [r.prompt + r.output for r in self.requests]
        self.outputs = [r.output for r in self.requests]
        self.areas = [r.area for r in self.requests]
        self.order = sorted(range(len(instance)), key=lambda i: (self.areas[i], i))
        self.sums = [0] * len(instance)
        total = 0
        for i in self.order:
            total += self.areas[i]
            self.sums[i] = total
        self.keys = [
            max(Fraction(4 * v, self.memory), LENGTH_WEIGHT * o)
            for v, o in zip(self.sums, self.outputs, strict=True)
        ]

    def wide(self, i: int) -> bool:
        """Tell whether the peak of a request is above half of the memory."""
        return 2 * self.peaks[i] > self.memory

    def area(self, members: list[int]) -> int:
        """Return the sum of areas."""
        return sum(self.areas[i] for i in members)


def check_levels(numbers: Numbers) -> list[int]:
    """Check that levels are what the text says, and return them."""
    instance = numbers.instance
    found: list[int] = levels(instance.prompts, instance.outputs, instance.memory).tolist()
    for level, v, o in zip(found, numbers.sums, numbers.outputs, strict=True):
        assert Fraction(4 * v, numbers.memory) <= LENGTH_WEIGHT * GROWTH**level
        assert o <= GROWTH**level
        below = GROWTH ** (level - 1)
        assert level == 0 or Fraction(4 * v, numbers.memory) > LENGTH_WEIGHT * below or o > below
    return found


def check_waits(numbers: Numbers, offset: int, factor: Fraction = Fraction(4)) -> None:
    """Lemmas 1 and 2, time by time; the factor 4 of the areas may be replaced to see it fail."""
    instance, memory = numbers.instance, numbers.memory
    found = levels(instance.prompts, instance.outputs, memory)
    ends = batch_ends(found, offset).tolist()
    for level, end in zip(found.tolist(), ends, strict=True):
        assert 0 <= level <= end < level + STEPS
        assert end % STEPS == offset
    order = sorted(numbers.order, key=lambda i: (ends[i], not numbers.wide(i)))
    starts = batch_starts(instance.prompts, instance.outputs, memory, offset).tolist()
    assert not violations(Schedule.from_starts(instance, starts))
    over = [s + o for s, o in zip(starts, numbers.outputs, strict=True)]
    lost: dict[int, set[int]] = {end: set() for end in ends}  # times, by the batch that waits
    for place, i in enumerate(order):
        for t in range(starts[i]):
            j = next(j for j in order if starts[j] > t)
            running = [k for k in order if starts[k] <= t < over[k]]
            assert running
            assert not {*running} - {*order[: order.index(j)]}
            if 2 * sum(numbers.peaks[k] for k in running) <= memory:
                assert numbers.wide(j)
                assert any(not numbers.wide(k) and ends[k] < ends[j] for k in running)
                lost[ends[j]].add(t)
        size, before = GROWTH ** ends[i], order[:place]
        times = [t for end, some in lost.items() if end <= ends[i] for t in some if t < starts[i]]
        assert len(times) <= size / (LAMBDA - 1)
        peaks = sum(numbers.peaks[j] * numbers.outputs[j] for j in before)
        assert memory * (starts[i] - len(times)) <= 2 * peaks <= 4 * numbers.area(before)
        assert memory * (starts[i] - len(times)) <= factor * numbers.area(before)
        assert starts[i] <= factor * numbers.area(before) / memory + size / (LAMBDA - 1)
        lower = [j for j in order if ends[j] <= ends[i]]
        assert {*before} <= {*lower} - {i}
        assert Fraction(4 * numbers.area(lower), memory) <= LENGTH_WEIGHT * size
        own = numbers.outputs[i] - Fraction(4 * numbers.areas[i], memory)
        assert over[i] <= (LENGTH_WEIGHT + 1 / (LAMBDA - 1)) * size + own
    for end, some in lost.items():
        assert len(some) <= GROWTH ** (end - STEPS)


def check_offset(numbers: Numbers) -> int:
    """Lemma 3; return the offset."""
    instance = numbers.instance
    found = levels(instance.prompts, instance.outputs, instance.memory)
    scale = Fraction(GROWTH).denominator ** (int(found.max()) + STEPS)
    weights = [int(scale * GROWTH**e) for e in range(int(found.max()) + STEPS)]
    values = [sum(weights[e] for e in batch_ends(found, r).tolist()) for r in range(STEPS)]
    mean = sum(GROWTH**e for e in found.tolist()) * (LAMBDA - 1) / (STEPS * (GROWTH - 1))
    assert Fraction(sum(values), STEPS * scale) == mean
    for level, key in zip(found.tolist(), numbers.keys, strict=True):
        assert GROWTH**level <= GROWTH * key / LENGTH_WEIGHT
    offset = smallest_offset(found)
    assert values[offset] == min(values)
    assert Fraction(values[offset], scale) <= MU / LENGTH_WEIGHT * sum(numbers.keys)
    return offset


class Sets:
    """The quantities of Lemma 4 for the two sets."""

    def __init__(self, numbers: Numbers, by_area: list[int]) -> None:
        rest = [i for i in numbers.order if i not in by_area]
        v, m = numbers.areas, numbers.memory

        def kernel(some: list[int], others: list[int]) -> Fraction:
            return Fraction(sum(min(v[i], v[j]) for i in some for j in others), m)

        self.q_area, self.q_rest = kernel(by_area, by_area) / 2, kernel(rest, rest) / 2
        self.both = kernel(by_area, rest)
        self.v_area, self.v_rest = (Fraction(numbers.area(s), m) for s in (by_area, rest))
        self.l_area, self.l_rest = (sum(numbers.outputs[i] for i in s) for s in (by_area, rest))
        heights = sorted({0, *v})
        integral = [0, 0, 0]
        for low, high in itertools.pairwise(heights):
            a, b = (sum(v[i] > low for i in s) for s in (by_area, rest))
            for k, product in enumerate((a * a, a * b, b * b)):
                integral[k] += product * (high - low)
        assert integral == [2 * m * self.q_area, m * self.both, 2 * m * self.q_rest]

    def bounds(self) -> tuple[Fraction, Fraction, Fraction]:
        """Return (2), (3) and (4)."""
        return (
            self.l_rest + self.q_area + Fraction(self.l_area, 3),
            self.l_rest + self.q_area + self.v_area / 2,
            self.q_area + self.both + self.q_rest + Fraction(self.l_area + self.l_rest, 3),
        )

    def form(self, x: Fraction, y: Fraction) -> Fraction:
        """Return the quadratic form that is not negative."""
        return x * x * self.q_area - x * y * self.both + y * y * self.q_rest


def check_sets(sets: Sets, optimum: int) -> None:
    """Lemma 4."""
    assert all(bound <= optimum for bound in sets.bounds())
    for x, y in itertools.product((0, 1, 2, 3), repeat=2):
        assert sets.form(Fraction(x), Fraction(y)) >= 0


def check_theorem(numbers: Numbers, optimum: int) -> Fraction:
    """Theorem 5, link by link; return cost over optimum."""
    instance, memory = numbers.instance, numbers.memory
    schedule = simulate(instance, policy_from_spec("svf-batches"))
    cost, total = schedule.total_completion_time(), instance.total_output
    assert cost <= SHARE * sum(numbers.keys) + total - Fraction(4 * sum(numbers.areas), memory)
    sums = [Fraction(4 * v, memory) for v in numbers.sums]
    by_area = [i for i in numbers.order if sums[i] >= LENGTH_WEIGHT * numbers.outputs[i]]
    sets = Sets(numbers, by_area)
    check_sets(sets, optimum)
    assert sum(numbers.keys) == sum(sums[i] for i in by_area) + LENGTH_WEIGHT * sets.l_rest
    pairs = sets.q_area - sets.v_area / 2  # P_A
    assert sum(sums[i] for i in by_area) <= 4 * (pairs + sets.v_area + sets.both)
    c, d = 4 * SHARE, SHARE * LENGTH_WEIGHT + 1
    bound = c * (sets.q_area + sets.both) + (c / 2 - 4) * sets.v_area
    bound += d * sets.l_rest + sets.l_area
    assert cost <= bound
    outputs, areas, all_areas = sets.bounds()
    covered = (RATIO - WEIGHT - (c - 8)) * outputs + (c - 8) * areas + WEIGHT * all_areas
    assert covered <= RATIO * optimum
    difference = (
        (RATIO - c) * sets.q_area - (c - WEIGHT) * sets.both + WEIGHT * sets.q_rest
    )  # at least 0
    assert 0 <= difference <= covered - bound
    guarantee = policy_from_spec("svf-batches").guarantee(instance)
    assert guarantee is not None
    assert guarantee.bound == RATIO == SVF_BATCHES_THEOREM.constant
    pulled = simulate(instance, policy_from_spec("svf-batches:pull=yes"))
    assert (pulled.completion_times() <= schedule.completion_times()).all()
    return Fraction(cost, optimum)


def check_constant(
    growth: Fraction = GROWTH,
    steps: int = STEPS,
    beta: Fraction = LENGTH_WEIGHT,
    ratio: Fraction = RATIO,
    weight: Fraction = WEIGHT,
) -> None:
    """Check the conditions of Theorem 5."""
    factor = growth**steps
    share = growth * (factor - 1) / (steps * (growth - 1)) * (1 + 1 / (beta * (factor - 1)))
    c, d = 4 * share, share * beta + 1
    assert 8 <= c <= ratio
    assert 0 < weight <= c
    assert (c - weight) ** 2 <= (ratio - c) * weight
    assert d + 2 * weight / 3 <= ratio
    assert weight + c - 8 <= ratio


def check_instance(instance: Instance, offsets: list[int]) -> Fraction:
    """Check everything on one instance; return the ratio."""
    numbers = Numbers(instance)
    check_levels(numbers)
    for offset in {*offsets, check_offset(numbers)}:
        check_waits(numbers, offset)
    return check_theorem(numbers, solve(instance, math.inf).lower_bound)


def random_instance(rng: random.Random) -> Instance:
    """Return a few requests of any prompts: from none to all but one token of the memory."""
    memory = rng.randint(1, 24)
    prompts = [
        rng.choice((0, rng.randint(0, memory - 1), memory - 1)) for _ in range(rng.randint(1, 7))
    ]
    return Instance(memory, prompts, [rng.randint(1, memory - s) for s in prompts])


def small_instances(memory: int, requests: int) -> Iterator[Instance]:
    """Yield every instance of that memory and number of requests, in one order each."""
    types = [(s, o) for s in range(memory) for o in range(1, memory - s + 1)]
    for chosen in itertools.combinations_with_replacement(types, requests):
        prompts, outputs = zip(*chosen, strict=True)
        yield Instance(memory, prompts, outputs)


def main(fast: bool) -> None:
    check_constant()
    check_constant(
        Fraction(13, 8), 1, Fraction(258, 100), Fraction(1241, 100), Fraction(6925, 1000)
    )  # no choice of an offset
    rng = random.Random(4)
    for _ in range(60 if fast else 2000):
        check_instance(random_instance(rng), [rng.randrange(STEPS)])
    for memory, requests in ((1, 3), (2, 3), (3, 2)) if fast else ((2, 5), (3, 4), (4, 4), (5, 3)):
        for instance in small_instances(memory, requests):
            check_instance(instance, [0])


if __name__ == "__main__":
    main(fast=False)
