"""The stage of the aggregate-state relaxation."""

from __future__ import annotations

from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping
from kvopt.solver.params import AggregateStateParams
from kvopt.solver.relaxations.aggregate_state.ascent import ascend
from kvopt.solver.relaxations.aggregate_state.kernel import AGGREGATE_STATE_KERNEL, Functions
from kvopt.solver.relaxations.aggregate_state.relaxation import AggregateDuals, AggregateRelaxation
from kvopt.solver.result import Bound
from kvopt.solver.stage import Incumbent

__all__ = ["AggregateState", "aggregate_states_have_room"]


class AggregateState:
    """The aggregate-state relaxation, from the linear duals on if some are proved.

    Parameters
    ----------
    functions
        The functions to use; by default the compiled ones.
    """

    name = "aggregate-state"

    def __init__(self, functions: Functions | None = None) -> None:
        self.functions = functions

    def applies(self, state: Incumbent) -> bool:
        """Tell whether its states fit, and no finer relaxation has had its say."""
        if any(map(state.proved, ("batch-state", "demand-duals", "blocks", "propagation"))):
            return False
        params = state.params.aggregate_state
        return aggregate_states_have_room(state.instance, state.makespan, params)

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove a bound at each temperature."""
        functions = self.functions or AGGREGATE_STATE_KERNEL.compiled(stop)
        if stop.over():
            return

        def prove(duals: AggregateDuals) -> None:
            content = duals.content(state.types)
            state.prove(Bound(duals.bound, "aggregate-state", content))

        relaxation = AggregateRelaxation(state.instance, state.makespan, functions)
        linear = state.best("linear-duals")
        ascend(
            relaxation,
            state.objective,
            stop,
            state.params.aggregate_state,
            linear.proof if linear is not None else None,
            prove,
        )


def aggregate_states_have_room(
    instance: Instance, horizon: int, params: AggregateStateParams | None = None
) -> bool:
    """Tell whether the relaxation of an instance is of a size that can be handled.

    Parameters
    ----------
    instance
        The instance.
    horizon
        Last round with duals.
    params
        How much can be handled; by default the usual numbers.
    """
    params = params or AggregateStateParams()
    unit = int(instance.prompts.min()) + 1
    running = min(len(instance), instance.memory // unit)
    states = (horizon + 1) * (running + 1) * (instance.memory + 1)
    steps = states * (len(instance.types()) + len(set(instance.prompts.tolist())))
    return states <= params.most_states and steps <= params.most_steps
