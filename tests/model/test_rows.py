"""Rows for other programs."""

from __future__ import annotations

import csv
import sys
from types import ModuleType
from typing import Any

import pytest

from kvopt import InputError, Instance, compare, solve
from kvopt.model.rows import frame_of, to_csv

INSTANCE = Instance(5, [1, 1, 0], [4, 4, 1], "one")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a module that stands for pandas: its frames are the columns they were given."""
    module = ModuleType("polars")
    module.DataFrame = dict  # type: ignore[attr-defined]

    monkeypatch.setitem(sys.modules, "polars", module)
    monkeypatch.setattr(
        "kvopt.model.rows.find_spec", lambda name: object() if name == "polars" else None
    )
    return module


def test_a_result_is_a_row_for_each_request(library: Any) -> None:
    result = solve(INSTANCE)
    frame = result.to_frame()
    assert frame["request"] == [0, 1, 2]
    assert frame["start"] == result.starts.tolist()
    assert sum(frame["latency"]) == result.objective
    rows = list(csv.DictReader(result.to_csv().splitlines()))
    assert [int(row["completion"]) for row in rows] == frame["completion"]


def test_a_comparison_is_a_row_for_each_policy(library: Any) -> None:
    comparison = compare(INSTANCE, "gsa,fcfs")
    frame = comparison.to_frame("polars")
    assert frame["policy"] == ["gsa", "fcfs"]
    assert frame["instance"] == ["one", "one"]
    assert frame["cost"] == [ratio.cost for ratio in comparison.ratios]
    assert frame["ratio_high_float"] == [float(ratio.high) for ratio in comparison.ratios]
    rows = list(csv.DictReader(comparison.to_csv().splitlines()))
    assert [row["ratio_low"] for row in rows] == frame["ratio_low"]


def test_policies_that_do_not_end_have_rows_with_the_same_keys(monkeypatch: Any) -> None:
    from kvopt.comparison.ratio import Comparison, Unfinished

    found = compare(INSTANCE, "gsa")
    late = (Unfinished("fcfs", "too late"),)
    both = Comparison(INSTANCE, found.optimum, found.schedules, found.ratios, late)
    first, second = both.rows()
    assert list(first) == list(second)
    assert (second["policy"], second["cost"], second["verdict"]) == ("fcfs", None, "undecided")
    assert second["reason"] == "too late"


def test_without_a_library_one_line_says_how_to_install_it(monkeypatch: Any) -> None:
    monkeypatch.setattr("kvopt.model.rows.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs pandas or polars, which is not installed: pip"):
        solve(INSTANCE).to_frame()
    with pytest.raises(InputError, match=r"needs polars, which is not installed: .*install polars"):
        frame_of([], "polars")
    with pytest.raises(InputError, match="library: must be one of pandas, polars, got 'R'"):
        frame_of([], "R")


def test_no_rows_are_no_text() -> None:
    assert to_csv([]) == ""
