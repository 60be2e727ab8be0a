"""Companion of knapsack_rows.md: the rows hold in every round, and any duals are true."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from companions.checking import checker
from companions.first_completion import all_schedules
from companions.model import random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.state_graph import solve_by_state_graph

Kind = tuple[int, int]
Counts = dict[Kind, list[int]]
"""c_k(1), ..., c_k(o) of each type."""


def random_counts(instance: Instance, rng: random.Random) -> Counts:
    """Return numbers that never fall: about a share of the tokens, or anything."""
    found: Counts = {}
    share, close = rng.choice([1, 2, 3]), rng.random() < 0.6
    for request, _ in instance.types():
        s, o = request.prompt, request.output
        found[s, o] = []
        c = 0
        for j in range(1, o + 1):
            if rng.random() < 0.6:
                c = max(c, -(-(s + j) // share)) if close else c + rng.randint(0, 3)
            found[s, o].append(c)
    return found


def steps_of(counts: Counts) -> list[list[int]]:
    """Return the numbers as a certificate has them: [s, o, j, c], c from round j on."""
    return [
        [s, o, j, c]
        for (s, o), row in sorted(counts.items())
        for j, (before, c) in enumerate(itertools.pairwise([0, *row]), start=1)
        if c > before
    ]


def sets_that_fit(instance: Instance, counts: Counts) -> set[tuple[int, int]]:
    """Return (tokens, count) of all sets of requests that fit, each in some round."""
    found = {(0, 0)}
    for request in instance:
        s, row = request.prompt, counts[request.prompt, request.output]
        found |= {
            (tokens + s + j, total + c)
            for tokens, total in found
            for j, c in enumerate(row, start=1)
            if tokens + s + j <= instance.memory
        }
    return found


def largest(instance: Instance, counts: Counts) -> int:
    """Return L, as the document defines it."""
    return max(total for _, total in sets_that_fit(instance, counts))


def check_row(instance: Instance, starts: Sequence[int], counts: Counts, spare: int = 0) -> int:
    """Theorem 1 in every round of a schedule; return in how many its row is tight.

    `spare` makes the right-hand side smaller.
    """
    limit, tight = largest(instance, counts) - spare, 0
    for u in range(1, max(starts) + max(instance.outputs.tolist()) + 1):
        total = sum(
            counts[request.prompt, request.output][u - t - 1]
            for request, t in zip(instance, starts, strict=True)
            if t < u <= t + request.output
        )
        assert total <= limit
        tight += total == limit > 0
    return tight


def check_least(instance: Instance, counts: Counts) -> None:
    """Lemma 2: f(v) is the least of all sets, if that fits."""
    sets = sets_that_fit(instance, counts)
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    for v in range(max(total for _, total in sets) + 3):
        literal = min((tokens for tokens, total in sets if total >= v), default=None)
        found = checker().least_tokens(instance.memory, types, steps_of(counts), v)
        assert found > instance.memory if literal is None else found == literal


def check_duals(
    instance: Instance, optimum: int, rng: random.Random, above: int = 0, less: int = 0
) -> bool:
    """Theorem 3 with random duals; return whether the bound is the optimum (plus `above`).

    `less` makes limits smaller, which the checker refuses.
    """
    families = []
    for _ in range(rng.randint(1, 2)):
        counts = random_counts(instance, rng)
        rows = {"limit": largest(instance, counts) - less, "steps": steps_of(counts)}
        rounds = sorted(rng.sample(range(1, 9), rng.randint(1, 3)))
        if rng.random() < 0.5:
            families.append({**rows, "duals": [[u, rng.randint(0, 3)] for u in rounds]})
        else:
            first, last = rounds[0], rounds[-1] + 1
            knots = [[first, rng.randint(0, 2) * (last - first)], [last, 0]]
            families.append({**rows, "knots": knots})
    leaf = {"memory": [], "covers": [], "branch": [], "knapsacks": families}
    proof = {"rule": "linear-duals", "scale": rng.choice([2, 4, 8]), "tree": [leaf]}
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    value = checker().bound(instance.memory, types, proof)
    assert value <= optimum
    return bool(value == optimum + above)


def main(fast: bool) -> None:
    rng = random.Random(7)
    tight = optimal = 0
    for number in range(40 if fast else 1500):
        instance = generate_random("tiny", 46, number)
        small = generate_random("small", 47, number)
        best = solve_by_state_graph(instance)
        waits = best.objective > instance.total_output
        for _ in range(5):
            counts = random_counts(instance, rng)
            tight += check_row(instance, best.starts.tolist(), counts)
            check_row(instance, random_feasible(instance, rng), counts)
            check_row(small, random_feasible(small, rng), random_counts(small, rng))
            check_least(instance, counts)
            for _ in range(4 * waits):
                optimal += check_duals(instance, best.objective, rng)
    for _ in range(10 if fast else 100):
        memory = rng.randint(3, 8)
        kinds = [(s, rng.randint(1, memory - s)) for s in rng.choices(range(3), k=3)]
        instance = Instance(memory, *zip(*kinds, strict=True))
        for starts in all_schedules(instance, 5):
            check_row(instance, starts, random_counts(instance, rng))
    assert tight > 0
    assert optimal > 0


if __name__ == "__main__":
    main(fast=False)
