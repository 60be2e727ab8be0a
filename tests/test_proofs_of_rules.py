"""Statements of the rules of certificates, made stronger: their companions notice."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from types import ModuleType
from typing import Any

import pytest

from kvopt import Instance, solve


@pytest.mark.parametrize("companion", ["first_completion"], indirect=True)
def test_stronger_first_completion_rows_are_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1], [4])
    heights = [[0, 3], [1, 2]]
    assert companion.check_row(instance, [0], heights)
    with pytest.raises(AssertionError):
        companion.check_row(instance, [0], heights, spare=1)


@pytest.mark.parametrize("companion", ["knapsack_rows"], indirect=True)
def test_stronger_knapsack_rows_are_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    counts = {(1, 4): [1, 1, 2, 2]}
    assert companion.check_row(instance, [0, 4], counts)
    with pytest.raises(AssertionError):
        companion.check_row(instance, [0, 4], counts, spare=1)
    companion.check_least(instance, counts)
    with pytest.raises(companion.checker().Refused, match="requests that fit count more"):
        companion.check_duals(instance, 12, random.Random(2), less=1)


@pytest.mark.parametrize("companion", ["state_search"], indirect=True)
def test_a_larger_fluid_bound_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    problem = companion.make_problem(5, instance.prompts, instance.outputs)
    duals = companion.make_duals(1, 1)

    def more(*state: object) -> int:
        return int(companion.fluid_bound(*state)) + 2

    def check(**bound: object) -> None:
        for seed in range(20):
            companion.check_state(instance, problem, duals, random.Random(seed), **bound)

    check()
    with pytest.raises(AssertionError):
        check(fluid=more)


@pytest.mark.parametrize("companion", ["aggregate_state"], indirect=True)
@pytest.mark.parametrize("wrong", [{"larger": 1}, {"widened": 1}])
def test_wrong_constants_of_paths_are_refuted(companion: ModuleType, wrong: dict[str, int]) -> None:
    instance = Instance(10, [1] * 12, [6] * 12)
    starts = solve(instance, 1).starts.tolist()
    for seed in range(5):
        proof = companion.random_proof(instance, 20, random.Random(seed))
        companion.check_schedule(instance, starts, companion.Priced(instance, proof))
        with pytest.raises(AssertionError):
            companion.check_schedule(instance, starts, companion.Priced(instance, proof, **wrong))


@pytest.mark.parametrize("companion", ["aggregate_state"], indirect=True)
def test_completions_worth_more_than_they_can_cost_are_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    proof = {
        "scale": 1,
        "start": [[1, [0] * 4]],
        "duals": [[1, 4, 8]],
        "covers": [],
        "second_moments": [0] * 4,
    }
    companion.check_schedule(instance, [0, 4], companion.Priced(instance, proof))
    proof["duals"] = [[1, 4, 9]]
    with pytest.raises(AssertionError):
        companion.check_schedule(instance, [0, 4], companion.Priced(instance, proof))


@pytest.mark.parametrize("companion", ["batch_state"], indirect=True)
def test_too_little_slack_is_refuted(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    prices = companion.Priced(instance, scale=2, horizon=8, worth={(1, 4): 10})
    companion.check_schedule(instance, [0, 4], prices)  # the last completion costs 6
    label = prices.label
    monkeypatch.setattr(prices, "label", lambda t, held, most: label(t, held, min(most, 5)))
    with pytest.raises(AssertionError):
        companion.check_schedule(instance, [0, 4], prices)


@pytest.mark.parametrize("companion", ["batch_state"], indirect=True)
def test_leaving_out_what_costs_less_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [3, 3], [2, 2])
    prices = companion.Priced(instance, scale=2, horizon=1, worth={(3, 2): 0})
    companion.check_schedule(instance, [0, 2], prices)
    with pytest.raises(AssertionError):
        companion.check_schedule(instance, [0, 2], prices, slack=Fraction(0))


@pytest.mark.parametrize("companion", ["batch_state"], indirect=True)
def test_a_smaller_memory_is_refuted(companion: ModuleType) -> None:
    instance = Instance(10, [1] * 4, [2, 3, 4, 4])
    starts = solve(instance, 5).starts.tolist()
    prices = companion.random_prices(instance, 9, random.Random(1))
    companion.check_schedule(instance, starts, prices)
    prices = companion.random_prices(instance, 9, random.Random(1))
    prices.memory = 9
    with pytest.raises(AssertionError):
        companion.check_schedule(instance, starts, prices)


def mixed_aggregate(companion: ModuleType) -> Any:
    """Two prompts that are more than a step apart, all of memory in use, and some duals."""
    instance = Instance(12, [0, 4], [4, 5])
    worth = {(0, 4): (0, 4, 5), (4, 5): (3, 0, 4)}
    return instance, companion.Aggregate(instance, 3, 1, worth, [(3, 1), (-1, 0), (2, -2)])


@pytest.mark.parametrize("companion", ["coarse_aggregate_state"], indirect=True)
@pytest.mark.parametrize("stronger", [{"own": 1}, {"each": 1}, {"steps": 1}])
def test_aggregates_that_need_more_are_refuted(
    companion: ModuleType, stronger: dict[str, int]
) -> None:
    instance, aggregate = mixed_aggregate(companion)
    companion.check_schedule(instance, [0, 0], aggregate)
    refuted = 0
    for shift in range(3):
        path = companion.path_of(instance, [0, 0], 3, shift)
        companion.check_path(path, aggregate)
        try:
            companion.check_path(path, aggregate, **stronger)
        except AssertionError:
            refuted += 1
    assert refuted


@pytest.mark.parametrize("companion", ["coarse_aggregate_state"], indirect=True)
@pytest.mark.parametrize("stronger", [{"own": 1}, {"each": 1}])
def test_looks_that_see_more_are_refuted(companion: ModuleType, stronger: dict[str, int]) -> None:
    instance, _ = mixed_aggregate(companion)
    refuted = 0
    for shift in range(3):
        companion.check_room(instance, [0, 0], 3, shift)
        try:
            companion.check_room(instance, [0, 0], 3, shift, **stronger)
        except AssertionError:
            refuted += 1
    assert refuted


@pytest.mark.parametrize("companion", ["coarse_batch_state"], indirect=True)
@pytest.mark.parametrize("stronger", [{"more": 1}, {"each": 1}])
def test_completions_that_need_more_room_are_refuted(
    companion: ModuleType, stronger: dict[str, int]
) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    path = companion.path_of(instance, [0, 4], 3, 0)
    companion.check_path(5, 3, path)
    with pytest.raises(AssertionError):
        companion.check_path(5, 3, path, **stronger)


@pytest.mark.parametrize("companion", ["coarse_batch_state"], indirect=True)
def test_more_long_shifts_are_refuted(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    coarse = companion.Coarse(instance, 3, 1, {(1, 4): (2, 3)})
    companion.check_schedule(instance, [0, 4], coarse)
    coarse = companion.Coarse(instance, 3, 1, {(1, 4): (2, 3)})
    monkeypatch.setattr(coarse, "constant", lambda: 2 * (2 * 3 + 2))  # b and g - b exchanged
    with pytest.raises(AssertionError):
        companion.check_schedule(instance, [0, 4], coarse)
    right = companion.seen
    wrong = lambda *given: right(*given)._replace(rest=0)  # noqa: E731
    monkeypatch.setattr(companion, "seen", wrong)
    with pytest.raises(AssertionError):
        companion.check_looks((1, 4), 0, 3, 0)


@pytest.mark.parametrize("companion", ["propagation"], indirect=True)
def test_windows_that_end_too_early_are_refuted(companion: ModuleType) -> None:
    instance = Instance(9, [1, 1, 1], [6, 5, 4])
    starts = solve(instance, math.inf).starts.tolist()

    def check(late: int) -> None:
        for seed in range(20):
            rng = random.Random(seed)
            splits = list(companion.splits_of(companion.by_type(instance, starts), 15, rng))
            companion.check_certain(instance, starts, splits, 15, late)

    check(0)
    with pytest.raises(AssertionError):
        check(1)


@pytest.mark.parametrize("companion", ["event_order"], indirect=True)
def test_stronger_rows_of_events_are_refuted(companion: ModuleType) -> None:
    shapes = [(0, 4, 0), (1, 4, 0), (0, 1, 0)]
    starts = [0, 0, 3]  # full in round 4
    tight = companion.schedules(shapes, 10, 3)
    assert tuple(starts) in tight

    def check(
        late: int = 0, memory: int = 0, area: int = 0, cover: int = 0, steep: int = 0
    ) -> None:
        for one in tight:
            companion.check_states(shapes, one, late)
        companion.check_memory(shapes, 10, starts, memory)
        companion.check_area(shapes, 10, (0, 0, 0), area)
        companion.check_cover([(1, 4, 0)] * 2, 6, (0, 4), cover)
        companion.check_prices(shapes, 10, tight, random.Random(1), steep)

    check()
    for wrong in ({"late": 1}, {"memory": 1}, {"area": 1}, {"cover": 1}, {"steep": 1}):
        with pytest.raises(AssertionError):
            check(**wrong)


@pytest.mark.parametrize("companion", ["demand_duals"], indirect=True)
def test_taking_away_memory_that_is_used_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1, 0], [4, 4, 1])

    def check(**wrong: int) -> None:
        for starts in ([0, 4, 0], [1, 5, 0], [0, 5, 4]):
            companion.check_schedule(instance, starts, [2, 9], 1, **wrong)
        dense = Instance(10, [1] * 6, [3] * 6)
        for seed in range(20):
            starts = list(companion.random_feasible(dense, random.Random(seed)))
            companion.check_schedule(dense, starts, [9], 1, **wrong)

    check()
    with pytest.raises(AssertionError):
        check(taken=3)


@pytest.mark.parametrize("companion", ["demand_duals"], indirect=True)
def test_a_larger_bound_by_worth_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    assert companion.check_bound(instance, 12, [8], 1)
    with pytest.raises(AssertionError):
        companion.check_bound(instance, 11, [8], 1)


@pytest.mark.parametrize("companion", ["demand_duals"], indirect=True)
def test_a_smaller_slack_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1, 0], [4, 4, 1])
    for duals in ([2, 9], [0, 4]):
        companion.check_search(instance, 13, duals, 1)
    for wrong in (12, 14):
        with pytest.raises(AssertionError):
            companion.check_search(instance, wrong, [2, 9], 1)
    with pytest.raises(AssertionError):
        companion.check_search(instance, 13, [0, 4], 1, less=100)


@pytest.mark.parametrize("companion", ["demand_duals"], indirect=True)
def test_less_memory_paid_back_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1, 0], [4, 4, 1])
    prices = ([[0], [1]], [2, 18], {3: 1, 4: 1}, 2)
    assert not companion.check_parts(instance, 15, *prices)
    with pytest.raises(AssertionError):
        companion.check_parts(instance, 15, *prices, paid_back=1)


@pytest.mark.parametrize("companion", ["release_times"], indirect=True)
def test_a_fluid_that_comes_too_late_is_refuted(companion: ModuleType) -> None:
    instance = Instance(6, [1, 0, 2], [3, 2, 4], releases=[0, 2, 3])
    starts = solve(instance).starts.tolist()
    weights = companion.memory_weights(instance)
    assert companion.check_busy_time(instance, starts, weights) > 0
    with pytest.raises(AssertionError):
        companion.check_busy_time(instance, starts, weights, late=True)


@pytest.mark.parametrize("companion", ["release_times"], indirect=True)
def test_memory_for_those_who_end_is_no_memory_that_nobody_can_use(companion: ModuleType) -> None:
    instance = Instance(5, [0, 2], [1, 3], releases=[1, 0])
    companion.check_dominance(instance, 2)
    with pytest.raises(AssertionError):
        companion.check_dominance(instance, 2, short_ones=False)
