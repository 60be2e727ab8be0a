"""GBA-D, literally (Feng, Yang, Zhang 2026, arXiv 2601.22996)."""

from fractions import Fraction
from itertools import count

from oracles.gba import gba
from oracles.model import Attempt, Request, by_start, within_budget


def gba_d(memory: int, requests: list[Request], alpha: Fraction | int | str) -> list[Attempt]:
    """Run GBA-D(alpha): pull each request of GBA forward to where it fits beside all others."""
    plan = {attempt[0]: attempt for attempt in gba(memory, requests, alpha)}
    for i in sorted(plan, key=lambda i: (plan[i][1], i)):
        others = [plan[other] for other in plan if other != i]
        for start in count():
            plan[i] = (i, start, start + requests[i][1], False)
            if within_budget(memory, requests, [*others, plan[i]]):
                break
    return by_start(list(plan.values()))
