"""The rule "batch-state"."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from certificate_texts import BATCH_STATE, refusal, repaired

from claims import check


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
