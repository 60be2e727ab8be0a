"""Companion of mixed_non_clairvoyant.md: each step of its theorems, on random and tiny runs."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from companions.area_slices import (
    Growth,
    area,
    check_optimum,
    level_of,
    pair_sum,
    slice_at,
)
from companions.level_pool import (
    check_offset,
    check_places,
    check_pool,
    check_runs_with_offset,
    covered_instance,
)
from kvopt import Instance, Schedule, policy_from_spec, simulate, solve
from kvopt.policies.draws import random_offset
from kvopt.theory.gsa_bounds import phase_factor


def check_slices(prompt: int, output: int, memory: int, growth: Growth) -> None:
    """Lemma 2."""
    last = level_of(prompt, output, memory, growth)
    slices = [slice_at(prompt, q, memory, growth) for q in range(last + 1)]
    for t in slices:
        assert (prompt + t) * t <= 2 * area(prompt, t)
    assert growth ** (last - 1) < area(prompt, output)
    for q, t in enumerate(slices[:-1]):
        assert t**2 < growth ** (q - last + 1) * output**2
    waits = sum(slices[:-1])
    # waits < output / (1 - growth^(-1/2)), squared where that is needed
    assert waits <= output or (waits - output) ** 2 * growth < waits**2


def reserved(schedule: Schedule, peaks: dict[tuple[int, int], int], time: int) -> int:
    """Return the sum of the reserved peaks of what runs in round time + 1."""
    return sum(peaks[a.request, a.start] for a in schedule if a.start <= time < a.end)


def check_area_phases(
    instance: Instance, growth: Growth, share: Fraction = Fraction(1, 4), drained: bool = True
) -> None:
    """Theorem 5, link by link.

    A larger share of the memory than the 1/4 of Lemma 4, or no term for drained phases, may take
    the place of what is proved, to see it fail.
    """
    memory, requests = instance.memory, list(instance)
    policy = policy_from_spec(f"area-phases:alpha={growth}")
    schedule = simulate(instance, policy)
    levels = [level_of(r.prompt, r.output, memory, growth) for r in requests]
    slices = [
        [slice_at(r.prompt, q, memory, growth) for q in range(max(levels) + 1)] for r in requests
    ]
    attempts = {i: [a for a in schedule if a.request == i] for i in range(len(requests))}
    alive = [sum(p >= q for p in levels) for q in range(max(levels) + 2)]  # N_q
    longest, peaks, begins = [], {}, []
    begin = 0
    for q in range(max(levels) + 1):
        phase = []
        for i, p in enumerate(levels):
            if p >= q and slices[i][q] > (slices[i][q - 1] if q else 0):
                attempt = attempts[i].pop(0)
                assert attempt.end - attempt.start == min(slices[i][q], requests[i].output)
                assert attempt.killed == (p > q)
                peaks[i, attempt.start] = requests[i].prompt + slices[i][q]
                phase.append((attempt.start, 2 * peaks[i, attempt.start] <= memory, i, attempt.end))
        begins.append((begin, sorted(phase)))
        assert all(start >= begin for start, _, _, _ in phase)
        begin = max((end for _, _, _, end in phase), default=begin)
        longest.append(max((slices[i][q] for _, _, i, _ in phase), default=0))
    assert not any(attempts.values())
    used = max(share, Fraction(memory - max(peaks.values()), 2 * memory))
    check_phases(instance, schedule, begins, peaks, slices, used)
    total, pairs = instance.total_output, pair_sum(instance)
    own = total + sum(d * n for d, n in zip(longest, alive[1:], strict=True)) * drained
    areas = [growth**q for q in range(-1, max(levels) + 1)]
    forms = list(zip(areas, areas[1:], alive, alive[1:], strict=False))
    upper = sum(a * (n * n + 2 * n * m - m * m) for _, a, n, m in forms)
    lower = sum(a * (n * n - m * m) for a, _, n, m in forms)
    factor = phase_factor(growth)
    cost = schedule.total_completion_time()
    assert cost <= upper / (2 * used * memory) + own
    assert upper <= factor * lower
    assert lower <= pairs
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    assert guarantee.bound == max(factor / used, 2 * factor / (3 * used) + Fraction(own, total))
    optimum = solve(instance, math.inf).lower_bound
    check_optimum(instance, optimum)
    assert cost <= guarantee.bound * optimum


def check_phases(
    instance: Instance,
    schedule: Schedule,
    begins: Sequence[tuple[int, list[tuple[int, bool, int, int]]]],
    peaks: dict[tuple[int, int], int],
    slices: list[list[int]],
    used: Fraction,
) -> None:
    """Lemma 4 in each phase: a list of (start, small, request, end) that begins at a time."""
    memory = instance.memory
    for q, (begin, phase) in enumerate(begins):
        before = 0
        starts = [start for start, _, _, _ in phase]
        by_width = sorted(phase, key=lambda entry: (entry[1], entry[0]))
        assert [entry[0] for entry in by_width] == starts  # wide ones first
        for start, _, i, end in by_width:
            assert used * memory * (start - begin) <= before
            for t in range(begin, start):
                assert reserved(schedule, peaks, t) > 2 * used * memory
            before += area(instance[i].prompt, slices[i][q])
            assert end <= start + slices[i][q]


def check_no_constant(m: int, growth: Growth) -> None:
    """Theorem 6; the optimum of small instances is at most the schedule of the proof."""
    memory = m**4
    instance = Instance(memory, [memory - 1] * m + [0], [1] * m + [2 * m * m])
    policy = policy_from_spec(f"area-phases:alpha={growth}")
    cost = simulate(instance, policy).total_completion_time()
    other = Schedule.from_starts(instance, range(m + 1)).total_completion_time()
    assert other == Fraction(5 * m * m + 3 * m, 2)
    assert (cost / Fraction(m) + Fraction(3, 2)) ** 2 > 2 / growth * m**4
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    assert cost <= guarantee.bound * other


LAMBDA, THETA, SHARE = Fraction(5, 3), Fraction(2, 5), Fraction(16, 25)
BETA, GAMMA, FORM = Fraction(47, 25), Fraction(2, 5), Fraction(5, 4)


def potential(z: Fraction, r: Fraction) -> Fraction:
    """Return V(z, r)."""
    return r * (1 - r / z) * (BETA - GAMMA * r / z) if z else Fraction(0)


def check_square(form: Fraction = FORM, pieces: int = 16) -> None:
    """Lemma 11 (a): the Bernstein coefficients of G on all pieces of the unit square."""
    g: dict[tuple[int, int], Fraction] = {  # (power of s, power of p): coefficient
        (0, 0): BETA - LAMBDA,
        (1, 0): -BETA - GAMMA + LAMBDA * form,
        (2, 0): GAMMA,
        (0, 1): -LAMBDA * (BETA - 1),
        (0, 2): LAMBDA * (BETA + GAMMA),
        (0, 3): -LAMBDA * GAMMA,
        (1, 2): -LAMBDA * form,
    }
    for s, p in itertools.product((Fraction(0), Fraction(1, 3), Fraction(1)), repeat=2):
        direct = (1 - s) * (BETA - GAMMA * s) - LAMBDA * (1 - p) * (
            1 - form * (1 + p) * s + p * (BETA - GAMMA * p)
        )
        assert direct == sum(c * s**i * p**j for (i, j), c in g.items())
    for a, b in itertools.product(range(pieces), repeat=2):
        local: dict[tuple[int, int], Fraction] = {}  # in (s pieces - a, p pieces - b)
        for (i, j), c in g.items():
            for u, v in itertools.product(range(i + 1), range(j + 1)):
                part = math.comb(i, u) * a ** (i - u) * math.comb(j, v) * b ** (j - v)
                local[u, v] = local.get((u, v), Fraction(0)) + c * part / Fraction(pieces) ** (
                    i + j
                )
        for x, y in itertools.product(range(3), range(4)):
            bernstein = sum(
                c * Fraction(math.comb(x, u) * math.comb(y, v), math.comb(2, u) * math.comb(3, v))
                for (u, v), c in local.items()
            )
            assert bernstein >= 0


def check_potential(z: Fraction, r: Fraction, more: Fraction) -> None:
    """Lemma 11 at one place, 0 <= r <= z."""
    for d in (z, z + more):
        if d:
            gain = (z - r) * (1 - FORM * (z + r) / d) + potential(z, r)
            assert potential(d, z) >= LAMBDA * gain
    assert potential(z + more, r + more) <= potential(z, r) + BETA * more
    assert potential(z + more, r) <= potential(z, r) + (BETA - GAMMA) * more
    assert 0 <= potential(z, r) <= (BETA - GAMMA) * (z - r)


def equal_slice(prompt: int, largest: int, stage: int, memory: int) -> int:
    """Return sigma, an area of `largest` being allowed."""
    limit = min(math.floor(LAMBDA**stage), memory - prompt)
    rounds = 0
    while rounds < limit and area(prompt, rounds + 1) <= largest:
        rounds += 1
    return rounds


def given_out(instance: Instance, members: Iterable[int], largest: int, stage: int) -> int:
    """Return B_k(a)."""
    prompts, memory = instance.prompts.tolist(), instance.memory
    return sum(area(prompts[i], equal_slice(prompts[i], largest, stage, memory)) for i in members)


def check_budget(
    instance: Instance,
    early: Fraction = BETA - GAMMA,
    pairs_form: Fraction = FORM,
    packing: Fraction | None = None,
) -> None:
    """Lemmas 10 and 12 and Theorems 13 and 14, link by link; against a small optimum.

    Smaller factors of what is early, of the pairs, or of the areas in the starts, may take the
    place of those proved.
    """
    memory, requests, number = instance.memory, list(instance), range(len(instance))
    policy = policy_from_spec("area-budget")
    schedule = simulate(instance, policy)
    factors, latest = [Fraction(0)], Fraction(0)  # of theorem 14; when a stage begins at the latest
    attempts = {i: [a for a in schedule if a.request == i] for i in number}
    alive, completed, largest = [set(number)], [], []  # S_k, who completes, a_k
    longest = [0] * len(requests)
    begin = 0
    while alive[-1]:
        k = len(largest)
        budget = THETA * memory * LAMBDA**k
        a = 0
        top = memory * memory  # stands for infinity
        if given_out(instance, alive[k], top, k) <= budget:
            a = top
        else:
            while given_out(instance, alive[k], a + 1, k) <= budget:
                a += 1
        largest.append(a)
        end, waits = begin, []
        given = peak = most = 0
        for i in alive[k]:
            slice = equal_slice(requests[i].prompt, a, k, memory)
            if slice > longest[i]:
                attempt = attempts[i].pop(0)
                assert begin <= attempt.start
                waits.append(attempt.start - begin)
                given += area(requests[i].prompt, slice)
                peak, most = max(peak, requests[i].prompt + slice), max(most, slice)
                assert attempt.end - attempt.start == min(slice, requests[i].output)
                longest[i], end = slice, max(end, attempt.end)
        used = packing or 1 / max(Fraction(1, 4), Fraction(memory - peak, 2 * memory))
        wait = used * given / memory
        assert max(waits, default=0) <= wait <= 4 * THETA * LAMBDA**k
        assert end - begin <= wait + most <= (4 * THETA + 1) * LAMBDA**k
        done = {i for i in alive[k] if requests[i].output <= LAMBDA**k and requests[i].area <= a}
        assert done == {i for i in alive[k] if longest[i] >= requests[i].output}
        if done:
            factors.append((latest + wait) / LAMBDA**k)
        assert begin <= latest
        begin, latest = end, latest + wait + most
        completed.append(done)
        alive.append(alive[k] - done)
    assert not any(attempts.values())
    factor = max(factors)
    assert factor <= Fraction(11, 2)
    stage_of = {i: k for k, done in enumerate(completed) for i in done}
    times = schedule.completion_times().tolist()
    total, double_pairs = instance.total_output, pair_sum(instance)
    for i in number:
        assert times[i] <= factor * LAMBDA ** stage_of[i] + requests[i].output
    reached = check_stages(instance, alive, completed, largest, early, pairs_form)
    assert reached <= double_pairs
    stages = sum(LAMBDA**k for k in stage_of.values())
    average = Fraction(double_pairs, 2 * memory)
    assert stages <= Fraction(125, 12) * average + Fraction(1217, 375) * total
    cost = schedule.total_completion_time()
    shared, own = Fraction(125, 12) * factor, 1 + Fraction(1217, 375) * factor
    assert cost <= shared * average + own * total
    bound = max(shared, 2 * shared / 3 + own)
    assert bound <= Fraction(1375, 24)
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    assert bound <= guarantee.bound < bound + Fraction(1, 10**6)
    if len(requests) < 8:
        optimum = solve(instance, math.inf).lower_bound
        check_optimum(instance, optimum)
        assert cost <= bound * optimum


def check_stages(
    instance: Instance,
    alive: list[set[int]],
    completed: list[set[int]],
    largest: list[int],
    early: Fraction,
    pairs_form: Fraction,
) -> int:
    """Lemma 12 up to the sum over the stages; returns the sum of E_k + 2 H'_k."""
    memory, requests = instance.memory, list(instance)
    v = [r.area for r in requests]
    late = [{i for i in s if requests[i].output <= LAMBDA ** (k - 1)} for k, s in enumerate(alive)]
    assert not late[0]
    counted: set[frozenset[int]] = set()
    weight, gained, own, reached = BETA - GAMMA + 1, Fraction(0), Fraction(0), 0
    for k in range(1, len(completed)):
        ending = late[k] & completed[k]
        entering = late[k] - late[k - 1]
        before = completed[k - 1] - late[k - 1]  # the f_{k-1}
        others = alive[k] - late[k]  # J
        assert alive[k - 1] == (late[k - 1] | entering | before | others)
        assert late[k] == (late[k - 1] - completed[k - 1]) | entering
        assert all(requests[i].output > LAMBDA ** (k - 2) for i in entering | before)
        z, n = len(late[k]), len(ending)
        d = len(late[k - 1]) + len(entering) + SHARE * len(before)
        pairs = [(i, j) for i in late[k] for j in late[k] if i in ending or j in ending]
        inner = sum(min(v[i], v[j]) for i, j in pairs)
        outer_pairs = [(i, j) for i in ending for j in before | others]
        outer = sum(min(v[i], v[j]) for i, j in outer_pairs)
        for pair in {frozenset(p) for p in pairs} | {frozenset(p) for p in outer_pairs}:
            assert pair not in counted
            counted.add(pair)
        reached += inner + 2 * outer
        if late[k]:
            check_stage_before(instance, k, late[k], before, others, largest[k - 1], d)
            y = largest[k - 1] + 1
            assert inner >= y * n * (2 * z - n)
        used = pairs_form * inner + weight * outer
        step = n * LAMBDA ** (k - 1) - used / (THETA * memory)
        after = LAMBDA ** (k - 1) * potential(Fraction(z), Fraction(z - n))
        assert LAMBDA ** (k - 2) * potential(d, Fraction(z)) >= step + after
        rest = len(late[k - 1]) - len(late[k - 1] & completed[k - 1])
        assert potential(d, Fraction(z)) <= potential(
            Fraction(len(late[k - 1])), Fraction(rest)
        ) + BETA * len(entering) + early * SHARE * len(before)
        gained += n * LAMBDA ** (k - 1)
        own += sum(BETA * requests[i].output for i in entering)
        own += sum(early * SHARE * requests[i].output for i in before)
    assert gained <= FORM * reached / (THETA * memory) + own
    return reached


def check_stage_before(
    instance: Instance,
    k: int,
    late: set[int],
    before: set[int],
    others: set[int],
    largest: int,
    d: Fraction,
) -> None:
    """Lemma 12, a stage before: t < y D + H, and H against each request of Z_k."""
    memory, requests = instance.memory, list(instance)
    y = largest + 1
    terms = {
        j: area(requests[j].prompt, equal_slice(requests[j].prompt, y, k - 1, memory))
        for j in late | before | others
    }
    assert all(term <= y for term in terms.values())
    h = sum((1 - SHARE) * terms[j] for j in before) + sum(terms[j] for j in others)
    assert THETA * memory * LAMBDA ** (k - 1) < y * d + h
    for i in late:
        assert requests[i].area >= y
        assert h <= sum(min(requests[i].area, requests[j].area) for j in before | others)


def random_instance(rng: random.Random) -> Instance:
    """Return a few requests with any prompts and lengths."""
    memory = rng.randint(2, 24)
    prompts = [rng.randint(0, memory - 1) for _ in range(rng.randint(1, 7))]
    if rng.random() < 0.3:
        prompts = [rng.choice((0, memory - 1, memory // 2, prompts[0])) for _ in prompts]
    return Instance(memory, prompts, [rng.randint(1, memory - s) for s in prompts])


def crowd(rng: random.Random) -> Instance:
    """Return many requests, of few kinds, narrow and wide, long and short."""
    memory = rng.randint(4, 60)
    kinds = []
    for _ in range(rng.randint(1, 4)):
        prompt = rng.choice((0, memory - 1, rng.randint(0, memory - 1)))
        kinds.append((prompt, rng.choice((1, memory - prompt, rng.randint(1, memory - prompt)))))
    return Instance.from_groups(memory, [(s, o, rng.randint(1, 20)) for s, o in kinds])


def tiny_instances(memory: int, requests: int) -> Iterator[Instance]:
    """Return all instances with so much memory and so many requests, up to their order."""
    kinds = [(s, o) for s in range(memory) for o in range(1, memory - s + 1)]
    for chosen in itertools.combinations_with_replacement(kinds, requests):
        yield Instance(memory, [s for s, _ in chosen], [o for _, o in chosen])


GROWTHS = (Fraction(3, 2), Fraction(2), Fraction(17, 8), Fraction(3), Fraction(4))


def main(fast: bool) -> None:
    rng = random.Random(10)
    for growth in GROWTHS:
        for memory in range(1, 10 if fast else 30):
            for prompt in range(memory):
                for output in range(1, memory - prompt + 1):
                    check_slices(prompt, output, memory, growth)
    for _ in range(80 if fast else 2000):
        check_area_phases(random_instance(rng), rng.choice(GROWTHS))
    for memory, requests in ((3, 3), (4, 2)) if fast else ((3, 4), (4, 4), (5, 3), (6, 3)):
        for instance in tiny_instances(memory, requests):
            check_area_phases(instance, Fraction(3))
    for _ in range(60 if fast else 1000):
        growth = rng.choice((*GROWTHS, Fraction(12, 5)))
        check_pool(covered_instance(rng), growth)
        check_pool(covered_instance(rng), growth, seed=rng.randrange(10**6))
        check_offset(rng.randint(1, 10**6), growth, rng)
        check_runs_with_offset(
            prompt := rng.randint(0, 30),
            rng.randint(1, 60 - prompt),
            60,
            growth,
            random_offset(growth, rng),
        )
    for _ in range(8 if fast else 200):
        few = covered_instance(rng)
        few = Instance(few.memory, few.prompts[:4], few.outputs[:4])
        check_places(few, rng.choice((*GROWTHS, Fraction(12, 5))))
    check_square()
    for _ in range(300 if fast else 20000):
        z, more = (Fraction(rng.randint(0, 30), rng.randint(1, 9)) for _ in range(2))
        check_potential(z, z * Fraction(rng.randint(0, 12), 12), more)
    for _ in range(40 if fast else 500):
        check_budget(crowd(rng))
        check_budget(random_instance(rng))
    for memory, requests in ((3, 3),) if fast else ((3, 4), (4, 4), (5, 3)):
        for instance in tiny_instances(memory, requests):
            check_budget(instance)
    for m in range(2, 6 if fast else 20):
        check_no_constant(m, rng.choice(GROWTHS))


if __name__ == "__main__":
    main(fast=False)
