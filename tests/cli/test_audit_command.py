"""kvopt audit."""

from __future__ import annotations

from pathlib import Path

from command_line import Run, parsed

from kvopt import Instance, write_instance


def test_ratio_reports_what_it_can(run: Run, small: Path, tmp_path: Path) -> None:
    answer = parsed(run("audit", small, "--no-search", "--policy", "gsa,fcfs", "--json"))
    assert answer["search"] == []
    code, out, err = run("audit", small, "--no-search", "--policy", "gsa,fcfs", "--csv")
    assert code == 0
    assert out.splitlines()[0].startswith("instance,policy,")
    assert "all well" in err


def test_audit_of_one_file(run: Run, small: Path) -> None:
    answer = parsed(run("audit", small, "--json", "--time-limit", 30))
    (row,) = answer["instances"]
    assert (row["instance"], row["status"], row["objective"]) == ("twelve", "optimal", 200)
    assert row["witnesses"] == ["reference-search", "milp"]
    assert {ratio["policy"] for ratio in row["ratios"]} >= {"gba", "gsa", "mc-sf", "fcfs"}
    assert {found["policy"] for found in answer["search"]} == {"gsa:alpha=2", "gba:alpha=2"}
    assert answer["summary"]["problems"] == 0
    assert answer["problems"] == []


def test_audit_of_an_instance_with_releases(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "late.json"
    write_instance(path, Instance(10, [1, 2, 1], [4, 3, 5], releases=[1, 3, 2]))
    answer = parsed(run("audit", path, "--no-search", "--json"))
    assert answer["problems"] == []
    (row,) = answer["instances"]
    assert (row["status"], row["objective"]) == ("optimal", 14)
    assert row["witnesses"] == ["release-search", "batch-state", "milp"]
