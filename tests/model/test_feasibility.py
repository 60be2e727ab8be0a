from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import feasible_starts, instances, schedules

from kvopt import Attempt, Instance, Schedule, violations
from kvopt.model.feasibility import _accepted_at_once

INSTANCE = Instance(10, [2, 2], [3, 5])
GOOD = [Attempt(0, 0, 3), Attempt(1, 0, 2, killed=True), Attempt(1, 3, 8)]


def rules(*attempts: Attempt) -> list[str]:
    return [v.rule for v in violations(Schedule.of(INSTANCE, attempts))]


def test_accepts_a_feasible_schedule_with_a_kill() -> None:
    assert rules(*GOOD) == []


def test_lists_each_kind_of_violation() -> None:
    assert rules(GOOD[0], GOOD[1]) == ["missing"]
    assert rules(*GOOD, Attempt(0, 20, 23)) == ["doubled"]
    assert rules(*GOOD, Attempt(5, 0, 3)) == ["request"]
    assert rules(*GOOD, Attempt(-1, 0, 3)) == ["request"]
    assert rules(Attempt(0, -1, 2), Attempt(1, 3, 8)) == ["time"]
    assert rules(Attempt(0, 0, 2), Attempt(1, 3, 8)) == ["length"]
    assert rules(Attempt(0, 0, 4), Attempt(1, 4, 9)) == ["length"]
    assert rules(Attempt(0, 0, 3), Attempt(1, 3, 8), Attempt(1, 0, 0, killed=True)) == ["length"]
    assert rules(Attempt(0, 0, 3), Attempt(1, 0, 5, killed=True), Attempt(1, 5, 10)) == ["length"]
    assert rules(Attempt(0, 0, 3), Attempt(1, 3, 5, killed=True), Attempt(1, 4, 9)) == ["overlap"]
    assert rules(*GOOD, Attempt(0, 9, 10, killed=True)) == ["finished"]
    assert rules(Attempt(0, 0, 3), Attempt(1, 0, 5)) == []
    assert rules(Attempt(0, 1, 4), Attempt(1, 0, 5)) == ["memory"]


def test_nothing_starts_before_its_release() -> None:
    instance = Instance(12, [2, 2], [3, 5], releases=[4, 0])
    good = Schedule.of(instance, [Attempt(0, 4, 7), Attempt(1, 0, 5)])
    assert violations(good) == []
    assert good.total_latency() == 3 + 5
    early = Attempt(0, 3, 5, killed=True)
    found = violations(Schedule.of(instance, [early, Attempt(0, 5, 8), Attempt(1, 0, 5)]))
    assert [str(v) for v in found] == [
        "release: attempt of request 0 from 3 to 5 starts before its release at 4"
    ]


def test_reports_all_violations_with_their_numbers() -> None:
    found = violations(
        Schedule.of(INSTANCE, [Attempt(0, 1, 4), Attempt(1, 0, 5), Attempt(7, 1, 2)])
    )
    assert [str(v) for v in found] == [
        "request: Attempt(request=7, start=1, end=2, killed=False) names no request of 0..1",
        "memory: rounds 4..4 use up to 11 tokens, memory is 10",
    ]


def test_reports_overflow_once_for_each_range_of_rounds() -> None:
    instance = Instance(10, [4] * 4, [4] * 4)
    found = violations(Schedule.from_starts(instance, [0, 0, 20, 21]))
    assert [v.message for v in found] == [
        "rounds 2..4 use up to 16 tokens, memory is 10",
        "rounds 22..24 use up to 15 tokens, memory is 10",
    ]


@given(schedules())
def test_agrees_with_the_definition_round_by_round(schedule: Schedule) -> None:
    assert bool(violations(schedule)) == (not feasible_by_definition(schedule))


@given(st.data())
def test_accepts_every_feasible_schedule(data: st.DataObject) -> None:
    instance = data.draw(instances())
    starts = data.draw(feasible_starts(instance))
    schedule = Schedule.from_starts(instance, starts)
    assert feasible_by_definition(schedule)
    assert violations(schedule) == []


@given(schedules())
def test_arrays_of_many_attempts_agree_with_the_loops(schedule: Schedule) -> None:
    by_loops = violations(schedule)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kvopt.model.feasibility.MANY", 0)
        assert violations(schedule) == by_loops
    if len(schedule):
        assert _accepted_at_once(schedule) == (not by_loops)


def test_arrays_leave_what_is_too_large_for_them_to_the_loops() -> None:
    late = 10**17
    schedule = Schedule.from_starts(
        Instance(8, [1] * 99, [2] * 99), [late + 3 * i for i in range(99)]
    )
    assert not _accepted_at_once(schedule)
    assert violations(schedule) == []


def feasible_by_definition(schedule: Schedule) -> bool:
    """The model said once more, by stepping through the rounds."""
    instance = schedule.instance
    attempts = list(schedule)
    if any(not 0 <= a.request < len(instance) or a.start < 0 or a.end <= a.start for a in attempts):
        return False
    done = [0] * len(instance)
    for now in range(1, 80):
        running = [a for a in attempts if a.start < now <= a.end]
        requests = [a.request for a in running]
        if len(set(requests)) < len(requests) or any(done[i] for i in requests):
            return False
        if sum(instance[a.request].prompt + now - a.start for a in running) > instance.memory:
            return False
        for a in running:
            progress, output = now - a.start, instance[a.request].output
            if progress > output or (a.end == now and a.killed == (progress == output)):
                return False
            done[a.request] += a.end == now and not a.killed
    return done == [1] * len(instance)
