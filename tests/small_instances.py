"""Instances so small that their optimum is found by enumeration."""

from __future__ import annotations

import functools
import random

from oracles import optimum as oracle

from kvopt import Instance

__all__ = ["optimum_of", "random_instance", "types_of"]


def random_instance(rng: random.Random) -> Instance:
    """Up to four requests; often several of one type."""
    memory = rng.randint(2, 9)
    shapes = []
    for _ in range(rng.randint(1, 4)):
        prompt = rng.randint(0, min(3, memory - 1))
        shapes.append((prompt, rng.randint(1, memory - prompt)))
    if rng.random() < 0.4:
        shapes = [rng.choice(shapes) for _ in shapes]
    return Instance(memory, *zip(*shapes, strict=True))


def optimum_of(instance: Instance) -> int:
    """Total completion time of the best schedule (rounds)."""
    return _optimum(instance.memory, tuple((r.prompt, r.output) for r in instance))


def types_of(instance: Instance) -> dict[tuple[int, int], int]:
    """Requests of each (prompt, output), as the checker wants them."""
    return {(r.prompt, r.output): n for r, n in instance.types()}


@functools.cache
def _optimum(memory: int, requests: tuple[tuple[int, int], ...]) -> int:
    return oracle.optimum(memory, list(requests))
