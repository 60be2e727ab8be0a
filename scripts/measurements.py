"""What measures share: the clock of the solver, and files with an object of JSON a line.

The files are read strictly, and refused in one line.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

from kvopt.model.errors import InputError
from kvopt.model.files import read_text
from kvopt.model.formats import parsed
from kvopt.model.instance import abridged
from kvopt.model.text import NAME, one_line

__all__ = ["children_seconds", "count_processor_time", "read_objects", "read_rows", "refuse"]


def count_processor_time() -> None:
    """Make the seconds of the solver those of the processor, for a machine that others use, too."""
    time.perf_counter = time.process_time


def children_seconds() -> float:
    """Return the processor time of the checkers that have ended (seconds)."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
