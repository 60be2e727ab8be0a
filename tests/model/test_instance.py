from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from strategies import instances

from kvopt import InputError, Instance, Request
from kvopt.model.instance import MAX_REQUESTS, MAX_TOKENS


def test_request_facts() -> None:
    request = Request(prompt=3, output=4)
    assert request.peak == 7
    assert request.area == (3 + 1) + (3 + 2) + (3 + 3) + (3 + 4)


@given(instances(latest_release=20))
def test_groups_and_types_rebuild_the_instance(instance: Instance) -> None:
    assert Instance.from_groups(instance.memory, instance.groups()) == instance
    expanded = [request for request, count in instance.types() for _ in range(count)]
    assert expanded == sorted(instance, key=lambda r: (r.output, r.prompt, r.release))
    assert all(
        (a[:2], a[3:]) != (b[:2], b[3:])
        for a, b in zip(instance.groups(), instance.groups()[1:], strict=False)
    )


@given(instances())
def test_digest_is_that_of_the_canonical_json(instance: Instance) -> None:
    pairs = [[r.prompt, r.output] for r in instance]
    content = {"requests": pairs, "memory": instance.memory}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert instance.digest() == hashlib.sha256(text.encode()).hexdigest()


@given(instances(latest_release=20))
def test_digest_with_releases_is_that_of_triples(instance: Instance) -> None:
    rows = [[r.prompt, r.output, r.release] for r in instance]
    rows = rows if instance.has_releases else [row[:2] for row in rows]
    text = json.dumps({"memory": instance.memory, "requests": rows}, separators=(",", ":"))
    assert instance.digest() == hashlib.sha256(text.encode()).hexdigest()


def test_release_times() -> None:
    instance = Instance(10, [2, 2, 0], [3, 8, 1], releases=[0, 10**15, 4])
    assert instance[1] == Request(2, 8, release=10**15)
    assert instance[1:] == (Request(2, 8, 10**15), Request(0, 1, 4))
    assert repr(instance[2]) == "Request(prompt=0, output=1, release=4)"
    assert (
        repr(instance)
        == "Instance(name='', memory=10, requests=3, latest release=" + "1" + "0" * 15 + ")"
    )
    assert instance.has_releases
    assert instance.total_release == 10**15 + 4
    assert instance.renamed("x").releases.tolist() == [0, 10**15, 4]
    assert instance != Instance(10, [2, 2, 0], [3, 8, 1])
    assert pickle.loads(pickle.dumps(instance)) == instance
    with pytest.raises(ValueError, match="read-only"):
        instance.releases[0] = 1
    same = Instance(10, [2], [3], releases=[0])
    assert same == Instance(10, [2], [3])
    assert (same.has_releases, same.total_release) == (False, 0)


@pytest.mark.parametrize(
    ("releases", "message"),
    [
        ([0], "releases: must be as many as prompts, 2, got 1"),
        ([0, -1], r"requests\[1\].release: must be an integer from 0 to 10{15}, got -1"),
        ([0, 10**15 + 1], r"requests\[1\].release: must be an integer .* got 10{14}1"),
        ([0, 10**30], r"requests\[1\].release: must be an integer .* got 10{30}"),
        ([0.5, 1], r"requests\[0\].release: must be an integer .* got 0.5"),
        ([[0, 1]], "releases: must be a flat list, got 2 dimensions"),
    ],
)
def test_refuses_releases_out_of_range(releases: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Instance(10, [2, 2], [3, 8], releases=releases)


def test_sequence_of_requests() -> None:
    instance = Instance(10, [2, 2, 0], [3, 8, 1])
    assert list(instance) == [Request(2, 3), Request(2, 8), Request(0, 1)]
    assert instance[-1] == Request(0, 1)
    assert instance[:2] == (Request(2, 3), Request(2, 8))
    assert len(instance) == 3
    assert instance.total_output == 12
    assert instance.common_prompt is None
    assert Instance(10, [2, 2], [1, 2]).common_prompt == 2


def test_frozen_and_hashable() -> None:
    instance = Instance(10, [2], [3])
    with pytest.raises(dataclasses.FrozenInstanceError):
        instance.memory = 11  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        instance.outputs[0] = 1
    assert hash(instance) == hash(Instance(10, [2], [3]))
    assert pickle.loads(pickle.dumps(instance)) == instance


def test_does_not_share_memory_with_its_arguments() -> None:
    outputs = np.array([3, 4])
    instance = Instance(10, [2, 2], outputs)
    outputs[0] = 8
    assert instance[0] == Request(2, 3)


@pytest.mark.parametrize(
    ("memory", "prompts", "outputs", "message"),
    [
        (0, [0], [1], "memory: must be an integer from 1 to 1000000000, got 0"),
        (True, [0], [1], "memory: .* got True"),
        (10.0, [0], [1], "memory: .* got 10.0"),
        ("10", [0], [1], "memory: .* got '10'"),
        (10**18, [0], [1], "memory: .* got 1000000000000000000"),
        (10, [], [], r"requests: must not be empty, got \[\]"),
        (10, [0, 1], [1], "outputs: must be as many as prompts, 2, got 1"),
        (10, [0, -1], [1, 1], r"requests\[1\].prompt: must be an integer from 0 .* got -1"),
        (10, [0, 1], [1, 0], r"requests\[1\].output: must be an integer from 1 .* got 0"),
        (10, [0, 1], [1, 2.5], r"requests\[0\].output: .* got 1.0"),
        (10, [0, 1], [1, None], r"requests\[1\].output: .* got None"),
        (10, [0, 1], [1, 10**18], r"requests\[1\].output: .* got 1000000000000000000"),
        (10, [0, 1], [1, 10**5000], r"requests\[1\].output: .* got an integer of 16610 bits"),
        (10, [0, 5], [10, 6], r"requests\[1\]: prompt \+ output must be at most .* got 5 \+ 6"),
        (10, [[0], [5]], [10, 5], "prompts: must be a flat list, got 2 dimensions"),
        (10, [[0], 5], [10, 5], "prompts: must be a flat list"),
    ],
)
def test_refuses(memory: object, prompts: object, outputs: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Instance(memory, prompts, outputs)  # type: ignore[arg-type]


def test_refuses_too_many() -> None:
    with pytest.raises(InputError, match="requests: must be at most"):
        Instance.from_groups(10, [(0, 1, MAX_REQUESTS), (0, 2, 1)])


def test_refuses_bad_texts() -> None:
    for key in ("name", "comment", "source"):
        for text in (5, "\ud800", "bell\a"):
            with pytest.raises(InputError, match=f"{key}: must be a printable string"):
                Instance(10, [0], [1], **{key: text})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="name"):
        Instance(10, [0], [1], name="two\nlines")
    assert Instance(10, [0], [1], comment="two\nlines").comment == "two\nlines"


def test_largest_numbers_are_exact() -> None:
    instance = Instance(MAX_TOKENS, [0], [MAX_TOKENS])
    assert instance[0].area == MAX_TOKENS * (MAX_TOKENS + 1) // 2
    assert instance.types() == [(Request(0, MAX_TOKENS), 1)]
