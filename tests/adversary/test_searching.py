from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvopt import Stopping, compare, policy_from_spec, simulate
from kvopt.adversary import (
    METHODS,
    Candidate,
    Limits,
    SearchConfiguration,
    improvements,
    number_of_units,
    run_unit,
    search,
)
from kvopt.adversary import local as climbing
from kvopt.adversary.closed_forms import compiled, plain
from kvopt.adversary.families import growth, limit_ratio
from kvopt.adversary.moves import MOVES, Landmarks, Moves, crossover, random_candidate
from kvopt.adversary.score import cost_function, score_function
from kvopt.parallel.executors import Workers
from kvopt.solver.state_search.many import optimum

CONFIGURATION = SearchConfiguration("gsa:alpha=2", None, Limits(requests=6, memory=12), seed=3)


@pytest.fixture(autouse=True)
def _few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climbing, "EVALUATIONS", 400)


@given(st.integers(1, 9), st.integers(1, 15), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_candidates_and_their_neighbours_are_valid(
    n: int, memory: int, seed: int, mixed: bool, few: bool
) -> None:
    limits = Limits(n, memory, mixed, groups=2 if few else None)
    landmarks = Landmarks((policy_from_spec("gsa:alpha=2"),))
    moves = Moves(random.Random(seed), landmarks, limits)
    one, other = (random_candidate(moves) for _ in range(2))
    assert one.valid(Limits(n, memory))
    for changed in (*(move(one, moves) for move in MOVES), crossover(one, other, moves)):
        if changed.valid(limits):
            assert len(changed.instance()) <= n
            assert changed.instance().memory <= memory


def test_candidates_hold_groups() -> None:
    one = Candidate.of(9, [(1, 3, 2), (1, 3, 1), (0, 2, 1)])
    assert one.groups == ((1, 3, 3), (0, 2, 1))
    assert one == Candidate.from_requests(9, [1, 1, 1, 0], [3, 3, 3, 2])
    assert [lengths.tolist() for lengths in one.arrays()] == [[1, 1, 1, 0], [3, 3, 3, 2]]
    assert (len(one), one.common_prompt) == (4, None)
    assert one.valid(Limits(4, 9, mixed=True))
    for limits in (Limits(4, 9), Limits(3, 9, True), Limits(4, 8, True), Limits(4, 9, True, 1)):
        assert not one.valid(limits)


def test_landmarks_are_at_the_ends_of_slices() -> None:
    lengths = Landmarks((policy_from_spec("gsa:alpha=2"),)).lengths(23, 0)
    assert {1, 2, 3, 4, 5, 8, 9, 16, 17, 22, 23} <= set(lengths)
    assert {11, 12} <= set(Landmarks((policy_from_spec("fcfs"),)).lengths(23, 0))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spec", ["gsa:alpha=2", "fcfs"])
def test_same_seed_same_trajectory_whatever_the_executor(method: str, spec: str) -> None:
    configuration = SearchConfiguration(spec, None, Limits(4, 8), seed=3, method=method)
    here = search(configuration, Stopping(), units=3)
    assert len(here) == min(3, number_of_units(configuration) or 3)
    assert here == search(configuration, Stopping(), units=3)
    with ThreadPoolExecutor(3) as threads:
        assert here == search(configuration, Stopping(), units=3, workers=Workers(threads, 3))
    other = SearchConfiguration(
        configuration.policy, None, configuration.limits, seed=4, method=method
    )
    if method == "local":
        assert search(other, Stopping(), units=1) != here[:1]


def test_more_time_only_adds_to_the_history() -> None:
    units = search(CONFIGURATION, Stopping(), units=3)
    history = improvements(units)
    assert improvements(units[:2]) == [record for record in history if record.unit < 2]
    ratios = [record.ratio for record in history]
    assert ratios == sorted(set(ratios))
    assert improvements(reversed(units)) == history


def test_best_find_is_confirmed_by_the_exact_solver() -> None:
    best = improvements(search(CONFIGURATION, Stopping(), units=2))[-1]
    comparison = compare(best.candidate.instance(), [policy_from_spec(CONFIGURATION.policy)], 60)
    assert comparison.ratios[0].cost == best.cost
    assert comparison.ratios[0].low == comparison.ratios[0].high >= best.ratio > 4


def test_an_exact_score_compares_the_best_to_their_optima() -> None:
    configuration = SearchConfiguration(
        CONFIGURATION.policy, None, Limits(5, 9), seed=3, exact=True
    )
    records = improvements(search(configuration, Stopping(), units=2))
    prompts, outputs = (lengths.tolist() for lengths in records[-1].candidate.arrays())
    assert records[-1].reference == optimum(records[-1].candidate.memory, prompts, outputs)


def test_policy_against_policy() -> None:
    configuration = SearchConfiguration("fcfs", "mc-sf", Limits(6, 12), seed=1)
    best = improvements(search(configuration, Stopping(), units=1))[-1]
    (fcfs, mc_sf) = compare(
        best.candidate.instance(),
        [policy_from_spec("fcfs"), policy_from_spec("mc-sf")],
        60,
    ).ratios
    assert (best.cost, best.reference) == (fcfs.cost, mc_sf.cost)
    assert best.ratio > 1


@pytest.mark.parametrize("method", METHODS)
def test_an_over_budget_cuts_a_unit_short(method: str) -> None:
    configuration = SearchConfiguration(
        CONFIGURATION.policy, None, CONFIGURATION.limits, seed=3, method=method
    )
    stop = Stopping()
    stop.interrupt()
    assert search(configuration, stop) == []
    unit = run_unit(configuration, 0, stop)
    assert (unit.complete, unit.records) == (False, ())


@pytest.mark.parametrize("spec", ["gsa:alpha=2", "gba", "gsa:alpha=phi:spacing=tight", "a-min"])
def test_scores_are_costs_of_the_policy_and_of_a_schedule(spec: str) -> None:
    rng = random.Random(spec)
    policy = policy_from_spec(spec)
    for compiler in (plain, compiled):
        score = score_function(
            SearchConfiguration(spec, None, Limits(9, 15, mixed=True), 0), compiler
        )
        for _ in range(50):
            memory = rng.randint(1, 15)
            prompts = [rng.randrange(memory) for _ in range(rng.randint(1, 7))]
            if rng.random() < 0.5:
                prompts = prompts[:1] * len(prompts)
            outputs = [rng.randint(1, memory - s) for s in prompts]
            candidate = Candidate.from_requests(memory, prompts, outputs)
            cost, reference = score(candidate)
            assert cost == simulate(candidate.instance(), policy).total_completion_time()
            assert optimum(memory, prompts, outputs) <= reference <= cost


def test_families_find_the_known_one_and_its_limit() -> None:
    configuration = SearchConfiguration(
        "gsa:alpha=2", None, Limits(requests=600, memory=100), seed=0, method="families"
    )
    best = improvements(search(configuration, Stopping()))[-1]
    assert [output for _, output, _ in best.candidate.groups] == [65, 33]
    limit = limit_ratio(policy_from_spec(configuration.policy), best.candidate)
    assert limit is not None
    larger = Candidate.of(
        best.candidate.memory, ((s, o, 50 * c) for s, o, c in best.candidate.groups)
    )
    cost, reference = score_function(configuration)(larger)
    assert cost / reference == pytest.approx(limit, rel=0.003)
    assert float(best.ratio) > 12.5
    shortest_first = Candidate(100, ((0, 33, 400), (0, 65, 100)))
    assert limit_ratio(policy_from_spec(configuration.policy), shortest_first) is None
    assert limit_ratio(policy_from_spec("fcfs"), best.candidate) is None


def test_the_best_mix_is_at_least_as_bad_as_its_neighbours() -> None:
    policy = policy_from_spec("gsa:alpha=2")
    configuration = SearchConfiguration(
        "gsa:alpha=2", None, Limits(requests=10_000, memory=48), seed=0, method="families"
    )
    best = improvements(search(configuration, Stopping()))[-1].candidate
    worst = limit_ratio(policy, best)
    assert worst is not None
    counts = [c for _, _, c in best.groups]
    for factor in (0.8, 0.95, 1.05, 1.25):
        groups = [(s, o, c) for s, o, c in best.groups]
        groups[0] = (*groups[0][:2], round(counts[0] * factor))
        other = limit_ratio(policy, Candidate(best.memory, tuple(groups)))
        assert other is not None
        assert other <= worst + 1e-6


def test_fcfs_grows_without_limit_and_gsa_does_not() -> None:
    start = Candidate(16, ((0, 16, 6), (0, 1, 90)))
    grown = growth(SearchConfiguration("fcfs", None, Limits(100, 16), 0, "families"), start, 3)
    assert grown.unlimited
    assert [one.memory for one in grown.candidates] == sorted(
        one.memory for one in grown.candidates
    )
    ratios = [
        Fraction(*score_function(SearchConfiguration("fcfs", None, Limits(100, 16), 0))(one))
        for one in grown.candidates
    ]
    assert ratios == list(grown.ratios)
    start = Candidate(23, ((0, 17, 2), (0, 9, 7), (0, 5, 3)))
    assert not growth(
        SearchConfiguration("gsa:alpha=2", None, Limits(12, 23), 0, "families"), start, 3
    ).unlimited


def test_formulas_hold_for_policies_of_a_common_prompt_only() -> None:
    candidate = Candidate(9, ((2, 3, 2), (0, 5, 3)))
    for spec in ("gsa", "gba", "spt-pipeline", "mc-sf", "svf", "fcfs"):
        policy = policy_from_spec(spec)
        expected = simulate(candidate.instance(), policy).total_completion_time()
        assert cost_function(policy)(candidate) == expected
