"""SVF in batches, literally (proofs/text/area_batches.md)."""

from fractions import Fraction
from itertools import count

from oracles.model import Attempt, Request, area, by_start, check, within_budget

GROWTH, STEPS, BETA = Fraction(101, 100), 76, Fraction(21, 10)


def svf_batches(
    memory: int, requests: list[Request], releases: list[int], pull: bool = False
) -> list[Attempt]:
    """Plan what has been released beside what runs, whenever all planned before has started."""
    check(memory, requests)
    attempts: list[Attempt] = []
    to_come = list(range(len(requests)))
    now = 0
    while to_come:
        released = [i for i in to_come if releases[i] <= now]
        if not released:
            now += 1
            continue
        chosen = [requests[i] for i in released]
        first = now
        for i in [released[place] for place in in_order(memory, chosen)]:
            while not within_budget(memory, requests, [*attempts, run(requests, i, now)]):
                now += 1
            attempts.append(run(requests, i, now))
        if pull:
            attempts = pulled(memory, requests, attempts, released, first)
        now = max(start for i, start, _, _ in attempts if i in released)
        to_come = [i for i in to_come if i not in released]
    return by_start(attempts)


def in_order(memory: int, requests: list[Request]) -> list[int]:
    """Return the order of the batches of the best offset."""
    order = sorted(range(len(requests)), key=lambda i: (area(*requests[i]), i))
    level = levels(memory, requests, order)
    offset = min(
        range(STEPS), key=lambda r: (sum(GROWTH ** batch_end(e, r) for e in level.values()), r)
    )
    return sorted(
        order, key=lambda i: (batch_end(level[i], offset), 2 * sum(requests[i]) <= memory)
    )


def run(requests: list[Request], i: int, start: int) -> Attempt:
    """Return the whole run of a request."""
    return (i, start, start + requests[i][1], False)


def levels(memory: int, requests: list[Request], order: list[int]) -> dict[int, int]:
    """Return the level of each request."""
    found = {}
    for place, i in enumerate(order):
        sum_of_areas = sum(area(*requests[j]) for j in order[: place + 1])
        found[i] = next(
            e
            for e in count()
            if Fraction(4 * sum_of_areas, memory) <= BETA * GROWTH**e
            and requests[i][1] <= GROWTH**e
        )
    return found


def batch_end(level: int, offset: int) -> int:
    """Return the level at which the batch of a level ends."""
    return next(end for end in count(offset, STEPS) if end >= level)


def pulled(
    memory: int, requests: list[Request], attempts: list[Attempt], moved: list[int], now: int
) -> list[Attempt]:
    """Take out each that is to be moved, in the order of starts, and put it where it first fits."""
    for attempt in by_start(attempts):
        if attempt[0] not in moved:
            continue
        others = [other for other in attempts if other != attempt]
        start = next(
            p
            for p in count(now)
            if within_budget(memory, requests, [*others, run(requests, attempt[0], p)])
        )
        attempts = [*others, run(requests, attempt[0], start)]
    return by_start(attempts)
