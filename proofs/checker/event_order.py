"""Rule "event-order": a tree of what runs at completions, with linear rows (text/event_order.md).

Let p_i be the start of request i, of prompt s_i and output o_i, and C_i = p_i + o_i.  At the
completion of j another request k is in exactly one of three states:
  before    C_k < C_j               p_j - p_k >= o_k - o_j + 1
  running   p_k < C_j <= C_k        p_j - p_k >= 1 - o_j  and  p_k - p_j >= o_j - o_k
  after     C_j <= p_k              p_k - p_j >= o_j
so a node that asks for it has three parts, which miss no schedule.  One that asks for a start has
two, p_i <= t and p_i >= t + 1.  Requests that are alike (prompt, output and release) may swap
their starts, so only schedules are looked at in which they start in the order of their numbers.

Heads h_i <= p_i are the least solution of p_i >= release, the parts p_i >= t + 1 above a node and
the gaps p_b - p_a >= d of its path; without one nothing is in the part.  Rows of a leaf, a p >= b:
  gap a, b        p_b - p_a >= the largest such d
  end i           - p_i >= - t of the least part p_i <= t above
  memory j, k...  what the k that run use in round C_j, with j itself:
                  sum of (s_k + C_j - p_k) + s_j + o_j <= M
  area e, i...    for requests with h_i >= e.  Count every token in use in a round r as r: that is
                  sum of v_i p_i + w_i, with v_i = sum over x = 1..o_i of s_i + x and w_i = sum of
                  (s_i + x) x.  The V = sum of v_i tokens come after round e, at most M in each,
                  so they count at least as much as if they filled rounds e + 1, e + 2, ...
  cover m, e, i.. the same for the window covers of level m (linear_duals), of which at most m
                  are in use in a round: a request uses 1 in each of its first d_i rounds
For multipliers y >= 1 let c_i be the sum of y a_i, value that of y b.  Where c_i <= S,
  S * sum of p_i  >=  value + sum of (S - c_i) p_i  >=  value + sum of (S - c_i) h_i.
A row may also be a price k: convex_costs has sum of g_i(p_i) <= P for some convex g_i.  With y
times that of all prices of a leaf, G_i the sum of y g_i,
  S * sum of p_i  >=  value - sum of y P + sum over i of the least (S - c_i) t + G_i(t), t >= h_i.
"""

from __future__ import annotations

from typing import Any

import convex_costs
from budget import Budget
from event_paths import AFTER, BEFORE, RUNNING, Part, Path
from event_rows import Rows
from instances import Group
from limits import MAX_NUMBER, MAX_START
from reading import Refused, fields, integer, listed, series, short

MAX_ORDERED = 64  # requests


def prove(memory: int, groups: list[Group], low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the bound of a tree, written in preorder, on the total latency.

    The requests are numbered in the order of the groups.
    """
    fields(proof, "proof", ("rule", "scale", "tree"), ("prices",))
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    number = sum(group.count for group in groups)
    if number > MAX_ORDERED:
        raise Refused(f"proof: is for at most {MAX_ORDERED} requests, the instance has {number}")
    requests = [group for group in groups for _ in range(group.count)]
    prices = convex_costs.read(memory, requests, proof.get("prices", []), budget, "proof.prices")
    rows, path = Rows(memory, requests, prices), Path(requests, budget)
    open_parts: list[tuple[int, list[int] | None, Part | None]] = [(0, path.heads, None)]
    lowest = None
    for i, node in enumerate(listed(proof["tree"], "proof.tree")):
        place = f"proof.tree[{i}]"
        if not open_parts:
            raise Refused(f"{place}: is left over, the tree ended before it")
        length, heads, part = open_parts.pop()
        budget.spend(60 + 5 * number)
        budget.use((len(open_parts) + len(path.undo) + 4) * (300 + 40 * number))
        path.back(length, heads)
        if part is not None:
            path.enter(part)
        if isinstance(node, dict) and "rows" in node:
            fields(node, place, ("rows",))
            bound = rows.bound(path, scale, listed(node["rows"], f"{place}.rows"), place)
            if bound is not None and (lowest is None or bound < lowest):
                lowest = bound
        else:
            parts = parts_of(node, number, path, place)
            open_parts += [(len(path.undo), path.heads, part) for part in reversed(parts)]
    if open_parts or lowest is None:
        raise Refused(f"proof.tree: ends with {len(open_parts)} subtrees missing")
    return lowest + sum(group.count * (group.output - group.release) for group in groups)


def parts_of(node: Any, number: int, path: Path, place: str) -> list[Part]:
    """Return the parts of a node that is no leaf, in the order in which they follow."""
    if isinstance(node, dict) and "start" in node:
        i, t = series(fields(node, place, ("start",))["start"], 2, 0, f"{place}.start")
        integer(i, 0, number - 1, f"{place}.start", 0)
        integer(t, 0, MAX_START, f"{place}.start", 1)
        return [("start", i, t, side) for side in range(2)]
    k, j = series(fields(node, place, ("at",))["at"], 2, 0, f"{place}.at")
    integer(k, 0, number - 1, f"{place}.at", 0)
    integer(j, 0, number - 1, f"{place}.at", 1)
    if k == j or (k, j) in path.states:
        raise Refused(f"{place}.at: must be two requests, not decided above, got {short([k, j])}")
    return [("at", k, j, state) for state in (BEFORE, RUNNING, AFTER)]
