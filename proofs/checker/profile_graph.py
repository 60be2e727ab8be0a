"""The graph of profiles that rules "demand-duals" and "blocks" search (text/demand_duals.md).

A profile says how much memory those who run use in each coming round.  What can start now,
and the profile after the round, depend on it only.  So every schedule is a path in a graph:
it begins with the empty profile, and in each round an edge says what starts, and leads on.

Duals: if completions of type k have the dual w_k,
    D * cost  =  sum of n_k w_k  +  the sum over all starts (k, t) of c_k(t) - w_k,
where c_k(t) = D (t + o_k).  Leaving out starts after T_k, the last t at which c_k(t) - w_k is
not more than 0, makes another path.  So the last sum is at least the cost of the cheapest path
that starts type k up to T_k only, and any number of each type.

Phases: between two of the T_k the same types may start, so there is a graph for each phase.  It
begins with the profiles of the phase before.  Once everything else has gone (`drained`), only
the `core` is needed, the profiles that the empty one leads to: what can be met depends on those
who run only.  If that were wrong, the rest having value -LOST, the bound would be worthless.

`usable`: more may be counted as used in a round than is, as long as no path on could use the
rest.  What starts from now on and runs in round r < (the shortest output) is at age r at most,
so it runs in round r + 1 too, using a token more: if at most U can be used there, at most
U - 1 can here, or nothing if U = 0.  And nothing can if there is no room for the smallest prompt
and one token.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any, NamedTuple

from budget import Budget
from instances import Types
from limits import MAX_NUMBER
from linear_duals import kept, reduced_costs
from packing import packed
from reading import integer

EDGE_STEPS = 25  # to find an edge of a graph
ROUND_STEPS = 60  # of a round, beside its edges
EDGE_BYTES, VALUE_BYTES = 10, 240  # of an edge and a profile, while paths are compared
RANK_STEPS, RANK_BYTES = 10, 400  # of the i-th edges of some profiles, beside these
ROW_BYTES = 320  # of a row of costs-to-go, beside these
PROFILE_BYTES = 250  # of a profile and its number, while a graph is built
PART = 1_000  # profiles looked at together: their values stay in the cache
LOST = 10**99  # more than any path can cost
LOWEST, HIGHEST = -(2**31), 2**31 - 1  # of what is kept of a cost-to-go

Duals = dict[tuple[int, int], int]


class Graph(NamedTuple):
    """Profiles, of which the first `core` are those that the empty one, number 0, leads to.

    Edge number e leads to profile after[e] as group[e] starts; those of profile x have the numbers
    first[x] .. first[x + 1] - 1.
    """

    size: int
    first: Any
    after: Any
    group: Any
    groups: list[tuple[int, ...]]  # how many of each chosen type start; group 0 is nothing
    core: int
    entry: Any  # where the profiles of the phase before are


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
        each = ROUND_STEPS + len(chosen) * (3 + len(graph.groups))
        ranks = number_of_ranks(graph)
        each += RANK_STEPS * ranks
        budget.spend((2 * len(graph.after) + each) * (drained - begin))
        budget.spend((2 * graph.first[graph.core] + each) * (end + 1 - drained))
        large = EDGE_BYTES * len(graph.after) + VALUE_BYTES * graph.size
        budget.use(large + RANK_BYTES * ranks)
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


def number_of_ranks(graph: Graph) -> int:
    """Return about how many ranks of edges there are in all parts, at least as many.

    A part has as many as its first profile has edges; all before it have at least as many.
    """
    first = graph.first
    most = max(first[x + 1] - first[x] for x in range(graph.size))
    return int(most) + len(graph.after) // PART


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
    place = array("i", [0]) * number
    for i, x in enumerate(order):
        place[x] = i
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


def profile_graph(
    memory: int,
    kinds: list[tuple[int, int]],
    chosen: list[tuple[int, int]],
    profiles_before: list[int],
    budget: Budget,
) -> tuple[Graph, list[int]]:
    """Return the graph of the profiles that the empty one and those before lead to, and these.

    Chosen types may start.  The first edge of each profile is of group 0.
    """
    width, field, tops, spare, _ = packed(memory, kinds, budget)
    shapes = packed(memory, chosen, budget).shapes
    shortest, least = min(o for _, o in chosen), min(s for s, _ in chosen) + 1

    def usable(profile: int) -> int:
        near = later = 0
        for place in range(width * (shortest - 1), -1, -width):
            used = max((profile >> place) & field, later + 1 if later else 0)
            later = used if used + least <= memory else memory
            near = near << width | later
        return profile >> (width * shortest) << (width * shortest) | near

    nothing = (0,) * len(chosen)
    groups, nodes, profiles = {nothing: 0}, {0: 0}, [0]
    first, afters, group = array("i", [0]), array("i"), array("i")
    entry = array("i")
    core = 0
    # What an edge takes: packed integers, more than one round of them in `usable`, and a group.
    size = width * max(o for _, o in kinds)
    each = EDGE_STEPS + (2 * len(chosen) + 2 * shortest) * (1 + size // 1_000)
    large = PROFILE_BYTES + size // 8
    choice = 200 + size // 8 + 8 * len(chosen)
    for profile in profiles:  # which grow on the way
        open_choices = [(profile, nothing, 0)]
        while open_choices:
            used, started, k = open_choices.pop()
            budget.spend(each)
            known = (len(profiles) + len(profiles_before)) * large
            budget.use(known + (len(open_choices) + len(chosen)) * choice)
            after = usable(used >> width)
            if after not in nodes:
                budget.hold(4)
                nodes[after] = len(profiles)
                profiles.append(after)
            if started not in groups:
                budget.hold(choice)
                groups[started] = len(groups)
            budget.hold(8)
            afters.append(nodes[after])
            group.append(groups[started])
            for j in range(k, len(chosen)):
                if not (used + shapes[j] + spare) & tops:
                    more = (*started[:j], started[j] + 1, *started[j + 1 :])
                    open_choices.append((used + shapes[j], more, j))
        first.append(len(afters))
        if not core and len(first) > len(profiles):  # all that the empty one leads to is there
            core = len(profiles)
            budget.hold(4 * len(profiles_before))
            for before in map(usable, profiles_before):
                if before not in nodes:
                    budget.hold(4)
                    nodes[before] = len(profiles)
                    profiles.append(before)
                entry.append(nodes[before])
    graph = Graph(len(profiles), first, afters, group, list(groups), core, entry)
    return graph, profiles
