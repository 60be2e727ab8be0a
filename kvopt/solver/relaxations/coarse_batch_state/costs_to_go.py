"""Costs-to-go of coarse batches for some duals, and how duals carry over to a finer grid.

All shifts of the grid have the same cheapest path; g times its cost, plus the duals of all variants
of all requests, is a lower bound (proofs/text/coarse_batch_state.md, theorem 4).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kvopt.model.instance import IntArray, Request
from kvopt.solver.arrays import FloatArray
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo
from kvopt.solver.relaxations.batch_state.kernel import NEVER, OVERFLOW, Room
from kvopt.solver.relaxations.coarse_batch_state.kernel import Functions, Gains, Lives, Seen
from kvopt.solver.relaxations.coarse_batch_state.states import CoarseBatchStates
from kvopt.solver.relaxations.fluid_duals import fluid_duals

__all__ = ["CoarseCostsToGo", "first_duals", "refined"]

SCALE = 1 << 8
"""Duals are multiples of 1 / SCALE steps of the grid."""


class CoarseCostsToGo(CostsToGo):
    """The costs-to-go of all coarse batches that live, for some duals, one for each variant.

    Parameters
    ----------
    states
        The coarse batches.
    horizon
        No dual exceeds this (steps of the grid).
    functions
        Compiled or plain functions.
    """

    def __init__(self, states: CoarseBatchStates, horizon: int, functions: Functions) -> None:
        size = len(states)
        self.states: CoarseBatchStates = states
        self.horizon = horizon
        self.scale = SCALE
        self.duals = np.zeros(len(self.counts), dtype=np.int64)
        self.room = Room(np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32))
        self._coarse = functions
        last = np.empty(size, dtype=np.int32)
        self._lives = Lives(states.first, last, states.levels)
        self._living = _no_batches(0)
        self._chosen = _no_batches(0)
        self._seen = self._living
        self._rows = np.empty((2, size), dtype=np.int32)
        self._take(self.duals)

    @property
    def counts(self) -> IntArray:
        """How many requests have each dual, shape (variants,)."""
        return self.states.variants.counts

    @property
    def size(self) -> int:
        """How many batches live, over all looks."""
        return int(self._living.begins[-1])

    @property
    def looks(self) -> int:
        """The last look after which a completion pays."""
        return max(0, -(-int(self.duals.max()) // self.scale) - 1)

    def settle(self, duals: IntArray) -> int | None:
        """Take duals over, find out which batches live, and compute their costs-to-go."""
        self._take(duals)
        begins = np.empty(self.looks + 2, dtype=np.int64)
        size = self._coarse.find_lives(self.states.table, self._gains, self._lives, begins)
        if size > len(self._living.batch):
            self._living = _no_batches(size + size // 8)
        self._seen = self._living = self._living._replace(begins=begins)
        self._coarse.list_living(self._lives, self._living)
        return self._filled()

    def choose(self, margin: int, most: int) -> bool:
        """Leave out the batches through which paths cost more than others."""
        if len(self._chosen.batch) != most:
            self._chosen = _no_batches(most)
        self._chosen = self._chosen._replace(begins=np.empty_like(self._living.begins))
        args = (self._gains, self._living, self._cheapest + margin, self._chosen)
        return self._coarse.choose_seen(self.states.table, *args) >= 0

    def settle_chosen(self, duals: IntArray) -> int | None:
        """Do as `settle`, for paths through the batches that were chosen; this is no bound."""
        self._take(duals)
        self._seen = self._chosen
        return self._filled()

    def completions(self, now: int = 0, state: int = 0) -> IntArray:
        """Return how often each variant completes on the cheapest paths of all shifts."""
        done = np.zeros(len(self._best), dtype=np.int64)
        args = (self._gains, self._seen, self.room, self._rows[0], done)
        self._coarse.follow_seen(self.states.table, *args)
        each = np.bincount(self._best, done, len(self.duals) + 1)[:-1]
        return self.states.grid * each.astype(np.int64)

    def can_be_checked(self, most_steps: int, most_bytes: int) -> bool:
        """Tell whether the checker can do with so many steps and bytes, with the settled duals."""
        steps, size = self.states.to_check(self._lives.last)
        return steps <= most_steps and size <= most_bytes

    def content(self, nodes: int = 0) -> dict[str, Any]:
        """Return the object "proof" of a certificate."""
        states, variants, types = self.states, self.states.variants, self.states.types
        rows = np.zeros((len(types), 4), dtype=np.int64)
        rows[:, 0], rows[:, 1] = types.prompts, types.outputs
        rows[variants.type, 2 + variants.long] = self.duals
        return {
            "rule": "coarse-batch-state",
            "grid": states.grid,
            "scale": self.scale,
            "duals": sorted(rows.tolist()),
        }

    def _take(self, duals: IntArray) -> None:
        self.duals = np.minimum(duals, self.scale * self.horizon)
        choices, filled = self.states.choices, np.append(self.duals, -NEVER)
        self._best: IntArray = choices[np.arange(len(choices)), filled[choices].argmax(axis=1)]
        self._gains = Gains(filled[self._best], self.scale)

    def _filled(self) -> int | None:
        args = (self._gains, self._seen, *self._rows)
        return self._value(self._coarse.fill_seen(self.states.table, *args))

    def _value(self, cheapest: int) -> int | None:
        if cheapest == OVERFLOW:
            return None
        self._cheapest = int(cheapest)
        return self.states.grid * self._cheapest + self.demand()


def _no_batches(room: int) -> Seen:
    """Return room for so many batches of all looks."""
    empty = np.zeros(2, dtype=np.int64)
    return Seen(empty, np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32))


def first_duals(states: CoarseBatchStates) -> FloatArray:
    """Return a first guess of the duals (steps of the grid), shape (variants,)."""
    grid, types, variants = states.grid, states.types, states.variants
    prompts = np.maximum(types.prompts + 1, grid) // grid - 1
    kinds, index = np.unique(
        np.stack((prompts[variants.type], variants.looks)), axis=1, return_inverse=True
    )
    counts = np.bincount(index.reshape(-1), variants.counts / grid)
    requests = [Request(s, q) for s, q in kinds.T.tolist()]
    memory = max(states.instance.memory // grid, *(r.peak for r in requests), 1)
    return fluid_duals(requests, counts.tolist(), memory)[index.reshape(-1)]


def refined(coarse: CoarseBatchStates, duals: FloatArray, fine: CoarseBatchStates) -> FloatArray:
    """Return duals for a grid from those of another one.

    What a start may cost, w - q, times the grid, is taken to be the same for both variants: the
    mean over all shifts.

    Parameters
    ----------
    coarse, fine
        The batches of the same instance on both grids.
    duals
        The duals of the first (steps of its grid), shape (variants,).

    Returns
    -------
    ndarray of float64, shape (variants of the other,)
    """
    old, new = coarse.variants, fine.variants
    starts = coarse.grid * (duals - old.looks) * old.counts
    weights = np.bincount(old.type, old.counts, len(coarse.types))
    means = np.bincount(old.type, starts, len(coarse.types)) / np.maximum(weights, 1)
    return means[new.type] / fine.grid + new.looks
