"""Measure the exact solvers side by side: the tables of docs/results/exact.md.

    python scripts/bench_exact.py [--suites tiny,small] [--solvers kernel,search,...]
        [--results FILE] [--limit SECONDS] [--count N] [--every N] [--first N]
        [--certify] [--samples N] [--kinds chat,code] [--most-requests N] [--processor-time]
        [--jobs N] [--earlier DIR]
    python scripts/bench_exact.py --tables FILE [--by-size]

Instances come from `kvopt generate` with seed 1. Every result is a line of FILE as soon as
it is there; what FILE holds is not run again, so a run that was killed goes on where it
was. `--samples` takes so many instances of each size of the suite real, and `--by-size` prints a
line for each size. `--jobs` is that of `kvopt solve`, with `--certify`. `--tables` prints the
tables of FILE and runs nothing; the page shows those of docs/results/exact.jsonl
(scripts/build_pages.py). Every solver starts from the best list
schedule, which is not timed. CP-SAT (cp_sat.py) is left out unless ortools is installed. The solver
`earlier` is `kvopt solve` of the tree DIR. Optima of different solvers must agree.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from cp_sat import CpSat
from measurements import BestBounds, count_processor_time, read_rows

from kvopt import Instance, Stopping, solve, write_instance
from kvopt.certificates.solve import solve_certified
from kvopt.generate import generate_random
from kvopt.model.instance import IntArray
from kvopt.solver.hindsight_stage import HindsightStage
from kvopt.solver.params import SolverParams
from kvopt.solver.primal.annealing import improve
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.relaxations.aggregate_state.kernel import AGGREGATE_STATE_KERNEL
from kvopt.solver.result import Bound, Result
from kvopt.solver.search_params import MilpParams
from kvopt.solver.stage import Incumbent, run_alone
from kvopt.solver.state_search.kernel import STATE_SEARCH
from kvopt.solver.state_search.problem import accepts
from kvopt.solver.state_search.reference import solve_by_search
from kvopt.solver.state_search.stage import solve_by_state_search
from kvopt.theory.decimals import rounded_up

REAL = (
    ("chat", (16, 1_000), (16, 2_000), (16, 4_000), (24, 1_000), (24, 2_000), (24, 4_000),
     (40, 1_000), (40, 2_000), (40, 4_000), (60, 1_000), (60, 2_000), (60, 4_000), (100, 4_096),
     (200, 4_096), (200, 16_384), (1_000, 8_192), (1_000, 32_768)),
    ("capped", (24, 1_000), (40, 2_000), (100, 4_096), (200, 4_096), (1_000, 8_192)),
    ("code", (16, 10_000), (24, 16_384), (40, 16_384), (100, 32_768), (1_000, 65_536)),
    ("conversation", (24, 8_192), (40, 16_384), (60, 16_384), (200, 32_768), (1_000, 65_536)),
    ("long", (24, 131_072), (60, 262_144), (200, 524_288)),
    ("mixed", (24, 4_096), (40, 8_192), (60, 8_192), (200, 16_384), (1_000, 65_536)),
)  # fmt: skip
"""Kinds of requests, with numbers of requests and memory budgets (tokens): few to many at once."""

SUITES = {"tiny": 500, "small": 200, "model1": 200, "long": 50, "alike": 50,
          "real": sum(len(sizes) for _, *sizes in REAL)}  # fmt: skip
SEED = 1

Row = dict[str, Any]
Solver = Callable[[Instance, IntArray, float], Result]


def instances_of(
    suite: str, samples: int = 1, kinds: Collection[str] = (), most_requests: int | None = None
) -> list[tuple[str, int]]:
    """Return what generates the instances of a suite: the family of each, and its number there."""
    if suite != "real":
        return [(suite, number) for number in range(SUITES[suite])]
    return [
        (f"real:kind={kind}:requests={n}:memory={m}", number)
        for number in range(samples)
        for kind, *sizes in REAL
        for n, m in sizes
        if (not kinds or kind in kinds) and (most_requests is None or n <= most_requests)
    ]


def by_kernel(instance: Instance, known: IntArray, limit: float) -> Result:
    return solve_by_state_search(instance, known, Stopping(limit))


def by_search(instance: Instance, known: IntArray, limit: float) -> Result:
    return solve_by_search(instance, known, Stopping(limit))


def by_program(instance: Instance, known: IntArray, limit: float) -> Result:
    params = replace(SolverParams.usual(), milp=MilpParams(most_entries=20_000_000))
    return run_alone(HindsightStage(), instance, known, Stopping(limit), params)


def by_everything(instance: Instance, known: IntArray, limit: float) -> Result:
    return solve(instance, limit, known=[known])


class Earlier:
    """`kvopt solve` of another tree, in another process.

    Parameters
    ----------
    tree
        A checkout, an earlier one say.
    """

    def __init__(self, tree: Path) -> None:
        self.tree = tree

    def __call__(self, instance: Instance, known: IntArray, limit: float) -> Result:
        """Solve the instance there, by processor time, from its own first schedule."""
        program = (
            "import sys, time; time.perf_counter = time.process_time; "
            "from kvopt.__main__ import main; main()"
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "instance.json"
            write_instance(path, instance)
            command = [sys.executable, "-c", program, "solve", str(path), "--json"]
            process = subprocess.run(
                [*command, "--time-limit", str(limit)],
                env={**os.environ, "PYTHONPATH": str(self.tree)},
                cwd=folder,
                text=True,
                capture_output=True,
                check=True,
            )
        answer = json.loads(process.stdout)
        state = Incumbent(instance, SolverParams())
        state.offer(answer["starts"])
        state.prove(Bound(answer["lower_bound"], "earlier"))
        return replace(state.result(), seconds=answer["seconds"])


@functools.cache
def solvers() -> dict[str, Solver]:
    """Return the solvers that are installed, by name."""
    found: dict[str, Solver] = {
        "kernel": by_kernel,
        "search": by_search,
        "program": by_program,
        "solve": by_everything,
    }
    if importlib.util.find_spec("ortools"):
        found["cp-sat"] = CpSat("rounds")
        found["cp-sat-completions"] = CpSat("completions")
    return found


def rows_so_far(path: Path) -> dict[tuple[str, str], Row]:
    """Return the results so far by instance and solver; a torn last line does not count."""
    texts = ("suite", "instance", "solver")
    rows = read_rows(path, ("objective", "lower_bound", "seconds"), texts, torn=True)
    return {(row["instance"], row["solver"]): row for row in rows}


def check(rows: list[Row]) -> None:
    """Stop if the brackets of one instance contradict each other."""
    lower: dict[str, Row] = {}
    upper: dict[str, Row] = {}
    for row in rows:
        name = row["instance"]
        lower[name] = max(lower.get(name, row), row, key=lambda r: r["lower_bound"])
        upper[name] = min(upper.get(name, row), row, key=lambda r: r["objective"])
    for name, row in lower.items():
        if row["lower_bound"] > upper[name]["objective"]:
            sys.exit(f"{name}: {row['solver']} and {upper[name]['solver']} contradict each other")


def percent(gap: Fraction) -> str:
    """Write a gap, rounded up."""
    return f"{rounded_up(100 * gap, 2)} %"


def mean(gaps: list[Fraction]) -> str:
    """Write the mean of gaps, rounded up."""
    return percent(sum(gaps, Fraction(0)) / len(gaps))


def table(rows: list[Row]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| suite | solver | instances | proved | mean gap | worst gap "
        "| median s | mean s | worst s | total s |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["solver"]), []).append(row)
    order = list(SUITES)
    for (suite, solver), group in sorted(groups.items(), key=lambda g: order.index(g[0][0])):
        seconds = [row["seconds"] for row in group]
        proved = sum(row["lower_bound"] == row["objective"] for row in group)
        measures = (statistics.median(seconds), statistics.mean(seconds), max(seconds))
        gaps = [1 - Fraction(row["lower_bound"], row["objective"]) for row in group]
        cells = " | ".join(f"{value:.4f}" for value in measures)
        lines.append(
            f"| {suite} | {solver} | {len(group)} | {proved} "
            f"| {mean(gaps)} | {percent(max(gaps))} | {cells} | {sum(seconds):.1f} |"
        )
    return "\n".join(lines)


def size_of(row: Row) -> tuple[str, int, int]:
    """Return the kind, the number of requests and the memory of an instance of the suite real."""
    return row["kind"], row["requests"], row["memory"]


def size_table(rows: list[Row]) -> str:
    """Return the results on the suite real as a Markdown table with a line for each size."""
    lines = [
        "| kind | requests | memory | solver | instances | proved | mean gap | worst gap "
        "| mean s | rules | largest certificate, kB | worst check s |",
        "|---|--:|--:|---|--:|--:|--:|--:|--:|---|--:|--:|",
    ]
    groups: dict[tuple[str, int, int, str], list[Row]] = {}
    for row in rows:
        if row["suite"] == "real":
            groups.setdefault((*size_of(row), row["solver"]), []).append(row)
    kinds = [kind for kind, *_ in REAL]
    for key in sorted(groups, key=lambda key: (kinds.index(key[0]), *key[1:3], key[3] != "solve")):
        kind, requests, memory, solver = key
        group = groups[key]
        low = [row.get("certified", row["lower_bound"]) for row in group]
        gaps = [1 - Fraction(a, row["objective"]) for a, row in zip(low, group, strict=True)]
        ended = [row for row in group if "rule" in row]
        rules = Counter(row["rule"] for row in ended).most_common()
        certificates = (
            f"{', '.join(f'{rule} {n}' for rule, n in rules)} "
            f"| {max(row['bytes'] for row in ended) / 1000:.0f} "
            f"| {max(row['check_seconds'] for row in ended):.1f}"
            if ended
            else "| |"
        )
        lines.append(
            f"| {kind} | {requests:,} | {memory:,} | {solver} | {len(group)} "
            f"| {sum(gap == 0 for gap in gaps)} | {mean(gaps)} | {percent(max(gaps))} "
            f"| {statistics.mean(row['seconds'] for row in group):.1f} | {certificates} |"
        )
    return "\n".join(lines)


def certificate_table(rows: list[Row]) -> str:
    """Return what the certificates are like as a Markdown table."""
    lines = [
        "| suite | certificates | of an optimum | better ones refused | mean gap | worst gap "
        "| rules | median bytes | median check s | worst check s |",
        "|---|--:|--:|--:|--:|--:|---|--:|--:|--:|",
    ]
    for suite in SUITES:
        group = [row for row in rows if row["suite"] == suite and "certified" in row]
        if not group:
            continue
        closed = sum(row["certified"] == row["objective"] for row in group)
        refused = sum("refused" in row for row in group)
        gaps = [1 - Fraction(row["certified"], row["objective"]) for row in group]
        rules = Counter(row["rule"] for row in group).most_common()
        checks = [row["check_seconds"] for row in group]
        lines.append(
            f"| {suite} | {len(group)} | {closed} | {refused} | {mean(gaps)} "
            f"| {percent(max(gaps))} | {', '.join(f'{rule} {n}' for rule, n in rules)} "
            f"| {statistics.median(row['bytes'] for row in group):.0f} "
            f"| {statistics.median(checks):.3f} | {max(checks):.2f} |"
        )
    return "\n".join(lines)


def warm_up() -> None:
    """Compile what is compiled, so that it is not timed."""
    first = generate_random("model1", 0, 0)
    starts = best_list_schedule(first)
    STATE_SEARCH.compiled()
    improve(first, starts, Stopping(9.0))
    AGGREGATE_STATE_KERNEL.compiled()


def measure(
    suite: str, family: str, instance: Instance, name: str, options: argparse.Namespace
) -> Row | None:
    """Run one solver on one instance; None if the solver does not accept it."""
    if name == "kernel" and not accepts(instance):
        return None
    certifying = options.certify and name == "solve"
    known = best_list_schedule(instance)
    bounds = BestBounds()
    if certifying:
        result = solve_certified(
            instance, options.limit, known=[known], report=bounds.note, jobs=options.jobs
        )
    else:
        result = solvers()[name](instance, known, options.limit)
    row: Row = {
        "suite": suite,
        "instance": instance.name,
        "solver": name,
        "objective": result.objective,
        "lower_bound": result.lower_bound,
        "seconds": result.seconds,
    }
    if suite == "real":
        row["kind"] = next(kind for kind, *_ in REAL if f"kind={kind}:" in family)
        row |= {"requests": len(instance), "memory": instance.memory}
    if certifying:
        row |= bounds.row(result)
    return row


def measure_all(options: argparse.Namespace) -> list[Row]:
    """Make the measurements that are missing, and return all rows."""
    rows = rows_so_far(options.results)
    chosen = options.solvers.split(",")
    if {"kernel", "solve"} & set(chosen):
        warm_up()
    with options.results.open("a") as file:
        if file.tell():
            file.write("\n")  # in case the last line is torn
        for suite in options.suites.split(","):
            kinds = options.kinds.split(",") if options.kinds else ()
            members = instances_of(suite, options.samples, kinds, options.most_requests)
            for family, number in members[options.first : options.count : options.every]:
                instance = generate_random(family, SEED, number)
                for name in chosen:
                    if (instance.name, name) in rows:
                        continue
                    row = measure(suite, family, instance, name, options)
                    if row is not None:
                        rows[instance.name, name] = row
                        file.write(json.dumps(row) + "\n")
                        file.flush()
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suites", default="tiny,small")
    parser.add_argument("--solvers", default=",".join(solvers()))
    parser.add_argument("--results", type=Path, default=Path("bench_exact.jsonl"))
    parser.add_argument("--limit", type=float, default=10.0, help="seconds an instance")
    parser.add_argument("--count", type=int, help="instances of each suite")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th instance")
    parser.add_argument("--first", type=int, default=0, help="number of the first instance")
    parser.add_argument("--samples", type=int, default=1, help="instances of each size of real")
    parser.add_argument("--kinds", help="kinds of the suite real, all by default")
    parser.add_argument("--most-requests", type=int, metavar="N", help="sizes of real up to N")
    parser.add_argument("--processor-time", action="store_true", help="count no wall-clock time")
    parser.add_argument("--certify", action="store_true", help="certify what `solve` finds")
    parser.add_argument("--jobs", type=int, default=1, help="threads of `solve`")
    parser.add_argument("--tables", type=Path, metavar="FILE", help="print the tables of FILE only")
    parser.add_argument("--by-size", action="store_true", help="a line for each size of real")
    parser.add_argument("--earlier", type=Path, metavar="DIR", help="another tree of kvopt")
    options = parser.parse_args()
    if options.earlier:
        solvers()["earlier"] = Earlier(options.earlier.resolve())
    if options.processor_time:
        count_processor_time()
    rows = list(rows_so_far(options.tables).values()) if options.tables else measure_all(options)
    check(rows)
    print(size_table(rows) if options.by_size else f"{table(rows)}\n\n{certificate_table(rows)}")


if __name__ == "__main__":
    main()
