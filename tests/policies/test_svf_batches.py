"""SVF in batches."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import svf_batches as oracle
from policy_runs import as_tuples, releases, rows, run
from strategies import instances

from kvopt import Instance, Schedule, compare, policy_from_spec, simulate
from kvopt.model.feasibility import violations
from kvopt.model.instance import MAX_TOKENS
from kvopt.theory.area_batches import batch_ends, batch_starts, levels, smallest_offset


@pytest.mark.parametrize("pull", [False, True])
@settings(max_examples=60)
@given(instance=instances(latest_release=30))
def test_it_is_the_textbook_algorithm(pull: bool, instance: Instance) -> None:
    spec = "svf-batches:pull=yes" if pull else "svf-batches"
    expected = oracle.svf_batches(instance.memory, rows(instance), releases(instance), pull)
    assert as_tuples(run(spec, instance)) == expected


@given(instances(max_requests=25))
def test_pulled_forward_none_completes_later(instance: Instance) -> None:
    earlier = run("svf-batches:pull=yes", instance).completion_times()
    assert (earlier <= run("svf-batches", instance).completion_times()).all()


def test_a_schedule_by_hand() -> None:
    """Thin requests of 19 rounds alternate with wide ones of one round, all of area 190.

    With M = 190 the sums 4 V / M are 4, 8, ...; the thin ones have level 296, as
    1.01^295 < 19 <= 1.01^296, and are in the batch that ends there or later, with all wide ones
    at most one batch before.  So the memory is drained once, and the wide ones come first.
    """
    instance = Instance(190, [0, 189] * 4, [19, 1] * 4)
    found = levels(instance.prompts, instance.outputs, 190)
    assert found[::2].tolist() == [296] * 4
    assert found[1::2].tolist() == [level_of(4 * 2 * k) for k in (1, 2, 3, 4)]
    schedule = run("svf-batches", instance)
    assert schedule.starts().tolist() == [4, 0, 4, 1, 4, 2, 4, 3]
    assert run("svf", instance).total_completion_time() > schedule.total_completion_time()


def level_of(rounds: int) -> int:
    level = 0
    while Fraction(21, 10) * Fraction(101, 100) ** level < rounds:
        level += 1
    return level


def test_thresholds_are_exact() -> None:
    """Lengths at a level and just above it; a float power of 1.01 would be too coarse."""
    memory = MAX_TOKENS
    lengths = [101**e // 100**e for e in range(400, 2000, 50)]
    outputs = np.array([o + k for o in lengths for k in (0, 1)])
    found = levels(np.zeros_like(outputs), outputs, memory).tolist()
    for output, level in zip(outputs.tolist(), found, strict=True):
        assert output * 100**level <= 101**level
    alone = [int(levels(np.zeros(1, np.int64), np.array([o]), memory)[0]) for o in lengths]
    assert alone == list(range(400, 2000, 50))


def test_sums_of_areas_may_be_large() -> None:
    """Ten requests whose areas sum to more than 64 bits hold."""
    half = MAX_TOKENS // 2
    prompts, outputs = np.full(40, half), np.full(40, half)
    found = levels(prompts, outputs, MAX_TOKENS)
    area = half * half + half * (half + 1) // 2
    assert 40 * area > 2**63
    for place, level in enumerate(found.tolist(), 1):
        fits = [
            40 * place * area * 100**e <= 21 * MAX_TOKENS * 101**e and half * 100**e <= 101**e
            for e in (level - 1, level)
        ]
        assert fits == [False, True]


@given(instances(max_requests=15), st.integers(0, 75))
def test_the_offset_is_the_best(instance: Instance, other: int) -> None:
    found = levels(instance.prompts, instance.outputs, instance.memory)

    def total(offset: int) -> Fraction:
        return sum(Fraction(101, 100) ** e for e in batch_ends(found, offset).tolist())

    best = smallest_offset(found)
    assert total(best) < total(other) or (total(best) == total(other) and best <= other)
    starts = batch_starts(instance.prompts, instance.outputs, instance.memory)
    assert starts.tolist() == run("svf-batches", instance).starts().tolist()


@settings(max_examples=50, deadline=None)
@given(instances(max_requests=7, max_memory=14, mixed=True))
def test_it_is_within_its_bound(instance: Instance) -> None:
    for ratio in compare(instance, "svf-batches,svf-batches:pull=yes", 20).ratios:
        assert ratio.verdict.value == "within"
        assert ratio.guarantee is not None
        assert ratio.guarantee.bound == Fraction(954, 100)


def test_what_is_claimed() -> None:
    released = Instance(20, [10, 3], [10, 4], releases=[0, 1])
    mixed = Instance(20, [10, 3], [10, 4])
    for spec in ("svf-batches", "svf-batches:pull=yes"):
        policy = policy_from_spec(spec)
        assert policy.guarantee(released) is None
        guarantee = policy.guarantee(mixed)
        assert guarantee is not None
        assert (guarantee.bound, guarantee.status) == (Fraction(954, 100), "derived")
        assert guarantee.source.startswith("proofs/text/area_batches.md, theorem 5")
        general = policy.general_bound()
        assert general is not None
        assert general.bound == Fraction(954, 100)


@pytest.mark.parametrize("n", [4, 12, 40])
def test_the_family_on_which_svf_has_no_constant(n: int) -> None:
    instance = Instance(n * (2 * n - 1), [0, n * (2 * n - 1) - 1] * n, [2 * n - 1, 1] * n)
    best = n * (n + 1) // 2 + n * (n + 2 * n - 1)
    assert run("svf", instance).total_completion_time() > Fraction(4 * n, 7) * best
    assert run("svf-batches", instance).total_completion_time() <= Fraction(3, 2) * best


@pytest.mark.parametrize("policy", ["svf-batches", "svf-batches:pull=yes"])
def test_each_batch_may_wait_for_the_longest_of_the_batch_before(policy: str) -> None:
    """The instance that the text names: almost three times the cost of a schedule made by hand."""
    memory, outputs, wide = 10**8, [1, 2, 5, 12, 26, 56, 120, 255], 300
    prompts = [0] * len(outputs) + [memory - 1] * wide
    instance = Instance(memory, prompts, outputs + [1] * wide)
    starts = [wide] * len(outputs) + list(range(wide))
    by_hand = Schedule.from_starts(instance, starts)
    assert not violations(by_hand)
    assert by_hand.total_completion_time() == 48027
    assert simulate(instance, policy_from_spec(policy)).total_completion_time() == 143581
