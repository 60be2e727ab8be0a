"""Alpha-protection."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.alpha_protection import alpha_protection as oracle_alpha_protection
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance


@settings(max_examples=100)
@given(instances(latest_release=30), st.sampled_from(["1/10", "1/3", "1/2"]))
def test_alpha_protection_is_the_textbook_algorithm(instance: Instance, a: str) -> None:
    online = instance.memory, rows(instance), releases(instance)
    expected = oracle_alpha_protection(*online, Fraction(a))
    assert as_tuples(run(f"alpha-protection:a={a}", instance)) == expected
    expected = oracle_alpha_protection(*online, Fraction(a), keep=True)
    assert as_tuples(run(f"alpha-protection:a={a}:keep=yes", instance)) == expected
    expected = oracle_alpha_protection(*online, Fraction(a), Fraction(1, 2), seed=5)
    assert as_tuples(run(f"alpha-protection:a={a}:clearing=1/2:seed=5", instance)) == expected
