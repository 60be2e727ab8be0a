"""docs/results/worst-small.json: its witnesses are as bad as it says, and its tables up to date."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kvopt import Stopping, policy_from_spec, simulate
from kvopt.adversary import Limits
from kvopt.adversary import enumerate as exhaustive
from kvopt.adversary.candidate import Candidate
from kvopt.adversary.cells import cells
from kvopt.solver.state_search.many import optima
from kvopt.solver.state_search.reference import solve_by_search

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("build_worst_small")


def test_every_cell_is_there_once(script: ModuleType) -> None:
    entries = script.stored_entries()
    names = [(entry["policy"], entry["prompts"]) for entry in entries]
    assert len(set(names)) == len(names)
    for kind, default in (("common", script.DEFAULT), ("any", script.DEFAULT_MIXED)):
        limits = {
            e["policy"]: (e["requests"], e["memory"]) for e in entries if e["prompts"] == kind
        }
        assert limits == default
    for entry in entries:
        most = Limits(entry["requests"], entry["memory"], entry["prompts"] == "any")
        expected = [(c.requests, c.memory, "mixed" if c.mixed else "common") for c in cells(most)]
        assert [tuple(row[:3]) for row in entry["cells"]] == expected


def test_witnesses_cost_what_is_stated(script: ModuleType) -> None:
    for entry in script.stored_entries():
        policy = policy_from_spec(entry["policy"])
        for n, memory, kind, ratio, cost, reference, groups in entry["cells"]:
            candidate = Candidate(memory, tuple(tuple(group) for group in groups))
            assert candidate.valid(Limits(n, memory, kind == "mixed"))
            assert len(candidate) == n
            assert (candidate.common_prompt is None) == (kind == "mixed")
            assert Fraction(ratio) == Fraction(cost, reference)
            assert simulate(candidate.instance(), policy).total_completion_time() == cost


def check_optima(rows: list[list[Any]]) -> None:
    """Compare optima of witnesses to those of a solver that shares no code with the kernel."""
    assert rows
    for _, memory, _, _, _, reference, groups in rows:
        instance = Candidate(memory, tuple(map(tuple, groups))).instance()
        serial = np.cumsum(instance.outputs) - instance.outputs
        result = solve_by_search(instance, serial, Stopping())
        assert result.lower_bound == result.objective == reference


def test_optima_of_the_worst_are_confirmed(script: ModuleType) -> None:
    check_optima([script.worst_of(entry["cells"]) for entry in script.stored_entries()])


@pytest.mark.slow
def test_optima_are_confirmed(script: ModuleType) -> None:
    check_optima([row for entry in script.stored_entries() for row in entry["cells"][::4]])


@pytest.mark.slow
def test_all_optima_are_repeated(script: ModuleType) -> None:
    rows = [row for entry in script.stored_entries() for row in entry["cells"]]
    problems = []
    for row in rows:
        prompts, outputs = Candidate(row[1], tuple(map(tuple, row[6]))).arrays()
        problems.append((row[1], prompts.tolist(), outputs.tolist()))
    assert optima(problems) == [row[5] for row in rows]


def test_tables_are_up_to_date(script: ModuleType) -> None:
    entries = script.stored_entries()
    assert script.merged(entries, []) == entries
    assert script.FILE.read_text() == script.as_json(entries)
    page = script.FILE.with_suffix(".md").read_text()
    for name, table in script.TABLES.items():
        command = f"<!-- python scripts/build_worst_small.py --table {name} -->"
        assert f"{command}\n{table(entries)}\n<!-- end -->" in page


@pytest.mark.parametrize("mixed", [False, True])
def test_a_run_repeats_what_is_stated(script: ModuleType, mixed: bool) -> None:
    entry = script.run("gsa:alpha=2", 2, 4, mixed, None)
    stated = {
        (row[0], row[1], row[2]): row
        for other in script.stored_entries()
        if other["policy"] == "gsa:alpha=2" and other["prompts"] == ("any" if mixed else "common")
        for row in other["cells"]
    }
    assert [stated[tuple(row[:3])] for row in entry["cells"]] == entry["cells"]
    every = sum(len([*exhaustive._sets(cell)]) for cell in cells(Limits(1, 4, mixed)))
    assert script.number_of_instances(script.run("gsa", 1, 4, mixed, None)) == every
