"""Instances so small that their optimum is found by enumeration."""

from __future__ import annotations

import functools
import random

from oracles import optimum as oracle
from oracles import released_optimum

from kvopt import Instance

__all__ = ["optimum_of", "random_instance", "random_released_instance", "types_of"]


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


def random_released_instance(
    rng: random.Random, most: int = 4, memory: int = 9, latest: int = 9
) -> Instance:
    """Some requests, often several of one shape, of which one at least is released after 0."""
    memory = rng.randint(2, memory)
    rows = []
    for _ in range(rng.randint(1, most)):
        prompt = rng.randint(0, min(3, memory - 1))
        output = rng.randint(1, min(7, memory - prompt))
        rows.append((prompt, output, rng.choice([0, rng.randint(0, latest)])))
    if rng.random() < 0.4:
        rows = [(*rng.choice(rows)[:2], release) for _, _, release in rows]
    if rng.random() < 0.2:
        rows = [rng.choice(rows) for _ in rows]
    if not any(release for _, _, release in rows):
        rows[0] = (*rows[0][:2], rng.randint(1, latest))
    prompts, outputs, releases = zip(*rows, strict=True)
    return Instance(memory, prompts, outputs, releases=releases)


def optimum_of(instance: Instance) -> int:
    """Total latency of the best schedule (rounds)."""
    if instance.has_releases:
        rows = tuple((r.prompt, r.output, r.release) for r in instance)
        return _released_optimum(instance.memory, rows)
    return _optimum(instance.memory, tuple((r.prompt, r.output) for r in instance))


def types_of(instance: Instance) -> dict[tuple[int, int], int]:
    """Requests of each (prompt, output), as the checker wants them."""
    return {(r.prompt, r.output): n for r, n in instance.types()}


@functools.cache
def _optimum(memory: int, requests: tuple[tuple[int, int], ...]) -> int:
    return oracle.optimum(memory, list(requests))


@functools.cache
def _released_optimum(memory: int, requests: tuple[tuple[int, int, int], ...]) -> int:
    return released_optimum.optimum(memory, list(requests))
