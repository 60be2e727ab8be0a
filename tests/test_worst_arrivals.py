"""docs/results/worst-arrivals.json: witnesses as bad as it says, and repeated by brute force."""

from __future__ import annotations

import importlib
import itertools
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from kvopt import Instance, Schedule, Stopping, simulate
from kvopt.adversary import Candidate, Limits
from kvopt.adversary.cells import cells
from kvopt.model.feasibility import violations
from kvopt.solver.releases.search import solve_by_release_search

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("build_worst_arrivals")


def test_every_cell_is_there_once_and_its_witness_costs_what_is_stated(script: ModuleType) -> None:
    rows = script.stored()
    expected = [(p, c.requests, c.memory) for p in script.POLICIES for c in cells(script.LIMITS)]
    assert [(row["policy"], row["requests"], row["memory"]) for row in rows] == expected
    for row in rows:
        one = Candidate.of(row["memory"], map(tuple, row["groups"]))
        assert one.valid(script.LIMITS)
        assert len(one) == row["requests"]
        schedule = simulate(one.instance(), row["policy"])
        assert schedule.total_latency() == row["cost"]
        known = schedule.starts()
        result = solve_by_release_search(one.instance(), known, Stopping())
        assert result.lower_bound == result.objective == row["optimum"]


def test_the_table_is_up_to_date(script: ModuleType) -> None:
    rows = script.stored()
    assert script.FILE.read_text() == script.as_json(rows)
    page = (script.FILE.parent / "worst-small.md").read_text()
    assert f"--table worst -->\n{script.table(rows)}\n<!-- end -->" in page


def test_a_run_repeats_what_is_stated(script: ModuleType) -> None:
    limits = Limits(2, 3, arrivals=script.LIMITS.arrivals)
    found = script.run("a-min", limits)
    sizes = [(c.requests, c.memory) for c in cells(limits)]
    stated = [r for r in script.stored() if r["policy"] == "a-min"]
    stated = [r for r in stated if (r["requests"], r["memory"]) in sizes]
    assert script.as_json(found) == script.as_json(stated)


@pytest.mark.parametrize("policy", ["fcfs", "gsa"])
def test_the_tiniest_are_repeated_by_brute_force(script: ModuleType, policy: str) -> None:
    """With other loops, and every vector of starts; n = 2, M up to 3."""
    arrivals = script.LIMITS.arrivals
    stated = {
        row["memory"]: Fraction(row["cost"], row["optimum"])
        for row in script.stored()
        if (row["policy"], row["requests"]) == (policy, 2) and row["memory"] <= 3
    }
    assert sorted(stated) == [1, 2, 3]
    for memory, ratio in stated.items():
        worst = Fraction(0)
        for prompt in range(memory):
            lengths = range(1, memory - prompt + 1)
            for outputs in itertools.product(lengths, repeat=2):
                for late, first in itertools.product(range(arrivals + 1), (True, False)):
                    releases = [0, late] if first else [late, 0]
                    instance = Instance(memory, [prompt] * 2, outputs, releases=releases)
                    worst = max(worst, Fraction(cost(instance, policy), least(instance)))
        assert worst == ratio


def cost(instance: Instance, policy: str) -> int:
    return simulate(instance, policy).total_latency()


def least(instance: Instance) -> int:
    """Return the least total latency over all vectors of starts that can matter."""
    last = int(instance.releases.max()) + instance.total_output
    ranges = [range(r.release, last - r.output + 1) for r in instance]
    schedules = (Schedule.from_starts(instance, starts) for starts in itertools.product(*ranges))
    return min(one.total_latency() for one in schedules if not violations(one))
