"""kvopt simulate."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Run, parsed

from kvopt import Instance, write_instance


def test_simulate(run: Run, small: Path) -> None:
    answer = parsed(run("simulate", small, "--policy", "gsa", "--param", "alpha=2", "--json"))
    assert answer["policy"] == "gsa:alpha=2"
    assert {"total_latency", "metrics"}.isdisjoint(answer)
    assert answer["total_completion_time"] == sum(answer["completion_times"]) == 1469
    assert answer["kills"] == sum(killed for *_, killed in answer["attempts"])
    assert answer["attempts"] == sorted(answer["attempts"], key=lambda a: (a[1], a[0]))
    assert answer["peak_memory"] <= 23
    same = parsed(run("simulate", small, "--policy", "gsa:alpha=2", "--json"))
    assert same == answer
    code, out, _ = run("simulate", small, "--policy", "fcfs", "--attempts", "-o", "fcfs.json")
    assert code == 0
    assert "total completion time" in out
    assert parsed(run("verify", "fcfs.json", "--json"))["ok"]


def test_simulate_prints_many_attempts_only_when_asked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "many.json"
    write_instance(file, Instance.from_groups(100, [(0, 1, 10_001)]))
    assert "attempts" not in parsed(run("simulate", file, "--policy", "mc-sf", "--json"))
    shown = parsed(run("simulate", file, "--policy", "mc-sf", "--attempts", "--json"))
    assert len(shown["attempts"]) == 10_001


@pytest.fixture
def released(tmp_path: Path) -> Path:
    file = tmp_path / "released.json"
    write_instance(file, Instance(5, [1, 1, 2], [3, 1, 3], releases=[0, 1, 1]))
    return file


def test_simulate_with_metrics(run: Run, released: Path, tmp_path: Path) -> None:
    arguments = ["simulate", released, "--policy", "mc-sf"]
    plain = parsed(run(*arguments, "--json"))
    assert plain["completion_times"] == [3, 2, 6]
    assert (plain["total_completion_time"], plain["total_latency"]) == (11, 9)
    assert "metrics" not in plain
    answer = parsed(run(*arguments, "--json", "--metrics", "--goodput", "1,1.0"))
    found = answer.pop("metrics")
    assert answer == plain
    assert found["unit"] == "rounds"
    assert found["latency"]["mean"] == 3
    assert found["ttft"] == {"mean": 5 / 3, "p50": 1, "p90": 2.6, "p95": 2.8, "p99": 2.96, "max": 3}
    assert found["tpot"]["max"] == 1
    assert (found["goodput"], found["goodput_limits"]) == (2 / 3, {"ttft": 1, "tpot": 1})
    code, out, err = run(*arguments, "--metrics-output", "m.csv", "--metrics")
    assert (code, err) == (0, "")
    assert "memory utilisation" in out
    assert (tmp_path / "m.csv").read_text() == (
        "request,release,prompt,output,start,first_token,completion,latency,ttft,tpot,slowdown,"
        "kills,wasted_token_rounds\n"
        "0,0,1,3,0,1,3,3,1,1.0,1.0,0,0\n"
        "1,1,1,1,1,2,2,1,1,,1.0,0,0\n"
        "2,1,2,3,3,4,6,5,3,1.0,1.6666666666666667,0,0\n"
    )


def test_simulate_by_a_clock(run: Run, tmp_path: Path) -> None:
    instance = Instance(9, [2, 2, 2], [3, 1, 1]).with_arrivals([0, 15_000, 1_000_000])
    write_instance(tmp_path / "t.json", instance)
    arguments = ["simulate", "t.json", "--policy", "fcfs", "--clock", "linear:c0=10:c3=0.5"]
    answer = parsed(run(*arguments, "--json", "--metrics", "--goodput", "20,10"))
    assert answer["clock"] == "linear:c0=10:c1=0:c2=0:c3=0.5"
    # Rounds end at 11, 21, 32, 1000 (nothing to do) and 1011 ms.
    assert answer["attempts"] == [[0, 0, 3, False], [1, 2, 3, False], [2, 4, 5, False]]
    assert answer["completion_ms"] == [32, 32, 1011]
    assert (answer["total_latency_ms"], answer["makespan_ms"]) == (32 + 17 + 11, 1011)
    assert answer["metrics"]["unit"] == "ms"
    assert answer["metrics"]["ttft"]["max"] == 17
    assert answer["metrics"]["goodput"] == 2 / 3
    code, out, err = run(*arguments, "--metrics", "-o", "s.json", "--metrics-output", "m.csv")
    assert (code, err) == (0, "")
    assert "in ms" in out
    assert parsed(run("verify", "s.json", "--json"))["ok"]
    assert (tmp_path / "m.csv").read_text().splitlines()[2] == (
        "1,15.0,2,1,21.0,32.0,32.0,17.0,17.0,,17.0,0,0"
    )


def test_a_clock_needs_arrivals_where_there_are_releases(run: Run, released: Path) -> None:
    code, out, err = run("simulate", released, "--policy", "fcfs", "--clock", "linear:c0=1")
    assert (code, out) == (2, "")
    assert err == (
        f"kvopt: {released}: arrival_ms: must be there for a clock, which does not know what a"
        " release in rounds is\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--clock", "linear"], "clock linear: c0 and c1 and c2 must not all be 0"),
        (["--clock", "tiled:c=1:a=-1:b0=3"], "clock tiled: a: must be a decimal number from 0"),
        (["--goodput", "1"], "--goodput: must be TTFT,TPOT, got '1'"),
        (["--goodput", "1,2,3"], "--goodput: must be TTFT,TPOT, got '1,2,3'"),
        (["--goodput", "-1,2"], "--goodput: TTFT: must be a decimal number of at least 0"),
        (["--goodput", "1,nan"], "--goodput: TPOT: must be a decimal number of at least 0"),
        (["--metrics-output", "m.txt"], "m.txt: must end in .csv or .parquet, got '.txt'"),
        (["--metrics-output", "no/m.csv"], "no/m.csv: cannot be written"),
    ],
)
def test_simulate_refuses(run: Run, released: Path, options: list[str], message: str) -> None:
    code, out, err = run("simulate", released, "--policy", "mc-sf", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"kvopt: {message}")


def test_parquet_needs_pyarrow(run: Run, released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvopt.report.metric_tables.find_spec", lambda name: None)
    arguments = ["simulate", released, "--policy", "mc-sf", "--metrics-output", "m.parquet"]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err == (
        "kvopt: m.parquet: .parquet needs pyarrow, which is not installed:"
        " pip install 'kvopt[parquet]' (or pip install pyarrow)\n"
    )
