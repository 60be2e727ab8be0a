"""Attempts and kills that a policy decides on until something happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scripted import attempts

from kvopt import (
    Attempt,
    Decisions,
    Instance,
    Machine,
    PolicyError,
    Until,
    Wait,
)

INSTANCE = Instance(20, [2, 2, 0], [8, 5, 4], releases=[0, 0, 5])


def test_what_is_foreseen_holds_until_a_release() -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0)
        machine.foresee([0, 1, 1, 1, 1], [0, 0, 2, 4, 8], [9, 2, 4, 7, 9])
        assert (yield Wait(9)).tolist() == []
        assert (machine.now, machine.running) == (5, 2)
        assert (machine.started(0), machine.started(1)) == (0, 4)
        assert machine.memory_next_round() == (2 + 6) + (2 + 2)
        assert machine.waiting().tolist() == [2]
        assert (yield Wait()).tolist() == [0]
        assert machine.now == 8  # the end at 7 was forgotten
        yield Wait()
        machine.start(2)

    assert attempts(run, INSTANCE) == [
        Attempt(0, 0, 8),
        Attempt(1, 0, 2, killed=True),
        Attempt(1, 2, 4, killed=True),
        Attempt(1, 4, 9),
        Attempt(2, 9, 13),
    ]


def test_what_is_foreseen_holds_until_a_completion() -> None:
    instance = Instance(20, [0, 0], [3, 6])

    def run(machine: Machine) -> Decisions:
        machine.start(1)
        yield Until(1)
        machine.foresee([1, 0, 0, 1], [0, 1, 3, 4], [2, 3, 8, 10])
        assert (yield Wait(12)).tolist() == [0]
        assert machine.now == 6
        assert machine.started(1) == 4
        machine.kill(1)  # it runs, and may be killed
        machine.start(1)

    assert attempts(run, instance) == [
        Attempt(1, 0, 2, killed=True),
        Attempt(0, 1, 3, killed=True),
        Attempt(0, 3, 6),
        Attempt(1, 4, 6, killed=True),
        Attempt(1, 6, 12),
    ]


def test_a_kill_at_the_end_of_the_pause_is_left_to_the_policy() -> None:
    def run(machine: Machine) -> Decisions:
        machine.foresee([0, 1], [0, 0], [4, 3])
        yield Wait(3)
        assert machine.running == 2
        assert machine.waiting().tolist() == []
        yield Until(5)
        machine.start(2)

    assert [a.killed for a in attempts(run, INSTANCE)] == [False, False, False]


@pytest.mark.parametrize(
    ("foreseen", "request_", "reason"),
    [
        (([0, 2], [0, 1], [3, 4]), 2, "has not been released"),
        (([0, 7], [0, 1], [3, 4]), 7, "does not exist"),
        (([0, 1], [0, 1], [3, 1]), 1, "kill at an age below 1"),
        (([0, 1, 1], [0, 1, 2], [3, 3, 4]), 1, "start of a running request"),
        (([0], [1], [3]), 0, "start while it runs"),
        (([0, 1], [0, -1], [3, 3]), 1, "start in the past"),
        (([1], [0], [3]), None, "foresees while something else runs or is planned"),
        (([0, 1], [0], [3]), None, "2 requests, 1 starts, 1 ends are foreseen"),
        (([0], [0.5], [3]), None, "starts must be a list of integers"),
    ],
)
def test_what_cannot_be_foreseen(foreseen: Any, request_: int | None, reason: str) -> None:
    def run(machine: Machine) -> Decisions:
        machine.start(0)
        machine.foresee(*foreseen)
        yield Wait(9)

    with pytest.raises(PolicyError) as error:
        attempts(run, INSTANCE)
    assert reason in error.value.reason
    assert error.value.request == request_


@pytest.mark.parametrize(
    "pause", [Wait(), Until(9), Wait(9, releases=False), Wait(9, completions=False)]
)
def test_what_is_foreseen_needs_a_pause_that_ends(pause: Wait | Until) -> None:
    def run(machine: Machine) -> Decisions:
        machine.foresee([0], [0], [3])
        yield pause

    with pytest.raises(PolicyError, match="after what it foresees"):
        attempts(run, INSTANCE)


def test_an_overflow_of_what_is_foreseen_is_found() -> None:
    instance = Instance(10, np.zeros(2, dtype=int), [9, 9])

    def run(machine: Machine) -> Decisions:
        machine.foresee([0, 1, 1], [0, 0, 4], [12, 4, 12])
        yield Wait(12)

    with pytest.raises(PolicyError, match="memory overflows"):
        attempts(run, instance)
