"""The stages for instances with release times, and that all others refuse these."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_instances import optimum_of, random_instance, random_released_instance
from strategies import instances

from kvopt import Instance, Stopping, best_lower_bound, policy_from_spec, simulate, solve
from kvopt.certificates.checker import refusal
from kvopt.certificates.solve import CERTIFYING_PLAN, CERTIFYING_RELEASE_PLAN
from kvopt.certificates.write import certificate, certificate_text
from kvopt.comparison.ratio import Verdict, compare
from kvopt.model.errors import SolverError
from kvopt.report.tables import solve_object
from kvopt.solver.combinatorial_bounds import area_bound, busy_time_bound, slot_bound
from kvopt.solver.params import SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule, list_schedules
from kvopt.solver.relaxations.demand_dual_stage import demand_dual_bound
from kvopt.solver.relaxations.grid_program.stage import GridRelaxation
from kvopt.solver.relaxations.time_indexed import root_duals
from kvopt.solver.releases.busy_time import released_busy_time_bound, released_slot_bound
from kvopt.solver.releases.list_schedules import dispatched, released_list_schedules
from kvopt.solver.releases.marginal_duals import marginal_duals
from kvopt.solver.releases.search import solve_by_release_search
from kvopt.solver.solve import PLAN, RELEASE_PLAN
from kvopt.solver.stage import Incumbent, Stage, handles, run_alone
from kvopt.solver.state_search.reference import solve_by_search
from kvopt.solver.state_search.state_graph import solve_by_state_graph

LATE = Instance(9, [1, 1, 0], [2, 3, 5], releases=[0, 4, 1])

STAGES = [step.stage for step in (*CERTIFYING_PLAN, *CERTIFYING_RELEASE_PLAN)]


def test_the_plan_with_releases_has_only_stages_that_handle_them() -> None:
    assert all(handles(step.stage, LATE) for step in CERTIFYING_RELEASE_PLAN)
    assert {step.stage.name for step in RELEASE_PLAN} != {step.stage.name for step in PLAN}
    assert sum(not handles(step.stage, LATE) for step in PLAN) >= 7


@pytest.mark.parametrize("stage", [s for s in STAGES if not handles(s, LATE)])
def test_all_other_stages_refuse_releases(stage: Stage) -> None:
    state = Incumbent(LATE, SolverParams.usual())
    with pytest.raises(SolverError, match="is not valid with releases after time 0"):
        state.run(stage, Stopping(1))
    assert state.stages == []


@pytest.mark.parametrize(
    "function",
    [
        area_bound,
        busy_time_bound,
        slot_bound,
        solve_by_state_graph,
        lambda instance: next(list_schedules(instance, Stopping())),
        lambda instance: solve_by_search(instance, best_list_schedule(instance), Stopping()),
        lambda instance: root_duals(instance, Stopping(), 10),
        lambda instance: demand_dual_bound(instance, best_list_schedule(instance), Stopping()),
    ],
)
def test_so_do_functions_that_assume_release_0(function: Callable[[Instance], object]) -> None:
    with pytest.raises(SolverError, match="not valid with releases"):
        function(LATE)


def test_schedules_that_start_too_early_are_refused() -> None:
    state = Incumbent(LATE, SolverParams.usual())
    with pytest.raises(SolverError, match="request 1 starts at 3, before its release at 4"):
        state.offer([0, 3, 1])
    assert (state.starts >= LATE.releases).all()


def test_busy_time_bounds_are_true_and_without_releases_the_old_ones() -> None:
    rng = random.Random(31)
    for _ in range(200):
        instance = random_released_instance(rng)
        best = optimum_of(instance)
        assert released_busy_time_bound(instance) <= best
        assert (released_slot_bound(instance) or 0) <= best
        assert instance.total_output <= best_lower_bound(instance).value <= best
        at_once = random_instance(rng)
        assert released_busy_time_bound(at_once) == busy_time_bound(at_once)
        assert released_slot_bound(at_once) == slot_bound(at_once)


@given(instances(latest_release=40), st.sampled_from(["fcfs", "mc-sf", "svf", "a-min"]))
def test_no_policy_is_below_the_busy_time_bound(instance: Instance, spec: str) -> None:
    schedule = simulate(instance, policy_from_spec(spec))
    assert released_busy_time_bound(instance) <= schedule.total_latency()


def test_dispatching_by_output_is_mc_sf() -> None:
    rng = random.Random(32)
    for _ in range(60):
        instance = random_released_instance(rng, most=12, memory=25, latest=30)
        starts = dispatched(instance, instance.outputs, Stopping())
        run = simulate(instance, policy_from_spec("mc-sf"))
        assert starts is not None
        assert starts.tolist() == run.starts().tolist()


def test_list_schedules_are_feasible_and_one_is_near() -> None:
    rng = random.Random(33)
    optimal = 0
    for _ in range(60):
        instance = random_released_instance(rng)
        state = Incumbent(instance, SolverParams.usual())
        for starts in released_list_schedules(instance, Stopping()):
            state.offer(starts)  # which recomputes them
        optimal += state.objective == optimum_of(instance)
    assert optimal >= 45
    assert list(released_list_schedules(instance, Stopping(0))) == []


def test_a_limit_of_states_leaves_a_true_bracket() -> None:
    rng = random.Random(34)
    closed = 0
    for _ in range(40):
        instance = random_released_instance(rng, most=6, memory=12, latest=15)
        known = best_list_schedule(instance)
        best = solve_by_release_search(instance, known, Stopping()).objective
        for limit in (0, 3, 30):
            result = solve_by_release_search(instance, known, Stopping(), limit)
            assert result.lower_bound <= best <= result.objective
            closed += result.lower_bound == best == result.objective
    assert 20 < closed < 120


def test_the_grid_program_proves_what_the_checker_accepts() -> None:
    rng = random.Random(35)
    tight = 0
    for _ in range(12):
        instance = random_released_instance(rng)
        known = best_list_schedule(instance)
        result = run_alone(GridRelaxation(), instance, known, Stopping(10))
        best = optimum_of(instance)
        assert 0 < result.certified_lower_bound <= result.lower_bound <= best
        claim, reason = refusal(certificate_text(certificate(result)))
        assert claim, reason
        tight += result.lower_bound == best
    assert tight >= 6


def test_marginal_duals_are_between_saving_and_paying() -> None:
    instance = Instance(4, [0, 0, 0], [4, 4, 1], releases=[0, 0, 20])
    duals = marginal_duals(instance, np.array([0, 4, 20]))
    types = instance.request_types()
    # One long request less saves 4 and 8, less 4; one more costs 12; the short one runs alone.
    assert duals[types.number_of(0, 4)] == (8 + 12) / 2
    assert duals[types.number_of(0, 1, 20)] == 21


def test_both_totals_stand_beside_the_objective() -> None:
    found = solve_object(solve(LATE))
    assert found["objective"] == found["total_latency"] == 10
    assert found["total_completion_time"] == 10 + 5
    assert "total_latency" not in solve_object(solve(Instance(9, [1], [2])))


def test_ratios_are_of_total_latency_and_nothing_is_claimed() -> None:
    comparison = compare(LATE, [policy_from_spec("mc-sf"), policy_from_spec("gsa")])
    for ratio, schedule in zip(comparison.ratios, comparison.schedules, strict=True):
        assert ratio.cost == schedule.total_latency()
        assert ratio.low >= 1
        assert ratio.verdict is Verdict.NO_CLAIM
    assert comparison.optimum.objective == 10
