"""The exact solvers witness against each other, and against facts known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import optimum as oracle
from strategies import feasible_starts, instances

from kvopt import (
    Instance,
    Status,
    Stopping,
    best_lower_bound,
    solve,
    violations,
)
from kvopt.generate import generate_random
from kvopt.solver.hindsight_stage import solve_by_program
from kvopt.solver.primal.list_schedules import (
    best_list_schedule,
)
from kvopt.solver.state_search.reference import solve_by_search
from kvopt.solver.state_search.state_graph import solve_by_state_graph


def rows(instance: Instance) -> list[tuple[int, int]]:
    return [(r.prompt, r.output) for r in instance]


WITNESSED = [generate_random("tiny", seed=7, number=k) for k in range(320)]
"""At least 300 random instances, half with mixed prompts."""


def test_the_witnessed_set_has_both_kinds() -> None:
    assert len(WITNESSED) >= 300
    mixed = sum(instance.common_prompt is None for instance in WITNESSED)
    assert mixed >= 80
    assert len(WITNESSED) - mixed >= 80


@pytest.mark.parametrize("part", range(8))
def test_all_witnesses_agree(part: int) -> None:
    """Integer program, state search, state graph and brute force find the same optimum."""
    for instance in WITNESSED[part::8]:
        known = best_list_schedule(instance)
        optimum = oracle.optimum(instance.memory, rows(instance))
        for result in (
            solve_by_program(instance, known, Stopping(60)),
            solve_by_search(instance, known, Stopping(60)),
            solve_by_state_graph(instance),
            solve(instance, 60),
        ):
            assert (result.status, result.objective) == (Status.OPTIMAL, optimum), rows(instance)
            assert violations(result.schedule) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_search_and_program_agree_on_larger_instances(part: int) -> None:
    for number in range(part, 60, 20):
        instance = generate_random("small", seed=8, number=number)
        known = best_list_schedule(instance)
        search = solve_by_search(instance, known, Stopping(60))
        program = solve_by_program(instance, known, Stopping(120))
        assert search.status is Status.OPTIMAL
        if program.status is Status.OPTIMAL:
            assert program.objective == search.objective
        assert program.lower_bound <= search.objective <= program.objective


REFUTED_RULES = [
    # (memory, prompts, outputs, optimal sum of starts, the rule that would miss it)
    (5, [1] * 4, [1, 1, 3, 3], 4, "shorter ones start no later"),
    (6, [1] * 4, [2, 2, 3, 3], 5, "shorter ones complete no later"),
    (7, [1] * 4, [2, 2, 4, 4], 6, "start a maximal set whenever something fits"),
    (5, [1] * 2, [2, 2], 1, "start only at 0 or at completions"),
    (8, [2] * 5, [1, 2, 4, 4, 4], 14, "a shortest request starts at 0"),
]


@pytest.mark.parametrize(("memory", "prompts", "outputs", "starts", "rule"), REFUTED_RULES)
def test_optima_that_refute_tempting_rules(
    memory: int, prompts: list[int], outputs: list[int], starts: int, rule: str
) -> None:
    instance = Instance(memory, prompts, outputs)
    for result in (solve_by_state_graph(instance), solve(instance, 60)):
        assert int(result.starts.sum()) == starts, rule
        assert result.status is Status.OPTIMAL


@pytest.mark.parametrize(
    ("memory", "groups", "optimum"),
    [
        (23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], 200),
        (18, [(1, 12, 3), (1, 7, 7), (1, 5, 1), (1, 4, 1)], 211),
        (23, [(0, 9, 9), (0, 7, 1), (0, 3, 1), (0, 2, 1)], 173),
    ],
)
def test_published_small_optima(
    memory: int, groups: list[tuple[int, int, int]], optimum: int
) -> None:
    result = solve(Instance.from_groups(memory, groups), 60)
    assert (result.objective, result.lower_bound) == (optimum, optimum)


@settings(max_examples=40)
@given(instances(max_requests=9, max_memory=18), st.data())
def test_brackets_hold_whatever_the_limit(instance: Instance, data: st.DataObject) -> None:
    optimum = solve(instance, 120)
    assert optimum.status is Status.OPTIMAL
    start = np.array(data.draw(feasible_starts(instance)))
    limit = data.draw(st.integers(0, 50))
    limited = solve_by_search(instance, start, Stopping(60), state_limit=limit)
    assert limited.lower_bound <= optimum.objective <= limited.objective
    assert violations(limited.schedule) == []


def test_an_exhausted_budget_still_gives_a_true_bracket() -> None:
    instance = generate_random("model1", seed=3, number=0)
    stop = Stopping(3600)
    stop.interrupt()
    result = solve(instance, math.inf, stop=stop)
    assert result.status is Status.BRACKET
    assert result.lower_bound == best_lower_bound(instance).value < result.objective
    assert violations(result.schedule) == []


def test_same_result_every_time() -> None:
    instance = generate_random("small", seed=1, number=1)
    first, second = solve(instance, 60), solve(instance, 60)
    assert first.starts.tolist() == second.starts.tolist()


def test_two_point_instance_is_solved() -> None:
    instance = Instance.from_groups(256, [(96, 160, 6), (96, 1, 194)])
    result = solve(instance, 120)
    assert (result.status, result.objective) == (Status.OPTIMAL, 13439)


def test_state_graph_refuses_what_is_too_large() -> None:
    with pytest.raises(Exception, match="at most 10 states"):
        solve_by_state_graph(Instance(10, [0] * 5, [1, 2, 3, 4, 5]), state_limit=10)


def test_an_optimum_of_one_request_is_its_output() -> None:
    result = solve(Instance(10**9, [0], [10**9]), math.inf)
    assert (result.objective, result.status) == (10**9, Status.OPTIMAL)


@pytest.mark.parametrize(("suite", "number", "optimum"), [("small", 1, 208), ("small", 5, 77)])
def test_a_limit_of_nodes_leaves_a_true_bracket(suite: str, number: int, optimum: int) -> None:
    instance = generate_random(suite, 1, number)
    gaps = []
    for limit in (1, 40, 2_000, 10**6):
        stop = Stopping(60, node_limit=limit)
        result = solve(instance, math.inf, stop=stop)
        assert result.lower_bound <= optimum <= result.objective
        assert 0 < stop.nodes <= limit
        gaps.append(result.objective - result.lower_bound)
        assert stop.over() == (stop.nodes == limit)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > gaps[-1] == 0


def test_nodes_are_counted_in_all_parts() -> None:
    stop = Stopping(node_limit=10)
    part = stop.part(60)
    part.part(60).count(4)
    assert (stop.nodes, part.nodes, part.nodes_left()) == (4, 4, 6)
    stop.count(6)
    assert part.over()
    assert part.left() == 0
    assert not part.interrupted
