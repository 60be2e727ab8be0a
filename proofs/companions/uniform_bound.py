"""Companion of uniform_bound.md: the slices of uniform_bound.json prove a ratio of 10."""

from __future__ import annotations

import csv
import json
import math
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvopt.theory.pipeline import SPACINGS
from kvopt.theory.slice_plans import Weights

RATIO = Fraction(10)
EDGE = Fraction(62, 250)  # memory weights below, slot weights above
SMALLEST_MEMORY = 150  # for memory weights; below it, every prompt and memory by itself
DATA = Path(__file__).parent.parent / "data" / "uniform_bound.json"
TABLE = Path(__file__).parent.parent / "data" / "certified_slices.csv"

LEFT = {
    Fraction(1): Fraction(1, 2),
    Fraction(4, 3): Fraction(464, 1000),
    Fraction(3, 2): Fraction(449, 1000),
    Fraction(2): Fraction(414, 1000),
    Fraction(3): Fraction(366, 1000),
    Fraction(4): Fraction(1, 3),
}
"""Lower bounds of 1 / (1 + sqrt(rho)), by rho."""


def slots(sigma: Any, x: Any) -> int:
    """Return the largest k >= 1 with k sigma + (k + 1) x / 2 <= 1 (1 if there is none)."""
    return max(1, math.floor((1 - x / 2) / (sigma + x / 2)))


def area_left(sigma: Any, x: Any) -> Any:
    """Return x (x + 3 sigma) / (3 (x + 2 sigma)), at most delta / M."""
    return x * (x + 3 * sigma) / (3 * (x + 2 * sigma))


def area_tail_use(a: Fraction, b: Fraction, x: Fraction) -> Fraction:
    """Return a lower bound of the utilisation of slices up to x, for sigma in [a, b]."""
    return max(1 - b - x, slots(b, x) * a)


def area_tail_ratio(a: Fraction, x: Fraction, growth: Fraction) -> Fraction:
    """Return what slices up to x grow by at least, if their areas grow by `growth`."""
    root = Fraction(math.isqrt(math.floor(growth * 10**12)), 10**6)
    return max(root, growth * 2 * a / (2 * a + x))


def slot_sum(sigma: Fraction, y: Fraction) -> Fraction:
    """Return the integral of 1 / floor((1 - v) / sigma) over [0, y], y <= 1 - sigma."""
    total, done = Fraction(0), Fraction(0)
    while done < y:
        q = math.floor((1 - done) / sigma)
        if 1 - q * sigma <= done:  # at v = done the floor is about to be q - 1
            q -= 1
        end = min(y, 1 - q * sigma) if q > 0 else y
        total += (end - done) / max(q, 1)
        done = end
    return total


def slot_left(most: int, sigma: Any, y: Any) -> Fraction:
    """Return a lower bound of delta(o) / o for outputs up to y, with slot weights."""
    least = max(1, math.floor((1 - y) / sigma))
    return LEFT[Fraction(most, min(most, least))]


def window_sum(q: int, u: Fraction) -> Fraction:
    return u / q if u <= 1 else Fraction(1, q) + (u - 1) / (q - 1)


def check_tail(growth: Fraction, kappa: Fraction, used: Fraction) -> None:
    """Lemma 4: the carry of a geometric tail stays at least kappa times the weight."""
    assert growth > 1
    assert kappa <= RATIO
    assert kappa / growth > 1 / used
    carry = RATIO * (1 - 1 / growth) + 1 / used - 1 / used**2 / (kappa / growth - 1 / used)
    assert carry >= kappa, "tail"


class Walk:
    """A carry and the waits, from phase to phase."""

    def __init__(self, size: Fraction, carry: Fraction, wait: Fraction) -> None:
        self.size, self.carry, self.wait = size, carry, wait

    def enter(self, distance: Fraction, room: Fraction) -> None:
        """Check that a phase with this distance may come, and its class is paid for."""
        assert self.carry > distance, "carry"
        assert self.wait - distance / 2 <= room, "waits"

    def step(self, size: Fraction, distance: Fraction, rise: Fraction, room: Fraction) -> None:
        """Run a phase of this size, at which the weight has risen so much since the last."""
        assert size > self.size, "order"
        self.enter(distance, room)
        self.carry = RATIO * rise + distance - distance * distance / (self.carry - distance)
        self.wait += size - distance
        self.size = size


def check_area(entry: dict[str, Any]) -> None:
    a, b = map(Fraction, entry["sigma"])
    x, growth, kappa = map(Fraction, entry["tail"])
    used = area_tail_use(a, b, x)
    check_tail(growth, kappa, used)
    ratio = area_tail_ratio(a, x, growth)
    wait = ratio / (ratio - 1)
    assert RATIO * area_left(a, x) / x - 1 >= wait, "waits of the tail"
    walk = Walk(x, kappa * (a * x + x * x / 2), wait * x)
    for y in map(Fraction, entry["phases"]):
        k = slots(b, y)
        assert y < 1 - b
        rise = a * (y - walk.size) + (y * y - walk.size**2) / 2
        walk.step(y, y / k, rise, RATIO * area_left(a, walk.size) - walk.size)
    top = 1 - a + Fraction(1, 2 * SMALLEST_MEMORY)
    walk.enter(top, RATIO * area_left(a, walk.size) - walk.size)


def finish_slots(walk: Walk, most: int, a: Fraction, b: Fraction, phases: list[str]) -> None:
    """Go through phases with slot weights, up to the last one of size 1 - sigma."""
    for y in map(Fraction, phases):
        assert y < 1 - b
        room = walk.size * (RATIO * slot_left(most, b, y) - 1)
        walk.step(y, y / slots(b, y), slot_sum(a, y) - slot_sum(a, walk.size), room)
    walk.enter(1 - a, walk.size * (RATIO * LEFT[Fraction(most)] - 1))


def check_slots(entry: dict[str, Any]) -> None:
    a, b = map(Fraction, entry["sigma"])
    y, growth, kappa = map(Fraction, entry["tail"])
    most = math.floor(1 / b)
    assert a * (most + 1) >= 1
    assert slots(b, y) == most
    assert y <= 1 - most * b
    check_tail(growth, kappa, Fraction(1))
    wait = (1 - Fraction(1, most)) * growth / (growth - 1)
    assert wait <= RATIO / 2 - 1, "waits of the tail"
    finish_slots(Walk(y, kappa * y / most, wait * y), most, a, b, entry["phases"])


def check_half(entry: dict[str, Any]) -> None:
    y, growth, kappa = map(Fraction, entry["tail"])
    check_tail(growth, kappa, Fraction(1))
    walk = Walk(y, kappa * y, Fraction(0))
    for z in map(Fraction, entry["phases"]):
        walk.step(z, z, z - walk.size, walk.size * (RATIO / 2 - 1))
    assert walk.size < 1
    walk.enter(Fraction(1), walk.size * (RATIO / 2 - 1))


def check_window(entry: dict[str, Any]) -> None:
    q = entry["slots"]
    k = q - 1
    u, growth, kappa = map(Fraction, entry["tail"])
    check_tail(growth, kappa, Fraction(1))
    assert u <= Fraction(2, q + 1)
    wait = (1 - Fraction(1, q)) * growth / (growth - 1)
    assert wait <= RATIO / 2 - 1, "waits of the tail"
    carried, above, omega = map(Fraction, entry["above"])
    check_tail(above, carried, Fraction(1))
    left = LEFT[Fraction(q, k)]
    assert omega >= omega / above + 1 - Fraction(1, k), "waits above the window"
    assert RATIO * left - 1 >= omega, "waits above the window"
    edges = []
    for step in entry["steps"]:
        c1, c2 = map(Fraction, step["c"])
        edges += [c1, c2]
        walk = Walk(u, kappa * u / q, wait * u)
        for v in map(Fraction, step["phases"]):
            rise = window_sum(q, v) - window_sum(q, walk.size)
            walk.step(v, v / k, rise, walk.size * (RATIO * left - 1))
        assert walk.size < c1
        rise = window_sum(q, c1) - window_sum(q, walk.size)
        walk.step(c2, c2 / k, rise, walk.size * (RATIO * left - 1))
        assert walk.carry >= carried * c2 / k, "carry out of the window"
        assert walk.wait <= omega * c1, "waits in the window"
    assert all(edges[i] == edges[i + 1] for i in range(1, len(edges) - 1, 2))
    assert edges[0] >= 1
    assert edges[-1] >= edges[0] * above
    y, eta, phases = Fraction(entry["top"][0]), Fraction(entry["top"][1]), entry["top"][2]
    assert eta * edges[0] <= y
    assert eta < Fraction(1, q + 1)
    assert y <= Fraction(2, q * q)
    a, b = (1 - eta) / q, Fraction(1, q)
    finish_slots(Walk(y, carried * y / k, omega * y), q, a, b, phases)


CHECKS = {"area": check_area, "slots": check_slots, "half": check_half, "window": check_window}


def check_entry(entry: dict[str, Any]) -> None:
    CHECKS[entry["kind"]](entry)


# What is covered, and the lemmas on numbers


def reach(entry: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """Return the stretch of (s + 1) / (M + 1) that an entry serves, for M >= SMALLEST_MEMORY."""
    if entry["kind"] == "half":
        return Fraction(1, 2), Fraction(1)
    if entry["kind"] == "window":
        return (1 - Fraction(entry["top"][1])) / entry["slots"], Fraction(1, entry["slots"])
    a, b = map(Fraction, entry["sigma"])
    if entry["kind"] == "area" and a > 0:
        a += Fraction(1, 2 * SMALLEST_MEMORY)
    return a, b


def check_cover(entries: list[dict[str, Any]]) -> None:
    """Check that the stretches cover (0, 1), neighbours meeting at least in a point.

    A stretch holds both of its ends, except that a window does not hold its upper one.

    A stretch of memory weights that continues another one begins where that ends: both
    are about (s + 1/2) / M.
    """
    area = merged([tuple(map(Fraction, e["sigma"])) for e in entries if e["kind"] == "area"])
    served = [reach({"kind": "area", "sigma": [a, b]}) for a, b in area]
    served += [reach(entry) for entry in entries if entry["kind"] != "area"]
    assert merged([stretch for stretch in served if stretch[0] < stretch[1]]) == [(0, 1)]
    # at 1 / q exactly a window has eta = 0, and a stretch from above must begin there
    closed = [reach(entry)[0] for entry in entries if entry["kind"] in ("half", "slots")]
    assert {Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)} <= set(closed)


def merged(stretches: list[tuple[Fraction, ...]]) -> list[tuple[Fraction, Fraction]]:
    result: list[tuple[Fraction, Fraction]] = []
    for a, b in sorted(stretches):
        if result and a <= result[-1][1]:
            result[-1] = (result[-1][0], max(b, result[-1][1]))
        else:
            result.append((a, b))
    return result


def check_left() -> None:
    """Check that the table of 1 / (1 + sqrt(rho)) is rounded down."""
    for rho, left in LEFT.items():
        assert (1 / left - 1) ** 2 >= rho


def check_distance(prompt: int, slice: int, memory: int) -> None:
    """Lemma 1, in both units."""
    d = SPACINGS["sps"](prompt, slice, memory)
    for sigma, unit in (
        (Fraction(2 * prompt + 1, 2 * memory), memory),
        (Fraction(prompt + 1, memory + 1), memory + 1),
    ):
        x = Fraction(slice, unit)
        assert d <= x / slots(sigma, x) * unit


def check_weights(prompt: int, memory: int, output: int) -> None:
    """Lemma 2, at the largest x that an output allows."""
    by_area = Weights(prompt, memory, memory - prompt, Fraction(1))
    sigma, x = Fraction(2 * prompt + 1, 2 * memory), Fraction(output, memory)
    assert by_area.sum(output) == memory * (sigma * x + x * x / 2)
    assert by_area.delta(output) >= memory * area_left(sigma, x)
    by_slots = Weights(prompt, memory, memory - prompt, Fraction(0))
    sigma, x = Fraction(prompt + 1, memory + 1), Fraction(output, memory + 1)
    assert by_slots.sum(output) >= (memory + 1) * slot_sum(sigma, x)
    rho = Fraction(math.ceil(1 / sigma) - 1, max(1, math.floor((1 - x) / sigma)))
    share = by_slots.delta(output) / output
    assert share >= 1 or (1 / share - 1) ** 2 <= rho


def check_closed_ends() -> None:
    """Lemma 2 (b) where 1 / sigma is an integer q, and the number of slots for every sigma.

    At sigma = 1 / q exactly M + 1 = q (s + 1), and one request fewer than q fits in a round.
    """
    for memory in range(1, 80):
        for prompt in range(memory):
            sigma = Fraction(prompt + 1, memory + 1)
            first = Weights(prompt, memory, 1, Fraction(0)).sum(1)
            assert memory // (prompt + 1) == math.ceil(1 / sigma) - 1
            assert first == Fraction(1, math.ceil(1 / sigma) - 1)
    for q in range(2, 6):
        for prompt in range(12):
            memory = q * (prompt + 1) - 1
            assert Fraction(prompt + 1, memory + 1) == Fraction(1, q)
            for output in range(1, memory - prompt + 1):
                check_weights(prompt, memory, output)


def thresholds(entry: dict[str, Any], prompt: int, memory: int) -> list[Fraction]:
    """Return the thresholds of an entry for one prompt and memory, in rounds, increasing."""
    kind = entry["kind"]
    if kind == "area":
        sigma, unit = Fraction(2 * prompt + 1, 2 * memory), memory
    else:
        sigma, unit = Fraction(prompt + 1, memory + 1), memory + 1
    if kind == "half":
        scale = (1 - sigma) * unit
        return geometric(entry, scale) + [scale * Fraction(z) for z in entry["phases"]]
    if kind == "slots":
        return geometric(entry, Fraction(unit)) + [unit * Fraction(z) for z in entry["phases"]]
    if kind == "area":
        x, growth, _ = map(Fraction, entry["tail"])
        value, tail = sigma * x + x * x / 2, [x]
        while tail[-1] * unit >= 1:
            value /= growth
            # rounded: the root of sigma z + z^2 / 2 = value
            root = math.isqrt(math.floor((sigma * sigma + 2 * value) * 10**24))
            tail.append(Fraction(root, 10**12) - sigma)
        return [z * unit for z in (*tail[::-1], *map(Fraction, entry["phases"]))]
    q = entry["slots"]
    eta = 1 - q * sigma
    y, top = Fraction(entry["top"][0]), entry["top"][2]
    above = Fraction(entry["above"][1])
    second = [y]
    while second[-1] / above / eta >= Fraction(entry["steps"][0]["c"][0]):
        second.append(second[-1] / above)
    c = second[-1] / eta
    step = next(s for s in entry["steps"] if c <= Fraction(s["c"][1]))
    first = geometric(entry, eta * unit)
    inside = [eta * unit * Fraction(u) for u in step["phases"]]
    return first + inside + [unit * z for z in (*second[::-1], *map(Fraction, top))]


def geometric(entry: dict[str, Any], unit: Fraction) -> list[Fraction]:
    size, growth, _ = map(Fraction, entry["tail"])
    tail = [size * unit]
    while tail[-1] >= 1:
        tail.append(tail[-1] / growth)
    return tail[::-1]


def check_instance(entry: dict[str, Any], prompt: int, memory: int, rng: random.Random) -> None:
    """Compare cost and optimum for the slices of an entry, on numbers of requests.

    The requests have the smallest outputs of their classes; the cost is that of lemma 4 of
    certified_slices.md, for the distances as they are.
    """
    longest = memory - prompt
    assert max(thresholds(entry, prompt, memory)) < longest
    slices = sorted({math.floor(x) for x in thresholds(entry, prompt, memory)} - {0} | {longest})
    distances = [SPACINGS["sps"](prompt, t, memory) for t in slices]
    theta = Fraction(entry["kind"] == "area")
    weights = Weights(prompt, memory, longest, theta)
    outputs = [1, *(t + 1 for t in slices[:-1])]
    sums, left = [weights.sum(o) for o in outputs], [weights.delta(o) for o in outputs]
    for number in range(12):
        shrink = rng.choice((0.3, 0.5, 0.6, 0.7, 0.9)) if number else 1.0
        alive = [10**6]
        for _ in outputs[1:]:
            alive.append(math.floor(alive[-1] * min(1.0, shrink * rng.uniform(0.7, 1.3))))
        cost = optimum = waits = Fraction(0)
        for now, after, o, d, phi, delta, tau in zip(
            alive, [*alive[1:], 0], outputs, distances, sums, left, slices, strict=True
        ):
            cost += d * (now * now + 2 * now * after - after * after - now - after) / 2
            cost += (now - after) * (o + waits)
            optimum += phi * (now * now - after * after) / 2 + (now - after) * delta
            waits += tau
        assert cost <= RATIO * optimum


def check_small_memories() -> None:
    with TABLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["spacing"] == "sps"]
    assert {int(row["memory"]) for row in rows} >= set(range(1, SMALLEST_MEMORY))
    assert all(Fraction(row["bound"]) <= RATIO for row in rows)


def main(fast: bool) -> None:
    entries = json.loads(DATA.read_text())
    for entry in entries:
        check_entry(entry)
    check_cover(entries)
    check_left()
    check_closed_ends()
    check_small_memories()
    rng = random.Random(30)
    for _ in range(300 if fast else 3000):
        memory = rng.randint(1, 10 ** rng.randint(1, 6))
        prompt = rng.randrange(rng.choice((memory, memory // 10 + 1)))
        check_distance(prompt, rng.randint(1, memory - prompt), memory)
        memory = rng.randint(1, 300)
        prompt = rng.randrange(rng.choice((memory, memory // 5 + 1)))
        if prompt >= memory // 50:
            check_weights(prompt, memory, rng.randint(1, memory - prompt))
    for entry in rng.sample(entries, 12) if fast else entries:
        for _ in range(1 if fast else 3):
            memory = rng.randint(SMALLEST_MEMORY, 10 ** rng.randint(3, 4))
            if (prompt := some_prompt(entry, memory, rng)) is not None:
                check_instance(entry, prompt, memory, rng)


def some_prompt(entry: dict[str, Any], memory: int, rng: random.Random) -> int | None:
    """Return a prompt whose sigma the entry is about, or None if there is none."""
    if entry["kind"] == "area":
        low, high = map(Fraction, entry["sigma"])
        least, most = low * memory - Fraction(1, 2), high * memory - Fraction(1, 2)
    else:
        low, high = reach(entry)
        least, most = low * (memory + 1) - 1, high * (memory + 1) - 1
        if entry["kind"] != "half":
            most -= Fraction(1, 10**9)  # the end belongs to the next stretch
    prompts = range(max(0, math.ceil(least)), min(memory - 2, math.floor(most)) + 1)
    return rng.choice(prompts) if prompts else None
