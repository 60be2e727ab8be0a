"""kvopt generate."""

from __future__ import annotations

from pathlib import Path

from command_line import Run


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
