"""What holds is accepted, by every rule, and nothing that is changed unless it is true."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from certificate_texts import SOUND, refusal
from hypothesis import given, settings
from hypothesis import strategies as st
from mutation import assert_no_false_mutant_is_accepted, examples, is_true, places, repaired

from claims import RULES, check
from kvopt.certificates.write import certificate_text
from reading import Refused


def test_accepts_a_proof_by_every_rule() -> None:
    rules = set()
    for content in examples(60, seed=1):
        claim = check(certificate_text(content))
        assert claim.lower_bound == content["lower_bound"]
        assert claim.upper_bound == content["upper_bound"] == check(json.dumps(content)).upper_bound
        assert claim == check(certificate_text(content).encode())
        rules.add(claim.rule)
        del content["starts"], content["upper_bound"]
        assert check(certificate_text(content)).upper_bound is None
    assert rules == set(RULES)


@pytest.mark.parametrize(
    ("count", "seed", "share"),
    [(8, 9, 0.15), pytest.param(12, 7, 1, marks=pytest.mark.slow)],
)
def test_no_mutant_is_accepted_unless_it_is_true(count: int, seed: int, share: float) -> None:
    assert_no_false_mutant_is_accepted(examples(count, seed), random.Random(seed), share)


def test_a_tight_bound_raised_by_one_is_always_refused() -> None:
    for content in examples(40, seed=8):
        if content["lower_bound"] == content["upper_bound"]:
            content["lower_bound"] += 1
            del content["starts"], content["upper_bound"]
            reason = refusal(json.dumps(content))
            assert reason.startswith(("lower_bound: is", "proof.states: ", "proof.slack: "))


keys = st.sampled_from(
    [*SOUND, *SOUND["proof"], *SOUND["instance"], "count", "prompt", "output", "release"]
)
numbers = st.integers(-1, 6) | st.integers() | st.floats() | st.booleans() | st.none()
texts = st.sampled_from(["linear-duals", "busy-time", "exhaustive", "memory", "slots"]) | st.text()
garbage = st.recursive(
    numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@given(st.text() | st.binary() | garbage.map(json.dumps))
def test_garbage_is_refused_without_a_crash(data: str | bytes) -> None:
    with pytest.raises(Refused):
        check(data)


@settings(max_examples=300)
@given(st.data())
def test_garbage_inside_a_certificate_is_no_crash(data: st.DataObject) -> None:
    content = copy.deepcopy(SOUND)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(content))))
        inside: Any = content
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = data.draw(garbage)
    content = repaired(content)
    try:
        check(json.dumps(content))
    except Refused:
        return
    assert is_true(content)


def test_the_script_tries_more_of_them() -> None:
    script = Path(__file__).parents[2] / "scripts" / "mutate_certificates.py"
    done = subprocess.run(
        [sys.executable, str(script), "--count", "200", "--seed", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ", 0 accepted; " in done.stdout.splitlines()[-1]
