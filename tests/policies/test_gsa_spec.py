"""GSA-Spec."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gsa_spec import gsa_spec as oracle_gsa_spec
from policy_runs import alpha_texts, as_tuples, oracle_alpha, releases, rows, run
from strategies import instances

from kvopt import Instance


@settings(max_examples=100)
@given(instances(latest_release=30), alpha_texts, st.integers(1, 3))
def test_gsa_spec_is_the_textbook_algorithm(instance: Instance, alpha: str, beta: int) -> None:
    expected = oracle_gsa_spec(
        instance.memory, rows(instance), releases(instance), oracle_alpha(alpha), Fraction(beta)
    )
    assert as_tuples(run(f"gsa-spec:alpha={alpha}:beta={beta}", instance)) == expected


@given(instances(max_requests=20), alpha_texts, st.integers(1, 3))
def test_gsa_spec_keeps_the_starts_of_gsa(instance: Instance, alpha: str, beta: int) -> None:
    """What GSA would have run is run at the same times, or the request was done before.

    So every request completes as a base attempt when it does under GSA, or before.
    """
    base = run(f"gsa:alpha={alpha}:beta={beta}", instance)
    schedule = run(f"gsa-spec:alpha={alpha}:beta={beta}", instance)
    done, done_base = schedule.completion_times(), base.completion_times()
    assert (done <= done_base).all()
    attempts = set(as_tuples(schedule))
    for attempt in as_tuples(base):
        assert attempt in attempts or done[attempt[0]] <= attempt[1]
