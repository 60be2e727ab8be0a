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
from kvopt.solver.relaxations.batch_state.kernel import NEVER, OVERFLOW, Charges
from kvopt.solver.relaxations.batch_state.search_kernel import Functions
from kvopt.solver.relaxations.coarse_batch_state.states import CoarseBatchStates
from kvopt.solver.relaxations.fluid_duals import fluid_duals

__all__ = ["CoarseCostsToGo", "first_duals", "refined"]

SCALE = 1 << 8
"""Duals are multiples of 1 / SCALE steps of the grid."""


class CoarseCostsToGo(CostsToGo):
    """The costs-to-go of all coarse batches for some duals, one for each variant.

    Parameters
    ----------
    states
        The coarse batches.
    horizon
        No dual exceeds this (steps of the grid); from then on costs-to-go are 0.
    functions
        Compiled or plain functions.
    """

    states: CoarseBatchStates

    def __init__(self, states: CoarseBatchStates, horizon: int, functions: Functions) -> None:
        super().__init__(states, horizon, functions, SCALE)

    @property
    def counts(self) -> IntArray:
        """How many requests have each dual, shape (variants,)."""
        return self.states.variants.counts

    def completions(self, now: int = 0, state: int = 0) -> IntArray:
        """Return how often each variant completes on the cheapest paths of all shifts."""
        if now == 0 and self._cheapest > 0:  # the empty path costs less
            return np.zeros(len(self.duals), dtype=np.int64)
        return self.states.grid * super().completions(now, state)

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

    def _charges_of(self, duals: IntArray) -> Charges:
        """Return what completions cost at each time: those of each class by its best variant."""
        choices, filled = self.states.choices, np.append(duals, -NEVER)
        best = choices[np.arange(len(choices)), filled[choices].argmax(axis=1)]
        times = self.scale * np.arange(len(self.values))
        cost = np.minimum(times[:, None] - filled[best], NEVER)
        variant = np.minimum(best, len(duals) - 1)  # any will do where none may complete
        return Charges(cost, np.ascontiguousarray(np.broadcast_to(variant, cost.shape)), 0)

    def _value(self, cheapest: int) -> int | None:
        if cheapest == OVERFLOW:
            return None
        self._cheapest = int(cheapest)
        return self.states.grid * min(0, self._cheapest) + self.demand()


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
