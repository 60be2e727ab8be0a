"""Companions about mixed prompts notice when a statement is false."""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType

import pytest

from kvopt import Instance

MIXED_PHASES = Instance(21, [11, 20, 0], [3, 1, 12])
POOL = Instance(23, [3, 2, 4, 4, 2, 1, 3, 1], [3, 2, 4, 1, 2, 1, 2, 1])
LATE_CROWD = Instance(25, [0] * 4 + [24] * 10, [4] * 4 + [1] * 10)
WIDE_CROWD = Instance(23, [11] * 9 + [22], [12] * 9 + [1])


@pytest.mark.parametrize("companion", ["mixed_prompts"], indirect=True)
def test_a_smaller_factor_of_areas_is_refuted(companion: ModuleType) -> None:
    instance = Instance(41, [0, 0, 0], [20, 20, 20])
    companion.check_svf(instance)
    with pytest.raises(AssertionError):
        companion.check_svf(instance, Fraction(19, 10))
    with pytest.raises(AssertionError):
        companion.check_rect(600, Fraction(12))


@pytest.mark.parametrize("companion", ["area_batches"], indirect=True)
def test_less_waiting_in_batches_is_refuted(companion: ModuleType) -> None:
    numbers = companion.Numbers(Instance(41, [0, 0, 0, 0, 0], [20, 20, 20, 20, 20]))
    offset = companion.check_offset(numbers)
    companion.check_waits(numbers, offset)
    with pytest.raises(AssertionError):
        companion.check_waits(numbers, offset, Fraction(18, 10))


@pytest.mark.parametrize("companion", ["area_batches"], indirect=True)
def test_a_smaller_constant_of_svf_in_batches_is_refuted(companion: ModuleType) -> None:
    companion.check_constant()
    for weight in range(1, 1000):
        with pytest.raises(AssertionError):
            companion.check_constant(ratio=Fraction(953, 100), weight=Fraction(weight, 100))


@pytest.mark.parametrize("companion", ["mixed_non_clairvoyant"], indirect=True)
@pytest.mark.parametrize(
    ("check", "instance", "given", "wrong"),
    [
        ("area_phases", MIXED_PHASES, [Fraction(2)], {"share": Fraction(2, 5)}),
        ("area_phases", Instance(14, [0], [2]), [Fraction(2)], {"drained": False}),
        ("pool", POOL, [Fraction(2)], {"share": Fraction(1, 2)}),
        ("places", Instance(35, [8] * 4, [3] * 4), [Fraction(3)], {"part": Fraction(-1)}),
        ("budget", LATE_CROWD, [], {"early": Fraction(1, 2)}),
        ("budget", Instance(9, [8] * 9, [1] * 9), [], {"pairs_form": Fraction(9, 10)}),
        ("budget", WIDE_CROWD, [], {"packing": Fraction(1)}),
    ],
)
def test_smaller_factors_with_any_prompts_are_refuted(
    companion: ModuleType,
    check: str,
    instance: Instance,
    given: list[Fraction],
    wrong: dict[str, Fraction],
) -> None:
    checked = getattr(companion, f"check_{check}")
    checked(instance, *given)
    with pytest.raises(AssertionError):
        checked(instance, *given, **wrong)


@pytest.mark.parametrize("companion", ["split_memory"], indirect=True)
@pytest.mark.parametrize(
    ("instance", "wrong"),
    [
        (Instance(70, [6] * 29, [6] * 29), {"areas": Fraction(1)}),
        (Instance(26, [0], [6]), {"roots": False}),
    ],
)
def test_less_than_split_memory_waits_for_is_refuted(
    companion: ModuleType, instance: Instance, wrong: dict[str, Fraction]
) -> None:
    companion.check(instance)
    with pytest.raises(AssertionError):
        companion.check(instance, **wrong)


@pytest.mark.parametrize("companion", ["mixed_non_clairvoyant"], indirect=True)
def test_a_smaller_form_of_the_potential_is_refuted(companion: ModuleType) -> None:
    companion.check_square()
    with pytest.raises(AssertionError):
        companion.check_square(Fraction(124, 100))
