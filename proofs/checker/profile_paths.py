"""The cheapest paths through graphs of profiles (text/demand_duals.md, profile_graph).

Duals: if completions of type k have the dual w_k,
    D * cost  =  sum of n_k w_k  +  the sum over all starts (k, t) of c_k(t) - w_k,
where c_k(t) = D (t + o_k).  Leaving out starts after T_k, the last t at which c_k(t) - w_k is
not more than 0, makes another path.  So the last sum is at least the cost of the cheapest path
that starts type k up to T_k only, and any number of each type.

Phases: between two of the T_k the same types may start, so there is a graph for each phase.  It
begins with the profiles of the phase before.  Once everything else has gone (`drained`), only
the `core` is needed, the profiles that the empty one leads to: what can be met depends on those
who run only.  If that were wrong, the rest having value -LOST, the bound would be worthless.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any, NamedTuple

from budget import Budget
from instances import Types
from limits import MAX_NUMBER
from linear_duals import kept, reduced_costs
from profile_graph import Graph, profile_graph
from reading import integer

ROUND_STEPS, RANK_STEPS = 60, 10  # of a round, and of the i-th edges of some profiles in it
EDGE_BYTES, VALUE_BYTES, RANK_BYTES = 10, 240, 400  # while paths are compared
ROW_BYTES = 320  # of a row of costs-to-go, beside these
PART = 1_000  # profiles looked at together: their values stay in the cache
LOST = 10**99  # more than any path can cost
LOWEST, HIGHEST = -(2**31), 2**31 - 1  # of what is kept of a cost-to-go

Duals = dict[tuple[int, int], int]


class Row(NamedTuple):
    """Costs-to-go at a time, base + above[place[x]] for profile x; LOWEST says nothing."""

    place: Any
    base: int
    above: Any


class Phase(NamedTuple):
    """Rounds in which the same types may start, and costs-to-go at them, if they are kept."""

    graph: Graph
    chosen: list[tuple[int, int]]  # the types
    costs: Callable[[int], list[int]]  # of the groups at a time
    begin: int
    drained: int
    end: int
    rows: dict[int, Row]


def bound_of_blocks(
    memory: int, types: Types, scale: Any, blocks: list[Duals], on_memory: Any, budget: Budget
) -> int:
    """Return the bound of blocks of types with these duals of demands, and those of memory."""
    scale = integer(scale, 1, MAX_NUMBER, "proof.scale")
    given = {"memory": on_memory, "covers": [], "branch": []}
    total, costs_of = reduced_costs(memory, types, scale, given, (), 0, budget, "proof")
    costs = kept(costs_of, len(types), budget)
    total += sum(types[kind] * dual for block in blocks for kind, dual in block.items())
    total += sum(cheapest_path(memory, duals, costs, scale, budget) for duals in blocks)
    return -(-total // scale)


def cheapest_path(
    memory: int,
    duals: Duals,
    costs: dict[tuple[int, int], list[int]],
    scale: int,
    budget: Budget,
    slack: int = 0,
    keep: list[Phase] | None = None,
) -> int:
    """Return the cost of the cheapest path that starts these types, none at more than `slack`.

    Costs of starts go on with `scale` more for each round.  The phases are put into `keep`.
    """
    last = {}
    for (s, o), dual in duals.items():
        end = (dual + slack - scale * o) // scale
        pays = [t for t, cost in enumerate(costs[s, o]) if cost <= dual + slack]
        last[s, o] = end if end >= len(costs[s, o]) else max(pays, default=-1)

    phases: list[Phase] = []
    profiles, begin = [0], 0
    for end in sorted({t for t in last.values() if t >= 0}):
        chosen = [kind for kind in duals if last[kind] >= end]
        drained = max([t + o for (_, o), t in last.items() if 0 <= t < end], default=0)
        drained = min(max(drained, begin), end + 1)
        graph, profiles = profile_graph(memory, list(duals), chosen, profiles, budget)
        # A part has as many ranks of edges as its first profile has edges, all before it no less.
        most = max(b - a for a, b in zip(graph.first, graph.first[1:]))
        ranks = most + len(graph.after) // PART
        each = ROUND_STEPS + RANK_STEPS * ranks + len(chosen) * (3 + len(graph.groups))
        budget.spend((2 * len(graph.after) + each) * (drained - begin))
        budget.spend((2 * graph.first[graph.core] + each) * (end + 1 - drained))
        budget.use(EDGE_BYTES * len(graph.after) + VALUE_BYTES * graph.size + RANK_BYTES * ranks)
        starts = [(costs[kind], scale * kind[1], duals[kind]) for kind in chosen]

        def now(t: int, groups: Any = graph.groups, starts: Any = starts) -> list[int]:
            each = [(c[t] if t < len(c) else scale * t + late) - w for c, late, w in starts]
            return [sum(n * cost for n, cost in zip(group, each)) for group in groups]

        phases.append(Phase(graph, chosen, now, begin, drained, end + 1, {}))
        begin = end + 1
    if keep is not None:
        keep += phases

    values = [0] * len(profiles)  # of the cheapest path on from each profile, after the last phase
    enter: Any = range(len(profiles))
    for phase in reversed(phases):
        graph, core = phase.graph, phase.graph.core
        paying = budget if keep is not None else None
        values = [values[x] for x in enter]
        if phase.drained < phase.end:
            values = values_before(phase, values[:core], phase.drained, phase.end, paying)
            values += [-LOST] * (graph.size - core)
        values = values_before(phase, values, phase.begin, phase.drained, paying)
        enter = graph.entry
    return values[0]


def values_before(
    phase: Phase, values: list[int], low: int, high: int, paying: Budget | None
) -> list[int]:
    """Return the costs-to-go of profiles at `low`, given those of all or the core at `high`.

    They are kept on the way if there is a budget to pay for that.
    """
    # Who has most edges comes first, so that of some in a row the first so many have an i-th edge.
    graph, first, number = phase.graph, phase.graph.first, len(values)
    degree = [first[x + 1] - first[x] for x in range(number)]
    order = sorted(range(number), key=lambda x: -degree[x])
    place = array("i", sorted(range(number), key=order.__getitem__))
    parts = []  # of the profiles: the first edges of all, the second of all who have one, ...
    for begin in range(0, number, PART):
        some, ranks = order[begin : begin + PART], []
        for i in range(degree[some[0]]):
            while degree[some[-1]] <= i:
                some.pop()
            own = [first[x] + i for x in some]
            after = array("i", [place[graph.after[e]] for e in own])
            ranks.append((after, array("i", [graph.group[e] for e in own])))
        parts.append(ranks)
    values = dense([values[x] for x in order])
    for t in range(high - 1, low - 1, -1):
        now, found = phase.costs(t), []
        for ranks in parts:
            before = [values[x] for x in ranks[0][0]]  # nothing starts
            for after, which in ranks[1:]:
                before[: len(after)] = [
                    a if a < (b := values[x] + now[g]) else b
                    for a, x, g in zip(before, after, which)
                ]
            found += before
        values = dense(found)
        if paying is not None:
            paying.spend(2 * number)
            paying.hold(4 * number + ROW_BYTES)
            paying.use(EDGE_BYTES * first[number] + VALUE_BYTES * number)
            base = values[place[0]]
            phase.rows[t] = Row(place, base, clipped([value - base for value in values]))
    return [values[i] for i in place]


def clipped(values: list[int]) -> Any:
    """Return integers of 32 bits, the nearest ones."""
    try:
        return array("i", values)
    except OverflowError:
        return array("i", [min(max(value, LOWEST), HIGHEST) for value in values])


def dense(values: list[int]) -> Any:
    """Return integers side by side in memory, where they have 64 bits at most: it is faster."""
    try:
        return array("q", values)
    except OverflowError:
        return values
