"""The plan of the solver: which stages there are, in which order, and how they share the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import NamedTuple

from numpy.typing import ArrayLike

from kvopt.model.errors import InputError, require
from kvopt.model.instance import Instance
from kvopt.model.stopping import Stopping, checked_limit, checked_stop
from kvopt.solver.branch_and_bound.stage import BranchAndBound
from kvopt.solver.combinatorial_bounds import CombinatorialBounds
from kvopt.solver.event_order.stage import EventOrder
from kvopt.solver.hindsight_stage import HindsightStage
from kvopt.solver.params import SolverParams
from kvopt.solver.primal.annealing import Annealing, searching_beside
from kvopt.solver.primal.list_schedules import ListSchedules
from kvopt.solver.relaxations.aggregate_state.stage import AggregateState
from kvopt.solver.relaxations.batch_state.stage import BatchState
from kvopt.solver.relaxations.coarse_aggregate_state.stage import CoarseAggregateState
from kvopt.solver.relaxations.coarse_batch_state.stage import CoarseBatchState
from kvopt.solver.relaxations.demand_dual_stage import DemandDuals
from kvopt.solver.relaxations.grid_program.stage import GridRelaxation
from kvopt.solver.relaxations.time_indexed import TimeIndexed
from kvopt.solver.releases.beam import ReleaseBeam
from kvopt.solver.releases.list_schedules import ReleaseLists
from kvopt.solver.releases.search import ReleaseSearch
from kvopt.solver.result import Result
from kvopt.solver.stage import Incumbent, Stage
from kvopt.solver.state_search.reference import ReferenceSearch
from kvopt.solver.state_search.stage import StateSearch

__all__ = ["PLAN", "RELEASE_PLAN", "Step", "plan_for", "solve"]


class Step(NamedTuple):
    """A stage, and which part of the time left it gets where others follow."""

    stage: Stage
    share: Callable[[SolverParams], float] = lambda params: 1.0
    always: bool = False
    """Whether it runs even if the time is over."""
    beside: Callable[[SolverParams], float] | None = None
    """In place of `share` with several jobs, where schedules are looked for beside."""


def _annealed_beside(params: SolverParams) -> float:
    return params.annealing.beside_share


def _grid_beside(params: SolverParams) -> float:
    return params.grid_program.beside_share


PLAN: tuple[Step, ...] = (
    Step(CombinatorialBounds(), always=True),
    Step(ListSchedules(), lambda params: params.list_schedules.share, always=True),
    Step(DemandDuals(many=True), lambda params: params.demand_duals.share),
    Step(EventOrder(brief=True), lambda params: params.event_order.share),
    Step(ReferenceSearch(), lambda params: params.state_search.share),
    Step(StateSearch(), lambda params: params.state_search.share),
    Step(Annealing(brief=True), lambda params: params.annealing.brief_share),
    Step(BatchState(), lambda params: params.batch_state.share),
    Step(Annealing(), lambda params: params.annealing.share, beside=_annealed_beside),
    Step(EventOrder(), lambda params: params.event_order.full_share),
    Step(DemandDuals(many=False), lambda params: params.demand_duals.share),
    Step(CoarseBatchState(), lambda params: params.coarse_batch_state.share),
    Step(CoarseAggregateState(), lambda params: params.coarse_aggregate_state.share),
    Step(GridRelaxation(), lambda params: params.grid_program.share, beside=_grid_beside),
    Step(
        CoarseAggregateState(late=True),
        lambda params: params.coarse_aggregate_state.late_share,
        beside=lambda params: 1.0,
    ),
    Step(EventOrder(late=True), lambda params: params.event_order.share),
    Step(CoarseBatchState(late=True), lambda params: params.coarse_batch_state.late_share),
    Step(BranchAndBound(), lambda params: params.branch_and_bound.share),
    Step(TimeIndexed(), lambda params: params.time_indexed.share),
    Step(AggregateState(), lambda params: params.aggregate_state.share),
    Step(HindsightStage(), lambda params: params.milp.share),
    Step(Annealing(turn=1)),
)
"""The stages, first to last, where all requests are released at time 0."""

RELEASE_PLAN: tuple[Step, ...] = (
    Step(CombinatorialBounds(), always=True),
    Step(ReleaseLists(), lambda params: params.list_schedules.share, always=True),
    Step(EventOrder(brief=True), lambda params: params.event_order.share),
    Step(ReleaseSearch(), lambda params: params.state_search.share),
    Step(Annealing(brief=True), lambda params: params.annealing.brief_share),
    Step(ReleaseBeam(), lambda params: params.release_beam.share),
    Step(BatchState(), lambda params: params.batch_state.released_share),
    Step(Annealing(), lambda params: params.annealing.released_share, beside=_annealed_beside),
    Step(EventOrder(), lambda params: params.event_order.full_share),
    Step(GridRelaxation(), lambda params: params.grid_program.share, beside=_grid_beside),
    Step(EventOrder(late=True), lambda params: params.event_order.share),
    Step(HindsightStage(), lambda params: params.milp.share),
    Step(Annealing(turn=1)),
)
"""The stages where some request is released later; docs/dev/algorithm.md says why the others do
not hold then."""


def plan_for(instance: Instance) -> tuple[Step, ...]:
    """Return the plan for an instance."""
    return RELEASE_PLAN if instance.has_releases else PLAN


def solve(
    instance: Instance,
    time_limit: float = 60.0,
    *,
    stop: Stopping | None = None,
    known: Iterable[ArrayLike] = (),
    params: SolverParams | None = None,
    report: Callable[[Result], None] = lambda result: None,
    plan: Sequence[Step] | None = None,
    certify: bool = False,
    jobs: int = 1,
) -> Result:
    """Bracket the optimal total latency, as tightly as time allows.

    That is the total completion time if all requests are released at time 0.

    Parameters
    ----------
    instance
        The instance.
    time_limit
        How long it may take (seconds).  What is compiled at first use is not charged, and HiGHS
        may overrun it by a few seconds.
    stop
        Further limits: of time, of nodes, an end from outside.
    known
        Start times of feasible schedules known before (rounds), shape (n,) each.
    params
        The tuning numbers of the stages.
    report
        Called with the bracket whenever it has become narrower.
    plan
        The stages to run; by default those of `plan_for`.
    certify
        Whether to go on until a certificate can prove the lower end of the bracket.
    jobs
        How many threads there are where annealing applies: one for the stages, all others for a
        search for schedules each, which goes on beside them.  With more than one the schedule
        depends on the clock.

    Returns
    -------
    Result
        The bracket.  Its schedule and objective are recomputed in integers.

    Raises
    ------
    TypeError
        If the instance is no Instance, the limit no number, or another argument something else.
    InputError
        If the limit is negative or not a number, or there is no job.
    SolverError
        If something that was known, or that a stage finds, is not feasible.
    """
    require(instance, Instance, "instance")
    params = SolverParams.usual() if params is None else params
    require(params, SolverParams, "params")
    if jobs < 1:
        raise InputError(f"jobs: must be at least 1, got {jobs}")
    limited = checked_stop(stop).part(checked_limit(time_limit, "time_limit"))
    plan = plan_for(instance) if plan is None else plan
    state = Incumbent(instance, params, certify, report, jobs)
    for starts in known:
        state.offer(starts)
    for number, (stage, share, always, beside) in enumerate(plan):
        if (state.closed or limited.over()) and not always:
            continue
        if stage.applies(state):
            part = (beside if beside and jobs > 1 else share)(state.params)
            if part < 1 and not any(later.stage.applies(state) for later in plan[number + 1 :]):
                part = 1
            own = limited.part(part * limited.left())
            with nullcontext() if isinstance(stage, Annealing) else searching_beside(state, own):
                state.run(stage, own)
    return replace(state.result(), termination=_termination(state, limited))


def _termination(state: Incumbent, stop: Stopping) -> str:
    """Return why the solver has ended: see `Result.termination`."""
    if state.closed:
        return "closed"
    if stop.interrupted:
        return "interrupted"
    if stop.nodes_left() <= 0:
        return "node limit"
    return "time limit" if stop.over() else "no stage left"
