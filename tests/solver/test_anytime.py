"""More time never gives a worse bracket, and the limit is used up.

The clock is one that counts how often it is looked at, so that a run does the same on every
machine.
"""

from __future__ import annotations

import itertools
import time

import pytest

from kvopt import Instance, Stopping, solve
from kvopt.generate import generate_random
from kvopt.solver.params import AnnealingParams, SolverParams, WindowParams
from kvopt.solver.result import End, Result, Status
from kvopt.solver.solve import PLAN


def solved(instance: Instance, looks: int, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Solve with a limit of so many looks at the clock."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    try:
        return solve(instance, looks)
    finally:
        monkeypatch.undo()


@pytest.mark.parametrize(
    "spec",
    [
        "real:requests=16:memory=1000",
        "real:requests=40:memory=2000",
        "real:requests=100:memory=4096",
        "real:kind=code:requests=60:memory=16384",
        "real:kind=mixed:requests=200:memory=8192",
    ],
)
def test_more_time_is_never_worse(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random(spec, 1, 0)
    brackets = [solved(instance, looks, monkeypatch) for looks in (60, 120, 240)]
    for less, more in itertools.pairwise(brackets):
        assert more.objective <= less.objective
        assert more.lower_bound >= less.lower_bound


@pytest.mark.parametrize("spec", ["real:requests=40:memory=2000", "real:requests=3000:memory=8192"])
def test_the_limit_is_used_up_and_kept(spec: str) -> None:
    instance = generate_random(spec, 1, 0)
    solve(instance, 0.1)  # what is compiled
    began = time.perf_counter()
    result = solve(instance, 1.5)
    seconds = time.perf_counter() - began - result.compile_seconds
    assert result.status is Status.BRACKET
    assert result.seconds >= 1.45
    assert seconds < 4  # far less on an idle machine


def test_a_result_says_why_it_ended() -> None:
    instance = generate_random("real:requests=3000:memory=8192", 1, 0)
    assert solve(instance, 0).end is End.TIME
    assert solve(generate_random("tiny", 1, 0), 60).end is End.CLOSED
    interrupted = Stopping()
    interrupted.interrupt()
    assert solve(instance, 60, stop=interrupted).end is End.INTERRUPTED
    spent = Stopping(node_limit=5)
    spent.count(5)
    assert solve(instance, 60, stop=spent).end is End.NODES
    none = SolverParams(
        annealing=AnnealingParams(most_requests=0), windows=WindowParams(most_requests=0)
    )
    ended = solve(instance, 60, plan=[*PLAN[:2], PLAN[-1]], params=none)
    assert ended.end is End.NO_STAGE
    assert ended.status is Status.BRACKET
    assert "ended as no stage is left that can do more" in str(ended)
