"""Many requests are read and written at once, as they would be one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances

from kvopt import InputError, Instance
from kvopt.model.formats import _columns, _lines, instance_from_json, instance_to_json

ENTRY: dict[str, Any] = {"prompt": 1, "output": 2}

VALUES = st.recursive(
    st.none() | st.integers() | st.text('[]{}, "a', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a{[", max_size=2), inner),
    max_leaves=5,
)


@given(st.lists(VALUES, min_size=1, max_size=6), st.booleans())
def test_lines_are_those_of_each_element(values: list[Any], spaced: bool) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    lines = [json.dumps(value, separators=separators) for value in values]
    assert _lines(values, "  ", spaced) == ",\n  ".join(lines)


@given(instances(max_requests=8, latest_release=9))
def test_columns_are_those_of_each_entry(instance: Instance) -> None:
    content = instance_to_json(instance)
    latest = 10**15 if instance.has_releases else 0
    found = _columns(content["requests"], instance.memory, latest)
    assert found is not None
    for column, expected in zip(
        found, (instance.prompts, instance.outputs, instance.releases), strict=True
    ):
        assert column.tolist() == expected.tolist()
    assert instance_from_json(content) == instance
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kvopt.model.formats._columns", lambda *_: None)
        assert instance_from_json(content) == instance


@pytest.mark.parametrize(
    "entry",
    [
        {"prompt": True, "output": 2},
        {"prompt": 1.0, "output": 2},
        {"prompt": -1, "output": 2},
        {"prompt": 1, "output": 0},
        {"prompt": 1, "output": 9},
        {"prompt": 2**70, "output": 1},
        {"prompt": 1},
        {**ENTRY, "count": 0},
        {**ENTRY, "count": 10**7},
        {**ENTRY, "release": 1},
        {**ENTRY, "colour": 1},
        {**ENTRY, "arrival_ms": 1},
        [1, 2],
        None,
    ],
)
def test_each_entry_is_looked_at_where_one_is_unusual(entry: object) -> None:
    entries = [ENTRY, ENTRY, entry]
    assert _columns([ENTRY, ENTRY], 9, 0) is not None
    assert _columns(entries, 9, 0) is None
    content = {"format": "kvopt-instance/1", "memory": 9, "requests": entries}
    with pytest.raises(InputError, match=r"^requests"):
        instance_from_json(content)
