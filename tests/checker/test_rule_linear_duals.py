"""The rule "linear-duals": trees of duals of the time-indexed program."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import numpy as np
import pytest
from certificate_texts import SOUND, altered, refusal
from small_instances import random_instance, types_of

from budget import Budget
from claims import check
from kvopt.solver.relaxations.time_indexed import Branch, TimeIndexedProgram
from linear_duals import leaf_bound

TREE = ("proof", "tree")
FIRST_LEAF = (*TREE, 1)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("proof", "scale"), 0, "proof.scale: must be an integer from 1"),
        ((*TREE,), [], "ends with 1 subtrees missing"),
        ((*TREE, 2), None, "ends with 1 subtrees missing"),
        ((*TREE,), SOUND["proof"]["tree"] + SOUND["proof"]["tree"], "tree[3]: is left over"),
        ((*TREE, 0, "split"), [], "split: is empty"),
        ((*TREE, 0, "split", 0, 1), 3, "must name types of the instance, each once"),
        ((*TREE, 0, "split"), [[1, 4, 3], [1, 4, 2]], "must name types of the instance"),
        ((*TREE, 0, "split", 0, 2), 0, "split: must be an integer from 1"),
        ((*TREE, 0, "at_most"), -1, "at_most: must be an integer from 0"),
        ((*FIRST_LEAF, "branch"), [], "branch: must be 1 duals, got 0"),
        ((*FIRST_LEAF, "branch", 0), -1, "branch[0]: must be an integer from 0"),
        ((*FIRST_LEAF, "branch"), None, "tree[1]: has no 'branch'"),
        ((*FIRST_LEAF, "memory", 1, 1), -2, "memory: must be an integer from 0"),
        ((*FIRST_LEAF, "memory", 1, 1), True, "memory: must be an integer from 0"),
        ((*FIRST_LEAF, "memory", 1, 0), 1, "memory: rows must increase from 1 on, got [1, 1]"),
        ((*FIRST_LEAF, "memory", 0, 0), 0, "memory: rows must increase from 1 on, got [0, 1]"),
        ((*FIRST_LEAF, "memory", 1), [4], "memory: must hold lists of 2 integers, got [4]"),
        ((*FIRST_LEAF, "memory", 1, 0), 10**9, "has duals too late, at 1000000000"),
        ((*FIRST_LEAF, "covers", 1, 1), 0, "covers: rows must increase"),
        ((*FIRST_LEAF, "covers", 0, 0), 0, "covers: rows must increase from 1 on"),
    ],
)
def test_refusals_say_why(path: tuple[Any, ...], value: Any, reason: str) -> None:
    check(json.dumps(SOUND))
    assert reason in refusal(altered(path, value))


def test_refuses_a_deep_tree() -> None:
    content = copy.deepcopy(SOUND)
    content["proof"]["tree"] = [SOUND["proof"]["tree"][0]] * 1_002
    assert "deeper than 1000" in refusal(json.dumps(content))


def random_branch(program: TimeIndexedProgram, rng: random.Random) -> Branch:
    kinds = program.types.requests
    chosen = rng.sample(range(len(kinds)), rng.randint(1, len(kinds)))
    until = tuple((k, rng.randint(1, program.horizon + 2)) for k in chosen)
    return Branch(until, rng.randint(0, len(program.instance)), below=rng.random() < 0.5)


def test_leaves_are_evaluated_alike_twice() -> None:
    rng = random.Random(2)
    for trial in range(150):
        instance = random_instance(rng)
        program = TimeIndexedProgram(instance, rng.randint(1, 12), levels=(1, 3), scale=1 << 20)
        path = tuple(random_branch(program, rng) for _ in range(rng.randint(0, 3)))
        size = 2.0**30 if trial % 10 == 0 else rng.choice([0.1, 1.0])  # beyond 64 bits, too
        duals = -np.array([rng.random() * size for _ in range(program.rows + len(path))])
        rounded = program.rounded(duals)
        kinds = [(r.prompt, r.output) for r in program.types.requests]
        above = tuple(({kinds[k]: u for k, u in b.until}, b.sign, b.limit) for b in path)
        types, leaf = types_of(instance), program.leaf(rounded)
        bound = leaf_bound(instance.memory, types, program.scale, leaf, above, Budget(), "leaf")
        assert program.bound(rounded, path) == bound
