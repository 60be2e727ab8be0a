"""Annealing of windows: feasible, never worse, reproducible, the same compiled or not."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import check_same_steps
from strategies import feasible_starts, instances

from kvopt import Instance, Schedule, violations
from kvopt.generate import generate_random
from kvopt.model.memory_profile import LiveProfile
from kvopt.solver.params import SolverParams, WindowParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.primal.moves import lengths_of
from kvopt.solver.primal.window_annealing import WindowSearch, windows_fit
from kvopt.solver.primal.window_kernel import WINDOWS, Placed, Scratch, Stretch
from kvopt.solver.solve import solve

SMALL = WindowParams(
    sweep_moves=10, polish_moves=10, least_width=2, most_width=4, width=3, ahead=4, tail=2
)


@settings(max_examples=60, deadline=None)
@given(instances(max_requests=12, max_memory=18), st.data())
def test_feasible_and_never_worse(instance: Instance, data: st.DataObject) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    if len(instance) < 2:
        return
    params = dataclasses.replace(
        SMALL,
        reach=data.draw(st.sampled_from([3, 100])),
        completed_requests=data.draw(st.sampled_from([1, 100])),
        swept_requests=data.draw(st.integers(0, 12)),
    )
    search = WindowSearch(instance, starts, 0, params, WINDOWS.compiled())
    for _ in range(40):
        search.chain()
    best = search.best_starts()
    assert not violations(Schedule.from_starts(instance, best))
    assert best.sum() <= starts.sum()


@pytest.mark.parametrize("spec", ["real:requests=80", "real:kind=code:requests=70"])
def test_better_than_the_best_list(spec: str) -> None:
    instance = generate_random(spec, 0, 1)
    listed = best_list_schedule(instance)
    params = dataclasses.replace(WindowParams(), sweep_moves=50)
    search = WindowSearch(instance, listed, 0, params, WINDOWS.compiled())
    found = [search.chain() for _ in range(80)]
    assert any(found)
    best = search.best_starts()
    assert not violations(Schedule.from_starts(instance, best))
    assert best.sum() < listed.sum()


@pytest.mark.parametrize("swept", [0, 100])
def test_compiled_and_uncompiled_take_the_same_steps(swept: int) -> None:
    instance = generate_random("model1:requests=40", 0, 2)
    listed = best_list_schedule(instance)
    params = dataclasses.replace(SMALL, swept_requests=swept, completed_requests=20)
    plain, compiled = (
        WindowSearch(instance, listed, 3, params, functions)
        for functions in (WINDOWS.plain, WINDOWS.compiled())
    )
    check_same_steps(plain, compiled, 25)


def test_same_seed_same_result() -> None:
    instance = generate_random("real:requests=70", 0, 3)
    listed = best_list_schedule(instance)

    def found(seed: int) -> Any:
        search = WindowSearch(instance, listed, seed, SMALL, WINDOWS.compiled())
        for _ in range(150):
            search.chain()
        return search.best_starts()

    assert (found(1) == found(1)).all()
    assert (found(1) != found(2)).any()


@settings(max_examples=60, deadline=None)
@given(instances(max_requests=12, max_memory=18), st.randoms(use_true_random=False))
def test_places_as_early_as_a_list_schedule(instance: Instance, random: Any) -> None:
    """The kernel's earliest start is that of the profile that policies use."""
    n = len(instance)
    order = list(range(n))
    random.shuffle(order)
    rounds = 4 * instance.total_output + 8
    placed = Placed(*(np.zeros(n + 1, dtype=np.int64) for _ in Placed._fields))
    placed.order[:n] = order
    scratch = Scratch(np.arange(rounds), *(np.zeros(n + 1, dtype=np.int64) for _ in range(7)))
    cost = WINDOWS.plain.complete(
        lengths_of(instance), placed, np.arange(rounds), scratch, Stretch(0, 0, n, 0, 2), True
    )
    profile = LiveProfile(instance.memory)
    for k, i in enumerate(order):
        request = instance[i]
        start = profile.earliest_start(request.prompt, request.output, 0)
        profile.add(start, request.prompt, start + request.output)
        assert placed.start[k] == start
    assert cost == placed.start[:n].sum()


def test_what_does_not_fit_into_the_rounds_is_left_alone() -> None:
    instance = generate_random("real:requests=70:memory=1200", 0, 0)
    listed = best_list_schedule(instance)
    assert windows_fit(instance, listed, WindowParams())
    assert not windows_fit(instance, listed, WindowParams(most_rounds=1000))
    assert not windows_fit(instance, listed, WindowParams(least_requests=71))
    params = SolverParams(windows=WindowParams(most_rounds=1000))
    assert solve(instance, 0.2, params=params).objective > 0


def test_goes_on_from_a_better_schedule() -> None:
    instance = generate_random("real:requests=70", 0, 3)
    listed = best_list_schedule(instance)
    search = WindowSearch(instance, listed, 0, WindowParams(), WINDOWS.compiled())
    assert not search.take(listed)
    while not search.chain():
        pass
    other = WindowSearch(instance, listed, 1, WindowParams(), WINDOWS.compiled())
    assert other.take(search.best_starts())
    assert (other.best_starts() == search.best_starts()).all()
