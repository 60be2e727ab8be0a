"""The rule "demand-duals"."""

from __future__ import annotations

import json
from typing import Any

import pytest
from certificate_texts import DEMAND_DUALS, altered, refusal, repaired


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("scale",), None, "proof: has no 'scale'"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("duals",), None, "proof: has no 'duals'"),
        (("duals",), {}, "proof.duals: must be a list"),
        (("duals",), [], "proof.duals: must name each type once, ascending"),
        (("duals", 1), [0, 1, 1], "proof.duals: must name each type once, ascending"),
        (("duals", 0), [1, 4, 1], "proof.duals: must name each type once, ascending"),
        (("duals", 0), [0, 1], "proof.duals: must hold 3 integers"),
        (("duals", 0, 2), True, "proof.duals: must be an integer from"),
        (("duals", 1, 2), 10**12, "takes more than 800000000 steps"),
        (("duals", 1, 2), -(10**12), "lower_bound: is 11, the proof gives -"),
        (("duals", 1, 2), 8, "lower_bound: is 11, the proof gives"),
    ],
)
def test_refusals_of_worth_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    assert reason in refusal(altered(("proof", *path), value, DEMAND_DUALS))


def test_refuses_long_profiles() -> None:
    instance = {"memory": 30_000, "requests": [{"prompt": 0, "output": 20_000}]}
    proof = {"rule": "demand-duals", "scale": 1, "duals": [[0, 20_000, 30_000]]}
    content = repaired({**DEMAND_DUALS, "instance": instance, "proof": proof})
    del content["starts"], content["upper_bound"]
    assert "the outputs are too long" in refusal(json.dumps(content))


SEARCH = {**DEMAND_DUALS, "proof": {**DEMAND_DUALS["proof"], "slack": 30, "nodes": 10_000}}
"""The same with a search, which proves no less."""


def test_a_search_proves_the_optimum_and_no_more() -> None:
    best = 13
    poor = altered(("proof", "duals", 1, 2), 8, SEARCH)
    for text in (json.dumps(SEARCH), poor):
        content = json.loads(text)
        content["lower_bound"] = best
        assert refusal(json.dumps(content)) == ""
        content["lower_bound"] = best + 1
        del content["starts"], content["upper_bound"]
        assert f"lower_bound: is {best + 1}, a schedule costs less" in refusal(json.dumps(content))


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("slack",), None, "proof: has no 'slack'"),
        (("nodes",), None, "proof: has an unknown key 'slack'"),
        (("slack",), -1, "proof.slack: must be an integer from 0"),
        (("slack",), 0, "proof.slack: is less than what a start may cost"),
        (("slack",), 10**30, "takes more than 800000000 steps"),
        (("nodes",), 0, "proof.nodes: must be an integer from 1"),
        (("nodes",), 1, "proof.nodes: the search takes more than 1"),
        (("nodes",), 10**9, "proof.nodes: must be an integer from 1 to 50000000"),
    ],
)
def test_refusals_of_searches_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    poor = json.loads(altered(("proof", "duals", 1, 2), 4, SEARCH))
    poor["lower_bound"] = 13
    assert refusal(json.dumps(poor)) == ""
    assert reason in refusal(altered(("proof", *path), value, poor))
