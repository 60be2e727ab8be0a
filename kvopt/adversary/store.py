"""What a search has found, in a file: see `kvopt.parallel.store.WorkStore`.

Tables and views are described in docs/how-to/search.md.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvopt.adversary.candidate import Candidate, together
from kvopt.adversary.configuration import Record, SearchConfiguration, WorkUnit
from kvopt.model.formats import INSTANCE_FORMATS, parsed
from kvopt.parallel.store import Claims, Columns, FinishedUnit, Task, WorkStore
from kvopt.policies import policy_from_spec, source_digest

__all__ = ["Ledger", "Store", "Verified"]

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
        self._work = WorkStore(path, SCHEMA, version)

    @property
    def path(self) -> Path:
        """The file."""
        return self._work.path

    def units(
        self, configuration: SearchConfiguration, numbers: Collection[int] | None = None
    ) -> list[WorkUnit]:
        """Return the complete units of a search, by number.

        Parameters
        ----------
        configuration
            What is searched for.
        numbers
            Only these units; by default all.
        """
        finished = self._work.units(_task(configuration), numbers)
        with self._work.reading("a unit"):
            return [_unit(unit) for unit in finished]

    def add(self, configuration: SearchConfiguration, unit: WorkUnit) -> None:
        """Keep a complete unit; one that is there already stays.

        Raises
        ------
        ValueError
            If the unit was cut short.
        """
        if not unit.complete:
            raise ValueError(f"unit {unit.number} was cut short")
        rows: list[Columns] = [
            {
                "evaluation": record.evaluation,
                "ratio": _text(record.ratio),
                "ratio_real": float(record.ratio),
                "cost": int(record.cost),
                "reference": int(record.reference),
                "instance": _instance(record.candidate),
            }
            for record in unit.records
        ]
        kept = FinishedUnit(unit.number, {"evaluations": unit.evaluations}, tuple(rows))
        self._work.add(_task(configuration), kept)

    def verified(self, configuration: SearchConfiguration) -> list[Verified]:
        """Return the brackets of a search, in the order in which they were added."""
        rows: Sequence[Any] = self._work.verified(_task(configuration))
        with self._work.reading("a bracket"):
            return [
                Verified(
                    _candidate(row["instance"]),
                    int(row["cost"]),
                    int(row["lower_bound"]),
                    int(row["upper_bound"]),
                    None if row["starts"] is None else _starts(row["starts"]),
                    float(row["seconds"]),
                )
                for row in rows
            ]

    def add_verified(
        self,
        configuration: SearchConfiguration,
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
        configuration
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
        row: Columns = {
            "status": new.status,
            "ratio_low": _text(new.ratio_low),
            "ratio_low_real": float(new.ratio_low),
            "ratio_high": _text(new.ratio_high),
            "ratio_high_real": float(new.ratio_high),
            "cost": int(cost),
            "lower_bound": int(lower_bound),
            "upper_bound": int(upper_bound),
            "instance": _instance(candidate),
            "starts": None if given is None else json.dumps(given),
            "seconds": seconds,
        }
        same = ("instance", "cost", "lower_bound", "upper_bound")
        self._work.add_verified(_task(configuration), row, same)

    @contextmanager
    def ledger(self, configuration: SearchConfiguration) -> Iterator[Ledger]:
        """Provide what lets several processes share a search, for the time of a with block."""
        with self._work.claims(_task(configuration)) as claims:
            yield Ledger(self, configuration, claims)


class Ledger:
    """What is done of a search and which process is at what; made by `Store.ledger`.

    Parameters
    ----------
    store
        Where everything is written down.
    configuration
        What is searched for.
    claims
        Which process is at which unit.
    """

    def __init__(self, store: Store, configuration: SearchConfiguration, claims: Claims) -> None:
        self._store = store
        self._configuration = configuration
        self._claims = claims

    def units(self, numbers: Collection[int] | None = None) -> list[WorkUnit]:
        """Return the complete units, or those of them with these numbers."""
        return self._store.units(self._configuration, numbers)

    def add(self, unit: WorkUnit) -> None:
        """Keep a complete unit."""
        self._store.add(self._configuration, unit)

    def claim(self, number: int) -> bool:
        """Reserve a unit; False if it is complete, or another process is at it."""
        return self._claims.claim(number)

    def renew(self) -> None:
        """Say that this process is still at the units it has claimed."""
        self._claims.renew()

    def give_up(self, numbers: Iterable[int] | None = None) -> None:
        """Let others have the units that this process has claimed, or these of them."""
        self._claims.give_up(numbers)


def _task(configuration: SearchConfiguration) -> Task:
    """Return a configuration as a store keeps it."""
    digests: list[str] = []
    for spec in filter(None, (configuration.policy, configuration.against)):
        policy_from_spec(spec)  # a user's own has to be there to have a digest
        digests += filter(None, [source_digest(spec)])
    limits = configuration.limits
    columns: Columns = {
        "policy": configuration.policy,
        "against": configuration.against,
        "method": configuration.method,
        "seed": configuration.seed,
        "requests": limits.requests,
        "memory": limits.memory,
        "mixed": limits.mixed,
    }
    every = asdict(configuration)
    if not limits.arrivals:  # as before there were any
        del every["limits"]["arrivals"]
    parameters = json.dumps(every, sort_keys=True)
    return Task(columns, parameters, json.dumps(digests))


def _unit(kept: FinishedUnit) -> WorkUnit:
    """Return a unit from what a store keeps of it; raises ValueError and the like."""
    records = []
    rows: tuple[Any, ...] = kept.rows
    for row in rows:
        evaluation, cost, reference = (
            int(row[name]) for name in ("evaluation", "cost", "reference")
        )
        record = Record(kept.number, evaluation, cost, reference, _candidate(row["instance"]))
        if row["ratio"] != _text(record.ratio):
            raise ValueError
        records.append(record)
    columns: Any = kept.columns
    return WorkUnit(kept.number, int(columns["evaluations"]), tuple(records), complete=True)


def _text(ratio: Fraction) -> str:
    return f"{ratio.numerator}/{ratio.denominator}"


def _instance(candidate: Candidate) -> str:
    """Return a candidate as the text of an instance file."""
    keys = ("prompt", "output", "count", "release")
    requests = [
        dict(zip(keys, map(int, group), strict=False)) for group in together(candidate.groups)
    ]
    memory = int(candidate.memory)
    written = INSTANCE_FORMATS[candidate.has_releases]
    return json.dumps({"format": written, "memory": memory, "requests": requests})


def _candidate(text: str) -> Candidate:
    """Return a candidate from the text of an instance file; raises ValueError and the like."""
    raw: Any = parsed(text)
    memory = _integer(raw["memory"])
    columns = ("prompt", "output", "count")
    groups = [
        (*(_integer(group[name]) for name in columns), _integer(group.get("release", 0)))
        for group in raw["requests"]
    ]
    if any(release for *_, release in groups):
        return Candidate.of(memory, groups)
    return Candidate(memory, tuple(group[:3] for group in groups))


def _starts(text: str) -> tuple[int, ...]:
    """Return start times (rounds) from a JSON list; raises ValueError and the like."""
    values: Any = parsed(text)
    return tuple(map(_integer, values))


def _integer(value: object) -> int:
    """Return an integer that stands in a JSON text; 1.0, true and "1" are none."""
    if type(value) is not int:
        raise ValueError
    return value
