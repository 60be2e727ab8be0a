"""kvopt solve."""

from __future__ import annotations

from pathlib import Path

from command_line import Run, parsed


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
