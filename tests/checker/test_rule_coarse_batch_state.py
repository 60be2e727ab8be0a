"""The rule "coarse-batch-state"."""

from __future__ import annotations

import functools
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from certificate_texts import COARSE_BATCH_STATE, altered, refusal
from fuzzing.bugs import hand_written
from fuzzing.loading import sources
from mutation import coarse_batch_state, repaired
from small_instances import optimum_of, random_instance, types_of

import batch_state
import coarse_batch_state as module
import coarse_batches
from budget import Budget
from claims import check
from kvopt import Instance
from reading import Refused

Mark = tuple[int, int]
Batch = tuple[Mark, ...]
NAME = "coarse_batch_state"


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("extra",), 0, "proof: has an unknown key 'extra'"),
        (("grid",), None, "proof: has no 'grid'"),
        (("grid",), 0, "proof.grid: must be an integer from 1 to 1000000, got 0"),
        (("grid",), 10**6 + 1, "proof.grid: must be an integer from 1 to 1000000, got 1000001"),
        (("grid",), True, "proof.grid: must be an integer from 1 to 1000000, got True"),
        (("grid",), 2, "proof.duals: must be 0 for what no look sees"),
        (("scale",), 0, "proof.scale: must be an integer from 1"),
        (("duals",), {}, "proof.duals: must be a list, got {}"),
        (("duals",), [], "proof.duals: must name each type once, ascending"),
        (("duals", 1), None, "proof.duals: must name each type once, ascending"),
        (("duals", 1), [0, 1, 0, 1], "proof.duals: must name each type once, ascending"),
        (("duals", 1), [1, 5, 2, 3], "proof.duals: must name each type once, ascending"),
        (("duals", 1), [1, 4, 2], "proof.duals: must hold 4 integers, got [1, 4, 2]"),
        (("duals", 1, 3), 2.0, "numbers must be integers, got '2.0'"),
        (("duals", 1, 3), "3", "proof.duals: must be an integer from"),
        (("duals", 0, 2), 1, "proof.duals: must be 0 for what no look sees"),
        (("duals", 1, 2), 10**6 + 1, "proof.duals: some completion pays after time 1000000"),
        (("duals", 1, 3), 10**6 + 1, "proof.duals: some completion pays after time 1000000"),
        (("duals", 1, 3), 2, "lower_bound: is 12, the proof gives 10"),
        (("duals", 1, 3), 5, "lower_bound: is 12, the proof gives 7"),
        (("duals", 1, 3), -(10**38), "lower_bound: is 12, the proof gives 0"),
    ],
)
def test_refusals_of_coarse_batches_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(COARSE_BATCH_STATE))
    assert refusal(altered(("proof", *path), value, COARSE_BATCH_STATE)).startswith(reason)


def test_a_type_is_named_once_and_in_order() -> None:
    for rows in ([[1, 4, 2, 3], [0, 1, 0, 1]], [[0, 1, 0, 1], [1, 4, 2, 3], [1, 4, 2, 3]]):
        reason = refusal(altered(("proof", "duals"), rows, COARSE_BATCH_STATE))
        assert reason == "proof.duals: must name each type once, ascending"


def test_a_type_seen_at_every_shift_has_no_long_dual() -> None:
    proof = {"rule": "coarse-batch-state", "grid": 2, "scale": 1, "duals": [[1, 4, 1, 1]]}
    with pytest.raises(Refused, match=r"^proof\.duals: must be 0 for what no look sees$"):
        bound(5, {(1, 4): 1}, proof)


def bound(memory: int, types: dict[tuple[int, int], int], proof: dict[str, Any]) -> int:
    """What the checker finds."""
    return module.prove(memory, types, 0, proof, Budget())


def literal_bound(memory: int, types: dict[tuple[int, int], int], proof: dict[str, Any]) -> int:
    """The bound of theorem 4, with the cheapest path of all that the text allows.

    A path is a list of batches that grows a step at a time; what completes is looked for type by
    type and shift by shift.  Nothing is left out but completions when none can pay any more.
    """
    grid, scale = proof["grid"], proof["scale"]
    duals = {(s, o): (short, long) for s, o, short, long in proof["duals"]}
    last = max(itertools.chain(*duals.values())) // scale

    def variants() -> Iterator[tuple[int, int, int, bool, int]]:
        for (s, o), pair in duals.items():
            for x in range(grid):
                looks = (o + x) // grid
                long = looks > o // grid
                if looks:
                    yield s, looks, o % grid, long, pair[long]

    known = sorted(set(variants()))

    def completed(batch: Batch, t: int) -> Iterator[tuple[Batch, int]]:
        for s, looks, rest, long, dual in known:
            mark = (s + 1 + grid * (looks - 1), s)
            held = sum(tokens for tokens, _ in batch)
            more = rest - 1 if long else grid - 1 + len(batch) * rest
            if mark in batch and held + more <= memory:
                left = list(batch)
                left.remove(mark)
                yield tuple(left), scale * t - dual

    def looked(batch: Batch) -> Iterator[Batch]:
        """What the next look may see."""
        old = tuple((tokens + grid, s) for tokens, s in batch)
        first = sorted({(s + 1, s) for s, _ in duals})
        room = memory - sum(tokens for tokens, _ in old)
        for number in range(room // first[0][0] + 1):
            for new in itertools.combinations_with_replacement(first, number):
                if sum(tokens for tokens, _ in new) <= room:
                    yield tuple(sorted((*old, *new)))

    @functools.cache
    def cheapest(batch: Batch, t: int) -> float:
        """What is still to pay, at time t and after its look."""
        if t > last:  # nothing pays
            return 0
        ways: list[float] = [0] if not batch else []
        ways += [cost + cheapest(left, t) for left, cost in completed(batch, t)]
        ways += [cheapest(marks, t + 1) for marks in looked(batch)]
        return min(ways, default=float("inf"))

    value = grid * cheapest((), 0)
    for (s, o), number in types.items():
        for x in range(grid):
            value += number * duals[s, o][(o + x) // grid > o // grid]
    return max(0, -(-int(value) // scale))


Case = tuple[int, dict[tuple[int, int], int], dict[str, Any]]

# Two may complete after a look, and the larger one does so before the smaller one.
LARGER_FIRST: Case = (
    9,
    {(0, 3): 1, (0, 4): 1, (2, 4): 1},
    {
        "rule": "coarse-batch-state",
        "grid": 1,
        "scale": 1,
        "duals": [[0, 3, 7, 0], [0, 4, 10, 0], [2, 4, 8, 0]],
    },
)


@pytest.fixture(scope="module")
def cases() -> list[tuple[Case, int]]:
    """Any proofs, and their bounds."""
    rng = random.Random(3)
    found: list[Case] = [LARGER_FIRST]
    for _ in range(250):
        instance = random_instance(rng)
        found.append((instance.memory, types_of(instance), coarse_batch_state(instance, rng)))
    return [(case, literal_bound(*case)) for case in found]


def test_the_bound_is_that_of_the_text(cases: list[tuple[Case, int]]) -> None:
    for case, value in cases:
        assert bound(*case) == value, case
    assert len({value for _, value in cases}) > 20


REFUSED: tuple[Case, ...] = tuple(
    (5, {(0, 1): 1, (1, 4): 2}, {**COARSE_BATCH_STATE["proof"], **change})
    for change in (
        {"duals": [[0, 1, 1, 1], [1, 4, 2, 3]]},
        {"grid": 4, "duals": [[0, 1, 0, 1], [1, 4, 2, 3]]},
        {"duals": [[1, 4, 2, 3], [0, 1, 0, 1]]},
        {"grid": 0},
    )
)


def agrees(prove: Callable[..., int], cases: list[tuple[Case, int]]) -> bool:
    """Whether a checker gives these bounds, and refuses what is to be refused."""
    for case in REFUSED:
        try:
            prove(*case[:2], 0, case[2], Budget())
        except Refused:
            continue
        return False
    try:
        return all(prove(*case[:2], 0, case[2], Budget()) == value for case, value in cases)
    except (LookupError, ValueError, Refused):
        return False


FAULTS = [
    ("own + running * each <= room", "own + running * each <= room + 1"),
    ("Variant(grid - 1, rest, short)", "Variant(grid - 2, rest, short)"),
    ("Variant(grid - 1, rest, short)", "Variant(grid - 1, 0, short)"),
    ("Variant(rest - 1, 0, long)", "Variant(grid - 1, rest, long)"),
    ("value += grid * cheapest", "value += (grid - 1) * cheapest"),
    ("(horizon - 1, 0, -1)", "(horizon - 1, 1, -1)"),
]


def plants(name: str) -> list[tuple[str, str]]:
    """The faults of a module that are written by hand."""
    found = [(one.before, one.after) for one in hand_written(sources()) if one.module == name]
    assert len(found) > 10
    return found


def with_fault(module: ModuleType, before: str, after: str) -> dict[str, Any]:
    """The names of a module in which something is wrong."""
    source = Path(module.__file__ or "").read_text()
    assert source.count(before) == 1, before
    faulty: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(source.replace(before, after), module.__name__, "exec"), faulty)
    return faulty


def test_checkers_with_faults_do_not_agree(cases: list[tuple[Case, int]]) -> None:
    assert agrees(module.prove, cases)
    missed = []
    for before, after in (*plants(NAME), *FAULTS):
        if agrees(with_fault(module, before, after)["prove"], cases):
            missed.append((before, after))
    assert missed == []


def test_batches_with_faults_do_not_agree(
    cases: list[tuple[Case, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = []
    for before, after in plants("coarse_batches"):
        faulty = with_fault(coarse_batches, before, after)
        monkeypatch.setattr(module, "CoarseBatches", faulty["CoarseBatches"])
        if agrees(module.prove, cases):
            missed.append((before, after))
    assert missed == []


def exactly(memory: int, types: dict[tuple[int, int], int], proof: dict[str, Any]) -> int:
    """The bound times the scale, not rounded."""
    grid, scale, budget = proof["grid"], proof["scale"], Budget()
    variants, value = module.read_variants(types, grid, proof["duals"], budget)
    horizon = max(0, -(-max(max(row[2:]) for row in proof["duals"]) // scale))
    return value + grid * module.cheapest(memory, variants, grid, scale, horizon, budget)


def climbed(instance: Instance, grid: int, rng: random.Random, steps: int) -> dict[str, Any]:
    """A proof whose duals were moved uphill from the share of the waiting."""
    scale, types = 12, types_of(instance)
    wait = scale * (optimum_of(instance) - instance.total_output) // len(instance)
    rows = []
    for s, o in sorted(types):
        start = (scale * o + wait) // grid
        rows.append([s, o, start * (o >= grid), start * (o % grid > 0)])
    proof = {"rule": "coarse-batch-state", "grid": grid, "scale": scale, "duals": rows}
    best = exactly(instance.memory, types, proof)
    places = [(i, j) for i, row in enumerate(rows) for j in (2, 3) if row[j]]
    for step in range(steps):
        new = [list(row) for row in rows]
        far = 1 + 2 * scale * (steps - step) // steps
        for i, j in rng.sample(places, min(len(places), rng.choice([1, 1, 2, 3]))):
            new[i][j] += rng.choice([-1, 1]) * rng.randint(1, far)
        if (value := exactly(instance.memory, types, {**proof, "duals": new})) >= best:
            rows, best = new, value
    return {**proof, "duals": rows}


def test_the_best_duals_prove_no_more_than_the_optimum() -> None:
    rng = random.Random(5)
    met = 0
    for _ in range(50):
        instance = random_instance(rng)
        best = optimum_of(instance)
        proof = climbed(instance, rng.randint(2, 6), rng, 60)
        assert bound(instance.memory, types_of(instance), proof) <= best
        assert exactly(instance.memory, types_of(instance), proof) <= best * proof["scale"]
        met += bound(instance.memory, types_of(instance), proof) == best > instance.total_output
    assert met >= 2


def test_a_grid_of_one_is_the_rule_batch_state() -> None:
    rng = random.Random(7)
    for _ in range(150):
        instance = random_instance(rng)
        types = types_of(instance)
        proof: dict[str, Any] = {}
        while proof.get("grid") != 1:
            proof = coarse_batch_state(instance, rng)
        duals = [[s, o, short] for s, o, short, _ in proof["duals"]]
        given = {"rule": "batch-state", "scale": proof["scale"], "duals": duals, "nodes": 0}
        fine = batch_state.prove(instance.memory, types, 0, {**given, "horizon": 99}, Budget())
        coarse = bound(instance.memory, types, proof)
        assert max(coarse, instance.total_output) == fine


def test_a_grid_beyond_all_outputs_sees_everybody_once_or_never() -> None:
    types = {(0, 3): 2, (2, 1): 1}
    proof = {"rule": "coarse-batch-state", "grid": 10**6, "scale": 1}
    # A look sees one of three rounds, or the round: so few of the shifts see anything.
    assert bound(6, types, {**proof, "duals": [[0, 3, 0, 1], [2, 1, 0, 1]]}) == 7


def hostile(memory: int, rows: list[tuple[int, int, int, int]], grid: int, scale: int = 1) -> str:
    """A certificate of (prompt, output, dual of the short ones, of the long ones)."""
    requests = [{"prompt": s, "output": o} for s, o, _, _ in rows]
    proof = {"rule": "coarse-batch-state", "grid": grid, "scale": scale, "duals": rows}
    content = {"format": "kvopt-certificate/2", "instance_sha256": "", "proof": proof}
    instance = {"memory": memory, "requests": requests}
    return json.dumps(repaired({**content, "instance": instance, "lower_bound": 10**9}))


FAR = 10**6
MANY = [(s, 1, 1, 0) for s in range(2000, 2400)]
HOSTILE = {
    "a long output, looked at in every round": hostile(10**9, [(0, 10**9, FAR, 0)], 1),
    "a long output on the widest grid": hostile(10**9, [(0, 10**9, FAR, 0)], 10**6),
    "a late dual": hostile(100, [(0, 50, FAR, 0)], 1),
    "a late dual on a wide grid": hostile(100, [(0, 99, FAR, FAR)], 50),
    "many prompts": hostile(5770, [(s, o, FAR, w) for s, o, _, w in MANY], 1),
    "many prompts that no look sees mostly": hostile(5770, [(s, 1, 0, FAR) for s, *_ in MANY], 9),
    "many types": hostile(10**5, [(50_000, o, FAR, 0) for o in range(1, 5_000)], 1),
    "many types that are alike": hostile(10**5, [(1, o, 0, FAR) for o in range(1, 20_000)], 50_000),
    "many first marks": hostile(12 * 1000, [(s, 1, FAR, 0) for s in range(990, 1001)], 1),
    "many first marks that nobody completes": hostile(
        6_500, [(s, 5_400, FAR, 0) for s in range(990, 1001)], 2_700
    ),
    "huge duals": hostile(20, [(0, 20, 10**39, 0)], 1, 10**34),
    "negative duals": hostile(20, [(0, 20, -(10**38), 0), (1, 2, 10**6, 0)], 1),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_end_within_their_budget(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(
        Refused, match="^takes more than|^proof: the instance has more|the proof gi|are too large$"
    ):
        check(text, Budget(15_000_000, 200))
    assert time.process_time() - begin < 3
