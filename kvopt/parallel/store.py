"""A SQLite file that keeps finished units of work, so that the work can be resumed.

A unit of work is written in one transaction when it is complete.  Whenever the
process dies, what was complete is there and what was not is run again.  Several
processes may share a file: each claims a unit before it begins it.

What a unit is, and what it found, is up to others: here it is columns of numbers and
texts.  The tables have the columns that their schema gives them beside those that are
used here: `hunt` (id, parameters, version, sources), `unit` (hunt, number, finds,
finished), `find` (hunt, unit, position), `verified` (hunt, position, finished) and `claim`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kvopt.model.errors import InputError
from kvopt.model.instance import abridged
from kvopt.parallel.code_version import code_version

__all__ = ["Claims", "FinishedUnit", "Task", "WorkStore"]

APPLICATION = 0x6B766F70  # "kvop", SQLite's application_id of our files
VERSION = 2

CLAIM_SECONDS = 120.0
"""A claim is void if it was not renewed for so long."""

LOCK_SECONDS = 60.0
"""How long to wait while another process writes."""

Value = str | int | float | None

Columns = Mapping[str, Value]
"""Names of columns and their values in one row; integers may have any size."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Task:
    """What a set of units of work is about.

    Parameters
    ----------
    columns
        What a person may want to know of it.
    parameters, sources
        JSON texts that, with the version of kvopt, tell it from all others: all of its
        parameters, and digests of the user's own sources that it depends on.
    """

    columns: Columns
    parameters: str
    sources: str


@dataclass(frozen=True, slots=True)
class FinishedUnit:
    """A complete unit of work.

    Parameters
    ----------
    number
        Number of the unit in its task.
    columns
        What is kept of the unit.
    rows
        What is kept of each thing that it found, in order.
    """

    number: int
    columns: Columns
    rows: tuple[Columns, ...]


class WorkStore:
    """The finished units of tasks in a file; made if it does not exist.

    Parameters
    ----------
    path
        The file.
    schema
        SQL statements that make its tables, separated by semicolons.
    version
        Version of kvopt; units of another version are not taken for done, as the
        work may have changed.  By default `kvopt.parallel.code_version.code_version`.

    Raises
    ------
    InputError
        If the file cannot be opened or written to, is damaged, is not a store, or is
        from another version of kvopt that kept it differently.  The file is then left
        as it is.
    """

    def __init__(self, path: Path, schema: str, version: str | None = None) -> None:
        self.path = path
        self.version = version or code_version()
        self._schema = schema
        self._look_at_file()
        self._use(self._prepare)

    def units(self, task: Task, numbers: Collection[int] | None = None) -> list[FinishedUnit]:
        """Return the complete units of a task, by number.

        Parameters
        ----------
        task
            What the units belong to.
        numbers
            Only these units; by default all.

        Raises
        ------
        InputError
            If a unit is not as it was written.
        """
        if numbers is not None and not numbers:
            return []
        wanted = f"AND number IN ({','.join(map(str, map(int, numbers)))})" if numbers else ""
        units = f"SELECT * FROM unit WHERE hunt = ? {wanted} ORDER BY number"
        rows = f"""SELECT * FROM find
            WHERE hunt = ? {wanted.replace("number", "unit")} ORDER BY unit, position"""

        def read(db: sqlite3.Connection) -> tuple[list[Any], list[Any]]:
            with _transaction(db, "DEFERRED"):  # both as of one moment
                key = (self._id(db, task),)
                return _dicts(db.execute(units, key)), _dicts(db.execute(rows, key))

        unit_rows, found_rows = self._use(read)
        found: dict[int, list[Columns]] = {unit["number"]: [] for unit in unit_rows}
        with self.reading("a unit"):
            if any(type(unit["number"]) is not int for unit in unit_rows):
                raise ValueError
            for row in found_rows:
                found[row["unit"]].append(row)
            if any(len(found[unit["number"]]) != unit["finds"] for unit in unit_rows):
                raise ValueError
        return [
            FinishedUnit(unit["number"], unit, tuple(found[unit["number"]])) for unit in unit_rows
        ]

    def add(self, task: Task, unit: FinishedUnit) -> None:
        """Keep a complete unit; one that is there already stays."""

        def insert(db: sqlite3.Connection) -> None:
            with _transaction(db):
                key = self._id_made(db, task)
                db.execute("DELETE FROM claim WHERE hunt = ? AND number = ?", (key, unit.number))
                own = {"hunt": key, "number": unit.number, "finds": len(unit.rows)}
                if _insert(db, "INSERT OR IGNORE INTO unit", {**own, **unit.columns}):
                    for position, row in enumerate(unit.rows):
                        place = {"hunt": key, "unit": unit.number, "position": position}
                        _insert(db, "INSERT INTO find", {**place, **row})

        self._use(insert)

    def verified(self, task: Task) -> Sequence[Columns]:
        """Return the verified rows of a task, in the order in which they were added."""
        query = "SELECT * FROM verified WHERE hunt = ? ORDER BY position"
        rows = self._use(lambda db: _dicts(db.execute(query, (self._id(db, task),))))
        return tuple(rows)

    def add_verified(self, task: Task, row: Columns, same: Sequence[str]) -> None:
        """Keep a verified row; if one that equals it in some columns is there, that stays.

        Parameters
        ----------
        task
            What it belongs to.
        row
            Its columns.
        same
            Names of the columns that must differ for it to be new.
        """

        def insert(db: sqlite3.Connection) -> None:
            with _transaction(db):
                key = self._id_made(db, task)
                query = f"""SELECT 1 FROM verified WHERE hunt = ?
                    AND ({", ".join(same)}) = ({", ".join("?" * len(same))})"""
                if db.execute(query, (key, *(_value(row[name]) for name in same))).fetchone():
                    return
                query = "SELECT coalesce(max(position) + 1, 0) FROM verified WHERE hunt = ?"
                (position,) = db.execute(query, (key,)).fetchone()
                _insert(db, "INSERT INTO verified", {"hunt": key, "position": position, **row})

        self._use(insert)

    @contextmanager
    def claims(self, task: Task) -> Iterator[Claims]:
        """Provide what lets several processes share a task, for the time of a with block."""
        claims = Claims(self, task)
        over = threading.Event()

        def renew() -> None:
            while not over.wait(CLAIM_SECONDS / 4):
                with suppress(InputError):  # the next unit that ends will tell
                    claims.renew()

        thread = threading.Thread(target=renew, daemon=True, name="kvopt claims")
        thread.start()
        try:
            yield claims
        finally:
            over.set()
            thread.join()
            with suppress(InputError):  # claims end by themselves, too
                claims.give_up()

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Turn what goes wrong while values are read into an InputError that names the file."""
        try:
            yield
        except (TypeError, ValueError, KeyError, ArithmeticError, RecursionError, InputError):
            raise InputError(f"{self.path}: is damaged: {what} cannot be read") from None

    def _id(self, db: sqlite3.Connection, task: Task) -> int:
        """Return the id of a task, or -1."""
        query = "SELECT id FROM hunt WHERE (parameters, version, sources) = (?, ?, ?)"
        row = db.execute(query, (task.parameters, self.version, task.sources)).fetchone()
        return row[0] if row else -1  # an integer: see _check_tables

    def _id_made(self, db: sqlite3.Connection, task: Task) -> int:
        """Return the id of a task, which is entered if it is new."""
        if (key := self._id(db, task)) < 0:
            own = {"parameters": task.parameters, "version": self.version, "sources": task.sources}
            _insert(db, "INSERT INTO hunt", {**task.columns, **own})
            key = self._id(db, task)
        return key

    def _look_at_file(self) -> None:
        """Check the file without writing to it, or to what SQLite keeps beside it."""
        try:
            os.fsencode(self.path)
            if not self.path.parent.is_dir() or "\0" in self.path.name:
                raise InputError(f"{self.path}: cannot be opened: no such folder")
            if not self.path.exists():
                return
            if not self.path.is_file():
                raise InputError(f"{self.path}: cannot be used: not a file")
            # What a killed process left half-written is first put right in a copy: SQLite
            # would do it in place, damaged or not.
            for _ in range(50):
                before = self._traces()
                if len(before) == 1 and not self._keeps_wal():
                    self._use(self._examine, f"{self.path.resolve().as_uri()}?mode=ro")
                    return
                with tempfile.TemporaryDirectory() as folder:
                    for file, _, _ in before:
                        with suppress(FileNotFoundError):
                            shutil.copy(file, folder)
                    if self._traces() == before:  # nobody wrote in the meantime
                        self._use(self._examine, str(Path(folder) / self.path.name))
                        return
                time.sleep(0.05)
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{self.path}: cannot be used: {reason}") from None
        except UnicodeEncodeError:
            raise InputError(f"{self.path}: cannot be used: no file can have this name") from None

    def _traces(self) -> list[tuple[str, int, int]]:
        """Return path, time of change (ns) and size (bytes) of the file and its journals."""
        found = []
        for suffix in ("", "-journal", "-wal"):
            with suppress(FileNotFoundError):
                status = os.stat(f"{self.path}{suffix}")
                found.append((f"{self.path}{suffix}", status.st_mtime_ns, status.st_size))
        return found

    def _keeps_wal(self) -> bool:
        with self.path.open("rb") as file:
            return 2 in file.read(20)[18:]  # the file format's version numbers

    def _examine(self, db: sqlite3.Connection) -> bool:
        """Check that the database is a store of ours, and tell whether it has tables."""
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables and application in (0, APPLICATION):
            return False
        if application != APPLICATION:
            raise InputError(f"{self.path}: is a database, but not a store of kvopt")
        if version > VERSION:
            raise InputError(
                f"{self.path}: version: must be at most {VERSION}, got {version};"
                " it was made by a newer kvopt"
            )
        if version < VERSION:
            raise InputError(
                f"{self.path}: version: must be {VERSION}, got {version};"
                " it was made by an older kvopt, take another file"
            )
        self._check_tables(db)
        (state,) = db.execute("PRAGMA quick_check").fetchone()
        if state != "ok":
            raise InputError(f"{self.path}: is damaged: {' '.join(state.split())}")
        return True

    def _check_tables(self, db: sqlite3.Connection) -> None:
        """Refuse tables that are not ours, and triggers, which would act when we write."""
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
        with closing(sqlite3.connect(":memory:")) as own:
            own.executescript(self._schema)
            ours = {name: _plain(sql) for name, sql in own.execute(query)}
        theirs = {name: _plain(sql) for name, sql in db.execute(query)}
        for name, sql in ours.items():
            if theirs.get(name) != sql:
                raise InputError(f"{self.path}: is not a store of kvopt: table {name} is different")
        trigger = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if (found := db.execute(trigger).fetchone()) is not None:
            raise InputError(f"{self.path}: must have no triggers, got {abridged(found[0])}")

    def _prepare(self, db: sqlite3.Connection) -> None:
        with _transaction(db):
            if not self._examine(db):
                for statement in self._schema.split(";")[:-1]:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
            # Written every time: a file that cannot be written to is better refused now.
            db.execute(f"PRAGMA user_version = {VERSION}")

    def _use(self, work: Callable[[sqlite3.Connection], T], name: str = "") -> T:
        """Open the file, or what is named instead, and work with it."""
        try:
            with closing(
                sqlite3.connect(
                    name or self.path,
                    timeout=LOCK_SECONDS,
                    isolation_level=None,
                    uri=name.startswith("file:"),
                )
            ) as db:
                db.execute("PRAGMA trusted_schema = OFF")
                return work(db)
        except sqlite3.OperationalError as error:
            raise InputError(f"{self.path}: cannot be used: {error}") from None
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter in a message of SQLite
            raise InputError(f"{self.path}: is damaged or not a store of kvopt: {error}") from None


class Claims:
    """Who is at which unit of a task; made by `WorkStore.claims`.

    A claim holds until its unit is complete or its process gives it up, ends, or, on
    another machine or stopped, does not renew it for `CLAIM_SECONDS`.  Should two
    processes run a unit all the same, the first result stays: both are equal.

    Parameters
    ----------
    store
        Where everything is written down.
    task
        What the units belong to.
    """

    def __init__(self, store: WorkStore, task: Task) -> None:
        self._store = store
        self._task = task
        self._owner = uuid.uuid4().hex
        self._host = socket.gethostname()

    def claim(self, number: int) -> bool:
        """Reserve a unit; False if it is complete, or another process is at it."""

        def work(db: sqlite3.Connection) -> bool:
            with _transaction(db):
                unit = (self._store._id_made(db, self._task), number)
                where = "WHERE hunt = ? AND number = ?"
                if db.execute(f"SELECT 1 FROM unit {where}", unit).fetchone():
                    return False
                query = f"SELECT owner, host, process, started, renewed FROM claim {where}"
                row = db.execute(query, unit).fetchone()
                if row and row[0] != self._owner and self._holds(*row[1:]):
                    return False
                now = (os.getpid(), _started(os.getpid()), time.time())
                db.execute(
                    "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*unit, self._owner, self._host, *now),
                )
                return True

        return self._store._use(work)

    def renew(self) -> None:
        """Say that this process is still at the units it has claimed."""
        self._run("UPDATE claim SET renewed = ? WHERE owner = ?", (time.time(), self._owner))

    def give_up(self, numbers: Iterable[int] | None = None) -> None:
        """Let others have the units that this process has claimed, or these of them."""
        if numbers is None:
            self._run("DELETE FROM claim WHERE owner = ?", (self._owner,))
        else:
            for number in numbers:
                self._run("DELETE FROM claim WHERE owner = ? AND number = ?", (self._owner, number))

    def _run(self, statement: str, values: tuple[Any, ...]) -> None:
        self._store._use(lambda db: db.execute(statement, values))

    def _holds(self, host: object, process: object, started: object, renewed: object) -> bool:
        """Tell whether a claim of another process holds; what nobody can have written is void."""
        if type(process) is not int or type(renewed) is not float:
            return False
        if host == self._host and _started(process) != started:
            return False
        return abs(time.time() - renewed) < CLAIM_SECONDS


def _started(process: int) -> str:
    """Return when a process of this machine was started, in any unit; "dead" if it is not alive.

    Where that is not known the answer is empty: then the process is taken for alive.
    """
    try:
        # The name, in brackets, may contain anything; state and time follow it.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "dead" if Path("/proc/self/stat").exists() else ""
    except OSError:
        return ""
    return "dead" if fields[0] in "ZX" else fields[19]


def _plain(sql: str) -> str:
    """Return a statement of SQL without comments and superfluous space."""
    return " ".join(re.sub(r"--[^\n]*", "", sql).split())


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    with db:  # commits, or rolls back
        db.execute(f"BEGIN {kind}")
        yield


def _dicts(rows: sqlite3.Cursor) -> list[dict[str, Any]]:
    """Return rows with the names of their columns."""
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _insert(db: sqlite3.Connection, command: str, row: Columns) -> bool:
    """Insert a row; tell whether that was done.  The column `finished` gets the present time."""
    names, values = ", ".join(row), [_value(value) for value in row.values()]
    marks = ", ".join("?" * len(values))
    if not command.endswith(TIMELESS):
        names, marks = f"{names}, finished", f"{marks}, datetime('now')"
    return bool(db.execute(f"{command} ({names}) VALUES ({marks})", values).rowcount)


TIMELESS = ("hunt", "find")
"""Tables without a column `finished`."""


def _value(value: Value) -> Value:
    """Return a value as SQLite keeps it: integers beyond 64 bits as text."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value
