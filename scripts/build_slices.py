"""The worst prompt for every memory: what certified slices prove, for every s.

    python scripts/build_slices.py [--up-to M] [--spacing sps|sps2|tight]

Adds a row for each memory that is missing to proofs/data/certified_slices.csv: the largest bound
over all prompts, and a prompt that has it.  Every bound is that of theorem 6 of
proofs/text/certified_slices.md, in fractions, and goes through proofs/checker.  May be stopped
and run again.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from kvopt.certificates.checker import verdicts
from kvopt.theory.slice_plans import best_plan, plan_to_json

TABLE = Path(__file__).parent.parent / "proofs" / "data" / "certified_slices.csv"
HEAD = ("spacing", "memory", "worst_prompt", "bound")


def worst(memory: int, spacing: str) -> tuple[int, str]:
    """Return the prompt with the largest bound, and the bound."""
    plans = (best_plan(prompt, memory, spacing) for prompt in range(memory))
    plan = max(plans, key=lambda plan: plan.bound)
    (verdict,) = verdicts([json.dumps(plan_to_json(plan))])
    assert verdict.holds, verdict.reason
    return plan.prompt, str(plan.bound)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--up-to", type=int, default=150)
    parser.add_argument("--spacing", default="sps", choices=("sps", "sps2", "tight"))
    options = parser.parse_args()
    known = set()
    if TABLE.exists():
        with TABLE.open() as file:
            known = {(row["spacing"], int(row["memory"])) for row in csv.DictReader(file)}
    else:
        TABLE.write_text(",".join(HEAD) + "\n")
    for memory in range(1, options.up_to + 1):
        if (options.spacing, memory) not in known:
            row = (options.spacing, memory, *worst(memory, options.spacing))
            with TABLE.open("a") as file:
                file.write(",".join(map(str, row)) + "\n")
            print(*row, flush=True)


if __name__ == "__main__":
    main()
