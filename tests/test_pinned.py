"""What solve did before it was rebuilt: no bracket is wider, no certificate proves less.

tests/data/pinned.json has, for the curated instances and a few of each suite, the bracket, the
bound that was certified, by which rules, and the stages that were run.  A closed bracket is the
same on every machine; an open one depends on the clock, so it may only be narrower.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

import kvopt.solver.milp as model
import kvopt.solver.solve as solving
from kvopt import Instance, Stopping, read_instance
from kvopt.certificates.write import certify
from kvopt.generate.families import generate_random
from kvopt.model.files import curated_instances

PINNED = json.loads((Path(__file__).parent / "data/pinned.json").read_text())

STAGES = {
    "_priced": "demand-duals",
    "solve_by_search": "reference-search",
    "solve_by_kernel": "state-search",
    "_bounded_by_holdings": "batch-state",
    "_improved": "annealing",
    "_branched": "branch-and-bound",
    "_bounded_by_paths": "aggregate-state",
}
BOUNDS = {
    "search over states": "state-search",
    "prices of completions": "demand-duals",
    "branch and bound on prices": "branch-and-bound",
    "what is held": "batch-state",
    "busy time": "busy-time",
    "total output": "total-output",
}
RULES = {"worth": "demand-duals", "windows": "propagation", "holdings": "batch-state"}

SECONDS = 10
"""As when the record was made; which stages run depends on the limit."""
OPEN = 1.01
"""An open bracket may be wider by this factor, as the clock ends it."""


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages that solve runs, in their order."""
    trace: list[str] = []

    def traced(function: Any, name: str) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not trace or trace[-1] != name:
                trace.append(name)
            return function(*args, **kwargs)

        return call

    for function, name in STAGES.items():
        monkeypatch.setattr(solving, function, traced(getattr(solving, function), name))
    program = traced(model.solve_by_program, "program")
    monkeypatch.setattr(model, "solve_by_program", program)
    return trace


def named(name: str) -> Instance:
    family, _, number = name.partition("/")
    if number:
        return generate_random(family, 0, int(number))
    return read_instance(curated_instances() / f"{name}.json")


@pytest.mark.parametrize(
    "pinned",
    [
        pytest.param(row, id=row["instance"], marks=[pytest.mark.slow] if row["slow"] else [])
        for row in PINNED
    ],
)
def test_no_worse_than_pinned(pinned: dict[str, Any], stages: list[str]) -> None:
    instance = named(pinned["instance"])
    result = solving.solve(instance, SECONDS)
    trace = list(stages)
    certified = certify(result, Stopping(SECONDS))
    assert certified.lower_bound >= pinned["certified"]
    if pinned["objective"] > pinned["lower_bound"]:
        assert result.lower_bound <= pinned["objective"]
        assert result.objective >= pinned["lower_bound"]
        width = result.objective - result.lower_bound
        assert width <= OPEN * (pinned["objective"] - pinned["lower_bound"])
        return
    assert (result.objective, result.lower_bound) == (pinned["objective"], pinned["lower_bound"])
    assert BOUNDS.get(result.rule, result.rule) == pinned["bound"]
    rule = certified.content["proof"]["rule"]
    assert RULES.get(rule, rule) == pinned["rule"]
    assert trace == pinned["stages"]
