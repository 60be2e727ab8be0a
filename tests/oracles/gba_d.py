"""GBA-D, literally (Feng, Yang, Zhang 2026, arXiv 2601.22996)."""

from fractions import Fraction
from itertools import count

from oracles.batches import in_batches, until_last_end
from oracles.gba import gba_batch
from oracles.model import Attempt, Request, by_start, within_budget


def gba_d(
    memory: int, requests: list[Request], releases: list[int], alpha: Fraction | int | str
) -> list[Attempt]:
    """Run GBA-D(alpha), batch by batch."""
    return in_batches(
        requests, releases, lambda batch: until_last_end(gba_d_batch(memory, batch, alpha))
    )


def gba_d_batch(memory: int, requests: list[Request], alpha: Fraction | int | str) -> list[Attempt]:
    """Pull each request of GBA forward to where it fits beside all others."""
    plan = {attempt[0]: attempt for attempt in gba_batch(memory, requests, alpha)}
    for i in sorted(plan, key=lambda i: (plan[i][1], i)):
        others = [plan[other] for other in plan if other != i]
        for start in count():
            plan[i] = (i, start, start + requests[i][1], False)
            if within_budget(memory, requests, [*others, plan[i]]):
                break
    return by_start(list(plan.values()))
