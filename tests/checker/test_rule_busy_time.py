"""The rule "busy-time"."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import numpy as np
import pytest
from certificate_texts import SOUND, refusal, repaired
from small_instances import random_instance, types_of

from busy_time import busy_time
from claims import check
from kvopt import Instance
from kvopt.solver.combinatorial_bounds import best_lower_bound, busy_time_bound, slot_bound


def test_busy_time_is_what_the_library_computes() -> None:
    rng = random.Random(4)
    for _ in range(200):
        instance = random_instance(rng)
        types = types_of(instance)
        assert busy_time(instance.memory, types, False) == busy_time_bound(instance)
        assert busy_time(instance.memory, types, True) == slot_bound(instance)


def test_many_requests_are_checked_quickly() -> None:
    rng = random.Random(5)
    outputs = [rng.randint(1, 300) for _ in range(100_000)]
    instance = Instance(16_000, [79] * len(outputs), outputs)
    starts = np.cumsum(outputs) - outputs
    bound = best_lower_bound(instance)
    assert bound.name == "busy time"
    content = {
        **SOUND,
        "instance": {"memory": 16_000, "requests": [{"prompt": 79, "output": o} for o in outputs]},
        "lower_bound": bound.value,
        "upper_bound": int(starts.sum()) + sum(outputs),
        "starts": starts.tolist(),
        "proof": {"rule": "busy-time", "weights": "memory"},
    }
    text = json.dumps(repaired(content))
    began = time.process_time()
    check(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        ({"rule": "busy-time"}, "proof: has no 'weights'"),
        ({"rule": "busy-time", "weights": "x"}, "must be memory or slots"),
        ({"rule": "busy-time", "weights": ["memory"]}, "must be memory or slots"),
        ({"rule": "busy-time", "weights": "memory", "extra": 1}, "unknown key 'extra'"),
    ],
)
def test_refusals_say_why(proof: dict[str, Any], reason: str) -> None:
    assert reason in refusal(json.dumps({**SOUND, "proof": proof}))


def test_slot_weights_are_for_few_requests_at_once() -> None:
    content = {**SOUND, "instance": {"memory": 200, "requests": [{"prompt": 0, "output": 1}]}}
    content = repaired({**content, "proof": {"rule": "busy-time", "weights": "slots"}})
    del content["starts"], content["upper_bound"]
    assert "slots is for up to 64 requests at once" in refusal(json.dumps(content))
