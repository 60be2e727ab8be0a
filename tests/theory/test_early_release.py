"""Bounds of GSA with early release of slots."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from kvopt import Instance, policy_from_spec, simulate
from kvopt.theory import early_release, slice_plans
from kvopt.theory import geometric_slices as cells
from kvopt.theory.early_release import carries_suffice, early_phase_bound
from kvopt.theory.geometric_slices import geometric_bound, ratio_holds
from kvopt.theory.pipeline import sps_spacing
from kvopt.theory.quadratic import GOLDEN_RATIO

ROOT = Path(__file__).parents[2]


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "proofs")
    return importlib.import_module("companions.early_release")


def test_the_table_is_of_least_ratios(companion: ModuleType) -> None:
    for alpha, ratio in companion.TABLE.items():
        below = Fraction(ratio) - Fraction(1, 100)
        assert not ratio_holds(alpha, "alpha", "sps", below, early=True)


def test_bounds_with_early_release() -> None:
    assert geometric_bound(GOLDEN_RATIO, "alpha", "sps", early=True) == Fraction("13.10")
    assert geometric_bound(Fraction(3), "alpha", "sps", early=True) is None
    tight = geometric_bound(GOLDEN_RATIO, "alpha", "tight", early=True)
    assert tight == geometric_bound(GOLDEN_RATIO, "alpha", "tight")
    bounds = [policy_from_spec(f"gsa:early={early}").general_bound() for early in ("yes", "fits")]
    assert [bound and bound.bound for bound in bounds] == [Fraction("13.02"), None]


def test_a_smaller_least_cost_is_refuted(companion: ModuleType) -> None:
    def check(share: Fraction) -> None:
        rng = random.Random(2)
        for _ in range(400):
            companion.check_phase(rng, share)

    check(Fraction(1))
    with pytest.raises(AssertionError, match="lemma"):
        check(Fraction(9, 10))


FAULTS: dict[str, tuple[str, Callable[..., object]]] = {
    "the least cost is that of one slot more": (
        "early_cost",
        lambda size, before, k: -(-before // (k + 1)),
    ),
    "the last phase is free beyond the slice before": (
        "last_cost",
        lambda ratio, last, density: cells.UNIT * 9 // 10,
    ),
    "any C": (
        "early_carry",
        lambda ratio, carry, rise, costs, density: (
            ratio.numerator * rise // ratio.denominator + carry
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_make_thresholds_as_they_are_fail(
    companion: ModuleType, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = Fraction(177, 100)
    monkeypatch.setattr(cells, *FAULTS[fault])
    wrong = geometric_bound.__wrapped__(alpha, "alpha", "sps", early=True)
    assert wrong is not None
    assert wrong < Fraction("13.02")

    def check() -> None:
        rng = random.Random(4)
        for _ in range(400):
            companion.check_thresholds(alpha, wrong, rng)

    with pytest.raises(AssertionError, match="theorem 5"):
        check()


def phases_of(prompt: int, memory: int, alpha: int) -> tuple[list[int], list[Fraction], list[int]]:
    slices = sorted({min(alpha**p, memory - prompt) for p in range(20)})
    distances = [sps_spacing(prompt, slice, memory) for slice in slices]
    slots = [
        memory // (prompt + t) if memory // (prompt + t) * d >= t and t > before + 1 else 0
        for before, t, d in zip([0, *slices], slices, distances, strict=False)
    ]
    return slices, distances, slots


@pytest.mark.parametrize(("prompt", "memory"), [(0, 24), (5, 40), (70, 150), (130, 256), (3, 400)])
def test_bounds_for_given_slices(prompt: int, memory: int) -> None:
    slices, distances, slots = phases_of(prompt, memory, 2)
    early = early_phase_bound(prompt, memory, slices, distances, slots)
    plain = slice_plans.phase_bound(prompt, memory, slices, distances)
    none = early_phase_bound(prompt, memory, slices, distances, [0] * len(slices))
    assert early is not None
    assert plain is not None
    assert none is not None
    assert early < none <= plain  # numbers that do not increase; nothing else differs
    assert any(slots)


def test_the_carry_takes_the_best_cost() -> None:
    """No other C that is allowed gives a larger carry, and the end is as lemma 4 has it."""
    rng = random.Random(8)
    for _ in range(200):
        slices, distances, slots = phases_of(rng.randint(0, 40), rng.randint(60, 400), 2)
        phases = []
        for (before, slice), d, k in zip(pairwise([0, *slices]), distances, slots, strict=True):
            least = Fraction(before + 1, k) if k else d
            killed = Fraction(slice, k) if k else d
            span = Fraction(slice - before - 1, k) if k else Fraction(0)
            rise, density = Fraction(rng.randint(1, 90), 30), Fraction(k * rng.randint(1, 9), 9)
            phases.append(early_release.Phase(rise, killed, least, density, span))
        factor = Fraction(rng.randint(10, 300), 10)
        carry: Fraction | None = factor * phases[0].rise
        for phase, after in pairwise(phases):
            assert carry is not None
            tried = [phase.least + (carry - phase.least) * Fraction(i, 40) for i in range(40)]
            tried += [phase.least, phase.killed, carry - phase.killed]
            best = [
                factor * after.rise + c - phase.killed**2 / (carry - c)
                for c in tried
                if phase.least <= c < carry
                and (c >= phase.killed or (carry - c) * phase.density * factor >= phase.killed)
            ]
            carry = max(best, default=None)
            if carry is None:
                break
        holds = carry is not None and (
            carry >= phases[-1].killed
            or carry >= phases[-1].least + phases[-1].span / (1 + factor * phases[-1].density)
        )
        assert carries_suffice(phases, factor) >= holds


def test_early_release_with_release_times_may_be_later() -> None:
    instance = Instance(5, [1] * 3, [3, 1, 4], releases=[0, 7, 6])
    latencies = [
        simulate(instance, policy_from_spec(f"gsa:alpha=2:early={early}")).total_latency()
        for early in ("no", "yes")
    ]
    assert latencies == [15, 20]
    assert policy_from_spec("gsa:early=yes").guarantee(instance) is None


def test_own_costs_are_those_of_theorem_6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for slices before, less what each attempt costs at least; half of that at the end."""
    prompt, memory = 5, 20
    slices, distances, slots = phases_of(prompt, memory, 2)
    assert (slices, slots) == ([1, 2, 4, 8, 15], [0, 0, 2, 1, 1])
    seen: list[list[tuple[int, int, Fraction]]] = []

    def close(
        weights: slice_plans.Weights, factor: Fraction, classes: list[tuple[int, int, Fraction]]
    ) -> tuple[Fraction, Fraction]:
        seen.append(classes)
        return factor, factor

    monkeypatch.setattr(early_release, "close", close)
    early_phase_bound(prompt, memory, slices, distances, slots)
    least = [distances[0], distances[1], Fraction(3, 2), Fraction(5), Fraction(9)]
    expected = [
        (before + 1, slice, sum(slices[:q]) - sum(least[:q]) - least[q] / 2)
        for q, (before, slice) in enumerate(pairwise([0, *slices]))
    ]
    assert seen
    assert all(classes == expected for classes in seen)
