"""The rule "coarse-aggregate-state"."""

from __future__ import annotations

import functools
import itertools
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from certificate_texts import COARSE_AGGREGATE_STATE, altered, refusal
from mutation import coarse_aggregate_state, repaired
from small_instances import optimum_of, random_instance, types_of
from test_rule_coarse_batch_state import plants, with_fault

import aggregate_variants
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
        (("duals", 1), [1, 5, 2, 0, 3], "proof.duals: must name each type once, ascending"),
        (("duals", 1), [1, 4, 2, 3], "proof.duals: must hold 5 integers, got [1, 4, 2, 3]"),
        (("duals", 1, 3), 2.0, "numbers must be integers, got '2.0'"),
        (("duals", 0, 2), 1, "proof.duals: must be 0 for what no look sees"),
        (("duals", 0, 3), -1, "proof.duals: must be 0 for what no look sees"),
        (("duals", 1, 2), 10**6 + 1, "proof.duals: some completion pays after time 1000000"),
        (("starts",), {}, "proof.starts: must be a list, got {}"),
        (("starts",), [], "proof.starts: times must increase from 0 on"),
        (("starts",), [[1, 0, 0]], "proof.starts: times must increase from 0 on"),
        (("starts",), [[0, 0, 0], [0, 1, 0]], "proof.starts: times must increase from 0 on"),
        (
            ("starts",),
            [[0, 0, 0], [3, 1, 0], [2, 1, 0]],
            "proof.starts: times must increase from 0 on",
        ),
        (("starts",), [[0, 0]], "proof.starts: must hold 3 integers, got [0, 0]"),
        (("starts", 1, 1), "3", "proof.starts: must be an integer from"),
        (("starts", 1, 1), 10**30, "proof: has duals that are too large"),
        (("starts", 1, 2), -(10**30), "proof: has duals that are too large"),
        (("duals", 1, 3), -(10**38), "lower_bound: is 12, the proof gives 0"),
    ],
)
def test_refusals_of_aggregates_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(COARSE_AGGREGATE_STATE))
    assert refusal(altered(("proof", *path), value, COARSE_AGGREGATE_STATE)).startswith(reason)


def bound(memory: int, types: dict[Pair, int], proof: dict[str, Any]) -> int:
    """What the checker finds."""
    return module.prove(memory, types, 0, proof, Budget())


class Variant(NamedTuple):
    """What the text says of all requests of a type with x in one interval."""

    looks: int
    added: int
    own: int
    each: int
    dual: int


class Literal:
    """The bound of theorem 5, by recursion over what the text says, state by state."""

    def __init__(self, memory: int, types: dict[Pair, int], proof: dict[str, Any]) -> None:
        self.memory, self.types, self.proof = memory, types, proof
        self.grid, self.scale = proof["grid"], proof["scale"]
        self.s0 = min(s for s, _ in types)
        self.lives = functools.cache(self._lives)
        self.least_cost = functools.cache(self._least_cost)
        self.window = functools.cache(self._window)
        self.price = functools.cache(self._price)
        self.last = max(max(duals) for _, _, *duals in proof["duals"]) // self.scale
        self.every_e = sorted(
            (s - self.s0) // self.grid for (s, _), n in types.items() for _ in range(n)
        )
        self.variants = {
            one for row in proof["duals"] for one, _ in self.of_type(*row) if one.looks
        }
        self.amax = max((one.added for one in self.variants), default=0)

    def of_type(self, s: int, o: int, *duals: int) -> Iterator[tuple[Variant, int]]:
        """The variants of a type, and how many x each has."""
        grid = self.grid
        e, c, b = (s - self.s0) // grid, (s - self.s0) % grid, o % grid
        intervals: dict[tuple[bool, bool], list[int]] = {}
        for x in range(grid):
            intervals.setdefault((x < c, x >= grid - b), []).append(x)
        for (high, long), every in intervals.items():
            dual = duals[1] if high == long else duals[0] if high else duals[2]
            q, a = o // grid + long, e + high
            own = s - self.s0 + grid - 1 - every[0] - grid * a
            yield Variant(q, a, own, o + every[0] - grid * q, dual), len(every)

    def _price(self, t: int) -> Pair:
        """What a start costs, and for each step that it adds."""
        knots = self.proof["starts"]
        for (begin, *low), (end, *high) in itertools.pairwise(knots):
            if begin <= t < end:
                share = Fraction(t - begin, end - begin)
                u, v = (
                    math.floor(old + share * (new - old))
                    for old, new in zip(low, high, strict=True)
                )
                return u, v
        return knots[-1][1], knots[-1][2]

    def held(self, pair: Pair) -> int:
        return int(pair[0] * (self.s0 + 1) + self.grid * pair[1])

    def possible(self, pair: Pair) -> bool:
        running, steps = pair
        if running == 0:
            return steps == 0
        fits = running <= len(self.every_e) and self.held(pair) <= self.memory
        return fits and steps >= sum(self.every_e[:running])

    def completed(self, pair: Pair) -> Iterator[tuple[Pair, Variant]]:
        """What each variant leaves behind."""
        for one in self.variants if pair[0] else ():
            left = (pair[0] - 1, pair[1] - (one.looks - 1 + one.added))
            room = self.memory - self.held(pair) - one.own - pair[0] * one.each
            if room >= 0 and self.possible(left):
                yield left, one

    def _lives(self, pair: Pair, t: int) -> bool:
        """Whether L of the pair is at least t."""
        if pair == (0, 0):
            return True
        if t > self.last:
            return False
        older = (pair[0], sum(pair))
        if self.possible(older) and self.lives(older, t + 1):
            return True
        pays = [left for left, one in self.completed(pair) if self.scale * t < one.dual]
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
        return range(found[0], min(found[-1], running * (t - 1 + self.amax)) + 1)

    def seen(self, pair: Pair, t: int) -> bool:
        return self.possible(pair) and pair[1] in self.window(pair[0], t)

    def _least_cost(self, pair: Pair, t: int) -> float:
        """What is still to pay, at time t and after its look."""
        ways: list[float] = [0] if pair == (0, 0) else []
        if t > self.last:
            return min(ways, default=math.inf)
        for left, one in self.completed(pair):
            if one.looks <= t and self.scale * t < one.dual and self.seen(left, t):
                u, v = self.price(t - one.looks)
                cost = self.scale * t - one.dual - u - one.added * v
                ways.append(cost + self.least_cost(left, t))
        u, v = self.price(t)
        pays = {one.added for one in self.variants if self.scale * (t + one.looks) < one.dual}
        for new in range(len(self.every_e) - pair[0] + 1):
            for some in itertools.combinations_with_replacement(sorted(pays), new):
                later = (pair[0] + new, sum(pair) + sum(some))
                if self.seen(later, t + 1):
                    ways.append(new * u + sum(some) * v + self.least_cost(later, t + 1))
        return min(ways, default=math.inf)

    def bound(self) -> int:
        value = self.grid * min(0, self.least_cost((0, 0), 0))
        for row in self.proof["duals"]:
            for one, number in self.of_type(*row):
                value += self.types[row[0], row[1]] * number * one.dual
        return max(0, int(-(-int(value) // self.scale)))


Case = tuple[int, dict[Pair, int], dict[str, Any]]


def any_instance(rng: random.Random) -> Instance:
    """A tiny instance, often with prompts that are several steps apart."""
    if rng.random() < 0.4:
        return random_instance(rng)
    memory = rng.randint(6, 14)
    prompts = [rng.randint(0, min(7, memory - 1)) for _ in range(rng.randint(1, 4))]
    outputs = [rng.randint(1, min(8, memory - s)) for s in prompts]
    return Instance(memory, prompts, outputs)


@pytest.fixture(scope="module")
def cases() -> list[tuple[Case, int]]:
    """Any proofs, and their bounds."""
    rng = random.Random(4)
    found: list[Case] = []
    for _ in range(800):
        instance = any_instance(rng)
        found.append((instance.memory, types_of(instance), coarse_aggregate_state(instance, rng)))
    return [(case, Literal(*case).bound()) for case in found]


def test_the_bound_is_that_of_the_text(cases: list[tuple[Case, int]]) -> None:
    for case, value in cases:
        assert bound(*case) == value, case
    assert len({value for _, value in cases}) > 20


REFUSED: tuple[Case, ...] = tuple(
    (5, {(0, 1): 1, (1, 4): 2}, {**COARSE_AGGREGATE_STATE["proof"], **change})
    for change in (
        {"duals": [[0, 1, 1, 0, 1], [1, 4, 2, 2, 3]]},
        {"duals": [[0, 1, 0, 1, 1], [1, 4, 2, 2, 3]]},
        {"duals": [[1, 4, 2, 2, 3], [0, 1, 0, 0, 1]]},
        {"grid": 0},
        {"grid": 4},  # nobody of the second type is long
        {"starts": []},
        {"starts": [[1, 0, 0]]},
        {"starts": [[0, 0, 0], [2, 1, 0], [2, 1, 0]]},
        {"starts": [[0, 10**30, 0]]},
        {"starts": [[0, 0, 10**30]]},
    )
)


def agrees(cases: list[tuple[Case, int]], prove: Callable[..., int] = module.prove) -> bool:
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
    assert agrees(cases)
    missed = []
    for before, after in plants(NAME):
        if agrees(cases, with_fault(module, before, after)["prove"]):
            missed.append((before, after))
    assert missed == []


def test_variants_with_faults_do_not_agree(
    cases: list[tuple[Case, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = []
    for before, after in plants("aggregate_variants"):
        faulty = with_fault(aggregate_variants, before, after)
        for name in ("read_variants", "read_prices", "possible"):
            monkeypatch.setattr(module, name, faulty[name])
        if agrees(cases):
            missed.append((before, after))
    assert missed == []


def climbed(instance: Instance, rng: random.Random, steps: int) -> dict[str, Any]:
    """A proof whose duals were moved uphill."""
    types = types_of(instance)
    proof = coarse_aggregate_state(instance, rng)
    proof["starts"] = [[t, *prices] for t, (_, *prices) in enumerate(proof["starts"])]
    best = bound(instance.memory, types, proof)
    for _ in range(steps):
        new = json.loads(json.dumps(proof))
        if rng.random() < 0.3:
            rng.choice(new["starts"])[rng.choice([1, 2])] += rng.choice([-2, -1, 1, 2])
        else:
            rng.choice(new["duals"])[rng.choice([2, 3, 4])] += rng.choice([-3, -1, 1, 3])
        try:
            value = bound(instance.memory, types, new)
        except Refused:  # no look sees it
            continue
        if value >= best:
            proof, best = new, value
    return proof


def test_the_best_duals_prove_no_more_than_the_optimum() -> None:
    rng = random.Random(5)
    met = 0
    for _ in range(300):
        instance = any_instance(rng)
        best = optimum_of(instance)
        value = bound(instance.memory, types_of(instance), climbed(instance, rng, 25))
        assert value <= best, instance
        met += value == best > instance.total_output
    assert met >= 5


def test_prices_that_state_what_is_known_change_nothing(cases: list[tuple[Case, int]]) -> None:
    for (memory, types, proof), value in cases[:200]:
        tilted = [[t, u + 5 - 3 * t, v + 3] for t, u, v in proof["starts"]]
        last, u, v = proof["starts"][-1]
        tilted.append([last + 100, u + 5 - 3 * (last + 100), v + 3])
        assert bound(memory, types, {**proof, "starts": tilted}) == value


def test_prices_of_steps_count_with_prompts_that_differ_only(
    cases: list[tuple[Case, int]],
) -> None:
    changed = set()
    for (memory, types, proof), value in cases[:400]:
        steep = [[t, u, -7 * v + t] for t, u, v in proof["starts"]]
        new = bound(memory, types, {**proof, "starts": steep})
        changed.add((len({s for s, _ in types}) > 1, new != value))
    assert changed == {(False, False), (True, False), (True, True)}


def test_three_intervals_of_a_type_are_met_in_each_order() -> None:
    rng, seen = random.Random(4), set()
    for _ in range(100):
        instance = any_instance(rng)
        proof = coarse_aggregate_state(instance, rng)
        grid, shortest = proof["grid"], min(types_of(instance))[0]
        for s, o, *duals in proof["duals"]:
            c, short = (s - shortest) % grid, grid - o % grid
            if c:
                seen.add(((c > short) - (c < short), (s - shortest) // grid > 0, len(duals)))
    assert seen == set(itertools.product((-1, 0, 1), (False, True), (3,)))


def hostile(memory: int, rows: list[list[int]], grid: int, **more: Any) -> str:
    """A certificate of rows of prompt, output and three duals."""
    count = more.pop("count", 1)
    requests = [{"prompt": s, "output": o, "count": count} for s, o, *_ in rows]
    proof = {"rule": "coarse-aggregate-state", "grid": grid, "scale": 1, "duals": rows}
    proof |= {"starts": [[0, 0, 0]], **more}
    content = {"format": "kvopt-certificate/2", "instance_sha256": "", "proof": proof}
    instance = {"memory": memory, "requests": requests}
    return json.dumps(repaired({**content, "instance": instance, "lower_bound": 10**9}))


FAR = 10**6
ONE = [[0, 20, 0, 30, 0]]
HOSTILE = {
    "a long output, looked at in every round": hostile(10**9, [[0, 10**9, 0, FAR, 0]], 1),
    "a long output on the widest grid": hostile(10**9, [[0, 10**9, 0, FAR, 0]], 10**6),
    "many small ones": hostile(10**6, [[0, 1, 0, FAR, 0]], 1, count=10**6),
    "a late dual": hostile(10_000, [[0, 5_000, 0, FAR, 0]], 1, count=100),
    "many types": hostile(10**5, [[50_000, o, 0, FAR, 0] for o in range(1, 5_000)], 1),
    "many types that run": hostile(10**5, [[1, o, 0, 0, FAR] for o in range(1, 20_000)], 50_000),
    "many prompts": hostile(10**5, [[s, 9, 0, FAR, 0] for s in range(3_000)], 1),
    "many prompts, and few that start": hostile(10**4, [[s, 9, 0, 99, 0] for s in range(3_000)], 1),
    "one state, and much that starts may add": hostile(
        10**5, [[0, 9_000, 0, FAR, 0], [90_000, 1, 0, FAR, 0]], 1, starts=[[0, 0, 1]]
    ),
    "all intervals of many types": hostile(
        10**5, [[0, 19, 0, 9, 9], *([s, 19, 9, 9, 9] for s in range(20_000) if s % 10 > 1)], 10
    ),
    "late prices": hostile(20, ONE, 1, starts=[[0, 0, 0], [10**30, 5, 5]]),
    "huge prices": hostile(20, ONE, 1, starts=[[0, 0, 0], [1, 10**39, 0]]),
    "huge prices of steps": hostile(20, ONE, 1, starts=[[0, 0, 0], [1, 0, 10**39]]),
    "many prices": hostile(20, ONE, 1, starts=[[t, t % 7, t % 5] for t in range(200_000)]),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_end_within_their_budget(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(Refused, match="^takes more than|the proof gi|are too large$"):
        check(text, Budget(15_000_000, 200))
    assert time.process_time() - begin < 3


def test_states_that_are_copied_for_each_prompt_are_paid_for() -> None:
    """Nine hundred copies of ten thousand states, at each of a few times."""
    rows = [[s, 5, 0, 7, 0] for s in range(6_000, 19_500, 15)]
    text = hostile(20_000, rows, 1, starts=[[0, 0, 1]])
    with pytest.raises(Refused, match="^takes more than 60 MB of memory to check$"):
        check(text, Budget(10**8, 60))
