"""Companion of random_bounds.md: means over all orders and all offsets, link by link.

Orders are averaged exactly.  Offsets are averaged over the intervals in which no slice changes,
whose ends are logarithms: their lengths are floating point numbers, so the comparisons that
contain them allow for `TOLERANCE`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, permutations, product

from kvopt import Instance, policy_from_spec
from kvopt.generate import slice_boundary
from kvopt.theory.guarantee import UTILISATION
from kvopt.theory.pipeline import SPACINGS, area, area_slices, geometric_slices, slices_up_to
from kvopt.theory.random_bounds import RANDOM, gsa_expected_bound, log_below
from kvopt.theory.theorems import THEOREMS

TOLERANCE = 1e-9

STATED = {
    "gsa:slices=area:order=random": "20.25",
    "gsa:slices=area:order=random:spacing=sps2|tight": "13.5",
    "gsa:slices=area:offset=random": "14.91",
    "gsa:slices=area:offset=random:spacing=sps2|tight": "9.94",
    "gsa:slices=area:offset=random:order=random": "12.86",
    "gsa:slices=area:offset=random:order=random:spacing=sps2|tight": "8.57",
    "gsa:offset=random": "15.78",
    "gsa:offset=random:spacing=sps2|tight": "10.52",
    "gsa:offset=random:order=random": "13.73",
    "gsa:offset=random:order=random:spacing=sps2|tight": "9.15",
}
"""The table of the document, rounded up to two decimals."""


# Orders


def counts(instance: Instance, slices: Sequence[int]) -> list[int]:
    return [sum(r.output > end for r in instance) for end in (0, *slices)]


def mean_cost(instance: Instance, slices: Sequence[int], spacing: str) -> Fraction:
    """Return the mean cost over all orders in all phases, floors included.

    A request has each number in its last phase equally often, and the phases begin when they
    begin, whatever the order.
    """
    prompt = instance.common_prompt
    assert prompt is not None
    total, begin = Fraction(0), 0
    for slice, (now, after) in zip(slices, pairwise(counts(instance, slices)), strict=True):
        d = SPACINGS[spacing](prompt, slice, instance.memory)
        mean = Fraction(sum(math.floor(j * d) for j in range(now)), now) if now else 0
        total += (now - after) * (begin + mean)
        begin += math.floor((now - 1) * d) + slice
    return total + instance.total_output


def mean_by_enumeration(instance: Instance, slices: Sequence[int], spacing: str) -> Fraction:
    """Return the same from the completion times under every choice of orders."""
    prompt = instance.common_prompt
    assert prompt is not None
    phases = [[i for i, r in enumerate(instance) if r.output > end] for end in (0, *slices[:-1])]
    cost = number = 0
    for orders in product(*(list(permutations(alive)) for alive in phases)):
        number += 1
        begin = 0
        for slice, order in zip(slices, orders, strict=True):
            if order:
                d = SPACINGS[spacing](prompt, slice, instance.memory)
                for j, i in enumerate(order):
                    if instance[i].output <= slice:
                        cost += begin + math.floor(j * d) + instance[i].output
                begin += math.floor((len(order) - 1) * d) + slice
    return Fraction(cost, number)


def check_order(instance: Instance, slices: Sequence[int], spacing: str, cross: int = 1) -> None:
    """Lemma 3; the factor of N_q N_{q+1} may be replaced to see it fail."""
    prompt = instance.common_prompt
    assert prompt is not None
    shared = own = Fraction(0)
    waits = 0
    for slice, (now, after) in zip(slices, pairwise(counts(instance, slices)), strict=True):
        d = SPACINGS[spacing](prompt, slice, instance.memory)
        shared += d * (now * now + cross * now * after - now - after) / 2
        own += (now - after) * waits
        waits += slice
    assert mean_cost(instance, slices, spacing) <= shared + own + instance.total_output


def check_forms(numbers: Sequence[int], g: Fraction, less: Fraction = Fraction(1)) -> None:
    """Lemma 4, for a rational root of g; the factors may be made smaller to see it fail."""
    r = Fraction(math.isqrt(g.numerator), math.isqrt(g.denominator))
    assert r * r == g
    first = second = squares = differences = Fraction(0)
    power = 1 / g
    for a, b in pairwise([*numbers, 0]):
        first += power * g * (a * a + 2 * a * b - b * b)
        second += power * g * (a * a + a * b)
        squares += power * a * a
        differences += power * (a * a - b * b)
        power *= g
    assert first <= less * (g - 1 + 2 * r) * squares
    assert second <= less * (g + r) * squares
    assert squares <= g / (g - 1) * differences


# Offsets


def pieces(instance: Instance, rule: str, growth: Fraction) -> list[tuple[float, Fraction]]:
    """Return the intervals of b on which no slice changes: length, and a c = growth^b inside."""
    prompt = instance.common_prompt
    assert prompt is not None
    ends = {0.0, 1.0}
    for t in range(1, instance.memory - prompt + 1):
        size = area(prompt, t) / (prompt + 1) if rule == "area" else float(t)
        ends.add(math.log(size) / math.log(growth) % 1.0)
    cuts = sorted(ends)
    return [
        (b - a, Fraction(float(growth) ** ((a + b) / 2)).limit_denominator(10**9))
        for a, b in pairwise(cuts)
        if b - a > 1e-12
    ]


def slices_for(instance: Instance, rule: str, growth: Fraction, c: Fraction) -> list[int]:
    prompt = instance.common_prompt
    assert prompt is not None
    powers = geometric_slices(growth, c)
    of_rule = powers if rule == "alpha" else area_slices(growth, prompt, c)
    longest = instance.memory - prompt
    return slices_up_to(max(r.output for r in instance), of_rule, longest)


def check_offset(
    instance: Instance, rule: str, growth: Fraction, spacing: str, share: float = 1.0
) -> None:
    """Theorem 6, its mean shared cost and mean waits; R and W may be made smaller."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    used = float(UTILISATION[spacing])
    log = math.log(growth)
    roots = {g: math.sqrt(g) for g in (growth, growth * growth)}

    def factor(order: str) -> float:
        def one(g: Fraction) -> float:
            k = g + roots[g] if order == "random" else g - 1 + 2 * roots[g]
            return k / math.log(g)

        return one(growth) if rule == "area" else max(one(growth), one(growth * growth))

    waits = (2 if rule == "area" else 1) / log
    mean = {"fixed": 0.0, "random": 0.0}
    waited = total = 0.0
    shared = {"fixed": 0.0, "random": 0.0}
    for length, c in pieces(instance, rule, growth):
        slices = slices_for(instance, rule, growth, c)
        numbers = counts(instance, slices)
        in_order, wait, begin = Fraction(0), 0, 0
        form = {"fixed": Fraction(0), "random": Fraction(0)}
        for slice, (now, after) in zip(slices, pairwise(numbers), strict=True):
            d = SPACINGS[spacing](prompt, slice, memory)
            wait += slice * after
            form["fixed"] += d * (now * now + 2 * now * after - after * after) / 2
            form["random"] += d * (now * now + now * after) / 2
            # The worst order: those that complete come last.
            in_order += sum(begin + math.floor(j * d) for j in range(after, now))
            begin += math.floor((now - 1) * d) + slice
        cost = {"fixed": in_order + instance.total_output}
        cost["random"] = mean_cost(instance, slices, spacing)
        for order in mean:
            mean[order] += length * float(cost[order])
            shared[order] += length * float(form[order])
        waited += length * wait
        total += length
    assert math.isclose(total, 1, abs_tol=1e-8)
    areas = sorted(r.area for r in instance)
    n = len(areas)
    bulk = sum(v * (2 * (n - 1 - k) + 1) for k, v in enumerate(areas)) / (2 * memory)
    outputs = instance.total_output
    assert waited <= share * waits * outputs + TOLERANCE * outputs
    optimum = max(bulk + outputs / 3, outputs)
    for order in mean:
        r = share * factor(order)
        assert shared[order] <= r / used * bulk * (1 + TOLERANCE)
        assert mean[order] <= (shared[order] + waited + outputs) * (1 + TOLERANCE)
        bound = gsa_expected_bound(growth, UTILISATION[spacing], rule, order, "random")
        assert max(r / used, 2 * r / (3 * used) + 1 + share * waits) <= float(bound) + TOLERANCE
        assert mean[order] <= float(bound) * optimum * (1 + TOLERANCE)


def check_thresholds(g: float, v: float, share: float = 1.0) -> None:
    """Lemma 2, by the midpoint rule."""
    many = 2000
    sums = roots = 0.0
    for i in range(many):
        threshold = g ** (math.floor(math.log(v, g)) + 1 + (i + 0.5) / many)
        while threshold > v * 1e-9:
            if threshold < v:
                sums += threshold / many
                roots += math.sqrt(threshold) / many
            threshold /= g
    assert math.isclose(sums, share * v / math.log(g), rel_tol=2e-3)
    assert math.isclose(roots, 2 * math.sqrt(v) / math.log(g), rel_tol=2e-3)


def check_constants() -> None:
    found = {t.policy: t.constant for t in THEOREMS if t.source == RANDOM}
    assert set(found) == set(STATED)
    for policy, constant in found.items():
        assert constant is not None
        assert Fraction(-math.floor(-100 * constant), 100) == Fraction(STATED[policy]), policy
    for x in (Fraction(1001, 1000), Fraction(3, 2), Fraction(2), Fraction(337, 100), Fraction(99)):
        assert math.log(x) - 1e-14 < float(log_below(x)) < math.log(x) + 1e-14
        # e^log_below(x) < x, by a partial sum that is larger than e^y for 0 <= y < 12
        y = log_below(x)
        terms = [Fraction(1)]
        for k in range(1, 80):
            terms.append(terms[-1] * y / k)
        assert sum(terms) <= x


def instances(rng: random.Random) -> list[Instance]:
    memory = rng.randint(4, 60)
    prompt = rng.choice((0, 1, rng.randint(0, memory // 2)))
    longest = memory - prompt
    outputs = [rng.randint(1, longest) for _ in range(rng.randint(1, 25))]
    many = [rng.choice(outputs) for _ in range(200)]
    return [
        Instance(memory, [prompt] * len(outputs), outputs),
        Instance(memory, [prompt] * 200, many),
        slice_boundary(Fraction(2), memory, [3, 30], prompt),
    ]


def main(fast: bool) -> None:
    rng = random.Random(12)
    for _ in range(10 if fast else 100):
        memory = rng.randint(3, 12)
        prompt = rng.randint(0, memory // 2)
        n = rng.randint(1, 3)
        tiny = Instance(memory, [prompt] * n, [rng.randint(1, memory - prompt) for _ in range(n)])
        slices = slices_for(tiny, "alpha", Fraction(2), Fraction(1))
        spacing = rng.choice(tuple(SPACINGS))
        assert mean_cost(tiny, slices, spacing) == mean_by_enumeration(tiny, slices, spacing)
    for g in (Fraction(9, 4), Fraction(4), Fraction(121, 100), Fraction(9)):
        for _ in range(10 if fast else 100):
            check_forms(sorted((rng.randint(0, 9) for _ in range(8)), reverse=True), g)
        check_thresholds(float(g), rng.uniform(1, 100))
    check_constants()
    for _ in range(1 if fast else 40):
        for instance in instances(rng):
            spacing = rng.choice(tuple(SPACINGS))
            for rule, growth in (("area", "3.37"), ("alpha", "2.31"), ("area", "1.5")):
                check_offset(instance, rule, Fraction(growth), spacing)
                slices = slices_for(instance, rule, Fraction(growth), Fraction(1))
                check_order(instance, slices, spacing)
            seed = rng.randint(0, 99)
            policy = policy_from_spec(f"gsa:offset=random:alpha=2:slices=area:seed={seed}")
            guarantee = policy.guarantee(instance)
            assert guarantee is not None
            assert guarantee.expected is not None
