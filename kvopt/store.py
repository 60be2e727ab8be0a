"""A SQLite file that keeps what a search has found, so that it can be resumed.

A unit of work is written in one transaction when it is complete.  Whenever the
process dies, what was complete is there and what was not is run again; several
processes may share a file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from kvopt.adversary.candidate import Candidate
from kvopt.adversary.hunt import Find, Hunt, Unit
from kvopt.errors import InputError
from kvopt.policies import source_digest

__all__ = ["Store"]

APPLICATION = 0x6B766F70  # "kvop", SQLite's application_id of our files
VERSION = 1

SCHEMA = """
    CREATE TABLE IF NOT EXISTS unit (
        hunt TEXT NOT NULL,         -- JSON: what was searched for
        number INTEGER NOT NULL,    -- which restart
        evaluations INTEGER NOT NULL,
        finds TEXT NOT NULL,        -- JSON, a list for each find: see Store.add
        version TEXT NOT NULL,      -- of kvopt
        PRIMARY KEY (hunt, number)
    ) WITHOUT ROWID
"""

T = TypeVar("T")


class Store:
    """The units of searches in a file; made if it does not exist.

    Parameters
    ----------
    path
        The file.
    version
        Version of kvopt; units of another version are not taken for done, as the
        search may have changed.

    Raises
    ------
    InputError
        If the file cannot be opened, is damaged, is not a store, or is from a
        newer version of kvopt.  The file is then left as it is.
    """

    def __init__(self, path: Path, version: str) -> None:
        self.path = path
        self.version = version
        if not path.parent.is_dir():
            raise InputError(f"{path}: cannot be opened: no such folder")
        self._use(self._prepare)

    def units(self, hunt: Hunt) -> list[Unit]:
        """Return the complete units of a search, by number."""
        query = "SELECT number, evaluations, finds FROM unit WHERE hunt = ? ORDER BY number"
        rows = self._use(lambda db: db.execute(query, (self._key(hunt),)).fetchall())
        try:
            return [
                Unit(number, evaluations, _finds(number, finds), complete=True)
                for number, evaluations, finds in rows
            ]
        except (TypeError, ValueError):
            raise InputError(f"{self.path}: is damaged: a unit cannot be read") from None

    def add(self, hunt: Hunt, unit: Unit) -> None:
        """Keep a complete unit; one that is there already stays."""
        finds = [
            (f.evaluation, f.cost, f.reference, f.candidate.memory, f.candidate.groups)
            for f in unit.finds
        ]
        row = (self._key(hunt), unit.number, unit.evaluations, json.dumps(finds), self.version)

        def insert(db: sqlite3.Connection) -> None:
            with db:
                db.execute("INSERT OR IGNORE INTO unit VALUES (?, ?, ?, ?, ?)", row)

        self._use(insert)

    def _key(self, hunt: Hunt) -> str:
        key: dict[str, Any] = {
            "policy": hunt.policy,
            "against": hunt.against,
            "requests": hunt.limits.requests,
            "memory": hunt.limits.memory,
            "mixed": hunt.limits.mixed,
            "seed": hunt.seed,
            "method": hunt.method,
            "exact": hunt.exact,
            "version": self.version,
        }
        if sources := [s for s in map(source_digest, (hunt.policy, hunt.against or "")) if s]:
            key["sources"] = sources
        return json.dumps(key, sort_keys=True)

    def _prepare(self, db: sqlite3.Connection) -> None:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise InputError(f"{self.path}: is a database, but not a store of kvopt")
        if tables and version > VERSION:
            raise InputError(
                f"{self.path}: version: must be at most {VERSION}, got {version};"
                " it was made by a newer kvopt"
            )
        (state,) = db.execute("PRAGMA quick_check").fetchone()
        if state != "ok":
            raise InputError(f"{self.path}: is damaged: {state}")
        if not tables:
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.execute(SCHEMA)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute(f"PRAGMA user_version = {VERSION}")

    def _use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as db:
                return work(db)
        except sqlite3.OperationalError as error:
            raise InputError(f"{self.path}: cannot be used: {error}") from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: is damaged or not a store of kvopt: {error}") from None


def _finds(unit: int, text: str) -> tuple[Find, ...]:
    rows: list[Any] = json.loads(text)
    return tuple(
        Find(unit, evaluation, cost, reference, Candidate.of(memory, groups))
        for evaluation, cost, reference, memory, groups in rows
    )
