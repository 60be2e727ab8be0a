"""Companion of online_lower_bound.md: stopped runs, weights, steps, and a search of sequences."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement, permutations
from pathlib import Path
from typing import ClassVar

from kvopt import Decisions, Instance, Machine, Policy, Schedule, Wait, policy_from_spec, simulate
from kvopt.theory.other_bounds import NON_CLAIRVOYANT_SHARPER

DATA = Path(__file__).parent.parent / "data" / "online_lower_bound.json"

SCALE = 10**12
"""Weights are integers over this, rounded up."""

STATED = {
    2: "2.77",
    3: "3.17",
    4: "3.41",
    5: "3.56",
    6: "3.68",
    8: "3.82",
    12: "3.99",
    20: "4.12",
    40: "4.23",
    120: "4.31",
    400: "4.33",
}
"""1 + 1 / c_n by number of requests, rounded down."""

LIMIT = ("4.3509", "1.79328", "1.79329")
"""Corollary 8: the limit, rounded down, and numbers between which x lies."""


def rounded_up(p: int, q: int) -> int:
    """Return p / q rounded up, for q > 0."""
    return -(-p // q)


def phi(top: Sequence[Fraction | int]) -> Fraction | int:
    """Return Phi(l)."""
    return sum(k * x for k, x in enumerate(top, 1))


def largest(numbers: Sequence[int], n: int) -> list[int]:
    """Return the n largest, with zeros if there are fewer."""
    return sorted([*numbers, *[0] * n], reverse=True)[:n]


# Lemmas 1 and 2: runs of policies.


@dataclass(frozen=True)
class Scattered(Policy):
    """Attempts at random requests, of random lengths, with idle rounds and without any order.

    Its random numbers depend on the seed and on what it has seen, so it is deterministic.
    """

    name: ClassVar[str] = "scattered"
    clairvoyant: ClassVar[bool] = False

    seed: int

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        rng = random.Random(self.seed)
        spread = rng.randint(1, 6)
        while len(unfinished := machine.unfinished()):
            if rng.random() < 0.2:
                yield Wait(machine.now + rng.randint(1, 1 + machine.now // 8))
            limit = rng.choice((1, 2, rng.randint(1, 3 + machine.now // spread), None))
            if limit is None and rng.random() < 0.9:
                limit = rng.randint(1, 3 + machine.now)
            machine.start(rng.choice(unfinished.tolist()), kill_at=limit)
            yield Wait(None if limit is None else machine.now + limit)


@dataclass(frozen=True)
class RoundRobin(Policy):
    """One attempt for each request in turn, each longer by a factor than the one before."""

    name: ClassVar[str] = "round-robin"
    clairvoyant: ClassVar[bool] = False

    factor: Fraction

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        limit = Fraction(1)
        while len(unfinished := machine.unfinished()):
            for request in unfinished.tolist():
                machine.start(request, kill_at=int(limit))
                yield Wait(machine.now + int(limit))
                limit *= self.factor


def attempts(schedule: Schedule) -> list[tuple[int, int, int, bool]]:
    """Return (start, end, request, killed) of every attempt, in order of time."""
    return sorted((a.start, a.end, a.request, a.killed) for a in schedule)


def shortest_first(outputs: Sequence[int]) -> int:
    """Return the least cost on one machine."""
    return int(phi(sorted(outputs, reverse=True)))


def check_shortest_first(outputs: Sequence[int]) -> None:
    """Shortest first is optimal, and the k-th largest output counts k times."""
    best = min(
        sum(sum(order[: i + 1]) for i in range(len(order))) for order in permutations(outputs)
    )
    assert shortest_first(outputs) == best


def outcome(policy: Policy, longest: int, outputs: Sequence[int]) -> tuple[Schedule, Fraction]:
    """Return the policy's schedule where one request fits at a time, and its ratio."""
    assert all(1 <= o <= longest for o in outputs)
    instance = Instance(2 * longest, [longest] * len(outputs), outputs)
    schedule = simulate(instance, policy)
    cost = schedule.total_completion_time()
    return schedule, Fraction(cost, shortest_first(outputs))


def check_stop(
    policy: Policy, n: int, longest: int, run: Sequence[tuple[int, int, int, bool]]
) -> Fraction:
    """Lemma 1 after a run of killed attempts, and what Lemma 3 makes of it; return the ratio."""
    best = [max((e - b for b, e, i, _ in run if i == j), default=0) for j in range(n)]
    lengths = [e - b for b, e, _, _ in run]
    time = max((e for _, e, _, _ in run), default=0)
    outputs = [b + 1 for b in best]
    schedule, ratio = outcome(policy, longest, outputs)
    optimum = shortest_first(outputs)
    assert attempts(schedule)[: len(run)] == list(run)
    assert min(schedule.completion_times()) > time >= sum(lengths)
    assert ratio * optimum >= n * time + optimum
    top = largest(lengths, n)
    assert all(x <= y for x, y in zip(sorted(best, reverse=True), top, strict=True))
    assert optimum <= phi(top) + n * (n + 1) // 2
    return ratio


def check_jump(
    policy: Policy, n: int, longest: int, run: Sequence[tuple[int, int, int, bool]], factor: int
) -> Fraction:
    """Lemma 2 for the last attempt of a run, the first that may complete; return the ratio."""
    *before, (start, end, request, _) = run
    spent = sum(e - b for b, e, _, _ in before)
    y = factor * (spent + n)
    if end - start < y:
        return Fraction(1)
    outputs = [1 + max((e - b for b, e, i, _ in before if i == j), default=0) for j in range(n)]
    outputs[request] = y
    schedule, ratio = outcome(policy, longest, outputs)
    assert min(schedule.completion_times()) >= y
    assert factor * shortest_first(outputs) <= (n + factor) * y
    assert ratio >= Fraction(n * factor, n + factor)
    return ratio


def adversary(policy: Policy, n: int, longest: int) -> Fraction:
    """Return the largest ratio after stops and jumps, each of which is checked."""
    never, _ = outcome(policy, longest, [longest] * n)
    run = attempts(never)
    unlucky = next(m for m, attempt in enumerate(run) if not attempt[3])
    worst = Fraction(1)
    for m in range(unlucky + 1):
        worst = max(worst, check_stop(policy, n, longest, run[:m]))
    for m in range(1, unlucky + 2):
        for factor in (1, 2, 5, 20):
            worst = max(worst, check_jump(policy, n, longest, run[:m], factor))
    return worst


# Theorem 10: several requests at a time.


@dataclass(frozen=True)
class Crowd(Policy):
    """Random attempts, as many at a time as fit, of random lengths."""

    name: ClassVar[str] = "crowd"
    clairvoyant: ClassVar[bool] = False

    seed: int

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        rng = random.Random(self.seed)
        while len(machine.unfinished()):
            for request in rng.sample(waiting := machine.waiting().tolist(), len(waiting)):
                free = machine.memory - machine.memory_next_round()
                if free > machine.prompt(request) and rng.random() < 0.8:
                    limit = rng.randint(1, 2 + machine.now)
                    machine.start(request, kill_at=rng.choice((1, limit, 2 * limit)))
            yield Wait(machine.now + rng.randint(1, 2 + machine.now // 4))


def psi(k: int, outputs: Sequence[int]) -> int:
    """Return Psi of numbers in any order: the least cost with k requests at a time."""
    ranked = sorted(outputs, reverse=True)
    return sum(rounded_up(i, k) * u for i, u in enumerate(ranked, 1))


def check_psi(k: int, u: Sequence[int], v: Sequence[int]) -> None:
    """Psi is the least cost, and (1) holds for at most k numbers v."""
    best = None
    for order in permutations(u):
        free, cost = [0] * k, 0
        for o in order:
            cost += free[0] + o
            free = sorted([free[0] + o, *free[1:]])
        best = cost if best is None else min(best, cost)
    assert best == psi(k, u)
    assert psi(k, [*u, *v]) <= psi(k, u) + sum(u) + sum(v)
    assert k * psi(k, u) <= phi(sorted(u, reverse=True)) + k * sum(u)


def check_crowd(policy: Policy, k: int, rounds: int, longest: int) -> None:
    """Theorem 10 at every stop, for n = N k: what leads to (2), and (2) for R = the ratio."""
    n, prompt = k * rounds, k * longest
    memory = k * (prompt + longest)
    never = Instance(memory, [prompt] * n, [longest] * n)
    run = sorted(attempts(simulate(never, policy)), key=lambda a: a[1])
    for stop in range(1, longest):
        killed = [a for a in run if a[1] <= stop]
        for m in range(len(killed) + 1):
            others = {i for b, e, i, _ in run[m:] if b < stop <= e}
            if any(e < stop for _, e, _, _ in run[m:]):
                continue
            assert len(others) <= k
            longest_of = [0] * n
            for b, e, i, _ in run:
                longest_of[i] = max(longest_of[i], min(e, stop) - b)
            outputs = [x + 1 for x in longest_of]
            schedule = simulate(Instance(memory, [prompt] * n, outputs), policy)
            seen = sorted(a for a in run if a[1] <= stop)
            assert sorted(a for a in attempts(schedule) if a[1] <= stop) == seen
            assert min(schedule.completion_times()) > stop
            cost, optimum = schedule.total_completion_time(), psi(k, outputs)
            alone = [o for i, o in enumerate(outputs) if i not in others]
            assert cost >= n * stop + psi(k, alone) >= n * stop + optimum - k * stop - n
            top = largest([e - b for b, e, _, _ in run[:m]], n)
            assert k * optimum <= phi(top) + 2 * k * k * stop + n * n
            ratio = Fraction(cost, optimum) - 1
            assert k * (n * stop - k * stop - n) <= ratio * (phi(top) + 2 * k * k * stop + n * n)


# Lemmas 4 and 5: weights.


def weights(n: int, c: Fraction, q: Fraction) -> list[int]:
    """Return lambda_1, ..., lambda_n times `SCALE`, rounded up."""
    (u, v), (a, d) = (c * n).as_integer_ratio(), q.as_integer_ratio()
    found = [0] * (n + 2)
    after = 0  # mu_{i+1}
    for i in range(n, 1, -1):
        after = rounded_up((d - a) * i * v * SCALE + a * u * after, u * d)
        found[i] = max(SCALE, after) if (i - 1) * v <= u else after
    found[1] = rounded_up((d - a) * v * SCALE + a * u * (found[2] - SCALE), u * (d - a))
    return found[1:-1]


def check_weights(n: int, c: Fraction, q: Fraction, w: Sequence[int]) -> None:
    """Lemma 4, for weights times `SCALE`."""
    (u, v), (a, d) = (c * n).as_integer_ratio(), q.as_integer_ratio()
    assert len(w) == n >= 2
    assert 0 <= a < d
    assert 0 <= w[0] < SCALE
    p = next((i for i in range(2, n + 1) if w[i - 1] < SCALE), n + 1) - 1
    assert p >= 2
    assert all(0 <= x <= SCALE for x in w[p:])
    after = [*w[1:], 0]
    after[0] += w[0] - SCALE
    for i, (x, y) in enumerate(zip(w, after, strict=True), 1):
        assert u * d * x >= (d - a) * i * v * SCALE + a * u * y


def with_number(top: Sequence[Fraction], y: Fraction) -> list[Fraction]:
    """Return l + [y]."""
    return sorted([*top, y], reverse=True)[:-1]


def check_number(
    n: int, c: Fraction, q: Fraction, w: Sequence[int], top: Sequence[Fraction], y: Fraction
) -> None:
    """Lemma 5, and the step of Theorem 6 with the largest slack it allows."""

    def value(x: Sequence[Fraction]) -> Fraction:
        return sum((Fraction(a * b, SCALE) for a, b in zip(w, x, strict=True)), Fraction(0))

    p = max(i for i in range(2, n + 1) if all(x >= SCALE for x in w[1:i]))
    slack = 1 - Fraction(w[0], SCALE)
    after = value(with_number(top, y)) - y
    doubled = value(with_number(top, top[0])) - top[0]
    if y <= top[p - 1]:
        assert after <= value(top)
    if y >= top[p - 1]:
        before = after + slack * max(y, top[0])
        assert before <= doubled + slack * top[0]
        step = (1 - q) * phi(top) / (c * n) + q * before
        assert step <= value(top) + q * slack * top[0]


# Theorem 6, step by step.


def check_descent(n: int, c: Fraction, steps: Sequence[Fraction]) -> None:
    """Theorem 6 for one n and c, by the given values of q, without continuity.

    From each value to the next one, for all l, L may fall by at most (1 - lambda_1) l_1, with
    lambda_1 of the next; where l_1 = ... = l_j and the others are 0, that is a sum of j weights.
    """
    assert steps[0] == 0
    before: list[int] = []
    for q in steps:
        w = weights(n, c, q)
        check_weights(n, c, q, w)
        fall = 0
        for x, y in zip(before, w, strict=bool(before)):
            fall += x - y
            assert fall <= SCALE - w[0]
        before = w
    assert max(before) <= SCALE  # and the first is smaller: A_m < l_1 + ... + l_n


def certificates() -> Iterator[tuple[int, Fraction, list[Fraction]]]:
    """Return n, c and the values of q of each entry of the data."""
    for entry in json.loads(DATA.read_text()):
        steps = [Fraction(a, entry["denominator"]) for a in entry["steps"]]
        yield entry["requests"], Fraction(entry["c"]), steps


# The table, the limit, and Theorem 9.


def least(n: int, q: Fraction) -> Fraction:
    """Return h(q), for q < 1."""
    return (1 - q**n) / (n * (1 - q)) - q**n


def check_table(n: int, stated: Fraction) -> None:
    """1 + 1 / c_n is at least what is stated, and less than a hundredth more."""
    c = 1 / (stated - 1)
    parts = [(Fraction(0), Fraction(1))]
    top = Fraction(0)
    while parts:
        low, high = parts.pop()
        # h(q) is a sum that increases, less a power that does.
        if high < 1 and (1 - high**n) / (n * (1 - high)) - low**n <= c:
            continue
        if high == 1 and 1 - low**n <= c:
            continue
        middle = (low + high) / 2
        top = max(top, least(n, middle))
        assert top <= c
        parts += [(low, middle), (middle, high)]
    peak = max(least(n, Fraction(k, 1000)) for k in range(1000))
    assert 1 + 1 / max(top, peak) < stated + Fraction(1, 100)


def exponential(x: Fraction) -> tuple[Fraction, Fraction]:
    """Return numbers between which e^x lies, for 0 < x < 2."""
    term = total = Fraction(1)
    for k in range(1, 30):
        term *= x / k
        total += term
    return total, total + term


def check_limit(stated: Fraction, low: Fraction, high: Fraction) -> None:
    """Corollary 8: x lies between low and high, and 2 + x + 1/x is as stated."""
    assert exponential(low)[1] < 1 + low + low**2
    assert exponential(high)[0] > 1 + high + high**2
    assert 1 < low < high
    assert stated <= 2 + low + 1 / low
    assert 2 + high + 1 / high < stated + Fraction(1, 10**4)
    for n in (10, 100, 1000):  # c_n <= 1/n + f(x), where f(x) = 1 / (1 + x + 1/x)
        for k in range(1, 50):
            assert least(n, 1 - Fraction(k, 10 * n)) < Fraction(1, n) + 1 / (1 + low + 1 / low)


def check_geometric(n: int, q: Fraction, rounds: int) -> None:
    """Theorem 9: powers of 1/q keep the quotient of Phi and n A_m above h(q)."""
    numbers = [q**-m for m in range(1, rounds + 1)]
    for m in range(n, rounds + 1):
        assert phi(numbers[m - n : m][::-1]) > least(n, q) * n * sum(numbers[:m])


# A second proof of Theorem 6, for small n: all sequences, on a grid.


def every_sequence_ends(n: int, c: Fraction, r: Fraction, size: int) -> bool:
    """Tell whether a search of all sequences on a grid shows that each ends.

    Numbers are counted in l_1. A state (t_2 <= ... <= t_n) stands for all l with l_i <= r^-t_i l_1,
    where t_i <= size; `most` has an upper bound on A_m / l_1 for it, times `SCALE`, at all m
    from m_0 on. At first that is Phi / (c n). Then it falls to what the next number allows, after
    numbers below r^-t_n l_1, which take time and leave l in its state. A number y l_1 with
    r^b < y <= r^(b+1) becomes the largest, and A_m is A_{m+1} less y l_1; one with
    r^-(k+1) < y <= r^-k is put in as r^-k and takes more than r^-(k+1). A state is impossible if
    A_m < l_1.
    """
    power = [r**k for k in range(size + 2)]
    level = [rounded_up(SCALE * r.denominator**k, r.numerator**k) for k in range(size + 1)]
    cost = [int(SCALE / power[k + 1]) for k in range(size)]
    longer = [rounded_up(*(SCALE * power[b + 1]).as_integer_ratio()) for b in range(size)]
    most = {}
    for state in combinations_with_replacement(range(size + 1), n - 1):
        bound = (SCALE + sum(k * level[t] for k, t in enumerate(state, 2))) / (c * n)
        most[state] = rounded_up(*bound.as_integer_ratio())
    if most[(size,) * (n - 1)] >= SCALE:
        return False  # the grid is too short: here the other numbers may be 0
    alive = [state for state, bound in most.items() if bound >= SCALE]
    changed = True
    while alive and changed:
        changed = False
        for state in alive:
            best = 0
            for b in range(size):
                spare = most[b, *(min(size, t + b) for t in state[:-1])] - SCALE
                if spare >= 0:
                    best = max(best, rounded_up(spare * longer[b], SCALE))
            for k in range(min(size, state[-1] + 1)):
                best = max(best, most[tuple(sorted((*state[:-1], k)))] - cost[k])
            if best < most[state]:
                most[state] = best
                changed = True
        alive = [state for state in alive if most[state] >= SCALE]
    return not alive


def check_policies(fast: bool, rng: random.Random) -> None:
    """Lemmas 1 to 3 and Theorem 10 on policies of all kinds."""
    for seed in range(15 if fast else 300):
        adversary(Scattered(seed), rng.randint(2, 6), rng.randint(3, 40))
    for spec in ("gsa", "gsa:alpha=3:slices=area", "area-phases", "area-budget", "fcfs"):
        adversary(policy_from_spec(spec), 6, 40 if fast else 200)
    for seed in range(12 if fast else 200):
        k = rng.randint(1, 4)
        check_crowd(Crowd(seed), k, rng.randint(1, 4), rng.randint(2, 12 if fast else 25))
    for spec in ("gsa:alpha=2", "fcfs", "area-budget"):
        check_crowd(policy_from_spec(spec), 3, 2, 9 if fast else 30)
    n, q = 6, Fraction(7152, 10000)
    worst = adversary(RoundRobin(1 / q), n, 500 if fast else 30000)
    assert abs(worst - 1 - 1 / least(n, q)) < Fraction(1, 4 if fast else 50)


def random_numbers(rng: random.Random, n: int) -> tuple[list[Fraction], Fraction]:
    """Return l and y for Lemma 5."""
    top = sorted((Fraction(rng.choice((0, 1, rng.randint(0, 40)))) for _ in range(n)), reverse=True)
    if top[0] == 0:
        top[0] = Fraction(1)
    return top, rng.choice((*top, Fraction(rng.randint(0, 40)), top[0] * rng.randint(1, 9)))


def main(fast: bool) -> None:
    rng = random.Random(5)
    for _ in range(20):
        check_shortest_first([rng.randint(1, 9) for _ in range(rng.randint(1, 6))])
    for k in (1, 2, 3):
        for _ in range(5):
            u = [rng.randint(1, 9) for _ in range(rng.randint(1, 6))]
            check_psi(k, u, [rng.randint(1, 9) for _ in range(rng.randint(1, k))])
    check_policies(fast, rng)
    for n in (2, 3, 4, 6, 11) if fast else (*range(2, 40), 120):
        top = max(least(n, Fraction(k, 200)) for k in range(200))
        for _ in range(20):
            c = min(Fraction(99, 100), top * (1 + Fraction(rng.choice((2, 10, 30, 100)), 100)))
            q = Fraction(rng.randrange(256), 256)
            check_weights(n, c, q, w := weights(n, c, q))
            for _ in range(10):
                check_number(n, c, q, w, *random_numbers(rng, n))
        for q in (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10)):
            check_geometric(n, q, n + 10)
            assert least(n, q) * n == (1 - q) * phi([q**k for k in range(n)])
    for n, c, steps in certificates():
        assert 1 + 1 / c >= Fraction(STATED.get(n, "4.345"))
        if n <= 120 or not fast:
            check_descent(n, c, steps)
    for n, number in STATED.items():
        if n <= 40 or not fast:
            check_table(n, Fraction(number))
    check_limit(*map(Fraction, LIMIT))
    assert Fraction(LIMIT[0]) == NON_CLAIRVOYANT_SHARPER.constant
    assert every_sequence_ends(2, Fraction("0.57"), Fraction("1.03"), 90)
    assert not every_sequence_ends(2, Fraction("0.56"), Fraction("1.03"), 120)
    if not fast:
        assert every_sequence_ends(3, Fraction("0.48"), Fraction("1.04"), 72)
        assert every_sequence_ends(4, Fraction("0.5"), Fraction("1.1"), 32)
