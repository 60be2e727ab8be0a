"""Families of rows of the time-indexed program: the same row, at any round.

A row of a family at round r gives the starts that are in their j-th round then, t = r - j, the
coefficient a[k,j], and limits the sum.  A family is one of

- memory: a = s + j, at most M;
- window covers of a level m: a = 1 for j <= d_k, at most m, at time r - 1;
- first-completion rows of some heights: proofs/text/first_completion.md;
- knapsack rows: proofs/text/knapsack_rows.md.

All numbers are integers; what a certificate claims is computed from them, never from a solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.window_covers import cover_windows

__all__ = ["Families", "Family", "Heights", "Knapsack", "coefficients", "counts_of"]

Heights = tuple[tuple[int, int], ...]
"""Steps (x, H) of the heights of first-completion rows: H from x rounds to go on."""


class Knapsack(NamedTuple):
    """Knapsack rows: what requests that fit in memory together count at most.

    Attributes
    ----------
    limit
        That.
    steps
        (s, o, j, c), ascending: a request with prompt s and output o counts c from its round j on,
        until the next step; c never falls.
    """

    limit: int
    steps: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Rows that differ in their round only.

    Parameters
    ----------
    values
        Coefficient of each type in each round, type by type, shape (places,).
    limit
        Right-hand side.
    level
        Level of window covers, else 0.
    heights
        Steps of first-completion rows, else empty.
    knapsack
        Knapsack rows, else None.
    """

    values: IntArray
    limit: int
    level: int = 0
    heights: Heights = ()
    knapsack: Knapsack | None = None


class Row(NamedTuple):
    """A sum of rows of a family with the weights of a hat, or one row if it has no neighbours.

    Attributes
    ----------
    family
        Number of the family.
    left, right
        Distance to the neighbours (rounds); 0 for one row.
    """

    family: int
    left: int
    right: int


class Families:
    """The families of one instance, the memory rows first.

    Parameters
    ----------
    instance
        The instance.
    levels
        Levels of window covers, each a family.
    widest
        The widest distance of knots (rounds).

    Attributes
    ----------
    known
        The families.
    kinds
        The kinds of rows that are used.
    reach
        A row may give coefficients to starts so many rounds outside of their run.
    first
        Place of the first round of each type, shape (types,).
    types, ages
        Type and round of each place, shape (places,); rounds 1 - reach .. o + reach.
    """

    def __init__(self, instance: Instance, levels: Sequence[int], widest: int) -> None:
        self.instance, self.widest = instance, widest
        types = instance.request_types()
        self.outputs, self.prompts = types.outputs, types.prompts
        self.reach = reach = widest - 1
        lengths = self.outputs + 2 * reach
        self.first = np.cumsum(lengths) - lengths + reach
        self.types = np.repeat(np.arange(len(types)), lengths)
        self.ages = np.arange(len(self.types)) - self.first[self.types] + 1
        self.inside = (self.ages >= 1) & (self.ages <= self.outputs[self.types])
        self.held = self.prompts[self.types] + self.ages
        self.to_go = self.outputs[self.types] - self.ages
        self.known = [Family(np.where(self.inside, self.held, 0), instance.memory)]
        for level in levels:
            windows = np.array(cover_windows(instance, level))
            inside = self.inside & (self.ages <= windows[self.types])
            self.known.append(Family(inside.astype(np.int64), level, level=level))
        self.kinds: dict[Row, int] = {}
        self._stack = np.zeros((8, len(self.types)), dtype=np.int64)
        self.limits = np.zeros(0, dtype=np.int64)

    @property
    def stack(self) -> IntArray:
        """Coefficients of all kinds of rows, shape (kinds, places)."""
        return self._stack[: len(self.kinds)]

    def add(self, heights: Heights) -> int:
        """Add first-completion rows; return the number of the family."""
        values = coefficients(self.instance.memory, self.held, self.to_go, heights)
        limit = self.instance.memory * heights[-1][1]
        self.known.append(Family(np.where(self.inside, values, 0), limit, heights=heights))
        return len(self.known) - 1

    def add_knapsack(self, knapsack: Knapsack) -> int:
        """Add knapsack rows; return the number of the family."""
        values = np.zeros(len(self.types), dtype=np.int64)
        for k, first in enumerate(self.first.tolist()):
            prompt, output = int(self.prompts[k]), int(self.outputs[k])
            values[first : first + output] = counts_of(knapsack.steps, prompt, output)
        self.known.append(Family(values, knapsack.limit, knapsack=knapsack))
        return len(self.known) - 1

    def copied(self, family: Family, number: int) -> int:
        """Add a family of another grid, where it has some number; return its number here."""
        if family.knapsack is not None:
            return self.add_knapsack(family.knapsack)
        return self.add(family.heights) if family.heights else number

    def kind(self, row: Row) -> int:
        """Return the number of a kind of rows."""
        if row not in self.kinds:
            family, left, right = row
            values, limit = self.known[family].values, self.known[family].limit
            if left:
                values = smoothed(values, left, right, self.widest)
                limit *= int(self.hat(left, right).sum())
            number = len(self.kinds)
            if number == len(self._stack):
                self._stack = np.concatenate([self._stack, np.zeros_like(self._stack)])
            self._stack[number] = values
            self.limits = np.append(self.limits, limit)
            self.kinds[row] = number
        return self.kinds[row]

    def hat(self, left: int, right: int) -> IntArray:
        """Return the weights of the rounds 1 - left .. right - 1 from a knot."""
        up = np.arange(1, left) * (self.widest // left)
        down = np.arange(right, 0, -1) * (self.widest // right)
        return np.concatenate([up, down])


def smoothed(values: IntArray, left: int, right: int, widest: int) -> IntArray:
    """Return the sums of rows with the weights of a hat, place by place.

    A hat is the sum of three bends, U max(0, x + left) - (U + D) max(0, x) + D max(0, x - right)
    at x rounds from its knot, so sums of sums from the end give all places at once.  They may
    exceed 64 bits; as they wrap around, what is within them in the end is right.

    Parameters
    ----------
    values
        Coefficients of the rows of a family, shape (places,), so far apart from type to type that
        no hat meets two.
    left, right, widest
        Distance to the neighbours, each a divisor of the weight of the knot itself.
    """
    up, down = widest // left, widest // right
    padded = np.concatenate([np.zeros(left, np.int64), values, np.zeros(right, np.int64)])
    beyond = np.cumsum(np.cumsum(padded[::-1]))[::-1]  # sums of (j - a + 1) v[j] over j >= a
    at = np.append(beyond[1:], 0)  # sums of (j - a) v[j]
    n = len(values)
    found: IntArray = up * at[:n] - (up + down) * at[left : left + n] + down * at[left + right :]
    return found


def coefficients(memory: int, held: IntArray, to_go: IntArray, heights: Heights) -> IntArray:
    """Return the coefficients of first-completion rows.

    Parameters
    ----------
    memory
        M (tokens).
    held, to_go
        What requests hold (tokens), and how many rounds they have to go, same shape.
    heights
        The steps; the first one begins at 0.

    Returns
    -------
    ndarray of int64, shape of `held`
        max(0, min over steps with x <= r of (b + x) H - M (H_r - L)) for b tokens and r rounds.
    """
    least = np.full(held.shape, np.iinfo(np.int64).max)
    drop = np.zeros(held.shape, dtype=np.int64)
    for x, height in heights:
        there = to_go >= x
        least[there] = np.minimum(least, (held + x) * height)[there]
        drop[there] = memory * (height - heights[-1][1])
    return np.maximum(0, least - drop)


def counts_of(steps: Iterable[Sequence[int]], prompt: int, output: int) -> IntArray:
    """Return what a request counts in knapsack rows in its rounds 1, 2, ..., shape (output,)."""
    found = np.zeros(output, dtype=np.int64)
    for s, o, begin, count in steps:
        if (s, o) == (prompt, output):
            found[begin - 1 :] = count
    return found


def written(families: Families, rows: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    """Return rows (kind, round, dual) as a leaf of a certificate's tree without branches."""
    kinds = list(families.kinds)
    by_family: dict[int, list[tuple[int, Row, int]]] = {}
    for number, r, dual in rows:
        by_family.setdefault(kinds[number].family, []).append((r, kinds[number], dual))
    covers: list[list[int]] = []
    more, knapsacks = [], []
    for number, duals in sorted(by_family.items()):
        family = families.known[number]
        if family.level:
            covers += [[family.level, r - 1, dual] for r, _, dual in duals]
            continue
        dated = {"knots": knots(duals, families.widest)}
        if family.knapsack is not None:
            steps = list(map(list, family.knapsack.steps))
            knapsacks.append({"limit": family.limit, "steps": steps, **dated})
        else:
            more.append({"heights": list(map(list, family.heights)) or [[0, 1]], **dated})
    leaf = {"memory": [], "covers": sorted(covers), "branch": [], "first_completion": more}
    return leaf | ({"knapsacks": knapsacks} if knapsacks else {})


def knots(duals: Sequence[tuple[int, Row, int]], widest: int) -> list[list[int]]:
    """Return the knots of a sum of hats, each of `widest` times its dual at its knot."""
    found: dict[int, int] = {}
    for at, row, dual in duals:
        found[at] = widest * dual
        for side in (at - row.left, at + row.right):
            found.setdefault(side, 0)
        if at == row.left:  # rounds begin with 1
            found[1] = widest // row.left * dual
    found.pop(0, None)
    return [[at, dual] for at, dual in sorted(found.items())]
