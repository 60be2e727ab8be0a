"""Rule "linear-duals": dual values of the time-indexed program (text/model.md, lemma 4).

Let y[k,t] be how many requests of type k = (s, o) start at time t.  Every schedule satisfies
  memory row r:         sum over t < r <= t + o of (s + r - t) y[k,t]  <=  M
  window cover m, u:    sum over t in (u - d_k, u] of y[k,t]           <=  m
with n_k = s + o + m (s_min + o) - M and d_k = min(o, ceil(n_k / m)), or 0 if n_k <= 0.  For
suppose that m + 1 requests start so, and let i complete first, at C_i = t_i + o_i > u.  In
that round the m others still run and use s_min + C_i - u at least, i itself s_i + o_i:
together s_i + o_i + m (s_min + o_i) - m (u - t_i) = M + n_i - m (u - t_i) > M, as
u - t_i < d_i means u - t_i < n_i / m.

A split of the tree asks for N = the number of starts of certain types before certain times.
One subtree has N <= at_most, the other N >= at_most + 1: together they miss no schedule.
In a leaf, rows and the splits above it are inequalities a y <= b.  For any duals p >= 0,
  cost  >=  cost + sum of p (a y - b)  =  sum over k, t of c_k(t) y[k,t]  -  sum of p b
        >=  sum over k of count_k * (min over t >= 0 of c_k(t))  -  sum of p b,
where c_k(t), the reduced cost, is t + o plus the coefficients of y[k,t] times their duals.
From the last row with a dual on no coefficient is left, so c_k(t) = t + o rises and the minimum
over t up to there is enough.  All of that is computed times `scale`, in whose fractions the
duals are written.  The rows of first_completion and knapsacks may be among them.

Where other rows are few, not all times are needed: the coefficient on memory row r is s + r - t
from t = r - o to r - 1 and 0 elsewhere, and those on covers and splits are constant but for two
steps.  Between these times c_k is linear, so it is least where such a piece begins or ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from budget import LARGE, Budget
from instances import Types
from limits import MAX_NUMBER, MAX_REQUESTS, MAX_TIME
from reading import Refused, fields, increasing, integer, listed, rows
from round_duals import costs, right_hand_sides
from row_families import FAMILIES, read_families

MAX_LAST = 10**7  # last round or time with a dual
MAX_DEPTH = 1_000  # of a tree
FEW = 40  # rows and splits are few if the last time is more than so many times their number

Split = tuple[dict[tuple[int, int], int], int, int]
"""(until, sign, most): sign * (the number of starts of each type before its time) <= most."""


def prove(memory: int, types: Types, low: int, proof: Any, budget: Budget, leaf: Any = None) -> int:
    """Return the least bound of the leaves of a tree that is written in preorder.

    `leaf` is another function for the bound of a leaf than `leaf_bound`.
    """
    fields(proof, "proof", ("rule", "scale", "tree"))
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    open_nodes: list[tuple[Split, ...]] = [()]  # the splits above each subtree still to come
    lowest = None
    for i, node in enumerate(listed(proof["tree"], "proof.tree")):
        place = f"proof.tree[{i}]"
        if not open_nodes:
            raise Refused(f"{place}: is left over, the tree ended before it")
        above = open_nodes.pop()
        if isinstance(node, dict) and "split" in node:
            fields(node, place, ("split", "at_most"))
            budget.spend(20 + len(above))
            open_nodes += sides(types, node, above, MAX_TIME, place)
        else:
            bound = (leaf or leaf_bound)(memory, types, scale, node, above, budget, place)
            lowest = bound if lowest is None else min(lowest, bound)
    if open_nodes or lowest is None:
        raise Refused(f"proof.tree: ends with {len(open_nodes)} subtrees missing")
    return lowest


def sides(
    types: Types, node: Any, above: tuple[Split, ...], last: int, place: str
) -> list[tuple[Split, ...]]:
    """Return the splits above both subtrees of a split, those of the first one last."""
    most = integer(node["at_most"], 0, MAX_REQUESTS, f"{place}.at_most")
    until = {}  # type: the time before which its starts count
    for prompt, output, time in rows(node["split"], 3, f"{place}.split"):
        if (prompt, output) not in types or (prompt, output) in until:
            raise Refused(f"{place}.split: must name types of the instance, each once")
        until[prompt, output] = integer(time, 1, last, f"{place}.split")
    if not until or len(above) == MAX_DEPTH:
        raise Refused(f"{place}.split: is empty, or deeper than {MAX_DEPTH}")
    # -N <= -(most + 1), and N <= most, which comes first
    return [(*above, (until, -1, -(most + 1))), (*above, (until, 1, most))]


def leaf_bound(
    memory: int,
    types: Types,
    scale: int,
    leaf: Any,
    above: tuple[Split, ...],
    budget: Budget,
    place: str,
) -> int:
    """Return the bound that the duals of a leaf give, rounded up."""
    fields(leaf, place, ("memory", "covers", "branch"), tuple(FAMILIES))
    on_memory = rows(leaf["memory"], 2, f"{place}.memory")
    on_covers = rows(leaf["covers"], 3, f"{place}.covers")
    times = [r for r, _ in on_memory] + [u for _, u, _ in on_covers]
    times += [time for until, _, _ in above for time in until.values()]
    if times and max(times) > FEW * len(times) and not leaf.keys() & FAMILIES.keys():
        value, least = least_costs(memory, types, scale, leaf, above, budget, place)
    else:
        value, costs = reduced_costs(memory, types, scale, leaf, above, 0, budget, place)
        least = {kind: min(row) for kind, row in costs}
    value += sum(count * least[kind] for kind, count in types.items())
    return -(-value // scale)


def least_costs(
    memory: int,
    types: Types,
    scale: int,
    given: Any,
    above: tuple[Split, ...],
    budget: Budget,
    place: str,
) -> tuple[int, dict[tuple[int, int], int]]:
    """Return - sum of p b, and the least c_k(t) of each type, from the ends of pieces."""
    on_memory = increasing(given["memory"], 1, f"{place}.memory")
    on_covers = increasing(given["covers"], 1, f"{place}.covers")
    value, pays = duals_of_splits(given["branch"], above, place)
    value -= memory * sum(p for _, p in on_memory) + sum(m * p for m, _, p in on_covers)
    by_level: dict[int, list[tuple[int, int]]] = {}
    for m, u, p in on_covers:
        by_level.setdefault(m, []).append((u, p))
    points = 4 * (len(on_memory) + len(on_covers) + len(above))
    budget.spend(3 * (1 + points) * len(types) * (2 + len(by_level) + len(above)))
    covers = {m: stepped(table) for m, table in by_level.items()}
    rounds, sums = stepped(on_memory)
    _, weighted = stepped([(r, r * p) for r, p in on_memory])
    smallest = min(s for s, _ in types)
    least = {}
    for s, o in types:
        windows = {m: cover_window(memory, smallest, (s, o), m) for m in covers}
        until = pays.get((s, o), [])
        begins = {x for r in rounds for x in (r - o, r)} | {time for time, _ in until}
        begins |= {x for m, d in windows.items() for u in covers[m][0] for x in (u - d + 1, u + 1)}
        found = []
        for t in {max(0, x) for first in (0, *begins) for x in (first - 1, first)}:
            i, j = bisect_right(rounds, t), bisect_right(rounds, t + o)
            cost = scale * (t + o) + (s - t) * (sums[j] - sums[i]) + weighted[j] - weighted[i]
            for m, d in windows.items():  # rows u = t .. t + d - 1
                at, total = covers[m]
                cost += total[bisect_right(at, t + d - 1)] - total[bisect_right(at, t - 1)]
            found.append(cost + sum(pay for time, pay in until if t < time))
        least[s, o] = min(found)
    return value, least


def stepped(table: Any) -> tuple[list[int], list[int]]:
    """Return the times of a table [time, dual], and the sums of its first 0, 1, ... duals."""
    return [time for time, _ in table], [0, *accumulate(dual for _, dual in table)]


def duals_of_splits(
    given: Any, above: tuple[Split, ...], place: str
) -> tuple[int, dict[tuple[int, int], list[tuple[int, int]]]]:
    """Return - sum of p b of the splits, and (time, pay) of each type: a start before it pays."""
    if len(listed(given, f"{place}.branch")) != len(above):
        raise Refused(f"{place}.branch: must be {len(above)} duals, got {len(given)}")
    value = 0
    pays: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i, (until, sign, most) in enumerate(above):
        dual = integer(given[i], 0, MAX_NUMBER, f"{place}.branch", i)
        value -= dual * most
        for kind, time in until.items():
            pays.setdefault(kind, []).append((time, sign * dual))
    return value, pays


def reduced_costs(
    memory: int,
    types: Types,
    scale: int,
    given: Any,
    above: tuple[Split, ...],
    least: int,
    budget: Budget,
    place: str,
) -> tuple[int, Iterator[tuple[tuple[int, int], list[int]]]]:
    """Return - sum of p b, and of each type the costs c_k(t) up to the last row with a dual.

    The costs go on up to time `least` at least.
    """
    on_memory = rows(given["memory"], 2, f"{place}.memory")
    on_covers = rows(given["covers"], 3, f"{place}.covers")
    value, pays = duals_of_splits(given["branch"], above, place)
    families = read_families(memory, types, given, budget, place)
    last = max([r for r, _ in on_memory] + [u + 1 for _, u, _ in on_covers] + [least])
    last = max([last, *(time for until, _, _ in above for time in until.values())])
    last = max([last, *(family.duals.last for family in families)])
    levels = sorted({m for m, _, _ in on_covers})
    if last > MAX_LAST:
        raise Refused(f"{place}: has duals too late, at {last}")
    marked = sum(len(until) for until, _, _ in above)
    budget.spend(marked + 6 * (len(on_memory) + len(on_covers)))
    budget.spend((last + 1) * (3 + len(levels)) * (2 + len(types)))
    budget.use(LARGE * (last + 1) * (14 + 2 * len(levels)))

    duals = [0] * (last + 1)  # duals[r] of memory row r
    for r, dual in increasing(on_memory, 1, f"{place}.memory"):
        duals[r] = dual
        value -= dual * memory
    steps = {m: [0] * (last + 1) for m in levels}  # steps[m][u + 1] of window cover (m, u)
    for m, u, dual in increasing(on_covers, 1, f"{place}.covers"):
        steps[m][u + 1] = dual
        value -= dual * m
    value -= right_hand_sides(memory, types, families, last, budget)
    known: list[dict[int, int]] = [{} for _ in families]

    # Prefix sums: to_round[x] = sum of p_r over r <= x, weighted[x] = sum of r p_r.
    to_round = list(accumulate(duals))
    weighted = list(accumulate(r * dual for r, dual in enumerate(duals)))
    covers = [(m, list(accumulate(steps[m]))) for m in levels]
    smallest = min(s for s, _ in types)

    def each() -> Iterator[tuple[tuple[int, int], list[int]]]:
        for s, o in types:
            # Rows t + 1 .. t + o with s + r - t each: (s - t) * (sum of p) + (sum of r p).
            row = [
                scale * (t + o) + (s - t) * (p1 - p0) + q1 - q0
                for t, p0, p1, q0, q1 in zip(
                    range(last + 1), to_round, ahead(to_round, o), weighted, ahead(weighted, o)
                )
            ]
            for m, sums in covers:
                row = covered(memory, smallest, (s, o), m, row, sums)
            if (s, o) in pays:  # a start at t pays for every time > t
                ends = [0] * (last + 1)
                for time, pay in pays[s, o]:
                    ends[time - 1] += pay
                row = [c + p for c, p in zip(row, reversed(list(accumulate(reversed(ends)))))]
            if families:
                more = costs(memory, s, o, families, known, last)
                row = [c + p for c, p in zip(row, more)]
            yield (s, o), row

    return value, each()


def kept(
    costs: Iterator[tuple[tuple[int, int], list[int]]], number: int, budget: Budget
) -> dict[tuple[int, int], list[int]]:
    """Return the costs of all types, of which there are so many."""
    found = {}
    for kind, row in costs:
        found[kind] = row
        budget.use(number * (200 + LARGE * len(row)))
    return found


def covered(
    memory: int, smallest: int, kind: tuple[int, int], m: int, costs: list[int], sums: list[int]
) -> list[int]:
    """Return the costs of starts of a type plus the duals of the window covers of level m.

    A start at t is in rows u = t .. t + d - 1; sums[u] are the duals of all rows before u.
    """
    if (d := cover_window(memory, smallest, kind, m)) > 0:
        return [c + b - a for c, a, b in zip(costs, sums, ahead(sums, d))]
    return costs


def cover_window(memory: int, smallest: int, kind: tuple[int, int], m: int) -> int:
    """Return d_k of the window covers of level m."""
    s, o = kind
    excess = s + o + m * (smallest + o) - memory
    return max(0, min(o, -(-excess // m)))


def ahead(sums: list[int], by: int) -> list[int]:
    """Return the list of sums[t + by], the last one going on for ever."""
    return sums[by:] + sums[-1:] * min(by, len(sums))
