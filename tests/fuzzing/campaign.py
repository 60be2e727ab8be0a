"""Cases, each made from its name alone, so that any of them can be run again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzzing.asking import Ledger, ask
from fuzzing.largest import OTHER, STARTS, largest
from fuzzing.loading import RELEASED, Checker, label
from fuzzing.mutants import mutant
from fuzzing.problems import Problem
from fuzzing.seeds import Seed, read_seeds
from fuzzing.truth import judged, repacked

__all__ = ["MUTANTS_AT_ONCE", "Corpus", "case_names", "honest", "run_case"]

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "instances" / "certificates", ROOT / "instances" / "worst" / "certificates")

MOST_BYTES = 12_000
"""Of a shipped file whose mutants are tried (larger ones take seconds to judge)."""

MOST_STATES = 3_000
"""Of an exhaustive search whose mutants are tried often."""

MOST_REQUESTS = 600
"""Of a large shipped file whose mutants are tried (to judge them takes longer than to check)."""

MUTANTS_AT_ONCE = 20
"""Mutants of one case."""


@dataclass
class Corpus:
    """What cases begin with: proofs by rule, and certificates that hold."""

    seeds: dict[str, list[Seed]]
    certificates: list[dict[str, Any]] = field(default_factory=list)
    heavy: list[dict[str, Any]] = field(default_factory=list)
    """Shipped certificates that are long, or take time to check."""
    shipped: dict[str, int] = field(default_factory=dict)
    """How many shipped files each rule carries."""

    @classmethod
    def read(cls, checker: Checker, seeds: dict[str, list[Seed]] | None = None) -> Corpus:
        """Return the corpus of this repository; every certificate in it is accepted."""
        self = cls(read_seeds() if seeds is None else seeds)
        for folder in FOLDERS:
            for file in sorted(folder.glob("*.json")):
                text = file.read_text()
                content = json.loads(text)
                rule = label(content)
                self.shipped[rule] = self.shipped.get(rule, 0) + 1
                few = content["proof"].get("states", 0) <= MOST_STATES and rule != "demand-duals"
                quick = few and len(text) <= MOST_BYTES
                (self.certificates if quick else self.heavy).append(content)
        for some in self.seeds.values():
            for problem, proof in some:
                if content := granted_content(checker, problem, proof):
                    self.certificates.append(content)
        for problem in {problem for some in self.seeds.values() for problem, _ in some}:
            for proof in ({"rule": "busy-time", "weights": "slots"}, {"rule": "exhaustive"}):
                states = {"states": 100_000} if "weights" not in proof else {}
                if content := granted_content(checker, problem, {**proof, **states}):
                    self.certificates.append(content)
        for content in self.certificates:  # so that children know what is known
            if (verdict := judged(json.dumps(content))) not in ("true", "plausible"):
                raise ValueError(f"a certificate of the corpus is {verdict}")
        return self


def granted_content(
    checker: Checker, problem: Problem, proof: dict[str, Any]
) -> dict[str, Any] | None:
    """Return a certificate with the largest claim that a proof supports, and with a schedule.

    The schedule starts who is released first first, and of these who is short.
    """
    low = problem.optimum
    given = ask(checker, problem.text(low, proof)).given
    low = low if given is None else given
    shapes, releases = problem.shapes, [release for _, _, release in problem.requests]
    order = sorted(range(len(shapes)), key=lambda i: (releases[i], shapes[i][1], i))
    starts = [0] * len(shapes)
    for i, end in zip(order, repacked(problem.memory, shapes, order, releases), strict=True):
        starts[i] = end - shapes[i][1]
    cost = sum(starts) + problem.total - problem.late
    content = problem.content(low, proof, starts=starts, upper_bound=cost)
    return content if ask(checker, json.dumps(content)).kind == "accepted" else None


def case_names(rules: list[str], seed: int, heavy: bool = False) -> Iterator[str]:
    """Yield names of cases without end: "largest RULE SEED INDEX" and "mutants RULE ...".

    All rules take turns; a case of either part takes some hundredths of a second.  With `heavy`
    there are some that take seconds, "heavy RULE ...": mutants of large shipped files.
    """
    index = 0
    while True:
        for rule in (*rules, STARTS, STARTS + RELEASED) if len(rules) > 8 else rules:
            yield f"largest {rule} {seed} {index}"
            if rule not in (STARTS, STARTS + RELEASED, "slices", OTHER):
                yield f"mutants {rule} {seed} {index}"
                if heavy and index % 50 == 49 and not rule.endswith(RELEASED):
                    yield f"heavy {rule} {seed} {index}"
        index += 1


def run_case(ledger: Ledger, name: str, corpus: Corpus) -> None:
    """Run a case by its name."""
    part, rule, _, _ = name.split()
    rng = random.Random(name)
    if part == "largest":
        largest(ledger, rule, rng, corpus.seeds.get(rule, []))
        return
    some, number = corpus.certificates, MUTANTS_AT_ONCE
    if part == "heavy":
        some, number = [one for one in corpus.heavy if len(one["starts"]) <= MOST_REQUESTS], 2
    own = [one for one in some if label(one) == rule]
    if not own:
        return
    content = rng.choice(own)
    tally = ledger.tally(rule)
    for _ in range(number):
        tally.mutants += 1
        text = mutant(content, rng, corpus.certificates)
        tally.mutants_accepted += ledger.ask(rule, text).kind == "accepted"


def honest(ledger: Ledger, certificates: list[dict[str, Any]], rules: list[str]) -> None:
    """Insist on certificates of some rules; where one is optimal, ask for more than it says."""
    for content in certificates:
        rule = label(content)
        if rule in rules:
            ledger.insist(rule, json.dumps(content))
            if content["lower_bound"] == content.get("upper_bound"):
                more = {**content, "lower_bound": content["lower_bound"] + 1}
                del more["upper_bound"], more["starts"]
                ledger.ask(rule, json.dumps(more))
