"""The page docs/results/checker-fuzzing.md, from what runs have stored."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from fuzzing.campaign import Corpus
from fuzzing.loading import load, reach, sources
from fuzzing.planting import KINDS, Result
from fuzzing.report import CLASSES, aligned, counts_table, plants_table, uncaught_reasons

__all__ = ["PAGE", "STORED", "text", "write"]

FOLDER = Path(__file__).parents[2] / "docs" / "results"
STORED = FOLDER / "checker-fuzzing.json"
PAGE = FOLDER / "checker-fuzzing.md"

TEXT = """\
# How well the checker has been tried

`proofs/checker` is what a reader of certificates trusts. `scripts/fuzz_checker.py` tries to make
it accept something false, and then measures itself: it puts faults into copies of the checker and
counts how many of them it would have found. `python scripts/fuzz_checker.py page` writes this page
from what the commands below have stored; no number in it is typed.

## What was accepted

    {run_command}

Cases of two kinds took turns, {cases} cases in {processor} seconds of processor time: climbs to the
largest bound that a rule grants on a small instance whose optimum is known (by search, or in
closed form), and structural mutants of certificates. A proof is *accepted* if the checker
granted exactly what it said that the proof gives; *median* and *optimal* are about the largest
bound of each climb, over the optimum. For "starts", which stands for the upper bound, it is the
optimum over the cost. Mutants that were accepted are *true* by the same optimum, or by the cost of
a schedule where no optimum is known. *Shipped* are the files in `instances/` that a rule carries.

Rows that end with "+releases" are about instances with release times, and total latencies: up to
5 requests, whose optimum is found by trying all starts. "other+releases" are the rules that are not
proved for them, and must refuse all. What linear duals and mean busy times give must be exactly
what their definitions give.

**False claims accepted: {findings}.**

{counts}

## Faults that were planted

    {plant_command}

Each fault is put alone into a copy of the checker; the cases of the rules that run the changed file
then have {each} seconds of processor time. A fault counts where the worst that was seen puts it: a
false claim accepted, a malformed file accepted, a crash, an honest certificate refused (no danger,
but a fault), work without end. *Open* are faults that no case finds and that are gaps, or have not
been read.

{plants}

Of those that were not caught, or only by what they refuse, these have been read by hand
([list](../../tests/fuzzing/uncaught.json)):

{classes}

Of the faults that are written by hand ([list](../../tests/fuzzing/bugs.py)), {by_hand}.
"""


def run_command(run: dict[str, Any]) -> str:
    limit = f"--seconds {run['seconds']}"
    if run.get("limit"):
        limit = f"--processor {run['limit']:g}"
    end = "    # interrupted" if run["processor"] < (run.get("limit") or 0) else ""
    return f"python scripts/fuzz_checker.py run {limit} --seed {run['seed']}{end}"


def plant_command(plant: dict[str, Any]) -> str:
    sample = f" --sample {plant['sample']}" if plant["sample"] else ""
    key = f" --key {plant['key']!r}" if plant.get("key") else ""
    key += f" --module {plant['module']}" if plant.get("module") else ""
    if plant["sample"] > (done := len(plant["results"])):
        key += f"    # ended after {done}"
    words = f"--by {plant['by']} --each {plant['each']:g}{sample} --seed {plant['seed']}{key}"
    return f"python scripts/fuzz_checker.py plant {words}"


def text(stored: dict[str, Any]) -> str:
    """Return the page."""
    source = sources()
    reasons = uncaught_reasons()
    run, plants = stored["run"], stored["plants"]
    # Where a fault was planted twice, the later command counts.
    latest = {row["key"]: Result(**row) for plant in plants for row in plant["results"]}
    results = list(latest.values())
    sizes = {module: one.count("\n") for module, one in source.items()}
    rules = {module: len(some) for module, some in reach(source).items()}
    missed = [one for one in results if one.kind not in KINDS[:3]]
    read = Counter(reasons[one.key][0] for one in missed if one.key in reasons)
    by_hand = [one for one in results if one.operator == "by hand"]
    dangerous = sum(one.kind in KINDS[:3] for one in by_hand)
    return TEXT.format(
        run_command=run_command(run),
        plant_command="\n    ".join(map(plant_command, plants)),
        processor=run["processor"],
        cases=run["cases"],
        findings=len(run["findings"]),
        counts=counts_table(run["rules"], stored["shipped"]),
        each=" or ".join(f"{each:g}" for each in sorted({plant["each"] for plant in plants})),
        plants=plants_table(results, reasons, sizes, rules),
        classes=aligned(
            ("class", "faults", "meaning"),
            [(kind, read[kind], CLASSES[kind]) for kind in CLASSES if read[kind]],
        ),
        by_hand=f"{dangerous} of {len(by_hand)} let a false or malformed file through, or crash",
    )


def write(run: Path | None, plants: list[Path]) -> None:
    """Write the page, after taking over new results if there are any."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    if run is not None:
        stored["run"] = json.loads(run.read_text())
    if plants:
        stored["plants"] = [json.loads(file.read_text()) for file in plants]
    stored["shipped"] = shipped()
    STORED.write_text(json.dumps(stored, indent=0) + "\n")
    PAGE.write_text(text(stored))


def shipped() -> dict[str, int]:
    """Return how many shipped files each rule carries."""
    return Corpus.read(load(sources())).shipped
