"""The exact optimum by uniform-cost search: for a few requests more than every start vector.

Nothing is cut but states met before.  Memory is a plain tuple, a number for each coming round.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from oracles.model import Request, check

Profile = tuple[int, ...]


class TooManyStates(Exception):  # noqa: N818  # an answer, not an error
    """The search was ended before it knew the optimum."""


def optimum(memory: int, requests: list[Request], limit: int = 1_000_000) -> int:
    """Return the least total completion time.

    A round costs the number of requests that wait through it, so the sum of the starts is the
    cost of a path from "all wait" to "none waits".  Some optimal schedule has no idle round.

    Raises
    ------
    TooManyStates
        If more than `limit` states were expanded.
    """
    check(memory, requests)
    kinds = sorted(set(requests))
    counts = tuple(requests.count(kind) for kind in kinds)
    done: set[tuple[tuple[int, ...], Profile]] = set()
    queue: list[tuple[int, tuple[int, ...], Profile]] = [(0, counts, ())]
    while True:
        cost, waiting, profile = heapq.heappop(queue)
        if not any(waiting):
            return cost + sum(output for _, output in requests)
        if (waiting, profile) in done:
            continue
        done.add((waiting, profile))
        if len(done) > limit:
            raise TooManyStates
        for rest, used in groups(memory, kinds, waiting, profile):
            if used:
                heapq.heappush(queue, (cost + sum(rest), rest, used[1:]))


def groups(
    memory: int, kinds: list[Request], waiting: tuple[int, ...], profile: Profile
) -> Iterator[tuple[tuple[int, ...], Profile]]:
    """Yield what may start now: who still waits then, and the memory used in coming rounds."""
    if not kinds:
        yield (), profile
        return
    (prompt, output), count = kinds[0], waiting[0]
    for started in range(count + 1):
        if started:
            longer = max(len(profile), output)
            profile = tuple(
                (profile[j] if j < len(profile) else 0) + (prompt + j + 1 if j < output else 0)
                for j in range(longer)
            )
            if max(profile) > memory:
                return
        for rest, used in groups(memory, kinds[1:], waiting[1:], profile):
            yield (count - started, *rest), used
