"""kvopt bounds, slices and policies, and what they print at 80 columns."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from command_line import Run, parsed

import kvopt
from kvopt import POLICIES
from kvopt.theory.quadratic import parse_exact


def test_bounds(run: Run) -> None:
    rows = parsed(run("bounds", "--json"))["bounds"]
    by_key = {(row["policy"], row["regime"]): row for row in rows if row["status"] == "published"}
    assert by_key["gba", "general"]["bound"] == "32/3"
    assert by_key["gsa", "general"]["bound"] == "(92+26*sqrt(13))/3"
    assert by_key["gsa", "general"]["bound_float"] == pytest.approx(61.9148, abs=1e-4)
    at_two = parsed(run("bounds", "--alpha", "2", "--json"))["bounds"]
    assert {row["bound"] for row in at_two} >= {"64/1", "32/1", "16/1", "8/1"}
    assert parsed(run("bounds", "--alpha", "1.0001", "--json"))
    code, out, _ = run("bounds")
    assert code == 0
    assert "61.9148" in out
    assert run("bounds", "--csv")[0] == 0


def test_policies_and_version(run: Run) -> None:
    names = [policy["name"] for policy in parsed(run("policies", "--json"))["policies"]]
    assert names == [policy.name for policy in POLICIES]
    assert {"gba", "gsa", "mc-sf", "fcfs"} <= set(names)
    assert "default (7+sqrt(13))/6" in run("policies")[1]
    assert run("--version") == (0, f"kvopt, version {kvopt.__version__}\n", "")


def test_tables_fit_80_columns_unless_they_may_be_wide(run: Run) -> None:
    for command in ("bounds", "policies"):
        assert max(map(len, run(command)[1].splitlines())) <= 80
        code, wide, _ = run(command, "--wide")
        assert code == 0
        assert max(map(len, wide.splitlines())) > 80
    assert "arXiv 2601.22996" in run("bounds", "--wide")[1]
    assert run("bounds", "--wide", "--json") == run("bounds", "--json")
    assert run("policies", "--wide", "--json") == run("policies", "--json")


def test_no_bound_is_printed_lower_than_it_is(run: Run) -> None:
    rows = parsed(run("bounds", "--json"))["bounds"]
    printed = [
        cells[1]
        for line in run("bounds")[1].splitlines()[2:]
        if len(cells := re.split(r"  +", line)) == 8
    ]
    assert len(printed) == len(rows)
    for text, row in zip(printed, rows, strict=True):
        if text == "-":
            assert row["bound"] is None
            continue
        shown, exact = Fraction(text.removeprefix(">= ")), parse_exact(row["bound"], "bound")
        if row["kind"] == "upper":
            assert exact <= shown < exact + Fraction(1, 10**4)
        else:
            assert exact - Fraction(1, 10**4) < shown <= exact
    assert "2.3334" in printed  # 7/3


def test_bounds_say_what_they_assume(run: Run) -> None:
    rows = {row["policy"]: row for row in parsed(run("bounds", "--json"))["bounds"]}
    assert {row["releases"] for row in rows.values()} == {"all 0"}
    assert {name: rows[name]["prompts"] for name in ("gsa", "gba", "mc-sf", "rect", "svf")} == {
        "gsa": "one",
        "gba": "one",
        "mc-sf": "one",
        "rect": "any",
        "svf": "any",
    }
    assert {name for name, row in rows.items() if row["kills"] and ":" not in name} == {
        "gsa",
        "gsa, slices chosen for prompt and memory",
        "rect",
        "response",
        "area-phases",
        "level-pool",
        "area-budget",
        "every deterministic non-clairvoyant policy",
    }
    assert [name for name, row in rows.items() if not row["as_run"]] == ["rect", "response"]
    lines = run("bounds")[1].splitlines()
    assert lines[0].split() == ["policy", "bound", "alpha", "regime", "from", "s", "rel", "kill"]
    shown = {line.split()[0]: line.split()[-3:] for line in lines[2:] if line}
    assert shown["gba"] == ["one", "0", "no"]
    assert shown["gsa"] == ["one", "0", "yes"]
    assert shown["rect"] == ["any", "0", "yes"]
    assert shown["sorted-f"] == ["any", "0", "no"]


def test_slices_prints_no_less_than_is_proved(run: Run) -> None:
    code, out, _ = run("slices", "--memory", 100, "-o", "slices.json")
    assert code == 0
    shown = next(line for line in out.splitlines() if line.startswith("ratio"))
    bound = parsed(run("slices", "--memory", 100, "--json"))["bound_float"]
    assert float(shown.split()[-1]) >= bound
    assert run("verify", "slices.json")[0] == 0


def test_bounds_at_a_factor_next_to_1(run: Run) -> None:
    rows = parsed(run("bounds", "--alpha", f"{10**27 + 1}/{10**27}", "--json"))["bounds"]
    assert all(row["bound"] is None or row["bound_float"] > 0 for row in rows)
