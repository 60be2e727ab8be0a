"""Schedules in which killed requests keep their tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_runs import run
from strategies import instances

from kvopt import InputError, Instance, KvoptError, Schedule, read_schedule, violations
from kvopt.model.feasibility import _accepted_at_once
from kvopt.model.files import read_any, write_schedule
from kvopt.model.formats import schedule_from_json, schedule_to_json
from kvopt.model.schedule import kept_tokens

INSTANCE = Instance(4, [1, 1], [2, 2])
ROWS = [[0, 0, 2, False, 0], [1, 0, 1, True, 0], [1, 2, 3, False, 1]]


def schedule_of(rows: list[list[Any]]) -> Schedule:
    return Schedule(INSTANCE, *zip(*rows, strict=True))


def rules(rows: list[list[Any]]) -> set[str]:
    return {violation.rule for violation in violations(schedule_of(rows))}


def test_a_request_goes_on_with_its_tokens() -> None:
    schedule = schedule_of(ROWS)
    assert violations(schedule) == []
    assert schedule.keeps_tokens
    assert schedule.completion_times().tolist() == [2, 3]
    assert schedule.starts().tolist() == [0, 2]
    assert schedule.held.tolist() == [1, 1, 2]
    assert schedule.peak_memory() == schedule.memory_profile().peak() == 4
    assert [a.tokens for a in schedule] == [0, 0, 1]
    with pytest.raises(KvoptError, match="kills keep tokens"):
        schedule.without_kills()


@pytest.mark.parametrize(
    ("row", "wrong", "rule"),
    [
        (2, [1, 2, 3, False, 0], "tokens"),
        (2, [1, 2, 3, False, 2], "tokens"),
        (2, [1, 2, 4, False, 1], "length"),
        (2, [1, 2, 4, False, 0], "tokens"),
        (2, [1, 1, 2, False, 1], "memory"),
        (1, [1, 0, 2, True, 0], "length"),
        (0, [0, 0, 1, False, 1], "tokens"),
        (0, [0, 0, 2, False, -1], "tokens"),
    ],
)
def test_the_checker_rejects_changed_rows(row: int, wrong: list[Any], rule: str) -> None:
    rows = [wrong if r == row else ROWS[r] for r in range(3)]
    assert rule in rules(rows)
    assert not _accepted_at_once(schedule_of(rows))
    assert _accepted_at_once(schedule_of(ROWS))


def test_the_same_rows_without_tokens_are_infeasible() -> None:
    request, start, end, killed, _ = zip(*ROWS, strict=True)
    assert violations(Schedule(INSTANCE, request, start, end, killed)) != []
    assert Schedule(INSTANCE, request, start, end, killed) != schedule_of(ROWS)


@given(instances(latest_release=20))
def test_files_hold_them(instance: Instance) -> None:
    for spec, form in (("fcfs:keep=yes", "kvopt-schedule/2"), ("fcfs", "kvopt-schedule/1")):
        schedule = run(spec, instance)
        content = schedule_to_json(schedule)
        assert content["format"] == form
        again = schedule_from_json(json.loads(json.dumps(content)))
        assert again == schedule
        assert again.keeps_tokens == (spec != "fcfs")


def test_files_are_read_by_their_format(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    write_schedule(path, schedule_of(ROWS))
    assert read_schedule(path) == read_any(path) == schedule_of(ROWS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "kvopt-schedule/1"}, r"attempts\[0\]: must be \[request, start, end, killed\]"),
        ({"attempts": [[0, 0, 2, False]]}, r"must be \[request, start, end, killed, tokens_at"),
        ({"attempts": [[0, 0, 2, False, 0.5]]}, r"attempts\[0\]\.tokens_at_start: must be an int"),
        ({"attempts": [[0, 0, 2, False, True]]}, r"attempts\[0\]\.tokens_at_start: must be an int"),
        ({"attempts": [[0, 0, 2, 0, 0]]}, r"attempts\[0\]\.killed: must be true or false"),
    ],
)
def test_wrong_files_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        schedule_from_json(schedule_to_json(schedule_of(ROWS)) | change)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=8))
def test_kept_tokens_are_the_rounds_before(rounds: list[tuple[int, int]]) -> None:
    """Attempts one after another, of any requests."""
    request = np.array([i for i, _ in rounds], dtype=np.int64)
    length = np.array([n for _, n in rounds], dtype=np.int64)
    end = np.cumsum(length)
    before = [sum(n for i, n in rounds[:a] if i == rounds[a][0]) for a in range(len(rounds))]
    mixed = np.arange(len(rounds))[::-1]
    found = kept_tokens(request[mixed], (end - length)[mixed], end[mixed])
    assert found[::-1].tolist() == before
