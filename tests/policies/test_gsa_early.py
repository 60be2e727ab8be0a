"""GSA with early release of slots."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gsa_early import gsa_early
from policy_runs import (
    alpha_texts,
    as_tuples,
    oracle_alpha,
    releases,
    rows,
    run,
    slice_rules,
    spacings,
)
from strategies import instances

from kvopt import Instance
from kvopt.model.errors import InputError
from kvopt.policies.gsa import GSA

early = st.sampled_from(["yes", "fits"])


@settings(max_examples=300)
@given(instances(latest_release=30), alpha_texts, spacings, slice_rules, early)
def test_early_release_is_the_textbook_rule(
    instance: Instance, alpha: str, spacing: str, slices: str, early: str
) -> None:
    expected = gsa_early(
        instance.memory,
        rows(instance),
        releases(instance),
        oracle_alpha(alpha),
        spacing,
        slices,
        early,
    )
    spec = f"gsa:alpha={alpha}:spacing={spacing}:slices={slices}:early={early}"
    assert as_tuples(run(spec, instance)) == expected


@settings(max_examples=300)
@given(instances(max_requests=14), alpha_texts, spacings, slice_rules)
def test_nothing_completes_later_for_early_release(
    instance: Instance, alpha: str, spacing: str, slices: str
) -> None:
    spec = f"gsa:alpha={alpha}:spacing={spacing}:slices={slices}"
    early = run(f"{spec}:early=yes", instance).completion_times()
    assert (early <= run(spec, instance).completion_times()).all()


def test_a_slot_goes_on_at_once() -> None:
    # Slices of GSA(2) with s = 5 and M = 10: 1, 2, 4, 5, one at a time.
    instance = Instance(10, [5] * 3, [3, 5, 3])
    assert as_tuples(run("gsa:alpha=2:early=yes", instance)) == [
        (0, 0, 1, True),
        (1, 1, 2, True),
        (2, 2, 3, True),
        (0, 3, 5, True),
        (1, 5, 7, True),
        (2, 7, 9, True),
        (0, 9, 12, False),
        (1, 12, 16, True),
        (2, 16, 19, False),
        (1, 19, 24, False),
    ]


def test_starting_as_it_fits_may_be_later() -> None:
    instance = Instance(9, [0] * 3, [6, 3, 4])
    costs = [
        run(f"gsa:alpha=2:early={early}", instance).total_completion_time()
        for early in ("no", "yes", "fits")
    ]
    assert costs == [31, 31, 32]


def test_many_slots_at_once() -> None:
    """Groups large and small are started, and end, as the literal rule has it."""
    outputs = [1 + (7 * i) % 5 for i in range(300)] + [4] * 40
    instance = Instance(3030, [100] * 340, outputs)
    expected = gsa_early(3030, rows(instance), releases(instance), 4, "sps", "alpha", "yes")
    assert as_tuples(run("gsa:alpha=4:early=yes", instance)) == expected


def test_needs_drains() -> None:
    with pytest.raises(InputError, match="policy gsa: early: must be no with drain=no"):
        GSA(early="yes", drain=False)
