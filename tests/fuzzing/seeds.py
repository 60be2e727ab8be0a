"""Proofs to begin with: bounds that are optimal, and duals of programs wrong in one number.

`seeds.jsonl` has some for every rule, a line each, so that a short run begins near the edge of
what holds; `scripts/fuzz_checker.py seeds` makes it.  Optima in it are not trusted.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from fuzzing.asking import Finding, Ledger
from fuzzing.largest import climb, counted_as
from fuzzing.loading import RELEASED, Checker
from fuzzing.problems import Problem, problem_of, random_problem, released_problem
from fuzzing.proofs import BUILDERS, enumeration_tree
from fuzzing.truth import RULES_WITH_RELEASES

__all__ = ["FILE", "fresh_seeds", "read_seeds", "write_seeds"]

RULES = (*BUILDERS, *(rule + RELEASED for rule in RULES_WITH_RELEASES))
NOTHING_TO_CHANGE = ("busy-time", "exhaustive")
"""Rules whose proofs hold no numbers that a climb could change."""

FILE = Path(__file__).with_name("seeds.jsonl")
LONGEST = 1_500
"""Characters of a proof that is kept."""

MOST_WRONG = 6
"""Proofs that are kept of each kind of wrong program."""

Seed = tuple[Problem, dict[str, Any]]


def read_seeds(file: Path = FILE) -> dict[str, list[Seed]]:
    """Return the proofs of a file by rule."""
    found: dict[str, list[Seed]] = {rule: [] for rule in RULES}
    for line in file.read_text().splitlines() if file.exists() else ():
        row = json.loads(line)
        groups = [tuple(group) for group in row["groups"]]
        problem = problem_of(row["memory"], groups, tuple(row.get("releases", ())))
        if problem is None:
            raise ValueError(f"{file}: has a problem whose optimum is not found")
        found[counted_as(problem, row["proof"]["rule"])].append((problem, row["proof"]))
    return found


def write_seeds(file: Path, seeds: dict[str, list[Seed]]) -> None:
    """Write proofs, a line each."""
    rows = [
        {"memory": problem.memory, "groups": problem.groups}
        | ({"releases": problem.releases} if problem.releases else {})
        | {"proof": proof}
        for some in seeds.values()
        for problem, proof in some
    ]
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    beside = file.with_name(file.name + ".new")
    beside.write_text(text)
    beside.replace(file)


def fresh_seeds(
    checker: Checker,
    seed: int,
    seconds: float,
    each: int = 40,
    rules: Collection[str] = RULES,
) -> dict[str, list[Seed]]:
    """Return new proofs, up to `each` for a rule, and some of each kind of wrong programs.

    Those of wrong programs would prove more than the optimum.  `seconds` is processor time for
    each rule.
    """
    found: dict[str, list[Seed]] = {}

    def surprise(finding: Finding) -> None:
        if finding.kind != "slow":
            raise AssertionError(finding)

    ledger = Ledger(checker, surprise)
    for rule in RULES:
        if rule.removesuffix(RELEASED) in NOTHING_TO_CHANGE or rule not in rules:
            continue
        rng = random.Random(f"{seed} {rule}")
        kept: dict[str, list[Seed]] = {"": []}
        began = time.process_time()
        for problem, proof, wrong in begun(rule, rng):
            if time.process_time() - began > seconds:
                break
            some = kept.setdefault(wrong, [])
            if len(some) >= (MOST_WRONG if wrong else each):
                continue
            one = (problem, proof) if wrong else climb(ledger, problem, proof, rng, 150)
            if one and len(json.dumps(one[1])) <= LONGEST:
                some.append(one)
        found[rule] = [one for some in kept.values() for one in some]
    return found


def begun(name: str, rng: random.Random) -> Iterator[tuple[Problem, dict[str, Any], str]]:
    """Yield problems on which somebody must wait, with a proof, and what is wrong with it."""
    from fuzzing.relaxations import (
        WRONG,
        WRONG_WITH_RELEASES,
        aggregate_seed,
        linear_seed,
        propagation_seed,
    )

    rule, released, _ = name.partition(RELEASED)
    while True:
        if released:
            problem = released_problem(rng, rng.randint(2, 5))
        else:
            problem = random_problem(rng, rng.randint(2, 5), 4 if rule == "propagation" else 5)
        wrong = rng.choice(WRONG_WITH_RELEASES if released else WRONG)
        if rule not in ("linear-duals", "aggregate-state") or rng.random() < 0.3:
            wrong = ""
            if problem.optimum == problem.total and rng.random() < 0.9:
                continue
        proof: dict[str, Any] | None = None
        if rule == "propagation":
            cutoff = problem.optimum + rng.choice([1, 1, 2])
            horizon = rng.choice([problem.total, problem.total, rng.randint(1, problem.total)])
            tree = enumeration_tree(problem, rng, cutoff, horizon, 40)
            if tree is not None:
                proof = propagation_seed(problem, rng, tree, cutoff, horizon)
        elif rule in ("linear-duals", "aggregate-state"):
            make = linear_seed if rule == "linear-duals" else aggregate_seed
            solved = make(problem, rng, wrong)
            if solved is not None and (
                not wrong or solved[1] > problem.optimum + problem.late + 0.1
            ):
                proof = solved[0]
        else:
            proof = BUILDERS[rule](problem, rng)
        if proof is not None:
            yield problem, proof, wrong
