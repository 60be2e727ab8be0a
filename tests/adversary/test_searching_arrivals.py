"""Searches with release times: candidates, moves, steps to smaller ones, stores, all methods."""

from __future__ import annotations

import itertools
import json
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvopt import Instance, Schedule, Stopping, compare, policy_from_spec, simulate
from kvopt.adversary import Candidate, Limits, SearchConfiguration, improvements, search
from kvopt.adversary import local as climbing
from kvopt.adversary.arrival_moves import ARRIVAL_MOVES
from kvopt.adversary.attribution import account
from kvopt.adversary.candidate import timing, together
from kvopt.adversary.cells import Cell, cells
from kvopt.adversary.closed_forms import compiled, plain, released_upper_bound
from kvopt.adversary.enumerate_arrivals import sets
from kvopt.adversary.families import growth
from kvopt.adversary.moves import MOVES, Landmarks, Moves, crossover, random_candidate
from kvopt.adversary.score import check_costs, score_function
from kvopt.adversary.shrink import reductions, shrunk, size
from kvopt.adversary.store import Store
from kvopt.generate.parametric import late_short
from kvopt.model.errors import InputError
from kvopt.model.feasibility import violations
from kvopt.solver.releases.search import least_latency

LIMITS = Limits(requests=6, memory=10, arrivals=8)
CONFIGURATION = SearchConfiguration("mc-sf", None, LIMITS, seed=3, exact=True)


@pytest.fixture(autouse=True)
def _few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climbing, "EVALUATIONS", 250)


@st.composite
def late_instances(draw: st.DrawFn, most: int = 5, memory: int = 7, last: int = 6) -> Instance:
    """Draw an instance with release times, some of them at equal distances."""
    rows = st.tuples(st.integers(0, 2), st.integers(1, memory - 2), st.integers(0, last))
    requests = draw(st.lists(rows, min_size=1, max_size=most))
    prompts, outputs, releases = (list(column) for column in zip(*requests, strict=True))
    return Instance(memory, prompts, outputs, releases=releases)


def candidate_of(instance: Instance) -> Candidate:
    return Candidate.of(instance.memory, instance.groups())


def least_by_brute_force(instance: Instance) -> int:
    """Return the least total latency over all vectors of starts, none skipped."""
    last = int(instance.releases.max()) + instance.total_output
    ranges = [range(r.release, last - r.output + 1) for r in instance]
    schedules = (Schedule.from_starts(instance, starts) for starts in itertools.product(*ranges))
    return min(one.total_latency() for one in schedules if not violations(one))


def test_streams_are_groups() -> None:
    stream = Candidate.of(9, [(0, 9, 1), (8, 1, 4, 2, 3)])
    assert stream.groups == ((0, 9, 1), (8, 1, 4, 2, 3))
    assert stream.releases().tolist() == [0, 2, 5, 8, 11]
    assert stream == Candidate.from_requests(9, [0, 8, 8, 8, 8], [9, 1, 1, 1, 1], [0, 2, 5, 8, 11])
    assert candidate_of(stream.instance()) == stream
    assert Candidate.of(9, [(8, 1, 2, 0, 3)]).groups == ((8, 1, 1), (8, 1, 1, 3))
    assert Candidate.of(9, [(8, 1, 2, 0, 0)]).groups == ((8, 1, 2),)
    assert candidate_of(late_short(8, 8)).groups == ((0, 8, 1), (7, 1, 8, 1, 1))
    assert stream.valid(Limits(5, 9, True, arrivals=11))
    assert not stream.valid(Limits(5, 9, True, arrivals=10))
    assert not Candidate.of(9, [(0, 9, 1, -1)]).valid(Limits(5, 9, arrivals=10))


@given(late_instances(most=9, last=4))
def test_a_candidate_is_a_function_of_its_instance(instance: Instance) -> None:
    one = candidate_of(instance)
    assert one.instance() == instance
    assert len(one) == len(instance)
    assert one.releases().tolist() == instance.releases.tolist()
    assert one == Candidate.of(one.memory, together(one.groups)) == Candidate.of(7, one.groups)
    columns = (instance.prompts, instance.outputs, instance.releases)
    assert one == Candidate.from_requests(7, *(column.tolist() for column in columns))
    assert one.has_releases == instance.has_releases


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_moves_change_releases_within_the_limits(seed: int, mixed: bool) -> None:
    limits = Limits(9, 15, mixed, arrivals=12)
    moves = Moves(random.Random(seed), Landmarks((policy_from_spec("fcfs"),)), limits)
    one, other = (random_candidate(moves) for _ in range(2))
    for changed in (
        *(move(one, moves) for move in MOVES + ARRIVAL_MOVES),
        crossover(one, other, moves),
    ):
        if changed.valid(limits):
            releases = changed.instance().releases
            assert 0 <= releases.min() <= releases.max() <= 12
            assert changed == candidate_of(changed.instance())


def test_every_move_changes_some_candidate() -> None:
    moves = Moves(
        random.Random(1), Landmarks((policy_from_spec("fcfs"),)), Limits(9, 15, arrivals=12)
    )
    one = Candidate.of(15, [(0, 15, 1), (0, 4, 3, 2), (0, 1, 4, 6)])
    for move in ARRIVAL_MOVES:
        found = {move(one, moves) for _ in range(40)}
        assert any(o != one and o.valid(moves.limits) for o in found), move.__name__
        assert {tuple(o.arrays()[1].tolist()) for o in found} == {tuple(one.arrays()[1].tolist())}


@given(late_instances())
@settings(deadline=None)
def test_the_reference_is_a_schedule_and_never_below_the_optimum(instance: Instance) -> None:
    one = candidate_of(instance)
    bound = released_upper_bound(one, plain)
    assert bound >= least_latency(instance, bound)
    cost, reference = score_function(CONFIGURATION, plain)(one)
    assert cost == simulate(instance, "mc-sf").total_latency() >= reference


def test_compiled_and_plain_layouts_agree() -> None:
    rng = random.Random(5)
    for _ in range(20):
        rows = [(0, rng.randint(1, 9), 1, rng.randint(0, 9)) for _ in range(rng.randint(1, 7))]
        one = Candidate.of(9, rows)
        assert released_upper_bound(one, plain) == released_upper_bound(one, compiled)


@given(late_instances(most=3, memory=5, last=3))
@settings(max_examples=30, deadline=None)
def test_the_least_latency_is_that_of_brute_force(instance: Instance) -> None:
    least = least_by_brute_force(instance)
    assert least_latency(instance, 10**6) == least
    assert least_latency(instance, least) == least
    assert least_latency(instance, least - 1) == least - 1


@given(late_instances())
def test_steps_are_smaller_and_release_nothing_later(instance: Instance) -> None:
    one = candidate_of(instance)
    last = int(instance.releases.max())
    for smaller in reductions(one):
        assert size(smaller) < size(one)
        assert smaller.valid(Limits(len(one), 7, mixed=True, arrivals=last))


def test_shrinking_takes_releases_towards_0() -> None:
    one = Candidate.of(9, [(0, 9, 1, 3), (8, 1, 5, 5, 1), (2, 3, 1, 20)])
    limits = Limits(7, 9, mixed=True, arrivals=30)
    configuration = SearchConfiguration("fcfs", None, limits, seed=0)
    smaller = shrunk(configuration, one, Stopping())
    before, after = (Fraction(*score_function(configuration)(c)) for c in (one, smaller))
    assert after >= before
    assert min(timing(group)[0] for group in smaller.groups) == 0
    assert size(smaller) < size(one)


def test_the_worst_found_is_confirmed_and_resumed_from_a_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "finds.db")
    with store.ledger(CONFIGURATION) as ledger:
        units = search(CONFIGURATION, Stopping(), units=2, ledger=ledger)
    assert units == search(CONFIGURATION, Stopping(), units=2)
    assert Store(tmp_path / "finds.db").units(CONFIGURATION) == units
    best = improvements(units)[-1]
    assert best.candidate.has_releases
    check_costs(CONFIGURATION, improvements(units))
    (ratio,) = compare(best.candidate.instance(), [policy_from_spec("mc-sf")], 60).ratios
    assert ratio.cost == best.cost
    assert ratio.low == ratio.high >= best.ratio > 1


def test_a_record_with_another_cost_is_refused() -> None:
    best = improvements(search(CONFIGURATION, Stopping(), units=1))[-1]
    wrong = type(best)(best.unit, best.evaluation, best.cost + 1, best.reference, best.candidate)
    with pytest.raises(InputError, match="cost: must be"):
        check_costs(CONFIGURATION, [wrong])
    early = SearchConfiguration("mc-sf", None, Limits(6, 10, arrivals=0), seed=3)
    with pytest.raises(InputError, match="within the limits"):
        check_costs(early, [best])


def test_without_arrivals_a_search_is_the_one_it_was() -> None:
    assert repr(Limits(6, 12)) == "Limits(requests=6, memory=12, mixed=False, groups=None)"
    from kvopt.adversary.store import _task

    old = _task(SearchConfiguration("fcfs", None, Limits(6, 12), 1))
    assert json.loads(old.parameters)["limits"] == {
        "requests": 6,
        "memory": 12,
        "mixed": False,
        "groups": None,
    }
    new = _task(SearchConfiguration("fcfs", None, Limits(6, 12, arrivals=4), 1))
    assert json.loads(new.parameters)["limits"]["arrivals"] == 4


def test_a_family_grows_with_the_memory() -> None:
    start = candidate_of(late_short(6, 6))
    limits = Limits(7, 6, mixed=True, arrivals=6)
    found = growth(SearchConfiguration("mc-sf", None, limits, 1, "families"), start, 2)
    assert [one.memory for one in found.candidates] == [6, 12, 24]
    assert found.unlimited
    for one, ratio in zip(found.candidates, found.ratios, strict=True):
        cost = simulate(one.instance(), "mc-sf").total_latency()
        assert cost / ratio == released_upper_bound(one, compiled)
        assert ratio >= Fraction(one.memory, 4)


@pytest.mark.parametrize("spec", ["fcfs", "mc-sf", "a-min"])
def test_exhaustive_search_is_repeated_by_brute_force(spec: str) -> None:
    limits = Limits(2, 3, mixed=True, arrivals=2)
    configuration = SearchConfiguration(spec, None, limits, 0, "exhaustive")
    for cell, unit in zip(cells(limits), search(configuration, Stopping()), strict=True):
        worst = Fraction(0)
        types = [
            (s, o, a) for s in range(3) for o in range(1, cell.memory - s + 1) for a in range(3)
        ]
        for requests in itertools.product(types, repeat=cell.requests):
            prompts, outputs, releases = zip(*requests, strict=True)
            if (len(set(prompts)) > 1) == cell.mixed and min(releases) == 0:
                instance = Instance(cell.memory, prompts, outputs, releases=releases)
                cost = simulate(instance, spec).total_latency()
                worst = max(worst, Fraction(cost, least_by_brute_force(instance)))
        assert unit.complete
        assert (unit.records[-1].ratio if unit.records else 0) == worst


def test_every_set_of_a_cell_comes_once() -> None:
    found = list(sets(Cell(3, 2), 2))
    assert len(found) == len(set(found))
    # Ordered pairs with a common prompt: those of k types less those without a release at 0.
    assert sum(1 if a == b else 2 for a, b in found) == sum(
        (3 * k) ** 2 - (2 * k) ** 2 for k in (1, 2, 3)
    )


@given(late_instances(), st.sampled_from(["fcfs", "mc-sf", "gsa:alpha=2"]))
@settings(max_examples=40, deadline=None)
def test_the_parts_of_a_latency_add_up(instance: Instance, spec: str) -> None:
    schedule = simulate(instance, spec)
    found = account(spec, schedule)
    assert found.cost == schedule.total_latency()
    assert sum(found.tokens.values()) == found.cost * instance.memory
    assert found.tokens["order"] == out_of_order(schedule)


def out_of_order(schedule: Schedule) -> int:
    """Return what attempts that complete hold while a smaller request waits, round by round."""
    instance, starts = schedule.instance, schedule.starts()
    completions = schedule.completion_times()
    areas = instance.prompts * instance.outputs + instance.outputs * (instance.outputs + 1) // 2
    total = 0
    for r in range(1, int(completions.max()) + 1):
        unfinished = int(np.sum((instance.releases < r) & (completions >= r)))
        for i in range(len(instance)):
            waits = (areas < areas[i]) & (instance.releases < r) & (starts >= r)
            if starts[i] < r <= completions[i] and waits.any():
                total += unfinished * int(instance.prompts[i] + r - starts[i])
    return total
