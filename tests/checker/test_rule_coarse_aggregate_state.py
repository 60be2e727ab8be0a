"""The rule "coarse-aggregate-state"."""

from __future__ import annotations

import functools
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from certificate_texts import COARSE_AGGREGATE_STATE, altered, refusal
from mutation import coarse_aggregate_state, repaired
from small_instances import optimum_of, random_instance, types_of
from test_rule_coarse_batch_state import plants, with_fault

import coarse_aggregate_state as module
from budget import Budget
from claims import check
from kvopt import Instance
from reading import Refused

Pair = tuple[int, int]
NAME = "coarse_aggregate_state"


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("starts",), None, "proof: has no 'starts'"),
        (("grid",), 0, "proof.grid: must be an integer from 1 to 1000000, got 0"),
        (("grid",), 10**6 + 1, "proof.grid: must be an integer from 1 to 1000000, got 1000001"),
        (("grid",), 2, "proof.duals: must be 0 for what no look sees"),
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("duals",), [], "proof.duals: must name each type once, ascending"),
        (("duals", 1), [1, 5, 2, 3], "proof.duals: must name each type once, ascending"),
        (("duals", 1, 3), 2.0, "numbers must be integers, got '2.0'"),
        (("duals", 1, 2), 10**6 + 1, "proof.duals: some completion pays after time 1000000"),
        (("starts",), {}, "proof.starts: must be a list, got {}"),
        (("starts",), [], "proof.starts: times must increase from 0 on"),
        (("starts",), [[1, 0]], "proof.starts: times must increase from 0 on"),
        (("starts",), [[0, 0], [0, 1]], "proof.starts: times must increase from 0 on"),
        (("starts",), [[0, 0], [3, 1], [2, 1]], "proof.starts: times must increase from 0 on"),
        (("starts",), [[0, 0, 0]], "proof.starts: must hold 2 integers, got [0, 0, 0]"),
        (("starts", 1, 1), "3", "proof.starts: must be an integer from"),
        (("starts", 1, 1), 10**30, "proof: has duals that are too large"),
        (("duals", 1, 3), 2, "lower_bound: is 12, the proof gives 10"),
        (("duals", 1, 3), -(10**38), "lower_bound: is 12, the proof gives 0"),
    ],
)
def test_refusals_of_aggregates_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(COARSE_AGGREGATE_STATE))
    assert refusal(altered(("proof", *path), value, COARSE_AGGREGATE_STATE)).startswith(reason)


def bound(memory: int, types: dict[Pair, int], proof: dict[str, Any]) -> int:
    """What the checker finds."""
    return module.prove(memory, types, 0, proof, Budget())


class Literal:
    """The bound of theorem 4, by recursion over what the text says, state by state."""

    def __init__(self, memory: int, types: dict[Pair, int], proof: dict[str, Any]) -> None:
        self.memory, self.types, self.proof = memory, types, proof
        self.grid, self.scale = proof["grid"], proof["scale"]
        self.s = min(s for s, _ in types)
        self.lives = functools.cache(self._lives)
        self.least_cost = functools.cache(self._least_cost)
        self.window = functools.cache(self._window)
        self.duals = {(s, o): (short, long) for s, o, short, long in proof["duals"]}
        self.last = max(itertools.chain(*self.duals.values())) // self.scale

    def price(self, t: int) -> int:
        """What a start costs."""
        knots = self.proof["starts"]
        for (begin, low), (end, high) in itertools.pairwise(knots):
            if begin <= t < end:
                return int(low + ((high - low) * (t - begin)) // (end - begin))
        return int(knots[-1][1])

    def possible(self, pair: Pair) -> bool:
        running, looks = pair
        if running == 0:
            return looks == 0
        most = sum(self.types.values())
        held = running * (self.s + 1) + self.grid * looks
        return looks >= 0 and running <= most and held <= self.memory

    def completed(self, pair: Pair) -> Iterator[tuple[Pair, int, int]]:
        """What each variant leaves behind, its looks and its dual."""
        running, through = pair
        if running == 0:
            return
        held = running * (self.s + 1) + self.grid * through
        for (_, o), duals in self.duals.items():
            for x in range(self.grid):
                looks = (o + x) // self.grid
                long = looks > o // self.grid
                rest = o % self.grid
                more = rest - 1 if long else self.grid - 1 + running * rest
                left = (running - 1, through - looks + 1)
                if looks and held + more <= self.memory and self.possible(left):
                    yield left, looks, duals[long]

    def _lives(self, pair: Pair, t: int) -> bool:
        """Whether L of the pair is at least t."""
        if pair == (0, 0):
            return True
        if t > self.last:
            return False
        older = (pair[0], sum(pair))
        if self.possible(older) and self.lives(older, t + 1):
            return True
        pays = [left for left, _, dual in self.completed(pair) if self.scale * t < dual]
        return any(self.lives(left, t) for left in pays)

    def _window(self, running: int, t: int) -> range:
        """The J between the least and the largest that live, and that there can be by then."""
        found = [
            j
            for j in range(self.memory)
            if self.possible((running, j)) and self.lives((running, j), t)
        ]
        if not found:
            return range(0)
        return range(found[0], min(found[-1], running * (t - 1)) + 1)

    def seen(self, pair: Pair, t: int) -> bool:
        return self.possible(pair) and pair[1] in self.window(pair[0], t)

    def _least_cost(self, pair: Pair, t: int) -> float:
        """What is still to pay, at time t and after its look."""
        ways: list[float] = [0] if pair == (0, 0) else []
        if t > self.last:
            return min(ways, default=float("inf"))
        for left, looks, dual in self.completed(pair):
            if looks <= t and self.scale * t < dual and self.seen(left, t):
                cost = self.scale * t - dual - self.price(t - looks)
                ways.append(cost + self.least_cost(left, t))
        for new in range(sum(self.types.values()) - pair[0] + 1):
            later = (pair[0] + new, sum(pair))
            if self.possible(later) and self.seen(later, t + 1):
                ways.append(new * self.price(t) + self.least_cost(later, t + 1))
        return min(ways, default=float("inf"))

    def bound(self) -> int:
        value = self.grid * min(0, self.least_cost((0, 0), 0))
        for (s, o), number in self.types.items():
            for x in range(self.grid):
                value += number * self.duals[s, o][(o + x) // self.grid > o // self.grid]
        return max(0, -(-int(value) // self.scale))


Case = tuple[int, dict[Pair, int], dict[str, Any]]


@pytest.fixture(scope="module")
def cases() -> list[tuple[Case, int]]:
    """Any proofs, and their bounds."""
    rng = random.Random(4)
    found: list[Case] = []
    for _ in range(800):
        instance = random_instance(rng)
        found.append((instance.memory, types_of(instance), coarse_aggregate_state(instance, rng)))
    return [(case, Literal(*case).bound()) for case in found]


def test_the_bound_is_that_of_the_text(cases: list[tuple[Case, int]]) -> None:
    for case, value in cases:
        assert bound(*case) == value, case
    assert len({value for _, value in cases}) > 20


REFUSED: tuple[Case, ...] = tuple(
    (5, {(0, 1): 1, (1, 4): 2}, {**COARSE_AGGREGATE_STATE["proof"], **change})
    for change in (
        {"duals": [[0, 1, 1, 1], [1, 4, 2, 3]]},
        {"duals": [[1, 4, 2, 3], [0, 1, 0, 1]]},
        {"grid": 0},
        {"starts": []},
        {"starts": [[1, 0]]},
        {"starts": [[0, 0], [2, 1], [2, 1]]},
        {"starts": [[0, 10**30]]},
    )
)


def agrees(prove: Callable[..., int], cases: list[tuple[Case, int]]) -> bool:
    """Whether a checker gives these bounds, and refuses what is to be refused."""
    for case in REFUSED:
        try:
            prove(*case[:2], 0, case[2], Budget())
        except Refused:
            continue
        except (LookupError, ArithmeticError):
            pass
        return False
    try:
        return all(prove(*case[:2], 0, case[2], Budget()) == value for case, value in cases)
    except (LookupError, ValueError, ArithmeticError, Refused):
        return False


def test_checkers_with_faults_do_not_agree(cases: list[tuple[Case, int]]) -> None:
    assert agrees(module.prove, cases)
    missed = []
    for before, after in plants(NAME):
        if agrees(with_fault(module, before, after)["prove"], cases):
            missed.append((before, after))
    assert missed == []


def climbed(instance: Instance, rng: random.Random, steps: int) -> dict[str, Any]:
    """A proof whose duals were moved uphill."""
    types = types_of(instance)
    proof = coarse_aggregate_state(instance, rng)
    proof["starts"] = [[t, price] for t, (_, price) in enumerate(proof["starts"])]
    best = bound(instance.memory, types, proof)
    for _ in range(steps):
        new = json.loads(json.dumps(proof))
        if rng.random() < 0.3:
            rng.choice(new["starts"])[1] += rng.choice([-2, -1, 1, 2])
        else:
            row = rng.choice(new["duals"])
            places = [i for i in (2, 3) if (row[1] // new["grid"], row[1] % new["grid"])[i - 2]]
            row[rng.choice(places)] += rng.choice([-3, -1, 1, 3])
        if (value := bound(instance.memory, types, new)) >= best:
            proof, best = new, value
    return proof


def test_the_best_duals_prove_no_more_than_the_optimum() -> None:
    rng = random.Random(5)
    met = 0
    for _ in range(300):
        instance = random_instance(rng)
        best = optimum_of(instance)
        value = bound(instance.memory, types_of(instance), climbed(instance, rng, 25))
        assert value <= best, instance
        met += value == best > instance.total_output
    assert met >= 5


def test_a_price_that_is_linear_changes_nothing(cases: list[tuple[Case, int]]) -> None:
    for (memory, types, proof), value in cases[:100]:
        tilted = [[t, price + 5 - 3 * t] for t, price in proof["starts"]]
        last, price = proof["starts"][-1]
        tilted.append([last + 100, price + 5 - 3 * (last + 100)])
        assert bound(memory, types, {**proof, "starts": tilted}) == value


def hostile(memory: int, rows: list[tuple[int, int, int, int]], grid: int, **more: Any) -> str:
    """A certificate of (prompt, output, dual of the short ones, of the long ones)."""
    count = more.pop("count", 1)
    requests = [{"prompt": s, "output": o, "count": count} for s, o, _, _ in rows]
    proof = {"rule": "coarse-aggregate-state", "grid": grid, "scale": 1, "duals": rows}
    proof |= {"starts": [[0, 0]], **more}
    content = {"format": "kvopt-certificate/2", "instance_sha256": "", "proof": proof}
    instance = {"memory": memory, "requests": requests}
    return json.dumps(repaired({**content, "instance": instance, "lower_bound": 10**9}))


FAR = 10**6
HOSTILE = {
    "a long output, looked at in every round": hostile(10**9, [(0, 10**9, FAR, 0)], 1),
    "a long output on the widest grid": hostile(10**9, [(0, 10**9, FAR, 0)], 10**6),
    "many small ones": hostile(10**6, [(0, 1, FAR, 0)], 1, count=10**6),
    "a late dual": hostile(10_000, [(0, 5_000, FAR, 0)], 1, count=100),
    "many types": hostile(10**5, [(50_000, o, FAR, 0) for o in range(1, 5_000)], 1),
    "many types that run": hostile(10**5, [(1, o, 0, FAR) for o in range(1, 20_000)], 50_000),
    "late prices": hostile(20, [(0, 20, 30, 0)], 1, starts=[[0, 0], [10**30, 5]]),
    "huge prices": hostile(20, [(0, 20, 30, 0)], 1, starts=[[0, 0], [1, 10**39]]),
    "many prices": hostile(20, [(0, 20, 30, 0)], 1, starts=[[t, t % 7] for t in range(200_000)]),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_end_within_their_budget(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(Refused, match="^takes more than|the proof gi|are too large$"):
        check(text, Budget(15_000_000, 200))
    assert time.process_time() - begin < 3
