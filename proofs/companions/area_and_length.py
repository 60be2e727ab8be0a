"""Companion of area_and_length.md: prices, the curve of bounds, and what it does not allow."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction

from companions.model import random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.state_graph import solve_by_state_graph
from kvopt.theory.area_and_length import area_and_length, ratio_of_cost
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
    "gba": "7.88",
    "gba:spacing=sps2|tight": "6.50",
    "gba:spacing=sps2|tight:drain=no": "2.912",
}
"""Theorem 5 (b)."""

LARGE = {"gba": "4.954", "gba:area": "4.954", "gsa:area": "8.643", "gsa": "8.663"}
"""Corollary 6."""


def log_above(v: Fraction) -> Fraction:
    """Return a number that is at least ln v."""
    return log_below(v) + ABOVE if v > 1 else Fraction(0)


def price(start: int, end: int, r: int, c: Fraction, falls: int = 1) -> Fraction:
    """Return f_i(r); it may fall faster, to see Lemma 1 fail."""
    if r > end:
        return Fraction(0)
    return Fraction(1) if r <= start else max(c, 1 - falls * c * Fraction(r - start, r))


def smaller(first: Sequence[int], second: Sequence[int]) -> int:
    """Return w_ij of two requests (prompt, output)."""
    s, o = min(first[0], second[0]), min(first[1], second[1])
    return s * o + o * (o + 1) // 2


def check_pair(
    first: Sequence[int], second: Sequence[int], t: int, u: int, c: Fraction, falls: int = 1
) -> bool:
    """Lemma 1 for two requests (prompt, output) that start at t <= u; return if it is tight."""
    ends = t + first[1], u + second[1]
    total = Fraction(0)
    last = ends[0] if ends[0] <= u else min(ends)
    for r in range(1, max(ends) + 1):
        held = first[0] + r - t if t < r <= ends[0] else 0
        other = second[0] + r - u if u < r <= ends[1] else 0
        both = price(t, ends[0], r, c, falls) * other + price(u, ends[1], r, c, falls) * held
        if t < r <= last:
            assert both >= min(first[0], second[0]) + r - t
        total += both
    assert total >= smaller(first, second)
    return total == smaller(first, second)


def check_sum(t: int, o: int, v: Fraction) -> None:
    """Lemma 2."""
    c = v / (2 * v - 1)
    total = sum(price(t, t + o, r, c) for r in range(1, t + o + 1))
    assert total <= c * (1 + log_above(v)) * t + c * o
    assert all(c <= price(t, t + o, r, c) <= 1 for r in range(1, t + o + 1))


def shared_area(instance: Instance) -> Fraction:
    """Return A, for any prompts."""
    kinds = [(r.prompt, r.output) for r in instance]
    return Fraction(sum(smaller(x, y) for x in kinds for y in kinds), 2 * instance.memory)


def check_schedule(instance: Instance, starts: Sequence[int], v: Fraction) -> Fraction:
    """Theorem 3 on one schedule, link by link; return how much of its cost is proved."""
    c, log = v / (2 * v - 1), log_above(v)
    ends = [t + r.output for t, r in zip(starts, instance, strict=True)]
    paid, held = Fraction(0), Fraction(0)
    for r in range(1, max(ends) + 1):
        prices = sum(price(t, end, r, c) for t, end in zip(starts, ends, strict=True))
        memory = sum(
            request.prompt + r - t
            for request, t, end in zip(instance, starts, ends, strict=True)
            if t < r <= end
        )
        assert memory <= instance.memory
        paid += prices
        held += prices * memory
    area, total, cost = shared_area(instance), instance.total_output, sum(ends)
    assert instance.memory * area <= held <= instance.memory * paid
    assert paid <= c * (1 + log) * cost - c * log * total
    a, b = area_and_length(v, log)
    assert a == 1 / (c * (1 + log))
    assert a * area + b * total <= cost
    return (a * area + b * total) / cost


def check_closing(p: Fraction, q: Fraction) -> None:
    """Lemma 4: the bound of kvopt is that of some pair (a, b), found here anew."""
    bound = ratio_of_cost(p, q)
    a, b = area_and_length(Fraction(7, 2), log_above(Fraction(7, 2)))
    steps = 200
    found = [max(p, 2 * p / 3 + q), max(p, 3 * q)]
    for k in range(1, steps):
        x = Fraction(k, steps)
        found.append(max(p / (x * a + 1 - x), q / (x * b + (1 - x) / 3)))
        v = Fraction(21, 20) ** k
        a_v, b_v = area_and_length(v, log_above(v))
        found.append(max(p / a_v, q / b_v))
    assert bound <= min(found) * Fraction(101, 100)
    assert min(found) <= bound * Fraction(101, 100)


def round_up(x: Fraction, digits: int) -> Fraction:
    return Fraction(math.ceil(x * 10**digits), 10**digits)


def check_constants() -> None:
    """Theorem 5 and Corollary 6; and that 1253/1000 is more than ln 7/2."""
    assert log_above(Fraction(7, 2)) < Fraction(1253, 1000)
    assert sum(Fraction(1253, 1000) ** k / math.factorial(k) for k in range(12)) > Fraction(7, 2)
    assert SPT_PIPELINE_SHARPER.constant == ratio_of_cost(Fraction(2), Fraction(1))
    assert SPT_PIPELINE_SHARPER.constant == Fraction(10799, 4771) < Fraction("2.2635")
    assert {t.policy for t in GBA_PRICED} == set(STATED)
    for theorem in GBA_PRICED:
        assert isinstance(theorem.constant, Fraction)
        digits = len(STATED[theorem.policy].partition(".")[2])
        assert round_up(theorem.constant, digits) == Fraction(STATED[theorem.policy])

    v = Fraction("6.3054")
    a, b = area_and_length(v, log_above(v))
    assert max(1 / a, 1 / b) < Fraction("1.5431")
    assert ratio_of_cost(Fraction(1), Fraction(1)) < Fraction("1.5433")
    alpha, growth = Fraction("1.684"), Fraction("2.842")
    root = square_root(growth)
    found = {
        "gba": ratio_of_cost(alpha * alpha, 1 + alpha / (alpha - 1)),
        "gba:area": ratio_of_cost(growth, 1 + (growth + root) / (growth - 1)),
    }
    alpha, growth = Fraction("1.692"), Fraction("2.671")
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


def sums(memory: int, types: Types) -> tuple[Fraction, int, Fraction]:
    """Return A, L and V1 of requests without prompts."""
    area, above = 0, 0
    for o in sorted(types, reverse=True):
        pairs = types[o] * (2 * above + types[o])
        area += pairs * o * (o + 1) // 2
        above += types[o]
    total = sum(o * n for o, n in types.items())
    own = sum(n * o * (o + 1) // 2 for o, n in types.items())
    return Fraction(area, 2 * memory), total, Fraction(own, memory)


def check_feasible(memory: int, runs: Sequence[tuple[int, int, int]]) -> None:
    """Check the memory of (output, start, number), without prompts."""
    for r in range(1, max(o + t for o, t, _ in runs) + 1):
        assert sum(n * (r - t) for o, t, n in runs if t < r <= t + o) <= memory


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
    assert Fraction(2, 3) * (area + total) > 264942

    for x in (Fraction(1, 25), Fraction(1, 20)):
        y = 1 / (1 - x * log_below(1 + 1 / x))
        if x == Fraction(1, 25):
            assert (1 + y / 2) / (1 + x) > Fraction("1.514")
        else:
            assert 1 + x == Fraction("1.05")
            assert y / 2 + Fraction(1, 2) > Fraction("1.089")


def main(fast: bool) -> None:
    rng = random.Random(12)
    curve = [Fraction(1), Fraction(5, 4), Fraction(2), Fraction(7, 2), Fraction("6.3"), Fraction(40)]
    tight = 0
    for _ in range(300 if fast else 6000):
        v = rng.choice(curve)
        c = v / (2 * v - 1)
        kinds = [(rng.choice((0, 0, 3, 9)), rng.randint(1, 14)) for _ in range(2)]
        t, u = sorted((rng.choice((0, rng.randint(0, 20))), rng.randint(0, 20)))
        tight += check_pair(*kinds, t, u, c)
        check_sum(rng.randint(0, 60), rng.randint(1, 60), v)
    assert tight > 0
    close = 0.0
    for number in range(25 if fast else 600):
        instance = generate_random("tiny", 46, number)
        best = solve_by_state_graph(instance)
        small = generate_random("small", 47, number)
        for v in curve:
            close = max(close, float(check_schedule(instance, best.starts.tolist(), v)))
            check_schedule(small, random_feasible(small, rng), v)
    assert close > 0.95
    for _ in range(3 if fast else 30):
        check_closing(Fraction(rng.randint(1, 400), 100), Fraction(rng.randint(50, 400), 100))
    check_constants()
    check_refuted()
    x = Fraction(1, 25)
    area, cost = check_family(10**9, 30, 2000 if fast else 6000, x, Fraction("1.1"))
    assert area > 0.38
    assert cost < 1.06


if __name__ == "__main__":
    main(fast=False)
