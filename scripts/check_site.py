"""Check a built site: links, anchors and pictures exist, and nothing is loaded from elsewhere.

python scripts/check_site.py FOLDER
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}
"""Attributes that make a browser load something."""

FOUND_BY_NAME = ("canonical", "prev", "next", "edit")
"""Relations of links that load nothing."""


class Page(HTMLParser):
    """The anchors of a page, what it links to and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {"", "__top"}
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names and points to."""
        values = {key: value or "" for key, value in attrs}
        self.anchors |= {values[key] for key in ("id", "name") if key in values}
        for key, value in values.items():
            if (tag, key) in LOADED and values.get("rel") not in FOUND_BY_NAME:
                self.loaded.append(value)
            if key in ("href", "src"):
                self.links.append(value)


def faults(site: Path) -> Iterator[str]:
    """Yield what is wrong with a site, a line each."""
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: has no pages"
    for path, page in pages.items():
        name = path.relative_to(site)
        for link in page.loaded:
            if urlsplit(link).netloc:
                yield f"{name}: loads {link}"
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or name.name == "404.html":
                continue  # whoever serves it puts the page 404 anywhere
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{name}: there is no {link}"
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name}: there is no anchor {link}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, metavar="FOLDER", help="where the site was built")
    found = list(faults(parser.parse_args().site.resolve()))
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()
