"""Costs in areas and outputs against the optimum: proofs/text/area_and_length.md."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvopt import Instance, policy_from_spec
from kvopt.solver.state_search.state_graph import solve_by_state_graph
from kvopt.theory.area_and_length import TANGENT, area_and_length, ratio_of_cost
from kvopt.theory.gba_bounds import gba_bound_area, gba_bound_priced, gba_bound_sharper
from kvopt.theory.quadratic import Quadratic

FACTORS = st.fractions(Fraction(1, 100), 30, max_denominator=100)


@given(FACTORS, FACTORS)
def test_never_more_than_from_the_two_ends_of_the_curve(shared: Fraction, own: Fraction) -> None:
    bound = ratio_of_cost(shared, own)
    assert max(shared, own) <= bound <= max(shared, 2 * shared / 3 + own) + Fraction(1, 10**6)


@given(FACTORS, FACTORS)
def test_the_pair_behind_a_bound_is_below_the_curve(shared: Fraction, own: Fraction) -> None:
    """b is concave in a, so a pair is proved if it is below some tangent or the last chord."""
    bound = ratio_of_cost(shared, own)
    a, b = float(shared / bound), float(own / bound)
    if shared >= 3 * own:
        assert (a, b) <= (1.0, 1 / 3)
        return
    one, other = (float(x) for x in area_and_length(*TANGENT))
    chord = 1 / 3 + (other - 1 / 3) / (1 - one) * (1 - a)
    ends = 1 - 2 * a / 3
    pairs = [
        2 * w * math.log(w) / (2 * w - 1 + 2 * w * math.log(w))
        for w in (2 * 1.002**k for k in range(7000))
        if (4 * w - 3) / (2 * w - 1 + 2 * w * math.log(w)) >= a
    ]
    assert b <= max(max(pairs, default=0), ends, chord if a >= one else 0) + 1e-3


def test_the_tangent_is_where_the_logarithm_is_less() -> None:
    w, log = TANGENT
    assert math.log(w) < log < math.log(w) + 0.001


def test_no_common_factor_and_no_constant_is_lost() -> None:
    assert ratio_of_cost(Fraction(3), Fraction(1)) == 3
    assert ratio_of_cost(Fraction(2), Fraction(1)) == Fraction(1477063, 661777)
    assert ratio_of_cost(Fraction(4), Fraction(2)) == 2 * ratio_of_cost(Fraction(2), Fraction(1))


def test_irrational_factors() -> None:
    root = Quadratic(Fraction(0), Fraction(1), 2)
    below, above = Fraction(14142, 10000), Fraction(14143, 10000)
    for own in (Fraction(1), Fraction(2)):
        bound = ratio_of_cost(root, own)
        assert ratio_of_cost(below, own) <= bound <= ratio_of_cost(above, own)


@pytest.mark.parametrize("drain", [True, False])
@pytest.mark.parametrize("used", [Fraction(1, 3), Fraction(1, 2), Fraction(9, 10)])
def test_gba_is_never_worse_than_with_the_older_bound(drain: bool, used: Fraction) -> None:
    for growth in (Fraction(11, 10), Fraction("1.38"), Fraction(2), Fraction(4)):
        slack = Fraction(1, 10**6)
        assert gba_bound_priced(growth, used, drain) <= (
            gba_bound_sharper(growth, used, drain) + slack
        )
        assert gba_bound_priced(growth, used, drain, "area") <= (
            gba_bound_area(growth, used, drain) + slack
        )


def test_a_plus_half_of_the_outputs_is_not_a_bound() -> None:
    """The candidate that was refuted, on the smallest instance known."""
    outputs = [1] * 7 + [2] * 12
    best = solve_by_state_graph(Instance(6, [0] * 19, outputs)).objective
    areas = [o * (o + 1) // 2 for o in outputs]
    shared = Fraction(sum(min(x, y) for x in areas for y in areas), 12)
    assert best == 69 < shared + Fraction(sum(outputs), 2)
    assert best >= shared + Fraction(sum(outputs), 3)
    for w, log in ((Fraction(2), Fraction(7, 10)), TANGENT, (Fraction(6), Fraction(9, 5))):
        a, b = area_and_length(w, log)
        assert best >= a * shared + b * sum(outputs)


def test_the_guarantees_of_the_policies() -> None:
    instance = Instance(3000, [2] * 150, list(range(1, 2998, 20)))
    expected = {
        "spt-pipeline": ratio_of_cost(Fraction(2), Fraction(1)),
        "gba:alpha=1.39": gba_bound_priced(Fraction("1.39"), Fraction(1, 3), True),
    }
    for spec, bound in expected.items():
        guarantee = policy_from_spec(spec).guarantee(instance)
        assert guarantee is not None
        assert guarantee.bound <= bound
