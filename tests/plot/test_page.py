"""Pages to explore."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drawing import BARS, RELEASED, many, run_of

from kvopt import (
    Attempt,
    Instance,
    policy_from_spec,
    simulate,
)
from kvopt.plot import page
from kvopt.plot.shapes import (
    Run,
)


def data_of(text: str) -> dict[str, Any]:
    line = next(line for line in text.splitlines() if line.startswith("const DATA = "))
    data: dict[str, Any] = json.loads(line.removeprefix("const DATA = ").removesuffix(";"))
    return data


@pytest.mark.parametrize(
    "make",
    [lambda: page.runs_page([run_of("gsa"), run_of("fcfs")]), lambda: page.ratios_page(BARS)],
    ids=["runs", "ratios"],
)
def test_a_page_stands_alone(make: Callable[[], str]) -> None:
    text = make()
    loads = (
        r"https?:|//[a-z0-9]|\bsrc=|\bhref|@import|\burl\(|\bfetch\(|\bimport\(|XMLHttp|WebSocket"
    )
    assert not re.search(loads, text)
    assert "default-src 'none'" in text
    assert "@TITLE@" not in text
    assert "@DATA@" not in text
    assert len(text) < 60_000


def test_a_page_holds_every_attempt() -> None:
    run = run_of("fcfs")
    data = data_of(page.runs_page([run]))
    (row,) = data["runs"]
    bars = row["bars"]
    starts = np.cumsum(bars["start"])
    rows = [
        Attempt(request, int(start), int(start) + rounds, killed == "1")
        for request, start, rounds, killed in zip(
            bars["request"], starts, bars["rounds"], bars["killed"], strict=True
        )
    ]
    assert rows == list(run.schedule)
    profile = run.schedule.memory_profile()
    assert np.cumsum(row["profile"]["time"]).tolist() == profile.times.tolist()
    assert row["profile"]["last"] == profile.last.tolist()
    assert data["instances"][0]["groups"] == [[96, 160, 6], [96, 1, 194]]
    assert data["kinds"] == ["completions", "gantt", "memory"]
    assert data_of(page.runs_page([run], "memory"))["kinds"] == ["memory"]
    assert page.runs_page([run]) == page.runs_page([run])


def test_a_page_names_each_instance_once() -> None:
    other = run_of("gsa", "tiny")
    tiny = other.schedule.instance
    data = data_of(page.runs_page([run_of("gsa"), other, run_of("fcfs")]))
    assert [instance["memory"] for instance in data["instances"]] == [256, tiny.memory]
    assert [row["instance"] for row in data["runs"]] == [0, 1, 0]


def test_a_page_is_not_broken_by_names() -> None:
    name = "</script><script>alert(1)</script><!-- @DATA@ @TITLE@"
    instance = Instance(23, [0] * 2, [5, 9], name)
    text = page.runs_page([Run(name, simulate(instance, policy_from_spec("gsa")))])
    assert text.count("<script") == text.count("</script") == 1
    assert data_of(text)["runs"][0]["label"] == name


def test_a_page_sums_up_too_many_attempts() -> None:
    run = Run("made", many(page.MAX_BARS + 1))
    data = data_of(page.runs_page([run]))
    (row,) = data["runs"]
    assert "bars" not in row
    assert max(row["bins"]["high"]) == row["peak"] == run.schedule.peak_memory()
    assert data["instances"][0]["groups"] == []


def test_a_page_shows_releases_where_there_are_any() -> None:
    late = Run("mc-sf", simulate(RELEASED, policy_from_spec("mc-sf")))
    data = data_of(page.runs_page([late, run_of("fcfs")]))
    with_releases, without = data["instances"]
    assert np.cumsum(with_releases["released"]["time"]).tolist() == [0, 2, 30]
    assert with_releases["released"]["count"] == [1, 3, 4]
    assert [row[:3] for row in with_releases["groups"]][-1] == [0, 1, 1]
    assert "released" not in without
