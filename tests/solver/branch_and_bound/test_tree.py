"""Branch and bound: its trees are sound, and close brackets that one leaf leaves open."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from companions.checking import checker

from kvopt import Instance, Status, Stopping, solve
from kvopt.generate import generate_random
from kvopt.solver.branch_and_bound.propagation import full_domains
from kvopt.solver.branch_and_bound.sparse_lp import SparseProgram
from kvopt.solver.branch_and_bound.stage import BranchAndBound
from kvopt.solver.branch_and_bound.tree import PropagationTree, branch_and_bound
from kvopt.solver.params import BranchAndBoundParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.time_indexed import Branch
from kvopt.solver.result import Bound, Result
from kvopt.solver.solve import PLAN, Step
from kvopt.solver.stage import Incumbent, recomputed, run_alone
from kvopt.solver.state_search.state_graph import solve_by_state_graph


def proved(instance: Instance, tree: PropagationTree) -> int:
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    content = json.loads(json.dumps(tree.content()))
    value = checker().bound(instance.memory, types, content)
    assert tree.lower_bound <= value <= tree.cutoff
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
        costs.append(recomputed(instance, starts)[1])

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


def test_the_stage_works_alone() -> None:
    """Its bounds on the way are its word; the tree at the end is a proof."""
    instance = generate_random("small", 5, 0)
    optimum = solve(instance, math.inf)
    seen: list[Result] = []
    stop = Stopping(60, node_limit=300)
    result = run_alone(BranchAndBound(), instance, optimum.starts, stop, report=seen.append)
    assert (result.status, result.objective) == (Status.OPTIMAL, optimum.objective)
    assert result.rule == result.certified.rule == "propagation"
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    value = checker().bound(instance.memory, types, result.certified.proof)
    assert value == result.lower_bound == result.certified_lower_bound
    words = [r for r in seen if r.rule == "branch-and-bound"]
    assert words
    assert all(r.bound.proof is None and r.lower_bound <= optimum.objective for r in words)
    assert sum(r.certified is not words[0].certified for r in seen) == 1  # written once


def test_solve_brings_the_tree() -> None:
    instance = Instance(23, [0] * 6, [17, 9, 8, 7, 5, 3])
    params = SolverParams(branch_and_bound=BranchAndBoundParams(least_makespan=1))
    assert "branch-and-bound" in [step.stage.name for step in PLAN]
    plan = [*PLAN[:2], Step(BranchAndBound())]
    result = solve(instance, 5, params=params, plan=plan)
    assert result.stages[-1].name == "branch-and-bound"
    assert result.rule == result.certified.rule == "propagation"
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    value = checker().bound(instance.memory, types, result.certified.proof)
    assert value == result.lower_bound


def test_it_applies_to_few_long_requests_without_demand_duals() -> None:
    long = generate_random("long", 1, 33)
    state = Incumbent(long, SolverParams())
    assert BranchAndBound().applies(state)
    state.prove(Bound(1, "demand-duals"))
    assert not BranchAndBound().applies(state)
    assert not BranchAndBound().applies(Incumbent(generate_random("tiny", 1, 0), SolverParams()))
    assert not BranchAndBound().applies(Incumbent(generate_random("alike", 1, 0), SolverParams()))


def test_sparse_rows_prove_what_they_say() -> None:
    """The value of the sparse program is the bound of its duals, rounding aside."""
    instance = generate_random("long", 1, 7)
    program = SparseProgram(instance, 600, 10_000)
    branches = (Branch(((1, 90),), 0, below=False), Branch(((2, 40),), 0, below=True))
    for k, before in ((1, 90), (2, 40)):
        program.add_split(k, before)
    for some in ((), branches[:1], branches):
        assert program.solve(some, full_domains(program.exact), 2, 4) is not None
        value = program.highs.getInfo().objective_function_value
        bound = program.exact.bound(program.duals(some), some)
        assert np.ceil(value - 0.1) <= bound <= np.ceil(value + 0.1)


def test_asking_too_much_costs_the_penalty() -> None:
    instance = Instance(10, [1, 1], [9, 9])
    program = SparseProgram(instance, 18, 1000)
    program.add_split(0, 5)
    branch = Branch(((0, 5),), 1, below=False)  # both start before 5, which is impossible
    assert program.solve((branch,), full_domains(program.exact), 0, 0) is not None
    assert program.exact.bound(program.duals((branch,)), (branch,)) > 27


def test_time_may_be_over() -> None:
    instance = generate_random("long", 1, 7)
    tree = branch_and_bound(instance, best_list_schedule(instance), Stopping(0))
    assert tree is None or proved(instance, tree) > 0
    params = BranchAndBoundParams()
    assert params.most_rows > 3 * params.grid_rows
