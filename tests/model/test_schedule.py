from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import feasible_starts, instances

from kvopt import Attempt, InputError, Instance, KvoptError, Schedule, SolverError, solve
from kvopt.model.schedule import exact_sum, order_by

INSTANCE = Instance(10, [2, 2], [3, 5])


def test_recomputes_its_own_facts() -> None:
    schedule = Schedule.of(
        INSTANCE, [Attempt(1, 3, 8), Attempt(1, 0, 2, killed=True), Attempt(0, 0, 3)]
    )
    assert [(a.request, a.start) for a in schedule] == [(0, 0), (1, 0), (1, 3)]
    assert schedule.completion_times().tolist() == [3, 8]
    assert schedule.total_completion_time() == 11
    assert schedule.starts().tolist() == [0, 3]
    assert schedule.kills == 1
    assert schedule.makespan == 8
    assert schedule.peak_memory() == schedule.memory_profile().peak() == 8
    assert schedule.without_kills() == Schedule.from_starts(INSTANCE, [0, 3])


def test_refuses_to_count_incomplete_schedules() -> None:
    with pytest.raises(KvoptError, match="request 1 completes 0 times"):
        Schedule.of(INSTANCE, [Attempt(0, 0, 3)]).completion_times()
    with pytest.raises(KvoptError, match="request 0 completes 2 times"):
        Schedule.of(
            INSTANCE, [Attempt(0, 0, 3), Attempt(0, 5, 8), Attempt(1, 0, 5)]
        ).completion_times()
    with pytest.raises(KvoptError):
        Schedule.of(INSTANCE, [Attempt(9, 0, 3)]).completion_times()
    assert len(Schedule.of(INSTANCE, [])) == 0


@given(st.data())
def test_cost_of_start_times(data: st.DataObject) -> None:
    instance = data.draw(instances())
    starts = data.draw(feasible_starts(instance))
    schedule = Schedule.from_starts(instance, starts)
    assert schedule.total_completion_time() == sum(starts) + instance.total_output
    assert schedule.starts().tolist() == starts


def test_exact_sum_does_not_overflow() -> None:
    values = np.full(10**6, 2**62 + 12345, dtype=np.int64)
    assert exact_sum(values) == 10**6 * (2**62 + 12345)
    assert exact_sum(np.array([], dtype=np.int64)) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(-3, 3) | st.integers(0, 2**62), st.integers(-3, 3) | st.integers(0, 2**62)
        )
    )
)
def test_order_by_two_keys(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    order = sorted(range(len(pairs)), key=lambda i: pairs[i])
    assert order_by(first, second).tolist() == order


@pytest.mark.parametrize("starts", [[0, 0.5], [0, "x"], [0, None], [0, math.nan], [0, 2**70]])
def test_times_that_are_no_whole_numbers_are_not_made_some(starts: list[Any]) -> None:
    with pytest.raises(InputError, match="starts: must be whole numbers, got"):
        Schedule.from_starts(INSTANCE, starts)
    with pytest.raises(InputError, match="start: must be whole numbers, got"):
        Schedule(INSTANCE, [0, 1], starts, [3, 5], [False, False])
    with pytest.raises(SolverError, match="starts: must be whole numbers, got"):
        solve(INSTANCE, known=[starts])


def test_as_many_times_as_requests() -> None:
    with pytest.raises(InputError, match="starts: must be 2 numbers, one for each request"):
        Schedule.from_starts(INSTANCE, [0])
    floats = np.array([0.0, 3.0])
    assert Schedule.from_starts(INSTANCE, floats) == Schedule.from_starts(INSTANCE, [0, 3])
