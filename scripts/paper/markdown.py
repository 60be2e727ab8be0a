"""Tables and figures in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

SCRIPT = "python scripts/reproduce_paper.py --output docs/results"


def figure(name: str, words: str, *experiments: int, traces: bool = True) -> str:
    """Return a picture with the command that made it."""
    only = ",".join(map(str, experiments))
    folder = " --traces DIR" if traces else ""
    return f"![{words}]({name})\n\n{words}: `{SCRIPT}{folder} --only {only}`"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table; the first `left` columns are aligned to the left, the others right."""
    rule = "|" + "".join("---|" if i < left else "---:|" for i in range(len(heads)))
    lines = [heads, *rows]
    written = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([written[0], rule, *written[1:]])
