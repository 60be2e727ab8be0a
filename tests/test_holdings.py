"""Optima and bounds from what is held; see also proofs/holdings.py and test_certificates.py."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kvopt.solver.relaxations.batch_state_kernel import PLAIN, compiled
from strategies import feasible_starts, instances

from kvopt import Instance, Status, Stopping, solve
from kvopt.certificates.inprocess import checker
from kvopt.certificates.write import certificate_text, certify
from kvopt.generate import generate_random
from kvopt.solver.compiling import has_numba
from kvopt.solver.dual_ascent.bundle import Bundle, lightest
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations import batch_state as holdings
from kvopt.solver.relaxations.batch_state import (
    Holdings,
    Labels,
    ascend,
    search,
    solve_by_holdings,
)
from kvopt.solver.sizes import batch_states_have_room, number_of_batch_states
from kvopt.solver.state_search.state_graph import solve_by_state_graph

compiled_only = pytest.mark.skipif(not has_numba(), reason="numba is not installed")


def shortened(number: int, n: int) -> Instance:
    whole = generate_random("model1", 1, number)
    return Instance(whole.memory, whole.prompts[:n], whole.outputs[:n])


@settings(max_examples=30, deadline=None)
@given(instances(max_requests=6, max_memory=10), st.data())
def test_closes_the_bracket_of_tiny_instances(instance: Instance, data: st.DataObject) -> None:
    known = np.array(data.draw(feasible_starts(instance)))
    result = solve_by_holdings(instance, known, Stopping(), functions=PLAIN)
    assert result.status is Status.OPTIMAL
    assert result.objective == solve_by_state_graph(instance).objective


@given(instances(max_requests=6, max_memory=10))
def test_counts_the_states_that_there_are(instance: Instance) -> None:
    found = Holdings(instance)
    assert len(found.held) == len(set(found.held)) == number_of_batch_states(instance)
    for state, after in zip(found.held, found.table.grown.tolist(), strict=True):
        assert sum(b for b, _ in state) <= instance.memory
        older = tuple((b + 1, s) for b, s in state)
        assert (found.held[after] == older) if after >= 0 else older not in found.held


def test_too_much_to_hold_is_not_tried() -> None:
    assert batch_states_have_room(generate_random("model1", 1, 0), 600)
    assert not batch_states_have_room(generate_random("model1", 1, 0), 10**6)
    assert not batch_states_have_room(Instance(100, [0] * 3, [40, 50, 100]), 200)
    assert not batch_states_have_room(Instance(10**9, [0], [10**9]), 200)


@compiled_only
def test_proves_twenty_requests_of_the_published_setting() -> None:
    instance = shortened(5, 20)
    result = solve(instance, 60)
    assert (result.status, result.objective) == (Status.OPTIMAL, 1330)
    assert result.proof is not None
    certified = certify(result, Stopping(60))
    claim = checker().check(certificate_text(certified.content))
    assert (claim.lower_bound, claim.upper_bound, claim.rule) == (1330, 1330, "batch-state")


@compiled_only
@pytest.mark.parametrize("limit", ["NODES", "NODES_A_TIME"])
def test_a_search_that_is_cut_off_leaves_a_true_bracket(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = shortened(10, 12)
    known = best_list_schedule(instance)
    optimum = solve_by_holdings(instance, known, Stopping())
    assert optimum.status is Status.OPTIMAL
    monkeypatch.setattr(holdings, limit, 20)
    monkeypatch.setattr(holdings, "FIRST_POOL", 1)
    result = solve_by_holdings(instance, known, Stopping())
    assert result.status is Status.BRACKET
    assert result.lower_bound <= optimum.objective <= result.objective


@compiled_only
def test_small_pools_grow_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = shortened(5, 12)
    functions = compiled()
    assert functions is not None
    labels = Labels(Holdings(instance), 200, functions)
    labels.settle((labels.holdings.first_worth() * holdings.SCALE).astype(np.int64))
    below = int(best_list_schedule(instance).sum()) + instance.total_output + 1
    wide = search(labels, below, Stopping())
    monkeypatch.setattr(holdings, "FIRST_POOL", 1)
    narrow = search(labels, below, Stopping())
    assert wide.starts is not None
    assert narrow.starts is not None
    assert (wide.nodes, wide.starts.sum()) == (narrow.nodes, narrow.starts.sum())


@compiled_only
def test_a_beam_proves_nothing() -> None:
    instance = shortened(5, 15)
    functions = compiled()
    assert functions is not None
    labels = Labels(Holdings(instance), 300, functions)
    labels.settle((labels.holdings.first_worth() * holdings.SCALE).astype(np.int64))
    optimum = 927
    exact = search(labels, optimum + 5, Stopping())
    assert exact.finished
    assert exact.starts is not None
    assert int(exact.starts.sum()) + instance.total_output == optimum
    for width in (1, 30):
        beam = search(labels, optimum + 5, Stopping(), width)
        assert not beam.finished
    assert not search(labels, optimum + 5, Stopping(0)).finished


def test_labels_that_do_not_fit_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_random("tiny", 1, 3)
    known = best_list_schedule(instance)
    monkeypatch.setattr(holdings, "SCALE", 1 << 45)
    result = solve_by_holdings(instance, known, Stopping(), functions=PLAIN)
    assert (result.rule, result.proof) == ("nothing", None)


def test_chosen_states_are_those_on_cheap_paths() -> None:
    rng = random.Random(5)
    for number in range(10):
        instance = generate_random("tiny", 40, number)
        labels = Labels(Holdings(instance), 25, PLAIN)
        worth = np.array([rng.randint(0, 12) * holdings.SCALE for _ in labels.holdings.kinds])
        value = labels.settle(worth)
        assert value is not None
        whole = labels.label.copy()
        if not labels.choose(0):
            continue
        assert labels.settle_chosen(worth) == value
        kept = labels.label[1:] < 1 << 30
        assert (labels.label[1:][kept] >= whole[1:][kept]).all()
        other = np.maximum(0, worth - rng.randint(0, 3) * holdings.SCALE)
        few = labels.settle_chosen(other)
        full = labels.settle(other)
        assert few is not None
        assert full is not None
        assert few >= full


@compiled_only
def test_looking_at_promising_states_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = shortened(5, 20)
    functions = compiled()
    assert functions is not None
    found = []
    for few in (10**9, 0):
        monkeypatch.setattr(holdings, "FEW_LABELS", few)
        labels = Labels(Holdings(instance), 300, functions)
        value = ascend(labels, labels.holdings.first_worth(), Stopping(60))
        assert value is not None
        assert value == labels.settle(labels.worth)
        found.append(value / holdings.SCALE)
    assert found[0] == pytest.approx(found[1], rel=2e-3)
    assert max(found) <= 1330


def test_a_bundle_climbs_to_the_top() -> None:
    """The function is the least of planes; where it is largest is known."""
    slopes = np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.0], [0.5, 1.0]])
    heights = slopes @ np.array([-3.0, -7.0]) + 100

    def look(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        values = slopes @ x + heights
        i = int(values.argmin())
        bundle.add(x, float(values[i]), slopes[i])
        return float(values[i])

    bundle = Bundle()
    x = np.array([40.0, -30.0])
    bundle.move(x, look(x))
    for _ in range(60):
        proposal = bundle.proposal()
        if proposal is None:
            break
        bundle.judge(proposal, look(proposal))
    assert bundle.value == pytest.approx(100, abs=0.1)
    assert bundle.center == pytest.approx([3, 7], abs=0.5)


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
