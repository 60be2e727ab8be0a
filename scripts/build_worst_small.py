"""Find the worst instance of every small size: docs/results/worst-small.json.

    python scripts/build_worst_small.py [--policies A,B] [--requests N] [--memory M] [--mixed]
        [--store DB] [--write]
    python scripts/build_worst_small.py --table worst|sizes

For each policy all instances with at most N requests and a budget of at most M tokens are
searched, cell by cell (proofs/text/worst_cases.md); by default as far as about a minute goes.
With a store, an interrupted run goes on where it was.  With --write the result takes the place
of what docs/results/worst-small.json says of the same policy; --table prints a table of that file
for docs/results/worst-small.md (scripts/build_pages.py).  Nothing depends on the machine, except
how long it takes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvopt import Stopping
from kvopt.adversary import Limits, SearchConfiguration, WorkUnit, search
from kvopt.adversary.cells import cells
from kvopt.adversary.store import Store
from kvopt.model.files import write_text
from kvopt.theory.decimals import rounded_down

FILE = Path(__file__).parent.parent / "docs" / "results" / "worst-small.json"

DEFAULT: dict[str, tuple[int, int]] = {
    "gsa:alpha=2": (12, 24),
    "gsa:alpha=phi": (12, 24),
    "gsa": (12, 24),
    "gsa:spacing=tight": (12, 24),
    "gba:alpha=2": (12, 24),
    "gba": (9, 18),
    "mc-sf": (5, 12),
    "svf": (5, 12),
    "spt-pipeline": (5, 12),
    "fcfs": (5, 12),
    "sorted-f": (4, 10),
    "a-min": (3, 11),
    "gsa:early=yes": (3, 11),
    "gsa-spec": (3, 12),
    "gba-d": (3, 10),
    "route": (3, 8),
}
"""Policies, and up to how many requests and tokens about a minute goes."""

DEFAULT_MIXED: dict[str, tuple[int, int]] = {
    "gsa:alpha=2": (4, 9),
    "gba:alpha=2": (4, 9),
    "mc-sf": (3, 10),
    "svf": (3, 10),
    "fcfs": (3, 9),
    "route": (3, 6),
    "svf-batches": (3, 7),
    "svf-batches:pull=yes": (3, 7),
    "area-phases": (3, 7),
    "area-budget": (3, 6),
    "level-pool": (3, 7),
}
"""The same for instances of mixed prompts too."""

Entry = dict[str, Any]


def run(policy: str, requests: int, memory: int, mixed: bool, store: Store | None) -> Entry | None:
    """Search all cells of a policy; None if it was interrupted."""
    configuration = SearchConfiguration(
        policy, None, Limits(requests, memory, mixed), 0, "exhaustive"
    )
    done = store.units(configuration) if store else []
    stop, began = Stopping(), time.perf_counter()
    number = len(cells(configuration.limits))
    ended = len(done)

    def on_unit(unit: WorkUnit) -> None:
        nonlocal ended
        if unit.complete:
            ended += 1
            if store:
                store.add(configuration, unit)
        if ended % 20 == 0:
            seconds = time.perf_counter() - began
            print(f"{policy}: {ended} of {number} cells, {seconds:.0f} s", file=sys.stderr)

    units = search(configuration, stop, done=done, on_unit=on_unit)
    if len(units) < number or not all(unit.complete for unit in units):
        return None
    print(f"{policy}: done in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    rows = []
    for unit, cell in zip(units, cells(configuration.limits), strict=True):
        worst = unit.records[-1]
        ratio = f"{worst.ratio.numerator}/{worst.ratio.denominator}"
        kind = "mixed" if cell.mixed else "common"
        groups = [list(group) for group in worst.candidate.groups]
        rows.append([cell.requests, cell.memory, kind, ratio, worst.cost, worst.reference, groups])
    return {
        "policy": policy,
        "requests": requests,
        "memory": memory,
        "prompts": "any" if mixed else "common",
        "cells": rows,
    }


def number_of_instances(entry: Entry) -> int:
    """Return how many instances, orders told apart, the cells of an entry contain."""
    total = 0
    for n, memory, kind, *_ in entry["cells"]:
        common = sum((memory - prompt) ** n for prompt in range(memory))
        total += common if kind == "common" else math.comb(memory + 1, 2) ** n - common
    return total


def worst_of(rows: list[Any]) -> list[Any]:
    """Return the worst row, the smallest instance among equals."""
    found: list[Any] = min(rows, key=lambda row: (-Fraction(row[3]), row[0], row[1]))
    return found


def shown(row: list[Any]) -> str:
    """Return the instance of a row in words."""
    _, memory, kind, _, _, _, groups = row
    if kind == "mixed":
        requests = ", ".join(f"({s}, {o})" + f" x {c}" * (c > 1) for s, o, c in groups)
        return f"M = {memory}; (s, o): {requests}"
    requests = ", ".join(f"{o}" + f" x {c}" * (c > 1) for _, o, c in groups)
    return f"M = {memory}, s = {groups[0][0]}: {requests}"


def worst_table(entries: list[Entry]) -> str:
    """Return the worst instance of each policy, for all sizes searched."""
    lines = [
        "| policy | n | M | prompts | instances | worst ratio | | instance |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        row = worst_of(entry["cells"])
        lines.append(
            f"| `{entry['policy']}` | {entry['requests']} | {entry['memory']} "
            f"| {entry['prompts']} | {number_of_instances(entry):.1e} "
            f"| {row[4]}/{row[5]} | {rounded_down(Fraction(row[4], row[5]), 3)} | {shown(row)} |"
        )
    return "\n".join(lines)


def size_tables(entries: list[Entry]) -> str:
    """Return for each policy the worst instance of each number of requests."""
    lines = []
    for entry in entries:
        lines += [
            "",
            f"### `{entry['policy']}`, M <= {entry['memory']}, {entry['prompts']} prompts",
            "",
            "| n | worst ratio | | instance |",
            "|---|---|---|---|",
        ]
        for n in range(1, entry["requests"] + 1):
            row = worst_of([row for row in entry["cells"] if row[0] == n])
            ratio = f"{row[4]}/{row[5]} | {rounded_down(Fraction(row[4], row[5]), 3)}"
            lines.append(f"| {n} | {ratio} | {shown(row)} |")
    return "\n".join(lines[1:])


TABLES = {"worst": worst_table, "sizes": size_tables}


def as_json(entries: list[Entry]) -> str:
    """Return entries as JSON, a cell a line."""
    parts = []
    for entry in entries:
        head = json.dumps({key: entry[key] for key in entry if key != "cells"})
        rows = ",\n".join(json.dumps(row) for row in entry["cells"])
        parts.append(f'{head[:-1]}, "cells": [\n{rows}]}}')
    return '{"format": "kvopt-worst-small/1", "entries": [\n' + ",\n".join(parts) + "]}\n"


def stored_entries() -> list[Entry]:
    """Return what docs/results/worst-small.json says."""
    if not FILE.exists():
        return []
    entries: list[Entry] = json.loads(FILE.read_text())["entries"]
    return entries


def merged(old: list[Entry], new: list[Entry]) -> list[Entry]:
    """Return the entries, new ones in place of old ones, in the order of the defaults."""
    entries = {(entry["prompts"], entry["policy"]): entry for entry in [*old, *new]}
    places = [*DEFAULT, *DEFAULT_MIXED]
    return sorted(
        entries.values(),
        key=lambda entry: (
            entry["prompts"] != "common",
            places.index(entry["policy"]) if entry["policy"] in places else len(places),
            entry["policy"],
        ),
    )


def write(entries: list[Entry]) -> None:
    """Write the file."""
    write_text(FILE, as_json(entries))


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--policies", help="separated by commas; by default all known ones")
    parser.add_argument("--requests", type=int, metavar="N", help="at most so many requests")
    parser.add_argument("--memory", type=int, metavar="M", help="a budget of at most so many")
    parser.add_argument("--mixed", action="store_true", help="with mixed prompts as well")
    parser.add_argument("--store", type=Path, metavar="DB", help="keep units, and resume")
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--table", choices=TABLES, help="print this table of it only")
    options = parser.parse_args()
    if options.table:
        print(TABLES[options.table](stored_entries()))
        return
    defaults = DEFAULT_MIXED if options.mixed else DEFAULT
    policies = options.policies.split(",") if options.policies else [*defaults]
    store = Store(options.store) if options.store else None
    entries = []
    for policy in policies:
        n, memory = defaults.get(policy, (3, 8))
        limits = options.requests or n, options.memory or memory
        try:
            entry = run(policy, *limits, options.mixed, store)
        except KeyboardInterrupt:
            sys.exit("interrupted; with --store what is complete was kept")
        assert entry is not None
        entries.append(entry)
        if options.write:
            write(merged(stored_entries(), [entry]))
    print(worst_table(entries), size_tables(entries), sep="\n\n")


if __name__ == "__main__":
    main()
