"""What requests that fit in memory together count at most, by how many tokens they hold."""

from __future__ import annotations

from collections.abc import Iterable

from oracles.model import Request

Steps = list[list[int]]


def counted(steps: Steps, request: Request, j: int) -> int:
    """Return what a request counts in its round j, for steps [prompt, output, round, count]."""
    return max((c for s, o, i, c in steps if (s, o) == request and i <= j), default=0)


def largest_count(memory: int, requests: Iterable[Request], steps: Steps) -> int:
    """Return the largest sum of counts of requests that fit, each in any of its rounds.

    most[b] is that of sets with b tokens at most; a request is in its round j, or in none.
    """
    most = [0] * (memory + 1)
    for s, o in requests:
        counts = [(s + j, counted(steps, (s, o), j)) for j in range(1, o + 1)]
        most = [
            max([most[b], *(most[b - held] + c for held, c in counts if held <= b)])
            for b in range(memory + 1)
        ]
    return most[memory]
