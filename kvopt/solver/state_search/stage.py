"""The stage of the solver that searches over states in compiled code.

The states are those of `kvopt.solver.state_search.reference`: how many requests of each type still
wait, and the memory that the running ones will use in each coming round.  What differs is that
free memory nobody can use is taken away, the lower bounds, the order in which states come up, and
that everything is a number in an array.  The proofs are in proofs/text/state_search.md.
"""

from __future__ import annotations

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.params import SolverParams, StateSearchParams
from kvopt.solver.result import Bound, Result
from kvopt.solver.sizes import batch_states_fit, has_few_long_runs
from kvopt.solver.stage import Incumbent, run_alone
from kvopt.solver.state_search.best_first import FULL, MORE, make_frontier
from kvopt.solver.state_search.duals import Ascent, Duals, make_duals
from kvopt.solver.state_search.kernel import STATE_SEARCH, Functions
from kvopt.solver.state_search.packed_states import make_workspace
from kvopt.solver.state_search.pool import bytes_per_state, enlarged, make_pool
from kvopt.solver.state_search.problem import accepts

__all__ = ["StateSearch", "solve_by_state_search"]


class StateSearch:
    """The stage that searches over states in compiled code.

    Parameters
    ----------
    functions
        The functions to use; by default the compiled ones.
    """

    name = "state-search"

    def __init__(self, functions: Functions | None = None) -> None:
        self.functions = functions

    def applies(self, state: Incumbent) -> bool:
        """Tell whether it is the best there is for an instance of this size."""
        params, instance = state.params.state_search, state.instance
        if len(instance) > params.most_requests or not accepts(instance):
            return False
        if state.bound.value == state.objective:
            return False
        small = len(instance) <= params.few_requests and instance.memory <= params.small_memory
        if not small and batch_states_fit(state):
            return False
        long = int(instance.outputs.max()) >= params.long_output
        return not (long and has_few_long_runs(state))

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer the best schedule found, and prove the bound that was reached.

        Raises
        ------
        InputError
            If the instance is not accepted (see `accepts`).
        """
        instance = state.instance
        if not accepts(instance):
            raise InputError(f"{instance!r}: is beyond the limits of the compiled search")
        if stop.over():
            return
        functions = self.functions or STATE_SEARCH.compiled(stop)
        search = Search(instance, state.starts, state.params.state_search, functions)
        search.run(stop)
        state.offer(search.starts)
        state.prove(Bound(instance.total_output + search.lower_bound, "state-search"))


def solve_by_state_search(
    instance: Instance,
    known: IntArray,
    stop: Stopping,
    params: StateSearchParams | None = None,
    functions: Functions | None = None,
) -> Result:
    """Solve a small instance by the compiled search over states alone.

    Parameters
    ----------
    instance
        The instance; practical up to about 16 requests and a memory of a few dozen tokens,
        more if many are identical or few run at once.
    known
        Starts of some feasible schedule (rounds), shape (n,).
    stop
        How long it may take; it is looked at about ten times a second.
    params
        The tuning numbers; by default the usual ones.
    functions
        As for `StateSearch`.

    Raises
    ------
    InputError
        If the instance is not accepted (see `accepts`).
    SolverError
        If `known` is not feasible.
    """
    whole = SolverParams(state_search=params or StateSearchParams())
    return run_alone(StateSearch(functions), instance, known, stop, whole)


class Search:
    """The search on one instance: the best schedule and the best bound so far.

    Parameters
    ----------
    instance
        The instance; one that is accepted.
    known
        Starts of some feasible schedule (rounds), shape (n,).
    params
        The tuning numbers.
    functions
        The functions to use.
    state_bytes
        Memory for states (bytes); by default what `params` says.

    Attributes
    ----------
    starts
        Starts of the best schedule known (rounds), shape (n,).
    cutoff
        Their sum.
    lower_bound
        Proved lower bound on the sum of starts (rounds).
    """

    def __init__(
        self,
        instance: Instance,
        known: IntArray,
        params: StateSearchParams,
        functions: Functions,
        state_bytes: int | None = None,
    ) -> None:
        self.params = params
        self.functions = functions
        self.starts = known
        self.cutoff = int(known.sum())
        self.lower_bound = 0
        self.types = instance.request_types()
        self.outputs = instance.outputs
        self.problem = functions.make_problem(
            instance.memory, instance.prompts.copy(), instance.outputs.copy()
        )
        words = len(self.problem.tops)
        self.state_bytes = params.state_bytes if state_bytes is None else state_bytes
        rows = min(params.pool_bytes, self.state_bytes) // bytes_per_state(words)
        self.pool = make_pool(max(1, params.beam_width, params.wide_beam_width, rows), words)
        self.work = make_workspace(self.problem)
        rounds = int(instance.outputs.max()) + 20
        self.children = max(100, params.rounds_between_looks // rounds)

    def run(self, stop: Stopping) -> None:
        """Go on until the bracket has closed, a limit is reached or the memory is full."""
        params = self.params
        types = len(self.types)
        no_duals = make_duals(types, 0)
        self._beam(no_duals, params.beam_width, params.first_children)
        self._best_first(no_duals, stop, params.first_children)
        if self.lower_bound == self.cutoff or stop.over():
            return
        rounds = int((self.starts + self.outputs).max())
        duals = make_duals(types, rounds)
        steps = min(params.dual_steps, params.dual_work // (types * rounds))
        length, share = min(256, params.dual_step_length), min(16, params.dual_share)
        ascent = Ascent(steps, length, params.dual_patience, share)
        self.functions.find_duals(self.problem, duals, self.cutoff, ascent)
        self._beam(duals, params.wide_beam_width, 2 * self.children)
        self._best_first(duals, stop, None)

    def _beam(self, duals: Duals, width: int, children: int) -> None:
        starts = np.zeros(len(self.starts), dtype=np.int64)
        beam = self.functions.beam
        bound, cutoff = beam(self.problem, duals, self.pool, max(1, width), children, starts)
        self.lower_bound = max(self.lower_bound, min(int(bound), self.cutoff))
        self._take(int(cutoff), starts)

    def _take(self, cutoff: int, starts: IntArray) -> None:
        """Keep a schedule if it is cheaper; its starts are by type."""
        if cutoff < self.cutoff:
            self.cutoff = cutoff
            times = np.split(starts, np.cumsum(self.types.counts)[:-1])
            self.starts = self.types.to_instance_order([own.tolist() for own in times])

    def _best_first(self, duals: Duals, stop: Stopping, children: int | None) -> None:
        """Search best first; without a number of children, until something else ends it."""
        if self.lower_bound >= self.cutoff:
            return
        problem, functions = self.problem, self.functions
        functions.start_pool(self.pool, problem)
        frontier = make_frontier(self.pool, self.lower_bound, self.cutoff)
        row = bytes_per_state(len(problem.tops))
        while not stop.over():
            before = int(frontier.states[0])
            code = functions.best_first(
                problem,
                duals,
                self.pool,
                frontier,
                self.work,
                self.children if children is None else children,
            )
            stop.count(int(frontier.states[0]) - before)
            if code == FULL and 3 * len(self.pool.key) * row <= self.state_bytes:
                self.pool = enlarged(self.pool)
            elif code != MORE or children is not None:
                break
        self.lower_bound = int(min(frontier.bound[0], frontier.cutoff[0]))
        if frontier.last[0] >= 0:
            starts = np.zeros(len(self.starts), dtype=np.int64)
            functions.trace_back(self.pool, problem, int(frontier.last[0]), starts)
            self._take(int(frontier.cutoff[0]), starts)
