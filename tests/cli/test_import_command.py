"""kvopt import."""

from __future__ import annotations

from pathlib import Path

import pytest
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
        "kvopt: b.json: arrival times ignored (column Timestamp), all released at time 0;"
        " --arrivals keeps them\n"
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


def test_import_with_arrivals(run: Run, tmp_path: Path) -> None:
    header = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    times = ("23:59:59.9799600", "23:59:59.98", "23:59:58", "23:59:59.999")
    rows = "".join(f"2031-12-31 {time},{n},5\n" for n, time in enumerate(times, start=1))
    (tmp_path / "a.csv").write_text(header + rows)
    arguments = ["import", "azure", "a.csv", "--memory", 100, "-o", "a.json"]
    code, out, err = run(*arguments, "--arrivals", "--round-ms", 12.5)
    assert (code, out) == (0, "")
    assert err.splitlines()[1:] == [
        "kvopt: a.json: arrival times kept, 1,999 ms to the last one, sorted, 1 row being out of"
        " order, the first in line 4, released by rounds of 12.5 ms, the last at 160, load 0.00516"
    ]
    instance = kvopt.read_instance(tmp_path / "a.json")
    assert instance.prompts.tolist() == [3, 1, 2, 4]
    assert instance.arrivals is not None
    assert instance.arrivals.tolist() == [0, 1_979_960, 1_980_000, 1_999_000]
    assert instance.releases.tolist() == [0, 159, 159, 160]
    assert instance.source.endswith("4 rows, rounds of 12.5 ms, 1 out of order, sorted")
    assert run("simulate", "a.json", "--policy", "mc-sf")[0] == 0

    code, out, err = run(
        *arguments, "--arrivals", "--rate-scale", 2, "--from", "0", "--until", "20ms"
    )
    assert (code, out) == (0, "")
    assert err.splitlines()[1:] == [
        "kvopt: a.json: arrival times kept, 9.52 ms to the last one, from 0 ms on, until 20 ms, at"
        " 2 times the rate, 1 row outside the window, sorted, 1 row being out of order, the first"
        " in line 4, all released at time 0 (--round-ms releases them by these times)"
    ]
    assert (tmp_path / "a.json").read_text().splitlines()[-5:-2] == [
        '    {"prompt": 1, "output": 5, "arrival_ms": 0},',
        '    {"prompt": 2, "output": 5, "arrival_ms": 0.02},',
        '    {"prompt": 4, "output": 5, "arrival_ms": 9.52}',
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--round-ms", "3"], "--round-ms: must come with --arrivals"),
        (["--until", "3"], "--until: must come with --arrivals"),
        (["--arrivals", "--round-ms", "0"], "--round-ms: must be a positive number of milli"),
        (["--arrivals", "--round-ms", "-3"], "--round-ms: must be a positive number of milli"),
        (["--arrivals", "--round-ms", "0.0001"], "--round-ms: must be a positive number of milli"),
        (["--arrivals", "--round-ms", "nan"], "--round-ms: must be a positive number of milli"),
        (["--arrivals", "--rate-scale", "0"], "--rate-scale: must be a positive number, got '0'"),
        (["--arrivals", "--rate-scale", "1e-20"], "--rate-scale: must be a number from 1/10000"),
        (["--arrivals", "--from", "-1"], "--from: must be a time such as 90, 90s, 1500ms"),
        (["--arrivals", "--from", "1d"], "--from: must be a time such as 90, 90s, 1500ms"),
        (["--arrivals", "--from", "9", "--until", "9s"], "--until: must be after --from = 9,0"),
        (["--arrivals", "--until", "0"], "--until: must be above 0"),
        (["--arrivals"], "t.csv: line 2: arrival_ms: must be one column of the file for --arr"),
    ],
)
def test_import_refuses(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    (tmp_path / "t.csv").write_text("prompt_tokens,output_tokens\n5,7\n")
    code, out, err = run("import", "lengths", "t.csv", "--memory", 99, "-o", "t.json", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"kvopt: {message}")
    assert not (tmp_path / "t.json").exists()
