"""The compiled search, the same source uncompiled, and the other solvers find the same."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import kvopt.solver.state_search.compiled as kernel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kvopt.solver.state_search.compiled import (
    PLAIN,
    Functions,
    compiled,
    optima,
    optimum,
    solve_by_kernel,
)
from oracles import optimum as oracle
from strategies import feasible_starts, instances

from kvopt import InputError, Instance, SolverError, Status, Stopping, solve, violations
from kvopt.generate import generate_random
from kvopt.solver.compiling import has_numba
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.state_search.reference import solve_by_search

needs_numba = pytest.mark.skipif(not has_numba(), reason="numba is not installed")
WAYS = [pytest.param(False, id="plain"), pytest.param(True, id="compiled", marks=needs_numba)]


def functions(fast: bool) -> Functions:
    found = compiled() if fast else PLAIN
    assert found is not None
    return found


def problem(instance: Instance) -> kernel.Problem:
    return instance.memory, instance.prompts.tolist(), instance.outputs.tolist()


def late(instance: Instance) -> np.ndarray:
    """One after another, in request order: about the worst schedule there is."""
    return np.cumsum(instance.outputs) - instance.outputs


@needs_numba
def test_compiled_search_agrees_with_brute_force_and_the_plain_search() -> None:
    tiny = [generate_random("tiny", seed=9, number=k) for k in range(250)]
    assert optima([problem(i) for i in tiny]) == [
        oracle.optimum(i.memory, list(zip(i.prompts.tolist(), i.outputs.tolist(), strict=True)))
        for i in tiny
    ]
    for number in range(30):
        instance = generate_random("small", seed=9, number=number)
        known = best_list_schedule(instance)
        result = solve_by_kernel(instance, late(instance), Stopping(60))
        assert result.status is Status.OPTIMAL
        assert violations(result.schedule) == []
        plain = solve_by_search(instance, known, Stopping(60), state_limit=300)
        assert plain.lower_bound <= result.objective <= plain.objective


@needs_numba
@settings(max_examples=150, deadline=None)
@given(instances(max_requests=8, max_memory=16))
def test_compiled_search_is_optimal_on_any_instance(instance: Instance) -> None:
    result = solve_by_kernel(instance, late(instance), Stopping(60))
    plain = solve_by_search(instance, best_list_schedule(instance), Stopping(60))
    assert (result.status, result.objective) == (Status.OPTIMAL, plain.objective)
    assert violations(result.schedule) == []


@settings(max_examples=40, deadline=None)
@given(instances(max_requests=5, max_memory=9))
def test_uncompiled_source_is_optimal_too(instance: Instance) -> None:
    rows = list(zip(instance.prompts.tolist(), instance.outputs.tolist(), strict=True))
    best = oracle.optimum(instance.memory, rows)
    assert optima([problem(instance)], PLAIN) == [best]
    result = solve_by_kernel(instance, late(instance), Stopping(), functions=PLAIN)
    assert (result.objective, result.lower_bound) == (best, best)


@needs_numba
def test_compiled_and_uncompiled_take_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same states, bounds and schedules, with and without prices."""
    fast = functions(True)
    rng = random.Random(4)
    for _ in range(4):
        memory = rng.randint(10, 14)
        outputs = np.array([rng.randint(1, memory - 2) for _ in range(7)])
        prompts = np.array([rng.randint(0, 2) for _ in range(7)])
        found = []
        for way in (PLAIN, fast):
            kinds = way.make_kinds(memory, prompts, outputs)
            prices = kernel.make_prices(len(kinds.counts), int(outputs.sum()))
            pool = kernel._make_pool(kernel.WIDE * 60, len(kinds.tops))
            starts = np.zeros(7, dtype=np.int64)
            value = way.find_prices(kinds, prices, 100, 40)
            base, ceiling = way.beam(kinds, prices, pool, 4, 300, starts)
            numbers = np.array([1, base, base + 20, -1, base, 0])
            way.start_pool(pool, kinds)
            rivals = np.full(int(pool.key[0]) + 1, -1, dtype=np.int32)
            buckets = np.full(20, -1, dtype=np.int32)
            buckets[0] = 0
            code = way.best_first(kinds, prices, pool, rivals, buckets, numbers, 400)
            arrays = [*kinds, *prices, *pool, starts, rivals, buckets, numbers]
            found.append(([int(value), int(base), int(ceiling), int(code)], arrays))
        (values, arrays), (other_values, other_arrays) = found
        assert values == other_values
        for one, other in zip(arrays, other_arrays, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("fast", WAYS)
def test_brackets_hold_wherever_it_stops(fast: bool) -> None:
    way = functions(fast)

    @settings(max_examples=60 if fast else 10, deadline=None)
    @given(instances(max_requests=8 if fast else 5, max_memory=16 if fast else 9), st.data())
    def check(instance: Instance, data: st.DataObject) -> None:
        best = optima([problem(instance)], way)[0]
        start = np.array(data.draw(feasible_starts(instance)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "QUICK_CHILDREN", data.draw(st.integers(0, 20)))
            patch.setattr(kernel, "WORK_A_STEP", data.draw(st.integers(1, 50_000)))
            patch.setattr(kernel, "WIDE", data.draw(st.integers(1, 30)))
            patch.setattr(kernel, "PRICE_STEPS", data.draw(st.sampled_from([0, 1, 30])))
            size = data.draw(st.integers(0, 3_000))
            stopped = solve_by_kernel(instance, start, Stopping(), size, way)
        assert stopped.lower_bound <= best <= stopped.objective
        assert violations(stopped.schedule) == []

    check()


@needs_numba
def test_an_interrupt_stops_the_search() -> None:
    instance = Instance(60, [1] * 20, list(range(5, 45, 2)))

    class Interrupted(Stopping):
        """A budget that is interrupted the fifth time somebody asks."""

        asked = 0

        @property
        def interrupted(self) -> bool:
            self.asked += 1
            return self.asked > 5

    result = solve_by_kernel(instance, best_list_schedule(instance), Interrupted())
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
    assert not kernel.accepts(instance)
    with pytest.raises(InputError, match="beyond the limits of the compiled search"):
        solve_by_kernel(instance, late(instance), Stopping())
    with pytest.raises(InputError, match="beyond the limits of the compiled search"):
        optimum(memory, prompts, outputs)


@needs_numba
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
    assert kernel.accepts(instance)
    known = best_list_schedule(instance)
    result = solve_by_kernel(instance, known, Stopping(2))
    assert 0 < result.lower_bound <= result.objective <= int(known.sum()) + instance.total_output


def test_bad_instances_are_named() -> None:
    assert optima([]) == []
    for bad in [(5, [1], [9]), (5, [1], [0]), (5, [], []), (5, [1, 1], [1]), (5, [-1], [2])]:
        with pytest.raises(InputError):
            optima([(5, [1], [2]), bad], PLAIN)


def test_a_known_schedule_must_be_feasible() -> None:
    with pytest.raises(SolverError, match="exceeds memory"):
        solve_by_kernel(Instance(4, [1, 1], [3, 3]), np.zeros(2, int), Stopping(), functions=PLAIN)


@needs_numba
def test_it_works_where_nothing_can_be_kept_on_disk(tmp_path: Path) -> None:
    """numba then has no place for its cache, and must not stop anybody."""
    code = (
        "import kvopt.solver.state_search.compiled as k, numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "k.KERNEL = k.KERNEL[:1]\n"
        "k.Functions = type('F', (k.Functions,), {'_fields': ()})\n"
        "try:\n    k._compile(True)\nexcept RuntimeError as e:\n    print('no place')\n"
        "calls = []\n"
        "k._compile = lambda cache: calls.append(cache) or (1 / 0 if cache else 'fine')\n"
        "print(k.compiled(), calls)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(kernel.__file__).parents[2])}
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    assert out.splitlines() == ["no place", "fine [True, False]"]


def test_without_numba_the_plain_search_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvopt.solver.solve.has_numba", lambda: False)
    instance = generate_random("small", seed=1, number=1)
    assert solve(instance, 60).status is Status.OPTIMAL


def test_a_tiny_instance_does_not_load_numba() -> None:
    code = (
        "import sys, kvopt\n"
        "kvopt.solve(kvopt.Instance(7, [1] * 4, [2, 2, 4, 4]), 60)\n"
        "print('numba' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(kernel.__file__).parents[2])}
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    assert out.strip() == "False"
