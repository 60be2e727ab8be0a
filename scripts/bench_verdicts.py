"""Run policies on the first requests of five traces, and judge each by what is proved for it.

    python scripts/bench_verdicts.py STORE --traces DIR [--requests 500] [--limit 30]
    python scripts/bench_verdicts.py STORE --table bounds|policies|chosen

DIR has the files of TRACES. All requests are released at time 0. STORE gets a line for each trace
and policy, with totals only and no row of a trace; a trace that STORE holds is not run again. The
solver brackets the optimum, with --limit seconds of processor time for a trace, without compiling.
`--table` prints a table of what STORE holds and runs nothing; docs/results/verdicts.md shows those
of docs/results/verdicts.jsonl (scripts/build_pages.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from measurements import count_processor_time, read_rows, refuse
from paper.markdown import markdown_table

from kvopt import Instance, policy_from_spec, simulate, solve
from kvopt.comparison.ratio import Ratio, Verdict
from kvopt.model.errors import InputError
from kvopt.policies import Policy
from kvopt.policies.level_pool import LevelPool
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.theory.decimals import gap_text, rounded_down, rounded_up
from kvopt.theory.guarantee import Guarantee
from kvopt.theory.mixed_bounds import pool_widths
from kvopt.theory.quadratic import format_exact, parse_exact
from kvopt.theory.theorems import THEOREMS
from kvopt.traces import FORMATS, Selection, import_trace

Row = dict[str, Any]


class Trace(NamedTuple):
    """A file, its format, the memory it is run with (tokens), and whether it is taken whole."""

    file: str
    format: str
    memory: int
    whole: bool = False


TRACES = (
    Trace("lmsys_lengths.csv.gz", "lengths", 16_384),
    Trace("azure_conv.csv.gz", "azure", 16_384),
    Trace("azure_code.csv.gz", "azure", 16_384),
    Trace("burstgpt.csv.gz", "burstgpt", 16_384, whole=True),
    Trace("mooncake.jsonl.gz", "mooncake", 131_072),
)

POLICIES = (
    *("svf", "svf-batches", "svf-batches:pull=yes", "mc-sf", "sorted-f"),
    *("gba", "gba-d", "spt-pipeline"),
    *("fcfs", "a-min", "area-phases", "area-budget", "level-pool"),
    *("gsa", "gsa:early=yes", "gsa:early=fits", "gsa-spec", "rect", "response", "route"),
)
"""Those that know the output lengths first."""

COMMON = "for common prompts only"
UNPROVED = {
    "fcfs": "the ratio is unbounded",
    "mc-sf": COMMON,
    "sorted-f": "for at most 10 requests only",
    "gba": COMMON,
    "gba-d": COMMON,
    "spt-pipeline": COMMON,
    "gsa": COMMON,
    "gsa-spec": COMMON,
    "rect": "proved for another reading",
    "response": "proved for another reading",
    "route": "proved for another reading",
}
"""Why a policy has no claim on mixed prompts; for the others no bound is known."""

ANY = "any prompts"
FOR_ANY_PROMPTS = tuple(
    theorem
    for theorem in THEOREMS
    if theorem.kind == "upper"
    and theorem.prompts == "any"
    and theorem.as_run
    and theorem.constant is not None
    and not theorem.requests
)
"""What is proved without an assumption; a run may have a smaller bound of its own."""

ASSUMED = {
    "this run": "this run",
    "largest peak": "these peaks",
    "widths": "these widths",
    "arXiv 2508.06133": "so few requests",
}
"""What other claims are about, by their names."""

NUMBERS = (
    *("requests", "memory", "limit", "seconds", "cost", "lower", "upper", "closed form"),
    *("certified", "clairvoyant"),
)
TEXTS = ("trace", "policy", "rule", "closed rule", "claim", "scope")


def imported(traces: Path, trace: Trace, requests: int) -> Instance:
    """Return the first requests of a trace, all released at time 0."""
    format = next(f for f in FORMATS if f.name == trace.format)
    selection = Selection(requests=None if trace.whole else requests)
    return import_trace(format, traces / trace.file, trace.memory, selection).instance


def scope(policy: Policy, instance: Instance, guarantee: Guarantee | None) -> str:
    """Return what a claim is about, or why there is none."""
    if guarantee is not None:
        if guarantee.source.startswith(tuple(theorem.source for theorem in FOR_ANY_PROMPTS)):
            return ANY
        return ASSUMED[guarantee.name]
    if isinstance(policy, LevelPool):
        widths = pool_widths(instance.prompts, instance.memory, policy.width)
        outgrown = int((instance.prompts + instance.outputs > widths).sum())
        return f"{outgrown} of {len(instance)} outgrow what is reserved"
    return UNPROVED.get(policy.name, "no bound is known")


def measure(trace: Trace, instance: Instance, limit: float) -> list[Row]:
    """Run the policies and the solver, and return a row for each policy."""
    closed = best_lower_bound(instance)
    result = solve(instance, limit)
    rows: list[Row] = []
    for spec in POLICIES:
        policy = policy_from_spec(spec)
        cost = simulate(instance, policy).total_completion_time()
        guarantee = policy.guarantee(instance)
        rows.append(
            {
                "trace": trace.file.split(".")[0],
                "requests": len(instance),
                "memory": instance.memory,
                "limit": limit,
                "seconds": round(result.seconds, 1),
                "closed form": closed.value,
                "closed rule": closed.name,
                "lower": result.lower_bound,
                "certified": result.certified_lower_bound,
                "rule": result.rule,
                "policy": spec,
                "clairvoyant": int(policy.clairvoyant),
                "cost": cost,
                "claim": "" if guarantee is None else format_exact(guarantee.bound),
                "scope": scope(policy, instance, guarantee),
            }
        )
    upper = min([result.objective, *(row["cost"] for row in rows)])
    return [row | {"upper": upper} for row in rows]


def ratio_of(row: Row) -> Ratio:
    """Return the bracket of a row's ratio, with the claim that judges it."""
    guarantee = None
    if row["claim"]:
        guarantee = Guarantee(parse_exact(row["claim"]), "derived", row["scope"])
    return Ratio(row["policy"], row["cost"], row["lower"], row["upper"], guarantee)


def bracket(ratio: Ratio) -> str:
    """Write a bracket, rounded outwards."""
    return f"{rounded_down(ratio.low, 3)}..{rounded_up(ratio.high, 3)}"


def by_trace(rows: list[Row]) -> dict[str, list[Row]]:
    """Return the rows of each trace, in the order of TRACES as they were run."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["trace"], []).append(row)
    return groups


def bounds_table(rows: list[Row]) -> str:
    """Return the bracket of the optimum for each trace, and where its lower end is from."""
    heads = (
        *("trace", "requests", "M", "closed form", "solver", "from", "certified"),
        *("cheapest schedule", "gap", "limit (s)", "processor (s)"),
    )
    lines = []
    for trace, (row, *_) in by_trace(rows).items():
        lines.append(
            (
                trace,
                f"{row['requests']}",
                f"{row['memory']:,}",
                f"{row['closed form']:,} ({row['closed rule']})",
                f"{row['lower']:,}",
                row["rule"],
                f"{row['certified']:,}",
                f"{row['upper']:,}",
                gap_text(row["lower"], row["upper"]),
                f"{row['limit']:g}",
                f"{row['seconds']:g}",
            )
        )
    return markdown_table(heads, lines)


def policies_table(rows: list[Row]) -> str:
    """Return the ratio, the claim and the verdict of each policy on each trace."""
    lines = []
    for row in rows:
        ratio = ratio_of(row)
        claim = f"no claim: {row['scope']}"
        if ratio.guarantee is not None:
            claim = f"{row['scope']} {rounded_up(ratio.guarantee.bound, 2)}"
        verdict = "none" if ratio.verdict is Verdict.NO_CLAIM else ratio.verdict.value
        known = "known" if row["clairvoyant"] else "unknown"
        cells = (row["trace"], f"`{row['policy']}`", known, f"{row['cost']:,}", bracket(ratio))
        lines.append((*cells, claim, verdict))
    heads = ("trace", "policy", "lengths", "cost", "cost / optimum", "claim", "verdict")
    return markdown_table(heads, lines, left=3)


KINDS: dict[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    "with a claim on each trace": lambda row: bool(row["claim"]),
    "with one bound for any prompts": lambda row: (
        row["policy"].partition(":")[0] in {theorem.policy for theorem in FOR_ANY_PROMPTS}
    ),
}
"""Policies to choose from: those of which every row is so."""


def chosen_table(rows: list[Row]) -> str:
    """Return, of each kind of policies, the one whose largest ratio on any trace is least."""
    groups = by_trace(rows)
    lines = []
    for known in (True, False):
        for kind, holds in KINDS.items():
            of: dict[str, list[Row]] = {}
            for row in rows:
                if bool(row["clairvoyant"]) == known:
                    of.setdefault(row["policy"], []).append(row)
            worst = {
                spec: max(ratio_of(row).high for row in some)
                for spec, some in of.items()
                if all(map(holds, some))
            }
            best = min(worst, key=lambda spec: worst[spec])
            ratios = {row["trace"]: bracket(ratio_of(row)) for row in of[best]}
            lengths = "known" if known else "unknown"
            lines.append((lengths, kind, f"`{best}`", *(ratios[trace] for trace in groups)))
    return markdown_table(("lengths", "policies", "least worst ratio", *groups), lines, left=3)


TABLES: dict[str, Callable[[list[Row]], str]] = {
    "bounds": bounds_table,
    "policies": policies_table,
    "chosen": chosen_table,
}


def read_store(path: Path) -> list[Row]:
    """Return the rows of a store, or stop with one line about the first that is none."""
    rows = read_rows(path, NUMBERS, TEXTS)
    for number, row in enumerate(rows, start=1):
        try:
            if row["claim"]:
                parse_exact(row["claim"], "claim")
        except InputError as error:
            refuse(path, number, error)
        if not 0 < row["lower"] <= row["upper"] <= row["cost"]:
            refuse(path, number, "must have 0 < lower <= upper <= cost")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--traces", type=Path, metavar="DIR", help="folder with the traces")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--limit", type=float, default=30.0, help="processor seconds of the solver")
    parser.add_argument("--table", choices=TABLES, help="print this table only")
    options = parser.parse_args()
    rows = read_store(options.store)
    if options.table:
        print(TABLES[options.table](rows))
        return
    if options.traces is None:
        sys.exit("--traces: must name the folder with the traces")
    count_processor_time()
    done = by_trace(rows)
    for trace in TRACES:
        if trace.file.split(".")[0] in done:
            continue
        try:
            found = measure(trace, imported(options.traces, trace, options.requests), options.limit)
        except InputError as error:
            sys.exit(str(error))
        rows += found
        with options.store.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in found)
        print(f"{trace.file}: done", file=sys.stderr)
    print("\n\n".join(make(rows) for make in TABLES.values()))


if __name__ == "__main__":
    main()
