"""Propagation: no start of a schedule is taken away, and the checker takes the same ones."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from companions.checking import checker

from kvopt import Instance, Stopping
from kvopt.generate import generate_random
from kvopt.solver.branch_and_bound.propagation import full_domains, reduced_cost_fixing, timetabling
from kvopt.solver.branch_and_bound.tree import branch_and_bound
from kvopt.solver.relaxations.time_indexed import Branch, TimeIndexedProgram
from kvopt.solver.state_search.state_graph import solve_by_state_graph

Kind = tuple[int, int]


def random_instance(rng: random.Random) -> Instance:
    memory = rng.randint(4, 9)
    prompt = rng.randint(0, 2)
    outputs = [rng.randint(1, memory - prompt) for _ in range(rng.randint(2, 3))]
    return Instance(memory, [prompt] * len(outputs), outputs)


def random_branches(
    program: TimeIndexedProgram, rng: random.Random, count: int
) -> tuple[Branch, ...]:
    branches = []
    for _ in range(count):
        k = rng.randrange(len(program.types.requests))
        before = rng.randint(1, program.horizon)
        at_most = rng.randint(0, int(program.types.counts[k]) - 1)
        branches.append(Branch(((k, before),), at_most, rng.random() < 0.5))
    return tuple(branches)


def kinds_of(program: TimeIndexedProgram) -> list[Kind]:
    return [(request.prompt, request.output) for request in program.types.requests]


def above(program: TimeIndexedProgram, branches: tuple[Branch, ...]) -> tuple[Any, ...]:
    """Branches as the checker has them."""
    kinds = kinds_of(program)
    return tuple(({kinds[k]: u for k, u in b.until}, b.sign, b.limit) for b in branches)


def schedules(program: TimeIndexedProgram) -> list[tuple[tuple[Kind, int], ...]]:
    """All feasible schedules with starts up to the horizon: (type, start) of each request."""
    memory = program.instance.memory
    requests = [
        kind
        for kind, n in zip(kinds_of(program), program.types.counts.tolist(), strict=True)
        for _ in range(n)
    ]
    found = []
    for starts in itertools.product(range(program.horizon + 1), repeat=len(requests)):
        pairs = tuple(zip(requests, starts, strict=True))
        ends = {t + o for (_, o), t in pairs}
        used = [sum(s + r - t for (s, o), t in pairs if t < r <= t + o) for r in ends]
        if max(used) <= memory:
            found.append(pairs)
    return found


def obeys(pairs: tuple[tuple[Kind, int], ...], branch: Branch, kinds: list[Kind]) -> bool:
    ((k, before),) = branch.until
    count = sum(kind == kinds[k] and t < before for kind, t in pairs)
    return count <= branch.at_most if branch.below else count > branch.at_most


def test_no_start_of_a_schedule_is_taken_away() -> None:
    rng = random.Random(1)
    taken = 0
    for _ in range(60):
        instance = random_instance(rng)
        program = TimeIndexedProgram(instance, rng.randint(3, 9))
        every, kinds = schedules(program), kinds_of(program)
        for _ in range(5):
            branches = random_branches(program, rng, rng.randint(1, 4))
            mine = [p for p in every if all(obeys(p, b, kinds) for b in branches)]
            # A start at the horizon stands for all later ones, so take only what is before it.
            left = timetabling(program, branches, full_domains(program))
            used = {(kind, t) for pairs in mine for kind, t in pairs}
            if left is None:
                assert not used
                continue
            there = set()
            for kind, row in zip(kinds, left, strict=True):
                there |= {(kind, t) for t in np.flatnonzero(row).tolist()}
            assert used <= there
            taken += left.size - len(there)
    assert taken > 1_000


def test_the_checker_takes_the_same_starts_away() -> None:
    rng = random.Random(2)
    nothing = 0
    for number in range(300):
        name = ("tiny", "small", "long")[number % 3]
        instance = generate_random(name, 3, number)
        program = TimeIndexedProgram(instance, rng.randint(1, 300 if name == "long" else 30))
        branches = random_branches(program, rng, rng.randint(0, 9))
        starts = full_domains(program)
        starts &= np.array([[rng.random() < 0.9 for _ in row] for row in starts])
        mine = timetabling(program, branches, starts)
        kinds = kinds_of(program)
        types = dict(zip(kinds, program.types.counts.tolist(), strict=True))
        given = {kind: bytearray(row.tolist()) for kind, row in zip(kinds, starts, strict=True)}
        theirs = checker().fitting(instance.memory, types, given, above(program, branches))
        assert (mine is None) == (theirs is None)
        nothing += mine is None
        if mine is not None:
            rows = [bytearray(row.tolist()) for row in mine]
            assert theirs == dict(zip(kinds, rows, strict=True))
    assert 20 < nothing < 250


def random_tree(instance: Instance, rng: random.Random, cutoff: int) -> tuple[dict[str, Any], int]:
    """A proof whose splits and duals are anything at all, and what it proves."""
    program = TimeIndexedProgram(instance, rng.randint(2, 12), levels=(1, 2), scale=16)
    free = program.rounded(np.zeros(program.rows))
    nodes: list[dict[str, Any]] = []
    leaves = [cutoff]

    def grow(path: tuple[Branch, ...], starts: Any, bound: int, inherited: Any) -> None:
        left = None if starts is None else timetabling(program, path, starts)
        given = [] if inherited is None else [inherited]
        node: dict[str, Any] = {}
        if inherited is None or rng.random() < 0.5:
            size = rng.choice([0.0, 0.1, 0.5])
            row_duals = -np.array([rng.random() * size for _ in range(program.rows + len(path))])
            duals = program.rounded(row_duals * [rng.random() < 0.4 for _ in row_duals])
            node = program.leaf(duals)
            given.append(duals)
        for duals in given:
            inherited = type(free)(
                duals.memory,
                duals.covers,
                (*duals.branch, *[0] * (len(path) - len(duals.branch))),
            )
            if left is not None:
                found = reduced_cost_fixing(program, inherited, path, left, cutoff)
                left, bound = found.domains, max(bound, found.bound)
        if len(path) < 4 and rng.random() < 0.7:
            (branch,) = random_branches(program, rng, 1)
            nodes.append(program.split(branch) | node)
            for below in (True, False):
                grow((*path, Branch(branch.until, branch.at_most, below)), left, bound, inherited)
            return
        nodes.append(node)
        if left is not None:
            leaves.append(bound)

    grow((), full_domains(program), 0, None)
    content = {
        "rule": "propagation",
        "scale": 16,
        "horizon": program.horizon,
        "cutoff": cutoff,
        "tree": nodes,
    }
    return content, min(leaves)


def test_trees_are_evaluated_alike_twice_and_prove_no_more_than_is_true() -> None:
    rng = random.Random(3)
    tight = 0
    for number in range(400):
        instance = generate_random("tiny", 4, number % 100)
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        optimum = solve_by_state_graph(instance).objective
        cutoff = max(1, optimum + rng.randint(-1, 4))
        content, value = random_tree(instance, rng, cutoff)
        assert checker().bound(instance.memory, types, content) == value <= max(optimum, 0)
        tight += value == optimum
    assert tight > 40


@pytest.mark.parametrize(
    ("number", "starts"),
    [
        (19, [443, 0, 0, 19, 67, 0, 0, 221]),
        pytest.param(7, [107, 0, 0, 124, 238, 32], marks=pytest.mark.slow),
    ],
)
def test_long_instances_are_proved(number: int, starts: list[int]) -> None:
    """Few nodes are enough where thousands were not without propagation."""
    instance = generate_random("long", 1, number)
    tree = branch_and_bound(instance, np.array(starts), Stopping(120, node_limit=2000))
    assert tree is not None
    assert tree.lower_bound == tree.cutoff == sum(starts) + instance.total_output
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    assert checker().bound(instance.memory, types, tree.content()) == tree.cutoff
