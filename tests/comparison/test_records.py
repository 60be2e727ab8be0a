from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from kvopt import InputError, Instance
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import certificate, write_certificate
from kvopt.comparison.records import claim, problem_with, read_records
from kvopt.model.files import CERTIFICATES, WORST, curated_instances, write_instance

RATIO = Fraction(7, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of worst cases with one record, whose ratio is 7/3."""
    instance = Instance.from_groups(
        2, [(0, 2, 1), (0, 1, 2)], "record", claim("fcfs", RATIO), "made up"
    )
    worst = tmp_path / WORST
    (worst / CERTIFICATES).mkdir(parents=True)
    write_instance(worst / "record.json", instance)
    content = certificate(solve_certified(instance, 60))
    write_certificate(worst / CERTIFICATES / "record.json", content)
    return tmp_path


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_record_holds_or_not(folder: Path) -> None:
    (record,) = read_records(folder)
    assert (record.policy, record.ratio) == ("fcfs", RATIO)
    cost = record.ratio
    problem = problem_with(record)
    if problem:  # the claim of the fixture is checked here, too
        assert "the ratio is" in problem
        cost = Fraction(problem.split("the ratio is ")[1].split(",")[0])
    file = folder / WORST / "record.json"
    changed(file, claim("fcfs", RATIO), claim("fcfs", cost))
    (record,) = read_records(folder)
    assert problem_with(record) == ""
    changed(file, claim("fcfs", cost), claim("fcfs", cost + 1))
    (record,) = read_records(folder)
    assert "the ratio is" in problem_with(record)


def test_a_record_needs_its_own_certificate(folder: Path) -> None:
    file = folder / WORST / CERTIFICATES / "record.json"
    (record,) = read_records(folder)
    content = json.loads(file.read_text())
    other = Instance(3, [0, 0], [1, 3])
    write_certificate(file, certificate(solve_certified(other, 60)))
    assert "is of another instance" in problem_with(record)
    file.write_text(json.dumps({**content, "upper_bound": content["upper_bound"] - 1}))
    assert "record.json: " in problem_with(record)
    file.unlink()
    assert "record.json: " in problem_with(record)


def test_records_must_claim_something(folder: Path) -> None:
    changed(folder / WORST / "record.json", "at least", "at most")
    with pytest.raises(InputError, match="record.json: comment: must be POLICY"):
        read_records(folder)
    assert read_records(folder / WORST) == []


def test_the_worst_cases_are_not_empty_and_says_how_each_was_found() -> None:
    records = read_records(curated_instances())
    assert len(records) >= 20
    for record in records:
        assert record.instance.source.startswith("kvopt search --policy " + record.policy)
        if len(record.instance) <= 12:
            assert problem_with(record) == ""
