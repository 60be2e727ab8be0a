"""The stage of coarse aggregate states: from a wide grid to as fine a one as there is room for."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.params import CoarseAggregateStateParams
from kvopt.solver.relaxations.batch_state.costs_to_go import DualAscent
from kvopt.solver.relaxations.coarse_aggregate_state.costs_to_go import (
    CoarseAggregateCosts,
    first_duals,
    refined,
)
from kvopt.solver.relaxations.coarse_aggregate_state.kernel import AGGREGATE_KERNEL, Functions
from kvopt.solver.relaxations.coarse_aggregate_state.states import bounds_of, variants_of
from kvopt.solver.relaxations.coarse_batch_state.stage import grids_of
from kvopt.solver.result import Bound
from kvopt.solver.sizes import batch_states_fit
from kvopt.solver.stage import Incumbent

__all__ = ["CoarseAggregateState", "at_best", "grids_for", "knots_for", "looks_are_close"]

REACHED = "coarse aggregate costs reached"
"""Key of the costs-to-go at which the time was over, or too short for finer ones."""


class CoarseAggregateState:
    """Lower bounds from how many run at every g-th round, and for how many looks.

    Parameters
    ----------
    functions
        The functions to use; by default the compiled ones.
    late
        Whether it comes after the grid program: where prompts differ, as it is not always better
        then, and where an earlier turn had no more time.
    """

    with_releases = False

    def __init__(self, functions: Functions | None = None, late: bool = False) -> None:
        self.functions = functions
        self.late = late
        self.name = "coarse-aggregate-state, late" if late else "coarse-aggregate-state"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether something is left to prove, there is a grid, and nothing that knows more."""
        few = len(state.instance) <= state.params.event_order.most_requests
        if state.closed or few or batch_states_fit(state) or grids_of(state):
            return False
        params = state.params.coarse_aggregate_state
        if self.late != (prompts_differ(state.instance, params) or REACHED in state.cache):
            return False
        return bool(grids_for(state.instance, state.makespan, params))

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Raise the bound grid by grid, each beginning with the duals of the one before."""
        functions = self.functions or AGGREGATE_KERNEL.compiled(stop)
        params = state.params.coarse_aggregate_state
        before: CoarseAggregateCosts | None = state.cache.pop(REACHED, None)
        widest = state.makespan if before is None else before.grid
        every = grids_for(state.instance, state.makespan, params)
        limits = params.checked_steps, params.checked_bytes
        last, hurried, took = False, False, 0.0
        proved: list[tuple[int, int]] = []
        for grid in (grid for grid in every if grid <= widest):
            if state.closed or stop.over() or last or _hopeless(state, proved):
                break
            last = grid == every[-1]
            costs = _costs_on(state, grid, params.last_knots if last else params.knots, functions)
            guess = refined(before, costs) if before else first_duals(costs)
            begin = time.perf_counter()
            hurried = params.least_evaluations * took > stop.left()
            finer = not hurried
            if finer:
                value = costs.settle(np.rint(guess * costs.scale).astype(np.int64))
                finer = value is not None and costs.can_be_checked(*limits)
            took = time.perf_counter() - begin
            if before and not finer:  # so the one before is the last
                costs, guess, last = before, before.duals / before.scale, True
            part = stop if last else stop.part(params.grid_share * stop.left())
            rise = params.least_rise if last else params.early_rise
            bundle = replace(state.params.coarse_bundle, least_rise=rise)
            own = replace(state.params.batch_state, least_rise=rise, few_costs=sys.maxsize)
            value = DualAscent(costs, own, bundle, functions.lightest).run([guess], part)
            if value is None or not costs.can_be_checked(*limits):
                break
            bound = -(-value // costs.scale)
            state.prove(Bound(bound, "coarse-aggregate-state", costs.content()))
            before = costs
            proved.append((costs.grid, bound))
        if stop.over() or hurried:
            state.cache[REACHED] = before


def _costs_on(
    state: Incumbent, grid: int, knots: int, functions: Functions
) -> CoarseAggregateCosts:
    """Return costs-to-go on a grid, with so many knots."""
    factor = state.params.coarse_aggregate_state.horizon_factor
    horizon = int(factor * state.makespan / grid) + 2
    times = knots_for(state.makespan // grid, knots)
    return CoarseAggregateCosts(state.instance, grid, horizon, times, functions)


def _hopeless(state: Incumbent, proved: list[tuple[int, int]]) -> bool:
    """Tell whether finer grids will not come to what is known, after what these have proved."""
    known = (state.certified if state.certify else state.bound).value
    if len(proved) < 2 or proved[-1][1] >= known:
        return False
    return at_best(*proved[-2:]) < known


def looks_are_close(state: Incumbent) -> bool:
    """Tell whether a grid has proved something on which looks miss little."""
    best = state.best("coarse-aggregate-state")
    if best is None or best.proof is None:
        return False
    held = state.instance.total_area / state.instance.total_output
    enough = state.params.coarse_aggregate_state.enough_lost
    return bool(best.proof["grid"] - 1 <= 2 * enough * held)


def prompts_differ(instance: Instance, params: CoarseAggregateStateParams) -> bool:
    """Tell whether much of what requests hold are prompts, beyond the shortest one."""
    return prompts_beyond(instance) > params.most_lost


def prompts_beyond(instance: Instance) -> float:
    """Return which part of the tokens held, over time, are of prompts beyond the shortest one."""
    prompts = (instance.prompts - instance.prompts.min()) * instance.outputs
    return float(prompts.sum() / instance.total_area)


def at_best(wide: tuple[int, int], fine: tuple[int, int]) -> float:
    """Return what bounds on finer and finer grids come to, if they go on rising evenly.

    Parameters
    ----------
    wide, fine
        Two grids (rounds), the wider one first, and the bounds that they have proved.
    """
    return fine[1] + (fine[1] - wide[1]) * fine[0] / (wide[0] - fine[0])


def grids_for(instance: Instance, makespan: int, params: CoarseAggregateStateParams) -> list[int]:
    """Return the grids to look at, the widest first; none if even the finest loses too much.

    Parameters
    ----------
    instance
        The instance.
    makespan
        The last round of a schedule.
    params
        How much there is room for.
    """
    held = instance.total_area / instance.total_output
    if len(instance) > params.most_requests:
        return []
    mixed = prompts_differ(instance, params)
    product = params.most_mixed_times_running if mixed else params.most_times_running
    most = min(params.most_running, product / len(instance))
    if not params.least_running * held <= instance.memory <= most * held:
        return []
    if prompts_beyond(instance) > params.most_prompts:
        return []
    grids: list[int] = []
    grid = max(1, int(instance.outputs.max()) // params.first_looks)
    while not grids or grids[-1] > 1:
        least, most_held = bounds_of(instance, grid)
        states = int((most_held - least + 1).sum()) * (makespan // grid + 1)
        variants = len(variants_of(instance, grid).looks)
        if states > params.most_states or states * variants > params.most_costs:
            break
        grids.append(grid)
        grid = (grid + 1) // 2
    return grids if grids and grids[-1] - 1 <= 2 * params.most_lost * held else []


def knots_for(last: int, number: int) -> IntArray:
    """Return about so many times from 0 to a last one, closer to each other at first."""
    return np.unique(np.rint(last * np.linspace(0, 1, number) ** 2).astype(np.int64))
