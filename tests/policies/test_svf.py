"""SVF."""

from __future__ import annotations

from hypothesis import given
from oracles.svf import svf as oracle_svf
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance


@given(instance=instances(max_requests=12, latest_release=30))
def test_svf_is_the_textbook_algorithm(instance: Instance) -> None:
    assert as_tuples(run("svf", instance)) == oracle_svf(
        instance.memory, rows(instance), releases(instance)
    )
