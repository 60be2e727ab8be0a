"""The backward recursion of the demand-dual relaxation, compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import copy_into
from kvopt.solver.compiling import Kernel

__all__ = ["KERNEL", "Descend", "DescendKernel", "descend"]

Descend = Callable[..., None]
"""`descend`, compiled or not."""


class DescendKernel(NamedTuple):
    """What is compiled."""

    descend: Descend


def descend(
    first: IntArray,
    target: NDArray[np.int32],
    group: NDArray[np.int32],
    groups: IntArray,
    costs: IntArray,
    values: IntArray,
    other: IntArray,
    choices: NDArray[np.unsignedinteger],
) -> None:
    """Go back one time for each row of `choices`, from the last to the first.

    Parameters
    ----------
    first, target, group, groups
        The graph, as in `ProfileGraph`; nodes and edges may end early.
    costs
        Cost of a start of each type at each of the times (1 / SCALE), shape (times, types).
    values
        Cost-to-go of each node, at first after the last time (1 / SCALE), shape (nodes,);
        changed in place.
    other
        Room for one more array like `values`.
    choices
        Filled in: the place of the best edge of each node among its own, the first of equals,
        shape (times, nodes).
    """
    group_costs = np.zeros(groups.shape[0], np.int64)
    for row in range(choices.shape[0] - 1, -1, -1):
        for g in range(groups.shape[0]):
            group_costs[g] = 0
            for k in range(groups.shape[1]):
                group_costs[g] += groups[g, k] * costs[row, k]
        for node in range(values.shape[0]):
            begin = first[node]
            best = values[target[begin]]
            choice = 0
            for e in range(begin + 1, first[node + 1]):
                value = values[target[e]] + group_costs[group[e]]
                if value < best:
                    best = value
                    choice = e - begin
            other[node] = best
            choices[row, node] = choice
        copy_into(values, other, 0, values.shape[0])


def _warm_up(functions: DescendKernel) -> None:
    """Go back one time on the graph of a machine that stays idle."""
    for kind in (np.uint8, np.uint32):
        functions.descend(
            np.arange(2, dtype=np.int64),
            np.zeros(1, dtype=np.int32),
            np.zeros(1, dtype=np.int32),
            np.zeros((1, 1), dtype=np.int64),
            np.zeros((1, 1), dtype=np.int64),
            np.zeros(1, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
            np.zeros((1, 1), dtype=kind),
        )


KERNEL = Kernel("demand duals", [copy_into, descend], DescendKernel, _warm_up)
