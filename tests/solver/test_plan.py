"""The plan: which stages run, how they share the time, and what certificates hold."""

from __future__ import annotations

import dataclasses
import itertools
import time

import pytest
from hypothesis import given, settings
from strategies import instances

from kvopt import InputError, Instance, Status, Stopping, solve
from kvopt.certificates.solve import CERTIFYING_PLAN, Exhaustive, solve_certified
from kvopt.certificates.write import certificate, certificate_text, checked_certificate
from kvopt.generate import generate_random
from kvopt.model.errors import SolverError
from kvopt.solver.params import AnnealingParams, SolverParams
from kvopt.solver.result import Bound
from kvopt.solver.solve import PLAN, Step
from kvopt.solver.stage import Incumbent


class Noted:
    """A stage that notes how long it may take."""

    def __init__(self, name: str, applies: bool = True) -> None:
        self.name = name
        self.seconds: float | None = None
        self._applies = applies

    def applies(self, state: Incumbent) -> bool:
        return self._applies

    def run(self, state: Incumbent, stop: Stopping) -> None:
        self.seconds = stop.left()


INSTANCE = Instance(9, [1] * 4, [2, 3, 5, 7])


def test_time_is_shared_among_stages_that_apply() -> None:
    stages = [Noted("a"), Noted("b"), Noted("c"), Noted("d", applies=False), Noted("e")]
    plan = [Step(stage, lambda params: 0.25) for stage in stages]
    result = solve(INSTANCE, 100, plan=plan)
    assert [record.name for record in result.stages] == ["a", "b", "c", "e"]
    a, b, c, d, e = (stage.seconds for stage in stages)
    assert d is None
    # What one leaves, the next may use; the last that applies gets all.
    assert [round(x) for x in (a, b, c, e) if x is not None] == [25, 25, 25, 100]


def test_other_shares_where_others_look_for_schedules() -> None:
    for jobs, part in (1, 25), (2, 75):
        first, last = Noted("first"), Noted("last")
        shared = Step(first, lambda params: 0.25, beside=lambda params: 0.75)
        solve(INSTANCE, 100, plan=[shared, Step(last)], jobs=jobs)
        assert round(first.seconds or 0) == part


def test_the_first_stages_run_whatever_the_limit() -> None:
    result = solve(INSTANCE, 0)
    names = [step.stage.name for step in PLAN if step.always]
    assert names == ["combinatorial-bounds", "list-schedules"]
    assert [record.name for record in result.stages] == names
    assert 0 < result.lower_bound <= result.objective


def test_limits_are_refused_if_they_are_none() -> None:
    for wrong in (-1, float("nan")):
        with pytest.raises(InputError, match="time_limit: must be a number >= 0"):
            solve(INSTANCE, wrong)
    with pytest.raises(TypeError, match="time_limit: must be a number, got '5'"):
        solve(INSTANCE, "5")  # type: ignore[arg-type]


def test_known_schedules_count_and_are_checked() -> None:
    best = solve(INSTANCE).starts
    assert solve(INSTANCE, 0, known=[best]).objective == solve(INSTANCE).objective
    with pytest.raises(SolverError, match="are not 4 times"):
        solve(INSTANCE, known=[[0, 1]])


def test_reports_get_narrower() -> None:
    seen: list[tuple[int, int]] = []
    instance = generate_random("small", 0, 8)
    result = solve(instance, 60, report=lambda r: seen.append((r.lower_bound, r.objective)))
    for before, after in itertools.pairwise(seen):
        assert before != after
        assert before[0] <= after[0]
        assert after[1] <= before[1]
    assert seen[-1] == (result.lower_bound, result.objective)


def test_parameters_reach_the_stages() -> None:
    instance = generate_random("model1", 0, 3)
    params = SolverParams(annealing=AnnealingParams(seconds=0.01))
    began = time.perf_counter()
    result = solve(instance, 60, plan=[s for s in PLAN if "anneal" in s.stage.name], params=params)
    assert time.perf_counter() - began - result.compile_seconds < 5
    assert len(result.stages) > 0


@settings(max_examples=40)
@given(instances(max_requests=5, max_memory=10))
def test_certificates_of_tiny_instances(instance: Instance) -> None:
    result = solve_certified(instance)
    assert result.status is Status.OPTIMAL
    assert result.certified_lower_bound == result.objective == solve(instance).objective


def test_a_certificate_is_what_the_stages_proved() -> None:
    result = solve_certified(generate_random("small", 0, 6), 60)
    assert result.certified.rule == "exhaustive"
    content = checked_certificate(result)
    assert content == certificate(result)
    assert content["proof"] == result.certified.proof
    assert content["lower_bound"] == content["upper_bound"] == result.objective
    assert certificate_text(content).count("\n") > 5


def test_what_the_checker_refuses_is_not_written() -> None:
    result = solve_certified(generate_random("small", 0, 6), 60)
    too_much = Bound(result.objective, "busy-time", {"rule": "busy-time", "weights": "memory"})
    with pytest.raises(SolverError, match="the checker says: lower_bound: is"):
        checked_certificate(dataclasses.replace(result, certified=too_much))
    nothing = dataclasses.replace(result, certified=Bound(5, "word"))
    with pytest.raises(SolverError, match="no stage has proved a lower bound"):
        certificate(nothing)


def test_the_checkers_search_is_a_stage_of_the_certifying_plan_only() -> None:
    assert not any(isinstance(step.stage, Exhaustive) for step in PLAN)
    assert [step for step in CERTIFYING_PLAN if step in PLAN] == list(PLAN)
    assert sum(isinstance(step.stage, Exhaustive) for step in CERTIFYING_PLAN) == 2
