"""Metrics of a schedule as a table to read, and as files: comma-separated values and Parquet."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kvopt.model.errors import InputError
from kvopt.model.files import write_bytes, write_text
from kvopt.report.tables import text_table
from kvopt.simulation.metrics import STATISTICS, Metrics

__all__ = ["check_metrics_file", "metrics_parquet", "metrics_table", "write_metrics"]

CSV, PARQUET = ".csv", ".parquet"

HEADS = {"latency": "latency", "ttft": "TTFT", "tpot": "TPOT", "slowdown": "slowdown"}


def metrics_table(metrics: Metrics) -> str:
    """Lay out the statistics as a table that fits 80 columns."""
    rows = [
        [HEADS[name], *("-" if value is None else _short(value) for value in values.values())]
        for name, values in metrics.statistics().items()
    ]
    return text_table((f"in {metrics.unit}", *STATISTICS), rows, right="lrrrrrr")


def _short(value: float) -> str:
    return f"{value:,.3f}" if value < 1000 else f"{value:,.1f}"


def metrics_parquet(metrics: Metrics) -> bytes:
    """Return the bytes of a Parquet file with a row for each request; TPOT is null where o = 1.

    Wasted token-rounds that exceed 64 bits become floats.
    """
    import pyarrow
    import pyarrow.parquet

    arrays = {}
    for name, column in metrics.rows().items():
        values = column.astype(np.float64) if column.dtype == np.object_ else column
        missing = np.isnan(values) if name == "tpot" else None
        arrays[name] = pyarrow.array(values, mask=missing)
    table = pyarrow.table(arrays).replace_schema_metadata({"unit": metrics.unit})
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


def check_metrics_file(path: Path) -> None:
    """Refuse what `write_metrics` could only refuse later.

    Raises
    ------
    InputError
        If the name ends in neither .csv nor .parquet, or pyarrow is wanted and not installed.
    """
    if path.suffix.lower() not in (CSV, PARQUET):
        raise InputError(f"{path}: must end in {CSV} or {PARQUET}, got {path.suffix!r}")
    if path.suffix.lower() == PARQUET and find_spec("pyarrow") is None:
        raise InputError(
            f"{path}: {PARQUET} needs pyarrow, which is not installed:"
            " pip install 'kvopt[parquet]' (or pip install pyarrow)"
        )


def write_metrics(path: str | Path, metrics: Metrics) -> None:
    """Write a row for each request to a .csv or .parquet file, whole or not at all.

    Raises
    ------
    InputError
        As for `check_metrics_file`.
    """
    path = Path(path)
    check_metrics_file(path)
    if path.suffix.lower() == CSV:
        write_text(path, metrics.to_csv())
    else:
        write_bytes(path, metrics_parquet(metrics))
