"""Duals with which a search keeps few nodes: any will do, so it finds the same with less work."""

from __future__ import annotations

import numpy as np
import pytest

from kvopt import Instance, Status, Stopping
from kvopt.certificates.checker import verdicts
from kvopt.certificates.write import certificate, certificate_text
from kvopt.generate import generate_random
from kvopt.solver.params import BatchStateParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo, DualAscent
from kvopt.solver.relaxations.batch_state.search import search
from kvopt.solver.relaxations.batch_state.search_duals import fewer_nodes, sampled
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL
from kvopt.solver.relaxations.batch_state.stage import BatchState
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.stage import run_alone

OPTIMUM = 1330
"""Of the first twenty requests of number 5 of model1."""


@pytest.fixture(scope="module")
def instance() -> Instance:
    whole = generate_random("model1", 1, 5)
    return Instance(whole.memory, whole.prompts[:20], whole.outputs[:20])


@pytest.fixture
def costs(instance: Instance) -> CostsToGo:
    """Costs-to-go with the duals of the best bound."""
    found = CostsToGo(BatchStates(instance), 300, BATCH_STATE_KERNEL.compiled())
    ascent = DualAscent(found, BatchStateParams())
    assert ascent.run([found.states.first_duals()], Stopping(60)) is not None
    return found


def test_samples_are_nodes_of_the_search(costs: CostsToGo, instance: Instance) -> None:
    found = search(costs, OPTIMUM, Stopping())
    everybody = BatchStateParams(sampled_nodes=10**9)
    sample = sampled(costs, OPTIMUM, found, Stopping(), everybody)
    assert sample is not None
    assert len(sample.time) == found.nodes - 1  # without that of time 0
    nodes = zip(*(part.tolist() for part in sample[:2]), map(tuple, sample.left), strict=True)
    assert len(set(nodes)) > found.nodes / 2  # before and after completions of one time
    first = sample.time == 1
    assert first.any()
    assert (sample.cost[first] == (costs.counts - sample.left[first]).sum(axis=1)).all()
    assert ((sample.left >= 0) & (sample.left <= costs.counts)).all()
    done = (costs.counts - sample.left).sum(axis=1)
    assert (sample.cost <= done * sample.time).all()
    assert (sample.cost[done == 1] >= costs.states.types.outputs.min()).all()
    ahead = sample.left @ costs.duals + costs.values[sample.time, sample.state]
    bounds = sample.cost * costs.scale + ahead
    assert bounds.max() <= (OPTIMUM - 1) * costs.scale
    value = costs.settle(costs.duals)
    assert value is not None
    assert bounds.min() >= value > 0.9 * OPTIMUM * costs.scale
    few = sampled(costs, OPTIMUM, found, Stopping(), BatchStateParams(sampled_nodes=100))
    assert few is not None
    assert 50 < len(few.time) < 150
    assert instance.total_output <= OPTIMUM


def test_a_search_keeps_fewer_nodes_and_finds_the_same(costs: CostsToGo) -> None:
    found = search(costs, OPTIMUM, Stopping())
    assert found.finished
    assert found.starts is None
    sample = sampled(costs, OPTIMUM, found, Stopping(), BatchStateParams())
    assert sample is not None
    fewer_nodes(costs, sample, 1.4, Stopping(60), BatchStateParams())
    again = search(costs, OPTIMUM, Stopping())
    assert again.finished
    assert again.starts is None
    assert again.nodes < 0.6 * found.nodes
    best = search(costs, OPTIMUM + 1, Stopping())
    assert best.starts is not None
    assert best.starts.sum() + costs.states.instance.total_output == OPTIMUM


def test_without_time_duals_stay(costs: CostsToGo) -> None:
    found = search(costs, OPTIMUM, Stopping())
    sample = sampled(costs, OPTIMUM, found, Stopping(), BatchStateParams())
    assert sample is not None
    before, values = costs.duals.copy(), costs.values.copy()
    fewer_nodes(costs, sample, 1.4, Stopping(0), BatchStateParams())
    assert costs.duals.tolist() == before.tolist()
    assert (costs.values == values).all()
    nothing = sampled(costs, OPTIMUM, found, Stopping(), BatchStateParams(sampled_nodes=0))
    assert nothing is None


def test_what_is_proved_with_them_is_checked(instance: Instance) -> None:
    proofs = []
    for many in (10**18, 0):
        params = SolverParams(batch_state=BatchStateParams(many_nodes=many, first_sample=20))
        result = run_alone(
            BatchState(), instance, best_list_schedule(instance), Stopping(60), params
        )
        assert (result.status, result.objective) == (Status.OPTIMAL, OPTIMUM)
        (verdict,) = verdicts([certificate_text(certificate(result))], Stopping(60))
        assert verdict.holds
        assert (verdict.lower_bound, verdict.rule) == (OPTIMUM, "batch-state")
        proofs.append(result.certified.proof)
    assert proofs[0] is not None
    assert proofs[1] is not None
    assert np.any(np.array(proofs[0]["duals"]) != np.array(proofs[1]["duals"]))
    assert proofs[1]["nodes"] < proofs[0]["nodes"]


def test_without_time_there_is_no_sample(costs: CostsToGo) -> None:
    found = search(costs, OPTIMUM, Stopping())
    assert sampled(costs, OPTIMUM, found, Stopping(0), BatchStateParams()) is None
