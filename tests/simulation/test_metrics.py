"""Metrics, against a literal count of every round."""

from __future__ import annotations

import csv
import dataclasses
import io
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.metrics import memory_utilisation, percentile, request_metrics
from policy_runs import as_tuples, rows, run
from strategies import instances, policy_specs

import kvopt
from kvopt import Attempt, InputError, Instance, Metrics, Schedule, metrics
from kvopt.report.metric_tables import metrics_parquet, metrics_table
from kvopt.simulation.metrics import COLUMNS


@st.composite
def measured(draw: st.DrawFn) -> Metrics:
    instance = draw(instances())
    n = len(instance)
    releases = draw(st.lists(st.integers(0, 40), min_size=n, max_size=n))
    released = Instance(instance.memory, instance.prompts, instance.outputs, releases=releases)
    return metrics(run(draw(policy_specs), released))


def literal(found: Metrics) -> list[dict[str, object]]:
    schedule, instance = found.schedule, found.schedule.instance
    releases = instance.releases.tolist()
    return request_metrics(rows(instance), releases, as_tuples(schedule), schedule.keeps_tokens)


@given(measured())
def test_every_request_as_counted_round_by_round(found: Metrics) -> None:
    expected = literal(found)
    table = {name: column.tolist() for name, column in found.rows().items()}
    assert tuple(table) == COLUMNS
    instance = found.schedule.instance
    assert table["request"] == list(range(len(instance)))
    assert (table["prompt"], table["output"]) == (
        instance.prompts.tolist(),
        instance.outputs.tolist(),
    )
    assert table["release"] == instance.releases.tolist()
    assert table["start"] == [mine["first_round"] - 1 for mine in expected]
    assert table["first_token"] == [mine["first_round"] for mine in expected]
    for name in ("completion", "latency", "ttft", "kills"):
        assert table[name] == [mine[name] for mine in expected]
    assert table["wasted_token_rounds"] == [mine["wasted"] for mine in expected]
    assert table["slowdown"] == [float(mine["slowdown"]) for mine in expected]
    for value, mine in zip(table["tpot"], expected, strict=True):
        assert np.isnan(value) if mine["tpot"] is None else value == float(mine["tpot"])
    assert found.total_latency == found.schedule.total_latency() == sum(table["latency"])


@given(measured())
def test_statistics_are_those_of_fractions(found: Metrics) -> None:
    expected = literal(found)
    for name, values in found.statistics().items():
        known = [Fraction(mine[name]) for mine in expected if mine[name] is not None]
        if not known:
            assert set(values.values()) == {None}
            continue
        assert values["mean"] == pytest.approx(float(sum(known) / len(known)))
        assert values["max"] == float(max(known))
        for percent in (50, 90, 95, 99):
            assert values[f"p{percent}"] == pytest.approx(float(percentile(known, percent)))
    schedule, instance = found.schedule, found.schedule.instance
    lengths, releases = rows(instance), instance.releases.tolist()
    share = memory_utilisation(
        instance.memory, lengths, releases, as_tuples(schedule), schedule.keeps_tokens
    )
    assert found.memory_utilisation == float(share)
    assert found.summary()["wasted_token_rounds"] == sum(mine["wasted"] for mine in expected)


@given(measured(), st.data())
def test_goodput_compares_exactly(found: Metrics, data: st.DataObject) -> None:
    expected = literal(found)
    ttft = data.draw(st.sampled_from([mine["ttft"] for mine in expected]))
    tpots = [mine["tpot"] for mine in expected if mine["tpot"] is not None]
    tpot = data.draw(st.sampled_from([Fraction(0), Fraction("0.999"), *tpots]))
    kept = [m["ttft"] <= ttft and (m["tpot"] is None or m["tpot"] <= tpot) for m in expected]
    assert found.goodput(ttft, tpot) == sum(kept) / len(kept)
    if tpot:
        less = tpot - Fraction(1, 10**30)
        kept = [m["ttft"] <= ttft and (m["tpot"] is None or m["tpot"] <= less) for m in expected]
        assert found.goodput(ttft, less) == sum(kept) / len(kept)


@pytest.mark.parametrize("wrong", ["x", "-1", "", "nan", "inf", -1, 0.5, True, None])
def test_unacceptable_limits(wrong: object) -> None:
    found = metrics(Schedule.from_starts(Instance(3, [0], [1]), [0]))
    with pytest.raises(InputError, match="ttft: must be a decimal number of at least 0, got"):
        found.goodput(wrong, 1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="tpot: must be a decimal number of at least 0, got"):
        found.goodput(1, wrong)  # type: ignore[arg-type]


def test_huge_numbers_stay_exact() -> None:
    memory, times = 10**9, 20
    n = 10**9 - 1
    ends = np.cumsum([n] * times + [10**9])
    schedule = Schedule(
        Instance(memory, [0], [10**9]),
        [0] * (times + 1),
        [0, *ends[:-1]],
        ends,
        [True] * times + [False],
    )
    found = metrics(schedule)
    assert found.wasted_token_rounds.tolist() == [times * (n * (n + 1) // 2)]
    assert found.goodput(1, Fraction(int(ends[-1]) - 1, 10**9 - 1)) == 1
    assert found.goodput(1, Fraction(int(ends[-1]) - 1, 10**9 - 1) - Fraction(1, 10**40)) == 0


def test_kept_tokens_take_memory_too() -> None:
    schedule = run("fcfs:keep=yes", Instance(12, [1, 1, 1], [8, 8, 3]))
    assert [a for a in schedule if a.tokens] == [Attempt(1, 8, 11, tokens=5)]
    used = (8 + 36) + (5 + 15) + (3 + 6) + (3 * 6 + 6)
    assert used == schedule.memory_profile().area()
    assert metrics(schedule).memory_utilisation == used / (12 * 11)


def test_an_incomplete_schedule_is_refused() -> None:
    with pytest.raises(kvopt.KvoptError, match="request 0 completes 0 times instead of once"):
        metrics(Schedule(Instance(3, [0], [2]), [0], [0], [1], [True]))


def example() -> Metrics:
    return metrics(run("fcfs", Instance(5, [1, 1, 2], [3, 1, 3], releases=[0, 1, 1])))


def test_tables() -> None:
    found = example()
    read = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [tuple(row) for row in read] == [COLUMNS] * 3
    assert [row["tpot"] == "" for row in read] == [False, True, False]
    assert [int(row["completion"]) for row in read] == found.rows()["completion"].tolist()
    text = metrics_table(found)
    assert max(map(len, text.splitlines())) <= 80
    only = metrics(Schedule.from_starts(Instance(3, [0], [1]), [0]))
    assert "TPOT           -" in metrics_table(only)


def test_parquet() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    found = example()
    table = parquet.read_table(io.BytesIO(metrics_parquet(found)))
    assert table.column_names == list(COLUMNS)
    assert table.schema.metadata[b"unit"] == b"rounds"
    assert table["tpot"].null_count == 1
    for name, column in found.rows().items():
        if name != "tpot":
            assert table[name].to_pylist() == column.tolist()


def test_a_million_requests_in_seconds() -> None:
    n = 10**6
    rng = np.random.default_rng(1)
    outputs = rng.integers(1, 500, n)
    releases = np.sort(rng.integers(0, 10**7, n))
    instance = Instance(10**9, rng.integers(0, 500, n), outputs, releases=releases)
    schedule = Schedule.from_starts(instance, releases + rng.integers(0, 1000, n))
    begun = time.process_time()
    found = metrics(schedule)
    found.summary()
    found.goodput("100.5", 1)
    assert time.process_time() - begun < 10
    assert dataclasses.replace(found, unit="ms").unit == "ms"


def test_metrics_and_schedules_as_text_and_frames() -> None:
    instance = Instance(30, [4, 2, 8, 8], [6, 20, 1, 3], "four")
    schedule = kvopt.simulate(instance, "fcfs")
    found = metrics(schedule)
    assert repr(found) == f"Metrics({schedule!r}, unit='rounds')"
    assert max(map(len, str(found).splitlines())) <= 80
    assert "token-rounds wasted" in found._repr_html_()
    header, *lines = schedule.to_csv().splitlines()
    assert header == "request,start,end,killed"
    assert lines == [",".join(map(str, row.values())) for row in schedule.rows()]
    pandas = pytest.importorskip("pandas")
    frame = found.to_frame("pandas")
    assert frame["latency"].tolist() == found.latency.tolist()
    assert pandas.isna(frame["tpot"]).tolist() == [False, False, True, False]
    assert schedule.to_frame("pandas")["end"].tolist() == schedule.end.tolist()


def test_rows_of_attempts_that_keep_tokens() -> None:
    schedule = run("fcfs:keep=yes", Instance(4, [1, 1], [2, 2]))
    assert schedule.tokens is not None
    assert [row["tokens"] for row in schedule.rows()] == schedule.tokens.tolist()
