"""Branch and bound on prices: its trees are sound, and close brackets that one leaf leaves open."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from kvopt import Instance, Stopping, solve
from kvopt.certificates.inprocess import checker
from kvopt.generate import generate_random
from kvopt.solver import solve as solving
from kvopt.solver.branch_and_bound import tree as branching
from kvopt.solver.branch_and_bound.propagation import all_starts
from kvopt.solver.branch_and_bound.tree import SparseProgram, WindowTree, branch_and_bound
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.time_indexed import Branch
from kvopt.solver.result import Result
from kvopt.solver.state_search.state_graph import solve_by_state_graph


def proved(instance: Instance, tree: WindowTree) -> int:
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    content = json.loads(json.dumps(tree.content()))
    value = checker().bound(instance.memory, types, content)
    assert tree.lower_bound <= value <= tree.goal
    return value


@pytest.mark.parametrize("number", range(25))
def test_trees_of_tiny_instances_are_sound(number: int) -> None:
    instance = generate_random("tiny", 61, number)
    best = solve_by_state_graph(instance)
    seen: list[int] = []
    poor = np.cumsum(instance.outputs) - instance.outputs
    costs = [int(poor.sum()) + instance.total_output]

    def keep(bound: int, starts: np.ndarray) -> None:
        seen.append(bound)
        costs.append(Result.checked(instance, starts, bound, "branches", 0.0).objective)

    tree = branch_and_bound(instance, poor, Stopping(node_limit=40), keep)
    assert tree is not None
    assert proved(instance, tree) <= best.objective <= costs[-1]
    assert seen == sorted(seen)
    assert seen[-1] <= tree.lower_bound
    assert costs == sorted(costs, reverse=True)


def test_branches_close_what_the_relaxation_leaves_open() -> None:
    instance = generate_random("small", 5, 0)
    best = solve(instance, math.inf)
    root = branch_and_bound(instance, best.starts, Stopping(node_limit=1))
    tree = branch_and_bound(instance, best.starts, Stopping(node_limit=300))
    assert root is not None
    assert tree is not None
    assert len(root.nodes) == 1
    assert proved(instance, root) < proved(instance, tree) == best.objective
    again = branch_and_bound(instance, best.starts, Stopping(node_limit=300))
    assert again is not None
    assert again.nodes == tree.nodes


def test_a_long_instance_is_bracketed_with_a_tree() -> None:
    instance = generate_random("long", 1, 33)
    starts = best_list_schedule(instance)
    tree = branch_and_bound(instance, starts, Stopping(60, node_limit=9))
    assert tree is not None
    cost = int(starts.sum()) + instance.total_output
    assert 0.94 * cost < proved(instance, tree) <= cost


def test_solve_brings_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_searched", lambda best, stop: best)
    monkeypatch.setattr(solving, "has_few_long_runs", lambda instance, makespan: True)
    monkeypatch.setattr(solving, "worth_bound", lambda *given: None)
    monkeypatch.setattr(solving, "has_room_to_hold", lambda instance, horizon: False)
    instance = Instance(23, [0] * 6, [17, 9, 8, 7, 5, 3])
    result = solve(instance, 5)
    if result.rule == solving.BRANCHES:
        assert result.proof is not None
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        value = checker().bound(instance.memory, types, result.proof)
        assert value == result.lower_bound
    assert result.rule in (solving.BRANCHES, "HiGHS")


def test_sparse_rows_prove_what_they_say() -> None:
    """The value of the sparse program is the bound of its prices, rounding aside."""
    instance = generate_random("long", 1, 7)
    program = SparseProgram(instance, 600, 10_000)
    branches = (Branch(((1, 90),), 0, below=False), Branch(((2, 40),), 0, below=True))
    for k, before in ((1, 90), (2, 40)):
        program.add_split(k, before)
    for some in ((), branches[:1], branches):
        assert program.solve(some, all_starts(program.exact), 2, 4) is not None
        value = program.highs.getInfo().objective_function_value
        bound = program.exact.bound(program.prices(some), some)
        assert np.ceil(value - 0.1) <= bound <= np.ceil(value + 0.1)


def test_asking_too_much_costs_the_penalty() -> None:
    instance = Instance(10, [1, 1], [9, 9])
    program = SparseProgram(instance, 18, 1000)
    program.add_split(0, 5)
    branch = Branch(((0, 5),), 1, below=False)  # both start before 5, which is impossible
    assert program.solve((branch,), all_starts(program.exact), 0, 0) is not None
    assert program.exact.bound(program.prices((branch,)), (branch,)) > 27


def test_time_may_be_over() -> None:
    instance = generate_random("long", 1, 7)
    tree = branch_and_bound(instance, best_list_schedule(instance), Stopping(0))
    assert tree is None or proved(instance, tree) > 0
    assert branching.MOST_ROWS > 3 * branching.ROWS
