"""The linear program with rows at few times: what it proves is true, and what the checker finds."""

from __future__ import annotations

import dataclasses
import itertools
import random

import numpy as np
import pytest
from companions.checking import checker

from kvopt import Instance, Stopping, solve
from kvopt.generate import generate_random
from kvopt.solver.params import GridProgramParams, SolverParams
from kvopt.solver.relaxations.grid_program import cutting_planes
from kvopt.solver.relaxations.grid_program.clusters import clustered
from kvopt.solver.relaxations.grid_program.cutting_planes import raised, separate
from kvopt.solver.relaxations.grid_program.families import Families, Row, coefficients, knots
from kvopt.solver.relaxations.grid_program.grid import grid_of
from kvopt.solver.relaxations.grid_program.kernel import GRID_KERNEL
from kvopt.solver.relaxations.grid_program.piecewise import piecewise_bound
from kvopt.solver.relaxations.grid_program.program import GridProgram
from kvopt.solver.relaxations.grid_program.separation import best_heights, steps_up_to
from kvopt.solver.relaxations.grid_program.stage import GridRelaxation
from kvopt.solver.result import Bound
from kvopt.solver.solve import PLAN, Step
from kvopt.solver.stage import Incumbent, run_alone
from kvopt.solver.state_search.state_graph import solve_by_state_graph

PARAMS = GridProgramParams()
MIXED = Instance(300, [5, 40, 0, 12, 33, 7, 60, 2] * 2, [60, 25, 90, 44, 13, 120, 35, 71] * 2)


def types_of(instance: Instance) -> dict[tuple[int, int], int]:
    return {(r.prompt, r.output): n for r, n in instance.types()}


def program_of(instance: Instance, knots: int, **changed: float) -> GridProgram:
    params = dataclasses.replace(PARAMS, **changed)  # type: ignore[arg-type]
    last = int((solve(instance, 0).starts + instance.outputs).max())
    return GridProgram(instance, last, knots, GRID_KERNEL.compiled(), params)


@pytest.mark.parametrize("number", range(12))
def test_bounds_are_true_and_those_of_the_checker(number: int) -> None:
    instance = generate_random("tiny", 81, number)
    optimum = solve_by_state_graph(instance).objective
    result = run_alone(GridRelaxation(), instance, solve(instance, 0).starts, Stopping(60))
    assert 0 < result.lower_bound <= optimum
    assert result.rule == result.certified.rule == "linear-duals"
    found = checker().bound(instance.memory, types_of(instance), result.certified.proof)
    assert found == result.lower_bound


@pytest.mark.parametrize("count", [3, 10, 40])
def test_every_round_of_cuts_is_what_the_checker_finds(count: int) -> None:
    program = program_of(MIXED, count)
    values = []
    for value, content in raised(program, Stopping(60)):
        assert checker().bound(MIXED.memory, types_of(MIXED), content) == value
        values.append(value)
    assert values == sorted(values)
    best = solve(MIXED, 0.5, plan=[step for step in PLAN if step.always])
    assert values[-1] <= best.objective


def test_first_completion_rows_and_knots_pay() -> None:
    def value(count: int, **changed: float) -> int:
        return max(bound for bound, _ in raised(program_of(MIXED, count, **changed), Stopping(60)))

    assert value(60) > value(60, violation=1e9) * 1.01
    assert value(60) > value(8)


def test_proofs_of_any_prices_are_those_of_the_checker() -> None:
    rng = random.Random(3)
    program = program_of(MIXED, 12)
    list(raised(program, Stopping(60)))
    for _ in range(20):
        prices = np.array([rng.random() * rng.choice([0, 0.3, 9]) for _ in program.rows])
        program.bound = -(10**18)
        program.prove(prices)
        assert checker().bound(MIXED.memory, types_of(MIXED), program.proof) == program.bound


def test_rows_hold_for_schedules() -> None:
    program = program_of(MIXED, 12)
    list(raised(program, Stopping(60)))
    starts = solve(MIXED, 0).starts
    types = program.types.index
    for family in range(len(program.families.known)):
        program.column_types, program.column_times = types, starts
        program.values = np.ones(len(starts))
        assert program.activity(family).max() <= 1 + 1e-9


def test_coefficients_are_those_of_the_checker() -> None:
    rng = random.Random(4)
    for _ in range(50):
        memory, s, o = rng.randint(20, 90), rng.randint(0, 9), rng.randint(1, 40)
        at = [0, *sorted(rng.sample(range(1, 30), rng.randint(0, 3)))]
        heights = tuple((x, 9 - 2 * i) for i, x in enumerate(at))
        to_go = np.arange(o)
        found = coefficients(memory, s + o - to_go, to_go, heights)
        assert found.tolist() == checker().first_completion(memory, s, o, list(heights))


def test_hats_are_sums_of_rows() -> None:
    families = Families(MIXED, [1], 4)
    row = Row(0, 2, 4)
    number = families.kind(row)
    assert families.hat(2, 4).tolist() == [2, 4, 3, 2, 1]
    assert families.limits[number] == 12 * MIXED.memory
    for k, j in itertools.product(range(len(families.outputs)), range(-2, 125)):
        if j > families.outputs[k] + families.reach:
            continue
        rounds = [(j - 1, 2), (j, 4), (j + 1, 3), (j + 2, 2), (j + 3, 1)]
        inside = [(i, w) for i, w in rounds if 1 <= i <= families.outputs[k]]
        total = sum(w * (families.prompts[k] + i) for i, w in inside)
        assert families.stack[number][families.first[k] - 1 + j] == total
    assert knots([(2, Row(0, 2, 4), 3), (10, Row(0, 4, 4), 5)], 4) == [
        [1, 6], [2, 12], [6, 0], [10, 20], [14, 0],
    ]  # fmt: skip


def test_knots_fill_the_horizon() -> None:
    for last, count in itertools.product((5, 100, 977), (3, 50, 400)):
        grid = grid_of(MIXED, last, count, 0.3, 5)
        times = [0, *grid.times.tolist(), grid.horizon]
        assert grid.left.tolist() == np.diff(times)[:-1].tolist()
        assert grid.right.tolist() == np.diff(times)[1:].tolist()
        assert all(grid.widest % x == 0 for x in (*grid.left.tolist(), *grid.right.tolist()))
        assert last <= grid.times[-1]
        assert len(grid.times) <= 3 * count


def test_heights_are_violated_as_much_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held, to_go = rng.integers(10, 90, 40), rng.integers(0, 30, 40)
    weights = rng.random(40) * 0.3
    violation, heights = best_heights(300, held, to_go, weights, steps_up_to(20), PARAMS)
    low = heights[-1][1]
    assert heights[0][1] > low
    used = coefficients(300, held, to_go, heights) @ weights / (300 * low)
    assert used >= 1 + violation - 0.02  # heights are rounded
    memory = held @ weights / 300
    assert used > memory


@pytest.mark.parametrize("scale", [1, 10, 1_000, 100_000])
def test_requests_that_cannot_overlap_are_proved_at_every_scale(scale: int) -> None:
    two = Instance.from_groups(300 * scale, [(0, 180 * scale, 2)])
    ten = Instance.from_groups(100 * scale, [(0, 100 * scale, 10)])
    for instance, optimum in ((two, 420 * scale), (ten, 5_500 * scale)):
        plan = [*PLAN[:2], Step(GridRelaxation())]
        result = solve(instance, 60, plan=plan)
        assert result.certified_lower_bound == result.objective == optimum
        found = checker().bound(instance.memory, types_of(instance), result.certified.proof)
        assert found == optimum


def test_bounds_at_exact_times_are_those_of_the_checker() -> None:
    for number in range(20):
        instance = generate_random("tiny", 82, number)
        optimum = solve_by_state_graph(instance).objective
        found = piecewise_bound(instance, instance.total_output, PARAMS, Stopping(60))
        assert found is not None
        value = checker().bound(instance.memory, types_of(instance), found.proof)
        assert value == found.value <= optimum


def test_it_stops() -> None:
    result = run_alone(GridRelaxation(), MIXED, solve(MIXED, 0).starts, Stopping(0))
    assert result.lower_bound == 0
    program = program_of(MIXED, 12)
    assert not program.solve(Stopping(0))
    assert separate(program, 0, Stopping(0)) == 0


def test_compiled_and_plain_costs_agree() -> None:
    program = program_of(MIXED, 5)
    list(raised(program, Stopping(60)))
    prices = np.random.default_rng(6).random(len(program.rows))
    found = []
    for functions in (GRID_KERNEL.plain, GRID_KERNEL.compiled()):
        program.functions = program.exact.functions = functions
        program.bound = -(10**18)
        program.prove(prices)
        found.append(
            (program.bound, program.proof, *map(np.ndarray.tolist, program.cheapest(prices)))
        )
    assert found[0][:2] == found[1][:2]
    assert found[0][3] == found[1][3]


def test_clusters_stand_for_many_types() -> None:
    rng = random.Random(7)
    lengths = [(rng.randint(0, 40), rng.randint(1, 80)) for _ in range(60)]
    many = Instance(300, *zip(*lengths, strict=True))
    few = clustered(many, 10)
    assert len(few.types()) <= 10
    assert len(few) == len(many)
    assert few.memory == many.memory
    assert abs(few.total_output - many.total_output) <= len(many)
    assert clustered(many, 60) is many
    values = {}
    for most in (10, 60):
        program = program_of(many, 40, most_types=most, clusters=most)
        values[most], content = list(raised(program, Stopping(60)))[-1]
        assert checker().bound(many.memory, types_of(many), content) == values[most]
    assert values[10] > 0.97 * values[60]


def test_large_sums_stay_exact() -> None:
    """Prices so large that duals keep few bits: the bound is poor, but that of the checker."""
    program = program_of(MIXED, 12)
    program.add_rows([(program.families.kind(Row(0, 1, 1)), 5)])
    program.bound = -(10**40)
    program.prove(np.array([1e15]))
    assert checker().bound(MIXED.memory, types_of(MIXED), program.proof) == program.bound


def test_the_stage_is_left_out_where_it_would_not_fit() -> None:
    few = dataclasses.replace(PARAMS, most_knots=100)
    none = SolverParams(grid_program=dataclasses.replace(few, most_places=0))
    starts = solve(MIXED, 0).starts
    result = run_alone(GridRelaxation(), MIXED, starts, Stopping(60), none)
    usual = run_alone(GridRelaxation(), MIXED, starts, Stopping(60), SolverParams(grid_program=few))
    assert 0 < result.lower_bound < usual.lower_bound


def test_many_types_have_no_bound_at_exact_times() -> None:
    few = dataclasses.replace(PARAMS, piecewise_columns=0)
    instance = generate_random("tiny", 82, 0)
    assert piecewise_bound(instance, 1_000, few, Stopping(60)) is None
    assert piecewise_bound(instance, 1_000, PARAMS, Stopping(60)) is not None


def test_proofs_that_take_the_checker_too_long_are_left_out() -> None:
    params = SolverParams(grid_program=dataclasses.replace(PARAMS, checked_steps=0, most_knots=100))
    starts = solve(MIXED, 0).starts
    result = run_alone(GridRelaxation(), MIXED, starts, Stopping(60), params)
    assert result.lower_bound > result.certified_lower_bound > 0
    assert result.rule == "grid-program"


def test_it_ends_where_it_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = []
    monkeypatch.setattr(cutting_planes, "tightened", lambda *given: turns.append(given) or [])
    params = SolverParams(grid_program=dataclasses.replace(PARAMS, first_knots=40, most_knots=80))
    proved = 0
    for part, certify, programs in (
        (0, False, 2),
        (1.01, False, 2),
        (1.05, False, 1),
        (1.05, True, 2),
    ):
        state = Incumbent(MIXED, params, certify=certify)
        state.offer(solve(MIXED, 0).starts)
        state.prove(Bound(int(part * proved), "grid-program"))  # without a certificate
        turns.clear()
        GridRelaxation().run(state, Stopping(60))
        proved = proved or state.bound.value
        assert len(turns) == programs
