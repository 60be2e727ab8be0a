"""First-completion rows in the rules "linear-duals" and "propagation"."""

from __future__ import annotations

import copy
import itertools
import json
import random
from fractions import Fraction
from typing import Any

import pytest
from certificate_texts import SOUND, altered, refusal, repaired
from mutation import random_heights, random_knots
from small_instances import random_instance, types_of

from budget import Budget
from claims import check
from first_completion import Heights, coefficients
from linear_duals import reduced_costs
from reading import Refused
from round_duals import Family, RoundDuals, costs, right_hand_sides

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
                "first_completion": [
                    {"heights": [[0, 2], [1, 1]], "duals": [[3, 1]]},
                    {"heights": [[0, 1]], "knots": [[3, 0], [4, 2], [5, 0]]},
                ],
            }
        ],
    },
}
FAMILY = ("proof", "tree", 0, "first_completion", 0)
KNOTS = ("proof", "tree", 0, "first_completion", 1)


def literal(memory: int, b: int, r: int, heights: list[list[int]]) -> int:
    """The coefficient as the text defines it."""
    rounds = range(max(heights[-1][0], r) + 1)
    by_rounds = [next(h for at, h in reversed(heights) if at <= x) for x in rounds]
    low = heights[-1][1]
    least = min((b + x) * by_rounds[x] for x in range(min(heights[-1][0], r) + 1))
    return max(0, least - memory * (by_rounds[r] - low))


def duals_by_round(duals: RoundDuals, last: int) -> list[int]:
    """The dual of each round 0..last."""
    found = [0] * (last + 1)
    for u, dual in duals.table:
        found[u] = dual
    if duals.knots:
        for (u, p), (v, q) in itertools.pairwise(duals.table):
            for r in range(u, v):
                value = Fraction(p * (v - r) + q * (r - u), v - u)
                assert value.denominator == 1
                found[r] = int(value)
    return found


def test_coefficients_are_those_of_the_text() -> None:
    rng = random.Random(1)
    for _ in range(300):
        memory, s, o = rng.randint(10, 60), rng.randint(0, 9), rng.randint(1, 30)
        heights = random_heights(rng)
        found = coefficients(memory, s, o, heights, {})
        assert found == [literal(memory, s + o - r, r, heights) for r in range(o)]


def test_costs_are_sums_over_rows() -> None:
    rng = random.Random(2)
    for _ in range(100):
        instance = random_instance(rng)
        types, memory = types_of(instance), instance.memory
        families = []
        for _ in range(rng.randint(1, 3)):
            rounds = sorted(rng.sample(range(1, 20), rng.randint(1, 5)))
            duals = [[u, rng.choice([0, 1, 7, 10**20])] for u in rounds]
            families.append(Heights(random_heights(rng), RoundDuals(duals, False)))
            if rng.random() < 0.5:
                knots = RoundDuals(random_knots(rng, rounds), True)
                families.append(Heights(random_heights(rng), knots))
        last = max(family.duals.last for family in families) + rng.randint(0, 3)
        every: list[Family] = list(families)
        total = right_hand_sides(memory, types, every, last, Budget())
        known: list[dict[int, int]] = [{} for _ in families]
        found = {(s, o): costs(memory, s, o, every, known, last) for s, o in types}
        by_round = [duals_by_round(family.duals, last) for family in families]
        assert total == sum(
            memory * f.steps[-1][1] * p
            for f, row in zip(families, by_round, strict=True)
            for p in row
        )
        for (s, o), t in itertools.product(types, range(last + 1)):
            rows = [
                row[u] * literal(memory, s + u - t, t + o - u, family.steps)
                for family, row in zip(families, by_round, strict=True)
                for u in range(t + 1, min(t + o, last) + 1)
            ]
            assert found[s, o][t] == sum(rows)


def test_constant_heights_are_memory_rows() -> None:
    types, memory = {(1, 4): 2, (0, 1): 1}, 5
    rows = [[2, 3], [3, 7]]
    plain = {"memory": rows, "covers": [], "branch": []}
    other = {
        "memory": [],
        "covers": [],
        "branch": [],
        "first_completion": [{"heights": [[0, 1]], "duals": rows}],
    }
    values, tables = [], []
    for given in (plain, other):
        value, found = reduced_costs(memory, types, 4, given, (), 0, Budget(), "")
        values.append(value)
        tables.append(dict(found))
    assert values[0] == values[1]
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ((*FAMILY,), 7, "first_completion[0]: must be an object"),
        ((*FAMILY, "extra"), 7, "first_completion[0]: has an unknown key 'extra'"),
        ((*FAMILY, "knots"), [[1, 1]], "first_completion[0]: has an unknown key 'duals'"),
        ((*FAMILY, "heights"), None, "first_completion[0]: has no 'heights'"),
        ((*FAMILY, "duals"), None, "first_completion[0]: has no 'duals'"),
        ((*FAMILY, "duals"), [], "first_completion[0].duals: must have duals"),
        ((*FAMILY, "heights"), [], "first_completion[0]: must have heights from 0 on"),
        ((*FAMILY, "heights", 0, 0), 1, "heights: rows must increase from 0 on, got [1, 1]"),
        ((*FAMILY, "heights", 0), None, "first_completion[0]: must have heights from 0 on"),
        ((*FAMILY, "heights", 1, 1), 3, "heights: must not be below the last one"),
        ((*FAMILY, "heights", 1, 1), -1, "heights: must be an integer from 0"),
        ((*FAMILY, "duals", 0, 0), 0, "duals: rows must increase from 1 on, got [0, 1]"),
        ((*FAMILY, "duals", 0, 0), 10**8, "has duals too late, at 100000000"),
        ((*FAMILY, "duals", 0, 1), -1, "duals: must be an integer from 0"),
        ((*KNOTS, "knots", 2, 0), 7, "first_completion[1].knots: must have integers between them"),
        ((*KNOTS, "knots", 1, 0), 3, "knots: rows must increase from 1 on, got [3, 2]"),
        ((*FAMILY, "duals", 0, 1), 100, "lower_bound: is 13, the proof gives"),
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
    duals = RoundDuals([[u, 10**30] for u in range(1, 20_000)], False)
    family = Heights([[0, 2], [1, 1]], duals)
    with pytest.raises(Refused, match="takes more than"):
        right_hand_sides(10**5, {(0, 10**4): 1}, [family] * 6, 10**5, Budget())
    content = copy.deepcopy(ROWS)
    rows = content["proof"]["tree"][0]["first_completion"]
    rows[1]["knots"][2] = [4 + 10**8, 2 + 10**8]
    assert "has duals too late" in refusal(json.dumps(content))
    content["proof"]["tree"][0]["first_completion"] = rows * 6_000
    assert "must be at most 10000 families" in refusal(json.dumps(content))
