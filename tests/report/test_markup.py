"""Tables in Markdown and LaTeX."""

from __future__ import annotations

import re

from kvopt.report.markup import Table, latex_text, markdown_text

HOSTILE = "a_b|c%d&e$f#g{h}i~j^k\\l<m>n*o[p]q`r'--s"


def test_every_sign_with_a_meaning_is_escaped_in_latex() -> None:
    text = latex_text(HOSTILE)
    plain = re.sub(r"\\text[a-z]+\{\}|\\[{}$&#_%]|\{\[\}|\{\]\}|\{\*\}|-\{\}", "", text)
    assert not set(plain) & set("\\{}$&#_%~^<>|`'[]*")
    assert "--" not in text
    assert latex_text("[1]") == "{[}1{]}"
    assert latex_text("two\nlines") == r"two\textbackslash{}nlines"


def test_every_sign_with_a_meaning_is_escaped_in_markdown() -> None:
    text = markdown_text(HOSTILE)
    plain = re.sub(r"\\.", "", text)
    assert not set(plain) & set("\\`*_{}[]<>#|~$&")
    assert markdown_text("a|b\nc") == "a\\|b\\\\nc"


def test_a_table_has_as_many_cells_in_each_row_in_every_form() -> None:
    table = Table(("name", "n|M"), [["x | y", "1"], ["[z]", "2"]], "lr")
    lines = table.markup("markdown").splitlines()
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [3] * 4
    assert lines[1] == "| --- | --: |"
    tex = table.markup("latex").splitlines()
    assert tex[0] == r"\begin{tabular}{lr}"
    assert [line.count(" & ") for line in tex if line.endswith(r"\\")] == [1, 1, 1]


def test_a_table_too_wide_loses_the_middle_of_its_first_column() -> None:
    table = Table(("name", "n"), [["x" * 150, "1"], ["y", "22"]], "lr")
    for width in (80, 120):
        lines = table.text(width).splitlines()
        assert max(map(len, lines)) == width
        assert "..." in lines[2]
    assert max(map(len, table.text().splitlines())) == 154
