"""Certificates of tiny instances by every rule, and copies of them with something changed."""

from __future__ import annotations

import copy
import itertools
import json
import math
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from event_trees import any_event_order, event_order_proof, shapes_of
from fuzzing.knapsacks import any_knapsack
from oracles import model
from small_instances import optimum_of, random_instance, types_of

from budget import Budget
from claims import RULES, check
from exhaustive import searched
from instances import digest, read_instance
from kvopt import Instance, Stopping, solve
from kvopt.model.formats import instance_to_json
from kvopt.solver.branch_and_bound.tree import branch_and_bound
from kvopt.solver.relaxations.aggregate_state.kernel import AGGREGATE_STATE_KERNEL
from kvopt.solver.relaxations.aggregate_state.relaxation import AggregateRelaxation
from kvopt.solver.relaxations.batch_state.costs_to_go import SCALE, CostsToGo
from kvopt.solver.relaxations.batch_state.search_kernel import BATCH_STATE_KERNEL
from kvopt.solver.relaxations.batch_state.states import BatchStates
from kvopt.solver.relaxations.demand_dual_kernel import descend
from kvopt.solver.relaxations.demand_dual_stage import demand_dual_bound
from kvopt.solver.relaxations.demand_duals import DemandDualRelaxation, DualSolution
from kvopt.solver.relaxations.time_indexed import Branch, DualTree, TimeIndexedProgram, root_duals
from reading import Refused

__all__ = [
    "assert_no_false_mutant_is_accepted",
    "coarse_aggregate_state",
    "coarse_batch_state",
    "dominance_proof",
    "examples",
    "is_true",
    "mutants",
    "places",
    "random_heights",
    "random_knots",
    "repaired",
]


def random_branch(program: TimeIndexedProgram, rng: random.Random) -> Branch:
    kinds = range(len(program.types.requests))
    chosen = rng.sample(kinds, rng.randint(1, len(kinds)))
    until = tuple((k, rng.randint(1, program.horizon + 2)) for k in chosen)
    return Branch(until, rng.randint(0, len(program.instance)), below=True)


def random_tree(program: TimeIndexedProgram, rng: random.Random, depth: int) -> DualTree:
    """A random tree with any duals at its leaves."""
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
        rounded = program.rounded(duals)
        nodes.append(program.leaf(rounded))
        bounds.append(program.bound(rounded, path))

    grow(())
    return DualTree(tuple(nodes), program.scale, min(bounds))


def random_heights(rng: random.Random) -> list[list[int]]:
    """Heights of first-completion rows, as steps; most of them fall."""
    count = rng.randint(1, 4)
    at = [0, *sorted(rng.sample(range(1, 9), count - 1))]
    low = rng.randint(0, 3)
    heights = [low + rng.randint(0, 5) for _ in at[1:]]
    if rng.random() < 0.7:
        heights.sort(reverse=True)
    return [[x, h] for x, h in zip(at, [*heights, low], strict=True)]


def random_knots(rng: random.Random, rounds: list[int]) -> list[list[int]]:
    """Duals at some rounds with integers between them if they are linear there."""
    knots = [[rounds[0], rng.randint(0, 9)]]
    for u, v in itertools.pairwise(rounds):
        knots.append([v, max(knots[-1][1] + rng.randint(-3, 3) * (v - u), knots[-1][1] % (v - u))])
    return knots


def first_completion(rng: random.Random, horizon: int, scale: int) -> list[dict[str, Any]]:
    """Families of first-completion rows with any duals."""
    found = []
    for _ in range(rng.randint(1, 2)):
        rounds = sorted(rng.sample(range(1, horizon + 1), rng.randint(1, min(4, horizon))))
        if rng.random() < 0.5:
            duals = [[u, rng.randint(0, scale // rng.choice([4, 40]))] for u in rounds]
            found.append({"heights": random_heights(rng), "duals": duals})
        else:
            found.append({"heights": random_heights(rng), "knots": random_knots(rng, rounds)})
    return found


def aggregate_state(instance: Instance, rng: random.Random) -> dict[str, Any]:
    """Duals of the area bound, or anything at all."""
    relaxation = AggregateRelaxation(instance, rng.randint(1, 14), AGGREGATE_STATE_KERNEL.plain)
    duals = relaxation.area_duals()
    if rng.random() < 0.6:
        size = rng.choice([0.1, 1.0, 1.0, 5.0])
        some = [rng.gauss(0, size) * (rng.random() < 0.6) for _ in range(relaxation.size)]
        duals = np.array(some)
    return relaxation.rounded(duals).content(instance.request_types())


def batch_state(instance: Instance, rng: random.Random, nodes: int) -> dict[str, Any]:
    """First duals, or with some noise."""
    costs = CostsToGo(BatchStates(instance), rng.randint(1, 20), BATCH_STATE_KERNEL.plain)
    size = rng.choice([0, 1, 4])
    noisy = [dual + rng.gauss(0, size) for dual in costs.states.first_duals()]
    costs.settle(np.rint(np.array(noisy) * SCALE).astype(np.int64))
    return costs.content(nodes)


def coarse_batch_state(instance: Instance, rng: random.Random) -> dict[str, Any]:
    """Duals of looks and some waiting, or anything at all, on any grid."""
    grid, scale = rng.choice([1, 2, 2, 3, 3, 4, 5, 8]), rng.randint(1, 5)
    wait, noise = rng.choice([0, scale, 2 * scale, 4 * scale]), rng.choice([0, 0, 1, scale, 9])
    rows = []
    for s, o in sorted(types_of(instance)):
        looks, rest = divmod(o, grid)
        row = [scale * looks, scale * (looks + 1)]
        for i, seen in enumerate((looks > 0, rest > 0)):
            row[i] = (row[i] + wait // grid + rng.randint(-noise, noise)) * seen
        rows.append([s, o, *row])
    return {"rule": "coarse-batch-state", "grid": grid, "scale": scale, "duals": rows}


def coarse_aggregate_state(instance: Instance, rng: random.Random) -> dict[str, Any]:
    """Duals of looks and some waiting, or anything at all, with any prices of starts."""
    grid, scale = rng.choice([1, 2, 2, 3, 3, 4, 5, 8]), rng.randint(1, 5)
    wait, noise = rng.choice([0, scale, 2 * scale, 4 * scale]), rng.choice([0, 0, 1, scale, 9])
    types, rows = types_of(instance), []
    shortest = min(s for s, _ in types)
    for s, o in sorted(types):
        row = [s, o]
        cuts = [0, *sorted(((s - shortest) % grid, grid - o % grid)), grid]
        for begin, end in itertools.pairwise(cuts):
            looks = (o + begin) // grid
            dual = scale * looks + wait // grid + rng.randint(-noise, noise)
            row.append(dual if looks and begin < end else 0)
        rows.append(row)
    times = sorted(rng.sample(range(1, 12), rng.randint(0, 4)))
    size, steep = (rng.choice([0, 1, scale, 3 * scale]) for _ in range(2))
    starts = [[t, rng.randint(-size, size), rng.randint(-steep, steep)] for t in (0, *times)]
    given = {"rule": "coarse-aggregate-state", "grid": grid, "scale": scale}
    return {**given, "duals": rows, "starts": starts}


def demand_duals(instance: Instance, rng: random.Random) -> dict[str, Any]:
    """Duals that were looked for, or anything at all."""
    found = demand_dual_bound(instance, np.cumsum(instance.outputs) - instance.outputs, Stopping())
    assert found is not None
    content = found.content(instance)
    for key in ("slack", "nodes"):  # without a search
        content.pop(key, None)
    if rng.random() < 0.6:
        scale = content["scale"] = rng.randint(1, 5)
        for row in content["duals"]:
            row[2] = rng.randint(-scale, 15 * scale)
    return content


def blocks(instance: Instance, rng: random.Random) -> dict[str, Any]:
    """First duals of two blocks, with some noise."""
    kinds = range(len(instance.types()))
    relaxation = DemandDualRelaxation(instance, descend, [kinds[:1], kinds[1:]])
    noise = rng.choice([0, 0, 1, 4096])
    moves = [rng.randint(-noise, noise) for _ in relaxation.first_duals]
    duals = np.maximum(0, relaxation.first_duals // rng.randint(1, 2) + moves)
    demand = tuple(duals[: len(kinds)].tolist())
    memory = tuple(relaxation.linking_duals(duals).tolist())
    return DualSolution(demand, 0, None, relaxation.blocks, memory).content(instance)


def dominance_proof(instance: Instance, rng: random.Random, usable: bool = False) -> dict[str, Any]:
    """An object "proof" of the rule "dominance" with any duals; it proves all that is true."""
    scale = rng.randint(1, 5)
    names = sorted({(r.prompt, r.output, r.release) for r in instance})
    begins = [0, *sorted(rng.sample(range(1, 15), rng.randint(0, 3)))]
    sets = [
        {"from": t, "duals": [[*row, rng.randint(-scale, 25 * scale)] for row in names]}
        for t in begins
    ]
    proof = {"rule": "dominance", "scale": scale, "duals": sets, "horizon": 25, "nodes": 10**5}
    return {**proof, "usable": 1} if usable else proof


def proofs(instance: Instance, best: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Objects "proof" of an instance, by every rule."""
    states = searched(instance.memory, types_of(instance), best, 10**6, Budget())
    yield {"rule": "exhaustive", "states": states}
    for weights in ("memory", "slots"):
        yield {"rule": "busy-time", "weights": weights}
    root = root_duals(instance, Stopping())
    assert root is not None
    yield root.content()
    program = TimeIndexedProgram(instance, rng.randint(1, 8), levels=(1, 2, 3), scale=16)
    tree = random_tree(program, rng, depth=3)
    assert tree.lower_bound <= best
    yield tree.content()
    content = tree.content()
    for node in content["tree"]:
        if "memory" in node:
            node["first_completion"] = first_completion(rng, program.horizon, program.scale)
    yield content
    content = tree.content()
    for node in content["tree"]:
        if "memory" in node:
            most = program.scale // rng.choice([2, 4])
            shapes = [(r.prompt, r.output) for r in instance]
            given = (instance.memory, shapes, program.horizon, most, rng)
            node["knapsacks"] = [any_knapsack(*given) for _ in range(rng.randint(1, 2))]
    yield content
    poor = np.cumsum(instance.outputs) - instance.outputs
    grown = branch_and_bound(instance, poor, Stopping(node_limit=rng.randint(1, 9)))
    assert grown is not None
    yield grown.content()
    yield aggregate_state(instance, rng)
    for nodes in (0, 10**4):
        yield batch_state(instance, rng, nodes)
    yield coarse_batch_state(instance, rng)
    yield coarse_aggregate_state(instance, rng)
    yield dominance_proof(instance, rng)
    yield demand_duals(instance, rng)
    content = demand_duals(instance, rng)
    slack = content["scale"] * (best + len(instance) + 1)
    yield content | {"slack": slack, "nodes": 10**4}
    if len(instance.types()) > 1:
        yield blocks(instance, rng)
    problem = instance.memory, shapes_of(instance)
    yield any_event_order(*problem, rng, depth=2)
    if len(instance) < 3:
        yield event_order_proof(*problem, best)


def examples(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Certificates of tiny instances, by every rule; without end if `count` is negative."""
    rng = random.Random(seed)
    while count:
        count -= 1
        instance = random_instance(rng)
        result = solve(instance, math.inf)
        best = result.objective
        assert best == optimum_of(instance)
        for proof in proofs(instance, best, rng):
            rule = proof["rule"]
            value = best
            if rule != "exhaustive":
                low = best if rule in ("batch-state", "dominance", "demand-duals") else 0
                groups = read_instance(instance_to_json(instance)).groups
                requests = groups if rule == "event-order" else types_of(instance)
                try:
                    value = RULES[rule](instance.memory, requests, low, proof, Budget())
                except Refused as refused:  # poor duals ask for a long search, or a large slack
                    assert str(refused).startswith(("proof.nodes: ", "proof.slack: "))
                    continue
            if rule == "propagation":  # below the cutoff nothing is claimed to be possible
                value = min(value, best)
            if 0 <= value <= best:
                yield {
                    "format": "kvopt-certificate/2",
                    "instance": {
                        "memory": instance.memory,
                        "requests": [{"prompt": r.prompt, "output": r.output} for r in instance],
                    },
                    "instance_sha256": instance.digest(),
                    "lower_bound": value,
                    "upper_bound": best,
                    "starts": result.starts.tolist(),
                    "proof": proof,
                }


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield (*path, key)
            yield from places(value[key], (*path, key))


def mutants(content: dict[str, Any], rng: random.Random, share: float) -> Iterator[dict[str, Any]]:
    """Copies with something changed, dropped, doubled, swapped or added, at a share of places."""
    content = json.loads(json.dumps(content))  # no list or object stands at two places

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
        return {**content, "instance_sha256": digest(read_instance(content["instance"]))}
    except (Refused, KeyError):
        return content


def is_true(content: dict[str, Any]) -> bool:
    memory = content["instance"]["memory"]
    requests, releases = [], []
    for entry in content["instance"]["requests"]:
        requests += [(entry["prompt"], entry["output"])] * entry.get("count", 1)
        releases += [entry.get("release", 0)] * entry.get("count", 1)
    prompts, outputs = zip(*requests, strict=True)
    if content["lower_bound"] > optimum_of(Instance(memory, prompts, outputs, releases=releases)):
        return False
    if "starts" in content:
        starts = content["starts"]
        attempts = [(i, start, start + requests[i][1], False) for i, start in enumerate(starts)]
        fits = max(model.memory_by_round(memory, requests, attempts)) <= memory
        cost = model.total_completion_time(attempts) - sum(releases)
        whole = len(starts) == len(requests) and all(map(int.__ge__, starts, releases))
        return whole and fits and cost == content["upper_bound"]
    return True


def assert_no_false_mutant_is_accepted(
    contents: Iterable[dict[str, Any]], rng: random.Random, share: float
) -> None:
    """Check mutants of certificates, thousands: what is accepted is true, and most are refused."""
    tried = accepted = 0
    for content in contents:
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
