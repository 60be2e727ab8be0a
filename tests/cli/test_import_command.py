"""kvopt import."""

from __future__ import annotations

from pathlib import Path

from command_line import Run

import kvopt
from kvopt.traces import FORMATS


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
