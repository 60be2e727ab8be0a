"""Bounds beside bad instances, and lower bounds on the optimum: docs/results/bounds.md.

    python scripts/build_bounds.py [--limit SECONDS]

The first table runs every policy on every instance in instances/ and instances/worst/ that has one
prompt, and divides by the cost of the cheapest schedule found, so each ratio is one that the
policy has at least. The second and third compare what is proved. Takes some minutes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from build_worst import proved

from kvopt import Instance, policy_from_spec, simulate, solve
from kvopt.generate import generate_random, slice_boundary
from kvopt.model.errors import InputError
from kvopt.model.files import read_instance, write_text
from kvopt.policies import Policy
from kvopt.solver.combinatorial_bounds import (
    area_bound,
    best_lower_bound,
    busy_time_bound,
    slot_bound,
    total_output_bound,
)
from kvopt.solver.relaxations.time_indexed import TimeIndexedProgram
from kvopt.theory.decimals import rounded_down, rounded_up
from kvopt.theory.gsa_bounds import GSA_CHOSEN_SLICES
from kvopt.theory.guarantee import Theorem
from kvopt.theory.slice_plans import best_plan
from kvopt.theory.theorems import THEOREMS

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "docs" / "results" / "bounds.md"
CERTIFIED = "9.393 (M <= 150)"

POLICIES = {
    # policy: the rows of `kvopt bounds` that are about it: published, ours
    "gsa": ("gsa", None),
    "gsa:alpha=1.57": (None, None),
    "gsa:alpha=2": (None, None),
    "gsa:early=yes": (None, None),
    "gsa:alpha=1.64:spacing=tight": (None, None),
    "gsa:alpha=2.128:slices=area": (None, None),
    "gsa:alpha=2.128:slices=area:spacing=tight": (None, "gsa:slices=area:spacing=sps2|tight"),
    "gsa:slices=certified": (None, None),
    "gsa:slices=certified:spacing=tight": (None, None),
    "gsa-spec": (None, None),
    "gba": ("gba", None),
    "gba:alpha=1.39": (None, None),
    "gba:alpha=1.49:spacing=tight": (None, None),
    "gba:alpha=6/5:drain=no": (None, None),
    "gba:alpha=6/5:drain=no:spacing=tight": (None, None),
    "gba-d": (None, None),
    "spt-pipeline": (None, None),
    "mc-sf": ("mc-sf", None),
}
SCHEDULERS = ("spt-pipeline", "mc-sf", "gba:drain=no:alpha=6/5:spacing=tight", "svf")
SLOW = ("mc-sf", "svf", "gba-d", "gsa-spec")
MOST_FOR_SLOW = 2_000


def files() -> Iterator[tuple[str, Instance]]:
    """Yield the instances with one prompt, all released at 0, by name."""
    for folder in (ROOT / "instances", ROOT / "instances" / "worst"):
        for file in sorted(folder.glob("*.json")):
            try:
                instance = read_instance(file)
            except InputError:
                continue  # an index, say
            if instance.common_prompt is not None and not instance.has_releases:
                yield file.stem, instance


def feasible(instance: Instance, limit: float) -> int:
    """Return the cost of the cheapest schedule found."""
    costs = [
        simulate(instance, policy_from_spec(spec)).total_completion_time()
        for spec in SCHEDULERS
        if len(instance) <= MOST_FOR_SLOW or spec not in SLOW
    ]
    if len(instance) <= 60:
        costs.append(solve(instance, limit).objective)
    return min(costs)


def constants() -> dict[tuple[str, str], Fraction]:
    """Return the constants of `kvopt bounds`, by policy and status."""
    return {
        (t.policy, t.status): t.constant
        for t in THEOREMS
        if t.constant is not None and t.regime == "general"
    }


def ours_on(policy: Policy, instance: Instance) -> Fraction | None:
    guarantee = policy.guarantee(instance)
    return None if guarantee is None else guarantee.bound


def table_of_policies(limit: float) -> list[str]:
    known = constants()
    instances = [(name, instance, feasible(instance, limit)) for name, instance in files()]
    lines = [
        "| policy | prompts | releases | kills | published | ours, every instance |"
        " ratio reached | on | used there |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for spec, (paper, own) in POLICIES.items():
        print(spec, file=sys.stderr)
        policy = policy_from_spec(spec)
        worst = max(
            (
                Fraction(simulate(instance, policy).total_completion_time(), cost),
                -len(instance),
                name,
                instance,
            )
            for name, instance, cost in instances
            if spec not in SLOW or len(instance) <= MOST_FOR_SLOW
        )
        published = rounded_up(known[paper, "published"], 2) if paper else "-"
        general = rounded_up(known[own, "derived"], 2) if own else general_bound(spec)
        there = ours_on(policy, worst[3])
        lines.append(
            f"| `{spec}` | {assumptions(spec)} | {published} | {general} |"
            f" {rounded_down(worst[0], 2)} | {worst[2]} |"
            f" {'-' if there is None else rounded_up(there, 2)} |"
        )
    return lines


def theorem_for(spec: str) -> Theorem | None:
    """Return our theorem about a policy, or else the published one."""
    policy = policy_from_spec(spec)
    if getattr(policy, "slices", None) == "certified":
        return GSA_CHOSEN_SLICES
    found = proved(policy)
    return found and found[0]


def assumptions(spec: str) -> str:
    """Return what the theorem assumes, as cells: prompts, releases, and whether it may kill."""
    theorem = theorem_for(spec)
    if theorem is None:
        return "- | - | -"
    return f"{theorem.prompts} | {theorem.releases} | {'yes' if theorem.kills else 'no'}"


def general_bound(spec: str) -> str:
    """Return our bound for all instances of a policy that has no row of its own."""
    policy = policy_from_spec(spec)
    if getattr(policy, "slices", None) == "certified":  # the table has the default spacing only
        return CERTIFIED if policy.spacing != "tight" else "-"
    found = proved(policy)
    if found is None or found[1] is None or found[0].status != "derived":
        return "-"
    return rounded_up(found[1], 2)


def chat(number: int, requests: int, memory: int, prompt: int) -> Instance:
    """Return requests with lengths like those of chats: log-normal, seeded."""
    rng = random.Random(f"bounds {number}")
    lengths = [
        min(memory - prompt, max(1, round(rng.lognormvariate(4.6, 1.0)))) for _ in range(requests)
    ]
    return Instance(memory, [prompt] * requests, lengths)


SUITES = {
    "small (n <= 12, M <= 24), 10": [generate_random("small", 0, i) for i in range(10)],
    "model1 (n = 41..60, M = 30..50), 4": [generate_random("model1", 0, i) for i in range(4)],
    "alike, 3": [generate_random("alike", 0, i) for i in range(3)],
    "log-normal, n = 1000, M = 8192, s = 79, 5": [chat(i, 1000, 8192, 79) for i in range(5)],
    "log-normal, n = 200, M = 8192, s = 79, 5": [chat(i, 200, 8192, 79) for i in range(5)],
    "log-normal, n = 1000, M = 2048, s = 600, 5": [chat(i, 1000, 2048, 600) for i in range(5)],
    "just above slices, M = 1535, s = 0, n = 60000": [
        slice_boundary(Fraction(2), 1535, [10846, 49154])
    ],
}


def table_of_lower_bounds(limit: float) -> list[str]:
    lines = [
        "| instances | total output | area | busy time | slots | best of these |"
        " linear program | with window covers | gap, area | gap, best |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, suite in SUITES.items():
        print(name, file=sys.stderr)
        columns: dict[str, list[float]] = {}
        for instance in suite:
            cost = feasible(instance, limit)
            values = {
                "output": total_output_bound(instance),
                "area": area_bound(instance),
                "busy": busy_time_bound(instance),
                "slots": slot_bound(instance),
                "best": best_lower_bound(instance).value,
                "linear": linear_bound(instance, None, ()),
                "stairs": linear_bound(instance, None, (1, 2)),
            }
            for key, value in values.items():
                if value is not None:
                    columns.setdefault(key, []).append(value / cost)
        mean = {key: statistics.fmean(values) for key, values in columns.items()}
        cells = [
            f"{100 * mean[key]:.1f}" if len(columns.get(key, ())) == len(suite) else "-"
            for key in ("output", "area", "busy", "slots", "best", "linear", "stairs")
        ]
        gaps = [f"{100 * (1 - mean[key]):.1f}" for key in ("area", "best")]
        lines.append(f"| {name} | {' | '.join(cells + gaps)} |")
    return lines


def linear_bound(instance: Instance, horizon: int | None, levels: tuple[int, ...]) -> int | None:
    """Return what the linear program proves, with the window cover cuts of some levels, or None."""
    from kvopt.solver.highs import quiet_highs
    from kvopt.solver.primal.list_schedules import pipelined

    if len(instance) > MOST_FOR_LINEAR:
        return None
    if horizon is None:
        horizon = int((pipelined(instance) + instance.outputs).max())
    program = TimeIndexedProgram(instance, min(horizon, instance.total_output), levels=levels)
    highs = quiet_highs()
    highs.passModel(program.program())
    highs.run()
    return program.bound(program.rounded(np.array(highs.getSolution().row_dual)))


def certified_table() -> list[str]:
    lines = ["| M | " + " | ".join(f"s = {f} M" for f in SHARES) + " |"]
    lines.append("|---|" + "---|" * len(SHARES))
    for memory in (100, 300, 1000, 3000, 10_000, 100_000):
        cells = []
        for share in SHARES:
            prompt = int(Fraction(share) * memory)
            sps, tight = (best_plan(prompt, memory, rule).bound for rule in ("sps", "tight"))
            cells.append(f"{rounded_up(sps, 2)} / {rounded_up(tight, 2)}")
        lines.append(f"| {memory} | {' | '.join(cells)} |")
    return lines


SHARES = ("0", "0.01", "0.05", "0.1", "0.2", "0.24", "0.3", "0.4", "0.49", "0.5", "0.9")
MOST_FOR_LINEAR = 12


TEXTS = (
    """# Bounds, and how close instances come to them

Made by `python scripts/build_bounds.py --limit {0:g}`. Bounds are rounded up, ratios reached are
rounded down. What is proved where: [proofs/README.md](../../proofs/README.md).

## Policies

*Ratio reached* is the largest cost on an instance of `instances/` or `instances/worst/` with one
prompt length over that of the cheapest schedule found; *used there* is the bound that `kvopt ratio`
uses for that instance, mostly from its own slices, prompt and memory. *Prompts*, *releases* and
*kills* are what the theorem assumes: one common prompt length or any, all requests released at 0,
and whether the policy may kill. *Ours, every instance* holds for every instance that fits these,
for certified slices up to the memory named, by
[the table](../../proofs/data/certified_slices.csv).""",
    """## Certified slices

The ratio that is proved for the slices that `gsa:slices=certified` uses, with the paper's spacing /
with tight spacing; all drains counted. For every s and M slices with 10 exist, with SPS
([uniform_bound.md](../../proofs/text/uniform_bound.md)); what is above 10 here has more than 20,000
rounds, beyond which the search leaves out the slot weights.""",
    """## Lower bounds on the optimum

Mean of bound / cost of the cheapest schedule found, in percent, to the nearest; the last two
columns are the gaps that the area bound and the best closed bound leave. Busy time is
P + V1/2 + sum of delta ([lower_bounds.md](../../proofs/text/lower_bounds.md)); the linear
programs, for up to {} requests, are the hindsight program without and with window cover cuts.""",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=5.0, help="seconds for an optimum")
    limit = parser.parse_args().limit
    parts = [
        TEXTS[0].format(limit),
        "\n".join(table_of_policies(limit)),
        TEXTS[1],
        "\n".join(certified_table()),
        TEXTS[2].format(MOST_FOR_LINEAR),
        "\n".join(table_of_lower_bounds(limit)),
    ]
    write_text(REPORT, "\n\n".join(parts) + "\n")
    print(REPORT.read_text())


if __name__ == "__main__":
    main()
