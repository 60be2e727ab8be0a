"""The linear program of a node, solved by adding the row that is violated most, compiled.

The variables are the starts, their sum is the cost, and no row depends on how many rounds there
are: proofs/text/event_order.md has them all.  The duals are a basis of as many rows as there are
requests, so each row that comes in is one pivot, and the value is a lower bound at any time.
Numbers are floats here; `kvopt.solver.event_order.proof` makes integers of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance
from kvopt.solver.compiling import inlined, lean
from kvopt.solver.event_order.prices import Prices
from kvopt.solver.window_covers import cover_windows

__all__ = [
    "AFTER",
    "AREA",
    "BEFORE",
    "BOUND",
    "CLOSED",
    "EMPTY",
    "END",
    "GAP",
    "MEMORY",
    "PRICE",
    "RUNNING",
    "START",
    "Basis",
    "Path",
    "Requests",
    "Scratch",
    "basis_for",
    "copy_basis",
    "is_schedule",
    "path_for",
    "raise_bound",
    "requests_of",
    "reset",
    "scratch_for",
    "set_heads",
    "weight_of_prices",
    "windows_of",
    "without_prices",
]

BEFORE, RUNNING, AFTER = 0, 1, 2
"""What a request is at the completion of another one: completed, running, or not yet started."""

START, END, GAP, MEMORY, AREA, PRICE = 0, 1, 2, 3, 4, 5
"""Kinds of rows: (i, head), (i, t), (a, b, distance), (j, set), (set, head, profile), (prices);
sets are bits, and a row of prices has a start for each request where it touches the costs."""

BOUND, CLOSED, EMPTY = 0, 1, 2
"""How a program ends: with its value, above the cut, or without a solution."""

COVERS = (1, 2, 3, 4)
"""Levels of window covers whose areas make rows; profile 0 is memory, m the covers of level m."""

TINY, SLIGHT = 1e-7, 1e-9
"""Entries of a pivot column that are smaller count as 0; so much less than 0 a dual may be for a
larger pivot (P. Harris, 1973)."""


class Requests(NamedTuple):
    """The requests of an instance."""

    memory: int
    """M (tokens)."""
    prompts: Any
    """Tokens, shape (n,)."""
    outputs: Any
    """Rounds, shape (n,)."""
    releases: Any
    """Rounds, shape (n,)."""
    volumes: Any
    """What each uses of each capacity in all of its rounds, as floats, shape (profiles, n)."""
    moments: Any
    """The sum of that times age over the rounds of each, as floats, shape (profiles, n)."""
    capacities: Any
    """What all may use in a round: M, and m for the covers of level m, shape (profiles,)."""
    twins: Any
    """The request before it of the same kind, which starts first; -1 if none, shape (n,)."""
    costs: Any
    """What a start at each time costs at some prices, convex, shape (prices, n, times)."""
    limits: Any
    """All starts cost no more than this together, shape (prices,)."""


class Path(NamedTuple):
    """The decisions on the way to a node."""

    states: Any
    """(k, j, what k is at the completion of j), shape (depths, 3)."""
    sides: Any
    """(i, t, 0 if p_i <= t, 1 if p_i > t), shape (depths, 3)."""
    counts: Any
    """How many of each there are at each depth, shape (depths, 2)."""


class Basis(NamedTuple):
    """As many rows as requests, at each depth."""

    inverse: Any
    """Of the matrix whose columns are the rows' coefficients, shape (depths, n, n)."""
    duals: Any
    """The duals of the rows, >= 0, shape (depths, n)."""
    right: Any
    """Right-hand sides, shape (depths, n)."""
    rows: Any
    """Kind and arguments, shape (depths, n, 4)."""
    points: Any
    """Where rows of prices touch the costs (rounds), shape (depths, n, n)."""


class Scratch(NamedTuple):
    """Room for one program."""

    heads: Any
    """No start is earlier (rounds), shape (n,)."""
    starts: Any
    """The solution, shape (n,)."""
    column: Any
    """Coefficients of a row, shape (n,)."""
    pivot: Any
    """The same in terms of the basis, shape (n,)."""
    row: Any
    """Kind and arguments of the row, shape (4,)."""
    points: Any
    """Where it touches the costs, if it is of prices (rounds), shape (n,)."""
    most: Any
    """By how much it is violated, and its right-hand side, shape (2,)."""
    order: Any
    """The requests by their middles, shape (n,)."""


def requests_of(instance: Instance, prices: Sequence[Prices] = ()) -> Requests:
    """Return the requests of an instance for the kernel, with the rows of some prices."""
    prompts, outputs = (a.astype(np.int64) for a in (instance.prompts, instance.outputs))
    releases = instance.releases.astype(np.int64)
    s, o = prompts.astype(float), outputs.astype(float)
    twins = np.full(len(instance), -1, dtype=np.int64)
    last: dict[tuple[int, int, int], int] = {}
    kinds = zip(prompts.tolist(), outputs.tolist(), releases.tolist(), strict=True)
    for i, kind in enumerate(kinds):
        twins[i] = last.get(kind, -1)
        last[kind] = i
    windows = [windows_of(instance, m).astype(float) for m in COVERS]
    volumes = [s * o + o * (o + 1) / 2, *windows]
    moments = [s * o * (o + 1) / 2 + o * (o + 1) * (2 * o + 1) / 6]
    moments += [d * (d + 1) / 2 for d in windows]
    times = max([2, *(len(costs) for each in prices for costs in each.costs)])
    costs = np.zeros((len(prices), len(instance), times))
    for k, each in enumerate(prices):
        for i, row in enumerate(each.costs):
            costs[k, i, : len(row)] = np.array(row, dtype=float) / each.scale
    return Requests(
        instance.memory,
        prompts,
        outputs,
        releases,
        np.stack(volumes),
        np.stack(moments),
        np.array([float(instance.memory), *map(float, COVERS)]),
        twins,
        costs,
        np.array([each.limit / each.scale for each in prices]),
    )


def without_prices(requests: Requests) -> Requests:
    """Return the requests of an instance without rows of prices."""
    return requests._replace(costs=requests.costs[:0], limits=requests.limits[:0])


def windows_of(instance: Instance, level: int) -> Any:
    """Return the window of each request in the covers of a level (rounds), shape (n,)."""
    windows = np.array(cover_windows(instance, level), dtype=np.int64)
    return windows[instance.request_types().index]


def path_for(depths: int) -> Path:
    """Return room for so many decisions."""
    states, sides = (np.zeros((depths, 3), dtype=np.int64) for _ in range(2))
    return Path(states, sides, np.zeros((depths, 2), dtype=np.int64))


def basis_for(depths: int, n: int) -> Basis:
    """Return room for a basis of n rows at each depth."""
    duals, right = (np.zeros((depths, n)) for _ in range(2))
    rows = np.zeros((depths, n, 4), dtype=np.int64)
    points = np.zeros((depths, n, n), dtype=np.int32)
    return Basis(np.zeros((depths, n, n)), duals, right, rows, points)


def scratch_for(n: int) -> Scratch:
    """Return room for a program with n requests."""
    heads, order = (np.zeros(n, dtype=np.int64) for _ in range(2))
    starts, column, pivot = (np.zeros(n) for _ in range(3))
    points = np.zeros(n, dtype=np.int32)
    return Scratch(
        heads, starts, column, pivot, np.zeros(4, dtype=np.int64), points, np.zeros(2), order
    )


@inlined
@lean
def lift(heads: Any, a: int, b: int, distance: int) -> bool:
    """Keep p_b - p_a >= distance in the heads; tell whether one has changed."""
    if heads[a] + distance > heads[b]:
        heads[b] = heads[a] + distance
        return True
    return False


@lean
def set_heads(requests: Requests, path: Path, states: int, sides: int, heads: Any) -> bool:
    """Find the earliest starts by the decisions so far; tell whether there are any."""
    n, outputs = heads.shape[0], requests.outputs
    for i in range(n):
        heads[i] = requests.releases[i]
    for q in range(sides):
        i = path.sides[q, 0]
        if path.sides[q, 2] == 1 and path.sides[q, 1] + 1 > heads[i]:
            heads[i] = path.sides[q, 1] + 1
    for _ in range(n + 1):
        changed = False
        for q in range(states):
            k, j, state = path.states[q]
            if state == BEFORE:
                changed |= lift(heads, k, j, outputs[k] - outputs[j] + 1)
            elif state == RUNNING:
                changed |= lift(heads, k, j, 1 - outputs[j])
                changed |= lift(heads, j, k, outputs[j] - outputs[k])
            else:
                changed |= lift(heads, j, k, outputs[j])
        for i in range(n):
            if requests.twins[i] >= 0:
                changed |= lift(heads, requests.twins[i], i, 0)
        if not changed:
            return True
    return False


@inlined
@lean
def offer(
    scratch: Scratch, violation: float, right: float, kind: int, a: int, b: int, c: int
) -> None:
    """Keep a row if it is violated more than the one so far."""
    if violation > scratch.most[0]:
        scratch.most[0], scratch.most[1] = violation, right
        scratch.row[0], scratch.row[1], scratch.row[2], scratch.row[3] = kind, a, b, c


@inlined
@lean
def offer_gap(scratch: Scratch, a: int, b: int, distance: int) -> None:
    """Offer the row p_b - p_a >= distance."""
    violation = distance - (scratch.starts[b] - scratch.starts[a])
    offer(scratch, violation, distance, GAP, a, b, distance)


@lean
def offer_decided(
    requests: Requests, path: Path, states: int, sides: int, scratch: Scratch
) -> None:
    """Offer the rows of single starts and of pairs."""
    p, outputs = scratch.starts, requests.outputs
    for i in range(p.shape[0]):
        head = scratch.heads[i]
        offer(scratch, head - p[i], head, START, i, head, 0)
        if requests.twins[i] >= 0:
            offer_gap(scratch, requests.twins[i], i, 0)
    for q in range(sides):
        i, t, side = path.sides[q]
        if side == 0:
            offer(scratch, p[i] - t, -t, END, i, t, 0)
    for q in range(states):
        k, j, state = path.states[q]
        if state == BEFORE:
            offer_gap(scratch, k, j, outputs[k] - outputs[j] + 1)
        elif state == RUNNING:
            offer_gap(scratch, k, j, 1 - outputs[j])
            offer_gap(scratch, j, k, outputs[j] - outputs[k])
        else:
            offer_gap(scratch, j, k, outputs[j])


@lean
def offer_memory(requests: Requests, path: Path, states: int, scratch: Scratch) -> None:
    """Offer the rows of memory at completions, with all that are known to run then."""
    p, outputs = scratch.starts, requests.outputs
    for j in range(p.shape[0]):
        count, members = 0, 0
        right = requests.prompts[j] + outputs[j] - requests.memory
        left = 0.0
        for q in range(states):
            if path.states[q, 1] == j and path.states[q, 2] == RUNNING:
                k = path.states[q, 0]
                count += 1
                members |= 1 << k
                right += requests.prompts[k] + outputs[j]
                left += p[k] - p[j]
        if count > 0:
            offer(scratch, right - left, right, MEMORY, j, members, 0)


@lean
def sort_by_middles(requests: Requests, profile: int, scratch: Scratch) -> int:
    """Sort the requests that a profile counts by the middles of their areas; return how many."""
    p, order = scratch.starts, scratch.order
    volumes, moments = requests.volumes[profile], requests.moments[profile]
    count = 0
    for x in range(p.shape[0]):
        if volumes[x] <= 0:
            continue
        middle = p[x] + moments[x] / volumes[x]
        z = count - 1
        while z >= 0 and p[order[z]] + moments[order[z]] / volumes[order[z]] > middle:
            order[z + 1] = order[z]
            z -= 1
        order[z + 1] = x
        count += 1
    return count


@lean
def offer_areas(requests: Requests, scratch: Scratch) -> None:
    """Offer the rows of areas: of those that cannot start before a head, by their middles."""
    p, order, heads = scratch.starts, scratch.order, scratch.heads
    n = p.shape[0]
    for profile in range(requests.capacities.shape[0]):
        volumes, moments = requests.volumes[profile], requests.moments[profile]
        capacity = requests.capacities[profile]
        count = sort_by_middles(requests, profile, scratch)
        if count <= profile:
            continue
        for i in range(n):
            head = heads[i]
            seen = False
            for z in range(i):
                seen |= heads[z] == head
            if seen:
                continue
            area, left, moment, members = 0.0, 0.0, 0.0, 0
            for x in range(count):
                k = order[x]
                if heads[k] < head:
                    continue
                area += volumes[k]
                left += volumes[k] * p[k]
                moment += moments[k]
                members |= 1 << k
                full = np.floor(area / capacity)
                filled = capacity * (head * full + full * (full + 1) / 2)
                filled += (area - full * capacity) * (head + full + 1)
                right = (filled - moment) / area
                offer(scratch, right - left / area, right, AREA, members, head, profile)


@lean
def offer_prices(requests: Requests, scratch: Scratch) -> None:
    """Offer the rows of prices, which touch the costs at the solution."""
    p, costs = scratch.starts, requests.costs
    n, last = p.shape[0], costs.shape[2] - 1
    for k in range(costs.shape[0]):
        total, right, weight = -requests.limits[k], -requests.limits[k], 0.0
        for i in range(n):
            t = min(max(int(p[i]), 0), last)
            fall = costs[k, i, t] - costs[k, i, t + 1] if t < last else 0.0
            total += costs[k, i, t] - fall * (p[i] - t)
            right += costs[k, i, t] + fall * t
            weight += fall
        if weight <= TINY or total / weight <= scratch.most[0]:
            continue
        offer(scratch, total / weight, right / weight, PRICE, k, 0, 0)
        for i in range(n):
            scratch.points[i] = min(max(int(p[i]), 0), last)


@lean
def weight_of_prices(requests: Requests, k: int, points: Any) -> float:
    """Return the sum of the coefficients of a row of prices, by which it is divided."""
    weight, last = 0.0, requests.costs.shape[2] - 1
    for i in range(points.shape[0]):
        t = points[i]
        if t < last:
            weight += requests.costs[k, i, t] - requests.costs[k, i, t + 1]
    return weight


@lean
def set_column(requests: Requests, scratch: Scratch) -> None:
    """Write the coefficients of the row that was found."""
    column, (kind, a, b, c) = scratch.column, scratch.row
    for i in range(column.shape[0]):
        column[i] = 0.0
    if kind == START:
        column[a] = 1.0
    elif kind == END:
        column[a] = -1.0
    elif kind == GAP:
        column[a], column[b] = -1.0, 1.0
    elif kind == MEMORY:
        for k in range(column.shape[0]):
            if b >> k & 1:
                column[k] = 1.0
                column[a] -= 1.0
    elif kind == PRICE:
        weight, last = weight_of_prices(requests, a, scratch.points), requests.costs.shape[2] - 1
        for k in range(column.shape[0]):
            t = scratch.points[k]
            if t < last:
                column[k] = (requests.costs[a, k, t] - requests.costs[a, k, t + 1]) / weight
    else:
        area = 0.0
        for k in range(column.shape[0]):
            if a >> k & 1:
                area += requests.volumes[c, k]
        for k in range(column.shape[0]):
            if a >> k & 1:
                column[k] = requests.volumes[c, k] / area


@lean
def pivot_in(basis: Basis, depth: int, scratch: Scratch) -> bool:
    """Take the row that was found into the basis; tell whether one goes out for it."""
    inverse, duals, d = basis.inverse[depth], basis.duals[depth], scratch.pivot
    n = d.shape[0]
    most = np.inf
    for i in range(n):
        d[i] = 0.0
        for q in range(n):
            d[i] += inverse[i, q] * scratch.column[q]
        if d[i] > TINY:
            most = min(most, (duals[i] + SLIGHT) / d[i])
    out = -1
    for i in range(n):
        if d[i] > TINY and duals[i] <= most * d[i] and (out < 0 or d[i] > d[out]):
            out = i
    if out < 0:
        return False
    least = duals[out] / d[out]
    for i in range(n):
        if i != out:
            duals[i] = max(0.0, duals[i] - least * d[i])
    duals[out] = least
    for q in range(n):
        inverse[out, q] /= d[out]
    for i in range(n):
        if i != out and d[i] != 0.0:
            for q in range(n):
                inverse[i, q] -= d[i] * inverse[out, q]
    basis.right[depth, out] = scratch.most[1]
    for q in range(4):
        basis.rows[depth, out, q] = scratch.row[q]
    if scratch.row[0] == PRICE:
        for q in range(n):
            basis.points[depth, out, q] = scratch.points[q]
    return True


@lean
def copy_basis(source: Basis, depth: int, target: Basis, at: int) -> None:
    """Copy a basis."""
    n = source.duals.shape[1]
    for i in range(n):
        target.duals[at, i] = source.duals[depth, i]
        target.right[at, i] = source.right[depth, i]
        for q in range(n):
            target.inverse[at, i, q] = source.inverse[depth, i, q]
            target.points[at, i, q] = source.points[depth, i, q]
        for q in range(4):
            target.rows[at, i, q] = source.rows[depth, i, q]


@lean
def reset(requests: Requests, basis: Basis, depth: int) -> None:
    """Begin with the rows of the releases, as at the root, or where a basis is not exact enough."""
    n = basis.duals.shape[1]
    for i in range(n):
        for q in range(n):
            basis.inverse[depth, i, q] = 1.0 if i == q else 0.0
        basis.duals[depth, i] = 1.0
        basis.right[depth, i] = requests.releases[i]
        basis.rows[depth, i, 0], basis.rows[depth, i, 1] = START, i
        basis.rows[depth, i, 2], basis.rows[depth, i, 3] = requests.releases[i], 0


@lean
def raise_bound(
    requests: Requests,
    path: Path,
    states: int,
    sides: int,
    basis: Basis,
    depth: int,
    scratch: Scratch,
    cut: float,
    pivots: int,
    areas: bool,
) -> tuple[float, int]:
    """Raise the value of the program of a node as far as it goes.

    Parameters
    ----------
    states, sides
        How many decisions of the path hold.
    basis, depth
        The basis to go on from.
    scratch
        Has the heads; gets the solution, or the row that shows that there is none.
    cut
        A value (sum of starts) that is enough.
    pivots
        At most so many.
    areas
        Whether rows of areas come in, which take as long to look for as all others.

    Returns
    -------
    value, end
        A lower bound on the sum of starts, and BOUND, CLOSED or EMPTY.
    """
    n = scratch.starts.shape[0]
    right, duals, inverse = basis.right[depth], basis.duals[depth], basis.inverse[depth]
    value = 0.0
    for turn in range(pivots + 1):
        value = 0.0
        for i in range(n):
            value += right[i] * duals[i]
        if value >= cut:
            return value, CLOSED
        if turn == pivots:
            break
        for i in range(n):
            scratch.starts[i] = 0.0
        for q in range(n):
            for i in range(n):
                scratch.starts[i] += right[q] * inverse[q, i]
        scratch.most[0] = max(1e-6, 1e-10 * cut)
        scratch.row[0] = -1
        offer_decided(requests, path, states, sides, scratch)
        offer_memory(requests, path, states, scratch)
        if areas:
            offer_areas(requests, scratch)
        offer_prices(requests, scratch)
        if scratch.row[0] < 0:
            break
        set_column(requests, scratch)
        if not pivot_in(basis, depth, scratch):
            return value, EMPTY
    return value, BOUND


@lean
def is_schedule(requests: Requests, starts: Any) -> bool:
    """Tell whether no memory is exceeded at any completion, in integers."""
    for j in range(starts.shape[0]):
        end = starts[j] + requests.outputs[j]
        free = requests.memory
        for k in range(starts.shape[0]):
            if starts[k] < end <= starts[k] + requests.outputs[k]:
                free -= requests.prompts[k] + end - starts[k]
        if free < 0 or starts[j] < requests.releases[j]:
            return False
    return True
