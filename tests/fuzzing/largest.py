"""The largest bound that each rule grants, looked for on problems whose optimum is known."""

from __future__ import annotations

import json
import random
from typing import Any

from fuzzing.asking import Ledger
from fuzzing.layout import Malformed, proof_layout
from fuzzing.moves import moved, postponed
from fuzzing.problems import Problem, random_problem
from fuzzing.proofs import BUILDERS, any_duals, random_slices
from fuzzing.truth import cost_if_feasible, repacked

__all__ = ["STARTS", "climb", "largest"]

STARTS = "starts"
"""Stands for a rule: that starts are a schedule of exactly the cost."""

STEPS = 40
"""Moves of one climb."""

AT_ONCE = 12
"""Problems of one case where there is nothing to climb."""

Seed = tuple[Problem, dict[str, Any]]


def largest(ledger: Ledger, rule: str, rng: random.Random, seeds: list[Seed]) -> None:
    """Run one case of a rule."""
    if rule == "slices":
        slices_at_the_edge(ledger, rng)
    elif rule == STARTS:
        for _ in range(AT_ONCE):
            schedules(ledger, random_problem(rng, 6), rng)
    elif rule in ("busy-time", "exhaustive"):
        for _ in range(AT_ONCE):
            small = 6 if rule == "exhaustive" else None
            problem = random_problem(rng, rng.randint(2, 6), small)
            climb(ledger, problem, BUILDERS[rule](problem, rng), rng, 0)
    elif rule == "batch-state" and rng.random() < 0.4:
        searches(ledger, rng)
    elif rule == "propagation" and rng.random() < 0.6:
        for _ in range(AT_ONCE // 3):
            problem = random_problem(rng, rng.randint(2, 4), 4)
            climb(ledger, problem, BUILDERS[rule](problem, rng), rng, 3)
    elif rule == "linear-duals" and rng.random() < 0.2:
        for _ in range(3 * AT_ONCE):
            problem = random_problem(rng, rng.randint(2, 4))
            ledger.ask(rule, problem.text(problem.optimum + 1, any_duals(problem, rng)))
            ledger.tally(rule).evaluated += 1
    elif seeds and rng.random() < 0.7:
        problem, proof = rng.choice(seeds)
        if rule == "linear-duals" and rng.random() < 0.3:
            proof = postponed(proof, rng)
        climb(ledger, problem, proof, rng, STEPS)
    else:
        problem = random_problem(rng, rng.randint(2, 5), 4 if rule == "propagation" else 6)
        climb(ledger, problem, BUILDERS[rule](problem, rng), rng, STEPS)


def climb(
    ledger: Ledger, problem: Problem, proof: dict[str, Any], rng: random.Random, steps: int
) -> Seed | None:
    """Ask for more than the optimum again and again, moving to proofs that give no less.

    What a refusal says that a proof gives is asked for, too, now and then: it must be granted.
    Returned is the last proof, if what it gives is the optimum.
    """
    rule = proof["rule"]
    best = granted(ledger, problem, proof, rng)
    for _ in range(steps):
        new = moved(proof, problem, rng)
        value = granted(ledger, problem, new, rng)
        if value is not None and (best is None or value >= best):
            proof, best = new, value
    if best is not None and best >= 0:
        low = min(best, problem.optimum)
        text = problem.text(low, proof)
        tally = ledger.tally(rule)
        if ledger.insist(rule, text).kind == "accepted":
            tally.accepted += 1
        tally.best.append((low, problem.optimum))
        return (problem, proof) if low == problem.optimum else None
    return None


def searches(ledger: Ledger, rng: random.Random) -> None:
    """Ask for searches that poor duals leave much to do."""
    for _ in range(AT_ONCE // 2):
        problem = random_problem(rng, rng.randint(3, 7), 7)
        proof = BUILDERS["batch-state"](problem, rng)
        proof["nodes"] = 100_000
        keep = rng.choice([0, 0, 1])
        for row in proof["duals"]:
            row[2] *= keep
        climb(ledger, problem, proof, rng, 0)


def granted(
    ledger: Ledger, problem: Problem, proof: dict[str, Any], rng: random.Random
) -> int | None:
    """Return the bound that a proof gives, or None; ask for more than the optimum."""
    rule, best = proof["rule"], problem.optimum
    tally = ledger.tally(rule)
    tally.evaluated += 1
    try:
        proof_layout(proof, set(problem.types))
    except Malformed:
        ledger.ask(rule, problem.text(0, proof))
        return None
    searches = rule == "exhaustive" or proof.get("nodes", 0) > 0
    low = best + rng.choice([1, 1, 1, 1, 2, 5])
    answer = ledger.ask(rule, problem.text(low, proof))
    if searches and answer.kind == "refused":
        if low > best + 1:
            ledger.ask(rule, problem.text(best + 1, proof))
        return best if "a schedule costs" in answer.reason else None
    value = answer.given
    if value is None:
        return low if answer.kind == "accepted" else None
    if value > best:
        ledger.ask(rule, problem.text(value, proof))
    elif value >= 0 and rng.random() < 0.1:
        tally.accepted += ledger.insist(rule, problem.text(value, proof)).kind == "accepted"
    return value


def schedules(ledger: Ledger, problem: Problem, rng: random.Random) -> None:
    """Ask for starts that are a schedule, and for some that just are not."""
    tally = ledger.tally(STARTS)
    memory, shapes = problem.memory, problem.shapes
    order = sorted(range(len(shapes)), key=lambda i: (shapes[i][1], rng.random()))
    if rng.random() < 0.5:
        rng.shuffle(order)
    more = rng.choice([0, 0, 1, 2])
    ends = repacked(memory + more, shapes, order)
    starts = [0] * len(shapes)
    for i, end in zip(order, ends, strict=True):
        starts[i] = end - shapes[i][1]
    for _ in range(rng.choice([0, 0, 1, 3])):
        i = rng.randrange(len(starts))
        starts[i] = max(0, starts[i] + rng.choice([-1, -1, 1]))
    said = sum(starts) + problem.total
    cost = cost_if_feasible(memory, shapes, starts)
    proof = {"rule": "busy-time", "weights": "memory"}
    for high in {said, said + rng.choice([0, 0, 1, -1])}:
        tally.evaluated += 1
        text = problem.text(0, proof, starts=starts, upper_bound=high)
        if high == cost:
            if ledger.insist(STARTS, text).kind == "accepted":
                tally.accepted += 1
                tally.best.append((problem.optimum, cost))
        else:
            ledger.ask(STARTS, text)


def slices_at_the_edge(ledger: Ledger, rng: random.Random) -> None:
    """Ask for slices that just hold, and for some that just do not."""
    tally = ledger.tally("slices")
    for _ in range(AT_ONCE // 2):
        for given, holds in random_slices(rng):
            tally.evaluated += 1
            text = json.dumps(given)
            if holds:
                tally.accepted += ledger.insist("slices", text).kind == "accepted"
            else:
                ledger.ask("slices", text)
