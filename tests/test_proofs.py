"""The proofs' executable companions hold, and notice when a statement is false."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from companions.run import COMPANIONS

from kvopt import Instance, simulate, solve

PROOFS = Path(__file__).parent.parent / "proofs"


@pytest.mark.parametrize("companion", COMPANIONS, indirect=True)
def test_companion_holds(companion: ModuleType) -> None:
    companion.main(fast=True)


@pytest.mark.slow
@pytest.mark.parametrize("companion", COMPANIONS, indirect=True)
def test_companion_holds_in_full(companion: ModuleType) -> None:
    companion.main(fast=False)


def test_every_document_has_a_companion() -> None:
    documents = {file.stem for file in PROOFS.glob("text/*.md")} - {"machine_checked"}
    assert documents == set(COMPANIONS)
    assert all((PROOFS / "companions" / f"{name}.py").exists() for name in COMPANIONS)


@pytest.mark.parametrize("companion", ["graph"], indirect=True)
def test_the_diagram_is_up_to_date(companion: ModuleType) -> None:
    assert companion.diagram() in (PROOFS / "README.md").read_text()
    assert set(companion.SHORT) == set(COMPANIONS)
    assert len(set(companion.SHORT.values())) == len(COMPANIONS)
    order = list(companion.statements())
    for key, needed in companion.NEEDS.items():  # acyclic: needs come first
        for other in needed.split():
            assert order.index(other) < order.index(key), (key, other)


@pytest.mark.parametrize("companion", ["pipeline"], indirect=True)
def test_a_larger_utilisation_is_refuted(companion: ModuleType) -> None:
    companion.check_utilisation(0, 3, 4)
    with pytest.raises(AssertionError):
        companion.check_utilisation(0, 3, 4, bound=lambda slots: Fraction(slots, slots + 1))


@pytest.mark.parametrize("companion", ["model"], indirect=True)
def test_wider_window_covers_are_refuted(companion: ModuleType) -> None:
    instance = Instance(10, [1] * 12, [6] * 12)
    companion.check_window_cover(instance, random.Random(0))
    with pytest.raises(AssertionError):
        companion.check_window_cover(instance, random.Random(0), widened=1)


@pytest.mark.parametrize("companion", ["lower_bounds"], indirect=True)
def test_a_larger_busy_time_bound_is_refuted(companion: ModuleType) -> None:
    instance = Instance(5, [1, 1], [4, 4])
    starts = solve(instance, math.inf).starts.tolist()
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


@pytest.mark.parametrize("companion", ["area_and_length"], indirect=True)
def test_prices_that_fall_faster_are_refuted(companion: ModuleType) -> None:
    w, steeper = Fraction(2), Fraction(5, 4)
    companion.check_pair((0, 2), (0, 1), 0, 1, companion.prices(w))
    companion.check_left(0, 3, companion.prices(w))
    with pytest.raises(AssertionError):
        companion.check_pair((0, 2), (0, 2), 0, 1, companion.prices(w, steeper))
    with pytest.raises(AssertionError):
        companion.check_left(0, 3, companion.prices(w, steeper))


@pytest.mark.parametrize("companion", ["area_and_length"], indirect=True)
def test_a_third_of_the_outputs_is_not_refuted(companion: ModuleType) -> None:
    companion.check_refuted()
    with pytest.raises(AssertionError):
        companion.check_refuted(half=Fraction(1, 3))


@pytest.mark.parametrize("companion", ["random_bounds"], indirect=True)
def test_cheaper_random_orders_are_refuted(companion: ModuleType) -> None:
    instance = Instance(23, [0] * 60, [17] * 30 + [9] * 30)
    slices = [8, 16, 23]
    companion.check_order(instance, slices, "sps")
    with pytest.raises(AssertionError):
        companion.check_order(instance, slices, "sps", cross=0)


@pytest.mark.parametrize("companion", ["random_bounds"], indirect=True)
def test_smaller_forms_are_refuted(companion: ModuleType) -> None:
    numbers = [2**k for k in range(20, -1, -1)]
    companion.check_forms(numbers, Fraction(4))
    with pytest.raises(AssertionError):
        companion.check_forms(numbers, Fraction(4), less=Fraction(9, 10))


@pytest.mark.parametrize("companion", ["random_bounds"], indirect=True)
def test_smaller_waits_are_refuted(companion: ModuleType) -> None:
    roomy = Instance(300, [0] * 3, [290] * 3)
    companion.check_offset(roomy, "alpha", Fraction(2), "tight")
    with pytest.raises(AssertionError):
        companion.check_offset(roomy, "alpha", Fraction(2), "tight", share=0.9)
    companion.check_thresholds(4.0, 7.0)
    with pytest.raises(AssertionError):
        companion.check_thresholds(4.0, 7.0, share=0.99)


@pytest.mark.parametrize("companion", ["random_bounds"], indirect=True)
def test_a_wrong_expected_constant_is_refuted(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(companion.STATED, "gsa:slices=area:offset=random", "14.90")
    with pytest.raises(AssertionError, match="offset"):
        companion.check_constants()


@pytest.mark.parametrize("companion", ["certified_slices"], indirect=True)
@pytest.mark.parametrize("wrong", [{"cross": 1}, {"half": Fraction(9)}])
def test_cheaper_phases_are_refuted(companion: ModuleType, wrong: dict[str, Fraction]) -> None:
    instance = Instance(23, [0] * 60, [17] * 10 + [9] * 50)
    slices = [1, 2, 4, 8, 16, 23]
    distances = [companion.SPACINGS["sps"](0, t, 23) for t in slices]
    cost = simulate(instance, companion.policy_from_spec("gsa:alpha=2")).total_completion_time()
    companion.check_phases(instance, slices, distances, cost)
    with pytest.raises(AssertionError):
        companion.check_phases(instance, slices, distances, cost, **wrong)


@pytest.mark.parametrize("companion", ["certified_slices"], indirect=True)
def test_a_smaller_worst_bound_is_refuted(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion, "WORST", Fraction("9.392"))
    with pytest.raises(AssertionError):
        companion.check_table(0)


@pytest.mark.parametrize("companion", ["uniform_bound"], indirect=True)
def test_a_smaller_uniform_bound_is_refuted(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = json.loads(companion.DATA.read_text())
    refused = 0
    monkeypatch.setattr(companion, "RATIO", Fraction("9.6"))
    for entry in entries:
        try:
            companion.check_entry(entry)
        except AssertionError:
            refused += 1
    assert refused > len(entries) / 2
    monkeypatch.undo()
    companion.check_cover(entries)
    for i in range(len(entries)):
        if entries[i]["kind"] in ("half", "window"):
            with pytest.raises(AssertionError):
                companion.check_cover(entries[:i] + entries[i + 1 :])
    monkeypatch.setitem(companion.LEFT, Fraction(2), Fraction(415, 1000))
    with pytest.raises(AssertionError):
        companion.check_left()


@pytest.mark.parametrize("companion", ["uniform_bound"], indirect=True)
def test_changed_thresholds_are_refuted(companion: ModuleType) -> None:
    for entry in json.loads(companion.DATA.read_text()):
        if entry["kind"] != "window":
            tail = entry["tail"]
            with pytest.raises(AssertionError):
                companion.check_entry({**entry, "tail": [*tail[:2], "10"]})
            with pytest.raises(AssertionError):
                companion.check_entry({**entry, "phases": [*entry["phases"], "1/1"]})


@pytest.mark.parametrize("companion", ["online_lower_bound"], indirect=True)
def test_a_larger_lower_bound_is_refuted(companion: ModuleType) -> None:
    n, c, steps = next(companion.certificates())
    companion.check_descent(n, c, steps)
    middle = len(steps) // 2
    for wrong_n, wrong_c, wrong in (
        (n, c - Fraction(1, 1000), steps),
        (n - 1, c, steps),
        (n, c, steps[1:]),
        (n, c, steps[:-1]),
        (n, c, [*steps[: middle - 20], *steps[middle + 20 :]]),
        (n, c, [*steps[:middle], *steps[middle + 1 :][::-1]]),
    ):
        with pytest.raises(AssertionError):
            companion.check_descent(wrong_n, wrong_c, wrong)
    with pytest.raises(AssertionError):
        companion.check_table(4, Fraction("3.42"))
    with pytest.raises(AssertionError):
        companion.check_table(4, Fraction("3.40"))
    with pytest.raises(AssertionError):
        companion.check_limit(Fraction("4.351"), *map(Fraction, companion.LIMIT[1:]))


@pytest.mark.parametrize("companion", ["online_lower_bound"], indirect=True)
def test_wrong_weights_are_refuted(companion: ModuleType) -> None:
    n, c, q = 7, Fraction("0.37"), Fraction(3, 4)
    right = companion.weights(n, c, q)
    companion.check_weights(n, c, q, right)
    for i in range(n):
        with pytest.raises(AssertionError):
            companion.check_weights(n, c, q, [*right[:i], right[i] - 1, *right[i + 1 :]])
    with pytest.raises(AssertionError):
        companion.check_weights(n, c, q, [companion.SCALE, *right[1:]])
    with pytest.raises(AssertionError):  # c is below c_n
        companion.check_weights(n, wrong := Fraction("0.35"), q, companion.weights(n, wrong, q))
    numbers = [Fraction(k) for k in (9, 8, 6, 5, 3, 2, 1)]
    companion.check_number(n, c, q, right, numbers, Fraction(9))
    with pytest.raises(AssertionError):
        companion.check_number(n, c, q, [x * 9 // 10 for x in right], numbers, Fraction(9))


@pytest.mark.parametrize("companion", ["online_lower_bound"], indirect=True)
def test_sequences_that_go_on_are_found(companion: ModuleType) -> None:
    assert companion.every_sequence_ends(3, Fraction("0.52"), Fraction("1.08"), 45)
    assert not companion.every_sequence_ends(3, Fraction("0.45"), Fraction("1.08"), 45)


@pytest.mark.parametrize("companion", ["online_lower_bound"], indirect=True)
def test_policies_that_see_outputs_are_noticed(companion: ModuleType) -> None:
    """A clairvoyant policy does not behave alike on the instances of a stop."""
    companion.adversary(companion.policy_from_spec("fcfs"), 3, 9)
    with pytest.raises(AssertionError):
        companion.check_stop(companion.policy_from_spec("svf"), 3, 9, [(0, 4, 0, True)])
    companion.check_crowd(companion.policy_from_spec("fcfs"), 2, 2, 6)
    with pytest.raises(AssertionError):
        companion.check_crowd(companion.policy_from_spec("svf-batches"), 2, 2, 6)
    companion.check_psi(2, [5, 3, 3], [4, 9])
    with pytest.raises(AssertionError):  # more than two are taken first
        companion.check_psi(2, [5], [9, 9, 9, 9, 9])


@pytest.mark.parametrize("companion", ["worst_cases"], indirect=True)
def test_wrong_worst_cases_are_refuted(
    companion: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = companion.policy_from_spec("gsa:alpha=2")
    requests = [(0, 5), (0, 3)]
    companion.check_orders(policy, 8, requests)
    companion.check_shortest(policy, 8, requests, 0)
    companion.check_scan(policy, 4, 1, 2)
    with pytest.raises(AssertionError):
        companion.check_shortest(policy, 8, requests, 0, above=0)
    with pytest.raises(AssertionError):
        companion.check_scan(policy, 4, 1, 2, extra=1)
    monkeypatch.setattr(companion, "orders_to_try", lambda *_: [tuple(sorted(requests))])
    with pytest.raises(AssertionError):
        companion.check_orders(policy, 8, requests)


@pytest.mark.parametrize("companion", ["certified_slices"], indirect=True)
def test_a_larger_carry_is_refuted(companion: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    distances, phi = [Fraction(1), Fraction(2), Fraction(3)], [Fraction(k) for k in (1, 2, 4)]
    companion.check_decreasing(distances, phi, Fraction(40), random.Random(1))
    for carry, distance in ((Fraction(5), Fraction(1)), (Fraction(3), Fraction(2))):
        companion.check_carry(carry, distance)
        monkeypatch.setattr(companion, "carry_over", lambda g, d: g - d)
        with pytest.raises(AssertionError):
            companion.check_carry(carry, distance)
        monkeypatch.undo()


def test_companions_are_run_by_name() -> None:
    command = [sys.executable, str(PROOFS / "companions" / "run.py"), "--fast"]
    done = subprocess.run([*command, "model"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"model: holds \([0-9.]+ s\)\n", done.stdout)
    refused = subprocess.run([*command, "modle"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "NAME: one of model, pipeline" in refused.stderr
