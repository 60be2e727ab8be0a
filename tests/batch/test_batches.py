"""The same work on many instances: by processes, resumed, interrupted."""

from __future__ import annotations

import gzip
import json
import math
import time
from pathlib import Path
from typing import Any

import pytest

from kvopt import Instance
from kvopt.batch.finished import Finished
from kvopt.batch.outcome import Outcome
from kvopt.batch.run import Done, run_batch
from kvopt.batch.tasks import Solved, Task, Work, do
from kvopt.certificates.checker import verdicts
from kvopt.comparison.ratio import compare
from kvopt.generate import generate_random
from kvopt.model.errors import StoppedError
from kvopt.model.stopping import Stopping
from kvopt.parallel.executors import workers_from_spec

SOLVE = Work("solve", 20.0, certificates=True)
RATIO = Work("ratio", 20.0, ("gsa:alpha=2", "fcfs"))
AUDIT = Work("audit", 20.0, ("gba",))


def instances(count: int = 3) -> list[Instance]:
    return [generate_random("tiny", 5, number) for number in range(count)]


def plain(done: Done) -> Any:
    """Return what was found without the times it took."""
    found = done.found
    if isinstance(found, Solved):
        facts = {k: v for k, v in found.facts.items() if "seconds" not in k}
        return facts, found.certificate, found.note
    assert isinstance(found, Outcome)
    content = found.to_dict()
    content["optimum"] = {k: v for k, v in content["optimum"].items() if "seconds" not in k}
    return content


def run(work: Work, of: list[Instance], **more: Any) -> dict[int, Done]:
    return {done.number: done for done in run_batch(work, of, Stopping(), **more)}


def test_certificates_of_instances_with_arrival_times(tmp_path: Path) -> None:
    of = [instance.with_arrivals([1_500] * len(instance)) for instance in instances(1)]
    for _ in range(2):  # found, and found again
        (done,) = run(SOLVE, of, finished=Finished(tmp_path)).values()
        assert isinstance(done.found, Solved)
        assert (done.found.note, "arrival_ms" in done.found.certificate) == ("", False)
        (verdict,) = verdicts([done.found.certificate])
        assert verdict.holds


@pytest.mark.parametrize("work", [SOLVE, RATIO, AUDIT], ids=lambda work: work.command)
def test_results_do_not_depend_on_processes_and_are_found_again(work: Work, tmp_path: Path) -> None:
    here = run(work, instances(), finished=Finished(tmp_path))
    with workers_from_spec("processes=2", ["kvopt.batch.tasks"]) as workers:
        there = run(work, instances(), workers=workers)
    again = run(work, instances(), finished=Finished(tmp_path))
    assert {n: plain(d) for n, d in here.items()} == {n: plain(d) for n, d in there.items()}
    assert {n: plain(d) for n, d in here.items()} == {n: plain(d) for n, d in again.items()}
    assert not any(done.resumed for done in (*here.values(), *there.values()))
    assert all(done.resumed for done in again.values())
    assert sorted(again) == [0, 1, 2]


def test_equal_instances_are_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        return compare(*arguments, **more)

    monkeypatch.setattr("kvopt.batch.tasks.compare", counted)
    one = instances(1)[0]
    found = run(RATIO, [one, one.renamed("another")])
    assert sorted(found) == [0, 1]
    assert len(calls) == 1


def test_a_bracket_is_finished_under_its_limit_and_an_optimum_under_any(tmp_path: Path) -> None:
    finished = Finished(tmp_path)
    hard = [generate_random("long", 1, 0)]
    few = Work("solve", 20.0, node_limit=1)
    (first,) = run(few, hard, finished=finished).values()
    assert isinstance(first.found, Solved)
    assert first.found.facts["termination"] == "node limit"
    assert run(few, hard, finished=finished)[0].resumed
    assert not run(Work("solve", 20.0, node_limit=2), hard, finished=finished)[0].resumed
    easy = instances(1)
    assert not run(Work("solve", 20.0), easy, finished=finished)[0].resumed
    assert run(Work("solve", 5.0, node_limit=10), easy, finished=finished)[0].resumed


def test_other_policies_are_other_work(tmp_path: Path) -> None:
    finished = Finished(tmp_path)
    assert not run(RATIO, instances(1), finished=finished)[0].resumed
    other = Work("ratio", 20.0, ("fcfs", "gsa:alpha=2"))
    assert not run(other, instances(1), finished=finished)[0].resumed


@pytest.mark.parametrize("how", ["cut", "changed", "no bracket", "other starts"])
def test_damaged_files_are_worked_on_again(tmp_path: Path, how: str) -> None:
    (first,) = run(SOLVE, instances(1), finished=Finished(tmp_path)).values()
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    content = json.loads(gzip.decompress(data))
    if how == "cut":
        file.write_bytes(data[:-9])
    else:
        if how == "changed":
            content["found"]["facts"]["objective"] -= 1
        else:
            from kvopt.batch.finished import _digest

            facts = content["found"]["facts"]
            if how == "no bracket":
                facts["lower_bound"] = facts["objective"] + 1
            else:
                facts["starts"] = [start + 1 for start in facts["starts"]]
            content["sha256"] = _digest(content["found"])
        file.write_bytes(gzip.compress(json.dumps(content).encode()))
    finished = Finished(tmp_path)
    (again,) = run(SOLVE, instances(1), finished=finished).values()
    assert not again.resumed
    assert set(finished.damaged) == {file}
    assert plain(again) == plain(first)
    assert run(SOLVE, instances(1), finished=finished)[0].resumed


def test_what_is_done_stays_after_an_interruption(tmp_path: Path) -> None:
    stop, finished = Stopping(), Finished(tmp_path)
    for done in run_batch(RATIO, instances(3), stop, finished=finished):
        assert not done.resumed
        stop.interrupt()
    again = run(RATIO, instances(3), finished=finished)
    assert [again[number].resumed for number in range(3)] == [True, False, False]


def test_a_bracket_cut_short_is_shown_but_not_finished(tmp_path: Path) -> None:
    hard = [generate_random("long", 1, 0)]
    stop = Stopping(math.inf, lambda: True)
    work = Work("solve", 20.0)
    assert list(run_batch(work, hard, stop, finished=Finished(tmp_path))) == []
    calls = iter([False] * 40)
    stop = Stopping(math.inf, lambda: next(calls, True))
    (done,) = run_batch(work, hard, stop, finished=Finished(tmp_path))
    assert not done.complete
    assert isinstance(done.found, Solved)
    assert done.found.facts["termination"] == "interrupted"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("work", [RATIO, AUDIT], ids=lambda work: work.command)
def test_ratios_cut_short_are_shown_but_not_finished(work: Work, tmp_path: Path) -> None:
    of, finished = instances(1), Finished(tmp_path)
    calls = iter([False] * 3)  # long enough for it to begin
    stop = Stopping(math.inf, lambda: next(calls, True))
    (done,) = run_batch(work, of, stop, finished=finished)
    assert not done.complete
    assert isinstance(done.found, Outcome)
    assert 0 < done.found.lower_bound <= done.found.objective
    assert len(done.found.ratios) + len(done.found.unfinished) == len(work.policies)
    assert any("interrupted" in one.reason for one in done.found.unfinished)
    assert not list(tmp_path.iterdir())
    (again,) = run(work, of, finished=finished).values()
    assert (again.resumed, again.complete) == (False, True)
    assert not again.found.unfinished


def test_an_outcome_comes_back_from_json_as_it_was() -> None:
    instance = Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve")
    found = Outcome.of(compare(instance, "gsa,gba,fcfs,svf", 5.0)).to_dict()
    assert Outcome.from_dict(json.loads(json.dumps(found))).to_dict() == found
    found["ratios"][0]["cost"] += 1
    with pytest.raises(ValueError, match="does not follow"):
        Outcome.from_dict(found)


def test_parts_may_count_their_own_nodes() -> None:
    whole = Stopping(node_limit=10)
    part = whole.part(60, node_limit=5)
    part.count(5)
    assert part.over()
    assert not whole.over()
    shared = whole.part(60)
    shared.count(10)
    assert whole.over()


def test_what_does_not_end_soon_after_an_interruption_is_broken_off(monkeypatch: Any) -> None:
    def slow(*_: object, **__: object) -> None:
        stop.interrupt()
        time.sleep(30)

    stop = Stopping()
    monkeypatch.setattr("kvopt.batch.tasks.compare", slow)
    monkeypatch.setattr("kvopt.batch.tasks.GRACE_SECONDS", 0.1)
    began = time.perf_counter()
    with pytest.raises(StoppedError):
        do(Task(Work("ratio", 60, ("fcfs",)), Instance(5, [1], [4])), stop)
    assert time.perf_counter() - began < 15
