"""Companion of geometric_slices.md: GSA with geometric slices, for every prompt and memory."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from kvopt.theory import geometric_slices as cells
from kvopt.theory.gsa_bounds import GSA_ALPHA, GSA_COMPUTED
from kvopt.theory.pipeline import SPACINGS, area_slices, capped_slices, geometric_slices
from kvopt.theory.quadratic import GOLDEN_RATIO, Exact
from kvopt.theory.slice_plans import Weights

TABLE: dict[tuple[str, str], dict[Exact, str]] = {
    ("alpha", "sps"): {
        Fraction(161, 100): "16.24",
        Fraction(164, 100): "16.38",
        Fraction(169, 100): "16.57",
        GOLDEN_RATIO: "16.26",
        GSA_ALPHA: "16.97",
        Fraction(2): "19.09",
    },
    ("alpha", "sps2"): {
        Fraction(161, 100): "12.93",
        Fraction(164, 100): "12.81",
        Fraction(169, 100): "13.13",
        GOLDEN_RATIO: "12.89",
        GSA_ALPHA: "13.63",
        Fraction(2): "15.42",
    },
    ("area", "sps"): {Fraction(248, 100): "16.07", Fraction(2128, 1000): "16.40"},
}
"""The table of the document: growth factors and ratios, by slices and spacing."""


def check_table() -> None:
    for (slices, spacing), row in TABLE.items():
        for growth, ratio in row.items():
            assert cells.ratio_holds(growth, slices, spacing, Fraction(ratio)), "table"
    for theorem in GSA_COMPUTED:
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
    """Section 6: the weights, and where M - s comes."""
    eta = 1 - 2 * Fraction(prompt + 1, memory + 1)
    assert 0 < eta < Fraction(1, 3)
    weights = Weights(prompt, memory, memory - prompt, Fraction(0))
    for t in range(1, memory - prompt + 1):
        u = Fraction(t, memory + 1) / eta
        least = u / 2 if u <= 1 else u - Fraction(1, 2)
        assert weights.sum(t) >= least * eta * (memory + 1)
        assert 3 * weights.delta(t) >= t
    assert Fraction(memory - prompt, memory + 1) > 2 * eta


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
        carry = ratio * (growth - 1) + distance - distance**2 / (carry - distance)
        assert carry >= kappa * growth
        carry = (carry / growth).limit_denominator(10**6)
        carry = max(carry, kappa)


# The statement for one prompt and memory


def check_phases(
    growth: Exact, slices: str, spacing: str, prompt: int, memory: int, ratio: Fraction,
    offset: Fraction, rng: random.Random,
) -> Fraction:  # fmt: skip
    """Compare what GSA costs with the bound on the optimum; return the largest ratio of the two.

    The requests have the smallest outputs of their classes, and their numbers come close to
    the worst ones that the pivots know of; the cost is that of lemma 9 of sharper_bounds.md.
    """
    longest = memory - prompt
    rule = (
        geometric_slices(growth, offset)
        if slices == "alpha"
        else area_slices(growth, prompt, offset)
    )
    lengths = list(capped_slices(rule, longest))
    distances = [SPACINGS[spacing](prompt, t, memory) for t in lengths]
    by_slots = slices == "alpha" and Fraction(2 * prompt + 1, 2 * memory) > Fraction(7, 20)
    weights = Weights(prompt, memory, longest, Fraction(not by_slots))
    outputs = [1, *(t + 1 for t in lengths[:-1])]
    sums = [weights.sum(o) for o in outputs]
    assert all(3 * weights.delta(o) >= o for o in outputs)
    most = Fraction(0)
    for _ in range(6):
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


def bad_numbers(sums: list[float], distances: list[float], rng: random.Random) -> list[int]:
    """Return decreasing numbers of requests near the null vector of the pivots at some ratio."""
    ratio = rng.uniform(6, 17)
    carry, shrink = ratio * sums[0], []
    for phi, after, d in zip(sums, sums[1:], distances, strict=False):
        margin = max(carry - d, d / 50)
        shrink.append(max(1.0, d / margin))
        carry = ratio * (after - phi) + d - d * d / margin
    alive = [1.0]
    for factor in reversed(shrink):
        alive.append(alive[-1] * factor)
    return [math.floor(n / alive[-1] * 10**7) for n in reversed(alive)]


def main(fast: bool) -> None:
    check_table()
    rng = random.Random(11)
    for _ in range(400 if fast else 4000):
        memory = rng.randint(1, 10 ** rng.randint(1, 5))
        prompt = rng.randrange(rng.choice((memory, memory // 10 + 1)))
        over = 1 + Fraction(rng.randrange(100), 100 * rng.randint(1, 100))
        check_distance(prompt, rng.randint(1, memory - prompt), memory, over)
        check_tail(rng)
    for memory in range(4, 60 if fast else 200):
        for prompt in range(memory // 3, (memory - 1) // 2 + 1):
            if 3 * (prompt + 1) > memory + 1 and 2 * (prompt + 1) < memory + 1:
                check_window(prompt, memory)
    for (slices, spacing), row in TABLE.items():
        for growth, ratio in row.items():
            for _ in range(20 if fast else 200):
                memory = rng.randint(2, 10 ** rng.randint(1, 4))
                prompt = rng.choice((0, rng.randrange(memory), rng.randrange(memory // 9 + 1)))
                offset = Fraction(rng.randint(100, math.floor(100 * growth)), 100)
                check_phases(
                    growth, slices, spacing, prompt, memory, Fraction(ratio),
                    rng.choice((Fraction(1), offset)), rng,
                )  # fmt: skip
