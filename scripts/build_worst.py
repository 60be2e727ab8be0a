"""Search the worst instance of each policy and size, and keep it if it is worse than the last.

    python scripts/build_worst.py STORE [--policies gsa,gba-d] [--sizes small,large]
        [--seed 1] [--seconds 60]
    python scripts/build_worst.py --table worst|records|arrivals|growth

STORE keeps the units of work of all searches, so that an interrupted run goes on. The
records are instances/worst/POLICY--SIZE.json, each with a certificate; what is there is only
ever replaced by worse. `--table` prints a table of them in Markdown, for docs/results/worst.md
(scripts/build_pages.py): the worst of each policy, every record with how it was found, the
records with release times, which stand apart, or how fast ratios grow in the family late-short.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import kvopt
from kvopt import Instance, Stopping, policy_from_spec
from kvopt.adversary import Candidate, Limits, SearchConfiguration, improvements, prepare, search
from kvopt.adversary.candidate import group_text
from kvopt.adversary.shrink import shrunk
from kvopt.adversary.store import Store
from kvopt.certificates.solve import solve_certified
from kvopt.certificates.write import checked_certificate, write_certificate
from kvopt.comparison.ratio import compare
from kvopt.comparison.records import ClaimedRecord, claim, read_records
from kvopt.generate.parametric import late_short
from kvopt.model.errors import KvoptError
from kvopt.model.feasibility import violations
from kvopt.model.files import CERTIFICATES, WORST, curated_instances, write_instance
from kvopt.model.schedule import Schedule
from kvopt.model.text import LINE, one_line
from kvopt.policies import GBA, GBAD, GSA, GSASpec, Policy
from kvopt.simulation.simulate import simulate
from kvopt.theory.decimals import rounded_down, rounded_up
from kvopt.theory.gba_bounds import GBA_PRICED, GBA_SHARPER
from kvopt.theory.gsa_bounds import GSA_COMPUTED, GSA_SHARPER
from kvopt.theory.guarantee import Theorem
from kvopt.theory.quadratic import Exact, format_exact
from kvopt.theory.theorems import THEOREMS

FOLDER = curated_instances() / WORST

POLICIES = (
    "gsa",
    "gsa:alpha=2",
    "gsa:alpha=phi",
    "gsa:spacing=tight",
    "gsa:alpha=2:spacing=tight",
    "gsa:slices=area",
    "gsa-spec",
    "gba",
    "gba:alpha=2",
    "gba:drain=no",
    "gba-d",
    "spt-pipeline",
    "mc-sf",
    "svf",
    "svf-batches",
    "svf-batches:pull=yes",
    "sorted-f",
    "a-min",
    "fcfs",
    "alpha-protection",
    "route",
    "rect",
    "response",
    "area-phases",
    "level-pool",
    "area-budget",
)


MIXED = ("svf-batches", "svf-batches:pull=yes", "area-phases", "level-pool", "area-budget")
"""What is searched on instances of mixed prompts."""


@dataclass(frozen=True)
class Size:
    """A size class and how it is searched."""

    method: str
    limits: Limits
    exact: bool


SIZES = {
    "small": Size("local", Limits(12, 24), exact=True),
    "large": Size("families", Limits(5000, 400), exact=False),
    "huge": Size("families", Limits(20_000, 1600), exact=False),  # for GSA and GBA
    "arrivals": Size("local", Limits(8, 16, arrivals=16), exact=True),
    "arrivals-large": Size("families", Limits(48, 48, arrivals=48), exact=False),
}
SLOW = Limits(300, 48)
"""Large instances of policies that are simulated one by one."""


def configuration_of(spec: str, size: str, seed: int) -> SearchConfiguration:
    kind = SIZES[size]
    limits = replace(kind.limits, mixed=spec in MIXED)
    configuration = SearchConfiguration(spec, None, limits, seed, kind.method, kind.exact)
    if size in ("large", "huge") and kvopt.adversary.number_of_units(configuration) is None:
        limits = replace(SLOW, mixed=spec in MIXED)
        configuration = SearchConfiguration(spec, None, limits, seed, kind.method, kind.exact)
    return configuration


def command(configuration: SearchConfiguration, units: int) -> str:
    """Return the command that finds the instance again."""
    limits = configuration.limits
    return (
        f"kvopt search --policy {configuration.policy} --method {configuration.method}"
        f" --requests {limits.requests} --memory {limits.memory}{' --mixed' * limits.mixed}"
        + f" --arrivals {limits.arrivals}"
        * (limits.arrivals > 0)
        + f" --score {'exact' if configuration.exact else 'feasible'}"
        f" --seed {configuration.seed} --restarts {units}"
    )


def file_of(spec: str, size: str) -> Path:
    return FOLDER / f"{spec.replace(':', '-').replace('=', '-')}--{size}.json"


def worst_of(
    configuration: SearchConfiguration, store: Store, seconds: float
) -> tuple[Candidate, str] | None:
    """Search, and return the worst instance, made small, and how it was found.

    None if no unit of work was completed in time.
    """
    prepare(configuration)
    stop = Stopping(seconds)
    done = store.units(configuration)

    def keep(unit: kvopt.adversary.WorkUnit) -> None:
        if unit.complete:
            store.add(configuration, unit)

    units = search(configuration, stop, done=done, on_unit=keep)
    records = improvements(unit for unit in units if unit.complete)
    if not records:
        return None
    best = records[-1]
    return shrunk(configuration, best.candidate, Stopping(20)), command(
        configuration, best.unit + 1
    )


def enter(spec: str, size: str, candidate: Candidate, found: str) -> str:
    """Make a record of an instance if it is worse than the last; say what was done."""
    file = file_of(spec, size)
    instance = candidate.instance()
    comparison = compare(instance, [policy_from_spec(spec)], 60)
    ratio = comparison.ratios[0].low
    last = {record.file: record.ratio for record in read_records(FOLDER.parent)}
    if ratio <= last.get(file, Fraction(1)):
        known = rounded_down(last.get(file, Fraction(1)), 4)
        return f"{rounded_down(ratio, 4)}, no worse than {known}"
    record = Instance(
        instance.memory,
        instance.prompts,
        instance.outputs,
        f"worst-{file.stem}",
        claim(spec, ratio),
        found,
        instance.releases,
    )
    certified = solve_certified(instance, 60, known=[comparison.optimum.starts])
    (FOLDER / CERTIFICATES).mkdir(parents=True, exist_ok=True)
    write_certificate(FOLDER / CERTIFICATES / file.name, checked_certificate(certified))
    write_instance(file, record)
    return f"{rounded_down(ratio, 4)}, a new record"


def proved(policy: Policy) -> tuple[Theorem, Exact | None] | None:
    """Return the theorem about a policy as it runs, and its bound whatever s, M and n.

    None if there is no such theorem.  The bound is None if it depends on the instance.
    """
    if isinstance(policy, GSA | GSASpec | GBA | GBAD):
        return geometric(policy)
    found = [
        theorem
        for theorem in THEOREMS
        if theorem.policy == policy.name and theorem.kind == "upper" and theorem.as_run
    ]
    best = min(found, key=lambda theorem: theorem.status, default=None)  # "derived" first
    if best is None:
        return None
    if best.constant is None:
        return best, None
    same = [t for t in found if t.scope == best.scope and t.constant is not None]
    best = min(same, key=lambda theorem: theorem.constant or 0)
    return best, best.constant


def geometric(policy: GSA | GSASpec | GBA | GBAD) -> tuple[Theorem, Exact | None] | None:
    """Return the theorem about geometric slices for the parameters of a policy, if there is one."""
    gsa = isinstance(policy, GSA | GSASpec)
    drain = getattr(policy, "drain", True)
    if getattr(policy, "beta", 1) != 1 or (gsa and not drain):
        return None
    name = "gsa" if gsa else "gba"
    if (slices := getattr(policy, "slices", "alpha")) != "alpha":
        name += f":slices={slices}"
    if getattr(policy, "spacing", "sps") != "sps":
        name += ":spacing=sps2|tight"
    if not drain:
        name += ":drain=no"
    ours = GSA_SHARPER + GSA_COMPUTED + GBA_SHARPER + GBA_PRICED
    known = [t for t in ours if t.policy == name]
    found = [(theorem, theorem.at(policy.alpha).bound) for theorem in known]
    return min(found, key=lambda pair: pair[1], default=None)


def proved_cells(policy: Policy, worst: ClaimedRecord) -> tuple[str, str, str]:
    """Return what is proved, under which assumptions, and the gap to the worst instance.

    There is a gap only where the assumptions hold for that instance.
    """
    found = proved(policy)
    if found is None:
        return "nothing", "-", "-"
    theorem, bound = found
    scope = "one prompt" if theorem.prompts == "one" else "any prompts"
    assumed = "; ".join(filter(None, (scope, theorem.requests)))
    there = policy.guarantee(worst.instance)
    if bound is None:
        gap = rounded_up(there.bound / worst.ratio, 1) if there else "-"
        return theorem.formula, assumed, gap
    gap = rounded_up(bound / worst.ratio, 1) if there else "-"
    return rounded_up(bound, 2), assumed, gap


def table(records: list[ClaimedRecord]) -> str:
    """Return the table: proved bound, assumptions, worst instance known and gap, per policy."""
    records = [record for record in records if not record.instance.has_releases]
    lines = [
        "| policy | proved at most | if | known at least | gap | on: M, s: output x count |",
        "|---|---|---|---|---|---|",
    ]
    for spec in POLICIES:
        mine = [record for record in records if record.policy == spec]
        if not mine:
            continue
        worst = max(mine, key=lambda record: record.ratio)
        bound, assumed, gap = proved_cells(policy_from_spec(spec), worst)
        groups = ", ".join(f"{o} x {c}" for _, o, c, *_ in worst.instance.groups()[:4])
        more = ", ..." if len(worst.instance.groups()) > 4 else ""
        prompts = {group[0] for group in worst.instance.groups()}
        prompt = prompts.pop() if len(prompts) == 1 else "mixed"
        what = f"{worst.instance.memory}, {prompt}: {groups}{more}"
        lower = rounded_down(worst.ratio, 3)
        lines.append(f"| {spec} | {bound} | {assumed} | {lower} | {gap} | {what} |")
    return "\n".join(lines)


def record_table(records: list[ClaimedRecord]) -> str:
    """Return the table of every record, with how it was found."""
    lines = [
        "| policy | size | ratio at least | optimum | n | M | found by |",
        "|---|---|---|---|---|---|---|",
    ]
    for record in records:
        if record.instance.has_releases:
            continue
        size = record.file.stem.rpartition("--")[2]
        cells = (
            record.policy,
            size,
            f"{format_exact(record.ratio)} = {rounded_down(record.ratio, 4)}",
            bracket(record),
            f"{len(record.instance)}",
            f"{record.instance.memory}",
            f"`{one_line(record.instance.source, LINE).translate(PLAIN)}`",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def bracket(record: ClaimedRecord) -> str:
    """Return the bracket of the optimum that the certificate of a record proves."""
    certificate = json.loads(record.certificate.read_text())
    low, high = certificate["lower_bound"], certificate["upper_bound"]
    return f"{low}" if low == high else f"{low}..{high}"


def arrivals_table(records: list[ClaimedRecord]) -> str:
    """Return the table of the records with release times."""
    lines = [
        "| policy | ratio at least | optimum | n | M, s: output x count at release | found by |",
        "|---|---|---|---|---|---|",
    ]
    for record in records:
        if not record.instance.has_releases:
            continue
        instance = record.instance
        candidate = Candidate.of(instance.memory, instance.groups())
        prompt = "mixed" if instance.common_prompt is None else instance.common_prompt
        what = ", ".join(group_text(group, prompt == "mixed") for group in candidate.groups)
        cells = (
            record.policy,
            f"{format_exact(record.ratio)} = {rounded_down(record.ratio, 4)}",
            bracket(record),
            f"{len(instance)}",
            f"{instance.memory}, {prompt}: {what}",
            f"`{one_line(instance.source, LINE).translate(PLAIN)}`",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


GROWING = ("fcfs", "mc-sf", "a-min", "gsa")
"""Policies whose ratio is followed in a family."""

COUNTS = (4, 8, 16, 32, 64)
"""Numbers of short requests in the family; the memory is their square."""


def growth_table(records: list[ClaimedRecord]) -> str:
    """Return the table of ratios in the family late-short; the records are not looked at."""
    lines = [
        f"| n | M | schedule | {' | '.join(GROWING)} | root of n |",
        "|---|---|---|" + "---|" * len(GROWING) + "---|",
    ]
    for count in COUNTS:
        instance = late_short(count**2, count)
        starts = [count + 1, *range(1, count + 1)]  # the long request last
        reference = Schedule.from_starts(instance, starts)
        if violations(reference):
            raise KvoptError(f"{instance}: the schedule to compare to does not hold")
        cells = [f"{len(instance)}", f"{instance.memory}", f"{reference.total_latency()}"]
        for spec in GROWING:
            cost = simulate(instance, policy_from_spec(spec)).total_latency()
            ratio = Fraction(cost, reference.total_latency())
            cells.append(f"{cost}, {rounded_down(ratio, 2)}")
        cells.append(f"{math.sqrt(len(instance)):.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


PLAIN = str.maketrans("|`", "/'")
"""What would end a cell or a piece of code in Markdown, and what is written instead."""

TABLES = {
    "worst": table,
    "records": record_table,
    "arrivals": arrivals_table,
    "growth": growth_table,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path, nargs="?")
    parser.add_argument("--policies", type=lambda text: text.split(","), default=POLICIES)
    parser.add_argument("--sizes", type=lambda text: text.split(","), default=["small", "large"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--table", choices=TABLES, help="print this table only")
    options = parser.parse_args()
    if options.table:
        print(TABLES[options.table](read_records(FOLDER.parent)))
        return
    if options.store is None:
        parser.error("STORE is missing")
    store = Store(options.store)
    for spec in options.policies:
        for size in options.sizes:
            configuration = configuration_of(spec, size, options.seed)
            worst = worst_of(configuration, store, options.seconds)
            news = enter(spec, size, *worst) if worst else "nothing in time"
            print(spec, size, news, flush=True)


if __name__ == "__main__":
    main()
