"""Knapsack rows of the grid program: they hold, they pay, and the checker finds the same."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from companions.checking import checker
from small_instances import types_of

from budget import Budget
from convex_costs import Prices
from instances import Group
from kvopt import Instance, Stopping, solve
from kvopt.generate import generate_random
from kvopt.model.request_types import RequestTypes
from kvopt.solver.event_order.prices import prices_of
from kvopt.solver.params import GridProgramParams
from kvopt.solver.relaxations.grid_program.cutting_planes import raised, tightened
from kvopt.solver.relaxations.grid_program.families import Knapsack, counts_of
from kvopt.solver.relaxations.grid_program.kernel import GRID_KERNEL
from kvopt.solver.relaxations.grid_program.knapsacks import Items, Pool, violated_knapsack
from kvopt.solver.relaxations.grid_program.program import GridProgram
from kvopt.solver.relaxations.grid_program.stage import GridRelaxation
from kvopt.solver.stage import run_alone

THREES = Instance(10, [3, 3, 3, 3, 3], [1, 1, 1, 1, 1])
"""Two of them fit, with 8 tokens of 10."""


def types_without_releases(instance: Instance) -> RequestTypes:
    return RequestTypes.of(instance.prompts, instance.outputs, np.zeros_like(instance.outputs))


def few_requests(rng: random.Random) -> Instance:
    """Up to five requests, of which two or three fit; sometimes two are alike."""
    memory = rng.randint(8, 20)
    lengths = []
    for _ in range(rng.randint(3, 5)):
        prompt = rng.randint(1, memory - 4)
        lengths.append((prompt, rng.randint(1, 4)))
    lengths[-1] = rng.choice(lengths)
    return Instance(memory, *zip(*lengths, strict=True))


def most_of_sets(instance: Instance, knapsack: Knapsack) -> int:
    """What a set that fits counts at most, by looking at all sets."""
    each = []
    for request in instance:
        counts = counts_of(knapsack.steps, request.prompt, request.output).tolist()
        each.append([(0, 0)] + [(request.prompt + j, c) for j, c in enumerate(counts, 1)])
    sums = (
        [sum(column) for column in zip(*some, strict=True)] for some in itertools.product(*each)
    )
    return max(count for tokens, count in sums if tokens <= instance.memory)


def random_items(rng: random.Random, types: RequestTypes) -> Items:
    entries = []
    for k in range(len(types)):
        output = int(types.outputs[k])
        rounds = sorted(rng.sample(range(1, output + 1), min(output, rng.choice([0, 1, 1, 2]))))
        entries += [(k, j, rng.random() * int(types.counts[k])) for j in rounds]
    columns = zip(*entries, strict=True) if entries else ([], [], [])
    kinds, ages, masses = (np.array(column) for column in columns)
    return Items(kinds.astype(np.int64), ages.astype(np.int64), masses.astype(np.float64))


def test_rows_hold_for_all_sets_that_fit() -> None:
    rng = random.Random(11)
    found = 0
    for _ in range(300):
        instance = few_requests(rng)
        types = types_without_releases(instance)
        items = random_items(rng, types)
        knapsack = violated_knapsack(instance.memory, types, items, 0.01, Pool(types))
        if knapsack is None:
            continue
        found += 1
        assert most_of_sets(instance, knapsack) <= knapsack.limit
        counted = 0.0
        for k, j, mass in zip(*(each.tolist() for each in items), strict=True):
            prompt, output = int(types.prompts[k]), int(types.outputs[k])
            counted += mass * counts_of(knapsack.steps, prompt, output)[j - 1]
        assert counted > knapsack.limit * 1.01
        steps: dict[tuple[int, int], list[int]] = {}
        for s, o, j, c in knapsack.steps:
            assert 1 <= j <= o
            steps.setdefault((s, o), [0]).append(c)
        assert all(each == sorted(set(each)) for each in steps.values())
    assert found > 50


def test_what_fits_is_never_violated() -> None:
    types = types_without_releases(THREES)
    for mass, violated in ((1.9, False), (2.0, False), (2.1, True)):
        items = Items(np.array([0]), np.array([1]), np.array([mass]))
        found = violated_knapsack(10, types, items, 0.001, Pool(types))
        assert (found == Knapsack(1 * 2, ((3, 1, 1, 1),))) is violated
        assert (found is None) is not violated


def test_nothing_runs() -> None:
    types = types_without_releases(THREES)
    assert (
        violated_knapsack(
            10,
            types,
            random_items(random.Random(0), types)._replace(
                types=np.zeros(0, np.int64), rounds=np.zeros(0, np.int64), masses=np.zeros(0)
            ),
            0.001,
            Pool(types),
        )
        is None
    )


@pytest.mark.parametrize("number", range(3))
def test_code_is_bounded_better(number: int) -> None:
    instance = generate_random("real:kind=code:requests=10:memory=9000:output=1..12", 3, number)
    last = int((solve(instance, 0).starts + instance.outputs).max())
    params = GridProgramParams(first_knots=50)
    program = GridProgram(instance, last, 50, GRID_KERNEL.compiled(), params)
    before = [value for value, _ in raised(program, Stopping(60))][-1]
    after = list(tightened(program, Stopping(60)))
    values = [before, *(value for value, _ in after)]
    assert values == sorted(values)
    assert len(values) > 1
    assert values[-1] <= solve(instance, 2).objective
    for value, proof in after:
        assert checker().bound(instance.memory, types_of(instance), proof) == value


def test_finer_knots_inherit_rows() -> None:
    instance = generate_random("real:kind=code:requests=12:memory=9000:output=1..40", 3, 1)
    last = int((solve(instance, 0).starts + instance.outputs).max())
    program = GridProgram(instance, last, 10, GRID_KERNEL.compiled(), GridProgramParams())
    list(raised(program, Stopping(60)))
    list(tightened(program, Stopping(60)))
    finer = GridProgram(instance, last, 20, GRID_KERNEL.compiled(), GridProgramParams())
    finer.inherit(program)
    assert finer.solve(Stopping(60), 1e-6)
    assert finer.bound >= program.bound * 0.999
    inherited = {(f.heights, f.knapsack) for f in finer.families.known}
    assert any(f.knapsack for f in finer.families.known)
    assert inherited <= {(f.heights, f.knapsack) for f in program.families.known}


def test_event_order_takes_their_prices() -> None:
    instance = generate_random("real:kind=code:requests=12:memory=9000:output=1..40", 3, 1)
    starts = solve(instance, 1).starts
    found = run_alone(GridRelaxation(), instance, starts, Stopping(60)).certified
    assert found is not None
    assert "knapsacks" in found.proof["tree"][0]
    prices = prices_of(instance, found.proof)
    assert prices is not None
    pairs = zip(prices.costs, starts.tolist(), strict=True)
    paid = sum(costs[t] for costs, t in pairs if t < len(costs))
    assert 0 < paid <= prices.limit
    requests = [Group(r.prompt, r.output, 0, 1) for r in instance]
    leaf = Prices(instance.memory, requests, prices.leaf, Budget(), "here")
    assert leaf.limit == prices.limit
    assert [leaf.values[r.prompt, r.output] for r in instance] == prices.costs
