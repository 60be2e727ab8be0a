"""Rows of results for other programs: comma-separated values, and frames of pandas or polars."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from kvopt.model.errors import InputError

__all__ = ["FRAMES", "Row", "frame_of", "to_csv"]

Row = Mapping[str, Any]

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""What a text in a cell begins with that spreadsheets take for a formula."""

FRAMES = ("pandas", "polars")
"""Libraries that a frame can be of."""


def to_csv(rows: Sequence[Row]) -> str:
    """Write rows with equal keys as comma-separated values with a header.

    A text that a spreadsheet would take for a formula has an apostrophe put before it.
    """
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    """Return a value as it stands in a table that a spreadsheet may open."""
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA_SIGNS) else value
    return value


def frame_of(rows: Sequence[Row], library: str | None = None) -> Any:
    """Return rows with equal keys as a data frame.

    Parameters
    ----------
    rows
        The rows.
    library
        "pandas" or "polars"; by default the first of them that is installed.

    Raises
    ------
    InputError
        If the library is another, or not installed.
    """
    if library is not None and library not in FRAMES:
        raise InputError(f"library: must be one of {', '.join(FRAMES)}, got {library!r}")
    wanted = FRAMES if library is None else (library,)
    name = next((name for name in wanted if find_spec(name) is not None), None)
    if name is None:
        raise InputError(
            f"a frame needs {' or '.join(wanted)}, which is not installed:"
            f" pip install 'kvopt[frames]' (or pip install {wanted[0]})"
        )
    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
    return importlib.import_module(name).DataFrame(columns)
