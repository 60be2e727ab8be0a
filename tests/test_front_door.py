"""What people have at hand is taken, and what they get can be read, and put into JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kvopt import (
    FCFS,
    GSA,
    Instance,
    Schedule,
    best_lower_bound,
    compare,
    metrics,
    policy_from_spec,
    read_instance,
    simulate,
    solve,
    violations,
    write_instance,
)

INSTANCE = Instance(5, [0, 3, 1, 1], [3, 2, 1, 3], "four")


def test_paths_policies_and_limits_as_people_have_them(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    write_instance(str(file), INSTANCE)
    assert read_instance(str(file)) == read_instance(file) == INSTANCE
    assert simulate(INSTANCE, "gsa:alpha=2") == simulate(INSTANCE, policy_from_spec("gsa:alpha=2"))
    assert solve(INSTANCE, 5).objective == solve(INSTANCE).objective == 16
    policies: tuple[Any, ...] = ("fcfs,gsa", ["fcfs", GSA()], [FCFS(), "gsa"], (FCFS(), GSA()))
    for given in policies:
        assert [ratio.policy for ratio in compare(INSTANCE, given).ratios] == ["fcfs", "gsa"]
    assert [ratio.policy for ratio in compare(INSTANCE, FCFS()).ratios] == ["fcfs"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solve("x.json"), "instance: must be an Instance, got str"),
        (lambda: compare("x.json", "fcfs"), "instance: must be an Instance, got str"),
        (lambda: simulate("x.json", "fcfs"), "instance: must be an Instance, got str"),
        (lambda: simulate(INSTANCE, GSA), "policy: must be a Policy or its name as a str, got "),
        (lambda: simulate(INSTANCE, 3), "policy: must be a Policy or its name as a str, got 3"),
        (lambda: compare(INSTANCE, [3]), "policy: must be a Policy or its name as a str, got 3"),
        (lambda: compare(INSTANCE, 3), "policy: must be a Policy or its name as a str, got 3"),
        (lambda: policy_from_spec(3), "policy: must be a str, got 3"),
        (lambda: solve(INSTANCE, stop=3), "stop: must be a Stopping, got int"),
        (lambda: compare(INSTANCE, "gsa", stop=3), "stop: must be a Stopping, got int"),
        (lambda: simulate(INSTANCE, "gsa", stop=3), "stop: must be a Stopping, got int"),
        (lambda: solve(INSTANCE, params={}), "params: must be a SolverParams, got dict"),
        (lambda: solve(INSTANCE, True), "time_limit: must be a number, got True"),
        (lambda: compare(INSTANCE, "gsa", True), "time_limit: must be a number, got True"),
        (lambda: metrics(INSTANCE), "schedule: must be a Schedule, got Instance"),
        (lambda: violations(INSTANCE), "schedule: must be a Schedule, got Instance"),
        (lambda: best_lower_bound(3), "instance: must be an Instance, got int"),
    ],
)
def test_a_wrong_type_is_told_apart(call: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_results_go_into_json() -> None:
    result, comparison = solve(INSTANCE), compare(INSTANCE, "fcfs,gsa")
    schedule = simulate(INSTANCE, "gsa")
    for value in (INSTANCE, schedule, result, comparison, comparison.ratios[0]):
        assert json.loads(json.dumps(value.to_dict())) == value.to_dict()
    assert result.to_dict()["starts"] == result.starts.tolist()
    assert [row["cost"] for row in comparison.to_dict()["ratios"]] == [22, 42]
    whole = (result.objective, result.lower_bound, schedule.makespan, schedule.kills)
    assert {type(number) for number in (*whole, schedule.peak_memory())} == {int}
    assert {type(number) for attempt in schedule for number in (attempt.start, attempt.end)} == {
        int
    }


def test_results_can_be_read() -> None:
    assert str(INSTANCE) == "four: 4 requests, memory 5, prompts 0..3, outputs 1..3"
    assert str(Instance(5, [1], [2])) == "instance: 1 request, memory 5, prompts 1, outputs 2"
    lines = str(simulate(INSTANCE, "fcfs")).splitlines()
    assert lines[0] == "schedule of four: 4 requests, memory 5, prompts 0..3, outputs 1..3"
    assert lines[1].startswith("total completion time 22, makespan ")
    assert lines[1].endswith(", peak memory 5, 5 attempts, 1 of them killed")
    assert [line.endswith("  killed") for line in lines[3:]].count(True) == 1
    assert "incomplete" in str(Schedule(INSTANCE, [], [], [], []))
    comparison = compare(INSTANCE, "fcfs,gsa")
    assert str(comparison).splitlines()[1:] == [
        "optimum 16",
        "fcfs: cost 22, ratio 1.375, no bound is claimed",
        "gsa: cost 42, ratio 2.625, no bound is claimed",
    ]
    assert repr(comparison).endswith("ratios={fcfs: 1.375, gsa: 2.625})")
    named = Instance(5, [1], [2], "<b>")
    for value in (named, simulate(named, "fcfs"), compare(named, "fcfs")):
        assert value._repr_html_().startswith("<pre>")
        assert "&lt;b&gt;" in value._repr_html_()
