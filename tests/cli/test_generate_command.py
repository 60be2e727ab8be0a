"""kvopt generate."""

from __future__ import annotations

from pathlib import Path

from command_line import Run

from kvopt import read_instance


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


def test_generate_takes_parameters_of_random_families(run: Run, tmp_path: Path) -> None:
    spec = "model1:requests=5:memory=20..22"
    assert run("generate", spec, "--count", 2, "--seed", 3, "-o", "set")[0] == 0
    files = sorted((tmp_path / "set").iterdir())
    assert [f.name for f in files] == [
        f"model1-requests=5-memory=20..22-3-00{k}.json" for k in (0, 1)
    ]
    instance = read_instance(files[1])
    assert len(instance) == 5
    assert instance.source == f"kvopt generate {spec} --seed 3: number 1"
    code, out, err = run("generate", "model1:requests=0", "-o", "x")
    assert (code, out) == (2, "")
    assert err.startswith("kvopt: family model1: requests: must be an integer from 1")
