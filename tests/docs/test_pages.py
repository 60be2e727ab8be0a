"""README and pages: limits, links, examples; scripts/build_pages.py checks what they show."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
WITH_EXAMPLES = [page for page in PAGES if EXAMPLE.search(page.read_text())]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 130
    assert max(map(len, lines)) <= 100


def test_tables_in_the_readme_fit_a_terminal() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    begins = [i for i, line in enumerate(lines) if line.startswith("$ kvopt")]
    assert begins
    for i in begins:
        for line in lines[i + 1 : lines.index("```", i)]:
            assert len(line) <= 80


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in LINK.findall(text):
        assert "://" in target or (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation() -> None:
    listed = set()
    for page in ROOT.glob("docs/**/index.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            for entry in tree.splitlines():
                if entry and not entry.startswith(":"):
                    listed.add((page.parent / f"{entry}.md").resolve())
    pages = {page.resolve() for page in ROOT.glob("docs/**/*.md")}
    assert listed == pages - {(ROOT / "docs" / "index.md").resolve()}


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_examples_run_and_print_what_they_say(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for block in EXAMPLE.findall(page.read_text()):
        capsys.readouterr()
        module = ModuleType("example")
        monkeypatch.setitem(sys.modules, "example", module)  # where dataclasses look names up
        exec(compile(block, str(page), "exec"), module.__dict__)
        printed = capsys.readouterr().out.splitlines()
        for expected in re.findall(r"print\(.*\)  # ([-\[\d].*|True)$", block, re.MULTILINE):
            assert expected in printed


def test_the_lowest_versions_are_those_that_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = dict(line.split(">=") for line in project["dependencies"])
    pinned: dict[str, str] = {}
    for line in (ROOT / ".ci" / "lowest.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, version = line.partition(";")[0].strip().split("==")
            pinned.setdefault(name, version)
    assert pinned.keys() == declared.keys()
    for name, version in pinned.items():
        assert version == declared[name] or version == f"{declared[name]}.0"
