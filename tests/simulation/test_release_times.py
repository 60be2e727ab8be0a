"""Release times: what a policy is told when, and decisions that are taken back."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import attempts
from strategies import instances

from kvopt import (
    Attempt,
    Decisions,
    Instance,
    Machine,
    PolicyError,
    Until,
    Wait,
)
from kvopt.model.instance import IntArray

INSTANCE = Instance(10, [2, 2, 0, 1], [3, 5, 4, 2], releases=[0, 4, 0, 4])


def test_what_arrives_is_told_once_in_order_of_release_then_request() -> None:
    instance = Instance(100, [0, 1, 2, 3], [1, 1, 1, 1], releases=[5, 2, 5, 3])

    def run(machine: Machine) -> Decisions:
        assert machine.arrivals().tolist() == machine.waiting().tolist() == []
        assert (yield Wait()).tolist() == []
        assert (machine.now, machine.waiting().tolist()) == (2, [1])
        yield Until(7)
        assert machine.arrivals().tolist() == [1, 3, 0, 2]
        assert machine.arrivals().tolist() == []
        assert machine.unfinished().tolist() == [0, 1, 2, 3]
        assert [machine.release(i) for i in range(4)] == [5, 2, 5, 3]
        assert machine.prompts_of(machine.waiting()).tolist() == [0, 1, 2, 3]
        for i in range(4):
            machine.start(i)

    assert [a.start for a in attempts(run, instance)] == [7, 7, 7, 7]


def test_completions_come_before_releases() -> None:
    instance = Instance(3, [0, 0], [3, 3], releases=[0, 3])

    def run(machine: Machine) -> Decisions:
        machine.start(0)
        assert (yield Wait()).tolist() == [0]
        assert machine.memory_next_round() == 0
        assert machine.arrivals().tolist() == [0, 1]
        machine.start(1)

    assert attempts(run, instance) == [Attempt(0, 0, 3), Attempt(1, 3, 6)]


@pytest.mark.parametrize(
    ("pause", "woken"),
    [
        (Wait(), 3),
        (Wait(completions=False), 4),
        (Wait(releases=False), 3),
        (Wait(until=2), 2),
        (Wait(until=9, completions=False), 4),
        (Wait(until=9, completions=False, releases=False), 9),
        (Until(4), 4),
    ],
)
def test_what_ends_a_pause(pause: Wait | Until, woken: int) -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0)
        done = yield pause
        assert machine.now == woken
        assert done.tolist() == ([0] if woken >= 3 else [])
        assert machine.arrivals().tolist() == ([0, 2, 1, 3] if woken >= 4 else [0, 2])
        yield Until(10)
        machine.commit([1, 2, 3], [10, 15, 20])

    attempts(run, INSTANCE)


def test_waiting_for_releases_alone_passes_over_completions() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(2)
        assert (yield Wait(completions=False)).tolist() == [2]
        assert machine.now == 4
        machine.commit([0, 1, 3], [4, 7, 12])
        yield Wait(completions=False)  # nothing is to come: all that is planned happens
        raise AssertionError

    assert [a.request for a in attempts(run, INSTANCE)] == [2, 0, 1, 3]


def test_waiting_for_releases_that_do_not_come_leaves_requests_unfinished() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(2)
        while True:
            yield Wait(completions=False)

    with pytest.raises(PolicyError, match="the policy stops with 3 requests unfinished"):
        attempts(run, INSTANCE)


@pytest.mark.parametrize("request_", [1, 3, 17])
@pytest.mark.parametrize(
    "decide",
    [
        lambda machine, request: machine.start(request),
        lambda machine, request: machine.commit([0, request], [2, 9]),
    ],
)
def test_starting_what_has_not_arrived_is_an_error(
    decide: Callable[[Machine, int], None], request_: int
) -> None:
    def run(machine: Machine) -> Decisions:
        yield Until(2)
        decide(machine, request_)

    with pytest.raises(PolicyError) as error:
        attempts(run, INSTANCE)
    assert str(error.value) == (
        f"policy scripted, request {request_}, round 3: start of a request that does not exist,"
        " or has not been released"
    )


def test_what_has_not_started_is_taken_back() -> None:
    instance = Instance(20, [2, 2, 0, 1], [3, 5, 4, 2])

    def run(machine: Machine) -> Decisions:
        machine.commit([0, 1, 2], [0, 2, 6])
        machine.start(3)
        yield Until(2)
        assert machine.memory_next_round() == (2 + 3) + (2 + 1)  # request 1 would start now
        machine.withdraw()
        assert (machine.memory_next_round(), machine.running) == (2 + 3, 1)
        assert machine.waiting().tolist() == [1, 2]
        assert (yield Wait()).tolist() == [0]
        machine.withdraw()  # nothing is planned
        machine.commit([2, 1], [3, 4])
        assert (yield Wait()).tolist() == [2]

    assert attempts(run, instance) == [
        Attempt(0, 0, 3),
        Attempt(3, 0, 2),
        Attempt(2, 3, 7),
        Attempt(1, 4, 9),
    ]


def test_what_was_taken_back_takes_no_memory_in_plans() -> None:
    instance = Instance(10, [2, 2, 2], [8, 8, 8])

    def run(machine: Machine) -> Decisions:
        machine.start(0)
        machine.commit([1], [8])
        assert machine.earliest_start(2) == 16
        yield Until(1)
        machine.withdraw()
        assert machine.earliest_start(2) == 8
        machine.commit([2, 1], [8, 16])
        yield Until(30)

    assert [a.request for a in attempts(run, instance, clairvoyant=True)] == [0, 2, 1]


@pytest.mark.parametrize(
    "decide",
    [
        lambda machine: machine.start(2),
        lambda machine: machine.kill(0),
        lambda machine: machine.commit([2], [5]),
    ],
)
def test_commitments_are_withdrawn_before_other_decisions(
    decide: Callable[[Machine], None],
) -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0)
        yield Until(1)
        decide(machine)
        machine.withdraw()

    with pytest.raises(PolicyError, match="commitments are withdrawn after other decisions"):
        attempts(run, INSTANCE)


@given(instances(max_requests=6, max_memory=15, latest_release=15), st.integers(0, 10**6))
def test_random_plans_match_an_account_kept_by_hand(instance: Instance, seed: int) -> None:
    """Starts, kills, commitments and withdrawals, with memory for all."""
    rng = random.Random(seed)
    columns = instance.prompts, instance.outputs
    roomy = Instance(instance.memory * 6, *columns, releases=instance.releases)
    record: list[Attempt] = []

    def run(machine: Machine) -> Decisions:
        plan: dict[int, tuple[int, int]] = {}  # start and end of what runs or is planned
        told: list[int] = []
        while True:
            now = machine.now
            told += machine.arrivals().tolist()
            assert sorted(told) == [i for i in range(len(roomy)) if roomy[i].release <= now]
            if rng.random() < 0.3:
                machine.withdraw()
                plan = {i: p for i, p in plan.items() if p[0] < now}
            for i in machine.unfinished().tolist():
                start, end = plan.get(i, (now, now))
                if i in plan and start < now < end and rng.random() < 0.1:
                    machine.kill(i)
                    record.append(Attempt(i, start, now, killed=True))
                    del plan[i]
                elif i not in plan and rng.random() < 0.5:
                    start = now + rng.randint(0, 5)
                    plan[i] = start, start + roomy[i].output
                    if start == now and rng.random() < 0.5:
                        machine.start(i)
                    else:
                        machine.commit([i], [start])
            runs = {i: p for i, p in plan.items() if p[0] <= now}
            used = sum(roomy[i].prompt + now + 1 - start for i, (start, _) in runs.items())
            assert (machine.memory_next_round(), machine.running) == (used, len(runs))
            assert machine.waiting().tolist() == [
                i for i in machine.unfinished().tolist() if i not in plan
            ]
            wake = Wait(now + rng.randint(1, 4), rng.random() < 0.5, rng.random() < 0.5)
            done = (yield wake).tolist()
            record.extend(Attempt(i, *plan.pop(i)) for i in done)

    assert sorted(attempts(run, roomy), key=key) == sorted(record, key=key)


def key(attempt: Attempt) -> tuple[int, int]:
    return attempt.start, attempt.request


def test_the_completions_that_are_sent_do_not_show_later_ones() -> None:
    seen = []

    def run(machine: Machine) -> Decisions:
        machine.commit([0, 1, 2], [0, 0, 0])
        while machine.unfinished().size:
            seen.append((yield Wait()))

    attempts(run, Instance(100, [1, 1, 1], [3, 1, 2]))
    assert [one.tolist() for one in seen] == [[1], [2], [0]]
    assert all(one.base is None for one in seen)


def test_the_machine_is_handed_nothing_that_is_still_to_come() -> None:
    handed: list[IntArray | None] = []

    def run(machine: Machine) -> Decisions:
        arrive = machine.arrive

        def overheard(*given: Any) -> None:
            handed.extend(given)
            arrive(*given)

        machine.arrive = overheard  # type: ignore[method-assign, assignment]
        for request in range(3):
            machine.start(request)
            yield Wait(completions=False)

    attempts(run, Instance(100, [1, 1, 1], [3, 71, 72], releases=[0, 5, 93]))
    numbers = [value for given in handed[:4] if given is not None for value in given]
    assert numbers == [1, 1, 5]
