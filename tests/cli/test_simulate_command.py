"""kvopt simulate."""

from __future__ import annotations

from pathlib import Path

from command_line import Run, parsed

from kvopt import Instance, write_instance


def test_simulate(run: Run, small: Path) -> None:
    answer = parsed(run("simulate", small, "--policy", "gsa", "--param", "alpha=2", "--json"))
    assert answer["policy"] == "gsa:alpha=2"
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
