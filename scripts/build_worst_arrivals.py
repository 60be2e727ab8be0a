"""Find the worst instance of small sizes with release times: docs/results/worst-arrivals.json.

    python scripts/build_worst_arrivals.py [--policies A,B] [--write]
    python scripts/build_worst_arrivals.py --table worst

For each policy all instances with a common prompt and at most the sizes of `LIMITS` are searched,
the first request released at 0.  With --write the result takes the place of what the file says
of the same policy; --table prints a table of it for docs/results/worst-small.md
(scripts/build_pages.py).
"""

from __future__ import annotations

import argparse
import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvopt import Stopping
from kvopt.adversary import Candidate, Limits, SearchConfiguration, search
from kvopt.adversary.candidate import group_text
from kvopt.adversary.cells import cells
from kvopt.model.files import write_text
from kvopt.theory.decimals import rounded_down

FILE = Path(__file__).parent.parent / "docs" / "results" / "worst-arrivals.json"

LIMITS = Limits(requests=3, memory=5, arrivals=3)

POLICIES = ("fcfs", "mc-sf", "svf", "a-min", "gba", "gsa")

Row = dict[str, Any]


def run(policy: str, limits: Limits = LIMITS) -> list[Row]:
    """Return the worst instance of every cell for a policy."""
    configuration = SearchConfiguration(policy, None, limits, 0, "exhaustive")
    units = search(configuration, Stopping())
    assert len(units) == len(cells(limits))
    assert all(unit.complete for unit in units)
    rows = []
    for unit, cell in zip(units, cells(limits), strict=True):
        worst = unit.records[-1]
        rows.append(
            {
                "policy": policy,
                "requests": cell.requests,
                "memory": cell.memory,
                "cost": worst.cost,
                "optimum": worst.reference,
                "groups": worst.candidate.groups,
                "instances": unit.evaluations,
            }
        )
    return rows


def stored() -> list[Row]:
    """Return what the file says."""
    rows: list[Row] = json.loads(FILE.read_text())["cells"] if FILE.exists() else []
    return rows


def as_json(rows: list[Row]) -> str:
    """Return rows as JSON, one a line."""
    head = {"format": "kvopt-worst-arrivals/1", "arrivals": LIMITS.arrivals}
    lines = ",\n".join(map(json.dumps, rows))
    return f'{json.dumps(head)[:-1]}, "cells": [\n{lines}]}}\n'


def table(rows: list[Row]) -> str:
    """Return the worst instance of each policy and number of requests."""
    lines = [
        "| policy | n | instances | worst ratio | | M, s: output x count at release |",
        "|---|---|---|---|---|---|",
    ]
    for policy in POLICIES:
        for n in range(1, LIMITS.requests + 1):
            mine = [row for row in rows if (row["policy"], row["requests"]) == (policy, n)]
            worst = max(mine, key=lambda row: Fraction(row["cost"], row["optimum"]))
            one = Candidate.of(worst["memory"], map(tuple, worst["groups"]))
            ratio = Fraction(worst["cost"], worst["optimum"])
            number = sum(row["instances"] for row in mine)
            requests = ", ".join(map(group_text, one.groups))
            lines.append(
                f"| `{policy}` | {n} | {number} | {worst['cost']}/{worst['optimum']} "
                f"| {rounded_down(ratio, 3)} | {one.memory}, {one.common_prompt}: {requests} |"
            )
    return "\n".join(lines)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--policies", type=lambda text: text.split(","), default=POLICIES)
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--table", choices=["worst"], help="print this table of it only")
    options = parser.parse_args()
    rows = stored()
    if not options.table:
        for policy in options.policies:
            found = run(policy)
            print(f"{policy}: done", file=sys.stderr, flush=True)
            rows = [row for row in rows if row["policy"] != policy] + found
            rows.sort(key=lambda row: POLICIES.index(row["policy"]))
            if options.write:
                write_text(FILE, as_json(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
