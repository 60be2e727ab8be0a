"""What starts cost at duals of the grid program, made convex: one row for all requests.

A leaf of linear duals charges a start of i at time t some f_i(t) >= 0, and all starts of a
schedule together at most a limit.  A convex sequence g_i below f_i, which is 0 at the end, makes a
row of that wherever the solution of a program is: proofs/checker/convex_costs.py.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.relaxations.grid_program.exact import bends, sum_of
from kvopt.solver.relaxations.grid_program.families import coefficients, counts_of
from kvopt.solver.stage import Bound, Incumbent
from kvopt.solver.window_covers import cover_windows

__all__ = ["Prices", "convex", "known_prices", "least_cost", "prices_of"]


class Prices(NamedTuple):
    """Convex costs of starts, in integers.

    Attributes
    ----------
    leaf
        The duals, as an entry of "prices" in a certificate.
    scale
        Costs are multiples of 1 / scale rounds.
    limit
        All starts cost no more than this together.
    costs
        Of each request at times 0, 1, ..., then 0.
    """

    leaf: dict[str, Any]
    scale: int
    limit: int
    costs: list[list[int]]


def least_cost(
    prices: Sequence[Prices], priced: Mapping[int, int], i: int, rate: int, head: int
) -> int:
    """Return the least rate * t + sum of y g_i(t) over t >= head, for a rate >= 0.

    Parameters
    ----------
    prices, priced
        All prices, and the multipliers y of some of them by number.
    i
        The request.
    """
    terms = [(y, prices[k].costs[i]) for k, y in priced.items()]

    def at(t: int) -> int:
        return rate * t + sum(y * costs[t] for y, costs in terms if t < len(costs))

    last = max([head, *(len(costs) - 1 for _, costs in terms)])
    return at(bisect_left(range(last), True, lo=head, key=lambda t: at(t + 1) >= at(t)))


def prices_of(instance: Instance, proof: Mapping[str, Any]) -> Prices | None:
    """Return the prices that the duals of a proof are; None if it has rows that are not expected.

    Parameters
    ----------
    instance
        The instance.
    proof
        Of the rule "linear-duals", a tree of one leaf without duals of single memory rows.
    """
    (leaf,) = proof["tree"] if len(proof["tree"]) == 1 else (None,)
    if leaf is None or leaf["memory"] or leaf["branch"]:
        return None
    types = instance.request_types()
    families = [*leaf.get("first_completion", []), *leaf.get("knapsacks", [])]
    last = max([each["knots"][-1][0] for each in families], default=0)
    last = max([last, *(u + 1 for _, u, _ in leaf["covers"])])
    limit = sum(m * dual for m, _, dual in leaf["covers"])
    for each in families:
        most = instance.memory * each["heights"][-1][1] if "heights" in each else each["limit"]
        limit += most * sum_of(each["knots"])
    windows = {m: cover_windows(instance, m) for m in {m for m, _, _ in leaf["covers"]}}
    by_type = []
    for k, (prompt, output) in enumerate(
        zip(types.prompts.tolist(), types.outputs.tolist(), strict=True)
    ):
        ages = np.arange(1, output + 1)
        bent = np.zeros(last + 2, dtype=np.int64)
        for each in families:
            if "heights" in each:
                heights = tuple(map(tuple, each["heights"]))
                used = coefficients(instance.memory, prompt + ages, output - ages, heights)[::-1]
            else:
                used = counts_of(each["steps"], prompt, output)[::-1]
            for u, bend in bends(each["knots"]):
                first = max(0, u - output)
                bent[first:u] += bend * used[first - u + output :]
        costs = np.cumsum(np.cumsum(bent[::-1]))[::-1][1:]
        steps = np.zeros(last + 2, dtype=np.int64)
        for m, u, dual in leaf["covers"]:
            if windows[m][k] > 0:
                steps[max(0, u - windows[m][k] + 1)] += dual
                steps[u + 1] -= dual
        by_type.append(convex(costs + np.cumsum(steps)[: last + 1]))
    return Prices(leaf, proof["scale"], limit, [by_type[k] for k in types.index.tolist()])


def convex(costs: IntArray) -> list[int]:
    """Return integers below costs that end with 0, such that the steps never fall."""
    given: list[int] = costs.tolist()
    hull: list[int] = []
    for t, cost in enumerate(given):
        while len(hull) > 1:
            a, b = hull[-2:]
            if (given[b] - given[a]) * (t - a) < (cost - given[a]) * (b - a):
                break
            hull.pop()
        hull.append(t)
    found = [0] * len(given)
    for a, b in itertools.pairwise(reversed(hull)):
        step = -((given[b] - given[a]) // (a - b))
        for t in range(a - 1, b - 1, -1):
            found[t] = found[t + 1] - step
    return found


def known_prices(state: Incumbent, stop: Stopping) -> list[Prices]:
    """Return the duals of the best grid program so far; of a small one if there is none.

    Parameters
    ----------
    state
        The bracket; a program that is solved here proves what it can.
    stop
        A program is given part of that.
    """
    from kvopt.solver.relaxations.grid_program.cutting_planes import raised
    from kvopt.solver.relaxations.grid_program.kernel import GRID_KERNEL
    from kvopt.solver.relaxations.grid_program.program import GridProgram, places

    rule, params, instance = "linear-duals", state.params.grid_program, state.instance
    horizon = min(state.makespan, int(instance.releases.max()) + instance.total_output)
    if places(instance, horizon) > state.params.event_order.most_places:
        return []
    if state.best(rule) is None:
        part = stop.part(state.params.event_order.prices_share * stop.left())
        program = GridProgram(
            instance, horizon, params.first_knots, GRID_KERNEL.compiled(stop), params
        )
        for value, proof in raised(program, part):
            if proof is not None:
                state.prove(Bound(value, rule, proof))
    best = state.best(rule)
    found = prices_of(instance, best.proof) if best is not None and best.proof else None
    return [] if found is None else [found]
