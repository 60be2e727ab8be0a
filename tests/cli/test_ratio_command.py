"""kvopt ratio."""

from __future__ import annotations

from pathlib import Path

from command_line import Run, parsed

from kvopt import POLICIES, Instance, write_instance


def test_ratio(run: Run, small: Path) -> None:
    rows = parsed(run("ratio", small, "--policy", "gsa:alpha=2,gba,fcfs", "--json"))["rows"]
    assert [row["policy"] for row in rows] == ["gsa:alpha=2", "gba", "fcfs"]
    gsa, gba, fcfs = rows
    assert gsa["instance"] == "twelve"
    assert (gsa["cost"], gsa["lower_bound"], gsa["upper_bound"]) == (1469, 200, 200)
    assert gsa["ratio_low"] == gsa["ratio_high"] == "1469/200"
    assert gsa["ratio_high_float"] == 7.345
    assert (gsa["published_bound"], gsa["verdict"]) == ("64/1", "within")
    assert 7.345 < gsa["bound_float"] < 28
    assert gsa["bound_name"] == "these slices"
    assert gsa["bound_source"] == "proofs/text/certified_slices.md theorem 9"
    assert (gba["published_bound"], gba["bound_status"]) == ("32/3", "derived")
    assert gba["bound_float"] < 77 / 9
    assert (fcfs["bound"], fcfs["verdict"]) == (None, "no claim")
    code, out, _ = run("ratio", small, "--policy", "gba", "--csv")
    assert code == 0
    header, line = out.splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert row["verdict"] == "within"
    code, out, _ = run("ratio", small.parent, "--policy", "gba")
    assert code == 0
    assert "within" in out


def test_ratio_exits_1_on_a_violated_bound(run: Run, small: Path, tmp_path: Path) -> None:
    (tmp_path / "boastful.py").write_text(
        "from fractions import Fraction\n"
        "from kvopt import GSA\n"
        "from kvopt.theory.guarantee import Guarantee\n"
        "class Boastful(GSA):\n"
        "    def guarantee(self, instance):\n"
        "        return Guarantee(Fraction(101, 100), 'derived', 'wishful thinking')\n"
    )
    answer = parsed(run("ratio", small, "--policy", "boastful:Boastful", "--json"), code=1)
    assert answer["rows"][0]["verdict"] == "violates"
    code, out, _ = run("audit", small, "--policy", "boastful:Boastful")
    assert code == 1
    assert "1 PROBLEMS" in out
    assert "its bound is 101/100 = 1.010" in out


def test_all_means_every_built_in_policy(run: Run, tmp_path: Path) -> None:
    write_instance(tmp_path / "one.json", Instance(5, [1, 1, 0], [4, 4, 1], "one"))
    rows = parsed(run("ratio", "one.json", "--policy", "all", "--json"))["rows"]
    assert [row["policy"].split(":")[0] for row in rows] == [policy.name for policy in POLICIES]
    rows = parsed(run("ratio", "one.json", "--policy", "gsa:alpha=2,all", "--json"))["rows"]
    assert len(rows) == len(POLICIES) + 1
