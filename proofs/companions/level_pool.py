"""What mixed_non_clairvoyant.md says of the level pool, in runs of it."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

from companions.area_slices import Growth, area, level_of, pair_sum, slice_at
from kvopt import Instance, Schedule, policy_from_spec, simulate, solve
from kvopt.policies.draws import random_offset


def check_pool(
    instance: Instance,
    growth: Growth,
    width: Fraction = Fraction(2),
    share: Fraction = Fraction(1),
    seed: int | None = None,
) -> None:
    """Lemmas 7 and 8 and Theorem 9, in an instance that they cover, with any offset.

    A share of theta may take its place, to see it fail.
    """
    memory, requests = instance.memory, list(instance)
    spec = f"level-pool:alpha={growth}:width={width}"
    scale = Fraction(1)
    if seed is not None:
        spec += f":offset=random:seed={seed}"
        scale = random_offset(growth, random.Random(seed))
    policy = policy_from_spec(spec)
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    schedule = simulate(instance, policy)
    widths = [max(r.prompt + 1, math.floor(width * r.prompt)) for r in requests]
    widest = Fraction(max(widths), memory)
    rho = max(Fraction(w, r.prompt + 1) for w, r in zip(widths, requests, strict=True))
    keys, runs = pool_keys(instance, schedule, growth, scale)
    number = range(len(requests))
    final = [runs[i][-1] for i in number]  # (p(i), i) and the times of the last attempt
    waited = [0] * len(requests)
    for t in range(schedule.makespan):
        running = {i: q for i, q, start, end in keys if start <= t < end}
        waiting = {
            i: next(q for q, start, _ in runs[i] if start > t)
            for i in number
            if i not in running and final[i][1] > t
        }
        if waiting:
            level, head = min((q, i) for i, q in waiting.items())
            assert sum(widths[i] for i in running) > memory - widths[head]
            assert all((q, i) <= (level, head) for i, q in running.items())
        for i in waiting:
            waited[i] += 1
    for i in number:
        taken = sum(
            widths[j] * (end - start)
            for j, q, start, end in keys
            if j != i and (q, j) < (final[i][0], i)
        )
        assert (1 - widest) * memory * waited[i] <= taken
        assert waited[i] + sum(end - start for _, start, end in runs[i]) == final[i][2]
    theta = (1 + growth + 2 * growth / (growth - 1)) * share
    for i, j in itertools.combinations(number, 2):
        waits = 0
        for one, other in ((i, j), (j, i)):
            limit = (final[one][0], one)
            levels = [q for q, _, _ in runs[other] if (q, other) < limit]
            killed = [q for q in levels if q < final[other][0]]
            waits += sum(scale * growth**q for q in killed)
            waits += requests[other].area if len(killed) < len(levels) else 0
            for q, start, end in runs[other]:
                taken = widths[other] * (end - start)
                largest = scale * growth**q if q in killed else requests[other].area
                assert taken <= rho * largest
        smaller = min(requests[i].area, requests[j].area)
        reached = scale * growth ** min(final[i][0], final[j][0])  # A_m
        assert reached / growth <= smaller <= reached
        assert waits <= (1 + 2 * share / (growth - 1)) * reached + smaller
        assert waits <= theta * smaller
    check_pool_cost(instance, schedule, theta * rho / (1 - widest), growth)
    assert guarantee.bound >= theta * rho / (1 - widest)


def check_pool_cost(
    instance: Instance, schedule: Schedule, factor: Fraction, growth: Growth
) -> None:
    """Theorem 9, given F, against the optimum; W is rounded down."""
    waits = Fraction(math.floor(10**9 / (1 - float(growth) ** -0.5)) - 1, 10**9)
    total = instance.total_output
    pairs = Fraction(pair_sum(instance) - sum(r.area for r in instance), 2 * instance.memory)
    cost = schedule.total_completion_time()
    assert cost <= factor * pairs + (1 + waits) * total
    optimum = solve(instance, math.inf).lower_bound
    assert cost <= max(factor, 2 * factor / 3 + 1 + waits) * optimum


def check_places(instance: Instance, growth: Growth, part: Fraction = Fraction(1, 2)) -> None:
    """Theorem 15 for random places and a fixed offset: the mean over all orders.

    Another part of A_m than the half may take its place, to see it fail.
    """
    memory, number = instance.memory, len(instance)
    widths = [max(r.prompt + 1, 2 * r.prompt) for r in instance]
    rho = max(Fraction(w, r.prompt + 1) for w, r in zip(widths, instance, strict=True))
    factor = (
        (1 + part * growth + 2 * growth / (growth - 1)) * rho / (1 - Fraction(max(widths), memory))
    )
    costs = []
    for order in itertools.permutations(range(number)):
        prompts, outputs = instance.prompts[list(order)], instance.outputs[list(order)]
        policy = policy_from_spec(f"level-pool:alpha={growth}")
        schedule = simulate(Instance(memory, prompts, outputs), policy)
        costs.append(schedule.total_completion_time())
    mean = Fraction(sum(costs), len(costs))
    own = 0
    for r in instance:  # the runs of a request do not depend on the order
        last = level_of(r.prompt, r.output, memory, growth)
        slices = {slice_at(r.prompt, q, memory, growth) for q in range(last)}
        own += sum(slices) + r.output
    pairs = Fraction(pair_sum(instance) - sum(r.area for r in instance), 2 * memory)
    assert mean <= factor * pairs + own


def check_offset(value: int, growth: Growth, rng: random.Random) -> None:
    """Theorem 15: the least c growth^q >= v is v growth^X, X uniform as the logarithm of c is.

    For c = growth^u, X and u differ by a constant, modulo 1: that is, X < x exactly if c is in
    an arc of [1, growth) of the length x on the scale of logarithms.
    """
    power = Fraction(1)
    while power * growth <= value:
        power *= growth
    begin = value / power  # in [1, growth); X = 0 there
    scale = 1 + (growth - 1) * Fraction(rng.randrange(1000), 1000)
    least = next(a for q in itertools.count() if (a := scale * growth**q) >= value)
    assert least / value == (scale / begin if scale >= begin else scale * growth / begin)
    assert 1 <= least / value < growth


def check_runs_with_offset(
    prompt: int, output: int, memory: int, growth: Growth, scale: Fraction
) -> None:
    """Theorem 15, W': tau_{i,q} <= (A_q / v_i)^(1/2) o_i for q < p(i), and v_i <= A_p."""
    last = level_of(prompt, output, memory, growth, scale)
    v = area(prompt, output)
    assert scale * growth ** (last - 1) < v or last == 0
    assert v <= scale * growth**last
    for q in range(last):
        t = slice_at(prompt, q, memory, growth, scale)
        assert t * t * v <= scale * growth**q * output * output


Runs = list[list[tuple[int, int, int]]]


def pool_keys(
    instance: Instance, schedule: Schedule, growth: Growth, scale: Fraction
) -> tuple[list[tuple[int, int, int, int]], Runs]:
    """Return (request, level, start, end) of all attempts, and by request without it."""
    runs: Runs = []
    for i, request in enumerate(instance):
        attempts = iter([a for a in schedule if a.request == i])
        longest, found, previous = instance.memory, [], 0
        for q in range(level_of(request.prompt, request.output, longest, growth, scale) + 1):
            slice = slice_at(request.prompt, q, longest, growth, scale)
            if slice > previous:
                attempt = next(attempts)
                # Capped or not, the slice is long enough for the attempt, and killed ones have all.
                assert attempt.end - attempt.start <= slice
                assert not attempt.killed or attempt.end - attempt.start == slice
                found.append((q, attempt.start, attempt.end))
                previous = slice
        assert next(attempts, None) is None
        runs.append(found)
    return [(i, *run) for i, one in enumerate(runs) for run in one], runs


def covered_instance(rng: random.Random) -> Instance:
    """Return requests with outputs of at most the prompt and prompts of at most M/4."""
    memory = rng.randint(4, 40)
    prompts = [rng.randint(1, memory // 4) for _ in range(rng.randint(1, 8))]
    return Instance(memory, prompts, [rng.randint(1, s) for s in prompts])
