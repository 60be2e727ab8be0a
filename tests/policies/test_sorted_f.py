"""Sorted-F."""

from __future__ import annotations

from hypothesis import given
from oracles.sorted_f import sorted_f as oracle_sorted_f
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance


@given(instance=instances(max_requests=12, latest_release=30))
def test_sorted_f_is_the_textbook_algorithm(instance: Instance) -> None:
    assert as_tuples(run("sorted-f", instance)) == oracle_sorted_f(
        instance.memory, rows(instance), releases(instance)
    )
