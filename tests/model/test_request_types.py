from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from strategies import instances

from kvopt import Instance


@given(instances())
def test_types_hold_the_instance(instance: Instance) -> None:
    types = instance.request_types()
    assert (types.prompts[types.index] == instance.prompts).all()
    assert (types.outputs[types.index] == instance.outputs).all()
    assert types.counts.tolist() == np.bincount(types.index, minlength=len(types)).tolist()
    lengths = list(zip(types.outputs.tolist(), types.prompts.tolist(), strict=True))
    assert lengths == sorted(set(lengths))
    assert types.peaks.tolist() == [r.peak for r in types.requests]
    assert types.areas.tolist() == [r.area for r in types.requests]
    for k, request in enumerate(types.requests):
        assert types.number_of(request.prompt, request.output) == k
    assert instance.types() == list(zip(types.requests, types.counts.tolist(), strict=True))


@given(instances())
def test_starts_by_type_and_back(instance: Instance) -> None:
    types = instance.request_types()
    starts = np.arange(len(instance))[::-1].copy()
    times = types.to_types(starts)
    again = types.to_instance_order([own[::-1] for own in times])
    assert types.to_types(again) == times
    for k in range(len(types)):  # of one type, earlier requests start earlier
        assert (np.diff(again[types.index == k]) >= 0).all()


@given(instances(latest_release=20))
def test_types_differ_in_release(instance: Instance) -> None:
    types = instance.request_types()
    assert (types.releases[types.index] == instance.releases).all()
    keys = [(r.output, r.prompt, r.release) for r in types.requests]
    assert keys == sorted(set(keys))
    assert types.counts.tolist() == np.bincount(types.index, minlength=len(types)).tolist()
    for k, request in enumerate(types.requests):
        assert types.number_of(request.prompt, request.output, request.release) == k
    starts = np.arange(len(instance))
    assert types.to_types(types.to_instance_order(types.to_types(starts))) == types.to_types(starts)


def test_wrong_numbers_of_starts_are_refused() -> None:
    types = Instance(5, [1, 1, 1], [2, 2, 3]).request_types()
    with pytest.raises(ValueError, match="type 0 has 2 requests, 1 start times"):
        types.to_instance_order([[0], [1]])
    with pytest.raises(KeyError):
        types.number_of(0, 2)


def test_rows_are_sorted_by_prompt() -> None:
    types = Instance(9, [3, 1], [2, 4]).request_types()
    assert types.requests[0].prompt == 3
    assert types.rows([7, 8]) == [[1, 4, 8], [3, 2, 7]]
