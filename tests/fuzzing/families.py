"""First-completion rows of proofs (proofs/text/first_completion.md): heights, coefficients, duals.

Coefficients are computed from their definition, round by round, not as the checker does it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from fuzzing.knapsacks import KNAPSACKS
from fuzzing.problems import Problem

__all__ = ["KEY", "coefficient", "families_of", "family", "random_families", "random_heights"]

KEY = "first_completion"

Table = list[list[int]]


def random_heights(problem: Problem, rng: random.Random, wrong: str = "") -> Table:
    """Return heights as steps [x, H]: that fall as tokens grow, that fall somehow, or that do not.

    With `wrong` as "first: below" one of them is below the last, which is not allowed.
    """
    longest = max(o for _, o in problem.types)
    count = rng.randint(wrong == "first: below", min(4, longest))
    at = [0, *sorted(rng.sample(range(1, longest + 1), count))]
    low = rng.choice([0, 1, 1, 1, 2, 3, 6])
    if rng.random() < 0.5:  # (b + x) H_x is about the same for all x
        tokens = rng.randint(1, problem.memory)
        heights = [low + low * (at[-1] - x) // (tokens + x) for x in at[:-1]]
    else:
        heights = [low + rng.randint(0, 2 + low) for _ in at[:-1]]
        if rng.random() < 0.7:
            heights.sort(reverse=True)
    if wrong == "first: below":
        low = max(1, low)
        heights[rng.randrange(count)] = rng.randint(0, low - 1)
    return [[x, h] for x, h in zip(at, [*heights, low], strict=True)]


def coefficient(memory: int, b: int, r: int, heights: Table, wrong: str = "") -> int:
    """Return a(b, r) of a request that holds b tokens, r rounds before its last.

    `wrong` is one of `relaxations.WRONG`.
    """

    def height(x: int) -> int:
        return max((first, h) for first, h in heights if first <= x)[1]

    last, low = heights[-1]
    far = min(last, r)
    if wrong == "first: now" or (wrong == "first: now if far" and r >= last):
        far = 0
    elif wrong == "first: without the last" and r >= last > 0:
        far = last - 1
    b += wrong == "first: age"
    least = min((b + x) * height(x) for x in range(far + 1))
    back = 0 if wrong == "first: give back" else memory * (height(r) - low)
    return max(0, least - back)


def family(given: Mapping[str, Any], duals: Mapping[int, int], gap: int) -> dict[str, Any]:
    """Return rows with the duals of rounds, or of hats if `gap` is not 0, as they are written.

    Hat j is 0 up to round 1 + gap (j - 1), `gap` in round 1 + gap j, and 0 from 1 + gap (j + 1) on.
    """
    if not gap:
        return {**given, "duals": [[u, p] for u, p in sorted(duals.items())]}
    hats = range(max(0, min(duals) - 1), max(duals) + 2)
    return {**given, "knots": [[1 + gap * j, gap * duals.get(j, 0)] for j in hats]}


def random_families(
    problem: Problem, rng: random.Random, scale: int, last: int
) -> list[dict[str, Any]]:
    """Return one to three families with any duals, in rounds up to a last one."""
    found = []
    for _ in range(rng.randint(1, 3)):
        heights = random_heights(problem, rng)
        most = max(1, 2 * scale // (problem.memory * max(1, heights[0][1])))
        rounds = sorted(rng.sample(range(1, last + 1), rng.randint(1, min(5, last))))
        knots = [[rounds[0], rng.randint(0, most)]]
        for u, v in pairwise(rounds):
            slope = rng.choice([-1, 0, 1])
            knots.append([v, max(knots[-1][1] + slope * (v - u), knots[-1][1] % (v - u))])
        key = rng.choice(["duals", "knots"])
        found.append({"heights": heights, key: knots})
    return found


def families_of(proof: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all families of a proof that can be changed, knapsack rows among them."""
    nodes: Sequence[Any] = proof.get("tree", [])
    return [
        one
        for node in nodes
        if isinstance(node, dict)
        for key in (KEY, KNAPSACKS)
        for one in node.get(key, [])
    ]
