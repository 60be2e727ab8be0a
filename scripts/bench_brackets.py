"""Bracket the optimum on samples of real traces, and say how far policies are from it.

    python scripts/bench_brackets.py STORE --traces DIR [--sizes 100,300,1000] [--limit 60]
    python scripts/bench_brackets.py STORE --table

The samples are the first ones of scripts/reproduce_paper.py, with the same settings; DIR has the
traces. STORE gets a line for each sample, with totals only and no row of a trace; a sample that
STORE holds is not run again. The solver has --limit seconds of processor time for a sample, and the
lower bound is that of its certificate, which proofs/checker has accepted. `--table` prints the
table of what STORE holds and runs nothing; docs/results/real.md shows that of
docs/results/brackets.jsonl (scripts/build_pages.py).
"""

from __future__ import annotations

import argparse
import json
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from bench_exact import warm_up
from measurements import BestBounds, count_processor_time, read_rows
from paper.markdown import markdown_table
from paper.settings import SPECULATIVE
from reproduce_paper import plans, sample

from kvopt import policy_from_spec, simulate
from kvopt.certificates.solve import solve_certified
from kvopt.theory.decimals import rounded_down, rounded_up

POLICIES = ("spt-pipeline", "svf", "gba-d", "mc-sf", "fcfs", "a-min")
SIZES = "100,300,1000"
NUMBERS = ("requests", "objective", "lower_bound", "certified", "seconds", "check_seconds")


def measure(traces: Path, sizes: list[int], limit: float, store: Path) -> None:
    """Bracket the samples that the store does not hold."""
    known = {(row["setting"], row["requests"]) for row in rows_of(store)}
    for size in sizes:
        for plan in plans():
            if (plan.setting.words, size) in known:
                continue
            instance, _ = sample(traces, plan.setting, size, 0)
            speculative = SPECULATIVE[plan.setting.rounded]
            began = time.perf_counter()
            bounds = BestBounds()
            result = solve_certified(instance, limit, report=bounds.note)
            row: dict[str, Any] = {
                "setting": plan.setting.words,
                "requests": size,
                "objective": result.objective,
                "lower_bound": result.lower_bound,
                "seconds": round(time.perf_counter() - began, 1),
                **bounds.row(result),
                "gsa-spec": cost(instance, speculative),
            }
            row |= {policy: cost(instance, policy) for policy in POLICIES}
            with store.open("a") as file:
                file.write(json.dumps(row) + "\n")


def cost(instance: Any, spec: str) -> int:
    """Return the total completion time of a policy."""
    return simulate(instance, policy_from_spec(spec)).total_completion_time()


def rows_of(store: Path) -> list[dict[str, Any]]:
    """Return what a store holds."""
    return read_rows(store, (*NUMBERS, "gsa-spec", *POLICIES), ("setting", "rule"))


def table(rows: list[dict[str, Any]]) -> str:
    """Return gaps, and brackets of the ratios of policies, as a Markdown table."""
    lines = []
    for row in sorted(rows, key=lambda row: (row["requests"], rows.index(row))):
        low, high = row["certified"], row["objective"]
        cells = [
            row["setting"],
            f"{row['requests']:,}",
            f"{rounded_up(100 * (1 - Fraction(low, high)), 1)} %",
            row["rule"],
        ]
        for policy in ("gsa-spec", *POLICIES):
            least = rounded_down(Fraction(row[policy], high), 2)
            most = rounded_up(Fraction(row[policy], low), 2)
            cells.append(f"{least}..{most}")
        lines.append(cells)
    heads = ["sample", "requests", "gap", "rule", "`gsa-spec`", *(f"`{p}`" for p in POLICIES)]
    return markdown_table(heads, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--traces", type=Path)
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of processor time")
    parser.add_argument("--table", action="store_true", help="print the table only")
    options = parser.parse_args()
    if options.table:
        print(table(rows_of(options.store)))
        return
    if options.traces is None:
        parser.error("--traces: is required")
    count_processor_time()
    warm_up()
    sizes = [int(size) for size in options.sizes.split(",")]
    measure(options.traces, sizes, options.limit, options.store)


if __name__ == "__main__":
    main()
