"""The rule "batch-state"."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from certificate_texts import BATCH_STATE, refusal, repaired
from mutation import batch_state
from small_instances import optimum_of, random_instance, types_of

import batch_state as module
from budget import Budget
from claims import check
from kvopt import Instance
from reading import Refused


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("scale",), 1, "proof.duals: is more than a completion at the horizon costs"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("nodes",), None, "proof: has no 'nodes'"),
        (("nodes",), -1, "proof.nodes: must be an integer from 0"),
        (("nodes",), 0, "lower_bound: is 13, the proof gives"),
        (("nodes",), 1, "proof.nodes: the search takes more than 1"),
        (("horizon",), 8, "proof.duals: is more than a completion at the horizon costs"),
        (("horizon",), 10**6 + 1, "proof.horizon: must be an integer from 1 to 1000000"),
        (("horizon",), 10**6, "nothing"),
        (("duals",), [], "proof.duals: must name each type once, ascending"),
        (("duals", 1), None, "proof.duals: must name each type once, ascending"),
        (("duals", 1), [0, 1, 1], "proof.duals: must name each type once, ascending"),
        (("duals", 1), [1, 4], "proof.duals: must hold 3 integers"),
        (("duals", 1, 2), 19, "proof.duals: is more than a completion at the horizon costs"),
        (("duals", 1, 2), -(10**20), "proof.duals: has duals that are too large"),
    ],
)
def test_refusals_of_holdings_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    content = copy.deepcopy(BATCH_STATE)
    check(json.dumps(content))
    inside = content["proof"]
    for key in path[:-1]:
        inside = inside[key]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    if reason != "nothing":
        assert reason in refusal(json.dumps(content))


def test_refuses_a_huge_memory_before_it_takes_any() -> None:
    content = copy.deepcopy(BATCH_STATE)
    content["instance"] = {"memory": 10**9, "requests": [{"prompt": 0, "output": 10**9}]}
    content["proof"].update(horizon=10**6, duals=[[0, 10**9, 10**6]], scale=1)
    content["lower_bound"] = 10**9 + 1
    del content["starts"], content["upper_bound"]
    reason = refusal(json.dumps(repaired(content)))
    assert reason == "proof.duals: has duals that are too large"


def test_a_schedule_that_is_cheaper_refutes_a_bound() -> None:
    content = copy.deepcopy(BATCH_STATE)
    del content["starts"], content["upper_bound"]
    check(json.dumps(content))
    content["lower_bound"] = 14
    assert "lower_bound: is 14, a schedule costs less" in refusal(json.dumps(content))


def outcomes(source: str, cases: list[tuple[Instance, int, dict[str, Any]]]) -> list[int | str]:
    """What a checker with this source finds: the bound, or why it refuses."""
    names: dict[str, Any] = {"__name__": "batch_state"}
    exec(compile(source, "batch_state", "exec"), names)
    found: list[int | str] = []
    for instance, low, proof in cases:
        try:
            given = (instance.memory, types_of(instance), low, proof, Budget())
            found.append(names["prove"](*given))
        except Refused as refused:
            found.append(str(refused))
    return found


def test_batches_that_are_left_out_change_no_verdict() -> None:
    rng = random.Random(12)
    cases = []
    for _ in range(60):
        instance = random_instance(rng)
        best = optimum_of(instance)
        proof = batch_state(instance, rng, 10**6)
        cases += [(instance, low, proof) for low in (best - 1, best, best + 1)]
    source = Path(module.__file__ or "").read_text()
    text = "after[0] + slack"
    assert source.count(text) == 1
    found = outcomes(source, cases)
    assert found == outcomes(source.replace(text, "MAX_COST"), cases)
    refuted = [text for text in found if str(text).endswith("a schedule costs less")]
    assert len(refuted) > 40
    assert found != outcomes(source.replace(text, "after[0] + slack // 4"), cases)
    assert found != outcomes(source.replace(text, "min(0, after[0] + slack)"), cases)
