from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from strategies import instances, policy_specs

from kvopt import Budget, Instance, Ratio, Verdict, compare, policy_from_spec
from kvopt.quadratic import Exact, format_exact
from kvopt.report import bound_row, ratio_row, text_table, to_csv
from kvopt.theory import GSA_ALPHA, THEOREMS, Guarantee, gba_bound, gsa_bound


def ratio(cost: int, low: int, high: int, bound: Exact | None) -> Ratio:
    guarantee = None if bound is None else Guarantee(bound, "published", "test")
    return Ratio("p", cost, low, high, guarantee)


@pytest.mark.parametrize(
    ("cost", "low", "high", "bound", "verdict"),
    [
        (32, 3, 3, Fraction(32, 3), Verdict.WITHIN),
        (32, 3, 4, Fraction(32, 3), Verdict.WITHIN),
        (33, 3, 3, Fraction(32, 3), Verdict.VIOLATES),
        (33, 3, 4, Fraction(32, 3), Verdict.UNDECIDED),
        (33, 2, 3, Fraction(32, 3), Verdict.VIOLATES),
        (10**18 + 1, 10**18, 10**18, Fraction(1), Verdict.VIOLATES),
        (5, 3, 3, None, Verdict.NO_CLAIM),
        (61_914_777, 10**6, 10**6, gsa_bound(GSA_ALPHA), Verdict.WITHIN),
        (61_914_778, 10**6, 10**6, gsa_bound(GSA_ALPHA), Verdict.VIOLATES),
    ],
)
def test_verdicts_are_exact(
    cost: int, low: int, high: int, bound: Exact | None, verdict: Verdict
) -> None:
    assert ratio(cost, low, high, bound).verdict is verdict


@settings(max_examples=60)
@given(instances(max_requests=7, max_memory=14), policy_specs)
def test_no_proved_bound_is_violated(instance: Instance, spec: str) -> None:
    comparison = compare(instance, [policy_from_spec(spec)], Budget(60))
    (result,) = comparison.ratios
    assert 1 <= result.low == result.high
    assert result.verdict in (Verdict.WITHIN, Verdict.NO_CLAIM)
    covered = instance.common_prompt is not None and spec != "fcfs" and "beta" not in spec
    assert (result.verdict is Verdict.WITHIN) == covered


def test_the_runs_own_attempts_are_an_upper_bound() -> None:
    instance = Instance.from_groups(100, [(3, 90, 40), (3, 1, 300)])
    comparison = compare(instance, [policy_from_spec("mc-sf")], Budget(0.001))
    assert comparison.ratios[0].low >= 1


def test_published_constants() -> None:
    published = {
        (t.policy, t.regime): t.function(t.alpha)
        for t in THEOREMS
        if t.function is not None and t.alpha is not None
    }
    assert published[("gba", "general")] == Fraction(32, 3)
    assert published[("gba", "large memory")] == Fraction(27, 4)
    assert published[("gsa", "large memory")] == 32
    assert 61.914 < float(published[("gsa", "general")]) < 61.92
    assert format_exact(published[("gsa", "general")]) == "(92+26*sqrt(13))/3"


def test_stated_alphas_are_the_minimisers() -> None:
    for theorem in THEOREMS:
        if theorem.function is None or theorem.alpha is None:
            continue
        best = theorem.function(theorem.alpha)
        for step in (Fraction(1, 1000), Fraction(-1, 1000), Fraction(1, 3), Fraction(-1, 5)):
            assert theorem.function(theorem.alpha + step) > best


def test_status_depends_on_alpha() -> None:
    instance = Instance(10, [2, 2], [3, 5])
    statuses = {}
    for spec in ("gsa", "gsa:alpha=2", "gba", "gba:alpha=3/2", "mc-sf"):
        guarantee = policy_from_spec(spec).guarantee(instance)
        assert guarantee is not None
        statuses[spec] = guarantee.status
    assert statuses == {
        "gsa": "published",
        "gsa:alpha=2": "derived",
        "gba": "published",
        "gba:alpha=3/2": "derived",
        "mc-sf": "published",
    }
    mixed = Instance(10, [2, 1], [3, 5])
    assert all(policy_from_spec(spec).guarantee(mixed) is None for spec in statuses)
    assert policy_from_spec("gsa:beta=2").guarantee(instance) is None
    assert gba_bound(Fraction(3, 2)) == Fraction(45, 4)


def test_rows_for_programs() -> None:
    row = ratio_row("x", ratio(32, 3, 4, Fraction(32, 3)))
    assert row["ratio_low"] == "8/1"
    assert row["ratio_high"] == "32/3"
    assert row["bound"] == "32/3"
    assert row["verdict"] == "within"
    assert ratio_row("x", ratio(32, 3, 4, None))["bound"] is None
    irrational = ratio_row("x", ratio(32, 3, 4, gsa_bound(GSA_ALPHA)))
    assert irrational["bound"] == "(92+26*sqrt(13))/3"
    assert irrational["bound_float"] == pytest.approx(61.9147777)
    header, line = to_csv([row]).splitlines()
    assert header.startswith("instance,policy,cost,")
    assert line.startswith("x,p,32,")


def test_bounds_at_another_alpha() -> None:
    rows = [bound_row(theorem, Fraction(2)) for theorem in THEOREMS]
    by_policy = {(row["policy"], row["regime"]): row for row in rows}
    assert by_policy["gsa", "general"]["bound"] == "64/1"
    assert by_policy["gsa", "general"]["status"] == "derived"
    assert by_policy["gsa", "large memory"]["status"] == "published"
    assert by_policy["mc-sf", "general"]["alpha"] is None


def test_text_table() -> None:
    assert text_table(("a", "long"), [["x", "1"], ["yy", "22"]], right="lr") == (
        "a   long\n--  ----\nx      1\nyy    22"
    )
