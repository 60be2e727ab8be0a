"""Best-first search over states (A*): buckets of lower bounds, dominance by key."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.solver.compiling import inlined, lean
from kvopt.solver.state_search.beam import waiting_outputs
from kvopt.solver.state_search.bounds import dual_bound, fluid_bound
from kvopt.solver.state_search.duals import Duals
from kvopt.solver.state_search.packed_states import (
    Workspace,
    chosen,
    count_waiting,
    first_choice,
    make_child,
    next_choice,
)
from kvopt.solver.state_search.pool import Pool, drop_dominated, is_dominated, store_child
from kvopt.solver.state_search.problem import PackedProblem

__all__ = ["DONE", "FULL", "MORE", "Frontier", "best_first", "make_frontier"]

DONE, MORE, FULL = 0, 1, 2
"""What `best_first` returns: the bracket has closed; it may go on; the pool is full."""


class Frontier(NamedTuple):
    """How far the search is: lists of states in the pool, and numbers, shape (1,) each."""

    by_key: NDArray[np.int32]
    """First state of each key, or -1, shape (keys,)."""
    by_bound: NDArray[np.int32]
    """First state of each lower bound, counted from `base`, or -1, shape (bounds,)."""
    states: NDArray[np.int64]
    """States in the pool."""
    bound: NDArray[np.int64]
    """Lower bound of the states that are looked at: one on the sum of starts (rounds)."""
    cutoff: NDArray[np.int64]
    """The smallest sum of starts known (rounds)."""
    last: NDArray[np.int64]
    """The state after which all that waits starts, for that sum, or -1."""
    base: NDArray[np.int64]
    """Lower bound of the root (rounds)."""
    skip: NDArray[np.int64]
    """How many children the state that is next has got already."""


def make_frontier(pool: Pool, base: int, cutoff: int) -> Frontier:
    """Return one with state 0 of a pool alone, as `start_pool` makes it; base < cutoff."""
    by_key = np.full(pool.key[0] + 1, -1, dtype=np.int32)
    by_bound = np.full(cutoff - base, -1, dtype=np.int32)
    by_bound[0] = 0
    return Frontier(
        by_key,
        by_bound,
        np.full(1, 1, dtype=np.int64),
        np.full(1, base, dtype=np.int64),
        np.full(1, cutoff, dtype=np.int64),
        np.full(1, -1, dtype=np.int64),
        np.full(1, base, dtype=np.int64),
        np.full(1, 0, dtype=np.int64),
    )


@inlined
@lean
def push(pool: Pool, frontier: Frontier, state: int, bound: int) -> None:
    """Put a state among those of a lower bound, to come next of them."""
    place = bound - frontier.base[0]
    pool.same_bound[state] = frontier.by_bound[place]
    frontier.by_bound[place] = state


@inlined
@lean
def pop(pool: Pool, frontier: Frontier) -> int:
    """Take a state of the lowest bound; -1 if there is none below the cutoff."""
    bound, cutoff, base = frontier.bound[0], frontier.cutoff[0], frontier.base[0]
    while bound < cutoff and frontier.by_bound[bound - base] < 0:
        bound += 1
    frontier.bound[0] = bound
    if bound >= cutoff:
        return -1
    state = frontier.by_bound[bound - base]
    frontier.by_bound[bound - base] = pool.same_bound[state]
    return state  # type: ignore[no-any-return]


@lean
def bound_child(
    frontier: Frontier,
    cost: int,
    length: int,
    time: int,
    problem: PackedProblem,
    duals: Duals,
    work: Workspace,
) -> int:
    """Return a lower bound of the child in the workspace (rounds), no less than its parent's.

    Parameters
    ----------
    frontier
        For the parent's bound and the cutoff.
    cost
        What it costs so far (rounds).
    length, time
        For how many rounds something runs; rounds so far.
    problem, duals, work
        The types of requests, the multipliers, and the child.
    """
    free, windows, waiting = work.free, work.windows, work.remaining
    dual = cost + dual_bound(waiting, free, length, windows, time, problem, duals)
    bound = max(frontier.bound[0], dual)
    if bound < frontier.cutoff[0]:
        outputs = waiting_outputs(waiting, problem)
        cutoff = frontier.cutoff[0] - cost + outputs
        fluid = fluid_bound(waiting, free, length, windows, problem, cutoff)
        bound = max(bound, cost + fluid - outputs)
    return bound  # type: ignore[no-any-return]


@lean
def add_child(
    pool: Pool,
    frontier: Frontier,
    state: int,
    candidates: int,
    cost: int,
    problem: PackedProblem,
    duals: Duals,
    work: Workspace,
) -> bool:
    """Put the child of a state by what is chosen into the pool, unless it is dominated or cut off.

    Returns
    -------
    bool
        False if the pool has no room for it.
    """
    less, length = make_child(candidates, pool.windows[state], problem, work)
    key = pool.key[state] - less
    first = frontier.by_key[key]
    if is_dominated(pool, first, cost, problem, work):
        return True
    time = pool.time[state] + 1
    bound = bound_child(frontier, cost, length, time, problem, duals, work)
    if bound >= frontier.cutoff[0]:
        return True
    new = frontier.states[0]
    if new == pool.key.shape[0]:
        return False
    pool.same_key[new] = drop_dominated(pool, first, cost, problem, work)
    frontier.by_key[key] = new
    frontier.states[0] = new + 1
    store_child(pool, new, state, key, cost, work)
    pool.dropped[new] = False
    push(pool, frontier, new, bound)
    return True


@lean
def best_first(
    problem: PackedProblem,
    duals: Duals,
    pool: Pool,
    frontier: Frontier,
    work: Workspace,
    children: int,
) -> int:
    """Expand states, cheapest lower bound first; return DONE, MORE or FULL.

    It stops after about so many `children`, or when the pool is full.  The state it was at is
    then put back, so that `frontier.bound` is a lower bound.
    """
    skip, cutoff = frontier.skip, frontier.cutoff
    while children > 0:
        state = pop(pool, frontier)
        if state < 0:
            return DONE
        if pool.dropped[state]:
            skip[0] = 0
            continue
        total = count_waiting(pool.key[state], problem, work.waiting)
        candidates = first_choice(pool.profile[state], problem, work)
        more = True
        if pool.profile[state, 0] == 0:  # no fully idle round
            more = next_choice(candidates, problem, work)
        for _ in range(skip[0]):
            more = next_choice(candidates, problem, work)
        while more:
            if children <= 0:
                push(pool, frontier, state, frontier.bound[0])
                return MORE
            children -= 1
            waiting = total - chosen(candidates, work)
            cost = pool.cost[state] + waiting
            if waiting == 0 and cost < cutoff[0]:
                cutoff[0] = cost
                frontier.last[0] = state
            if cost < cutoff[0] and not add_child(
                pool, frontier, state, candidates, cost, problem, duals, work
            ):
                push(pool, frontier, state, frontier.bound[0])
                return FULL
            skip[0] += 1
            more = next_choice(candidates, problem, work)
        skip[0] = 0
    return MORE
