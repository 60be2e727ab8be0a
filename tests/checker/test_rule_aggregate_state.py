"""The rule "aggregate-state"."""

from __future__ import annotations

from typing import Any

import pytest
from certificate_texts import AGGREGATE_STATE, altered, refusal


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("second_moments",), None, "proof: has no 'second_moments'"),
        (("second_moments",), [], "proof.second_moments: is empty"),
        (("second_moments", 1), -1, "proof.second_moments: must be an integer from 0"),
        (("second_moments", 1), True, "proof.second_moments: must be an integer from 0"),
        (("second_moments", 4), None, "proof.start: must hold 4 integers"),
        (("start",), [], "proof.start: must name each prompt once, ascending"),
        (("start", 1), None, "proof.start: must name each prompt once, ascending"),
        (("start", 1, 0), 2, "proof.start: must name each prompt once, ascending"),
        (("start", 1, 0), 0, "proof.start: must increase from 1 on, got [0,"),
        (("start", 0, 1, 4), None, "proof.start: must hold 5 integers"),
        (("start", 0, 1, 4), -(10**41), "a number has more than 40 digits"),
        (("start", 0), [0], "proof.start: must hold pairs of a number and a list"),
        (("duals",), [], "proof.duals: must name each type once, ascending"),
        (("duals", 1), [0, 1, 1], "proof.duals: must name each type once, ascending"),
        (("duals", 0, 1), 2, "proof.duals: must name each type once, ascending"),
        (("duals", 0, 2), 13, "proof.duals: is more than a late completion costs"),
        (("duals", 0), [0, 1], "proof.duals: must hold 3 integers"),
        (("covers", 0, 0), 0, "proof.covers: must increase from 1 on"),
        (("covers", 1, 0), 1, "proof.covers: must increase from 2 on"),
        (("covers", 0, 1, 1), -1, "proof.covers: must be an integer from 0"),
        (("covers", 0, 1, 1), None, "proof.covers: must hold 5 integers"),
    ],
)
def test_refusals_of_paths_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    assert reason in refusal(altered(("proof", *path), value, AGGREGATE_STATE))
