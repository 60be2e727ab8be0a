from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from kvopt import InputError, Instance
from kvopt.generate import PARAMETRIC, RANDOM, family_from_spec, generate_random

sys.path.append(str(Path(__file__).parent.parent / "scripts"))


@pytest.mark.parametrize("family", RANDOM)
def test_random_families_are_reproducible_and_within_their_limits(family: str) -> None:
    sizes = {"tiny": (6, 12), "small": (12, 24), "model1": (60, 50), "long": (12, 1000),
             "alike": (400, 100)}  # fmt: skip
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
    digests = "".join(generate_random(f, 1, k).digest() for f in RANDOM for k in range(5))
    assert hashlib.sha256(digests.encode()).hexdigest()[:16] == "31c2a00544924713"


@pytest.mark.parametrize("family", RANDOM)
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


@pytest.mark.parametrize(
    ("spec", "memory", "groups"),
    [
        ("two-point", 256, [(96, 160, 6), (96, 1, 194)]),
        ("two-point:memory=20:prompt=5:long=1:short=3", 20, [(5, 15, 1), (5, 1, 3)]),
        ("identical:count=7:output=9", 100, [(5, 9, 7)]),
        ("slice-boundary:alpha=2:memory=23:counts=2+7+3", 23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)]),
        (
            "slice-boundary:alpha=(7+sqrt(13))/6:memory=788:counts=14363+45637",
            788,
            [(0, 527, 14363), (0, 298, 45637)],
        ),
        (
            "slice-boundary:alpha=3:memory=1093:counts=4794+55206",
            1093,
            [(0, 730, 4794), (0, 244, 55206)],
        ),
        ("slice-boundary:alpha=4/3:memory=9:prompt=2:counts=1+1", 9, [(2, 6, 1), (2, 5, 1)]),
    ],
)  # fmt: skip
def test_parametric_families(spec: str, memory: int, groups: list[tuple[int, int, int]]) -> None:
    instance = family_from_spec(spec)
    assert isinstance(instance, Instance)
    assert (instance.memory, instance.groups()) == (memory, groups)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nope", "family: must be one of tiny, small, .* got 'nope'"),
        ("tiny:n=3", "family tiny: 'n': unknown parameter, known: output, requests, memory, prom"),
        ("tiny:requests=0", "family tiny: requests: must be an integer from 1 .* got 0"),
        ("tiny:requests=x", "family tiny: requests: must be an integer from 1 .* got 'x'"),
        ("tiny:requests=3..", "family tiny: requests: must be an integer from 1 .* got ''"),
        ("tiny:requests=4..3", r"family tiny: requests: must be LOW..HIGH .* got '4..3'"),
        ("tiny:requests=3:requests=4", "family tiny: requests: given twice, got '4'"),
        ("tiny:types=3", "family tiny: 'types': unknown parameter"),
        ("tiny:prompt=5", r"memory: must be at least the smallest prompt \+ output = 6, got 2..12"),
        ("identical:n=3", "family identical: 'n': unknown parameter, known: memory, prompt"),
        ("identical:count=0", "family identical: count: must be an integer from 1"),
        ("identical:count=x", "family identical: count: must be an integer .* got 'x'"),
        ("identical:output=99", r"requests\[0\]: prompt \+ output must be at most memory = 100"),
        ("slice-boundary:alpha=2", "family slice-boundary: memory: required parameter is missing"),
        ("slice-boundary:alpha=1:memory=9:counts=1", "alpha: must be greater than 1, got 1"),
        ("slice-boundary:alpha=2:memory=9:counts=1+1+1+1+1", "counts: must be at most 4 in number"),
        ("slice-boundary:alpha=2:memory=9:counts=1+", "counts: must be an integer"),
    ],
)
def test_refuses_bad_specs(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        family_from_spec(spec)


def test_every_parametric_family_documents_itself() -> None:
    for family in PARAMETRIC:
        assert family.build.__doc__


def test_curated_instances_are_up_to_date() -> None:
    from build_instances import differences

    assert differences() == [], "run scripts/build_instances.py"


def test_curated_instances_say_why_they_are_there() -> None:
    from build_instances import curated

    instances = list(curated())
    assert all(instance.comment for instance in instances)
    assert len({instance.name for instance in instances}) == len(instances)
