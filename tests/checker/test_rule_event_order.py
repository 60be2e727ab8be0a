"""The rule "event-order"."""

from __future__ import annotations

import copy
import itertools
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from certificate_texts import EVENT_ORDER, altered, refusal, repaired
from event_trees import Node, any_event_order, any_prices, event_order_proof, shapes_of
from mutation import assert_no_false_mutant_is_accepted
from small_instances import optimum_of, random_instance, random_released_instance

from budget import Budget
from claims import check
from convex_costs import convex, least
from event_order import MAX_ORDERED, prove
from instances import read_instance
from kvopt import Instance
from kvopt.certificates.write import certificate_text
from kvopt.model.formats import instance_to_json
from kvopt.solver.solve import solve

NO_PRICES: dict[str, Any] = {"memory": [], "covers": [], "branch": []}


def bound(instance: Instance, proof: dict[str, Any]) -> int:
    """What a proof gives for the total latency."""
    groups = read_instance(instance_to_json(instance)).groups
    return prove(instance.memory, groups, 0, proof, Budget())


def some_instances(count: int, seed: int) -> Iterator[Instance]:
    """Tiny ones, every other one with releases."""
    rng = random.Random(seed)
    for number in range(count):
        yield (random_released_instance if number % 2 else random_instance)(rng)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("scale",), 2, "lower_bound: is 13, the proof gives 12"),
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("tree",), {}, "proof.tree: must be a list"),
        (("tree",), [], "proof.tree: ends with 1 subtrees missing"),
        (("tree", 5), None, "proof.tree: ends with 1 subtrees missing"),
        (("tree", 5), 7, "proof.tree[5]: must be an object"),
        (("tree", 5), {}, "proof.tree[5]: has no 'at'"),
        (("tree", 5), {"rows": [], "at": [0, 1]}, "proof.tree[5]: has an unknown key 'at'"),
        (("tree", 0, "rows"), [], "proof.tree[0]: has an unknown key 'start'"),
        (("tree", 0, "at"), [0, 1], "proof.tree[0]: has an unknown key 'at'"),
        (("tree", 0, "start"), [2], "proof.tree[0].start: must hold 2 integers"),
        (("tree", 0, "start", 0), 3, "proof.tree[0].start[0]: must be an integer from 0 to 2"),
        (("tree", 0, "start", 1), -1, "proof.tree[0].start: must be an integer from 0"),
        (("tree", 0, "start", 1), 10**17 + 1, "proof.tree[0].start[1]: must be an integer from 0"),
        (("tree", 0, "start", 1), 2, "tree[5].rows[0]: the head of 2 is 3, less than 4"),
        (("tree", 0, "start", 0), 1, "proof.tree[3].rows[2]: the path has no end of [2]"),
        (("tree", 1, "at"), [1, 1], "proof.tree[1].at: must be two requests, not decided above"),
        (("tree", 1, "at", 1), 3, "proof.tree[1].at[1]: must be an integer from 0 to 2"),
        (("tree", 1, "at", 1), True, "proof.tree[1].at: must be an integer from 0"),
        (("tree", 1, "at"), [0, 1], "proof.tree[3].rows[1]: 1 is not decided to run"),
        (("tree", 2, "rows"), 0, "proof.tree[2].rows: must be a list"),
        (("tree", 2, "rows"), [[1, "gap", 0, 2]], "proof.tree[2].rows[0]: the path has no gap"),
        (("tree", 3, "rows", 0), 5, "proof.tree[3].rows[0]: must be a row, got 5"),
        (("tree", 3, "rows", 0), [4, "gap"], "proof.tree[3].rows[0]: must be a row"),
        (("tree", 3, "rows", 0, 1), [], "proof.tree[3].rows[0]: must be a row"),
        (
            ("tree", 3, "rows", 0, 1),
            "gaps",
            "rows[0][1]: must be gap, end, memory, area, cover, price, got",
        ),
        (("tree", 3, "rows", 0, 0), 0, "proof.tree[3].rows[0][0]: must be an integer from 1"),
        (("tree", 3, "rows", 0, 0), True, "proof.tree[3].rows[0][0]: must be an integer from 1"),
        (("tree", 3, "rows", 0, 0), 6, "proof.tree[3].rows: the coefficient of 0 is 2, above 1"),
        (("tree", 3, "rows", 0, 0), 2, "proof.tree[3].rows: the coefficient of 1 is 2, above 1"),
        (("tree", 3, "rows", 0, 2), 3, "proof.tree[3].rows[0]: must be an integer from 0 to 2"),
        (("tree", 3, "rows", 0), [4, "gap", 1, 0, 2], "rows[0]: the path has no gap [1, 0, 2]"),
        (("tree", 3, "rows", 0, 3), 2, "proof.tree[3].rows[0]: the path has no gap [1, 2]"),
        (("tree", 3, "rows", 1), [4, "memory", 0], "rows[1]: must name requests that run"),
        (("tree", 3, "rows", 1), [4, "memory", 0, 1, 1], "rows[1]: must name requests that run"),
        (("tree", 3, "rows", 1, 3), 2, "rows[1]: 2 is not decided to run at the completion of 0"),
        (("tree", 3, "rows", 1, 3), 0, "rows[1]: 0 is not decided to run at the completion of 0"),
        (("tree", 3, "rows", 2), [1, "end", 2, 2], "rows[2]: the path has no end of [2, 2]"),
        (("tree", 3, "rows", 2, 2), 0, "rows[2]: the path has no end of [0]"),
        (("tree", 4, "rows", 0), [1, "memory", 0, 1], "rows[0]: 1 is not decided to run"),
        (("tree", 5, "rows", 0), [1, "end", 2], "proof.tree[5].rows[0]: the path has no end"),
        (("tree", 5, "rows", 0, 2), 5, "rows[0]: the head of 2 is 4, less than 5"),
        (("tree", 5, "rows", 0, 2), -1, "rows[0]: its round: must be an integer from 0"),
        (("tree", 5, "rows", 0, 3), 0, "rows[0]: the head of 0 is 0, less than 4"),
        (("tree", 5, "rows", 0), [1, "area", 4, 2, 2], "rows[0]: must name requests, each once"),
        (("tree", 5, "rows", 0), [1, "area", 4], "rows[0]: must name requests, each once"),
        (("tree", 5, "rows", 0), [1, "cover", 1, 4], "rows[0]: must name requests, each once"),
        (
            ("tree", 5, "rows", 0),
            [1, "cover", 1, 4, 2, 2],
            "rows[0]: must name requests, each once",
        ),
        (
            ("tree", 5, "rows", 0),
            [1, "cover", 0, 4, 2],
            "its level: must be an integer from 1 to 64",
        ),
        (
            ("tree", 5, "rows", 0),
            [1, "cover", 65, 4, 2],
            "its level: must be an integer from 1 to 64",
        ),
        (("tree", 5, "rows", 0), [1, "cover", 1, 5, 2], "rows[0]: the head of 2 is 4, less than 5"),
        (("tree", 5, "rows", 0), [1, "cover", 1, 4, 3], "rows[0]: must be an integer from 0 to 2"),
        (("tree", 5, "rows", 0), [1, "price", 0], "its prices: must be an integer from 0 to -1"),
        (("prices",), 0, "proof.prices: must be a list"),
        (("prices",), [0], "proof.prices[0]: must be an object"),
        (("prices",), [{}] * 1001, "proof.prices: must be at most 1000 prices, got 1001"),
        (("prices",), [{"memory": [], "covers": []}], "proof.prices[0]: has no 'branch'"),
        (("prices",), [{**NO_PRICES, "branch": [1]}], "prices[0].branch: must be 0 duals, got 1"),
        (("prices",), [{**NO_PRICES, "split": []}], "prices[0]: has an unknown key 'split'"),
        (("prices",), [{**NO_PRICES, "memory": [[0, 1]]}], "prices[0].memory: rows must increase"),
    ],
)
def test_refusals_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(EVENT_ORDER))
    assert reason in refusal(altered(("proof", *path), value, EVENT_ORDER))


def test_refuses_a_tree_that_goes_on_and_a_pair_that_is_decided() -> None:
    content = copy.deepcopy(EVENT_ORDER)
    content["proof"]["tree"].append({"rows": []})
    assert "proof.tree[6]: is left over" in refusal(json.dumps(content))
    content["proof"]["tree"][2] = {"at": [1, 0]}
    assert "proof.tree[2].at: must be two requests, not dec" in refusal(json.dumps(content))


def test_proves_optima_of_small_instances() -> None:
    kinds = set()
    for instance in some_instances(50, seed=1):
        best = optimum_of(instance)
        proof = event_order_proof(instance.memory, shapes_of(instance), best)
        assert bound(instance, proof) == best
        kinds |= {row[1] for node in proof["tree"] for row in node.get("rows", [])}
    assert kinds >= {"gap", "memory", "area"}


def test_any_multipliers_prove_what_is_true() -> None:
    rng = random.Random(2)
    good, kinds = 0, set()
    for instance in some_instances(200, seed=3):
        best = optimum_of(instance)
        proof = any_event_order(instance.memory, shapes_of(instance), rng, rng.randint(0, 3))
        value = bound(instance, proof)
        assert value <= best
        good += value == best
        kinds |= {row[1] for node in proof["tree"] for row in node.get("rows", [])}
        kinds |= {key for node in proof["tree"] for key in node}
    assert good > 20
    rows = {"gap", "end", "memory", "area", "cover", "price"}
    assert kinds == {*rows, "at", "start", "rows"}


def certificates(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Certificates of optima, some with multipliers that prove less."""
    rng = random.Random(seed)
    for instance in some_instances(count, seed):
        result = solve(instance)
        best = result.objective
        problem = instance.memory, shapes_of(instance)
        for proof in (event_order_proof(*problem, best), any_event_order(*problem, rng, 3)):
            if (value := bound(instance, proof)) >= 0:
                yield {
                    "format": "kvopt-certificate/2",
                    "instance": instance_to_json(instance),
                    "instance_sha256": instance.digest(),
                    "lower_bound": value,
                    "upper_bound": best,
                    "starts": result.starts.tolist(),
                    "proof": proof,
                }


def test_certificates_hold_and_a_bound_above_is_refused() -> None:
    for content in certificates(10, seed=4):
        claim = check(certificate_text(content))
        assert (claim.rule, claim.lower_bound) == ("event-order", content["lower_bound"])
        low = content.pop("lower_bound")
        del content["starts"], content["upper_bound"]
        above = refusal(json.dumps({**content, "lower_bound": low + 1}))
        assert above == f"lower_bound: is {low + 1}, the proof gives {low}"


@pytest.mark.parametrize(
    ("count", "share"), [(9, 0.2), pytest.param(30, 1, marks=pytest.mark.slow)]
)
def test_no_mutant_is_accepted_unless_it_is_true(count: int, share: float) -> None:
    some = [one for one in certificates(count, seed=5) if len(one["proof"]["tree"]) < 25]
    assert_no_false_mutant_is_accepted(some, random.Random(6), share)


def test_convex_costs_are_below_and_their_least_sum_is_found() -> None:
    rng = random.Random(11)
    below = 0
    for _ in range(300):
        rows = []
        for _ in range(rng.randint(1, 3)):
            given = [rng.randint(0, 30) for _ in range(rng.randint(0, 9))] + [0]
            if rng.random() < 0.5:
                given.sort(reverse=True)
            found = convex(given)
            steps = [b - a for a, b in itertools.pairwise(found)]
            assert steps == sorted(steps)
            assert found[-1] == 0
            assert all(g <= f for g, f in zip(found, given, strict=True))
            below += found != given
            rows.append((rng.randint(1, 4), found))
        rate, head = rng.randint(0, 30), rng.randint(0, 12)
        values = [
            rate * t + sum(y * g[t] for y, g in rows if t < len(g)) for t in range(head, head + 30)
        ]
        assert least(rate, head, rows) == min(values)
    assert below > 100


def test_prices_that_ask_for_too_much_are_refused() -> None:
    late = {**NO_PRICES, "memory": [[10**7 + 1, 1]]}
    assert "proof.prices[0]: has duals too late" in refusal(altered_prices([late]))
    knots = [[1, 0], [10**6, 0]]
    steep = {"heights": [[x, 9] for x in range(10**3)] + [[10**3, 1]], "knots": knots}
    for costly in ({"memory": [[10**5, 1]]}, {"first_completion": [steep]}):
        with pytest.raises(Exception, match="takes more than 10000000 steps to check"):
            check(altered_prices([{**NO_PRICES, **costly}] * 50), Budget(10**7))
    with pytest.raises(Exception, match="takes more than 20 MB of memory to check"):
        check(altered_prices([{**NO_PRICES, "memory": [[10**5, 1]]}]), Budget(10**9, 20))


def test_a_leaf_with_prices_proves_what_their_definition_says() -> None:
    """Each request takes its cheapest start from its release on, found among all."""
    rng = random.Random(12)
    late = 0
    for instance in some_instances(150, seed=13):
        shapes, scale = shapes_of(instance), rng.choice([1, 2, 5])
        given = {**any_prices(rng), "first_completion": []}
        limit = sum(instance.memory * p for _, p in given["memory"])
        value, y = -(limit + sum(m * p for m, _, p in given["covers"])), rng.randint(1, 3)
        value *= y
        root = Node(instance.memory, shapes, ())
        for i, (s, o, release) in enumerate(shapes):
            costs = [
                sum(p * (s + r - t) for r, p in given["memory"] if t < r <= t + o)
                + sum(p for m, u, p in given["covers"] if u - root.window(m, i) < t <= u)
                for t in range(14)
            ]
            g = convex(costs) + [0] * 30
            value += min(scale * t + y * g[t] for t in range(release, release + 20))
            late += 0 < release < 12
        tree = [{"rows": [[y, "price", 0]]}]
        proof = {"rule": "event-order", "scale": scale, "tree": tree, "prices": [given]}
        fixed = sum(output - release for _, output, release in shapes)
        assert bound(instance, proof) == -(-value // scale) + fixed
    assert late > 50


def test_rows_of_prices_add_up_and_leave_coefficients_limited() -> None:
    instance = Instance(10, [1, 2], [6, 5])
    prices = [{**NO_PRICES, "memory": [[3, 1], [5, 2]]}, {**NO_PRICES, "covers": [[1, 2, 7]]}]

    def proof(*rows: list[Any]) -> dict[str, Any]:
        return {"rule": "event-order", "scale": 30, "tree": [{"rows": [*rows]}], "prices": prices}

    once, other = [1, "price", 0], [1, "price", 1]
    assert bound(instance, proof(once, once)) == bound(instance, proof([2, "price", 0]))
    assert bound(instance, proof(once, other, once)) == bound(
        instance, proof([2, *once[1:]], other)
    )
    assert bound(instance, proof([1, "area", 0, 0], once)) <= optimum_of(instance)
    for rows in ([[2, "area", 0, 0], once], [once, [2, "area", 0, 0]]):
        with pytest.raises(Exception, match="the coefficient of 0 is 54, above 30"):
            bound(instance, proof(*rows))


def test_prices_pay_for_their_hull_for_bisection_and_for_what_they_keep() -> None:
    instance, last, leaves = Instance(10, [1, 2], [6, 5]), 1000, 50
    groups = read_instance(instance_to_json(instance)).groups

    def left(leaf: list[Any], prices: list[Any]) -> tuple[int, int]:
        tree = [node for t in range(leaves - 1) for node in ({"start": [0, t]}, {"rows": leaf})]
        proof = {"rule": "event-order", "scale": 1, "tree": [*tree, {"rows": leaf}]}
        budget = Budget()
        prove(10, groups, 0, {**proof, "prices": prices}, budget)
        return budget.left, budget.room

    prices = [{**NO_PRICES, "memory": [[last, 1]]}]
    plain, read, used = left([], []), left([], prices), left([[1, "price", 0]], prices)
    rows = 3 * (2 + 2)  # prefix sums, and the costs of two types
    assert plain[0] - read[0] >= last * (rows + 30 * 2)
    assert read[0] - used[0] >= leaves * 2 * 2 * last.bit_length() * 5
    assert plain[1] - read[1] >= 60 * last * 2


def altered_prices(prices: list[dict[str, Any]]) -> str:
    return altered(("proof", "prices"), prices, EVENT_ORDER)


def test_requests_are_numbered_as_in_the_instance() -> None:
    """The rows of one order prove nothing of another one."""
    swapped = copy.deepcopy(EVENT_ORDER)
    swapped["instance"]["requests"].reverse()
    swapped["starts"].reverse()
    reason = refusal(json.dumps(repaired(swapped)))
    assert reason == "proof.tree[5].rows: the coefficient of 2 is 14, above 1"
    back = {0: 1, 1: 2, 2: 0}
    tree = swapped["proof"]["tree"]
    tree[0]["start"][0] = back[2]
    tree[1]["at"] = [back[1], back[0]]
    tree[3]["rows"] = [
        *([4, "gap", back[1], back[0]], [4, "memory", back[0], back[1]]),
        [1, "end", back[2]],
    ]
    tree[4]["rows"] = [[1, "gap", back[0], back[1]]]
    tree[5]["rows"] = [[1, "area", 4, back[2]]]
    check(json.dumps(repaired(swapped)))


def test_alike_means_the_same_release() -> None:
    """Only then may starts be exchanged: here the one with the later number must begin first."""
    instance = Instance(5, [1, 1], [4, 4], releases=[3, 0])
    gap = {"rule": "event-order", "scale": 1, "tree": [{"rows": [[1, "gap", 0, 1]]}]}
    groups = read_instance(instance_to_json(instance)).groups
    with pytest.raises(Exception, match=r"the path has no gap \[0, 1\]"):
        prove(5, groups, 0, gap, Budget())
    assert bound(Instance(5, [1, 1], [4, 4], releases=[3, 3]), gap) == 8
    assert bound(instance, event_order_proof(5, shapes_of(instance), optimum_of(instance))) == 9


def test_heads_are_those_of_bellman_and_ford() -> None:
    """Kept along the path, gap by gap, they are what all gaps give at once."""
    rng = random.Random(7)
    for instance in some_instances(30, seed=8):
        proof = any_event_order(instance.memory, shapes_of(instance), rng, rng.randint(1, 3))
        paths: list[tuple[tuple[Any, ...], ...]] = [()]
        for node in proof["tree"]:
            decisions = paths.pop()
            if "rows" not in node:
                asked = "at" if "at" in node else "start"
                parts = range(3 if asked == "at" else 2)
                paths += [(*decisions, (asked, *node[asked], part)) for part in reversed(parts)]
                continue
            heads = Node(instance.memory, shapes_of(instance), decisions).heads
            for i, head in enumerate(heads or [10**9] * len(instance)):
                for e in {max(0, head), head + 1}:
                    node["rows"] = [[1, "area", e, i]]
                    scale = {**proof, "scale": 10**6}
                    said = why(instance, scale)
                    assert (f"the head of {i} is" in said) == (heads is not None and e > head)
            node["rows"] = []


def why(instance: Instance, proof: dict[str, Any]) -> str:
    content = {
        "format": "kvopt-certificate/2",
        "instance": instance_to_json(instance),
        "instance_sha256": instance.digest(),
        "lower_bound": 0,
        "proof": proof,
    }
    return refusal(json.dumps(content))


def alone(memory: int, outputs: list[int], tree: Any, scale: int = 1) -> str:
    """Why a tree is refused for some requests without prompts; empty if it is not."""
    instance = Instance(memory, [0] * len(outputs), outputs)
    return why(instance, {"rule": "event-order", "scale": scale, "tree": tree})


def test_more_requests_than_it_is_for_are_refused() -> None:
    assert alone(9, [1] * MAX_ORDERED, [{"rows": []}]) == ""
    reason = alone(9, [1] * (MAX_ORDERED + 1), [{"rows": []}])
    assert reason == "proof: is for at most 64 requests, the instance has 65"
    crowd = {**EVENT_ORDER["instance"], "requests": [{"prompt": 0, "output": 1, "count": 10**7}]}
    content = {key: EVENT_ORDER[key] for key in EVENT_ORDER if key not in ("starts", "upper_bound")}
    began = time.process_time()
    assert "the instance has 10000000" in refusal(
        json.dumps(repaired({**content, "instance": crowd}))
    )
    assert time.process_time() - began < 5


def test_deep_trees_and_long_chains_are_no_trouble() -> None:
    """Every pair decided, and many times as many starts: no recursion, no time to speak of."""
    outputs = list(range(10, 34))
    pairs = list(itertools.permutations(range(len(outputs)), 2))
    tree: list[Any] = [{"at": pair} for pair in pairs]
    tree += [{"rows": []} for _ in range(2 * len(pairs) + 1)]
    began = time.process_time()
    assert alone(10**9, outputs, tree) == ""
    tree = [{"start": [t % 24, t]} for t in range(10_000)]
    assert alone(10**9, outputs, [*tree, *[{"rows": []}] * 10_001]) == ""
    assert time.process_time() - began < 10


def test_huge_numbers_are_no_trouble() -> None:
    huge = 10**39
    rows = [[huge, "area", 0, *range(20)], [huge, "gap", 0, 1]]
    assert "the coefficient of" in alone(10**9, [10**9] * 20, [{"rows": rows}], scale=huge)
    late = [{"start": [0, 10**17]}, {"rows": []}, {"rows": [[huge, "area", 10**17, 0, 1]]}]
    assert alone(10**9, [1, 1], late, scale=huge) == ""
