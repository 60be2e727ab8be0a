"""Measure how far the schedules of annealing are from the optimum, on the set model1.

    python scripts/bench_schedules.py STORE [--seconds 2,10] [--every 1] [--optima FILE]
    python scripts/bench_schedules.py STORE --table

Every instance of docs/results/optima.jsonl at its full size is annealed for so many seconds of
processor time, from the best list schedule. Schedules are checked round by round
before anything is recorded. Results go to STORE, one JSON object a line; what is there already is
not computed again. `--table` prints the table of what STORE holds and runs nothing;
docs/results/schedules.md shows that of docs/results/schedules.jsonl (scripts/build_pages.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
from fractions import Fraction
from pathlib import Path
from typing import Any

from measurements import count_processor_time, read_rows
from paper.markdown import markdown_table

from kvopt import Instance, Schedule, Stopping, policy_from_spec, simulate, violations
from kvopt.generate import generate_random
from kvopt.model.instance import IntArray
from kvopt.solver.primal.annealing import improve
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.theory.decimals import rounded_down, rounded_up

Row = dict[str, Any]
Bracket = tuple[int, int]

OPTIMA = Path(__file__).parent.parent / "docs" / "results" / "optima.jsonl"
SEED = 1


def brackets_of(path: Path) -> dict[int, Bracket]:
    """Return the best brackets known of the instances of the published setting, by number."""
    rows = read_rows(path, ("seed", "number", "lower", "upper"), ("size",))
    return {
        int(row["number"]): (int(row["lower"]), int(row["upper"]))
        for row in rows
        if row["seed"] == SEED and row["size"] == "all"
    }


def cost(instance: Instance, starts: IntArray) -> int:
    """Return the total completion time of a schedule, checked round by round."""
    schedule = Schedule.from_starts(instance, starts)
    assert not violations(schedule), instance.name
    return schedule.total_completion_time()


def measure(number: int, times: list[float]) -> list[Row]:
    """Return the costs of MC-SF, of the best list schedule and of annealing for each time."""
    instance = generate_random("model1", SEED, number)
    listed = best_list_schedule(instance)
    costs = {
        "mc-sf": simulate(instance, policy_from_spec("mc-sf")).total_completion_time(),
        "list schedules": cost(instance, listed),
    }
    for seconds in times:
        starts = improve(instance, listed, Stopping(seconds), seed=0)
        costs[f"annealing, {seconds:g} s"] = cost(instance, starts)
    return [{"number": number, "schedule": name, "cost": value} for name, value in costs.items()]


def table(rows: list[Row], brackets: dict[int, Bracket]) -> str:
    """Return how far each kind of schedule is above the optimum.

    Where the optimum is not proved, the distance is at least that from the best
    schedule known and at most that from the best bound known.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["schedule"], []).append(row)
    lines = []
    for name, group in groups.items():
        known = [(int(row["cost"]), *brackets[int(row["number"])]) for row in group]
        least = [100 * (Fraction(cost, upper) - 1) for cost, _, upper in known]
        most = [100 * (Fraction(cost, lower) - 1) for cost, lower, _ in known]
        lines.append(
            (
                name,
                str(len(group)),
                str(sum(cost == lower for cost, lower, _ in known)),
                str(sum(cost > upper for cost, _, upper in known)),
                interval(mean(least), mean(most)),
                interval(statistics.median(least), statistics.median(most)),
                interval(max(least), max(most)),
            )
        )
    heads = ("schedules", "instances", "optimal", "not optimal", "mean above", "median", "worst")
    return markdown_table(heads, lines)


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def interval(low: Fraction, high: Fraction) -> str:
    """Write percentages, the least rounded down and the most up."""
    a, b = rounded_down(low, 2), rounded_up(high, 2)
    return f"{a} %" if a == b or low == high else f"{a}..{b} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--seconds", default="2,10", help="times for annealing, comma-separated")
    parser.add_argument("--every", type=int, default=1, help="take every so many instances")
    parser.add_argument("--optima", type=Path, default=OPTIMA, help="brackets that are known")
    parser.add_argument("--table", action="store_true", help="print the table only")
    options = parser.parse_args()
    brackets = brackets_of(options.optima)
    rows = read_rows(options.store, ("number", "cost"), ("schedule",))
    if options.table:
        print(table(rows, brackets))
        return
    count_processor_time()
    times = [float(seconds) for seconds in options.seconds.split(",")]
    done = {int(row["number"]) for row in rows}
    first = generate_random("model1", SEED, 0)  # compile before anything is timed
    improve(first, best_list_schedule(first), Stopping(60), evaluations=1)
    for number in sorted(brackets)[:: options.every]:
        if number not in done:
            rows += (new := measure(number, times))
            with options.store.open("a") as file:
                file.write("".join(json.dumps(row) + "\n" for row in new))
    print(table(rows, brackets))


if __name__ == "__main__":
    main()
