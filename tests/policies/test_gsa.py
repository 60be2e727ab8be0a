"""GSA and its variants."""

from __future__ import annotations

import random
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gsa import gsa as oracle_gsa
from oracles.gsa import gsa_with as oracle_gsa_with
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
from kvopt.policies.draws import shuffle


@settings(max_examples=200)
@given(instances(latest_release=30), alpha_texts, st.integers(1, 3))
def test_gsa_is_the_textbook_algorithm(instance: Instance, alpha: str, beta: int) -> None:
    expected = oracle_gsa(
        instance.memory, rows(instance), releases(instance), oracle_alpha(alpha), Fraction(beta)
    )
    assert as_tuples(run(f"gsa:alpha={alpha}:beta={beta}", instance)) == expected


@settings(max_examples=200)
@given(
    instances(latest_release=30), alpha_texts, st.integers(1, 3), spacings, slice_rules, yes_or_no
)
def test_variants_of_gsa_are_the_textbook_algorithms(
    instance: Instance, alpha: str, beta: int, spacing: str, slices: str, drain: str
) -> None:
    beta = beta if slices == "alpha" else 1
    expected = oracle_gsa_with(
        instance.memory,
        rows(instance),
        releases(instance),
        oracle_alpha(alpha),
        Fraction(beta),
        spacing,
        slices,
        drain == "yes",
    )
    spec = f"gsa:alpha={alpha}:beta={beta}:spacing={spacing}:slices={slices}:drain={drain}"
    assert as_tuples(run(spec, instance)) == expected


@given(st.integers(0, 70), st.integers(0, 2**32))
def test_shuffles_as_the_standard_library_does(n: int, seed: int) -> None:
    ours, theirs = list(range(n)), list(range(n))
    shuffle(ours, random.Random(seed))
    random.Random(seed).shuffle(theirs)
    assert ours == theirs


def test_gsa_reveals_nothing_early() -> None:
    # Slices of GSA(2): 1, 2, 4, ..., so a request of 5 takes four attempts.
    instance = Instance(100, [0], [5])
    assert as_tuples(run("gsa:alpha=2", instance)) == [
        (0, 0, 1, True),
        (0, 1, 3, True),
        (0, 3, 7, True),
        (0, 7, 12, False),
    ]
