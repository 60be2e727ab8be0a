from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Run

from kvopt import Instance, write_instance
from kvopt.cli import main


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
