"""The family of lengths as in traces."""

from __future__ import annotations

import hashlib
import statistics

import pytest

from kvopt import InputError
from kvopt.generate import family_from_spec, generate_random
from kvopt.generate.random_families import RANDOM

KINDS = sorted(RANDOM["real"].kinds)


@pytest.mark.parametrize(
    ("kind", "prompts", "outputs", "median_prompt", "median_output"),
    [
        ("chat", 79, 215, 79, 145),
        ("capped", 79, 145, 79, 145),
        ("code", 2115, 31, 1469, 13),
        ("conversation", 1335, 219, 1034, 136),
        ("long", 14174, 351, 7965, 363),
        ("mixed", 566, 293, 353, 238),
    ],
)
def test_lengths_match_the_statistics_that_the_module_states(
    kind: str, prompts: float, outputs: float, median_prompt: float, median_output: float
) -> None:
    instance = generate_random(f"real:kind={kind}:requests=20000:memory=200000", 1, 0)
    assert instance.prompts.mean() == pytest.approx(prompts, rel=0.03)
    assert instance.outputs.mean() == pytest.approx(outputs, rel=0.03)
    assert statistics.median(instance.prompts.tolist()) == pytest.approx(median_prompt, rel=0.05)
    assert statistics.median(instance.outputs.tolist()) == pytest.approx(median_output, rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_requests_fit_and_are_reproducible(kind: str) -> None:
    spec = f"real:kind={kind}:requests=24..60"
    instances = [generate_random(spec, 3, k) for k in range(20)]
    assert instances == [generate_random(spec, 3, k) for k in range(20)]
    assert len({i.digest() for i in instances}) == 20
    assert all(24 <= len(i) <= 60 for i in instances)
    assert instances[0].source == f"kvopt generate {family_from_spec(spec)} --seed 3: number 0"


def test_chats_have_one_prompt_and_capped_ones_many_equal_outputs() -> None:
    assert generate_random("real:requests=24:memory=1000", 1, 0).common_prompt == 79
    capped = generate_random("real:kind=capped:requests=200", 1, 0)
    assert (capped.outputs == 256).sum() > 50
    assert capped.outputs.max() == 256


def test_ranges_cap_lengths() -> None:
    instance = generate_random("real:kind=long:requests=50:prompt=2000:output=1..300", 1, 0)
    assert instance.common_prompt == 2000
    assert instance.outputs.max() == 300


def test_the_first_kind_is_the_default() -> None:
    assert family_from_spec("real:kind=chat:requests=24") == "real:requests=24"
    assert family_from_spec("real:requests=24:kind=code") == "real:kind=code:requests=24"
    assert generate_random("real:kind=chat", 1, 2) == generate_random("real", 1, 2)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("real:kind=poem", "family real: kind: must be chat or capped or .* got 'poem'"),
        ("real:types=3", "family real: 'types': unknown parameter"),
        ("real:kind=long:memory=800", "family real:kind=long: memory: .* = 892, got 800"),
        ("tiny:kind=chat", "family tiny: 'kind': unknown parameter"),
    ],
)
def test_refuses_bad_specs(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        family_from_spec(spec)


def test_a_seed_means_the_same_for_ever() -> None:
    digests = "".join(generate_random(f"real:kind={k}", 1, 0).digest() for k in KINDS)
    assert hashlib.sha256(digests.encode()).hexdigest()[:16] == "d67323f2abfcc16a"
