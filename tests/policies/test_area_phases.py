"""Area phases."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.area_phases import area_phases as oracle_area_phases
from oracles.area_phases import area_slice
from policy_runs import alpha_texts, as_tuples, oracle_alpha, releases, rows, run
from strategies import instances

from kvopt import Instance, policy_from_spec, simulate
from kvopt.solver.combinatorial_bounds import busy_time_bound, total_output_bound
from kvopt.theory.area_levels import longest_within
from kvopt.theory.gsa_bounds import phase_factor


@given(instance=instances(max_requests=12, latest_release=30), alpha=alpha_texts)
def test_is_the_textbook_algorithm(instance: Instance, alpha: str) -> None:
    schedule = run(f"area-phases:alpha={alpha}", instance)
    assert as_tuples(schedule) == oracle_area_phases(
        instance.memory, rows(instance), releases(instance), oracle_alpha(alpha)
    )


@given(instance=instances(max_requests=12), alpha=alpha_texts)
def test_the_claim_holds_against_the_bounds_of_its_proof(instance: Instance, alpha: str) -> None:
    policy = policy_from_spec(f"area-phases:alpha={alpha}")
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    optimum = max(busy_time_bound(instance), total_output_bound(instance))
    assert simulate(instance, policy).total_completion_time() <= guarantee.bound * optimum


def test_a_schedule_worked_out_by_hand() -> None:
    """Areas 1, 2, 4, 8: slices 1, 1, 2, 3 with prompt 0, and 0, 0, 1, 2 with prompt 2."""
    instance = Instance(5, [0, 2, 0], [3, 2, 1])
    expected = [
        (0, 0, 1, True),
        (2, 0, 1, False),
        (0, 1, 3, True),
        (1, 1, 2, True),
        # 2 + 2 and 0 + 3 are wide, and do not fit together before one round is over.
        (1, 3, 5, False),
        (0, 4, 7, False),
    ]
    assert as_tuples(run("area-phases:alpha=2", instance)) == expected
    guarantee = policy_from_spec("area-phases:alpha=2").guarantee(instance)
    assert guarantee is not None
    assert guarantee.name == "this run"
    waits = 1 * 2 + 2 * 2  # the first two phases keep two requests waiting, the third none
    factor = phase_factor(Fraction(2)) * 4
    assert guarantee.bound == max(factor, 2 * factor / 3 + 1 + Fraction(waits, 6))


def test_small_peaks_sharpen_the_claim() -> None:
    policy = policy_from_spec("area-phases")
    roomy = policy.guarantee(Instance(100, [5], [1]))
    assert roomy is not None
    assert roomy.bound == phase_factor(Fraction(3)) * 2 / (1 - Fraction(6, 100))
    assert policy.guarantee(Instance(100, [5], [1], releases=[3])) is None


@given(st.integers(1, 10**9), st.data())
def test_slices_are_exact_for_large_numbers(memory: int, data: st.DataObject) -> None:
    prompt = data.draw(st.integers(0, memory - 1))
    rounds = data.draw(st.integers(0, memory - prompt))
    for change in (-1, 0, 1):
        area = max(prompt * rounds + rounds * (rounds + 1) // 2 + change, 0)
        (found,) = longest_within(np.array([prompt]), area, memory).tolist()
        assert 0 <= found <= memory - prompt
        assert prompt * found + found * (found + 1) // 2 <= area
        more = found + 1
        longer = prompt * more + more * (more + 1) // 2
        assert found == memory - prompt or longer > area


@pytest.mark.parametrize("largest_area", [0, 1, 7, 40, 10**12])
def test_slices_are_the_longest(largest_area: int) -> None:
    prompts = np.arange(30)
    expected = [area_slice(30, s, largest_area) for s in range(30)]
    assert longest_within(prompts, largest_area, 30).tolist() == expected
