"""The compiled search, the same source uncompiled, and the other solvers find the same."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import optimum as oracle
from strategies import feasible_starts, instances

import kvopt
from kvopt import InputError, Instance, SolverError, Status, Stopping, violations
from kvopt.generate import generate_random
from kvopt.solver.params import StateSearchParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.state_search.best_first import make_frontier
from kvopt.solver.state_search.duals import Ascent, make_duals
from kvopt.solver.state_search.kernel import STATE_SEARCH, Functions
from kvopt.solver.state_search.many import Problem, optima, optimum
from kvopt.solver.state_search.packed_states import make_workspace
from kvopt.solver.state_search.pool import make_pool
from kvopt.solver.state_search.problem import accepts
from kvopt.solver.state_search.reference import solve_by_search
from kvopt.solver.state_search.stage import solve_by_state_search

PLAIN = STATE_SEARCH.plain


def functions(fast: bool) -> Functions:
    return STATE_SEARCH.compiled() if fast else PLAIN


def problem(instance: Instance) -> Problem:
    return instance.memory, instance.prompts.tolist(), instance.outputs.tolist()


def late(instance: Instance) -> np.ndarray:
    """One after another, in request order: about the worst schedule there is."""
    return np.cumsum(instance.outputs) - instance.outputs


def test_compiled_search_agrees_with_brute_force_and_the_plain_search() -> None:
    tiny = [generate_random("tiny", seed=9, number=k) for k in range(250)]
    assert optima([problem(i) for i in tiny]) == [
        oracle.optimum(i.memory, list(zip(i.prompts.tolist(), i.outputs.tolist(), strict=True)))
        for i in tiny
    ]
    for number in range(30):
        instance = generate_random("small", seed=9, number=number)
        known = best_list_schedule(instance)
        result = solve_by_state_search(instance, late(instance), Stopping(60))
        assert result.status is Status.OPTIMAL
        assert violations(result.schedule) == []
        plain = solve_by_search(instance, known, Stopping(60), state_limit=300)
        assert plain.lower_bound <= result.objective <= plain.objective


@settings(max_examples=150, deadline=None)
@given(instances(max_requests=8, max_memory=16))
def test_compiled_search_is_optimal_on_any_instance(instance: Instance) -> None:
    result = solve_by_state_search(instance, late(instance), Stopping(60))
    plain = solve_by_search(instance, best_list_schedule(instance), Stopping(60))
    assert (result.status, result.objective) == (Status.OPTIMAL, plain.objective)
    assert violations(result.schedule) == []


@settings(max_examples=40, deadline=None)
@given(instances(max_requests=5, max_memory=9))
def test_uncompiled_source_is_optimal_too(instance: Instance) -> None:
    rows = list(zip(instance.prompts.tolist(), instance.outputs.tolist(), strict=True))
    best = oracle.optimum(instance.memory, rows)
    assert optima([problem(instance)], PLAIN) == [best]
    result = solve_by_state_search(instance, late(instance), Stopping(), functions=PLAIN)
    assert (result.objective, result.lower_bound) == (best, best)


def test_compiled_and_uncompiled_take_the_same_steps() -> None:
    """Same states, bounds and schedules, with duals."""
    rng = random.Random(4)
    for _ in range(4):
        memory = rng.randint(10, 14)
        outputs = np.array([rng.randint(1, memory - 2) for _ in range(7)])
        prompts = np.array([rng.randint(0, 2) for _ in range(7)])
        found = []
        for one in (PLAIN, STATE_SEARCH.compiled()):
            problem = one.make_problem(memory, prompts, outputs)
            duals = make_duals(len(problem.counts), int(outputs.sum()))
            pool = make_pool(3000, len(problem.tops))
            starts = np.zeros(7, dtype=np.int64)
            value = one.find_duals(problem, duals, 100, Ascent(40, 256, 20, 10))
            base, cutoff = one.beam(problem, duals, pool, 4, 300, starts)
            one.start_pool(pool, problem)
            frontier = make_frontier(pool, base, base + 20)
            work = make_workspace(problem)
            code = one.best_first(problem, duals, pool, frontier, work, 400)
            arrays = [*problem, *duals, *pool, *frontier, *work, starts]
            found.append(([int(value), int(base), int(cutoff), int(code)], arrays))
        (values, arrays), (other_values, other_arrays) = found
        assert values == other_values
        for one, other in zip(arrays, other_arrays, strict=True):
            np.testing.assert_array_equal(one, other)


def test_each_function_is_compiled_once() -> None:
    """No call comes with other types than the warm-up: that would be compiled within the limit."""
    instance = generate_random("small", seed=3, number=5)
    solve_by_state_search(instance, late(instance), Stopping(60))
    optima([problem(instance)], cutoffs=[10])
    for function in STATE_SEARCH.compiled():
        assert len(function.signatures) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "compiled"])
def test_brackets_hold_wherever_it_stops(fast: bool) -> None:
    way = functions(fast)

    @settings(max_examples=60 if fast else 10, deadline=None)
    @given(instances(max_requests=8 if fast else 5, max_memory=16 if fast else 9), st.data())
    def check(instance: Instance, data: st.DataObject) -> None:
        best = optima([problem(instance)], way)[0]
        start = np.array(data.draw(feasible_starts(instance)))
        params = StateSearchParams(
            first_children=data.draw(st.integers(0, 20)),
            rounds_between_looks=data.draw(st.integers(0, 50_000)),
            beam_width=data.draw(st.integers(0, 10)),
            wide_beam_width=data.draw(st.integers(0, 30)),
            dual_steps=data.draw(st.sampled_from([0, 1, 30])),
            dual_step_length=data.draw(st.sampled_from([0, 256, 1 << 50])),
            dual_share=data.draw(st.sampled_from([0, 10, 1 << 50])),
            state_bytes=data.draw(st.integers(0, 3_000)),
        )
        stopped = solve_by_state_search(instance, start, Stopping(), params, way)
        assert stopped.lower_bound <= best <= stopped.objective
        assert violations(stopped.schedule) == []

    check()


def test_an_interrupt_stops_the_search() -> None:
    instance = Instance(60, [1] * 20, list(range(5, 45, 2)))

    class Interrupted(Stopping):
        """A budget that is interrupted the fifth time somebody asks."""

        asked = 0

        @property
        def interrupted(self) -> bool:
            self.asked += 1
            return self.asked > 5

    result = solve_by_state_search(instance, best_list_schedule(instance), Interrupted())
    assert result.status is Status.BRACKET
    assert result.seconds < 20


@pytest.mark.parametrize(
    ("memory", "prompts", "outputs"),
    [
        (4096, [0], [1]),
        (10, [0] * 64, [1] * 64),
        (4000, [0] * 9, [3700] * 9),
        (100, [0] * 21, list(range(1, 22))),
    ],
)
def test_what_is_too_large_is_refused(memory: int, prompts: list[int], outputs: list[int]) -> None:
    instance = Instance(memory, prompts, outputs)
    assert not accepts(instance)
    with pytest.raises(InputError, match="beyond the limits of the compiled search"):
        solve_by_state_search(instance, late(instance), Stopping())
    with pytest.raises(InputError, match="beyond the limits of the compiled search"):
        optimum(memory, prompts, outputs)


@pytest.mark.parametrize(
    ("memory", "prompts", "outputs"),
    [
        (4095, [0, 0], [4095, 1]),
        (10, [0] * 63, [1] * 63),
        (4095, [0] * 8, [4095] * 8),
        (4095, [2000, 1000, 0], [2095, 3000, 4000]),
        (1, [0] * 20, [1] * 20),
    ],
)
def test_the_largest_accepted_do_not_overflow(
    memory: int, prompts: list[int], outputs: list[int]
) -> None:
    instance = Instance(memory, prompts, outputs)
    assert accepts(instance)
    known = best_list_schedule(instance)
    result = solve_by_state_search(instance, known, Stopping(2))
    assert 0 < result.lower_bound <= result.objective <= int(known.sum()) + instance.total_output


def test_bad_instances_are_named() -> None:
    assert optima([]) == []
    for bad in [(5, [1], [9]), (5, [1], [0]), (5, [], []), (5, [1, 1], [1]), (5, [-1], [2])]:
        with pytest.raises(InputError):
            optima([(5, [1], [2]), bad], PLAIN)


def test_a_known_schedule_must_be_feasible() -> None:
    with pytest.raises(SolverError, match="exceeds memory"):
        solve_by_state_search(
            Instance(4, [1, 1], [3, 3]), np.zeros(2, int), Stopping(), functions=PLAIN
        )


def test_a_tiny_instance_does_not_load_numba() -> None:
    code = (
        "import sys, kvopt\n"
        "kvopt.solve(kvopt.Instance(7, [1] * 4, [2, 2, 4, 4]), 60)\n"
        "print('numba' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(kvopt.__file__).parents[1])}
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    assert out.strip() == "False"
