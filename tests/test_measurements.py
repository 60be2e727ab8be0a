"""Files of measurements that scripts go on with: read strictly, or refused in one line."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

from kvopt import Instance
from kvopt.certificates.checker import Verdict
from kvopt.certificates.solve import solve_certified
from kvopt.model.errors import SolverError
from kvopt.solver.result import Bound

SCRIPTS = Path(__file__).parents[1] / "scripts"
ROW = {"seed": 1, "seconds": 0.5, "rule": "exhaustive", "by duals": None}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("measurements")


def test_rows_are_read(module: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    assert module.read_rows(file, ("seed",)) == []
    file.write_text(json.dumps(ROW) + "\n\n" + json.dumps(ROW))
    assert module.read_rows(file, ("seed", "seconds"), ("rule",)) == [ROW, ROW]
    file.write_text(json.dumps(ROW) + '\n{"seed": 1, "sec\n' + json.dumps(ROW) + "\n")
    assert module.read_rows(file, ("seed",), ("rule",), torn=True) == [ROW, ROW]


@pytest.mark.parametrize(
    "line",
    [
        *("{", "[]", "7", '"\x1b[2J"', "[" * 10**5, '{"seed": %s}' % ("9" * 10**5)),
        *('{"seed": NaN}', '{"seed": 1e400}', '{"seed": 1, "seed": 1}', "{}", "\udc80"),
        *(
            json.dumps(ROW | changed)
            for changed in (
                *({"seed": None}, {"seed": "1"}, {"seed": True}, {"seed": [1]}),
                *({"rule": 1}, {"rule": "a\nb"}, {"rule": "a | b"}, {"rule": "\u202e"}),
                *({"more": "\x1b[2J"}, {"more": {}}, {"\x1b[2J" * 1000: []}),
            )
        ),
    ],
)
def test_other_lines_are_refused(
    module: ModuleType, tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows\n\x1b[2J.jsonl"
    file.write_bytes((json.dumps(ROW) + "\n" + line).encode("utf-8", "surrogatepass"))
    with pytest.raises(SystemExit) as ended:
        module.read_rows(file, ("seed", "seconds"), ("rule",))
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert len(err) <= 1001


def test_a_certificate_that_is_too_much_work_does_not_count(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance(12, [1, 1, 2], [3, 4, 5])
    result = solve_certified(instance, 10)
    bounds = module.BestBounds()
    assert isinstance(result.certified.proof, dict)
    low = Bound(result.objective - 1, "busy-time", {"rule": "busy-time"})
    for bound in (low, result.certified):
        bounds.note(dataclasses.replace(result, certified=bound))
    content, row = bounds.certified(result)
    assert content["lower_bound"] == result.objective
    assert set(row) == {"bytes", "check_seconds"}

    def busy(texts: list[str]) -> list[Verdict]:
        best = json.loads(texts[0])["lower_bound"] == result.objective
        return [Verdict(not best, reason="takes more than 7 steps to check" if best else "")]

    monkeypatch.setattr(module, "verdicts", busy)
    content, row = bounds.certified(result)
    assert content["lower_bound"] == result.objective - 1
    assert (row["refused"], row["refused_rule"]) == (result.objective, result.certified.rule)
    assert row["because"] == "takes more than 7 steps to check"
    monkeypatch.setattr(module, "verdicts", lambda texts: [Verdict(False, reason="is wrong")])
    with pytest.raises(SolverError, match="is wrong"):
        bounds.certified(result)
    monkeypatch.setattr(
        module, "verdicts", lambda texts: [Verdict(False, reason="takes more than 1 MB")]
    )
    with pytest.raises(SolverError, match="accepts no certificate"):
        bounds.certified(result)
