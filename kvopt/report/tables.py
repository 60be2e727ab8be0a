"""Results as text tables and JSON objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from kvopt.comparison.ratio import Ratio, Unfinished, Verdict
from kvopt.comparison.rows import Bracket
from kvopt.comparison.standing import Standing
from kvopt.model.text import one_line
from kvopt.solver.result import Result
from kvopt.theory.decimals import rounded_down, rounded_up
from kvopt.theory.guarantee import Theorem
from kvopt.theory.quadratic import Exact, format_exact

__all__ = [
    "bound_cells",
    "bound_row",
    "bound_table",
    "bound_text",
    "bound_texts",
    "decimal",
    "grouped_table",
    "optimum_text",
    "ratio_cells",
    "ratio_text",
    "solve_object",
    "stage_rows",
    "stage_table",
    "standing_table",
    "text_table",
]

CELL = 200
"""Largest width of a cell (characters)."""

POLICY_WIDTH = 20
"""Width of the column of policies in a table of bounds that fits 80 columns (characters)."""

BOUNDS_LEGEND = """\
s: prompts, one common length or any; rel: all requests released at 0;
kill: whether the policy may kill; mean: of the ratio, over what is drawn;
not as run: proved for another reading of the policy than the one kvopt runs.
Further assumptions: --wide, --json."""
"""What the short columns of the table of bounds mean."""

INDENT = "  "
"""What stands before the rows of a group."""

NAME_WIDTH = 22
"""Longest name of an instance in the narrow table of how policies stand (characters)."""

STANDING_LEGEND = """\
paper, proved: bounds for all instances of one prompt length, the paper's at
this alpha and the sharpest; known: reached on the worst instance that ships."""
"""What the columns of the table of how policies stand mean."""

NO_LARGEST = "No largest ratio: no bound is claimed for any run of the policy here."
"""What is said below that table where it has no largest ratio of a policy."""

SHORT_REGIMES = {"general": "general", "large memory": "large M", "expected": "mean"}
"""Regimes of theorems as in the table of bounds that fits 80 columns."""


def text_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: str = "", first: int | None = None
) -> str:
    """Lay out rows under column heads, as plain text.

    Parameters
    ----------
    columns
        Heads of the columns, shape (c,).
    rows
        The cells, shape (r, c); of each so much is shown as fits into a line.
    right
        A letter for each column: "r" to align it to the right, anything else to
        the left; columns beyond its end go left.
    first
        Largest width of the first column (characters), whose cells go on in further lines
        where they are longer; None for no limit.
    """
    shown = [[one_line(cell, CELL) for cell in row] for row in rows]
    lines = [line for row in shown for line in _folded(row, first)]
    widths = [max(map(len, column)) for column in zip(columns, *lines, strict=True)]
    text = []
    for row in (columns, ["-" * width for width in widths], *lines):
        cells = [
            cell.rjust(width) if right[i : i + 1] == "r" else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def grouped_table(
    columns: Sequence[str],
    groups: Sequence[tuple[str, Sequence[Sequence[str]]]],
    right: str = "",
    width: int | None = None,
    droppable: Sequence[str] = (),
) -> str:
    """Lay out groups of rows under column heads, each below a title of its own.

    Parameters
    ----------
    columns, right
        As for `text_table`.
    groups
        Title and rows of each group.
    width
        Largest width of a line (characters); None for no limit.
    droppable
        Columns to leave out, in this order, until the rows fit.
    """
    heads = list(columns)
    kept = list(range(len(heads)))
    left = list(droppable)
    while True:
        rows = [[row[i] for i in kept] for _, of in groups for row in of]
        aligned = "".join(right[i : i + 1] or "l" for i in kept)
        lines = text_table([heads[i] for i in kept], rows, aligned).splitlines()
        if width is None or not left or max(map(len, lines)) + len(INDENT) <= width:
            break
        kept.remove(heads.index(left.pop(0)))
    text = [INDENT + line for line in lines[:2]]
    body = iter(lines[2:])
    for title, of in groups:
        shown = one_line(title, CELL)
        text.append(shown if width is None else one_line(title, width))
        text += [INDENT + next(body) for _ in of]
    if dropped := [head for head in droppable if head not in left and len(kept) < len(heads)]:
        text += ["", f"left out: {', '.join(dropped)} (--wide gives all)"]
    return "\n".join(text)


def standing_table(standings: Sequence[Standing], width: int | None = None) -> str:
    """Return how policies stand as a text table; upper bounds rounded up, ratios seen outwards.

    Names of instances are whole if any width will do, else short enough for 80 columns.
    """
    longest = CELL if width is None else NAME_WIDTH
    rows = []
    for one in standings:
        published, record = one.published, one.record
        rows.append(
            [
                one.policy,
                "-" if one.largest is None else ratio_text(one.largest),
                one_line(one.instance or "-", longest),
                "-" if published is None else rounded_up(published, 2),
                rounded_up(one.bound.bound, 2),
                "-" if record is None else rounded_down(record.ratio, 2),
            ]
        )
    heads = ("policy", "largest ratio", "on", "paper", "proved", "known")
    legend = STANDING_LEGEND
    if any(one.largest is None for one in standings):
        legend += f"\n{NO_LARGEST}"
    return f"{text_table(heads, rows, right='lrlrrr')}\n{legend}"


def _folded(row: Sequence[str], first: int | None) -> list[Sequence[str]]:
    """Return the lines of a row whose first cell is folded at spaces and after colons."""
    if first is None or len(row[0]) <= first:
        return [row]
    lines = [""]
    for part in re.findall(r"[^ :]+[ :]*", row[0]):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > first:
            lines.append("  ")
        lines[-1] += part
    empty = [""] * (len(row) - 1)
    return [[lines[0].rstrip(), *row[1:]], *([line.rstrip(), *empty] for line in lines[1:])]


def decimal(x: Fraction) -> str:
    """Write a ratio that is known exactly with three decimals, rounded to the nearest."""
    return f"{float(x):.3f}"


def bound_text(bound: Exact) -> str:
    """Write an upper bound for a picture: rounded up to two decimals, none if it is an integer.

    Examples
    --------
    >>> bound_text(Fraction(9216)), bound_text(Fraction("61.9141"))
    ('9,216', '61.92')
    """
    whole, _, part = rounded_up(bound, 2).partition(".")
    return f"{int(whole):,}" if part == "00" else f"{int(whole):,}.{part}"


def optimum_text(result: Bracket) -> str:
    """Write the optimum, or its bracket as low..high."""
    if result.lower_bound == result.objective:
        return str(result.objective)
    return f"{result.lower_bound}..{result.objective}"


def ratio_text(ratio: Ratio) -> str:
    """Write a ratio with three decimals, or its bracket as low..high, rounded outwards."""
    return ratio.text()


def bound_texts(ratio: Ratio) -> tuple[str, str]:
    """Write the bound of a ratio, rounded up to two decimals, and where it comes from."""
    if ratio.guarantee is None:
        return "-", ""
    return rounded_up(ratio.guarantee.bound, 2), ratio.guarantee.name


def ratio_cells(
    ratios: Iterable[Ratio], unfinished: Iterable[Unfinished], reason: str | None = None
) -> list[list[str]]:
    """Write policy, cost, ratio, bound, where that is from, and verdict of each policy.

    Parameters
    ----------
    ratios, unfinished
        As in `kvopt.comparison.ratio.Comparison`.
    reason
        What is to be said beside all verdicts, as that they were cut short; None for nothing.
    """
    more = "" if reason is None else f", {reason}"
    cells = []
    for r in ratios:
        verdict = r.verdict.value + (", bound cut short" if r.reason else "") + more
        cells.append([r.policy, str(r.cost), ratio_text(r), *bound_texts(r), verdict])
    undecided = Verdict.UNDECIDED.value + more
    return cells + [[one.policy, "-", "-", "-", "", undecided] for one in unfinished]


def solve_object(result: Result) -> dict[str, Any]:
    """Return what `kvopt solve` found as a JSON object."""
    return result.to_dict()


def stage_rows(result: Result) -> list[dict[str, Any]]:
    """Return what each stage of the solver did as JSON objects; the bracket is that after it."""
    return [
        {
            "stage": stage.name,
            "seconds": round(stage.seconds, 3),
            "compile_seconds": round(stage.compile_seconds, 3),
            "objective": stage.objective,
            "lower_bound": stage.lower_bound,
        }
        for stage in result.stages
    ]


def stage_table(result: Result) -> str:
    """Return what each stage of the solver did as a text table."""
    compiled = any(stage.compile_seconds >= 0.01 for stage in result.stages)
    heads = ("stage", "seconds", *(["compiling"] if compiled else []), "lower bound", "objective")
    rows = []
    for stage in result.stages:
        compiling = [f"{stage.compile_seconds:.2f}"] if compiled else []
        ends = (str(stage.lower_bound), str(stage.objective))
        rows.append([stage.name, f"{stage.seconds:.2f}", *compiling, *ends])
    return text_table(heads, rows, right="lrrrr")


def bound_row(theorem: Theorem, alpha: Exact | None = None) -> dict[str, Any]:
    """Return a theorem as a JSON object.

    Parameters
    ----------
    theorem
        The theorem.
    alpha
        Where to evaluate it, if it is a function of alpha; None for where it is
        published.
    """
    alpha, bound, status, source = _evaluated(theorem, alpha)
    return {
        "policy": theorem.policy,
        "kind": theorem.kind,
        "regime": theorem.regime,
        "formula": theorem.formula,
        "alpha": None if alpha is None else format_exact(alpha),
        "bound": None if bound is None else format_exact(bound),
        "bound_float": None if bound is None else float(bound),
        "status": status,
        "prompts": theorem.prompts,
        "releases": theorem.releases,
        "kills": theorem.kills,
        "as_run": theorem.as_run,
        "scope": theorem.scope,
        "source": source,
    }


def bound_table(theorems: Sequence[Theorem], alpha: Exact | None = None, wide: bool = False) -> str:
    """Return theorems as a text table, upper bounds rounded up and lower ones down.

    Parameters
    ----------
    theorems, alpha, wide
        As for `bound_cells`; the table fits 80 columns unless it is wide.
    """
    heads, rows = bound_cells(theorems, alpha, wide)
    if wide:
        return text_table(heads, rows, right="lr")
    return f"{text_table(heads, rows, right='lr', first=POLICY_WIDTH)}\n\n{BOUNDS_LEGEND}"


def bound_cells(
    theorems: Sequence[Theorem], alpha: Exact | None = None, wide: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return column heads and rows of theorems, upper bounds rounded up and lower ones down.

    Parameters
    ----------
    theorems
        The theorems.
    alpha
        Where to evaluate those that are functions of alpha; None for where each is published.
    wide
        Whether to give formulas, assumptions and sources too, and nothing abridged.
    """
    rows = []
    for theorem in theorems:
        at, bound, status, source = _evaluated(theorem, alpha)
        upper = theorem.kind == "upper"
        value = "-" if bound is None else (rounded_up if upper else rounded_down)(bound, 4)
        row = [
            theorem.policy if theorem.as_run else f"{theorem.policy} (not as run)",
            f"{'at most' if upper else 'at least'} {value}" if wide else value,
            ("-" if at is None else format_exact(at)).removesuffix("/1"),
            theorem.regime if wide else SHORT_REGIMES[theorem.regime],
            status if wide else {"published": "paper", "derived": "ours"}[status],
            theorem.prompts,
            theorem.releases if wide else theorem.releases.removeprefix("all "),
            "yes" if theorem.kills else "no",
        ]
        if not wide and not upper:
            row[1] = f">= {value}"
        rows.append([*row, theorem.formula, theorem.scope, source] if wide else row)
    heads = ["policy", "bound", "alpha", "regime", "status", "prompts", "releases", "kills"]
    if wide:
        return [*heads, "formula", "scope", "source"], rows
    return [*heads[:4], "from", "s", "rel", "kill"], rows


def _evaluated(
    theorem: Theorem, alpha: Exact | None
) -> tuple[Exact | None, Exact | None, str, str]:
    """Return alpha, if the theorem is a function of it, its bound there, status and source."""
    if theorem.function is None:
        return None, theorem.constant, theorem.status, theorem.source
    alpha = theorem.alpha if alpha is None else alpha
    assert alpha is not None  # a function is published at some alpha
    guarantee = theorem.at(alpha)
    return alpha, guarantee.bound, guarantee.status, guarantee.source
