"""A-Max and A-Min."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from oracles.predicted import a_max as oracle_a_max
from oracles.predicted import a_min as oracle_a_min
from policy_runs import as_tuples, releases, rows, run, widths
from strategies import instances

from kvopt import Instance


@settings(max_examples=200)
@given(instances(latest_release=30), widths)
def test_a_max_and_a_min_are_the_textbook_algorithms(
    instance: Instance, width: Fraction | None
) -> None:
    text = "none" if width is None else width
    expected = oracle_a_max(instance.memory, rows(instance), releases(instance), width)
    assert as_tuples(run(f"a-max:width={text}", instance)) == expected
    expected = oracle_a_min(instance.memory, rows(instance), releases(instance), width)
    assert as_tuples(run(f"a-min:width={text}", instance)) == expected


@given(instances(mixed=False))
def test_a_max_with_true_lengths_is_mc_sf(instance: Instance) -> None:
    assert as_tuples(run("a-max:width=1", instance)) == as_tuples(run("mc-sf", instance))
