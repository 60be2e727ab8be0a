from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import ALPHAS

from kvopt.theory.pipeline import (
    geometric_slices,
    sps_peak,
    sps_slots,
    sps_slots_of_each,
    sps_spacing,
)
from kvopt.theory.quadratic import Quadratic


def simulated_peak(prompt: int, slice: int, slots: int) -> int:
    """Peak memory of a staggered pipeline of 3 * slots attempts, round by round."""
    starts = [i * slice // slots for i in range(3 * slots)]
    return max(
        sum(prompt + r - start for start in starts if start < r <= start + slice)
        for r in range(1, starts[-1] + slice + 1)
    )


@given(st.integers(0, 8), st.integers(1, 14), st.integers(1, 18))
def test_peak_is_exactly_that_of_a_pipeline(prompt: int, slice: int, slots: int) -> None:
    assert sps_peak(prompt, slice, slots) == simulated_peak(prompt, slice, slots)
    assert sps_peak(prompt, slice, slots) == slots * prompt + sum(
        -(-i * slice // slots) for i in range(1, slots + 1)
    )


@given(st.integers(0, 30), st.integers(1, 60), st.integers(0, 500))
def test_slots_are_the_most_that_fit(prompt: int, slice: int, spare: int) -> None:
    memory = prompt + slice + spare
    slots = sps_slots(prompt, slice, memory)
    peaks = [sps_peak(prompt, slice, k) for k in range(1, slots + 2)]
    assert peaks == sorted(set(peaks))
    assert peaks[-2] <= memory < peaks[-1]
    assert sps_spacing(prompt, slice, memory) == Fraction(slice, slots)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), min_size=1), st.integers(0, 500))
def test_slots_of_each_in_arrays(pairs: list[tuple[int, int]], spare: int) -> None:
    memory = max(map(sum, pairs)) + spare
    prompts, slices = np.array(pairs).T
    found = sps_slots_of_each(prompts, slices, memory).tolist()
    assert found == [sps_slots(s, t, memory) for s, t in pairs]


def test_slots_of_the_largest_instances() -> None:
    most = np.array([1, 10**9])
    assert sps_slots_of_each(most * 0, most, 10**9).tolist() == [10**9, 1]
    assert sps_slots(0, 1, 10**9) == 10**9
    assert sps_slots(0, 10**9, 10**9) == 1


def test_slices_are_exact_floors() -> None:
    for alpha in ALPHAS:
        for beta in (Fraction(1), Fraction(5, 2), Fraction(64)):
            slice_of = geometric_slices(alpha, beta)
            for p in range(60):
                value = beta * alpha**p
                assert slice_of(p) <= value < slice_of(p) + 1


def test_a_power_that_floats_get_wrong() -> None:
    # 1.1^p for p = 400: the float power is off by thousands, the floor must not be.
    slice_of = geometric_slices(Fraction(11, 10), Fraction(1))
    assert slice_of(400) == 11**400 // 10**400
    assert slice_of(400) != math.floor(1.1**400)
    # (2 + sqrt 3)^p is less than 2^-p below an integer; its floor is that integer minus 1.
    slice_of = geometric_slices(Quadratic(Fraction(2), Fraction(1), 3), Fraction(1))
    near = [2, 4]
    while len(near) <= 60:
        near.append(4 * near[-1] - near[-2])
    assert [slice_of(p) for p in range(1, 61)] == [n - 1 for n in near[1:]]
