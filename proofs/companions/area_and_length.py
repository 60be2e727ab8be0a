"""Companion of area_and_length.md: prices, the curve of bounds, and what it does not allow."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from companions.model import random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.state_graph import solve_by_state_graph
from kvopt.theory.area_and_length import TANGENT, area_and_length, ratio_of_cost
from kvopt.theory.gba_bounds import GBA_PRICED
from kvopt.theory.gsa_bounds import phase_factor
from kvopt.theory.other_bounds import SPT_PIPELINE_SHARPER
from kvopt.theory.quadratic import square_root
from kvopt.theory.random_bounds import log_below

Types = dict[int, int]
"""How many requests have each output."""

ABOVE = Fraction(1, 10**15)
"""Added to a lower bound of a logarithm it gives an upper bound."""

STATED = {
    "gba": "7.74",
    "gba:spacing=sps2|tight": "6.41",
    "gba:spacing=sps2|tight:drain=no": "2.908",
}
"""Theorem 5 (b)."""

LARGE = {"gba": "4.919", "gba:area": "4.919", "gsa:area": "8.550", "gsa": "8.591"}
"""Corollary 6."""


def log_above(x: Fraction) -> Fraction:
    """Return a number that is at least ln x."""
    return log_below(x) + ABOVE if x > 1 else Fraction(0)


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices for some w.

    Attributes
    ----------
    w, log
        w >= 2 and a number that is at least ln w.
    c, h, q
        As in the document.
    """

    w: Fraction
    log: Fraction
    c: Fraction
    h: Fraction
    q: Fraction

    def running(self, t: int, r: int) -> Fraction:
        """Return f(t, r)."""
        return max(1 - self.c, 1 - self.h * Fraction(r - t, r)) if r > t else Fraction(1)

    def left(self, t: int, e: int) -> Fraction:
        """Return K(t, e)."""
        paid = sum((self.running(t, r) for r in range(t + 1, e + 1)), Fraction(0))
        return (self.q - 1) * t + self.c * (e - t) - paid

    def in_rounds(self, t: int, e: int) -> list[Fraction]:
        """Return what a request with start t and end e pays in rounds 1 .. e."""
        paid = [Fraction(1)] * t + [self.running(t, r) for r in range(t + 1, e + 1)]
        paid[-1] += self.left(t, e)
        return paid


def prices(w: Fraction, steeper: Fraction = Fraction(1)) -> Prices:
    """Return the prices for w >= 2, and check what is said of c, h and q.

    `steeper` makes them fall faster, to see the lemmas fail.
    """
    c, h = (2 * w - 1) / (4 * w - 3), 2 * w / (4 * w - 3)
    log = log_above(w)
    assert Fraction(1, 2) < c <= Fraction(3, 5)
    assert c <= h == 3 * c - 1 <= Fraction(4, 5)
    assert h == 2 * w * (h - c) == w * (h + c - 1)
    return Prices(w, log, c, steeper * h, c + h * log)


def check_left(t: int, e: int, p: Prices) -> None:
    """Lemma 1, and what the prices add up to."""
    assert p.left(t, e) >= 0
    assert all(p.left(t, e) - p.left(u, e) <= u - t for u in range(t, e + 1))
    if e > t:
        assert sum(p.in_rounds(t, e)) == p.q * t + p.c * (e - t)
        before = p.left(t, e - 1)
        for y in range(1, e - t + 1):
            assert p.c * y + before >= min(p.c, p.h * y / e) * (e - t)


def smaller(first: Sequence[int], second: Sequence[int]) -> int:
    """Return w_ij of two requests (prompt, output)."""
    s, o = min(first[0], second[0]), min(first[1], second[1])
    return s * o + o * (o + 1) // 2


def check_pair(first: Sequence[int], second: Sequence[int], t: int, u: int, p: Prices) -> bool:
    """Lemma 2 for two requests (prompt, output) that start at t <= u; return if it is tight."""
    ends = t + first[1], u + second[1]
    paid = [p.in_rounds(t, ends[0]), p.in_rounds(u, ends[1])]
    total = sum(
        (paid[1][r - 1] * (first[0] + r - t) for r in range(t + 1, min(ends) + 1)), Fraction(0)
    )
    total += sum(
        (paid[0][r - 1] * (second[0] + r - u) for r in range(u + 1, min(ends) + 1)), Fraction(0)
    )
    assert total >= smaller(first, second)
    return total == smaller(first, second)


def shared_area(instance: Instance) -> Fraction:
    """Return A, for any prompts."""
    kinds = [(r.prompt, r.output) for r in instance]
    return Fraction(sum(smaller(x, y) for x in kinds for y in kinds), 2 * instance.memory)


def check_schedule(instance: Instance, starts: Sequence[int], p: Prices) -> Fraction:
    """Theorem 3 on one schedule, link by link; return how much of its cost is proved."""
    ends = [t + r.output for t, r in zip(starts, instance, strict=True)]
    paid, held = [Fraction(0)] * max(ends), [0] * max(ends)
    for t, end, request in zip(starts, ends, instance, strict=True):
        for r, amount in enumerate(p.in_rounds(t, end)):
            paid[r] += amount
        for r in range(t, end):
            held[r] += request.prompt + r + 1 - t
    assert max(held) <= instance.memory
    area, total, cost = shared_area(instance), instance.total_output, sum(ends)
    bought = sum((x * y for x, y in zip(paid, held, strict=True)), Fraction(0))
    assert instance.memory * area <= bought <= instance.memory * sum(paid)
    assert sum(paid) == p.q * cost - p.h * p.log * total
    a, b = area_and_length(p.w, p.log)
    assert a == 1 / p.q
    assert a * area + b * total <= cost
    return (a * area + b * total) / cost


def check_closing(p: Fraction, q: Fraction) -> None:
    """Lemma 4: the bound of kvopt is that of some pair (a, b), found here anew."""
    bound = ratio_of_cost(p, q)
    a, b = area_and_length(Fraction("2.144"), log_above(Fraction("2.144")))
    steps = 200
    found = [max(p, 2 * p / 3 + q), max(p, 3 * q)]
    for k in range(1, steps):
        x = Fraction(k, steps)
        found.append(max(p / (x * a + 1 - x), q / (x * b + (1 - x) / 3)))
        w = 2 * Fraction(21, 20) ** k
        a_w, b_w = area_and_length(w, log_above(w))
        found.append(max(p / a_w, q / b_w))
    assert bound <= min(found) * Fraction(101, 100)
    assert min(found) <= bound * Fraction(101, 100)


def round_up(x: Fraction, digits: int) -> Fraction:
    return Fraction(math.ceil(x * 10**digits), 10**digits)


def check_constants() -> None:
    """Theorem 5 and Corollary 6; the numbers in the proof of Lemma 1; and kvopt's own w."""
    w, log = TANGENT
    assert log_above(w) < log
    assert sum(log**k / math.factorial(k) for k in range(12)) > w
    two = log_above(Fraction(2))
    assert 1 - Fraction(2, 5) > Fraction(4, 5) * two
    assert 1 - two > Fraction("0.3") > Fraction(1, 6)
    assert log_below(Fraction(3)) - Fraction(5, 6) > Fraction("0.2652")
    assert two - Fraction("0.2652") < Fraction("0.43")
    assert Fraction("0.43") * Fraction(4, 5) < Fraction(2, 5)
    assert SPT_PIPELINE_SHARPER.constant == ratio_of_cost(Fraction(2), Fraction(1))
    assert SPT_PIPELINE_SHARPER.constant == Fraction(1477063, 661777) < Fraction("2.232")
    assert {t.policy for t in GBA_PRICED} == set(STATED)
    for theorem in GBA_PRICED:
        assert isinstance(theorem.constant, Fraction)
        digits = len(STATED[theorem.policy].partition(".")[2])
        assert round_up(theorem.constant, digits) == Fraction(STATED[theorem.policy])

    w = Fraction("5.672")
    a, b = area_and_length(w, log_above(w))
    assert max(1 / a, 1 / b) < Fraction("1.5254")
    assert ratio_of_cost(Fraction(1), Fraction(1)) < Fraction("1.5255")
    alpha, growth = Fraction("1.706"), Fraction("2.903")
    root = square_root(growth)
    found = {
        "gba": ratio_of_cost(alpha * alpha, 1 + alpha / (alpha - 1)),
        "gba:area": ratio_of_cost(growth, 1 + (growth + root) / (growth - 1)),
    }
    alpha, growth = Fraction("1.692"), Fraction("2.594")
    root = square_root(growth)
    found["gsa"] = ratio_of_cost(
        max(phase_factor(alpha), phase_factor(alpha * alpha)), 1 + alpha / (alpha - 1)
    )
    found["gsa:area"] = ratio_of_cost(phase_factor(growth), 1 + (growth + root) / (growth - 1))
    for name, bound in found.items():
        assert bound <= Fraction(LARGE[name]), name
    for g in (Fraction(k, 100) for k in range(110, 600)):
        assert phase_factor(g) > Fraction("7.62")
        assert max(phase_factor(g), phase_factor(g * g)) > Fraction("8.05")


def sums(memory: int, types: Types, prompt: int = 0) -> tuple[Fraction, int, Fraction]:
    """Return A, L and V1 of requests with one prompt."""
    area, own, above = 0, 0, 0
    for o in sorted(types, reverse=True):
        each = smaller((prompt, o), (prompt, o))
        area += types[o] * (2 * above + types[o]) * each
        own += types[o] * each
        above += types[o]
    total = sum(o * n for o, n in types.items())
    return Fraction(area, 2 * memory), total, Fraction(own, memory)


def check_feasible(memory: int, runs: Sequence[tuple[int, int, int]], prompt: int = 0) -> None:
    """Check the memory of (output, start, number)."""
    for r in range(1, max(o + t for o, t, _ in runs) + 1):
        assert sum(n * (prompt + r - t) for o, t, n in runs if t < r <= t + o) <= memory


def check_family(memory: int, h: int, most: int, x: Fraction, y: Fraction) -> tuple[float, float]:
    """Theorem 7; return A / L and the cost / L."""
    types = {o: math.floor(y * memory / (o * (o + 1))) for o in range(h, most + 1)}
    starts = {o: math.ceil(x * o) for o in types}
    check_feasible(memory, [(o, starts[o], n) for o, n in types.items()])
    area, total, own = sums(memory, types)
    n = sum(types.values())
    cost = sum((starts[o] + o) * number for o, number in types.items())
    assert cost <= (1 + x) * total + n
    assert n * h <= total
    assert own <= y * most / 2
    return float(area / total), float(cost / total)


def check_refuted(half: Fraction = Fraction(1, 2)) -> None:
    """Check the instances against A + L/2 and (2/3) (A + L); a smaller share is not refuted."""
    instance = Instance(6, [0] * 19, [1] * 7 + [2] * 12)
    optimum = solve_by_state_graph(instance).objective
    assert optimum == 69
    assert optimum < shared_area(instance) + half * instance.total_output

    memory, late = 77000, 6160
    types = {o: 83160 // (o * (o + 1)) for o in range(1, 12)} | {12: 6930}
    runs = [(o, 0, n - late * (o == 12)) for o, n in types.items()]
    check_feasible(memory, [*runs, (12, 1, late)])
    area, total, _ = sums(memory, types)
    assert total + late == 264223
    assert Fraction(2, 3) * (area + total) > 264944

    memory, prompt = 10**7, 100
    twos = (95239, 2827, 96154, 1903, 97087, 961, 98039)
    runs = [(1, 0, 3770), *((2, t, n) for t, n in enumerate(twos))]
    check_feasible(memory, runs, prompt)
    area, total, _ = sums(memory, {1: 3770, 2: sum(twos)}, prompt)
    assert sum(n * (o + t) for o, t, n in runs) == 1970421
    assert area + half * total > 1970462
    for s, o in itertools.product(range(4), range(1, 9)):
        age = Fraction(sum((s + j) * (2 * j - 1) for j in range(1, o + 1)), 2)
        lack = Fraction(o * o - 1, 12 * s + 6 * o + 6)
        assert o - age / smaller((s, o), (s, o)) == Fraction(o, 2) - lack

    for x in (Fraction(1, 25), Fraction(1, 20)):
        y = 1 / (1 - x * log_below(1 + 1 / x))
        if x == Fraction(1, 25):
            assert (1 + y / 2) / (1 + x) > Fraction("1.514")
        else:
            assert 1 + x == Fraction("1.05")
            assert y / 2 + Fraction(1, 2) > Fraction("1.089")


def main(fast: bool) -> None:
    rng = random.Random(12)
    curve = [prices(Fraction(w)) for w in ("2", "2.144", "3", "5.672", "12", "100")]
    most = 10 if fast else 20
    for p in curve:
        for t in range(most):
            for e in range(t, t + most):
                check_left(t, e, p)
    tight = 0
    for _ in range(200 if fast else 2000):
        first = (rng.choice((0, 0, 3, 9)), rng.randint(1, 14))
        second = (rng.choice((0, first[0], 3, 9)), rng.randint(1, 14))
        t, u = sorted((rng.choice((0, rng.randint(0, 20))), rng.randint(0, 20)))
        tight += check_pair(first, second, t, u, rng.choice(curve))
    assert tight > 0
    close = 0.0
    for number in range(20 if fast else 200):
        instance = generate_random("tiny", 46, number)
        best = solve_by_state_graph(instance)
        small = generate_random("small", 47, number)
        for p in curve:
            close = max(close, float(check_schedule(instance, best.starts.tolist(), p)))
            check_schedule(small, random_feasible(small, rng), p)
    assert close > 0.95
    for _ in range(2 if fast else 10):
        check_closing(Fraction(rng.randint(1, 400), 100), Fraction(rng.randint(50, 400), 100))
    check_constants()
    check_refuted()
    x = Fraction(1, 25)
    area, cost = check_family(10**9, 30, 2000 if fast else 3000, x, Fraction("1.1"))
    assert area > 0.38
    assert cost < 1.06


if __name__ == "__main__":
    main(fast=False)
