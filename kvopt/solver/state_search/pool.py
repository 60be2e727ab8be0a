"""The pool of states, with lists by key and by lower bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.compiling import inlined, lean
from kvopt.solver.state_search.packed_states import Workspace
from kvopt.solver.state_search.problem import PackedProblem

__all__ = ["Pool", "bytes_per_state", "enlarged", "make_pool", "start_pool", "trace_back"]


class Pool(NamedTuple):
    """States, a row each."""

    key: NDArray[np.int64]
    """Who waits: the sum of counts times place values."""
    profile: NDArray[np.int64]
    """Memory that the running ones will use in each coming round, packed, shape (rows, words)."""
    cost: NDArray[np.int64]
    """Number of waiting requests, summed over the rounds so far."""
    windows: NDArray[np.int32]
    """Rounds until windows of running requests close, shape (rows, 3): the last of level 1,
    the last of level 2, the one before it."""
    time: NDArray[np.int32]
    """Rounds so far."""
    parent: NDArray[np.int32]
    """The state one round earlier, or -1."""
    same_key: NDArray[np.int32]
    """Next state with the same requests waiting, or -1."""
    same_bound: NDArray[np.int32]
    """Next state with the same lower bound, or -1."""
    dropped: NDArray[np.bool_]
    """True once another state was found to be at least as good."""


def bytes_per_state(words: int) -> int:
    """Return how many bytes a state takes whose profile has so many words."""
    return 8 * words + 45


def make_pool(rows: int, words: int) -> Pool:
    """Return a pool with room for so many states."""
    return Pool(
        np.zeros(rows, dtype=np.int64),
        np.zeros((rows, words), dtype=np.int64),
        np.zeros(rows, dtype=np.int64),
        np.zeros((rows, 3), dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.bool_),
    )


def enlarged(pool: Pool) -> Pool:
    """Return a pool with the same states and room for as many more."""
    larger = make_pool(2 * len(pool.key), pool.profile.shape[1])
    columns: Iterable[tuple[Any, Any]] = zip(pool, larger, strict=True)
    for old, new in columns:
        new[: len(old)] = old
    return larger


@lean
def start_pool(pool: Pool, problem: PackedProblem) -> None:
    """Make state 0 the one in which everything waits."""
    key = 0
    for k in range(problem.counts.shape[0]):
        key += problem.counts[k] * problem.place[k]
    pool.key[0] = key
    for j in range(problem.tops.shape[0]):
        pool.profile[0, j] = 0
    pool.cost[0] = 0
    for j in range(3):
        pool.windows[0, j] = 0
    pool.time[0] = 0
    pool.parent[0] = -1
    pool.same_key[0] = -1
    pool.same_bound[0] = -1
    pool.dropped[0] = False


@inlined
@lean
def store_child(pool: Pool, row: int, parent: int, key: int, cost: int, work: Workspace) -> None:
    """Write the child of a state that is in the workspace into a row."""
    pool.key[row] = key
    for j in range(work.profile.shape[0]):
        pool.profile[row, j] = work.profile[j]
    pool.cost[row] = cost
    for j in range(3):
        pool.windows[row, j] = work.windows[j]
    pool.time[row] = pool.time[parent] + 1
    pool.parent[row] = parent


@inlined
@lean
def is_dominated(
    pool: Pool, first: int, cost: int, problem: PackedProblem, work: Workspace
) -> bool:
    """Tell whether a state with the key of the child in the workspace is at least as good.

    It is if it costs no more so far and uses no more memory in any coming round
    (derived: proofs/text/state_search.md, lemma 1).

    Parameters
    ----------
    pool
        The states.
    first
        The first state with that key, or -1.
    cost
        What the child costs so far (rounds).
    problem, work
        The types of requests; the child.
    """
    state = first
    while state >= 0:
        if pool.cost[state] <= cost:
            over = 0
            for j in range(work.profile.shape[0]):
                tops = problem.tops[j]
                over |= ~((work.profile[j] | tops) - pool.profile[state, j]) & tops
            if over == 0:
                return True
        state = pool.same_key[state]
    return False


@inlined
@lean
def drop_dominated(
    pool: Pool, first: int, cost: int, problem: PackedProblem, work: Workspace
) -> int:
    """Drop the states with the child's key that are no better; return the first that stays or -1.

    Parameters are as for `is_dominated`.
    """
    previous = -1
    state = first
    while state >= 0:
        following = pool.same_key[state]
        over = 1
        if pool.cost[state] >= cost:
            over = 0
            for j in range(work.profile.shape[0]):
                tops = problem.tops[j]
                over |= ~((pool.profile[state, j] | tops) - work.profile[j]) & tops
        if over == 0:
            pool.dropped[state] = True
            if previous < 0:
                first = following
            else:
                pool.same_key[previous] = following
        else:
            previous = state
        state = following
    return first


@lean
def trace_back(pool: Pool, problem: PackedProblem, end: int, starts: IntArray) -> None:
    """Write the starts of the schedule that leads through state `end`, requests by type."""
    types = problem.counts.shape[0]
    now = 0
    state = end
    while pool.parent[state] >= 0:
        now += 1
        state = pool.parent[state]
    state = end
    key = 0  # after the last state everything that waits starts
    while state >= 0:
        first = 0
        for k in range(types):
            n = problem.counts[k]
            before = pool.key[state] // problem.place[k] % (n + 1)
            after = key // problem.place[k] % (n + 1)
            for i in range(n - before, n - after):
                starts[first + i] = now
            first += n
        key = pool.key[state]
        now -= 1
        state = pool.parent[state]
