"""The time-indexed relaxation: what its duals prove is what the checker finds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from companions.checking import checker

from kvopt import Stopping, read_instance, solve
from kvopt.generate import generate_random
from kvopt.solver.params import SolverParams, TimeIndexedParams
from kvopt.solver.relaxations.time_indexed import TimeIndexed, TimeIndexedProgram, root_duals
from kvopt.solver.result import Bound
from kvopt.solver.solve import PLAN, Step
from kvopt.solver.stage import Incumbent, run_alone
from kvopt.solver.state_search.state_graph import solve_by_state_graph


@pytest.mark.parametrize("number", range(10))
def test_the_stage_works_alone_and_in_solve(number: int) -> None:
    instance = generate_random("tiny", 71, number)
    optimum = solve_by_state_graph(instance).objective
    poor = np.cumsum(instance.outputs) - instance.outputs
    result = run_alone(TimeIndexed(), instance, poor, Stopping(60))
    assert 0 < result.lower_bound <= optimum
    assert result.rule == result.certified.rule == "linear-duals"
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    assert checker().bound(instance.memory, types, result.certified.proof) == result.lower_bound
    solved = solve(instance, 60, plan=[*PLAN[:2], Step(TimeIndexed())])
    if solved.stages[-1].name == "linear-duals":
        assert solved.lower_bound >= min(result.lower_bound, solved.objective)


def test_it_applies_to_few_types_without_finer_bounds() -> None:
    instance = generate_random("tiny", 71, 0)
    assert TimeIndexed().applies(Incumbent(instance, SolverParams()))
    few = SolverParams(time_indexed=TimeIndexedParams(most_types=0))
    assert not TimeIndexed().applies(Incumbent(instance, few))
    for rule in ("batch-state", "demand-duals", "blocks", "propagation"):
        state = Incumbent(instance, SolverParams())
        state.prove(Bound(1, rule))
        assert not TimeIndexed().applies(state)


def test_too_large_a_program_is_not_tried_and_the_second_level_is_left_out() -> None:
    instance = generate_random("long", 71, 1)
    entries = TimeIndexedProgram(instance, 30, levels=(1,)).entries
    assert instance.total_output > 30
    usual = root_duals(instance, Stopping(60), 30)
    first = root_duals(
        instance, Stopping(60), 30, TimeIndexedParams(second_level_entries=entries - 1)
    )
    assert usual is not None
    assert first is not None
    assert {row[0] for row in first.nodes[0]["covers"]} <= {1}
    assert first.lower_bound <= usual.lower_bound
    none = TimeIndexedParams(second_level_entries=0, most_entries=entries - 1)
    assert root_duals(instance, Stopping(60), 30, none) is None
    assert root_duals(instance, Stopping(0), 30) is None


def test_the_limit_holds_though_presolve_does_not_stop() -> None:
    """Presolve takes a minute for this one."""
    instance = read_instance(Path(__file__).parents[2] / "cases" / "rect.json")
    params = TimeIndexedParams(most_entries=10_000_000)
    began = time.process_time()
    assert root_duals(instance, Stopping(1), params=params) is not None
    assert time.process_time() - began < 20  # of all threads; about 2
