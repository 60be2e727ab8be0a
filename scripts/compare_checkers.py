"""Compare the verified checker with the one in Python, rule by rule.

    make -C proofs/coq checker
    python scripts/compare_checkers.py [--count N] [--seed K] [--program FILE]

Both check every shipped certificate, those that `kvopt.solve` makes of 100 small instances with
releases and of 40 with long runs, and 2 N certificates of tiny instances with something changed,
half of them with releases.  Printed are, for each rule, on how many they agree, and their processor
times; then each file on which they do not.  The exit code is 1 if there is one, or if the verified
checker accepts a false claim.  Changed files that only the verified checker refuses are counted
apart: its limits are narrower, that of the last row or time above all.  Certificates by a rule that
it does not know with releases, or with knapsack rows, are left out.  Those with first-completion
rows, or with releases, have lines of their own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [
    str(ROOT / "proofs" / "checker"),
    str(ROOT / "tests"),
    str(ROOT / "tests" / "checker"),
]
from mutation import examples, is_true, mutants, repaired  # noqa: E402
from released import released_examples  # noqa: E402
from small_instances import random_released_instance  # noqa: E402

from claims import check  # noqa: E402
from kvopt import Instance, solve  # noqa: E402
from kvopt.certificates.write import certificate, certificate_text  # noqa: E402
from kvopt.generate import generate_random  # noqa: E402
from reading import Refused  # noqa: E402

RULES = (
    "exhaustive",
    "busy-time",
    "demand-duals",
    "blocks",
    "linear-duals",
    "propagation",
    "aggregate-state",
    "batch-state",
    "dominance",
    "event-order",
)
"""Those that the verified checker knows."""

MOST_EXAMPLES = 2_000
"""Of so many certificates something is changed at most."""

RELEASED = (
    *("exhaustive", "busy-time", "linear-duals", "demand-duals"),
    *("batch-state", "dominance", "event-order"),
)
"""Those that it knows with releases."""

COMPLETION = "first-completion"
"""What rules are called here if there are first-completion rows."""

KNAPSACKS = '"knapsacks":'
"""Rows that it does not know, as a key is written."""

LATE = "{}, releases"
"""What they are called here with releases."""

PROGRAM = ROOT / "proofs" / "coq" / "kvopt-verified"
SHARE = 0.15
"""Of the places inside a certificate that are changed."""

BATCH = 500
"""Files that the verified checker gets at once."""


@dataclass
class Row:
    """What came out for one rule; times in seconds of processor time."""

    hold: int = 0
    refused: int = 0
    narrower: int = 0
    python: float = 0.0
    verified: float = 0.0
    different: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        files = self.hold + self.refused + self.narrower + len(self.different)
        return (
            f"{files:6} files: {self.hold:5} hold and {self.refused:5} are refused by both,"
            f" {self.narrower} by the verified one only, {len(self.different)} differ;"
            f" {self.python:6.1f} s in Python,"
            f" {self.verified:6.1f} s verified, ratio {self.verified / max(self.python, 1e-9):.2f}"
        )


def python_verdict(data: bytes) -> tuple[Any, ...] | None:
    """Return the claim that the checker in Python accepts, None if it refuses."""
    try:
        claim: Any = check(data)
    except Refused:
        return None
    return (claim.rule, claim.lower_bound, claim.upper_bound, claim.states)


def verified_verdicts(program: Path, files: list[Path]) -> list[tuple[Any, ...] | None]:
    """Return the same of the verified checker, for files in order."""
    command = [str(program), "--json", *map(str, files)]
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in out.stdout.splitlines()]
    if len(rows) != len(files):
        raise SystemExit(f"{program} failed: {out.stderr.strip()}")
    keys = ("rule", "lower_bound", "upper_bound", "states")
    return [tuple(row[key] for key in keys) if row["holds"] else None for row in rows]


def compare(program: Path, texts: list[bytes], row: Row) -> None:
    """Check files with both, and add what came out to a row."""
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / f"{i}.json" for i in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_bytes(text)
        began = time.process_time()
        ours = [python_verdict(text) for text in texts]
        row.python += time.process_time() - began
        began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        theirs = verified_verdicts(program, files)
        row.verified += resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began
    for text, one, other in zip(texts, ours, theirs, strict=True):
        if one == other:
            row.hold += one is not None
            row.refused += one is None
            continue
        if other is None:
            row.narrower += 1
            continue
        verdict = "accepts, and the claim is false" if other and not confirmed(text) else other
        shown = text.decode("utf-8", "replace")
        row.different.append(f"Python: {one}, verified: {verdict}: {shown[:2_000]}")


def confirmed(text: bytes) -> bool:
    """Return whether a search over all schedules confirms a claim."""
    return is_true(json.loads(text))


def row_name(content: dict[str, Any]) -> str | None:
    """Return what the line of a certificate is called; None if no such is known to be proved."""
    rule = content.get("proof", {}).get("rule")
    if KNAPSACKS in json.dumps(content.get("proof", {})):
        return None
    if any(one.get("release", 0) for one in content["instance"]["requests"]):
        return LATE.format(rule) if rule in RELEASED else None
    if rule in RULES and "first_completion" in json.dumps(content):
        return COMPLETION
    return rule if rule in RULES else None


def solved(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Certificates of small instances with releases, as `kvopt.solve` makes them.

    Every other one is large enough for a search through time, the rule dominance, to be needed;
    that is written without `usable`, which only the checker in Python knows, so with more nodes.
    """
    rng = random.Random(seed)
    for number in range(count):
        sizes = ({"latest": 5, "most": 8}, {"latest": 30, "most": 12, "memory": 16})[number % 2]
        instance = random_released_instance(rng, **sizes)
        content = certificate(solve(instance, math.inf, certify=True))
        if content["proof"].pop("usable", 0):
            content["proof"]["nodes"] = 10**6
        yield content


def solved_by_events(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Certificates of instances with long runs, every other one with releases."""
    arrivals = ("", ":arrivals=poisson:load=0.9")
    for number in range(count):
        one = generate_random(f"small:requests=5..6{arrivals[number % 2]}", seed, number)
        late = 1_000 * one.releases
        instance = Instance(
            1_000 * one.memory, 1_000 * one.prompts, 1_000 * one.outputs, releases=late
        )
        yield certificate(solve(instance, math.inf, certify=True))


def changed(
    contents: Iterable[dict[str, Any]], names: Collection[str], count: int, seed: int
) -> Iterator[tuple[str, bytes]]:
    """Return lines and texts of certificates with something changed, about `count` of them.

    Each of the lines has its part, as far as there are certificates for it.
    """
    rng = random.Random(seed)
    left = dict.fromkeys(names, -(-count // len(names)))
    for content in itertools.islice(contents, MOST_EXAMPLES):
        name = row_name(content)
        if name is None or not left[name]:
            continue
        for new in mutants(content, rng, SHARE):
            for candidate in (new, repaired(new)):
                if left[name]:
                    left[name] -= 1
                    yield name, json.dumps(candidate).encode()
        if not any(left.values()):
            return


def report(title: str, rows: dict[str, Row]) -> int:
    """Print rows, and what differs; return how many files do."""
    print(title)
    for name in (*RULES, COMPLETION, *map(LATE.format, RELEASED)):
        if name in rows:
            print(f"  {name:22} {rows[name]}")
    different = [text for row in rows.values() for text in row.different]
    for text in different:
        print(f"  DIFFERENT {text}")
    return len(different)


def main(arguments: list[str] | None = None) -> int:
    """Compare; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="mutants, 10000 by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    given = parser.parse_args(arguments)
    if not given.program.is_file():
        parser.error(f"{given.program} is missing: make -C proofs/coq checker")

    shipped: defaultdict[str, Row] = defaultdict(Row)
    folders = ("instances/certificates", "instances/worst/certificates")
    for file in sorted(file for folder in folders for file in (ROOT / folder).glob("*.json")):
        text = file.read_bytes()
        content = json.loads(text)
        if (name := row_name(content)) is not None:
            compare(given.program, [text], shipped[name])
    different = report("shipped certificates", shipped)
    different += sum(row.narrower for row in shipped.values())

    fresh: defaultdict[str, Row] = defaultdict(Row)
    for content in itertools.chain(solved(100, given.seed), solved_by_events(40, given.seed)):
        if (name := row_name(content)) is not None:
            compare(given.program, [certificate_text(content).encode()], fresh[name])
    different += report("new certificates", fresh)
    different += sum(row.narrower for row in fresh.values())

    waiting: defaultdict[str, list[bytes]] = defaultdict(list)
    rows: defaultdict[str, Row] = defaultdict(Row)
    for contents, names in (
        (examples(-1, given.seed), (*RULES, COMPLETION)),
        (released_examples(-1, given.seed), tuple(map(LATE.format, RELEASED))),
    ):
        for name, text in changed(contents, names, given.count, given.seed):
            waiting[name].append(text)
            if len(waiting[name]) == BATCH:
                compare(given.program, waiting.pop(name), rows[name])
    for name, texts in waiting.items():
        compare(given.program, texts, rows[name])
    different += report("mutants", rows)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
