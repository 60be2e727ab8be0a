"""Companion of first_completion.md: the rows hold in every round, and any duals are true."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from companions.checking import checker
from companions.model import memory_in_round, random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.state_graph import solve_by_state_graph

Heights = list[list[int]]


def random_heights(rng: random.Random) -> Heights:
    """Return heights as steps [x, H], most of them falling."""
    at = [0, *sorted(rng.sample(range(1, 12), rng.randint(0, 4)))]
    low = rng.randint(0, 4)
    heights = [low + rng.randint(0, 6) for _ in at[1:]]
    if rng.random() < 0.7:
        heights.sort(reverse=True)
    return [[x, h] for x, h in zip(at, [*heights, low], strict=True)]


def height(heights: Heights, x: int) -> int:
    """Return H_x."""
    return next(h for at, h in reversed(heights) if at <= x)


def coefficient(memory: int, b: int, r: int, heights: Heights) -> int:
    """Return a(b, r), as the document defines it."""
    d, low = heights[-1]
    least = min((b + x) * height(heights, x) for x in range(min(d, r) + 1))
    return max(0, least - memory * (height(heights, r) - low))


def check_row(instance: Instance, starts: Sequence[int], heights: Heights, spare: int = 0) -> int:
    """Theorem 1 in every round of a schedule; return in how many its row is tight.

    `spare` makes the right-hand side smaller.
    """
    memory, tight = instance.memory, 0
    limit = memory * heights[-1][1] - spare
    for u in range(1, max(starts) + max(instance.outputs.tolist()) + 1):
        total = sum(
            coefficient(memory, request.prompt + u - t, t + request.output - u, heights)
            for request, t in zip(instance, starts, strict=True)
            if t < u <= t + request.output
        )
        assert total <= limit
        tight += total == limit > 0
    return tight


def check_steps(memory: int, s: int, o: int, heights: Heights) -> None:
    """Lemma 2: what the checker computes from steps is a(b, r)."""
    found = checker().first_completion(memory, s, o, heights)
    assert found == [coefficient(memory, s + o - r, r, heights) for r in range(o)]


def all_schedules(instance: Instance, latest: int) -> Iterator[tuple[int, ...]]:
    """Yield every feasible schedule that starts all requests by some time."""
    rounds = range(1, latest + max(instance.outputs.tolist()) + 1)
    for starts in itertools.product(range(latest + 1), repeat=len(instance)):
        if all(memory_in_round(instance, starts, r) <= instance.memory for r in rounds):
            yield starts


def check_duals(instance: Instance, optimum: int, rng: random.Random, above: int = 0) -> bool:
    """Theorem 3 with random duals; return whether the bound is the optimum (plus `above`)."""
    families = []
    for _ in range(rng.randint(1, 3)):
        rounds = sorted(rng.sample(range(1, 12), rng.randint(1, 5)))
        duals = [[u, rng.randint(0, 3)] for u in rounds]
        families.append({"heights": random_heights(rng), "duals": duals})
        first, last = rounds[0], rounds[-1] + 1
        knots = [[first, rng.randint(0, 3) * (last - first)], [last, 0]]
        families.append({"heights": random_heights(rng), "knots": knots})
    leaf = {"memory": [], "covers": [], "branch": [], "first_completion": families}
    proof = {"rule": "linear-duals", "scale": rng.choice([8, 32]), "tree": [leaf]}
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    value = checker().bound(instance.memory, types, proof)
    assert value <= optimum
    return bool(value == optimum + above)


def main(fast: bool) -> None:
    rng = random.Random(6)
    tight = optimal = 0
    for number in range(40 if fast else 1500):
        instance = generate_random("tiny", 44, number)
        small = generate_random("small", 45, number)
        best = solve_by_state_graph(instance)
        for _ in range(10):
            heights = random_heights(rng)
            tight += check_row(instance, best.starts.tolist(), heights)
            check_row(instance, random_feasible(instance, rng), heights)
            check_row(small, random_feasible(small, rng), heights)
            check_steps(rng.randint(1, 40), rng.randint(0, 5), rng.randint(1, 20), heights)
            optimal += check_duals(instance, best.objective, rng)
    for _ in range(10 if fast else 100):
        memory = rng.randint(3, 8)
        kinds = [(s, rng.randint(1, memory - s)) for s in rng.choices(range(3), k=3)]
        instance = Instance(memory, *zip(*kinds, strict=True))
        for starts in all_schedules(instance, 5):
            check_row(instance, starts, random_heights(rng))
    assert tight > 0
    assert optimal > 0


if __name__ == "__main__":
    main(fast=False)
