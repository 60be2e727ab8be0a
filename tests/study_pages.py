"""What is in the page of a study, read as a browser would."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class StudyPage(HTMLParser):
    """The page of a study.

    Attributes
    ----------
    tags
        Every element that begins, with its attributes.
    data
        The data for scripts, as (class, value).
    rows
        The cells of each row of the table of ratios, the heads first.
    text
        What can be read.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data: list[tuple[str | None, Any]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._in_table = False
        self._within = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._in_table = dict(attrs).get("id") == "ratios"
        if self._in_table and tag == "tr":
            self.rows.append([])
        elif self._in_table and tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag in ("script", "style"):
            self._within = tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._within = ""
        elif tag == "table":
            self._in_table = False

    def handle_data(self, data: str) -> None:
        attributes = self.tags[-1][1] if self.tags else {}
        if self._within == "script" and attributes.get("type") == "application/json":
            self.data.append((attributes.get("class"), json.loads(data)))
        elif not self._within:
            self.text += data
            if self._in_table and self.rows and self.rows[-1]:
                self.rows[-1][-1] += data

    def of_class(self, name: str) -> list[Any]:
        """Return the data of a class: "certificate", "schedule" or "schedules"."""
        return [value for kind, value in self.data if kind == name]
