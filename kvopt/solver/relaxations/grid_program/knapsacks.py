"""Finding knapsack rows that a fractional solution violates (proofs/text/knapsack_rows.md).

What runs in a round fits in memory.  The mean of a solution around a knot says how much of which
requests runs; if that is no convex combination of sets that fit, some prices c of requests tell:
no set that fits has more than L of them, and the mean has.  Prices are sought by a small linear
program that is told of the sets that exceed 1, one after another; then they are made integers,
and lifted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.request_types import RequestTypes
from kvopt.solver.arrays import FloatArray
from kvopt.solver.highs import quiet_highs
from kvopt.solver.relaxations.grid_program.families import Knapsack

__all__ = ["Items", "Pool", "violated_knapsack"]

Steps = tuple[tuple[int, int, int], ...]
"""(k, j, c), ascending: a request of type k counts c from its round j on, until the next step."""

DENOMINATORS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 24, 30, 36)
"""Counts are the prices times one of these, rounded down."""

CELLS = 4_096
"""Memory is divided into so many cells while prices are sought."""

ENOUGH = 0.8
"""Prices are good enough if they are violated by so much of what any could be violated."""

POOLED = 300
"""So many sets are kept for the next knots."""

PASSES = 200
"""The linear program is told of so many sets at most."""


class Items(NamedTuple):
    """What runs around a knot on average, type by type, by round.

    Attributes
    ----------
    types
        Number of the type of each, ascending, shape (items,).
    rounds
        Its round at least, ascending within a type.
    masses
        How many of it run.
    """

    types: IntArray
    rounds: IntArray
    masses: FloatArray

    def tokens(self, types: RequestTypes) -> IntArray:
        """Return how many tokens each holds at least."""
        found: IntArray = types.prompts[self.types] + self.rounds
        return found


class Pool:
    """Sets of requests that fit, met lately: what is found at a knot helps at the next ones.

    Attributes
    ----------
    sets
        How many of each type are in each, the last ones last, shape (sets, types).
    """

    def __init__(self, types: RequestTypes) -> None:
        self.sets = np.zeros((0, len(types)), dtype=np.int64)

    def add(self, items: Items, chosen: IntArray, types: int) -> None:
        """Keep a set of so many of each item; there are so many types."""
        counts = np.bincount(items.types, chosen, types).astype(np.int64)
        self.sets = np.concatenate((self.sets[1 - POOLED :], counts[None, :]))

    def fitting(self, items: Items, needs: IntArray, room: int) -> IntArray:
        """Return those that fit if each type has its first item, shape (sets, items)."""
        first = np.diff(items.types, prepend=-1) > 0
        found = np.unique(np.where(first, self.sets[:, items.types], 0), axis=0)
        kept: IntArray = found[(found @ needs <= room) & found.any(axis=1)]
        return kept


def violated_knapsack(
    memory: int, types: RequestTypes, items: Items, violation: float, pool: Pool
) -> Knapsack | None:
    """Return a knapsack row that items violate by a part of its limit; None if none was found.

    Parameters
    ----------
    memory
        M (tokens).
    types
        The types of the instance.
    items
        What runs.
    violation
        It must be violated by more than this part.
    pool
        Sets that are known, and those that will be.
    """
    if not len(items.types):
        return None
    last = np.append(np.diff(items.types) > 0, True)  # of its type
    if int(items.tokens(types)[last] @ types.counts[items.types[last]]) <= memory:
        return None
    prices = _prices(memory, types, items, violation, pool)
    if prices is None:
        return None
    best, found = 1 + violation, None
    for denominator in DENOMINATORS:
        counts = np.floor(prices * denominator + 1e-9).astype(np.int64)
        steps, top = _steps(items, counts), 2 * denominator
        limit = _most(memory, types, steps, top)
        if limit < top and float(counts @ items.masses) > best * limit:
            best, found = float(counts @ items.masses) / limit, (steps, limit)
    if found is None:
        return None
    prompts, outputs = types.prompts.tolist(), types.outputs.tolist()
    lifted = [(prompts[k], outputs[k], j, c) for k, j, c in _lifted(memory, types, *found)]
    return Knapsack(found[1], tuple(sorted(lifted)))


def _prices(
    memory: int, types: RequestTypes, items: Items, violation: float, pool: Pool
) -> FloatArray | None:
    """Return prices of items of which no set that fits has more than 1, and the items have more.

    The sets that are known give prices of which the items have most, and these a set that has
    too much of them, until no set has much more.
    """
    size = -(-memory // CELLS)
    room, needs = memory // size, items.tokens(types) // size
    highs = quiet_highs()
    n = len(needs)
    highs.addVars(n, np.zeros(n), np.ones(n))
    highs.changeColsCost(n, np.arange(n, dtype=np.int32), -items.masses)

    def tell(some: IntArray) -> None:
        (there,) = np.nonzero(some)
        highs.addRow(-np.inf, 1.0, len(there), there.astype(np.int32), some[there].astype(float))

    for some in pool.fitting(items, needs, room):
        tell(some)
    for _ in range(PASSES):
        highs.run()
        prices = np.clip(np.array(highs.getSolution().col_value), 0.0, 1.0)
        had = float(prices @ items.masses)
        if had <= 1 + violation:
            return None
        some, most = _dearest(room, types, items, needs, prices)
        if had / most - 1 >= ENOUGH * (had - 1):
            found: FloatArray = prices / max(most, 1.0)
            return found
        pool.add(items, some, len(types))
        tell(some)
    return None


def _dearest(
    room: int, types: RequestTypes, items: Items, needs: IntArray, prices: FloatArray
) -> tuple[IntArray, float]:
    """Return how many of each item are in a dearest set that fits, and how much it has.

    What else fits beside it joins, though it has no price yet.
    """
    best = np.zeros(room + 1)
    taken = []
    for group in np.split(np.arange(len(needs)), np.flatnonzero(np.diff(items.types)) + 1):
        count = int(types.counts[items.types[group[0]]])
        for _ in range(min(count, room // max(1, int(needs[group[0]])))):
            after, choice = best, np.full(room + 1, -1)
            for i in group[(needs[group] <= room) & (prices[group] > 1e-9)].tolist():
                there = np.full(room + 1, -1.0)
                there[needs[i] :] = best[: room + 1 - needs[i]] + prices[i]
                better = there > after + 1e-12
                after = np.where(better, there, after)
                choice[better] = i
            best = after
            taken.append(choice)
    left, chosen = room, np.zeros(len(needs), dtype=np.int64)
    spare = types.counts.copy()
    for choice in reversed(taken):
        if (i := int(choice[left])) >= 0:
            chosen[i] += 1
            spare[items.types[i]] -= 1
            left -= int(needs[i])
    for i in np.argsort(-items.masses).tolist():
        while needs[i] <= left and spare[items.types[i]]:
            chosen[i] += 1
            spare[items.types[i]] -= 1
            left -= int(needs[i])
    return chosen, float(best[room])


def _steps(items: Items, counts: IntArray) -> Steps:
    """Return the steps of integer counts, which never fall within a type."""
    found: list[tuple[int, int, int]] = []
    for k, j, c in zip(items.types.tolist(), items.rounds.tolist(), counts.tolist(), strict=True):
        same = bool(found) and found[-1][0] == k
        if c > (found[-1][2] if same else 0):
            found.append((k, j, c))
    return tuple(found)


def _most(memory: int, types: RequestTypes, steps: Iterable[tuple[int, int, int]], top: int) -> int:
    """Return how much a set that fits counts at most, or `top` if that is less."""
    return int(np.searchsorted(_least_tokens(memory, types, steps, top), memory, "right")) - 1


def _least_tokens(
    memory: int, types: RequestTypes, steps: Iterable[tuple[int, int, int]], top: int
) -> IntArray:
    """Return how few tokens hold who count 0, 1, ..., top or more, shape (top + 1,)."""
    options: dict[int, list[tuple[int, int]]] = {}
    for k, j, c in steps:
        options.setdefault(k, []).append((int(types.prompts[k]) + j, c))
    least = np.full(top + 1, memory + 1, dtype=np.int64)
    least[0] = 0
    for k, known in options.items():
        for _ in range(min(int(types.counts[k]), memory // known[0][0])):
            after = least
            for tokens, c in known:
                moved = np.zeros_like(least)
                moved[c:] = least[: max(0, top + 1 - c)]
                after = np.minimum(after, moved + tokens)
            least = after
    return least


def _lifted(memory: int, types: RequestTypes, steps: Steps, limit: int) -> Steps:
    """Return lifted steps, of which no set that fits has more than the limit either.

    Each request that has none like it gets as much as those steps allow that are known, those with
    the most tokens first.
    """
    known: dict[int, list[tuple[int, int, int]]] = {}
    for step in steps:
        known.setdefault(step[0], []).append(step)
    for k in np.argsort(-types.prompts - types.outputs, kind="stable").tolist():
        prompt, output = int(types.prompts[k]), int(types.outputs[k])
        if types.counts[k] > 1 or prompt + output > memory:
            continue
        others = [step for kind, each in known.items() if kind != k for step in each]
        least = _least_tokens(memory, types, others, limit)
        # Beside a request in its round j others have room for M - s - j tokens.
        rounds = np.arange(1, output + 1)
        counts = limit + 1 - np.searchsorted(least, memory - prompt - rounds, "right")
        firsts = np.flatnonzero(np.diff(counts, prepend=0))
        if len(firsts):
            known[k] = [(k, int(rounds[i]), int(counts[i])) for i in firsts]
    return tuple(step for k in sorted(known) for step in known[k])
