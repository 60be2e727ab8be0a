"""Results as text tables, comma-separated values and JSON objects."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from kvopt.comparison.ratio import Ratio
from kvopt.solver.result import Result
from kvopt.theory.bounds import Theorem
from kvopt.theory.quadratic import format_exact

__all__ = [
    "bound_row",
    "bound_texts",
    "decimal",
    "optimum_text",
    "ratio_row",
    "ratio_text",
    "solve_object",
    "text_table",
    "to_csv",
]

Row = Mapping[str, Any]


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Lay out rows under column heads, as plain text.

    Parameters
    ----------
    columns
        Heads of the columns, shape (c,).
    rows
        The cells, shape (r, c).
    right
        A letter for each column: "r" to align it to the right, anything else to
        the left; columns beyond its end go left.
    """
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = []
    for row in (columns, ["-" * width for width in widths], *rows):
        cells = [
            cell.rjust(width) if right[i : i + 1] == "r" else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def to_csv(rows: Sequence[Row]) -> str:
    """Write rows with equal keys as comma-separated values with a header."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue()


def decimal(x: Fraction) -> str:
    """Write a ratio with three decimals, for reading only."""
    return f"{float(x):.3f}"


def optimum_text(result: Result) -> str:
    """Write the optimum, or its bracket as low..high."""
    if result.lower_bound == result.objective:
        return str(result.objective)
    return f"{result.lower_bound}..{result.objective}"


def ratio_text(ratio: Ratio) -> str:
    """Write a ratio, or its bracket as low..high, with three decimals."""
    if ratio.low == ratio.high:
        return decimal(ratio.low)
    return f"{decimal(ratio.low)}..{decimal(ratio.high)}"


def bound_texts(ratio: Ratio) -> tuple[str, str]:
    """Write the bound of a ratio, rounded up to two decimals, and where it comes from."""
    if ratio.guarantee is None:
        return "-", ""
    return f"{-math.floor(-100 * ratio.guarantee.bound) / 100:.2f}", ratio.guarantee.name


def ratio_row(instance: str, ratio: Ratio) -> dict[str, Any]:
    """Return a ratio as a JSON object; fractions are strings with a float beside them."""
    guarantee = ratio.guarantee
    published = None
    if guarantee is not None:
        published = guarantee.bound if guarantee.status == "published" else guarantee.published
    return {
        "instance": instance,
        "policy": ratio.policy,
        "cost": ratio.cost,
        "lower_bound": ratio.lower_bound,
        "upper_bound": ratio.upper_bound,
        "ratio_low": format_exact(ratio.low),
        "ratio_low_float": float(ratio.low),
        "ratio_high": format_exact(ratio.high),
        "ratio_high_float": float(ratio.high),
        "bound": format_exact(guarantee.bound) if guarantee else None,
        "bound_float": float(guarantee.bound) if guarantee else None,
        "bound_status": guarantee.status if guarantee else None,
        "bound_name": guarantee.name if guarantee else None,
        "bound_source": guarantee.source if guarantee else None,
        "expected_bound_float": float(guarantee.expected)
        if guarantee and guarantee.expected
        else None,
        "published_bound": None if published is None else format_exact(published),
        "published_bound_float": None if published is None else float(published),
        "verdict": ratio.verdict.value,
    }


def solve_object(result: Result) -> dict[str, Any]:
    """Return what `kvopt solve` found as a JSON object."""
    return {
        "instance": result.instance.name,
        "digest": result.instance.digest(),
        "status": result.status.value,
        "objective": result.objective,
        "lower_bound": result.lower_bound,
        "lower_bound_from": result.rule,
        "starts": result.starts.tolist(),
        "seconds": round(result.seconds, 3),
    }


def bound_row(theorem: Theorem, alpha: Any = None) -> dict[str, Any]:
    """Return a theorem as a JSON object.

    Parameters
    ----------
    theorem
        The theorem.
    alpha
        Where to evaluate it, if it is a function of alpha; None for where it is
        published.
    """
    bound, status, source = theorem.constant, theorem.status, theorem.source
    if theorem.function is None:
        alpha = None
    else:
        alpha = theorem.alpha if alpha is None else alpha
        guarantee = theorem.at(alpha)
        bound, status, source = guarantee.bound, guarantee.status, guarantee.source
    return {
        "policy": theorem.policy,
        "kind": theorem.kind,
        "regime": theorem.regime,
        "formula": theorem.formula,
        "alpha": None if alpha is None else format_exact(alpha),
        "bound": None if bound is None else format_exact(bound),
        "bound_float": None if bound is None else float(bound),
        "status": status,
        "scope": theorem.scope,
        "source": source,
    }
