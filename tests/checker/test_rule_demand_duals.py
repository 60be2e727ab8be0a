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
