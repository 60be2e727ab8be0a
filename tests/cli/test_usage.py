"""Bad usage, full disks and closed pipes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from command_line import Run, kvopt_process

from kvopt.cli import cli


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], None),
        (["nope"], "No such command 'nope'"),
        (["solve"], "Missing argument 'PATHS...'"),
        (["solve", "missing.json"], "missing.json: cannot be read: No such file or directory"),
        (["solve", "empty"], "empty: folder holds no .json or .json.gz file"),
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
        (["ratio", "empty", "--policy", "gba"], "empty: folder holds no .json or .json.gz file"),
        (["ratio", "--policy", "gba"], "Missing argument 'PATHS...'"),
        (["report", "small.json", "-o", "no/x.html"], "no/x.html: cannot be written"),
        (["report", "empty", "-o", "x.html"], "empty: folder holds no .json or .json.gz file"),
        (["bounds", "--alpha", "1"], "--alpha: must be greater than 1, got 1"),
        (["bounds", "--alpha", "nan"], "--alpha: must be a number like"),
        (["search", "--policy", "gsa", "--requests", "0"], "'--requests': 0 is not in the range"),
        (["search", "--policy", "gsa", "--executor", "threads"], "executor: must be local or"),
        (["search", "--policy", "gsa", "--store", "small.json"], "not a store of kvopt"),
        (["search", "--policy", "gsa", "--plot", "x.gif"], "x.gif: must end in .png, .svg or .pdf"),
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


COMPLETE = {
    "audit": "small.json",
    "solve": "small.json",
    "simulate": "small.json --policy gsa",
    "ratio": "small.json --policy gsa",
    "search": "--policy gsa",
    "verify": "small.json",
    "import": "lengths t.csv --memory 9 -o x",
    "generate": "tiny -o x",
    "bounds": "",
    "slices": "--memory 9",
    "policies": "",
    "plot": "small.json -o x.png",
    "report": "small.json -o x.html",
}
"""Arguments of each command that leave nothing out which is required."""


def required() -> list[tuple[str, str]]:
    """Return each command with each of its required options and arguments."""
    return [
        (name, parameter.opts[0])
        for name, command in cli.commands.items()
        for parameter in command.params
        if parameter.required
    ]


def test_every_command_is_looked_at() -> None:
    assert set(COMPLETE) == set(cli.commands)
    found = required()
    assert ("ratio", "--policy") in found
    assert len(found) >= 15
    for name, text in COMPLETE.items():  # and what is said to be complete is
        cli.commands[name].make_context(name, text.split()).close()


@pytest.mark.parametrize(("name", "parameter"), required())
def test_what_is_required_is(run: Run, small: Path, name: str, parameter: str) -> None:
    command = cli.commands[name]
    words = COMPLETE[name].split()
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    of_option = {o: p for p in command.params if isinstance(p, click.Option) for o in p.opts}
    if parameter.startswith("-"):
        (place,) = [i for i, w in enumerate(words) if w in of_option[parameter].opts]
        del words[place : place + 2]
        missing = "Missing option"
    else:  # what comes first is taken for the others, so that the last one lacks
        del words[[a.name for a in arguments].index(parameter)]
        missing = "Missing argument"
    code, out, err = run(name, *words)
    assert (code, out) == (2, "")
    assert missing in err
    assert err.count("\n") == 1
