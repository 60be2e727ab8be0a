"""Companion of early_release.md: GSA with early release of slots."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from kvopt import Instance, simulate, solve
from kvopt.policies.gsa import GSA
from kvopt.theory.early_release import Phase, carries_suffice
from kvopt.theory.geometric_slices import early_carry, ratio_holds
from kvopt.theory.gsa_bounds import GSA_ALPHA, GSA_COMPUTED
from kvopt.theory.pipeline import SPACINGS, area, capped_slices, geometric_slices
from kvopt.theory.quadratic import GOLDEN_RATIO, Exact
from kvopt.theory.slice_plans import Weights, weights_to_try

TABLE: dict[Exact, str] = {
    Fraction(161, 100): "13.13",
    GOLDEN_RATIO: "13.10",
    Fraction(177, 100): "13.02",
    GSA_ALPHA: "13.02",
    Fraction(2): "13.95",
}
"""The table of the document: growth factors and ratios with early release."""


def check_table() -> None:
    for alpha, ratio in TABLE.items():
        assert ratio_holds(alpha, "alpha", "sps", Fraction(ratio), early=True), "table"
    for theorem in GSA_COMPUTED:
        if "early" in theorem.policy:
            assert theorem.alpha is not None
            assert theorem.constant == Fraction(TABLE[theorem.alpha]), "theorems"


# Lemmas 3 and 4


def check_phase(rng: random.Random, least_share: Fraction = Fraction(1)) -> None:
    """Lemma 3 (ii) in whole rounds, against the worst order of random requests.

    `least_share` times the least C is taken for it.
    """
    old = rng.randint(0, 30)
    slice, k = old + rng.randint(1, 40), rng.randint(1, 4)
    prompt, memory = rng.randint(0, 60), rng.randint(60, 300)
    ratio = Fraction(rng.randint(20, 160), 10)
    killed, left = rng.randint(0, 12), rng.randint(0, 12)
    top = rng.choice((slice, old + 1, rng.randint(old + 1, slice)))
    outputs = sorted((rng.choice((old + 1, top)) for _ in range(left)), reverse=True)
    everyone = outputs + [slice + 1] * killed
    if not everyone:
        return
    costs = [Fraction(slice, k)] * killed + [Fraction(o, k) for o in outputs]
    twice = 2 * sum(killed * c + sum(costs[:j]) * (j >= killed) for j, c in enumerate(costs))
    d, least = Fraction(slice, k), least_share * Fraction(old + 1, k)
    density = Fraction(k * (prompt + old + 1), memory)  # k w
    carry = (least + d / (ratio * density)) * Fraction(rng.randint(100, 300), 100)
    gained = sum(
        ratio * Fraction(prompt + y + 1, memory) * sum(o > y for o in everyone) ** 2
        for y in range(old + 1, slice + 1)
    )
    rise = Fraction(area(prompt, slice + 1) - area(prompt, old + 1), memory)
    for chosen in (least, max(least, carry - d)):
        if (carry - chosen) * ratio * density >= d:
            after = ratio * rise + chosen - d * d / (carry - chosen)
            spent = twice + after * killed**2
            assert gained + carry * len(everyone) ** 2 >= spent, "lemma 3"
    if not killed:
        span = Fraction(slice - old - 1, k)
        enough = least + span / (1 + ratio * density)
        assert gained + enough * left**2 >= twice, "lemma 4"


def check_rounding(rng: random.Random) -> None:
    """Check that the carry in integers is at most that of Lemma 3, for a C that it allows."""
    numbers = [rng.randint(1, 2 ** rng.randint(1, 20)) for _ in range(4)]
    carry, rise, distance, density = numbers
    least = rng.randint(1, distance)
    ratio = Fraction(rng.randint(10, 200), 10)
    unit = 2**60  # of `density`; the others may be in any unit
    density = density * unit >> rng.randint(0, 20)
    found = early_carry(ratio, carry, rise, (distance, least), density)
    allowed = [
        Fraction(c)
        for c in (least, distance, carry - distance)
        if least <= c < carry
        and (c >= distance or (carry - c) * ratio * Fraction(density, unit) >= distance)
    ]
    best = [ratio * rise + c - Fraction(distance) ** 2 / (carry - c) for c in allowed]
    assert found is None or found <= max(best), "carry"
    assert found is not None or carry <= distance, "none"


# Theorem 5 for one prompt and memory, with thresholds as they are


def check_thresholds(alpha: Exact, ratio: Fraction, rng: random.Random) -> None:
    memory = rng.randint(2, 10 ** rng.randint(1, 5))
    sigma_at_most = rng.choice((Fraction(7, 20), Fraction(1, 50), Fraction(1, 4)))
    prompt = max(0, math.floor(sigma_at_most * memory * Fraction(rng.randint(0, 100), 100) - 1))
    offset = rng.choice((Fraction(1), Fraction(rng.randint(100, math.floor(100 * alpha)), 100)))
    longest = memory - prompt
    rule = geometric_slices(alpha, offset)
    last = next(p for p in range(memory + 1) if rule(p) >= longest)

    def threshold(q: int) -> Fraction:
        power = alpha ** abs(q)
        return Fraction(math.ceil(offset * (power if q >= 0 else 1 / power) * 2**80), 2**80)

    def weight(x: Fraction) -> Fraction:
        return ((2 * prompt + 1) * x + x * x) / (2 * memory)

    phases, grown = [], Fraction(0)
    for q in range(last + 1):
        x, slice = threshold(q - 1), min(rule(q), longest)
        end = threshold(q) if q < last else Fraction(longest)
        d = SPACINGS["sps"](prompt, slice, memory)
        k = math.floor(slice / d)
        early = memory // (prompt + slice) == k
        assert slice <= end
        phases.append(
            Phase(
                rise=weight(x) - grown,
                killed=end / k,
                least=x / k if early else end / k,
                density=k * (prompt + Fraction(1, 2) + x) / memory if early else Fraction(0),
                span=(end - x) / k if early else Fraction(0),
            )
        )
        grown = weight(x)
    assert carries_suffice(phases, ratio), "theorem 5"


# Runs


def check_run(instance: Instance, policy: GSA, best: int | None) -> Fraction:
    """Follow a run through Lemma 1 and Theorem 2; return cost over optimum, or a bound on it."""
    prompt = instance.common_prompt
    assert prompt is not None
    schedule = simulate(instance, policy)
    outputs = instance.outputs.tolist()
    assert schedule.peak_memory() <= instance.memory
    attempts = sorted((a.start, a.request) for a in schedule)
    done = begin = previous = 0
    alive = set(range(len(outputs)))
    rule = geometric_slices(policy.alpha, policy.beta)
    for slice in capped_slices(rule, instance.memory - prompt):
        if not alive:
            break
        phase, done = attempts[done : done + len(alive)], done + len(alive)
        assert {i for _, i in phase} == alive, "everyone"
        d = SPACINGS[policy.spacing](prompt, slice, instance.memory)
        k = instance.memory // (prompt + slice)
        share = 1 if policy.early == "yes" else Fraction(2, 3)
        early = k * d >= share * slice and slice > previous + 1
        before = Fraction(0)
        for j, (start, i) in enumerate(phase):
            if early:
                assert start - begin <= before / k, "lemma 1"
            else:
                assert start - begin == math.floor(j * d), "pipeline"
            before += min(outputs[i], slice)
        ends = [start + min(outputs[i], slice) for start, i in phase]
        begin = max(ends) if early else phase[-1][0] + slice
        alive, previous = {i for i in alive if outputs[i] > slice}, slice
    assert done == len(attempts), "attempts"
    cost = schedule.total_completion_time()
    if policy.early == "yes":
        plain = GSA(policy.alpha, spacing=policy.spacing)
        late = simulate(instance, plain).completion_times()
        assert (schedule.completion_times() <= late).all(), "theorem 2"
    at_least = weighed(prompt, instance.memory, outputs) if best is None else Fraction(best)
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    assert cost <= guarantee.bound * at_least, "guarantee"
    return cost / at_least


def weighed(prompt: int, memory: int, outputs: list[int]) -> Fraction:
    """Return the best bound on the optimum: of Lemma 1 of certified_slices.md, or L."""
    bounds = [Fraction(sum(outputs))]
    for theta in weights_to_try(prompt, memory, max(outputs)):
        weights = Weights(prompt, memory, max(outputs), theta)
        longest_first = enumerate(sorted(outputs, reverse=True))
        pairs = sum((2 * j + 1) * weights.sum(o) for j, o in longest_first)
        bounds.append(Fraction(pairs) / 2 + sum(weights.delta(o) for o in outputs))
    return max(bounds)


def random_instance(rng: random.Random, largest: int, many: int) -> Instance:
    memory = rng.randint(3, largest)
    prompt = rng.choice((0, rng.randrange(memory), rng.randrange(memory // 9 + 1)))
    slices = list(capped_slices(geometric_slices(GSA_ALPHA, Fraction(1)), memory - prompt))
    pool = rng.choice((slices, [1, *(t + 1 for t in slices[:-1])], range(1, memory - prompt + 1)))
    outputs = [rng.choice(pool) for _ in range(rng.randint(1, many))]
    return Instance(memory, [prompt] * len(outputs), outputs)


def check_runs(many: int, rng: random.Random) -> None:
    for trial in range(many):
        early = rng.choice(("yes", "fits"))
        policy = GSA(rng.choice(list(TABLE)), spacing=rng.choice(list(SPACINGS)), early=early)
        if trial % 4 == 0:
            instance = random_instance(rng, 12, 6)
            check_run(instance, policy, solve(instance, math.inf).lower_bound)
        else:
            check_run(random_instance(rng, 10 ** rng.randint(1, 4), 60), policy, None)


def main(fast: bool) -> None:
    check_table()
    rng = random.Random(17)
    for _ in range(500 if fast else 30_000):
        check_phase(rng)
        check_rounding(rng)
    for alpha, ratio in TABLE.items():
        for _ in range(10 if fast else 1000):
            check_thresholds(alpha, Fraction(ratio), rng)
    check_runs(24 if fast else 4000, rng)
