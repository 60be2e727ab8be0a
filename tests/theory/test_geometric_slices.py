"""Bounds of GSA with geometric slices for every prompt and memory."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from kvopt import policy_from_spec, simulate
from kvopt.model.files import read_instance
from kvopt.policies.gsa import GSA
from kvopt.theory import geometric_slices as cells
from kvopt.theory.geometric_slices import geometric_bound, ratio_holds
from kvopt.theory.gsa_bounds import GSA_ALPHA, GSA_COMPUTED, gsa_bound_computed, gsa_bound_sharper
from kvopt.theory.quadratic import GOLDEN_RATIO, Exact

ROOT = Path(__file__).parents[2]


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "proofs")
    return importlib.import_module("companions.geometric_slices")


def test_the_table_is_of_least_ratios(companion: ModuleType) -> None:
    for (slices, spacing), row in companion.TABLE.items():
        for growth, ratio in row.items():
            assert not ratio_holds(growth, slices, spacing, Fraction(ratio) - Fraction(1, 100))
    for theorem in GSA_COMPUTED:
        assert theorem.function is not None
        assert theorem.alpha is not None
        assert theorem.function(theorem.alpha) == theorem.constant


@pytest.mark.parametrize("growth", [Fraction(161, 100), GOLDEN_RATIO])
def test_a_smaller_constant_is_refuted(
    companion: ModuleType, growth: Exact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(companion.TABLE["alpha", "sps"], growth, "15.45")
    with pytest.raises(AssertionError, match="table"):
        companion.check_table()


@pytest.mark.parametrize(
    ("growth", "slices", "spacing", "memory", "low"),
    [
        (Fraction(161, 100), "alpha", "sps", 7838, 15),
        (Fraction(2), "alpha", "sps", 3070, 16),
        (Fraction(1655, 1000), "alpha", "sps2", 6239, 12),
        (Fraction(2128, 1000), "area", "sps", 7757, 14),
    ],
)
def test_no_much_smaller_constant_holds(
    companion: ModuleType, growth: Fraction, slices: str, spacing: str, memory: int, low: int
) -> None:
    """Cost and bound on the optimum are so far apart for some numbers of requests."""
    case = companion.Case(growth, slices, Fraction(1), 0, memory)
    rng = random.Random(5)
    found = max(companion.check_phases(case, spacing, Fraction(99), rng) for _ in range(25))
    assert low < found < geometric_bound(growth, slices, spacing)
    with pytest.raises(AssertionError, match="phases"):
        companion.check_phases(case, spacing, Fraction(5), rng)


FAULTS: dict[str, tuple[str, Callable[..., object]]] = {
    "a slot too many": ("slots", lambda sigma, x, true=cells.slots: true(sigma, x) + 1),
    "carries without what was spent": (
        "_next_carry",
        lambda ratio, carry, rise, distance: (
            ratio.numerator * rise // ratio.denominator + max(distance, carry - 2 * distance)
        ),
    ),
    "carries that pay once": (
        "_next_carry",
        lambda ratio, carry, rise, distance: (
            ratio.numerator * rise // ratio.denominator + carry - distance
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_make_literal_conditions_fail(
    companion: ModuleType, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a wrong program claims does not survive the conditions of Lemma 2, taken literally."""
    spacing = "sps" if "slot" in fault else "sps2"
    growth = Fraction(161 if spacing == "sps" else 164, 100)
    right = geometric_bound(growth, "alpha", spacing)
    monkeypatch.setattr(cells, *FAULTS[fault])
    wrong = geometric_bound.__wrapped__(growth, "alpha", spacing)
    assert right is not None
    assert wrong < right

    def check() -> None:
        rng = random.Random(3)
        for _ in range(80):
            companion.check_case(growth, "alpha", spacing, wrong, rng)

    with pytest.raises(AssertionError):
        check()


WINDOW_FAULTS: dict[str, Callable[..., int]] = {
    "lighter beyond the first power": lambda c, v, up, true=cells._window_weight: (
        v if v > cells.UNIT else true(c, v, up=up)
    ),
    "one slot throughout": lambda c, v, up: v,
    "a slot that comes back": lambda c, v, up, true=cells._window_weight: (
        v if c * v > cells.UNIT**2 else true(c, v, up=up)
    ),
    "windows that end early": lambda c, v, up: max(v - cells.UNIT // 2, v // 2),
}


def least_for_windows(growth: Fraction) -> Fraction:
    """Return the least ratio, a multiple of 1 / 100, that the windows alone allow with SPS2."""
    found = cells.powers(growth)
    low, high = 100, 6000
    while high - low > 1:
        middle = (low + high) // 2
        if cells.window_holds(found, Fraction(middle, 100), two=True):
            high = middle
        else:
            low = middle
    return Fraction(high, 100)


@pytest.mark.parametrize("fault", WINDOW_FAULTS)
def test_faults_in_the_weight_of_windows_make_literal_conditions_fail(
    companion: ModuleType, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows are looked at alone: the ratio over all prompts may be that of memory weights."""
    growth = Fraction(161, 100)
    # A window of 100 rounds, and a power at 0.62 of it, where carries are smallest.
    case = companion.Case(growth, "alpha", Fraction(11, 8), 9950, 20001)
    right = least_for_windows(growth)
    companion.check_slot_case(case, "sps2", right)
    monkeypatch.setattr(cells, "_window_weight", WINDOW_FAULTS[fault])
    wrong = least_for_windows(growth)
    assert wrong < right
    with pytest.raises(AssertionError, match="carry"):
        companion.check_slot_case(case, "sps2", wrong)


def test_faults_in_tails_and_windows_are_noticed(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(fault: Callable[[random.Random], None]) -> None:
        rng = random.Random(3)
        for _ in range(100):
            fault(rng)

    monkeypatch.setattr(cells, "tail", lambda ratio, *_: ratio)  # for any carry
    with pytest.raises(AssertionError):
        check(companion.check_tail)
    monkeypatch.undo()
    check(companion.check_window_weight)
    true = cells._window_weight
    lighter = lambda c, v, up: v if v > cells.UNIT else true(c, v, up=up)  # noqa: E731
    monkeypatch.setattr(cells, "_window_weight", lighter)
    with pytest.raises(AssertionError):
        check(companion.check_window_weight)


def test_bounds_by_growth() -> None:
    assert geometric_bound(Fraction(6, 5), "alpha", "sps") is None
    assert geometric_bound(Fraction(3), "alpha", "sps") is None
    assert geometric_bound(Fraction(2), "area", "tight") is None
    assert geometric_bound(GSA_ALPHA, "alpha", "tight") == Fraction("13.47")
    steep = gsa_bound_computed(Fraction(4), "alpha", "sps")
    assert steep == gsa_bound_sharper(Fraction(4), Fraction(1, 3))
    policies = ("gsa", "gsa-spec", "gsa:alpha=2", "gsa:alpha=phi:offset=random", "gsa:drain=no")
    bounds = [policy_from_spec(spec).general_bound() for spec in policies]
    assert [bound and bound.bound for bound in bounds] == [
        Fraction("16.09"),
        None,
        Fraction("18.67"),
        Fraction("15.54"),
        None,
    ]


def test_an_offset_is_never_rounded_beyond_alpha() -> None:
    class Last(random.Random):
        def random(self) -> float:
            return 1 - 2**-53

    alpha = Fraction(8, 5)  # times 2^20 is 1677721.6
    policy = GSA(alpha=alpha, offset="random")
    assert policy._slice_rule(0, 10**12, Last())(40) <= alpha**41


def test_the_worst_instances_known_stay_below() -> None:
    """With the cheapest of some schedules in the place of the optimum."""
    looked_at = 0
    for file in sorted((ROOT / "instances" / "worst").glob("gsa*.json")):
        instance = read_instance(file)
        if instance.common_prompt is None or instance.has_releases or len(instance) > 500:
            continue
        looked_at += 1
        cheap = simulate(instance, policy_from_spec("spt-pipeline")).total_completion_time()
        for alpha in (GSA_ALPHA, Fraction(2), Fraction(161, 100)):
            for spacing in ("sps", "sps2"):
                cost = simulate(instance, GSA(alpha=alpha, spacing=spacing))
                bound = geometric_bound(alpha, "alpha", spacing)
                assert bound is not None
                assert cost.total_completion_time() <= bound * cheap, (file.stem, alpha)
    assert looked_at >= 5
