"""The hindsight integer program, and the facts that it relies on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import feasible_starts, instances

from kvopt import Instance, Status, Stopping, solve, violations
from kvopt.generate import generate_random
from kvopt.solver.hindsight_stage import HindsightStage, solve_by_program
from kvopt.solver.milp import HindsightProgram, latest_starts
from kvopt.solver.params import MilpParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.sizes import program_size
from kvopt.solver.solve import PLAN, Step
from kvopt.solver.stage import Incumbent
from kvopt.solver.state_search.state_graph import solve_by_state_graph
from kvopt.solver.window_covers import cover_windows


def test_a_timeout_of_the_program_is_a_bracket_not_an_optimum() -> None:
    instance = generate_random("model1", seed=3, number=0)
    result = solve_by_program(instance, best_list_schedule(instance), Stopping(2))
    assert result.status is Status.BRACKET
    assert result.lower_bound < result.objective
    assert violations(result.schedule) == []


def test_an_interrupt_stops_the_program() -> None:
    instance = generate_random("model1", seed=3, number=0)

    class Interrupted(Stopping):
        """A budget that is interrupted the third time somebody asks."""

        asked = 0

        @property
        def interrupted(self) -> bool:
            self.asked += 1
            return self.asked > 3

    result = solve_by_program(instance, best_list_schedule(instance), Interrupted())
    assert result.seconds < 30
    assert result.status is Status.BRACKET


def test_the_program_stops_at_a_limit_of_nodes() -> None:
    instance = generate_random("small", 1, 8)
    known = np.cumsum(instance.outputs) - instance.outputs
    stop = Stopping(60, node_limit=1)
    result = solve_by_program(instance, known, stop)
    optimum = solve(instance, 60).objective
    assert 0 < result.lower_bound <= optimum <= result.objective
    assert result.lower_bound < result.objective
    assert stop.nodes == 1


@settings(max_examples=60)
@given(instances(max_requests=5, max_memory=10))
def test_horizon_and_covers_hold_for_some_and_every_schedule(instance: Instance) -> None:
    result = solve_by_state_graph(instance)
    kind = {r: k for k, (r, _) in enumerate(instance.types())}
    latest = latest_starts(instance, result.objective)
    for request, start in zip(instance, result.starts.tolist(), strict=True):
        assert start <= latest[kind[request]]
    check_covers(instance, result.starts.tolist())


@given(st.data())
def test_covers_hold_for_every_feasible_schedule(data: st.DataObject) -> None:
    instance = data.draw(instances(max_requests=8, max_memory=15))
    check_covers(instance, data.draw(feasible_starts(instance)))


def check_covers(instance: Instance, starts: list[int]) -> None:
    kind = {r: k for k, (r, _) in enumerate(instance.types())}
    for level in range(1, 5):
        windows = cover_windows(instance, level)
        for u in range(max(starts) + 1):
            inside = sum(
                u - windows[kind[request]] < start <= u
                for request, start in zip(instance, starts, strict=True)
            )
            assert inside <= level


@settings(max_examples=30)
@given(instances(max_requests=5, max_memory=10))
def test_program_size_is_no_underestimate(instance: Instance) -> None:
    cost = int(best_list_schedule(instance).sum()) + instance.total_output
    program = HindsightProgram(instance, cost)
    variables, entries = program_size(instance, cost)
    assert sum(map(len, program.x)) <= variables
    assert program.entries() <= entries


def test_program_reads_like_the_formula() -> None:
    program = HindsightProgram(Instance(10, [2, 2], [3, 8]), upper_bound=14)
    names = [constraint.name for constraint in program.problem.constraints()]
    assert names[:2] == ["starts_0", "starts_1"]
    assert {name.split("_")[0] for name in names} == {"starts", "memory", "cover"}


def test_the_stage_is_in_the_plan_and_its_bound_is_its_word() -> None:
    assert "milp" in [step.stage.name for step in PLAN]
    instance = generate_random("tiny", 7, 3)
    result = solve(instance, 60, plan=[*PLAN[:2], Step(HindsightStage())])
    assert (result.status, result.objective) == (
        Status.OPTIMAL,
        solve_by_state_graph(instance).objective,
    )
    if result.stages[-1].name == "milp":
        assert result.bound.proof is None
    alone = solve_by_program(instance, np.cumsum(instance.outputs) - instance.outputs, Stopping(60))
    assert (alone.status, alone.rule, alone.objective) == (Status.OPTIMAL, "milp", result.objective)


def test_the_stage_applies_to_small_programs() -> None:
    instance = generate_random("small", 1, 1)

    def applies(certify: bool = False, **numbers: int) -> bool:
        params = SolverParams(milp=MilpParams(**numbers))
        state = Incumbent(instance, params, certify)
        return HindsightStage().applies(state)

    assert applies()
    assert not applies(most_types=0)
    assert not applies(most_entries=100)
    assert not applies(most_rounds=10)


def test_a_schedule_that_only_highs_calls_feasible_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with M = 10^8, where its tolerance is many tokens."""
    instance = Instance(5, [1, 2, 2], [2, 3, 3])
    at_once = np.zeros(3, dtype=np.int64)
    monkeypatch.setattr(HindsightProgram, "starts", lambda program: at_once)
    result = solve(instance, 10, plan=[*PLAN[:2], Step(HindsightStage())])
    assert violations(result.schedule) == []
    assert result.stages[-1].name == "milp"
    assert result.lower_bound <= result.objective == 15
