"""The stage of coarse batch states: from a wide grid to as fine a one as there is room for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.params import CoarseBatchStateParams
from kvopt.solver.relaxations.batch_state.costs_to_go import DualAscent
from kvopt.solver.relaxations.coarse_batch_state.costs_to_go import (
    CoarseCostsToGo,
    first_duals,
    refined,
)
from kvopt.solver.relaxations.coarse_batch_state.kernel import COARSE_KERNEL, Functions
from kvopt.solver.relaxations.coarse_batch_state.states import CoarseBatchStates
from kvopt.solver.result import Bound
from kvopt.solver.sizes import batch_states_fit, number_of_batch_states
from kvopt.solver.stage import Incumbent

__all__ = ["CoarseBatchState", "grids_for", "grids_of", "grids_to_certify"]


class CoarseBatchState:
    """Lower bounds from batches seen every g-th round, where those of all rounds are too many.

    Parameters
    ----------
    functions
        The functions to use; by default the compiled ones.
    late
        Whether it is run where event order comes first, for few requests; otherwise where it does
        not.
    """

    with_releases = False

    def __init__(self, functions: Functions | None = None, late: bool = False) -> None:
        self.functions = functions
        self.late = late
        self.name = "coarse-batch-state, late" if late else "coarse-batch-state"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether something is left to prove, and there is a grid to do it on."""
        few = len(state.instance) <= state.params.event_order.most_requests
        if state.closed or self.late != few or batch_states_fit(state):
            return False
        return bool(grids_of(state))

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Raise the bound grid by grid, each beginning with the duals of the one before."""
        functions = self.functions or COARSE_KERNEL.compiled(stop)
        params, common = state.params.coarse_batch_state, state.params.batch_state
        before, grids = None, grids_of(state)
        for number, grid in enumerate(grids):
            if state.closed or stop.over():
                return
            costs = self._begun(state, grid, before, functions, stop)
            if costs is None:
                return
            rise = params.least_rise if number == len(grids) - 1 else params.early_rise
            bundle = replace(state.params.coarse_bundle, least_rise=rise)
            own = replace(common, least_rise=rise, few_costs=params.few_costs, misled_looks=0)
            ascent = DualAscent(costs, own, bundle)
            value = ascent.run([costs.duals / costs.scale], stop)
            if value is None or not costs.can_be_checked(
                params.checked_steps, params.checked_bytes
            ):
                return
            bound = -(-value // costs.scale)
            state.prove(Bound(bound, "coarse-batch-state", costs.content()))
            before = costs.states, costs.duals / costs.scale

    @staticmethod
    def _begun(
        state: Incumbent,
        grid: int,
        before: tuple[CoarseBatchStates, FloatArray] | None,
        functions: Functions,
        stop: Stopping,
    ) -> CoarseCostsToGo | None:
        """Return costs-to-go on a grid, or on a wider one that the checker takes.

        They are those of the first duals, or of those from before; None if one of them does not
        fit into 32 bits, or none but the grid from before is wide enough, or `stop` is over.
        """
        params, common = state.params.coarse_batch_state, state.params.batch_state
        widest = int(state.instance.outputs.max()) if before is None else before[0].grid - 1
        for wider in range(grid, widest + 1):
            if stop.over():
                break
            states = CoarseBatchStates(state.instance, wider)
            horizon = int(common.horizon_factor * state.makespan / wider) + 2
            guess = first_duals(states) if before is None else refined(*before, states)
            costs = CoarseCostsToGo(states, horizon, functions)
            if costs.settle(np.rint(guess * costs.scale).astype(np.int64)) is None:
                return None
            if costs.can_be_checked(params.most_steps, params.most_bytes):
                return costs
        return None


def grids_of(state: Incumbent) -> list[int]:
    """Return the grids to look at; those `to_certify` if the bound of demand duals is unchecked."""
    by_duals = state.bound.rule in ("demand-duals", "blocks")
    return _grids_once(state, state.certify and by_duals and state.bound.proof is None)


def grids_to_certify(state: Incumbent) -> list[int]:
    """Return the grids to look at where something is to be proved that the checker takes."""
    return _grids_once(state, True)


def _grids_once(state: Incumbent, to_certify: bool) -> list[int]:
    """Return the grids to look at; they are found once for a makespan."""
    key = f"grids of coarse batch states up to {state.makespan}, {to_certify=}"
    if key not in state.cache:
        params = state.params.coarse_batch_state
        if to_certify:
            params = replace(params, most_lost=params.most_lost_to_certify)
        state.cache[key] = grids_for(state.instance, state.makespan, params)
    grids: list[int] = state.cache[key]
    return grids


def grids_for(instance: Instance, makespan: int, params: CoarseBatchStateParams) -> list[int]:
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
    longest, held = int(instance.outputs.max()), instance.total_area / instance.total_output
    prompts, types = len(set(instance.prompts.tolist())), len(instance.request_types())
    fitting = []  # (grid, costs-to-go)
    for grid in _ladder(longest):
        steps = makespan // grid + 1
        most = min(params.most_states, params.most_costs // (steps * types))
        if prompts * -(-longest // grid) * instance.memory > params.most_counting:
            break
        if (number := number_of_batch_states(instance, most, grid)) > most:
            break
        fitting.append((grid, number * steps))
    if not fitting or fitting[-1][0] > 2 * params.most_lost * held:
        return []
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
