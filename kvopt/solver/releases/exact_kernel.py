"""What an exact search through time keeps of those that run, in code that numba compiles.

The functions are plain Python on integers and arrays; the tests run the same source both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import Int32Array, copy_into
from kvopt.solver.compiling import Kernel
from kvopt.solver.relaxations.batch_state.kernel import StateTable, table_of_one
from kvopt.solver.releases.node_arrays import Nodes, Queues, make_nodes

__all__ = ["EXACT_KERNEL", "ExactFunctions", "InTable", "Runs", "make_runs", "taken_runs"]


class Runs(NamedTuple):
    """What has completed on the way to some nodes, and what runs there."""

    state: Int32Array
    """Batch state after the completions at this time, shape (most,)."""
    running: Int32Array
    """How many run, shape (most,)."""
    ends: Int32Array
    """When each of those completes (rounds), shape (most, at once)."""
    shape: Int32Array
    """Its shape, shape (most, at once)."""
    completed: Int32Array
    """How many of each shape have completed, shape (most, shapes)."""
    total: IntArray
    """The sum of their completion times (rounds), shape (most,)."""


class InTable(NamedTuple):
    """Where the batch states have the shapes of the requests."""

    row: IntArray
    """The row of `StateTable.admitted` for the prompt of each shape, shape (shapes,)."""
    shape: IntArray
    """The shape as `StateTable.shape` numbers it, shape (shapes,)."""


def make_runs(most: int, shapes: int, at_once: int) -> Runs:
    """Return room for what belongs to so many nodes; the first one is at the beginning."""
    runs = Runs(
        np.empty(most, dtype=np.int32),
        np.empty(most, dtype=np.int32),
        np.empty((most, at_once), dtype=np.int32),
        np.empty((most, at_once), dtype=np.int32),
        np.empty((most, shapes), dtype=np.int32),
        np.empty(most, dtype=np.int64),
    )
    for array in runs:
        array[:1] = 0
    return runs


def taken_runs(runs: Runs, kept: IntArray) -> Runs:
    """Return those of some nodes that are kept, by their numbers."""
    state, running, ends, shape, completed, total = runs
    return Runs(state[kept], running[kept], ends[kept], shape[kept], completed[kept], total[kept])


def follow_runs(
    table: StateTable,
    queues: Queues,
    places: InTable,
    now: int,
    before: Nodes,
    running: Runs,
    nodes: Nodes,
    size: int,
    following: Runs,
) -> None:
    """Fill in `following`, a round later: those that have started run, some complete.

    Parameters
    ----------
    table
        The batch states.
    queues
        The requests.
    places
        Where the batch states have the shapes of the requests.
    now
        The time (rounds).
    before, running
        The nodes a round before.
    nodes, size
        Those at this time, and their number.
    following
        Takes what belongs to them.
    """
    shapes = queues.counts.shape[0]
    for i in range(size):
        old = nodes.parent[i]
        state = table.aged[running.state[old]]
        total, size_now = running.total[old], 0
        copy_into(following.completed[i], running.completed[old], 0, shapes)
        for j in range(running.running[old]):
            following.ends[i, j] = running.ends[old, j]
            following.shape[i, j] = running.shape[old, j]
        number = running.running[old]
        for k in range(shapes):
            for _ in range(nodes.begun[i, k] - before.begun[old, k]):
                state = table.admitted[places.row[k], state]
                following.ends[i, number] = now - 1 + queues.output[k]
                following.shape[i, number] = k
                number += 1
        for j in range(number):
            k = following.shape[i, j]
            if following.ends[i, j] > now:
                following.ends[i, size_now] = following.ends[i, j]
                following.shape[i, size_now] = k
                size_now += 1
                continue
            total += now
            following.completed[i, k] += 1
            for e in range(table.first[state], table.first[state + 1]):
                if table.shape[e] == places.shape[k]:
                    state = table.completed[e]
                    break
        following.state[i] = state
        following.running[i] = size_now
        following.total[i] = total


def raise_bounds(
    scale: int,
    duals: int,
    saved: IntArray,
    costs: Int32Array,
    runs: Runs,
    size: int,
    bounds: IntArray,
) -> None:
    """Raise lower bounds on what schedules cost that go on from nodes.

    Parameters
    ----------
    scale
        What a round costs.
    duals
        The sum of the duals of all requests.
    saved
        The sum of the duals of the first 0, 1, ... of each shape, by release,
        shape (shapes, most + 1).
    costs
        Costs-to-go of the batch states at this time, shape (states,).
    runs, size
        What belongs to the nodes, and their number.
    bounds
        The bounds (multiples of 1 / scale rounds), shape (size,).
    """
    for i in range(size):
        value = scale * runs.total[i] + duals + costs[runs.state[i]]
        for k in range(saved.shape[0]):
            value -= saved[k, runs.completed[i, k]]
        bounds[i] = max(bounds[i], value)


class ExactFunctions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    follow_runs: Callable[..., None]
    raise_bounds: Callable[..., None]


def warm_up(functions: ExactFunctions) -> None:
    """Call each function on one request of one token."""
    table = table_of_one()
    zero, one = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
    queues = Queues(zero, one, one, zero, one, np.zeros((1, 1), dtype=np.int64))
    before, nodes = make_nodes(1, 1, 1), make_nodes(1, 1, 1)
    runs, following = make_runs(1, 1, 1), make_runs(1, 1, 1)
    nodes.begun[0, 0] = 1
    places = InTable(zero, zero)
    functions.follow_runs(table, queues, places, 1, before, runs, nodes, 1, following)
    row = np.zeros(2, dtype=np.int32)
    functions.raise_bounds(1, 0, np.zeros((1, 2), dtype=np.int64), row, following, 1, zero.copy())


EXACT_KERNEL = Kernel(
    "exact search over starts",
    (copy_into, follow_runs, raise_bounds),
    ExactFunctions,
    warm_up,
    error_model="numpy",
)
