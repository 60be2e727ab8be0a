"""A SQLite file that keeps what a search has found, so that it can be resumed.

A unit of work is written in one transaction when it is complete.  Whenever the
process dies, what was complete is there and what was not is run again.  Several
processes may share a file: each claims a unit before it begins it.  Tables and views
are described in docs/how-to/search.md.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from kvopt.adversary.candidate import Candidate
from kvopt.adversary.configuration import Find, Hunt, Unit
from kvopt.model.errors import InputError
from kvopt.model.files import INSTANCE_FORMAT
from kvopt.parallel.code_version import code_version
from kvopt.policies import policy_from_spec, source_digest

__all__ = ["Ledger", "Store", "Verified"]

APPLICATION = 0x6B766F70  # "kvop", SQLite's application_id of our files
VERSION = 2

CLAIM_SECONDS = 120.0
"""A claim is void if it was not renewed for so long."""

LOCK_SECONDS = 60.0
"""How long to wait while another process writes."""

# A number that may need more than 64 bits has a column without a type, which SQLite leaves
# alone; beyond 64 bits it is written as text.
SCHEMA = """
    CREATE TABLE hunt (             -- what was searched for
        id INTEGER PRIMARY KEY,
        policy TEXT NOT NULL,
        against TEXT,               -- the other policy, NULL for the optimum
        method TEXT NOT NULL,
        seed,
        requests,                   -- limits
        memory,
        mixed INTEGER NOT NULL,
        parameters TEXT NOT NULL,   -- all of it, in JSON
        version TEXT NOT NULL,      -- of kvopt, see kvopt/parallel/code_version.py
        sources TEXT NOT NULL,      -- JSON: digests of the user's own policies
        UNIQUE (parameters, version, sources)
    );
    CREATE TABLE unit (             -- a complete unit of work
        hunt INTEGER NOT NULL REFERENCES hunt,
        number INTEGER NOT NULL,
        evaluations INTEGER NOT NULL,
        finds INTEGER NOT NULL,     -- how many rows it has in find
        finished TEXT NOT NULL,     -- UTC
        PRIMARY KEY (hunt, number)
    ) WITHOUT ROWID;
    CREATE TABLE find (             -- an instance worse than those before it in its unit
        hunt INTEGER NOT NULL REFERENCES hunt,
        unit INTEGER NOT NULL,
        position INTEGER NOT NULL,
        evaluation INTEGER NOT NULL,
        ratio TEXT NOT NULL,        -- "p/q", cost / reference
        ratio_real REAL NOT NULL,
        cost,                       -- of the policy (rounds)
        reference,                  -- of a feasible schedule, or the other policy (rounds)
        instance TEXT NOT NULL,     -- JSON, as in an instance file
        PRIMARY KEY (hunt, unit, position)
    ) WITHOUT ROWID;
    CREATE TABLE verified (         -- a bracket of the optimum of an instance
        hunt INTEGER NOT NULL REFERENCES hunt,
        position INTEGER NOT NULL,
        status TEXT NOT NULL,       -- optimal or bracket
        ratio_low TEXT NOT NULL,    -- "p/q", cost / upper_bound
        ratio_low_real REAL NOT NULL,
        ratio_high TEXT NOT NULL,   -- "p/q", cost / lower_bound
        ratio_high_real REAL NOT NULL,
        cost,                       -- of the policy (rounds)
        lower_bound,                -- on the optimum (rounds)
        upper_bound,
        instance TEXT NOT NULL,     -- JSON, as in an instance file
        starts TEXT,                -- JSON: a schedule of cost upper_bound
        seconds REAL NOT NULL,
        finished TEXT NOT NULL,     -- UTC
        PRIMARY KEY (hunt, position)
    ) WITHOUT ROWID;
    CREATE TABLE claim (            -- a unit that a process is at
        hunt INTEGER NOT NULL REFERENCES hunt,
        number INTEGER NOT NULL,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        process INTEGER NOT NULL,
        started TEXT NOT NULL,      -- of the process, to tell it from a later one
        renewed REAL NOT NULL,      -- seconds since 1970
        PRIMARY KEY (hunt, number)
    ) WITHOUT ROWID;
    CREATE VIEW found AS
        SELECT policy, against, method, seed, unit, evaluation, ratio, ratio_real, cost,
            reference, instance, requests, memory, mixed, version
        FROM find JOIN hunt ON hunt.id = find.hunt;
    CREATE VIEW worst AS
        SELECT policy, against, method, seed, unit, evaluation, ratio,
            max(ratio_real) AS ratio_real, cost, reference, instance, requests, memory, mixed,
            version
        FROM find JOIN hunt ON hunt.id = find.hunt GROUP BY hunt.id;
    CREATE VIEW proved AS
        SELECT policy, against, method, seed, status, ratio_low, ratio_low_real, ratio_high,
            ratio_high_real, cost, lower_bound, upper_bound, instance, starts, seconds, version
        FROM verified JOIN hunt ON hunt.id = verified.hunt;
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verified:
    """An instance with a bracket of its optimum.

    Parameters
    ----------
    candidate
        The instance.
    cost
        Total completion time of the policy (rounds).
    lower_bound, upper_bound
        Bounds on the optimal total completion time (rounds).
    starts
        Start times of a schedule that costs upper_bound (rounds), in request order, or None.
    seconds
        How long it took.
    """

    candidate: Candidate
    cost: int
    lower_bound: int
    upper_bound: int
    starts: tuple[int, ...] | None = None
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """Return optimal or bracket."""
        return "optimal" if self.lower_bound == self.upper_bound else "bracket"

    @property
    def ratio_low(self) -> Fraction:
        """Cost / upper bound: the ratio is no less."""
        return Fraction(self.cost, self.upper_bound)

    @property
    def ratio_high(self) -> Fraction:
        """Cost / lower bound: the ratio is no more."""
        return Fraction(self.cost, self.lower_bound)


class Store:
    """The units of searches in a file; made if it does not exist.

    Parameters
    ----------
    path
        The file.
    version
        Version of kvopt; units of another version are not taken for done, as the
        search may have changed.  By default `kvopt.parallel.code_version.code_version`.

    Raises
    ------
    InputError
        If the file cannot be opened or written to, is damaged, is not a store, or is
        from another version of kvopt that kept it differently.  The file is then left
        as it is.
    """

    def __init__(self, path: Path, version: str | None = None) -> None:
        self.path = path
        self.version = version or code_version()
        self._look_at_file()
        self._use(self._prepare)

    def units(self, hunt: Hunt, numbers: Collection[int] | None = None) -> list[Unit]:
        """Return the complete units of a search, by number.

        Parameters
        ----------
        hunt
            What is searched for.
        numbers
            Only these units; by default all.
        """
        wanted = f"AND number IN ({','.join(map(str, map(int, numbers)))})" if numbers else ""
        units = f"SELECT number, evaluations, finds FROM unit WHERE hunt = ? {wanted} ORDER BY 1"
        finds = f"""SELECT unit, evaluation, cost, reference, ratio, instance FROM find
            WHERE hunt = ? {wanted.replace("number", "unit")} ORDER BY unit, position"""

        def read(db: sqlite3.Connection) -> tuple[list[Any], list[Any]]:
            with _transaction(db, "DEFERRED"):  # both as of one moment
                key = (self._hunt(db, hunt),)
                return db.execute(units, key).fetchall(), db.execute(finds, key).fetchall()

        if numbers is not None and not numbers:
            return []
        rows, find_rows = self._use(read)
        found: dict[int, list[Find]] = {number: [] for number, _, _ in rows}
        with self._reading("a unit"):
            for unit, evaluation, cost, reference, ratio, instance in find_rows:
                candidate = _candidate(instance)
                find = Find(unit, int(evaluation), int(cost), int(reference), candidate)
                if ratio != _text(find.ratio):
                    raise ValueError
                found[unit].append(find)
            if any(len(found[number]) != count for number, _, count in rows):
                raise ValueError
            return [
                Unit(number, int(evaluations), tuple(found[number]), complete=True)
                for number, evaluations, _ in rows
            ]

    def add(self, hunt: Hunt, unit: Unit) -> None:
        """Keep a complete unit; one that is there already stays."""
        if not unit.complete:
            raise ValueError(f"unit {unit.number} was cut short")
        finds = [
            (
                *(unit.number, position, find.evaluation, _text(find.ratio), float(find.ratio)),
                *(_number(find.cost), _number(find.reference), _instance(find.candidate)),
            )
            for position, find in enumerate(unit.finds)
        ]

        def insert(db: sqlite3.Connection) -> None:
            with _transaction(db):
                key = self._hunt_made(db, hunt)
                db.execute("DELETE FROM claim WHERE hunt = ? AND number = ?", (key, unit.number))
                new = db.execute(
                    "INSERT OR IGNORE INTO unit VALUES (?, ?, ?, ?, datetime('now'))",
                    (key, unit.number, unit.evaluations, len(finds)),
                )
                if new.rowcount:
                    db.executemany(
                        f"INSERT INTO find VALUES ({key}, ?, ?, ?, ?, ?, ?, ?, ?)", finds
                    )

        self._use(insert)

    def verified(self, hunt: Hunt) -> list[Verified]:
        """Return the brackets of a search, in the order in which they were added."""
        query = """SELECT instance, cost, lower_bound, upper_bound, starts, seconds
            FROM verified WHERE hunt = ? ORDER BY position"""
        rows = self._use(lambda db: db.execute(query, (self._hunt(db, hunt),)).fetchall())
        with self._reading("a bracket"):
            return [
                Verified(
                    *(_candidate(instance), int(cost), int(lower), int(upper)),
                    starts=None if starts is None else tuple(map(int, json.loads(starts))),
                    seconds=float(seconds),
                )
                for instance, cost, lower, upper, starts, seconds in rows
            ]

    def add_verified(
        self,
        hunt: Hunt,
        candidate: Candidate,
        lower_bound: int,
        upper_bound: int,
        cost: int,
        *,
        starts: Sequence[int] | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Keep a bracket of the optimum of an instance; one that is there already stays.

        Parameters
        ----------
        hunt
            The search that found the instance.
        candidate, lower_bound, upper_bound, cost, starts, seconds
            See `Verified`.

        Raises
        ------
        ValueError
            If the bounds are no bracket.
        """
        if not 0 < lower_bound <= upper_bound:
            raise ValueError(f"[{lower_bound}, {upper_bound}] is no bracket")
        given = None if starts is None else tuple(map(int, starts))
        new = Verified(candidate, cost, lower_bound, upper_bound, given, seconds)
        row = (
            *(new.status, _text(new.ratio_low), float(new.ratio_low)),
            *(_text(new.ratio_high), float(new.ratio_high)),
            *map(_number, (cost, lower_bound, upper_bound)),
            *(_instance(candidate), None if given is None else json.dumps(given), seconds),
        )

        def insert(db: sqlite3.Connection) -> None:
            with _transaction(db):
                key = self._hunt_made(db, hunt)
                same = """SELECT 1 FROM verified WHERE hunt = ? AND instance = ?
                    AND (cost, lower_bound, upper_bound) = (?, ?, ?)"""
                if not db.execute(same, (key, row[8], *row[5:8])).fetchone():
                    db.execute(
                        f"""INSERT INTO verified SELECT {key}, coalesce(max(position) + 1, 0),
                        ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, datetime('now')
                        FROM verified WHERE hunt = {key}""",
                        row,
                    )

        self._use(insert)

    @contextmanager
    def ledger(self, hunt: Hunt) -> Iterator[Ledger]:
        """Provide what lets several processes share a search, for the time of a with block."""
        ledger = Ledger(self, hunt)
        over = threading.Event()

        def renew() -> None:
            while not over.wait(CLAIM_SECONDS / 4):
                with suppress(InputError):  # the next unit that ends will tell
                    ledger.renew()

        thread = threading.Thread(target=renew, daemon=True, name="kvopt claims")
        thread.start()
        try:
            yield ledger
        finally:
            over.set()
            thread.join()
            with suppress(InputError):  # claims end by themselves, too
                ledger.give_up()

    def _hunt(self, db: sqlite3.Connection, hunt: Hunt) -> int:
        """Return the id of a hunt, or -1."""
        query = "SELECT id FROM hunt WHERE (parameters, version, sources) = (?, ?, ?)"
        row = db.execute(query, self._key(hunt)).fetchone()
        return int(row[0]) if row else -1

    def _hunt_made(self, db: sqlite3.Connection, hunt: Hunt) -> int:
        """Return the id of a hunt, which is entered if it is new."""
        limits = hunt.limits
        row = (
            *(hunt.policy, hunt.against, hunt.method),
            *map(_number, (hunt.seed, limits.requests, limits.memory, limits.mixed)),
            *self._key(hunt),
        )
        if (key := self._hunt(db, hunt)) < 0:
            db.execute("INSERT INTO hunt VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            key = self._hunt(db, hunt)
        return key

    def _key(self, hunt: Hunt) -> tuple[str, str, str]:
        digests: list[str] = []
        for spec in filter(None, (hunt.policy, hunt.against)):
            policy_from_spec(spec)  # a user's own has to be there to have a digest
            digests += filter(None, [source_digest(spec)])
        parameters = json.dumps(asdict(hunt), sort_keys=True)
        return parameters, self.version, json.dumps(digests)

    def _look_at_file(self) -> None:
        """Check the file without writing to it, or to what SQLite keeps beside it."""
        try:
            if not self.path.parent.is_dir():
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
        (state,) = db.execute("PRAGMA quick_check").fetchone()
        if state != "ok":
            raise InputError(f"{self.path}: is damaged: {' '.join(state.split())}")
        return True

    def _prepare(self, db: sqlite3.Connection) -> None:
        with _transaction(db):
            if not self._examine(db):
                for statement in SCHEMA.split(";")[:-1]:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
            # Written every time: a file that cannot be written to is better refused now.
            db.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except (TypeError, ValueError, KeyError, ArithmeticError):
            raise InputError(f"{self.path}: is damaged: {what} cannot be read") from None

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
                return work(db)
        except sqlite3.OperationalError as error:
            raise InputError(f"{self.path}: cannot be used: {error}") from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: is damaged or not a store of kvopt: {error}") from None


class Ledger:
    """What is done of a hunt and who is at what; made by `Store.ledger`.

    A claim holds until its unit is complete or its process gives it up, ends, or, on
    another machine or stopped, does not renew it for `CLAIM_SECONDS`.  Should two
    processes run a unit all the same, the first result stays: both are equal.

    Parameters
    ----------
    store
        Where everything is written down.
    hunt
        What is searched for.
    """

    def __init__(self, store: Store, hunt: Hunt) -> None:
        self._store = store
        self._hunt = hunt
        self._owner = uuid.uuid4().hex
        self._host = socket.gethostname()

    def units(self, numbers: Collection[int] | None = None) -> list[Unit]:
        """Return the complete units, or those of them with these numbers."""
        return self._store.units(self._hunt, numbers)

    def add(self, unit: Unit) -> None:
        """Keep a complete unit."""
        self._store.add(self._hunt, unit)

    def claim(self, number: int) -> bool:
        """Reserve a unit; False if it is complete, or another process is at it."""

        def work(db: sqlite3.Connection) -> bool:
            with _transaction(db):
                unit = (self._store._hunt_made(db, self._hunt), number)
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

    def _holds(self, host: str, process: int, started: str, renewed: float) -> bool:
        """Tell whether a claim of another process holds."""
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


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    with db:  # commits, or rolls back
        db.execute(f"BEGIN {kind}")
        yield


def _number(value: int) -> int | str:
    return int(value) if -(2**63) <= value < 2**63 else str(value)


def _text(ratio: Fraction) -> str:
    return f"{ratio.numerator}/{ratio.denominator}"


def _instance(candidate: Candidate) -> str:
    """Return a candidate as the text of an instance file."""
    requests = [
        {"prompt": int(prompt), "output": int(output), "count": int(count)}
        for prompt, output, count in candidate.groups
    ]
    memory = int(candidate.memory)
    return json.dumps({"format": INSTANCE_FORMAT, "memory": memory, "requests": requests})


def _candidate(text: str) -> Candidate:
    raw: dict[str, Any] = json.loads(text)
    groups = tuple(
        (int(group["prompt"]), int(group["output"]), int(group["count"]))
        for group in raw["requests"]
    )
    return Candidate(int(raw["memory"]), groups)
