"""The rule "demand-duals"."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from certificate_texts import DEMAND_DUALS, altered, refusal, repaired
from small_instances import optimum_of

import demand_duals
from budget import MEGABYTE, Budget
from instances import Types
from kvopt import Instance
from profile_graph import Graph
from profile_paths import cheapest_path
from profile_search import Search, entered
from reading import Refused


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("scale",), None, "proof: has no 'scale'"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("duals",), None, "proof: has no 'duals'"),
        (("duals",), {}, "proof.duals: must be a list"),
        (("duals",), [], "proof.duals: must name each type once, ascending"),
        (("duals", 1), [0, 1, 1], "proof.duals: must name each type once, ascending"),
        (("duals", 0), [1, 4, 1], "proof.duals: must name each type once, ascending"),
        (("duals", 0), [0, 1], "proof.duals: must hold 3 integers"),
        (("duals", 0, 2), True, "proof.duals: must be an integer from"),
        (("duals", 1, 2), 10**12, "takes more than 800000000 steps"),
        (("duals", 1, 2), -(10**12), "lower_bound: is 11, the proof gives -"),
        (("duals", 1, 2), 8, "lower_bound: is 11, the proof gives"),
    ],
)
def test_refusals_of_worth_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    assert reason in refusal(altered(("proof", *path), value, DEMAND_DUALS))


def test_refuses_long_profiles() -> None:
    instance = {"memory": 30_000, "requests": [{"prompt": 0, "output": 20_000}]}
    proof = {"rule": "demand-duals", "scale": 1, "duals": [[0, 20_000, 30_000]]}
    content = repaired({**DEMAND_DUALS, "instance": instance, "proof": proof})
    del content["starts"], content["upper_bound"]
    assert "the outputs are too long" in refusal(json.dumps(content))


SEARCH = {**DEMAND_DUALS, "proof": {**DEMAND_DUALS["proof"], "slack": 30, "nodes": 10_000}}
"""The same with a search, which proves no less."""


def test_a_search_proves_the_optimum_and_no_more() -> None:
    best = 13
    poor = altered(("proof", "duals", 1, 2), 8, SEARCH)
    for text in (json.dumps(SEARCH), poor):
        content = json.loads(text)
        content["lower_bound"] = best
        assert refusal(json.dumps(content)) == ""
        content["lower_bound"] = best + 1
        del content["starts"], content["upper_bound"]
        assert f"lower_bound: is {best + 1}, a schedule costs less" in refusal(json.dumps(content))


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("slack",), None, "proof: has no 'slack'"),
        (("nodes",), None, "proof: has an unknown key 'slack'"),
        (("slack",), -1, "proof.slack: must be an integer from 0"),
        (("slack",), 0, "proof.slack: is less than what a start may cost"),
        (("slack",), 10**30, "takes more than 800000000 steps"),
        (("nodes",), 0, "proof.nodes: must be an integer from 1"),
        (("nodes",), 1, "proof.nodes: the search takes more than 1"),
        (("nodes",), 10**9, "proof.nodes: must be an integer from 1 to 50000000"),
    ],
)
def test_refusals_of_searches_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    poor = json.loads(altered(("proof", "duals", 1, 2), 4, SEARCH))
    poor["lower_bound"] = 13
    assert refusal(json.dumps(poor)) == ""
    assert reason in refusal(altered(("proof", *path), value, poor))


def least_slack(memory: int, types: Types, low: int, scale: int, duals: Types) -> int | None:
    """The least slack that is enough to prove `low`."""
    slack, least = -1, 0
    while slack < least < 300 * scale:
        slack = least
        costs: dict[tuple[int, int], list[int]] = {kind: [] for kind in duals}
        value = cheapest_path(memory, duals, costs, scale, Budget(), slack, [])
        value += sum(types[kind] * dual for kind, dual in duals.items())
        least = max(slack, scale * (low - 1) - value)
    return slack if least == slack else None


def test_searches_with_any_duals_and_the_least_slack_prove_the_optimum_and_no_more() -> None:
    rng = random.Random(11)
    searches = 0
    for _ in range(150):
        memory = rng.randint(4, 10)
        kinds = [(s := rng.randint(0, 2), rng.randint(1, min(5, memory - s))) for _ in range(3)]
        requests = [rng.choice(kinds) for _ in range(rng.randint(3, 6))]
        types = {kind: requests.count(kind) for kind in sorted(set(requests))}
        prompts, outputs = zip(*requests, strict=True)
        best = optimum_of(Instance(memory, prompts, outputs))
        scale = rng.randint(1, 3)
        duals = {kind: scale * kind[1] + rng.randint(-scale, 9 * scale) for kind in types}
        rows = [[*kind, dual] for kind, dual in duals.items()]
        for low in (best, best + 1):
            slack = least_slack(memory, types, low, scale, duals)
            if slack is None:
                continue
            searches += 1
            proof = {"rule": "demand-duals", "scale": scale, "duals": rows}
            proof |= {"slack": slack, "nodes": 10**5}
            if low == best:
                assert demand_duals.prove(memory, types, low, proof, Budget()) == best
            else:
                with pytest.raises(Refused, match="a schedule costs less"):
                    demand_duals.prove(memory, types, low, proof, Budget())
    assert searches > 200


def searched(counts: Types, budget: Budget) -> Search:
    return Search(counts, 0, 1, budget)


def test_long_integers_and_nodes_on_the_way_are_paid_for() -> None:
    few, many = Budget(), Budget()
    searched({(0, 1): 1}, few)
    searched({(s, 1): 20 for s in range(2_000)}, many)
    assert few.steps - few.left < 100 < 100_000 < many.steps - many.left
    assert many.megabytes * MEGABYTE - many.room > 2_000 * 12_000 // 8


def test_fields_that_are_61_bits_apart_share_no_hashes() -> None:
    bits = [9, 19, 19, 10, 9]  # and a guard for each: the last field begins at bit 61
    counts = {(s, 1): 2**n - 1 for s, n in enumerate(bits)}
    units = searched(counts, Budget()).units
    numbers = [a * units[0, 1] + b * units[4, 1] for a in range(30) for b in range(30)]
    assert len(set(map(hash, numbers))) == len(numbers)


@pytest.mark.parametrize("costs", [(3, 1), (1, 3)])
def test_of_profiles_that_become_one_the_cheapest_path_is_kept(costs: tuple[int, int]) -> None:
    graph = Graph([0], [], [], [], [], 1, entry=[0, 0])
    assert entered({0: {5: costs[0]}, 1: {5: costs[1]}}, graph) == {0: {5: 1}}


def test_a_search_keeps_as_many_nodes_as_costs_to_go_ask_for_all_times_together() -> None:
    types = {(0, 1): 6, (1, 3): 4, (2, 2): 5}
    proof = {"rule": "demand-duals", "scale": 1, "duals": [[0, 1, 4], [1, 3, 9], [2, 2, 7]]}
    proof |= {"slack": 40, "nodes": 932}
    assert demand_duals.prove(9, types, 60, proof, Budget()) == 60
    with pytest.raises(Refused, match="the search takes more than 931"):
        demand_duals.prove(9, types, 60, proof | {"nodes": 931}, Budget())
