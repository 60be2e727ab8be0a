"""The page docs/results/checker-fuzzing.md, from what runs have stored."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from fuzzing.loading import load, reach, sources
from fuzzing.planting import Result
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

Cases of two kinds took turns for {seconds} seconds ({cases} cases): climbs to the largest bound
that a rule grants on a small instance whose optimum is known (by uniform-cost search, or in closed
form), and structural mutants of certificates. A proof is *accepted* if the checker granted exactly
what it said that the proof gives; *median* and *optimal* are about the largest bound of each
climb, over the optimum. For "starts", which stands for the upper bound, it is the optimum over the
cost. Mutants that were accepted are *true* by the same optimum, or by the cost of a schedule where
no optimum is known. *Shipped* are the files in `instances/` that a rule carries.

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

Those that were not caught have been read by hand
([list](../../tests/fuzzing/uncaught.json)):

{classes}

Of the faults that are written by hand ([list](../../tests/fuzzing/bugs.py)), {by_hand}.
"""


def results_of(stored: dict[str, Any]) -> list[Result]:
    return [Result(**row) for row in stored["results"]]


def text(stored: dict[str, Any]) -> str:
    """Return the page."""
    source = sources()
    reasons = uncaught_reasons()
    run, plant = stored["run"], stored["plant"]
    results = results_of(plant)
    sizes = {module: one.count("\n") for module, one in source.items()}
    rules = {module: len(some) for module, some in reach(source).items()}
    read = Counter(reasons[one.key][0] for one in results if one.key in reasons)
    by_hand = [one for one in results if one.operator == "by hand"]
    dangerous = sum(one.kind in ("false claim", "malformed", "crash") for one in by_hand)
    return TEXT.format(
        run_command=run["command"],
        plant_command=plant["command"],
        seconds=run["seconds"],
        cases=run["cases"],
        findings=len(run["findings"]),
        counts=counts_table(run["rules"], stored["shipped"]),
        each=plant["each"],
        plants=plants_table(results, reasons, sizes, rules),
        classes=aligned(
            ("class", "faults", "meaning"),
            [(kind, read[kind], CLASSES[kind]) for kind in CLASSES if read[kind]],
        ),
        by_hand=f"{dangerous} of {len(by_hand)} let a false or malformed file through, or crash",
    )


def write(run: Path | None = None, plant: Path | None = None) -> None:
    """Write the page, after taking over new results if there are any."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    for key, file in (("run", run), ("plant", plant)):
        if file is not None:
            stored[key] = json.loads(file.read_text())
    stored["shipped"] = shipped()
    STORED.write_text(json.dumps(stored, indent=0) + "\n")
    PAGE.write_text(text(stored))


def shipped() -> dict[str, int]:
    """Return how many shipped files each rule carries."""
    from fuzzing.campaign import Corpus

    return Corpus.read(load(sources())).shipped
