"""The level pool."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from oracles.level_pool import level_pool as oracle_level_pool
from policy_runs import alpha_texts, as_tuples, oracle_alpha, releases, rows, run
from strategies import instances

from kvopt import Instance, policy_from_spec, simulate
from kvopt.solver.combinatorial_bounds import busy_time_bound, total_output_bound

widths = st.sampled_from([Fraction(1), Fraction(3, 2), Fraction(2), Fraction(7, 2)])


@given(instance=instances(max_requests=12, latest_release=30), alpha=alpha_texts, width=widths)
def test_is_the_textbook_algorithm(instance: Instance, alpha: str, width: Fraction) -> None:
    schedule = run(f"level-pool:alpha={alpha}:width={width}", instance)
    assert as_tuples(schedule) == oracle_level_pool(
        instance.memory, rows(instance), releases(instance), oracle_alpha(alpha), width
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
