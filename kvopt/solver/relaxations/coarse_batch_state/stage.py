"""The stage of coarse batch states: from a wide grid to as fine a one as there is room for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.params import CoarseBatchStateParams
from kvopt.solver.relaxations.batch_state.costs_to_go import DualAscent
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL, Functions
from kvopt.solver.relaxations.coarse_batch_state.costs_to_go import (
    CoarseCostsToGo,
    first_duals,
    refined,
)
from kvopt.solver.relaxations.coarse_batch_state.states import CoarseBatchStates
from kvopt.solver.result import Bound
from kvopt.solver.sizes import batch_states_fit, number_of_batch_states
from kvopt.solver.stage import Incumbent

__all__ = ["CoarseBatchState", "grids_for"]

MOST_SLOPE = 2
"""Bounds rise at most so many times as fast as between the last two grids, by experience."""


class CoarseBatchState:
    """Lower bounds from batches seen every g-th round, where those of all rounds are too many.

    Parameters
    ----------
    functions
        The functions to use; by default the compiled ones.
    """

    name = "coarse-batch-state"
    with_releases = False

    def __init__(self, functions: Functions | None = None) -> None:
        self.functions = functions

    def applies(self, state: Incumbent) -> bool:
        """Tell whether something is left to prove, and there is a grid to do it on."""
        if state.closed or batch_states_fit(state):
            return False
        params = state.params.coarse_batch_state
        return bool(grids_for(state.instance, state.makespan, params))

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Raise the bound grid by grid, each beginning with the duals of the one before."""
        functions = self.functions or BATCH_STATE_KERNEL.compiled(stop)
        params, common = state.params.coarse_batch_state, state.params.batch_state
        before = None
        outlook = Outlook(grids := grids_for(state.instance, state.makespan, params))
        for grid in grids:
            if state.closed or stop.over() or outlook.best < state.bound.value:
                return
            states = CoarseBatchStates(state.instance, grid)
            guess = first_duals(states) if before is None else refined(*before, states)
            horizon = int(common.horizon_factor * state.makespan / grid) + 2
            costs = CoarseCostsToGo(states, horizon, functions)
            value = DualAscent(costs, common, state.params.bundle).run([guess], stop)
            if value is None:
                return
            bound = -(-value // costs.scale)
            state.prove(Bound(bound, "coarse-batch-state", costs.content()))
            outlook.add(grid, bound)
            before = states, costs.duals / costs.scale


class Outlook:
    """What the finest grid is likely to prove: bounds rise about linearly as grids shrink.

    Parameters
    ----------
    grids
        All grids, the finest last.

    Attributes
    ----------
    best
        The bound that is expected (rounds); infinite before two are known.
    """

    def __init__(self, grids: Sequence[int]) -> None:
        self.finest = grids[-1]
        self.best = math.inf
        self._last: tuple[int, int] | None = None

    def add(self, grid: int, bound: int) -> None:
        """Take a bound into account."""
        if self._last is not None:
            wider, lower = self._last
            slope = max(0.0, (bound - lower) / (wider - grid))
            self.best = bound + MOST_SLOPE * slope * (grid - self.finest)
        self._last = grid, bound


def grids_for(instance: Instance, makespan: int, params: CoarseBatchStateParams) -> list[int]:
    """Return the grids to look at, the widest first.

    Parameters
    ----------
    instance
        The instance.
    makespan
        The last round of a schedule.
    params
        How much there is room for.
    """
    longest = int(instance.outputs.max())
    prompts = len(set(instance.prompts.tolist()))
    fitting = []  # (grid, costs-to-go)
    for grid in _ladder(longest):
        steps = makespan // grid + 1
        most = min(params.most_states, params.most_costs // steps)
        if prompts * -(-longest // grid) * instance.memory > params.most_counting:
            break
        if (number := number_of_batch_states(instance, most, grid)) > most:
            break
        fitting.append((grid, number * steps))
    chosen: list[int] = []
    most_costs: float = params.most_costs
    for grid, costs in reversed(fitting):
        if costs <= most_costs and (not chosen or costs >= params.first_costs):
            chosen.append(grid)
            most_costs = costs / params.growth
    return chosen[::-1]


def _ladder(longest: int) -> Iterator[int]:
    """Yield grids, from a third of the longest output down."""
    grid = longest // 3
    while grid > 1:
        yield grid
        grid = min(grid - 1, int(grid * 0.95))
