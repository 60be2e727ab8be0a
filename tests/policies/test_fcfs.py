"""FCFS."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.fcfs import fcfs as oracle_fcfs
from oracles.optimum_with_kept_tokens import optimum_with_kept_tokens
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance, compare, policy_from_spec, simulate, violations
from kvopt.model.formats import attempt_rows
from kvopt.solver.combinatorial_bounds import busy_time_bound
from kvopt.solver.releases.busy_time import released_busy_time_bound


@settings(max_examples=300)
@given(instances(latest_release=30))
def test_fcfs_is_the_textbook_algorithm(instance: Instance) -> None:
    assert as_tuples(run("fcfs", instance)) == oracle_fcfs(
        instance.memory, rows(instance), releases(instance)
    )


@settings(max_examples=300)
@given(
    instances(max_requests=12, latest_release=30),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
)
def test_bypass_and_kept_tokens_are_as_defined(
    instance: Instance, passes: int, skip: bool, keep: bool
) -> None:
    online = instance.memory, rows(instance), releases(instance)
    spec = f"fcfs:skip=yes:passes={passes}" if skip else "fcfs:skip=no"
    schedule = run(f"{spec}:keep={'yes' if keep else 'no'}", instance)
    assert as_tuples(schedule) == oracle_fcfs(*online, passes if skip else 0, keep)
    assert violations(schedule) == []


def test_others_pass_a_request_that_does_not_fit() -> None:
    # Request 0 takes 9 of 10 tokens at once; request 1 needs 3 and does not fit beside it.
    instance = Instance(10, [4, 6, 0, 0, 0], [5, 1, 1, 1, 1])
    assert run("fcfs", instance).completion_times().tolist() == [5, 6, 6, 6, 6]
    passed = run("fcfs:skip=yes:passes=2", instance)
    assert passed.completion_times().tolist() == [5, 6, 1, 1, 6]


@settings(max_examples=60)
@given(instances(max_requests=4, max_memory=8, latest_release=6))
def test_kept_tokens_never_beat_the_optimum_of_their_model(instance: Instance) -> None:
    online = instance.memory, rows(instance), releases(instance)
    best = optimum_with_kept_tokens(*online)
    policies = [
        policy_from_spec(spec)
        for spec in ("fcfs:keep=yes", "fcfs:skip=yes:keep=yes", "alpha-protection:keep=yes")
    ]
    least = instance.total_output + instance.total_release
    busy_time = released_busy_time_bound if instance.has_releases else busy_time_bound
    assert max(busy_time(instance) + instance.total_release, least) <= best
    latency = best - instance.total_release
    for ratio in compare(instance, policies, 5).ratios:
        assert ratio.lower_bound <= latency <= ratio.upper_bound <= ratio.cost
        assert ratio.guarantee is None
    for policy in policies:
        assert simulate(instance, policy).total_completion_time() >= best


def test_kept_tokens_can_be_cheaper() -> None:
    instance = Instance(4, [1, 1], [2, 2])
    schedule = run("fcfs:keep=yes", instance)
    assert attempt_rows(schedule) == [[0, 0, 2, False, 0], [1, 0, 1, True, 0], [1, 2, 3, False, 1]]
    assert schedule.total_completion_time() == 5
    ratio = compare(instance, [policy_from_spec("fcfs:keep=yes")], 5).ratios[0]
    assert (ratio.low, ratio.upper_bound) == (1, 5)
    assert compare(instance, [policy_from_spec("fcfs")], 5).ratios[0].upper_bound == 6


@settings(max_examples=200)
@given(
    instances(latest_release=40, max_memory=40),
    st.integers(1, 5),
    st.sampled_from(["fcfs", "alpha-protection:a=1/10", "alpha-protection:a=1/2"]),
)
def test_kills_that_are_worked_out_ahead_are_those_of_one_after_another(
    instance: Instance, kills: int, spec: str
) -> None:
    one_by_one = as_tuples(run(spec, instance))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kvopt.policies.fcfs.MANY_KILLS", kills)
        assert as_tuples(run(spec, instance)) == one_by_one


@settings(max_examples=200)
@given(
    instances(latest_release=40, max_memory=40),
    st.integers(1, 5),
    st.sampled_from([1, 2, 100]),
)
def test_kills_worked_out_ahead_leave_the_bypass_as_defined(
    instance: Instance, kills: int, passes: int
) -> None:
    online = instance.memory, rows(instance), releases(instance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kvopt.policies.bypass.MANY_KILLS", kills)
        schedule = run(f"fcfs:skip=yes:passes={passes}", instance)
    assert as_tuples(schedule) == oracle_fcfs(*online, passes)


@pytest.mark.parametrize("spec", ["fcfs", "fcfs:skip=yes"])
def test_a_million_kills_take_a_second(spec: str) -> None:
    """Every request is restarted at almost every end of another, until its turn comes."""
    instance = Instance.from_groups(1600, [(0, 1600, 120)])
    began = time.process_time()
    schedule = run(spec, instance)
    assert (
        time.process_time() - began < 8
    )  # 1 s on an idle machine; one by one 19 s, with bypass 67 s
    assert schedule.completion_times().tolist() == list(range(1600, 1600 * 121, 1600))
    assert (schedule.kills, schedule.peak_memory()) == (1_070_500, 1600)


def test_fcfs_starves_short_requests_on_the_two_point_instance() -> None:
    """Six requests that fill the memory run one by one while 194 one-token requests wait."""
    instance = Instance.from_groups(256, [(96, 160, 6), (96, 1, 194)])
    fcfs, gsa = run("fcfs", instance), run("gsa", instance)
    assert fcfs.total_completion_time() >= 5 * gsa.total_completion_time()
    assert (fcfs.completion_times()[6:] > 160).all()
