"""FCFS."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.fcfs import fcfs as oracle_fcfs
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance


@settings(max_examples=300)
@given(instances(latest_release=30))
def test_fcfs_is_the_textbook_algorithm(instance: Instance) -> None:
    assert as_tuples(run("fcfs", instance)) == oracle_fcfs(
        instance.memory, rows(instance), releases(instance)
    )


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


def test_a_million_kills_take_a_second() -> None:
    """Every request is restarted at almost every end of another, until its turn comes."""
    instance = Instance.from_groups(1600, [(0, 1600, 120)])
    began = time.process_time()
    schedule = run("fcfs", instance)
    assert time.process_time() - began < 8  # 1 s on an idle machine; one by one it takes 19 s
    assert schedule.completion_times().tolist() == list(range(1600, 1600 * 121, 1600))
    assert (schedule.kills, schedule.peak_memory()) == (1_070_500, 1600)


def test_fcfs_starves_short_requests_on_the_two_point_instance() -> None:
    """Six requests that fill the memory run one by one while 194 one-token requests wait."""
    instance = Instance.from_groups(256, [(96, 160, 6), (96, 1, 194)])
    fcfs, gsa = run("fcfs", instance), run("gsa", instance)
    assert fcfs.total_completion_time() >= 5 * gsa.total_completion_time()
    assert (fcfs.completion_times()[6:] > 160).all()
