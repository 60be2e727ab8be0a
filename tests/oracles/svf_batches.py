"""SVF in batches, literally (proofs/text/area_batches.md)."""

from fractions import Fraction
from itertools import count

from oracles.batches import in_batches, until_last_end
from oracles.model import Attempt, Request, area, by_start, check, within_budget

GROWTH, STEPS, BETA = Fraction(101, 100), 76, Fraction(21, 10)


def svf_batches(
    memory: int, requests: list[Request], releases: list[int], pull: bool = False
) -> list[Attempt]:
    """Run SVF in batches on what has been released, again and again."""
    check(memory, requests)

    def run_batch(chosen: list[Request]) -> tuple[list[Attempt], int]:
        attempts = planned(memory, chosen)
        return until_last_end(pulled(memory, chosen, attempts) if pull else attempts)

    return in_batches(requests, releases, run_batch)


def planned(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run them in the order of the batches of the best offset."""
    order = sorted(range(len(requests)), key=lambda i: (area(*requests[i]), i))
    level = levels(memory, requests, order)
    offset = min(
        range(STEPS), key=lambda r: (sum(GROWTH ** batch_end(e, r) for e in level.values()), r)
    )
    order.sort(key=lambda i: (batch_end(level[i], offset), 2 * sum(requests[i]) <= memory))
    attempts: list[Attempt] = []
    now = 0
    for i in order:
        while not within_budget(memory, requests, [*attempts, run(requests, i, now)]):
            now += 1
        attempts.append(run(requests, i, now))
    return by_start(attempts)


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


def pulled(memory: int, requests: list[Request], attempts: list[Attempt]) -> list[Attempt]:
    """Take out each, in the order of starts, and put it back where it first fits."""
    for attempt in by_start(attempts):
        others = [other for other in attempts if other != attempt]
        start = next(
            p
            for p in count()
            if within_budget(memory, requests, [*others, run(requests, attempt[0], p)])
        )
        attempts = [*others, run(requests, attempt[0], start)]
    return by_start(attempts)
