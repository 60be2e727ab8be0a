"""The proofs' executable companions hold, and notice when a statement is false."""

from __future__ import annotations

import importlib
import random
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from kvopt import Budget, Instance, solve

PROOFS = Path(__file__).parent.parent / "proofs"
NAMES = [
    "model",
    "pipeline",
    "lower_bounds",
    "state_search",
    "paths",
    "worth",
    "ratio_bounds",
    "sharper_bounds",
]


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    monkeypatch.syspath_prepend(PROOFS)
    return importlib.import_module(request.param)


@pytest.mark.parametrize("companion", NAMES, indirect=True)
def test_companion_holds(companion: ModuleType) -> None:
    companion.main(fast=True)


@pytest.mark.slow
@pytest.mark.parametrize("companion", NAMES, indirect=True)
def test_companion_holds_in_full(companion: ModuleType) -> None:
    companion.main(fast=False)


def test_every_document_has_a_companion() -> None:
    others = {"README", "certificates", "machine_checked"}
    documents = {file.stem for file in PROOFS.glob("*.md")} - others
    assert documents == set(NAMES)
    assert all((PROOFS / f"{name}.py").exists() for name in NAMES)


@pytest.mark.parametrize("companion", ["pipeline"], indirect=True)
def test_a_larger_utilisation_is_refuted(companion: ModuleType) -> None:
    companion.check_utilisation(0, 3, 4)
    with pytest.raises(AssertionError):
        companion.check_utilisation(0, 3, 4, bound=lambda slots: Fraction(slots, slots + 1))


@pytest.mark.parametrize("companion", ["model"], indirect=True)
def test_wider_staircases_are_refuted(companion: ModuleType) -> None:
    instance = Instance(10, [1] * 12, [6] * 12)
    companion.check_staircase(instance, random.Random(0))
    with pytest.raises(AssertionError):
        companion.check_staircase(instance, random.Random(0), widened=1)


@pytest.mark.parametrize("companion", ["lower_bounds"], indirect=True)
def test_a_larger_busy_time_bound_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    starts = solve(instance, Budget()).starts.tolist()
    weights = companion.slot_weights(instance)
    companion.check_busy_time(instance, starts, weights)
    with pytest.raises(AssertionError):
        companion.check_busy_time(instance, starts, weights, half=Fraction(1))


@pytest.mark.parametrize("companion", ["ratio_bounds"], indirect=True)
def test_a_larger_third_is_refuted(companion: ModuleType) -> None:
    instance = Instance(148, [0], [99])
    companion.check_lemma(instance, Fraction(99))
    with pytest.raises(AssertionError):
        companion.check_lemma(instance, Fraction(99), third=Fraction(2, 5))


@pytest.mark.parametrize("companion", ["sharper_bounds"], indirect=True)
def test_more_than_half_of_the_memory_is_refuted(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Instance(10, [0] * 40, [10] * 40)
    companion.check_utilisation(0, 10, 10, "tight")
    companion.check_gba(crowd, "alpha", Fraction(2), "tight", False)
    monkeypatch.setitem(companion.UTILISATION, "tight", Fraction(3, 5))
    with pytest.raises(AssertionError):
        companion.check_utilisation(0, 10, 10, "tight")
    with pytest.raises(AssertionError):
        companion.check_gba(crowd, "alpha", Fraction(2), "tight", False)


@pytest.mark.parametrize("companion", ["sharper_bounds"], indirect=True)
@pytest.mark.parametrize("dropped", [{"cross": 1}, {"waits": 0}])
def test_a_cost_without_one_of_its_terms_is_refuted(
    companion: ModuleType, dropped: dict[str, int]
) -> None:
    crowded = Instance(23, [0] * 60, [17] * 10 + [9] * 50)
    roomy = Instance(1000, [0] * 3, [9] * 3)
    instance = crowded if "cross" in dropped else roomy
    companion.check_gsa(instance, "alpha", Fraction(2), "sps")
    with pytest.raises(AssertionError):
        companion.check_gsa(instance, "alpha", Fraction(2), "sps", **dropped)


@pytest.mark.parametrize("companion", ["sharper_bounds"], indirect=True)
def test_cheaper_pairs_in_a_class_are_refuted(companion: ModuleType) -> None:
    instance = Instance(23, [0] * 60, [17] * 10 + [9] * 50)
    companion.check_gba(instance, "alpha", Fraction(2), "sps", True)
    with pytest.raises(AssertionError):
        companion.check_gba(instance, "alpha", Fraction(2), "sps", True, half=Fraction(2, 5))


@pytest.mark.parametrize("companion", ["sharper_bounds"], indirect=True)
def test_a_smaller_phase_factor_is_refuted(companion: ModuleType) -> None:
    alive = [Fraction(1, 2**p) for p in range(60)]
    companion.check_geometric(alive, Fraction(4))
    with pytest.raises(AssertionError):
        companion.check_geometric(alive, Fraction(4), share=Fraction(98, 100))


@pytest.mark.parametrize("companion", ["sharper_bounds"], indirect=True)
def test_a_wrong_constant_is_refuted(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(companion.STATED, "gsa:spacing=sps2|tight", "16.11")
    with pytest.raises(AssertionError, match="sps2"):
        companion.check_constants()


@pytest.mark.parametrize("companion", ["state_search"], indirect=True)
def test_a_larger_pouring_bound_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    kinds = companion.make_kinds(5, instance.prompts, instance.outputs)
    prices = companion.make_prices(1, 1)

    def more(*state: object) -> int:
        return int(companion.pour_bound(*state)) + 2

    def check(**bound: object) -> None:
        for seed in range(20):
            companion.check_state(instance, kinds, prices, random.Random(seed), **bound)

    check()
    with pytest.raises(AssertionError):
        check(pour=more)


@pytest.mark.parametrize("companion", ["paths"], indirect=True)
@pytest.mark.parametrize("wrong", [{"larger": 1}, {"widened": 1}])
def test_wrong_constants_of_paths_are_refuted(companion: ModuleType, wrong: dict[str, int]) -> None:
    instance = Instance(10, [1] * 12, [6] * 12)
    starts = solve(instance, Budget(1)).starts.tolist()
    for seed in range(5):
        proof = companion.random_proof(instance, 20, random.Random(seed))
        companion.check_schedule(instance, starts, companion.Priced(instance, proof))
        with pytest.raises(AssertionError):
            companion.check_schedule(instance, starts, companion.Priced(instance, proof, **wrong))


@pytest.mark.parametrize("companion", ["paths"], indirect=True)
def test_completions_worth_more_than_they_can_cost_are_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    proof = {
        "scale": 1,
        "start": [[1, [0] * 4]],
        "worth": [[1, 4, 8]],
        "staircase": [],
        "moments": [0] * 4,
    }
    companion.check_schedule(instance, [0, 4], companion.Priced(instance, proof))
    proof["worth"] = [[1, 4, 9]]
    with pytest.raises(AssertionError):
        companion.check_schedule(instance, [0, 4], companion.Priced(instance, proof))


@pytest.mark.parametrize("companion", ["worth"], indirect=True)
def test_taking_away_memory_that_is_used_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1, 0], [4, 4, 1])

    def check(**wrong: int) -> None:
        for starts in ([0, 4, 0], [1, 5, 0], [0, 5, 4]):
            companion.check_schedule(instance, starts, [2, 9], 1, **wrong)
        dense = Instance(10, [1] * 6, [3] * 6)
        for seed in range(20):
            starts = list(companion.random_feasible(dense, random.Random(seed)))
            companion.check_schedule(dense, starts, [9], 1, **wrong)

    check()
    with pytest.raises(AssertionError):
        check(taken=3)


@pytest.mark.parametrize("companion", ["worth"], indirect=True)
def test_a_larger_bound_by_worth_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    assert companion.check_bound(instance, 12, [8], 1)
    with pytest.raises(AssertionError):
        companion.check_bound(instance, 11, [8], 1)
