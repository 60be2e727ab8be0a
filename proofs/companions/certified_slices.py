"""Companion of certified_slices.md: its lemmas link by link, and the certificates, exactly."""

from __future__ import annotations

import csv
import json
import math
import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise
from pathlib import Path

from companions.checking import checker
from companions.lower_bounds import check_busy_time
from kvopt import GBA, GSA, Instance, policy_from_spec, simulate, solve
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.theory.pipeline import SPACINGS, slices_up_to
from kvopt.theory.slice_plans import (
    Weights,
    best_plan,
    carries_hold,
    carry_over,
    class_bound,
    phase_bound,
    pivots_hold,
    plan_of,
    plan_to_json,
    weights_to_try,
)

HALF = Fraction(1, 2)
THETAS = (Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(0))
WORST = Fraction("9.393")
"""The largest bound of certified_slices.csv."""
WORST_UP_TO_80 = Fraction("9.168")
TABLE = Path(__file__).parent.parent / "data" / "certified_slices.csv"


# The optimum


def weights(prompt: int, memory: int, theta: Fraction) -> list[Fraction]:
    """Return w(1), ..., w(M - s) as the document has them."""
    return [
        theta * Fraction(prompt + j, memory)
        + (1 - theta) * Fraction(1, (memory + 1 - j) // (prompt + 1))
        for j in range(1, memory - prompt + 1)
    ]


def check_weights(prompt: int, memory: int, theta: Fraction) -> None:
    """Lemma 1 on all sets of ages that fit together, lemma 3, and the package's sums."""
    w = weights(prompt, memory, theta)
    ages = range(1, memory - prompt + 1)
    most = memory // (prompt + 1)
    for number in range(1, most + 1):
        for chosen in combinations_with_replacement(ages, number):
            if sum(prompt + j for j in chosen) <= memory:
                assert sum(w[j - 1] for j in chosen) <= 1
    ours = Weights(prompt, memory, memory - prompt, theta)
    total = double = Fraction(0)
    last = None
    for o in ages:
        double += total
        total += w[o - 1]
        delta = o - sum(w[j - 1] * (j - HALF) for j in range(1, o + 1)) / total
        assert delta == HALF + double / total == ours.delta(o)
        assert total == ours.sum(o)
        if theta == 1:
            s = prompt
            assert delta == Fraction(2 * o + 2 * s + 1, 6) - Fraction(
                2 * s * (s + 1), 3 * (o + 1 + 2 * s)
            )
            assert last is None or delta - last >= Fraction(1, 3)
        last = delta


def shared(instance: Instance, w: Sequence[Fraction]) -> Fraction:
    """Return A."""
    sums = [Fraction(0)]
    for x in w:
        sums.append(sums[-1] + x)
    sizes = sorted(sums[r.output] for r in instance)
    n = len(sizes)
    return sum((v * (2 * (n - 1 - k) + 1) for k, v in enumerate(sizes)), Fraction(0)) / 2


# Phases


def alive(instance: Instance, slices: Sequence[int]) -> list[int]:
    """Return N_0, ..., N_{m+1}."""
    ends = [0, *slices]
    return [sum(r.output > end for r in instance) for end in ends]


def own_costs(
    slices: Sequence[int], distances: Sequence[Fraction], longest: int, half: Fraction = HALF
) -> list[Fraction]:
    """Return e(1), ..., e(longest) for phases; the 1/2 may be replaced to see it fail."""
    result: list[Fraction] = []
    before = Fraction(0)
    for slice, distance in zip(slices, distances, strict=True):
        while len(result) < min(slice, longest):
            result.append(len(result) + 1 + before - half * distance)
        before += slice - distance
    return result


def form(numbers: Sequence[int | Fraction], distances: Sequence[Fraction], cross: int) -> Fraction:
    """Return the sum of d_q (N_q^2 + 2 N_q N_{q+1} - N_{q+1}^2); the 2 may be replaced."""
    return sum(
        (d * (a * a + cross * a * b - b * b))
        for d, (a, b) in zip(distances, pairwise(numbers), strict=True)
    ) + Fraction(0)


def steps_of(phi: Sequence[Fraction]) -> list[Fraction]:
    return [phi[0], *(b - a for a, b in pairwise(phi))]


def check_phases(
    instance: Instance,
    slices: Sequence[int],
    distances: Sequence[Fraction],
    cost: int,
    cross: int = 2,
    half: Fraction = HALF,
) -> None:
    """Lemmas 2, 4 and 5 and theorems 6 and 9, link by link, for the cost of a run."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    plan = plan_of(prompt, memory, slices, distances)
    assert plan is not None
    w = weights(prompt, memory, plan.area_weight)
    numbers = alive(instance, slices)
    longest = max(r.output for r in instance)
    own = own_costs(slices, distances, longest, half)
    mine = sum((own[r.output - 1] for r in instance), Fraction(0))
    quadratic = form(numbers, distances, cross)
    assert cost <= quadratic / 2 + mine  # lemma 4
    phi = [sum(w[: end + 1], Fraction(0)) for end in (0, *slices[:-1])]
    assert pivots_hold(steps_of(phi), distances, plan.factor)
    squares = sum(f * (a * a - b * b) for f, (a, b) in zip(phi, pairwise(numbers), strict=True))
    bulk = shared(instance, w)
    assert quadratic <= plan.factor * squares  # lemma 5
    assert squares <= 2 * bulk  # lemma 2
    ours = Weights(prompt, memory, longest, plan.area_weight)
    left = sum((ours.delta(r.output) for r in instance), Fraction(0))
    for o, e in enumerate(own, 1):
        assert e <= plan.factor * ours.delta(o) + (plan.bound - plan.factor) * o
    optimum = max(bulk + left, Fraction(instance.total_output))
    assert cost <= plan.bound * optimum
    bound = phase_bound(prompt, memory, slices, distances)
    assert bound is not None
    assert cost <= bound * optimum_at_least(instance, slices[-1])  # theorem 9
    assert bound <= plan.bound


def optimum_at_least(instance: Instance, longest: int) -> Fraction:
    """Return the best of lemma 1 for the weights that the package tries, and of L."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    best = Fraction(instance.total_output)
    for theta in weights_to_try(prompt, memory, longest):
        ours = Weights(prompt, memory, longest, theta)
        left = sum((ours.delta(r.output) for r in instance), Fraction(0))
        best = max(best, shared(instance, weights(prompt, memory, theta)) + left)
    return best


def check_pivots(
    distances: Sequence[Fraction], phi: Sequence[Fraction], factor: Fraction, rng: random.Random
) -> None:
    """Lemma 5 at a factor where the pivots hold, and that a smaller one is refuted."""
    assert pivots_hold(steps_of(phi), distances, factor)
    for _ in range(20):
        numbers = [Fraction(rng.randint(-9, 9)) for _ in phi] + [Fraction(0)]
        check_form(numbers, distances, phi, factor)
    low = factor
    while pivots_hold(steps_of(phi), distances, low):
        low = low * Fraction(9, 10)
    # Where it fails first, N_q = (d_q / (g_q - d_q)) N_{q+1} makes the difference negative.
    carry, chain = low * phi[0], []
    for q, d in enumerate(distances):
        if carry <= d:
            break
        chain.append(d / (carry - d))
        if q + 1 < len(distances):
            carry = low * (phi[q + 1] - phi[q]) + d - d * d / (carry - d)
    numbers = [Fraction(1)]
    for x in reversed(chain[:q]):
        numbers.insert(0, x * numbers[0])
    if carry < distances[q]:
        padded = numbers + [Fraction(0)] * (len(phi) + 1 - len(numbers))
        left, right = sides(padded, distances, phi, low)
        assert left > right


def check_decreasing(
    distances: Sequence[Fraction], phi: Sequence[Fraction], factor: Fraction, rng: random.Random
) -> None:
    """Lemma 8: numbers that do not increase, at a factor for which its carries hold or do not.

    `factor` is one at which the pivots hold, so the carries do, too.
    """
    assert carries_hold(steps_of(phi), distances, factor)
    low = factor
    while carries_hold(steps_of(phi), distances, low):
        for _ in range(10):
            drawn = sorted((Fraction(rng.randint(0, 9)) for _ in phi), reverse=True)
            check_form([*drawn, Fraction(0)], distances, phi, low)
        check_form(worst_decreasing(distances, phi, low), distances, phi, low)
        low = low * Fraction(19, 20)
    numbers = worst_decreasing(distances, phi, low)
    assert all(a >= b for a, b in pairwise(numbers))
    left, right = sides(numbers, distances, phi, low)
    assert left >= right  # 0 against 0 if a carry is just its distance


def worst_decreasing(
    distances: Sequence[Fraction], phi: Sequence[Fraction], factor: Fraction
) -> list[Fraction]:
    """Return N_0, ..., N_{m+1} as the lemma names them; large where a carry is too small."""
    carry, chain = factor * phi[0], []
    for d, step in zip(distances, steps_of(phi)[1:], strict=False):
        if carry <= d:
            chain.append(Fraction(10**9))
            break
        x = max(Fraction(1), d / (carry - d))
        chain.append(x)
        carry = factor * step + carry_over(carry, d)
    rest = len(phi) - 1 - len(chain)
    numbers = [Fraction(1)] * (rest + 1)
    for x in reversed(chain):
        numbers.insert(0, x * numbers[0])
    return [*numbers, Fraction(0)]


def check_carry(carry: Fraction, distance: Fraction) -> None:
    """Lemma 8 (a), on a grid."""
    found = carry_over(carry, distance)
    values = [
        carry * x * x - distance * (x * x + 2 * x - 1)
        for x in (1 + Fraction(i, 8) for i in range(200))
    ]
    assert found <= min(values)
    best = max(Fraction(1), distance / (carry - distance))
    assert found == carry * best * best - distance * (best * best + 2 * best - 1)
    assert found >= distance - distance**2 / (carry - distance)
    more, less = carry * Fraction(9, 8), distance * Fraction(7, 8)
    assert carry_over(more, distance) >= found
    assert carry_over(carry, less) >= found


def sides(
    numbers: Sequence[Fraction],
    distances: Sequence[Fraction],
    phi: Sequence[Fraction],
    factor: Fraction,
) -> tuple[Fraction, Fraction]:
    squares = [a * a - b * b for a, b in pairwise(numbers)]
    right = factor * sum((f * x for f, x in zip(phi, squares, strict=True)), Fraction(0))
    return form(numbers, distances, 2), right


def check_form(
    numbers: Sequence[Fraction],
    distances: Sequence[Fraction],
    phi: Sequence[Fraction],
    factor: Fraction,
) -> None:
    left, right = sides(numbers, distances, phi, factor)
    assert left <= right


def check_gsa(instance: Instance, policy: GSA) -> None:
    """Theorem 6 for a policy of the package, and that its claim is no larger."""
    prompt = instance.common_prompt
    assert prompt is not None
    memory = instance.memory
    rule = policy._slice_rule(prompt, memory, random.Random(policy.seed))
    slices = slices_up_to(int(instance.outputs.max()), rule, memory - prompt)
    distances = [SPACINGS[policy.spacing](prompt, t, memory) for t in slices]
    cost = simulate(instance, policy).total_completion_time()
    check_phases(instance, slices, distances, cost)
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    assert guarantee.bound <= phase_bound(prompt, memory, slices, distances)


# Classes


def check_classes(instance: Instance, drain: bool, spacing: str, spt: bool = False) -> None:
    """Theorem 7 for GBA with its classes, or for the SPT pipeline."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    lengths = sorted({r.output for r in instance})
    if spt:
        policy = policy_from_spec("spt-pipeline")
        slices, spacing, drain = lengths, "tight", False
    else:
        policy = GBA(spacing=spacing, drain=drain)
        slices = slices_up_to(lengths[-1], policy._class_ends(prompt), memory - prompt)
    distances = [SPACINGS[spacing](prompt, t, memory) for t in slices]
    assert all(d <= t for d, t in zip(distances, slices, strict=True))
    bound = class_bound(prompt, memory, slices, distances, drain, lengths if spt else None)
    cost = simulate(instance, policy).total_completion_time()
    numbers = alive(instance, slices)
    mine = Fraction(0)
    for r in instance:
        p = next(q for q, t in enumerate(slices) if t >= r.output)
        waits = sum((slices[q] - distances[q] for q in range(p)), Fraction(0)) if drain else 0
        mine += r.output + waits - distances[p] / 2
    squares = [a * a - b * b for a, b in pairwise(numbers)]
    assert cost <= sum(d * x for d, x in zip(distances, squares, strict=True)) / 2 + mine
    assert cost <= bound * best_lower_bound(instance).value or bound_needs_slots(
        instance, cost, bound
    )


def bound_needs_slots(instance: Instance, cost: int, bound: Fraction) -> bool:
    """Compare with the mixed weights' own lower bound, or the optimum of a small instance."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    best = Fraction(0)
    for theta in THETAS:
        w = weights(prompt, memory, theta)
        ours = Weights(prompt, memory, memory - prompt, theta)
        left = sum((ours.delta(r.output) for r in instance), Fraction(0))
        best = max(best, shared(instance, w) + left)
    return cost <= bound * best


# Certificates


def check_certificate(prompt: int, memory: int, spacing: str) -> Fraction:
    """Check that the certificate is accepted, and one with smaller numbers refused."""
    plan = best_plan(prompt, memory, spacing)
    content = plan_to_json(plan)
    claim = checker().check(json.dumps(content))
    assert claim.bound == plan.bound
    assert plan.slices[-1] == memory - prompt
    for key in ("factor", "bound"):
        value = Fraction(content[key])
        less = value - Fraction(1, 500)
        if key == "bound" and less < plan.factor:
            continue
        smaller = {**content, key: f"{less.numerator}/{less.denominator}"}
        if key == "factor":
            smaller["bound"] = smaller["factor"]
        try:
            checker().check(json.dumps(smaller))
        except checker().Refused:
            continue
        raise AssertionError(f"{key} {less} is accepted, too: {content}")
    return plan.bound


def check_table(up_to: int) -> None:
    """Check that the worst prompts of the table have its bounds, and none is above `WORST`."""
    with TABLE.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["memory"]) for row in rows if row["spacing"] == "sps"] == list(
        range(1, 1 + sum(row["spacing"] == "sps" for row in rows))
    )
    worst = Fraction(0)
    small = max(Fraction(row["bound"]) for row in rows if int(row["memory"]) <= 80)
    assert small == WORST_UP_TO_80
    for row in rows:
        bound = Fraction(row["bound"])
        worst = max(worst, bound)
        if int(row["memory"]) <= up_to:
            plan = best_plan(int(row["worst_prompt"]), int(row["memory"]), row["spacing"])
            assert plan.bound <= bound
    assert worst == WORST


# Instances


def random_instance(rng: random.Random, memory: int, n: int) -> Instance:
    prompt = rng.choice((0, 1, rng.randint(0, memory // 2), rng.randint(0, memory - 1)))
    prompt = min(prompt, memory - 1)
    longest = memory - prompt
    kinds = [rng.randint(1, longest) for _ in range(3)]
    return Instance(memory, [prompt] * n, [rng.choice(kinds) for _ in range(n)])


def bad_instance(rng: random.Random, memory: int, n: int) -> Instance:
    """Return requests just above the ends of certified slices, long ones first."""
    prompt = rng.choice((0, 1, memory // 5, memory // 3))
    ends = best_plan(prompt, memory, "sps").slices
    outputs: list[int] = []
    for weight, end in enumerate(reversed((0, *ends[:-1])), 1):
        outputs += [end + 1] * max(1, n * 3**weight // 400)
    return Instance(memory, [prompt] * len(outputs), outputs)


def main(fast: bool) -> None:
    rng = random.Random(21)
    for memory in range(1, 7 if fast else 13):
        for prompt in range(memory):
            for theta in THETAS:
                check_weights(prompt, memory, theta)
    for _ in range(15 if fast else 300):
        m = rng.randint(1, 6)
        distances = [Fraction(rng.randint(1, 20), rng.randint(1, 5)) for _ in range(m)]
        phi = sorted({Fraction(rng.randint(1, 40), rng.randint(1, 5)) for _ in range(m)})
        factor = Fraction(1)
        while not pivots_hold(steps_of(phi), distances[: len(phi)], factor):
            factor *= 2
        check_pivots(distances[: len(phi)], phi, factor, rng)
        check_decreasing(distances[: len(phi)], phi, factor, rng)
        d = Fraction(rng.randint(1, 30), rng.randint(1, 9))
        check_carry(d + Fraction(rng.randint(1, 60), rng.randint(1, 9)), d)
    for _ in range(3 if fast else 100):
        for instance in (
            random_instance(rng, rng.randint(1, 16), rng.randint(1, 7)),
            random_instance(rng, rng.randint(20, 300), rng.randint(1, 60)),
            bad_instance(rng, rng.randint(6, 120), 40),
        ):
            for spec in (
                "gsa:slices=certified",
                "gsa:slices=certified:spacing=tight:order=random",
                "gsa:slices=area:alpha=3:offset=random:spacing=sps2",
                f"gsa:alpha=2:offset=random:seed={rng.randint(0, 99)}",
                "gsa",
            ):
                policy = policy_from_spec(spec)
                assert isinstance(policy, GSA)
                check_gsa(instance, policy)
            for drain in (True, False):
                check_classes(instance, drain, rng.choice(tuple(SPACINGS)))
            check_classes(instance, False, "tight", spt=True)
    for _ in range(5 if fast else 60):
        small = random_instance(rng, rng.randint(1, 9), rng.randint(1, 5))
        optimum = solve(small, math.inf)
        prompt = small.common_prompt
        assert prompt is not None
        for theta in THETAS:
            w = weights(prompt, small.memory, theta)
            check_busy_time(small, optimum.starts.tolist(), [w[: r.output] for r in small])
    for memory in (1, 2, 5, 13, 40) if fast else (*range(1, 60), 97, 128, 300, 1000):
        for prompt in {0, 1, memory // 4, memory // 3, memory // 2 - 1, memory - 1}:
            if 0 <= prompt < memory:
                check_certificate(prompt, memory, rng.choice(tuple(SPACINGS)))
    check_table(6 if fast else 80)
