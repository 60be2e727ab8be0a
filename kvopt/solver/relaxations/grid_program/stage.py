"""The stage of the program on a grid of times: first few knots, then more, then more rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kvopt.model.stopping import Stopping
from kvopt.solver.relaxations.coarse_aggregate_state.stage import (
    CoarseAggregateState,
    looks_are_close,
)
from kvopt.solver.relaxations.grid_program.kernel import GRID_KERNEL
from kvopt.solver.stage import Bound, Incumbent

__all__ = ["GridRelaxation"]


class GridRelaxation:
    """Lower bounds from linear programs whose rows are few, for every size."""

    name = "grid-program"
    with_releases = True

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there is anything left to prove, by something so coarse."""
        finer = state.instance.has_releases and state.proved("batch-state") > 0
        finer = finer or looks_are_close(state)
        return not state.closed and not finer

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove bounds by rows at exact times, then by smoothed rows at more and more knots.

        Knapsack rows join at each number of knots; what was of use at fewer is taken over.  It ends
        where another relaxation has proved more than they can still add.
        """
        from kvopt.solver.relaxations.grid_program.cutting_planes import raised, tightened
        from kvopt.solver.relaxations.grid_program.piecewise import piecewise_bound
        from kvopt.solver.relaxations.grid_program.program import GridProgram, places

        params, instance = state.params.grid_program, state.instance
        if state.jobs > 1 and CoarseAggregateState(late=True).applies(state):
            stop = stop.part(params.before_states_share * stop.left())
        horizon = min(state.makespan, int(instance.releases.max()) + instance.total_output)
        if not instance.has_releases:
            exact = piecewise_bound(instance, horizon, params, stop)
            if exact is not None:
                state.prove(Bound(exact.value, "linear-duals", exact.proof))
        if places(instance, horizon) > params.most_places:
            return
        functions = GRID_KERNEL.compiled(stop)
        knots = min(max(params.first_knots, len(instance) // 2), params.most_knots)
        coarser: GridProgram | None = None
        while knots <= params.most_knots and not state.closed and not stop.over():
            program = GridProgram(instance, horizon, knots, functions, params)
            if coarser is not None:
                program.inherit(coarser)
            self._prove(state, raised(program, stop))
            self._prove(state, tightened(program, stop))
            known = state.certified if state.certify else state.bound
            behind = program.bound * (1 + params.most_behind) < known.value
            if behind or program.grid.widest == 1:
                return
            knots, coarser = 2 * knots, program

    def _prove(self, state: Incumbent, found: Iterable[tuple[int, dict[str, Any] | None]]) -> None:
        """Prove bounds, each with the object "proof" of a certificate if there is one."""
        for value, proof in found:
            rule = "linear-duals" if proof is not None else self.name
            state.prove(Bound(value, rule, proof))
