"""The engine: what it tells a policy, and that it trusts none."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Run, attempts, policy
from strategies import instances

from kvopt import (
    Attempt,
    Decisions,
    InputError,
    Instance,
    Machine,
    PolicyError,
    Schedule,
    SolverError,
    Until,
    Wait,
    simulate,
    violations,
)

INSTANCE = Instance(10, [2, 2, 0], [3, 5, 4])


def test_wait_wakes_at_the_next_completion_or_at_its_limit() -> None:
    told = []

    def run(machine: Machine) -> Decisions:
        machine.start(0)
        machine.start(2)
        done = yield Wait(until=2)
        told.append((machine.now, done.tolist(), machine.memory_next_round(), machine.running))
        done = yield Wait()
        told.append((machine.now, done.tolist(), machine.memory_next_round(), machine.running))
        done = yield Wait(until=9)
        told.append((machine.now, done.tolist(), machine.memory_next_round(), machine.running))
        machine.start(1)

    assert attempts(run, INSTANCE) == [Attempt(0, 0, 3), Attempt(2, 0, 4), Attempt(1, 4, 9)]
    assert told == [(2, [], 8, 2), (3, [0], 4, 1), (4, [2], 0, 0)]


def test_until_sleeps_through_completions() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0)
        machine.start(2)
        assert (yield Until(7)).tolist() == [0, 2]
        assert machine.completed_of(np.arange(3)).tolist() == [True, False, True]
        assert (machine.completed(0), machine.completed(1)) == (True, False)
        assert machine.waiting().tolist() == [1]
        assert machine.unfinished().tolist() == [1]
        machine.start(1)

    assert attempts(run, INSTANCE)[-1] == Attempt(1, 7, 12)


def test_kill_frees_memory_at_once_and_the_request_may_start_again() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(1)
        yield Until(2)
        assert machine.memory_next_round() == 5
        machine.kill(1)
        assert machine.memory_next_round() == 0
        machine.start(1)
        assert machine.memory_next_round() == 3
        yield Wait()
        machine.start(0)
        machine.start(2)

    assert attempts(run, INSTANCE)[:2] == [Attempt(1, 0, 2, killed=True), Attempt(1, 2, 7)]


def test_kill_at_an_age() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0, kill_at=3)  # completes at that very age
        machine.start(2, kill_at=2)
        assert (yield Wait()).tolist() == [0]
        assert machine.now == 3
        machine.start(2, kill_at=4)
        machine.start(1)

    assert attempts(run, INSTANCE) == [
        Attempt(0, 0, 3),
        Attempt(2, 0, 2, killed=True),
        Attempt(1, 3, 8),
        Attempt(2, 3, 7),
    ]


def test_commitments_mix_with_single_decisions() -> None:
    def run(machine: Machine) -> Decisions:
        machine.commit([0, 2], [1, 4], kill_at=[2, 9])
        machine.start(1)
        yield Until(2)
        assert machine.memory_next_round() == (2 + 3) + (2 + 2)
        machine.kill(1)
        yield Until(3)
        assert not machine.running  # request 0 was killed by its age
        machine.start(0)
        yield Until(5)
        machine.kill(2)
        assert machine.memory_next_round() == 2 + 3
        assert (yield Wait()).tolist() == [0]
        machine.commit([1, 2], [6, 11])

    assert attempts(run, INSTANCE) == [
        Attempt(1, 0, 2, killed=True),
        Attempt(0, 1, 3, killed=True),
        Attempt(0, 3, 6),
        Attempt(2, 4, 5, killed=True),
        Attempt(1, 6, 11),
        Attempt(2, 11, 15),
    ]


def test_completions_come_by_time_then_request() -> None:
    instance = Instance(100, [0] * 5, [3, 2, 3, 2, 1])

    def run(machine: Machine) -> Decisions:
        machine.commit([4, 3, 2], [1, 0, 0])
        machine.start(0)
        machine.start(1)
        assert (yield Until(9)).tolist() == [1, 3, 4, 0, 2]

    attempts(run, instance)


def test_earliest_start_uses_what_is_announced() -> None:
    instance = Instance(10, [2, 2, 0], [3, 5, 4])

    def run(machine: Machine) -> Decisions:
        machine.start(0, kill_at=5)  # announced to run 5 rounds, will run 3
        assert machine.earliest_start(1, rounds=5) == 4
        assert machine.earliest_start(1, rounds=5, not_before=8) == 8
        yield Wait()
        assert machine.earliest_start(1, rounds=5) == 3
        machine.commit([1], [4], kill_at=5)
        assert machine.earliest_start(2, rounds=9) == 6
        assert machine.earliest_start(2, rounds=3) == 3
        yield Until(6)
        machine.kill(1)
        assert machine.earliest_start(2, rounds=9) == 6
        machine.start(2)
        with pytest.raises(PolicyError, match="attempt of unannounced length"):
            machine.earliest_start(1, rounds=1)
        yield Wait()
        assert machine.earliest_start(1, rounds=8) == 10
        machine.start(1)

    attempts(run, instance)


def test_earliest_start_of_a_clairvoyant_policy_is_by_true_lengths() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(1)
        assert machine.earliest_start(0) == 0
        machine.commit([0], [0])
        assert machine.earliest_start(2) == 3
        yield Until(3)
        machine.start(2)

    assert attempts(run, INSTANCE, clairvoyant=True)[-1] == Attempt(2, 3, 7)


def error_of(run: Run, clairvoyant: bool = False) -> PolicyError:
    with pytest.raises(PolicyError) as error:
        simulate(INSTANCE, policy(run, clairvoyant))
    assert error.value.policy == "scripted"
    assert str(error.value).startswith("policy scripted")
    return error.value


def steps(*calls: Callable[[Machine], object]) -> Run:
    """Do one thing in each of the rounds 1, 2, ..."""

    def run(machine: Machine) -> Decisions:
        for call in calls:
            call(machine)
            yield Until(machine.now + 1)

    return run


@pytest.mark.parametrize(
    ("calls", "request_", "round_", "reason"),
    [
        ([lambda m: m.start(7)], 7, 1, "does not exist"),
        ([lambda m: m.start(-1)], -1, 1, "does not exist"),
        ([lambda m: m.start(0), lambda m: m.start(0)], 0, 2, "start of a running request"),
        ([lambda m: m.start(0), *[lambda m: None] * 2, lambda m: m.start(0)], 0, 4, "finished"),
        ([lambda m: (m.start(1), m.start(0), m.start(2), m.start(2))], 2, 1, "start of a running"),
        (
            [lambda m: (m.start(1), m.start(2)), *[lambda m: None] * 2, lambda m: m.start(0)],
            0,
            4,
            "start needs 3 tokens, 0 are free",
        ),
        ([lambda m: m.start(0, kill_at=0)], 0, 1, "kill at age 0"),
        ([lambda m: m.kill(0)], 0, 1, "kill of a request that is not running"),
        ([lambda m: m.kill(5)], 5, 1, "does not exist"),
        ([lambda m: (m.start(0), m.kill(0))], 0, 1, "kill of a request that is not running"),
        ([lambda m: m.start(0), *[lambda m: None] * 2, lambda m: m.kill(0)], 0, 4, "not running"),
        ([lambda m: m.commit([0, 0], [0, 5])], 0, 1, "committed twice at once"),
        ([lambda m: None, lambda m: m.commit([0, 1], [1, 0])], 1, 2, "start in the past"),
        ([lambda m: m.commit([3], [0])], 3, 1, "does not exist"),
        ([lambda m: m.commit([0], [0], kill_at=0)], 0, 1, "kill at an age below 1"),
        ([lambda m: m.commit([0], [10**18])], 0, 1, "start after time"),
        ([lambda m: m.commit([0], [5]), lambda m: m.start(0)], 0, 2, "start of a running"),
        ([lambda m: m.commit([0], [5]), lambda m: m.kill(0)], 0, 2, "not running"),
        ([lambda m: m.earliest_start(1, rounds=9)], 1, 1, "never fit"),
        ([lambda m: m.outputs_of(m.waiting())], None, 1, "asks for the output lengths"),
        ([lambda m: m.start(0.0)], None, 1, "request must be an integer, got 0.0"),
        ([lambda m: m.start(True)], None, 1, "request must be an integer, got True"),
        ([lambda m: m.start(0, kill_at=2.5)], None, 1, "kill age must be an integer, got 2.5"),
        ([lambda m: m.commit([0], [0.7])], None, 1, "starts must be a list of integers"),
        ([lambda m: m.commit([[0, 1]], [[0, 9]])], None, 1, "requests must be a list of integers"),
        ([lambda m: m.commit([0, 1], [0])], None, 1, "2 requests, 1 starts, 2 kill ages"),
    ],
)  # fmt: skip
def test_illegal_decisions_are_named(
    calls: list[Callable[[Machine], object]], request_: int | None, round_: int, reason: str
) -> None:
    error = error_of(steps(*calls))
    assert (error.request, error.round) == (request_, round_)
    assert reason in error.reason


def test_overflow_by_growth_is_found() -> None:
    # All three fit at first; in round 3 they use 5 + 5 + 3 tokens.
    def run(machine: Machine) -> Decisions:
        machine.commit([0, 1, 2], [0, 0, 0])
        yield Until(9)

    error = error_of(run)
    assert (error.round, error.reason) == (3, "memory overflows, budget is 10 tokens")
    assert error.request in (0, 1, 2)


def test_overflow_of_single_decisions_and_commitments_together_is_found() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(1)
        machine.start(0)
        machine.commit([2], [1])
        yield Until(9)

    error = error_of(run)
    assert (error.request, error.round) == (2, 3)


def test_a_policy_that_swallows_errors_gains_nothing() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0)
        for illegal in (
            lambda: machine.start(0),
            lambda: machine.kill(1),
            lambda: machine.output(0),
        ):
            with pytest.raises(PolicyError):
                illegal()
        yield Wait()
        with pytest.raises(PolicyError):
            machine.commit([1, 0], [3, 3])
        machine.start(1)
        yield Wait()
        machine.start(2)

    assert [a.request for a in attempts(run, INSTANCE)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("pause", "reason"),
    [
        (Wait(), "waits for a completion, but nothing that runs completes"),
        (Until(0), "pauses until 0 at time 0"),
        (Wait(until=0), "pauses until 0 at time 0"),
        (Until(-5), "pauses until -5 at time 0"),
        (Until(10**18), "pauses until 1000000000000000000 at time 0"),
        ("soon", "yields 'soon' instead of a Wait or Until"),
        (Until(2.5), "yields Until(time=2.5) instead of a Wait or Until"),  # type: ignore[arg-type]
    ],
)
def test_pauses_that_lead_nowhere(pause: Wait | Until, reason: str) -> None:
    def run(machine: Machine) -> Decisions:
        yield pause

    assert reason in error_of(run).reason


def test_waiting_for_what_will_be_killed_leads_nowhere() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(1, kill_at=2)
        yield Wait()

    assert "nothing that runs completes" in error_of(run).reason


def test_stopping_early_is_an_error_but_running_attempts_end() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(1)
        return
        yield

    error = error_of(run)
    assert error.request == 0
    assert "stops with 2 requests unfinished" in error.reason


def test_exceptions_of_a_policy_are_its_own() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0)
        yield Until(2)
        raise ValueError("out of ideas")

    error = error_of(run)
    assert error.round == 3
    says = r"the policy raises ValueError: out of ideas \(.*test_simulate\.py, line \d+\)"
    assert re.fullmatch(says, error.reason)
    assert isinstance(error.__cause__, ValueError)
    assert "raises TypeError" in error_of(lambda machine: None).reason  # type: ignore[arg-type,return-value]


def test_progress_is_reported() -> None:
    seen: list[int] = []
    n = 3000
    instance = Instance(1, [0] * n, [1] * n)

    def run(machine: Machine) -> Decisions:
        for i in range(n):
            machine.start(i)
            yield Wait()

    simulate(instance, policy(run), progress=seen.append)
    assert seen == sorted(seen)
    assert seen
    assert seen[-1] <= n


@given(instances(max_requests=5, max_memory=15), st.integers(0, 10**6))
def test_random_legal_decisions_match_an_account_kept_by_hand(
    instance: Instance, seed: int
) -> None:
    rng = random.Random(seed)
    roomy = Instance(instance.memory * 5, instance.prompts, instance.outputs)
    record: list[Attempt] = []

    def run(machine: Machine) -> Decisions:
        running: dict[int, int] = {}
        while len(machine.unfinished()):
            for i in machine.unfinished().tolist():
                if i not in running and rng.random() < 0.5:
                    machine.start(i)
                    running[i] = machine.now
                elif i in running and running[i] < machine.now and rng.random() < 0.1:
                    machine.kill(i)
                    record.append(Attempt(i, running.pop(i), machine.now, killed=True))
            used = sum(roomy[i].prompt + machine.now + 1 - p for i, p in running.items())
            assert (machine.memory_next_round(), machine.running) == (used, len(running))
            done = yield Wait(until=machine.now + rng.randint(1, 4))
            record.extend(Attempt(i, running.pop(i), machine.now) for i in done.tolist())

    schedule = simulate(roomy, policy(run))
    assert violations(schedule) == []
    assert schedule == Schedule.of(roomy, record)


def test_arrays_given_to_policies_are_their_own() -> None:
    def run(machine: Machine) -> Decisions:
        everyone = machine.waiting()
        for array in (machine.prompts_of(everyone), machine.waiting(), machine.unfinished()):
            array[0] = 5
        done = machine.completed_of(everyone)
        done[:] = True
        assert machine.prompt(0) == machine.prompts_of(everyone)[0] == INSTANCE[0].prompt
        assert machine.waiting().tolist() == machine.unfinished().tolist() == [0, 1, 2]
        assert not machine.completed(0)
        machine.commit(np.array([0, 1, 2]), np.array([0, 3, 8]))
        assert machine.waiting().tolist() == []
        yield Until(20)

    attempts(run, INSTANCE)


def test_what_waits_neither_runs_nor_is_planned() -> None:
    def run(machine: Machine) -> Decisions:
        assert machine.arrivals().tolist() == [0, 1, 2]
        assert machine.arrivals().tolist() == []
        machine.start(1)
        machine.commit([0], [5], kill_at=2)
        assert machine.waiting().tolist() == [2]
        yield Until(4)
        machine.kill(1)
        assert machine.waiting().tolist() == [1, 2]
        yield Until(7)
        assert machine.waiting().tolist() == [0, 1, 2]  # request 0 was killed by its age
        assert machine.unfinished(np.array([2, 0])).tolist() == [2, 0]
        machine.commit([0, 1, 2], [7, 10, 15])

    attempts(run, INSTANCE)


def test_a_policy_cannot_change_the_truth() -> None:
    def run(machine: Machine) -> Decisions:
        everyone = machine.waiting()
        for array in (machine.outputs_of(everyone), machine.prompts_of(everyone)):
            array[:] = 1
        machine._outputs[:] = 1  # type: ignore[index]
        machine._prompts[:] = 1
        machine.commit([0, 1, 2], [0, 5, 10])
        yield Until(20)

    ends = simulate(INSTANCE, policy(run, True)).completion_times()
    assert ends.tolist() == [3, 10, 14]
    assert INSTANCE.outputs.tolist() == [3, 5, 4]

    def again(machine: Machine) -> Decisions:
        machine.start(0, kill_at=5)
        yield Until(6)
        machine._finished[0], machine._open[0] = False, True
        machine.commit([0, 1, 2], [6, 10, 20])
        yield Until(30)

    assert error_of(again).request == 0
    assert "completes more than once" in error_of(again).reason


@pytest.mark.parametrize("together", [True, False])
def test_the_completions_that_are_sent_do_not_show_later_ones(together: bool) -> None:
    sent = []

    def run(machine: Machine) -> Decisions:
        if together:
            machine.commit([0, 1, 2], [0, 0, 0])
        else:
            for request in range(3):
                machine.start(request)
        while len(machine.unfinished()):
            sent.append((yield Wait()))

    simulate(Instance(100, [1, 1, 1], [3, 1, 2]), policy(run))
    assert [one.tolist() for one in sent] == [[1], [2], [0]]
    assert all(one.base is None for one in sent)


def test_idling_for_ever_is_found() -> None:
    def run(machine: Machine) -> Decisions:
        while True:
            yield Until(machine.now + 1)

    assert "pauses for ever" in error_of(run).reason


def test_clairvoyance_is_declared_by_a_boolean() -> None:
    with pytest.raises(PolicyError, match="clairvoyant must be True or False, got 'no'"):
        simulate(INSTANCE, policy(steps(), "no"))  # type: ignore[arg-type]


def test_errors_survive_the_way_between_processes() -> None:
    for error in (InputError("x"), PolicyError("p", 3, 4, "why"), SolverError("y")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
