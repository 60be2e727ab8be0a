from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from companions.checking import checker
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances

from kvopt import Instance, Stopping, best_lower_bound, solve
from kvopt.generate import generate_random
from kvopt.solver.busy_time_weights import sum_of_quotients
from kvopt.solver.combinatorial_bounds import (
    CombinatorialBounds,
    area_bound,
    busy_time_bound,
    slot_bound,
    total_output_bound,
)
from kvopt.solver.stage import run_alone


@settings(max_examples=150)
@given(instances(max_requests=7, max_memory=16))
def test_no_bound_exceeds_the_optimum(instance: Instance) -> None:
    optimum = solve(instance, 60).objective
    assert total_output_bound(instance) <= optimum
    assert area_bound(instance) <= optimum
    assert busy_time_bound(instance) <= optimum
    slots = slot_bound(instance)
    assert slots is not None
    assert slots <= optimum


@given(instances(max_requests=12, max_memory=40))
def test_bounds_agree_with_their_formulas(instance: Instance) -> None:
    memory = instance.memory
    areas = sorted(r.area for r in instance)
    prefix_sums = sum(sum(areas[: i + 1]) for i in range(len(areas)))
    assert area_bound(instance) == ceil(Fraction(prefix_sums, memory))
    weights = [[Fraction(r.prompt + j, memory) for j in range(1, r.output + 1)] for r in instance]
    assert busy_time_bound(instance) == ceil(busy_time(instance, weights))
    unit = min(r.prompt for r in instance) + 1
    weights = [
        [Fraction(1, 1 + (memory - r.prompt - j) // unit) for j in range(1, r.output + 1)]
        for r in instance
    ]
    assert slot_bound(instance) == ceil(busy_time(instance, weights))
    assert best_lower_bound(instance).value == max(
        total_output_bound(instance),
        area_bound(instance),
        busy_time_bound(instance),
        slot_bound(instance) or 0,
    )


@given(
    st.lists(st.tuples(st.integers(0, 2**62), st.integers(1, 2**61)), max_size=90),
    st.integers(0, 70),
    st.sampled_from([1, 2**30, 2**58]),
)
def test_quotients_are_added_up_exactly_in_arrays_too(
    pairs: list[tuple[int, int]], places: int, smaller: int
) -> None:
    above = [numerator // smaller for numerator, _ in pairs]
    below = [1 + denominator // smaller for _, denominator in pairs]
    expected = sum((a << places) // b for a, b in zip(above, below, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        for few in (0, 100):
            patch.setattr("kvopt.solver.busy_time_weights.FEW", few)
            assert sum_of_quotients(above, below, places) == expected


def busy_time(instance: Instance, weights: list[list[Fraction]]) -> Fraction:
    """P + V1/2 + sum of delta_i, word by word."""
    v = [sum(w) for w in weights]
    pairs = sum(min(v[i], v[j]) for i in range(len(v)) for j in range(i))
    deltas = [
        r.output - sum(w[j - 1] * (j - Fraction(1, 2)) for j in range(1, r.output + 1)) / sum(w)
        for r, w in zip(instance, weights, strict=True)
    ]
    return pairs + sum(v) / 2 + sum(deltas)


def test_many_distinct_requests_are_summed_exactly() -> None:
    outputs = range(1, 3000)
    instance = Instance(10_000, [k * k % 97 for k in outputs], outputs)
    assert busy_time_bound(instance) > area_bound(instance) // 2
    assert slot_bound(instance) is None
    assert best_lower_bound(instance).value >= area_bound(instance)


def test_slots_are_strong_when_few_requests_fit() -> None:
    instance = Instance.from_groups(256, [(96, 160, 6), (96, 1, 194)])
    assert best_lower_bound(instance).name == "slots"
    assert best_lower_bound(instance).value == 12810


def test_the_stage_works_alone_and_its_bounds_have_proofs() -> None:
    instance = generate_random("small", 1, 3)
    poor = np.cumsum(instance.outputs) - instance.outputs
    result = run_alone(CombinatorialBounds(), instance, poor, Stopping())
    assert result.lower_bound == result.certified_lower_bound == best_lower_bound(instance).value
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    proof = result.certified.proof
    assert checker().bound(instance.memory, types, proof) == result.lower_bound
    assert solve(instance, 0).stages[0].lower_bound == result.lower_bound
