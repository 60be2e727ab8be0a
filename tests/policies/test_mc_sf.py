"""MC-SF."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.mc_sf import mc_sf as oracle_mc_sf
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance


@settings(max_examples=200)
@given(instances(max_requests=12, latest_release=30), st.integers(1, 4))
def test_bypass_is_as_defined(instance: Instance, passes: int) -> None:
    expected = oracle_mc_sf(instance.memory, rows(instance), releases(instance), passes)
    assert as_tuples(run(f"mc-sf:skip=yes:passes={passes}", instance)) == expected


@settings(max_examples=300)
@given(instances(latest_release=30))
def test_mc_sf_is_the_textbook_algorithm_that_tests_every_round(instance: Instance) -> None:
    """So testing completions only, as the package does, is enough."""
    assert as_tuples(run("mc-sf", instance)) == oracle_mc_sf(
        instance.memory, rows(instance), releases(instance)
    )


def test_a_long_queue_with_bypass_takes_no_more_than_array_work() -> None:
    """Who does not fit tells of all that come later with as large a prompt."""
    instance = Instance(400, [i % 40 for i in range(3000)], [1 + i % 97 for i in range(3000)])
    began = time.process_time()
    schedule = run("mc-sf:skip=yes", instance)
    assert time.process_time() - began < 5  # 0.3 s on an idle machine; trying all it takes 20 s
    assert schedule.kills == 0
