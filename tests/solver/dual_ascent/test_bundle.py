"""The bundle method climbs concave functions whose maxima are known."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt.solver.dual_ascent.bundle import Bundle, lightest
from kvopt.solver.params import BundleParams

SLOPES = np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.0], [0.5, 1.0]])
HEIGHTS = SLOPES @ np.array([-3.0, -7.0]) + 100


def climbed(bundle: Bundle) -> int:
    """Climb the least of four planes; return the number of steps."""

    def look(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        values = SLOPES @ x + HEIGHTS
        i = int(values.argmin())
        bundle.add(x, float(values[i]), SLOPES[i])
        return float(values[i])

    x = np.array([40.0, -30.0])
    bundle.move(x, look(x))
    for steps in range(60):
        proposal = bundle.proposal()
        if proposal is None:
            return steps
        bundle.judge(proposal, look(proposal))
    return 60


def test_a_bundle_climbs_to_the_top() -> None:
    bundle = Bundle()
    climbed(bundle)
    assert bundle.value == pytest.approx(100, abs=0.1)
    assert bundle.center == pytest.approx([3, 7], abs=0.5)


def test_a_bundle_that_wants_more_stops_earlier() -> None:
    bundle = Bundle(BundleParams(least_rise=0.2))
    assert climbed(bundle) < climbed(Bundle())
    assert bundle.value < 100


def test_lightest_weights_satisfy_the_conditions_of_an_optimum() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        slopes, errors = rng.normal(size=(8, 5)), rng.random(8)
        gram, reach = slopes @ slopes.T, float(rng.random() * 5)
        x = lightest(gram, errors, reach)
        gradient = reach * gram @ x + errors
        assert x.min() >= 0
        assert x.sum() == pytest.approx(1)
        assert gradient[x > 1e-9] == pytest.approx(gradient.min(), abs=1e-4)
