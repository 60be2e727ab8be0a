"""Knapsack rows of proofs (proofs/text/knapsack_rows.md): steps, their limit, duals.

The limit is looked for by tokens, request by request (`oracles.knapsack`), not by counts.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from oracles.knapsack import Steps, counted, largest_count
from oracles.model import Request

__all__ = ["KNAPSACKS", "any_knapsack", "counted", "fits", "knapsacks_of", "random_steps"]

KNAPSACKS = "knapsacks"

MOST_WORK = 300_000
"""Tokens of memory, times requests and their outputs, for which a limit is looked for."""


def random_steps(types: Iterable[Request], rng: random.Random) -> Steps:
    """Return steps that rise as tokens do, or faster, or anyhow."""
    steps: Steps = []
    share, many = rng.choice([1, 2, 3]), rng.random() < 0.4
    close = rng.random() < 0.6
    for s, o in sorted(set(types)):
        if rng.random() < 0.15:
            continue
        count = o if many else rng.randint(1, min(o, 3))
        c = 0
        for j in sorted(rng.sample(range(1, o + 1), count)):
            c = max(c + 1, -(-(s + j) // share)) if close else c + rng.randint(1, 3)
            steps.append([s, o, j, c])
    return steps


def any_knapsack(
    memory: int, requests: Sequence[Request], rounds: int, most: int, rng: random.Random
) -> dict[str, Any]:
    """Return rows with the least limit, or a larger one, and duals up to `most` in some rounds."""
    steps = random_steps(requests, rng)
    limit = largest_count(memory, requests, steps) + rng.choice([0, 0, 0, 0, 1, 5])
    chosen = sorted(rng.sample(range(1, rounds + 1), rng.randint(1, min(4, rounds))))
    key = rng.choice(["duals", "knots"])
    duals = [[u, rng.randint(0, most)] for u in chosen]
    if key == "knots":
        first, last = chosen[0], chosen[-1] + 1
        duals = [[first, rng.randint(0, most) * (last - first)], [last, 0]]
    return {"limit": limit, "steps": steps, key: duals}


def knapsacks_of(proof: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all knapsack rows of a proof, those of prices, too."""
    for node in (*proof.get("tree", []), *proof.get("prices", [])):
        yield from node.get(KNAPSACKS, [])


def fits(memory: int, requests: Sequence[Request], proof: Mapping[str, Any]) -> bool | None:
    """Tell whether no set that fits counts more than a limit says; None if that is much work."""
    rows = list(knapsacks_of(proof))
    if rows and memory * sum(o for _, o in requests) * len(rows) > MOST_WORK:
        return None
    return all(largest_count(memory, requests, row["steps"]) <= row["limit"] for row in rows)
