"""Simulation in milliseconds, against a loop over rounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import clock as literal
from oracles.metrics import percentile
from policy_runs import as_tuples, releases, rows
from strategies import POLICY_SPECS, instances, policy_specs

from kvopt import (
    FCFS,
    Decisions,
    InputError,
    Instance,
    Machine,
    Policy,
    PolicyError,
    Schedule,
    Wait,
    metrics,
    policy_from_spec,
    simulate,
    violations,
)
from kvopt.simulation.by_clock import simulate_by_clock
from kvopt.simulation.clock import LinearClock, RoundTimes, TiledClock, clock_from_spec

constants = st.sampled_from([Fraction(0), Fraction("0.000001"), Fraction("0.35"), Fraction(11)])
Both = tuple[LinearClock | TiledClock, literal.Clock]


@st.composite
def clocks(draw: st.DrawFn) -> Both:
    """A clock, and its literal version."""
    if draw(st.booleans()):
        c = [draw(constants) for _ in range(4)]
        if not any(c[:3]):
            c[draw(st.integers(0, 2))] = Fraction("0.5")
        return LinearClock(*c), literal.linear(*c)
    c, a = draw(constants), draw(constants.filter(bool))
    b0 = draw(st.integers(1, 9))
    return TiledClock(c, a, b0), literal.tiled(c, a, b0)


@st.composite
def timed(draw: st.DrawFn) -> Instance:
    instance = draw(instances())
    n = len(instance)
    late = draw(st.sampled_from([1, 30_000, 1_000_000]))  # microseconds
    return instance.with_arrivals(draw(st.lists(st.integers(0, late), min_size=n, max_size=n)))


def arrivals(instance: Instance) -> list[Fraction]:
    assert instance.arrivals is not None
    return [Fraction(t, 1000) for t in instance.arrivals.tolist()]


def ends(times: RoundTimes, last: int) -> list[Fraction]:
    return [Fraction(t, times.ticks) for t in times.at(np.arange(last + 1)).tolist()]


def literal_ends(schedule: Schedule, plain: literal.Clock) -> list[Fraction]:
    kept = [attempt.tokens for attempt in schedule]
    requests = rows(schedule.instance)
    return literal.round_ends(requests, as_tuples(schedule), kept, plain, schedule.makespan)


@given(timed(), clocks())
def test_fcfs_as_a_loop_over_rounds(instance: Instance, both: Both) -> None:
    clock, plain = both
    schedule, times = simulate_by_clock(instance, FCFS(), clock)
    attempts, seen, expected = literal.fcfs_by_clock(
        instance.memory, rows(instance), arrivals(instance), plain
    )
    assert as_tuples(schedule) == attempts
    assert releases(schedule.instance) == seen
    assert ends(times, schedule.makespan) == expected


@given(timed(), clocks(), policy_specs)
@settings(max_examples=100)
def test_every_policy_as_with_the_releases_that_follow(
    instance: Instance, both: Both, spec: str
) -> None:
    """Rounds last as long as they must, and no request is seen earlier or later than it is."""
    clock, plain = both
    schedule, times = simulate_by_clock(instance, policy_from_spec(spec), clock)
    assert violations(schedule) == []
    assert simulate(schedule.instance, policy_from_spec(spec)) == schedule
    found = ends(times, schedule.makespan)
    expected = literal_ends(schedule, plain)
    wait = Fraction(0)
    for r in range(1, schedule.makespan + 1):
        idle = not any(a.start < r <= a.end for a in schedule)
        if found[r] != expected[r] + wait:  # an empty round, waiting for what arrives next
            assert idle
            wait = found[r] - expected[r]
            assert found[r] == min(t for t in arrivals(instance) if t > found[r - 1])
    for seen, arrival in zip(releases(schedule.instance), arrivals(instance), strict=True):
        assert found[seen] >= arrival
        assert seen == 0 or found[seen - 1] < arrival


@given(timed(), clocks(), policy_specs)
@settings(max_examples=100)
def test_metrics_in_milliseconds(instance: Instance, both: Both, spec: str) -> None:
    schedule, times = simulate_by_clock(instance, policy_from_spec(spec), both[0])
    found, at = metrics(schedule, times), ends(times, schedule.makespan)
    attempts, arrived = list(schedule), arrivals(instance)
    starts = [min(a.start for a in attempts if a.request == i) for i in range(len(instance))]
    completions = schedule.completion_times().tolist()
    latencies = [at[c] - a for c, a in zip(completions, arrived, strict=True)]
    first = [at[s + 1] - a for s, a in zip(starts, arrived, strict=True)]
    assert found.unit == "ms"
    assert found.latency.tolist() == [float(x) for x in latencies]
    assert found.ttft.tolist() == [float(x) for x in first]
    assert found.total_latency == sum(latencies)
    assert found.statistics()["ttft"]["p90"] == pytest.approx(float(percentile(first, 90)))
    per_token = [
        (x - f) / (o - 1) if o > 1 else None
        for x, f, o in zip(latencies, first, instance.outputs.tolist(), strict=True)
    ]
    limits = sorted(first)[len(first) // 2], max([x for x in per_token if x is not None], default=1)
    kept = [
        f <= limits[0] and (p is None or p <= limits[1])
        for f, p in zip(first, per_token, strict=True)
    ]
    assert found.goodput(*limits) == sum(kept) / len(kept)
    used = Fraction(0)
    for r in range(1, schedule.makespan + 1):
        memory = sum(
            int(instance.prompts[a.request]) + a.tokens + r - a.start
            for a in attempts
            if a.start < r <= a.end
        )
        used += memory * (at[r] - at[r - 1])
    share = used / (instance.memory * (at[-1] - min(arrived)))
    assert times.memory_share(schedule.makespan) == share
    assert found.memory_utilisation == float(share)


@pytest.mark.parametrize("spec", POLICY_SPECS)
def test_every_policy_waits_for_what_arrives_late(spec: str) -> None:
    instance = Instance(20, [2, 2, 2], [3, 5, 3]).with_arrivals([0, 10**9, 10**9 + 1])
    schedule, times = simulate_by_clock(instance, policy_from_spec(spec), LinearClock(c1=30))
    assert releases(schedule.instance)[0] == 0
    assert schedule.makespan < 100
    found = metrics(schedule, times)
    assert max(found.latency) < 1000
    assert found.rows()["start"][1] >= 10**6


def test_a_policy_that_polls_for_ever_is_stopped() -> None:
    class Polling(Policy):
        name: ClassVar[str] = "polling"
        clairvoyant: ClassVar[bool] = False

        def run(self, machine: Machine) -> Decisions:
            while True:
                yield Wait(machine.now + 1)

    instance = Instance(3, [0], [1]).with_arrivals([5])
    with pytest.raises(PolicyError, match="pauses for ever, nothing runs"):
        simulate_by_clock(instance, Polling(), LinearClock(c1=1))


def test_arrivals_are_needed_where_there_are_releases() -> None:
    instance = Instance(3, [0], [1], releases=[5])
    with pytest.raises(InputError, match="arrival_ms: must be there for a clock"):
        simulate_by_clock(instance, FCFS(), LinearClock(c0=1))
    plain, times = simulate_by_clock(Instance(3, [0], [3]), FCFS(), LinearClock(c0="1.5"))
    assert (plain.makespan, ends(times, 3)[-1]) == (3, Fraction(9, 2))


def test_specs() -> None:
    assert clock_from_spec("linear:c0=11.28:c2=0.001") == LinearClock(c0="11.28", c2="0.001")
    assert clock_from_spec("tiled:c=11.28:a=35.47:b0=128") == TiledClock("11.28", "35.47", 128)
    pace = TiledClock("11.28", "35.47", 128).pace
    assert [sum(pace(k, 0, b)) for k, b in ((0, 0), (1, 0), (128, 0), (129, 0), (1, 127))] == [
        *(11_280, 46_750, 46_750, 82_220, 46_750)
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: clock_from_spec("linear"), "clock linear: c0 and c1 and c2 must not all be 0"),
        (lambda: clock_from_spec("linear:c3=1"), "clock linear: c0 and c1 and c2 must not all"),
        (lambda: clock_from_spec("linear:c0=-1"), "clock linear: c0: must be a decimal number"),
        (lambda: clock_from_spec("linear:c0=1:c1=nan"), "clock linear: c1: must be a decimal"),
        (lambda: clock_from_spec("linear:c0=1e10"), "clock linear: c0: must be a decimal"),
        (lambda: clock_from_spec("linear:c0=0.0000001"), "clock linear: c0: must be a decimal"),
        (lambda: clock_from_spec("linear:c9=1"), "clock linear: 'c9': unknown parameter"),
        (lambda: clock_from_spec("linear:c0"), "clock linear: must have key=value after ':'"),
        (lambda: clock_from_spec("tiled:c=1:a=1"), "clock tiled: b0: required parameter is"),
        (lambda: clock_from_spec("tiled:c=0:a=0:b0=1"), "clock tiled: c and a must not all be 0"),
        (lambda: clock_from_spec("tiled:c=1:a=1:b0=0"), "clock tiled: b0: must be an integer"),
        (lambda: clock_from_spec("tiled:c=1:a=-1:b0=1"), "clock tiled: a: must be a decimal"),
        (lambda: clock_from_spec("quartz:c=1"), "clock: must be linear:... or tiled:..., got"),
        (lambda: LinearClock(c0=0.5), "clock linear: c0: must be a decimal number"),
        (lambda: TiledClock(1, 1, 0), "clock tiled: b0: must be an integer of at least 1"),
        (lambda: TiledClock(1, 1, True), "clock tiled: b0: must be an integer of at least 1"),
    ],
)
def test_bad_clocks_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value).startswith(message)


def test_long_runs_cost_events_not_rounds() -> None:
    n = 10**8
    instance = Instance(10**9, [0, 5, 0], [n, n, 7]).with_arrivals([0, 10**12, 10**12])
    clock = LinearClock(c0=10, c1="0.5", c2="0.000001", c3=1)
    begun = time.process_time()
    schedule, times = simulate_by_clock(instance, FCFS(), clock)
    assert time.process_time() - begun < 5
    # The second is seen in the first round r that ends at 10^9 ms or later.
    r = int(schedule.instance.releases[1])
    end = [Fraction(21, 2) * x + Fraction(x * (x + 1), 2 * 10**6) for x in (r - 1, r)]
    assert end[0] < 10**9 <= end[1]
    assert ends(times, 0) == [0]
    assert Fraction(int(times.at(np.array([r]))[0]), times.ticks) == end[1]


def test_times_beyond_64_bits_are_refused() -> None:
    instance = Instance(10**9, [0], [10**9])
    schedule, times = simulate_by_clock(instance, FCFS(), LinearClock(c0="1000000", c2="1.000001"))
    with pytest.raises(InputError, match="clock: must keep times within 64 bits"):
        metrics(schedule, times)


@given(st.randoms(use_true_random=False), clocks(), st.sampled_from(["fcfs", "alpha-protection"]))
@settings(max_examples=10)
def test_repeated_kills_that_are_foreseen(random: Random, both: Both, spec: str) -> None:
    """So many requests start over in a row that the policies work their kills out ahead."""
    memory, n = random.randint(60, 90), random.randint(6, 9)
    outputs = [random.randint(memory // 2, memory - 3) for _ in range(n)]
    late = random.choice([1, 300_000, 900_000])  # microseconds
    instance = Instance(memory, [random.randint(0, 3) for _ in range(n)], outputs)
    instance = instance.with_arrivals([random.randint(0, late) for _ in range(n)])
    clock, plain = both
    schedule, times = simulate_by_clock(instance, policy_from_spec(spec), clock)
    assert violations(schedule) == []
    assert simulate(schedule.instance, policy_from_spec(spec)) == schedule
    if spec == "fcfs":
        attempts, seen, expected = literal.fcfs_by_clock(
            instance.memory, rows(instance), arrivals(instance), plain
        )
        assert as_tuples(schedule) == attempts
        assert releases(schedule.instance) == seen
        assert ends(times, schedule.makespan) == expected
