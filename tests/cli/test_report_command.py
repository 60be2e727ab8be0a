"""kvopt report."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run, parsed
from study_pages import StudyPage

from kvopt import Instance, SolverError, StoppedError, violations, write_instance
from kvopt.certificates.checker import Verdict, verdicts
from kvopt.cli import main
from kvopt.model.formats import schedule_from_json

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'<!-- @BODY@ @STYLE@"

SMALL = Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve")

LOADS = re.compile(
    r"https?:(?!//www\.w3\.org/2000/svg)|@import|\burl\((?!#)|\bfetch\(|\bimport\(|XMLHttp|WebSocket"
)


POLICIES = "gsa:alpha=2,gba,fcfs,gsa:order=random:seed=7"


def put_instances(place: Path) -> None:
    """Put instances of every kind into a new folder: easy, with releases, hostile."""
    place.mkdir()
    late = Instance(9, [1, 1, 0], [4, 4, 1], "late", releases=[0, 2, 9])
    write_instance(place / "a-late.json", late)
    write_instance(place / "b-small.json", SMALL)
    hostile = Instance(5, [1, 1, 0], [4, 4, 1], HOSTILE, HOSTILE, HOSTILE)
    write_instance(place / "c-hostile.json", hostile)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of instances and the page about them."""
    place = tmp_path_factory.mktemp("study")
    put_instances(place / "set")
    output = str(place / "x.html")
    assert main(["report", str(place / "set"), "--policy", POLICIES, "-o", output]) == 0
    return place


@pytest.fixture(scope="module")
def page(study: Path) -> StudyPage:
    return StudyPage((study / "x.html").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put_instances(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def page_of(run: Run) -> Callable[..., StudyPage]:
    """Make a report; returns the page."""

    def page_of(*arguments: object, code: int = 0) -> StudyPage:
        done = run("report", *arguments, "-o", "x.html")
        assert done[0] == code, done
        return StudyPage(Path("x.html").read_text())

    return page_of


def test_the_numbers_are_those_of_ratio(run: Run, study: Path, page: StudyPage) -> None:
    heads, *rows = page.rows
    assert heads[:2] == ["instance", "policy"]
    expected = parsed(run("ratio", study / "set", "--policy", POLICIES, "--json"))["rows"]
    assert len(rows) == len(expected) == 12
    for cells, row in zip(rows, expected, strict=True):
        of = dict(zip(heads, cells, strict=True))
        assert (of["instance"], of["policy"]) == (row["instance"], row["policy"])
        assert (of["cost"], of["verdict"]) == (str(row["cost"]), row["verdict"])
        assert of["optimum"] == str(row["upper_bound"])
        assert of["ratio"] == f"{row['ratio_low_float']:.3f}"
        assert row["ratio_low"] in page.text


def test_the_summary_is_in_words(page: StudyPage) -> None:
    for sentence in (
        "3 instances, 4 policies, 12 runs.",
        "All optima are proved.",
        "none violates its bound",
        "gsa:alpha=2at worst 7.345 times the optimum, on twelve.",
        "the paper proves at most 64.00, kvopt at most 18.67",
        "total latencies",
    ):
        assert sentence in page.text


def test_certificates_in_the_page_pass_the_checker(page: StudyPage) -> None:
    texts = page.of_class("certificate")
    names = [attributes["data-file"] for _, attributes in page.tags if "data-file" in attributes]
    assert (len(texts), len(set(names)), len(names)) == (3, 6, 6)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.json", name or "") for name in names)
    held = verdicts(texts)
    assert all(verdict.holds for verdict in held), held
    assert (held[1].lower_bound, held[1].upper_bound) == (200, 200)
    assert "3 schedules and 3 certificates can be downloaded here" in page.text
    assert "accepted 3, which prove 3 optima" in page.text


def test_the_schedules_in_the_page_are_the_best(page: StudyPage) -> None:
    optima = [f"at most {cost}, the cost of the best schedule" for cost in (9, 200)]
    texts = page.of_class("schedule")
    assert len(texts) == 3
    for text, optimum in zip(texts, optima, strict=False):
        schedule = schedule_from_json(json.loads(text))
        assert not violations(schedule)
        assert f"at most {schedule.total_latency()}, the cost of the best schedule" == optimum
        assert optimum in page.text


def test_the_page_holds_every_schedule(page: StudyPage) -> None:
    late, small, hostile = page.of_class("schedules")
    for study in (late, small, hostile):
        assert [run["label"] for run in study["runs"]] == ["best schedule", *POLICIES.split(",")]
        assert study["shown"][0] == "best schedule"
    assert small["shown"] == ["best schedule", "gsa:alpha=2"]  # the one with the largest ratio
    assert small["memory"] == 23
    best = small["runs"][0]["bars"]
    ends = np.cumsum(best["start"]) + best["rounds"]
    assert int(ends.sum()) == 200
    assert np.cumsum(late["released"]["time"]).tolist() == [0, 2, 9]
    assert "released" not in small


def test_the_page_loads_nothing_and_says_so(study: Path, page: StudyPage) -> None:
    (policy,) = [a["content"] or "" for tag, a in page.tags if "http-equiv" in a]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = (study / "x.html").read_text()
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert (len(scripts), len(styles)) == (4, 1)
    for part in (*scripts, *styles):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
        assert not LOADS.search(part)
    for tag, attributes in page.tags:
        assert tag not in ("img", "link", "iframe", "object", "embed", "base")
        assert not {"src", "style"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_a_hostile_name_is_inert(page: StudyPage) -> None:
    assert "img" not in [tag for tag, _ in page.tags]
    assert page.text.count(HOSTILE) >= 5  # as what it is: name, comment, source
    assert [tag for tag, _ in page.tags].count("script") == 4 + 3 * 3


def test_how_each_number_was_made(study: Path, page: StudyPage) -> None:
    output = shlex.quote(str(study / "x.html"))
    assert f"kvopt report {shlex.quote(str(study / 'set'))} -o {output}" in page.text
    assert f"--policy {POLICIES} --time-limit 10" in page.text
    assert "order=random, seed=7" in page.text
    assert "python -I -S -B proofs/checker 002-twelve.certificate.json" in page.text
    assert SMALL.digest() in page.text
    for name in ("kvopt", "Python", "numpy", "numba", "highspy"):
        assert name in page.text


def test_a_bad_file_is_a_row(run: Run, folder: Path, page_of: Callable[..., StudyPage]) -> None:
    (folder / "bad.json").write_text("{")
    page = page_of(folder, "--policy", "gba", code=2)
    row = page.rows[-1]
    assert row[0].endswith("bad.json")
    assert row[-1].startswith("cannot be read")
    assert "is not valid JSON" in row[-1]
    assert "3 instances, 1 policy, 3 runs. 1 file cannot be read." in page.text
    code, _, err = run("report", folder / "bad.json", "-o", "y.html")
    assert (code, err.count("\n")) == (2, 1)
    assert not Path("y.html").exists()


def test_a_policy_that_does_not_end_is_a_row(
    folder: Path, page_of: Callable[..., StudyPage]
) -> None:
    Path("endless.py").write_text(
        "from kvopt import Policy\n"
        "class Endless(Policy):\n"
        "    name, clairvoyant = 'endless', False\n"
        "    def run(self, machine):\n"
        "        while True: pass\n"
        "        yield\n"
    )
    arguments = ("--policy", "endless:Endless,gba", "--time-limit", 1)
    page = page_of(folder / "b-small.json", *arguments)
    ended, unended = page.rows[1:]
    assert ended[1] == "gba"
    assert unended[1] == "endless:Endless"
    assert unended[-1].startswith("undecided")
    assert "the time limit was reached" in unended[-1]


def test_what_fails_is_told_and_exit_code_1(
    folder: Path, page_of: Callable[..., StudyPage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Any:
        return Verdict(False, reason="the sums are wrong"), ()

    monkeypatch.setattr("kvopt.comparison.study.checked", refuse)
    page = page_of(folder, "--policy", "gba", code=1)
    assert page.of_class("certificate") == []
    assert "PROBLEMS: 3; each is told at its instance." in page.text
    assert "the checker refuses the certificate: the sums are wrong" in page.text
    monkeypatch.setattr("kvopt.comparison.study.checked", lambda *_: 1 / 0)

    def fail(*_: object, **__: object) -> Any:
        raise SolverError("no schedule is feasible")

    monkeypatch.setattr("kvopt.comparison.study.compare", fail)
    page = page_of(folder, "--policy", "gba", code=1)
    assert [row[-1] for row in page.rows[1:]] == ["failedno schedule is feasible"] * 3


def test_a_check_that_is_stopped_says_so(
    folder: Path, page_of: Callable[..., StudyPage], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Verdict(False, reason="was stopped", stopped=True)
    monkeypatch.setattr("kvopt.comparison.study.checked", lambda *_: (stopped, ()))
    page = page_of(folder, "--policy", "gba")
    assert "accepted 0, which prove 0 optima. 3 checks did not end in time." in page.text
    assert "repeat it" in page.text
    assert len(page.of_class("certificate")) == 3


def test_nothing_is_written_where_nothing_was_done(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> Any:
        signal.raise_signal(signal.SIGINT)
        raise StoppedError("interrupted")

    Path("x.html").write_text("the study of last week")
    monkeypatch.setattr("kvopt.cli.reporting.study_instance", end)
    code, out, err = run("report", folder, "-o", "x.html")
    assert (code, out, err) == (130, "", "kvopt: interrupted; nothing was written\n")
    assert Path("x.html").read_text() == "the study of last week"


def test_instances_left_undone_are_rows(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kvopt.comparison.study import study_instance

    done: list[str] = []

    def once(name: str, *more: Any) -> Any:
        if done:
            signal.raise_signal(signal.SIGINT)
            raise StoppedError("interrupted")
        done.append(name)
        return study_instance(name, *more)

    monkeypatch.setattr("kvopt.cli.reporting.study_instance", once)
    code, out, err = run("report", folder, "-o", "x.html", "--policy", "gba")
    assert (code, err) == (130, "kvopt: interrupted; 1 of 3 instances are in the page\n")
    assert out.startswith("1 instance, 1 policy, 1 run. The study was broken off: 2 instances not")
    rows = StudyPage(Path("x.html").read_text()).rows
    assert [row[-1] for row in rows[2:]] == ["not donethe study was broken off"] * 2
    assert [row[0] for row in rows[1:]] == [*done, *(row[0] for row in rows[2:])]


def test_the_page_goes_to_stdout(run: Run, folder: Path) -> None:
    code, out, err = run("report", folder, "--policy", "gba,gba", "-o", "-")
    assert code == 0
    assert out.startswith("<!DOCTYPE html>")
    assert err.startswith("3 instances, 1 policy, 3 runs.\n")


def test_another_kind_of_file_is_refused(run: Run, folder: Path) -> None:
    code, out, err = run("report", folder, "-o", "x.pdf")
    assert (code, out) == (2, "")
    assert err == "kvopt: --output: must end in .html, got 'x.pdf'\n"
    assert not Path("x.pdf").exists()


def test_a_bound_is_said_for_the_instances_it_is_about(
    folder: Path, page_of: Callable[..., StudyPage]
) -> None:
    text = page_of(folder, "--policy", "gba,svf-batches:pull=yes").text
    assert "For every instance with one prompt length, all requests released at time 0" in text
    assert "For every instance with any prompts, all requests released at time 0, kvopt" in text
    assert "Against bounds for all instances" in text
