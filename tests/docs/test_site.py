"""The check of a built site finds what is wrong with one; .ci/run builds the real one."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

GOOD = '<h1 id="top">A</h1><a href="b.html#b">b</a><a href="https://example.org">elsewhere</a>'
OTHER = '<h2 id="b">B</h2><a href="index.html#top">a</a><img src="b.html">'


@pytest.mark.parametrize(
    ("added", "fault"),
    [
        ("", None),
        ('<a href="c.html">c</a>', "there is no c.html"),
        ('<a href="b.html#c">c</a>', "there is no anchor b.html#c"),
        ('<a href="#c">c</a>', "there is no anchor #c"),
        ('<img src="c.png">', "there is no c.png"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads //example.org/x.css"),
        ('<link rel="canonical" href="https://example.org/">', None),
    ],
)
def test_faults_of_a_site_are_found(
    added: str, fault: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from check_site import faults

    (tmp_path / "index.html").write_text(GOOD + added)
    (tmp_path / "b.html").write_text(OTHER)
    assert list(faults(tmp_path)) == ([f"index.html: {fault}"] if fault else [])


def test_an_empty_site_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from check_site import faults

    assert list(faults(tmp_path)) == [f"{tmp_path}: has no pages"]
