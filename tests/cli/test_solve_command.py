"""kvopt solve."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Run, parsed

from kvopt.certificates import write
from kvopt.certificates.checker import Verdict


def test_solve(run: Run, small: Path) -> None:
    answer = parsed(run("solve", small, "--json"))
    assert (answer["status"], answer["objective"], answer["lower_bound"]) == ("optimal", 200, 200)
    assert len(answer["starts"]) == 12
    assert sum(answer["starts"]) + 2 * 17 + 7 * 9 + 3 * 5 == 200
    assert answer["seconds"] >= 0
    lows, highs = zip(*(ends for _, *ends in answer["history"]), strict=True)
    assert list(lows) == sorted(lows)
    assert list(highs) == sorted(highs, reverse=True)
    assert (lows[-1], highs[-1]) == (200, 200)
    bracket = parsed(run("solve", small, "--json", "--node-limit", 1))
    assert bracket["lower_bound"] < 200 <= bracket["objective"]
    code, out, err = run("solve", small, "-o", "best.json")
    assert (code, err) == (0, "")
    assert "objective    200" in out
    assert run("verify", "best.json")[0] == 0


def test_solve_says_what_each_stage_did(run: Run, small: Path) -> None:
    answer = parsed(run("solve", small, "--json"))
    assert answer["certified_lower_bound"] <= answer["lower_bound"] == 200
    assert answer["lower_bound_from"].isprintable()
    assert answer["compile_seconds"] >= 0
    first, *_, last = answer["stages"]
    assert first["stage"] == "combinatorial-bounds"
    assert set(first) == {"stage", "seconds", "compile_seconds", "objective", "lower_bound"}
    assert (last["objective"], last["lower_bound"]) == (200, 200)
    code, out, err = run("solve", small)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"^lower bound  200 \(", out, re.M)
    assert re.search(r"^certified    \d+ \(", out, re.M)
    assert [row["stage"] for row in answer["stages"]] == [
        line.split()[0] for line in out.split("\n\n")[1].splitlines()[2:]
    ]


def test_solve_takes_tuning_numbers(run: Run, small: Path, tmp_path: Path) -> None:
    (tmp_path / "params.toml").write_text("[annealing]\nseconds = 0\n")
    answer = parsed(run("solve", small, "--params", "params.toml", "--json"))
    assert answer["status"] == "optimal"
    for text, message in (
        ("[annealing]\nseconds = -1\n", "params.toml: annealing.seconds: "),
        ("[anealing]\n", "params.toml: anealing: unknown section"),
        ("[annealing\n", "params.toml: is not valid TOML"),
    ):
        (tmp_path / "params.toml").write_text(text)
        code, out, err = run("solve", small, "--params", "params.toml")
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    assert run("solve", small, "--params", "missing.toml")[0] == 2


def test_a_certificate_that_is_long_to_check_says_so(
    run: Run, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"budget": Verdict(True), "stopped": Verdict(False, stopped=True)}
    limits = {"budget": write.LARGER_LIMITS, "stopped": ()}
    for what, said in (
        ("budget", f"takes more than usual to check: kvopt verify {' '.join(write.LARGER_LIMITS)}"),
        ("stopped", "is written, but its check was stopped: kvopt verify repeats it"),
    ):
        monkeypatch.setattr(write, "checked", lambda *_, w=what: (answers[w], limits[w]))
        code, _, err = run("solve", small, "--certificate", f"{what}.json")
        assert (code, err) == (0, f"kvopt: {what}.json: {said}\n")
        assert (tmp_path / f"{what}.json").is_file()
    monkeypatch.setattr(write, "checked", lambda *_: (Verdict(False, reason="no"), ()))
    code, _, err = run("solve", small, "--certificate", "no.json")
    assert code != 0
    assert err == "kvopt: no.json: is not written, the checker says: no\n"
    assert not (tmp_path / "no.json").exists()
