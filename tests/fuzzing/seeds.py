"""Proofs to begin with: bounds that are optimal, and duals of programs wrong in one number.

`seeds.jsonl` has some for every rule, a line each, so that a short run begins near the edge of
what holds; `scripts/fuzz_checker.py seeds` makes it.  Optima in it are not trusted.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzzing.asking import Finding, Ledger
from fuzzing.largest import climb
from fuzzing.loading import Checker
from fuzzing.problems import Problem, problem_of, random_problem
from fuzzing.proofs import BUILDERS, enumeration_tree

__all__ = ["FILE", "fresh_seeds", "read_seeds", "write_seeds"]

FILE = Path(__file__).with_name("seeds.jsonl")
LONGEST = 1_500
"""Characters of a proof that is kept."""

Seed = tuple[Problem, dict[str, Any]]


def read_seeds(file: Path = FILE) -> dict[str, list[Seed]]:
    """Return the proofs of a file by rule."""
    found: dict[str, list[Seed]] = {rule: [] for rule in BUILDERS}
    for line in file.read_text().splitlines() if file.exists() else ():
        row = json.loads(line)
        problem = problem_of(row["memory"], [tuple(group) for group in row["groups"]])
        if problem is None:
            raise ValueError(f"{file}: has a problem whose optimum is not found")
        found[row["proof"]["rule"]].append((problem, row["proof"]))
    return found


def write_seeds(file: Path, seeds: dict[str, list[Seed]]) -> None:
    """Write proofs, a line each."""
    rows = [
        {"memory": problem.memory, "groups": problem.groups, "proof": proof}
        for some in seeds.values()
        for problem, proof in some
    ]
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    beside = file.with_name(file.name + ".new")
    beside.write_text(text)
    beside.replace(file)


def fresh_seeds(
    checker: Checker, seed: int, seconds: float, each: int = 40
) -> dict[str, list[Seed]]:
    """Return new proofs, up to `each` for a rule, and as many of wrong programs where they exist.

    `seconds` is processor time for each rule.
    """
    found: dict[str, list[Seed]] = {}

    def surprise(finding: Finding) -> None:
        raise AssertionError(finding)

    ledger = Ledger(checker, surprise)
    for rule in BUILDERS:
        if rule in ("busy-time", "exhaustive"):
            continue
        rng = random.Random(f"{seed} {rule}")
        kept: dict[bool, list[Seed]] = {True: [], False: []}
        began = time.process_time()
        for problem, proof, wrong in begun(rule, rng):
            if time.process_time() - began > seconds or min(map(len, kept.values())) >= each:
                break
            if wrong:
                seed_found: Seed | None = (problem, proof)
            else:
                seed_found = climb(ledger, problem, proof, rng, 150)
            if seed_found and len(json.dumps(seed_found[1])) <= LONGEST:
                kept[wrong].append(seed_found)
        found[rule] = kept[False][:each] + kept[True][:each]
    return found


def begun(rule: str, rng: random.Random) -> Iterator[tuple[Problem, dict[str, Any], bool]]:
    """Yield problems on which somebody must wait, with a proof, and whether it is a wrong one."""
    from fuzzing.relaxations import WRONG, aggregate_seed, linear_seed, propagation_seed

    while True:
        most = 4 if rule == "propagation" else 5
        problem = random_problem(rng, rng.randint(2, 5), most)
        if problem.optimum == problem.total and rng.random() < 0.9:
            continue
        wrong = rng.choice(["", rng.choice(WRONG)])
        if ("prompt" in wrong) and len({s for s, _ in problem.types}) < 2:
            continue
        proof: dict[str, Any] | None = None
        if rule == "linear-duals":
            proof = linear_seed(problem, rng, wrong)
        elif rule == "aggregate-state":
            proof = aggregate_seed(problem, rng, wrong)
        elif rule == "propagation":
            wrong = ""
            cutoff = problem.optimum + rng.choice([1, 1, 2])
            horizon = rng.choice([problem.total, problem.total, rng.randint(1, problem.total)])
            tree = enumeration_tree(problem, rng, cutoff, horizon, 40)
            if tree is not None:
                proof = propagation_seed(problem, rng, tree, cutoff, horizon)
        else:
            wrong = ""
            proof = BUILDERS[rule](problem, rng)
        if proof is not None:
            yield problem, proof, bool(wrong)
