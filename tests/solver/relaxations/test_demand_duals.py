"""Demand duals: bounds are true, often tight, and the schedules are good."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from companions.checking import checker
from oracles.array_descend import descend_by_arrays

from kvopt import Instance, Stopping, solve
from kvopt.generate import generate_random
from kvopt.solver.params import DemandDualParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.primal.path_repair import repaired, start_times
from kvopt.solver.relaxations import demand_dual_stage
from kvopt.solver.relaxations.demand_dual_kernel import KERNEL, descend
from kvopt.solver.relaxations.demand_dual_stage import DemandDuals, demand_dual_bound
from kvopt.solver.relaxations.demand_duals import SCALE, DemandDualRelaxation, DualSolution
from kvopt.solver.result import Result, Status
from kvopt.solver.solve import PLAN
from kvopt.solver.stage import Incumbent, recomputed, run_alone
from kvopt.solver.state_search.state_graph import solve_by_state_graph


def cost_of(instance: Instance, starts: np.ndarray) -> int:
    return recomputed(instance, starts)[1]


def types_of(instance: Instance) -> dict[tuple[int, int], int]:
    return {(r.prompt, r.output): n for r, n in instance.types()}


@pytest.mark.parametrize("number", range(30))
def test_bounds_of_tiny_instances_are_true(number: int) -> None:
    instance = generate_random("tiny", 51, number)
    optimum = solve_by_state_graph(instance).objective
    found = demand_dual_bound(instance, best_list_schedule(instance), Stopping())
    assert found is not None
    assert found.bound <= optimum
    content = found.content(instance)
    by = checker().bound(instance.memory, types_of(instance), content, found.bound)
    assert by == found.bound
    if found.starts is not None:
        assert cost_of(instance, found.starts) >= optimum


@pytest.mark.parametrize(("number", "optimum"), [(1, 236208), (3, 708794), (6, 79051), (28, None)])
def test_alike_requests_are_solved(number: int, optimum: int | None) -> None:
    """The list schedules are 4 to 8 % above these optima; the certificates are a line long."""
    instance = generate_random("alike", 1, number)
    result = solve(instance, 60)
    assert result.status is Status.OPTIMAL
    assert result.rule == result.certified.rule == "demand-duals"
    if optimum is not None:
        assert result.objective == optimum
    assert result.objective < 0.97 * cost_of(instance, best_list_schedule(instance))
    proof = result.certified.proof
    assert checker().bound(instance.memory, types_of(instance), proof) == result.objective


def test_the_stage_works_alone_and_is_in_the_plan() -> None:
    instance = generate_random("alike", 1, 6)
    poor = np.cumsum(instance.outputs) - instance.outputs
    for many in (True, False):
        result = run_alone(DemandDuals(many), instance, poor, Stopping(60))
        assert (result.status, result.objective) == (Status.OPTIMAL, 79051)
        assert result.rule == result.certified.rule == "demand-duals"
        assert [record.name for record in result.stages] == ["demand-duals"]
    assert [step.stage.many for step in PLAN if isinstance(step.stage, DemandDuals)] == [
        True,
        False,
    ]
    assert "demand-duals" in [record.name for record in solve(instance, 60).stages]


def test_it_applies_to_few_types_of_few_or_many_requests() -> None:
    def applies(many: bool, instance: Instance, **numbers: int) -> bool:
        params = SolverParams(demand_duals=DemandDualParams(**numbers))
        return DemandDuals(many).applies(Incumbent(instance, params))

    alike, tiny = generate_random("alike", 1, 6), generate_random("tiny", 1, 0)
    assert (applies(True, alike), applies(False, alike)) == (True, False)
    assert (applies(True, tiny), applies(False, tiny)) == (False, True)
    assert not applies(True, alike, most_types=len(alike.types()) - 1)
    assert not applies(True, alike, most_requests=len(alike) - 1)
    assert not applies(False, tiny, most_types=0)


def test_the_recursion_is_the_same_compiled_and_by_arrays() -> None:
    rng = random.Random(5)
    functions = [descend, descend_by_arrays, KERNEL.compiled().descend]
    for number in range(40):
        instance = generate_random(rng.choice(["tiny", "small"]), 52, number)
        if len(instance.types()) > 5:
            continue
        duals = np.array([rng.randint(0, 30 * SCALE) for _ in instance.types()], dtype=np.int64)
        paths = [
            DemandDualRelaxation(instance, f).cheapest_paths(duals, Stopping()) for f in functions
        ]
        assert all(path == paths[0] for path in paths)
        assert paths[0] is not None
        cost = sum(
            n * (SCALE * (t + r.output) - int(w))
            for t, group in paths[0][1]
            for n, (r, _), w in zip(group, instance.types(), duals, strict=True)
        )
        assert cost == paths[0][0]


def test_paths_are_repaired_into_schedules() -> None:
    instance = Instance.from_groups(20, [(1, 4, 7), (2, 9, 5)])
    relaxation = DemandDualRelaxation(instance, descend)
    for duals in ([40 * SCALE, 40 * SCALE], [0, 60 * SCALE], [90 * SCALE, 0], [0, 0]):
        found = relaxation.cheapest_paths(np.array(duals, dtype=np.int64), Stopping())
        assert found is not None
        starts = repaired(instance, found[1], relaxation.demand, [])
        times = start_times(instance.request_types(), starts)
        assert cost_of(instance, times) >= instance.total_output


def test_gives_up_in_time() -> None:
    instance = generate_random("alike", 1, 36)
    starts = best_list_schedule(instance)
    assert demand_dual_bound(instance, starts, Stopping(0)) is None
    few = DemandDualParams(most_steps=10**5)
    assert demand_dual_bound(instance, starts, Stopping(), params=few) is None


def test_stopped_anywhere_leaves_a_true_bracket() -> None:
    instance = generate_random("alike", 1, 6)
    for looks in range(1, 60):
        seen: list[Result] = []
        asked = itertools.count(1)
        stop = Stopping(stopped=lambda last=looks, asked=asked: next(asked) >= last)
        seen.append(solve(instance, math.inf, stop=stop, report=seen.append))
        assert all(r.lower_bound <= 79051 <= r.objective for r in seen)


def test_a_schedule_counts_before_there_are_duals(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random("alike", 1, 6)
    best = solve(instance, 60)

    def stopped(_: Instance, __: np.ndarray, ___: Stopping, report: Any, *____: Any) -> None:
        report(DualSolution((), 0, best.starts))

    monkeypatch.setattr(demand_dual_stage, "demand_dual_bound", stopped)
    result = solve(instance, 0.5)
    assert result.objective == best.objective
    assert result.lower_bound <= best.objective


@pytest.mark.parametrize(
    ("limit", "most"), [("most_steps", 100), ("most_choices", 100), ("most_edges", 3)]
)
def test_too_much_is_not_looked_at(limit: str, most: int) -> None:
    instance = Instance(5, [1, 1, 0], [4, 4, 1])
    duals = np.array([3 * SCALE, 50 * SCALE])
    assert DemandDualRelaxation(instance, descend).phases(duals, Stopping()) is not None
    huge = np.array([SCALE, 1 << 60])
    assert DemandDualRelaxation(instance, descend).cheapest_paths(huge, Stopping()) is None
    small = DemandDualParams(**{limit: most})
    relaxation = DemandDualRelaxation(instance, descend, params=small)
    assert relaxation.phases(duals, Stopping()) is None


def test_phases_leave_out_what_does_not_pay() -> None:
    instance = generate_random("alike", 1, 3)
    relaxation = DemandDualRelaxation(instance, descend)
    duals = np.array([300, 700, 20, 30, 5], dtype=np.int64) * SCALE  # one of them never pays
    found = relaxation.phases(duals, Stopping())
    assert found is not None
    (phases,) = found
    ends = sorted(
        int(w) // SCALE - r.output
        for w, (r, _) in zip(duals, instance.types(), strict=True)
        if w >= SCALE * r.output
    )
    assert [phase.end for phase in phases] == ends
    assert len(ends) < len(duals)
    assert len({phase.graph.core for phase in phases}) == len(phases)
    assert DemandDualRelaxation(instance, descend).cheapest_paths(duals * 0, Stopping()) == (0, [])
