"""kvopt bounds, slices and policies, and what they print at 80 columns."""

from __future__ import annotations

import pytest
from command_line import Run, parsed

import kvopt
from kvopt import POLICIES


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
