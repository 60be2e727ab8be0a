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
FOLDERS = sorted({page.parent for page in ROOT.glob("docs/*/*.md")})
TUTORIALS = sorted(page for page in ROOT.glob("docs/tutorials/*.md") if page.stem != "index")
WITH_EXAMPLES = [p for p in PAGES if EXAMPLE.search(p.read_text()) and p not in TUTORIALS]


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


def anchors(page: Path) -> set[str]:
    """Return the anchors that a Git host and the site make of the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_anchors_are_headings(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#\s]*\.md)?#([^)]+)\)", text):
        found = page.parent / target if target else page
        documented = f"::: {anchor}\n" in found.read_text()  # the site has an anchor for each name
        assert documented or anchor in anchors(found), (target, anchor)


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "docs" / "site" / "mkdocs.yml").read_text()
    listed = re.findall(r"^ +- ([\w/-]+\.md)$", text.partition("\nnav:\n")[2], re.MULTILINE)
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}
    assert sorted(listed) == sorted(pages)


@pytest.mark.parametrize(
    "folder", sorted({p.parent for p in ROOT.glob("docs/*/*.md")}), ids=name_of
)
def test_the_first_page_of_a_folder_lists_the_others(folder: Path) -> None:
    index = (folder / "index.md").read_text()
    others = {page.name for page in folder.glob("*.md")} - {"index.md"}
    assert others <= set(re.findall(r"\]\(([^)#/]+\.md)", index))


LONG = ("my-policy.md", "my-trace.md", "study.md")
"""Tutorials that take ten seconds and more."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=name_of(page), marks=[pytest.mark.slow] if page.name in LONG else [])
        for page in TUTORIALS
    ],
)
def test_tutorials_print_what_they_show(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from build_pages import fresh, same

    pictures: list[str] = []
    assert same(page.read_text(), fresh(page, lambda picture: pictures.append(picture.name)))
    assert all((page.parent / name).is_file() for name in pictures)


def test_a_tutorial_that_shows_something_else_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from build_pages import same
    from tutorials import run_page

    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    assert not same(page.read_text(), run_page(page))
    page.write_text("<!-- kvopt verify missing.json -->\n<!-- end -->\n")
    with pytest.raises(RuntimeError, match=r"missing\.json"):
        run_page(page)
    page.write_text("![a picture](picture.png)\n")
    with pytest.raises(RuntimeError, match=r"nothing makes the picture picture\.png"):
        run_page(page)


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
