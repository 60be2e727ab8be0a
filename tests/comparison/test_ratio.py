from __future__ import annotations

import math
import random
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from strategies import POLICY_SPECS, instances

from kvopt import FCFS, POLICIES, InputError, Instance, Ratio, Verdict, compare, policy_from_spec
from kvopt.batch.outcome import Outcome
from kvopt.comparison.rows import ratio_row
from kvopt.model.rows import to_csv
from kvopt.report.tables import bound_row, text_table
from kvopt.theory.gba_bounds import gba_bound
from kvopt.theory.gsa_bounds import GSA_ALPHA, gsa_bound, gsa_bound_area
from kvopt.theory.guarantee import PAPER, Guarantee, Theorem
from kvopt.theory.quadratic import Exact, Quadratic, format_exact
from kvopt.theory.theorems import THEOREMS


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


class SlowToProve(FCFS):
    name = "slow-to-prove"

    def guarantee(self, instance: Instance) -> Guarantee | None:
        time.sleep(0.6)
        return Guarantee(Fraction(100), "derived", "test")


def test_what_is_proved_may_take_longer_than_the_run_of_a_policy() -> None:
    many = [SlowToProve(), *["fcfs"] * 19]  # whose parts are about 0.2 seconds
    comparison = compare(Instance(10, [2, 2], [3, 2]), many, 4)
    assert not comparison.unfinished
    assert comparison.ratios[0].verdict is Verdict.WITHIN


def test_the_limit_is_named_as_the_caller_names_it() -> None:
    with pytest.raises(TypeError, match="time_limit: must be a number, got '5'"):
        compare(Instance(10, [2], [3]), "fcfs", "5")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="time_limit: must be a number >= 0, got -1"):
        compare(Instance(10, [2], [3]), "fcfs", -1)


def test_what_is_proved_has_a_limit() -> None:
    comparison = compare(Instance(10, [2, 2], [3, 2]), [SlowToProve(), "fcfs"], 0.5)
    slow, fast = comparison.ratios
    assert not comparison.unfinished
    assert slow.reason is not None
    assert slow.reason.endswith(": its guarantee: the time limit was reached")
    assert (slow.cost, slow.low, slow.verdict) == (fast.cost, fast.low, Verdict.NO_CLAIM)
    assert fast.reason is None
    assert [row["reason"] for row in comparison.rows()] == [slow.reason, None]
    assert f"no bound is claimed ({slow.reason})" in str(comparison)
    assert Outcome.from_dict(Outcome.of(comparison).to_dict()).ratios == comparison.ratios


@settings(max_examples=60)
@given(instances(max_requests=7, max_memory=14))
def test_no_proved_bound_is_violated(instance: Instance) -> None:
    comparison = compare(instance, [policy_from_spec(s) for s in POLICY_SPECS], 60)
    for result, schedule in zip(comparison.ratios, comparison.schedules, strict=True):
        assert 1 <= result.low <= result.high
        assert result.low == result.high or schedule.keeps_tokens  # in another model
        assert result.verdict in (Verdict.WITHIN, Verdict.NO_CLAIM), result


@pytest.mark.slow
@pytest.mark.parametrize("mixed", [False, True])
def test_no_proved_bound_is_violated_on_a_thousand_instances(mixed: bool) -> None:
    rng = random.Random(f"ratios {mixed}")
    policies = [policy_from_spec(spec) for spec in POLICY_SPECS]
    for _ in range(500):
        memory, n = rng.randint(2, 16), rng.randint(1, 8)
        common = rng.randrange(memory)
        prompts = [rng.randrange(memory) if mixed else common for _ in range(n)]
        instance = Instance(memory, prompts, [rng.randint(1, memory - s) for s in prompts])
        comparison = compare(instance, policies, 60)
        for result, schedule in zip(comparison.ratios, comparison.schedules, strict=True):
            assert 1 <= result.low <= result.high
            assert result.low == result.high or schedule.keeps_tokens
            assert result.verdict in (Verdict.WITHIN, Verdict.NO_CLAIM), (instance, result)


@pytest.mark.parametrize(
    ("spec", "general", "published"),
    [
        ("gba", Fraction(77, 9), Fraction(32, 3)),
        ("gba:spacing=sps2:alpha=3/2", Fraction(7), None),
        ("gba:spacing=tight:alpha=3/2", Fraction(7), None),
        ("gba:drain=no:alpha=6/5", Fraction(108, 25), None),
        ("gba:spacing=tight:drain=no:alpha=6/5", Fraction(73, 25), None),
        ("gba:slices=area:alpha=4", Fraction(12), None),
        ("gba-d:alpha=3/2", Fraction(17, 2), Fraction(45, 4)),
        ("gsa:alpha=2", Fraction(28), Fraction(64)),
        ("gsa:alpha=2:order=random", Fraction(28), Fraction(64)),
        ("gsa:alpha=2:spacing=tight", Fraction(56, 3), None),
        ("gsa:alpha=9/4:slices=area:spacing=sps2", Fraction(153, 10), None),
        ("gsa:alpha=9/4:slices=area:spacing=sps2:offset=random", Fraction(153, 10), None),
        ("gsa:slices=certified", Fraction(10), None),
        ("gsa-spec:alpha=2", Fraction(28), Fraction(64)),
        ("spt-pipeline", Fraction(7, 3), None),
    ],
)
def test_the_strongest_bound_is_claimed(
    spec: str, general: Fraction, published: Fraction | None
) -> None:
    """It depends on the instance, and is at most the bound for all instances of this kind."""
    bounds = []
    for memory, longest in ((10, 3), (10, 8), (100, 95), (100, 98), (3000, 1000)):
        instance = Instance(memory, [2, 2], [longest, 2])
        guarantee = policy_from_spec(spec).guarantee(instance)
        assert guarantee is not None
        assert guarantee.published == published
        assert guarantee.bound <= general
        assert guarantee.status == "derived"
        assert guarantee.source.startswith("proofs/")
        assert guarantee.name
        bounds.append(guarantee.bound)
    assert len(set(bounds)) > 1


@pytest.mark.parametrize(
    ("spec", "bound"),
    [
        ("gsa:beta=2", None),
        ("gsa:drain=no", None),
        ("mc-sf", Fraction(9216)),
        ("a-max:width=1", Fraction(9216)),
        ("a-max:width=2", None),
        ("a-max", None),
        ("a-min", None),
        ("fcfs", None),
        ("alpha-protection", None),
        ("sorted-f", Fraction(48)),
        ("svf", Fraction(4)),
        ("svf-batches", Fraction(954, 100)),
        ("rect", None),
        ("response", None),
        ("route", None),
    ],
)
def test_what_is_claimed(spec: str, bound: Exact | None) -> None:
    guarantee = policy_from_spec(spec).guarantee(Instance(10, [2, 2], [3, 2]))
    assert (guarantee.bound if guarantee else None) == bound


@pytest.mark.parametrize("spec", ["gsa:alpha=1.001", "gba:alpha=1.001:drain=no", "spt-pipeline"])
def test_with_too_many_slices_the_general_bound_is_claimed(spec: str) -> None:
    instance = Instance(3000, [2] * 150, list(range(1, 2998, 20)))
    guarantee = policy_from_spec(spec).guarantee(instance)
    assert guarantee is not None
    name = "area_and_length" if spec == "spt-pipeline" else "sharper_bounds"
    assert guarantee.source.startswith(f"proofs/text/{name}.md")


def test_scopes() -> None:
    """Each bound is claimed only where its source proves it."""
    common, mixed = Instance(20, [2, 2], [2, 2]), Instance(20, [2, 3], [2, 2])
    for policy in POLICIES:
        bounded = ("sorted-f", "svf", "svf-batches", "area-phases", "level-pool", "area-budget")
        if policy.name not in bounded:
            assert policy().guarantee(mixed) is None
    svf = policy_from_spec("svf").guarantee(common)
    assert svf.bound == 1 + 4 / (3 * (1 - Fraction(1, 5)))
    assert svf.published == 1 + 2 / (1 - Fraction(1, 5))
    assert policy_from_spec("svf").guarantee(Instance(20, [10], [10])) is None
    eleven = Instance(20, [2] * 11, [2] * 11)
    assert policy_from_spec("sorted-f").guarantee(eleven) is None


def test_the_runs_own_attempts_are_an_upper_bound() -> None:
    instance = Instance.from_groups(100, [(3, 90, 40), (3, 1, 300)])
    comparison = compare(instance, [policy_from_spec("mc-sf")], 0.2)
    assert comparison.ratios[0].low >= 1


def test_published_constants() -> None:
    published = {
        (t.policy, t.regime): t.function(t.alpha)
        for t in THEOREMS
        if t.function is not None and t.alpha is not None and t.status == "published"
    }
    assert published[("gba", "general")] == Fraction(32, 3)
    assert published[("gba", "large memory")] == Fraction(27, 4)
    assert published[("gsa", "large memory")] == 32
    assert 61.914 < float(published[("gsa", "general")]) < 61.92
    assert format_exact(published[("gsa", "general")]) == "(92+26*sqrt(13))/3"


def test_derived_constants() -> None:
    """The numbers of the text: two decimals, rounded up."""
    derived = {
        t.policy: t.constant
        for t in THEOREMS
        if t.status == "derived" and t.source == "proofs/text/sharper_bounds.md"
    }
    assert {policy: math.ceil(100 * bound) for policy, bound in derived.items() if bound} == {
        "gba": 842,
        "gba:spacing=sps2|tight": 700,
        "gba:drain=no": 432,
        "gba:spacing=sps2|tight:drain=no": 292,
        "gsa": 2418,
        "gsa:spacing=sps2|tight": 1612,
        "gsa:slices=area": 2290,
        "gsa:slices=area:spacing=sps2|tight": 1527,
        "spt-pipeline": 234,
    }


@pytest.mark.parametrize("theorem", [t for t in THEOREMS if t.function], ids=lambda t: t.policy)
def test_stated_alphas_are_the_minimisers(theorem: Theorem) -> None:
    """Up to two decimals, except without drain: there smaller alphas are always better."""
    assert theorem.function is not None
    assert theorem.alpha is not None
    best = theorem.function(theorem.alpha)
    assert theorem.constant == best
    for step in (Fraction(1, 100), Fraction(1, 3), Fraction(-1, 100), Fraction(-1, 6)):
        better = step < 0 and theorem.policy.endswith("drain=no")
        assert (float(theorem.function(theorem.alpha + step)) < float(best)) == better


def test_the_published_bound_is_beside_the_strongest() -> None:
    instance = Instance(10, [2, 2], [3, 5])
    expected = {
        "gsa": gsa_bound(GSA_ALPHA),
        "gsa:alpha=2": Fraction(64),
        "gba": Fraction(32, 3),
        "gba:alpha=3/2": Fraction(45, 4),
        "gsa:alpha=2:spacing=tight": None,
        "mc-sf": Fraction(9216),
    }
    for spec, published in expected.items():
        result = compare(instance, [policy_from_spec(spec)], 10).ratios[0]
        row = ratio_row("x", result)
        assert row["published_bound"] == (None if published is None else format_exact(published))
        assert result.guarantee is not None
        assert row["bound"] == format_exact(result.guarantee.bound)
        assert row["bound_source"] == result.guarantee.source
        assert row["bound_status"] == ("published" if spec == "mc-sf" else "derived")
    mixed = Instance(10, [2, 1], [3, 5])
    assert all(policy_from_spec(spec).guarantee(mixed) is None for spec in expected)
    assert gba_bound(Fraction(3, 2)) == Fraction(45, 4)


def test_a_rounded_square_root_never_makes_a_bound_smaller() -> None:
    root = Quadratic(Fraction(9, 10), Fraction(1, 10), 2)
    growth = root * root
    half = Fraction(1, 2)
    factor = growth + 2 * growth * root / (growth - 1)
    exact = max(factor / half, 2 * factor / (3 * half) + 1 + root / (root - 1))
    assert exact <= gsa_bound_area(growth, half) < exact + Fraction(1, 10**12)


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
    found = {(row["policy"], row["regime"], row["source"]): row for row in rows}
    gsa = found["gsa", "general", "proofs/text/ratio_bounds.md"]
    assert (gsa["bound"], gsa["status"]) == ("64/1", "derived")
    sharper = found["gsa", "general", "proofs/text/sharper_bounds.md"]
    assert (sharper["bound"], sharper["status"]) == ("28/1", "derived")
    assert found["gsa", "large memory", PAPER]["status"] == "published"
    assert found["spt-pipeline", "general", "proofs/text/sharper_bounds.md"]["status"] == "derived"
    assert all(row["alpha"] is None for row in rows if row["policy"] in ("mc-sf", "svf"))


def test_text_table() -> None:
    assert text_table(("a", "long"), [["x", "1"], ["yy", "22"]], right="lr") == (
        "a   long\n--  ----\nx      1\nyy    22"
    )
