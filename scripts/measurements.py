"""What measures share: the clock of the solver, its certificates, and files of JSON by line.

The files are read strictly, and refused in one line.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

from kvopt.certificates.checker import verdicts
from kvopt.certificates.write import certificate, certificate_text
from kvopt.model.errors import InputError, SolverError
from kvopt.model.files import read_text
from kvopt.model.formats import parsed
from kvopt.model.instance import abridged
from kvopt.model.text import NAME, one_line
from kvopt.solver.result import Bound, Result

__all__ = [
    "BestBounds",
    "children_seconds",
    "count_processor_time",
    "read_objects",
    "read_rows",
    "refuse",
]


def count_processor_time() -> None:
    """Make the seconds of the solver those of the processor, for a machine that others use, too."""
    time.perf_counter = time.process_time


def children_seconds() -> float:
    """Return the processor time of the checkers that have ended (seconds)."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class BestBounds:
    """The best bound of each rule that a solver has proved on the way, with and without a search.

    Hand `note` to the solver to be called with what it knows so far.
    """

    def __init__(self) -> None:
        self._bounds: dict[tuple[str, bool], Bound] = {}

    def note(self, found: Result) -> None:
        """Take over the certified bound of a result."""
        if found.certified.proof is not None:
            searched = bool(found.certified.proof.get("nodes"))
            self._bounds[found.certified.rule, searched] = found.certified

    def certified(self, result: Result) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the best certificate of a result that the checker accepts, and a row about it.

        Only what it accepts at its usual budget counts.  Where it refuses the best bound as too
        much work, the row says so, and the next best one takes its place.

        Returns
        -------
        content, row
            The certificate; its length ("bytes") and what checking it takes ("check_seconds"), and
            of the best one, if it is refused, the bound ("refused"), its rule and the reason.
        """
        row: dict[str, Any] = {}
        for bound in sorted(self._bounds.values(), key=lambda bound: bound.value, reverse=True):
            content = certificate(result, bound)
            text = certificate_text(content)
            began = children_seconds()
            (verdict,) = verdicts([text])
            if verdict.holds:
                seconds = children_seconds() - began
                return content, {"bytes": len(text), "check_seconds": seconds, **row}
            if not verdict.over_budget:
                raise SolverError(f"{result.instance!r}: the checker says: {verdict.reason}")
            if not row:
                row = {"refused": bound.value, "refused_rule": bound.rule}
                row["because"] = verdict.reason
        raise SolverError(f"{result.instance!r}: the checker accepts no certificate")

    def row(self, result: Result) -> dict[str, Any]:
        """Return what `certified` tells, with the bound ("certified") and its rule ("rule")."""
        content, more = self.certified(result)
        return {"certified": content["lower_bound"], "rule": content["proof"]["rule"], **more}


def refuse(path: Path, number: int, reason: object) -> NoReturn:
    """End the program with one line about a line of a file, and exit code 2."""
    print(one_line(f"{one_line(path, NAME)}: line {number}: {reason}"), file=sys.stderr)
    sys.exit(2)


def read_objects(path: Path, torn: bool = False) -> list[tuple[int, dict[str, Any]]]:
    """Return the objects in a file with the numbers of their lines; none if it does not exist.

    Parameters
    ----------
    path
        The file.
    torn
        Whether lines that are no JSON are passed over: processes that were killed left them.
    """
    if not path.exists():
        return []
    try:
        lines = read_text(path).split("\n")
    except InputError as error:
        refuse(path, 1, error)
    objects = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            content = parsed(line)
        except InputError as error:
            if torn:
                continue
            refuse(path, number, error)
        if not isinstance(content, dict):
            refuse(path, number, f"must be an object, got {abridged(content)}")
        objects.append((number, content))
    return objects


def read_rows(
    path: Path, numbers: Collection[str], texts: Collection[str] = (), torn: bool = False
) -> list[dict[str, Any]]:
    """Return the rows of a table in a file.

    Parameters
    ----------
    path
        The file.
    numbers, texts
        Keys that each row must have: finite numbers, and words of one line.  Further keys must
        be one or the other, or null.
    torn
        As in `read_objects`.
    """
    rows = []
    for number, row in read_objects(path, torn):
        for key in (*numbers, *texts):
            if key not in row:
                refuse(path, number, f"{key}: required field is missing")
        for key, value in row.items():
            numeric = type(value) in (int, float) or (value is None and key not in numbers)
            word = isinstance(value, str) and value.isprintable() and "|" not in value
            if not (word if key in texts else numeric or (word and key not in numbers)):
                kind = "a number" if key in numbers else "a printable text"
                refuse(path, number, f"{abridged(key)}: must be {kind}, got {abridged(value)}")
        rows.append(row)
    return rows
