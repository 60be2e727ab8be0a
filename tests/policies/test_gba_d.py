"""GBA-D."""

from __future__ import annotations

from hypothesis import given, settings
from oracles.gba_d import gba_d as oracle_gba_d
from policy_runs import alpha_texts, as_tuples, oracle_alpha, releases, rows, run
from strategies import instances

from kvopt import Instance


@settings(max_examples=100)
@given(instances(latest_release=30), alpha_texts)
def test_gba_d_is_the_textbook_algorithm(instance: Instance, alpha: str) -> None:
    expected = oracle_gba_d(
        instance.memory, rows(instance), releases(instance), oracle_alpha(alpha)
    )
    assert as_tuples(run(f"gba-d:alpha={alpha}", instance)) == expected


@given(instances(max_requests=20), alpha_texts)
def test_gba_d_is_never_later_than_gba(instance: Instance, alpha: str) -> None:
    earlier = run(f"gba-d:alpha={alpha}", instance).completion_times()
    assert (earlier <= run(f"gba:alpha={alpha}", instance).completion_times()).all()
