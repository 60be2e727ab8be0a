"""Every lemma, theorem and corollary that code and pages cite is one of the proofs."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TEXTS = {path.stem: path for path in sorted((ROOT / "proofs/text").glob("*.md"))}
KINDS = {"lemma": "lemma", "lemmas": "lemma", "theorem": "theorem", "theorems": "theorem"}
KINDS |= {"corollary": "corollary", "corollaries": "corollary"}

ITEM = r"\d+(?: ?\([a-z]\))?"
MANY = rf"{ITEM}(?:(?:, and |, | and |-){ITEM})*"
CITED = re.compile(rf"\b(lemmas?|theorems?|corollar(?:y|ies)) ({MANY})(?![\d.]*\d)", re.IGNORECASE)
NAME = re.compile(rf"\b({'|'.join(TEXTS)})\.md")
BEFORE = re.compile(rf"\b({'|'.join(TEXTS)})\.md[`)\]]*,? $")
AFTER = re.compile(
    rf"(?:,? and (?:lemmas?|theorems?|corollary) {MANY})* (?:of|in) "
    rf"[`\[]?(?:proofs/text/)?({'|'.join(TEXTS)})\.md",
    re.IGNORECASE,
)


@cache
def statements(text: str) -> frozenset[tuple[str, int]]:
    """Return (kind, number) of what a text states: headings, or bold at a line's start."""
    found = re.findall(
        r"^(?:#+ |\*\*)(Lemma|Theorem|Corollary) (\d+)", TEXTS[text].read_text(), re.MULTILINE
    )
    return frozenset((kind.lower(), int(number)) for kind, number in found)


def numbers(listed: str) -> list[int]:
    result: list[int] = []
    for first, last in re.findall(r"(\d+)(?: ?\([a-z]\))?(?:-(\d+))?", listed):
        result += range(int(first), int(last or first) + 1)
    return result


def wrong_citations(source: str, own: str | None) -> list[str]:
    """Return citations of what no text that may be meant states.

    A text named right before or after a citation is the one that is meant; else it may be
    the file's own, or any that the file names, or any at all if it names none.
    """
    flat = re.sub(r"\s+(?:# |\(\* |\* )?", " ", source)
    others = set(NAME.findall(flat)) | ({own} if own else set()) or set(TEXTS)
    wrong = []
    for match in CITED.finditer(flat):
        kind = KINDS[match[1].lower()]
        named = BEFORE.search(flat[: match.start()]) or AFTER.match(flat, match.end())
        meant = {named[1]} if named else others
        stated = frozenset[tuple[str, int]]().union(*map(statements, meant))
        wrong += [
            f"{kind} {number} of {' or '.join(sorted(meant))}"
            for number in numbers(match[2])
            if (kind, number) not in stated
        ]
    return wrong


PATH = re.compile(
    r"(?<![\w/.-])((?:kvopt|proofs|scripts|docs|tests|instances)/[\w./-]*\w)(?![\w/*-])"
)
MODULE = re.compile(r"`(kvopt(?:\.\w+)+)`")
MADE = {"proofs/coq/kvopt-verified"}
"""Files that are built."""


def sources() -> list[Path]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "proofs/README.md"]
    for folder in ("kvopt", "proofs/checker", "proofs/companions", "proofs/coq", "proofs/text"):
        found += [p for s in ("py", "md", "v") for p in (ROOT / folder).rglob(f"*.{s}")]
    found += [p for folder in ("scripts", "docs") for p in (ROOT / folder).rglob("*.[pm][yd]")]
    return sorted(set(found))


def parts(path: Path) -> list[tuple[str, str]]:
    """Return the parts of a file and the text that each is about: rows name it first."""
    if path.stem == "companions":
        lines = path.read_text().splitlines()
        return [(line, line.split(" | ")[0].strip("| ")) for line in lines if line[:2] == "| "]
    return [(path.read_text(), {"slices": "certified_slices"}.get(path.stem, path.stem))]


def test_every_citation_exists() -> None:
    wrong = {}
    for path in sources():
        for source, own in parts(path):
            if found := wrong_citations(source, own if own in TEXTS else None):
                wrong[str(path.relative_to(ROOT)), source[:60]] = found
    assert not wrong


def test_every_text_states_something() -> None:
    assert all(statements(text) for text in TEXTS if text != "machine_checked")


@pytest.mark.parametrize(
    "source",
    [
        "proofs/text/pipeline.md, theorem 3",
        "Lemmas 4 and 14 of sharper_bounds.md",
        "Lemma 1-5 and Theorem 7 of uniform_bound.md",
        "see [model.md](model.md), lemma\n    5",
        "lemma 6 (proofs/text/online_lower_bound.md)",
        "lemma 99",
    ],
)
def test_false_citations_are_found(source: str) -> None:
    assert wrong_citations(source, None)


def exists(dotted: str) -> bool:
    """Tell whether there is such a package, module, or name in a module."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        stem = ROOT.joinpath(*parts[:length])
        files = [file for file in (stem / "__init__.py", stem.with_suffix(".py")) if file.exists()]
        if files:
            rest = parts[length:]
            return not rest or re.search(rf"\b{rest[0]}\b", files[0].read_text()) is not None
    return False


def test_paths_and_modules_that_pages_name_exist() -> None:
    pages = [page for folder in (".", "docs", "proofs") for page in (ROOT / folder).glob("*.md")]
    pages += [page for folder in ("docs", "proofs") for page in (ROOT / folder).glob("*/*.md")]
    missing = []
    for page in pages:
        if page.name != "CHANGELOG.md":  # it names what was there in its time
            text = page.read_text()
            paths = {path for path in PATH.findall(text) if not re.search(r"NAME|RULE", path)}
            missing += [(page.name, path) for path in paths - MADE if not (ROOT / path).exists()]
            missing += [(page.name, name) for name in MODULE.findall(text) if not exists(name)]
    assert not missing


def test_documents_that_code_names_exist() -> None:
    document = re.compile(r"(?<![\w/.-])((?:proofs|docs)/[\w./-]+\.(?:md|csv))\b")
    code = [path for path in sources() if path.suffix == ".py"]
    missing = {name for path in code for name in document.findall(path.read_text())}
    assert not {name for name in missing if not (ROOT / name).exists()}
