"""Demand duals with release times (text/release_times.md, theorem 6).

Requests of one prompt and output differ in their releases and duals.  What starts at time t is one
that is released by then, so its dual is at most the *price* at t, the largest of the duals of
those that are.  With prices in their place, and no start before the first release, the argument
of profile_paths holds: rounds may be idle there.
"""

from __future__ import annotations

from typing import Any

from budget import LARGE, Budget
from instances import Arrivals
from limits import MAX_NUMBER
from profile_paths import LOST, cheapest_path
from reading import Refused, fields, integer, listed, series

MAX_LATEST = 10**6  # release

Prices = dict[tuple[int, int], list[tuple[int, int]]]
"""Of each prompt and output: from when on there is which price, first to last."""


def read_prices(arrivals: Arrivals, given: Any, place: str) -> tuple[Prices, int]:
    """Return the prices, and the sum of all duals, from [prompt, output, release, dual], ascending.

    There is one for each prompt, output and release.
    """
    counts = {(*kind, a): n for kind, groups in merged(arrivals).items() for a, n in groups}
    prices: Prices = {}
    total = 0
    keys = []
    for entry in listed(given, place):
        s, o, release, dual = series(entry, 4, -MAX_NUMBER, place)
        keys.append((s, o, release))
        total += counts.get((s, o, release), 0) * dual
        steps = prices.setdefault((s, o), [])
        if not steps or dual > steps[-1][1]:
            steps.append((release, dual))
    if keys != sorted(counts):
        raise Refused(f"{place}: must name each prompt, output and release once, ascending")
    return prices, total


def merged(arrivals: Arrivals) -> Arrivals:
    """Return the arrivals with those of one release added up."""
    found: Arrivals = {}
    for kind, groups in arrivals.items():
        numbers: dict[int, int] = {}
        for release, count in groups:
            numbers[release] = numbers.get(release, 0) + count
        found[kind] = sorted(numbers.items())
    return found


def prove(memory: int, arrivals: Arrivals, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the bound that duals of the demands give, rounded up."""
    fields(proof, "proof", ("rule", "scale", "duals"))
    prices, total = read_prices(arrivals, proof["duals"], "proof.duals")
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    latest = max(steps[-1][0] for steps in prices.values())
    if latest > MAX_LATEST:
        raise Refused(f"proof: a release is after {MAX_LATEST}")
    budget.spend(4 * (latest + 1) * len(prices))
    budget.hold(LARGE * (latest + 1) * len(prices))
    duals, costs = {}, {}
    for (s, o), steps in prices.items():
        duals[s, o] = most = steps[-1][1]
        row = [LOST] * steps[0][0]
        for (begin, dual), (end, _) in zip(steps, [*steps[1:], (latest + 1, 0)]):
            row += [scale * (t + o) + most - dual for t in range(begin, end)]
        costs[s, o] = row
    return -(-(total + cheapest_path(memory, duals, costs, scale, budget)) // scale)


def duals_in_order(arrivals: Arrivals, given: Any) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return (release, dual) of all requests of each prompt and output, by release."""
    duals = {(s, o, a): dual for s, o, a, dual in given}
    return {
        (s, o): [(a, duals[s, o, a]) for a, count in groups for _ in range(count)]
        for (s, o), groups in arrivals.items()
    }
