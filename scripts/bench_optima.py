"""Prove optima of the published synthetic setting, and say how far MC-SF is from them.

    python scripts/bench_optima.py STORE [--sizes 10,15,20,25,30,all] [--count 200] [--every 1]
        [--limit 60] [--seed 1] [--keep FOLDER] [--processor-time]
    python scripts/bench_optima.py STORE --table proved|mc-sf|open|numbers

The instances are those of `kvopt generate model1`; a size n stands for the first n requests
of each, so that only the number of requests differs from the published setting. Every result is
certified, the certificate is checked by proofs/checker, and it is a line of STORE as soon as
it is there; what STORE holds is not run again. `--keep` writes the certificates into a folder,
`--table` prints a table of what STORE holds and runs nothing; docs/results/optima.md shows those of
docs/results/optima.jsonl (scripts/build_pages.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from measurements import BestBounds, count_processor_time, read_rows

from kvopt import Instance, policy_from_spec, simulate, solve
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import write_certificate
from kvopt.generate import generate_random
from kvopt.solver.result import Result
from kvopt.theory.decimals import rounded_down, rounded_up

ALL = "all"

Row = dict[str, Any]


def shortened(instance: Instance, size: str) -> Instance:
    """Return the first requests of an instance."""
    if size == ALL:
        return instance
    n = int(size)
    return Instance(
        instance.memory, instance.prompts[:n], instance.outputs[:n], name=f"{instance.name}-{n}"
    )


NUMBERS = (
    *("seed", "number", "limit", "requests", "mc-sf", "lower", "upper", "seconds"),
    *("nodes", "bytes", "check seconds"),
)
"""What a row has beside the size, the rule, and the bound by duals, which may be missing."""


def measure(size: str, seed: int, number: int, limit: float, keep: Path | None) -> Row:
    instance = shortened(generate_random("model1", seed, number), size)
    simple = simulate(instance, policy_from_spec("mc-sf")).total_completion_time()
    by_duals: list[int] = []
    bounds = BestBounds()

    def note(result: Result) -> None:
        bounds.note(result)
        if result.rule == "batch-state":
            by_duals.append(result.lower_bound)

    result = solve_certified(instance, limit, report=note)
    content, certified = bounds.certified(result)
    if keep is not None:
        keep.mkdir(exist_ok=True)
        write_certificate(keep / f"{instance.name}.json", content)
    return {
        "size": size,
        "seed": seed,
        "number": number,
        "limit": limit,
        "requests": len(instance),
        "mc-sf": simple,
        "lower": content["lower_bound"],
        "upper": result.objective,
        "by duals": by_duals[0] if by_duals else None,
        "seconds": round(result.seconds, 3),
        "rule": content["proof"]["rule"],
        "nodes": content["proof"].get("nodes", 0),
        "bytes": certified.pop("bytes"),
        "check seconds": round(certified.pop("check_seconds"), 3),
        **certified,
    }


def percent(value: Fraction) -> str:
    """Write a gap, rounded up."""
    return f"{rounded_up(100 * value, 2)} %"


def exact_table(groups: dict[str, list[Row]]) -> str:
    lines = [
        "| requests | instances | proved optimal | mean gap | worst gap | mean gap of the duals "
        "| median s | worst s | median bytes | median check s | worst check s |",
        "|---|" + "--:|" * 10,
    ]
    for size, rows in groups.items():
        gaps = [1 - Fraction(row["lower"], row["upper"]) for row in rows]
        priced = [1 - Fraction(row["by duals"], row["upper"]) for row in rows if row["by duals"]]
        seconds = [row["seconds"] for row in rows]
        checks = [row["check seconds"] for row in rows]
        cells = [
            named(size),
            len(rows),
            sum(row["lower"] == row["upper"] for row in rows),
            percent(mean(gaps)),
            percent(max(gaps)),
            percent(mean(priced)) if priced else "-",
            f"{statistics.median(seconds):.1f}",
            f"{max(seconds):.1f}",
            f"{statistics.median(row['bytes'] for row in rows):.0f}",
            f"{statistics.median(checks):.2f}",
            f"{max(checks):.1f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def ratio_table(groups: dict[str, list[Row]]) -> str:
    """Return what is certain about MC-SF / OPT; a ratio that is not proved is a bracket."""
    lines = [
        "| requests | instances | MC-SF / OPT, mean | worst "
        "| MC-SF optimal | not optimal | unknown |",
        "|---|" + "--:|" * 6,
    ]
    for size, rows in groups.items():
        low = [Fraction(row["mc-sf"], row["upper"]) for row in rows]
        high = [Fraction(row["mc-sf"], row["lower"]) for row in rows]
        optimal = sum(row["mc-sf"] == row["lower"] for row in rows)
        beaten = sum(row["mc-sf"] > row["upper"] for row in rows)

        def bracket(
            of: Callable[[list[Fraction]], Fraction],
            low: list[Fraction] = low,
            high: list[Fraction] = high,
        ) -> str:
            a, b = of(low), of(high)
            return f"{float(a):.4f}" if a == b else f"{rounded_down(a, 4)}..{rounded_up(b, 4)}"

        cells = [named(size), len(rows), bracket(mean), bracket(max), optimal, beaten]
        lines.append("| " + " | ".join(map(str, [*cells, len(rows) - optimal - beaten])) + " |")
    return "\n".join(lines)


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def named(size: str) -> str:
    return "40..60, the published setting" if size == ALL else size


def open_table(rows: list[Row]) -> str:
    """Return the brackets that have not closed, widest first."""
    left = [row for row in rows if row["lower"] < row["upper"]]
    if not left:
        return "None is left open."
    left.sort(key=lambda row: row["lower"] / row["upper"])
    lines = ["| number | requests | bracket | gap |", "|--:|--:|---|--:|"]
    for row in left:
        gap = percent(1 - row["lower"] / row["upper"])
        lines.append(
            f"| {row['number']} | {row['requests']} | {row['lower']}..{row['upper']} | {gap} |"
        )
    return "\n".join(lines)


def instances_of(groups: dict[str, list[Row]]) -> str:
    """Return the numbers of the instances of each size, many in a row as a range."""
    lines = []
    for size, rows in groups.items():
        numbers = sorted(map(number_of, rows))
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            lines.append(f"- {named(size)}: {numbers[0]} to {numbers[-1]}")
        else:
            lines.append(f"- {named(size)}: {', '.join(map(str, numbers))}")
    return "\n".join(lines)


def number_of(row: Row) -> int:
    return int(row["number"])


def by_size(rows: list[Row]) -> dict[str, list[Row]]:
    """Return the rows of each size, the smallest size first."""
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["requests"], row["number"])):
        groups.setdefault(row["size"], []).append(row)
    return dict(sorted(groups.items(), key=lambda group: (group[0] == ALL, group[0])))


TABLES: dict[str, Callable[[list[Row]], str]] = {
    "proved": lambda rows: exact_table(by_size(rows)),
    "mc-sf": lambda rows: ratio_table(by_size(rows)),
    "open": lambda rows: open_table([row for row in rows if row["size"] == ALL]),
    "numbers": lambda rows: instances_of(by_size(rows)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--sizes", default=f"10,15,20,25,30,{ALL}")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--processor-time", action="store_true", help="count no wall-clock time")
    parser.add_argument("--table", choices=TABLES, help="print this table only")
    options = parser.parse_args()
    if options.processor_time:
        count_processor_time()
    stored = read_rows(options.store, NUMBERS, ("size", "rule"))
    rows = [row for row in stored if row["seed"] == options.seed]
    if options.table:
        print(TABLES[options.table](rows))
        return
    done = {(row["size"], row["number"]) for row in rows}
    wanted = [
        (size, number)
        for size in options.sizes.split(",")
        for number in range(options.first, options.count, options.every)
        if (size, number) not in done
    ]
    if wanted:  # compile before anything is timed
        solve(shortened(generate_random("model1", options.seed, 0), "20"), 60)
    for size, number in wanted:
        rows.append(measure(size, options.seed, number, options.limit, options.keep))
        with options.store.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
    print("\n\n".join(make(rows) for make in TABLES.values()))


if __name__ == "__main__":
    main()
