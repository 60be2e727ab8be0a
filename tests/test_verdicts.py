"""scripts/bench_verdicts.py: claims and brackets are kvopt's, and wrong stores are refused."""

from __future__ import annotations

import importlib
import json
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from kvopt import POLICIES, Instance, policy_from_spec, simulate
from kvopt.theory.decimals import rounded_up
from kvopt.theory.quadratic import format_exact, parse_exact

SCRIPTS = Path(__file__).parents[1] / "scripts"
INSTANCE = Instance(40, [9, 3, 5, 8, 2], [4, 7, 2, 8, 11])


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("bench_verdicts")


@pytest.fixture
def rows(module: ModuleType, tmp_path: Path) -> list[dict[str, object]]:
    trace = tmp_path / "lmsys_lengths.csv"
    pairs = zip(INSTANCE.prompts.tolist(), INSTANCE.outputs.tolist(), strict=True)
    lines = ["prompt_tokens,output_tokens", *(f"{s},{o}" for s, o in pairs), "1,1"]
    trace.write_text("\n".join(lines) + "\n")
    described = module.Trace(trace.name, "lengths", INSTANCE.memory)
    instance = module.imported(tmp_path, described, len(INSTANCE))
    assert instance.prompts.tolist() == INSTANCE.prompts.tolist()
    found: list[dict[str, object]] = module.measure(described, instance, 10.0)
    return found


def test_rows_say_what_kvopt_says(module: ModuleType, rows: list[dict[str, object]]) -> None:
    assert [row["policy"] for row in rows] == list(module.POLICIES)
    for row in rows:
        policy = policy_from_spec(str(row["policy"]))
        guarantee = policy.guarantee(INSTANCE)
        assert row["cost"] == simulate(INSTANCE, policy).total_completion_time()
        assert row["claim"] == ("" if guarantee is None else format_exact(guarantee.bound))
        if guarantee is not None:
            assert parse_exact(str(row["claim"])) == guarantee.bound
    scopes = {row["policy"]: row["scope"] for row in rows}
    assert scopes["svf-batches"] == "any prompts"
    assert scopes["area-phases"] == scopes["area-budget"] == "this run"
    assert scopes["sorted-f"] == "so few requests"
    assert scopes["level-pool"] == "2 of 5 outgrow what is reserved"


def test_brackets_are_rounded_outwards_and_decide(
    module: ModuleType, rows: list[dict[str, object]], tmp_path: Path
) -> None:
    row = next(row for row in rows if row["policy"] == "svf-batches")
    third = row | {"cost": 100, "lower": 30, "upper": 90}
    assert module.bracket(module.ratio_of(third)) == "1.111..3.334"
    for claim, verdict in (("10/3", "within"), ("3/1", "undecided"), ("1/1", "violates")):
        assert f"| {verdict} |" in module.policies_table([third | {"claim": claim}])
    assert Fraction(10, 3) == module.ratio_of(third).high
    store = tmp_path / "store.jsonl"
    store.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert module.read_store(store) == rows
    for table in module.TABLES.values():
        assert "lmsys_lengths" in table(rows)


@pytest.mark.parametrize("changed", [{"lower": 0}, {"upper": 10**9}, {"claim": "x"}, {"cost": "1"}])
def test_wrong_stores_are_refused(
    module: ModuleType,
    rows: list[dict[str, object]],
    tmp_path: Path,
    changed: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = tmp_path / "store.jsonl"
    store.write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[1] | changed) + "\n")
    with pytest.raises(SystemExit) as ended:
        module.read_store(store)
    assert ended.value.code == 2
    assert "line 2" in capsys.readouterr().err


def test_what_pages_say_in_words_is_what_is_stored(module: ModuleType) -> None:
    """The largest upper ends over all traces, rounded up, and how many policies there are."""
    root = SCRIPTS.parent
    rows = module.read_store(root / "docs" / "results" / "verdicts.jsonl")

    def most(policy: str) -> str:
        highest = max(module.ratio_of(row).high for row in rows if row["policy"] == policy)
        return str(rounded_up(highest, 2))

    pulled, a_min, fcfs = most("svf-batches:pull=yes"), most("a-min"), most("fcfs")
    readme = " ".join((root / "README.md").read_text().split())
    assert f"`svf-batches:pull=yes` <= {pulled} OPT, A-Min <= 4." in readme
    assert Fraction(a_min) <= 4
    page = " ".join((root / "docs" / "results" / "verdicts.md").read_text().split())
    assert f"costs at most {pulled} times the optimum here" in page
    assert f"run A-Min or FCFS, at most {max(a_min, fcfs)} times here" in page
    assert f"`area-phases`, at most {most('area-phases')} times here" in page
    assert f"`area-budget`, at most {most('area-budget')} times here" in page
    claims = [parse_exact(row["claim"]) for row in rows if row["policy"] == "area-budget"]
    assert f"below {rounded_up(max(claims), 2)} in these runs" in page
    assert "Twenty policies" in page
    assert len(module.POLICIES) == 20
    assert len(POLICIES) == 4 + 15
    assert "GSA, GBA, MC-SF, FCFS and fifteen more policies" in readme
