"""Area budget."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.area_budget import area_budget as oracle_area_budget
from oracles.area_budget import equal_areas
from policy_runs import alpha_texts, as_tuples, oracle_alpha, releases, rows, run
from strategies import instances

from kvopt import InputError, Instance, policy_from_spec, simulate
from kvopt.solver.combinatorial_bounds import busy_time_bound, total_output_bound
from kvopt.theory.area_levels import AreaBudget
from kvopt.theory.mixed_bounds import area_budget_bound

budgets = st.sampled_from([Fraction(1, 50), Fraction(2, 5), Fraction(1), Fraction(9, 2)])


@given(
    instance=instances(max_requests=8, max_memory=20, latest_release=30),
    alpha=alpha_texts,
    budget=budgets,
)
def test_is_the_textbook_algorithm(instance: Instance, alpha: str, budget: Fraction) -> None:
    schedule = run(f"area-budget:alpha={alpha}:budget={budget}", instance)
    assert as_tuples(schedule) == oracle_area_budget(
        instance.memory, rows(instance), releases(instance), oracle_alpha(alpha), budget
    )


def stages_of(instance: Instance) -> list[tuple[int, dict[int, int]]]:
    """Return the stages with attempts, and the slices of these, literally."""
    alpha, budget, memory = Fraction(5, 3), Fraction(2, 5), instance.memory
    longest = [0] * len(instance)
    found: list[tuple[int, dict[int, int]]] = []
    for stage in itertools.count():
        alive = [i for i, r in enumerate(instance) if r.output > longest[i]]
        if not alive:
            return found
        rounds = alpha**stage
        prompts = [instance[i].prompt for i in alive]
        slices = equal_areas(memory, prompts, int(rounds), int(budget * memory * rounds))
        longer = {i: t for i, t in zip(alive, slices, strict=True) if t > longest[i]}
        for i, slice in longer.items():
            longest[i] = slice
        if longer:
            found.append((stage, longer))
    raise AssertionError("unreachable")


@given(instance=instances(max_requests=12, max_memory=40))
def test_the_bound_is_that_of_the_run_and_holds_against_the_bounds_of_its_proof(
    instance: Instance,
) -> None:
    memory = instance.memory
    factor = begin = Fraction(0)
    for stage, slices in stages_of(instance):
        area = sum(instance[i].prompt * t + t * (t + 1) // 2 for i, t in slices.items())
        peak = max(instance[i].prompt + t for i, t in slices.items())
        wait = area / (memory * max(Fraction(1, 4), Fraction(memory - peak, 2 * memory)))
        if any(instance[i].output <= t for i, t in slices.items()):
            factor = max(factor, (begin + wait) / Fraction(5, 3) ** stage)
        begin += wait + max(slices.values())
    policy = policy_from_spec("area-budget")
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    exact = min(area_budget_bound(factor), Fraction(1375, 24))
    assert exact <= guarantee.bound < exact + Fraction(1, 10**6)
    optimum = max(busy_time_bound(instance), total_output_bound(instance))
    assert simulate(instance, policy).total_completion_time() <= guarantee.bound * optimum


def test_a_run_may_have_a_smaller_bound_never_a_larger_one() -> None:
    policy = policy_from_spec("area-budget")
    small = policy.guarantee(Instance(100, [20] * 5, [5] * 5))
    assert small is not None
    assert small.bound < 25
    assert small.name == "this run"
    for factor in (Fraction(11, 2), Fraction(6)):
        assert area_budget_bound(factor) >= Fraction(1375, 24)


def test_a_schedule_worked_out_by_hand() -> None:
    """The areas of a stage add up to at most 5, 10, 20."""
    instance = Instance(10, [0, 0, 4], [1, 4, 2])
    assert as_tuples(run("area-budget:alpha=2:budget=1/2", instance)) == [
        # Area 1: one round each for those without a prompt, 5 would be needed for the third.
        (0, 0, 1, False),
        (1, 0, 1, True),
        # Up to 2 rounds have areas of 3, and of 5 and 11: 3 + 5 are within 10, 3 + 11 are not.
        (1, 1, 3, True),
        (2, 1, 2, True),
        # 10 for four rounds and 11 for two exceed 20; so the third has no longer slice.
        (1, 3, 7, False),
        (2, 7, 9, False),
    ]


def test_what_is_claimed() -> None:
    instance = Instance(10, [9], [1])
    for spec in ("area-budget:alpha=2", "area-budget:budget=1/2"):
        assert policy_from_spec(spec).guarantee(instance) is None
    late = Instance(10, [9], [1], releases=[1])
    assert policy_from_spec("area-budget").guarantee(late) is None
    with pytest.raises(InputError, match="budget: must be a rational number above 0"):
        policy_from_spec("area-budget:budget=0")


@given(instance=instances(max_requests=12, max_memory=20), stage=st.integers(0, 8))
def test_areas_are_the_largest_that_fit(instance: Instance, stage: int) -> None:
    memory, n = instance.memory, len(instance)
    budget = AreaBudget(instance.prompts, memory, Fraction(2), Fraction(1, 3))
    found = budget.slices(stage, np.arange(n)).tolist()
    assert found == equal_areas(memory, instance.prompts.tolist(), 2**stage, memory * 2**stage // 3)


def test_sums_beyond_64_bits_are_exact() -> None:
    memory = 10**9
    budget = AreaBudget(np.zeros(30, dtype=np.int64), memory, Fraction(2), Fraction(1))
    # 30 runs of 10^9 rounds have more area than 2^63.
    assert budget.slices(35, np.arange(30)).tolist() == [memory] * 30
    (slice,) = set(budget.slices(30, np.arange(30)).tolist())
    area = slice * (slice + 1) // 2
    assert 30 * area <= memory * 2**30 < 30 * (area + slice + 1)


def test_factors_beyond_64_bits() -> None:
    huge = policy_from_spec(f"area-budget:alpha={2**70}")
    large = policy_from_spec(f"area-budget:alpha={2**60}")
    instance = Instance(10, [2, 1, 2], [3, 5, 4])
    assert simulate(instance, huge) == simulate(instance, large)
