"""Traces for Perfetto."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from drawing import literally_waiting, run_of, runs
from hypothesis import given

from kvopt import (
    Attempt,
)
from kvopt.plot import trace_events
from kvopt.plot.shapes import (
    Run,
)


@given(runs())
def test_trace(run: Run) -> None:
    schedule = run.schedule
    text = trace_events.trace_text([run])
    content = json.loads(text)
    assert content["displayTimeUnit"] == "ms"
    assert "1 round is shown as 1 ms" in content["otherData"]["unit"]
    events = content["traceEvents"]
    for event in events:
        assert {"name", "ph", "pid", "tid", "ts", "args"} <= set(event)
        assert event["ph"] in ("X", "C", "M", "i")
        assert isinstance(event["ts"], int)
    by_phase = {ph: [e for e in events if e["ph"] == ph] for ph in "XCMi"}

    complete = by_phase["X"]
    drawn = [
        Attempt(
            e["args"]["request"],
            e["ts"] // 1000,
            (e["ts"] + e["dur"]) // 1000,
            e["cat"] == "killed",
            e["args"].get("tokens_at_start", 0),
        )
        for e in complete
    ]
    assert drawn == list(schedule)
    assert all(e["ts"] % 1000 == e["dur"] % 1000 == 0 for e in complete)
    for event in complete:
        request = schedule.instance[event["args"]["request"]]
        assert (event["args"]["prompt"], event["args"]["output"]) == (
            request.prompt,
            request.output,
        )
        assert event["args"]["killed"] == ("killed" in event["name"])
    threads = {e["tid"] for e in by_phase["M"] if e["name"] == "thread_name"}
    assert {e["tid"] for e in complete} == threads
    for thread in threads:  # viewers need slices of a thread to nest; ours do not even overlap
        mine = sorted((e["ts"], e["ts"] + e["dur"]) for e in complete if e["tid"] == thread)
        assert all(a[1] <= b[0] for a, b in pairwise(mine))

    released = {e["args"]["request"]: e["ts"] // 1000 for e in by_phase["i"]}
    if schedule.instance.has_releases:
        assert released == dict(enumerate(schedule.instance.releases.tolist()))
        assert {e["args"]["release"] for e in complete} == set(released.values())
    else:
        assert released == {}

    counters: dict[str, list[tuple[int, int]]] = {}
    for event in by_phase["C"]:
        ((_, value),) = event["args"].items()
        counters.setdefault(event["name"], []).append((event["ts"] // 1000, value))
    memory = counters["memory in use (tokens)"]
    profile = schedule.memory_profile()
    assert memory == [
        (r - 1, profile.at(r)) for r in range(int(profile.times[0]) + 1, schedule.makespan + 2)
    ]
    assert counters["memory budget (tokens)"][0] == (0, schedule.instance.memory)
    assert counters["completed (requests)"][-1][1] == len(schedule.instance)
    assert ("waiting (requests)" in counters) == schedule.instance.has_releases
    for time, waiting in counters.get("waiting (requests)", []):
        assert waiting == literally_waiting(schedule, time)


def test_trace_gives_the_ends_of_pieces_when_there_are_too_many_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace_events, "MAX_ROUNDS", 10)
    run = run_of("gsa")
    profile = run.schedule.memory_profile()
    rounds, used = trace_events._memory(profile)
    assert (np.diff(rounds) > 0).all()
    assert [profile.at(r) for r in rounds.tolist()] == used.tolist()
    assert set((profile.times[1:]).tolist()) <= set(rounds.tolist())


def test_trace_of_several_schedules() -> None:
    events = json.loads(trace_events.trace_text([run_of("gsa"), run_of("fcfs")]))["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert [names[pid].split(":")[0] for pid in (1, 2)] == ["gsa", "fcfs"]
