"""The functions of the state search, compiled together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kvopt.solver.compiling import Kernel
from kvopt.solver.state_search.beam import BEAM_FUNCTIONS
from kvopt.solver.state_search.best_first import BEST_FIRST_FUNCTIONS, make_frontier
from kvopt.solver.state_search.bounds import BOUND_FUNCTIONS
from kvopt.solver.state_search.duals import DUAL_FUNCTIONS, Ascent, make_duals
from kvopt.solver.state_search.packed_states import (
    PACKED_STATE_FUNCTIONS,
    make_workspace,
)
from kvopt.solver.state_search.pool import POOL_FUNCTIONS, make_pool
from kvopt.solver.state_search.problem import PROBLEM_FUNCTIONS, PackedProblem
from kvopt.solver.state_search.prove_many import PROVE_MANY_FUNCTIONS, ManyProblems

__all__ = ["STATE_SEARCH", "Functions"]


class Functions(NamedTuple):
    """The functions that are called from outside, compiled or not."""

    make_problem: Callable[..., PackedProblem]
    find_duals: Callable[..., int]
    beam: Callable[..., tuple[int, int]]
    best_first: Callable[..., int]
    start_pool: Callable[..., None]
    trace_back: Callable[..., None]
    prove_many: Callable[..., None]


def _warm_up(functions: Functions) -> None:
    """Call each function with nothing to do."""
    one = np.ones(1, dtype=np.int64)
    problem = functions.make_problem(2, one, one)
    duals, pool, starts = make_duals(1, 1), make_pool(2, 1), np.zeros(1, dtype=np.int64)
    functions.find_duals(problem, duals, 0, Ascent(1, 1, 1, 1))
    functions.beam(problem, duals, pool, 1, 1, starts)
    functions.start_pool(pool, problem)
    functions.trace_back(pool, problem, 0, starts)
    frontier, work = make_frontier(pool, 0, 1), make_workspace(problem)
    functions.best_first(problem, duals, pool, frontier, work, 0)
    none = np.zeros(0, dtype=np.int64)
    functions.prove_many(ManyProblems(none, none, none, none, none), 0, 1, pool, none, none)


STATE_SEARCH = Kernel(
    "state search",
    PROBLEM_FUNCTIONS
    + DUAL_FUNCTIONS
    + BOUND_FUNCTIONS
    + PACKED_STATE_FUNCTIONS
    + POOL_FUNCTIONS
    + BEAM_FUNCTIONS
    + BEST_FIRST_FUNCTIONS
    + PROVE_MANY_FUNCTIONS,
    Functions,
    _warm_up,
    error_model="numpy",
)
"""All that the state search compiles; see `kvopt.solver.compiling`."""
