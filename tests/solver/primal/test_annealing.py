"""Improved schedules are feasible, never worse, reproducible, and mostly optimal when tiny."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import optimum as oracle
from searches import check_same_steps
from strategies import feasible_starts, instances

from kvopt import Instance, Schedule, SolverError, Status, Stopping, solve, violations
from kvopt.generate import generate_random
from kvopt.model.instance import IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.solver.combinatorial_bounds import CombinatorialBounds
from kvopt.solver.params import AnnealingParams
from kvopt.solver.primal.annealing import Annealing, AnnealingSearch, _delays, improve
from kvopt.solver.primal.annealing_kernel import ANNEALING
from kvopt.solver.primal.list_schedules import ListSchedules, best_list_schedule
from kvopt.solver.solve import Step


def improved(instance: Instance, starts: IntArray, evaluations: int, seed: int = 0) -> IntArray:
    return improve(
        instance, starts, Stopping(60), seed, evaluations=evaluations, functions=ANNEALING.plain
    )


@settings(max_examples=40, deadline=None)
@given(instances(max_requests=9, max_memory=18), st.data())
def test_feasible_and_never_worse(instance: Instance, data: st.DataObject) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    before = starts.copy()
    result = improved(instance, starts, 200, data.draw(st.integers(0, 99)))
    assert not violations(Schedule.from_starts(instance, result))
    assert result.sum() <= starts.sum()
    assert (starts == before).all()


@pytest.mark.parametrize("family", ["model1", "long", "alike"])
def test_better_than_the_best_list_on_every_family(family: str) -> None:
    instance = generate_random(family, seed=0, number=2)
    listed = best_list_schedule(instance)
    result = improved(instance, listed, 100 if family == "alike" else 500)
    assert not violations(Schedule.from_starts(instance, result))
    assert result.sum() <= listed.sum()
    if family == "model1":
        assert result.sum() < listed.sum()


def test_same_seed_same_result_whatever_the_clock_says() -> None:
    instance = generate_random("model1", seed=0, number=3)
    listed = best_list_schedule(instance)
    first, again, other = (improved(instance, listed, 600, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("family", ["model1", "long", "tiny"])
def test_compiled_and_uncompiled_take_the_same_steps(family: str) -> None:
    instance = generate_random(family, seed=0, number=4)
    listed = best_list_schedule(instance)
    searches = [
        AnnealingSearch(instance, listed, 5, AnnealingParams(), functions)
        for functions in (ANNEALING.plain, ANNEALING.compiled())
    ]
    check_same_steps(*searches, 8)


def test_reaches_an_optimum_that_no_list_reaches() -> None:
    instance = Instance(7, [1] * 4, [2, 2, 4, 4])
    listed = best_list_schedule(instance)
    assert listed.sum() > 6
    assert improved(instance, listed, 3000).sum() == 6


def test_optimal_on_most_tiny_instances() -> None:
    reached = 0
    for number in range(100):
        instance = generate_random("tiny", seed=11, number=number)
        rows = [(r.prompt, r.output) for r in instance]
        optimum = oracle.optimum(instance.memory, rows)
        result = improved(instance, best_list_schedule(instance), 1000)
        cost = int(result.sum()) + instance.total_output
        assert cost >= optimum
        reached += cost == optimum
    assert reached >= 95


@settings(max_examples=40, deadline=None)
@given(instances(max_requests=9, max_memory=18), st.data())
def test_the_search_begins_with_the_schedule_it_is_given(
    instance: Instance, data: st.DataObject
) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    if len(instance) < 2:
        return
    order = np.lexsort((instance.outputs, starts))
    delays = _delays(instance, starts, order)
    assert (delays >= 0).all()
    profile = LiveProfile(instance.memory)
    for i in order.tolist():
        request = instance[i]
        start = profile.earliest_start(request.prompt, request.output, 0)
        if delays[i]:
            start = profile.earliest_start(request.prompt, request.output, start + int(delays[i]))
        assert start == starts[i]
        profile.add(start, request.prompt, start + request.output)


def test_reports_each_improvement() -> None:
    instance = generate_random("model1", seed=0, number=5)
    listed = best_list_schedule(instance)
    seen: list[int] = []
    result = improve(
        instance,
        listed,
        Stopping(60),
        report=lambda starts: seen.append(int(starts.sum())),
        evaluations=500,
        functions=ANNEALING.plain,
    )
    assert seen == sorted(set(seen), reverse=True)
    assert seen[-1] == result.sum() < listed.sum()


@pytest.mark.parametrize("family", ["model1", "alike", "long"])
def test_the_budget_and_an_interrupt_end_it(family: str) -> None:
    instance = generate_random(family, seed=0, number=6)
    listed = best_list_schedule(instance)
    began = time.perf_counter()
    improve(instance, listed, Stopping(0.3), functions=ANNEALING.plain)
    assert time.perf_counter() - began < 1.5  # far less on an idle machine
    stop = Stopping(60)
    improve(instance, listed, stop, report=lambda starts: stop.interrupt(), evaluations=500)
    over = Stopping(0)
    assert (improve(instance, listed, over) == listed).all()


def test_large_instances_are_left_alone_and_one_request_is_fine() -> None:
    n = AnnealingParams().most_requests + 1
    large = Instance(10, [1] * n, [1] * n)
    listed = best_list_schedule(large)
    assert (improve(large, listed, Stopping(60)) == listed).all()
    assert improve(Instance(10, [1], [3]), np.array([0]), Stopping(60)).tolist() == [0]


def test_an_infeasible_schedule_is_refused() -> None:
    with pytest.raises(SolverError):
        improve(Instance(5, [1, 1], [4, 4]), np.array([0, 0]), Stopping(1))


def test_solve_improves_what_it_cannot_solve() -> None:
    instance = generate_random("model1", seed=0, number=7)
    costs: list[int] = []
    plan = [Step(CombinatorialBounds()), Step(ListSchedules()), Step(Annealing())]
    result = solve(instance, 2, plan=plan, report=lambda r: costs.append(r.objective))
    assert result.status is Status.BRACKET
    assert [stage.name for stage in result.stages][-1] == "annealing"
    assert result.objective < int(best_list_schedule(instance).sum()) + instance.total_output
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize(
    ("family", "evaluations", "cost"),
    [("model1", 60_000, 9_024), ("long", 60_000, 1_254), ("small", 150_000, 13)],
)
def test_the_steps_are_those_of_before(family: str, evaluations: int, cost: int) -> None:
    """A change of the code that is to change nothing changes no step."""
    instance = generate_random(family, 0, 3)
    found = improve(
        instance, best_list_schedule(instance), Stopping(), seed=7, evaluations=evaluations
    )
    assert found.sum() == cost


def test_the_kernel_is_compiled_once() -> None:
    instance = generate_random("small", 0, 3)
    improve(instance, best_list_schedule(instance), Stopping(), evaluations=10)
    assert len(ANNEALING.compiled().run_chain.signatures) == 1  # type: ignore[attr-defined]


def test_strange_numbers_do_no_harm() -> None:
    instance = generate_random("tiny", 0, 3)
    listed = best_list_schedule(instance)
    for values in (
        {"chain_work": 0, "draws": 0, "first_cycle": 0, "last_cycle": 0},
        {"hottest": 0, "coldest": 0, "counted_requests": 0},
        {"hottest": 1e300, "coldest": 1.0, "largest_delay": 0},
        {"delay_moves": 100, "block_moves": 100, "swap_moves": 100},
        {"delay_moves": 0, "block_moves": 100, "swap_moves": 0},
    ):
        params = AnnealingParams(**values)  # type: ignore[arg-type]
        found = improve(instance, listed, Stopping(), evaluations=200, params=params)
        assert not violations(Schedule.from_starts(instance, found))
        assert found.sum() <= listed.sum()
