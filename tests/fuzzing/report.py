"""Tables of what a run has counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fuzzing.asking import Tally
from fuzzing.loading import RELEASED
from fuzzing.planting import Result

__all__ = ["CLASSES", "READ_BY_HAND", "counts_table", "plants_table", "rows_of", "uncaught_reasons"]

READ_BY_HAND = Path(__file__).with_name("uncaught.json")
"""Planted faults that no case finds, read by hand: key, class and why."""

CLASSES = {
    "equivalent": "the faulty checker accepts the same files",
    "unreachable": "no file gets there",
    "sound": "it reasons in another way, which is right, too",
    "complete": "it refuses more, or accepts less; no false claim",
    "limit": "only the work or memory that it allows changes",
    "words": "only the words of a refusal change",
    "layout": "it takes a true file that FORMAT.md refuses",
    "gap": "a fault that no case finds",
}

Reasons = Mapping[str, tuple[str, str]]


def rows_of(tallies: Mapping[str, Tally]) -> dict[str, dict[str, Any]]:
    """Return the counts of each rule, as they are stored."""
    rows = {}
    for rule, tally in tallies.items():
        shares = sorted(low / best for low, best in tally.best)
        rows[rule] = {
            "evaluated": tally.evaluated,
            "accepted": tally.accepted,
            "cases": len(tally.best),
            "median": round(shares[len(shares) // 2], 3) if shares else None,
            "tight": sum(low == best for low, best in tally.best),
            "mutants": tally.mutants,
            "mutants_true": tally.mutants_accepted,
            "slow": tally.slow,
        }
    return rows


def uncaught_reasons(file: Path = READ_BY_HAND) -> dict[str, tuple[str, str]]:
    """Return class and reason of faults that were read by hand.

    Raises
    ------
    ValueError
        If a class is not one of `CLASSES`.
    """
    found = {row["key"]: (row["class"], row["why"]) for row in json.loads(file.read_text())}
    if unknown := {kind for kind, _ in found.values()} - CLASSES.keys():
        raise ValueError(f"{file}: has unknown classes {sorted(unknown)}")
    return found


def aligned(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """Return a table in Markdown, numbers to the right."""
    cells = [tuple("" if x is None else str(x) for x in row) for row in rows]
    widths = [max(len(row[i]) for row in [header, *cells]) for i in range(len(header))]

    def line(row: tuple[str, ...]) -> str:
        first, *rest = row
        texts = [first.ljust(widths[0])]
        texts += [text.rjust(width) for text, width in zip(rest, widths[1:], strict=True)]
        return "| " + " | ".join(texts) + " |"

    rule = "|" + "-" * (widths[0] + 2) + "|"
    rule += "".join("-" * (width + 1) + ":|" for width in widths[1:])
    return "\n".join([line(header), rule, *map(line, cells)])


def counts_table(rows: Mapping[str, Mapping[str, Any]], shipped: Mapping[str, int]) -> str:
    """Return the table of bounds and mutants, a row for each rule."""
    header = ("rule", "proofs", "accepted", "climbs", "median", "optimal")
    header += ("mutants", "true", "shipped")
    keys = ("evaluated", "accepted", "cases", "median", "tight", "mutants", "mutants_true")
    table = [
        (rule, *(rows[rule][key] for key in keys), shipped.get(rule, 0))
        for rule in sorted(rows, key=lambda rule: rule.endswith(RELEASED))
    ]
    return aligned(header, table)


def plants_table(
    results: list[Result], reasons: Reasons, sizes: Mapping[str, int], rules: Mapping[str, int]
) -> str:
    """Return the table of planted faults, a row for each module of the checker."""
    header = ("file", "lines", "rules", "planted", "false claim", "malformed", "crash")
    header += ("refuses", "slow", "not caught", "open")
    table = []
    for module in [*sorted(sizes), "all"]:
        own = [one for one in results if module in (one.module, "all")]
        kinds = Counter(one.kind for one in own)
        names = ("false claim", "malformed", "crash", "honest refused", "slow", "not caught")
        missed = [one for one in own if one.kind in ("honest refused", "slow", "not caught")]
        still = sum(reasons.get(one.key, ("gap", ""))[0] == "gap" for one in missed)
        lines = sizes.get(module, sum(sizes.values()))
        row = (module, lines, rules.get(module), len(own), *(kinds[name] for name in names), still)
        table.append(row)
    return aligned(header, table)


def as_json(results: list[Result]) -> list[dict[str, Any]]:
    """Return results as they are stored, without the long texts."""
    return [{key: value for key, value in asdict(one).items() if key != "text"} for one in results]
