"""Large neighbourhoods: feasible, never worse, the best of all orders, the same uncompiled."""

from __future__ import annotations

import itertools
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import check_never_worse, check_same_steps
from strategies import feasible_starts, instances

from kvopt import Instance, Schedule, Stopping, solve, violations
from kvopt.generate import generate_random
from kvopt.model.errors import InputError
from kvopt.model.memory_profile import LiveProfile
from kvopt.solver.params import NeighbourhoodParams, SolverParams, WindowParams
from kvopt.solver.primal.annealing import (
    SWITCH_INTERVAL,
    Annealing,
    search_of,
    searching_beside,
)
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.primal.moves import Loaded, lengths_of, load_of
from kvopt.solver.primal.neighbourhood_kernel import NEIGHBOURHOODS, tree_for
from kvopt.solver.primal.neighbourhoods import NeighbourhoodSearch
from kvopt.solver.primal.window_annealing import WindowSearch
from kvopt.solver.primal.window_kernel import WINDOWS
from kvopt.solver.stage import Incumbent

SMALL = NeighbourhoodParams(smallest=1, largest=4, span=3, long_span=5, times=4)


def loaded(instance: Instance, starts: Any) -> Loaded:
    """A schedule with its load, and some room."""
    rounds = int((starts + instance.outputs).max()) + 2 * instance.total_output + 2
    horizon = rounds - int(instance.outputs.max()) - 2
    return Loaded(np.array(starts), load_of(instance, starts, rounds), horizon)


@given(instances(max_requests=12, max_memory=18), st.data())
def test_the_load_is_the_memory_in_use_and_the_number_of_the_round(
    instance: Instance, data: st.DataObject
) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    rounds = int((starts + instance.outputs).max()) + 3
    expected = list(range(rounds))
    for request, start in zip(instance, starts.tolist(), strict=True):
        for age in range(1, request.output + 1):
            expected[start + age] += request.prompt + age
    assert load_of(instance, starts, rounds).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(instances(max_requests=12, max_memory=18, latest_release=30), st.data())
def test_feasible_and_never_worse(instance: Instance, data: st.DataObject) -> None:
    starts = np.array(data.draw(feasible_starts(instance)))
    search = NeighbourhoodSearch(instance, starts, 0, SMALL, NEIGHBOURHOODS.compiled())
    check_never_worse(search, instance, 30)


def best_order(instance: Instance, starts: Any, members: tuple[int, ...]) -> int:
    """The least sum of starts of the members, over all orders, beside all other requests."""
    best = int(starts[list(members)].sum())
    for order in itertools.permutations(members):
        profile = LiveProfile(instance.memory)
        for i, request in enumerate(instance):
            if i not in members:
                profile.add(int(starts[i]), request.prompt, int(starts[i]) + request.output)
        cost = 0
        for i in order:
            request = instance[i]
            start = profile.earliest_start(request.prompt, request.output, request.release)
            profile.add(start, request.prompt, start + request.output)
            cost += start
        best = min(best, cost)
    return best


@settings(max_examples=80, deadline=None)
@given(instances(max_requests=9, max_memory=18, latest_release=15), st.data())
def test_the_best_of_all_orders_is_found(instance: Instance, data: st.DataObject) -> None:
    """From a schedule in which no request alone can start earlier, as those are that are found."""
    order = data.draw(st.permutations(range(len(instance))))
    starts = placed_one_by_one(instance, order)
    n = len(instance)
    members = tuple(sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=4))))
    expected = best_order(instance, starts, members)
    state = loaded(instance, starts)
    drawn = np.array([[*members, members[0]]])  # one twice, which counts once
    place_anew = NEIGHBOURHOODS.compiled().place_anew
    gain, work = place_anew(lengths_of(instance), state, tree_for(5), drawn, 10_000)
    assert work > 0
    assert int(starts.sum() - state.start.sum()) == gain
    assert int(starts[list(members)].sum()) - gain == expected
    assert not violations(Schedule.from_starts(instance, state.start))
    assert (state.load == load_of(instance, state.start, len(state.load))).all()


def placed_one_by_one(instance: Instance, order: list[int]) -> Any:
    """Place requests as early as they fit, again and again until none can start earlier."""
    profile = LiveProfile(instance.memory)
    starts = np.zeros(len(instance), dtype=np.int64)
    for i in order:
        request = instance[i]
        starts[i] = profile.earliest_start(request.prompt, request.output, request.release)
        profile.add(int(starts[i]), request.prompt, int(starts[i]) + request.output)
    moved = True
    while moved:
        moved = False
        for i, request in enumerate(instance):
            start = int(starts[i])
            profile.remove(start, request.prompt, start + request.output)
            starts[i] = profile.earliest_start(request.prompt, request.output, request.release)
            profile.add(int(starts[i]), request.prompt, int(starts[i]) + request.output)
            moved |= int(starts[i]) < start
    return starts


def test_compiled_and_uncompiled_take_the_same_steps() -> None:
    instance = generate_random("model1:requests=25", 0, 2)
    listed = best_list_schedule(instance)
    plain, compiled = (
        NeighbourhoodSearch(instance, listed, 3, SMALL, functions)
        for functions in (NEIGHBOURHOODS.plain, NEIGHBOURHOODS.compiled())
    )
    check_same_steps(plain, compiled, 40)


def test_a_search_without_nodes_changes_nothing_and_few_nodes_are_kept_to() -> None:
    instance = generate_random("real:requests=40", 0, 2)
    listed = best_list_schedule(instance)
    drawn = np.array([[k, k + 1, k + 2, k + 3] for k in range(36)])
    work = []
    for nodes in (0, 3, 4, 1000):
        state = loaded(instance, listed)
        gain, looked = NEIGHBOURHOODS.compiled().place_anew(
            lengths_of(instance), state, tree_for(4), drawn, nodes
        )
        assert (gain > 0) <= (nodes >= 4)  # three nodes place three of four
        work.append(looked)
    assert work == sorted(work)
    assert len(set(work)) == len(work)


@pytest.mark.parametrize("spec", ["real:requests=80", "real:kind=mixed:requests=90:memory=16384"])
def test_better_than_annealing_alone_by_the_same_work(spec: str) -> None:
    instance = generate_random(spec, 0, 1)
    listed = best_list_schedule(instance)
    alone = WindowSearch(instance, listed, 0, WindowParams(), WINDOWS.compiled())
    state = Incumbent(instance, SolverParams())
    state.offer(listed)
    both = search_of(state, Stopping())
    limit = 400_000_000
    while alone.work < limit:
        alone.chain()
    while both.work < limit:
        both.chain()
    assert not violations(Schedule.from_starts(instance, both.best_starts()))
    assert both.best_starts().sum() < alone.best_starts().sum()


def test_the_searches_go_on_from_each_others_schedules() -> None:
    instance = generate_random("real:requests=70", 0, 3)
    listed = best_list_schedule(instance)
    state = Incumbent(instance, SolverParams())
    state.offer(listed)
    first, second = search_of(state, Stopping(), 0), search_of(state, Stopping(), 1)
    assert not second.take(listed)
    while not first.chain():
        pass
    assert second.take(first.best_starts())
    assert (second.best_starts() == first.best_starts()).all()
    again = search_of(state, Stopping(), 0)
    while not again.chain():
        pass
    assert (again.best_starts() == first.best_starts()).all()
    assert again.work == first.work


def test_jobs_are_searches_that_share_what_they_find() -> None:
    instance = generate_random("real:requests=90", 0, 4)
    state = Incumbent(instance, SolverParams(), jobs=2)
    state.offer(best_list_schedule(instance))
    listed = state.objective
    state.run(Annealing(), Stopping(0.6))
    searches = state.cache["annealing"]
    assert len(searches) == 2
    assert all(search.evaluations > 0 for search in searches)
    assert state.objective < listed
    assert not violations(Schedule.from_starts(instance, state.starts))
    found = min(int(search.best_starts().sum()) for search in searches)
    assert found == int(state.starts.sum())


def test_what_goes_wrong_in_one_job_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random("real:requests=90", 0, 4)
    state = Incumbent(instance, SolverParams(), jobs=2)
    state.offer(best_list_schedule(instance))
    state.run(Annealing(), Stopping(0.1))

    def fail() -> bool:
        raise ValueError("on purpose")

    for number in (0, 1):
        with monkeypatch.context() as patch:
            patch.setattr(state.cache["annealing"][number], "chain", fail)
            with pytest.raises(ValueError, match="on purpose"):
                state.run(Annealing(), Stopping(0.1))
    with pytest.raises(InputError, match="jobs: must be at least 1, got 0"):
        solve(instance, 1, jobs=0)


class Waiting:
    """A stage that does nothing but wait until it may take over what was found beside it."""

    name = "waiting"
    with_releases = False

    def applies(self, state: Incumbent) -> bool:
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        while not stop.over() and state.found_beside.empty():
            time.sleep(0.01)
        state.take_over()


def test_a_job_goes_on_beside_other_stages() -> None:
    instance = generate_random("real:requests=90", 0, 4)
    state = Incumbent(instance, SolverParams(), jobs=2)
    state.offer(best_list_schedule(instance))
    with searching_beside(state, Stopping(60)):  # there is no search yet
        pass
    state.run(Annealing(), Stopping(0.05))
    first, second = state.cache["annealing"]
    before, done = state.objective, first.evaluations
    stop = Stopping(60)
    with searching_beside(state, stop):
        state.run(Waiting(), stop)
        assert state.objective < before
    assert not stop.over()
    assert first.evaluations == done  # only the second went on, and it has ended
    assert state.objective == int(second.best_starts().sum()) + instance.total_output
    assert not violations(Schedule.from_starts(instance, state.starts))


def test_threads_wait_briefly_while_searches_go_on_beside() -> None:
    instance = generate_random("real:requests=90", 0, 4)
    state = Incumbent(instance, SolverParams(), jobs=2)
    state.offer(best_list_schedule(instance))
    state.run(Annealing(), Stopping(0.05))
    usual = sys.getswitchinterval()
    stop = Stopping(60)
    stop.interrupt()
    with searching_beside(state, stop):
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL, abs=1e-6)
        with searching_beside(state, stop):
            pass
        assert sys.getswitchinterval() < usual  # the outer one still goes on
    assert sys.getswitchinterval() == usual


def test_what_goes_wrong_beside_a_stage_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random("real:requests=90", 0, 4)
    state = Incumbent(instance, SolverParams(), jobs=2)
    state.offer(best_list_schedule(instance))
    state.run(Annealing(), Stopping(0.05))

    def fail() -> bool:
        raise ValueError("on purpose")

    monkeypatch.setattr(state.cache["annealing"][1], "chain", fail)
    with pytest.raises(ValueError, match="on purpose"), searching_beside(state, Stopping(60)):
        state.run(Waiting(), Stopping(0.05))


def test_in_turn_with_annealing_no_request_starts_before_its_release() -> None:
    instance = generate_random("model1:requests=30:arrivals=poisson:load=0.9", 0, 1)
    state = Incumbent(instance, SolverParams.usual())
    search = search_of(state, Stopping())
    cost = int(search.best_starts().sum())
    for _ in range(12):
        search.chain()
    assert not violations(Schedule.from_starts(instance, search.best_starts()))
    assert int(search.best_starts().sum()) < cost
