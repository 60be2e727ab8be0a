"""Prices of completions: bounds are true, often tight, and the schedules are good."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from kvopt import Budget, Instance, solve
from kvopt.checker import checker
from kvopt.exact import solve as solving
from kvopt.exact import worth as pricing
from kvopt.exact.heuristics import best_list_schedule
from kvopt.exact.result import Result, Status
from kvopt.exact.stategraph import solve_by_state_graph
from kvopt.exact.worth import (
    SCALE,
    WorthRelaxation,
    descend,
    descend_by_arrays,
    has_few_profiles,
    profile_graph,
    worth_bound,
)
from kvopt.generate import generate_random


def cost_of(instance: Instance, starts: np.ndarray) -> int:
    return Result.checked(instance, starts, 0, "nothing", 0.0).objective


@pytest.mark.parametrize("number", range(30))
def test_bounds_of_tiny_instances_are_true(number: int) -> None:
    instance = generate_random("tiny", 51, number)
    optimum = solve_by_state_graph(instance).objective
    found = worth_bound(instance, best_list_schedule(instance), Budget())
    assert found is not None
    assert found.bound <= optimum
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    content = found.content(instance)
    assert checker().by_worth(instance.memory, types, content) == found.bound
    if found.starts is not None:
        assert cost_of(instance, found.starts) >= optimum


@pytest.mark.parametrize(("number", "optimum"), [(1, 236208), (3, 708794), (6, 79051), (28, None)])
def test_alike_requests_are_solved(number: int, optimum: int | None) -> None:
    """The list schedules are 4 to 8 % above these optima; the certificates are a line long."""
    instance = generate_random("alike", 1, number)
    result = solve(instance, Budget(60))
    assert result.status is Status.OPTIMAL
    assert result.bound_from == solving.WORTH
    if optimum is not None:
        assert result.objective == optimum
    assert result.objective < 0.97 * cost_of(instance, best_list_schedule(instance))
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    assert result.proof is not None
    assert checker().by_worth(instance.memory, types, result.proof) == result.objective


def test_arrays_take_the_same_way() -> None:
    rng = random.Random(5)
    functions = [descend, descend_by_arrays]
    if (fast := pricing._compiled()) is not None:
        functions.append(fast)
    for number in range(40):
        instance = generate_random(rng.choice(["tiny", "small"]), 52, number)
        if len(instance.types()) > 5:
            continue
        worth = np.array([rng.randint(0, 30 * SCALE) for _ in instance.types()], dtype=np.int64)
        ways = [WorthRelaxation(instance, f).best_way(worth, Budget()) for f in functions]
        assert all(way == ways[0] for way in ways)
        assert ways[0] is not None
        cost = sum(
            n * (SCALE * (t + r.output) - int(w))
            for t, group in ways[0][1]
            for n, (r, _), w in zip(group, instance.types(), worth, strict=True)
        )
        assert cost == ways[0][0]


def test_smaller_instances_tell_where_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random("alike", 1, 6)
    steps = []
    look = pricing._Search._look

    def counted(search: pricing._Search, budget: Budget) -> object:
        steps.append(int(search.counts.sum()))
        return look(search, budget)

    monkeypatch.setattr(pricing._Search, "_look", counted)
    starts = best_list_schedule(instance)
    assert (found := worth_bound(instance, starts, Budget())) is not None
    usual = steps.count(len(instance))
    steps.clear()
    monkeypatch.setattr(pricing, "FRACTION_STEPS", 0)
    assert (again := worth_bound(instance, starts, Budget())) is not None
    assert again.bound == found.bound == 79051
    assert len(set(steps)) == 1 + len(pricing.FRACTIONS)
    assert steps.count(len(instance)) < usual


def test_mended_ways_are_schedules() -> None:
    instance = Instance.from_groups(20, [(1, 4, 7), (2, 9, 5)])
    relaxation = WorthRelaxation(instance, descend)
    for worth in ([40 * SCALE, 40 * SCALE], [0, 60 * SCALE], [90 * SCALE, 0], [0, 0]):
        found = relaxation.best_way(np.array(worth, dtype=np.int64), Budget())
        assert found is not None
        assert cost_of(instance, relaxation.mended(found[1], Budget())) >= instance.total_output


def test_gives_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random("alike", 1, 36)
    starts = best_list_schedule(instance)
    assert profile_graph(instance, Budget(), edges=100) is None
    assert profile_graph(instance, Budget(0)) is None
    assert worth_bound(instance, starts, Budget(0)) is None
    monkeypatch.setattr(pricing, "STEPS", 10**5)
    assert worth_bound(instance, starts, Budget()) is None


def test_stopped_anywhere_leaves_a_true_bracket() -> None:
    instance = generate_random("alike", 1, 6)
    for looks in range(1, 60):
        seen: list[Result] = []
        asked = itertools.count(1)
        budget = Budget(stopped=lambda last=looks, asked=asked: next(asked) >= last)
        seen.append(solve(instance, budget, report=seen.append))
        assert all(r.lower_bound <= 79051 <= r.objective for r in seen)


@pytest.mark.parametrize(("limit", "most"), [("STEPS", 100), ("CHOICES", 100), ("EDGES", 3)])
def test_too_much_is_not_looked_at(limit: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance(5, [1, 1, 0], [4, 4, 1])
    worth = np.array([3 * SCALE, 50 * SCALE])
    assert WorthRelaxation(instance, descend).phases(worth, Budget()) is not None
    huge = np.array([SCALE, 1 << 60])
    assert WorthRelaxation(instance, descend).best_way(huge, Budget()) is None
    monkeypatch.setattr(pricing, limit, most)
    assert WorthRelaxation(instance, descend).phases(worth, Budget()) is None


def test_phases_leave_out_what_does_not_pay() -> None:
    instance = generate_random("alike", 1, 3)
    relaxation = WorthRelaxation(instance, descend)
    worth = np.array([300, 700, 20, 30, 5], dtype=np.int64) * SCALE  # one of them never pays
    phases = relaxation.phases(worth, Budget())
    assert phases is not None
    ends = sorted(
        int(w) // SCALE - r.output
        for w, (r, _) in zip(worth, instance.types(), strict=True)
        if w >= SCALE * r.output
    )
    assert [phase.end for phase in phases] == ends
    assert len(ends) < len(worth)
    assert len({phase.graph.core for phase in phases}) == len(phases)
    assert WorthRelaxation(instance, descend).best_way(worth * 0, Budget()) == (0, [])


def test_few_profiles_are_told_from_many() -> None:
    assert has_few_profiles(generate_random("alike", 1, 36))
    assert not has_few_profiles(generate_random("alike", 1, 8))
    assert not has_few_profiles(generate_random("model1", 1, 0))
    assert not has_few_profiles(generate_random("long", 1, 0))
    assert has_few_profiles(Instance(10**6, [10**6 - 2], [2]))
    assert not has_few_profiles(Instance(10**6, [10] * 9, [5_000] * 9))
    assert not has_few_profiles(Instance(20, [10] * 10**4, [10] * 10**4))
