"""kvopt plot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from drawing import KINDS

from kvopt import (
    Attempt,
    Instance,
    Schedule,
    policy_from_spec,
    simulate,
    write_instance,
    write_schedule,
)
from kvopt.cli import main
from kvopt.plot import pictures


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder but for an instance, a schedule and a file of ratios."""
    monkeypatch.chdir(tmp_path)
    instance = Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve")
    write_instance(tmp_path / "small.json", instance)
    write_schedule(tmp_path / "best.json", simulate(instance, policy_from_spec("mc-sf")))
    write_schedule(
        tmp_path / "late.json",
        Schedule.of(Instance(9, [1], [2]), [Attempt(7, 0, 1, True)]),
    )
    row = {
        "instance": "twelve",
        "policy": "gsa",
        "ratio_low": "5/2",
        "ratio_high": "3/1",
        "bound": "(92+26*sqrt(13))/3",
        "verdict": "within",
    }
    (tmp_path / "ratios.json").write_text(json.dumps({"rows": [row]}))
    for field, value in {
        "ratio_low": "1/2",
        "ratio_high": "2/1",
        "bound": "1/2",
        "verdict": "fine",
        "policy": 3,
    }.items():
        (tmp_path / f"bad_{field}.json").write_text(json.dumps({"rows": [row | {field: value}]}))
    (tmp_path / "none.json").write_text('{"rows": []}')
    return tmp_path


@pytest.mark.parametrize("kind", [*KINDS, "ratios", None])
@pytest.mark.parametrize("end", ["png", "SVG", "html"])
def test_command(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str | None, end: str
) -> None:
    option = ["--kind", kind] if kind else []
    assert main(["plot", "small.json", "--policy", "gsa,fcfs", "-o", f"x.{end}", *option]) == 0
    assert (folder / f"x.{end}").stat().st_size > 2000
    if kind != "ratios":
        assert main(["plot", "best.json", "-o", f"y.{end}", *option]) == 0
    if kind in ("ratios", None):
        assert main(["plot", "ratios.json", "-o", f"z.{end}", *option]) == 0
        assert (folder / f"z.{end}").stat().st_size > 2000
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", "")


@pytest.mark.parametrize("kind", ["queue", "latency"])
def test_command_draws_queues_and_distributions(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert main(["plot", "small.json", "--policy", "gsa,fcfs", "--kind", kind, "-o", "x.png"]) == 0
    assert (folder / "x.png").stat().st_size > 2000
    assert main(["plot", "best.json", "--kind", kind, "-o", "x.html"]) == 2
    err = capsys.readouterr().err
    known = "memory, gantt, completions, ratios"
    assert err == f"kvopt: --kind: must be one of {known} for a page, got {kind}\n"


def test_command_writes_traces_and_mixes_files(folder: Path) -> None:
    files = ["best.json", "small.json"]
    assert main(["plot", *files, "--policy", "gsa", "-o", "x.trace.json"]) == 0
    events = json.loads((folder / "x.trace.json").read_text())["traceEvents"]
    names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert [name.split(":")[0] for name in names] == ["best", "gsa"]


def test_command_takes_what_ratio_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ratio", "small.json", "--policy", "gsa,gba,mc-sf,fcfs", "--json"]) == 0
    (folder / "saved.json").write_text(capsys.readouterr().out)
    assert main(["plot", "saved.json", "-o", "saved.svg"]) == 0
    assert main(["plot", "small.json", "--policy", "gsa,gba,mc-sf,fcfs", "--kind", "ratios",
                 "-o", "made.svg"]) == 0  # fmt: skip
    assert (folder / "saved.svg").read_bytes() == (folder / "made.svg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("small.json --policy gsa -o x.gif", "--output: must end in one of .png, .svg, .pdf"),
        ("small.json --policy gsa -o x.json", "--output: must end in one of"),
        ("small.json --policy gsa -o x", "--output: must end in one of"),
        ("small.json --policy gsa", "Missing option '-o'"),
        ("-o x.png", "Missing argument 'FILES...'"),
        ("missing.json -o x.png", "missing.json: cannot be read"),
        ("small.json -o x.png", "small.json: is an instance: say with --policy"),
        ("best.json --policy gsa -o x.png", "--policy: must come with an instance"),
        ("small.json --policy x -o x.png", "policy: must be one of"),
        ("small.json --policy gsa -o no/x.png", "no/x.png: cannot be written"),
        ("best.json --kind pie -o x.png", "'pie' is not one of"),
        ("best.json --kind ratios -o x.png", "best.json: is a schedule: ratios need"),
        ("best.json --kind memory -o x.trace.json", "--kind: does not apply to .trace.json"),
        ("ratios.json --kind memory -o x.png", "ratios.json: holds ratios: --kind memory needs"),
        ("ratios.json -o x.trace.json", "ratios.json: holds ratios: .trace.json needs"),
        ("late.json -o x.png", "late.json: attempts: request: must be an integer from 0 to 0"),
        ("none.json -o x.png", "none.json: rows: must be a list of ratios, got []"),
        ("bad_policy.json -o x.png", "bad_policy.json: rows[0].policy: must be a printable"),
        ("bad_ratio_low.json -o x.png", "rows[0].ratio_low: must be a fraction"),
        ("bad_ratio_high.json -o x.png", "rows[0].ratio_high: must be a fraction"),
        ("bad_bound.json -o x.png", "rows[0].bound: must be null or a number"),
        ("bad_verdict.json -o x.png", "rows[0].verdict: must be one of within, violates"),
        (f"{'best.json ' * 25}-o x.png", "FILE: must make at most 24 schedules together, got 25"),
        (f"{'ratios.json ' * 301}-o x.png", "FILE: must hold at most 300 ratios together"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert main(["plot", *arguments.split()]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert message in out.err
    assert out.err.startswith("kvopt: ")
    assert out.err.count("\n") == 1
    assert not list(folder.glob("x*"))


def test_without_matplotlib_the_command_says_how_to_install_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvopt.cli.plotting.find_spec", lambda name: None)
    assert main(["plot", "best.json", "-o", "x.png"]) == 2
    error = capsys.readouterr().err
    assert "pip install 'kvopt[plot]'" in error
    assert error.count("\n") == 1
    assert main(["plot", "best.json", "-o", "x.html"]) == 0


def test_nothing_but_commands_that_draw_imports_plot() -> None:
    package = Path(pictures.__file__).parent.parent
    users = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if "kvopt.plot" in file.read_text() and file.parent.name != "plot"
    }
    drawing = {"plotting", "picture_options", "reporting", "search_report"}
    assert users == {f"cli/{name}.py" for name in drawing}


@pytest.mark.parametrize("command", ["policies", "plot best.json -o x.html"])
def test_no_other_command_loads_matplotlib(folder: Path, command: str) -> None:
    code = (
        "import sys; from kvopt.cli import main; main(sys.argv[1:]);"
        " assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, *command.split()], check=True, capture_output=True)


@pytest.mark.parametrize("end", ["png", "svg", "html", "trace.json"])
def test_what_was_there_survives_a_write_that_fails(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    file = folder / f"x.{end}"
    assert main(["plot", "best.json", "-o", file.name]) == 0
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fdopen", full)
    assert main(["plot", "small.json", "--policy", "fcfs", "-o", file.name]) == 2
    assert f"x.{end}: cannot be written: No space left on device" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert [f.name for f in folder.glob("x.*")] == [file.name]


def test_search_writes_its_picture_whole_or_not_at_all(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(
        "kvopt.cli.search_report.write_bytes", lambda file, data: written.append((file.name, data))
    )
    arguments = ["search", "--policy", "gsa:alpha=2", "--requests", "4", "--memory", "8"]
    assert main([*arguments, "--restarts", "1", "--plot", "x.svg"]) == 0
    ((name, data),) = written
    assert name == "x.svg"
    assert data.startswith(b"<?xml")
