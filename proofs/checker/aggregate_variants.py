"""What a proof of rule "coarse-aggregate-state" holds, and which states there are.

A type has up to three variants, by how far before a look its requests start (x rounds): the first
x, for which they add one step of g tokens more, the last ones, for which one look more sees them,
and those between, where it is neither or both (text/coarse_aggregate_state.md).
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

from budget import LARGE, Budget
from instances import Types
from limits import MAX_NUMBER
from reading import Refused, listed, series


class Variant(NamedTuple):
    """How requests of a type complete, for some x: looks, what they add, the room, and the dual."""

    looks: int
    added: int
    own: int
    each: int
    dual: int


class Bounds(NamedTuple):
    """The least and the largest J of possible states, for each K."""

    least: list[int]
    most: list[int]


Prices = list[tuple[int, int]]  # of a start at each time: u and v


def read_variants(types: Types, grid: int, given: Any, budget: Budget) -> tuple[list[Variant], int]:
    """Return all variants, and the sum of all duals for all x."""
    budget.spend(80 * len(types))
    budget.use(1500 * len(types))
    shortest = min(s for s, _ in types)
    variants: list[Variant] = []
    value, named = 0, []
    for entry in listed(given, "proof.duals"):
        s, o, *duals = series(entry, 5, -MAX_NUMBER, "proof.duals")
        named.append((s, o))
        more, least_looks, rest = s - shortest, o // grid, o % grid
        ends = [*sorted((more % grid, grid - rest)), grid]
        for begin, end, dual in zip([0, *ends], ends, duals):
            looks = least_looks + (begin >= grid - rest)
            added = more // grid + (begin < more % grid)
            if dual and (begin == end or looks == 0):
                raise Refused("proof.duals: must be 0 for what no look sees")
            if begin < end and looks:
                own, each = more + grid - 1 - begin - grid * added, o + begin - grid * looks
                variants.append(Variant(looks, added, own, each, dual))
            value += types.get((s, o), 0) * (end - begin) * dual
    if named != sorted(types):
        raise Refused("proof.duals: must name each type once, ascending")
    return variants, value


def read_prices(given: Any, horizon: int, budget: Budget) -> Prices:
    """Return what a start costs at the times 0, 1, ..., horizon, from [time, u, v] at knots."""
    budget.spend(40 * horizon)
    budget.hold(4 * LARGE * horizon)
    knots = [
        series(entry, 3, -MAX_NUMBER, "proof.starts") for entry in listed(given, "proof.starts")
    ]
    times = [knot[0] for knot in knots]
    if not times or times[0] != 0 or any(b <= a for a, b in zip(times, times[1:])):
        raise Refused("proof.starts: times must increase from 0 on")
    prices: Prices = []
    for (begin, u, v), (end, next_u, next_v) in zip(knots, knots[1:]):
        for t in range(begin, min(end, horizon + 1)):
            since, span = t - begin, end - begin
            rise = (next_u - u) * since // span, (next_v - v) * since // span
            prices.append((u + rise[0], v + rise[1]))
    return prices + [(knots[-1][1], knots[-1][2])] * (horizon + 1 - len(prices))


def possible(memory: int, types: Types, grid: int, budget: Budget) -> Bounds:
    """Return which J are possible, for each K that is."""
    shortest = min(s for s, _ in types)
    requests = min(sum(types.values()), memory // (shortest + 1))
    budget.spend(20 * requests + 20 * len(types))
    budget.hold(4 * LARGE * requests)
    steps: list[int] = []
    for s, o in sorted(types):
        steps += [(s - shortest) // grid] * min(types[s, o], requests - len(steps))
    least = list(accumulate(steps, initial=0))
    most = [(memory - k * (shortest + 1)) // grid if k else 0 for k in range(len(least))]
    running = sum(a <= b for a, b in zip(least, most))
    return Bounds(least[:running], most[:running])
