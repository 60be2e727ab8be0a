"""Companion of propagation.md: splits are windows, what runs for certain does, no start is lost."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

from companions.checking import checker
from companions.model import random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.state_graph import solve_by_state_graph

Kind = tuple[int, int]
Split = tuple[Kind, int, int, bool]  # type, time u, number b, whether at most b start before u


def by_type(instance: Instance, starts: Sequence[int]) -> dict[Kind, list[int]]:
    """Return the starts of each type, ascending."""
    found: dict[Kind, list[int]] = {(r.prompt, r.output): [] for r, _ in instance.types()}
    for s, o, t in zip(instance.prompts.tolist(), instance.outputs.tolist(), starts, strict=True):
        found[s, o].append(int(t))
    return {kind: sorted(times) for kind, times in found.items()}


def splits_of(starts: dict[Kind, list[int]], horizon: int, rng: random.Random) -> Iterator[Split]:
    """Yield splits on the side on which a schedule is."""
    for _ in range(rng.randint(1, 8)):
        kind = rng.choice(list(starts))
        u, b = rng.randint(1, horizon), rng.randrange(len(starts[kind]))
        yield kind, u, b, sum(t < u for t in starts[kind]) <= b


def windows_of(
    starts: dict[Kind, list[int]], horizon: int, splits: Sequence[Split]
) -> dict[tuple[Kind, int], tuple[int, int]]:
    """Return the window of each request (lemma 1)."""
    found = {(kind, j): (0, horizon) for kind, times in starts.items() for j in range(len(times))}
    for kind, u, b, at_most in splits:
        for j in range(len(starts[kind])):
            low, high = found[kind, j]
            if at_most and j >= b:
                found[kind, j] = (max(low, u), high)
            elif not at_most and j <= b:
                found[kind, j] = (low, min(high, u - 1))
    return found


def check_certain(
    instance: Instance, starts: Sequence[int], splits: Sequence[Split], horizon: int, late: int = 0
) -> None:
    """Lemmas 1 to 3 on one schedule; `late` makes windows end too early."""
    times = by_type(instance, starts)
    windows = windows_of(times, horizon, splits)
    for (kind, j), (low, high) in windows.items():
        t = times[kind][j]
        assert low <= t
        assert t <= high - late or high == horizon
    for (kind, j), t in ((place, times[place[0]][place[1]]) for place in windows):
        s, o = kind
        for r in range(t + 1, t + o + 1):
            others = 0
            for place, (low, high) in windows.items():
                if place != (kind, j) and high < horizon and high - late < r <= low + place[0][1]:
                    certain = place[0][0] + r - (high - late)
                    start = times[place[0]][place[1]]
                    assert start < r <= start + place[0][1]
                    assert certain <= place[0][0] + r - start
                    others += certain
            assert s + r - t + others <= instance.memory


def check_nothing_lost(
    instance: Instance, starts: Sequence[int], splits: Sequence[Split], horizon: int
) -> int:
    """Lemma 3 as the checker does it: the starts of a schedule stay; return how many do not."""
    times = by_type(instance, starts)
    types = {kind: len(each) for kind, each in times.items()}
    above = tuple(
        ({kind: u}, 1 if at_most else -1, b if at_most else -(b + 1))
        for kind, u, b, at_most in splits
    )
    everything = {kind: bytearray([1]) * (horizon + 1) for kind in types}
    left = checker().fitting(instance.memory, types, everything, above)
    assert left is not None
    for kind, each in times.items():
        assert all(left[kind][min(t, horizon)] for t in each)
    return sum(row.count(0) for row in left.values())


def check_tree(instance: Instance, optimum: int, rng: random.Random, above: int = 0) -> bool:
    """Theorem 5 on random trees; return whether the bound is the optimum (plus `above`)."""
    kinds = sorted({(r.prompt, r.output) for r, _ in instance.types()})
    horizon, goal = rng.randint(2, 14), optimum + rng.randint(-1, 3)
    tree: list[dict[str, Any]] = []

    def grow(depth: int) -> None:
        prices = [[r, rng.randint(0, 2)] for r in range(1, horizon + 1) if rng.random() < 0.5]
        stairs = [[1, u, rng.randint(0, 9)] for u in range(horizon) if rng.random() < 0.3]
        branch = [rng.choice([0, 0, 5]) for _ in range(depth)]
        node: dict[str, Any] = {"memory": prices, "covers": stairs, "branch": branch}
        if depth > 0 and rng.random() < 0.5:
            node = {}
        if depth < 4 and rng.random() < 0.8:
            kind = rng.choice(kinds)
            node["split"] = [[*kind, rng.randint(1, horizon)]]
            node["at_most"] = rng.randint(0, 1)
        tree.append(node)
        if "split" in node:
            grow(depth + 1)
            grow(depth + 1)

    grow(0)
    proof = {
        "rule": "propagation",
        "scale": 8,
        "horizon": horizon,
        "cutoff": max(1, goal),
        "tree": tree,
    }
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    value = checker().bound(instance.memory, types, proof)
    assert value <= optimum
    return bool(value == optimum + above)


def main(fast: bool) -> None:
    rng = random.Random(5)
    tight = taken = 0
    for number in range(20 if fast else 500):
        instance = generate_random("tiny", 43, number)
        best = solve_by_state_graph(instance)
        schedules = [best.starts.tolist(), list(random_feasible(instance, rng))]
        for starts, _ in itertools.product(schedules, range(3)):
            horizon = rng.randint(1, max(starts) + 3)
            splits = list(splits_of(by_type(instance, starts), horizon, rng))
            check_certain(instance, starts, splits, horizon)
            taken += check_nothing_lost(instance, starts, splits, horizon)
        for _ in range(4):
            tight += check_tree(instance, best.objective, rng)
    assert tight > 0
    assert taken > 0


if __name__ == "__main__":
    main(fast=False)
