"""A limit holds with many requests: what always runs is quick, and what is begun can be broken off.

The clock counts the calls that Python makes, so that a run does the same on every machine.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TypeVar

import pytest

from kvopt import Instance, Stopping, compare, read_instance, solve, write_instance
from kvopt.certificates.write import (
    LEAST_CHECK_SECONDS,
    certificate,
    certificate_text,
    seconds_to_solve,
    stop_of_check,
)
from kvopt.comparison.audit import problems_of
from kvopt.generate import generate_random
from kvopt.solver.params import GridProgramParams
from kvopt.solver.primal.list_schedules import list_schedules
from kvopt.solver.relaxations.grid_program.piecewise import piecewise_bound
from kvopt.solver.releases.list_schedules import dispatched
from kvopt.solver.solve import RELEASE_PLAN
from kvopt.theory.ordering import area_order, areas, in_order_cost

T = TypeVar("T")

MIXED = "real:kind=mixed:requests={}:memory=16384"
ARRIVING = "real:requests={}:memory=16384:arrivals=poisson:load=0.9"

FEWER, MORE = 6_000, 12_000
"""Requests; what the second number costs beyond the first is for each request."""


def calls(work: Callable[[], T], monkeypatch: pytest.MonkeyPatch) -> tuple[int, T]:
    """Do some work by a clock of calls; return how many it has made, and what it returns."""
    made = 0

    def see(frame: FrameType, event: str, argument: object) -> None:
        nonlocal made
        made += 1

    monkeypatch.setattr(time, "perf_counter", lambda: float(made))
    before = sys.getprofile()
    sys.setprofile(see)
    try:
        found = work()
    finally:
        sys.setprofile(before)
        monkeypatch.undo()
    return made, found


def calls_each(
    spec: str, work: Callable[[Instance], object], monkeypatch: pytest.MonkeyPatch
) -> float:
    """Return how many calls some work makes for each further request."""
    instances = [generate_random(spec.format(n), 1, 0) for n in (FEWER, MORE)]
    work(instances[0])  # what is loaded
    fewer, more = (calls(lambda one=one: work(one), monkeypatch)[0] for one in instances)
    return (more - fewer) / (MORE - FEWER)


@pytest.mark.parametrize("spec", [MIXED, ARRIVING])
def test_stages_that_always_run_do_little_for_each_request(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calls_each(spec, lambda instance: solve(instance, 0), monkeypatch) < 40


def test_checks_and_files_take_few_calls_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problems(instance: Instance) -> None:
        assert problems_of(compare(instance, "gba", 0)) == []

    def file(instance: Instance) -> None:
        write_instance(tmp_path / "x.json", instance)
        assert read_instance(tmp_path / "x.json") == instance

    def written(instance: Instance) -> None:
        certificate_text(certificate(solve(instance, 0)))

    solving = calls_each(MIXED, lambda instance: solve(instance, 0), monkeypatch)
    assert calls_each(MIXED, problems, monkeypatch) < solving + 8
    assert calls_each(MIXED, file, monkeypatch) < 24
    assert calls_each(MIXED, written, monkeypatch) < solving + 8


def test_a_limit_of_calls_is_kept_and_the_best_rules_are_among_what_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instance = generate_random(ARRIVING.format(MORE), 1, 0)
    plan = RELEASE_PLAN[:2]
    best = solve(instance, plan=plan)  # which compiles, too
    limit = 60 * MORE
    made, result = calls(lambda: solve(instance, limit, plan=plan), monkeypatch)
    assert made < 1.05 * limit
    assert result.objective == best.objective
    assert result.lower_bound == best.lower_bound


def test_one_rule_is_placed_however_little_time_there_is() -> None:
    for spec in (MIXED, ARRIVING):
        instance = generate_random(spec.format(2_000), 1, 0)
        late = instance.has_releases
        key = instance.outputs if late else areas(instance.prompts, instance.outputs)
        starts = dispatched(instance, key, Stopping())
        assert starts is not None
        cost = int((starts + instance.outputs - instance.releases).sum())
        assert solve(instance, 0).objective <= cost
        stop = Stopping()
        stop.interrupt()
        assert solve(instance, 0, stop=stop).objective > cost


def test_shortest_volume_first_is_placed_first() -> None:
    """It comes before other orders are worked out, and before anything is placed with gaps."""
    instance = generate_random(MIXED.format(2_000), 1, 0)
    prompts, outputs = instance.prompts, instance.outputs
    first = next(list_schedules(instance, Stopping()))
    cost = int(first.sum()) + instance.total_output
    assert cost == in_order_cost(instance.memory, prompts, outputs, by_area=True)
    assert (
        first[area_order(prompts, outputs)][1:] >= first[area_order(prompts, outputs)][:-1]
    ).all()


@pytest.mark.parametrize("most", [1, 5])
def test_the_piecewise_program_is_broken_off_while_it_is_built(most: int) -> None:
    instance = generate_random(MIXED.format(FEWER), 1, 0)
    looks = itertools.count()
    stop = Stopping(stopped=lambda: next(looks) >= most)
    params = GridProgramParams()
    assert piecewise_bound(instance, instance.total_output, params, stop) is None
    assert next(looks) <= most + 5


def test_a_part_of_the_limit_is_kept_for_the_check_of_a_certificate() -> None:
    assert seconds_to_solve(2, 100_000) == 1
    assert seconds_to_solve(20, 100_000) == pytest.approx(16)
    assert seconds_to_solve(60, 12) == pytest.approx(57, abs=0.01)
    assert seconds_to_solve(0, 12) == 0
    assert seconds_to_solve(float("inf"), 12) == float("inf")
    stop = Stopping()
    assert 0 < stop_of_check(stop, 0).left() <= LEAST_CHECK_SECONDS
    assert 19 < stop_of_check(stop, 20).left() <= 20
    assert stop_of_check(Stopping(0), 20).over()
