"""The rule "exhaustive"."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from certificate_texts import SOUND, refusal
from small_instances import optimum_of, random_instance, types_of

from budget import Budget
from claims import check
from exhaustive import searched
from reading import Refused


def test_the_search_finds_the_optimum_from_both_sides() -> None:
    rng = random.Random(3)
    for _ in range(150):
        instance = random_instance(rng)
        types = types_of(instance)
        best = optimum_of(instance)
        states = searched(instance.memory, types, best, 10**6, Budget())
        if states:
            with pytest.raises(Refused, match="takes more than"):
                searched(instance.memory, types, best, states - 1, Budget())
        with pytest.raises(Refused, match=f"a schedule costs {best}"):
            searched(instance.memory, types, best + 1, 10**6, Budget())


def test_the_states_needed_are_said_and_suffice() -> None:
    proof = {"rule": "exhaustive", "states": 5_000_000}
    content = {**SOUND, "lower_bound": 13, "proof": proof}
    needed = check(json.dumps(content)).states
    assert needed is not None
    assert 0 < needed < 100
    proof["states"] = needed
    assert check(json.dumps(content)).states == needed
    proof["states"] = needed - 1
    assert refusal(json.dumps(content)) == f"proof.states: the search takes more than {needed - 1}"
    assert check(json.dumps(SOUND)).states is None


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        ({"rule": "exhaustive", "states": 10**9}, "from 0 to 5000000"),
        ({"rule": "exhaustive", "states": -1}, "from 0 to 5000000"),
        ({"rule": "exhaustive"}, "proof: has no 'states'"),
        ({"rule": "exhaustive", "states": 9, "extra": 1}, "unknown key 'extra'"),
    ],
)
def test_refusals_say_why(proof: dict[str, Any], reason: str) -> None:
    assert reason in refusal(json.dumps({**SOUND, "proof": proof}))
