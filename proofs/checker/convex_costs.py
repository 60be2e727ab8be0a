"""Prices in event_order: what starts cost at duals of the time-indexed program, made convex.

Duals p of memory rows, window covers, first-completion and knapsack rows (linear_duals) charge a
start of i at time t
  f_i(t)  =  sum over rows of p * (the coefficient of the start)  >=  0,
and all starts of a schedule together at most P, the sum of p * (the right-hand side of the row).
From the last row with a dual on, f_i is 0.  Below f_i lies a sequence g_i of integers that is
convex, that is to say its steps g_i(t + 1) - g_i(t) never fall, and 0 at the end.  Here it follows
from the lower convex hull of f_i, which falls to 0: a step is the slope of the hull, rounded up,
and g_i is summed up backwards from 0 at the end; larger steps make it lower.  So for all starts
  sum of g_i(p_i)  <=  P  (text/event_order.md, lemmas 8 to 10).
"""

from __future__ import annotations

from typing import Any

import linear_duals
from budget import LARGE, Budget
from instances import Group
from reading import Refused, fields, listed
from row_families import FAMILIES

MAX_PRICES = 1_000

Kind = tuple[int, int]  # prompt, output


class Prices:
    """Convex costs of all starts at some duals."""

    def __init__(self, memory: int, requests: list[Group], given: Any, budget: Budget, place: str):
        fields(given, place, ("memory", "covers", "branch"), tuple(FAMILIES))
        kinds: dict[Kind, int] = {}
        for group in requests:
            kinds[group.prompt, group.output] = kinds.get((group.prompt, group.output), 0) + 1
        value, costs = linear_duals.reduced_costs(memory, kinds, 0, given, (), 0, budget, place)
        self.limit = -value
        self.values: dict[Kind, list[int]] = {}
        for kind, row in costs:
            budget.spend(30 * len(row))
            budget.hold(2 * LARGE * len(row))
            self.values[kind] = convex(row)


def read(
    memory: int, requests: list[Group], given: Any, budget: Budget, place: str
) -> list[Prices]:
    """Return the prices of a proof."""
    if len(listed(given, place)) > MAX_PRICES:
        raise Refused(f"{place}: must be at most {MAX_PRICES} prices, got {len(given)}")
    return [Prices(memory, requests, each, budget, f"{place}[{k}]") for k, each in enumerate(given)]


def convex(costs: list[int]) -> list[int]:
    """Return integers below costs that end with 0, such that the steps never fall."""
    hull: list[int] = []
    for t, cost in enumerate(costs):
        while len(hull) > 1:
            a, b = hull[-2:]
            if (costs[b] - costs[a]) * (t - a) < (cost - costs[a]) * (b - a):
                break
            hull.pop()
        hull.append(t)
    found = [0] * len(costs)
    for a, b in zip(reversed(hull[:-1]), reversed(hull[1:])):
        step = -((costs[a] - costs[b]) // (b - a))
        for t in range(b - 1, a - 1, -1):
            found[t] = found[t + 1] - step
    return found


def least(rate: int, head: int, terms: list[tuple[int, list[int]]]) -> int:
    """Return the least rate * t + sum of y g(t) over t >= head, for terms (y, g), rate >= 0.

    g goes on with 0.  The steps of the sum never fall, so bisection finds the first that is not
    below 0.
    """

    def at(t: int) -> int:
        return rate * t + sum(y * g[t] for y, g in terms if t < len(g))

    low, high = head, max([head, *(len(g) - 1 for _, g in terms)])
    while low < high:  # the first such step is at `low` or later, and at `high` or before
        middle = (low + high) // 2
        if at(middle + 1) >= at(middle):
            high = middle
        else:
            low = middle + 1
    return at(low)
