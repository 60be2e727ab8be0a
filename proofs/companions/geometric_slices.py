"""Companion of geometric_slices.md: GSA with geometric slices, for every prompt and memory."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from kvopt import Instance, simulate
from kvopt.policies.gsa import GSA
from kvopt.theory import geometric_slices as cells
from kvopt.theory.gsa_bounds import GSA_ALPHA, GSA_COMPUTED
from kvopt.theory.pipeline import SPACINGS, area_slices, capped_slices, geometric_slices
from kvopt.theory.quadratic import GOLDEN_RATIO, Exact, square_root
from kvopt.theory.slice_plans import Weights

TABLE: dict[tuple[str, str], dict[Exact, str]] = {
    ("alpha", "sps"): {
        Fraction(157, 100): "15.22",
        Fraction(161, 100): "15.46",
        Fraction(164, 100): "15.70",
        Fraction(169, 100): "15.89",
        GOLDEN_RATIO: "15.54",
        GSA_ALPHA: "16.09",
        Fraction(2): "18.67",
    },
    ("alpha", "sps2"): {
        Fraction(157, 100): "12.99",
        Fraction(161, 100): "12.74",
        Fraction(164, 100): "12.59",
        Fraction(169, 100): "12.93",
        GOLDEN_RATIO: "12.70",
        GSA_ALPHA: "13.47",
        Fraction(2): "15.33",
    },
    ("area", "sps"): {Fraction(2128, 1000): "15.64"},
}
"""The table of the document: growth factors and ratios, by slices and spacing."""


def check_table() -> None:
    for (slices, spacing), row in TABLE.items():
        for growth, ratio in row.items():
            assert cells.ratio_holds(growth, slices, spacing, Fraction(ratio)), "table"
    for theorem in GSA_COMPUTED:
        if "early" in theorem.policy:
            continue  # see early_release.py
        assert theorem.alpha is not None
        assert theorem.constant is not None
        slices = "area" if "area" in theorem.policy else "alpha"
        spacing = "sps2" if "sps2" in theorem.policy else "sps"
        assert theorem.constant == Fraction(TABLE[slices, spacing][theorem.alpha]), "theorems"


# Lemmas on numbers


def check_distance(prompt: int, slice: int, memory: int, over: Fraction) -> None:
    """Lemma 3, for a threshold `over` slices long, in both units."""
    for sigma, unit in (
        (Fraction(2 * prompt + 1, 2 * memory), memory),
        (Fraction(prompt + 1, memory + 1), memory + 1),
    ):
        x = over * slice / unit
        k = max(1, math.floor((1 - x / 2) / (sigma + x / 2)))
        bound = {"sps": x / k, "sps2": x / k if k > 1 else min(x, 2 * x + 2 * sigma - 1)}
        for name, rule in SPACINGS.items():
            assert 0 < rule(prompt, slice, memory) <= bound.get(name, bound["sps2"]) * unit, name
        largest = x + Fraction(1, 50)
        a, b = sigma * Fraction(9, 10), sigma * Fraction(11, 10)
        used = max(1 - b - largest, max(1, math.floor((1 - largest / 2) / (b + largest / 2))) * a)
        if unit == memory and used > 0:
            assert bound["sps"] <= (sigma * x + x * x / 2) / used, "utilisation"


def check_window(prompt: int, memory: int) -> None:
    """Section 3: the weights, and where M - s comes."""
    eta = 1 - 2 * Fraction(prompt + 1, memory + 1)
    assert 0 < eta < Fraction(1, 3)
    weights = Weights(prompt, memory, memory - prompt, Fraction(0))
    for t in range(1, memory - prompt + 1):
        u = Fraction(t, memory + 1) / eta
        least = u / 2 if u <= 1 else u - Fraction(1, 2)
        assert weights.sum(t) >= least * eta * (memory + 1)
        assert 3 * weights.delta(t) >= t
    assert Fraction(memory - prompt, memory + 1) > 2 * eta


def check_window_weight(rng: random.Random) -> None:
    """Section 3: the weight in a window is rounded to the side that is asked for."""
    c, v = rng.randint(cells.UNIT // 4, cells.UNIT), rng.randint(1, 6 * cells.UNIT)
    at, end = Fraction(v, cells.UNIT), Fraction(cells.UNIT, c)  # the window ends at 1 / c
    true = (min(at, end) / 2 + max(Fraction(0), at - end)) * cells.UNIT
    assert true - 2 <= cells._window_weight(c, v, up=False) <= true
    assert true <= cells._window_weight(c, v, up=True) <= true + 2


def check_tail(rng: random.Random) -> None:
    """Lemma 4: carries of a tail with weights that grow irregularly."""
    ratio = Fraction(rng.randint(90, 200), 10)
    least = Fraction(rng.randint(130, 200), 100)
    most = least * Fraction(rng.randint(100, 200), 100)
    used = Fraction(rng.randint(50, 100), 100)
    if (kappa := cells.tail(ratio, least, most, used)) is None:
        return
    carry = kappa
    for _ in range(8):  # the weight before is 1
        growth = least + (most - least) * Fraction(rng.randint(0, 10), 10)
        distance = growth / used
        assert carry > distance
        carry = ratio * (growth - 1) + least_after(carry, distance)
        assert carry >= kappa * growth
        carry = (carry / growth).limit_denominator(10**6)
        carry = max(carry, kappa)


# The statement for one prompt and memory


def least_after(carry: Exact, distance: Exact) -> Exact:
    """Return the least g x^2 - d (x^2 + 2 x - 1) for x >= 1, from where it is least for all x."""
    x = max(1, distance / (carry - distance))
    return carry * x * x - distance * (x * x + 2 * x - 1)


class Case:
    """Slices for one prompt and memory, by a growth factor and a rational offset."""

    def __init__(
        self, growth: Exact, slices: str, offset: Fraction, prompt: int, memory: int
    ) -> None:
        self.growth, self.slices, self.offset = growth, slices, offset
        self.prompt, self.memory, self.longest = prompt, memory, memory - prompt
        self.rule = (
            geometric_slices(growth, offset)
            if slices == "alpha"
            else area_slices(growth, prompt, offset)
        )
        self.m = next(p for p in range(memory + 1) if self.rule(p) >= self.longest)
        self.sigma = Fraction(2 * prompt + 1, 2 * memory)

    def slice(self, q: int) -> int:
        """Return tau_q, 0 for q < 0."""
        return min(self.rule(q), self.longest) if q >= 0 else 0

    def power(self, q: int) -> Exact:
        """Return c growth^q, in Q or in Q(sqrt d)."""
        power = self.growth ** abs(q)
        return self.offset * (power if q >= 0 else 1 / power)

    def threshold(self, q: int) -> Exact:
        """Return X_q, for areas rounded up to a multiple of 2^-90."""
        power = self.power(q)
        if self.slices == "alpha":
            return power
        half = Fraction(2 * self.prompt + 1, 2)
        square = math.floor((half * half + 2 * power * (self.prompt + 1)) * 2**180)
        return Fraction(math.isqrt(square) + 1, 2**90) - half

    def area(self, q: int) -> Exact:
        """Return vol(X_q) / M^2."""
        if self.slices == "area":
            return (self.prompt + 1) * self.power(q) / self.memory**2
        x = self.threshold(q) / self.memory
        return self.sigma * x + x * x / 2

    def check(
        self, spacing: str, ratio: Fraction, unit: int, first: int, weights: Weights,
        weight: Callable[[int], Exact], distance: Callable[[int], Exact],
    ) -> None:  # fmt: skip
        """Check the conditions of lemma 2, literally, from phase `first` on.

        `weight` is f_q, `distance` is D_q for q < m, both in a unit of so many rounds.
        """
        carry: Exact = ratio * weight(first)
        for q in range(first, self.m):
            assert weight(q) * unit <= weights.sum(self.slice(q) + 1), "weight"
            if q == first:
                continue
            d = distance(q)
            if self.slice(q) > self.slice(q - 1):
                real = SPACINGS[spacing](self.prompt, self.slice(q), self.memory)
                assert d * unit >= real, "distance"
            assert carry > d, "carry"
            carry = ratio * (weight(q) - weight(q - 1)) + least_after(carry, d)
            carry = Fraction(math.floor(carry * 2**240), 2**240)
        assert carry * unit >= self.longest, "last carry"


def check_memory_case(case: Case, spacing: str, ratio: Fraction) -> None:
    """Section 2, without fixed point, for the cell in which the case lies."""
    found: cells.Thresholds
    found = cells.powers(case.growth) if case.slices == "alpha" else cells.areas(case.growth)
    two = spacing != "sps"
    y = math.floor(case.threshold(case.m - 1) / case.memory * cells.UNIT)
    sigma = math.floor(case.sigma * cells.UNIT)
    edge = cells.EDGE if case.slices == "alpha" else cells.UNIT // 2
    cell = ((0, edge), (math.floor((cells.UNIT - edge) / found.high), cells.UNIT))
    while not cells.cell_holds(found, ratio, two, cell):
        halves = (cells.halves(cell[0]), cells.halves(cell[1]))
        if 2 * (cell[0][1] - cell[0][0]) > cell[1][1] - cell[1][0]:
            cell = (next(part for part in halves[0] if sigma < part[1]), cell[1])
        else:
            cell = (cell[0], next(part for part in halves[1] if y < part[1]))
        assert max(end - begin for begin, end in cell) >= cells.LEAST_CELL, "cells"
    assert cell[0][0] <= sigma < cell[0][1]
    assert cell[1][0] <= y < cell[1][1]
    (a, b), (_, y2) = [[Fraction(end, cells.UNIT) for end in part] for part in cell]
    sizes = [Fraction(size, cells.UNIT) for size in found.chain(cell).sizes]
    last = case.m - len(sizes)  # the last phase of the tail
    x = y2 * sizes[-1]
    used = max(1 - b - x, max(1, math.floor((1 - x / 2) / (b + x / 2))) * a)
    top = case.threshold(case.m - 1) / case.memory

    def distance(q: int) -> Exact:
        if q <= last:
            return case.area(q) / used
        size = sizes[case.m - 1 - q]
        assert size * top >= case.threshold(q) / case.memory, "size"
        k = max(1, math.floor((1 - y2 * size / 2) / (b + y2 * size / 2)))
        return top * (min(size, 2 * size - (1 - 2 * b) / y2) if two and k == 1 else size / k)

    first = min(-1, last - 1) - 20
    weights = Weights(case.prompt, case.memory, case.longest, Fraction(1))
    case.check(spacing, ratio, case.memory, first, weights, case.area, distance)


def check_slot_case(case: Case, spacing: str, ratio: Fraction) -> None:
    """Section 3, without fixed point, for the interval in which c lies."""
    unit = case.memory + 1
    sigma = Fraction(case.prompt + 1, unit)
    eta = max(Fraction(0), 1 - 2 * sigma)
    assert sigma > Fraction(1, 3)

    def at(q: int) -> Exact:
        return case.threshold(q) / unit

    def weight(q: int) -> Exact:
        return at(q) / 2 if at(q) <= eta else at(q) - eta / 2

    def distance(q: int) -> Exact:
        x = at(q)
        if 3 * x <= 2 * eta:
            return x / 2
        between = low < q <= low + phases and spacing != "sps"
        return min(x, 2 * x - at(low) / high) if between else x

    low, phases, high = 0, 0, Fraction(1)
    if eta > 0:
        low = next(q for q in range(case.m, -400, -1) if 3 * at(q) <= 2 * eta)
        c = at(low) / eta
        found = cells.powers(case.growth)
        part = cells.window_range(found)
        while not (phases := cells.window_phases(found, ratio, spacing != "sps", part)):
            part = next(p for p in cells.halves(part) if c * cells.UNIT <= p[1])
            assert part[1] - part[0] >= cells.LEAST_CELL, "windows"
        high = Fraction(part[1], cells.UNIT)
        assert part[0] <= c * cells.UNIT <= part[1]
    first = min(-1, low - 1) - 20
    weights = Weights(case.prompt, case.memory, case.longest, Fraction(0))
    case.check(spacing, ratio, unit, first, weights, weight, distance)


def check_phases(case: Case, spacing: str, ratio: Fraction, rng: random.Random) -> Fraction:
    """Compare what GSA costs with the bound on the optimum; return the largest ratio of the two.

    The requests have the smallest outputs of their classes, and their numbers come close to
    the worst ones that the carries know of; the cost is that of lemma 9 of sharper_bounds.md.
    """
    prompt, memory, longest = case.prompt, case.memory, case.longest
    lengths = list(capped_slices(case.rule, longest))
    distances = [SPACINGS[spacing](prompt, t, memory) for t in lengths]
    weights = Weights(prompt, memory, longest, Fraction(not by_slots(case)))
    outputs = [1, *(t + 1 for t in lengths[:-1])]
    sums = [weights.sum(o) for o in outputs]
    assert all(3 * weights.delta(o) >= o for o in outputs)
    most = Fraction(0)
    for _ in range(4):
        alive = bad_numbers([float(x) for x in sums], [float(d) for d in distances], rng)
        cost = optimum = waits = Fraction(0)
        for now, after, o, d, phi, tau in zip(
            alive, [*alive[1:], 0], outputs, distances, sums, lengths, strict=True
        ):
            cost += d * (now * now + 2 * now * after - after * after - now - after) / 2
            cost += (now - after) * (o + waits)
            optimum += phi * (now * now - after * after) / 2 + (now - after) * weights.delta(o)
            waits += tau
        most = max(most, cost / optimum)
    assert most <= ratio, "phases"
    return most


def by_slots(case: Case) -> bool:
    return case.slices == "alpha" and case.sigma > Fraction(cells.EDGE, cells.UNIT)


def bad_numbers(sums: list[float], distances: list[float], rng: random.Random) -> list[int]:
    """Return decreasing numbers of requests near the worst of lemma 8 of certified_slices.md."""
    ratio = rng.uniform(6, 17)
    carry, shrink = ratio * sums[0], []
    for phi, after, d in zip(sums, sums[1:], distances, strict=False):
        carry = max(carry, d * 51 / 50)
        x = max(1.0, d / (carry - d))
        shrink.append(x)
        carry = ratio * (after - phi) + carry * x * x - d * (x * x + 2 * x - 1)
    alive = [1.0]
    for factor in reversed(shrink):
        alive.append(alive[-1] * factor)
    return [math.floor(n / alive[-1] * 10**7) for n in reversed(alive)]


# Runs


def outputs_to_run(case: Case, spacing: str, rng: random.Random) -> list[int]:
    """Return outputs of up to a few hundred requests, at random or bad for the slices."""
    lengths = list(capped_slices(case.rule, case.longest))
    kind = rng.choice(("any", "small", "ends", "begins", "bad"))
    many = rng.randint(1, 10 ** rng.randint(1, 2))
    if kind == "any":
        return [rng.randint(1, case.longest) for _ in range(many)]
    if kind == "small":
        top = rng.randint(1, case.longest)
        return [rng.randint(1, max(1, top >> rng.randint(0, 8))) for _ in range(many)]
    begins = [1, *(t + 1 for t in lengths[:-1])]
    if kind != "bad":
        ends = lengths if kind == "ends" else begins
        return [rng.choice(ends[rng.randrange(len(ends)) :]) for _ in range(many)]
    distances = [SPACINGS[spacing](case.prompt, t, case.memory) for t in lengths]
    weights = Weights(case.prompt, case.memory, case.longest, Fraction(not by_slots(case)))
    sums = [float(weights.sum(o)) for o in begins]
    alive = bad_numbers(sums, [float(d) for d in distances], rng)
    alive = [n * rng.randint(20, 400) // alive[0] for n in alive] + [0]
    outputs = [o for o, (a, b) in zip(begins, pairwise(alive), strict=True) for _ in range(a - b)]
    return outputs or [case.longest]


def check_run(case: Case, spacing: str, ratio: Fraction, rng: random.Random) -> None:
    """Follow a run of the policy through the lemmas; the offset is 1."""
    outputs = outputs_to_run(case, spacing, rng)
    rng.shuffle(outputs)
    instance = Instance(case.memory, [case.prompt] * len(outputs), outputs)
    order = rng.choice(("fixed", "random"))
    policy = GSA(case.growth, spacing=spacing, slices=case.slices, order=order)
    schedule = simulate(instance, policy)
    assert schedule.peak_memory() <= case.memory
    attempts = sorted((a.start, a.end, a.request) for a in schedule)
    optimum_at_least = waits = Fraction(0)
    form = own = Fraction(0)
    weights = Weights(case.prompt, case.memory, case.longest, Fraction(not by_slots(case)))
    begin = done = before = 0
    alive = set(range(len(outputs)))
    for tau in capped_slices(case.rule, case.longest):
        if not alive:
            break
        d = SPACINGS[spacing](case.prompt, tau, case.memory)
        phase, done = attempts[done : done + len(alive)], done + len(alive)
        assert {i for _, _, i in phase} == alive, "everyone"
        for j, (start, end, i) in enumerate(phase):
            assert start == begin + math.floor(j * d), "starts"
            assert end == start + min(outputs[i], tau), "ends"
        left = {i for i in alive if outputs[i] > tau}
        now, after = len(alive), len(left)
        form += d * (now * now + 2 * now * after - after * after) / 2
        phi = weights.sum(before + 1)
        optimum_at_least += phi * (now * now - after * after) / 2
        for i in alive - left:
            own += outputs[i] + waits
            optimum_at_least += weights.delta(outputs[i])
            assert 3 * weights.delta(outputs[i]) >= outputs[i], "delta"
            assert waits <= waits_at_most(case) * outputs[i], "waits"
        waits += tau
        begin += math.floor((now - 1) * d) + tau
        alive, before = left, tau
    assert done == len(attempts), "attempts"
    cost = schedule.total_completion_time()
    assert cost <= form + own, "lemma 1"
    assert optimum_at_least <= best_of_bounds(weights, outputs), "lemma 2"
    assert cost <= ratio * optimum_at_least, "theorem 6"


def waits_at_most(case: Case) -> Exact:
    """Return W of Lemma 8 of sharper_bounds.md."""
    root = case.growth if case.slices == "alpha" else square_root(case.growth)
    return root / (root - 1)


def best_of_bounds(weights: Weights, outputs: list[int]) -> Fraction:
    """Return the bound on the optimum of Lemma 1 of certified_slices.md, literally."""
    pairs = sum((2 * j + 1) * weights.sum(o) for j, o in enumerate(sorted(outputs, reverse=True)))
    return Fraction(pairs) / 2 + sum((weights.delta(o) for o in outputs), Fraction(0))


def check_runs(many: int, rng: random.Random) -> None:
    for (slices, spacing), row in TABLE.items():
        for growth, ratio in row.items():
            for _ in range(many):
                memory = rng.randint(2, 10 ** rng.randint(1, 5))
                prompt = rng.choice((0, rng.randrange(memory), rng.randrange(memory // 9 + 1)))
                case = Case(growth, slices, Fraction(1), prompt, memory)
                if by_slots(case) and case.longest > 20_000:
                    continue  # slot weights are tables
                check_run(case, spacing, Fraction(ratio), rng)


def main(fast: bool) -> None:
    check_table()
    rng = random.Random(11)
    for _ in range(400 if fast else 4000):
        memory = rng.randint(1, 10 ** rng.randint(1, 5))
        prompt = rng.randrange(rng.choice((memory, memory // 10 + 1)))
        over = 1 + Fraction(rng.randrange(100), 100 * rng.randint(1, 100))
        check_distance(prompt, rng.randint(1, memory - prompt), memory, over)
        check_tail(rng)
        check_window_weight(rng)
    for memory in range(4, 60 if fast else 200):
        for prompt in range(memory // 3, (memory - 1) // 2 + 1):
            if 3 * (prompt + 1) > memory + 1 and 2 * (prompt + 1) < memory + 1:
                check_window(prompt, memory)
    for (slices, spacing), row in TABLE.items():
        for growth, ratio in row.items():
            for _ in range(12 if fast else 120):
                check_case(growth, slices, spacing, Fraction(ratio), rng)
    check_runs(5 if fast else 300, rng)


def check_case(
    growth: Exact, slices: str, spacing: str, ratio: Fraction, rng: random.Random
) -> None:
    """Check the statement for some prompt, memory and offset."""
    memory = rng.randint(2, 10 ** rng.randint(1, 4))
    small, below_half = rng.randrange(memory // 9 + 1), max(0, memory // 2 - rng.randint(1, 9))
    prompt = rng.choice((0, rng.randrange(memory), small, below_half))
    top = math.floor(100 * growth)
    offset = rng.choice((Fraction(1), Fraction(rng.randint(100, top), 100)))
    case = Case(growth, slices, offset, prompt, memory)
    check_phases(case, spacing, ratio, rng)
    if by_slots(case):
        check_slot_case(case, spacing, ratio)
    elif 2 * case.sigma < 1:
        check_memory_case(case, spacing, ratio)
