"""Which starts are left in a part of the search, and what prices tell of them.

In a node of a branch and bound on start times every request has a *window*, from the earliest
to the latest start that is left for it.  From its latest start to its earliest end a request
runs for certain, and holds at least what it would if it started last.  A start
beside which these certain parts of the others do not fit is none (time-tabling, as for
resource-constrained projects); nor is a start whose price alone makes every schedule too
costly (reduced cost fixing).  Both go on until neither takes a start away.

The argument is in proofs/windows.md; proofs/checker does the same in plain Python on
intervals instead of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.relaxations.time_indexed import Branch, PriceProgram, Prices

__all__ = ["Left", "all_starts", "fitting", "told"]

BoolArray = NDArray[np.bool_]


class Left(NamedTuple):
    """What is left of a node.

    Attributes
    ----------
    bound
        Lower bound on what schedules of the node cost (rounds).
    starts
        Which starts of each type at times 0..horizon can belong to a cheaper schedule than
        the goal, shape (types, horizon + 1); the last time stands for all later ones, too.
        None if there is no such schedule.
    """

    bound: int
    starts: BoolArray | None


def all_starts(program: PriceProgram) -> BoolArray:
    """Return all starts, shape (types, horizon + 1)."""
    return np.ones((len(program.requests), program.horizon + 1), dtype=np.bool_)


def fitting(
    program: PriceProgram, branches: Sequence[Branch], starts: BoolArray
) -> BoolArray | None:
    """Return the starts that fit beside what runs for certain.

    Parameters
    ----------
    program
        The program of the instance; its last round is the horizon.
    branches
        Branches of one type each: they make the windows of its first, second, ... request.
    starts
        The starts that are left, shape (types, horizon + 1).

    Returns
    -------
    ndarray of bool, shape (types, horizon + 1), or None
        None if nothing is left for some request.
    """
    horizon, memory = program.horizon, program.instance.memory
    outputs = [request.output for request in program.requests]
    prompts = [request.prompt for request in program.requests]
    requests = [(k, m) for k, count in enumerate(program.counts) for m in range(count)]
    windows = {place: [0, horizon] for place in requests}
    for branch in branches:
        ((k, before),) = branch.until
        if branch.below:
            for m in range(branch.at_most, program.counts[k]):
                windows[k, m][0] = max(windows[k, m][0], before)
        else:
            for m in range(min(branch.at_most + 1, program.counts[k])):
                windows[k, m][1] = min(windows[k, m][1], before - 1)
    rounds = np.arange(horizon + max(outputs) + 2)
    times = rounds[: horizon + 1]

    def certain(place: tuple[int, int]) -> IntArray:
        """Return the memory that a request uses for certain in each round."""
        first, last = windows[place]
        k = place[0]
        if last == horizon:  # it may start as late as it likes
            return np.zeros(len(rounds), dtype=np.int64)
        runs = (rounds > last) & (rounds <= first + outputs[k])
        return np.where(runs, prompts[k] + rounds - last, 0)

    parts = {place: certain(place) for place in requests}
    total = np.sum(list(parts.values()), axis=0)
    fit: dict[tuple[int, int], BoolArray] = {}
    changed = True
    while changed:
        changed = False
        for place in requests:
            k, first, last = place[0], *windows[place]
            # A start t fits if s + r - t <= what is free, for all rounds r of the run.
            earliest = prompts[k] + rounds - memory + (total - parts[place])
            ready = _largest_ahead(earliest, outputs[k])[: horizon + 1] <= times
            ready[horizon] = True
            fit[place] = ready & starts[k] & (times >= first) & (times <= last)
            left = np.flatnonzero(fit[place])
            if len(left) == 0:
                return None
            if [left[0], left[-1]] != windows[place]:
                windows[place] = [int(left[0]), int(left[-1])]
                part = certain(place)
                total += part - parts[place]
                parts[place] = part
                changed = True
    fits = np.zeros_like(starts)
    for (k, _), mask in fit.items():
        fits[k] |= mask
    return fits


def told(
    program: PriceProgram,
    prices: Prices,
    branches: Sequence[Branch],
    starts: BoolArray,
    goal: int,
) -> Left:
    """Return what prices tell of the starts that are left.

    Parameters
    ----------
    program
        The program of the instance.
    prices
        The prices, those of the branches in the same order as `branches`.
    branches
        The branches, root first, of one type each and times up to the horizon.
    starts
        The starts that are left, shape (types, horizon + 1).
    goal
        Only schedules that cost less than this matter (rounds).
    """
    scale = program.scale
    base, costs = program.charged(prices, branches)
    while True:
        least = [row[there].min() for row, there in zip(costs, starts, strict=True)]
        value = base + sum(n * int(cost) for n, cost in zip(program.counts, least, strict=True))
        bound = -(-value // scale)
        if bound >= goal:
            return Left(goal, None)
        spare = (goal - 1) * scale - value
        # No limit exceeds what stands in its row, so none is too large for the row's numbers.
        limits = [min(int(cost) + spare, row.max()) for row, cost in zip(costs, least, strict=True)]
        cheap = starts & (costs <= np.array(limits, dtype=costs.dtype)[:, None])
        if (cheap == starts).all():
            return Left(bound, starts)
        fits = fitting(program, branches, cheap)
        if fits is None:
            return Left(goal, None)
        starts = fits


def _largest_ahead(values: IntArray, by: int) -> IntArray:
    """Return the largest of values[t + 1], ..., values[t + by] for each t."""
    least = np.iinfo(np.int64).min
    window = np.concatenate([values[1:], np.full(by, least)])
    width = 1
    while 2 * width <= by:
        window = np.maximum(window[:-width], window[width:])
        width *= 2
    largest: IntArray = np.maximum(window[: len(values)], window[by - width :][: len(values)])
    return largest
