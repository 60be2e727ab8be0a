"""Depth first through the states of requests at completions, compiled.

A node is solved; if it does not reach the cut, the memory that its solution exceeds at some
completion decides what is branched on: a request that seems to run there, in its three states.
Of all such pairs it is the one whose parts have the highest values (strong branching).  A solution
that exceeds no memory is split at a start that is not an integer, or is a schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.compiling import Kernel, lean
from kvopt.solver.event_order.linear_program import (
    BOUND,
    EMPTY,
    PRICE,
    RUNNING,
    START,
    Basis,
    Path,
    Requests,
    Scratch,
    basis_for,
    copy_basis,
    is_schedule,
    lift,
    offer,
    offer_areas,
    offer_decided,
    offer_gap,
    offer_memory,
    offer_prices,
    path_for,
    pivot_in,
    raise_bound,
    refresh,
    scratch_for,
    set_column,
    set_heads,
    sort_by_middles,
    weight_of_prices,
)

__all__ = [
    "AT",
    "DONE",
    "EVENT_ORDER",
    "FAILED",
    "LEAF",
    "MORE",
    "SPLIT",
    "Functions",
    "Open",
    "Room",
    "Tree",
    "enter_path",
    "open_root",
    "room_for",
    "tree_for",
]

AT, SPLIT, LEAF, STUCK = 0, 1, 2, 3
"""Kinds of nodes: branched on a state, on a start, not at all, or not to be branched on although
it would have to be, because its solution is not exact enough."""

MORE, DONE, FAILED = 0, 1, 2
"""How a run of the search ends: nodes are left, complete, or stuck at a node or too deep."""

SPLITS, REPAIRS = 8, 4
"""Starts are split so often on a path, as a rule, and delayed so often for each request."""

TOP, NODES, RECORDS, LEAVES, BEST, LOST, MOST_SPLITS = 0, 1, 2, 3, 4, 5, 6
"""Places of `Open.numbers`."""

SLACK, WHOLE = 0.05, 1e-3
"""Memory that a solution may exceed (tokens), and by how much its starts may miss integers; as many
starts as there may be requests are then a schedule."""


class Open(NamedTuple):
    """The nodes that are still to be solved."""

    nodes: Any
    """Depth, AT or SPLIT or -1 for the root, a, b, part, record of the parent, shape (room, 6)."""
    values: Any
    """A lower bound on each (sum of starts), shape (room,)."""
    numbers: Any
    """How many there are; nodes, records and leaves so far; the best sum of starts; 1 if records
    were lost; how often starts are split on a path, shape (7,)."""
    cut: Any
    """Values from this on are enough, shape (1,)."""
    best: Any
    """The starts of the best schedule so far (rounds), shape (n,)."""
    least: Any
    """The least value of a node that was given up, whose starts are not integers, shape (1,)."""


class Tree(NamedTuple):
    """What is written down of the nodes for a certificate."""

    nodes: Any
    """(kind, a, b, parent, part, leaf), shape (records, 6)."""
    rows: Any
    """The rows of leaves and how many of them count, shape (leaves, n + 1, 4)."""
    duals: Any
    """Their duals, shape (leaves, n + 1)."""


class Room(NamedTuple):
    """Room for programs: the one of the node, and another one for what is tried."""

    path: Path
    basis: Basis
    scratch: Scratch
    trial: Basis
    tried: Scratch
    states: Any
    """What k is at the completion of j, -1 if not decided, shape (n, n)."""
    parts: Any
    """Lower bounds on the parts of a node, shape (3,)."""
    whole: Any
    """Starts as integers, shape (n,)."""


def room_for(n: int, depths: int) -> Room:
    """Return room for n requests and so many decisions on a path."""
    return Room(
        path_for(depths),
        basis_for(depths, n),
        scratch_for(n),
        basis_for(1, n),
        scratch_for(n),
        np.zeros((n, n), dtype=np.int64),
        np.zeros(3),
        np.zeros(n, dtype=np.int64),
    )


@lean
def seems_to_run(requests: Requests, starts: Any, k: int, j: int) -> bool:
    """Tell whether k is neither clearly completed nor clearly not started when j completes."""
    end = starts[j] + requests.outputs[j]
    running: bool = starts[k] < end - SLACK and starts[k] + requests.outputs[k] > end - 1 + SLACK
    return running


@lean
def excess(requests: Requests, states: Any, starts: Any, j: int) -> float:
    """Return by how much a solution exceeds the memory at the completion of j (tokens)."""
    end = starts[j] + requests.outputs[j]
    used = float(requests.prompts[j] + requests.outputs[j] - requests.memory)
    for k in range(starts.shape[0]):
        if k == j:
            continue
        unknown = states[k, j] < 0 and seems_to_run(requests, starts, k, j)
        if unknown or states[k, j] == RUNNING:
            used += requests.prompts[k] + max(1.0, end - starts[k])
    return used


@lean
def try_parts(
    requests: Requests,
    room: Room,
    depth: int,
    value: float,
    cut: float,
    k: int,
    j: int,
    pivots: int,
) -> float:
    """Solve the parts of a branching for a while; return how good it is."""
    states, sides = room.path.counts[depth]
    score = 1.0
    open_gap = cut - value
    decision = room.path.states[states]
    for part in range(3):
        decision[0], decision[1], decision[2] = k, j, part
        gain = open_gap
        if set_heads(requests, room.path, states + 1, sides, room.tried.heads):
            copy_basis(room.basis, depth, room.trial, 0)
            least, end = raise_bound(
                requests, room.path, states + 1, sides, room.trial, 0, room.tried, cut, pivots
            )
            if end == BOUND:
                gain = min(gain, least - value)
        room.parts[part] = value + gain
        score *= max(gain, 1e-3 * open_gap)
    return score


@lean
def choose(
    requests: Requests, room: Room, depth: int, value: float, cut: float, pivots: int, most: int
) -> tuple[int, int]:
    """Return what to branch on, and put the bounds of its parts; -1 if memory is not exceeded."""
    n = room.states.shape[0]
    starts = room.scratch.starts
    first, second, best, tried = -1, -1, -1.0, 0
    bounds = (0.0, 0.0, 0.0)
    found = False
    floor = np.inf
    while tried < most:  # completions with the most memory in excess first
        worst, at = SLACK, -1
        for j in range(n):
            over = excess(requests, room.states, starts, j)
            if worst < over < floor:
                worst, at = over, j
        if at < 0:
            break
        floor, found = worst, True
        for k in range(n):
            if k == at or room.states[k, at] >= 0 or not seems_to_run(requests, starts, k, at):
                continue
            tried += 1
            score = try_parts(requests, room, depth, value, cut, k, at, pivots)
            if score > best:
                first, second, best = k, at, score
                bounds = (room.parts[0], room.parts[1], room.parts[2])
    room.parts[0], room.parts[1], room.parts[2] = bounds
    return (first, second) if first >= 0 or not found else (-2, -2)


@lean
def push(open_nodes: Open, value: float, depth: int, kind: int, a: int, b: int, part: int) -> None:
    """Add a part of the last record to the open nodes."""
    top = open_nodes.numbers[TOP]
    node = open_nodes.nodes[top]
    node[0], node[1], node[2], node[3], node[4] = depth, kind, a, b, part
    node[5] = open_nodes.numbers[RECORDS] - 1
    open_nodes.values[top] = value
    open_nodes.numbers[TOP] = top + 1


@lean
def record(open_nodes: Open, tree: Tree, kind: int, a: int, b: int, parent: int, part: int) -> None:
    """Write a node down, if there is room."""
    number = open_nodes.numbers[RECORDS]
    if number >= tree.nodes.shape[0]:
        open_nodes.numbers[LOST] = 1
        return
    node = tree.nodes[number]
    node[0], node[1], node[2], node[3], node[4], node[5] = kind, a, b, parent, part, -1
    open_nodes.numbers[RECORDS] = number + 1


@lean
def record_leaf(
    requests: Requests,
    open_nodes: Open,
    tree: Tree,
    basis: Basis,
    depth: int,
    scratch: Scratch,
    short: float,
) -> None:
    """Write the rows and duals of the last record down.

    Parameters
    ----------
    short
        What the value lacks, if the row that was found last shows that there is no solution: so
        much of that is added; else 0.
    """
    leaf = open_nodes.numbers[LEAVES]
    if leaf >= tree.rows.shape[0] or open_nodes.numbers[LOST] == 1:
        open_nodes.numbers[LOST] = 1
        return
    n = scratch.starts.shape[0]
    more = 0.0
    if short > 0:
        gain = scratch.most[1]
        for i in range(n):
            gain -= basis.right[depth, i] * scratch.pivot[i]
        more = short / max(gain, 1e-9)
    for i in range(n):
        tree.duals[leaf, i] = basis.duals[depth, i] - min(0.0, more * scratch.pivot[i])
        for q in range(4):
            tree.rows[leaf, i, q] = basis.rows[depth, i, q]
        if basis.rows[depth, i, 0] == PRICE:
            k = basis.rows[depth, i, 1]
            tree.duals[leaf, i] /= weight_of_prices(requests, k, basis.points[depth, i])
    if more > 0 and scratch.row[0] == PRICE:
        more /= weight_of_prices(requests, scratch.row[1], scratch.points)
    tree.duals[leaf, n] = more
    for q in range(4):
        tree.rows[leaf, n, q] = scratch.row[q] if more > 0 else 0
    tree.nodes[open_nodes.numbers[RECORDS] - 1, 5] = leaf
    open_nodes.numbers[LEAVES] = leaf + 1


@lean
def enter(requests: Requests, open_nodes: Open, room: Room, top: int) -> int:
    """Put the decisions of an open node on the path, and its parent's basis; return its depth."""
    node = open_nodes.nodes[top]
    depth: int = node[0]
    kind = node[1]
    if kind < 0:
        n = room.scratch.starts.shape[0]
        for i in range(n):
            for q in range(n):
                room.basis.inverse[depth, i, q] = 1.0 if i == q else 0.0
            room.basis.duals[depth, i] = 1.0
            room.basis.right[depth, i] = requests.releases[i]
            room.basis.rows[depth, i, 0], room.basis.rows[depth, i, 1] = START, i
            room.basis.rows[depth, i, 2] = requests.releases[i]
        return depth
    counts = room.path.counts
    states, sides = counts[depth - 1]
    if kind == AT:
        for q in range(3):
            room.path.states[states, q] = node[2 + q]
        states += 1
    else:
        for q in range(3):
            room.path.sides[sides, q] = node[2 + q]
        sides += 1
    counts[depth, 0], counts[depth, 1] = states, sides
    copy_basis(room.basis, depth - 1, room.basis, depth)
    return depth


@lean
def keep_schedule(requests: Requests, open_nodes: Open, room: Room, margin: float) -> bool:
    """Keep integer starts if they are the best so far, and lower the cut; tell if they fit."""
    if not is_schedule(requests, room.whole):
        return False
    total = 0
    for i in range(room.whole.shape[0]):
        total += room.whole[i]
    if total < open_nodes.numbers[BEST]:
        open_nodes.numbers[BEST] = total
        for i in range(room.whole.shape[0]):
            open_nodes.best[i] = room.whole[i]
        open_nodes.cut[0] = min(open_nodes.cut[0], total - 1 + margin)
    return True


@lean
def round_up(requests: Requests, room: Room, starts: Any) -> None:
    """Round starts up, and delay requests by single rounds where memory is exceeded then."""
    n, whole = room.whole.shape[0], room.whole
    for i in range(n):
        whole[i] = int(np.ceil(starts[i] - WHOLE))
    for _ in range(REPAIRS * n):
        worst, last = 0, -1
        for j in range(n):
            end = whole[j] + requests.outputs[j]
            over, latest = -requests.memory, j
            for k in range(n):
                if whole[k] < end <= whole[k] + requests.outputs[k]:
                    over += requests.prompts[k] + end - whole[k]
                    if k != j and (latest == j or whole[k] > whole[latest]):
                        latest = k
            if over > worst:
                worst, last = over, latest
        if last < 0:
            return
        whole[last] += 1


@lean
def branch(
    requests: Requests,
    open_nodes: Open,
    tree: Tree,
    room: Room,
    depth: int,
    value: float,
    pivots: int,
    most: int,
    margin: float,
) -> int:
    """Branch on a node that is solved and not closed; return its kind, or STUCK."""
    n = room.states.shape[0]
    top = open_nodes.numbers[TOP]
    parent, part = open_nodes.nodes[top, 5], open_nodes.nodes[top, 4]
    states = room.path.counts[depth, 0]
    room.states[:] = -1
    for q in range(states):
        room.states[room.path.states[q, 0], room.path.states[q, 1]] = room.path.states[q, 2]
    k, j = choose(requests, room, depth, value, open_nodes.cut[0], pivots, most)
    if k == -2:
        return STUCK
    if k >= 0:
        record(open_nodes, tree, AT, k, j, parent, part)
        done = 0
        for _ in range(3):  # the part with the lowest bound is to be next
            high = -1
            for x in range(3):
                if not done >> x & 1 and (high < 0 or room.parts[x] > room.parts[high]):
                    high = x
            done |= 1 << high
            push(open_nodes, room.parts[high], depth + 1, AT, k, j, high)
        return AT
    starts, heads = room.scratch.starts, room.scratch.heads
    split, most_off = -1, WHOLE
    for i in range(n):
        starts[i] = max(starts[i], float(heads[i]))  # at large costs rows may be missed a little
        room.whole[i] = int(np.floor(starts[i] + 0.5))
        off = abs(starts[i] - room.whole[i])
        if off > most_off:
            split, most_off = i, off
    if split < 0:
        if not keep_schedule(requests, open_nodes, room, margin):
            return STUCK
        if value < open_nodes.cut[0]:
            open_nodes.least[0] = min(open_nodes.least[0], value)
        return LEAF
    round_up(requests, room, starts)
    keep_schedule(requests, open_nodes, room, margin)
    if value >= open_nodes.cut[0]:
        return LEAF
    if room.path.counts[depth, 1] >= open_nodes.numbers[MOST_SPLITS]:
        open_nodes.least[0] = min(open_nodes.least[0], value)
        return LEAF
    t = int(np.floor(starts[split]))
    record(open_nodes, tree, SPLIT, split, t, parent, part)
    push(open_nodes, value, depth + 1, SPLIT, split, t, 0)
    push(open_nodes, value, depth + 1, SPLIT, split, t, 1)
    return SPLIT


@lean
def solve_node(
    requests: Requests,
    open_nodes: Open,
    tree: Tree,
    room: Room,
    depth: int,
    pivots: int,
    most: int,
    margin: float,
) -> tuple[int, float]:
    """Solve a node whose heads are set, and branch on it if it is not closed.

    Returns
    -------
    kind, short
        AT, SPLIT, LEAF or STUCK; what the value of a leaf without a solution lacks, else 0.
    """
    states, sides = room.path.counts[depth]
    cut = open_nodes.cut[0]
    value, end = raise_bound(
        requests, room.path, states, sides, room.basis, depth, room.scratch, cut, 10 * pivots
    )
    if end == BOUND:
        kind = branch(requests, open_nodes, tree, room, depth, value, pivots, most, margin)
        return kind, 0.0
    return LEAF, cut + 1 - value if end == EMPTY else 0.0


def explore(
    requests: Requests,
    open_nodes: Open,
    tree: Tree,
    room: Room,
    nodes: int,
    pivots: int,
    most: int,
    margin: float,
) -> int:
    """Solve so many open nodes, the last one first.

    Parameters
    ----------
    nodes
        How many.
    pivots
        Pivots of a program where it is tried what to branch on; a node has ten times as many.
    most
        About so many pairs are tried.
    margin
        Nodes are closed when their value exceeds what is to be beaten by that much less than 1.

    Returns
    -------
    int
        MORE, DONE or FAILED.
    """
    depths = room.path.counts.shape[0]
    for _ in range(nodes):
        if open_nodes.numbers[TOP] == 0:
            return DONE
        open_nodes.numbers[TOP] -= 1
        top = open_nodes.numbers[TOP]
        depth = enter(requests, open_nodes, room, top)
        if depth + 2 >= depths:
            return FAILED
        open_nodes.numbers[NODES] += 1
        parent, part = open_nodes.nodes[top, 5], open_nodes.nodes[top, 4]
        states, sides = room.path.counts[depth]
        short = -1.0
        if set_heads(requests, room.path, states, sides, room.scratch.heads):
            kind, short = solve_node(requests, open_nodes, tree, room, depth, pivots, most, margin)
            if kind == STUCK and refresh(requests, room.basis, depth, room.scratch):
                kind, short = solve_node(
                    requests, open_nodes, tree, room, depth, pivots, most, margin
                )
            if kind == STUCK:
                return FAILED
            if kind != LEAF:
                continue
        record(open_nodes, tree, LEAF, 0, 0, parent, part)
        if short >= 0:
            record_leaf(requests, open_nodes, tree, room.basis, depth, room.scratch, short)
    return MORE if open_nodes.numbers[TOP] > 0 else DONE


def open_root(
    instance_size: int, best: int, cut: float, depths: int, above: int = 0, splits: int = SPLITS
) -> Open:
    """Return the root as the only open node, below so many decisions."""
    room = 3 * depths
    nodes = np.zeros((room, 6), dtype=np.int64)
    nodes[0] = (above, -1, 0, 0, 0, -1)
    numbers = np.array([1, 0, 0, 0, best, 0, splits], dtype=np.int64)
    starts = np.zeros(instance_size, dtype=np.int64)
    return Open(nodes, np.zeros(room), numbers, np.array([cut]), starts, np.array([np.inf]))


def enter_path(room: Room, decided: Sequence[tuple[int, int, int, int]]) -> None:
    """Let a search begin below some decisions: AT or SPLIT, its two numbers, and the part."""
    counts = [0, 0]
    for kind, a, b, part in decided:
        table, which = (room.path.states, 0) if kind == AT else (room.path.sides, 1)
        table[counts[which]] = (a, b, part)
        counts[which] += 1
    room.path.counts[len(decided)] = counts


def tree_for(n: int, records: int) -> Tree:
    """Return room for so many records, two thirds of them leaves."""
    leaves = records * 2 // 3 + 1
    rows = np.zeros((leaves, n + 1, 4), dtype=np.int64)
    return Tree(np.zeros((records, 6), dtype=np.int64), rows, np.zeros((leaves, n + 1)))


class Functions(NamedTuple):
    """The function that is called from outside, compiled or not."""

    explore: Callable[..., int]


def _warm_up(functions: Functions) -> None:
    """Solve one request."""
    one = np.ones(1, dtype=np.int64)
    requests = Requests(
        4,
        one,
        one,
        one,
        np.ones((1, 1)),
        np.ones((1, 1)),
        np.ones(1),
        -one,
        np.zeros((0, 1, 2)),
        np.zeros(0),
    )
    functions.explore(
        requests, open_root(1, 9, 5.0, 8), tree_for(1, 9), room_for(1, 8), 2, 9, 9, 0.1
    )


EVENT_ORDER = Kernel(
    "branching on what runs at completions",
    (
        lift,
        set_heads,
        offer,
        offer_gap,
        offer_decided,
        offer_memory,
        offer_prices,
        sort_by_middles,
        offer_areas,
        offer_prices,
        weight_of_prices,
        set_column,
        pivot_in,
        refresh,
        raise_bound,
        copy_basis,
        seems_to_run,
        excess,
        try_parts,
        choose,
        push,
        record,
        record_leaf,
        enter,
        is_schedule,
        keep_schedule,
        round_up,
        branch,
        solve_node,
        explore,
    ),
    Functions,
    _warm_up,
    error_model="numpy",
)
"""All that the search compiles; see `kvopt.solver.compiling`."""
