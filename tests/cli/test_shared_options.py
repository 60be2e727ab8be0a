"""What every command has: required options, --quiet, completion."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from command_line import Run

from kvopt import POLICIES
from kvopt.cli import cli

VALUES = {
    "paths": ["x.json"],
    "files": ["x.json"],
    "file": ["x.json"],
    "family": ["tiny"],
    "format_name": ["lengths"],
    "memory": ["--memory", "9"],
    "output": ["--output", "y.png"],
    "policies": ["--policy", "fcfs"],
    "spec": ["--policy", "fcfs"],
}
"""Something acceptable for each parameter that a command requires."""

REQUIRED = [
    (name, param.name)
    for name, command in cli.commands.items()
    for param in command.params
    if param.required
]


def test_every_command_is_looked_at() -> None:
    assert {"solve", "ratio", "search", "import", "generate", "plot", "verify", "slices"} <= {
        name for name, _ in REQUIRED
    }


@pytest.mark.parametrize(("name", "missing"), REQUIRED)
def test_what_is_required_is_required(run: Run, name: str, missing: str) -> None:
    params = [param for param in cli.commands[name].params if param.required]
    given = [VALUES[str(param.name)] for param in params if param.name != missing]
    options = [one for one in given if one[0].startswith("-")]
    places = [one for one in given if not one[0].startswith("-")]
    code, out, err = run(name, *(text for one in options + places for text in one))
    assert (code, out) == (2, "")
    (param,) = (param for param in params if param.name == missing)
    # of two arguments the one that is there is taken for the first
    both = sum(isinstance(one, click.Argument) for one in params) > 1
    if both and isinstance(param, click.Argument):
        assert err.startswith("kvopt: Missing argument ")
    else:
        assert err.startswith("kvopt: Missing ")
        assert param.opts[0].upper().strip("-") in err.upper()
    assert err.count("\n") == 1
    assert not list(Path().iterdir())


def test_every_command_can_be_quiet() -> None:
    for command in (cli, *cli.commands.values()):
        assert any("--quiet" in param.opts for param in command.params), command.name


@pytest.mark.parametrize("before", [True, False])
def test_quiet_hides_notes_and_keeps_errors(run: Run, tmp_path: Path, before: bool) -> None:
    (tmp_path / "x.csv").write_text("prompt_tokens,output_tokens\n1,2\n")
    command = ("import", "lengths", "x.csv", "--memory", "9", "-o", "x.json")
    assert "1 requests from 1 rows" in run(*command)[2]
    quiet = ("--quiet", *command) if before else (*command, "--quiet")
    assert run(*quiet) == (0, "", "")
    code, out, err = run("solve", "missing.json", "-q")
    assert (code, out) == (2, "")
    assert err == "kvopt: missing.json: cannot be read: No such file or directory\n"


def offered(*words: str) -> list[str]:
    *before, last = words
    complete = ShellComplete(cli, {}, "kvopt", "_KVOPT_COMPLETE")
    return [item.value for item in complete.get_completions(before, last)]


def test_policies_are_completed() -> None:
    names = [policy.name for policy in POLICIES]
    assert offered("ratio", "x", "--policy", "gs") == ["gsa", "gsa-spec"]
    assert offered("ratio", "x", "--policy", "") == [*names, "all"]
    assert offered("simulate", "x", "--policy", "") == names
    assert offered("ratio", "x", "--policy", "fcfs,mc") == ["fcfs,mc-sf"]
    assert offered("search", "--policy", "gsa:al") == ["gsa:alpha="]
    assert "gsa:alpha=2:beta=" in offered("search", "--against", "gsa:alpha=2:")
    assert offered("search", "--policy", "gsa:alpha=2:alp") == []
    assert offered("plot", "x", "--policy", "nope:") == []


def test_families_and_formats_are_completed() -> None:
    assert offered("generate", "t") == ["tiny", "two-point"]
    assert offered("import", "az") == ["azure"]


def test_bounds_and_policies_in_every_form(run: Run) -> None:
    for command in ("bounds", "policies"):
        code, out, err = run(command, "--csv")
        assert (code, err) == (0, "")
        rows = len(list(csv.DictReader(out.splitlines())))
        assert rows > 15
        markdown = run(command, "--markdown")[1].splitlines()
        assert len(markdown) == rows + 2
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in markdown}) == 1
        latex = run(command, "--latex")[1]
        assert latex.count(r"\\") == rows + 1
