"""The recursion of the demand-dual relaxation by array operations."""

from __future__ import annotations

from typing import Any

import numpy as np


def descend_by_arrays(
    first: Any,
    target: Any,
    group: Any,
    groups: Any,
    costs: Any,
    values: Any,
    other: Any,
    choices: Any,
) -> None:
    """Do the same as `descend` of the solver."""
    begins, degrees = first[:-1], np.diff(first)
    numbers = np.arange(len(target)) - np.repeat(begins, degrees)
    for now, row in zip(costs[::-1], choices[::-1], strict=True):
        through = values[target] + (groups @ now)[group]
        np.minimum.reduceat(through, begins, out=other)
        others = np.where(through == np.repeat(other, degrees), numbers, len(target))
        row[:] = np.minimum.reduceat(others, begins)
        values[:] = other
