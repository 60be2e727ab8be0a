"""Paces: feasible, never worse, kept to, the same uncompiled, and better where many are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import feasible_starts, instances

from kvopt import Instance, Schedule, Stopping, violations
from kvopt.generate import generate_random
from kvopt.model.memory_profile import LiveProfile
from kvopt.solver.params import PacingParams, SolverParams
from kvopt.solver.primal.annealing import search_of
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.primal.moves import lengths_of
from kvopt.solver.primal.neighbourhoods import load_of
from kvopt.solver.primal.pacing import PacedSearch, paces_fit
from kvopt.solver.primal.pacing_kernel import FAR, PACING, Paced, Scratch
from kvopt.solver.stage import Incumbent

EVERYWHERE = PacingParams(least_requests=2, least_share=0.0)
NOWHERE = PacingParams(most_requests=0)


def rounded_chats(requests: int, memory: int) -> Instance:
    """Chats whose outputs are rounded up to powers of two, so that there are few types."""
    chats = generate_random(f"real:requests={requests}:memory={memory}", 0, 0)
    outputs = [1 << (output - 1).bit_length() for output in chats.outputs.tolist()]
    return Instance(memory, chats.prompts.tolist(), outputs)


@settings(max_examples=60, deadline=None)
@given(instances(max_requests=12, max_memory=18, latest_release=30), st.data())
def test_feasible_and_never_worse(instance: Instance, data: st.DataObject) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    search = PacedSearch(instance, starts, 0, EVERYWHERE, PACING.compiled())
    cost = int(starts.sum())
    for _ in range(30):
        better = search.chain()
        now = int(search.best_starts().sum())
        assert now < cost if better else now == cost
        assert not violations(Schedule.from_starts(instance, search.best_starts()))
        cost = now


def one_by_one(
    instance: Instance, starts: Any, listed: list[int], pace: list[int], soonest: list[int]
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
        first[kind[i]] = start + pace[kind[i]]
    return found


@settings(max_examples=80, deadline=None)
@given(instances(max_requests=9, max_memory=18, latest_release=15), st.data())
def test_each_is_placed_as_early_as_it_fits_and_its_pace_permits(
    instance: Instance, data: st.DataObject
) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    n, kinds = len(instance), len(instance.request_types())
    listed = data.draw(st.lists(st.integers(0, n - 1), min_size=1, unique=True))
    pace = data.draw(st.lists(st.integers(0, 6), min_size=kinds, max_size=kinds))
    soonest = data.draw(st.lists(st.integers(0, 20), min_size=kinds, max_size=kinds))
    expected = one_by_one(instance, starts, listed, pace, soonest)
    end = int((starts + instance.outputs).max())
    rounds = end + 20 + 6 * n + 3 * instance.total_output + 2
    load = load_of(instance, starts, rounds)
    paced = Paced(starts, load, end)
    total = sum(expected.values())
    for allowed in (total, total - 1):
        scratch = Scratch(starts.copy(), load.copy())
        cost, work = PACING.compiled().place_paced(
            lengths_of(instance),
            paced,
            scratch,
            np.array(listed),
            np.array(instance.request_types().index),
            np.array(pace),
            np.array(soonest),
            allowed,
        )
        assert work > 0
        assert cost == (total if allowed == total else FAR)
        if cost < FAR:
            assert {i: int(scratch.start[i]) for i in listed} == expected
    assert (paced.load == load_of(instance, starts, rounds)).all()


def test_no_start_beyond_the_rounds_that_there_is_room_for() -> None:
    instance = Instance(4, [1, 1, 1], [3, 3, 3])
    starts = np.array([0, 3, 6])
    load = load_of(instance, starts, 20)
    cost, _ = PACING.compiled().place_paced(
        lengths_of(instance),
        Paced(starts, load, 9),
        Scratch(starts.copy(), load.copy()),
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
        PacedSearch(instance, listed, 3, EVERYWHERE, functions)
        for functions in (PACING.plain, PACING.compiled())
    )
    for _ in range(20):
        assert plain.chain() == compiled.chain()
        assert (plain.best_starts() == compiled.best_starts()).all()
    assert plain.work == compiled.work


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
def test_paces_are_for_many_requests_of_few_types(instance: Instance, fits: bool) -> None:
    assert paces_fit(instance, PacingParams()) == fits


def test_better_than_without_paces_by_the_same_work() -> None:
    instance = rounded_chats(150, 4096)
    cost = {}
    for params in (PacingParams(), NOWHERE):
        state = Incumbent(instance, SolverParams(pacing=params))
        state.offer(best_list_schedule(instance))
        search = search_of(state, Stopping())
        while search.work < 1_500_000_000:
            search.chain()
        starts = search.best_starts()
        assert not violations(Schedule.from_starts(instance, starts))
        cost[params] = int(starts.sum()) + instance.total_output
    assert cost[PacingParams()] < 0.99 * cost[NOWHERE]
