"""The stage of the hindsight integer program; PuLP and HiGHS are loaded when it runs."""

from __future__ import annotations

import math

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.result import Result
from kvopt.solver.sizes import program_size
from kvopt.solver.stage import Incumbent, run_alone

__all__ = ["HindsightStage", "solve_by_program"]


class HindsightStage:
    """The hindsight integer program of the literature (arXiv 2502.07115), solved by HiGHS.

    That there is no cheaper schedule is the solver's word, without a certificate.
    """

    name = "milp"
    with_releases = True

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
    rounds = state.instance.total_output + int(state.instance.releases.max())
    if rounds > params.most_rounds or entries > params.most_entries:
        return math.inf
    return entries / params.entries_per_second + variables / params.variables_per_second


def solve_by_program(instance: Instance, known: IntArray, stop: Stopping) -> Result:
    """Solve an instance by the hindsight program with HiGHS alone.

    Parameters
    ----------
    instance
        The instance.
    known
        Starts of some feasible schedule (rounds), shape (n,); the solver starts
        from it, and its cost gives the horizon.
    stop
        How long it may take.

    Returns
    -------
    Result
        Optimal, or the bracket reached in time.  Schedule and cost are recomputed in
        integers; that there is no cheaper schedule is the solver's word.

    Raises
    ------
    SolverError
        If the solver fails, or what it returns is not a feasible schedule.
    """
    return run_alone(HindsightStage(), instance, known, stop)
