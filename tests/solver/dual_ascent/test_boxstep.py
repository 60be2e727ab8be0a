"""The boxstep method finds the maximum of concave functions."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt.solver.dual_ascent.boxstep import Boxstep

SCALE = 1 << 10


@pytest.mark.parametrize("top", [[3, 40], [0, 0], [17, 5]])
@pytest.mark.parametrize("half_side", [0.0, 1.0, 300.0])
def test_it_climbs_to_the_top(top: list[int], half_side: float) -> None:
    goal = np.array(top) * SCALE
    ascent = Boxstep(np.array([9, 9]) * SCALE, SCALE, np.ones(2), half_side, 1.0, 0.01)
    going, steps = True, 0
    while going and steps < 60:
        away = ascent.point - goal
        going = ascent.add(-int(abs(away).sum()), -np.sign(away).astype(float))
        steps += 1
    assert not going
    assert ascent.value is not None
    assert -0.02 * SCALE <= ascent.value <= 0
    assert abs(ascent.center - goal).max() <= 0.02 * SCALE


def test_points_stay_at_least_0_and_in_the_box() -> None:
    units = np.array([1.0, 0.25])
    ascent = Boxstep(np.array([2, 2]) * SCALE, SCALE, units, 4.0, 1.0, 0.01)
    assert ascent.add(0, np.array([-1.0, 1.0]))
    assert ascent.point.tolist() == [0, 3 * SCALE]  # 4 units up, and no farther down than 0
    assert ascent.add(3 * SCALE, np.array([-1.0, 1.0]))
    assert ascent.point.tolist() == [0, 5 * SCALE]  # it paid, so the box is twice as wide


def test_a_flat_function_ends_it() -> None:
    ascent = Boxstep(np.array([5]), SCALE, np.ones(1), 1.0, 1.0, 0.01)
    assert ascent.value is None
    assert not ascent.add(7, np.zeros(1))
    assert (ascent.value, ascent.center.tolist()) == (7, [5])
