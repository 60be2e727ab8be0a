"""GBA and its variants."""

from __future__ import annotations

from hypothesis import given, settings
from oracles.gba import gba as oracle_gba
from oracles.gba import gba_with as oracle_gba_with
from policy_runs import (
    alpha_texts,
    as_tuples,
    oracle_alpha,
    releases,
    rows,
    run,
    slice_rules,
    spacings,
    yes_or_no,
)
from strategies import instances

from kvopt import Instance


@settings(max_examples=200)
@given(instances(latest_release=30), alpha_texts, spacings, slice_rules, yes_or_no)
def test_variants_of_gba_are_the_textbook_algorithms(
    instance: Instance, alpha: str, spacing: str, slices: str, drain: str
) -> None:
    expected = oracle_gba_with(
        instance.memory,
        rows(instance),
        releases(instance),
        oracle_alpha(alpha),
        spacing,
        slices,
        drain == "yes",
    )
    spec = f"gba:alpha={alpha}:spacing={spacing}:slices={slices}:drain={drain}"
    assert as_tuples(run(spec, instance)) == expected


@settings(max_examples=200)
@given(instances(latest_release=30), alpha_texts)
def test_gba_is_the_textbook_algorithm(instance: Instance, alpha: str) -> None:
    expected = oracle_gba(instance.memory, rows(instance), releases(instance), oracle_alpha(alpha))
    assert as_tuples(run(f"gba:alpha={alpha}", instance)) == expected
