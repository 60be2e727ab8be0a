"""Certificates of tiny instances with releases, by every rule that holds for them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from event_trees import any_event_order, event_order_proof, shapes_of
from fuzzing.knapsacks import any_knapsack
from mutation import dominance_proof
from small_instances import optimum_of, random_released_instance

from budget import Budget
from event_order import prove as prove_by_events
from instances import Instance as Checked
from instances import read_instance
from kvopt import Instance, Stopping
from kvopt.certificates.write import certificate
from kvopt.model.formats import instance_to_json
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.batch_state.stage import BatchState
from kvopt.solver.releases.search import solve_by_release_search
from kvopt.solver.stage import run_alone
from release_search import searched
from releases import WITH_RELEASES

__all__ = ["bound", "checked", "named", "random_proofs", "released_examples"]


def checked(instance: Instance) -> Checked:
    return read_instance(instance_to_json(instance))


def bound(instance: Instance, proof: dict[str, Any], low: int = 0) -> int:
    """What a rule proves about the total latency."""
    late = instance.total_release
    rule = WITH_RELEASES[proof["rule"]]
    found = rule(instance.memory, checked(instance).arrivals, low + late, proof, Budget())
    return int(found) - late


def named(instance: Instance) -> list[list[int]]:
    """Each prompt, output and release once, ascending."""
    return sorted({(r.prompt, r.output, r.release): None for r in instance})


def random_proofs(instance: Instance, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Objects "proof" with any duals."""
    for weights in ("memory", "slots"):
        yield {"rule": "busy-time", "weights": weights}
    scale = rng.randint(1, 5)
    duals = [[*row, rng.randint(-scale, 20 * scale)] for row in named(instance)]
    yield {"rule": "demand-duals", "scale": scale, "duals": duals}
    yield {"rule": "batch-state", "scale": scale, "duals": duals, "horizon": 30, "nodes": 0}
    rounds = sorted(rng.sample(range(1, 25), 5))
    memory = [[r, rng.randint(0, 4)] for r in rounds]
    covers = sorted({(rng.choice([1, 2]), rng.randint(0, 20)) for _ in range(3)})
    on_covers = [[*row, rng.randint(0, 8)] for row in covers]
    leaf = {"memory": memory, "covers": on_covers, "branch": []}
    yield {"rule": "linear-duals", "scale": rng.randint(1, 20), "tree": [leaf]}
    requests = [(r.prompt, r.output) for r in instance]
    row = any_knapsack(instance.memory, requests, 20, 3, rng)
    yield {"rule": "linear-duals", "scale": 4, "tree": [{**leaf, "knapsacks": [row]}]}
    prompt, output, _ = rng.choice(named(instance))
    split = {"split": [[prompt, output, rng.randint(1, 9)]], "at_most": rng.randint(0, 2)}
    leaves = [{**leaf, "branch": [rng.randint(0, 20)]} for _ in range(2)]
    yield {"rule": "linear-duals", "scale": rng.randint(1, 9), "tree": [split, *leaves]}


def released_examples(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Certificates by every rule that holds with releases; without end if `count` is negative."""
    rng = random.Random(seed)
    while count:
        count -= 1
        instance = random_released_instance(rng)
        known = best_list_schedule(instance)
        result = solve_by_release_search(instance, known, Stopping())
        best = result.objective
        assert best == optimum_of(instance)
        content = {**certificate(run_alone(BatchState(), instance, known, Stopping()))}
        assert (content["lower_bound"], content["upper_bound"]) == (best, best)
        if content["proof"].get("usable"):  # without, for checkers that do not know it
            content["proof"] = {**content["proof"], "nodes": 10**6}
            del content["proof"]["usable"]
        yield content
        one, late = checked(instance), instance.total_release
        states = searched(one.memory, one.arrivals, best + late, 10**6, Budget())
        yield {**content, "proof": {"rule": "exhaustive", "states": states}}
        yield {**content, "proof": dominance_proof(instance, rng)}
        for proof in random_proofs(instance, rng):
            if (value := bound(instance, proof)) >= 0:
                yield {**content, "lower_bound": value, "proof": proof}
        problem = instance.memory, shapes_of(instance)
        trees = [any_event_order(*problem, rng, depth=2)]
        if len(instance) < 3:
            trees.append(event_order_proof(*problem, best))
        for proof in trees:
            value = prove_by_events(one.memory, one.groups, 0, proof, Budget())
            if value >= 0:
                yield {**content, "lower_bound": value, "proof": proof}
