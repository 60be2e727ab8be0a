"""Coarse batches: what running requests hold at least, seen in every g-th round.

A request is known by its prompt and by how many looks it has been through. Each type of request has
two *variants*, as a look more or less sees it (proofs/text/coarse_batch_state.md, lemma 2).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.arrays import Int32Array
from kvopt.solver.relaxations.batch_state.states import BatchStates, Members, members_of
from kvopt.solver.sizes import longest_outputs

__all__ = ["CoarseBatchStates", "Variants", "variants_of"]


class Variants(NamedTuple):
    """The variants that some look sees, by type, the short one first."""

    type: IntArray
    """The type of request, shape (variants,)."""
    long: IntArray
    """1 for the long one, 0 for the short one, shape (variants,)."""
    looks: IntArray
    """How many looks see it, at least 1, shape (variants,)."""
    own: IntArray
    """The room that a completion needs (tokens), shape (variants,)."""
    each: IntArray
    """The room that it needs beside for each request that runs (tokens), shape (variants,)."""
    counts: IntArray
    """How many requests of how many shifts it stands for, shape (variants,)."""


class CoarseBatchStates(BatchStates):
    """All coarse batches of an instance, by ascending number of running requests.

    Parameters
    ----------
    instance
        The instance; its releases play no part.
    grid
        The distance of the looks, g >= 1 (rounds).

    Attributes
    ----------
    variants
        What completes.
    choices
        Which variants a completion of each class may be of, filled up with the number of
        variants, shape (classes, most).  The classes are the shapes of `table`: completions that
        take away the same tokens, beside as many others, with as much memory left.
    first
        The first look at which each batch may be seen, shape (states,).
    """

    def __init__(self, instance: Instance, grid: int) -> None:
        self.grid = grid
        self.variants = variants_of(instance, grid)
        super().__init__(instance)
        self.first = self._first_looks()
        classes, self.choices = self._classes()
        self.table = self.table._replace(shape=classes)

    @property
    def levels(self) -> IntArray:
        """Where the batches of 0, 1, 2, ... who run begin, and their number."""
        return np.array(self._bounds)

    def to_check(self, last: Int32Array) -> tuple[int, int]:
        """Return how many steps and bytes of its budget the checker takes, or a little more.

        Parameters
        ----------
        last
            The last look at which each batch lives, shape (states,).
        """
        table = self.table
        looks = np.maximum(last.astype(np.int64) - self.first + 1, 0)
        starts = np.bincount(table.admitted[table.admitted >= 0], minlength=len(self))
        width = 5 + 2 * (np.diff(table.first) + starts)
        sizes = np.diff(self.levels)
        running = np.arange(len(sizes))
        groups = (running[table.running] * (1 + self.first.max()) + self.first) * 10**6 + width
        number = 2 * len(np.unique(groups[looks > 0]))
        rooms = len(self._members.tokens) * len(sizes) * self.instance.memory
        rooms = min(rooms, len(table.completed))  # for which a completion is looked up
        steps = (sizes * (60 + 12 * running)).sum() + (20 * (looks > 0) + looks * width).sum()
        steps += (20 + 20 * number + 2 * len(self.variants.type)) * int(last.max()) + 60 * rooms
        held = ((looks > 0) * (60 + 9 * width)).sum() + (10 * sizes * running).max()
        return int(steps), int(held) + 70 * len(self) + 300 * rooms

    def _all_members(self) -> Members:
        """Return the marks; what completes with one has its number as a shape."""
        grid, variants = self.grid, self.variants
        prompts = self.types.prompts[variants.type]
        held = prompts + 1 + grid * (variants.looks - 1)
        marks, index = np.unique(np.stack((held, prompts)), axis=1, return_inverse=True)
        self._mark = index.reshape(-1)
        shape_of = {(b, s): k for k, (b, s) in enumerate(marks.T.tolist())}
        looks = {s: -(-o // grid) for s, o in longest_outputs(self.instance).items()}
        return members_of(looks, grid, shape_of)

    def _first_looks(self) -> Int32Array:
        """Return the first look at which each batch may be seen."""
        looks = 1 + (self._members.tokens - self._members.prompt - 1) // self.grid
        first = np.ones(len(self), dtype=np.int32)
        for level in self._levels():
            first[level] = np.maximum(first[self._parent[level]], looks[self._last[level]])
        return first

    def _classes(self) -> tuple[Int32Array, IntArray]:
        """Return the class of each completion, and the variants that each class may be of."""
        table, variants = self.table, self.variants
        room = np.full(len(self), self.instance.memory)
        for level in self._levels():
            room[level] = room[self._parent[level]] - self._members.tokens[self._last[level]]
        before = np.repeat(np.arange(len(self)), np.diff(table.first))
        running = table.running[before].astype(np.int64)
        enough = (running + 1) * (self.grid - 1)  # for every variant
        left = np.minimum(room[before], enough)
        sizes = (1 + int(running.max(initial=0)), 1 + int(left.max(initial=0)))
        keys = (table.shape.astype(np.int64) * sizes[0] + running) * sizes[1] + left
        distinct, index = np.unique(keys, return_inverse=True)
        marks, others = np.divmod(distinct, sizes[0] * sizes[1])
        beside, left = np.divmod(others, sizes[1])
        of_mark = [np.flatnonzero(self._mark == mark) for mark in range(self._mark.max() + 1)]
        choices = []
        for mark, number, tokens in zip(
            *map(np.ndarray.tolist, (marks, beside, left)), strict=True
        ):
            those = of_mark[mark]
            needed = variants.own[those] + number * variants.each[those]
            choices.append(those[needed <= tokens])
        most = max(map(len, choices), default=0)
        filled = np.full((len(choices), most + 1), len(variants.type))
        for row, chosen in zip(filled, choices, strict=True):
            row[: len(chosen)] = chosen
        return index.astype(np.int32), filled


def variants_of(instance: Instance, grid: int) -> Variants:
    """Return the variants that some look sees, for looks in every `grid`-th round."""
    types = instance.request_types()
    looks, rest = np.divmod(types.outputs, grid)
    kind, long = np.nonzero(np.stack((looks > 0, rest > 0), axis=1))
    rest = rest[kind]
    return Variants(
        kind,
        long,
        looks[kind] + long,
        np.where(long, rest - 1, grid - 1),
        np.where(long, 0, rest),
        types.counts[kind] * np.where(long, rest, grid - rest),
    )
