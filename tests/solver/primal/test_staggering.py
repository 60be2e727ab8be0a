"""Staggering: feasible, never worse, spacings kept to, the same uncompiled, better for copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import check_never_worse, check_same_steps
from strategies import feasible_starts, instances

from kvopt import Instance, Schedule, Stopping, violations
from kvopt.generate import generate_random
from kvopt.model.memory_profile import LiveProfile
from kvopt.solver.params import SolverParams, StaggeringParams
from kvopt.solver.primal.annealing import search_of
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.primal.moves import FAR, Loaded, lengths_of, load_of
from kvopt.solver.primal.staggering import StaggeredSearch, copies_fit
from kvopt.solver.primal.staggering_kernel import STAGGERING
from kvopt.solver.stage import Incumbent

EVERYWHERE = StaggeringParams(least_requests=2, least_share=0.0)
NOWHERE = StaggeringParams(most_requests=0)


def rounded_chats(requests: int, memory: int) -> Instance:
    """Chats whose outputs are rounded up to powers of two, so that there are few types."""
    chats = generate_random(f"real:requests={requests}:memory={memory}", 0, 0)
    outputs = [1 << (output - 1).bit_length() for output in chats.outputs.tolist()]
    return Instance(memory, chats.prompts.tolist(), outputs)


@settings(max_examples=60, deadline=None)
@given(instances(max_requests=12, max_memory=18, latest_release=30), st.data())
def test_feasible_and_never_worse(instance: Instance, data: st.DataObject) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    search = StaggeredSearch(instance, starts, 0, EVERYWHERE, STAGGERING.compiled())
    check_never_worse(search, instance, 30)


def one_by_one(
    instance: Instance, starts: Any, listed: list[int], spacing: list[int], soonest: list[int]
) -> dict[int, int]:
    """The starts of those listed, by a plain profile of the memory."""
    kind = instance.request_types().index
    profile = LiveProfile(instance.memory)
    for i, request in enumerate(instance):
        if i not in listed:
            profile.add(int(starts[i]), request.prompt, int(starts[i]) + request.output)
    found, first = {}, list(soonest)
    for i in listed:
        request = instance[i]
        low = max(request.release, first[kind[i]])
        start = profile.earliest_start(request.prompt, request.output, low)
        profile.add(start, request.prompt, start + request.output)
        found[i] = start
        first[kind[i]] = start + spacing[kind[i]]
    return found


@settings(max_examples=80, deadline=None)
@given(instances(max_requests=9, max_memory=18, latest_release=15), st.data())
def test_each_is_placed_as_early_as_it_fits_and_its_spacing_permits(
    instance: Instance, data: st.DataObject
) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    n, kinds = len(instance), len(instance.request_types())
    listed = data.draw(st.lists(st.integers(0, n - 1), min_size=1, unique=True))
    spacing = data.draw(st.lists(st.integers(0, 6), min_size=kinds, max_size=kinds))
    soonest = data.draw(st.lists(st.integers(0, 20), min_size=kinds, max_size=kinds))
    expected = one_by_one(instance, starts, listed, spacing, soonest)
    # Copies wait for each other, and whoever waits finds room after all who have been placed.
    horizon = int((starts + instance.outputs).max()) + 20 + 6 * n + instance.total_output
    load = load_of(instance, starts, horizon + int(instance.outputs.max()) + 2)
    before = load.copy()
    last = max(start + instance[i].output for i, start in expected.items())
    total = sum(expected.values())
    for allowed, latest in (
        (total, horizon),
        (total, last),
        (total - 1, horizon),
        (total, last - 1),
    ):
        trial = Loaded(starts.copy(), load.copy(), horizon)
        cost, work = STAGGERING.compiled().place_staggered(
            lengths_of(instance),
            Loaded(starts, load, latest),
            trial,
            np.array(listed),
            np.array(instance.request_types().index),
            np.array(spacing),
            np.array(soonest),
            allowed,
        )
        assert work > 0
        assert cost == (total if allowed == total and latest >= last else FAR)
        if cost < FAR:
            assert {i: int(trial.start[i]) for i in listed} == expected
    assert (load == before).all()


def test_no_start_beyond_the_rounds_that_there_is_room_for() -> None:
    instance = Instance(4, [1, 1, 1], [3, 3, 3])
    starts = np.array([0, 3, 6])
    load = load_of(instance, starts, 20)
    cost, _ = STAGGERING.compiled().place_staggered(
        lengths_of(instance),
        Loaded(starts, load, 15),
        Loaded(starts.copy(), load.copy(), 15),
        np.array([0, 1, 2]),
        np.zeros(3, dtype=np.int64),
        np.array([10**15]),
        np.array([0]),
        FAR - 1,
    )
    assert cost == FAR


def test_compiled_and_uncompiled_take_the_same_steps() -> None:
    instance = generate_random("model1:requests=25", 0, 2)
    listed = best_list_schedule(instance)
    plain, compiled = (
        StaggeredSearch(instance, listed, 3, EVERYWHERE, functions)
        for functions in (STAGGERING.plain, STAGGERING.compiled())
    )
    check_same_steps(plain, compiled, 20)


@pytest.mark.parametrize(
    ("instance", "fits"),
    [
        (rounded_chats(100, 4096), True),
        (rounded_chats(99, 4096), False),
        (generate_random("real:requests=200:memory=4096", 0, 0), False),  # hardly two are alike
        (generate_random("real:requests=1000:memory=8192", 0, 0), False),  # few copies of many
        (generate_random("real:kind=capped:requests=200:memory=4096", 0, 0), True),
    ],
)
def test_it_is_for_many_requests_of_few_types(instance: Instance, fits: bool) -> None:
    assert copies_fit(instance, StaggeringParams()) == fits


def test_better_than_without_by_the_same_work() -> None:
    instance = rounded_chats(150, 4096)
    cost = {}
    for params in (StaggeringParams(), NOWHERE):
        state = Incumbent(instance, SolverParams(staggering=params))
        state.offer(best_list_schedule(instance))
        search = search_of(state, Stopping())
        while search.work < 1_500_000_000:
            search.chain()
        starts = search.best_starts()
        assert not violations(Schedule.from_starts(instance, starts))
        cost[params] = int(starts.sum()) + instance.total_output
    assert cost[StaggeringParams()] < 0.99 * cost[NOWHERE]
