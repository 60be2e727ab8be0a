"""The stage of the hindsight integer program; PuLP and HiGHS are loaded when it runs."""

from __future__ import annotations

import math

from kvopt.model.stopping import Stopping
from kvopt.solver.sizes import program_size
from kvopt.solver.stage import Incumbent

__all__ = ["HindsightStage"]


class HindsightStage:
    """The hindsight integer program of the literature (arXiv 2502.07115), solved by HiGHS.

    That there is no cheaper schedule is the solver's word, without a certificate.
    """

    name = "milp"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether the program is small enough."""
        if state.certify and state.bound.value == state.objective:
            return False  # it has no proof to offer
        few = len(state.types) <= state.params.milp.most_types
        return few and program_seconds(state) < math.inf

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Solve the program if there is time to write it down."""
        if program_seconds(state) < stop.left():
            from kvopt.solver.milp import run_program

            run_program(state, stop)


def program_seconds(state: Incumbent) -> float:
    """Return how long it takes to write the program down, roughly; infinite if too large."""
    params = state.params.milp
    variables, entries = program_size(state.instance, state.objective)
    if state.instance.total_output > params.most_rounds or entries > params.most_entries:
        return math.inf
    return entries / params.entries_per_second + variables / params.variables_per_second
