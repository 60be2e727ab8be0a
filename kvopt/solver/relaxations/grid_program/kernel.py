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


class GridFunctions(NamedTuple):
    """The compiled functions."""

    add_rows: Callable[..., None]


def _warm_up(functions: GridFunctions) -> None:
    some = np.zeros(1, dtype=np.int64)
    for kind in (np.int64, np.float64):  # of costs and duals
        functions.add_rows(
            np.zeros((1, 2), dtype=kind),
            some + 1,
            some,
            0,
            np.zeros((1, 1), dtype=np.int64),
            some,
            some + 1,
            np.zeros(1, dtype=kind),
        )


GRID_KERNEL = Kernel("grid of rows", (add_rows,), GridFunctions, _warm_up)
