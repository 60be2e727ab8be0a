"""Tables in Markdown and LaTeX, in which every text from outside is plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kvopt.model.text import one_line
from kvopt.report.tables import CELL, text_table

__all__ = ["Table", "latex_table", "latex_text", "markdown_table", "markdown_text"]

LEAST_WIDTH = 12
"""A first column is not cut to less (characters)."""

MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
"""What Markdown, tables of GitHub and formulas included, gives a meaning."""

LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # after the end of a line it would begin an option
    "]": "{]}",
    "*": "{*}",  # likewise
    "-": "-{}",  # before another: no dash
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
}
"""What LaTeX gives a meaning, and how it is written as a text."""

LATEX_PATTERN = re.compile(rf"[{re.escape(''.join(LATEX_SIGNS.keys() - {'-'}))}]|-(?=-)")


def markdown_text(text: object) -> str:
    r"""Return a text of one line so that Markdown shows it as it is.

    Examples
    --------
    >>> print(markdown_text("a_b | 50 %"))
    a\_b \| 50 %
    """
    return MARKDOWN_SIGNS.sub(r"\\\1", one_line(text, CELL))


def latex_text(text: object) -> str:
    r"""Return a text of one line so that LaTeX prints it as it is.

    Examples
    --------
    >>> print(latex_text("a_b & 50 %"))
    a\_b \& 50 \%
    """
    return LATEX_PATTERN.sub(lambda found: LATEX_SIGNS[found.group()], one_line(text, CELL))


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Return rows as a table in Markdown.

    Parameters
    ----------
    columns, rows, right
        Heads, cells and alignment, as for `kvopt.report.tables.text_table`.
    """
    rules = ["--:" if right[i : i + 1] == "r" else "---" for i in range(len(columns))]
    lines = [[markdown_text(cell) for cell in row] for row in (columns, *rows)]
    lines.insert(1, rules)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def latex_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Return rows as a `tabular` of LaTeX, which needs the package textcomp only if that is old.

    Parameters
    ----------
    columns, rows, right
        Heads, cells and alignment, as for `kvopt.report.tables.text_table`.
    """
    kinds = "".join("r" if right[i : i + 1] == "r" else "l" for i in range(len(columns)))
    head, *body = (" & ".join(map(latex_text, row)) + r" \\" for row in (columns, *rows))
    parts = [f"\\begin{{tabular}}{{{kinds}}}", r"\hline", head, r"\hline", *body, r"\hline"]
    return "\n".join([*parts, r"\end{tabular}"])


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column heads, for whatever form they are wanted in.

    Parameters
    ----------
    columns, rows, right
        Heads, cells and alignment, as for `kvopt.report.tables.text_table`.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: str = ""

    def markup(self, form: str) -> str:
        """Return it in "markdown" or "latex"."""
        write = {"markdown": markdown_table, "latex": latex_table}[form]
        return write(self.columns, self.rows, self.right)

    def text(self, width: int | None = None) -> str:
        """Return it as plain text of lines so long (characters); None for no limit.

        Where it is too wide the first column is cut in the middle of its cells.
        """
        text = text_table(self.columns, self.rows, self.right)
        longest = max(map(len, text.splitlines()))
        if width is None or longest <= width:
            return text
        first = max(len(one_line(row[0], CELL)) for row in (self.columns, *self.rows))
        room = max(first - (longest - width), LEAST_WIDTH)
        rows = [[one_line(row[0], room), *row[1:]] for row in self.rows]
        return text_table(self.columns, rows, self.right)
