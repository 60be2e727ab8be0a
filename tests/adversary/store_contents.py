"""What the tests of the store keep in it, and how they look into it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kvopt.adversary import Candidate, Limits, Record, SearchConfiguration, WorkUnit

__all__ = ["CANDIDATE", "CONFIGURATION", "UNIT", "shell"]

CONFIGURATION = SearchConfiguration("gsa:alpha=2", None, Limits(requests=6, memory=12), seed=3)
CANDIDATE = Candidate(8, ((1, 2, 3), (0, 7, 1)))
UNIT = WorkUnit(
    0, 5, (Record(0, 4, 9, 6, CANDIDATE), Record(0, 5, 10, 4, CANDIDATE)), complete=True
)


def shell(file: Path, query: str) -> list[tuple[object, ...]]:
    """Ask a database, as a person would."""
    with closing(sqlite3.connect(file)) as db, db:
        return db.execute(query).fetchall()
