"""Prove optima where requests arrive over time, and say how far MC-SF is from them.

    python scripts/bench_releases.py STORE [--count 30] [--first 0] [--limit 60] [--seed 1]
        [--processor-time]
    python scripts/bench_releases.py STORE --table proved|mc-sf|open

The instances are those of `kvopt generate model1` with Poisson arrivals; their loads, arrival rate
times mean area / M, are 0.7, 0.9 and 1.2 in turn. Every result is certified, the certificate
is checked by proofs/checker, and it is a line of STORE as soon as it is there; what STORE holds is
not run again. With `--processor-time` the seconds of the solver are those of the processor,
for a machine that others use, too; those of the checker always are. `--table` prints a table of
what STORE holds and runs nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from measurements import children_seconds, count_processor_time, read_rows

from kvopt import Instance, policy_from_spec, simulate
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import certificate, certificate_text, checked
from kvopt.generate import generate_random
from kvopt.theory.decimals import gap_text, rounded_down, rounded_up

LOADS = (0.7, 0.9, 1.2)

Row = dict[str, Any]

NUMBERS = (
    *("seed", "number", "limit", "load", "requests", "memory", "mc-sf", "lower", "upper"),
    *("seconds", "nodes", "bytes", "check seconds"),
)


def with_arrivals(seed: int, number: int) -> tuple[float, Instance]:
    """Return an instance of model1 with Poisson arrivals, the first at time 0, and its load."""
    load = LOADS[number % len(LOADS)]
    base = generate_random("model1", seed, number)
    rng = random.Random(f"{number}/{load}/{seed}")
    rate = load * base.memory * len(base) / sum(r.area for r in base)
    now, releases = 0.0, []
    for _ in base:
        releases.append(int(now))
        now += rng.expovariate(rate)
    columns = (base.prompts, base.outputs, f"{base.name}-load-{load}")
    return load, Instance(base.memory, *columns, releases=releases)


def measure(seed: int, number: int, limit: float) -> Row:
    """Solve an instance, and have its certificate checked."""
    load, instance = with_arrivals(seed, number)
    simple = simulate(instance, policy_from_spec("mc-sf")).total_latency()
    result = solve_certified(instance, limit)
    content = certificate(result)
    text = certificate_text(content)
    began = children_seconds()
    verdict, _ = checked(content)
    assert verdict.holds, verdict.reason
    return {
        "seed": seed,
        "number": number,
        "limit": limit,
        "load": load,
        "requests": len(instance),
        "memory": instance.memory,
        "mc-sf": simple,
        "lower": result.certified_lower_bound,
        "upper": result.objective,
        "seconds": round(result.seconds, 3),
        "rule": content["proof"]["rule"],
        "nodes": content["proof"].get("nodes", 0),
        "bytes": len(text),
        "check seconds": round(children_seconds() - began, 3),
    }


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def groups_of(rows: list[Row]) -> dict[str, list[Row]]:
    """Return the rows of each load, and all of them."""
    groups = {str(load): [row for row in rows if row["load"] == load] for load in LOADS}
    return {load: own for load, own in {**groups, "all": rows}.items() if own}


def proved_table(rows: list[Row]) -> str:
    lines = [
        "| load | instances | proved optimal | mean gap | worst gap | median s | worst s "
        "| median bytes | median check s | worst check s |",
        "|---|" + "--:|" * 9,
    ]
    for load, own in groups_of(rows).items():
        gaps = [1 - Fraction(row["lower"], row["upper"]) for row in own]
        seconds = [row["seconds"] for row in own]
        checks = [row["check seconds"] for row in own]
        cells = [
            *(load, len(own), sum(row["lower"] == row["upper"] for row in own)),
            *(f"{rounded_up(100 * gap, 2)} %" for gap in (mean(gaps), max(gaps))),
            *(f"{statistics.median(seconds):.1f}", f"{max(seconds):.1f}"),
            f"{statistics.median(row['bytes'] for row in own):.0f}",
            *(f"{statistics.median(checks):.2f}", f"{max(checks):.1f}"),
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def ratio_table(rows: list[Row]) -> str:
    """Return what is certain about MC-SF / OPT; a ratio that is not proved is a bracket."""
    lines = [
        "| load | instances | MC-SF / OPT, mean | worst | MC-SF optimal | not optimal | unknown |",
        "|---|" + "--:|" * 6,
    ]
    for load, own in groups_of(rows).items():
        low = [Fraction(row["mc-sf"], row["upper"]) for row in own]
        high = [Fraction(row["mc-sf"], row["lower"]) for row in own]
        optimal = sum(row["mc-sf"] == row["lower"] for row in own)
        beaten = sum(row["mc-sf"] > row["upper"] for row in own)
        ends = [(of(low), of(high)) for of in (mean, max)]
        ratios = [
            f"{rounded_down(a, 4)}" if a == b else f"{rounded_down(a, 4)}..{rounded_up(b, 4)}"
            for a, b in ends
        ]
        cells = [load, len(own), *ratios, optimal, beaten, len(own) - optimal - beaten]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def open_table(rows: list[Row]) -> str:
    """Return the brackets that have not closed, widest first."""
    left = sorted(
        (row for row in rows if row["lower"] < row["upper"]),
        key=lambda row: Fraction(row["lower"], row["upper"]),
    )
    if not left:
        return "None is left open."
    lines = ["| number | load | requests | M | bracket | gap |", "|--:|--:|--:|--:|---|--:|"]
    for row in left:
        gap = gap_text(row["lower"], row["upper"])
        cells = [row[key] for key in ("number", "load", "requests", "memory")]
        cells += [f"{row['lower']}..{row['upper']}", gap]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[list[Row]], str]] = {
    "proved": proved_table,
    "mc-sf": ratio_table,
    "open": open_table,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--table", choices=TABLES, help="print this table only")
    options = parser.parse_args()
    rows = read_rows(options.store, NUMBERS, ("rule",))
    rows = [row for row in rows if row["seed"] == options.seed]
    if options.table:
        print(TABLES[options.table](rows))
        return
    if options.processor_time:
        count_processor_time()
    done = {row["number"] for row in rows}
    for number in range(options.first, options.first + options.count):
        if number not in done:
            row = measure(options.seed, number, options.limit)
            with options.store.open("a") as store:
                store.write(json.dumps(row) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    main()
