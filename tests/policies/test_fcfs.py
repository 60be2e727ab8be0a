"""FCFS."""

from __future__ import annotations

from hypothesis import given, settings
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


def test_fcfs_starves_short_requests_on_the_two_point_instance() -> None:
    """Six requests that fill the memory run one by one while 194 one-token requests wait."""
    instance = Instance.from_groups(256, [(96, 160, 6), (96, 1, 194)])
    fcfs, gsa = run("fcfs", instance), run("gsa", instance)
    assert fcfs.total_completion_time() >= 5 * gsa.total_completion_time()
    assert (fcfs.completion_times()[6:] > 160).all()
