"""What a study says of many instances, and what it does where something goes wrong."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from kvopt import Instance, KvoptError, StoppedError, Stopping, compare
from kvopt.certificates.checker import verdicts
from kvopt.comparison.audit import problems_of
from kvopt.comparison.ratio import Comparison, Ratio
from kvopt.comparison.study import Studied, Study, study_instance
from kvopt.generate import generate_random
from kvopt.policies import policies_of

EASY = Instance(5, [1, 1, 0], [4, 4, 1], "easy")


def studied(instance: Instance, specs: str, seconds: float = 10) -> Studied:
    stop = Stopping()
    one = study_instance("one", Path("one.json"), instance, policies_of(specs), seconds, stop)
    assert isinstance(one, Studied)
    return one


def test_a_bracket_has_a_certificate_of_what_is_proved() -> None:
    one = studied(generate_random("model1:requests=30:memory=60", 1, 0), "gba,mc-sf", 1)
    optimum, certified = one.comparison.optimum, one.certificate
    assert certified is not None
    assert one.problems == ()
    assert certified.verdict.holds
    assert certified.lower_bound == certified.verdict.lower_bound == optimum.certified_lower_bound
    assert certified.verdict.upper_bound == optimum.objective
    assert verdicts([certified.text])[0].holds
    assert len(one.comparison.seconds) == 2
    assert all(0 <= seconds < 10 for seconds in one.comparison.seconds)


def test_the_seconds_are_those_of_the_policies_that_came_to_their_end() -> None:
    class Lying:
        name, clairvoyant = "lying", False

        def run(self, machine: Any) -> Any:
            machine.start(99)
            yield

        def guarantee(self, instance: Instance) -> None:
            return None

    errors: list[Exception] = []
    found = compare(EASY, [Lying(), *policies_of("gba,fcfs")], on_error=errors.append)  # type: ignore[list-item]
    assert len(errors) == 1
    assert len(found.seconds) == len(found.ratios) == 2


def ratio(policy: str, cost: int, lower: int, upper: int) -> Ratio:
    return Ratio(policy, cost, lower, upper, None)


def test_the_worst_ratio_of_several_brackets_is_a_bracket() -> None:
    one = studied(EASY, "gba,fcfs")
    instance, optimum = one.comparison.instance, one.comparison.optimum

    def other(name: str, *ratios: Ratio) -> Studied:
        return Studied(name, one.file, Comparison(instance, optimum, (), ratios), None)

    found = (
        other("a", ratio("gba", 30, 10, 15), ratio("fcfs", 20, 10, 10)),
        other("b", ratio("gba", 21, 10, 10)),
    )
    study = Study(tuple(policies_of("gba,fcfs,svf")), "", 1, found, (), (), 0, "")
    gba, fcfs = study.worst()
    # On a it is from 2 to 3, on b it is 2.1: at least 2.1, on b, and at most 3.
    assert (gba.instance, gba.low, gba.high) == ("b", Fraction(21, 10), Fraction(3))
    assert (gba.runs, fcfs.runs, fcfs.all_runs) == (2, 1, 2)
    assert (fcfs.instance, fcfs.low, fcfs.high) == ("a", 2, 2)


def test_a_schedule_that_is_not_feasible_is_a_problem() -> None:
    found = compare(EASY, "gba")
    schedule = found.schedules[0]
    early = type(schedule)(
        EASY, schedule.request, schedule.start * 0, schedule.end, schedule.killed
    )
    broken = Comparison(EASY, found.optimum, (early,), found.ratios)
    assert problems_of(found) == []
    assert any(problem.startswith("gba: ") for problem in problems_of(broken))


def test_a_signal_that_ends_the_checker_ends_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stopping()

    def killed(*_: object) -> Any:
        stop.interrupt()
        raise KvoptError("the checker of certificates failed")

    monkeypatch.setattr("kvopt.comparison.study.checked", killed)
    with pytest.raises(StoppedError):
        study_instance("one", Path("one.json"), EASY, policies_of("gba"), 1, stop)
