"""What there is to draw."""

from __future__ import annotations

import re

import numpy as np
import pytest
from drawing import RELEASED, literally_waiting, run_of, runs
from hypothesis import given
from hypothesis import strategies as st

from kvopt import (
    Attempt,
    InputError,
    Instance,
    Schedule,
    policy_from_spec,
    simulate,
)
from kvopt.plot.shapes import (
    Run,
    check_drawable,
    completion_curve,
    distribution,
    instances_of,
    lanes,
    memory_band,
    memory_curve,
    queue_curve,
    release_curve,
    running_bands,
    summary,
)


@given(runs())
def test_lanes_hold_no_two_attempts_at_once_and_are_as_few_as_possible(run: Run) -> None:
    schedule = run.schedule
    lane = lanes(schedule.start, schedule.end)
    for i in range(int(lane.max()) + 1):
        start, end = schedule.start[lane == i], schedule.end[lane == i]
        assert (end[:-1] <= start[1:]).all()
    assert lane.max() + 1 == schedule.memory_profile().running.max()


@given(runs())
def test_memory_curve_is_the_profile(run: Run) -> None:
    profile = run.schedule.memory_profile()
    x, y = memory_curve(profile)
    assert (y[0], y[-1]) == (0, 0)
    for left, right, first, last in zip(x[1:-1:2], x[2::2], y[1:-1:2], y[2::2], strict=True):
        for r in range(left + 1, right + 1):  # the curve is straight, and right in every round
            assert (profile.at(r) - first) * (right - left) == (last - first) * (r - left)


@given(runs(), st.integers(1, 30))
def test_memory_band_covers_every_round_and_keeps_the_peak(run: Run, bins: int) -> None:
    profile = run.schedule.memory_profile()
    band = memory_band(profile, bins)
    assert band.high.max() == profile.peak()
    at_first = profile.first[0] if profile.times[0] == 0 else 0
    assert band.low.min() >= min(at_first, memory_curve(profile)[1][1:-1].min())
    for r in range(1, run.schedule.makespan + 1):
        bin = max(0, int(np.searchsorted(band.edges, r, side="left")) - 1)
        assert band.low[bin] <= profile.at(r) + 1e-9
        assert band.high[bin] >= profile.at(r) - 1e-9


@given(runs(), st.integers(1, 30))
def test_running_bands_add_up_to_all_attempt_rounds(run: Run, bins: int) -> None:
    schedule = run.schedule
    done, killed = running_bands(schedule, bins)
    width = np.diff(done.edges)
    rounds = schedule.end - schedule.start
    assert (done.high * width).sum() == pytest.approx(rounds[~schedule.killed].sum())
    lost = ((killed.high - killed.low) * width).sum()
    assert lost == pytest.approx(rounds[schedule.killed].sum())


@given(runs(), st.integers(2, 12))
def test_completion_curve(run: Run, limit: int) -> None:
    completions = run.schedule.completion_times()
    times, counts = completion_curve(run.schedule, 10**6)
    assert (times[0], counts[0]) == (0, 0)
    assert counts.tolist() == [int((completions <= t).sum()) for t in times]
    thin_times, thin_counts = completion_curve(run.schedule, limit)
    assert len(thin_times) <= limit
    assert thin_counts[-1] == len(completions)
    assert set(zip(thin_times, thin_counts, strict=True)) <= set(zip(times, counts, strict=True))


@given(runs(), st.integers(2, 12))
def test_release_curve(run: Run, limit: int) -> None:
    releases = run.schedule.instance.releases
    times, counts = release_curve(run.schedule.instance, 10**6)
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert counts.tolist() == [int((releases <= t).sum()) for t in times]
    assert counts[-1] == len(releases)
    assert len(release_curve(run.schedule.instance, limit)[0]) <= limit


@given(runs())
def test_queue_curve(run: Run) -> None:
    times, waiting = queue_curve(run.schedule)
    assert (times[0], waiting[-1]) == (0, 0)
    place = np.searchsorted(times, np.arange(run.schedule.makespan + 1), side="right") - 1
    for t, found in enumerate(waiting[place].tolist()):
        assert found == literally_waiting(run.schedule, t)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50), st.integers(2, 60))
def test_distribution(values: list[int], limit: int) -> None:
    x, share = distribution(np.array(values), limit)
    assert len(x) <= limit
    assert (x[0], x[-1], share[-1]) == (min(values), max(values), 1)
    for value, part in zip(x.tolist(), share.tolist(), strict=True):
        below = sum(v < value for v in values) / len(values)
        assert below < part <= sum(v <= value for v in values) / len(values)


def test_schedules_with_other_releases_are_on_other_instances() -> None:
    early = Instance(9, [1, 1], [2, 2], "x")
    late = Instance(9, [1, 1], [2, 2], "x", releases=[0, 3])
    runs = [Run("a", simulate(instance, policy_from_spec("mc-sf"))) for instance in (early, late)]
    assert instances_of(runs) == [early, late]


def test_summary() -> None:
    late = simulate(RELEASED, policy_from_spec("mc-sf"))
    assert summary(late) == f"total latency {late.total_latency():,} rounds, 0 kills"
    assert summary(run_of("fcfs").schedule) == "total completion time 185,892 rounds, 30 kills"
    instance = Instance(10, [1, 1], [3, 3])
    lost = Schedule.of(instance, [Attempt(0, 0, 3), Attempt(1, 0, 2, True)])
    assert summary(lost) == "incomplete: 1 of 2 requests, 1 kill"


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (Attempt(2, 0, 1), "attempts: request: must be an integer from 0 to 1 to be drawn, got 2"),
        (Attempt(0, -1, 1), "attempts: start: must be at least 0 to be drawn, got -1"),
        (Attempt(0, 4, 4), "attempts: end: must be after start to be drawn, got 4"),
    ],
)
def test_what_cannot_be_drawn(attempt: Attempt, message: str) -> None:
    schedule = Schedule.of(Instance(10, [1, 1], [3, 3]), [attempt])
    with pytest.raises(InputError, match=re.escape(message)):
        check_drawable(schedule)
