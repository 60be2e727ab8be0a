"""Many small instances, one after another in compiled code, with little work for each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.state_search.beam import beam
from kvopt.solver.state_search.best_first import best_first, make_frontier
from kvopt.solver.state_search.duals import make_duals
from kvopt.solver.state_search.packed_states import make_workspace
from kvopt.solver.state_search.pool import Pool, start_pool, trace_back
from kvopt.solver.state_search.problem import PackedProblem, make_problem

__all__ = ["ManyProblems", "prove_many"]


class ManyProblems(NamedTuple):
    """Instances one behind another."""

    memories: NDArray[np.int64]
    """Memory budgets (tokens), shape (instances,)."""
    firsts: NDArray[np.int64]
    """Where the requests of each begin, and their number, shape (instances + 1,)."""
    prompts: NDArray[np.int64]
    """Prompt lengths of all requests (tokens)."""
    outputs: NDArray[np.int64]
    """Output lengths of all requests (rounds)."""
    cutoffs: NDArray[np.int64]
    """Larger sums of starts need not be told apart from these (rounds), shape (instances,);
    negative for no limit."""


def cost_of(problem: PackedProblem, starts: IntArray) -> int:
    """Return the sum of starts (requests by type), or -1 if they exceed the memory."""
    total, end, i = 0, 0, 0
    for k in range(problem.counts.shape[0]):
        for _ in range(problem.counts[k]):
            total += starts[i]
            end = max(end, starts[i] + problem.outputs[k])
            i += 1
    used = np.zeros(end, dtype=np.int64)
    i = 0
    for k in range(problem.counts.shape[0]):
        for _ in range(problem.counts[k]):
            for j in range(problem.outputs[k]):
                used[starts[i] + j] += problem.prompts[k] + j + 1
            i += 1
    for r in range(end):
        if used[r] > problem.memory[0]:
            return -1
    return total


def prove_one(
    problem: PackedProblem, limit: int, children: int, width: int, pool: Pool, starts: IntArray
) -> int:
    """Return a lower bound on the sum of starts, or on the limit if that is less (rounds).

    Parameters
    ----------
    problem
        The instance.
    limit
        Larger sums of starts need not be told apart from this (rounds); negative for none.
    children, width, pool
        As for `prove_many`.
    starts
        Takes the best schedule found, requests by type, shape (n,).
    """
    duals = make_duals(problem.counts.shape[0], 0)
    base, cutoff = beam(problem, duals, pool, width, children if limit < 0 else 0, starts)
    if limit >= 0:
        cutoff = min(cutoff, limit)
        base = min(base, cutoff)
    if base == cutoff:
        return base
    start_pool(pool, problem)
    frontier = make_frontier(pool, base, cutoff)
    best_first(problem, duals, pool, frontier, make_workspace(problem), children)
    if frontier.last[0] >= 0:
        trace_back(pool, problem, frontier.last[0], starts)
    return min(frontier.bound[0], frontier.cutoff[0])  # type: ignore[no-any-return]


def prove_many(
    problems: ManyProblems,
    children: int,
    width: int,
    pool: Pool,
    lower: IntArray,
    upper: IntArray,
) -> None:
    """Bracket the optimal sums of starts of many instances, with little work for each.

    Parameters
    ----------
    problems
        The instances.
    children
        About how many states are generated for each by a search.
    width
        How many states the beam search keeps at each time.
    pool
        States to work with, with words enough for every instance.
    lower, upper
        Take the brackets (rounds), shape (instances,), of the optimum or of the cutoff,
        whichever is less; upper is -1 if something is wrong.
    """
    for i in range(problems.memories.shape[0]):
        first, last = problems.firsts[i], problems.firsts[i + 1]
        problem = make_problem(
            problems.memories[i], problems.prompts[first:last], problems.outputs[first:last]
        )
        limit = problems.cutoffs[i]
        starts = np.zeros(last - first, dtype=np.int64)
        lower[i] = prove_one(problem, limit, children, width, pool, starts)
        upper[i] = cost_of(problem, starts)
        if limit >= 0:
            upper[i] = min(upper[i], limit)
