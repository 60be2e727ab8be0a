"""SIGINT and SIGTERM end every command in good order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Run, kvopt_process, wait_for, wait_for_a_unit

from kvopt import Instance, read_instance, read_schedule, write_instance
from kvopt.cli.interrupts import Ended, ending, exit_code, interruptible
from kvopt.generate import generate_random

SIGNALS = pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)

SECONDS_TO_BEGIN = 8
"""How long commands are given to load everything and to get going."""


@pytest.fixture
def hard(tmp_path: Path) -> Path:
    """An instance that takes the solver much longer than a test may take."""
    file = tmp_path / "set" / "b-hard.json"
    file.parent.mkdir()
    write_instance(file, generate_random("model1:requests=150:memory=200", 1, 0))
    return file


@SIGNALS
def test_a_signal_ends_solve_with_a_bracket(
    tmp_path: Path, hard: Path, number: int, code: int, word: str
) -> None:
    arguments = ["solve", hard, "--time-limit", 600, "--json", "-o", "best.json"]
    process = kvopt_process(*arguments, "--certificate", "proof.json", cwd=tmp_path)
    time.sleep(SECONDS_TO_BEGIN)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    answer = json.loads(out)
    assert answer["status"] == "bracket"
    assert answer["lower_bound"] < answer["objective"]
    assert answer["stages"][-1]["objective"] == answer["objective"]
    best = read_schedule(tmp_path / "best.json")
    assert best.total_completion_time() == answer["objective"]
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert proof["lower_bound"] == answer["certified_lower_bound"]


@SIGNALS
def test_a_signal_ends_ratio_with_all_rows_begun(
    tmp_path: Path, hard: Path, number: int, code: int, word: str
) -> None:
    write_instance(hard.parent / "a-easy.json", Instance(5, [1, 1, 0], [4, 4, 1], "easy"))
    arguments = ["ratio", hard.parent, "--policy", "mc-sf,fcfs", "--time-limit", 600, "--json"]
    process = kvopt_process(*arguments, "-o", "out", cwd=tmp_path)
    wait_for(lambda: bool(list(tmp_path.glob("out/finished/*.gz"))))
    time.sleep(1)  # for the other one to begin
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    rows = json.loads(out)["rows"]
    assert [row["instance"] for row in rows] == ["easy", "easy", *[rows[-1]["instance"]] * 2]
    assert [row["reason"] for row in rows[:2]] == [None, None]
    assert all(row["reason"].startswith("stopped early") for row in rows[2:])
    assert all(0 < row["lower_bound"] < row["upper_bound"] for row in rows[2:])
    done = "1 of 2 instances were compared, 1 stopped early; out keeps what was done"
    assert err == f"kvopt: {word}; {done}\n"


@pytest.mark.slow
@SIGNALS
def test_a_signal_ends_a_report_with_the_instances_that_are_done(
    tmp_path: Path, hard: Path, number: int, code: int, word: str
) -> None:
    write_instance(hard.parent / "a-easy.json", Instance(5, [1, 1, 0], [4, 4, 1], "easy"))
    arguments = ["report", hard.parent, "-o", "x.html", "--policy", "mc-sf", "--time-limit", 600]
    process = kvopt_process(*arguments, cwd=tmp_path)
    time.sleep(SECONDS_TO_BEGIN)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert out.startswith("1 instance, 1 policy, 1 run. The study was broken off: 1 instance not")
    assert err == f"kvopt: {word}; 1 of 2 instances are in the page\n"
    assert "The study was broken off: 1 instance not done." in (tmp_path / "x.html").read_text()


@SIGNALS
def test_a_signal_ends_a_search_with_what_it_has(
    tmp_path: Path, number: int, code: int, word: str
) -> None:
    arguments = ["search", "--policy", "gsa", "--budget", 600, "--store", "s.db", "--json"]
    process = kvopt_process(*arguments, cwd=tmp_path)
    wait_for_a_unit(tmp_path / "s.db")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert json.loads(out)["ratio_float"] > 1


@SIGNALS
def test_a_signal_ends_a_simulation_at_once(
    tmp_path: Path, number: int, code: int, word: str
) -> None:
    write_instance(tmp_path / "one.json", Instance(5, [1], [4], "one"))
    (tmp_path / "idle.py").write_text(
        "from pathlib import Path\n"
        "from kvopt import Policy\n"
        "class Idle(Policy):\n"
        "    name, clairvoyant = 'idle', False\n"
        "    def run(self, machine):\n"
        "        Path('running').touch()\n"
        "        while True: pass\n"
        "        yield\n"
    )
    process = kvopt_process("simulate", "one.json", "--policy", "idle:Idle", cwd=tmp_path)
    wait_for(lambda: (tmp_path / "running").exists())
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (code, "", f"kvopt: {word}\n")


@SIGNALS
def test_a_signal_ends_generate_between_files(
    tmp_path: Path, number: int, code: int, word: str
) -> None:
    arguments = ["generate", "alike", "--count", 100_000, "-o", "set"]
    process = kvopt_process(*arguments, cwd=tmp_path)
    wait_for(lambda: (tmp_path / "set" / "alike-0-003.json").exists())
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    files = list((tmp_path / "set").iterdir())
    assert process.returncode == code
    assert err == f"kvopt: {word}; {len(files)} of 100000 files were made\n"
    assert all(read_instance(file) for file in files)


@SIGNALS
def test_a_signal_ends_an_import_and_nothing_is_written(
    tmp_path: Path, number: int, code: int, word: str
) -> None:
    os.mkfifo(tmp_path / "endless.csv")
    arguments = ["import", "lengths", "endless.csv", "--memory", 100, "-o", "x.json"]
    process = kvopt_process(*arguments, cwd=tmp_path)
    with (tmp_path / "endless.csv").open("w") as trace:  # once the command reads it
        trace.write("prompt_tokens,output_tokens\n1,2\n")
        trace.flush()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (code, "", f"kvopt: {word}\n")
    assert not (tmp_path / "x.json").exists()


def test_verify_keeps_what_is_checked(run: Run, small: Path, monkeypatch: Any) -> None:
    def end(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    run("simulate", small, "--policy", "gba", "-o", "good.json")
    monkeypatch.setattr("kvopt.model.feasibility.violations", end)
    code, out, err = run("verify", small, "good.json", "--json")
    assert (code, err) == (143, "kvopt: terminated; 1 of 2 files were checked\n")
    answer = json.loads(out)
    assert [row["kind"] for row in answer["files"]] == ["instance"]
    assert not answer["ok"]


def test_audit_keeps_what_is_done(run: Run, small: Path, monkeypatch: Any) -> None:
    from kvopt.comparison.audit import audit_instance

    def once(*arguments: Any) -> object:
        if list(small.parent.glob("done")):
            signal.raise_signal(signal.SIGINT)
        (small.parent / "done").touch()
        return audit_instance(*arguments)

    other = small.read_text().replace('"memory": 23', '"memory": 24')
    (small.parent / "other.json").write_text(other)
    monkeypatch.setattr("kvopt.batch.tasks.audit_instance", once)
    code, out, err = run("audit", small.parent, "--policy", "fcfs", "--json")
    assert code == 130
    assert err == "kvopt: interrupted; 1 of 2 instances were audited, 1 stopped early\n"
    answer = json.loads(out)
    assert [one["reason"] for one in answer["instances"]] == [None, "stopped early"]
    assert answer["summary"]["stopped_early"] == 1
    (row,) = answer["instances"][1]["ratios"]  # interrupted before it was simulated
    assert (row["cost"], row["verdict"]) == (None, "undecided")
    assert 0 < row["lower_bound"] <= row["upper_bound"]


def test_of_several_exit_codes_the_strongest_is_given() -> None:
    assert exit_code(0) == 0
    assert exit_code(1, 0) == 1
    assert exit_code(1, 2, 0) == 2
    assert exit_code(130, 1, 2) == 130
    assert exit_code(130, 143, 2) == 143


def test_the_first_signal_asks_and_the_second_ends() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interruptible(60) as limit:
        part = limit.part(30)
        assert not part.over()
        signal.raise_signal(signal.SIGINT)
        assert limit.over()
        assert part.over()
        assert part.interrupted
        assert (limit.code, limit.what) == (130, "interrupted")
        assert limit.rest(5, 3).left() > 2
        assert limit.rest(5).over()
        with pytest.raises(Ended) as end:
            signal.raise_signal(signal.SIGTERM)
        assert (end.value.code, limit.code) == (143, 143)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_part_ends_no_later_than_the_whole() -> None:
    with interruptible(5) as limit:
        assert limit.part(60).left() <= 5
        assert limit.part(1).left() <= 1
        assert limit.rest(60, 3).left() <= 5
        assert limit.code == 0


def test_work_that_does_not_ask_is_ended_at_once() -> None:
    with pytest.raises(Ended) as end, interruptible(at_once=True):
        signal.raise_signal(signal.SIGTERM)
    assert end.value.code == 143


def test_a_signal_while_something_is_compiled_ends_that() -> None:
    with interruptible() as limit, pytest.raises(Ended) as end, limit.part(9).uncharged():
        signal.raise_signal(signal.SIGTERM)
    assert (end.value.code, limit.interrupted) == (143, True)


@SIGNALS
def test_a_signal_within_a_finaliser_is_not_lost(
    capfd: pytest.CaptureFixture[str], number: int, code: int, word: str
) -> None:
    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def work() -> None:
        Finalised()
        steps.append("after the finaliser")
        time.sleep(20)

    steps: list[str] = []
    began = time.monotonic()
    with pytest.raises(Ended, match=word) as end, ending():
        work()
    assert time.monotonic() - began < 15
    assert (steps, end.value.code) == (["after the finaliser"], code)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("signals", [1, 2])
@SIGNALS
def test_signals_end_a_search_in_processes(
    tmp_path: Path, number: int, code: int, word: str, signals: int
) -> None:
    process = subprocess.Popen(
        [
            *[sys.executable, "-m", "kvopt", "search", "--policy", "gsa", "--budget", "600"],
            *["--requests", "100", "--memory", "2000", "--executor", "processes=2"],
            *["--store", "s.db"],
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for_a_unit(tmp_path / "s.db")
    for _ in range(signals):  # as a terminal does: to the whole process group
        os.killpg(process.pid, number)
        time.sleep(0.05)
    _, err = process.communicate(timeout=40)
    assert process.returncode == code, err
    assert b"Traceback" not in err


@SIGNALS
def test_a_signal_during_imports_makes_one_line(
    tmp_path: Path, number: int, code: int, word: str
) -> None:
    (tmp_path / "numpy.py").write_text(
        "from pathlib import Path\nimport time\nPath('importing').touch()\ntime.sleep(60)\n"
    )
    process = kvopt_process("policies", cwd=tmp_path)
    wait_for(lambda: (tmp_path / "importing").exists())
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (code, "", f"kvopt: {word}\n")


@SIGNALS
@pytest.mark.parametrize(
    "command",
    [
        ("ratio", "one.json", "--policy", "fcfs,idle:Idle", "--time-limit", 600),
        ("audit", "one.json", "--policy", "fcfs,idle:Idle", "--time-limit", 600, "--no-search"),
        ("search", "--policy", "idle:Idle", "--time-limit", 600),
    ],
)
def test_a_signal_ends_a_policy_that_never_does(
    tmp_path: Path, command: tuple[object, ...], number: int, code: int, word: str
) -> None:
    write_instance(tmp_path / "one.json", Instance(5, [1], [4], "one"))
    (tmp_path / "idle.py").write_text(
        "from pathlib import Path\n"
        "from kvopt import Policy\n"
        "class Idle(Policy):\n"
        "    name, clairvoyant = 'idle', False\n"
        "    def run(self, machine):\n"
        "        Path('running').touch()\n"
        "        while True: pass\n"
        "        yield\n"
        "    def guarantee(self, instance):\n"
        "        return None\n"
    )
    process = kvopt_process(*command, cwd=tmp_path)
    wait_for(lambda: (tmp_path / "running").exists())
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == code
    assert err.startswith(f"kvopt: {word}")
    assert err.count("\n") == 1


@SIGNALS
@pytest.mark.parametrize("place", ["generate.generate_random", "cli.making.write_instance"])
def test_a_signal_ends_generate_within_a_file(
    run: Run, monkeypatch: Any, place: str, number: int, code: int, word: str
) -> None:
    def slow(*_: object) -> None:
        signal.raise_signal(number)
        time.sleep(20)

    monkeypatch.setattr(f"kvopt.{place}", slow)
    began = time.perf_counter()
    found, out, err = run("generate", "model1", "-o", "x.json")
    assert (found, out) == (code, "")
    assert err.startswith(f"kvopt: {word}")
    assert time.perf_counter() - began < 15
    assert not Path("x.json").exists()
