"""The SPT pipeline."""

from __future__ import annotations

from hypothesis import given
from oracles.spt_pipeline import spt_pipeline as oracle_spt_pipeline
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance


@given(instance=instances(max_requests=12, latest_release=30))
def test_spt_pipeline_is_the_textbook_algorithm(instance: Instance) -> None:
    assert as_tuples(run("spt-pipeline", instance)) == oracle_spt_pipeline(
        instance.memory, rows(instance), releases(instance)
    )
