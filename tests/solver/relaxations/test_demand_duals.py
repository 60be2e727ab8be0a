"""Prices of completions: bounds are true, often tight, and the schedules are good."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from kvopt.solver.relaxations.demand_dual_search import divided, in_sequence, worth_bound

from kvopt import Instance, Stopping, solve
from kvopt.certificates.inprocess import checker
from kvopt.generate import generate_random
from kvopt.solver import solve as solving
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations import demand_dual_search as searching
from kvopt.solver.relaxations import demand_duals as pricing
from kvopt.solver.relaxations.demand_duals import (
    SCALE,
    WorthRelaxation,
    compiled,
    descend,
    descend_by_arrays,
    start_times,
)
from kvopt.solver.relaxations.profile_graph import number_of_sets, profile_graph
from kvopt.solver.result import Result, Status
from kvopt.solver.state_search.state_graph import solve_by_state_graph


def cost_of(instance: Instance, starts: np.ndarray) -> int:
    return Result.checked(instance, starts, 0, "nothing", 0.0).objective


@pytest.mark.parametrize("number", range(30))
def test_bounds_of_tiny_instances_are_true(number: int) -> None:
    instance = generate_random("tiny", 51, number)
    optimum = solve_by_state_graph(instance).objective
    found = worth_bound(instance, best_list_schedule(instance), Stopping())
    assert found is not None
    assert found.bound <= optimum
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    content = found.content(instance)
    assert checker().bound(instance.memory, types, content) == found.bound
    if found.starts is not None:
        assert cost_of(instance, found.starts) >= optimum


@pytest.mark.parametrize(("number", "optimum"), [(1, 236208), (3, 708794), (6, 79051), (28, None)])
def test_alike_requests_are_solved(number: int, optimum: int | None) -> None:
    """The list schedules are 4 to 8 % above these optima; the certificates are a line long."""
    instance = generate_random("alike", 1, number)
    result = solve(instance, 60)
    assert result.status is Status.OPTIMAL
    assert result.rule == solving.WORTH
    if optimum is not None:
        assert result.objective == optimum
    assert result.objective < 0.97 * cost_of(instance, best_list_schedule(instance))
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    assert result.proof is not None
    assert checker().bound(instance.memory, types, result.proof) == result.objective


def test_arrays_take_the_same_way() -> None:
    rng = random.Random(5)
    functions = [descend, descend_by_arrays]
    if (fast := compiled()) is not None:
        functions.append(fast)
    for number in range(40):
        instance = generate_random(rng.choice(["tiny", "small"]), 52, number)
        if len(instance.types()) > 5:
            continue
        worth = np.array([rng.randint(0, 30 * SCALE) for _ in instance.types()], dtype=np.int64)
        ways = [WorthRelaxation(instance, f).best_way(worth, Stopping()) for f in functions]
        assert all(way == ways[0] for way in ways)
        assert ways[0] is not None
        cost = sum(
            n * (SCALE * (t + r.output) - int(w))
            for t, group in ways[0][1]
            for n, (r, _), w in zip(group, instance.types(), worth, strict=True)
        )
        assert cost == ways[0][0]


def test_ways_are_made_into_schedules() -> None:
    instance = Instance.from_groups(20, [(1, 4, 7), (2, 9, 5)])
    relaxation = WorthRelaxation(instance, descend)
    for worth in ([40 * SCALE, 40 * SCALE], [0, 60 * SCALE], [90 * SCALE, 0], [0, 0]):
        found = relaxation.best_way(np.array(worth, dtype=np.int64), Stopping())
        assert found is not None
        starts = start_times(instance, relaxation.placed(found[1]))
        assert cost_of(instance, starts) >= instance.total_output


def test_gives_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random("alike", 1, 36)
    starts = best_list_schedule(instance)
    assert profile_graph(instance, Stopping(), edges=100) is None
    assert profile_graph(instance, Stopping(0)) is None
    assert worth_bound(instance, starts, Stopping(0)) is None
    monkeypatch.setattr(pricing, "STEPS", 10**5)
    assert worth_bound(instance, starts, Stopping()) is None


def test_stopped_anywhere_leaves_a_true_bracket() -> None:
    instance = generate_random("alike", 1, 6)
    for looks in range(1, 60):
        seen: list[Result] = []
        asked = itertools.count(1)
        stop = Stopping(stopped=lambda last=looks, asked=asked: next(asked) >= last)
        seen.append(solve(instance, math.inf, stop=stop, report=seen.append))
        assert all(r.lower_bound <= 79051 <= r.objective for r in seen)


@pytest.mark.parametrize("looks", [1, 4, 16, 64, 256, 512, 768, 1024])
def test_parts_stopped_anywhere_leave_a_true_bracket(
    looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, most in (("SETS", 0), ("PART_SETS", 200), ("SEQUENCE_SETS", 200)):
        monkeypatch.setattr(searching, limit, most)
    instance = generate_random("alike", 1, 3)
    asked = itertools.count(1)
    seen: list[Result] = []
    stop = Stopping(stopped=lambda: next(asked) >= looks)
    seen.append(solve(instance, math.inf, stop=stop, report=seen.append))
    assert all(r.lower_bound <= 708794 <= r.objective for r in seen)


def test_a_schedule_counts_before_there_are_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random("alike", 1, 6)
    best = solve(instance, 60)

    def stopped(_: Instance, __: np.ndarray, ___: Stopping, report: Any) -> None:
        report(pricing.Worth((), 0, best.starts))

    monkeypatch.setattr(solving, "worth_bound", stopped)
    result = solve(instance, 0.5)
    assert result.objective == best.objective
    assert result.lower_bound <= best.objective


@pytest.mark.parametrize(("limit", "most"), [("STEPS", 100), ("CHOICES", 100), ("EDGES", 3)])
def test_too_much_is_not_looked_at(limit: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance(5, [1, 1, 0], [4, 4, 1])
    worth = np.array([3 * SCALE, 50 * SCALE])
    assert WorthRelaxation(instance, descend).phases(worth, Stopping()) is not None
    huge = np.array([SCALE, 1 << 60])
    assert WorthRelaxation(instance, descend).best_way(huge, Stopping()) is None
    monkeypatch.setattr(pricing, limit, most)
    assert WorthRelaxation(instance, descend).phases(worth, Stopping()) is None


def test_phases_leave_out_what_does_not_pay() -> None:
    instance = generate_random("alike", 1, 3)
    relaxation = WorthRelaxation(instance, descend)
    worth = np.array([300, 700, 20, 30, 5], dtype=np.int64) * SCALE  # one of them never pays
    parts = relaxation.phases(worth, Stopping())
    assert parts is not None
    (phases,) = parts
    ends = sorted(
        int(w) // SCALE - r.output
        for w, (r, _) in zip(worth, instance.types(), strict=True)
        if w >= SCALE * r.output
    )
    assert [phase.end for phase in phases] == ends
    assert len(ends) < len(worth)
    assert len({phase.graph.core for phase in phases}) == len(phases)
    assert WorthRelaxation(instance, descend).best_way(worth * 0, Stopping()) == (0, [])


def sets(instance: Instance) -> float:
    return number_of_sets(instance, range(len(instance.types())), 10**6)


def test_few_profiles_are_told_from_many() -> None:
    assert sets(Instance(5, [1], [4])) == 4  # alone at ages 1 to 3, or nobody
    assert sets(generate_random("alike", 1, 36)) < math.inf
    assert sets(generate_random("alike", 1, 8)) == math.inf
    assert sets(generate_random("model1", 1, 0)) == math.inf
    assert sets(generate_random("long", 1, 0)) == math.inf
    assert sets(Instance(10**6, [10**6 - 2], [2])) < math.inf
    assert sets(Instance(10**6, [10] * 9, [5_000] * 9)) == math.inf
    assert sets(Instance(20, [10] * 10**4, [10] * 10**4)) < math.inf


def test_types_are_divided_into_similar_ones() -> None:
    instance = generate_random("alike", 1, 8)
    parts = divided(instance, 10**6)
    assert parts is not None
    areas = [[instance.types()[k][0].area for k in part] for part in parts]
    assert len(areas) == 2
    assert max(areas[0]) < min(areas[1])
    assert divided(instance, 10) is None
    assert divided(generate_random("model1", 1, 0), 10**6) is None
    assert divided(Instance(60, [10, 1, 2], [49, 20, 30]), 10**4) is None  # one of each type


def test_graphs_are_those_of_the_checker() -> None:
    rng = random.Random(6)
    for number in range(60):
        instance = generate_random(rng.choice(["tiny", "small"]), 53, number)
        kinds = [(r.prompt, r.output) for r, _ in instance.types()][:4]
        instance = Instance.from_groups(instance.memory, [(s, o, 1) for s, o in kinds])
        kinds = [(r.prompt, r.output) for r, _ in instance.types()]
        before, known = None, [0]
        for size in range(len(kinds), 0, -1):
            chosen = rng.sample(range(len(kinds)), size)
            graph = profile_graph(instance, Stopping(), chosen=chosen, profiles_before=before)
            assert graph is not None
            known, edges, groups, core, entry = checker().profile_graph(
                instance.memory, kinds, [kinds[k] for k in chosen], known
            )
            assert (len(graph.profiles), graph.core) == (len(known), core)
            assert len(graph.target) == sum(map(len, edges))
            assert len(graph.groups) == len(groups)
            assert len(set(graph.entry.tolist())) == len(set(entry))
            before = graph.profiles


def test_bounds_of_parts_are_true_and_those_of_the_checker() -> None:
    rng = random.Random(7)
    tight = 0
    for number in range(80):
        instance = generate_random("tiny", 54, number)
        kinds = range(len(instance.types()))
        parts = [[k for k in kinds if k % 3 == i] for i in range(min(3, len(kinds)))]
        relaxation = WorthRelaxation(instance, descend, parts)
        prices = relaxation.first_prices.copy()
        if number % 2:
            noise = [rng.randint(-3 * SCALE, 3 * SCALE) for _ in prices]
            prices[len(kinds) :] //= rng.randint(1, 3)
            prices = np.maximum(0, prices + noise)
        found = relaxation.best_way(prices, Stopping())
        assert found is not None
        bound = -(-(found[0] + relaxation.constant(prices)) // SCALE)
        optimum = solve_by_state_graph(instance).objective
        assert bound <= optimum
        tight += bound == optimum
        tokens = relaxation.memory_prices(prices).tolist()
        worth = tuple(prices[: len(kinds)].tolist())
        content = pricing.Worth(worth, bound, None, relaxation.parts, tuple(tokens))
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        proof = content.content(instance)
        assert checker().bound(instance.memory, types, proof) == bound
        fast = WorthRelaxation(instance, descend_by_arrays, parts).best_way(prices, Stopping())
        assert fast == found
    assert tight > 0


def test_slopes_are_right() -> None:
    """The bound at other prices is at most the plane of a way."""
    rng = random.Random(8)
    for number in range(20):
        instance = generate_random("small", 55, 2 * number)
        if len(instance.types()) < 2:
            continue
        parts = [[0], list(range(1, len(instance.types())))]
        relaxation = WorthRelaxation(instance, descend_by_arrays, parts)

        def look(prices: np.ndarray, relaxation: WorthRelaxation = relaxation) -> tuple[float, Any]:
            found = relaxation.best_way(prices, Stopping())
            assert found is not None
            value = (found[0] + relaxation.constant(prices)) / SCALE
            return value, relaxation.slope(found[1])

        prices = relaxation.first_prices
        value, slope = look(prices)
        for _ in range(5):
            move = np.array([rng.randint(-SCALE, 2 * SCALE) for _ in prices])
            move = np.maximum(prices + move, 0) - prices
            # Prices of memory are rounded down, each by less than 1 / SCALE.
            rounding = instance.memory * relaxation.knots[-1] / SCALE
            assert look(prices + move)[0] <= value + slope @ move / SCALE + rounding


def test_parts_share_the_memory_at_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too small a limit for the graph of all types there still is a good bound."""
    instance = generate_random("alike", 1, 3)
    starts = best_list_schedule(instance)
    monkeypatch.setattr(searching, "SETS", 0)
    monkeypatch.setattr(searching, "PART_SETS", 200)
    monkeypatch.setattr(searching, "SEQUENCE_SETS", 200)
    seen: list[pricing.Worth] = []
    stop = Stopping(stopped=lambda: len(seen) >= 12)
    found = worth_bound(instance, starts, stop, seen.append)
    assert found is not None
    assert found is seen[-1]
    assert len(found.parts) > 1
    assert 0.96 * 708794 < found.bound <= 708794
    content = found.content(instance)
    assert content["rule"] == "blocks"
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    assert checker().bound(instance.memory, types, content) == found.bound


def test_parts_start_one_after_the_other() -> None:
    instance = generate_random("alike", 1, 3)
    parts = divided(instance, 200)
    assert parts is not None
    assert len(parts) > 1
    found = in_sequence(instance, compiled() or descend_by_arrays, parts, Stopping(10))
    assert found is not None
    starts, worth = found
    assert set(np.flatnonzero(worth)) == set(parts[-1])
    times = start_times(instance, starts)
    assert 708794 <= cost_of(instance, times) < 1.06 * 708794
    of_part = [[t for t, k in starts if k in part] for part in parts]
    assert all(max(a) <= min(b) for a, b in itertools.pairwise(of_part))
    assert in_sequence(instance, descend_by_arrays, parts, Stopping(0)) is None
