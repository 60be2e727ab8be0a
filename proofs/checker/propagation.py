"""Rule "propagation": a tree of duals with start-time domains (text/propagation.md).

A tree of splits and duals as in linear_duals, with two things more.  It looks only at schedules
that cost less than a cutoff, and keeps for each type k a domain X_k of the starts, among 0..H,
that can belong to one; H, the horizon, stands for all times t >= H.  Every dual is of a row or a
split up to H, so no coefficient is left from there on.  Each split is of one type.

The splits above a node say of the j-th request of a type (by start) that it starts in some
window a..b.  Two things take starts away:
  - Compulsory parts.  Suppose that no schedule of the node below the cutoff starts the request
    outside a..b, and b < H.  Then it runs in rounds b + 1 .. a + o and uses s + r - b there at
    least.  Another request cannot start at a time t < H where that, added up over all others,
    and its own s + r - t are more than M in some round r of its run.  Windows shrink with the
    domains.
  - Reduced costs.  By linear_duals a schedule costs at least V = sum of count_k * (min over X_k
    of c_k) - sum of p b, and V + c_k(t) - (min over X_k of c_k) if it starts a k at t.  Where
    this is more than cutoff - 1 the start is taken away.  For H it stands for all later times,
    which cost more.
If nothing remains for some request, or V rounded up is the cutoff, no schedule of the node costs
less.  Duals, bounds and domains hold for the nodes below, too, where the duals of further splits
are 0.  So every schedule costs at least the cutoff or the bound of its leaf.
"""

from __future__ import annotations

from itertools import compress
from typing import Any, NamedTuple

from budget import Budget
from instances import Types
from limits import MAX_NUMBER
from linear_duals import MAX_LAST, Split, kept, reduced_costs, sides
from reading import Refused, fields, integer, listed
from row_families import FAMILIES

Domains = dict[tuple[int, int], bytearray]  # which starts of each type are possible


class Node(NamedTuple):
    """A subtree that is still to come."""

    above: tuple[Split, ...]
    domains: Domains | None  # None if no schedule below the cutoff is in it
    bound: int
    duals: Any  # a node's, from above


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the least bound of the leaves, or the cutoff if that is less."""
    fields(proof, "proof", ("rule", "scale", "horizon", "cutoff", "tree"))
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    horizon = integer(proof["horizon"], 1, MAX_LAST, "proof.horizon")
    cutoff = lowest = integer(proof["cutoff"], 1, MAX_NUMBER, "proof.cutoff")
    starts = (horizon + 1) * len(types)
    budget.use(3 * starts)
    everything: Domains = {kind: bytearray([1]) * (horizon + 1) for kind in types}
    open_nodes = [Node((), everything, 0, None)]
    for i, node in enumerate(listed(proof["tree"], "proof.tree")):
        place = f"proof.tree[{i}]"
        if not open_nodes:
            raise Refused(f"{place}: is left over, the tree ended before it")
        above, domains, bound, given = open_nodes.pop()
        budget.spend(20 + len(above))
        budget.use((len(open_nodes) + 4) * starts)
        own = isinstance(node, dict) and "memory" in node
        split = isinstance(node, dict) and "split" in node
        known = ("split", "at_most") * split + ("memory", "covers", "branch") * own
        fields(node, place, known, tuple(FAMILIES) * own)
        if domains is not None:
            domains = fitting(memory, types, domains, above, budget)
        for duals in ([] if given is None else [given]) + [node] * own:
            padded = dict(duals)
            if duals is not node:
                padded["branch"] = duals["branch"] + [0] * (len(above) - len(duals["branch"]))
            value, costs_of = reduced_costs(
                memory, types, scale, padded, above, horizon, budget, place
            )
            costs = kept(costs_of, len(types), budget)
            if any(len(row) > horizon + 1 for row in costs.values()):
                raise Refused(f"{place}: has duals after the horizon")
            while domains is not None:
                budget.spend(3 * starts)
                least = {k: min(compress(costs[k], there)) for k, there in domains.items()}
                total = value + sum(count * least[k] for k, count in types.items())
                bound = max(bound, -(-total // scale))
                spare = (cutoff - 1) * scale - total
                if spare < 0:
                    domains = None
                    break
                fewer = {
                    k: bytearray(a and c <= least[k] + spare for a, c in zip(there, costs[k]))
                    for k, there in domains.items()
                }
                if fewer == domains:
                    break
                domains = fitting(memory, types, fewer, above, budget)
        if split:
            one, two = sides(types, node, above, horizon, place)
            if len(one[-1][0]) > 1:
                raise Refused(f"{place}.split: must be of one type")
            duals = node if own else given
            open_nodes += [Node(one, domains, bound, duals), Node(two, domains, bound, duals)]
        elif domains is not None:
            lowest = min(lowest, bound)
    if open_nodes:
        raise Refused(f"proof.tree: ends with {len(open_nodes)} subtrees missing")
    return lowest


def fitting(
    memory: int, types: Types, domains: Domains, above: tuple[Split, ...], budget: Budget
) -> Domains | None:
    """Return the starts that fit beside the compulsory parts; None if none is left for some."""
    horizon = len(next(iter(domains.values()))) - 1
    number = sum(types.values())
    budget.spend(number * (2 + len(above)))
    budget.use(400 * number)
    requests = [(kind, j) for kind, count in types.items() for j in range(count)]
    windows = dict.fromkeys(requests, (0, horizon))
    for until, sign, most in above:
        ((kind, time),) = until.items()
        for j in range(types[kind]):
            low, high = windows[kind, j]
            if sign > 0 and j >= most:
                windows[kind, j] = (max(low, time), high)
            elif sign < 0 and j < -most:
                windows[kind, j] = (low, min(high, time - 1))
    changed = True
    while changed:
        changed = False
        budget.spend(number * (8 * number + horizon))
        fits: Domains = {kind: bytearray(horizon + 1) for kind in types}
        for place in requests:
            kind, (low, high) = place[0], windows[place]
            others = [other for other in requests if other != place]
            runs = [(b, a + o, s) for (s, o), a, b in ((q[0], *windows[q]) for q in others)]
            runs = [run for run in runs if run[0] < min(run[1], horizon)]
            budget.spend(3 * len(runs) ** 2)
            rest = bytearray(horizon - max(high, low - 1))
            own = bytearray(low) + domains[kind][low : high + 1] + rest
            for first, last in too_much(memory, *kind, runs):
                first, last = max(first, 0), min(last, horizon - 1)
                if first <= last:
                    own[first : last + 1] = bytearray(last + 1 - first)
            if 1 not in own:
                return None
            if (now := (own.index(1), own.rindex(1))) != (low, high):
                windows[place] = now
                changed = True
            fits[kind] = bytearray(map(max, fits[kind], own)) if types[kind] > 1 else own
    return fits


def too_much(
    memory: int, s: int, o: int, runs: list[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """Return stretches of starts t of (s, o) with s + r - t + U(r) > M in a round r of the run.

    U(r) is the sum of compulsory parts, s' + r - b for each of `runs` (b, e, s') with b < r <= e.
    A round that is not the last of the run nor some e is followed by one in which all of it is
    larger, so only those rounds matter.
    """
    found = []
    for _, r, _ in runs:  # rounds e: starts r - o .. r - 1 are in their run there
        used = sum(more + r - b for b, e, more in runs if b < r <= e)
        found.append((r - o, min(r - 1, s + r + used - memory - 1)))
    # The last round, r = t + o: between changes U(r) goes up by `number` a round.
    changes = sorted({x + 1 for b, e, _ in runs for x in (b, e)})
    for i in range(1, len(changes)):
        r, after = changes[i - 1], changes[i]
        there = [(b, more) for b, e, more in runs if b < r <= e]
        used, number = sum(more + r - b for b, more in there), len(there)
        if number and used + number * (after - 1 - r) > memory - s - o:
            late = max(0, -(-(memory - s - o + 1 - used) // number))  # rounds until it is too much
            found.append((r + late - o, after - 1 - o))
    return found
