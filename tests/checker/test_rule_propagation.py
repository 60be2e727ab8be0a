"""The rule "propagation"."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from certificate_texts import PROPAGATION, altered, refusal

from claims import check


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("cutoff",), 0, "proof.cutoff: must be an integer from 1"),
        (("cutoff",), 10, "lower_bound: is 11, the proof gives 10"),
        (("horizon",), 0, "proof.horizon: must be an integer from 1"),
        (("horizon",), 10**7, "takes more than 900 MB of memory"),
        (("horizon",), 2, "proof.tree[0]: has duals after the horizon"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("tree",), [], "proof.tree: ends with 1 subtrees missing"),
        (("tree", 2), None, "proof.tree: ends with 1 subtrees missing"),
        (("tree", 2), 7, "proof.tree[2]: must be an object"),
        (("tree", 2), {"extra": 1}, "proof.tree[2]: has an unknown key 'extra'"),
        (("tree", 2), {"branch": [0]}, "proof.tree[2]: has an unknown key 'branch'"),
        (("tree", 2), {"memory": []}, "proof.tree[2]: has no 'covers'"),
        (("tree", 0, "at_most"), None, "proof.tree[0]: has no 'at_most'"),
        (("tree", 0, "at_most"), -1, "proof.tree[0].at_most: must be an integer from 0"),
        (("tree", 0, "split"), [], "proof.tree[0].split: is empty"),
        (("tree", 0, "split", 0, 2), 10, "proof.tree[0].split: must be an integer from 1"),
        (("tree", 0, "split", 0, 1), 3, "proof.tree[0].split: must name types of the instance"),
        (
            ("tree", 0, "split"),
            [[0, 1, 3], [1, 4, 3]],
            "proof.tree[0].split: must be of one type",
        ),
        (("tree", 1, "branch"), [], "proof.tree[1].branch: must be 1 duals, got 0"),
        (("tree", 1, "memory", 0, 1), -1, "proof.tree[1].memory: must be an integer from 0"),
    ],
)
def test_refusals_of_windows_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(PROPAGATION))
    assert reason in refusal(altered(("proof", *path), value, PROPAGATION))


def test_refuses_a_tree_that_goes_on() -> None:
    content = copy.deepcopy(PROPAGATION)
    content["proof"]["tree"].append({})
    assert "proof.tree[3]: is left over" in refusal(json.dumps(content))
