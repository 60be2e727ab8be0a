"""Companion of online_lower_bound.md: weights, identities, and stopped runs of policies."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations
from pathlib import Path

from kvopt import Instance, Policy, policy_from_spec, simulate

DATA = Path(__file__).parent.parent / "data" / "online_lower_bound.json"
STATED = Fraction("4.21")
"""What the weights prove for policies whose attempts never get shorter, rounded down."""


def slope(n: int, c: Fraction, w: Sequence[int], i: int) -> Fraction:
    """Return kappa_i."""

    def at(j: int) -> int:
        return w[j] if 0 <= j < len(w) else 0

    return sum(at(i + j) for j in range(n)) - n * at(i + n) - c * n * at(i)


def check_weights(n: int, c: Fraction, w: Sequence[int]) -> None:
    """Check that no slope is positive."""
    assert n >= 10
    assert min(w) >= 0
    assert sum(w) > 0
    for i in range(-n, len(w)):
        assert slope(n, c, w, i) <= 0, i


def check_sums(n: int, c: Fraction, w: Sequence[int], rng: random.Random) -> None:
    """Theorem 4: for attempts that never get shorter the weighted sum is that of the slopes."""
    begin = n + 3
    attempts = [0]
    for _ in range(begin + len(w)):
        attempts.append(attempts[-1] + rng.choice((0, 0, 1, rng.randint(0, attempts[-1] + 1))))
    sums = [0]
    for a in attempts[1:]:
        sums.append(sums[-1] + a)
    left = Fraction(0)
    for m, weight in enumerate(w, begin):
        largest = sum(k * attempts[m - k + 1] for k in range(1, n + 1))
        assert largest == sum(sums[m - j] for j in range(n)) - n * sums[m - n]
        left += weight * (largest - c * n * sums[m])
    right = sum(slope(n, c, w, i) * sums[begin + i] for i in range(-n, len(w)) if begin + i >= 0)
    assert left == right <= 0


def shortest_first(outputs: Sequence[int]) -> int:
    """Return the least cost on one machine."""
    total = now = 0
    for o in sorted(outputs):
        now += o
        total += now
    return total


def check_shortest_first(outputs: Sequence[int]) -> None:
    """Shortest first is optimal, and the k-th largest output counts k times."""
    best = min(
        sum(sum(order[: i + 1]) for i in range(len(order))) for order in permutations(outputs)
    )
    ranked = sorted(outputs, reverse=True)
    assert shortest_first(outputs) == best == sum(k * o for k, o in enumerate(ranked, 1))


def stopped_runs(policy: Policy, n: int, longest: int) -> list[tuple[int, int, list[int]]]:
    """Return (number of attempts, time, longest attempts) after every attempt of an unlucky run.

    Nobody completes before the first attempt of `longest` rounds begins.
    """
    never = Instance(2 * longest, [longest] * n, [longest] * n)
    runs = sorted(simulate(never, policy), key=lambda a: a.start)
    best, result = [0] * n, []
    for number, a in enumerate(runs, 1):
        if not a.killed:
            break
        best[a.request] = max(best[a.request], a.end - a.start)
        result.append((number, a.end, list(best)))
    return result


def check_policy(policy: Policy, n: int, longest: int, monotone: bool) -> Fraction:
    """Lemma 1 at every stop: the instance, its optimum, the cost; returns the worst ratio."""
    worst = Fraction(0)
    for number, time, best in stopped_runs(policy, n, longest):
        outputs = [b + 1 for b in best]
        optimum = shortest_first(outputs)
        assert 2 * optimum <= (n + 1) * sum(outputs)
        assert sum(outputs) <= time + n
        if number % 5 == 0 or monotone:
            instance = Instance(2 * longest, [longest] * n, outputs)
            cost = simulate(instance, policy).total_completion_time()
            assert cost >= n * time + optimum
            worst = max(worst, Fraction(cost, optimum))
    return worst


def main(fast: bool) -> None:
    rng = random.Random(5)
    data = json.loads(DATA.read_text())
    n, c, w = data["requests"], Fraction(data["c"]), data["weights"]
    check_weights(n, c, w)
    assert STATED <= 1 + 1 / c < STATED + Fraction(1, 50)
    for _ in range(2 if fast else 20):
        check_sums(n, c, w, rng)
    for _ in range(20):
        check_shortest_first([rng.randint(1, 9) for _ in range(rng.randint(1, 6))])
    for spec in ("gsa", "gsa:alpha=2", "gsa:alpha=3:slices=area"):
        number = 12 if fast else 40
        worst = check_policy(policy_from_spec(spec), number, 60 if fast else 400, True)
        assert worst >= 3 - Fraction(2, number + 1) - Fraction(1, 4)
    for _ in range(50):
        n, total = rng.randint(2, 30), rng.randint(100, 10**6)
        assert 1 + Fraction(2 * n * total, (n + 1) * (total + n)) <= 3 - Fraction(2, n + 1)
    assert math.isclose(
        1 + 1 / max((1 - math.exp(-x)) / x - math.exp(-x) for x in (1.79, 1.8)), 4.351, abs_tol=2e-3
    )
