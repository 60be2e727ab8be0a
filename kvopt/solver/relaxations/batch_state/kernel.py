"""Costs-to-go of batch states, in code that numba compiles with that of `search_kernel`.

The functions are plain Python on integers and arrays; the tests run the same source both ways.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import Int32Array, copy_into

__all__ = [
    "NEVER",
    "NO_PATH",
    "OVERFLOW",
    "Charges",
    "Promising",
    "Room",
    "StateTable",
    "table_of_one",
]

NO_PATH = 1 << 30
"""Cost-to-go of a state from which no path leads to an end."""

NEVER = 1 << 40
"""What a completion costs that cannot be: more than any path."""

OVERFLOW = -(1 << 62)
"""Returned where a cost-to-go would not fit into 32 bits; nothing is proved then."""


class StateTable(NamedTuple):
    """All batch states, by ascending number of running requests; state 0 is the empty one."""

    running: Int32Array
    """How many requests run, shape (states,)."""
    aged: Int32Array
    """The state a round later if all go on and none starts, or -1, shape (states,)."""
    admitted: Int32Array
    """The state with one more request of each prompt in its first round, or -1,
    shape (prompts, states)."""
    first: Int32Array
    """Where the completions of each state begin, shape (states + 1,)."""
    completed: Int32Array
    """The state after a completion, shape (completions,)."""
    shape: Int32Array
    """The shape, a prompt and an output, of what completes, shape (completions,)."""


def table_of_one() -> StateTable:
    """Return the states of one request of one token, {} and {1}, to compile on."""
    zero, states = np.array([0], dtype=np.int32), np.array([0, 1], dtype=np.int32)
    return StateTable(
        states,
        np.array([0, -1], dtype=np.int32),
        np.array([[1, -1]], dtype=np.int32),
        np.array([0, 0, 1], dtype=np.int32),
        zero,
        zero.copy(),
    )


class Charges(NamedTuple):
    """What completions cost, and when rounds may be idle."""

    cost: IntArray
    """What the cheapest completion of each shape costs at each time, `NEVER` if no request of the
    shape may complete by then, shape (horizon + 1, shapes)."""
    type: IntArray
    """The type of request that this is, shape (horizon + 1, shapes)."""
    latest: int
    """The last release (rounds); no round after it is idle."""


class Promising(NamedTuple):
    """Some states of each time; those of t are states[begins[t]] .. states[begins[t + 1] - 1]."""

    begins: IntArray
    """Where those of each time begin, shape (horizon + 2,)."""
    states: Int32Array
    """The states, ascending for each time, shape (most,)."""


class Room(NamedTuple):
    """Room for the states that admissions lead to."""

    reached: Int32Array
    """The states, shape (states,)."""
    last: Int32Array
    """The last prompt that was admitted, so that each set comes once, shape (states,)."""


def fill_costs(table: StateTable, charges: Charges, costs: Int32Array, starting: IntArray) -> int:
    """Fill `costs`, the costs of cheapest paths from the states on; return that from the start.

    Parameters
    ----------
    table
        The states.
    charges
        What completions cost; at the horizon and later none costs less than nothing.
    costs
        Row t: for each state after round t, before the completions of time t, the cheapest
        path from there on, shape (horizon + 1, states).
    starting
        Room for one number for each state, shape (states,).

    Returns
    -------
    int
        The cost of a cheapest path, or `OVERFLOW`.
    """
    first, completed, shape_of = table.first, table.completed, table.shape
    states, horizon = table.aged.shape[0], costs.shape[0] - 1
    costs[horizon, :] = 0  # beyond the horizon no completion costs less than nothing
    for t in range(horizon - 1, -1, -1):
        begun = fill_starting(table, costs[t + 1], starting)
        if t < charges.latest:
            begun = starting[0]
        if t == 0:
            return begun
        row, charge = costs[t], charges.cost[t]
        row[0] = min(0, begun)
        for i in range(1, states):
            best: Any = NO_PATH
            if table.aged[i] >= 0:
                best = starting[table.aged[i]]
            for e in range(first[i], first[i + 1]):
                value = row[completed[e]] + charge[shape_of[e]]
                if value < best:
                    best = value
            if best < -NO_PATH:
                return OVERFLOW
            row[i] = min(best, NO_PATH)
    return OVERFLOW


def fill_starting(table: StateTable, after: Int32Array, starting: IntArray) -> int:
    """Fill `starting`, the cheapest path from states that more requests may still join.

    Parameters
    ----------
    table
        The states.
    after
        Costs-to-go of the states after the round, shape (states,).
    starting
        Takes the costs, shape (states,).

    Returns
    -------
    int
        That from the empty state where at least one request joins.
    """
    admitted = table.admitted
    states, prompts = admitted.shape[1], admitted.shape[0]
    for i in range(states - 1, -1, -1):
        best: Any = np.int64(after[i])
        for p in range(prompts):
            if admitted[p, i] >= 0:
                best = min(best, starting[admitted[p, i]])
        starting[i] = best
    begun = NO_PATH
    for p in range(prompts):
        if admitted[p, 0] >= 0:
            begun = min(begun, starting[admitted[p, 0]])
    return begun


def admissions(table: StateTable, base: int, room: Room) -> int:
    """Write to `room.reached` what a state becomes if any number of requests are admitted.

    Parameters
    ----------
    table
        The states.
    base
        The state before, which is written first.
    room
        Takes the states.

    Returns
    -------
    int
        How many there are.
    """
    admitted, reached, last = table.admitted, room.reached, room.last
    reached[0] = base
    last[0] = 0
    size = 1
    at = 0
    while at < size:
        for p in range(last[at], admitted.shape[0]):
            following = admitted[p, reached[at]]
            if following >= 0:
                reached[size] = following
                last[size] = p
                size += 1
        at += 1
    return size


def fill_promising(
    table: StateTable, charges: Charges, costs: Int32Array, promising: Promising, room: Room
) -> int:
    """Do what `fill_costs` does for paths through promising states only.

    The costs of the others are `NO_PATH` already.
    """
    begins, states = promising.begins, promising.states
    horizon = costs.shape[0] - 1
    for at in range(begins[horizon], begins[horizon + 1]):
        costs[horizon, states[at]] = 0
    for t in range(horizon - 1, -1, -1):
        row, after, charge = costs[t], costs[t + 1], charges.cost[t]
        least = 0 if t < charges.latest else 1  # how many start where nothing runs
        for at in range(begins[t], begins[t + 1]):
            i = states[at]
            best: Any = 0 if i == 0 and t > 0 else NO_PATH
            if table.aged[i] >= 0:
                size = admissions(table, table.aged[i], room)
                for s in range(least if i == 0 else 0, size):
                    best = min(best, np.int64(after[room.reached[s]]))
            if t > 0:
                for e in range(table.first[i], table.first[i + 1]):
                    if row[table.completed[e]] < NO_PATH:
                        best = min(best, row[table.completed[e]] + charge[table.shape[e]])
            if best < -NO_PATH:
                return OVERFLOW
            row[i] = min(best, NO_PATH)
    return int(costs[0, 0])


def find_promising(
    table: StateTable,
    charges: Charges,
    costs: Int32Array,
    cutoff: int,
    promising: Promising,
    room: Room,
) -> int:
    """Find the states on paths that cost at most `cutoff`; return their number.

    Writes them to `promising`, and `NO_PATH` as the cost-to-go of all others.  If there are more
    than it has room for, returns -1, the costs-to-go half done.
    """
    begins, chosen = promising.begins, promising.states
    horizon, states = costs.shape[0] - 1, costs.shape[1]
    reach = np.full(states, NO_PATH, dtype=np.int64)
    after = np.empty(states, dtype=np.int64)
    reach[0] = 0
    size = 0
    for t in range(horizon + 1):
        begins[t] = size
        row = costs[t]
        if 0 < t < horizon:
            reach_completions(table, charges.cost[t], reach)
        for i in range(states):
            if reach[i] < NO_PATH and (t == 0 or reach[i] + row[i] <= cutoff):
                if size == chosen.shape[0]:
                    return -1
                chosen[size] = i
                size += 1
            else:
                row[i] = NO_PATH
        if t == horizon:
            break
        after[:] = NO_PATH
        least = 0 if t < charges.latest else 1
        for at in range(begins[t], size):
            i = chosen[at]
            if table.aged[i] >= 0:
                number = admissions(table, table.aged[i], room)
                for s in range(least if i == 0 else 0, number):
                    if reach[i] < after[room.reached[s]]:
                        after[room.reached[s]] = reach[i]
        copy_into(reach, after, 0, states)
    begins[horizon + 1] = size
    return size


def reach_completions(table: StateTable, charge: IntArray, reach: IntArray) -> None:
    """Lower `reach`, the costs of cheapest paths to states, by the completions at one time.

    Parameters
    ----------
    table
        The states.
    charge
        What a completion of each shape costs now, shape (shapes,).
    reach
        The costs, shape (states,).
    """
    for i in range(reach.shape[0] - 1, 0, -1):
        if reach[i] < NO_PATH:
            for e in range(table.first[i], table.first[i + 1]):
                value = reach[i] + charge[table.shape[e]]
                if value < reach[table.completed[e]]:
                    reach[table.completed[e]] = value


def follow_path(
    table: StateTable,
    charges: Charges,
    costs: Int32Array,
    room: Room,
    now: int,
    state: int,
    completions: IntArray,
) -> int:
    """Count the completions of each type on a cheapest path from a time and state on.

    Returns when it ends (rounds).
    """
    horizon = costs.shape[0] - 1
    completions[:] = 0
    i = state
    for t in range(now, horizon):
        going = t > 0
        while going:
            going = False
            for e in range(table.first[i], table.first[i + 1]):
                k = table.shape[e]
                if costs[t, table.completed[e]] + charges.cost[t, k] == costs[t, i]:
                    completions[charges.type[t, k]] += 1
                    i = table.completed[e]
                    going = True
                    break
        if i == 0 and t > 0 and costs[t, 0] == 0:
            return t
        size = admissions(table, table.aged[i], room)
        best = NO_PATH + 1
        for s in range(1 if i == 0 and t >= charges.latest else 0, size):
            if costs[t + 1, room.reached[s]] < best:
                best = costs[t + 1, room.reached[s]]
                i = room.reached[s]
    return int(horizon)
