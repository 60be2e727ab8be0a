"""The largest bound that each rule grants, looked for on problems whose optimum is known."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

from oracles.knapsack import largest_count

from fuzzing.asking import Ledger
from fuzzing.knapsacks import KNAPSACKS, any_knapsack
from fuzzing.layout import Malformed
from fuzzing.loading import RELEASED
from fuzzing.moves import moved, postponed
from fuzzing.problems import Problem, random_problem, released_problem
from fuzzing.proofs import BUILDERS, any_duals, random_slices
from fuzzing.truth import RULES_WITH_RELEASES, latency_if_feasible, layout_of, repacked

__all__ = ["OTHER", "STARTS", "climb", "counted_as", "largest"]

STARTS = "starts"
"""Stands for a rule: that starts are a schedule of exactly the cost."""

OTHER = "other" + RELEASED
"""Stands for the rules that must refuse releases."""

STEPS = 40
"""Moves of one climb."""

AT_ONCE = 12
"""Problems of one case where there is nothing to climb."""

Seed = tuple[Problem, dict[str, Any]]


def counted_as(problem: Problem, rule: str) -> str:
    """Return under which name what is asked by a rule is counted."""
    return rule + RELEASED * bool(problem.releases)


def largest(ledger: Ledger, name: str, rng: random.Random, seeds: list[Seed]) -> None:
    """Run one case of a rule, which ends with `RELEASED` if problems have releases."""
    rule, released, _ = name.partition(RELEASED)

    def draw(size: int, most: int | None = None) -> Problem:
        return released_problem(rng, size) if released else random_problem(rng, size, most)

    if rule == "linear-duals":
        for _ in range(AT_ONCE // 3):
            knapsacks_at_the_edge(ledger, name, draw(rng.randint(2, 5)), rng)
    if rule == "slices":
        slices_at_the_edge(ledger, rng)
    elif name == OTHER:
        for _ in range(AT_ONCE):
            refused(ledger, draw(5), rng)
    elif rule == STARTS:
        for _ in range(AT_ONCE):
            schedules(ledger, draw(6), rng)
    elif rule in ("busy-time", "exhaustive"):
        for _ in range(AT_ONCE):
            small = 6 if rule == "exhaustive" else None
            problem = draw(rng.randint(2, 6), small)
            climb(ledger, problem, BUILDERS[rule](problem, rng), rng, 0)
    elif rule == "batch-state" and rng.random() < 0.4:
        searches(ledger, [draw(rng.randint(3, 7), 7) for _ in range(AT_ONCE // 2)], rng)
    elif rule == "propagation" and rng.random() < 0.6:
        for _ in range(AT_ONCE // 3):
            problem = random_problem(rng, rng.randint(2, 4), 4)
            climb(ledger, problem, BUILDERS[rule](problem, rng), rng, 3)
    elif name == "linear-duals" and rng.random() < 0.2:  # where least costs are sought at ends
        for _ in range(3 * AT_ONCE):
            problem = draw(rng.randint(2, 4))
            ledger.ask(name, problem.text(problem.optimum + 1, any_duals(problem, rng)))
            ledger.tally(name).evaluated += 1
    elif seeds and rng.random() < 0.7:
        problem, proof = rng.choice(seeds)
        if name == "linear-duals" and rng.random() < 0.3:
            proof = postponed(proof, rng)
        climb(ledger, problem, proof, rng, STEPS)
    else:
        problem = draw(rng.randint(2, 5), 4 if rule == "propagation" else 6)
        climb(ledger, problem, BUILDERS[rule](problem, rng), rng, STEPS)


def climb(
    ledger: Ledger, problem: Problem, proof: dict[str, Any], rng: random.Random, steps: int
) -> Seed | None:
    """Ask for more than the optimum again and again, moving to proofs that give no less.

    What a refusal says that a proof gives is asked for, too, now and then: it must be granted.
    Returned is the last proof, if what it gives is the optimum.
    """
    rule = counted_as(problem, proof["rule"])
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


def knapsacks_at_the_edge(ledger: Ledger, name: str, problem: Problem, rng: random.Random) -> None:
    """Ask for knapsack rows with the least limit, with one that is too small, and flat steps."""
    memory, shapes, scale = problem.memory, problem.shapes, rng.choice([1, 2, 12])
    row = any_knapsack(memory, shapes, problem.rounds, 2 * scale, rng)
    leaf: dict[str, Any] = {"memory": [], "covers": [], "branch": [], KNAPSACKS: [row]}
    proof = {"rule": "linear-duals", "scale": scale, "tree": [leaf]}
    ledger.ask(name, problem.text(problem.optimum + 1, proof))
    limit = largest_count(memory, shapes, row["steps"])
    leaf[KNAPSACKS] = [{"limit": limit, "steps": row["steps"], "duals": [[1, 0]]}]
    ledger.tally(name).evaluated += 2
    ledger.tally(name).accepted += ledger.insist(name, problem.text(0, proof)).kind == "accepted"
    if limit:
        leaf[KNAPSACKS][0]["limit"] = limit - rng.choice([1, 1, rng.randint(1, limit)])
        ledger.ask(name, problem.text(0, proof))
    pairs = [(a, b) for a, b in pairwise(row["steps"]) if a[:2] == b[:2]]
    if pairs:  # steps that do not rise
        before, after = rng.choice(pairs)
        after[3] = rng.randint(max(1, before[3] - 1), before[3])
        leaf[KNAPSACKS][0]["limit"] = limit
        ledger.ask(name, problem.text(0, proof))


def searches(ledger: Ledger, problems: list[Problem], rng: random.Random) -> None:
    """Ask for searches that poor duals leave much to do."""
    for problem in problems:
        proof = BUILDERS["batch-state"](problem, rng)
        proof["nodes"] = 100_000
        keep = rng.choice([0, 0, 1])
        for row in proof["duals"]:
            row[-1] *= keep
        climb(ledger, problem, proof, rng, 0)


def granted(
    ledger: Ledger, problem: Problem, proof: dict[str, Any], rng: random.Random
) -> int | None:
    """Return the bound that a proof gives, or None; ask for more than the optimum."""
    rule, best = counted_as(problem, proof["rule"]), problem.optimum
    tally = ledger.tally(rule)
    tally.evaluated += 1
    try:
        layout_of(proof, problem.requests)
    except Malformed:
        ledger.ask(rule, problem.text(0, proof))
        return None
    searches = proof["rule"] == "exhaustive" or proof.get("nodes", 0) > 0
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


def refused(ledger: Ledger, problem: Problem, rng: random.Random) -> None:
    """Ask the rules that are not proved for releases for as little as there is."""
    rule = rng.choice(sorted(BUILDERS.keys() - set(RULES_WITH_RELEASES)))
    at_once = replace(problem, releases=())
    proof = BUILDERS[rule](problem if rule == "blocks" and rng.random() < 0.5 else at_once, rng)
    ledger.tally(OTHER).evaluated += 1
    answer = ledger.ask(OTHER, problem.text(rng.choice([0, 0, problem.total]), proof))
    ledger.tally(OTHER).accepted += answer.kind == "accepted"


def schedules(ledger: Ledger, problem: Problem, rng: random.Random) -> None:
    """Ask for starts that are a schedule, and for some that just are not."""
    name = counted_as(problem, STARTS)
    tally = ledger.tally(name)
    memory, shapes = problem.memory, problem.shapes
    releases = [release for _, _, release in problem.requests]
    order = sorted(range(len(shapes)), key=lambda i: (shapes[i][1], rng.random()))
    if rng.random() < 0.5:
        rng.shuffle(order)
    more = rng.choice([0, 0, 1, 2])
    ends = repacked(memory + more, shapes, order, releases)
    starts = [0] * len(shapes)
    for i, end in zip(order, ends, strict=True):
        starts[i] = end - shapes[i][1]
    for _ in range(rng.choice([0, 0, 1, 3])):
        i = rng.randrange(len(starts))
        starts[i] = max(0, starts[i] + rng.choice([-1, -1, 1]))
    said = sum(starts) + problem.total - problem.late
    cost = latency_if_feasible(memory, problem.requests, starts)
    proof = {"rule": "busy-time", "weights": "memory"}
    for high in {said, said + rng.choice([0, 0, 1, -1])}:
        tally.evaluated += 1
        text = problem.text(0, proof, starts=starts, upper_bound=high)
        if high == cost:
            if ledger.insist(name, text).kind == "accepted":
                tally.accepted += 1
                tally.best.append((problem.optimum, cost))
        else:
            ledger.ask(name, text)


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
