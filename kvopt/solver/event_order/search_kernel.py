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
from kvopt.solver.event_order.conflicts import (
    Conflicts,
    close_by_cycle,
    close_by_rows,
    conflicts_for,
    has_gap,
    heads_of_kept,
    keep_all,
    keep_chain,
    lift_kept,
    needs_of_row,
    reach,
    remember,
    weigh_rows,
)
from kvopt.solver.event_order.fewer_rows import drop_rows, refresh_heads, row_that_goes, value_of
from kvopt.solver.event_order.linear_program import (
    BOUND,
    CLOSED,
    EMPTY,
    RUNNING,
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
    reset,
    scratch_for,
    set_column,
    set_heads,
    sort_by_middles,
    weight_of_prices,
)
from kvopt.solver.event_order.records import (
    AT,
    BEST,
    LEAF,
    LEAVES,
    MOST_SPLITS,
    NODES,
    RECORDS,
    SPLIT,
    TOP,
    Open,
    Tree,
    close_nodes,
    open_root,
    push,
    record,
    record_leaf,
    replace,
    tree_for,
)

__all__ = ["DONE", "EVENT_ORDER", "FAILED", "MORE", "Functions", "Room", "enter_path", "room_for"]

STUCK = 3
"""The kind of a node that is not to be branched on although it would have to be, because its
solution is not exact enough."""

MORE, DONE, FAILED = 0, 1, 2
"""How a run of the search ends: nodes are left, complete, or stuck at a node or too deep."""

REPAIRS = 4
"""Starts are delayed so often for each request."""

LEAST_GAIN_OF_PART, OF_COMPLETION = 0.05, 0.1
"""What part of the gap each part gains at least in branching; how much more the excess of
memory counts for each time that a state there was needed."""

SLACK, WHOLE = 0.05, 1e-3
"""Memory that a solution may exceed (tokens), and by how much its starts may miss integers; as many
starts as there may be requests are then a schedule."""


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
    conflicts: Conflicts


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
        conflicts_for(depths, n),
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
                requests,
                room.path,
                states + 1,
                sides,
                room.trial,
                0,
                room.tried,
                cut,
                pivots,
                False,
            )
            if end == BOUND:
                gain = min(gain, least - value)
        room.parts[part] = value + gain
        score *= max(gain, LEAST_GAIN_OF_PART * open_gap)
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
    activity, unit = room.conflicts.activity, room.conflicts.unit[0]
    floor = np.inf
    while tried < most:  # completions with the most memory in excess first
        worst, at = SLACK, -1
        for j in range(n):
            over = excess(requests, room.states, starts, j)
            if over > SLACK:
                over *= 1 + OF_COMPLETION * activity[:, j].sum() / unit
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
            score *= 1 + activity[k, at] / unit
            if score > best:
                first, second, best = k, at, score
                bounds = (room.parts[0], room.parts[1], room.parts[2])
    room.parts[0], room.parts[1], room.parts[2] = bounds
    return (first, second) if first >= 0 or not found else (-2, -2)


@lean
def enter(requests: Requests, open_nodes: Open, room: Room, top: int) -> int:
    """Put the decisions of an open node on the path, and its parent's basis; return its depth."""
    node = open_nodes.nodes[top]
    depth: int = node[0]
    kind = node[1]
    if kind < 0:
        reset(requests, room.basis, depth)
        return depth
    counts = room.path.counts
    states, sides = counts[depth - 1]
    if kind == AT:
        for q in range(3):
            room.path.states[states, q] = node[2 + q]
        room.conflicts.at[states, 0] = depth
        states += 1
    else:
        for q in range(3):
            room.path.sides[sides, q] = node[2 + q]
        room.conflicts.at[sides, 1] = depth
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
    for d in range(1, depth + 1):
        room.conflicts.needed[depth + 1, d] = 0
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
) -> int:
    """Solve a node whose heads are set, and branch on it if it is not closed; return its kind."""
    states, sides = room.path.counts[depth]
    kind = LEAF
    for turn in range(2):
        value, end = raise_bound(
            requests, room.path, states, sides, room.basis, depth, room.scratch,
            open_nodes.cut[0], 20 * pivots, True,
        )  # fmt: skip
        if end == CLOSED:
            drop_rows(requests, room.basis, depth, room.scratch, open_nodes.cut[0])
        sound = weigh_rows(
            requests, room.path, states, sides, room.basis, depth, room.scratch,
            room.conflicts, end == EMPTY,
        )  # fmt: skip
        if end == BOUND and (sound or turn == 1):
            kind = branch(requests, open_nodes, tree, room, depth, value, pivots, most, margin)
            if kind != LEAF:
                break
        closed = close_by_rows(
            requests, room.path, states, sides, room.basis, depth,
            room.conflicts, end == EMPTY, open_nodes.cut[0], 0.5 * margin,
        )  # fmt: skip
        if closed and sound:
            return LEAF
        if (end == BOUND and sound) or turn == 1:
            break
        reset(requests, room.basis, depth)
    keep_all(room.conflicts, depth)
    return kind


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
        Pivots of a program where it is tried what to branch on; a node has twenty times as many.
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
        room.conflicts.first[depth, 0] = open_nodes.numbers[RECORDS]
        room.conflicts.first[depth, 1] = open_nodes.numbers[LEAVES]
        states, sides = room.path.counts[depth]
        possible = set_heads(requests, room.path, states, sides, room.scratch.heads)
        if possible:
            kind = solve_node(requests, open_nodes, tree, room, depth, pivots, most, margin)
            if kind == STUCK:
                reset(requests, room.basis, depth)
                kind = solve_node(requests, open_nodes, tree, room, depth, pivots, most, margin)
            if kind == STUCK:
                return FAILED
            if kind != LEAF:
                continue
        else:
            close_by_cycle(requests, room.path, states, sides, room.conflicts, depth)
        record(open_nodes, tree, LEAF, 0, 0, parent, part)
        if possible:
            record_leaf(requests, open_nodes, tree, room.basis, depth, room.conflicts)
        remember(room.path, states, room.conflicts)
        close_nodes(open_nodes, tree, room.conflicts, depth)
    return MORE if open_nodes.numbers[TOP] > 0 else DONE


def enter_path(room: Room, decided: Sequence[tuple[int, int, int, int]]) -> None:
    """Let a search begin below some decisions: AT or SPLIT, its two numbers, and the part."""
    counts = [0, 0]
    for kind, a, b, part in decided:
        table, which = (room.path.states, 0) if kind == AT else (room.path.sides, 1)
        table[counts[which]] = (a, b, part)
        room.conflicts.at[counts[which], which] = 0
        counts[which] += 1
    room.path.counts[len(decided)] = counts


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
        reset,
        raise_bound,
        copy_basis,
        seems_to_run,
        excess,
        try_parts,
        choose,
        push,
        record,
        record_leaf,
        replace,
        value_of,
        refresh_heads,
        row_that_goes,
        drop_rows,
        keep_all,
        lift_kept,
        heads_of_kept,
        close_by_cycle,
        has_gap,
        needs_of_row,
        weigh_rows,
        reach,
        keep_chain,
        close_by_rows,
        close_nodes,
        remember,
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
