"""Certificates: what holds is accepted, and nothing else is."""

from __future__ import annotations

import ast
import copy
import functools
import json
import math
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kvopt.solver.relaxations.aggregate_state_kernel import PLAIN, Functions, compiled
from oracles import model
from oracles import optimum as oracle

from kvopt import Instance, Stopping, read_instance, solve, write_instance
from kvopt.certificates import write as building
from kvopt.certificates.checker import refusal
from kvopt.certificates.inprocess import checker
from kvopt.certificates.write import certificate, certificate_text, certify
from kvopt.cli import main
from kvopt.model.errors import SolverError
from kvopt.model.files import curated_instances, find_certificates
from kvopt.solver.branch_and_bound.tree import branch_and_bound
from kvopt.solver.combinatorial_bounds import best_lower_bound, busy_time_bound, slot_bound
from kvopt.solver.relaxations import batch_state_kernel as holding_kernel
from kvopt.solver.relaxations.aggregate_state import PathPrices, PathRelaxation, path_bound, usable
from kvopt.solver.relaxations.batch_state import SCALE as HOLDING_SCALE
from kvopt.solver.relaxations.batch_state import Holdings, Labels, search
from kvopt.solver.relaxations.demand_dual_kernel import descend
from kvopt.solver.relaxations.demand_dual_stage import demand_dual_bound
from kvopt.solver.relaxations.demand_duals import DemandDualRelaxation, DualSolution
from kvopt.solver.relaxations.time_indexed import Branch, DualTree, TimeIndexedProgram, root_duals
from kvopt.solver.result import Result

CHECKER = Path(__file__).parent.parent / "proofs" / "check.py"
check = checker().check
Refused = checker().Refused


def random_instance(rng: random.Random) -> Instance:
    memory = rng.randint(2, 9)
    shapes = []
    for _ in range(rng.randint(1, 4)):
        prompt = rng.randint(0, min(3, memory - 1))
        shapes.append((prompt, rng.randint(1, memory - prompt)))
    if rng.random() < 0.4:
        shapes = [rng.choice(shapes) for _ in shapes]
    return Instance(memory, *zip(*shapes, strict=True))


@cache
def optimum(memory: int, requests: tuple[tuple[int, int], ...]) -> int:
    return oracle.optimum(memory, list(requests))


def optimum_of(instance: Instance) -> int:
    return optimum(instance.memory, tuple((r.prompt, r.output) for r in instance))


def random_branch(program: TimeIndexedProgram, rng: random.Random) -> Branch:
    kinds = rng.sample(
        range(len(program.types.requests)), rng.randint(1, len(program.types.requests))
    )
    until = tuple((k, rng.randint(1, program.horizon + 2)) for k in kinds)
    return Branch(until, rng.randint(0, len(program.instance)), below=True)


def priced_tree(program: TimeIndexedProgram, rng: random.Random, depth: int) -> DualTree:
    """A random tree whose prices are duals of the relaxation or anything at all."""
    highs = building.root_duals(program.instance, Stopping())
    assert highs is not None
    nodes: list[dict[str, Any]] = []
    bounds = []

    def grow(path: tuple[Branch, ...]) -> None:
        if len(path) < depth and rng.random() < 0.8:
            branch = random_branch(program, rng)
            nodes.append(program.split(branch))
            grow((*path, branch))
            grow((*path, Branch(branch.until, branch.at_most, below=False)))
            return
        size = rng.choice([0.01, 0.3, 2.0])
        duals = -np.array([rng.random() * size for _ in range(program.rows + len(path))])
        duals *= [rng.random() < 0.4 for _ in duals]
        prices = program.rounded(duals)
        nodes.append(program.leaf(prices))
        bounds.append(program.bound(prices, path))

    grow(())
    return DualTree(tuple(nodes), program.scale, min(bounds))


def path_prices(instance: Instance, rng: random.Random, functions: Functions) -> PathPrices:
    """Prices on paths that a first guess gives, or anything at all."""
    relaxation = PathRelaxation(instance, rng.randint(1, 14), functions)
    if rng.random() < 0.4:
        return relaxation.rounded(relaxation.first_guess())
    size = rng.choice([0.1, 1.0, 1.0, 5.0])
    x = np.array([rng.gauss(0, size) * (rng.random() < 0.6) for _ in range(relaxation.size)])
    return relaxation.rounded(x)


def holding_prices(instance: Instance, rng: random.Random, size: int, nodes: int) -> dict[str, Any]:
    """Prices of what is held: good ones, or with some noise."""
    horizon = rng.randint(1, 20)
    labels = Labels(Holdings(instance), horizon, holding_kernel.PLAIN)
    guess = labels.holdings.first_worth()
    noise = [rng.gauss(0, size) for _ in guess]
    labels.settle(np.rint((guess + noise) * HOLDING_SCALE).astype(np.int64))
    return labels.content(nodes)


def worth_proof(instance: Instance, rng: random.Random) -> building.Proof:
    """Prices of completions that were looked for, or anything at all."""
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    found = demand_dual_bound(instance, np.cumsum(instance.outputs) - instance.outputs, Stopping())
    assert found is not None
    content = found.content(instance)
    if rng.random() < 0.6:
        scale = content["scale"] = rng.randint(1, 5)
        for row in content["worth"]:
            row[2] = rng.randint(-scale, 15 * scale)
    return building.Proof(checker().bound(instance.memory, types, content), content)


def parts_proof(instance: Instance, rng: random.Random) -> building.Proof:
    """Prices of parts: a guess, with some noise."""
    kinds = range(len(instance.types()))
    relaxation = DemandDualRelaxation(instance, descend, [kinds[:1], kinds[1:]])
    noise = rng.choice([0, 0, 1, 4096])
    moves = [rng.randint(-noise, noise) for _ in relaxation.first_duals]
    prices = np.maximum(0, relaxation.first_duals // rng.randint(1, 2) + moves)
    worth = tuple(prices[: len(kinds)].tolist())
    memory = tuple(relaxation.linking_duals(prices).tolist())
    content = DualSolution(worth, 0, None, relaxation.blocks, memory).content(instance)
    types = {(r.prompt, r.output): n for r, n in instance.types()}
    return building.Proof(checker().bound(instance.memory, types, content), content)


def examples(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Certificates of tiny instances, by every rule."""
    rng = random.Random(seed)
    for _ in range(count):
        instance = random_instance(rng)
        result = solve(instance, math.inf)
        assert result.objective == optimum_of(instance)
        exhaustive = building.exhaustive_proof(result, result.objective, Stopping())
        assert exhaustive is not None
        yield certificate(result, exhaustive)
        for slots in (False, True):
            yield certificate(result, building.busy_time_proof(result, slots))
        root = root_duals(instance, Stopping())
        assert root is not None
        yield certificate(result, building.prices_proof(result, root))
        program = TimeIndexedProgram(instance, rng.randint(1, 8), levels=(1, 2, 3), scale=16)
        tree = priced_tree(program, rng, depth=3)
        proof = building.prices_proof(result, tree)
        assert proof.lower_bound == tree.lower_bound <= result.objective
        if proof.lower_bound >= 0:
            yield certificate(result, proof)
        poor = np.cumsum(instance.outputs) - instance.outputs
        grown = branch_and_bound(instance, poor, Stopping(node_limit=rng.randint(1, 9)))
        assert grown is not None
        yield certificate(result, building.Proof(grown.lower_bound, grown.content()))
        paths = building.paths_proof(result, path_prices(instance, rng, PLAIN))
        if paths.lower_bound >= 0:
            yield certificate(result, paths)
        for nodes in (0, 10**4):
            content = holding_prices(instance, rng, rng.choice([0, 1, 4]), nodes)
            types = {(r.prompt, r.output): n for r, n in instance.types()}
            value = checker().by_holdings(instance.memory, types, result.objective, content)
            if value >= 0:
                proof = building.Proof(min(value, result.objective), content)
                yield certificate(result, proof)
        worth = worth_proof(instance, rng)
        if worth.lower_bound >= 0:
            yield certificate(result, worth)
        if len(instance.types()) > 1:
            parts = parts_proof(instance, rng)
            if parts.lower_bound >= 0:
                yield certificate(result, parts)


def test_accepts_a_proof_by_every_rule() -> None:
    rules = {}
    for content in examples(60, seed=1):
        claim = check(certificate_text(content))
        assert claim.lower_bound == content["lower_bound"]
        assert claim.upper_bound == content["upper_bound"] == check(json.dumps(content)).upper_bound
        assert claim == check(certificate_text(content).encode())
        rules[claim.rule] = rules.get(claim.rule, 0) + 1
        del content["starts"], content["upper_bound"]
        assert check(certificate_text(content)).upper_bound is None
    assert rules.keys() == {
        *("busy-time", "prices", "windows", "paths", "holdings", "worth", "parts", "exhaustive")
    }


def test_prices_are_evaluated_alike_twice() -> None:
    rng = random.Random(2)
    for trial in range(150):
        instance = random_instance(rng)
        program = TimeIndexedProgram(instance, rng.randint(1, 12), levels=(1, 3), scale=1 << 20)
        path = tuple(random_branch(program, rng) for _ in range(rng.randint(0, 3)))
        path = tuple(Branch(b.until, b.at_most, rng.random() < 0.5) for b in path)
        size = 2.0**30 if trial % 10 == 0 else rng.choice([0.1, 1.0])  # beyond 64 bits, too
        duals = -np.array([rng.random() * size for _ in range(program.rows + len(path))])
        prices = program.rounded(duals)
        above = tuple(
            (
                {
                    (program.types.requests[k].prompt, program.types.requests[k].output): u
                    for k, u in b.until
                },
                b.sign,
                b.limit,
            )
            for b in path
        )
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        leaf = program.leaf(prices)
        assert program.bound(prices, path) == checker().leaf_bound(
            instance.memory, types, program.scale, leaf, above, "leaf"
        )


@pytest.mark.parametrize("fast", [False, True])
def test_paths_are_evaluated_alike_twice(fast: bool) -> None:
    functions = compiled() if fast else PLAIN
    if functions is None:
        pytest.skip("numba is not installed")
    rng = random.Random(3)
    tight = 0
    for _ in range(150):
        instance = random_instance(rng)
        prices = path_prices(instance, rng, functions)
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        content = prices.content(instance)
        assert checker().bound(instance.memory, types, content) == prices.bound
        assert prices.bound <= optimum_of(instance)
        tight += prices.bound == optimum_of(instance)
    assert tight > 10


@pytest.mark.parametrize("fast", [False, True])
def test_labels_are_evaluated_alike_twice(fast: bool) -> None:
    functions = holding_kernel.compiled() if fast else holding_kernel.PLAIN
    if functions is None:
        pytest.skip("numba is not installed")
    rng = random.Random(3)
    tight = 0
    for _ in range(100):
        instance = random_instance(rng)
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        labels = Labels(Holdings(instance), rng.randint(1, 15), functions)
        size = rng.choice([5, 20, 1000])
        value = labels.settle(
            np.array([rng.randint(-size, size) * HOLDING_SCALE // 7 for _ in types])
        )
        assert value is not None
        proved = checker().by_holdings(instance.memory, types, 10**9, labels.content(0))
        assert proved == -(-value // HOLDING_SCALE) <= optimum_of(instance)
        tight += proved == optimum_of(instance)
        # The search finds the optimum from both sides, with as many nodes.
        best = optimum_of(instance)
        if proved < best:
            below = search(labels, best, Stopping())
            assert (below.finished, below.starts) == (True, None)
            by = functools.partial(checker().by_holdings, instance.memory, types)
            assert by(best, labels.content(below.nodes)) == best
            if below.nodes > 1:
                with pytest.raises(Refused, match="takes more than"):
                    by(best, labels.content(below.nodes - 1))
            with pytest.raises(Refused, match="a schedule costs less"):
                by(best + 1, labels.content(10**7))
            found = search(labels, best + 1 + rng.randint(0, 9), Stopping())
            assert found.starts is not None
            assert int(found.starts.sum()) + instance.total_output == best
    assert tight > 5


def test_labels_that_do_not_fit_prove_nothing() -> None:
    instance = Instance(8, [0] * 3, [1, 2, 3])
    labels = Labels(Holdings(instance), 20, holding_kernel.PLAIN)
    assert labels.settle(np.array([-(1 << 40), 0, 0])) is not None  # nobody does that one
    labels.horizon = 1 << 30
    assert labels.settle(np.array([1 << 30, 0, 0])) is None


@pytest.mark.skipif(not usable(), reason="numba or scipy is not installed")
def test_prices_that_were_looked_for_prove_more() -> None:
    instance = read_instance(curated_instances() / "small-mixed.json")
    starts = solve(instance, math.inf).starts
    seen: list[int] = []
    prices = path_bound(instance, starts, Stopping(1), lambda found: seen.append(found.bound))
    assert prices is not None
    assert prices.bound == max(seen) > best_lower_bound(instance).value
    poor = Result.checked(instance, starts, prices.bound, "paths", 0.0)
    proof = building.paths_proof(poor, prices)
    assert proof.lower_bound == prices.bound
    assert check(certificate_text(certificate(poor, proof))).rule == "paths"


def test_huge_prices_prove_no_more_than_is_true() -> None:
    rng = random.Random(4)
    for _ in range(30):
        instance = random_instance(rng)
        relaxation = PathRelaxation(instance, rng.randint(1, 14), PLAIN)
        x = np.array([rng.choice([-1e30, 1e30, 1e9, 1e7, 0.0]) for _ in range(relaxation.size)])
        prices = relaxation.rounded(x)
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        content = prices.content(instance)
        assert checker().bound(instance.memory, types, content) == prices.bound
        assert prices.bound <= optimum_of(instance)


def test_the_search_finds_the_optimum_from_both_sides() -> None:
    rng = random.Random(3)
    for _ in range(150):
        instance = random_instance(rng)
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        best = optimum_of(instance)
        states = checker().searched(instance.memory, types, best, 10**6)
        if states:
            with pytest.raises(Refused, match="takes more than"):
                checker().searched(instance.memory, types, best, states - 1)
        with pytest.raises(Refused, match=f"a schedule costs {best}"):
            checker().searched(instance.memory, types, best + 1, 10**6)


def test_busy_time_is_what_the_library_computes() -> None:
    rng = random.Random(4)
    for _ in range(200):
        instance = random_instance(rng)
        types = {(r.prompt, r.output): n for r, n in instance.types()}
        assert checker().busy_time(instance.memory, types, False) == busy_time_bound(instance)
        assert checker().busy_time(instance.memory, types, True) == slot_bound(instance)


def test_many_requests_are_checked_quickly() -> None:
    rng = random.Random(5)
    outputs = [rng.randint(1, 300) for _ in range(100_000)]
    instance = Instance(16_000, [79] * len(outputs), outputs)
    starts = np.cumsum(outputs) - outputs
    bound = best_lower_bound(instance)
    result = Result.checked(instance, starts, bound.value, bound.name, 0.0)
    certified = certify(result, Stopping(0))
    assert certified.lower_bound == bound.value
    text = certificate_text(certified.content)
    began = time.process_time()
    check(text)
    assert time.process_time() - began < 5


# --- Mutants ----------------------------------------------------------------------------------


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield (*path, key)
            yield from places(value[key], (*path, key))


def mutants(content: dict[str, Any], rng: random.Random, share: float) -> Iterator[dict[str, Any]]:
    """Copies with something changed, dropped, doubled, swapped or added, at a share of places."""

    def mutant(path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> dict[str, Any]:
        new = copy.deepcopy(content)
        inside: Any = new
        for key in path[:-1]:
            inside = inside[key]
        change(inside, path[-1])
        return new

    def put(value: Any) -> Callable[[Any, Any], None]:
        return lambda inside, key: inside.__setitem__(key, value)

    paths = list(places(content))
    for path in paths:
        if len(path) > 1 and rng.random() > share:  # those on top are few
            continue
        value: Any = content
        for key in path:
            value = value[key]
        yield mutant(path, lambda inside, key: inside.__delitem__(key))
        values: list[Any] = [None, [], {}]
        if isinstance(value, int):
            values += [value + 1, value - 1, 2 * value, 10**30, float(value), -value]
            values += [value == 1, str(value), [value]]
        if isinstance(value, str):
            values += [value + "x", value[1:], 0]
        if isinstance(value, dict):
            yield mutant(path, lambda inside, key: inside[key].update(extra=1))
        if isinstance(path[-1], int):
            yield mutant(path, lambda inside, key: inside.insert(key, inside[key]))
        for new in values:
            yield mutant(path, put(new))
    for _ in range(math.ceil(60 * share)):  # swap any two values
        one, two = rng.choice(paths), rng.choice(paths)
        if one[: len(two)] == two or two[: len(one)] == one:
            continue
        new = copy.deepcopy(content)
        inside_one: Any = new
        inside_two: Any = new
        for key in one[:-1]:
            inside_one = inside_one[key]
        for key in two[:-1]:
            inside_two = inside_two[key]
        a, b = inside_one[one[-1]], inside_two[two[-1]]
        inside_one[one[-1]], inside_two[two[-1]] = b, a
        yield new


def repaired(content: dict[str, Any]) -> dict[str, Any]:
    """The same with the right hash, so that a changed instance gets further."""
    try:
        memory, groups = checker().read_instance(content["instance"])
        return {**content, "instance_sha256": checker().digest(memory, groups)}
    except (Refused, KeyError):
        return content


def is_true(content: dict[str, Any]) -> bool:
    memory = content["instance"]["memory"]
    requests = []
    for entry in content["instance"]["requests"]:
        requests += [(entry["prompt"], entry["output"])] * entry.get("count", 1)
    if content["lower_bound"] > optimum(memory, tuple(requests)):
        return False
    if "starts" in content:
        starts = content["starts"]
        attempts = [(i, start, start + requests[i][1], False) for i, start in enumerate(starts)]
        fits = max(model.memory_by_round(memory, requests, attempts)) <= memory
        cost = model.total_completion_time(attempts)
        return len(starts) == len(requests) and fits and cost == content["upper_bound"]
    return True


@pytest.mark.parametrize(
    ("count", "seed", "share"),
    [(8, 6, 0.15), pytest.param(20, 7, 1, marks=pytest.mark.slow)],
)
def test_no_mutant_is_accepted_unless_it_is_true(count: int, seed: int, share: float) -> None:
    rng = random.Random(seed)
    tried = accepted = 0
    for content in examples(count, seed):
        for new in mutants(content, rng, share):
            for candidate in (new, repaired(new)):
                tried += 1
                try:
                    check(json.dumps(candidate))
                except Refused:
                    continue
                accepted += 1
                assert is_true(candidate), candidate
    assert tried > 3_000
    assert accepted < tried / 3


def test_a_tight_bound_raised_by_one_is_always_refused() -> None:
    for content in examples(40, seed=8):
        if content["lower_bound"] == content["upper_bound"]:
            content["lower_bound"] += 1
            del content["starts"], content["upper_bound"]
            reason = refusal(json.dumps(content))[1]
            assert reason.startswith(("lower_bound: is", "proof.states: "))


# --- Refusals -----------------------------------------------------------------------------------

SOUND: dict[str, Any] = {
    "format": "kvopt-certificate/1",
    "instance": {
        "memory": 5,
        "requests": [{"prompt": 1, "output": 4, "count": 2}, {"prompt": 0, "output": 1}],
    },
    "instance_sha256": Instance.from_groups(5, [(1, 4, 2), (0, 1, 1)]).digest(),
    "lower_bound": 13,
    "upper_bound": 15,
    "starts": [1, 5, 0],
    "proof": {
        "rule": "prices",
        "scale": 4,
        "tree": [
            {"split": [[1, 4, 3]], "at_most": 0},
            {"memory": [[1, 1], [4, 1]], "staircase": [[1, 0, 1], [1, 3, 4]], "branch": [8]},
            {"memory": [[4, 2]], "staircase": [[1, 3, 3]], "branch": [0]},
        ],
    },
}


def altered(path: tuple[Any, ...], value: Any, sound: dict[str, Any] = SOUND) -> str:
    content = copy.deepcopy(sound)
    inside: Any = content
    for key in path[:-1]:
        inside = inside[key]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return json.dumps(content)


TREE = ("proof", "tree")
RULES = (
    "proof.rule: must be busy-time, prices, windows, paths, holdings, worth, parts or exhaustive"
)
FIRST_LEAF = (*TREE, 1)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("format",), "kvopt-certificate/2", "format: must be 'kvopt-certificate/1'"),
        (("format",), None, "certificate: has no 'format'"),
        (("extra",), 1, "certificate: has an unknown key 'extra'"),
        (("instance", "memory"), 4, "must be an integer from 1 to 3, got 4"),
        (("instance", "memory"), True, "instance.memory: must be an integer"),
        (("instance", "memory"), 6, "instance_sha256: the instance has"),
        (("instance", "requests"), [], "instance.requests: must be 1 to"),
        (("instance", "requests", 0, "count"), 0, "requests[0].count: must be an integer from 1"),
        (("instance", "requests", 0, "count"), 10**7, "must be 1 to 10000000 requests"),
        (("instance", "name"), 5, "instance.name: must be a text"),
        (("instance", "format"), "x", "instance.format: is unknown"),
        (("instance_sha256",), "0" * 64, "instance_sha256: the instance has"),
        (("lower_bound",), 16, "lower_bound: is 16, the starts cost 15"),
        (("lower_bound",), 14, "lower_bound: is 14, the proof gives 13"),
        (("lower_bound",), -1, "lower_bound: must be an integer from 0"),
        (("lower_bound",), 9.0, "numbers must be integers, got '9.0'"),
        (("lower_bound",), float("nan"), "numbers must be integers, got 'NaN'"),
        (("lower_bound",), 10**50, "a number has more than 40 digits"),
        (("upper_bound",), 16, "upper_bound: is 16, the starts cost 15"),
        (("upper_bound",), None, "upper_bound and starts: must both be there"),
        (("starts",), None, "upper_bound and starts: must both be there"),
        (("starts",), [1, 5], "starts: must be 3, one for each request, got 2"),
        (("starts", 1), -1, "starts[1]: must be an integer from 0"),
        (("starts", 1), 4, "starts: round 5 uses 7 tokens, memory is 5"),
        (("starts", 1), "5", "starts[1]: must be an integer"),
        (("proof",), None, "certificate: has no 'proof'"),
        (
            ("proof",),
            [],
            RULES,
        ),
        (
            ("proof", "rule"),
            "faith",
            RULES,
        ),
        (("proof", "scale"), 0, "proof.scale: must be an integer from 1"),
        (("proof", "extra"), 0, "proof: has an unknown key 'extra'"),
        (("proof",), {"rule": "busy-time"}, "proof: has no 'weights'"),
        (("proof",), {"rule": "busy-time", "weights": "x"}, "must be memory or slots"),
        (("proof",), {"rule": "exhaustive", "states": 10**9}, "from 0 to 5000000"),
        (("proof",), {"rule": "exhaustive"}, "proof: has no 'states'"),
        ((*TREE,), [], "ends with 1 subtrees missing"),
        ((*TREE, 2), None, "ends with 1 subtrees missing"),
        ((*TREE,), SOUND["proof"]["tree"] + SOUND["proof"]["tree"], "tree[3]: is left over"),
        ((*TREE, 0, "split"), [], "split: is empty"),
        ((*TREE, 0, "split", 0, 1), 3, "must name types of the instance, each once"),
        ((*TREE, 0, "split"), [[1, 4, 3], [1, 4, 2]], "must name types of the instance"),
        ((*TREE, 0, "split", 0, 2), 0, "split: must be an integer from 1"),
        ((*TREE, 0, "at_most"), -1, "at_most: must be an integer from 0"),
        ((*FIRST_LEAF, "branch"), [], "branch: must be 1 prices, got 0"),
        ((*FIRST_LEAF, "branch", 0), -1, "branch[0]: must be an integer from 0"),
        ((*FIRST_LEAF, "branch"), None, "tree[1]: has no 'branch'"),
        ((*FIRST_LEAF, "memory", 1, 1), -2, "memory: must be an integer from 0"),
        ((*FIRST_LEAF, "memory", 1, 1), True, "memory: must be an integer from 0"),
        ((*FIRST_LEAF, "memory", 1, 0), 1, "memory: rows must increase from 1 on, got [1, 1]"),
        ((*FIRST_LEAF, "memory", 0, 0), 0, "memory: rows must increase from 1 on, got [0, 1]"),
        ((*FIRST_LEAF, "memory", 1), [4], "memory: must hold lists of 2 integers, got [4]"),
        ((*FIRST_LEAF, "memory", 1, 0), 10**9, "has prices too late, at 1000000000"),
        ((*FIRST_LEAF, "staircase", 1, 1), 0, "staircase: rows must increase"),
        ((*FIRST_LEAF, "staircase", 0, 0), 0, "staircase: rows must increase from 1 on"),
    ],
)
def test_refusals_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(SOUND))
    assert reason in refusal(altered(path, value))[1]


PATHS: dict[str, Any] = {
    **SOUND,
    "lower_bound": 11,
    "proof": {
        "rule": "paths",
        "scale": 2,
        "start": [[0, [-1, 0, 0, 0, 0]], [1, [-4, -2, 0, 0, 0]]],
        "worth": [[0, 1, 2], [1, 4, 13]],
        "staircase": [[1, [0, 3, 0, 2, 0]], [2, [0, 0, 0, 0, 0]]],
        "moments": [0, 1, 0, 0, 0],
    },
}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("moments",), None, "proof: has no 'moments'"),
        (("moments",), [], "proof.moments: 0 times are none"),
        (("moments", 1), -1, "proof.moments: must be an integer from 0"),
        (("moments", 1), True, "proof.moments: must be an integer from 0"),
        (("moments", 4), None, "proof.start: must hold 4 integers"),
        (("start",), [], "proof.start: must name each prompt once, ascending"),
        (("start", 1), None, "proof.start: must name each prompt once, ascending"),
        (("start", 1, 0), 2, "proof.start: must name each prompt once, ascending"),
        (("start", 1, 0), 0, "proof.start: must increase from 1 on, got [0,"),
        (("start", 0, 1, 4), None, "proof.start: must hold 5 integers"),
        (("start", 0, 1, 4), -(10**41), "a number has more than 40 digits"),
        (("start", 0), [0], "proof.start: must hold pairs of a number and a list"),
        (("worth",), [], "proof.worth: must name each type once, ascending"),
        (("worth", 1), [0, 1, 1], "proof.worth: must name each type once, ascending"),
        (("worth", 0, 1), 2, "proof.worth: must name each type once, ascending"),
        (("worth", 0, 2), 13, "proof.worth: is more than a late completion costs"),
        (("worth", 0), [0, 1], "proof.worth: must hold 3 integers"),
        (("staircase", 0, 0), 0, "proof.staircase: must increase from 1 on"),
        (("staircase", 1, 0), 1, "proof.staircase: must increase from 2 on"),
        (("staircase", 0, 1, 1), -1, "proof.staircase: must be an integer from 0"),
        (("staircase", 0, 1, 1), None, "proof.staircase: must hold 5 integers"),
    ],
)
def test_refusals_of_paths_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    assert reason in refusal(altered(("proof", *path), value, PATHS))[1]


WINDOWS: dict[str, Any] = {
    **SOUND,
    "lower_bound": 11,
    "proof": {
        "rule": "windows",
        "scale": 4,
        "horizon": 9,
        "goal": 15,
        "tree": [
            {
                "split": [[1, 4, 3]],
                "at_most": 0,
                "memory": [[4, 1]],
                "staircase": [[1, 3, 4]],
                "branch": [],
            },
            {"memory": [[4, 1]], "staircase": [[1, 3, 4]], "branch": [8]},
            {},
        ],
    },
}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("goal",), 0, "proof.goal: must be an integer from 1"),
        (("goal",), 10, "lower_bound: is 11, the proof gives 10"),
        (("horizon",), 0, "proof.horizon: must be an integer from 1"),
        (("horizon",), 10**7, "proof.horizon: is too late, 10000000"),
        (("horizon",), 2, "proof.tree[0]: has prices after the horizon"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("tree",), [], "proof.tree: ends with 1 subtrees missing"),
        (("tree", 2), None, "proof.tree: ends with 1 subtrees missing"),
        (("tree", 2), 7, "proof.tree[2]: must be an object"),
        (("tree", 2), {"extra": 1}, "proof.tree[2]: has an unknown key 'extra'"),
        (("tree", 2), {"branch": [0]}, "proof.tree[2]: has an unknown key 'branch'"),
        (("tree", 2), {"memory": []}, "proof.tree[2]: has no 'staircase'"),
        (("tree", 0, "at_most"), None, "proof.tree[0]: has no 'at_most'"),
        (("tree", 0, "at_most"), -1, "proof.tree[0].at_most: must be an integer from 0"),
        (("tree", 0, "split"), [], "proof.tree[0].split: is empty"),
        (("tree", 0, "split", 0, 2), 10, "proof.tree[0].split: must be an integer from 1"),
        (("tree", 0, "split", 0, 1), 3, "proof.tree[0].split: must name types of the instance"),
        (
            ("tree", 0, "split"),
            [[0, 1, 3], [1, 4, 3]],
            "proof.tree[0].split: must be of one type",
        ),
        (("tree", 1, "branch"), [], "proof.tree[1].branch: must be 1 prices, got 0"),
        (("tree", 1, "memory", 0, 1), -1, "proof.tree[1].memory: must be an integer from 0"),
    ],
)
def test_refusals_of_windows_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(WINDOWS))
    assert reason in refusal(altered(("proof", *path), value, WINDOWS))[1]


def test_refuses_a_tree_that_goes_on() -> None:
    content = copy.deepcopy(WINDOWS)
    content["proof"]["tree"].append({})
    assert "proof.tree[3]: is left over" in refusal(json.dumps(content))[1]


WORTH: dict[str, Any] = {
    **SOUND,
    "lower_bound": 11,
    "proof": {"rule": "worth", "scale": 1, "worth": [[0, 1, 2], [1, 4, 9]]},
}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("scale",), None, "proof: has no 'scale'"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("worth",), None, "proof: has no 'worth'"),
        (("worth",), {}, "proof.worth: must be a list"),
        (("worth",), [], "proof.worth: must name each type once, ascending"),
        (("worth", 1), [0, 1, 1], "proof.worth: must name each type once, ascending"),
        (("worth", 0), [1, 4, 1], "proof.worth: must name each type once, ascending"),
        (("worth", 0), [0, 1], "proof.worth: must hold 3 integers"),
        (("worth", 0, 2), True, "proof.worth: must be an integer from"),
        (("worth", 1, 2), 10**12, "proof: takes more than 4000000000 steps"),
        (("worth", 1, 2), -(10**12), "lower_bound: is 11, the proof gives -"),
        (("worth", 1, 2), 8, "lower_bound: is 11, the proof gives"),
    ],
)
def test_refusals_of_worth_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    assert reason in refusal(altered(("proof", *path), value, WORTH))[1]


PARTS: dict[str, Any] = {
    **SOUND,
    "lower_bound": 13,
    "proof": {
        "rule": "parts",
        "scale": 2,
        "memory": [[3, 1], [4, 1]],
        "parts": [[[0, 1, 2]], [[1, 4, 18]]],
    },
}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("memory",), None, "proof: has no 'memory'"),
        (("memory", 0), [1, -1], "proof.memory: must be an integer from 0"),
        (("memory", 0), [0, 1], "proof.memory: rows must increase from 1"),
        (("memory", 1), [3, 1], "proof.memory: rows must increase from 1"),
        (("memory", 1), [10**9, 1], "proof: has prices too late, at 1000000000"),
        (("parts",), {}, "proof.parts: must be a list"),
        (("parts",), [[[0, 1, 2]]], "proof.parts: must name each type once"),
        (("parts", 0), [], "proof.parts: must name each type once, and none may be empty"),
        (("parts", 0), [[1, 4, 18]], "proof.parts[1]: must name each type once, ascending"),
        (("parts", 0), [[7, 1, 2]], "proof.parts[0]: must name each type once, ascending"),
        (("parts", 0), [[1, 4, 1], [0, 1, 2]], "proof.parts[0]: must name each type once"),
        (("parts", 0), [[0, 1]], "proof.parts[0]: must hold 3 integers"),
        (("parts", 0), 7, "proof.parts[0]: must be a list"),
        (("parts", 0, 0, 2), 1.0, "numbers must be integers"),
        (("parts", 1, 0, 2), 10**12, "proof: takes more than 4000000000 steps"),
        (("parts", 1, 0, 2), 10, "lower_bound: is 13, the proof gives"),
    ],
)
def test_refusals_of_parts_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    assert check(json.dumps(PARTS)).rule == "parts"
    assert reason in refusal(altered(("proof", *path), value, PARTS))[1]


@pytest.mark.parametrize("limit", ["MAX_EDGES", "MAX_ROUNDS"])
def test_refuses_many_profiles(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(json.dumps(WORTH))
    monkeypatch.setattr(checker(), limit, 5)
    assert re.search("than 5 (steps to check|edges)", refusal(json.dumps(WORTH))[1])


def test_refuses_long_profiles() -> None:
    instance = {"memory": 30_000, "requests": [{"prompt": 0, "output": 20_000}]}
    proof = {"rule": "worth", "scale": 1, "worth": [[0, 20_000, 30_000]]}
    content = repaired({**WORTH, "instance": instance, "proof": proof})
    del content["starts"], content["upper_bound"]
    assert "the outputs are too long" in refusal(json.dumps(content))[1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ("[" * 10**6, "nested too deeply"),
        ('{"a":' * 10**6, "nested too deeply"),
        ("[]", "certificate: must be an object, got []"),
        ('{"format": 1, "format": 1}', "a key appears twice"),
        ("1" * 10**5, "a number has more than 40 digits"),
        ("-Infinity", "numbers must be integers"),
        ("1e400", "numbers must be integers"),
        ('{"\\ud800": 1}', "has an unknown key '\\ud800'"),
    ],
)
def test_refuses_what_is_no_certificate(data: str | bytes, reason: str) -> None:
    assert reason in refusal(data)[1]


def test_refuses_a_long_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker(), "MAX_BYTES", 100)
    assert "is longer than 100 bytes" in refusal(json.dumps(SOUND))[1]


@pytest.mark.parametrize(("limit", "value"), [("MAX_STEPS", 887), ("MAX_STATES", 23)])
def test_refuses_many_paths(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check(json.dumps(PATHS))
    monkeypatch.setattr(checker(), limit, 1 + value)
    check(json.dumps(PATHS))
    monkeypatch.setattr(checker(), limit, value)
    assert "5 times are none, or more than can be checked" in refusal(json.dumps(PATHS))[1]


HOLDINGS: dict[str, Any] = {
    **SOUND,
    "lower_bound": 13,
    "proof": {
        "rule": "holdings",
        "scale": 2,
        "horizon": 9,
        "worth": [[0, 1, 4], [1, 4, 18]],
        "nodes": 100,
    },
}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("scale",), 1, "proof.worth: is more than a completion at the horizon costs"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("nodes",), None, "proof: has no 'nodes'"),
        (("nodes",), -1, "proof.nodes: must be an integer from 0"),
        (("nodes",), 0, "lower_bound: is 13, the proof gives"),
        (("nodes",), 1, "proof.nodes: the search takes more than 1"),
        (("horizon",), 8, "proof.worth: is more than a completion at the horizon costs"),
        (("horizon",), 10**6 + 1, "proof.horizon: must be an integer from 1 to 1000000"),
        (("horizon",), 10**6, "nothing"),
        (("worth",), [], "proof.worth: must name each type once, ascending"),
        (("worth", 1), None, "proof.worth: must name each type once, ascending"),
        (("worth", 1), [0, 1, 1], "proof.worth: must name each type once, ascending"),
        (("worth", 1), [1, 4], "proof.worth: must hold 3 integers"),
        (("worth", 1, 2), 19, "proof.worth: is more than a completion at the horizon costs"),
        (("worth", 1, 2), -(10**20), "proof.worth: has prices that are too large"),
    ],
)
def test_refusals_of_holdings_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    content = copy.deepcopy(HOLDINGS)
    check(json.dumps(content))
    inside = content["proof"]
    for key in path[:-1]:
        inside = inside[key]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    if reason != "nothing":
        assert reason in refusal(json.dumps(content))[1]


@pytest.mark.parametrize(("limit", "value"), [("MAX_HELD", 10), ("MAX_LABELS", 100)])
def test_refuses_to_hold_too_much(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker(), limit, value)
    assert "more to be held than can be checked" in refusal(json.dumps(HOLDINGS))[1]


def test_refuses_a_huge_memory_before_it_takes_any() -> None:
    content = copy.deepcopy(HOLDINGS)
    content["instance"] = {"memory": 10**9, "requests": [{"prompt": 0, "output": 10**9}]}
    content["proof"].update(horizon=1, worth=[[0, 10**9, 0]], scale=1)
    del content["starts"], content["upper_bound"]
    reason = refusal(json.dumps(repaired(content)))[1]
    assert "more to be held than can be checked" in reason


def test_a_schedule_that_is_cheaper_refutes_a_bound() -> None:
    content = copy.deepcopy(HOLDINGS)
    del content["starts"], content["upper_bound"]
    check(json.dumps(content))
    content["lower_bound"] = 14
    assert "lower_bound: is 14, a schedule costs less" in refusal(json.dumps(content))[1]


def test_refuses_a_deep_tree() -> None:
    content = copy.deepcopy(SOUND)
    content["proof"]["tree"] = [SOUND["proof"]["tree"][0]] * 1_002
    assert "deeper than 1000" in refusal(json.dumps(content))[1]


keys = st.sampled_from([*SOUND, *SOUND["proof"], *SOUND["instance"], "count", "prompt", "output"])
numbers = st.integers(-1, 6) | st.integers() | st.floats() | st.booleans() | st.none()
texts = st.sampled_from(["prices", "busy-time", "exhaustive", "memory", "slots"]) | st.text()
garbage = st.recursive(
    numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@given(st.text() | st.binary() | garbage.map(json.dumps))
def test_garbage_is_refused_without_a_crash(data: str | bytes) -> None:
    with pytest.raises(Refused):
        check(data)


@settings(max_examples=300)
@given(st.data())
def test_garbage_inside_a_certificate_is_no_crash(data: st.DataObject) -> None:
    content = copy.deepcopy(SOUND)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(content))))
        inside: Any = content
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = data.draw(garbage)
    content = repaired(content)
    try:
        check(json.dumps(content))
    except Refused:
        return
    assert is_true(content)


# --- The file itself ----------------------------------------------------------------------------


def test_the_checker_stands_alone() -> None:
    text = CHECKER.read_text()
    imported = set()
    for node in ast.walk(ast.parse(text, feature_version=(3, 9))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))
    plain = {"__future__", "array", "hashlib", "itertools", "json", "math", "sys", "typing"}
    assert imported == plain
    assert len(text.splitlines()) < 1350


def run_alone(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", str(CHECKER), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_runs_without_any_package(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad\udcff.json"
    good.write_text(json.dumps(SOUND))
    done = run_alone(good)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{good}: holds: the optimum is at least 13 and at most 15 (prices)\n"
    bad.write_text(altered(("lower_bound",), 14))
    done = run_alone(good, bad, tmp_path / "missing.json", tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert ": holds: " in lines[0]
    assert lines[1].endswith("REFUSED: lower_bound: is 14, the proof gives 13")
    assert "REFUSED: cannot be read: No such file" in lines[2]
    assert "REFUSED: cannot be read: Is a directory" in lines[3]
    assert run_alone().returncode == 2


# --- The command line -----------------------------------------------------------------------------


def test_solve_writes_what_verify_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, proof = tmp_path / "small.json", tmp_path / "proof.json"
    write_instance(file, Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve"))
    arguments = ["solve", str(file), "--certificate", str(proof), "--json"]
    assert main([*arguments, "-o", str(tmp_path / "best.json")]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert (answer["certified_lower_bound"], answer["lower_bound"], err) == (200, 200, "")
    files = [str(proof), str(tmp_path / "best.json")]
    assert main(["verify", *files]) == 0
    assert "ok: certificate, the optimum is 200 (exhaustive)" in capsys.readouterr().out
    assert run_alone(proof).returncode == 0
    proof.write_text(proof.read_text().replace('"lower_bound": 200', '"lower_bound": 201'))
    assert main(["verify", *files, "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["files"]
    assert [row["kind"] for row in rows] == ["certificate", "schedule"]
    assert [row["ok"] for row in rows] == [False, True]
    assert rows[0]["violations"] == ["lower_bound: is 201, the starts cost 200"]


def test_solve_says_what_it_cannot_prove(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "exhaustive_proof", lambda *_: None)
    monkeypatch.setattr(building, "root_duals", lambda *_: None)
    monkeypatch.setattr(building, "path_bound", lambda *_: None)
    monkeypatch.setattr(building, "has_room", lambda *_: False)
    file, proof = tmp_path / "small.json", tmp_path / "proof.json"
    write_instance(file, Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve"))
    assert main(["solve", str(file), "--certificate", str(proof), "--json"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert (answer["certified_lower_bound"], answer["lower_bound"]) == (149, 200)
    assert err.startswith(f"kvopt: {proof}: proves the lower bound 149; that of 200 is the word of")
    assert err.count("\n") == 1
    assert main(["verify", str(proof)]) == 0


def test_prices_improve_on_a_poor_bound() -> None:
    instance = read_instance(curated_instances() / "small-mixed.json")
    bound = best_lower_bound(instance).value
    starts = np.cumsum(instance.outputs) - instance.outputs
    poor = Result.checked(instance, starts, bound, "busy time", 0.0)
    root = root_duals(instance, Stopping())
    assert root is not None
    certified = certify(poor, Stopping(0), tree=root)
    assert certified.lower_bound == certified.result.lower_bound == root.lower_bound > bound
    assert certified.result.rule == "certificate, prices"


def test_a_result_brings_its_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance.from_groups(12, [(1, 4, 3), (0, 6, 2), (0, 2, 2)])
    result = solve(instance, math.inf)
    starts = np.cumsum(instance.outputs) - instance.outputs
    relaxation = PathRelaxation(instance, result.objective, PLAIN)
    proof = building.paths_proof(result, relaxation.rounded(relaxation.first_guess()))
    own = Result.checked(instance, starts, proof.lower_bound, "paths", 0.0, proof.content)
    poor = Result.checked(instance, result.starts, proof.lower_bound, "somebody", 0.0)
    for merged in (own.merged(poor), poor.merged(own)):
        assert (merged.proof, merged.rule) == (proof.content, "paths")
        assert merged.objective == result.objective
    assert own.merged(result).proof is None  # that of a better bound is not known

    monkeypatch.setattr(building, "busy_time_proof", lambda *_: building.Proof(0, {}))
    certified = certify(own.merged(poor), Stopping(0))
    assert certified.content["proof"] == certified.result.proof == proof.content
    assert certified.result.rule == "paths"
    own = Result.checked(instance, starts, proof.lower_bound + 1, "paths", 0.0, proof.content)
    with pytest.raises(SolverError, match="the proof gives"):
        certify(own, Stopping(0))


def test_a_false_tree_is_not_written() -> None:
    instance = Instance(5, [1, 1, 0], [4, 4, 1])
    result = solve(instance, math.inf)
    leaf = {"memory": [[0, 1]], "staircase": [], "branch": []}
    with pytest.raises(Refused, match="must increase"):
        certify(result, Stopping(), DualTree((leaf,), 1, 99))


def test_shipped_certificates_hold_and_are_complete() -> None:
    folder = curated_instances()
    names = {file.name for file in find_certificates(folder)}
    assert names == {file.name for file in folder.glob("*.json")}
    for file in find_certificates(folder):
        claim, reason = refusal(file.read_bytes())
        assert claim, reason
        given = json.loads(file.read_text())
        assert given["instance_sha256"] == read_instance(folder / file.name).digest()


def test_audit_counts_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    (folder / "certificates").mkdir(parents=True)
    write_instance(folder / "a.json", Instance(5, [1, 1, 0], [4, 4, 1], "a"))
    (folder / "certificates" / "a.json").write_text(json.dumps(SOUND))
    arguments = ["audit", str(folder), "--no-search", "--policy", "mc-sf"]
    assert main(arguments) == 0
    assert "1 certificates hold; ratios" in capsys.readouterr().out
    (folder / "certificates" / "a.json").write_text(altered(("lower_bound",), 14))
    assert main([*arguments, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["summary"]["certificates"] == 0
    assert "the proof gives 13" in answer["problems"][0]
