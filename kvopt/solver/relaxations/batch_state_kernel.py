"""Shortest paths and search over what the running requests hold, in code that numba can compile.

The functions in `KERNEL` are plain Python on arrays.  numba compiles them where it is
installed (`pip install kvopt[fast]`), and the tests run the same source both ways.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.compiling import jitted, working

__all__ = ["NO_PATH", "OVERFLOW", "PLAIN", "Functions", "Index", "Pool", "Table", "compiled"]

Index = NDArray[np.int32]

NO_PATH = 1 << 30
"""Label of a state from which no path leads to an end."""

OVERFLOW = -(1 << 62)
"""Returned where a label would not fit into 32 bits; nothing is proved then."""


class Table(NamedTuple):
    """All that can be held, by ascending number of running requests; number 0 holds nothing."""

    running: Index
    """How many run, shape (states,)."""
    grown: Index
    """What is held a round later if all go on and nobody starts, or -1, shape (states,)."""
    joined: Index
    """What is held if one more, of each prompt, is in its first round, or -1,
    shape (prompts, states)."""
    first: Index
    """Where the completions of each state begin, shape (states + 1,)."""
    left: Index
    """What is held after a completion, shape (completions,)."""
    kind: Index
    """The type that completes, shape (completions,)."""


class Pool(NamedTuple):
    """Nodes of the search: what is held, who has completed, and the cheapest way there."""

    state: Index
    """What is held, shape (nodes,)."""
    who: IntArray
    """Sum over the types of completions times place values, shape (nodes,)."""
    cost: IntArray
    """What the completions so far cost, shape (nodes,)."""
    parent: Index
    """The node before the round, or -1 - i if node i has one completion less, shape (nodes,)."""


def label_states(table: Table, worth: IntArray, unit: int, label: Index, joining: IntArray) -> int:
    """Fill `label`, the costs of cheapest paths from the states on; return that from the start.

    Parameters
    ----------
    table
        The states.
    worth
        What a completion of each type is worth, at most unit * horizon, shape (types,).
    unit
        What a round costs.
    label
        Row t: for each state after round t, before the completions of time t, the cheapest
        path from there on, shape (horizon + 1, states).
    joining
        Room for one number for each state.
    """
    grown, joined = table.grown, table.joined
    first, left, kind = table.first, table.left, table.kind
    states, prompts, horizon = grown.shape[0], joined.shape[0], label.shape[0] - 1
    gain = np.empty_like(worth)
    label[horizon, :] = 0  # beyond the horizon no completion costs less than nothing
    for t in range(horizon - 1, -1, -1):
        # `joining`: the cheapest path from a state after round t + 1 that starters may still join.
        for i in range(states - 1, -1, -1):
            best: Any = np.int64(label[t + 1, i])
            for p in range(prompts):
                if joined[p, i] >= 0:
                    best = min(best, joining[joined[p, i]])
            joining[i] = best
        begun = NO_PATH
        for p in range(prompts):
            if joined[p, 0] >= 0:
                begun = min(begun, joining[joined[p, 0]])
        if t == 0:
            return begun
        for k in range(worth.shape[0]):
            gain[k] = unit * t - worth[k]
        row = label[t]
        row[0] = min(0, begun)
        for i in range(1, states):
            best = NO_PATH
            if grown[i] >= 0:
                best = joining[grown[i]]
            for e in range(first[i], first[i + 1]):
                value = row[left[e]] + gain[kind[e]]
                if value < best:
                    best = value
            if best < -NO_PATH:
                return OVERFLOW
            row[i] = min(best, NO_PATH)
    return OVERFLOW


def ways_to_join(table: Table, base: int, reached: Index, last: Index) -> int:
    """Write what can be held if any number of requests join `base`; return how many ways.

    Parameters
    ----------
    table
        The states.
    base
        What those hold that were there before.
    reached
        Takes the states, `base` itself first, shape (states,).
    last
        Room for the last prompt that joined, so that each way comes once, shape (states,).
    """
    joined = table.joined
    reached[0] = base
    last[0] = 0
    size = 1
    at = 0
    while at < size:
        for p in range(last[at], joined.shape[0]):
            following = joined[p, reached[at]]
            if following >= 0:
                reached[size] = following
                last[size] = p
                size += 1
        at += 1
    return size


def label_chosen(
    table: Table,
    worth: IntArray,
    unit: int,
    label: Index,
    begins: IntArray,
    chosen: Index,
    reached: Index,
    last: Index,
) -> int:
    """Do what `label_states` does for paths through chosen states only.

    Parameters
    ----------
    begins, chosen
        The states of row t are chosen[begins[t]] .. chosen[begins[t + 1] - 1], ascending.
        Rows of other states hold `NO_PATH`.
    reached, last
        Room, as for `ways_to_join`.
    """
    horizon = label.shape[0] - 1
    for at in range(begins[horizon], begins[horizon + 1]):
        label[horizon, chosen[at]] = 0
    for t in range(horizon - 1, -1, -1):
        row, after = label[t], label[t + 1]
        for at in range(begins[t], begins[t + 1]):
            i = chosen[at]
            best: Any = 0 if i == 0 and t > 0 else NO_PATH
            if table.grown[i] >= 0:
                ways = ways_to_join(table, table.grown[i], reached, last)
                for way in range(1 if i == 0 else 0, ways):
                    best = min(best, np.int64(after[reached[way]]))
            if t > 0:
                for e in range(table.first[i], table.first[i + 1]):
                    if row[table.left[e]] < NO_PATH:
                        k = table.kind[e]
                        best = min(best, row[table.left[e]] + unit * t - worth[k])
            if best < -NO_PATH:
                return OVERFLOW
            row[i] = min(best, NO_PATH)
    return int(label[0, 0])


def choose(
    table: Table,
    worth: IntArray,
    unit: int,
    label: Index,
    limit: int,
    begins: IntArray,
    chosen: Index,
    reached: Index,
    last: Index,
) -> int:
    """Choose the states on paths that cost at most `limit`; return their number.

    Writes `begins` and `chosen` as `label_chosen` wants them, and `NO_PATH` into the labels of
    all others.  If there are more than `chosen` has room for, returns -1, the labels half done.
    """
    horizon, states = label.shape[0] - 1, label.shape[1]
    reach = np.full(states, NO_PATH, dtype=np.int64)
    after = np.empty(states, dtype=np.int64)
    reach[0] = 0
    size = 0
    for t in range(horizon + 1):
        begins[t] = size
        row = label[t]
        if 0 < t < horizon:
            for i in range(states - 1, 0, -1):
                if reach[i] < NO_PATH:
                    for e in range(table.first[i], table.first[i + 1]):
                        k = table.kind[e]
                        value = reach[i] + unit * t - worth[k]
                        if value < reach[table.left[e]]:
                            reach[table.left[e]] = value
        for i in range(states):
            if reach[i] < NO_PATH and (t == 0 or reach[i] + row[i] <= limit):
                if size == chosen.shape[0]:
                    return -1
                chosen[size] = i
                size += 1
            else:
                row[i] = NO_PATH
        if t == horizon:
            break
        after[:] = NO_PATH
        for at in range(begins[t], size):
            i = chosen[at]
            if table.grown[i] >= 0:
                ways = ways_to_join(table, table.grown[i], reached, last)
                for way in range(1 if i == 0 else 0, ways):
                    if reach[i] < after[reached[way]]:
                        after[reached[way]] = reach[i]
        reach[:] = after
    begins[horizon + 1] = size
    return size


def follow(
    table: Table,
    worth: IntArray,
    unit: int,
    label: Index,
    reached: Index,
    last: Index,
    done: IntArray,
) -> int:
    """Count the completions of each type on a cheapest path in `done`; return when it ends."""
    horizon = label.shape[0] - 1
    done[:] = 0
    i = 0
    for t in range(horizon):
        going = t > 0
        while going:
            going = False
            for e in range(table.first[i], table.first[i + 1]):
                k = table.kind[e]
                if label[t, table.left[e]] + unit * t - worth[k] == label[t, i]:
                    done[k] += 1
                    i = table.left[e]
                    going = True
                    break
        if i == 0 and t > 0 and label[t, 0] == 0:
            return t
        ways = ways_to_join(table, table.grown[i], reached, last)
        best = NO_PATH + 1
        for way in range(1 if i == 0 else 0, ways):
            if label[t + 1, reached[way]] < best:
                best = label[t + 1, reached[way]]
                i = reached[way]
    return int(horizon)


def slot_of(state: int, who: int, slots: Index) -> int:
    """Return where a search for a state and who has completed begins."""
    x = who % 2147483647 * 40503 + state * 7919  # all below 2^63
    x = ((x ^ (x >> 23)) & 0x7FFFFFFF) * 1640531527
    return int((x >> 20) & (slots.shape[0] - 1))


def put(pool: Pool, size: int, slots: Index, state: int, who: int, cost: int, parent: int) -> int:
    """Keep the cheaper of a node and one that is there already; return the new number of nodes.

    A node that has just been added is the last one.
    """
    slot = slot_of(state, who, slots)
    while slots[slot] >= 0:
        i = slots[slot]
        if pool.state[i] == state and pool.who[i] == who:
            if cost < pool.cost[i]:
                pool.cost[i] = cost
                pool.parent[i] = parent
            return size
        slot = (slot + 1) & (slots.shape[0] - 1)
    if size < pool.state.shape[0]:
        slots[slot] = size
        pool.state[size] = state
        pool.who[size] = who
        pool.cost[size] = cost
        pool.parent[size] = parent
    return size + 1


def complete(
    table: Table,
    counts: IntArray,
    place: IntArray,
    gain: IntArray,
    row: Index,
    limit: int,
    pool: Pool,
    size: int,
    slots: Index,
) -> int:
    """Add all that completions of one time can lead to; return the number of nodes.

    Parameters
    ----------
    table
        The states.
    counts, place
        Requests of each type, and place values of their numbers in `Pool.who`, shape (types,).
    gain
        What a completion of each type costs now, shape (types,).
    row
        Labels of the states at this time, shape (states,).
    limit
        Nodes whose cost and label exceed this are left out.
    pool
        The nodes; there may be more than fit, then this is to be done again in a larger pool.
    size
        Their number so far.
    slots
        Room for a hash table, a power of two, twice as large as the pool.
    """
    slots[:] = -1
    running = table.running
    most = running[running.shape[0] - 1]
    head = np.full(most + 1, -1, dtype=np.int32)
    below = np.empty(pool.state.shape[0], dtype=np.int32)
    for i in range(size):
        slot = slot_of(pool.state[i], pool.who[i], slots)
        while slots[slot] >= 0:
            slot = (slot + 1) & (slots.shape[0] - 1)
        slots[slot] = i
        k = running[pool.state[i]]
        below[i] = head[k]
        head[k] = i
    # By falling number of running requests, so that a node's cost is final when it is left.
    for k in range(most, 0, -1):
        i = head[k]
        while i >= 0:
            state, who, cost = pool.state[i], pool.who[i], pool.cost[i]
            for e in range(table.first[state], table.first[state + 1]):
                kind = table.kind[e]
                if who // place[kind] % (counts[kind] + 1) == counts[kind]:
                    continue
                to, more = table.left[e], cost + gain[kind]
                if more + row[to] > limit:
                    continue
                before = size
                size = put(pool, size, slots, to, who + place[kind], more, -1 - i)
                if size > pool.state.shape[0]:
                    return size
                if size > before:
                    below[before] = head[k - 1]
                    head[k - 1] = before
            i = below[i]
    return size


def pass_round(
    table: Table,
    row: Index,
    limit: int,
    everyone: int,
    pool: Pool,
    size: int,
    following: Pool,
    slots: Index,
    reached: Index,
    last: Index,
) -> int:
    """Let requests start and a round pass; return the number of nodes that follow.

    Parameters
    ----------
    row
        Labels of the states after the round, shape (states,).
    limit
        Nodes whose cost and label exceed this are left out.
    everyone
        `Pool.who` when all have completed.
    pool, size
        The nodes after the completions.
    following
        Takes the nodes after the round; if there are more than fit, this is to be done again.
    slots, reached, last
        Room, as for `complete` (for `following`) and `ways_to_join`.
    """
    slots[:] = -1
    fresh = 0
    for i in range(size):
        state, who, cost = pool.state[i], pool.who[i], pool.cost[i]
        if table.grown[state] < 0 or who == everyone:
            continue
        ways = ways_to_join(table, table.grown[state], reached, last)
        for way in range(1 if state == 0 else 0, ways):
            to = reached[way]
            if cost + row[to] <= limit:
                fresh = put(following, fresh, slots, to, who, cost, i)
                if fresh > following.state.shape[0]:
                    return fresh
    return fresh


KERNEL = (
    label_states,
    ways_to_join,
    label_chosen,
    choose,
    follow,
    slot_of,
    put,
    complete,
    pass_round,
)


class Functions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    label_states: Callable[..., int]
    label_chosen: Callable[..., int]
    choose: Callable[..., int]
    follow: Callable[..., int]
    complete: Callable[..., int]
    pass_round: Callable[..., int]


PLAIN = Functions(label_states, label_chosen, choose, follow, complete, pass_round)


@functools.cache
def compiled() -> Functions:
    """Return the compiled functions, or None if numba is not there or fails."""

    def build(cache: bool) -> Functions:
        names = jitted(KERNEL, globals(), lambda _: {"cache": cache, "error_model": "numpy"})
        return Functions(*(names[name] for name in Functions._fields))

    found: Functions = working(build)
    return found
