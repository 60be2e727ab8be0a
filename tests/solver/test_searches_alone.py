"""The searches as stages: each by itself, and in a plan of its own."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt import Instance, Status, Stopping, solve, violations
from kvopt.generate import generate_random
from kvopt.solver.params import AnnealingParams, SolverParams
from kvopt.solver.primal.annealing import Annealing
from kvopt.solver.solve import Step
from kvopt.solver.stage import Incumbent, Stage, run_alone
from kvopt.solver.state_search.reference import ReferenceSearch
from kvopt.solver.state_search.stage import StateSearch

INSTANCE = Instance(7, [1] * 4, [2, 2, 4, 4])
"""Its optimum is 18."""


def serial(instance: Instance) -> np.ndarray:
    return np.cumsum(instance.outputs) - instance.outputs


@pytest.mark.parametrize("stage", [ReferenceSearch(), StateSearch()], ids=lambda s: s.name)
def test_a_search_over_states_closes_the_bracket(stage: Stage) -> None:
    alone = run_alone(stage, INSTANCE, serial(INSTANCE), Stopping())
    assert (alone.status, alone.objective, alone.rule) == (Status.OPTIMAL, 18, stage.name)
    assert alone.certified_lower_bound == 0  # it is a witness
    assert [record.name for record in alone.stages] == [stage.name]
    assert violations(alone.schedule) == []
    planned = solve(INSTANCE, plan=[Step(stage)])
    assert (planned.objective, planned.lower_bound) == (18, 18)


def test_annealing_offers_schedules_and_proves_nothing() -> None:
    params = SolverParams(annealing=AnnealingParams(seconds=0.3))
    alone = run_alone(Annealing(), INSTANCE, serial(INSTANCE), Stopping(), params)
    assert (alone.objective, alone.lower_bound) == (18, 0)
    assert alone.stages[0].name == "annealing"
    assert solve(INSTANCE, plan=[Step(Annealing(turn=1))], params=params).objective == 18


@pytest.mark.parametrize("stage", [ReferenceSearch(), StateSearch(), Annealing()])
def test_a_limit_that_is_over_leaves_the_bracket(stage: Stage) -> None:
    instance = generate_random("small", 0, 2)
    result = run_alone(stage, instance, serial(instance), Stopping(0))
    assert result.objective <= int(serial(instance).sum()) + instance.total_output
    assert result.lower_bound <= result.objective


def test_where_they_apply() -> None:
    small, large = Incumbent(INSTANCE, SolverParams()), generate_random("model1", 0, 1)
    assert all(stage.applies(small) for stage in (ReferenceSearch(), StateSearch(), Annealing()))
    state = Incumbent(large, SolverParams())
    assert not ReferenceSearch().applies(state)
    assert not StateSearch().applies(state)
    assert Annealing().applies(state)
