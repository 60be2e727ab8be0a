"""The exhaustive search against brute force with the simulator and other solvers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import optimum as oracle
from strategies import POLICY_SPECS, instances

from kvopt import Decisions, Instance, Machine, Stopping, policy_from_spec, simulate
from kvopt.adversary import Limits, SearchConfiguration
from kvopt.adversary import enumerate as exhaustive
from kvopt.adversary import enumeration_kernel as enumeration
from kvopt.adversary.candidate import Candidate
from kvopt.adversary.cells import Cell, cells
from kvopt.adversary.closed_forms import _with_callees, compiled, plain
from kvopt.adversary.enumerate import run_unit
from kvopt.adversary.orders import has_classes, orders_to_try, outlived_slices
from kvopt.generate import generate_random
from kvopt.policies import FCFS, GSA, Policy
from kvopt.policies.fcfs import fcfs_cost, worst_fcfs
from kvopt.policies.policy import Compiler, facts_of
from kvopt.solver.params import StateSearchParams
from kvopt.solver.state_search import many
from kvopt.solver.state_search.kernel import STATE_SEARCH
from kvopt.solver.state_search.many import optima, optimum
from kvopt.theory.orders import distinct_orders

Requests = tuple[tuple[int, int], ...]


def simulated(policy: Policy, memory: int, requests: Sequence[tuple[int, int]]) -> int:
    instance = Instance(memory, *zip(*requests, strict=True))
    return simulate(instance, policy).total_completion_time()


def instances_of(cell: Cell) -> Iterator[Requests]:
    """Yield all instances of a cell in all orders, in the plainest way."""
    kinds = [(s, o) for s in range(cell.memory) for o in range(1, cell.memory - s + 1)]
    for requests in itertools.product(kinds, repeat=cell.requests):
        if (len({s for s, _ in requests}) > 1) == cell.mixed:
            yield requests


def by_brute_force(spec: str, cell: Cell, against: str | None = None) -> Fraction:
    policy, best = policy_from_spec(spec), Fraction(0)
    other = policy_from_spec(against) if against else None
    references: dict[Requests, int] = {}
    for requests in instances_of(cell):
        kinds = tuple(sorted(requests))
        if other:
            reference = simulated(other, cell.memory, requests)
        elif kinds not in references:
            references[kinds] = reference = oracle.optimum(cell.memory, list(kinds))
        else:
            reference = references[kinds]
        best = max(best, Fraction(simulated(policy, cell.memory, requests), reference))
    return best


def unit_of(spec: str, cell: Cell, against: str | None = None) -> exhaustive.WorkUnit:
    limits = Limits(cell.requests, cell.memory, mixed=True)
    configuration = SearchConfiguration(spec, against, limits, 0, "exhaustive")
    return run_unit(configuration, cells(limits).index(cell), Stopping())


@pytest.mark.parametrize(
    ("spec", "cell"),
    [
        ("gsa:alpha=2", Cell(5, 3)),
        ("gsa:alpha=2", Cell(8, 2)),
        ("gsa:alpha=2", Cell(5, 2, mixed=True)),
        ("gsa:alpha=phi:beta=2", Cell(4, 2, mixed=True)),
        ("gsa:spacing=tight:slices=area", Cell(5, 3)),
        ("gba:alpha=2", Cell(5, 3)),
        ("gba", Cell(5, 2, mixed=True)),
        ("gba:drain=no", Cell(5, 2)),
        ("gba:drain=no", Cell(4, 2, mixed=True)),
        ("mc-sf", Cell(5, 3)),
        ("mc-sf", Cell(5, 2, mixed=True)),
        ("fcfs", Cell(4, 3)),
        ("a-max", Cell(4, 3)),
        ("a-max:width=2", Cell(4, 2, mixed=True)),
        ("sorted-f", Cell(4, 3)),
        ("gsa-spec:alpha=2", Cell(4, 2)),
    ],
)
def test_a_unit_finds_the_worst_of_all(spec: str, cell: Cell) -> None:
    unit = unit_of(spec, cell)
    assert unit.complete
    worst = unit.records[-1]
    assert worst.ratio == by_brute_force(spec, cell)
    requests = list(zip(*(row.tolist() for row in worst.candidate.arrays()), strict=True))
    assert worst.candidate.memory == cell.memory
    assert worst.cost == simulated(policy_from_spec(spec), cell.memory, requests)
    assert worst.reference == oracle.optimum(cell.memory, requests)
    assert [record.ratio for record in unit.records] == sorted(
        {record.ratio for record in unit.records}
    )
    assert unit == unit_of(spec, cell)


@pytest.mark.parametrize("cell", [Cell(4, 2), Cell(3, 2, mixed=True)])
def test_a_unit_compares_policies(cell: Cell) -> None:
    unit = unit_of("gsa:alpha=2", cell, "fcfs")
    assert unit.complete
    assert unit.records[-1].ratio == by_brute_force("gsa:alpha=2", cell, "fcfs")


def test_cells_are_all_there_is() -> None:
    limits = Limits(3, 4, mixed=True)
    found = list(cells(limits))
    assert len(set(found)) == len(found) == 3 * 4 + 2 * 3
    assert list(cells(Limits(3, 4))) == [cell for cell in found if not cell.mixed]
    for cell in found:
        expected = {tuple(sorted(requests)) for requests in instances_of(cell)}
        sets = list(exhaustive._sets(cell))
        assert {tuple(sorted(requests)) for requests in sets} == expected
        assert len(sets) == len(expected)


@pytest.mark.parametrize("mixed", [False, True])
def test_an_over_budget_leaves_a_unit_incomplete(mixed: bool) -> None:
    limits = Limits(4, 6, mixed=mixed)
    over = Stopping()
    over.interrupt()
    for spec in ("gsa:alpha=2", "fcfs"):
        configuration = SearchConfiguration(spec, None, limits, 0, "exhaustive")
        number = len(cells(limits)) - 1
        assert not run_unit(configuration, number, over).complete
        assert not run_unit(configuration, number, over).records


@pytest.mark.parametrize(
    "function",
    [enumeration.enumerate_multisets, enumeration.compiled()],
    ids=["plain", "compiled"],
)
@pytest.mark.parametrize("spec", ["gsa:alpha=2", "gsa:spacing=tight:slices=area", "gba"])
def test_enumeration_sees_every_instance(spec: str, function: object) -> None:
    policy = policy_from_spec(spec)
    memory, n = 7, 3
    for prompt in range(memory):
        lengths = np.arange(1, memory - prompt + 1)
        walk = enumeration.Enumeration(policy, memory, prompt, n, function, lengths)  # type: ignore[arg-type]
        rows = []
        while not walk.over:
            values, outputs = walk.more(Fraction(0), steps=5)
            rows += np.hstack([values, outputs]).tolist()
        assert walk.seen == len(rows) == enumeration.count_of(len(lengths), n)
        seen = [tuple(row[2:]) for row in rows]
        assert seen == [*itertools.combinations_with_replacement(lengths[::-1].tolist(), n)]
        for cost, bound, *outputs in rows:
            requests = [(prompt, output) for output in outputs]
            assert cost == simulated(policy, memory, requests)
            assert sum(outputs) <= bound <= optimum(memory, [prompt] * n, outputs)


def test_enumeration_keeps_what_may_be_worse() -> None:
    policy = GSA()
    everything, _ = enumeration.Enumeration(policy, 9, 1, 4).more(Fraction(0))
    ratio = sorted(Fraction(*row) for row in everything.tolist())[len(everything) // 2]
    kept, _ = enumeration.Enumeration(policy, 9, 1, 4).more(ratio)
    expected = [row for row in everything.tolist() if Fraction(*row) > ratio]
    assert kept.tolist() == expected
    assert expected


@settings(max_examples=60)
@given(st.sampled_from(POLICY_SPECS), instances(max_requests=4, max_memory=10))
def test_a_worst_order_is_tried(spec: str, instance: Instance) -> None:
    policy = policy_from_spec(spec)
    requests = [(r.prompt, r.output) for r in instance]
    tried = list(orders_to_try(policy, instance.memory, requests))
    every = set(itertools.permutations(requests))
    assert len(set(tried)) == len(tried)
    assert set(tried) <= every
    costs = {order: simulated(policy, instance.memory, order) for order in every}
    assert max(costs[order] for order in tried) == max(costs.values())


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=5))
def test_distinct_orders_are_all_there_are(requests: list[tuple[int, int]]) -> None:
    orders = list(distinct_orders(requests))
    assert orders == sorted(set(itertools.permutations(requests)), reverse=True)


@given(
    st.sampled_from([spec for spec in POLICY_SPECS if has_classes(policy_from_spec(spec))]),
    instances(max_requests=5, max_memory=12),
    st.integers(0, 4),
)
def test_the_starts_depend_on_the_classes_alone(spec: str, instance: Instance, i: int) -> None:
    policy = policy_from_spec(spec)
    requests = [(r.prompt, r.output) for r in instance]
    i %= len(requests)
    prompt, output = requests[i]
    floor = outlived_slices(policy, instance.memory, requests)[i]
    assert 0 <= floor < output
    shorter = [*requests[:i], (prompt, floor + 1), *requests[i + 1 :]]
    saved = output - floor - 1
    costs = [simulated(policy, instance.memory, these) for these in (requests, shorter)]
    assert costs[0] - costs[1] == saved
    if floor:  # one shorter still, and it completes earlier
        shortest = [*requests[:i], (prompt, floor), *requests[i + 1 :]]
        assert outlived_slices(policy, instance.memory, shortest)[i] < floor


@given(st.sampled_from(POLICY_SPECS), instances(max_requests=8, max_memory=20))
@pytest.mark.parametrize("compiler", [plain, compiled], ids=["plain", "compiled"])
def test_formulas_equal_the_simulator(compiler: Compiler, spec: str, instance: Instance) -> None:
    policy = policy_from_spec(spec)
    formula = policy.cost_formula(compiler)
    if formula is None:
        return
    cost = formula(instance.memory, instance.prompts, instance.outputs)
    if cost is None:
        assert instance.common_prompt is None
        return
    assert cost == simulate(instance, policy).total_completion_time()


def test_there_are_formulas() -> None:
    specs = ("gsa", "gsa:spacing=tight:slices=area", "gba:spacing=sps2", "mc-sf", "svf", "fcfs")
    for compiler in (plain, compiled):
        for spec in (*specs, "spt-pipeline"):
            formula = policy_from_spec(spec).cost_formula(compiler)
            assert formula is not None
            assert formula(4, np.array([1, 1]), np.array([2, 3])) is not None
    assert policy_from_spec("gsa:order=random").cost_formula(plain) is None
    assert policy_from_spec("a-min").cost_formula(plain) is None


def test_formulas_are_compiled_with_what_they_call() -> None:
    function = compiled(fcfs_cost)
    assert function is not fcfs_cost
    assert function is compiled(fcfs_cost)
    assert [f.__name__ for f in _with_callees(worst_fcfs)] == ["fcfs_cost", "worst_fcfs"]


@given(instances(max_requests=5, max_memory=8))
@pytest.mark.parametrize("compiler", [plain, compiled], ids=["plain", "compiled"])
def test_the_worst_order_of_fcfs(compiler: Compiler, instance: Instance) -> None:
    requests = [(r.prompt, r.output) for r in instance]
    found = FCFS().worst_order(instance.memory, requests, compiler)
    assert found is not None
    cost, order = found
    assert sorted(order) == sorted(requests)
    assert cost == simulated(FCFS(), instance.memory, order)
    every = distinct_orders(requests)
    assert cost == max(simulated(FCFS(), instance.memory, one) for one in every)


def test_what_is_known_of_a_policy_is_not_inherited() -> None:
    class Other(GSA):
        name = "other"

    class Restated(FCFS):
        name = "restated"
        cost_formula = FCFS.cost_formula
        worst_order = FCFS.worst_order

    class Duck:
        name = "duck"
        clairvoyant = False

        def run(self, machine: Machine) -> Decisions:
            yield from ()

        def guarantee(self, instance: Instance) -> None:
            return None

    assert facts_of(GSA()) == GSA()
    assert isinstance(facts_of(Restated()), Restated)
    for policy in (Other(), Duck()):
        facts = facts_of(policy)  # type: ignore[arg-type]
        assert facts.cost_formula(plain) is None
        assert facts.phases(9, 0) is None
        assert not facts.slice_lengths(9, 0)
        assert facts.outlived_slices(9, [(0, 1)]) is None
        assert facts.worst_order(9, [(0, 1)], plain) is None
        assert facts.never_cheaper() is None
        assert [*facts.worst_orders(9, [(0, 1), (0, 2)])] == [((0, 2), (0, 1)), ((0, 1), (0, 2))]


@pytest.mark.parametrize("compiled_or_plain", ["plain", "compiled"])
def test_a_cutoff_gives_the_optimum_or_what_reaches_it(compiled_or_plain: str) -> None:
    is_compiled = compiled_or_plain == "compiled"
    functions = STATE_SEARCH.compiled() if is_compiled else STATE_SEARCH.plain
    family, number = ("small", 12) if is_compiled else ("tiny", 10)
    problems = []
    for seed in range(number):
        instance = generate_random(family, 7, seed)
        problems.append((instance.memory, instance.prompts.tolist(), instance.outputs.tolist()))
    best = optima(problems, functions)
    for difference in (-(10**6), -20, -3, -1, 0, 1, 5, 10**6):
        cutoffs = [value + difference for value in best]
        found = optima(problems, functions, cutoffs)
        for value, limit, true in zip(found, cutoffs, best, strict=True):
            assert value == true if true < limit else limit <= value <= true


def test_cutoffs_hold_for_what_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = []
    for seed in range(12):
        instance = generate_random("tiny", 8, seed)
        problems.append((instance.memory, instance.prompts.tolist(), instance.outputs.tolist()))
    best = optima(problems)
    params = StateSearchParams(first_children=1)
    ran = []
    run = many.Search.run
    monkeypatch.setattr(many.Search, "run", lambda *these: [ran.append(1), run(*these)])
    for difference in (-3, 0, 1, 100):
        cutoffs = [value + difference for value in best]
        found = optima(problems, STATE_SEARCH.plain, cutoffs, params)
        for value, limit, true in zip(found, cutoffs, best, strict=True):
            assert value == true if true < limit else limit <= value <= true
    assert len(ran) > 5


def test_candidates_hold_the_order() -> None:
    candidate = Candidate.of(5, ((0, 3, 1), (0, 3, 2), (0, 1, 1), (0, 3, 1)))
    assert candidate.groups == ((0, 3, 3), (0, 1, 1), (0, 3, 1))
