"""Solve small instances whose memory, prompts and outputs are multiplied by large factors.

    python scripts/bench_scaled.py STORE [--sizes 2,4,6,8,9,10,12] [--count 5] [--limit 10]
    python scripts/bench_scaled.py STORE --table

The instances are the first ones of `kvopt generate small:requests=N` with seed 1, multiplied by 1,
10, 1,000 and 100,000. Multiplying changes the optimum, since a request grows by one token a round
at every scale. STORE gets a line for each; what it holds is not run again. The solver has --limit
seconds of processor time; the lower bound is that of its certificate, which proofs/checker has
accepted. `--table` prints the table of what STORE holds and runs nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
from fractions import Fraction
from pathlib import Path
from typing import Any

from bench_exact import mean, percent, warm_up
from measurements import BestBounds, count_processor_time, read_rows
from paper.markdown import markdown_table

from kvopt import Instance
from kvopt.certificates.solve import solve_certified
from kvopt.generate import generate_random

SEED = 1
SCALES = (1, 10, 1_000, 100_000)
NUMBERS = ("requests", "number", "scale", "objective", "certified", "seconds", "check_seconds")


def multiplied(instance: Instance, scale: int) -> Instance:
    """Return an instance with memory, prompts and outputs that many times as large."""
    return Instance(instance.memory * scale, instance.prompts * scale, instance.outputs * scale)


def measure(requests: int, number: int, scale: int, limit: float) -> dict[str, Any]:
    """Solve one instance at one scale."""
    instance = generate_random(f"small:requests={requests}", SEED, number)
    bounds = BestBounds()
    result = solve_certified(multiplied(instance, scale), limit, report=bounds.note)
    return {
        "requests": requests,
        "number": number,
        "scale": scale,
        "objective": result.objective,
        "seconds": round(result.seconds, 3),
        **bounds.row(result),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table with a line for each number of requests and scale."""
    groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["requests"], row["scale"]), []).append(row)
    lines = []
    for (requests, scale), group in sorted(groups.items()):
        gaps = [1 - Fraction(row["certified"], row["objective"]) for row in group]
        lines.append([
            str(requests),
            f"{scale:,}",
            str(len(group)),
            str(sum(gap == 0 for gap in gaps)),
            mean(gaps),
            percent(max(gaps)),
            f"{statistics.median(row['seconds'] for row in group):.2f}",
            f"{max(row['check_seconds'] for row in group):.2f}",
        ])  # fmt: skip
    heads = "requests, times, instances, proved, mean gap, worst gap, median s, worst check s"
    return markdown_table(heads.split(", "), lines, left=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--sizes", default="2,4,6,8,9,10,12")
    parser.add_argument("--count", type=int, default=5, help="instances of each size")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds of processor time")
    parser.add_argument("--table", action="store_true", help="print the table only")
    options = parser.parse_args()
    rows = read_rows(options.store, NUMBERS, ("rule",))
    if options.table:
        print(table(rows))
        return
    known = {(row["requests"], row["number"], row["scale"]) for row in rows}
    count_processor_time()
    warm_up()
    for requests in map(int, options.sizes.split(",")):
        for number in range(options.count):
            for scale in SCALES:
                if (requests, number, scale) not in known:
                    row = measure(requests, number, scale, options.limit)
                    with options.store.open("a") as store:
                        store.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
