"""Running the checker as a process: verdicts in order, limits, and what is shipped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kvopt import Instance, Stopping, read_instance, write_instance
from kvopt.certificates import checker
from kvopt.certificates import solve as certifying
from kvopt.certificates.checker import Verdict, folder, refusal, verdicts, verdicts_of_files
from kvopt.cli import main
from kvopt.model.errors import KvoptError
from kvopt.model.files import curated_instances, find_certificates
from kvopt.solver.combinatorial_bounds import CombinatorialBounds
from kvopt.solver.solve import PLAN
from kvopt.solver.state_search.stage import StateSearch

SOUND: dict[str, Any] = {
    "format": "kvopt-certificate/2",
    "instance": {"memory": 5, "requests": [{"prompt": 1, "output": 4}, {"prompt": 0, "output": 1}]},
    "instance_sha256": Instance(5, [1, 0], [4, 1]).digest(),
    "lower_bound": 5,
    "upper_bound": 5,
    "starts": [0, 0],
    "proof": {"rule": "exhaustive", "states": 99},
}
SLOW = Path(__file__).parents[1] / "cases" / "hostile" / "d4b_exh.json"


def test_verdicts_are_in_order() -> None:
    good = json.dumps(SOUND)
    bad = json.dumps({**SOUND, "lower_bound": 6})
    first, second, third = verdicts([good, bad, good.encode()])
    assert first == third
    assert first.states is not None
    assert first == Verdict(
        True, "the optimum is 5 (exhaustive)", "", "exhaustive", 5, 5, first.states
    )
    assert second == Verdict(False, reason="lower_bound: is 6, the starts cost 5")
    assert refusal(good) == ("the optimum is 5 (exhaustive)", "")
    assert refusal(bad) == ("", "lower_bound: is 6, the starts cost 5")
    assert verdicts([]) == []


@pytest.mark.parametrize("text", ["", "\ud800", b"\xff", "[" * 10**5])
def test_any_text_gets_a_verdict(text: str | bytes) -> None:
    (verdict,) = verdicts([text])
    assert not verdict.holds
    assert verdict.reason.startswith("is not JSON")


def test_a_limit_ends_it_and_keeps_what_was_said(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_text(json.dumps(SOUND))
    began = time.perf_counter()
    first, second, third = verdicts_of_files([good, SLOW, good], Stopping(1.5))
    assert time.perf_counter() - began < 5
    assert first.holds
    late = "the check was stopped before its end"
    assert second == third == Verdict(False, reason=late, stopped=True)


def test_an_interrupt_ends_it() -> None:
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    (verdict,) = verdicts_of_files([SLOW], Stopping(stopped=stopped))
    assert verdict.reason == "the check was stopped before its end"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    (verdict,) = verdicts_of_files([tmp_path / "no.json"])
    assert verdict.reason == "cannot be read: No such file or directory"


def test_a_checker_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__main__.py").write_text("raise ValueError('broken')")
    monkeypatch.setattr(checker, "folder", lambda: tmp_path)
    with pytest.raises(KvoptError, match="failed at .*0.json: ValueError: broken"):
        verdicts([json.dumps(SOUND)])
    monkeypatch.setattr(checker, "folder", lambda: tmp_path / "none")
    with pytest.raises(KvoptError, match="failed at"):
        verdicts([json.dumps(SOUND)])


def test_it_runs_from_a_copy_of_its_folder_alone(tmp_path: Path) -> None:
    shutil.copytree(folder(), tmp_path / "elsewhere")
    (tmp_path / "sound.json").write_text(json.dumps(SOUND))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(tmp_path / "elsewhere"), "sound.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "sound.json: holds: the optimum is 5 (exhaustive)\n"


def test_shipped_certificates_hold_and_are_complete() -> None:
    place = curated_instances()
    files = find_certificates(place)
    assert {file.name for file in files} == {file.name for file in place.glob("*.json")}
    records = sorted((place / "worst" / "certificates").glob("*.json"))
    assert len(records) > 30
    for file, verdict in zip(
        [*files, *records], verdicts_of_files([*files, *records]), strict=True
    ):
        assert verdict.holds, (file, verdict.reason)
        given = json.loads(file.read_text())
        assert given["instance_sha256"] == read_instance(file.parents[1] / file.name).digest()


def test_solve_writes_what_verify_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, proof = tmp_path / "small.json", tmp_path / "proof.json"
    write_instance(file, Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve"))
    arguments = ["solve", str(file), "--certificate", str(proof), "--json"]
    assert main([*arguments, "-o", str(tmp_path / "best.json")]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert (answer["certified_lower_bound"], answer["lower_bound"], err) == (200, 200, "")
    files = [str(proof), str(tmp_path / "best.json")]
    assert main(["verify", *files]) == 0
    assert "ok: certificate, the optimum is 200 (exhaustive)" in capsys.readouterr().out
    assert verdicts_of_files([proof])[0].lower_bound == 200
    proof.write_text(proof.read_text().replace('"lower_bound": 200', '"lower_bound": 201'))
    assert main(["verify", *files, "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["files"]
    assert [row["kind"] for row in rows] == ["certificate", "schedule"]
    assert [row["ok"] for row in rows] == [False, True]
    assert rows[0]["violations"] == ["lower_bound: is 201, the starts cost 200"]


def test_solve_says_what_it_cannot_prove(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = [s for s in PLAN if isinstance(s.stage, CombinatorialBounds | StateSearch)]
    assert len(plan) > 1
    monkeypatch.setattr(certifying, "CERTIFYING_PLAN", tuple(plan))
    file, proof = tmp_path / "small.json", tmp_path / "proof.json"
    write_instance(file, Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve"))
    arguments = ["solve", str(file), "--certificate", str(proof), "--json"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert (answer["certified_lower_bound"], answer["lower_bound"]) == (149, 200)
    assert (
        f"proves the lower bound {answer['certified_lower_bound']}; that of 200 is the word" in err
    )
    assert main(["verify", str(proof)]) == 0


def test_audit_counts_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "set"
    (place / "certificates").mkdir(parents=True)
    write_instance(place / "a.json", Instance(5, [1, 0], [4, 1], "a"))
    (place / "certificates" / "a.json").write_text(json.dumps(SOUND))
    arguments = ["audit", str(place), "--no-search", "--policy", "mc-sf"]
    assert main(arguments) == 0
    assert "1 certificate holds; ratios" in capsys.readouterr().out
    (place / "certificates" / "a.json").write_text(json.dumps({**SOUND, "proof": 7}))
    assert main([*arguments, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["summary"]["certificates"] == 0
    assert "proof.rule: must be one of" in answer["problems"][0]
