"""Blocks of types: how they are made, and what their linking duals prove."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from companions.checking import checker, modules
from oracles.array_descend import descend_by_arrays

from kvopt import Instance, Stopping, solve
from kvopt.generate import generate_random
from kvopt.solver.params import CoarseBatchStateParams, DemandDualParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.primal.path_repair import start_times
from kvopt.solver.primal.relax_and_fix import relax_and_fix
from kvopt.solver.relaxations.blocks import partition
from kvopt.solver.relaxations.coarse_batch_state.stage import CoarseBatchState, grids_of
from kvopt.solver.relaxations.demand_dual_kernel import KERNEL, descend
from kvopt.solver.relaxations.demand_dual_stage import DemandDuals, demand_dual_bound
from kvopt.solver.relaxations.demand_duals import SCALE, DemandDualRelaxation, DualSolution
from kvopt.solver.relaxations.profile_search import ProfileSearch
from kvopt.solver.result import Result
from kvopt.solver.stage import Incumbent, recomputed
from kvopt.solver.state_search.state_graph import solve_by_state_graph

BLOCKS_ONLY = DemandDualParams(most_sets=0, most_block_sets=200, most_relax_and_fix_sets=200)
"""With too small a limit for the graph of all types."""

OPTIMUM = 708794
"""Of alike/3, seed 1."""


@pytest.mark.parametrize("looks", [1, 4, 16, 64, 256, 512, 768, 1024])
def test_stopped_anywhere_they_leave_a_true_bracket(looks: int) -> None:
    instance = generate_random("alike", 1, 3)
    asked = itertools.count(1)
    seen: list[Result] = []
    stop = Stopping(stopped=lambda: next(asked) >= looks)
    params = SolverParams(demand_duals=BLOCKS_ONLY)
    seen.append(solve(instance, math.inf, stop=stop, params=params, report=seen.append))
    assert all(r.lower_bound <= OPTIMUM <= r.objective for r in seen)


def test_types_are_partitioned_into_similar_ones() -> None:
    instance = generate_random("alike", 1, 8)
    blocks = partition(instance, 10**6)
    assert blocks is not None
    areas = [[instance.types()[k][0].area for k in block] for block in blocks]
    assert len(areas) == 2
    assert max(areas[0]) < min(areas[1])
    assert partition(instance, 10) is None
    assert partition(generate_random("model1", 1, 0), 10**6) is None
    assert partition(Instance(60, [10, 1, 2], [49, 20, 30]), 10**4) is None  # one of each type


def test_bounds_are_true_and_those_of_the_checker() -> None:
    rng = random.Random(7)
    tight = 0
    for number in range(80):
        instance = generate_random("tiny", 54, number)
        kinds = range(len(instance.types()))
        blocks = [[k for k in kinds if k % 3 == i] for i in range(min(3, len(kinds)))]
        relaxation = DemandDualRelaxation(instance, descend, blocks)
        duals = relaxation.first_duals.copy()
        if number % 2:
            noise = [rng.randint(-3 * SCALE, 3 * SCALE) for _ in duals]
            duals[len(kinds) :] //= rng.randint(1, 3)
            duals = np.maximum(0, duals + noise)
        found = relaxation.cheapest_paths(duals, Stopping())
        assert found is not None
        bound = -(-(found[0] + relaxation.constant(duals)) // SCALE)
        optimum = solve_by_state_graph(instance).objective
        assert bound <= optimum
        tight += bound == optimum
        linking = tuple(relaxation.linking_duals(duals).tolist())
        demand = tuple(relaxation.demand_duals(duals).tolist())
        solution = DualSolution(demand, bound, None, relaxation.blocks, linking)
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        proof = solution.content(instance)
        assert proof["rule"] == solution.rule == ("demand-duals" if len(blocks) == 1 else "blocks")
        assert checker().bound(instance.memory, types, proof) == bound
        by_arrays = DemandDualRelaxation(instance, descend_by_arrays, blocks)
        assert by_arrays.cheapest_paths(duals, Stopping()) == found
    assert tight > 0


def test_supergradients_are_right() -> None:
    """The bound at other duals is at most the plane of a path."""
    rng = random.Random(8)
    for number in range(20):
        instance = generate_random("small", 55, 2 * number)
        if len(instance.types()) < 2:
            continue
        blocks = [[0], list(range(1, len(instance.types())))]
        relaxation = DemandDualRelaxation(instance, descend_by_arrays, blocks)

        def look(
            duals: np.ndarray, relaxation: DemandDualRelaxation = relaxation
        ) -> tuple[float, Any]:
            found = relaxation.cheapest_paths(duals, Stopping())
            assert found is not None
            value = (found[0] + relaxation.constant(duals)) / SCALE
            return value, relaxation.supergradient(found[1])

        duals = relaxation.first_duals
        value, slope = look(duals)
        for _ in range(5):
            move = np.array([rng.randint(-SCALE, 2 * SCALE) for _ in duals])
            move = np.maximum(duals + move, 0) - duals
            # Linking duals are rounded down, each by less than 1 / SCALE.
            rounding = instance.memory * relaxation.linking.knots[-1] / SCALE
            assert look(duals + move)[0] <= value + slope @ move / SCALE + rounding


def test_blocks_share_the_memory_by_its_dual() -> None:
    instance = generate_random("alike", 1, 3)
    starts = best_list_schedule(instance)
    seen: list[DualSolution] = []
    stop = Stopping(stopped=lambda: len(seen) >= 12)
    found = demand_dual_bound(instance, starts, stop, seen.append, BLOCKS_ONLY)
    assert found is not None
    assert found is seen[-1]
    assert len(found.blocks) > 1
    assert 0.96 * OPTIMUM < found.bound <= OPTIMUM
    content = found.content(instance)
    assert content["rule"] == "blocks"
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    assert checker().bound(instance.memory, types, content) == found.bound


def test_relax_and_fix_starts_one_block_after_the_other() -> None:
    instance = generate_random("alike", 1, 3)
    blocks = partition(instance, 200)
    assert blocks is not None
    assert len(blocks) > 1
    found = relax_and_fix(instance, KERNEL.compiled().descend, blocks, Stopping(10))
    assert found is not None
    starts, duals = found
    assert set(np.flatnonzero(duals)) == set(blocks[-1])
    times = start_times(instance.request_types(), starts)
    assert OPTIMUM <= recomputed(instance, times)[1] < 1.06 * OPTIMUM
    of_block = [[t for t, k in starts if k in block] for block in blocks]
    assert all(max(a) <= min(b) for a, b in itertools.pairwise(of_block))
    assert relax_and_fix(instance, descend_by_arrays, blocks, Stopping(0)) is None


@pytest.mark.parametrize("number", [3, 6, 23])
@pytest.mark.parametrize("sets", [200, None])
def test_what_the_checker_takes_is_known(number: int, sets: int | None) -> None:
    """Never less than it takes, and not much more."""
    instance = generate_random("alike", 1, number)
    blocks = None if sets is None else partition(instance, sets)
    relaxation = DemandDualRelaxation(instance, KERNEL.compiled().descend, blocks)
    duals = relaxation.first_duals
    linking = tuple(relaxation.linking_duals(duals).tolist())
    demand = tuple(relaxation.demand_duals(duals).tolist())
    proof = DualSolution(demand, 0, None, relaxation.blocks, linking).content(instance)
    expected = relaxation.to_check(duals, Stopping())
    assert expected is not None
    steps, size = checked(instance, proof, 0)
    assert 0.9 * expected.steps <= steps <= expected.steps
    assert size <= expected.size


def checked(instance: Instance, proof: dict[str, Any], low: int) -> tuple[int, int]:
    """Return steps and bytes that the checker takes for a proof of a bound of at least `low`."""

    class Meter(modules()["budget"].Budget):  # type: ignore[misc, name-defined]
        most = 0

        def use(self, size: int) -> None:
            super().use(size)
            self.most = max(self.most, 10**6 * self.megabytes - self.room + size)

    budget: Any = Meter()
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    bound = modules()["claims"].RULES[proof["rule"]](instance.memory, types, low, proof, budget)
    assert bound >= low
    return budget.steps - budget.left, budget.most


def test_what_the_checker_takes_for_a_search_is_known() -> None:
    instance, slack = generate_random("alike", 1, 32), 10
    optimum = solve(instance, 60).objective
    descend = KERNEL.compiled().descend
    found = demand_dual_bound(instance, best_list_schedule(instance), Stopping())
    assert found is not None
    duals = np.array(found.demand_duals) - SCALE // 2 * np.arange(len(found.demand_duals))
    relaxation = DemandDualRelaxation(instance, descend)
    search = ProfileSearch(relaxation, duals, slack * SCALE, DemandDualParams())
    assert search.prepare(Stopping())
    result = search.run(optimum, Stopping())
    assert (result.finished, result.starts) == (True, None)
    expected = relaxation.to_check(duals, Stopping(), slack * SCALE), result.to_check
    proof = {
        "rule": "demand-duals",
        "scale": SCALE,
        "duals": instance.request_types().rows(duals.tolist()),
        "slack": slack * SCALE,
        "nodes": max(1, result.nodes),
    }
    steps, size = checked(instance, proof, optimum)
    assert expected[0] is not None
    assert 0.9 * (expected[0].steps + expected[1].steps) <= steps
    assert steps <= expected[0].steps + expected[1].steps
    assert size <= expected[0].size + expected[1].size


def test_blocks_that_are_checked_follow_those_that_are_not() -> None:
    instance = generate_random("alike", 1, 32)
    few = DemandDualParams(checked_steps=1_100_000, most_block_sets=300)
    wide = CoarseBatchStateParams(most_lost_to_certify=0.0)
    for certify in (False, True):
        params = SolverParams(demand_duals=few, coarse_batch_state=wide)
        state = Incumbent(instance, params, certify)
        state.offer(best_list_schedule(instance))
        state.run(DemandDuals(True), Stopping(20))
        assert (state.bound.value, state.bound.rule) == (state.objective, "demand-duals")
        assert state.bound.proof is None
        if not certify:
            assert state.certified.proof is None
            continue
        assert state.certified.rule == "blocks"
        assert 0.92 * state.objective < state.certified.value < state.objective
        assert state.certified.proof is not None
        assert checked(instance, state.certified.proof, state.certified.value)[0] <= 1_100_000


def test_coarse_batches_follow_duals_that_are_not_checked() -> None:
    instance = generate_random("alike", 1, 32)
    few = DemandDualParams(checked_steps=100_000, most_block_sets=300)
    for certify in (False, True):
        state = Incumbent(instance, SolverParams(demand_duals=few), certify)
        state.offer(best_list_schedule(instance))
        state.run(DemandDuals(True), Stopping(20))
        assert state.bound.proof is None
        assert state.certified.proof is None  # no smaller blocks
        assert bool(grids_of(state)) is certify
    assert state.certify
    state.run(CoarseBatchState(), Stopping(20))
    assert state.certified.rule == "coarse-batch-state"
    assert 0.92 * state.objective < state.certified.value < state.objective
