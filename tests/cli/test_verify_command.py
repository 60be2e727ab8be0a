"""kvopt verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Run, parsed

from kvopt import Instance, read_schedule, write_instance


def test_verify(run: Run, small: Path, tmp_path: Path) -> None:
    run("simulate", small, "--policy", "gba", "-o", "good.json")
    bad = json.loads((tmp_path / "good.json").read_text())
    bad["attempts"][3][1] += 1
    (tmp_path / "bad.json").write_text(json.dumps(bad))
    assert run("verify", "good.json", small)[0] == 0
    code, out, _ = run("verify", "good.json", "bad.json")
    assert code == 1
    assert "bad.json: FAILED: schedule" in out
    assert "  length: " in out
    answer = parsed(run("verify", "good.json", "bad.json", "--json"), code=1)
    assert [file["ok"] for file in answer["files"]] == [True, False]
    (tmp_path / "cert.json").write_text('{"format": "kvopt-certificate/2"}')
    assert run("verify", "cert.json")[0] == 1


def test_verify_goes_on_after_an_unreadable_file(run: Run, small: Path) -> None:
    code, out, err = run("verify", "missing.json", small)
    assert (code, out) == (2, f"{small}: ok: instance\n")
    assert err == "kvopt: missing.json: cannot be read: No such file or directory\n"
    answer = parsed(run("verify", "missing.json", small, "--json"), code=2)
    assert [row["ok"] for row in answer["files"]] == [False, True]


def test_the_verified_checker_is_found(
    run: Run, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("solve", small, "--certificate", "cert.json")
    monkeypatch.delenv("KVOPT_VERIFIED", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = run("verify", "--checker", "verified", "cert.json")
    assert (code, out) == (2, "")
    assert err == (
        "kvopt: no program kvopt-verified: build it with `make -C proofs/coq checker`, and set"
        " KVOPT_VERIFIED to it or put it on the PATH\n"
    )
    for name, claim in (("kvopt-verified", "on the path"), ("other", "named")):
        row = json.dumps({"file": "", "holds": True, "claim": claim, "reason": ""})
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{row}'\n")
        (tmp_path / name).chmod(0o755)
    answer = parsed(run("verify", "--checker", "verified", "cert.json", "--json"))
    assert answer["files"][0]["claim"] == "on the path"
    monkeypatch.setenv("KVOPT_VERIFIED", str(tmp_path / "other"))
    answer = parsed(run("verify", "--checker", "verified", "cert.json", "--json"))
    assert answer["files"][0]["claim"] == "named"
    script = '#!/bin/sh\necho "{\\"holds\\": false, \\"claim\\": \\"\\", \\"reason\\": \\"$*\\"}"\n'
    (tmp_path / "other").write_text(script)
    limits = ("--max-steps", "9", "--max-memory", "8")
    _, out, _ = run("verify", "--checker", "verified", "cert.json", *limits)
    assert "--json --max-steps 9 --max-memory 8" in out


def test_limits_of_checks(run: Run, tmp_path: Path) -> None:
    slow = Path(__file__).parents[1] / "cases" / "hostile" / "d4b_exh.json"
    code, out, _ = run("verify", slow, "--time-limit", "0.2")
    assert code == 1
    assert out.endswith("  checking takes more than 0.2 s (--time-limit)\n")
    code, out, _ = run("verify", slow, "--max-steps", "1000000")
    assert code == 1
    assert out.endswith("  takes more than 1000000 steps to check\n")
    code, out, _ = run("verify", slow, "--max-memory", "1")
    assert code == 1
    assert out.endswith("  takes more than 1 MB of memory to check\n")
    assert run("verify", slow, "--max-steps", "0")[0] == 2
    assert run("verify", slow, "--time-limit", "nan")[0] == 2


def test_both_totals_are_said_where_requests_are_released_over_time(
    run: Run, tmp_path: Path
) -> None:
    instance = Instance(5, [1, 1, 2], [3, 1, 3], releases=[0, 1, 1])
    write_instance(tmp_path / "one.json", instance)
    run("simulate", "one.json", "--policy", "mc-sf", "-o", "run.json")
    code, out, _ = run("verify", "run.json")
    assert code == 0
    assert out == "run.json: ok: schedule, total latency 9, total completion time 11\n"
    (row,) = parsed(run("verify", "run.json", "--json"))["files"]
    assert (row["total_latency"], row["total_completion_time"]) == (9, 11)
    assert "\ntotal latency 9, total completion time 11, makespan 6" in str(
        read_schedule("run.json")
    )
    arguments = ("--policy", "mc-sf", "--time-limit", 1e-9, "--json")
    answer = parsed(run("simulate", "one.json", *arguments), code=1)
    assert (answer["total_latency"], answer["total_completion_time"]) == (None, None)
