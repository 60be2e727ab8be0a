"""Bounds from how many run at every g-th round; the rule's own tests are beside the checker's."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from small_instances import optimum_of, random_instance, types_of

import coarse_aggregate_state as rule
from budget import Budget
from kvopt import Instance, Stopping
from kvopt.certificates.checker import verdicts
from kvopt.certificates.write import certificate, certificate_text
from kvopt.generate import generate_random
from kvopt.model.instance import IntArray
from kvopt.solver.params import CoarseAggregateStateParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.coarse_aggregate_state.costs_to_go import (
    CoarseAggregateCosts,
    first_duals,
    refined,
    worth_of,
)
from kvopt.solver.relaxations.coarse_aggregate_state.kernel import AGGREGATE_KERNEL, Functions
from kvopt.solver.relaxations.coarse_aggregate_state.stage import (
    REACHED,
    CoarseAggregateState,
    at_best,
    grids_for,
    knots_for,
)
from kvopt.solver.relaxations.coarse_aggregate_state.states import AggregateVariants
from kvopt.solver.relaxations.grid_program.stage import GridRelaxation
from kvopt.solver.result import Bound, Result
from kvopt.solver.stage import Incumbent, run_alone

PLAIN = AGGREGATE_KERNEL.plain
BUDGET = 800_000_000


@pytest.fixture(scope="module")
def compiled() -> Functions:
    return AGGREGATE_KERNEL.compiled()


def costs_of(instance: Instance, grid: int, functions: Functions) -> CoarseAggregateCosts:
    looks = instance.total_output // grid
    return CoarseAggregateCosts(instance, grid, looks + 2, knots_for(looks, 4), functions)


def noisy(costs: CoarseAggregateCosts, rng: random.Random) -> IntArray:
    """First duals, with some noise."""
    size = rng.choice([0, 1, 4])
    noise = [rng.gauss(0, size) for _ in costs.duals]
    return np.rint((first_duals(costs) + noise) * costs.scale).astype(np.int64)


def checked(costs: CoarseAggregateCosts, budget: Budget) -> int:
    instance = costs.instance
    return rule.prove(instance.memory, types_of(instance), 0, costs.content(), budget)


def test_the_checker_finds_what_the_solver_finds(compiled: Functions) -> None:
    rng = random.Random(3)
    for number in range(60):
        instance = random_instance(rng)
        costs = costs_of(instance, rng.randint(1, 5), PLAIN if number < 10 else compiled)
        value = costs.settle(noisy(costs, rng))
        assert value is not None
        bound = max(0, -(-value // costs.scale))
        budget = Budget()
        assert checked(costs, budget) == bound <= optimum_of(instance)
        steps, size = costs.to_check()
        assert budget.steps - budget.left <= steps
        assert budget.megabytes * 10**6 - budget.room <= size


def test_paths_add_up_to_the_value() -> None:
    """What the cheapest path pays of each dual, and the looks of its completions, is the value."""
    rng = random.Random(4)
    for _ in range(15):
        instance = random_instance(rng)
        costs = costs_of(instance, rng.randint(1, 4), PLAIN)
        duals = noisy(costs, rng)
        value = costs.settle(duals)
        assert value is not None
        slope = costs.counts - costs.completions()
        for step in (-3, 3):  # below the plane of this path, wherever one goes
            other = duals + step * np.array([rng.randint(-90, 90) for _ in duals])
            there = costs.settle(other)
            assert there is not None
            rounding = 40 * costs.grid * len(costs.knots)  # of prices between knots
            rounding *= 1 + costs.most_added
            assert there <= value + slope @ (costs.duals - duals) + rounding


def test_what_does_not_fit_is_refused(compiled: Functions) -> None:
    costs = costs_of(Instance(8, [1, 1], [5, 5]), 2, compiled)
    duals = np.zeros(len(costs.duals), dtype=np.int64)
    duals[0] = 1 << 40
    assert costs.settle(duals) is None


@pytest.mark.parametrize(
    ("spec", "wider", "finer", "kept"),
    [
        ("real:requests=16:memory=2000", 16, 8, 0.98),
        ("real:kind=conversation:requests=40:memory=16384", 24, 12, 0.95),
    ],
)
def test_duals_carry_over_to_a_finer_grid(
    spec: str, wider: int, finer: int, kept: float, compiled: Functions
) -> None:
    instance = generate_random(spec, 1, 0)
    makespan = int((best_list_schedule(instance) + instance.outputs).max())
    wide, fine = (
        CoarseAggregateCosts(
            instance, grid, 2 * makespan // grid, knots_for(makespan // grid, 16), compiled
        )
        for grid in (wider, finer)
    )
    value = wide.settle(np.rint(first_duals(wide) * wide.scale).astype(np.int64))
    carried = fine.settle(np.rint(refined(wide, fine) * fine.scale).astype(np.int64))
    assert value is not None
    assert carried is not None
    assert carried > kept * value


def test_sixteen_chats(compiled: Functions) -> None:
    instance = generate_random("real:requests=16:memory=2000", 1, 0)
    starts = best_list_schedule(instance)
    params = SolverParams(
        coarse_aggregate_state=CoarseAggregateStateParams(most_states=200_000, most_lost=1.0)
    )
    result = run_alone(CoarseAggregateState(compiled), instance, starts, Stopping(60), params)
    assert result.rule == "coarse-aggregate-state"
    assert result.lower_bound > 0.95 * result.objective
    (verdict,) = verdicts([certificate_text(certificate(result))])
    assert verdict.holds


def test_nothing_is_proved_that_takes_the_checker_too_long(compiled: Functions) -> None:
    instance = generate_random("real:requests=16:memory=2000", 1, 0)
    starts = best_list_schedule(instance)
    usual = CoarseAggregateStateParams(most_states=200_000, most_lost=1.0)
    for limit in ({"checked_steps": 10**5}, {"checked_bytes": 10**5}):
        params = SolverParams(coarse_aggregate_state=replace(usual, **limit))
        result = run_alone(CoarseAggregateState(compiled), instance, starts, Stopping(60), params)
        assert result.rule != "coarse-aggregate-state"


def test_each_grid_is_half_of_the_one_before() -> None:
    params = CoarseAggregateStateParams()
    instance = generate_random("real:requests=24:memory=2000", 1, 0)
    grids = grids_for(instance, 1500, params)
    assert grids == [28, 14, 7, 4, 2, 1]
    assert grids_for(instance, 1500, replace(params, most_states=10**6)) == [28, 14, 7]
    assert grids_for(instance, 1500, replace(params, most_costs=3 * 10**6)) == []  # too wide
    assert grids_for(Instance(9, [1], [1]), 1, replace(params, least_running=1)) == [1]
    assert grids_for(Instance(20, [1] * 9, [1] * 9), 1, params) == [1]
    assert grids_for(Instance(40, [1] * 9, [1] * 9), 1, params) == [1]
    assert grids_for(Instance(42, [1] * 9, [1] * 9), 1, params) == []  # too many run
    few = replace(params, most_times_running=90.0)
    assert grids_for(Instance(22, [1] * 9, [1] * 9), 1, few) == []
    assert grids_for(Instance(20, [1] * 9, [1] * 9), 1, few) == [1]
    assert grids_for(Instance(9, [1], [1]), 1, params) == []  # too few run
    assert grids_for(instance, 1500, replace(params, most_requests=len(instance) - 1)) == []


def test_where_it_applies() -> None:
    def applies(spec: str, params: SolverParams | None = None, late: bool = False) -> bool:
        instance = generate_random(spec, 1, 0)
        state = Incumbent(instance, params or SolverParams())
        state.offer(best_list_schedule(instance))
        return CoarseAggregateState(late=late).applies(state)

    assert applies("real:requests=24:memory=2000")
    assert applies("real:requests=60:memory=2000")
    assert not applies(
        "real:requests=16:memory=2000"
    )  # event order, and the grid program beside it
    assert applies("real:requests=60:memory=4000")
    assert not applies("real:requests=100:memory=4096")  # too many run for so many requests
    assert not applies("real:requests=24:memory=1000")  # coarse batches are few enough
    assert not applies("real:kind=mixed:requests=40:memory=8192")  # only late: prompts differ
    assert applies("real:kind=mixed:requests=40:memory=8192", late=True)
    assert not applies("real:kind=mixed:requests=60:memory=8192", late=True)  # too many
    assert not applies("real:kind=conversation:requests=24:memory=16384", late=True)  # long prompts
    assert not applies("real:requests=24:memory=2000", late=True)  # there is no earlier turn
    assert not applies(
        "real:requests=200:memory=4096",
        SolverParams(coarse_aggregate_state=CoarseAggregateStateParams(most_states=10**6)),
    )
    assert not applies("model1:requests=30")  # batch states are few enough


def test_the_grid_program_is_left_out_where_looks_are_close(compiled: Functions) -> None:
    instance = generate_random("real:requests=24:memory=2000", 1, 0)
    for grid, left_out in ((28, False), (14, False), (7, True), (1, True)):
        state = Incumbent(instance, SolverParams())
        state.offer(best_list_schedule(instance))
        assert GridRelaxation().applies(state)
        costs = costs_of(instance, grid, compiled)
        state.prove(Bound(9, "coarse-aggregate-state", costs.content()))
        assert GridRelaxation().applies(state) != left_out


def test_late_it_goes_on_where_it_was(compiled: Functions) -> None:
    """Each turn is interrupted after what it has proved first."""
    instance = generate_random("real:requests=24:memory=2000", 1, 0)
    stops = [Stopping()]

    def interrupt(result: Result) -> None:
        if result.rule == "coarse-aggregate-state":
            stops[-1].interrupt()

    late = CoarseAggregateState(compiled, late=True)
    state = Incumbent(instance, SolverParams(), report=interrupt)
    state.offer(best_list_schedule(instance))
    assert not late.applies(state)  # there is no earlier turn
    CoarseAggregateState(compiled).run(state, stops[-1])
    assert late.applies(state)
    reached, earlier = state.cache[REACHED], state.bound.value
    stops.append(Stopping())
    late.run(state, stops[-1])
    assert state.bound.value > earlier
    assert state.cache[REACHED].grid <= reached.grid


def test_what_there_was_no_time_for_is_left_for_a_late_turn(compiled: Functions) -> None:
    instance = generate_random("real:requests=24:memory=2000", 1, 0)
    params = CoarseAggregateStateParams(early_rise=1e-2, least_rise=1e-2, least_evaluations=1e9)
    state = Incumbent(instance, SolverParams(coarse_aggregate_state=params))
    state.offer(best_list_schedule(instance))
    CoarseAggregateState(compiled).run(state, Stopping(600))
    assert CoarseAggregateState(compiled, late=True).applies(state)


def test_with_mixed_prompts_grids_follow_while_there_is_hope(compiled: Functions) -> None:
    instance = generate_random("real:kind=mixed:requests=24:memory=8192", 1, 0)
    usual = CoarseAggregateStateParams(early_rise=1e-3, least_rise=1e-3, checked_steps=10**8)
    found = []
    for hopeless in (False, True):
        state = Incumbent(instance, SolverParams(coarse_aggregate_state=usual), certify=True)
        state.offer(best_list_schedule(instance))
        if hopeless:
            state.prove(Bound(state.objective - 1, "linear-duals", {}))
        CoarseAggregateState(compiled, late=True).run(state, Stopping())
        best = state.best("coarse-aggregate-state")
        assert best is not None
        assert best.proof is not None
        found.append((best.proof["grid"], best.value))
    (fine, more), (wide, less) = found
    assert fine < wide
    assert 0.9 * state.objective < less < more


def test_what_finer_grids_may_come_to() -> None:
    assert at_best((8, 90), (4, 95)) == 100
    assert at_best((3, 90), (2, 95)) == 105


def test_what_rounds_and_tokens_are_worth() -> None:
    """Of three types: both are shown, only that of a token, and nothing."""
    kind, looks, added = np.array(
        [[0, 0, 0, 1, 1, 2], [3, 3, 4, 1, 1, 5], [2, 1, 1, 1, 0, 0]], dtype=np.int64
    )
    none = np.zeros(6, dtype=np.int64)
    variants = AggregateVariants(kind, none, looks, added, none, none, none)
    rounds, tokens = worth_of(variants, np.array([20.0, 18, 25, 4, 1, 9]), 3)
    assert rounds[0] == 7
    assert tokens[:2].tolist() == [2, 3]
    assert np.isnan(rounds[1:]).all()
    assert np.isnan(tokens[2])


def test_finer_grids_follow_while_there_is_time_and_the_checker_takes_them(
    compiled: Functions,
) -> None:
    instance = generate_random("real:requests=24:memory=2000", 1, 4)

    def finest(**numbers: float) -> tuple[int, int]:
        params = CoarseAggregateStateParams(early_rise=1e-2, least_rise=1e-2, **numbers)  # type: ignore[arg-type]
        state = Incumbent(instance, SolverParams(coarse_aggregate_state=params))
        state.offer(best_list_schedule(instance))
        CoarseAggregateState(compiled).run(state, Stopping())
        assert state.bound.proof is not None
        return state.bound.proof["grid"], state.bound.value

    grid, bound = finest()
    assert grid == 1
    wider, less = finest(checked_steps=20_000_000)
    assert wider > 1
    assert less < bound
