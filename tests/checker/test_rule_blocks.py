"""The rule "blocks"."""

from __future__ import annotations

import json
from typing import Any

import pytest
from certificate_texts import BLOCKS, altered, refusal

from claims import check


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("memory",), None, "proof: has no 'memory'"),
        (("memory", 0), [1, -1], "proof.memory: must be an integer from 0"),
        (("memory", 0), [0, 1], "proof.memory: rows must increase from 1"),
        (("memory", 1), [3, 1], "proof.memory: rows must increase from 1"),
        (("memory", 1), [10**9, 1], "proof: has duals too late, at 1000000000"),
        (("blocks",), {}, "proof.blocks: must be a list"),
        (("blocks",), [[[0, 1, 2]]], "proof.blocks: must name each type once"),
        (("blocks", 0), [], "proof.blocks: must name each type once, and none may be empty"),
        (("blocks", 0), [[1, 4, 18]], "proof.blocks[1]: must name each type once, ascending"),
        (("blocks", 0), [[7, 1, 2]], "proof.blocks[0]: must name each type once, ascending"),
        (("blocks", 0), [[1, 4, 1], [0, 1, 2]], "proof.blocks[0]: must name each type once"),
        (("blocks", 0), [[0, 1]], "proof.blocks[0]: must hold 3 integers"),
        (("blocks", 0), 7, "proof.blocks[0]: must be a list"),
        (("blocks", 0, 0, 2), 1.0, "numbers must be integers"),
        (("blocks", 1, 0, 2), 10**12, "takes more than 800000000 steps"),
        (("blocks", 1, 0, 2), 10, "lower_bound: is 13, the proof gives"),
    ],
)
def test_refusals_of_parts_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    assert check(json.dumps(BLOCKS)).rule == "blocks"
    assert reason in refusal(altered(("proof", *path), value, BLOCKS))
