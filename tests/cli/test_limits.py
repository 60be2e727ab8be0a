"""Limits bind, whatever a policy does, and however large an instance is."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest
from command_line import Run, parsed

from kvopt import Instance, write_instance

OWN = """
import time
from kvopt import Policy, Wait

class Base(Policy):
    name, clairvoyant = "own", False
    def guarantee(self, instance):
        return None

class Spins(Base):
    def run(self, machine):
        while True:
            pass
        yield

class Sleeps(Base):
    def run(self, machine):
        time.sleep(600)
        yield

class Thrashes(Base):
    def run(self, machine):
        while True:
            machine.start(0)
            yield Wait(machine.now + 1)
            machine.kill(0)

class Claims(Base):
    def run(self, machine):
        for request in machine.waiting().tolist():
            machine.start(request)
            yield Wait()
    def guarantee(self, instance):
        while True:
            pass

class Raises(Base):
    def run(self, machine):
        raise KeyError("no idea")
        yield
"""

ENDLESS = ("Spins", "Sleeps", "Thrashes")

LATE = 20
"""Seconds after which a limit of a second has certainly not been kept."""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module of policies; each test has its own, as modules are kept."""
    name = "own_" + tmp_path.name.translate(str.maketrans("-[]", "___"))
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize("policy", ENDLESS)
def test_ratio_keeps_what_is_done_beside_an_endless_policy(
    run: Run, small: Path, own: str, policy: str
) -> None:
    began = time.perf_counter()
    spec = f"{own}:{policy}"
    code, out, err = run("ratio", small, "--policy", f"fcfs,{spec}", "--time-limit", 1, "--json")
    assert code == 0
    assert time.perf_counter() - began < LATE
    done, late = json.loads(out)["rows"]
    assert done["policy"] == "fcfs"
    assert done["cost"]
    assert done["reason"] is None
    assert (late["policy"], late["cost"], late["verdict"]) == (spec, None, "undecided")
    assert late["upper_bound"] == done["upper_bound"]
    assert late["ratio_high"] is None
    assert "the time limit was reached" in late["reason"]
    assert err == f"kvopt: twelve: {late['reason']}\n"
    assert list(done) == list(late)


def test_a_run_is_kept_whose_guarantee_is_cut_short(run: Run, small: Path, own: str) -> None:
    began = time.perf_counter()
    spec = f"{own}:Claims"
    options = ("--policy", f"fcfs,{spec}", "--time-limit", 1)
    code, out, err = run("ratio", small, *options, "--json")
    assert code == 0
    assert time.perf_counter() - began < LATE
    done, cut = json.loads(out)["rows"]
    assert (done["policy"], done["reason"], done["verdict"]) == ("fcfs", None, "no claim")
    assert (cut["policy"], cut["bound"], cut["verdict"]) == (spec, None, "no claim")
    assert done["cost"] <= cut["cost"]
    assert float(cut["ratio_low_float"]) >= 1
    assert cut["reason"].endswith("its guarantee: the time limit was reached")
    assert err == f"kvopt: twelve: {cut['reason']}\n"
    assert list(done) == list(cut)
    for command in (("ratio",), ("audit", "--no-search")):
        code, out, _ = run(*command, small, *options)
        assert (code, "no claim, bound cut short" in out) == (0, True)


def test_audit_keeps_what_is_done_beside_an_endless_policy(run: Run, small: Path, own: str) -> None:
    options = ("--policy", f"{own}:Spins,mc-sf", "--time-limit", 1, "--no-search")
    answer = parsed(run("audit", small, *options, "--json"))
    (found,) = answer["instances"]
    assert [row["verdict"] for row in found["ratios"]] == ["within", "undecided"]
    assert answer["summary"]["verdicts"] == {"undecided": 1, "within": 1}
    code, out, err = run("audit", small, *options)
    assert code == 0
    assert f"{own}:Spins" in out
    said = " ".join((out + err).split())  # the sentence is folded
    assert "1 within; nothing wrong, but not all decided" in said
    assert "all well" not in said


@pytest.mark.parametrize("policy", ["Spins", "Sleeps", "Thrashes"])
def test_simulate_has_a_limit(run: Run, small: Path, own: str, policy: str) -> None:
    began = time.perf_counter()
    spec = f"{own}:{policy}"
    code, out, err = run("simulate", small, "--policy", spec, "--time-limit", 0.5, "--json")
    assert code == 1
    assert time.perf_counter() - began < LATE
    answer = json.loads(out)
    assert (answer["policy"], answer["total_completion_time"]) == (spec, None)
    assert err == f"kvopt: {answer['reason']}\n"
    assert "0 of 12 requests were done" in err


@pytest.mark.parametrize("method", ["local", "exhaustive", "families"])
def test_a_search_with_an_endless_policy_ends(run: Run, own: str, method: str) -> None:
    began = time.perf_counter()
    options = ("--method", method, "--time-limit", 1)
    code, out, err = run("search", "--policy", f"{own}:Spins", *options)
    assert (code, out) == (1, "")
    assert time.perf_counter() - began < LATE
    assert err == "kvopt: the time was over before anything was found\n"


def test_an_exhaustive_search_begins_at_once_however_large_it_is(run: Run) -> None:
    began = time.perf_counter()
    options = ("--method", "exhaustive", "--requests", 10**6, "--memory", 10**5)
    code, out, _ = run("search", "--policy", "gsa", *options, "--time-limit", 1)
    assert code == 0
    assert time.perf_counter() - began < 4 * LATE
    assert "\nnot proved   " in out
    assert "\nbeyond reach more than 63 requests or 4095 tokens\n" in out


def test_plot_has_a_limit(run: Run, small: Path, own: str) -> None:
    options = ("--policy", f"{own}:Spins", "--time-limit", 0.5, "-o", "x.trace.json")
    code, _, err = run("plot", small, *options)
    assert code == 1
    assert "the time limit was reached" in err
    assert not Path("x.trace.json").exists()


def test_what_a_policy_raises_is_shown_with_its_line(run: Run, small: Path, own: str) -> None:
    code, _, err = run("simulate", small, "--policy", f"{own}:Raises")
    line = OWN.splitlines().index('        raise KeyError("no idea")') + 1
    assert code == 1
    assert err.endswith(f"the policy raises KeyError: 'no idea' ({own}.py, line {line})\n") or (
        err.endswith(f"{own}.py, line {line})\n") and "KeyError: 'no idea'" in err
    )


def test_a_folder_with_a_bad_file_is_done_but_for_that(run: Run, small: Path) -> None:
    folder = Path("set")
    folder.mkdir()
    write_instance(folder / "a.json", Instance(5, [1], [4], "good"))
    (folder / "b.json").write_text('{"format": "kvopt-instance/1", "memory": 5}')
    for command in ("ratio", "audit"):
        extra = ("--no-search",) if command == "audit" else ()
        code, out, err = run(command, folder, "--policy", "fcfs", *extra, "--csv")
        good, bad = csv.DictReader(io.StringIO(out))
        assert code == 2
        assert (good["instance"], good["cost"], good["reason"]) == ("good", "4", "")
        assert (bad["instance"], bad["cost"], bad["verdict"]) == ("set/b.json", "", "")
        assert bad["reason"] == "set/b.json: requests: required field is missing"
        assert f"kvopt: {bad['reason']}\n" in err
        code, out, _ = run(command, folder, "--policy", "fcfs", *extra)
        assert code == 2
        assert "cannot be read" in out
    assert run("ratio", folder / "b.json", "--policy", "fcfs")[:2] == (2, "")


def test_rows_without_a_ratio_are_left_out_of_pictures(run: Run, small: Path) -> None:
    Path("set").mkdir()
    write_instance(Path("set/a.json"), Instance(5, [1], [4], "good"))
    Path("set/b.json").write_text("{}")
    _, out, _ = run("ratio", "set", "--policy", "fcfs", "--json")
    Path("rows.json").write_text(out)
    assert run("plot", "rows.json", "-o", "rows.html")[0] == 0


def test_a_picture_of_no_ratio_is_not_drawn(run: Run, small: Path, own: str) -> None:
    options = ("--policy", f"{own}:Spins", "--kind", "ratios", "--time-limit", 0.5)
    code, _, err = run("plot", small, *options, "-o", "x.png")
    assert code == 1
    assert err.endswith("kvopt: no ratio is known; nothing was drawn\n")
    assert not Path("x.png").exists()


@pytest.mark.parametrize(
    ("command", "end"),
    [
        (("generate", "long", "--count", 100_000, "-o", "set"), " of 100000 files were made"),
        (("generate", "long:requests=1000000:memory=1000000", "-o", "x"), "nothing was written"),
        (("import", "lengths", "long.csv", "--memory", 9, "-o", "x"), "nothing was written"),
        (("slices", "--memory", 10**9, "-o", "x"), "no slices were found"),
    ],
)
def test_what_makes_files_has_a_limit(
    run: Run, tmp_path: Path, command: tuple[object, ...], end: str
) -> None:
    (tmp_path / "long.csv").write_text("prompt_tokens,output_tokens\n" + "1,2\n" * 2_000_000)
    began = time.perf_counter()
    code, out, err = run(*command, "--time-limit", 0.001)
    assert (code, out) == (1, "")
    assert time.perf_counter() - began < LATE
    assert err.startswith("kvopt: the time limit was reached; ")
    assert err.endswith(f"{end}\n")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("text", ["while True:\n    pass\n", OWN + "    def __init__(self):\n"])
def test_loading_a_policy_has_a_limit(
    run: Run, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("kvopt.policies.LOADING_SECONDS", 0.2)
    name = "loads_" + tmp_path.name.translate(str.maketrans("-[]", "___"))
    if text.endswith(":\n"):
        text += "        while True:\n            pass\n"
    (tmp_path / f"{name}.py").write_text(text)
    code, _, err = run("simulate", small, "--policy", f"{name}:Raises")
    assert (code, err) == (2, f"kvopt: policy {name}:Raises: cannot be loaded within 0.2 seconds\n")
