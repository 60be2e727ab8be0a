"""The command line as an outside program sees it: stdout, stderr and exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import kvopt
from kvopt import POLICIES, Instance, write_instance
from kvopt.cli import main
from kvopt.model.files import curated_instances
from kvopt.traces import FORMATS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in an empty folder; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.json"
    write_instance(file, Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve"))
    return file


def parsed(result: tuple[int, str, str], code: int = 0) -> Any:
    assert result[0] == code, result
    assert result[1].count("\n") == 1
    return json.loads(result[1])


def test_solve(run: Run, small: Path) -> None:
    answer = parsed(run("solve", small, "--json"))
    assert (answer["status"], answer["objective"], answer["lower_bound"]) == ("optimal", 200, 200)
    assert len(answer["starts"]) == 12
    assert sum(answer["starts"]) + 2 * 17 + 7 * 9 + 3 * 5 == 200
    assert answer["seconds"] >= 0
    lows, highs = zip(*(ends for _, *ends in answer["history"]), strict=True)
    assert list(lows) == sorted(lows)
    assert list(highs) == sorted(highs, reverse=True)
    assert (lows[-1], highs[-1]) == (200, 200)
    bracket = parsed(run("solve", small, "--json", "--node-limit", 1))
    assert bracket["lower_bound"] < 200 <= bracket["objective"]
    code, out, err = run("solve", small, "-o", "best.json")
    assert (code, err) == (0, "")
    assert "objective    200" in out
    assert run("verify", "best.json")[0] == 0


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


def test_ratio(run: Run, small: Path) -> None:
    rows = parsed(run("ratio", small, "--policy", "gsa:alpha=2,gba,fcfs", "--json"))["rows"]
    assert [row["policy"] for row in rows] == ["gsa:alpha=2", "gba", "fcfs"]
    gsa, gba, fcfs = rows
    assert gsa["instance"] == "twelve"
    assert (gsa["cost"], gsa["lower_bound"], gsa["upper_bound"]) == (1469, 200, 200)
    assert gsa["ratio_low"] == gsa["ratio_high"] == "1469/200"
    assert gsa["ratio_high_float"] == 7.345
    assert (gsa["published_bound"], gsa["verdict"]) == ("64/1", "within")
    assert 7.345 < gsa["bound_float"] < 28
    assert gsa["bound_name"] == "these slices"
    assert gsa["bound_source"] == "proofs/certified_slices.md theorem 6"
    assert (gba["published_bound"], gba["bound_status"]) == ("32/3", "derived")
    assert gba["bound_float"] < 77 / 9
    assert (fcfs["bound"], fcfs["verdict"]) == (None, "no claim")
    code, out, _ = run("ratio", small, "--policy", "gba", "--csv")
    assert code == 0
    header, line = out.splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert row["verdict"] == "within"
    code, out, _ = run("ratio", small.parent, "--policy", "gba")
    assert code == 0
    assert "within" in out


def test_ratio_exits_1_on_a_violated_bound(run: Run, small: Path, tmp_path: Path) -> None:
    (tmp_path / "boastful.py").write_text(
        "from fractions import Fraction\n"
        "from kvopt import GSA\n"
        "from kvopt.theory.bounds import Guarantee\n"
        "class Boastful(GSA):\n"
        "    def guarantee(self, instance):\n"
        "        return Guarantee(Fraction(101, 100), 'derived', 'wishful thinking')\n"
    )
    answer = parsed(run("ratio", small, "--policy", "boastful:Boastful", "--json"), code=1)
    assert answer["rows"][0]["verdict"] == "violates"
    code, out, _ = run("audit", small, "--policy", "boastful:Boastful")
    assert code == 1
    assert "1 PROBLEMS" in out
    assert "its bound is 101/100 = 1.010" in out


def test_a_misbehaving_policy_is_named(run: Run, small: Path, tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(
        "from kvopt import Policy, Until\n"
        "class Greedy(Policy):\n"
        "    name, clairvoyant = 'greedy', False\n"
        "    def run(self, machine):\n"
        "        machine.commit(range(12), [0] * 12)\n"
        "        yield Until(1)\n"
    )
    code, out, err = run("simulate", small, "--policy", "greedy:Greedy")
    assert (code, out) == (1, "")
    assert err.startswith("kvopt: policy greedy, request ")
    assert "round 2: memory overflows, budget is 23 tokens" in err
    code, out, _ = run("audit", small, "--policy", "greedy:Greedy")
    assert code == 1
    assert "twelve: policy greedy" in out


def test_search(run: Run) -> None:
    arguments = ["search", "--policy", "gsa:alpha=2", "--requests", 5, "--memory", 10]
    arguments += ["--restarts", 2, "--seed", 5, "--json"]
    answer = parsed(run(*arguments, "-o", "worst.json"))
    assert answer == parsed(run(*arguments))
    assert answer["ratio_float"] > 3
    assert Fraction(answer["ratio"]) == Fraction(answer["cost"], answer["upper_bound"])
    assert answer["verdict"] == "within"
    ratios = [Fraction(step["ratio"]) for step in answer["history"]]
    assert ratios == sorted(set(ratios))
    again = parsed(run("ratio", "worst.json", "--policy", "gsa:alpha=2", "--json"))
    assert again["rows"][0]["ratio_low"] == answer["ratio"]


def test_search_against_another_policy(run: Run) -> None:
    arguments = ["search", "--policy", "fcfs", "--against", "mc-sf", "--restarts", 1]
    answer = parsed(run(*arguments, "--json"))
    assert Fraction(answer["ratio"]) == Fraction(answer["cost"], answer["against_cost"]) > 1
    code, out, _ = run(*arguments)
    assert code == 0
    assert "times mc-sf" in out


def test_search_resumes_from_its_store(run: Run) -> None:
    arguments = ["search", "--policy", "gsa", "--requests", 4, "--memory", 8, "--json"]
    whole = parsed(run(*arguments, "--restarts", 3))
    parsed(run(*arguments, "--restarts", 1, "--store", "finds.db"))
    resumed = parsed(run(*arguments, "--restarts", 3, "--store", "finds.db"))
    assert resumed == whole
    # Everything is in the store now: no time is needed.
    arguments += ["--restarts", 3, "--store", "finds.db", "--budget", 1e-9]
    assert parsed(run(*arguments)) == whole


def test_verify(run: Run, small: Path, tmp_path: Path) -> None:
    run("simulate", small, "--policy", "gba", "-o", "good.json")
    bad = json.loads((tmp_path / "good.json").read_text())
    bad["attempts"][3][1] += 1
    (tmp_path / "bad.json").write_text(json.dumps(bad))
    assert run("verify", "good.json", small)[0] == 0
    code, out, _ = run("verify", "good.json", "bad.json")
    assert code == 1
    assert "bad.json: FAILED: schedule" in out
    assert "  length: " in out
    answer = parsed(run("verify", "good.json", "bad.json", "--json"), code=1)
    assert [file["ok"] for file in answer["files"]] == [True, False]
    (tmp_path / "cert.json").write_text('{"format": "kvopt-certificate/2"}')
    assert run("verify", "cert.json")[0] == 1


def test_import(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("prompt_tokens,output_tokens\n5,7\n5,700\n9,2\n")
    arguments = ["import", "lengths", "t.csv", "--memory", 100, "-o", "t.json"]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err == (
        "kvopt: t.csv: line 3: prompt + output must be at most memory = 100, got 5 + 700"
        " (--oversize drop leaves such rows out)\n"
    )
    code, out, err = run(*arguments, "--oversize", "drop")
    assert (code, out) == (0, "")
    assert err == (
        "kvopt: t.json: 2 requests from 3 rows read, 0 skipped by the filters,"
        " 1 dropped as too large for the memory\n"
    )
    assert run("ratio", "t.json", "--policy", "gsa,gba,mc-sf,fcfs")[0] == 0


def test_import_with_every_option(run: Run, tmp_path: Path) -> None:
    rows = "".join(f"{n},GPT-4,{n},{n % 4},{n + n % 4},API log\n" for n in range(40))
    header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    (tmp_path / "b.csv").write_text(header + rows)
    code, out, err = run(
        *("import", "burstgpt", "b.csv", "--memory", 38, "-o", "b.json", "--name", "part"),
        *("--skip", 3, "--start-tokens", 1, "--min-output", 1, "--max-prompt", 36),
        *("--round-up-pow2", "--oversize", "drop", "--requests", 5, "--sample", 7),
    )
    assert (code, out) == (0, "")
    assert err == (
        "kvopt: b.json: 5 requests from 37 rows read after the first 3, 11 skipped by the filters,"
        " 0 dropped as too large for the memory, 9 failures left out\n"
    )
    instance = kvopt.read_instance(tmp_path / "b.json")
    assert (instance.name, len(instance)) == ("part", 5)
    assert instance.source == (
        "burstgpt trace b.csv: 5 sampled with seed 7 of the 37 rows after the first 3,"
        " 1 taken off every length for start tokens, prompts 0..36, outputs 1..1000000000,"
        " outputs rounded up to powers of two, 9 failures left out, 11 outside these lengths"
    )


def test_import_names_its_formats(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("")
    shown = run("import", "--help")[1]
    for format in FORMATS:
        assert f"  {format.name} " in shown
        assert f"{format.prompt}, {format.output}\n" in shown
    code, out, err = run("import", "nope", "t.csv", "--memory", 100, "-o", "x.json")
    assert (code, out) == (2, "")
    names = ", ".join(format.name for format in FORMATS)
    assert err == f"kvopt: FORMAT: must be one of {names}, got 'nope'\n"


def test_bounds(run: Run) -> None:
    rows = parsed(run("bounds", "--json"))["bounds"]
    by_key = {(row["policy"], row["regime"]): row for row in rows if row["status"] == "published"}
    assert by_key["gba", "general"]["bound"] == "32/3"
    assert by_key["gsa", "general"]["bound"] == "(92+26*sqrt(13))/3"
    assert by_key["gsa", "general"]["bound_float"] == pytest.approx(61.9148, abs=1e-4)
    at_two = parsed(run("bounds", "--alpha", "2", "--json"))["bounds"]
    assert {row["bound"] for row in at_two} >= {"64/1", "32/1", "16/1", "8/1"}
    assert parsed(run("bounds", "--alpha", "1.0001", "--json"))
    code, out, _ = run("bounds")
    assert code == 0
    assert "61.9148" in out
    assert run("bounds", "--csv")[0] == 0


def test_policies_and_version(run: Run) -> None:
    names = [policy["name"] for policy in parsed(run("policies", "--json"))["policies"]]
    assert names == [policy.name for policy in POLICIES]
    assert {"gba", "gsa", "mc-sf", "fcfs"} <= set(names)
    assert "default (7+sqrt(13))/6" in run("policies")[1]
    assert run("--version") == (0, f"kvopt, version {kvopt.__version__}\n", "")


def test_generate(run: Run, tmp_path: Path) -> None:
    assert run("generate", "small", "--count", 3, "--seed", 4, "-o", "set")[0] == 0
    files = sorted((tmp_path / "set").iterdir())
    assert [file.name for file in files] == [f"small-4-00{k}.json" for k in range(3)]
    assert run("generate", "two-point", "-o", "two.json")[0] == 0
    assert run("generate", "identical:count=4", "-o", "set")[0] == 0
    assert (tmp_path / "set" / "identical.json").exists()
    assert run("generate", "tiny", "-o", "one.json")[0] == 0
    assert run("generate", "two-point", "--count", 2, "-o", "x")[0] == 2
    assert run("generate", "tiny", "--count", 2, "-o", "one.json")[0] == 2


def test_verify_goes_on_after_an_unreadable_file(run: Run, small: Path) -> None:
    code, out, err = run("verify", "missing.json", small)
    assert (code, out) == (2, f"{small}: ok: instance\n")
    assert err == "kvopt: missing.json: cannot be read: No such file or directory\n"
    answer = parsed(run("verify", "missing.json", small, "--json"), code=2)
    assert [row["ok"] for row in answer["files"]] == [False, True]


OWN_POLICIES = """
import sys
from dataclasses import dataclass
from kvopt import MCSF, FCFS, Policy, Wait

class Twice(Policy):
    name = "twice"
    clairvoyant = False
    def run(self, machine):
        machine.start(0)
        machine.start(0)
        yield Wait()

class Leaves(Policy):
    name = "leaves"
    clairvoyant = False
    def run(self, machine):
        sys.exit(0)
        yield

class Claims(FCFS):
    def guarantee(self, instance):
        return 1 / 0

@dataclass(frozen=True)
class Needs(FCFS):
    what: int

class Nameless(FCFS):
    name = 7
"""


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("Twice", 1, "policy twice, request 0, round 1: start of a running request"),
        ("Leaves", 1, "policy leaves, round 1: the policy raises SystemExit: 0"),
        ("Claims", 1, "policy fcfs, round 1: its guarantee raises ZeroDivisionError"),
        ("Needs", 2, "policy own:Needs: cannot be made: "),
        ("Nameless", 2, "policy own:Nameless: name: must be a string, got 7"),
    ],
)
def test_a_users_policy_that_misbehaves(
    run: Run, small: Path, tmp_path: Path, name: str, code: int, message: str
) -> None:
    (tmp_path / "own.py").write_text(OWN_POLICIES)
    sys.modules.pop("own", None)
    sys.path.insert(0, str(tmp_path))
    try:
        for command in ("ratio", "audit", "search"):
            arguments = {
                "ratio": ["ratio", small, "--policy", f"own:{name},fcfs"],
                "audit": ["audit", small, "--policy", f"own:{name},fcfs", "--no-search"],
                "search": ["search", "--policy", f"own:{name}", "--restarts", 1],
            }[command]
            if command == "search" and name == "Claims":
                continue
            got, out, err = run(*arguments)
            assert got == code
            assert message in (out if command == "audit" and code == 1 else err)
            assert "Traceback" not in out + err
            if code == 1 and command != "search":
                assert "fcfs" in out  # the other policy's row is not lost
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("own", None)


def test_a_store_knows_when_a_users_policy_changed(tmp_path: Path) -> None:
    def ratio(base: str) -> Any:
        code = f"from kvopt import FCFS, MCSF\nclass O({base}): name = 'o'"
        (tmp_path / "own.py").write_text(code)
        options = ["--against", "mc-sf", "--restarts", 1, "--store", "s.db", "--json"]
        process = kvopt_process("search", "--policy", "own:O", *options, cwd=tmp_path)
        return json.loads(process.communicate(timeout=60)[0])["ratio"]

    assert ratio("FCFS") != "1/1"
    assert ratio("MCSF") == "1/1"


def test_an_unwritable_output_is_refused_before_the_work(run: Run, small: Path) -> None:
    began = time.perf_counter()
    code, _, err = run("search", "--policy", "gsa", "--budget", 30, "-o", "no/where.json")
    assert (code, err) == (2, "kvopt: no/where.json: cannot be written: No such folder\n")
    assert time.perf_counter() - began < 10


def test_ratio_reports_what_it_can(run: Run, small: Path, tmp_path: Path) -> None:
    answer = parsed(run("audit", small, "--no-search", "--policy", "gsa,fcfs", "--json"))
    assert answer["search"] == []
    code, out, err = run("audit", small, "--no-search", "--policy", "gsa,fcfs", "--csv")
    assert code == 0
    assert out.splitlines()[0].startswith("instance,policy,")
    assert "all well" in err


def test_audit_of_one_file(run: Run, small: Path) -> None:
    answer = parsed(run("audit", small, "--json"))
    (row,) = answer["instances"]
    assert (row["instance"], row["status"], row["objective"]) == ("twelve", "optimal", 200)
    assert row["witnesses"] == ["search over states", "HiGHS"]
    assert {ratio["policy"] for ratio in row["ratios"]} >= {"gba", "gsa", "mc-sf", "fcfs"}
    assert {found["policy"] for found in answer["search"]} == {"gsa:alpha=2", "gba:alpha=2"}
    assert answer["summary"]["problems"] == 0
    assert answer["problems"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], None),
        (["nope"], "No such command 'nope'"),
        (["solve"], "Missing argument 'FILE'"),
        (["solve", "missing.json"], "missing.json: cannot be read: No such file or directory"),
        (["solve", "."], ".: cannot be read: Is a directory"),
        (["solve", "small.json", "--node-limit", "0"], "'--node-limit': 0 is not in the range"),
        (["solve", "small.json", "--time-limit", "nan"], "positive number of seconds, got 'nan'"),
        (["solve", "small.json", "--time-limit", "-1"], "positive number of seconds, got '-1'"),
        (["solve", "small.json", "--time-limit", "inf"], "positive number of seconds, got 'inf'"),
        (["solve", "small.json", "--certificate", "no/c.json"], "no/c.json: cannot be written"),
        (["solve", "small.json", "-o", "no/where.json"], "no/where.json: cannot be written"),
        (["solve", "small.json", "--nope"], "No such option"),
        (["simulate", "small.json"], "Missing option '--policy'"),
        (["simulate", "small.json", "--policy", "x"], "policy: must be one of gba, gba-d, gsa"),
        (["simulate", "small.json", "--policy", "gsa", "--param", "alpha=1"], "greater than 1"),
        (["simulate", "small.json", "--policy", "gsa", "--param", "x"], "key=value"),
        (["ratio", "small.json", "--policy", "gba,"], "policy: must be one of"),
        (["ratio", "empty", "--policy", "gba"], "empty: folder holds no .json file"),
        (["ratio", "--policy", "gba"], "Missing argument 'PATHS...'"),
        (["bounds", "--alpha", "1"], "--alpha: must be greater than 1, got 1"),
        (["bounds", "--alpha", "nan"], "--alpha: must be a number like"),
        (["search", "--policy", "gsa", "--requests", "0"], "'--requests': 0 is not in the range"),
        (["search", "--policy", "gsa", "--executor", "threads"], "executor: must be local or"),
        (["search", "--policy", "gsa", "--store", "small.json"], "not a store of kvopt"),
        (["search", "--policy", "gsa", "--plot", "x.gif"], "x.gif: must end in .png or .svg"),
        (["import", "lengths", "small.json", "--memory", "1e3", "-o", "x"], "'--memory': '1e3'"),
        (["import", "lengths", "small.json", "--memory", "9", "-o", "x"], "small.json: line 1: "),
        (["import", "azure", "missing", "--memory", "9", "-o", "x"], "missing: cannot be read: No"),
        (["import", "azure", ".", "--memory", "9", "-o", "x"], ".: cannot be read: Is a directory"),
        (
            ["import", "azure", "x.csv", "--memory", "9", "-o", "x", "--sample", "1"],
            "sample: must come with requests, its size, got seed 1",
        ),
        (
            ["import", "azure", "x.csv", "--memory", "9", "-o", "x", "--skip", "-1"],
            "'--skip': -1 is not in the range",
        ),
        (["generate", "nope", "-o", "x"], "family: must be one of"),
        (["plot", "small.json", "-o", "x.png"], "small.json: is an instance"),
        (["verify", "missing"], "missing: cannot be read"),
        (["audit", "missing"], "missing: cannot be read"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    run: Run, small: Path, tmp_path: Path, arguments: list[str], message: str | None
) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    if message is None:
        assert err.startswith("Usage: kvopt")
    else:
        assert message in err
        assert err.startswith("kvopt: ")
        assert err.count("\n") == 1


def kvopt_process(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kvopt", *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_gives_a_bracket(tmp_path: Path) -> None:
    model1 = curated_instances() / "model1.json"
    process = kvopt_process("solve", model1, "--time-limit", 600, "--json", cwd=tmp_path)
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    answer = json.loads(out)
    assert answer["status"] == "bracket"
    assert answer["lower_bound"] < answer["objective"]


def test_ctrl_c_ends_a_search_with_what_it_has(tmp_path: Path) -> None:
    arguments = ["search", "--policy", "gsa", "--budget", 600, "--store", "s.db", "--json"]
    process = kvopt_process(*arguments, cwd=tmp_path)
    wait_for_a_unit(tmp_path / "s.db")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["ratio_float"] > 1


def wait_for_a_unit(store: Path) -> None:
    """Wait until a search has put something into its store."""
    for _ in range(600):
        time.sleep(0.2)
        with contextlib.suppress(sqlite3.Error):
            db = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
            with contextlib.closing(db):
                if db.execute("SELECT count(*) FROM unit").fetchone()[0]:
                    return
    raise AssertionError("nothing was found in two minutes")


@pytest.mark.parametrize("interrupts", [1, 2])
def test_ctrl_c_ends_a_search_in_processes(tmp_path: Path, interrupts: int) -> None:
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
    for _ in range(interrupts):  # as a terminal does: to the whole process group
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 130, err
    assert b"Traceback" not in err


@pytest.mark.parametrize("command", [["bounds"], ["bounds", "--json"], ["--help"]])
def test_a_full_disk_is_one_line(tmp_path: Path, command: list[str]) -> None:
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "kvopt", *command],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (process.returncode, process.stderr) == (2, "kvopt: No space left on device\n")


def test_a_closed_pipe_is_no_drama(tmp_path: Path) -> None:
    process = kvopt_process("policies", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()
