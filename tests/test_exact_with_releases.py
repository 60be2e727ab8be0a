"""The exact solvers witness against each other where requests are released over time."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest
from oracles import released_optimum
from small_instances import random_released_instance

from kvopt import Instance, Status, Stopping, solve, violations
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import checked_certificate
from kvopt.solver.hindsight_stage import solve_by_program
from kvopt.solver.primal.annealing import improve
from kvopt.solver.primal.annealing_kernel import ANNEALING
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.batch_state.stage import BatchState
from kvopt.solver.releases.search import solve_by_release_search
from kvopt.solver.stage import run_alone

CASES = json.loads((Path(__file__).parent / "cases" / "online.json").read_text())

RNG = random.Random(21)
WITNESSED = [random_released_instance(RNG, most=5, memory=12, latest=10) for _ in range(300)]


def rows(instance: Instance) -> list[tuple[int, int, int]]:
    return [(r.prompt, r.output, r.release) for r in instance]


def witnessed(instance: Instance, optimum: int) -> None:
    """Program, search, batch states and the whole plan find this optimum."""
    known = best_list_schedule(instance)
    for result in (
        solve_by_program(instance, known, Stopping(60)),
        solve_by_release_search(instance, known, Stopping(60)),
        run_alone(BatchState(), instance, known, Stopping(60)),
        solve(instance, 60),
    ):
        assert (result.status, result.objective) == (Status.OPTIMAL, optimum), rows(instance)
        assert violations(result.schedule) == []
        assert result.schedule.total_latency() == result.total_latency == optimum
        assert result.total_completion_time == optimum + instance.total_release


@pytest.mark.parametrize("part", range(6))
def test_all_witnesses_agree(part: int) -> None:
    assert len(WITNESSED) >= 300
    for instance in WITNESSED[part::6]:
        assert instance.has_releases
        witnessed(instance, released_optimum.optimum(instance.memory, rows(instance)))


def test_the_set_has_what_is_hard() -> None:
    mixed = sum(instance.common_prompt is None for instance in WITNESSED)
    shapes = [[(r.prompt, r.output) for r in instance] for instance in WITNESSED]
    assert 80 <= mixed <= 260
    assert sum(len(set(own)) < len(own) for own in shapes) >= 80
    idle = 0
    for instance in WITNESSED:
        starts = solve(instance).starts
        busy = {t for s, o in zip(starts, instance.outputs, strict=True) for t in range(s, s + o)}
        idle += len(busy) < max(starts + instance.outputs) - min(starts)
    assert idle >= 20


@pytest.mark.parametrize("case", CASES)
def test_cases_with_known_optima(case: dict[str, object]) -> None:
    requests = case["requests"]
    assert isinstance(requests, list)
    prompts, outputs, releases = zip(*requests, strict=True)
    instance = Instance(case["M"], prompts, outputs, releases=releases)  # type: ignore[arg-type]
    witnessed(instance, case["opt"])  # type: ignore[arg-type]


def test_an_optimum_may_idle_while_somebody_waits() -> None:
    """The long request waits for the short ones that come a round later, and nothing runs."""
    instance = Instance(6, [2, 3, 3, 3], [4, 1, 1, 1], releases=[0, 1, 1, 1])
    result = solve(instance)
    assert result.status is Status.OPTIMAL
    assert result.starts.min() == 1
    assert result.objective == released_optimum.optimum(6, rows(instance)) == 14


def test_larger_instances_have_true_brackets_and_certificates() -> None:
    rng = random.Random(22)
    for _ in range(4):
        instance = random_released_instance(rng, most=9, memory=20, latest=30)
        result = solve_certified(instance, 60)
        assert result.certified_lower_bound == result.objective
        assert checked_certificate(result)["upper_bound"] == result.objective


def test_annealing_respects_releases_compiled_or_not() -> None:
    rng = random.Random(23)
    for _ in range(10):
        instance = random_released_instance(rng, most=9, memory=15, latest=20)
        known = best_list_schedule(instance)
        plain = improve(instance, known, Stopping(), evaluations=300, functions=ANNEALING.plain)
        fast = improve(instance, known, Stopping(), evaluations=300)
        assert violations_of(instance, plain) == violations_of(instance, fast) == []
        best = solve(instance, math.inf).objective
        assert best <= cost(instance, fast) <= cost(instance, known)
        assert best <= cost(instance, plain) <= cost(instance, known)


def violations_of(instance: Instance, starts: object) -> list[object]:
    from kvopt import Schedule

    return list(violations(Schedule.from_starts(instance, starts)))  # type: ignore[arg-type]


def cost(instance: Instance, starts: object) -> int:
    from kvopt import Schedule

    return Schedule.from_starts(instance, starts).total_latency()  # type: ignore[arg-type]
