"""What is claimed about a policy: no more than what is proved for what runs."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from command_line import Run, parsed

from kvopt import Instance, policy_from_spec, simulate
from kvopt.comparison.records import read_records
from kvopt.model.files import curated_instances, read_instance
from kvopt.policies import POLICIES
from kvopt.policies.gsa import GSA
from kvopt.policies.sorted_f import EXACT_REQUESTS
from kvopt.theory.guarantee import UTILISATION, Theorem
from kvopt.theory.other_bounds import RECT_THEOREM, RESPONSE_THEOREM, SORTED_F_THEOREM
from kvopt.theory.pipeline import area_slices, geometric_slices
from kvopt.theory.random_bounds import OFFSET_ROUNDING, gsa_expected_bound
from kvopt.theory.theorems import THEOREMS

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases"
STRATA = 32


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("build_worst")


# Random offsets


def mean_ratio(policy: GSA, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> Fraction:
    """Return the mean cost over one offset from each stratum, over that of a schedule."""
    total = 0
    for stratum in range(STRATA):
        c = Fraction(float(policy.alpha) ** ((stratum + 0.5) / STRATA))
        with monkeypatch.context() as patch:
            if policy.slices == "area":
                rule = area_slices(policy.alpha, int(instance.prompts[0]), c)
            else:
                rule = geometric_slices(policy.alpha, c)
            patch.setattr(GSA, "_slice_rule", lambda *_, rule=rule: rule)
            total += simulate(instance, policy).total_completion_time()
    schedule = simulate(instance, policy_from_spec("spt-pipeline"))
    return Fraction(total, STRATA * schedule.total_completion_time())


@pytest.mark.parametrize("order", ["fixed", "random"])
def test_expected_bound_holds_for_the_mean_over_offsets(
    order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = read_instance(CASES / "random-offset.json")
    spec = f"gsa:alpha=32.7:slices=area:offset=random:order={order}:seed=133"
    policy = policy_from_spec(spec)
    assert isinstance(policy, GSA)
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    assert guarantee.expected is not None
    mean = mean_ratio(policy, instance, monkeypatch)
    assert Fraction("12.133") < mean <= guarantee.expected


@pytest.mark.parametrize("slices", ["alpha", "area"])
@pytest.mark.parametrize("spacing", ["sps", "tight"])
def test_expected_bound_does_not_depend_on_what_is_drawn(slices: str, spacing: str) -> None:
    instance = read_instance(CASES / "random-offset.json")
    found = set()
    for seed in range(12):
        policy = policy_from_spec(
            f"gsa:alpha=5:slices={slices}:spacing={spacing}:offset=random:seed={seed}"
        )
        guarantee = policy.guarantee(instance)
        assert guarantee is not None
        found.add(guarantee.expected)
    used = UTILISATION[spacing]
    stated = gsa_expected_bound(Fraction(5), used, slices, "fixed", "random")
    assert found == {stated * OFFSET_ROUNDING}


def test_expected_bound_in_json(run: Run) -> None:
    spec = "gsa:alpha=32.7:slices=area:offset=random:order=random:seed=133"
    file = CASES / "random-offset.json"
    (row,) = parsed(run("ratio", file, "--policy", spec, "--json", "--time-limit", "0.1"))["rows"]
    assert row["expected_bound_float"] >= 15.7


# Assumptions


@pytest.mark.parametrize(
    ("name", "theorem", "reached"),
    [("response", RESPONSE_THEOREM, 254.6), ("rect", RECT_THEOREM, 42.7)],
)
def test_no_claim_where_another_reading_is_what_is_proved(
    run: Run, name: str, theorem: Theorem, reached: float
) -> None:
    command = ("ratio", CASES / f"{name}.json", "--policy", name, "--time-limit", "1")
    (row,) = parsed(run(*command, "--json"))["rows"]
    assert row["ratio_low_float"] > reached
    assert theorem.constant is not None
    assert reached > float(theorem.constant)  # the published bound does not hold for this reading
    assert row["bound"] is None
    assert row["verdict"] == "no claim"
    assert "within" not in run(*command)[1]
    with pytest.raises(AssertionError):
        theorem.stated()


def test_the_table_claims_only_what_covers_what_runs(script: ModuleType) -> None:
    everything = read_records(script.FOLDER.parent)
    records = [record for record in everything if not record.instance.has_releases]
    assert script.table(everything) == script.table(records)
    lines = script.table(records).splitlines()[2:]
    rows = {cells[1]: cells[2:] for cells in ([c.strip() for c in x.split("|")] for x in lines)}
    assert rows["response"][:2] == ["nothing", "-"]
    assert rows["rect"][:2] == ["nothing", "-"]
    assert rows["sorted-f"][:2] == ["48.00", f"any prompts; {requests_of('sorted-f')}"]
    assert rows["gsa"][:2] == ["16.09", "one prompt"]
    for spec in rows:
        policy = policy_from_spec(spec)
        worst = max((r for r in records if r.policy == spec), key=lambda r: r.ratio)
        covered = policy.guarantee(worst.instance) is not None
        assert (rows[spec][3] != "-") == covered, spec


def requests_of(name: str) -> str:
    return next(t.requests for t in THEOREMS if t.policy == name)


def test_a_row_without_further_assumptions_covers_every_instance(script: ModuleType) -> None:
    """Whatever the table says without a condition, the policy must claim too, and no more."""
    hard = [
        read_instance(CASES / "response.json"),
        read_instance(CASES / "random-offset.json"),
        Instance(12, [2] * 30, [1, 5, 10] * 10),
        Instance(9, [8] * 3, [1] * 3),
    ]
    names = {policy.name for policy in POLICIES}
    for spec in sorted({*script.POLICIES, *names, "gba:slices=area", "gsa:beta=2"}):
        policy = policy_from_spec(spec)
        found = script.proved(policy)
        if found is None or found[0].requests:
            continue
        for instance in hard:
            guarantee = policy.guarantee(instance)
            assert guarantee is not None, spec
            assert found[1] is not None
            assert guarantee.bound <= found[1], spec


@pytest.mark.parametrize(
    "spec", ["gsa:beta=2", "gsa:drain=no", "gba:slices=area", "rect", "response"]
)
def test_no_theorem_about_what_does_not_run(script: ModuleType, spec: str) -> None:
    assert script.proved(policy_from_spec(spec)) is None


def test_sorted_f_states_the_limit_of_its_implementation() -> None:
    assert f"at most {EXACT_REQUESTS} requests" in SORTED_F_THEOREM.requests
    policy = policy_from_spec("sorted-f")
    for n, claimed in ((EXACT_REQUESTS, True), (EXACT_REQUESTS + 1, False)):
        assert (policy.guarantee(Instance(9, [1] * n, [2] * n)) is not None) == claimed


def test_the_page_is_that_of_the_stored_records(script: ModuleType) -> None:
    page = (ROOT / "docs" / "results" / "worst.md").read_text()
    assert script.table(read_records(curated_instances())) in page
    assert "78.67" not in page
