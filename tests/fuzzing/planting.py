"""Put one fault at a time into a copy of the checker, and see whether the cases find it."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from fuzzing.asking import Finding, Ledger
from fuzzing.campaign import Corpus, case_names, honest, run_case
from fuzzing.loading import load
from fuzzing.operators import Plant

__all__ = ["KINDS", "Result", "run_plants"]

KINDS = ("false claim", "malformed", "crash", "honest refused", "slow")
"""Ways to be found out, the worst first.  The first two are what a checker must never do."""

MEMORY = 3 << 30
"""Bytes of address space of a child."""


@dataclass
class Result:
    """What was found of a plant."""

    module: str
    line: int
    operator: str
    key: str
    kind: str
    """The worst of `KINDS` that was seen, or "not caught"."""
    seconds: float
    """Processor time until it was seen, or of the whole search."""
    case: str = ""
    rule: str = ""
    what: str = ""
    text: str = ""
    also: list[str] = field(default_factory=list)
    """Other kinds that were seen."""


def run_plants(
    plants: Iterable[Plant],
    sources: dict[str, str],
    corpus: Corpus,
    reach: dict[str, list[str]],
    seconds: float,
    seed: int = 0,
) -> Iterator[Result]:
    """Yield the result of each plant, searched for at most `seconds` of processor time.

    Each is loaded and run in a forked child, which may loop or run out of memory.
    """
    for plant in plants:
        yield run_plant(plant, sources, corpus, reach[plant.module], seconds, seed)


def run_plant(
    plant: Plant,
    sources: dict[str, str],
    corpus: Corpus,
    rules: list[str],
    seconds: float,
    seed: int,
) -> Result:
    """Return the result of one plant."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as file:
            status = 1
            try:  # whatever happens, the child must not go on as its parent
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                limit = int(seconds) + 4
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                search(plant, sources, corpus, rules, seconds, seed, file)
                status = 0
            finally:
                file.flush()
                os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as lines:
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
    _, status = os.waitpid(child, 0)
    best = min(
        (row for row in rows if "kind" in row), key=lambda row: KINDS.index(row["kind"]), default={}
    )
    spent = next((row["spent"] for row in rows if "spent" in row), seconds)
    result = Result(plant.module, plant.line, plant.operator, plant.key, "not caught", spent)
    if best:
        result = Result(plant.module, plant.line, plant.operator, plant.key, **best)
        result.also = [row["kind"] for row in rows if row.get("kind") not in (None, best["kind"])]
    elif status:
        result.kind = "slow"
        result.what = f"the child ended with status {status}"
    return result


def search(
    plant: Plant,
    sources: dict[str, str],
    corpus: Corpus,
    rules: list[str],
    seconds: float,
    seed: int,
    file: Any,
) -> None:
    """Run cases until a false claim is accepted or the time is over; write a line a kind."""
    began = time.process_time()
    seen: set[str] = set()
    case = "loading"

    class Enough(BaseException):
        """The worst has been seen, or the time is over."""

    def write(**row: Any) -> None:
        print(json.dumps(row), file=file, flush=True)

    def report(finding: Finding) -> None:
        if finding.kind not in seen:
            seen.add(finding.kind)
            spent = round(time.process_time() - began, 2)
            row = asdict(finding)
            row["text"] = row["text"][:3000]
            write(seconds=spent, case=case, **row)
        if finding.kind == "false claim" or time.process_time() - began > seconds:
            raise Enough

    try:
        checker = load({**sources, plant.module: plant.source})
    except Exception as error:
        report(Finding("crash", f"cannot be loaded: {error}", "", ""))
        return
    ledger = Ledger(checker, report)
    try:
        case = "honest"
        honest(ledger, corpus.certificates, rules)
        for case in case_names(rules, seed):
            run_case(ledger, case, corpus)
            if time.process_time() - began > seconds:
                break
    except Enough:
        pass
    write(spent=round(time.process_time() - began, 2))
