"""The level pool."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from oracles.level_pool import level_pool as oracle_level_pool
from policy_runs import alpha_texts, as_tuples, oracle_alpha, releases, rows, run
from strategies import instances

from kvopt import Instance, policy_from_spec, simulate
from kvopt.policies.draws import random_offset
from kvopt.solver.combinatorial_bounds import busy_time_bound, total_output_bound
from kvopt.theory.parsing import growth_factor
from kvopt.theory.random_bounds import OFFSET_ROUNDING

widths = st.sampled_from([Fraction(1), Fraction(3, 2), Fraction(2), Fraction(7, 2)])


@given(instance=instances(max_requests=12, latest_release=30), alpha=alpha_texts, width=widths)
def test_is_the_textbook_algorithm(instance: Instance, alpha: str, width: Fraction) -> None:
    schedule = run(f"level-pool:alpha={alpha}:width={width}", instance)
    assert as_tuples(schedule) == oracle_level_pool(
        instance.memory, rows(instance), releases(instance), oracle_alpha(alpha), width
    )


@given(
    instance=instances(max_requests=10, latest_release=30),
    alpha=alpha_texts,
    what=st.sampled_from(["offset", "order", "both"]),
    seed=st.integers(0, 99),
)
def test_at_random_is_the_textbook_algorithm_with_what_was_drawn(
    instance: Instance, alpha: str, what: str, seed: int
) -> None:
    rng = random.Random(seed)
    growth = growth_factor(alpha, "alpha")

    def draw(n: int) -> tuple[Fraction, list[int]]:
        scale = random_offset(growth, rng) if what != "order" else Fraction(1)
        places = list(range(n))
        if what != "offset":
            rng.shuffle(places)
        return scale, places

    offset = ":offset=random" * (what != "order") + ":order=random" * (what != "offset")
    schedule = run(f"level-pool:alpha={alpha}:seed={seed}{offset}", instance)
    assert as_tuples(schedule) == oracle_level_pool(
        instance.memory, rows(instance), releases(instance), oracle_alpha(alpha), Fraction(2), draw
    )


@st.composite
def covered(draw: st.DrawFn) -> Instance:
    """Instances with outputs of at most the prompt, and prompts of at most M/4."""
    memory = draw(st.integers(4, 60))
    prompts = draw(st.lists(st.integers(1, memory // 4), min_size=1, max_size=12))
    return Instance(memory, prompts, [draw(st.integers(1, s)) for s in prompts])


@given(instance=covered())
def test_the_bound_holds_against_the_bounds_of_its_proof(instance: Instance) -> None:
    policy = policy_from_spec("level-pool")
    guarantee = policy.guarantee(instance)
    assert guarantee is not None
    assert guarantee.bound <= Fraction(956, 35)
    optimum = max(busy_time_bound(instance), total_output_bound(instance))
    assert simulate(instance, policy).total_completion_time() <= guarantee.bound * optimum


@given(instance=covered(), alpha=alpha_texts, seed=st.integers(0, 9))
def test_at_random_each_run_has_the_bound_and_the_mean_a_smaller_one(
    instance: Instance, alpha: str, seed: int
) -> None:
    plain = policy_from_spec(f"level-pool:alpha={alpha}").guarantee(instance)
    assert plain is not None
    assert plain.expected is None
    optimum = max(busy_time_bound(instance), total_output_bound(instance))
    means = []
    for what in (":order=random", ":offset=random", ":offset=random:order=random"):
        policy = policy_from_spec(f"level-pool:alpha={alpha}:seed={seed}{what}")
        guarantee = policy.guarantee(instance)
        assert guarantee is not None
        assert guarantee.bound == plain.bound
        assert simulate(instance, policy).total_completion_time() <= plain.bound * optimum
        assert guarantee.expected is not None
        assert guarantee.expected < plain.bound * OFFSET_ROUNDING + Fraction(1, 10**6)
        means.append(guarantee.expected)
    assert means[2] <= min(means[:2]) * OFFSET_ROUNDING


def test_the_mean_over_all_orders_is_below_its_bound() -> None:
    """Places decide here: some requests wait for each other at one level."""
    instance = Instance(8, [2, 2, 2, 1, 1], [2, 2, 1, 1, 1])
    guarantee = policy_from_spec("level-pool:alpha=3:order=random").guarantee(instance)
    assert guarantee is not None
    assert guarantee.expected == Fraction("14.666667")  # 22 * (4/3) / 2
    costs = []
    for order in itertools.permutations(range(5)):

        def draw(n: int, order: tuple[int, ...] = order) -> tuple[Fraction, list[int]]:
            return Fraction(1), list(order)

        attempts = oracle_level_pool(
            8, rows(instance), releases(instance), Fraction(3), Fraction(2), draw
        )
        costs.append(sum(end for _, _, end, killed in attempts if not killed))
    optimum = max(busy_time_bound(instance), total_output_bound(instance))
    assert min(costs) < max(costs)
    assert Fraction(sum(costs), len(costs)) <= guarantee.expected * optimum


def test_a_schedule_worked_out_by_hand() -> None:
    """Areas 1, 2, 4, 8: with prompt 2 the slices are 0, 0, 1, 2, with prompt 0 the first is 1."""
    instance = Instance(8, [2, 2, 0, 2], [2, 1, 3, 2])
    assert as_tuples(run("level-pool:alpha=2", instance)) == [
        (0, 0, 1, True),
        (2, 0, 1, True),
        (1, 1, 2, False),
        (3, 1, 2, True),
        (0, 2, 4, False),
        (3, 2, 4, False),
        (2, 4, 7, False),  # it has outlived the one token beyond its prompt
    ]


def test_what_is_claimed() -> None:
    policy = policy_from_spec("level-pool")
    half = policy.guarantee(Instance(8, [2, 2], [2, 1]))
    assert half is not None
    assert half.bound == Fraction(956, 35) * Fraction(4, 3) / 2
    assert policy.guarantee(Instance(8, [2, 2], [3, 1])) is None  # an output above the prompt
    assert policy.guarantee(Instance(8, [4], [4])) is None  # a = 1
    assert policy.guarantee(Instance(8, [2], [1], releases=[1])) is None
