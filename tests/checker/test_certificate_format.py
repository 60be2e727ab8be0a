"""What a certificate file may hold, whatever its rule."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

import pytest
from certificate_texts import (
    AGGREGATE_STATE,
    BATCH_STATE,
    BLOCKS,
    COARSE_AGGREGATE_STATE,
    COARSE_BATCH_STATE,
    DEMAND_DUALS,
    PROPAGATION,
    SOUND,
    altered,
    refusal,
    repaired,
)

import reading
from claims import RULES as ALL_RULES
from claims import check
from releases import WITH_RELEASES

RULES = (
    "proof.rule: must be one of busy-time, linear-duals, propagation, aggregate-state, batch-state,"
    " coarse-batch-state, coarse-aggregate-state, dominance, demand-duals, blocks, event-order,"
    " exhaustive, got "
)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (
            ("format",),
            "kvopt-certificate/3",
            "format: must be 'kvopt-certificate/2' or 'kvopt-sl",
        ),
        (("format",), "kvopt-certificate/1", "is the old format, must be 'kvopt-certificate/2'"),
        (("format",), ["kvopt-certificate/2"], "format: must be 'kvopt-certificate/2'"),
        (("format",), None, "certificate: has no 'format'"),
        (("extra",), 1, "certificate: has an unknown key 'extra'"),
        (("instance", "memory"), 4, "must be an integer from 1 to 3, got 4"),
        (("instance", "memory"), True, "instance.memory: must be an integer"),
        (("instance", "memory"), 6, "instance_sha256: the instance has"),
        (("instance", "requests"), [], "instance.requests: must be 1 to"),
        (("instance", "requests", 0, "count"), 0, "requests[0].count: must be an integer from 1"),
        (("instance", "requests", 0, "count"), 10**7, "must be 1 to 10000000 requests"),
        (("instance", "name"), 5, "instance.name: must be a text"),
        (("instance", "format"), "x", "instance.format: must be 'kvopt-instance/1', got 'x'"),
        (("instance_sha256",), "0" * 64, "instance_sha256: the instance has"),
        (("lower_bound",), 16, "lower_bound: is 16, the starts cost 15"),
        (("lower_bound",), 14, "lower_bound: is 14, the proof gives 13"),
        (("lower_bound",), -1, "lower_bound: must be an integer from 0"),
        (("lower_bound",), 9.0, "numbers must be integers, got '9.0'"),
        (("lower_bound",), float("nan"), "numbers must be integers, got 'NaN'"),
        (("lower_bound",), 10**50, "a number has more than 40 digits"),
        (("upper_bound",), 16, "upper_bound: is 16, the starts cost 15"),
        (("upper_bound",), None, "upper_bound and starts: must both be there"),
        (("starts",), None, "upper_bound and starts: must both be there"),
        (("starts",), [1, 5], "starts: must be 3, one for each request, got 2"),
        (("starts", 1), -1, "starts[1]: must be an integer from 0"),
        (("starts", 1), 4, "starts: round 5 uses 7 tokens, memory is 5"),
        (("starts", 1), "5", "starts[1]: must be an integer"),
        (("proof",), None, "certificate: has no 'proof'"),
        (
            ("proof",),
            [],
            RULES,
        ),
        (
            ("proof", "rule"),
            "faith",
            RULES,
        ),
        (("proof", "extra"), 0, "proof: has an unknown key 'extra'"),
    ],
)
def test_refusals_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(SOUND))
    assert reason in refusal(altered(path, value))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ("[" * 10**6, "nested too deeply"),
        ('{"a":' * 10**6, "nested too deeply"),
        ("[]", "certificate: must be an object, got []"),
        ('{"format": 1, "format": 1}', "a key appears twice"),
        ("1" * 10**5, "a number has more than 40 digits"),
        ("-Infinity", "numbers must be integers"),
        ("1e400", "numbers must be integers"),
        ('{"\\ud800": 1}', "has an unknown key '\\ud800'"),
    ],
)
def test_refuses_what_is_no_certificate(data: str | bytes, reason: str) -> None:
    assert reason in refusal(data)


def test_refuses_a_long_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 100)
    assert "is longer than 100 bytes" in refusal(json.dumps(SOUND))


RELEASED: dict[str, Any] = repaired(
    {
        **SOUND,
        "instance": {
            "format": "kvopt-instance/2",
            "memory": 5,
            "requests": [
                {"prompt": 1, "output": 4, "count": 2},
                {"prompt": 0, "output": 1, "release": 7},
            ],
        },
        "starts": [0, 4, 8],
        "upper_bound": 4 + 8 + 9 - 7,
    }
)


def test_rules_that_are_not_proved_for_releases_refuse_them() -> None:
    contents = (AGGREGATE_STATE, PROPAGATION, BLOCKS, COARSE_BATCH_STATE, COARSE_AGGREGATE_STATE)
    proofs = {content["proof"]["rule"]: content["proof"] for content in contents}
    assert set(proofs) == set(ALL_RULES) - set(WITH_RELEASES) - {"event-order"}
    for rule, proof in proofs.items():
        reason = refusal(json.dumps({**RELEASED, "proof": proof}))
        assert reason == f"proof.rule: {rule} is not proved for releases after time 0"


@pytest.mark.parametrize("content", [DEMAND_DUALS, BATCH_STATE])
def test_duals_of_demands_name_the_release(content: dict[str, Any]) -> None:
    reason = refusal(json.dumps({**RELEASED, "proof": content["proof"]}))
    assert reason.startswith("proof.duals: must hold 4 integers")


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("starts", 2), 6, "starts[2]: must be an integer from 7"),
        (("upper_bound",), 21, "upper_bound: is 21, the starts cost 14"),
        (("lower_bound",), 15, "lower_bound: is 15, the starts cost 14"),
        (("instance", "format"), "kvopt-instance/1", "instance.format: must be 'kvopt-instance/2'"),
        (("instance", "requests", 1, "release"), -1, "requests[1].release: must be an integer"),
        (("instance", "requests", 1, "release"), 10**16, "requests[1].release: must be an integer"),
        (("instance", "requests", 1, "release"), True, "requests[1].release: must be an integer"),
        (("instance", "requests", 1, "release"), 8, "instance_sha256: the instance has"),
        (("instance", "requests", 1, "release"), 0, "instance.format: must be 'kvopt-instance/1'"),
    ],
)
def test_releases_are_read_and_count(path: tuple[Any, ...], value: Any, reason: str) -> None:
    assert refusal(altered(path, value, RELEASED)).startswith(reason) or reason in refusal(
        altered(path, value, RELEASED)
    )


def test_the_hash_is_over_triples_if_some_release_is_positive() -> None:
    pairs = b'{"memory":5,"requests":[[1,4],[1,4],[0,1]]}'
    triples = b'{"memory":5,"requests":[[1,4,0],[1,4,0],[0,1,7]]}'
    assert SOUND["instance_sha256"] == hashlib.sha256(pairs).hexdigest()
    assert RELEASED["instance_sha256"] == hashlib.sha256(triples).hexdigest()
    no_release = copy.deepcopy(SOUND)
    no_release["instance"]["requests"][1]["release"] = 0
    check(json.dumps(no_release))  # as if it were not there
    del no_release["instance"]["requests"][1]["release"]
    no_format = copy.deepcopy(RELEASED)
    del no_format["instance"]["format"]
    assert refusal(json.dumps(no_format)) == refusal(json.dumps(RELEASED))
