"""Bounds from batches seen every g-th round; the rule's own tests are beside the checker's."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from small_instances import optimum_of, random_instance

from kvopt import Instance, Stopping
from kvopt.certificates.checker import verdicts
from kvopt.certificates.write import certificate, certificate_text, certified_instance
from kvopt.generate import generate_random
from kvopt.model.formats import CERTIFICATE_FORMAT
from kvopt.solver.params import CoarseBatchStateParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.relaxations.coarse_batch_state.costs_to_go import (
    CoarseCostsToGo,
    first_duals,
    refined,
)
from kvopt.solver.relaxations.coarse_batch_state.kernel import COARSE_KERNEL, Functions
from kvopt.solver.relaxations.coarse_batch_state.stage import (
    CoarseBatchState,
    grids_for,
)
from kvopt.solver.relaxations.coarse_batch_state.states import CoarseBatchStates
from kvopt.solver.sizes import number_of_batch_states
from kvopt.solver.stage import Incumbent, run_alone

PLAIN = COARSE_KERNEL.plain
FEW = SolverParams(
    coarse_batch_state=CoarseBatchStateParams(
        most_costs=5_000_000, first_costs=20_000, most_lost=1.0
    )
)


@pytest.fixture(scope="module")
def compiled() -> Functions:
    return COARSE_KERNEL.compiled()


def guessed(instance: Instance, grid: int, functions: Functions) -> tuple[CoarseCostsToGo, int]:
    """Costs-to-go for the first duals, and the bound times the scale."""
    states = CoarseBatchStates(instance, grid)
    costs = CoarseCostsToGo(states, instance.total_output // grid + 2, functions)
    value = costs.settle((first_duals(states) * costs.scale).astype(np.int64))
    assert value is not None
    return costs, value


def holds(
    instance: Instance, costs: CoarseCostsToGo, bound: int, limits: tuple[str, ...] = ()
) -> bool:
    """Tell whether the checker proves a bound by some duals."""
    content = {
        "format": CERTIFICATE_FORMAT,
        "instance": certified_instance(instance),
        "instance_sha256": instance.digest(),
        "lower_bound": bound,
        "proof": costs.content(),
    }
    (verdict,) = verdicts([certificate_text(content)], limits=limits)
    return verdict.holds


def test_the_checker_finds_what_the_solver_finds() -> None:
    rng = random.Random(3)
    for _ in range(12):
        instance = random_instance(rng)
        costs, value = guessed(instance, rng.randint(1, 5), PLAIN)
        bound = max(0, -(-value // costs.scale))
        assert bound <= optimum_of(instance)
        assert holds(instance, costs, bound)
        assert not holds(instance, costs, bound + 1)


def test_the_empty_path_costs_nothing() -> None:
    """Where every path with a run is dearer, the duals alone are the bound."""
    instance = Instance(8, [1, 1], [5, 5])
    costs, _ = guessed(instance, 10, PLAIN)
    duals = np.full(len(costs.duals), -3 * costs.scale)
    value = costs.settle(duals)
    assert value == costs.demand() < 0
    assert not costs.completions().any()


def test_with_a_grid_of_one_round_they_are_batch_states() -> None:
    rng = random.Random(4)
    for _ in range(10):
        instance = random_instance(rng)
        coarse, value = guessed(instance, 1, PLAIN)
        states = BatchStates(instance)
        assert len(states) == len(coarse.states)
        assert number_of_batch_states(instance) == len(states)
        fine = BATCH_STATE_KERNEL.plain
        costs = CostsToGo(states, coarse.horizon, fine, coarse.scale)
        assert costs.settle(coarse.duals) == value


def test_states_are_counted_before_they_are_made() -> None:
    rng = random.Random(5)
    for grid in (1, 2, 3, 7):
        instance = random_instance(rng)
        assert number_of_batch_states(instance, grid=grid) == len(CoarseBatchStates(instance, grid))


def test_each_request_is_there_once_in_each_shift() -> None:
    instance = Instance(40, [3, 3, 0], [12, 12, 7])
    variants = CoarseBatchStates(instance, 5).variants
    # Outputs of 7: two shifts see two looks, three see one; of 12, twice: two see 3, three 2.
    assert variants.looks.tolist() == [1, 2, 2, 3]
    assert variants.counts.tolist() == [3, 2, 6, 4]
    assert int((variants.looks * variants.counts).sum()) == instance.total_output


def test_what_no_look_sees_has_no_variant() -> None:
    variants = CoarseBatchStates(Instance(9, [1, 1], [2, 4]), 4).variants
    assert variants.looks.tolist() == [1, 1]
    assert variants.counts.tolist() == [2, 4]


def test_sixteen_chats(compiled: Functions) -> None:
    instance = generate_random("real:requests=16:memory=1000", 1, 0)
    starts = best_list_schedule(instance)
    result = run_alone(CoarseBatchState(compiled, late=True), instance, starts, Stopping(60), FEW)
    assert result.rule == "coarse-batch-state"
    assert 0.85 * result.objective < result.lower_bound <= result.objective
    (verdict,) = verdicts([certificate_text(certificate(result))])
    assert verdict.holds


def test_the_finest_grid_is_wider_where_the_checker_would_take_too_long(
    compiled: Functions,
) -> None:
    instance = generate_random("real:requests=16:memory=1000", 1, 1)
    starts = best_list_schedule(instance)
    finest = []
    for most_steps in (10**9, 1_000_000):
        params = replace(
            FEW,
            coarse_batch_state=replace(
                FEW.coarse_batch_state, most_steps=most_steps, checked_steps=2 * most_steps
            ),
        )
        result = run_alone(
            CoarseBatchState(compiled, late=True), instance, starts, Stopping(60), params
        )
        assert result.certified.proof is not None
        states = CoarseBatchStates(instance, result.certified.proof["grid"])
        finest.append(states.grid)
        bound = certificate_text(certificate(result, result.certified))
        (verdict,) = verdicts([bound], limits=("--max-steps", str(2 * most_steps)))
        assert verdict.holds, verdict.reason
    assert finest[0] < finest[1]


def test_the_checker_takes_no_more_than_is_reckoned(compiled: Functions) -> None:
    for family, grid in (
        ("real:requests=16:memory=1000", 20),
        ("real:requests=24:memory=1000", 30),
    ):
        instance = generate_random(family, 1, 3)
        costs, value = guessed(instance, grid, compiled)
        steps, size = costs.states.to_check(costs._lives.last)
        assert costs.can_be_checked(steps, size)
        assert not costs.can_be_checked(steps - 1, size)
        assert not costs.can_be_checked(steps, size - 1)
        limits = ("--max-steps", str(steps), "--max-memory", str(1 + size // 10**6))
        assert holds(instance, costs, max(0, -(-value // costs.scale)), limits)
        tight = ("--max-steps", str(steps // 3))
        assert not holds(instance, costs, max(0, -(-value // costs.scale)), tight)


def test_what_the_checker_would_refuse_is_not_proved(compiled: Functions) -> None:
    """The duals of the ascent ask for more than the first ones did."""
    instance = generate_random("real:requests=16:memory=1000", 1, 0)
    starts = best_list_schedule(instance)
    for limit in ({"checked_steps": 1_000}, {"checked_bytes": 1_000}):
        params = replace(FEW, coarse_batch_state=replace(FEW.coarse_batch_state, **limit))
        stage = CoarseBatchState(compiled, late=True)
        result = run_alone(stage, instance, starts, Stopping(60), params)
        assert result.rule != "coarse-batch-state"
        assert result.certified.rule != "coarse-batch-state"


def test_it_ends_where_no_grid_is_wide_enough(compiled: Functions) -> None:
    instance = generate_random("real:requests=16:memory=1000", 1, 0)
    starts = best_list_schedule(instance)
    params = replace(FEW, coarse_batch_state=replace(FEW.coarse_batch_state, most_steps=0))
    stop = Stopping()
    result = run_alone(CoarseBatchState(compiled, late=True), instance, starts, stop, params)
    assert result.rule != "coarse-batch-state"


def test_completions_of_the_cheapest_path_are_a_slope() -> None:
    """For other duals the bound is no more than what this path promises."""
    rng = random.Random(8)
    higher = 0
    for _ in range(40):
        instance = random_instance(rng)
        costs, value = guessed(instance, rng.randint(1, 4), PLAIN)
        duals, slope = costs.duals, costs.counts - costs.completions()
        for _ in range(5):
            change = np.array([rng.randint(-300, 300) for _ in duals])
            other = costs.settle(duals + change)
            assert other is not None
            assert other <= value + int(slope @ (costs.duals - duals))
            higher += other > value
    assert higher > 20


@pytest.mark.parametrize("plain", [True, False])
def test_promising_batches_prove_the_same_near_the_duals(plain: bool, compiled: Functions) -> None:
    rng = random.Random(9)
    fewer = 0
    for _ in range(30):
        instance = random_instance(rng)
        costs, value = guessed(instance, rng.randint(1, 4), PLAIN if plain else compiled)
        duals, size = costs.duals, costs.size
        if not size:
            continue
        assert costs.choose(0, size)
        fewer += int(costs._chosen.begins[-1]) < size
        assert costs.settle_chosen(duals) == value
        margin = 150 * costs.scale  # more than any of these paths costs
        assert not costs.choose(margin, size - 1)
        assert costs.choose(margin, size)
        assert int(costs._chosen.begins[-1]) <= size
        near = duals + np.array([rng.randint(-20, 20) for _ in duals])
        assert costs.settle_chosen(near) >= (costs.settle(near) or 0)
    assert fewer > 10


def test_finer_grids_prove_more(compiled: Functions) -> None:
    """With the duals of a wider grid a finer one begins about where that one ended."""
    instance = generate_random("real:requests=16:memory=1000", 1, 2)
    state = Incumbent(instance, FEW)
    state.offer(best_list_schedule(instance))
    bounds: list[int] = []
    state.report = lambda result: bounds.append(result.lower_bound)
    CoarseBatchState(compiled).run(state, Stopping(60))
    assert bounds == sorted(set(bounds))
    wide, fine = CoarseBatchStates(instance, 40), CoarseBatchStates(instance, 30)
    costs = CoarseCostsToGo(wide, state.makespan // 40 + 2, compiled)
    costs.settle((first_duals(wide) * costs.scale).astype(np.int64))
    duals = refined(wide, costs.duals / costs.scale, fine)
    assert duals.shape == fine.variants.looks.shape
    assert np.allclose(refined(fine, duals, fine), duals, rtol=0.2, atol=1.0)


def test_grids_have_room() -> None:
    params = CoarseBatchStateParams()
    chats = generate_random("real:requests=24:memory=1000", 1, 0)
    grids = grids_for(chats, 2_300, params)
    assert grids == sorted(grids, reverse=True)
    assert len(grids) >= 2
    for grid in grids:
        number = number_of_batch_states(chats, grid=grid)
        assert number <= params.most_states
        types = len(chats.request_types())
        assert number * (2_300 // grid + 1) * types <= params.most_costs
    assert grids_for(Instance(10, [1], [2]), 2, params) == []
    wide = replace(params, most_lost=0.01)
    assert grids_for(chats, 2_300, wide) == []  # the finest loses 2 % of what a request holds
    mixed = generate_random("real:kind=mixed:requests=200:memory=16384", 1, 0)
    assert grids_for(mixed, 10**5, params) == []


def test_it_is_not_run_where_batch_states_fit_or_nothing_is_left() -> None:
    state = Incumbent(Instance(12, [1, 2], [3, 4]), SolverParams.usual())
    assert not CoarseBatchState().applies(state)


def test_with_few_requests_event_order_comes_first() -> None:
    for requests, late in ((16, True), (24, False)):
        chats = generate_random(f"real:requests={requests}:memory=1000", 1, 0)
        state = Incumbent(chats, SolverParams.usual())
        state.offer(best_list_schedule(chats))
        assert CoarseBatchState(late=late).applies(state)
        assert not CoarseBatchState(late=not late).applies(state)
