"""Claims of the worst instances known: true to the last digit, or refused in one line."""

from __future__ import annotations

import copy
import gzip
import json
import os
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from kvopt import InputError, Instance, Stopping
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import certificate, certificate_text
from kvopt.cli import main
from kvopt.comparison import records as module
from kvopt.comparison.records import ClaimedRecord, claim, problems_with, read_records
from kvopt.model.files import CERTIFICATES, WORST, curated_instances
from kvopt.model.formats import instance_to_json, text_of

CASES = Path(__file__).parents[1] / "cases"
RATIO = Fraction(6, 5)
TRUE = claim("fcfs", RATIO)


@pytest.fixture(scope="module")
def pair() -> tuple[dict[str, Any], dict[str, Any]]:
    """The contents of a record and its certificate."""
    instance = Instance.from_groups(2, [(0, 2, 1), (0, 1, 2)], "record", TRUE, "made up")
    text = certificate_text(certificate(solve_certified(instance, 60)))
    return instance_to_json(instance), json.loads(text)


def put(folder: Path, name: str, record: object, proof: object) -> Path:
    """Write a record and its certificate, each given as an object, a text or bytes."""
    worst = folder / WORST
    (worst / CERTIFICATES).mkdir(parents=True, exist_ok=True)
    for place, content in ((worst, record), (worst / CERTIFICATES, proof)):
        if isinstance(content, dict):
            content = text_of(content)
        data = content.encode() if isinstance(content, str) else content
        assert isinstance(data, bytes)
        (place / name).write_bytes(data)
    return worst / name


def problem_with(folder: Path, *own: str) -> str:
    (problem,) = problems_with(read_records(folder), own)
    return problem


def test_a_record_holds_or_not(tmp_path: Path, pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    record, proof = pair
    put(tmp_path, "record.json", record, proof)
    (found,) = read_records(tmp_path)
    assert (found.policy, found.ratio) == ("fcfs", RATIO)
    assert problem_with(tmp_path) == ""


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "fcfs",
        "bad for fcfs",
        "fcfs: at most 6/5 = 1.200 times the optimum",
        "fcfs: at least 6/5 = 1200 times the optimum",
        "fcfs: at least 6/5 = 1.201 times the optimum",
        "fcfs: at least 6/5 = 1.2 times the optimum",
        "fcfs: at least 6/5 = 1.200 times the optimum.",
        "fcfs: at least 6/5 = 1.200 times the optimum\n",
        " fcfs: at least 6/5 = 1.200 times the optimum",
        "fcfs: at least 06/5 = 1.200 times the optimum",
        "fcfs: at least 12/10 = 1.200 times the optimum",
        "fcfs: at least 7/5 = 1.400 times the optimum",
        "fcfs: at least 1/1 = 1.000 times the optimum",
        "fcfs: at least 6/0 = 1.200 times the optimum",
        "fcfs: at least 0/0 = nan times the optimum",
        f"fcfs: at least {'9' * 5000}/5 = 1.200 times the optimum",
        "fcfs: at least \u0666/\u0665 = 1.200 times the optimum",
        "fcfs: at least -6/-5 = 1.200 times the optimum",
        "fcfs:alpha=1: at least 6/5 = 1.200 times the optimum",
        "nosuch: at least 6/5 = 1.200 times the optimum",
        "gsa:alpha=nan: at least 6/5 = 1.200 times the optimum",
        "os:system: at least 6/5 = 1.200 times the optimum",
        f"{TRUE}, {TRUE}",
        "fcfs: at least 6/5 = 1.200 times the optimum\nand 55400 times some other one",
    ],
)
def test_a_claim_is_compared_whole(
    tmp_path: Path, pair: tuple[dict[str, Any], dict[str, Any]], comment: str
) -> None:
    file = put(tmp_path, "record.json", pair[0] | {"comment": comment}, pair[1])
    problem = problem_with(tmp_path)
    assert problem.startswith(f"{file}: comment: ")
    assert problem.isprintable()
    assert len(problem) < 600


def edits(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[str, Any]]:
    """Return what becomes of a value if each of its parts is dropped or is something else."""
    others = [None, True, "1", 1.0, -1, 0, 10**30, [], [[1]], {}, "\ud800", "\n", {"a": "\x1b"}]

    def at(value: Any, path: tuple[Any, ...]) -> Any:
        for key in path:
            value = value[key]
        return value

    found = []
    for key in list(content) if isinstance(content, dict) else range(len(content)):
        for other in ["drop", *others]:
            whole = copy.deepcopy(content)
            if other == "drop":
                del whole[key]
            else:
                whole[key] = other
            if whole != content or repr(whole) != repr(content):
                found.append((f"{(*path, key)}={other!r}", whole))
        if isinstance(part := at(content, (key,)), dict | list):
            for what, changed in edits(part, (*path, key)):
                whole = copy.deepcopy(content)
                whole[key] = changed
                found.append((what, whole))
    return found


HARMLESS = ("'name'", "'source'", "'comment'", "'count'")
"""Parts of the instance in a certificate that may be missing, or have other values."""


def test_a_changed_certificate_is_never_accepted(
    tmp_path: Path, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    record, proof = pair
    changed = [e for e in edits(proof) if not any(part in e[0] for part in HARMLESS)]
    bound = proof["lower_bound"]
    right = {"('lower_bound',)=0", "('instance', 'format')='drop'"}  # weaker, and shorter
    texts: list[tuple[str, Any]] = [(w, json.dumps(c)) for w, c in changed if w not in right]
    assert len(texts) > 100
    good = text_of(proof)
    texts += [
        ("empty", ""),
        ("cut", good[:-9]),
        ("no text", b"\xff\xfe\x00"),
        ("gzip", gzip.compress(good.encode())),
        ("mark", b"\xef\xbb\xbf" + good.encode()),
        ("deep", "[" * 100_000),
        ("digits", '{"upper_bound": ' + "9" * 100_000 + "}"),
        ("twice", good.replace('"lower_bound"', '"lower_bound": 0, "lower_bound"', 1)),
        ("NaN", good.replace(f'"lower_bound": {bound}', '"lower_bound": NaN')),
        ("large", good.replace(f'"lower_bound": {bound}', '"lower_bound": 1e400')),
    ]
    for i, (_, text) in enumerate(texts):
        put(tmp_path, f"{i:05}.json", record, text)
    problems = problems_with(read_records(tmp_path))
    for (what, _), problem in zip(texts, problems, strict=True):
        assert problem.startswith(f"{tmp_path}/worst/certificates/"), what
        assert problem.isprintable(), what
        assert len(problem) < 600, what


def test_a_changed_record_is_never_accepted(
    tmp_path: Path, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """It is no instance, or another one than that of the certificate, or its claim is false."""
    record, proof = pair
    refused = 0
    for what, changed in edits(record):
        if "'name'" in what or "'source'" in what or "'release')=0" in what:
            continue
        put(tmp_path, "record.json", json.dumps(changed), proof)
        try:
            problem = problem_with(tmp_path)
        except InputError as error:
            problem = str(error)
            refused += 1
        assert problem.startswith(f"{tmp_path}/worst/"), what
        assert problem.isprintable(), what
        assert len(problem) < 600, what
    assert refused > 50


def test_a_record_needs_its_own_certificate(
    tmp_path: Path, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    other = certificate_text(certificate(solve_certified(Instance(3, [0, 0], [1, 3]), 60)))
    put(tmp_path, "record.json", pair[0], other)
    assert problem_with(tmp_path).endswith("instance_sha256: is of another instance")
    slices = '{"format": "kvopt-slices/1"}'
    put(tmp_path, "record.json", pair[0], slices)
    assert "slices: has no" in problem_with(tmp_path)
    lower = {k: v for k, v in pair[1].items() if k not in ("upper_bound", "starts")}
    put(tmp_path, "record.json", pair[0], lower)
    assert problem_with(tmp_path).endswith("upper_bound: required field is missing")


def _unlink(file: Path) -> None:
    file.unlink()


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _device(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def _loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


@pytest.mark.parametrize("change", [_unlink, _folder, _pipe, _device, _loop])
def test_what_is_no_file_is_never_read(
    tmp_path: Path,
    pair: tuple[dict[str, Any], dict[str, Any]],
    change: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = put(tmp_path, "record.json", *pair)
    put(tmp_path, "second.json", *pair)
    change(file.parent / CERTIFICATES / "record.json")
    first, second = problems_with(read_records(tmp_path))
    assert first.startswith(f"{file.parent}/certificates/record.json: ")
    assert second == ""
    assert main(["audit", str(tmp_path), "--no-search", "--policy", "fcfs"]) == 1
    capsys.readouterr()
    if change is not _unlink:
        change(file)
        with pytest.raises(InputError, match=r"record.json: is not a file"):
            read_records(tmp_path)
        assert main(["audit", str(tmp_path), "--no-search", "--policy", "fcfs"]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)


def test_a_link_to_a_file_is_the_file(
    tmp_path: Path, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    file = put(tmp_path, "record.json", *pair).parent / CERTIFICATES / "record.json"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert problem_with(tmp_path) == ""


def test_one_checker_runs_for_all(
    tmp_path: Path,
    pair: tuple[dict[str, Any], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for i in range(5):
        put(tmp_path, f"{i}.json", *pair)
    calls = []
    verdicts = module.verdicts
    monkeypatch.setattr(module, "verdicts", lambda *a: calls.append(a) or verdicts(*a))
    assert problems_with(read_records(tmp_path)) == [""] * 5
    assert len(calls) == 1


def test_a_check_that_is_stopped_accepts_nothing(
    tmp_path: Path, pair: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    put(tmp_path, "record.json", *pair)
    answers = iter([False] * 3)
    for stop in (Stopping(stopped=lambda: True), Stopping(stopped=lambda: next(answers, True))):
        (problem,) = problems_with(read_records(tmp_path), (), stop)
        assert problem.endswith("the check was stopped before its end")


@pytest.mark.parametrize(
    ("case", "field"),
    [
        ("hall-false-decimal", "worst/fcfs--small.json: comment: must be 'fcfs: at least 349/63"),
        ("hall-names-a-module/inst", "worst/fcfs--small.json: comment: must name a built-in"),
    ],
)
def test_false_records_fail_an_audit(
    case: str, field: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir((CASES / case).parent)
    folder = Path(case).name
    assert main(["audit", folder, "--no-search", "--policy", "fcfs"]) == 1
    out, err = capsys.readouterr()
    assert f"\nproblems:\n  {folder}/{field}" in out
    assert err == ""
    assert "evilmod" not in sys.modules
    assert not Path("IMPORTED").exists()


def test_a_policy_of_ones_own_is_named_on_the_command_line(
    tmp_path: Path,
    pair: tuple[dict[str, Any], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text("from kvopt import FCFS\nclass Own(FCFS): name = 'own'\n")
    put(tmp_path / "set", "r.json", pair[0] | {"comment": claim("mine:Own", RATIO)}, pair[1])
    arguments = ["audit", "set", "--no-search", "--policy"]
    assert main([*arguments, "fcfs"]) == 1
    assert "must name a built-in policy" in capsys.readouterr().out
    assert "mine" not in sys.modules
    try:
        assert main([*arguments, "fcfs,mine:Own"]) == 0
        assert "1 worst instances are as bad as they say" in capsys.readouterr().out
    finally:
        sys.modules.pop("mine", None)


def test_the_worst_cases_are_not_empty_and_says_how_each_was_found() -> None:
    records = read_records(curated_instances())
    assert len(records) >= 20
    for record in records:
        commands = ("kvopt search --policy " + record.policy, "by hand: ")
        assert record.instance.source.startswith(commands)
    short: list[ClaimedRecord] = [record for record in records if len(record.instance) <= 12]
    assert short
    assert set(problems_with(short)) == {""}
