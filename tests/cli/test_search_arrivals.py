"""The search command with release times."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from command_line import Run

from kvopt.adversary import local as climbing
from kvopt.model.files import read_instance


@pytest.fixture(autouse=True)
def _few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climbing, "EVALUATIONS", 250)


def test_the_command_writes_an_instance_with_releases(tmp_path: Path, run: Run) -> None:
    arguments = ("search", "--policy", "mc-sf", "--requests", "4", "--memory", "8", "--mixed")
    file, picture = tmp_path / "worst.json", tmp_path / "worst.svg"
    more = ("--arrivals", "6", "--restarts", "1", "-o", file, "--plot", picture, "--json")
    code, out, _ = run(*arguments, *more)
    found = json.loads(out)
    assert code == 0
    assert json.loads(file.read_text())["format"] == "kvopt-instance/2"
    assert read_instance(file).has_releases
    assert Fraction(found["ratio"]) > 1
    assert set(found["causes"]) == {"mc-sf", "the optimum"}
    assert picture.stat().st_size
    code, _, error = run(*arguments, "--arrivals", "-1")
    assert code == 2
    assert "--arrivals" in error
