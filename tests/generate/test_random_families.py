"""Random families."""

from __future__ import annotations

import hashlib

import pytest

from kvopt.generate import RANDOM, family_from_spec, generate_random


@pytest.mark.parametrize("family", RANDOM)
def test_random_families_are_reproducible_and_within_their_limits(family: str) -> None:
    sizes = {"tiny": (6, 12), "small": (12, 24), "model1": (60, 50), "long": (12, 1000),
             "alike": (400, 100), "real": (40, 2000)}  # fmt: skip
    most, memory = sizes[family]
    instances = [generate_random(family, seed=5, number=k) for k in range(40)]
    assert instances == [generate_random(family, seed=5, number=k) for k in range(40)]
    assert instances != [generate_random(family, seed=6, number=k) for k in range(40)]
    assert all(len(i) <= most and i.memory <= memory for i in instances)
    assert len({i.digest() for i in instances}) > 30
    assert family_from_spec(family) == family


def test_model1_is_the_published_setting() -> None:
    for k in range(50):
        instance = generate_random("model1", 0, k)
        assert 30 <= instance.memory <= 50
        assert 40 <= len(instance) <= 60
        assert instance.common_prompt in range(1, 6)


def test_a_seed_means_the_same_for_ever() -> None:
    """Numbers in papers and benchmarks rest on this."""
    older = [family for family in RANDOM if family != "real"]
    digests = "".join(generate_random(f, 1, k).digest() for f in older for k in range(5))
    assert hashlib.sha256(digests.encode()).hexdigest()[:16] == "31c2a00544924713"


@pytest.mark.parametrize("family", [family for family in RANDOM if family != "real"])
def test_random_families_take_parameters(family: str) -> None:
    spec = f"{family}:prompt=3..4:output=2..5:memory=10..12:requests=7"
    canonical = family_from_spec(spec)
    assert canonical == f"{family}:requests=7:memory=10..12:prompt=3..4:output=2..5"
    for k in range(30):
        instance = generate_random(spec, 1, k)
        assert instance == generate_random(str(canonical), 1, k)
        assert len(instance) == 7
        assert 10 <= instance.memory <= 12
        assert set(instance.prompts.tolist()) <= {3, 4}
        assert set(instance.outputs.tolist()) <= {2, 3, 4, 5}
        assert instance.source == f"kvopt generate {canonical} --seed 1: number {k}"
        assert instance.name == f"{str(canonical).replace(':', '-')}-1-{k:03d}"
    assert len({generate_random(spec, 1, k).digest() for k in range(30)}) > 20


def test_a_parameter_at_its_default_changes_nothing() -> None:
    same = generate_random("model1:memory=30..50:requests=40..60", 1, 3)
    assert same == generate_random("model1", 1, 3)
    assert same.source == "kvopt generate model1 --seed 1: number 3"


def test_alike_takes_a_number_of_types() -> None:
    found = [len(generate_random("alike:types=9:memory=500", 0, k).groups()) for k in range(9)]
    assert max(found) == 9


def test_a_prompt_leaves_room_for_the_output() -> None:
    for k in range(30):
        instance = generate_random("tiny:memory=6:prompt=1..9:output=4..9", 0, k)
        assert instance.prompts.max() <= 2
        assert (instance.prompts + instance.outputs).max() <= 6
