"""The hindsight integer program of the literature, in PuLP, solved by HiGHS.

    minimise    sum over i, t of (t + o_i) x[i,t]
    subject to  sum over t of x[i,t] = 1                                   for every i
                sum over i and t < r <= t + o_i of (s_i + r - t) x[i,t] <= M   for every round r
                x[i,t] in {0, 1}

(Jaillet et al. 2025, arXiv 2502.07115.)  With a release time a_i there are x[i,t] for t >= a_i
only, and the objective is less the sum of the a_i.  Identical requests are interchangeable, so
here i stands for a type of requests and x[i,t] counts how many of its n_i
requests start at t; with n_i = 1 this is the program above, line by line.
"""

from __future__ import annotations

import logging
import math

import highspy
import numpy as np
import pulp

from kvopt.model.errors import SolverError
from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.solver.highs import hear_greeting_out
from kvopt.solver.result import Bound
from kvopt.solver.stage import Incumbent, recomputed
from kvopt.solver.window_covers import COVER_LEVELS, cover_windows

__all__ = ["HindsightProgram", "latest_starts", "run_program"]

logger = logging.getLogger("kvopt.milp")


def latest_starts(instance: Instance, upper_bound: int) -> list[int]:
    """Return for each type the latest start in any schedule worth finding (rounds).

    An optimal schedule without idle rounds after the last release exists, so its makespan is at
    most that plus the sum of the outputs; and if a schedule costs at most `upper_bound`, then the
    latency of a request is at most `upper_bound` minus a lower bound on the cost of
    the others.  Derived: proofs/text/model.md, lemma 2, and release_times.md, lemma 2.

    Parameters
    ----------
    instance
        The instance; types in the order of `RequestTypes`.
    upper_bound
        Cost of some feasible schedule (rounds).
    """
    types = instance.request_types()
    latest = []
    for k, output in enumerate(types.outputs.tolist()):
        others = types.counts.copy()
        others[k] -= 1
        columns = [types.prompts, types.outputs, others, types.releases]
        groups = np.column_stack(columns)[others > 0].tolist()
        least = 0
        if groups:
            least = best_lower_bound(Instance.from_groups(instance.memory, groups)).value
        last = int(types.releases.max()) + instance.total_output
        completion = min(upper_bound - least + int(types.releases[k]), last)
        latest.append(completion - output)
    return latest


class HindsightProgram:
    """The program for one instance; one method for each family of constraints.

    Parameters
    ----------
    instance
        The instance.
    upper_bound
        Cost of some feasible schedule (rounds); gives a safe horizon.
    """

    def __init__(self, instance: Instance, upper_bound: int) -> None:
        self.types = instance.request_types()
        self.instance = instance
        self.requests = self.types.requests
        self.counts = self.types.counts.tolist()
        self.releases = self.types.releases.tolist()
        self.latest = latest_starts(instance, upper_bound)
        self.rounds = max(
            last + r.output for last, r in zip(self.latest, self.requests, strict=True)
        )
        self.problem = pulp.LpProblem("hindsight", pulp.LpMinimize)
        self.x = [
            {
                t: self.problem.add_variable(f"x_{k}_{t}", 0, self.counts[k], pulp.LpInteger)
                for t in range(self.releases[k], last + 1)
            }
            for k, last in enumerate(self.latest)
        ]
        self.minimise_total_completion_time()
        self.every_request_starts_once()
        self.memory_suffices_in_every_round()
        for level in COVER_LEVELS:
            self.window_covers_hold(level)

    def minimise_total_completion_time(self) -> None:
        """Minimise the sum over i, t of (t + o_i) x[i,t], the releases left out."""
        self.problem.setObjective(
            pulp.LpAffineExpression(
                (x, t + r.output)
                for r, row in zip(self.requests, self.x, strict=True)
                for t, x in row.items()
            )
        )

    def every_request_starts_once(self) -> None:
        """Require sum over t of x[i,t] = n_i for every type i."""
        for k, (row, count) in enumerate(zip(self.x, self.counts, strict=True)):
            self.problem += pulp.lpSum(row.values()) == count, f"starts_{k}"

    def starts_within(self, k: int, first: int, last: int) -> range:
        """Return the starts t of type k for which there is x[k,t], from a first to a last one."""
        return range(max(self.releases[k], first), min(last, self.latest[k]) + 1)

    def memory_suffices_in_every_round(self) -> None:
        """Require sum over t < r <= t + o_i of (s_i + r - t) x[i,t] <= M for every round r."""
        for r in range(1, self.rounds + 1):
            terms = [
                (self.x[k][t], request.prompt + r - t)
                for k, request in enumerate(self.requests)
                for t in self.starts_within(k, r - request.output, r - 1)
            ]
            if terms:
                memory = pulp.LpAffineExpression(terms)
                self.problem += memory <= self.instance.memory, f"memory_{r}"

    def window_covers_hold(self, level: int) -> None:
        """Add sum over i and t in (u - d_i, u] of x[i,t] <= m for every time u.

        Every feasible schedule satisfies it (see `cover_windows`); the linear
        relaxation does not.
        """
        windows = cover_windows(self.instance, level)
        for u in range(max(self.latest) + 1):
            terms = [
                self.x[k][t]
                for k, window in enumerate(windows)
                for t in self.starts_within(k, u - window + 1, u)
            ]
            if len(terms) > level:
                self.problem += pulp.lpSum(terms) <= level, f"cover_{level}_{u}"

    def entries(self) -> int:
        """Return the number of nonzero coefficients of the constraints."""
        return sum(len(constraint) for constraint in self.problem.constraints())

    def set_start(self, starts: IntArray) -> None:
        """Enter a schedule (start times in instance order) as the values of the variables."""
        for row, times in zip(self.x, self.types.to_types(starts), strict=True):
            for t, variable in row.items():
                variable.setInitialValue(times.count(t))

    def starts(self) -> IntArray:
        """Return the start times in instance order that the values of the variables say."""
        times = [
            [t for t, x in row.items() for _ in range(round(x.value() or 0))] for row in self.x
        ]
        try:
            return self.types.to_instance_order(times)
        except ValueError as error:
            raise SolverError(f"{self.instance!r}: HiGHS returns no schedule: {error}") from None


class _Highs(pulp.HiGHS):  # type: ignore[misc]  # PuLP defines the class conditionally
    """PuLP's HiGHS, exact, started from the variables' initial values, open to interrupts."""

    def __init__(self, stop: Stopping, presolve: bool, warm: bool) -> None:
        hear_greeting_out()
        super().__init__(
            msg=False,
            gapRel=0.0,
            gapAbs=0.0,
            timeLimit=stop.left(),
            threads=1,
            random_seed=0,
            presolve="on" if presolve else "off",
        )
        self.stop = stop
        self.warm = warm

    def callSolver(self, lp: pulp.LpProblem) -> None:  # noqa: N802  # PuLP's name
        highs = lp.solverModel
        if self.warm:
            solution = highspy.HighsSolution()
            solution.col_value = [v.value() or 0 for v in lp.variables()]
            highs.setSolution(solution)
        if math.isfinite(self.stop.nodes_left()):
            highs.setOptionValue("mip_max_nodes", int(self.stop.nodes_left()))
        highs.HandleUserInterrupt = True
        highs.startSolve()
        while not highs.wait(0.05)[0]:
            if self.stop.over():
                highs.cancelSolve()

    def findSolutionValues(self, lp: pulp.LpProblem) -> tuple[int, int]:  # noqa: N802
        try:
            status: tuple[int, int] = super().findSolutionValues(lp)
        except KeyError:  # PuLP has no word for a limit of nodes; the values are there
            if lp.solverModel.getModelStatus() != highspy.HighsModelStatus.kSolutionLimit:
                raise
            return pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound
        return status


def run_program(state: Incumbent, stop: Stopping) -> None:
    """Solve the hindsight program of an instance with HiGHS, from the best schedule known."""
    instance, known = state.instance, state.starts
    program = HindsightProgram(instance, state.objective)
    program.set_start(known)
    params = state.params.milp
    presolve = (
        program.entries() <= params.presolved_entries and program.rounds <= params.presolved_rounds
    )
    bound = 0
    constant = instance.total_output - instance.total_release
    for warm in (True, False):
        program.problem.solve(_Highs(stop, presolve, warm))
        highs = program.problem.solverModel
        status = highs.getModelStatus()
        if not _bound_holds(status):
            raise SolverError(f"{instance!r}: HiGHS ends with {highs.modelStatusToString(status)}")
        info = highs.getInfo()
        stop.count(max(0, int(info.mip_node_count)))
        bound = max(bound, _integer_bound(info.mip_dual_bound) - instance.total_release)
        if info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible):
            found = _feasible(instance, program.starts())
            known = known if found is None else min(known, found, key=np.sum)
        # HiGHS 1.16 can end "optimal" with its start in hand, where presolve had turned
        # the start into something better: then it must do without a start.
        if known.sum() + constant == bound or status != highspy.HighsModelStatus.kOptimal:
            break
    state.offer(known)
    state.prove(Bound(bound, "milp"))


def _feasible(instance: Instance, starts: IntArray) -> IntArray | None:
    """Return the starts that HiGHS gives, or None if they are no schedule in integers.

    What it calls feasible may exceed the memory by a millionth of it, which from a million tokens
    on is a token.  Its bound is that of a program with more room, and holds.
    """
    try:
        recomputed(instance, starts)
    except SolverError as error:
        logger.info("the schedule of HiGHS is left out: %s", error)
        return None
    return starts


def _bound_holds(status: highspy.HighsModelStatus) -> bool:
    """Tell whether the dual bound of a run that ends like this is a lower bound.

    PuLP's own status says "Optimal" after a timeout, so it is not asked.
    """
    ends = highspy.HighsModelStatus
    limits = (ends.kTimeLimit, ends.kSolutionLimit, ends.kInterrupt)  # the second is of nodes
    return status == ends.kOptimal or status in limits


def _integer_bound(dual_bound: float) -> int:
    """Round a solver's bound on an integer objective up, with room for its tolerances."""
    if not math.isfinite(dual_bound):
        return 0
    return max(0, math.ceil(dual_bound - 1e-6 * max(1.0, abs(dual_bound))))
