"""Knapsack rows in the rules "linear-duals", "propagation" and "event-order"."""

from __future__ import annotations

import copy
import itertools
import json
import random
from typing import Any

import pytest
from certificate_texts import SOUND, altered, refusal, repaired
from fuzzing.knapsacks import any_knapsack, random_steps
from oracles.knapsack import counted, largest_count
from small_instances import optimum_of, random_instance, random_released_instance, types_of

import releases
from budget import Budget
from claims import RULES, check
from instances import Group, Instance
from knapsacks import Knapsack, least_tokens, read
from linear_duals import reduced_costs
from reading import Refused

ROWS: dict[str, Any] = {
    **SOUND,
    "lower_bound": 13,
    "proof": {
        "rule": "linear-duals",
        "scale": 4,
        "tree": [
            {
                "memory": [],
                "covers": [],
                "branch": [],
                "knapsacks": [
                    {"limit": 2, "steps": [[1, 4, 1, 1], [1, 4, 3, 2]], "duals": [[4, 4]]},
                    {
                        "limit": 7,
                        "steps": [[0, 1, 1, 2], *([1, 4, j, 2 * j - 1] for j in range(1, 5))],
                        "knots": [[3, 0], [4, 1], [5, 0]],
                    },
                ],
            }
        ],
    },
}
ROW = ("proof", "tree", 0, "knapsacks", 0)
KNOTS = ("proof", "tree", 0, "knapsacks", 1)


def sets_that_fit(memory: int, requests: list[tuple[int, int]], steps: Any) -> set[tuple[int, int]]:
    """(tokens, count) of every set of requests that fits, each in any of its rounds."""
    found = set()
    rounds = [range(o + 1) for _, o in requests]  # 0: it is not in the set
    for chosen in itertools.product(*rounds):
        inside = [(s, o, j) for (s, o), j in zip(requests, chosen, strict=True) if j]
        if (tokens := sum(s + j for s, _, j in inside)) <= memory:
            found.add((tokens, sum(counted(steps, (s, o), j) for s, o, j in inside)))
    return found


def by_type(steps: list[list[int]]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for s, o, j, c in steps:
        found.setdefault((s, o), []).append((j, c))
    return found


def knapsack(memory: int, types: dict[tuple[int, int], int], row: dict[str, Any]) -> Knapsack:
    return read(row, memory, types, Budget(), "row")


def test_least_tokens_are_those_of_all_sets() -> None:
    rng = random.Random(1)
    for _ in range(150):
        instance = random_instance(rng)
        memory, requests = instance.memory, [(r.prompt, r.output) for r in instance]
        steps = random_steps(requests, rng)
        sets = sets_that_fit(memory, requests, steps)
        most = max(count for _, count in sets)
        assert largest_count(memory, requests, steps) == most
        for v in range(most + 4):
            literal = min((tokens for tokens, count in sets if count >= v), default=None)
            found = least_tokens(memory, types_of(instance), by_type(steps), v, Budget())
            assert found > memory if literal is None else found == literal


def test_limits_that_are_too_small_are_refused_and_no_others() -> None:
    rng = random.Random(2)
    refused = 0
    for _ in range(300):
        instance = random_instance(rng)
        types, requests = types_of(instance), [(r.prompt, r.output) for r in instance]
        steps = random_steps(requests, rng)
        limit = max(count for _, count in sets_that_fit(instance.memory, requests, steps))
        row = {"steps": steps, "duals": [[1, 1]]}
        for more in (0, 1, 100):
            assert knapsack(instance.memory, types, {**row, "limit": limit + more})
        for less in range(limit):
            reason = rf"row\.limit: requests that fit count more than {less}$"
            with pytest.raises(Refused, match=reason):
                knapsack(instance.memory, types, {**row, "limit": less})
            refused += 1
    assert refused > 300


def test_many_requests_of_a_type_count_as_often_as_they_fit() -> None:
    steps, types = [[0, 3, 1, 1], [0, 3, 3, 4]], {(0, 3): 10**7}
    row = {"steps": steps, "duals": [[1, 1]]}
    assert knapsack(10, types, {**row, "limit": 13})  # three in round 3, one in round 1
    with pytest.raises(Refused, match="count more than 12"):
        knapsack(10, types, {**row, "limit": 12})
    assert knapsack(10, {(0, 3): 2}, {**row, "limit": 8})
    with pytest.raises(Refused, match="count more than 7"):
        knapsack(10, {(0, 3): 2}, {**row, "limit": 7})


def test_a_type_may_fill_memory_alone() -> None:
    row = {"steps": [[2, 3, 3, 7]], "duals": [[1, 1]]}
    assert knapsack(5, {(2, 3): 4}, {**row, "limit": 7}).right_hand_side(5) == 7
    with pytest.raises(Refused, match="count more than 6"):
        knapsack(5, {(2, 3): 4}, {**row, "limit": 6})
    assert knapsack(5, {(2, 3): 4}, {"limit": 0, "steps": [], "duals": [[1, 1]]})


def test_coefficients_are_those_of_the_steps() -> None:
    rng = random.Random(3)
    for _ in range(200):
        instance = random_instance(rng)
        types, requests = types_of(instance), [(r.prompt, r.output) for r in instance]
        row = any_knapsack(instance.memory, requests, 9, 3, rng)
        found = knapsack(instance.memory, types, row)
        for s, o in types:
            literal = [counted(row["steps"], (s, o), o - r) for r in range(o)]
            assert found.coefficients(instance.memory, s, o, {}) == literal


def test_memory_rows_are_knapsack_rows() -> None:
    types, memory, duals = {(1, 4): 2, (0, 1): 1}, 5, [[2, 3], [3, 7]]
    steps = [[0, 1, 1, 1], *([1, 4, j, 1 + j] for j in range(1, 5))]
    none = {"memory": [], "covers": [], "branch": []}
    values, tables = [], []
    other = {**none, "knapsacks": [{"limit": 5, "steps": steps, "duals": duals}]}
    for given in ({**none, "memory": duals}, other):
        value, found = reduced_costs(memory, types, 4, given, (), 0, Budget(), "")
        values.append(value)
        tables.append(dict(found))
    assert values[0] == values[1]
    assert tables[0] == tables[1]


def test_bounds_of_any_duals_are_true() -> None:
    rng = random.Random(4)
    tight = 0
    for number in range(250):
        late = number % 3 == 0
        instance = random_released_instance(rng) if late else random_instance(rng)
        requests = [(r.prompt, r.output) for r in instance]
        groups = [Group(r.prompt, r.output, r.release, 1) for r in instance]
        best, memory = optimum_of(instance), instance.memory
        for _ in range(4):
            rows = [any_knapsack(memory, requests, 12, 2, rng) for _ in range(rng.randint(1, 2))]
            leaf = {"memory": [], "covers": [], "branch": [], "knapsacks": rows}
            scale = rng.choice([1, 2, 4, 16])
            proof = {"rule": "linear-duals", "scale": scale, "tree": [leaf]}
            priced = {**proof, "rule": "event-order", "prices": [leaf]}
            priced["tree"] = [{"rows": [[1, "price", 0]]}]
            bounds = [RULES["event-order"](memory, groups, 0, priced, Budget())]
            if late:
                arrivals = Instance(memory, groups).arrivals
                total = releases.linear_duals(memory, arrivals, 0, proof, Budget())
                bounds.append(total - sum(group.release for group in groups))
            else:
                types = types_of(instance)
                bounds.append(RULES["linear-duals"](memory, types, 0, proof, Budget()))
                proof |= {"rule": "propagation", "horizon": 14, "cutoff": best + 1}
                bounds.append(RULES["propagation"](memory, types, 0, proof, Budget()))
            assert max(bounds) <= best
            tight += max(bounds) == best > sum(o for _, o in requests)
    assert tight > 0


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ((*ROW,), 7, "knapsacks[0]: must be an object"),
        ((*ROW[:-1],), 7, "knapsacks: must be a list, got 7"),
        ((*ROW, "extra"), 7, "knapsacks[0]: has an unknown key 'extra'"),
        ((*ROW, "knots"), [[1, 1]], "knapsacks[0]: has an unknown key 'duals'"),
        ((*ROW, "limit"), None, "knapsacks[0]: has no 'limit'"),
        ((*ROW, "steps"), None, "knapsacks[0]: has no 'steps'"),
        ((*ROW, "duals"), None, "knapsacks[0]: has no 'duals'"),
        ((*ROW, "duals"), [], "knapsacks[0].duals: must have duals"),
        ((*ROW, "limit"), -1, "limit: must be an integer from 0 to 1000000, got -1"),
        ((*ROW, "limit"), 10**6 + 1, "limit: must be an integer from 0 to 1000000, got 1000001"),
        ((*ROW, "limit"), True, "limit: must be an integer from 0 to 1000000, got True"),
        ((*ROW, "limit"), 1, "knapsacks[0].limit: requests that fit count more than 1"),
        ((*KNOTS, "limit"), 6, "knapsacks[1].limit: requests that fit count more than 6"),
        ((*ROW, "limit"), 3, "lower_bound: is 13, the proof gives 12"),
        ((*ROW, "steps", 0), [1, 4, 1], "steps: must hold lists of 4 integers, got [1, 4, 1]"),
        ((*ROW, "steps", 0, 1), 3, "must be of rounds of types, got [1, 3, 1, 1]"),
        ((*ROW, "steps", 0, 2), 0, "must be of rounds of types, got [1, 4, 0, 1]"),
        ((*ROW, "steps", 1, 2), 5, "must be of rounds of types, got [1, 4, 5, 2]"),
        ((*ROW, "steps", 1, 2), 1, "rows must increase from 0 on, got [1, 4, 1, 2]"),
        ((*ROW, "steps", 0, 2), 4, "rows must increase from 0 on, got [1, 4, 3, 2]"),
        ((*ROW, "steps", 0, 0), 2, "rows must increase from 0 on, got [1, 4, 3, 2]"),
        ((*ROW, "steps", 1, 3), 1, "knapsacks[0].steps: must rise, got [1, 4, 3, 1]"),
        ((*ROW, "steps", 0, 3), 0, "knapsacks[0].steps: must rise, got [1, 4, 1, 0]"),
        ((*ROW, "steps", 0, 3), -1, "steps: must be an integer from 0"),
        ((*ROW, "steps", 1, 3), 10**30, "limit: requests that fit count more than 2"),
        ((*ROW, "duals", 0, 0), 0, "duals: rows must increase from 1 on, got [0, 4]"),
        ((*ROW, "duals", 0, 0), 10**8, "has duals too late, at 100000000"),
        ((*ROW, "duals", 0, 1), -1, "duals: must be an integer from 0"),
        ((*KNOTS, "knots", 2), [7, 3], "knapsacks[1].knots: must have integers between them"),
        ((*ROW, "duals", 0, 1), 100, "lower_bound: is 13, the proof gives"),
    ],
)
def test_refusals_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(ROWS))
    assert reason in refusal(altered(path, value, ROWS))


def test_propagation_takes_them_too() -> None:
    content = copy.deepcopy(ROWS)
    content["proof"] |= {"rule": "propagation", "horizon": 9, "cutoff": 15}
    check(json.dumps(repaired(content)))
    content["proof"]["horizon"] = 3
    assert "has duals after the horizon" in refusal(json.dumps(content))


def test_too_much_work_is_refused() -> None:
    row = {"limit": 10**6, "steps": [], "duals": [[1, 1]]}
    content = copy.deepcopy(ROWS)
    rows = content["proof"]["tree"][0]["knapsacks"]
    rows[:] = [row] * 10_001
    assert "knapsacks: must be at most 10000 families, got 10001" in refusal(json.dumps(content))
    for few, count in ((row, 1), ({**row, "steps": [[0, 1, 1, 1]]}, 10**6)):  # tables are large
        with pytest.raises(Refused, match="takes more than 1000000 steps"):
            read(few, 10**6, {(0, 1): count}, Budget(steps=10**6), "row")
    small = {**row, "limit": 1, "steps": [[0, 1, 1, 1]]}
    with pytest.raises(Refused, match="takes more than"):  # a table of two numbers, very often
        read(small, 10**8, {(0, 1): 10**7}, Budget(steps=10**7), "row")
