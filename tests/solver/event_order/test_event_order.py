"""Branching on what runs at completions: optima at every magnitude, each with its proof."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from small_instances import optimum_of, random_instance, random_released_instance

from kvopt import Instance, Stopping, solve
from kvopt.certificates.checker import verdicts
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import certificate, certificate_text
from kvopt.generate import generate_random
from kvopt.solver.event_order.fewer_rows import drop_rows, value_of
from kvopt.solver.event_order.linear_program import (
    AREA,
    BEFORE,
    BOUND,
    CLOSED,
    GAP,
    MEMORY,
    RUNNING,
    START,
    raise_bound,
    requests_of,
    reset,
    set_heads,
)
from kvopt.solver.event_order.prices import Prices, convex, known_prices, least_cost
from kvopt.solver.event_order.proof import Said, _Leaves, _Writer, proof_of
from kvopt.solver.event_order.records import AT, BEST, LEAF, RECORDS, open_root, parts_of, tree_for
from kvopt.solver.event_order.search import Search
from kvopt.solver.event_order.search_kernel import (
    DONE,
    EVENT_ORDER,
    FAILED,
    MORE,
    Room,
    branch,
    enter_path,
    is_schedule,
    room_for,
)
from kvopt.solver.event_order.shorten import Shortening, shortened
from kvopt.solver.event_order.stage import EventOrder
from kvopt.solver.params import EventOrderParams, SolverParams
from kvopt.solver.result import Result
from kvopt.solver.stage import Incumbent, run_alone

TWO = Instance(10, [1, 2], [6, 5])


def solved(instance: Instance, params: SolverParams | None = None) -> Result:
    return run_alone(EventOrder(), instance, solve(instance, 0).starts, Stopping(60), params)


def random_problem(rng: random.Random) -> Instance:
    return random_instance(rng) if rng.random() < 0.5 else random_released_instance(rng)


def test_optima_are_those_of_brute_force_and_the_checker_agrees() -> None:
    rng = random.Random(91)
    problems = [random_problem(rng) for _ in range(120)]
    results = [solved(problem) for problem in problems]
    for problem, result in zip(problems, results, strict=True):
        assert result.certified.rule == "event-order", problem
        assert result.certified_lower_bound == result.objective == optimum_of(problem), problem
    for verdict in verdicts([certificate_text(certificate(result)) for result in results]):
        assert verdict.holds, verdict.reason
        assert verdict.rule == "event-order"
        assert verdict.lower_bound == verdict.upper_bound


def test_prices_prove_what_brute_force_finds() -> None:
    """Step by step, with the duals of a small grid program; targets below the optimum hold, too."""
    rng = random.Random(97)
    params = SolverParams(event_order=EventOrderParams(least_priced=1, first_step=0.3, quick=0))
    problems = [random_problem(rng) for _ in range(25)]
    results = [solved(problem, params) for problem in problems]
    rows = set()
    for problem, result in zip(problems, results, strict=True):
        assert result.certified_lower_bound == result.objective == optimum_of(problem), problem
        if result.certified.rule == "event-order":
            proof = result.certified.proof
            assert proof is not None
            rows |= {row[1] for node in proof["tree"] for row in node.get("rows", [])}
            assert "prices" in proof
    assert rows >= {"price", "memory", "gap"}
    for verdict in verdicts([certificate_text(certificate(result)) for result in results]):
        assert verdict.holds, verdict.reason


def test_the_cheapest_start_is_that_of_all() -> None:
    rng = random.Random(98)
    for _ in range(200):
        costs = [convex(np.array([rng.randint(0, 40) for _ in range(8)] + [0])) for _ in range(2)]
        prices = [Prices({}, 1, 0, [row]) for row in costs]
        priced = {k: rng.randint(1, 4) for k in range(rng.randint(0, 2))}
        rate, head = rng.randint(0, 40), rng.randint(0, 12)
        every = [
            rate * t + sum(y * costs[k][t] for k, y in priced.items() if t < 9)
            for t in range(head, head + 20)
        ]
        assert least_cost(prices, priced, 0, rate, head) == min(every)


@pytest.mark.parametrize("scale", [10, 1_000, 100_000])
@pytest.mark.parametrize(("requests", "number"), [(2, 0), (4, 1), (6, 3), (8, 0), (8, 3)])
def test_few_requests_are_solved_at_every_magnitude(requests: int, number: int, scale: int) -> None:
    small = generate_random(f"small:requests={requests}", 1, number)
    large = Instance(small.memory * scale, small.prompts * scale, small.outputs * scale)
    result = solve_certified(large, 30)
    assert result.certified_lower_bound == result.objective
    assert scale == 10 or result.seconds < 20


def test_compiled_and_plain_functions_do_the_same() -> None:
    rng = random.Random(92)
    for _ in range(12):
        instance = random_problem(rng)
        runs = []
        for functions in (EVENT_ORDER.plain, EVENT_ORDER.compiled()):
            best = int(solve(instance, 0).starts.sum())
            open_nodes = open_root(len(instance), best, best - 1 + 1e-3, 80)
            tree, room = tree_for(len(instance), 500), room_for(len(instance), 80)
            requests = requests_of(instance)
            end = functions.explore(requests, open_nodes, tree, room, 300, 60, 40, 1e-3)
            runs.append((end, open_nodes.numbers.tolist(), tree.nodes.tolist()))
        assert runs[0] == runs[1]
        assert runs[0][0] == DONE


def test_a_run_goes_on_where_it_was() -> None:
    instance = generate_random("small:requests=6", 1, 3)
    requests, best = requests_of(instance), int(solve(instance, 0).starts.sum())
    runs = []
    for nodes in (7, 100_000):
        open_nodes = open_root(6, best, best - 1 + 1e-3, 80)
        tree, room = tree_for(6, 9_000), room_for(6, 80)
        end = MORE
        while end == MORE:
            end = EVENT_ORDER.compiled().explore(
                requests, open_nodes, tree, room, nodes, 60, 40, 1e-3
            )
        runs.append((open_nodes.numbers.tolist(), tree.nodes.tolist(), tree.duals.tolist()))
    assert runs[0] == runs[1]


def test_a_proof_of_less_is_not_called_a_proof_of_more() -> None:
    """A tree made for one cost proves little or nothing of a higher one."""
    for number in range(10):
        instance = generate_random("tiny", 93, number)
        result = solve(instance, 10)
        fixed = instance.total_output
        best = result.objective - fixed
        n = len(instance)
        open_nodes = open_root(n, best, best - 3 + 1e-3, 200)  # parts of one less are left open
        tree, room = tree_for(n, 5_000), room_for(n, 200)
        args = (requests_of(instance), open_nodes, tree, room, 9_000, 60, 40, 1e-3)
        assert EVENT_ORDER.compiled().explore(*args) == DONE
        records = int(open_nodes.numbers[2])
        bound = proof_of(instance, tree, records, result.objective, Stopping())
        assert bound is not None
        assert bound.value <= result.objective
        state = run_alone(EventOrder(), instance, result.starts, Stopping(9))
        assert state.certified_lower_bound == result.objective


def test_duals_are_computed_anew_where_floats_are_not_enough() -> None:
    small = generate_random("small:requests=8", 1, 0)
    large = Instance(small.memory * 100_000, small.prompts * 100_000, small.outputs * 100_000)
    result = solved(large)
    assert result.certified_lower_bound == result.objective == 11_000_000
    rough = solved(generate_random("small:requests=5", 1, 2))
    assert rough.certified_lower_bound == rough.objective


def test_exact_duals() -> None:
    leaves = _Leaves(TWO)
    rows = [[0, 0, 0, 0], [2, 0, 1, 6], [2, 1, 0, 5]]
    assert leaves.exact(rows, False, 9) == [Fraction(2), Fraction(1), Fraction(0)]
    duals = leaves.exact(rows, True, 50)  # both after each other: there is no solution
    assert duals is not None
    found, value = leaves.rounded(rows, duals, Said([0, 0], {(0, 1): 6, (1, 0): 5}, {}, set()), 30)
    assert value >= 50
    assert {tuple(row[1:]) for row in found} == {("gap", 0, 1), ("gap", 1, 0)}
    assert leaves.exact([rows[1], rows[1], rows[2]], False, 9) is None


@pytest.mark.parametrize("priced", [False, True])
def test_leaves_that_fall_short_are_searched_again(priced: bool) -> None:
    """Leaves lose duals, and others should not be leaves: what is written proves all the same."""
    rng = random.Random(99)
    spoiled, cut_off, results = 0, 0, []
    for _ in range(60):
        problem = random_problem(rng)
        state = Incumbent(problem, SolverParams.usual())
        state.offer(solve(problem, 10).starts)
        search = Search(state, known_prices(state, Stopping()) if priced else [])
        run = search.run(state.objective, Stopping())
        assert run is not None
        nodes = run.tree.nodes[: run.open_nodes.numbers[RECORDS]]
        for kind, _, _, parent, _, leaf in nodes.tolist():
            if kind == LEAF and leaf >= 0 and rng.random() < 0.3:
                run.tree.duals[leaf] *= rng.random()
                spoiled += 1
                if parent >= 0 and rng.random() < 0.5:
                    nodes[parent, 0], nodes[parent, 5] = LEAF, leaf
                    cut_off += 1
        search.prove(run, Stopping())
        assert state.certified.value == state.objective == optimum_of(problem), problem
        results.append(state.result())
    assert spoiled > 9
    assert cut_off > 3
    for verdict in verdicts([certificate_text(certificate(result)) for result in results]):
        assert verdict.holds, verdict.reason
        assert verdict.lower_bound == verdict.upper_bound


@pytest.mark.parametrize("priced", [False, True])
def test_parts_are_replaced_by_smaller_ones(priced: bool) -> None:
    """The tree stays complete, never has more nodes, and proves the same."""
    rng = random.Random(100)
    fewer, results = 0, []
    problems = [random_problem(rng) for _ in range(30)]
    problems += [generate_random("small:requests=7", 1, number) for number in range(4)]
    for problem in problems:
        state = Incumbent(problem, SolverParams.usual(), certify=True)
        state.offer(solve(problem, 10).starts)
        search = Search(state, known_prices(state, Stopping()) if priced else [])
        run = search.run(state.objective, Stopping())
        assert run is not None
        records, wanted = int(run.open_nodes.numbers[RECORDS]), state.objective - search.fixed
        shortening = Shortening(search.requests, wanted, search.margin, 60, Stopping())
        tree, less = shortened(shortening, run.tree, records, 0)
        fewer += records - less
        assert less <= records
        assert (parts_of(tree, less)[tree.nodes[:less, 0] != LEAF, :2] > 0).all()
        bound = proof_of(problem, tree, less, state.objective, Stopping(), search.prices)
        assert bound is not None
        state.prove(bound)
        assert state.certified.value == state.objective, problem
        results.append(state.result())
    assert fewer > 20
    for verdict in verdicts([certificate_text(certificate(result)) for result in results]):
        assert verdict.holds, verdict.reason


def test_a_certificate_that_is_asked_for_is_shortened() -> None:
    """Until it is short enough, and only if one is asked for."""
    instance = generate_random("small:requests=7", 1, 0)
    sizes = []
    for certify, enough in ((False, 0), (True, 10**9), (True, 0)):
        params = SolverParams(event_order=EventOrderParams(short_enough=enough))
        state = Incumbent(instance, params, certify=certify)
        state.offer(solve(instance, 10).starts)
        state.run(EventOrder(), Stopping(60))
        assert state.certified.value == state.objective
        assert state.certified.proof is not None
        sizes.append(len(state.certified.proof["tree"]))
    assert sizes[0] == sizes[1] > sizes[2]


def test_runs_go_on_from_what_was_learnt() -> None:
    """They begin with the states that leaves needed, and change a copy of their own."""
    instance = generate_random("small:requests=7", 1, 3)
    state = Incumbent(instance, SolverParams.usual())
    state.offer(solve(instance, 10).starts)
    search = Search(state)
    run = search.run(state.objective, Stopping())
    assert run is not None
    learnt = run.room.conflicts.activity.copy()
    assert learnt.max() > 0
    assert not search.begin(state.objective).room.conflicts.activity.any()
    later = search.begin(state.objective, None, run)
    assert (later.room.conflicts.activity == learnt).all()
    assert later.room.conflicts.unit[0] == run.room.conflicts.unit[0] > 1
    assert search.go_on(later, Stopping()) == DONE
    assert (run.room.conflicts.activity == learnt).all()
    assert (later.room.conflicts.activity != learnt).any()
    small = Shortening(search.requests, 1, search.margin, 10, Stopping(), run.room.conflicts)
    assert (small.room.conflicts.activity == learnt).all()


def test_a_leaf_that_no_search_closes_proves_less() -> None:
    """Where all are tried in vain the bound is what the leaves say, and not the target."""
    leaves, wanted = _Leaves(TWO), 7  # an optimum of 6 as the sum of starts
    writer = _Writer(leaves, requests_of(TWO), wanted, leaves.bits(wanted), Stopping())
    nodes, value = writer.again([], (0.02,))
    assert 0 < value < wanted
    assert nodes


def test_a_run_may_be_interrupted() -> None:
    """What it does does not depend on that, and better schedules found meanwhile lower the cut."""
    instance = generate_random("long", 1, 14)
    trees = []
    for often in (1, 9):
        state = Incumbent(instance, SolverParams.usual())
        state.offer(solve(instance, 0).starts)
        search = Search(state)
        run, end = search.begin(state.objective), MORE
        while end == MORE:
            end = search.go_on(run, Stopping(node_limit=2_000 if often > 1 else np.inf))
        assert end == DONE
        trees.append(run.tree.nodes[: run.open_nodes.numbers[RECORDS]].tolist())
        search.prove(run, Stopping())
        assert state.certified.value == state.objective
    assert trees[0] == trees[1]
    search, late = Search(state), Search(state).begin(state.objective + 100)
    assert search.go_on(late, Stopping()) == DONE
    assert late.open_nodes.numbers[BEST] + search.fixed == state.objective


def test_rows_of_the_kernel_are_those_of_the_proof() -> None:
    """Right-hand sides and coefficients, in floats and in integers, at the end of a search."""
    kinds = set()
    for number in (6, 13, 14, 16):
        instance = generate_random("long", 1, number)
        open_nodes = open_root(len(instance), 10**6, 10.0**6, 300)
        tree, room = tree_for(len(instance), 900), room_for(len(instance), 300)
        end = EVENT_ORDER.compiled().explore(
            requests_of(instance), open_nodes, tree, room, 200, 60, 40, 1e-3
        )
        assert end != FAILED
        leaves = _Leaves(instance)
        for depth in range(8):
            if not room.basis.inverse[depth].any():
                continue
            rows, right = room.basis.rows[depth], room.basis.right[depth]
            matrix = np.zeros((len(instance), len(instance)))
            for q, row in enumerate(rows.tolist()):
                column, value, area = leaves.coefficients(row)
                assert right[q] == pytest.approx(value / area, rel=1e-9, abs=1e-6)
                for i, a in column:
                    matrix[i, q] += a / area
                kinds.add(row[0])
            product = room.basis.inverse[depth] @ matrix
            assert np.allclose(product, np.eye(len(instance)), atol=1e-6)
    assert {GAP, MEMORY, AREA} <= kinds


def opened(instance: Instance, decided: Sequence[tuple[int, int, int, int]] = ()) -> Room:
    """Return room in which the root is to be solved, below some decisions, at depth 0."""
    requests, room = requests_of(instance), room_for(len(instance), 30)
    enter_path(room, decided)
    set_heads(requests, room.path, len(decided), 0, room.scratch.heads)
    reset(requests, room.basis, 0)
    return room


def test_a_leaf_keeps_the_rows_that_it_needs() -> None:
    """They prove the cut, are a combination of rows as before, and others are left out."""
    rng = random.Random(101)
    before = after = 0
    for number in range(40):
        instance = generate_random("long", 1, number)
        n, leaves = len(instance), _Leaves(instance)
        pairs = rng.sample(list(itertools.permutations(range(n), 2)), 12)
        decided = [(AT, k, j, rng.choice([BEFORE, RUNNING, RUNNING])) for k, j in pairs]
        if leaves.said(decided) is None:
            decided = decided[:3]
        ends = []
        for cut in (1e9, None):
            room = opened(instance, decided)
            args = (requests_of(instance), room.path, len(decided), 0, room.basis, 0, room.scratch)
            goal = rng.uniform(0.3, 0.9) * ends[0][0] if cut is None else cut
            ends.append(raise_bound(*args, goal, 200, True))
        if ends[0][1] != BOUND:
            continue
        assert ends[1][1] == CLOSED
        rows, duals = room.basis.rows[0], room.basis.duals[0]
        before += int(((rows[:, 0] != START) & (duals > 1e-9)).sum())
        drop_rows(args[0], room.basis, 0, room.scratch, goal)
        after += int(((rows[:, 0] != START) & (duals > 1e-9)).sum())
        assert value_of(room.basis, 0) >= goal - 1e-6
        assert duals.min() >= 0
        total, right = np.zeros(n), 0.0
        for row, dual in zip(rows.tolist(), duals.tolist(), strict=True):
            column, side, area = leaves.coefficients(row)
            right += dual * side / area
            for i, a in column:
                total[i] += dual * a / area
        assert np.allclose(total, 1)
        assert right == pytest.approx(value_of(room.basis, 0))
    assert 20 < after < 0.8 * before


def test_trials_know_less_than_nodes() -> None:
    """Rows of areas, which they leave out, can only raise a bound."""
    rng, lower = random.Random(102), 0
    for _ in range(30):
        instance = random_problem(rng)
        bounds = []
        for areas in (False, True):
            room = opened(instance)
            bounds.append(
                raise_bound(
                    requests_of(instance), room.path, 0, 0, room.basis, 0, room.scratch,
                    1e9, 200, areas,
                )[0]
            )  # fmt: skip
        assert bounds[0] <= bounds[1] + 1e-6
        lower += bounds[0] < bounds[1] - 1e-6
    assert lower > 5


def test_schedules_are_checked_in_integers() -> None:
    requests = requests_of(TWO)
    assert is_schedule(requests, np.array([0, 6]))
    assert not is_schedule(requests, np.array([0, 3]))
    late = requests_of(Instance(10, [1, 2], [6, 5], releases=[0, 7]))
    assert is_schedule(late, np.array([0, 7]))
    assert not is_schedule(late, np.array([0, 6]))


def test_what_is_not_written_down_is_the_word_of_the_search() -> None:
    instance = generate_random("small:requests=6", 1, 3)
    params = SolverParams(event_order=EventOrderParams(most_records=50))
    result = solved(instance, params)
    assert result.lower_bound == result.objective
    assert (result.rule, result.certified_lower_bound) == ("event-order", 0)


def test_it_stops() -> None:
    instance = generate_random("long", 1, 4)
    starts = solve(instance, 0).starts
    assert run_alone(EventOrder(), instance, starts, Stopping(0)).lower_bound == 0
    stop = Stopping(60)
    stop.interrupt()
    assert run_alone(EventOrder(), instance, starts, stop).lower_bound == 0
    params = SolverParams(event_order=EventOrderParams(brief_nodes=9_000))
    brief = run_alone(EventOrder(brief=True), instance, starts, Stopping(60), params)
    assert brief.lower_bound == 0
    params = SolverParams(event_order=EventOrderParams(most_depth=4))
    assert run_alone(EventOrder(), instance, starts, Stopping(60), params).rule != "event-order"


def test_nodes_count_against_the_limit_of_nodes() -> None:
    instance = generate_random("long", 1, 4)
    starts = solve(instance, 0).starts
    for limit in (1, 700):
        stop = Stopping(30, node_limit=limit)
        run_alone(EventOrder(), instance, starts, stop)
        assert stop.nodes == limit
        assert not stop.late()


def test_a_proof_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is looked at, at each leaf: after the search it is over at the third one."""
    instance = generate_random("small:requests=6", 1, 3)
    looks = itertools.count()
    monkeypatch.setattr(Stopping, "late", lambda stop: next(looks) >= 3)
    monkeypatch.setattr(Stopping, "over", lambda stop: False)
    starts = solve(instance, 0).starts
    result = run_alone(EventOrder(), instance, starts, Stopping(60))
    assert result.lower_bound == result.objective
    assert (result.rule, result.certified_lower_bound) == ("event-order", 0)
    assert next(looks) == 4


def test_starts_a_little_before_their_heads_are_not_split() -> None:
    """A part p_i <= -1 would be refused, and what lacks a bound is not closed without a word."""
    requests, open_nodes = requests_of(Instance(9, [1], [3])), open_root(1, 7, 0.5, 9)
    tree, room = tree_for(1, 9), room_for(1, 9)
    room.scratch.starts[0] = -0.04
    assert branch(requests, open_nodes, tree, room, 0, -1.5, 9, 9, 0.1) == LEAF
    assert room.whole[0] == open_nodes.numbers[BEST] == open_nodes.numbers[RECORDS] == 0
    assert open_nodes.least[0] == -1.5


def test_starts_beyond_floats_are_left_to_others() -> None:
    """Late releases make large starts, however small the cost is."""
    small = generate_random("small:requests=6", 1, 3)
    late = Instance(small.memory, small.prompts, small.outputs, releases=[0] * 5 + [10**12])
    stop = Stopping(60)
    assert run_alone(EventOrder(), late, solve(late, 0).starts, stop).lower_bound == 0
    assert stop.nodes == 0


def test_costs_beyond_floats_are_left_to_others() -> None:
    large = Instance(4 * 10**8, [10**8] * 6, [2 * 10**8 + k for k in range(6)])
    assert solved(large).lower_bound == 0


def test_a_proof_that_the_checker_would_not_read_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvopt.solver.event_order.proof.MOST_BYTES", 2_000)
    result = solved(generate_random("small:requests=6", 1, 3))
    assert result.lower_bound == result.objective
    assert result.certified_lower_bound == 0
