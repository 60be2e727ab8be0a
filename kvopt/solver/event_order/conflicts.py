"""Which decisions above a leaf its proof needs, compiled; the others could be anything.

A leaf is closed by rows and heads, and few of the decisions on its path say what these rows and
heads say.  What closes all parts of a node needs what any of them needs, but not the node's own
decision.  A part that does not need that decision closes the node by itself: its parts that have
not been looked at need not be, and those that have been are forgotten (conflict-directed
backjumping, P. Prosser, 1993).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.compiling import inlined, lean
from kvopt.solver.event_order.linear_program import (
    AREA,
    BEFORE,
    END,
    GAP,
    MEMORY,
    RUNNING,
    START,
    Basis,
    Path,
    Requests,
    Scratch,
    set_column,
)

__all__ = [
    "Conflicts",
    "close_by_cycle",
    "close_by_rows",
    "conflicts_for",
    "has_gap",
    "heads_of_kept",
    "keep_all",
    "keep_chain",
    "lift_kept",
    "needs_of_row",
    "reach",
    "remember",
    "weigh_rows",
]

LEAST_GAIN, OVERSHOOT, EXACT, NOISE = 0.01, 0.01, 1e-5, 1e-10
"""What the ray of a leaf without a solution gains at least (rounds); by what part of the cut its
value is to exceed that; by how much coefficients may miss what they should be; multipliers that are
as small count as 0."""

GROWTH, LARGE = 1.01, 1e100
"""What is needed counts so many times what was needed at the leaf before; numbers stay smaller."""


class Conflicts(NamedTuple):
    """What leaves and nodes need; the decision at depth d is the one that leads there."""

    at: Any
    """The depths of the states and sides of the path, 0 if they are given, shape (depths, 2)."""
    keep: Any
    """1 for the depths of decisions that are needed, shape (depths,)."""
    fixed: Any
    """1 for those of them that rows need, shape (depths,)."""
    needed: Any
    """1 for what those parts need that are closed, of the node above each depth, shape (depths,
    depths)."""
    first: Any
    """Of the node at each depth, the number of records and leaves before it, shape (depths, 2)."""
    heads: Any
    """No start is earlier by what is kept (rounds), shape (n,)."""
    least: Any
    """What rows of areas need heads to be at least (rounds), shape (n,)."""
    why: Any
    """The depth of what raised a head, and the request before it or -1, shape (n, 2)."""
    weights: Any
    """What the heads are worth in the value of a leaf, and in the gain of its ray, shape (2, n)."""
    of_heads: Any
    """What rows of heads have as multipliers, which is to be the same, shape (n,)."""
    values: Any
    """The rest of the value, and of the gain, shape (2,)."""
    ray: Any
    """Multipliers of the basis in a combination without a solution, shape (n,)."""
    row: Any
    """Kind and arguments of the last row in it, shape (4,)."""
    points: Any
    """Where it touches the costs, if it is of prices (rounds), shape (n,)."""
    duals: Any
    """Of the basis and that row, shape (n + 1,)."""
    activity: Any
    """How often k at the completion of j was needed, lately more than before, shape (n, n)."""
    unit: Any
    """What once counts now, shape (1,)."""


def conflicts_for(depths: int, n: int) -> Conflicts:
    """Return room for n requests and so many decisions on a path."""
    keep, fixed = (np.zeros(depths, dtype=np.uint8) for _ in range(2))
    heads, least = (np.zeros(n, dtype=np.int64) for _ in range(2))
    keep[0] = 1
    return Conflicts(
        np.zeros((depths, 2), dtype=np.int64),
        keep,
        fixed,
        np.zeros((depths, depths), dtype=np.uint8),
        np.zeros((depths, 2), dtype=np.int64),
        heads,
        least,
        np.zeros((n, 2), dtype=np.int64),
        np.zeros((2, n)),
        np.zeros(n),
        np.zeros(2),
        np.zeros(n),
        np.zeros(4, dtype=np.int64),
        np.zeros(n, dtype=np.int32),
        np.zeros(n + 1),
        np.zeros((n, n)),
        np.ones(1),
    )


@lean
def keep_all(conflicts: Conflicts, depth: int) -> None:
    """Need all decisions down to a depth."""
    for d in range(1, depth + 1):
        conflicts.keep[d] = 1


@lean
def remember(path: Path, states: int, conflicts: Conflicts) -> None:
    """Count the states that the last leaf needs; what was counted before counts less and less."""
    activity, unit = conflicts.activity, conflicts.unit
    for q in range(states):
        if conflicts.keep[conflicts.at[q, 0]] == 1:
            activity[path.states[q, 0], path.states[q, 1]] += unit[0]
    unit[0] *= GROWTH
    if unit[0] > LARGE:
        for k in range(activity.shape[0]):
            for j in range(activity.shape[0]):
                activity[k, j] /= LARGE
        unit[0] /= LARGE


@inlined
@lean
def lift_kept(conflicts: Conflicts, a: int, b: int, distance: int, depth: int) -> bool:
    """Keep p_b - p_a >= distance in the heads, and why; tell whether one has changed."""
    heads = conflicts.heads
    if heads[a] + distance > heads[b]:
        heads[b] = heads[a] + distance
        conflicts.why[b, 0], conflicts.why[b, 1] = depth, a
        return True
    return False


@lean
def heads_of_kept(
    requests: Requests, path: Path, states: int, sides: int, conflicts: Conflicts
) -> int:
    """Find the earliest starts by what is kept; return a request that has none, or -1."""
    n, outputs = conflicts.heads.shape[0], requests.outputs
    for i in range(n):
        conflicts.heads[i] = requests.releases[i]
        conflicts.why[i, 0], conflicts.why[i, 1] = 0, -1
    for q in range(sides):
        i, depth = path.sides[q, 0], conflicts.at[q, 1]
        later = path.sides[q, 2] == 1 and path.sides[q, 1] + 1 > conflicts.heads[i]
        if later and conflicts.keep[depth] == 1:
            conflicts.heads[i] = path.sides[q, 1] + 1
            conflicts.why[i, 0] = depth
    last = -1
    for _ in range(n + 1):
        last = -1
        for q in range(states):
            depth = conflicts.at[q, 0]
            if conflicts.keep[depth] == 0:
                continue
            k, j, state = path.states[q]
            if state == BEFORE:
                if lift_kept(conflicts, k, j, outputs[k] - outputs[j] + 1, depth):
                    last = j
            elif state == RUNNING:
                if lift_kept(conflicts, k, j, 1 - outputs[j], depth):
                    last = j
                if lift_kept(conflicts, j, k, outputs[j] - outputs[k], depth):
                    last = k
            elif lift_kept(conflicts, j, k, outputs[j], depth):
                last = k
        for i in range(n):
            if requests.twins[i] >= 0 and lift_kept(conflicts, requests.twins[i], i, 0, 0):
                last = i
        if last < 0:
            return -1
    return last


@lean
def close_by_cycle(
    requests: Requests, path: Path, states: int, sides: int, conflicts: Conflicts, depth: int
) -> None:
    """Need the gaps of a cycle that no starts satisfy."""
    keep_all(conflicts, depth)
    i = heads_of_kept(requests, path, states, sides, conflicts)
    n = conflicts.heads.shape[0]
    for _ in range(n):
        if i >= 0:
            i = conflicts.why[i, 1]
    if i < 0:
        return
    for d in range(1, depth + 1):
        conflicts.keep[d] = 0
    x = i
    for _ in range(n):
        conflicts.keep[conflicts.why[x, 0]] = 1
        x = conflicts.why[x, 1]
        if x == i:
            break


@lean
def has_gap(requests: Requests, decision: Any, a: int, b: int, distance: int) -> bool:
    """Tell whether p_b - p_a >= distance follows from a state."""
    k, j, state = decision
    outputs = requests.outputs
    if k == a and j == b:
        if state == BEFORE:
            return bool(outputs[k] - outputs[j] + 1 >= distance)
        return bool(state == RUNNING and 1 - outputs[j] >= distance)
    if j == a and k == b:
        if state == RUNNING:
            return bool(outputs[j] - outputs[k] >= distance)
        return bool(state != BEFORE and outputs[j] >= distance)
    return False


@lean
def needs_of_row(
    requests: Requests, path: Path, states: int, sides: int, conflicts: Conflicts, row: Any
) -> bool:
    """Need what a row says; tell whether it is said at all."""
    kind, a, b, c = row
    if kind == GAP:
        if requests.twins[b] == a and c <= 0:
            return True
        for q in range(states):
            if has_gap(requests, path.states[q], a, b, c):
                conflicts.fixed[conflicts.at[q, 0]] = 1
                return True
        return False
    if kind == END:
        for q in range(sides):
            if path.sides[q, 0] == a and path.sides[q, 2] == 0 and path.sides[q, 1] <= b:
                conflicts.fixed[conflicts.at[q, 1]] = 1
                return True
        return False
    if kind == MEMORY:
        for q in range(states):
            k, j, state = path.states[q]
            if j == a and state == RUNNING and b >> k & 1:
                conflicts.fixed[conflicts.at[q, 0]] = 1
    elif kind == AREA:
        for k in range(conflicts.least.shape[0]):
            if a >> k & 1:
                conflicts.least[k] = max(conflicts.least[k], b)
    return True


@lean
def weigh_rows(
    requests: Requests,
    path: Path,
    states: int,
    sides: int,
    basis: Basis,
    depth: int,
    scratch: Scratch,
    conflicts: Conflicts,
    empty: bool,
) -> bool:
    """Add the rows of a leaf up, without those of heads, and need what they say.

    Without a solution these are the rows of the ray alone.  Tell whether all is said, and the
    coefficients are what they should be.
    """
    n = scratch.starts.shape[0]
    weights, values, ray = conflicts.weights, conflicts.values, conflicts.ray
    values[0], values[1] = 0.0, 0.0
    for i in range(n):
        weights[0, i], weights[1, i] = 1.0, 0.0
        conflicts.least[i] = -1
    for d in range(depth + 1):
        conflicts.fixed[d] = 0
    said, which = True, 1 if empty else 0
    for i in range(n):
        conflicts.of_heads[i] = 0.0
    if empty:
        for q in range(4):
            conflicts.row[q] = scratch.row[q]
        for i in range(n):
            conflicts.points[i] = scratch.points[i]
        if scratch.row[0] == START:
            conflicts.of_heads[scratch.row[1]] = 1.0
        else:
            values[1] = scratch.most[1]
            for i in range(n):
                weights[1, i] = -scratch.column[i]
            said = needs_of_row(requests, path, states, sides, conflicts, conflicts.row)
    for q in range(n):
        ray[q] = max(0.0, -scratch.pivot[q]) if empty else 0.0
        dual = ray[q] if empty else basis.duals[depth, q]
        if basis.rows[depth, q, 0] == START:
            conflicts.of_heads[basis.rows[depth, q, 1]] += dual
            continue
        if dual <= NOISE:
            continue
        for x in range(4):
            scratch.row[x] = basis.rows[depth, q, x]
        for x in range(n):
            scratch.points[x] = basis.points[depth, q, x]
        set_column(requests, scratch)
        values[which] += dual * basis.right[depth, q]
        for i in range(n):
            weights[which, i] -= dual * scratch.column[i]
        said &= needs_of_row(requests, path, states, sides, conflicts, scratch.row)
    for i in range(n):
        said &= abs(weights[which, i] - conflicts.of_heads[i]) < EXACT
    return said


@lean
def reach(conflicts: Conflicts, which: int) -> float:
    """Return the value (0) or gain (1) of a leaf by the heads; -inf if they are too small."""
    found = conflicts.values[which]
    excess = 0.0
    for i in range(conflicts.heads.shape[0]):
        if conflicts.heads[i] < conflicts.least[i]:
            return -np.inf
        found += conflicts.weights[which, i] * conflicts.heads[i]
        excess = max(excess, -conflicts.weights[which, i])
    return float(found - excess * abs(found))


@lean
def keep_chain(conflicts: Conflicts, i: int) -> None:
    """Need what has raised a head."""
    for _ in range(conflicts.heads.shape[0] + 1):
        if i < 0:
            return
        conflicts.keep[conflicts.why[i, 0]] = 1
        i = conflicts.why[i, 1]


@lean
def close_by_rows(
    requests: Requests,
    path: Path,
    states: int,
    sides: int,
    basis: Basis,
    depth: int,
    conflicts: Conflicts,
    empty: bool,
    cut: float,
    short: float,
) -> bool:
    """Find what a leaf needs whose rows have been weighed, and its duals; tell if they close it.

    Parameters
    ----------
    empty
        Whether there is no solution.
    cut
        A value (sum of starts) that is enough.
    short
        What it may lack, in place of which rounding may lose as much again.
    """
    n = conflicts.heads.shape[0]
    keep_all(conflicts, depth)
    heads_of_kept(requests, path, states, sides, conflicts)
    which = 1 if empty else 0
    enough = LEAST_GAIN if empty else cut - short
    closed = reach(conflicts, which) >= enough
    if closed:
        for d in range(1, depth + 1):
            conflicts.keep[d] = conflicts.fixed[d]
        for i in range(n):
            if conflicts.weights[which, i] > NOISE or conflicts.least[i] > 0:
                keep_chain(conflicts, i)
        for d in range(depth, 0, -1):
            if conflicts.keep[d] == 1 and conflicts.fixed[d] == 0:
                conflicts.keep[d] = 0
                heads_of_kept(requests, path, states, sides, conflicts)
                if reach(conflicts, which) < enough:
                    conflicts.keep[d] = 1
        heads_of_kept(requests, path, states, sides, conflicts)
    more = 0.0
    if empty:
        aim = (1 + OVERSHOOT) * cut + 1
        more = max(0.0, aim - conflicts.heads.sum()) / max(reach(conflicts, 1), 1e-9)
    for q in range(n):
        dual = conflicts.ray[q] if empty else basis.duals[depth, q]
        conflicts.duals[q] = (more if empty else 1.0) * dual if dual > NOISE else 0.0
    conflicts.duals[n] = more
    return closed
