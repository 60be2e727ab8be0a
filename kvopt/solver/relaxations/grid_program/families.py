"""Families of rows of the time-indexed program: the same row, at any round.

A row of a family at round r gives the starts that are in their j-th round then, t = r - j, the
coefficient a[k,j], and limits the sum.  A family is one of

- memory: a = s + j, at most M;
- window covers of a level m: a = 1 for j <= d_k, at most m, at time r - 1;
- first-completion rows of some heights: proofs/text/first_completion.md.

All numbers are integers; what a certificate claims is computed from them, never from a solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.window_covers import cover_windows

__all__ = ["Families", "Family", "Heights", "coefficients"]

Heights = tuple[tuple[int, int], ...]
"""Steps (x, H) of the heights of first-completion rows: H from x rounds to go on."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Rows that differ in their round only.

    Parameters
    ----------
    values
        Coefficient of each type in each of its rounds 1..o, type by type, shape (places,).
    limit
        Right-hand side.
    level
        Level of window covers, else 0.
    heights
        Steps of first-completion rows, else empty.
    """

    values: IntArray
    limit: int
    level: int = 0
    heights: Heights = ()
    smooth: bool = False


class Families:
    """The families of one instance, the memory rows first.

    Parameters
    ----------
    instance
        The instance.
    levels
        Levels of window covers, each a family unless its windows are all empty.

    Attributes
    ----------
    known
        The families.
    first
        Place of the first round of each type, shape (types,).
    types, ages
        Type and round of each place, shape (places,).
    """

    def __init__(self, instance: Instance, levels: Sequence[int], spacing: int) -> None:
        self.instance = instance
        self.spacing = spacing
        self.reach = reach = spacing - 1
        types = instance.request_types()
        self.outputs, self.prompts = types.outputs, types.prompts
        lengths = self.outputs + 2 * reach
        self.first = np.cumsum(lengths) - lengths + reach  # place of round 1
        self.types = np.repeat(np.arange(len(types)), lengths)
        self.ages = np.arange(len(self.types)) - self.first[self.types] + 1
        self.inside = (self.ages >= 1) & (self.ages <= self.outputs[self.types])
        self.held = self.prompts[self.types] + self.ages
        self.to_go = self.outputs[self.types] - self.ages
        self.known = [self._family(self.held, instance.memory, smooth=True)]
        for level in levels:
            windows = np.array(cover_windows(instance, level))
            if windows.max() > 0:
                inside = (self.ages <= windows[self.types]).astype(np.int64)
                self.known.append(self._family(inside, level, level=level))

    @cached_property
    def stack(self) -> IntArray:
        """Coefficients of all families, shape (families, places)."""
        return np.stack([family.values for family in self.known])

    @cached_property
    def limits(self) -> IntArray:
        """Right-hand sides of all families, shape (families,)."""
        return np.array([family.limit for family in self.known])

    def _family(
        self, values: IntArray, limit: int, level: int = 0, heights: Heights = (), smooth=False
    ) -> Family:
        """Return a family from its coefficients."""
        values = np.where(self.inside, values, 0)
        if smooth:
            # Types are 2 * reach places apart, so none meets another one's.
            hat = self.spacing - np.abs(np.arange(-self.reach, self.spacing))
            values = np.convolve(values, hat)[self.reach : len(values) + self.reach]
            limit *= self.spacing**2
        return Family(values, limit, level, heights, smooth)

    def add(self, heights: Heights) -> int:
        """Add first-completion rows; return their number."""
        values = coefficients(self.instance.memory, self.held, self.to_go, heights)
        limit = self.instance.memory * heights[-1][1]
        self.known.append(self._family(values, limit, heights=heights, smooth=True))
        self.__dict__.pop("stack", None)
        self.__dict__.pop("limits", None)
        return len(self.known) - 1


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


def written(
    families: Sequence[Family], rows: Sequence[tuple[int, int, int]], spacing: int
) -> dict[str, Any]:
    """Return rows (family, round, dual) as a leaf of a certificate's tree without branches."""
    by_family: dict[int, list[tuple[int, int]]] = {}
    for family, r, dual in sorted(rows):
        if dual:
            by_family.setdefault(family, []).append((r, dual))
    covers: list[list[int]] = []
    more = []
    for number, duals in by_family.items():
        family = families[number]
        if family.smooth:
            heights = list(map(list, family.heights)) or [[0, 1]]
            more.append({"heights": heights, "knots": knots(duals, spacing)})
        else:
            covers += [[family.level, r - 1, dual] for r, dual in duals]
    return {"memory": [], "covers": sorted(covers), "branch": [], "first_completion": more}


def knots(duals: Sequence[tuple[int, int]], spacing: int) -> list[list[int]]:
    """Return the knots of the sum of hats, dual * (spacing - |r - at|) for each (at, dual)."""
    found: dict[int, int] = {}
    for at, dual in duals:
        found[at] = spacing * dual
        for side in (at - spacing, at + spacing):
            found.setdefault(side, 0)
    if 0 in found:  # rounds begin with 1
        del found[0]
        found[1] = found[spacing] // spacing
    return [[at, dual] for at, dual in sorted(found.items())]
