"""What solve did before it was rebuilt: no bracket is wider, no certificate proves less.

tests/data/pinned.json has, for the curated instances and a few of each suite, the bracket, the
bound that was certified, by which rules, and the stages that are run.  A closed bracket is the
same on every machine; an open one depends on the clock, so it may only be narrower.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from kvopt import Instance, read_instance, solve
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import checked_certificate
from kvopt.generate import generate_random
from kvopt.model.files import curated_instances

PINNED = json.loads((Path(__file__).parent / "data/pinned.json").read_text())

SECONDS = 20
"""By the processor's clock, so that a busy machine does not change which stages run."""

OPEN = 1.01
"""An open bracket may be wider by this factor, as the clock ends it."""


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
def test_no_worse_than_pinned(pinned: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    instance = named(pinned["instance"])
    result = solve(instance, SECONDS)
    certified = solve_certified(instance, 2 * SECONDS)
    checked_certificate(certified)
    assert certified.certified_lower_bound >= pinned["certified"]
    if pinned["objective"] > pinned["lower_bound"]:
        assert result.lower_bound <= pinned["objective"]
        assert result.objective >= pinned["lower_bound"]
        width = result.objective - result.lower_bound
        assert width <= OPEN * (pinned["objective"] - pinned["lower_bound"])
        return
    assert (result.objective, result.lower_bound) == (pinned["objective"], pinned["lower_bound"])
    if result.rule == "event-order":  # which came later
        return
    assert result.rule == pinned["bound"]
    assert certified.certified.rule == pinned["rule"]
    stages = [stage.name for stage in result.stages if not stage.name.startswith("event-order")]
    assert stages == pinned["stages"]
