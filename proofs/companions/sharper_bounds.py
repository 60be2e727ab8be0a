"""Companion of sharper_bounds.md: its lemmas and the chains from cost to optimum, exactly."""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from kvopt import GBA, GSA, Instance, policy_from_spec, simulate, solve
from kvopt.generate import slice_boundary
from kvopt.theory.gba_bounds import gba_bound_sharper
from kvopt.theory.gsa_bounds import GSA_ALPHA, gsa_bound_area, gsa_bound_sharper, phase_factor
from kvopt.theory.guarantee import SHARPER, UTILISATION
from kvopt.theory.other_bounds import SPT_PIPELINE_THEOREM
from kvopt.theory.pipeline import SPACINGS, area_slices, geometric_slices, pipeline_peak, sps_slots
from kvopt.theory.quadratic import GOLDEN_RATIO, Exact, square_root
from kvopt.theory.theorems import THEOREMS

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
ALPHAS: tuple[Exact, ...] = (
    Fraction(11, 10),
    Fraction(4, 3),
    Fraction(3, 2),
    GOLDEN_RATIO,
    Fraction("1.69"),
    GSA_ALPHA,
    Fraction(2),
    Fraction(3),
)
RULES = [("alpha", alpha) for alpha in ALPHAS] + [
    ("area", growth)
    for growth in (Fraction(6, 5), Fraction("2.128"), Fraction(4), GOLDEN_RATIO, Fraction(9))
]
"""Slice rules: powers or areas, and the growth factor."""

STATED = {
    "gba": "8.42",
    "gba:spacing=sps2|tight": "7",
    "gba:drain=no": "4.32",
    "gba:spacing=sps2|tight:drain=no": "2.92",
    "gsa": "24.18",
    "gsa:spacing=sps2|tight": "16.12",
    "gsa:slices=area": "22.90",
    "gsa:slices=area:spacing=sps2|tight": "15.27",
    "spt-pipeline": "2.34",
}
"""The table of the document; all of it, 7/3 too, rounded up to two decimals."""


def area(prompt: int, x: Exact | int) -> Exact:
    return Fraction(2 * prompt + 1, 2) * x + HALF * x * x


# Spacing


def peak(prompt: int, slice: int, distance: Fraction) -> int:
    """Return F(d)."""
    terms = math.ceil(slice / distance)
    return sum(prompt + slice - math.floor(j * distance) for j in range(terms))


def check_tight(prompt: int, slice: int, memory: int) -> None:
    """Lemma 1, with all fractions that may be the smallest distance."""
    deepest = slice * memory // int(area(prompt, slice))
    candidates = sorted(
        {Fraction(a, j) for j in range(1, deepest + 1) for a in range(1, slice + 1)}
    )
    peaks = [peak(prompt, slice, d) for d in candidates]
    assert peaks == sorted(peaks, reverse=True)
    for d, used in zip(candidates, peaks, strict=True):
        assert d * used >= area(prompt, slice)
        assert used == pipeline_peak(prompt, slice, d)
    for (d, used), after in zip(zip(candidates, peaks, strict=True), candidates[1:], strict=False):
        if d * memory >= area(prompt, slice):
            assert peak(prompt, slice, (d + after) / 2) == used
    smallest = next(d for d, used in zip(candidates, peaks, strict=True) if used <= memory)
    assert SPACINGS["tight"](prompt, slice, memory) == smallest


def check_sps2(prompt: int, slice: int, memory: int) -> None:
    """Lemma 2."""
    sps, sps2, tight = (SPACINGS[rule](prompt, slice, memory) for rule in ("sps", "sps2", "tight"))
    assert 0 < tight <= sps2 <= sps
    assert all(pipeline_peak(prompt, slice, d) <= memory for d in (sps, sps2, tight))
    if sps == slice:
        assert sps2 == min(slice, 2 * prompt + 2 * slice - memory) > Fraction(slice, 2)
        assert sps2 == slice or pipeline_peak(prompt, slice, sps2) == memory


def check_utilisation(prompt: int, slice: int, memory: int, spacing: str) -> None:
    """Theorem 3, against the constants of kvopt, and what Corollary 16 needs."""
    distance = SPACINGS[spacing](prompt, slice, memory)
    used = area(prompt, slice) / (distance * memory)
    slots = sps_slots(prompt, slice, memory)
    assert used > UTILISATION[spacing]
    assert Fraction(slots, slots + 2) < used <= 1


def check_no_better_utilisation() -> None:
    """Check the examples in Theorem 3: distances as given, utilisation close to the constants."""
    for slice in (1, 11, 1001):
        for spacing in ("sps2", "tight"):
            assert SPACINGS[spacing](0, slice, slice) == slice
        assert area(0, slice) / (slice * slice) == Fraction(slice + 1, 2 * slice)
        memory = (3 * slice - 1) // 2
        assert SPACINGS["sps"](0, slice, memory) == slice
        assert area(0, slice) / (slice * memory) == Fraction(slice + 1, 3 * slice - 1)


def check_no_drain(prompt: int, memory: int, spacing: str, rng: random.Random) -> None:
    """Lemma 4: increasing distances, and the memory of overlapping pipelines."""
    longest = memory - prompt
    distances = [SPACINGS[spacing](prompt, slice, memory) for slice in range(1, longest + 1)]
    assert distances == sorted(distances)
    x, runs = Fraction(0), []
    for slice in sorted(rng.randint(1, longest) for _ in range(12)):
        runs.append((math.floor(x), math.floor(x) + slice))
        x += distances[slice - 1] + rng.choice((0, 0, Fraction(1, 3)))
    for r in range(1, max(end for _, end in runs) + 1):
        assert sum(prompt + r - start for start, end in runs if start < r <= end) <= memory


def check_spacing(prompt: int, slice: int, memory: int) -> None:
    check_sps2(prompt, slice, memory)
    for spacing in SPACINGS:
        check_utilisation(prompt, slice, memory, spacing)


# The optimum


def shared_area(instance: Instance) -> Fraction:
    """Return A, as half the sum over all ordered pairs of the smaller area, over M."""
    areas = sorted(r.area for r in instance)
    n = len(areas)
    ordered = sum(v * (2 * (n - 1 - k) + 1) for k, v in enumerate(areas))
    return Fraction(ordered, 2 * instance.memory)


def lower_bound(instance: Instance) -> Fraction:
    """Return the larger of A + L/3 (Lemma 5) and L."""
    total = instance.total_output
    return max(shared_area(instance) + Fraction(total, 3), Fraction(total))


def check_mean_age(prompt: int, output: int) -> None:
    """Lemma 5: the mean age is a mixture of two means, and delta > o / 3."""
    ages = [j - HALF for j in range(1, output + 1)]
    equal = sum(ages) / output
    growing = sum(j * age for j, age in enumerate(ages, 1)) / Fraction(output * (output + 1), 2)
    assert equal == Fraction(output, 2) <= growing == Fraction(4 * output - 1, 6)
    mean = sum((prompt + j) * age for j, age in enumerate(ages, 1)) / area(prompt, output)
    assert equal <= mean <= growing
    assert output - mean >= Fraction(2 * output + 1, 6) > Fraction(output, 3)


def close(cost: int, a: Exact, b: Exact, instance: Instance) -> None:
    """Lemma 6: cost <= a A + b L <= max(a, 2a/3 + b) times a lower bound on the optimum."""
    middle = a * shared_area(instance) + b * instance.total_output
    assert cost <= middle <= max(a, 2 * a / 3 + b) * lower_bound(instance)


# Slices, phases and classes


@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """The slices of a rule on an instance, and how many requests reach each phase.

    Attributes
    ----------
    slices
        tau_0, ..., tau_m, skipped ones included.
    alive
        N_0, ..., N_{m+1}.
    last
        p(i) of every request.
    run
        Phases that are not skipped and hold requests.
    envelope
        Pairs (c, g) such that e_p is the sum of the c g^p.
    factor, growth, waits
        R, G and W.
    """

    slices: list[int]
    alive: list[int]
    last: list[int]
    run: list[int]
    envelope: list[tuple[Fraction, Exact]]
    factor: Exact
    growth: Exact
    waits: Exact


@lru_cache(maxsize=1)
def sums(f: Phases) -> tuple[Exact, Exact]:
    """Return the two sums that Lemma 10 compares, with e_p and with e_{p-1}."""
    left: Exact = Fraction(0)
    right: Exact = Fraction(0)
    for c, g in f.envelope:
        above, below = c, c / g
        for now, after in pairwise(f.alive):
            left += above * (now * now + 2 * now * after - after * after)
            right += below * (now * now - after * after)
            above, below = above * g, above
    return left, right


@lru_cache(maxsize=1)
def phases(instance: Instance, rule: str, growth: Exact) -> Phases:
    prompt = instance.common_prompt
    assert prompt is not None
    longest = instance.memory - prompt
    powers = rule == "alpha"
    slice_of = geometric_slices(growth, Fraction(1)) if powers else area_slices(growth, prompt)
    slices: list[int] = []
    while not slices or slices[-1] < longest:
        slices.append(min(slice_of(len(slices)), longest))
    last = [bisect.bisect_left(slices, r.output) for r in instance]
    alive = [sum(p >= q for p in last) for q in range(len(slices) + 1)]
    run = [q for q, tau in enumerate(slices) if alive[q] and (q == 0 or tau > slices[q - 1])]
    if powers:
        envelope = [(Fraction(2 * prompt + 1, 2), growth), (HALF, growth * growth)]
        factor = max(phase_factor(growth), phase_factor(growth * growth))
        return Phases(
            slices, alive, last, run, envelope, factor, growth * growth, growth / (growth - 1)
        )
    waits = (growth + square_root(growth)) / (growth - 1)
    envelope = [(Fraction(prompt + 1), growth)]
    return Phases(slices, alive, last, run, envelope, phase_factor(growth), growth, waits)


def check_envelopes(instance: Instance, rule: str, growth: Exact) -> None:
    """Lemmas 7 and 8, and the conventions about skipped phases."""
    prompt = instance.common_prompt
    assert prompt is not None
    f = phases(instance, rule, growth)
    longest = instance.memory - prompt
    assert f.slices[0] == 1
    assert f.slices[-1] == longest
    assert f.alive[0] == len(instance)
    assert f.alive[-1] == 0
    assert set(f.last) <= set(f.run)
    for q, after in zip(f.run, f.run[1:], strict=False):
        assert f.alive[after] == f.alive[q + 1]
    envelope: Exact = sum((c / g for c, g in f.envelope), Fraction(0))  # e_{p-1}, here e_{-1}
    powers = [c for c, _ in f.envelope]
    least = []
    for p, tau in enumerate(f.slices):
        before = f.slices[p - 1] if p else 0
        least.append(area(prompt, before + 1))
        assert least[p] >= envelope  # (b)
        envelope = sum(powers, Fraction(0))
        powers = [c * g for c, (_, g) in zip(powers, f.envelope, strict=True)]
        assert area(prompt, tau) <= envelope  # (a)
        if p < len(f.slices) - 1:
            assert area(prompt, tau + 1) > envelope  # (b), before the cap
        assert f.alive[p] == sum(r.output > before for r in instance)
    for r, p in zip(instance, f.last, strict=True):
        assert r.area >= least[p]
        assert sum(f.slices[:p]) <= f.waits * r.output  # (c)
        if rule == "area":
            for q in range(p):
                assert f.slices[q] ** 2 * growth ** (p - 1 - q) < r.output**2
    squares = [a * a - b * b for a, b in pairwise(f.alive)]
    assert sum(w * x for w, x in zip(least, squares, strict=True)) <= (
        2 * instance.memory * shared_area(instance)
    )


def check_comparison(instance: Instance, rule: str, growth: Exact) -> None:
    """Check the middle of Theorem 11: Lemma 10 for each part of e_p, and Lemmas 7 and 8 (b)."""
    f = phases(instance, rule, growth)
    for _, g in f.envelope:
        check_geometric(f.alive, g)
    left, right = sums(f)
    assert left <= f.factor * right <= f.factor * 2 * instance.memory * shared_area(instance)


# GSA


def check_geometric(
    alive: Sequence[Exact | int], growth: Exact, share: Fraction = Fraction(1)
) -> None:
    """Lemma 10, link by link; R may be made smaller by a factor to see it fail."""
    numbers = [*alive, 0]
    root = square_root(growth)
    left: Exact = Fraction(0)
    first: Exact = Fraction(0)
    second: Exact = Fraction(0)
    right: Exact = Fraction(0)
    power = 1 / growth  # g^(p-1)
    for a, b in pairwise(numbers):
        left += growth * power * (a * a + 2 * a * b - b * b)
        first += growth * power * ((1 + 1 / root) * a * a + (root - 1) * b * b)
        second += power * (growth - 1 + 2 * root) * a * a
        right += power * (a * a - b * b)
        power *= growth
    assert left <= first <= second <= phase_factor(growth) * right
    assert left <= share * phase_factor(growth) * right


def gsa_completions(
    instance: Instance, f: Phases, spacing: str
) -> tuple[list[int], list[Fraction]]:
    """Return the completion times in request order, and the distances of the phases run."""
    prompt = instance.common_prompt
    assert prompt is not None
    completions = [0] * len(instance)
    begin, distances = 0, []
    for q in f.run:
        distances.append(SPACINGS[spacing](prompt, f.slices[q], instance.memory))
        alive = [i for i, p in enumerate(f.last) if p >= q]
        assert len(alive) == f.alive[q]
        for j, i in enumerate(alive):
            if f.last[i] == q:
                completions[i] = begin + math.floor(j * distances[-1]) + instance[i].output
        begin += math.floor((len(alive) - 1) * distances[-1]) + f.slices[q]
    return completions, distances


def check_gsa(
    instance: Instance,
    rule: str,
    growth: Exact,
    spacing: str,
    cross: int = 2,
    waits: int = 1,
) -> None:
    """Lemma 9 and Theorem 11, link by link; factors of Lemma 9 may be replaced to see it fail."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    f = phases(instance, rule, growth)
    completions, distances = gsa_completions(instance, f, spacing)
    policy = GSA(alpha=growth, slices=rule, spacing=spacing)
    schedule = simulate(instance, policy)
    assert schedule.completion_times().tolist() == completions
    assert schedule.peak_memory() <= memory
    shuffled = GSA(alpha=growth, slices=rule, spacing=spacing, order="random", seed=len(instance))
    cost = max(sum(completions), simulate(instance, shuffled).total_completion_time())

    used = UTILISATION[spacing]
    shared, by_area = Fraction(0), Fraction(0)
    for q, d in zip(f.run, distances, strict=True):
        now, after = f.alive[q], f.alive[q + 1]
        pairs = now * now + cross * now * after - after * after
        shared += d * (pairs - now - after) / 2
        by_area += area(prompt, f.slices[q]) / (used * memory) * pairs / 2
    own = sum(
        r.output + waits * sum(f.slices[q] for q in f.run if q < p)
        for r, p in zip(instance, f.last, strict=True)
    )
    assert cost <= shared + own
    assert shared <= by_area
    assert own <= (1 + f.waits) * instance.total_output
    assert by_area <= sums(f)[0] / (2 * used * memory)
    bound = gsa_bound_sharper if rule == "alpha" else gsa_bound_area
    a, b = f.factor / used, 1 + f.waits
    assert bound(growth, used) == max(a, 2 * a / 3 + b)
    close(cost, a, b, instance)


# GBA and the SPT pipeline


def check_gba(
    instance: Instance, rule: str, growth: Exact, spacing: str, drain: bool, half: Fraction = HALF
) -> None:
    """Lemma 12 and Theorem 13, link by link; the 1/2 may be replaced to see it fail."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    f = phases(instance, rule, growth)
    used = UTILISATION[spacing]
    completions = [0] * len(instance)
    x, shared, by_area = Fraction(0), Fraction(0), Fraction(0)
    for q in f.run:
        members = [i for i, p in enumerate(f.last) if p == q]
        if not members:
            continue
        tau, d = f.slices[q], SPACINGS[spacing](prompt, f.slices[q], memory)
        for j, i in enumerate(members):
            completions[i] = math.floor(x + j * d) + instance[i].output
        if drain:
            x = Fraction(math.floor(x + (len(members) - 1) * d) + tau)
        else:
            x += len(members) * d
        pairs = f.alive[q] ** 2 - f.alive[q + 1] ** 2
        shared += half * d * pairs
        by_area += area(prompt, tau) / (used * memory) * pairs / 2
    schedule = simulate(instance, GBA(growth, spacing, rule, drain))
    assert schedule.completion_times().tolist() == completions
    assert schedule.peak_memory() <= memory
    cost = sum(completions)
    waited = sum(sum(f.slices[q] for q in f.run if q < p) for p in f.last) if drain else 0
    assert cost <= shared + instance.total_output + waited
    assert shared <= by_area <= f.growth / used * shared_area(instance)
    a, b = f.growth / used, 1 + (f.waits if drain else Fraction(0))
    if rule == "alpha":
        assert gba_bound_sharper(growth, used, drain) == max(a, 2 * a / 3 + b)
    close(cost, a, b, instance)


def check_spt(instance: Instance) -> None:
    """Theorem 14, link by link."""
    prompt, memory = instance.common_prompt, instance.memory
    assert prompt is not None
    order = sorted(range(len(instance)), key=lambda i: instance[i].output)
    completions = [0] * len(instance)
    x = total = pairs = Fraction(0)
    for place, i in enumerate(order):
        completions[i] = math.floor(x) + instance[i].output
        total += x
        distance = SPACINGS["tight"](prompt, instance[i].output, memory)
        assert distance * memory < 2 * instance[i].area
        x += distance
        pairs += Fraction(instance[i].area * (len(order) - 1 - place), memory)
    schedule = simulate(instance, policy_from_spec("spt-pipeline"))
    assert schedule.completion_times().tolist() == completions
    assert schedule.peak_memory() <= memory
    cost = sum(completions)
    assert lower_bound(instance) <= cost <= total + instance.total_output
    assert total <= 2 * pairs <= 2 * shared_area(instance)
    close(cost, Fraction(2), Fraction(1), instance)


def check_inheritance(instance: Instance, alpha: str) -> None:
    """Lemmas 17 and 18, on any prompts."""
    for better, base in (("gba-d", "gba"), ("gsa-spec", "gsa")):
        times = [
            simulate(instance, policy_from_spec(f"{name}:alpha={alpha}")).completion_times()
            for name in (better, base)
        ]
        assert (times[0] <= times[1]).all()


# Constants


def check_constants() -> None:
    """Theorem 15 and its table."""
    for g, before in ((Fraction("2.1275"), True), (Fraction("2.1285"), False)):
        assert ((g - 1) ** 4 < g * (3 - g) ** 2) is before
    low, high = Fraction("2.1275"), Fraction("2.1285")
    root = square_root(low)
    assert low + 2 * low * root / (high - 1) > Fraction("7.6")
    assert root / (root - 1) < Fraction("3.2")
    assert 1 + Fraction("3.2") < Fraction("7.6") / (3 * HALF)
    low, high = Fraction("1.690"), Fraction("1.6905")
    assert phase_factor(low) > phase_factor(low * low)
    assert phase_factor(high) < phase_factor(high * high)
    assert phase_factor(high) > 8
    assert low / (low - 1) < Fraction("2.5")
    assert 1 + Fraction("2.5") < 8 / (3 * HALF)
    for used, low, high in ((THIRD, "1.419", "1.42"), (HALF, "1.4999", "1.5")):
        left, right = Fraction(low), Fraction(high)
        assert 4 * left * (left - 1) ** 2 < 3 * used <= 4 * right * (right - 1) ** 2
        assert right * right / (3 * used) < 2 + 1 / (right - 1)
    assert 4 * Fraction(3, 2) * Fraction(1, 2) ** 2 == 3 * HALF

    steps = [Fraction(k, 100) ** 2 for k in range(101, 200)]  # with rational roots
    factors = [phase_factor(g) for g in steps]
    turn = next(k for k, g in enumerate(steps) if g > Fraction("2.128"))
    assert all(x > y for x, y in pairwise(factors[:turn]))
    assert all(x < y for x, y in pairwise(factors[turn:]))
    for used, alpha in ((THIRD, Fraction("1.42")), (HALF, Fraction(3, 2))):
        for x in steps:
            assert gsa_bound_sharper(x, used) >= gsa_bound_sharper(Fraction("1.69"), used)
            assert gsa_bound_area(x, used) > gsa_bound_area(Fraction("2.128"), used)
            assert gba_bound_sharper(x, used, True) > gba_bound_sharper(alpha, used, True)
        rising = [gba_bound_sharper(x, used, False) for x in (Fraction(1), *steps)]
        assert all(x < y for x, y in pairwise(rising))
        assert rising[0] == (3 if used == THIRD else Fraction(7, 3))

    found = {t.policy: t.constant for t in THEOREMS if t.source == SHARPER}
    assert set(found) == set(STATED)
    for policy, constant in found.items():
        assert constant is not None
        assert Fraction(-math.floor(-100 * constant), 100) == Fraction(STATED[policy]), policy
    assert SPT_PIPELINE_THEOREM.constant == max(Fraction(2), Fraction(4, 3) + 1)


# Instances


def common_prompt(rng: random.Random, n: int, memory: int) -> Instance:
    """Return few or many lengths, in any order, all below the memory."""
    prompt = rng.choice((0, 0, rng.randint(0, memory // 3), rng.randint(0, memory - 1)))
    longest = memory - prompt
    kinds = [rng.randint(1, rng.choice((longest, max(1, longest // 8)))) for _ in range(n)]
    kinds = kinds[: rng.randint(1, n)]
    outputs = [rng.choice(kinds) for _ in range(rng.randint(1, n))]
    return Instance(memory, [prompt] * len(outputs), outputs)


def hard(rng: random.Random, rule: str, growth: Exact, memory: int, n: int) -> Instance:
    """Return requests just above the ends of slices, long ones first, many short ones."""
    prompt = rng.choice((0, 0, 1, 7))
    if rule == "alpha":
        kinds = rng.randint(1, 3)
        counts = [max(1, n * 4**k // 32) for k in range(kinds)]
        return slice_boundary(growth, memory, counts, prompt)
    slice_of = area_slices(growth, prompt)
    lengths = sorted({slice_of(p) + 1 for p in range(60) if slice_of(p) < memory - prompt})
    outputs = [o for k, o in enumerate(lengths[-3:][::-1]) for _ in range(max(1, n * 4**k // 32))]
    return Instance(memory, [prompt] * len(outputs), outputs)


def check_chains(instance: Instance, rule: str, growth: Exact) -> None:
    check_envelopes(instance, rule, growth)
    check_comparison(instance, rule, growth)
    for spacing in SPACINGS:
        check_gsa(instance, rule, growth, spacing)
        for drain in (True, False):
            check_gba(instance, rule, growth, spacing, drain)
    check_spt(instance)


def main(fast: bool) -> None:
    rng = random.Random(9)
    most = 9 if fast else 16
    for prompt in (0, 1, 2, 5):
        for slice in range(1, most):
            for memory in range(prompt + slice, prompt + 2 * slice + (4 if fast else 12)):
                check_tight(prompt, slice, memory)
    most = 15 if fast else 50
    for prompt in (0, 1, 2, 5, 30):
        for slice in range(1, most):
            for memory in range(prompt + slice, prompt + slice + 3 * most):
                check_spacing(prompt, slice, memory)
    for _ in range(50 if fast else 1000):
        prompt, slice = rng.randint(0, 10**4), rng.randint(1, 10**4)
        check_spacing(prompt, slice, prompt + slice + rng.randint(0, 10 ** rng.randint(1, 5)))
    check_no_better_utilisation()
    for memory in range(2, 12 if fast else 30):
        for prompt in range(memory):
            for spacing in SPACINGS:
                check_no_drain(prompt, memory, spacing, rng)
    for prompt in range(8):
        for output in range(1, 30):
            check_mean_age(prompt, output)
    for growth in (*ALPHAS, *(alpha * alpha for alpha in ALPHAS)):
        for _ in range(5 if fast else 50):
            top = rng.randint(1, 9)
            check_geometric(sorted((rng.randint(0, top) for _ in range(9)), reverse=True), growth)
    check_constants()
    for number in range(13 if fast else 130):
        rule, growth = RULES[number % len(RULES)]
        small = common_prompt(rng, n=6, memory=rng.randint(1, 14))
        check_chains(small, rule, growth)
        assert lower_bound(small) <= solve(small, math.inf).lower_bound
        check_chains(common_prompt(rng, n=40, memory=rng.randint(15, 3000)), rule, growth)
        check_chains(hard(rng, rule, growth, rng.randint(30, 1500), n=100), rule, growth)
    for _ in range(10 if fast else 150):
        memory = rng.randint(1, 40)
        prompts = [rng.randint(0, memory - 1) for _ in range(rng.randint(1, 15))]
        mixed = Instance(memory, prompts, [rng.randint(1, memory - s) for s in prompts])
        common = common_prompt(rng, n=15, memory=memory)
        for alpha in ("4/3", "2", "phi"):
            check_inheritance(mixed, alpha)
            check_inheritance(common, alpha)
