"""Optima and bounds from batch states; see also proofs/companions/batch_state.py."""

from __future__ import annotations

import functools
import itertools
import random

import numpy as np
import pytest
from companions.checking import checker
from hypothesis import given, settings
from hypothesis import strategies as st
from small_instances import optimum_of, random_instance, types_of
from strategies import feasible_starts, instances

from kvopt import Instance, Status, Stopping, solve
from kvopt.certificates.checker import verdicts
from kvopt.certificates.write import certificate, certificate_text
from kvopt.generate import generate_random
from kvopt.model.instance import IntArray
from kvopt.solver.params import BatchStateParams, SolverParams
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.batch_state.costs_to_go import SCALE, CostsToGo, DualAscent
from kvopt.solver.relaxations.batch_state.search import can_search, search
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL, Functions
from kvopt.solver.relaxations.batch_state.stage import BatchState
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.result import Result
from kvopt.solver.sizes import batch_states_have_room, number_of_batch_states
from kvopt.solver.solve import Step
from kvopt.solver.stage import run_alone
from kvopt.solver.state_search.state_graph import solve_by_state_graph

PLAIN = BATCH_STATE_KERNEL.plain
Refused = checker().Refused


@pytest.fixture(scope="module")
def compiled() -> Functions:
    return BATCH_STATE_KERNEL.compiled()


def shortened(number: int, n: int) -> Instance:
    whole = generate_random("model1", 1, number)
    return Instance(whole.memory, whole.prompts[:n], whole.outputs[:n])


def with_params(**numbers: float) -> SolverParams:
    return SolverParams(batch_state=BatchStateParams(**numbers))  # type: ignore[arg-type]


def guessed(instance: Instance, horizon: int, functions: Functions) -> CostsToGo:
    """Costs-to-go for the first duals."""
    costs = CostsToGo(BatchStates(instance), horizon, functions)
    costs.settle((costs.states.first_duals() * SCALE).astype(np.int64))
    return costs


def cost(instance: Instance, starts: IntArray) -> int:
    return int(starts.sum()) + instance.total_output


def alone(
    instance: Instance,
    starts: IntArray | None = None,
    stop: Stopping | None = None,
    functions: Functions | None = None,
    params: SolverParams | None = None,
) -> Result:
    known = best_list_schedule(instance) if starts is None else starts
    return run_alone(BatchState(functions), instance, known, stop or Stopping(), params)


@settings(max_examples=30, deadline=None)
@given(instances(max_requests=6, max_memory=10), st.data())
def test_closes_the_bracket_of_tiny_instances(instance: Instance, data: st.DataObject) -> None:
    known = np.array(data.draw(feasible_starts(instance)))
    result = alone(instance, known, functions=PLAIN)
    assert result.status is Status.OPTIMAL
    assert result.objective == solve_by_state_graph(instance).objective


@given(instances(max_requests=6, max_memory=10))
def test_the_states_are_all_multisets_that_fit(instance: Instance) -> None:
    """Their number, and how they lead to one another, one by one from the definition."""
    states = BatchStates(instance)
    table, types = states.table, states.types
    all_members = [states.members(i) for i in range(len(states))]
    number = {members: i for i, members in enumerate(all_members)}
    assert len(number) == len(states) == number_of_batch_states(instance)
    longest = {s: max(r.output for r in instance if r.prompt == s) for s in types.prompts.tolist()}
    type_of = {(r.peak, r.prompt): k for k, r in enumerate(types.requests)}
    assert table.running.tolist() == [len(members) for members in all_members]
    assert sorted(table.running.tolist()) == table.running.tolist()
    for i, members in enumerate(all_members):
        assert sum(b for b, _ in members) <= instance.memory
        assert all(s < b <= s + longest[s] for b, s in members)
        assert table.aged[i] == number.get(tuple((b + 1, s) for b, s in members), -1)
        for p, s in enumerate(sorted(longest)):
            more = tuple(sorted((*members, (s + 1, s))))
            assert table.admitted[p, i] == number.get(more, -1)
        completions = set()
        for j, member in enumerate(members):
            if member in type_of:
                rest = members[:j] + members[j + 1 :]
                completions.add((number[rest], type_of[member]))
        found = range(table.first[i], table.first[i + 1])
        assert len(found) == len(completions)
        assert {(table.completed[e], table.shape[e]) for e in found} == completions


def test_too_many_states_are_not_tried() -> None:
    instance = generate_random("model1", 1, 0)
    assert batch_states_have_room(instance, 600)
    assert not batch_states_have_room(instance, 10**6)
    assert not batch_states_have_room(instance, 600, BatchStateParams(most_states=1000))
    assert not batch_states_have_room(instance, 600, BatchStateParams(most_costs=10**5))
    assert not batch_states_have_room(Instance(100, [0] * 3, [40, 50, 100]), 200)
    assert not batch_states_have_room(Instance(10**9, [0], [10**9]), 200)


def test_the_horizon_leaves_room_for_the_duals() -> None:
    params = BatchStateParams()
    assert params.horizon(529) == 563
    assert params.horizon(1) == 2
    assert params.horizon(990_000) == 1_000_000
    assert params.horizon(2_000_000) == 2_000_000


def test_proves_twenty_requests_of_the_published_setting() -> None:
    instance = shortened(5, 20)
    result = solve(instance, 60)
    assert (result.status, result.objective, result.rule) == (Status.OPTIMAL, 1330, "batch-state")
    (verdict,) = verdicts([certificate_text(certificate(result))], Stopping(60))
    assert verdict.holds
    found = (verdict.lower_bound, verdict.upper_bound, verdict.rule)
    assert found == (1330, 1330, "batch-state")


def test_runs_in_a_plan_of_its_own() -> None:
    instance = shortened(5, 15)
    result = solve(instance, 60, plan=[Step(BatchState())])
    assert [stage.name for stage in result.stages] == ["batch-state"]
    assert (result.status, result.objective) == (Status.OPTIMAL, 927)
    assert result.certified_lower_bound == 927


@pytest.mark.parametrize("limit", ["search_nodes", "time_nodes"])
def test_a_search_that_is_cut_off_leaves_a_true_bracket(limit: str) -> None:
    instance = shortened(10, 12)
    optimum = alone(instance)
    assert optimum.status is Status.OPTIMAL
    result = alone(instance, params=with_params(**{limit: 4, "first_pool": 1}))
    assert result.status is Status.BRACKET
    assert result.lower_bound <= optimum.objective <= result.objective


def test_a_node_limit_leaves_the_same_bracket_each_time() -> None:
    instance = shortened(40, 20)
    found = [alone(instance, stop=Stopping(node_limit=20_000)) for _ in range(2)]
    brackets = [(result.lower_bound, result.objective) for result in found]
    assert brackets[0] == brackets[1]
    assert brackets[0][0] < brackets[0][1]
    assert found[0].starts.tolist() == found[1].starts.tolist()
    assert found[0].bound.proof == found[1].bound.proof


@pytest.mark.parametrize("first", [0, 1, 3])
def test_small_pools_grow_without_a_difference(first: int, compiled: Functions) -> None:
    instance = shortened(5, 12)
    costs = guessed(instance, 200, compiled)
    cutoff = cost(instance, best_list_schedule(instance)) + 1
    wide = search(costs, cutoff, Stopping())
    narrow = search(costs, cutoff, Stopping(), params=BatchStateParams(first_pool=first))
    assert wide.starts is not None
    assert narrow.starts is not None
    assert (wide.nodes, wide.starts.sum()) == (narrow.nodes, narrow.starts.sum())


def test_a_beam_proves_nothing(compiled: Functions) -> None:
    instance = shortened(5, 15)
    costs = guessed(instance, 300, compiled)
    optimum = 927
    exact = search(costs, optimum + 5, Stopping())
    assert exact.finished
    assert exact.starts is not None
    assert cost(instance, exact.starts) == optimum
    for width in (1, 30):
        assert not search(costs, optimum + 5, Stopping(), width).finished
    assert not search(costs, optimum + 5, Stopping(0)).finished


def test_a_beam_that_leaves_nothing_out_is_a_search(compiled: Functions) -> None:
    costs = guessed(shortened(5, 12), 200, compiled)
    exact = search(costs, 700, Stopping())
    beam = search(costs, 700, Stopping(), 10**6)
    assert exact.finished
    assert (beam.finished, beam.nodes) == (True, exact.nodes)


def test_costs_to_go_that_do_not_fit_are_not_used() -> None:
    instance = generate_random("tiny", 1, 3)
    costs = CostsToGo(BatchStates(instance), 20, PLAIN, scale=1 << 45)
    ascent = DualAscent(costs, BatchStateParams())
    assert ascent.run([costs.states.first_duals()], Stopping()) is None
    fits = np.zeros(len(costs.states.types))
    assert ascent.run([fits, costs.states.first_duals()], Stopping()) is None


def test_duals_that_do_not_fit_prove_nothing() -> None:
    instance = Instance(8, [0] * 3, [1, 2, 3])
    costs = CostsToGo(BatchStates(instance), 20, PLAIN)
    assert costs.settle(np.array([-(1 << 40), 0, 0])) is not None  # nobody completes that one
    costs.horizon = 1 << 30
    assert costs.settle(np.array([1 << 30, 0, 0])) is None


def test_too_many_requests_to_count_are_bounded_all_the_same(compiled: Functions) -> None:
    outputs = [1 + i % 31 for i in range(3 * 31)]
    instance = Instance(60, [20] * len(outputs), outputs)
    costs = CostsToGo(BatchStates(instance), 30, compiled)
    assert not can_search(costs)  # 4 ** 31 sets of completions
    assert can_search(CostsToGo(BatchStates(shortened(0, 10)), 3, compiled))
    result = alone(instance, functions=compiled)
    assert 0 < result.lower_bound <= result.objective
    assert result.bound.proof is not None
    assert result.bound.proof["nodes"] == 0


def test_promising_states_are_those_on_cheap_paths() -> None:
    rng = random.Random(5)
    chosen = 0
    for number in range(10):
        instance = generate_random("tiny", 40, number)
        costs = CostsToGo(BatchStates(instance), 25, PLAIN)
        duals = np.array([rng.randint(0, 12) * SCALE for _ in costs.states.types.counts])
        value = costs.settle(duals)
        assert value is not None
        whole = costs.values.copy()
        if not costs.choose(0, costs.values.size // 4):
            continue
        chosen += 1
        assert costs.settle_chosen(duals) == value
        kept = costs.values[1:] < 1 << 30
        assert (costs.values[1:][kept] >= whole[1:][kept]).all()
        other = np.maximum(0, duals - rng.randint(0, 3) * SCALE)
        few = costs.settle_chosen(other)
        full = costs.settle(other)
        assert few is not None
        assert full is not None
        assert few >= full
    assert chosen > 0


def test_looking_at_promising_states_finds_the_same(compiled: Functions) -> None:
    instance = shortened(5, 20)
    found = []
    for few in (10**9, 0):
        costs = CostsToGo(BatchStates(instance), 300, compiled)
        ascent = DualAscent(costs, BatchStateParams(few_costs=few))
        value = ascent.run([costs.states.first_duals()], Stopping(60))
        assert value is not None
        assert value == costs.settle(costs.duals) == ascent.best * SCALE
        found.append(value / SCALE)
    assert found[0] == pytest.approx(found[1], rel=2e-3)
    assert max(found) <= 1330


@pytest.mark.parametrize("misled_looks", [0, 1])
def test_misled_often_enough_the_ascent_looks_at_all_states(
    misled_looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = generate_random("tiny", 38, 2)
    costs = guessed(instance, instance.total_output, PLAIN)
    settle, calls = costs.settle, []

    def settle_chosen(duals: IntArray) -> int | None:
        """Promise more than there is."""
        calls.append("chosen")
        value = settle(duals)
        return value and value + 100 * SCALE + int(duals.sum())

    def settle_all(duals: IntArray) -> int | None:
        calls.append("all")
        return settle(duals)

    monkeypatch.setattr(costs, "choose", lambda margin, most: True)
    monkeypatch.setattr(costs, "settle_chosen", settle_chosen)
    monkeypatch.setattr(costs, "settle", settle_all)
    params = BatchStateParams(few_costs=0, promising_steps=3, misled_looks=misled_looks)
    ascent = DualAscent(costs, params)
    value = ascent.run([costs.states.first_duals()], Stopping(60))
    runs = [(call, len(list(some))) for call, some in itertools.groupby(calls)]
    assert [call for call, _ in runs].count("chosen") == 1 + misled_looks
    assert runs[-1][0] == "all"
    assert runs[-1][1] > 5
    assert value == ascent.best * SCALE


def test_the_ascent_ends_where_too_many_states_are_on_cheapest_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However small the margin, they are not few enough: all are looked at."""
    instance = generate_random("tiny", 38, 2)
    costs, usual = (guessed(instance, instance.total_output, PLAIN) for _ in range(2))
    allowed = []

    def choose(margin: int, most: int) -> bool:
        allowed.append(margin)
        return False

    monkeypatch.setattr(costs, "choose", choose)
    first = [costs.states.first_duals()]
    value = DualAscent(costs, BatchStateParams(few_costs=0)).run(first, Stopping())
    assert allowed[-1] == 0
    assert len(allowed) < 50
    assert value == DualAscent(usual, BatchStateParams()).run(first, Stopping())


@pytest.mark.parametrize("fast", [False, True])
def test_the_checker_agrees(fast: bool, compiled: Functions) -> None:
    """The checker proves no less, with no more nodes: it knows what completions may cost."""
    rng = random.Random(3)
    tight = 0
    for _ in range(100):
        instance = random_instance(rng)
        best, types = optimum_of(instance), types_of(instance)
        costs = CostsToGo(BatchStates(instance), rng.randint(1, 15), compiled if fast else PLAIN)
        size = rng.choice([5, 20, 1000])
        value = costs.settle(np.array([rng.randint(-size, size) * SCALE // 7 for _ in types]))
        assert value is not None
        by = functools.partial(checker().bound, instance.memory, types)
        proved = by(costs.content(0), 10**9)
        assert -(-value // SCALE) <= proved <= best
        tight += proved == best
        if proved < best:
            below = search(costs, best, Stopping())
            assert (below.finished, below.starts) == (True, None)
            assert by(costs.content(below.nodes), best) == best
            with pytest.raises(Refused, match="a schedule costs less"):
                by(costs.content(10**7), best + 1)
            found = search(costs, best + 1 + rng.randint(0, 9), Stopping())
            assert found.starts is not None
            assert cost(instance, found.starts) == best
    assert tight > 5


def test_compiled_and_plain_functions_agree(compiled: Functions) -> None:
    instance = shortened(5, 5)
    found = []
    for functions in (compiled, PLAIN):
        result = alone(instance, functions=functions)
        found.append((result.objective, result.bound.proof, result.starts.tolist()))
    assert found[0] == found[1]


def test_nothing_is_compiled_beside_the_warm_up(compiled: Functions) -> None:
    before = [len(function.signatures) for function in compiled]  # type: ignore[attr-defined]
    alone(shortened(5, 15), params=with_params(few_costs=0))
    assert [len(f.signatures) for f in compiled] == before == [1] * len(before)  # type: ignore[attr-defined]
