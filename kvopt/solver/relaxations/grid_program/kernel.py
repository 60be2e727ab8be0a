"""What rows with duals add to the costs of all starts, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.compiling import Kernel, lean

__all__ = ["GRID_KERNEL", "GridFunctions"]


@lean
def add_rows(
    costs: Any,
    outputs: Any,
    first: Any,
    reach: int,
    coefficients: Any,
    families: Any,
    rounds: Any,
    duals: Any,
) -> None:
    """Add dual times coefficient of each row to the costs of the starts that meet it.

    Parameters
    ----------
    costs
        Cost of a start of each type at each time 0, 1, ..., shape (types, times).
    outputs, first
        Output of each type (rounds), and the place of its first round, shape (types,).
    coefficients
        Coefficient of each round of each type in each family, shape (families, places).
    families, rounds, duals
        Family, round and dual of each row, shape (rows,).
    """
    for k in range(outputs.shape[0]):
        for row in range(families.shape[0]):
            r = rounds[row]
            at = first[k] - 1
            low = max(1 - reach, r - costs.shape[1] + 1)
            for j in range(low, min(outputs[k] + reach, r) + 1):
                costs[k, r - j] += duals[row] * coefficients[families[row], at + j]


@lean
def least_costs(
    outputs: Any,
    first: Any,
    coefficients: Any,
    rows: Any,
    bent: Any,
    scale: int,
    releases: Any,
    room: Any,
    least: Any,
) -> None:
    """Find the least cost of a start of each type from its release on, exactly.

    Parameters
    ----------
    outputs, first, coefficients
        As in `add_rows`.
    rows
        Families, rounds and duals of the rows, or of the second differences of duals,
        shape (3, rows).
    bent
        Which rows are of second differences, shape (rows,).
    scale
        A round costs this.
    releases
        Release of each type (rounds), shape (types,).
    room
        Room for costs and their second differences, shape (2, last round + 2).
    least
        The result, shape (types,).
    """
    for k in range(outputs.shape[0]):
        for t in range(room.shape[1]):
            room[0, t] = scale * (t + outputs[k])
            room[1, t] = 0
        for row in range(rows.shape[1]):
            r = rows[1, row]
            line = 1 if bent[row] else 0
            at = first[k] - 1
            for j in range(1, min(outputs[k], r) + 1):
                room[line, r - j] += rows[2, row] * coefficients[rows[0, row], at + j]
        t = room.shape[1] - 1
        best = scale * (max(t, releases[k]) + outputs[k])  # beyond the last row
        curved = fall = 0
        while t > releases[k]:
            fall += room[1, t]
            curved += fall
            t -= 1
            best = min(best, room[0, t] + curved)
        least[k] = best


class GridFunctions(NamedTuple):
    """The compiled functions."""

    add_rows: Callable[..., None]
    least_costs: Callable[..., None]


def _warm_up(functions: GridFunctions) -> None:
    some, table = np.zeros(1, dtype=np.int64), np.zeros((1, 1), dtype=np.int64)
    prices = np.zeros(1)
    functions.add_rows(np.zeros((1, 2)), some + 1, some, 0, table, some, some + 1, prices)
    rows, bent, room = (
        np.ones((3, 1), dtype=np.int64),
        np.zeros(1, dtype=np.bool_),
        table.repeat(2, 0),
    )
    functions.least_costs(
        some + 1, some, table.repeat(2, 0), rows, bent, 1, some, room.repeat(3, 1), some
    )


GRID_KERNEL = Kernel("grid of rows", (add_rows, least_costs), GridFunctions, _warm_up)
