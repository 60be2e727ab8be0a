"""Alpha-protection."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.alpha_protection import alpha_protection as oracle_alpha_protection
from policy_runs import as_tuples, rows, run
from strategies import instances

from kvopt import Instance


@settings(max_examples=100)
@given(instances(), st.sampled_from(["1/10", "1/3", "1/2"]))
def test_alpha_protection_is_the_textbook_algorithm(instance: Instance, a: str) -> None:
    expected = oracle_alpha_protection(instance.memory, rows(instance), Fraction(a))
    assert as_tuples(run(f"alpha-protection:a={a}", instance)) == expected
