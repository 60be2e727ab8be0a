"""The functions of the state search, compiled together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kvopt.solver import arrays
from kvopt.solver.compiling import Kernel
from kvopt.solver.state_search import (
    beam,
    best_first,
    bounds,
    duals,
    packed_states,
    pool,
    problem,
    prove_many,
)

__all__ = ["STATE_SEARCH", "Functions"]


class Functions(NamedTuple):
    """The functions that are called from outside, compiled or not."""

    make_problem: Callable[..., problem.PackedProblem]
    find_duals: Callable[..., int]
    beam: Callable[..., tuple[int, int]]
    best_first: Callable[..., int]
    start_pool: Callable[..., None]
    trace_back: Callable[..., None]
    prove_many: Callable[..., None]


def _warm_up(functions: Functions) -> None:
    """Call each function with nothing to do."""
    one = np.ones(1, dtype=np.int64)
    smallest = functions.make_problem(2, one, one)
    zero, rows, starts = duals.make_duals(1, 1), pool.make_pool(2, 1), np.zeros(1, dtype=np.int64)
    functions.find_duals(smallest, zero, 0, duals.Ascent(1, 1, 1, 1))
    functions.beam(smallest, zero, rows, 1, 1, starts)
    functions.start_pool(rows, smallest)
    functions.trace_back(rows, smallest, 0, starts)
    frontier = best_first.make_frontier(rows, 0, 1)
    functions.best_first(smallest, zero, rows, frontier, packed_states.make_workspace(smallest), 0)
    none = np.zeros(0, dtype=np.int64)
    nothing = prove_many.ManyProblems(none, none, none, none, none)
    functions.prove_many(nothing, 0, 1, rows, none, none)


STATE_SEARCH = Kernel(
    "state search",
    (  # each after those it calls
        arrays.copy_into,
        problem.round_weight,
        problem.weigh_type,
        problem.fill_capacity,
        problem.fill_weightings,
        problem.sorted_keys,
        problem.zero_problem,
        problem.fill_type,
        problem.make_problem,
        duals.make_duals,
        duals.prefix_sums,
        duals.settle,
        duals.count_use,
        duals.turn,
        duals.move,
        duals.find_duals,
        bounds.round_capacity,
        bounds.fluid_completions,
        bounds.fluid_bound,
        bounds.dual_bound,
        packed_states.make_workspace,
        packed_states.unpack,
        packed_states.mark_usable,
        packed_states.tighten,
        packed_states.count_waiting,
        packed_states.first_choice,
        packed_states.next_choice,
        packed_states.chosen,
        packed_states.pass_round,
        packed_states.start_chosen,
        packed_states.make_child,
        pool.start_pool,
        pool.store_child,
        pool.is_dominated,
        pool.drop_dominated,
        pool.trace_back,
        beam.run_serially,
        beam.waiting_outputs,
        beam.root_bound,
        beam.place_in_layer,
        beam.child_bound,
        beam.keep_child,
        beam.beam,
        best_first.make_frontier,
        best_first.push,
        best_first.pop,
        best_first.bound_child,
        best_first.add_child,
        best_first.best_first,
        prove_many.cost_of,
        prove_many.prove_one,
        prove_many.prove_many,
    ),
    Functions,
    _warm_up,
    error_model="numpy",
)
"""All that the state search compiles; see `kvopt.solver.compiling`."""
