"""solve, ratio and audit on folders: rows, output folders, resuming, signals."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Run, kvopt_process, parsed, wait_for

from kvopt import Instance, read_schedule, violations, write_instance
from kvopt.generate import generate_random

TINY = [generate_random("tiny", 5, number) for number in range(2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two instances, one in a subfolder, and a file that is none."""
    made = tmp_path / "in"
    (made / "sub").mkdir(parents=True)
    write_instance(made / "one.json", TINY[0].renamed("first_one"))
    write_instance(made / "sub" / "two.json", TINY[1].renamed(""))
    (made / "bad.json").write_text("{")
    return made


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "seconds"}


def test_solve_a_folder(run: Run, folder: Path) -> None:
    code, out, err = run("solve", "in", "--output", "out", "--json")
    rows = json.loads(out)["rows"]
    assert code == 2
    assert err == "kvopt: in/bad.json: is not valid JSON: Expecting property name enclosed in " + (
        "double quotes, line 1, column 2\n"
    )
    assert [row["instance"] for row in rows] == ["in/bad.json", "first_one", "two"]
    assert [row["status"] for row in rows] == ["cannot be read", "optimal", "optimal"]
    assert rows[0]["reason"] in err
    assert [row["schedule"] for row in rows[1:]] == ["one.schedule.json", "sub--two.schedule.json"]
    assert rows[0]["starts"] is None
    for row in rows[1:]:
        schedule = read_schedule(Path("out") / row["schedule"])
        assert not violations(schedule)
        assert schedule.total_latency() == row["objective"] == row["lower_bound"]
        assert schedule.starts().tolist() == row["starts"]
        assert (Path("out") / row["certificate"]).is_file()
    names = ["one.certificate.json", "sub--two.certificate.json", "one.schedule.json"]
    assert run("verify", *(Path("out") / name for name in names))[0] == 0
    with open("out/solve.csv") as file:
        kept = list(csv.DictReader(file))
    assert [row["objective"] for row in kept[1:]] == [str(row["objective"]) for row in rows[1:]]
    # once more, by two processes: nothing is done again, and nothing differs
    Path("out/one.schedule.json").unlink()
    Path("out/sub--two.certificate.json").write_text("{}")
    code, out, err = run("solve", "in", "--output", "out", "--json", "--jobs", 2)
    assert code == 2
    assert "kvopt: 2 of 2 instances were finished before\n" in err
    assert json.loads(out)["rows"] == rows
    assert run("verify", *(Path("out") / name for name in names))[0] == 0
    code, out, _ = run("solve", "in", "--json", "--quiet", "--executor", "processes=2")
    again = json.loads(out)["rows"]
    kept_keys = set(rows[1]) - {"schedule", "certificate", "seconds"}
    assert [{k: row[k] for k in kept_keys} for row in again] == [
        {k: row[k] for k in kept_keys} for row in rows
    ]


@pytest.mark.parametrize("command", ["ratio", "audit"])
def test_ratio_and_audit_of_a_folder(run: Run, folder: Path, command: str) -> None:
    more = ["--no-search"] if command == "audit" else []
    arguments = (command, "in", "--policy", "gsa:alpha=2,fcfs", *more, "-o", "out")
    first = run(*arguments, "--csv")
    assert first[0] == 2
    again = run(*arguments, "--csv", "--jobs", 2)
    assert (again[0], again[1]) == (2, first[1])
    assert "kvopt: 2 of 2 instances were finished before\n" in again[2]
    assert Path(f"out/{command}.csv").read_text() == first[1]
    assert run(*arguments, "--markdown", "-q")[1] == Path(f"out/{command}.md").read_text()
    assert run(*arguments, "--latex", "-q")[1] == Path(f"out/{command}.tex").read_text()
    assert "first\\_one" in Path(f"out/{command}.tex").read_text()
    assert "first\\_one" in Path(f"out/{command}.md").read_text()
    fresh = run(*arguments[:-2], "--csv", "--jobs", 2)
    assert fresh[1] == first[1]
    code, out, err = run(*arguments, "--quiet")
    assert code == 2
    assert "finished before" not in err
    assert "bad.json: is not valid JSON" in err
    assert "first_one" in out


def test_the_output_folder_may_lie_among_the_instances(run: Run, folder: Path) -> None:
    (folder / "bad.json").unlink()
    for _ in range(2):
        assert len(parsed(run("solve", "in", "-o", "in/out", "--json", "-q"))["rows"]) == 2
    code, _, err = run("solve", "in/sub", "-o", "in")
    assert code == 2
    assert err == "kvopt: --output: must be another folder than that of in/sub, got in\n"


def test_bad_usage_of_folders(run: Run, folder: Path) -> None:
    write_instance(folder / "sub--two.json", TINY[0])
    Path("file").write_text("")
    for arguments, message in (
        (("solve", "in", "-o", "out"), "outputs would have the names of those of"),
        (("solve", "in", "-o", "file"), "--output: must be a folder, got file"),
        (("solve", "in", "-o", "-"), "--output: must be a folder, got -"),
        (("solve", "in", "--certificate", "file"), "--certificate: must be a folder for several"),
        (("ratio", "in", "--policy", "gba", "-o", "no/out"), "no/out: cannot be written: No such"),
        (("solve", "in", "--jobs", "2", "--executor", "local"), "must not be given together"),
        (("solve", "in", "--executor", "threads"), "executor: must be local or processes=N"),
        (("solve", "in", "--jobs", "0"), "'--jobs': 0 is not in the range"),
        (("solve", folder / "one.json", "--executor", "local"), "is for several instances"),
        (("audit", "in", "--markdown", "--latex"), "--markdown and --latex: must not be given"),
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1


def test_one_file_as_a_table(run: Run, small: Path) -> None:
    code, out, _ = run("solve", small, "--csv")
    (row,) = csv.DictReader(out.splitlines())
    assert code == 0
    assert (row["instance"], row["objective"], row["termination"]) == ("twelve", "200", "closed")
    assert run("solve", small, "--markdown")[1].startswith("| instance | n | M | status |")
    assert run("solve", small, "--latex")[1].startswith("\\begin{tabular}{lrrlrrrr}\n")


def test_a_bracket_says_what_ended_it(run: Run, tmp_path: Path) -> None:
    write_instance(tmp_path / "long.json", generate_random("long", 1, 0))
    code, out, _ = run("solve", "long.json", "--node-limit", 1)
    assert code == 0
    assert "status       bracket, ended by: node limit\n" in out
    _, out, _ = run("solve", "long.json", "long.json", "--node-limit", 1)
    assert out.splitlines()[-1] == "2 instances: 2 bracketed, ended by: node limit"


@pytest.mark.parametrize(("columns", "longest"), [(80, 80), (120, 120)])
def test_the_table_of_a_folder_fits_the_terminal(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, columns: int, longest: int
) -> None:
    write_instance(folder / "x.json", TINY[0].renamed("a_very_long_name_of_an_instance" * 5))
    monkeypatch.setattr("kvopt.cli.solving_many.width", lambda wide: columns)
    _, out, _ = run("solve", "in")
    lines = out.splitlines()
    assert max(map(len, lines)) <= longest
    assert any("..." in line for line in lines)
    assert sum("optimal" in line for line in lines) == 4


def start(folder: Path, jobs: int) -> Any:
    """Begin with two instances: one takes no time, the other does not end in time."""
    write_instance(folder / "easy.json", TINY[0])
    write_instance(folder / "hard.json", generate_random("long", 1, 0))
    arguments = ("solve", ".", "-o", "out", "--time-limit", 300, "--jobs", jobs)
    return kvopt_process(*arguments, cwd=folder)


@pytest.mark.parametrize(
    ("number", "jobs", "code"), [(signal.SIGINT, 2, 130), (signal.SIGTERM, 1, 143)]
)
def test_a_signal_keeps_what_is_done(tmp_path: Path, number: int, jobs: int, code: int) -> None:
    process = start(tmp_path, jobs)
    wait_for(lambda: bool(list(tmp_path.glob("out/finished/*.gz"))))
    began = time.monotonic()
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert process.returncode == code
    assert "Traceback" not in err
    word = "interrupted" if number == signal.SIGINT else "terminated"
    first, last = err.splitlines()
    assert first.endswith("hard.certificate.json: its check was stopped: kvopt verify repeats it")
    assert (
        last
        == f"kvopt: {word}; 1 of 2 instances were solved, 1 stopped early; out keeps what was done"
    )
    assert "1 optimal; 1 bracketed, ended by: interrupted" in out
    assert (tmp_path / "out" / "easy.schedule.json").is_file()
    assert (tmp_path / "out" / "solve.csv").is_file()
    assert len(list(tmp_path.glob("out/finished/*.gz"))) == 1
    assert not list(tmp_path.glob("out/**/*.part"))


POLICIES = ("--policy", "fcfs,gsa")


@pytest.mark.parametrize("command", ["ratio", "audit"])
@pytest.mark.parametrize("form", ["--csv", "--json", ""])
def test_what_a_signal_cuts_short_is_shown_and_done_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, form: str
) -> None:
    from kvopt.policies import FCFS

    more = ["--no-search"] if command == "audit" else []
    arguments = (command, "in", *POLICIES, *more, "-o", "out", *([form] if form else []))
    Path("in").mkdir()
    for number, instance in enumerate(TINY):
        write_instance(tmp_path / "in" / f"{number}.json", instance.renamed(f"number {number}"))
    original, runs = FCFS.run, []

    def interrupted(policy: FCFS, machine: Any) -> Any:
        runs.append(policy)
        if len(runs) == 2:
            signal.raise_signal(signal.SIGINT)
        return original(policy, machine)

    monkeypatch.setattr(FCFS, "run", interrupted)
    code, out, err = run(*arguments)
    assert code == 130
    done = "compared" if command == "ratio" else "audited"
    assert err.endswith(
        f"interrupted; 1 of 2 instances were {done}, 1 stopped early; out keeps what was done\n"
    )
    with open(f"out/{command}.csv") as file:
        kept = list(csv.DictReader(file))
    assert [row["instance"] for row in kept] == ["number 0"] * 2 + ["number 1"] * 2
    assert [row["reason"].partition(":")[0] for row in kept] == [""] * 2 + ["stopped early"] * 2
    assert kept[2]["reason"].endswith("interrupted")
    assert "stopped early" in out
    assert len(list(Path("out/finished").iterdir())) == 1
    code, out, err = run(*arguments)
    assert code == 0
    assert "kvopt: 1 of 2 instances were finished before\n" in err
    assert "stopped early" not in out.replace('"stopped_early"', "")
    assert len(list(Path("out/finished").iterdir())) == 2


@pytest.mark.parametrize("command", ["solve", "ratio", "audit"])
@pytest.mark.parametrize("signalled", [True, False])
def test_an_instance_of_which_nothing_is_known_is_a_row(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, signalled: bool
) -> None:
    """A signal that has ended a solver, and a solver that has failed."""
    from kvopt import SolverError

    def lost(*_: Any, **__: Any) -> Any:
        if signalled:
            signal.raise_signal(signal.SIGTERM)
        raise SolverError("a solver failed")

    for name in ("solve", "compare", "audit_instance"):
        monkeypatch.setattr(f"kvopt.batch.tasks.{name}", lost)
    Path("in").mkdir()
    for number in range(2):
        write_instance(tmp_path / "in" / f"{number}.json", TINY[0].renamed("the one"))
    more = [*POLICIES, *(["--no-search"] if command == "audit" else [])] * (command != "solve")
    code, out, err = run(command, "in", *more, "-o", "out")
    assert code == (143 if signalled else 1)
    assert out.count("stopped early" if signalled else "failed") >= 2
    with open(f"out/{command}.csv") as file:
        rows = list(csv.DictReader(file))
    expected = "interrupted before anything was known of it" if signalled else "a solver failed"
    assert [(row["instance"], row["reason"]) for row in rows] == [("the one", expected)] * 2
    assert ("a solver failed" in err + out) is not signalled
    assert not list(Path("out/finished").iterdir())


def test_a_policy_that_misbehaves_is_a_note_and_exit_code_1(run: Run, tmp_path: Path) -> None:
    Path("bad_one.py").write_text(
        "from kvopt import FCFS\n"
        "class Bad(FCFS):\n"
        "    def run(self, machine):\n"
        "        raise ValueError('no')\n"
        "        yield\n"
    )
    write_instance(tmp_path / "one.json", Instance(5, [1, 1], [4, 4], "one"))
    write_instance(tmp_path / "two.json", Instance(6, [1, 1], [4, 4], "two"))
    specs = "fcfs,bad_one:Bad"
    code, out, err = run("ratio", ".", "--policy", specs, "--csv", "--jobs", 2, "-o", "out")
    assert code == 1
    assert out.count("fcfs") == 2
    assert err.count("ValueError: no") == 2
    again = run("ratio", ".", "--policy", specs, "--csv", "-o", "out", "--quiet")
    assert (again[0], again[1]) == (1, out)


def test_one_is_not_several(run: Run, folder: Path) -> None:
    (folder / "bad.json").unlink()
    (folder / "sub" / "two.json").unlink()
    assert run("solve", "in")[1].splitlines()[-1] == "1 instance: 1 optimal"
    audited = run("audit", "in", "--time-limit", "2")[1].splitlines()[-1]
    assert audited.startswith("1 instance, 1 optimum proved")
