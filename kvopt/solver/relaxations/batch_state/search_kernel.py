"""The search over batch states and completions, in code that numba compiles.

The functions are plain Python on integers and arrays; the tests run the same source both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import Int32Array, copy_into
from kvopt.solver.compiling import Kernel
from kvopt.solver.relaxations.batch_state.kernel import (
    Charges,
    Promising,
    Room,
    StateTable,
    admissions,
    fill_costs,
    fill_promising,
    fill_starting,
    find_promising,
    follow_path,
    reach_completions,
    table_of_one,
)

__all__ = ["BATCH_STATE_KERNEL", "Demand", "Functions", "Pool", "make_pool"]


class Demand(NamedTuple):
    """The requests of each shape, and how completions of all shapes are packed into one integer.

    Those of one shape complete in the order of their releases (proofs/text/release_times.md).
    """

    counts: IntArray
    """Requests of each shape, shape (shapes,)."""
    place: IntArray
    """Place value of the completions of each shape, shape (shapes,)."""
    ready: IntArray
    """When each may complete at the earliest, by release (rounds), shape (shapes, most)."""
    duals: IntArray
    """The dual of the demand of each (multiples of 1 / scale rounds), shape (shapes, most)."""


class Pool(NamedTuple):
    """Nodes of the search: batch state, completions, and the cheapest path to them."""

    state: Int32Array
    """Batch state, shape (most,)."""
    done: IntArray
    """Sum over the shapes of completions times place values, shape (most,)."""
    cost: IntArray
    """What the completions so far cost, shape (most,)."""
    parent: Int32Array
    """The node before the round, or -1 - i if node i has one completion less, shape (most,)."""
    slots: Int32Array
    """Hash table of the nodes, shape (2 * most,); both sizes are powers of two."""


def slot_of(state: int, done: int, slots: Int32Array) -> int:
    """Return where looking for a node in the hash table begins."""
    x = done % 2147483647 * 40503 + state * 7919  # all below 2^63
    x = ((x ^ (x >> 23)) & 0x7FFFFFFF) * 1640531527
    return int((x >> 20) & (slots.shape[0] - 1))


def put(pool: Pool, size: int, state: int, done: int, cost: int, parent: int) -> int:
    """Keep the cheaper of a node and one that is there already; return the new number of nodes.

    A node that has just been added is the last one; if there is no room for it, it is left out.
    """
    slots = pool.slots
    slot = slot_of(state, done, slots)
    while slots[slot] >= 0:
        i = slots[slot]
        if pool.state[i] == state and pool.done[i] == done:
            if cost < pool.cost[i]:
                pool.cost[i] = cost
                pool.parent[i] = parent
            return size
        slot = (slot + 1) & (slots.shape[0] - 1)
    if size < pool.state.shape[0]:
        slots[slot] = size
        pool.state[size] = state
        pool.done[size] = done
        pool.cost[size] = cost
        pool.parent[size] = parent
    return size + 1


def sort_by_running(
    running: Int32Array, pool: Pool, size: int, head: Int32Array, following: Int32Array
) -> None:
    """Enter nodes into the hash table, and into a list for each number of running requests.

    The list of k begins with node head[k], and following[i] comes after i; -1 ends it.
    """
    slots = pool.slots
    slots[:] = -1
    head[:] = -1
    for i in range(size):
        slot = slot_of(pool.state[i], pool.done[i], slots)
        while slots[slot] >= 0:
            slot = (slot + 1) & (slots.shape[0] - 1)
        slots[slot] = i
        k = running[pool.state[i]]
        following[i] = head[k]
        head[k] = i


def add_completions(
    table: StateTable,
    demand: Demand,
    now: int,
    scale: int,
    row: Int32Array,
    cutoff: int,
    pool: Pool,
    size: int,
) -> int:
    """Add all nodes that completions of one time can lead to; return the number of nodes.

    Parameters
    ----------
    table
        The states.
    demand
        The requests of each shape.
    now
        The time (rounds).
    scale
        What a round costs.
    row
        Costs-to-go of the states at this time, shape (states,).
    cutoff
        Nodes whose cost and cost-to-go exceed this are left out.
    pool
        The nodes; there may be more than fit, then this is to be done again in a larger pool.
    size
        Their number so far.
    """
    counts, place = demand.counts, demand.place
    most = table.running[table.running.shape[0] - 1]
    head = np.empty(most + 1, dtype=np.int32)
    following = np.empty(pool.state.shape[0], dtype=np.int32)
    sort_by_running(table.running, pool, size, head, following)
    # By falling number of running requests, so that a node's cost is final when it is left.
    for running in range(most, 0, -1):
        i = head[running]
        while i >= 0:
            state, done, cost = pool.state[i], pool.done[i], pool.cost[i]
            for e in range(table.first[state], table.first[state + 1]):
                k = table.shape[e]
                c = done // place[k] % (counts[k] + 1)
                if c == counts[k] or demand.ready[k, c] > now:
                    continue
                to, more = table.completed[e], cost + scale * now - demand.duals[k, c]
                if more + row[to] > cutoff:
                    continue
                before = size
                size = put(pool, size, to, done + place[k], more, -1 - i)
                if size > pool.state.shape[0]:
                    return size
                if size > before:
                    following[before] = head[running - 1]
                    head[running - 1] = before
            i = following[i]
    return size


def pass_round(
    table: StateTable,
    row: Int32Array,
    cutoff: int,
    everyone: int,
    least: int,
    pool: Pool,
    size: int,
    following: Pool,
    room: Room,
) -> int:
    """Let requests start and a round pass; return the number of nodes that follow.

    Parameters
    ----------
    table
        The states.
    row
        Costs-to-go of the states after the round, shape (states,).
    cutoff
        Nodes whose cost and cost-to-go exceed this are left out.
    everyone
        `Pool.done` when all have completed.
    least
        How many start at least where nothing runs, 0 or 1.
    pool, size
        The nodes after the completions, and their number.
    following
        Takes the nodes after the round; if there are more than fit, this is to be done again.
    room
        As for `admissions`.
    """
    following.slots[:] = -1
    fresh = 0
    for i in range(size):
        state, done, cost = pool.state[i], pool.done[i], pool.cost[i]
        if table.aged[state] < 0 or done == everyone:
            continue
        number = admissions(table, table.aged[state], room)
        for s in range(least if state == 0 else 0, number):
            to = room.reached[s]
            if cost + row[to] <= cutoff:
                fresh = put(following, fresh, to, done, cost, i)
                if fresh > following.state.shape[0]:
                    return fresh
    return fresh


class Functions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    fill_costs: Callable[..., int]
    fill_promising: Callable[..., int]
    find_promising: Callable[..., int]
    follow_path: Callable[..., int]
    add_completions: Callable[..., int]
    pass_round: Callable[..., int]


def warm_up(functions: Functions) -> None:
    """Call each function on one request of one token."""
    table = table_of_one()
    one, grid = np.array([1], dtype=np.int64), np.zeros((3, 1), dtype=np.int64)
    charges = Charges(grid, grid, 0)
    costs = np.zeros((3, 2), dtype=np.int32)
    room = Room(np.empty(2, dtype=np.int32), np.empty(2, dtype=np.int32))
    promising = Promising(np.zeros(4, dtype=np.int64), np.empty(6, dtype=np.int32))
    functions.fill_costs(table, charges, costs, np.empty(2, dtype=np.int64))
    functions.follow_path(table, charges, costs, room, 0, 0, np.empty(1, dtype=np.int64))
    functions.find_promising(table, charges, costs, 0, promising, room)
    functions.fill_promising(table, charges, costs, promising, room)
    demand = Demand(one, one, grid, grid)
    pool, following = make_pool(2), make_pool(2)
    pool.state[0], pool.done[0], pool.cost[0], pool.parent[0] = 1, 0, 0, 0
    size = functions.add_completions(table, demand, 1, 1, costs[0], 0, pool, 1)
    functions.pass_round(table, costs[0], 0, 1, 1, pool, size, following, room)


def make_pool(size: int) -> Pool:
    """Return room for `size` nodes, a power of two."""
    return Pool(
        np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int32),
        np.empty(2 * size, dtype=np.int32),
    )


BATCH_STATE_KERNEL = Kernel(
    "batch-state relaxation",
    (
        copy_into,
        fill_starting,
        fill_costs,
        admissions,
        fill_promising,
        reach_completions,
        find_promising,
        follow_path,
        slot_of,
        put,
        sort_by_running,
        add_completions,
        pass_round,
    ),
    Functions,
    warm_up,
    error_model="numpy",
)
