"""Blocks of types: a partition into small graphs, linked by the duals of the memory rows.

Where even few types have too many profiles, they are partitioned into blocks.  Each block has the
whole memory to itself, and a graph of its own; that all together use no more than the memory is
relaxed, too: a token in use in round r costs q_r >= 0, and M q_r is paid back (derived:
proofs/text/demand_duals.md, theorem 6).  The q_r are the duals of the linking constraint, the
memory rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.request_types import RequestTypes
from kvopt.solver.arrays import FloatArray
from kvopt.solver.params import DemandDualParams
from kvopt.solver.relaxations.profile_graph import number_of_sets

__all__ = ["Block", "LinkingDuals", "Partition", "partition"]

Block = tuple[int, ...]
"""The types of a block, by their numbers in `RequestTypes`."""

Partition = tuple[Block, ...]


def partition(
    instance: Instance, most_sets: int, params: DemandDualParams | None = None
) -> Partition | None:
    """Partition the types into few blocks of similar requests, each with few enough profiles.

    Parameters
    ----------
    instance
        The instance.
    most_sets
        A block is too large with more sets of requests that can run together.
    params
        The tuning numbers.

    Returns
    -------
    tuple of tuples, or None
        The types of each block, the block of the smallest requests first; None if there is no
        such partition, or more blocks than pay.
    """
    params = params or DemandDualParams()
    types = instance.request_types()
    if len(types) > params.most_types or len(instance) > params.most_requests:
        return None

    def fits(block: Block) -> bool:
        return number_of_sets(instance, block, most_sets, params) < math.inf

    blocks: list[Block] = []
    for k in np.argsort(-types.areas, kind="stable").tolist():
        if blocks and fits((k, *blocks[0])):
            blocks[0] = (k, *blocks[0])
        elif fits((k,)):
            blocks.insert(0, (k,))
        else:
            return None
    pays = len(instance) >= params.block_requests_per_type * len(types)
    return tuple(blocks) if len(blocks) == 1 or pays else None


class LinkingDuals:
    """Duals of the memory rows, piecewise linear in the round between a few knots.

    With one block there are none: nothing needs to be linked.

    Parameters
    ----------
    types
        The types of the instance.
    blocks
        The types of each block.
    first_demand_duals
        A first guess of the demand duals (rounds), shape (types,).
    params
        The tuning numbers.

    Attributes
    ----------
    knots
        The rounds of the knots, not necessarily whole, shape (values + 1,); there is no dual at
        the last one.
    first_values
        A first guess of the values at the knots (rounds per token), shape (values,).
    unit
        What counts as one round in a box of duals (rounds per token).
    """

    def __init__(
        self,
        types: RequestTypes,
        blocks: Partition,
        first_demand_duals: FloatArray,
        params: DemandDualParams,
    ) -> None:
        self._prompts, self._outputs = types.prompts, types.outputs
        self.unit = 1 / int(types.areas.min())
        self.knots: FloatArray = np.zeros(1)
        self.first_values: FloatArray = np.zeros(0)
        hats = np.zeros((0, 1))
        if early := [k for block in blocks[:-1] for k in block]:
            # Types before the last block should not pay long after the last of them has, so a
            # token then costs what makes up for waiting.
            pays = np.maximum(1.0, (first_demand_duals - types.outputs)[early])
            number = params.linking_knots
            self.knots = params.linking_reach * pays.max() * np.linspace(0, 1, number + 1) ** 2
            each = (pays[:, None] - self.knots[:-1]) / types.areas[early, None]
            self.first_values = np.maximum(0.0, each.max(axis=0))
            rounds = np.arange(int(self.knots[-1]) + 1)
            hats = np.array([np.interp(rounds, self.knots, one) for one in np.eye(number + 1)[:-1]])
        self._hats = hats

    def __len__(self) -> int:
        return len(self._hats)

    def by_round(self, values: IntArray) -> IntArray:
        """Return the dual of the memory in round r at place r, up to the last that is not 0.

        Parameters
        ----------
        values
            The values at the knots (1 / SCALE), shape (len(self),).
        """
        if not len(self):
            return np.zeros(1, dtype=np.int64)
        rounds: IntArray = np.floor(values @ self._hats).astype(np.int64)
        rounds[0] = 0
        return rounds

    def use_costs(self, by_round: IntArray, starts: IntArray) -> IntArray:
        """Return what the memory of a run of each type costs (1 / SCALE), shape (times, types).

        Parameters
        ----------
        by_round
            The dual of the memory in each round.
        starts
            The times of the starts (rounds), shape (times, 1).
        """
        sums, weighted = np.cumsum(by_round), np.cumsum(by_round * np.arange(len(by_round)))
        begin = np.minimum(starts, len(by_round) - 1)
        end = np.minimum(starts + self._outputs, len(by_round) - 1)
        costs: IntArray = (self._prompts - starts) * (sums[end] - sums[begin])
        costs += weighted[end] - weighted[begin]
        return costs

    def supergradient(self, runs: Sequence[tuple[int, IntArray]], memory: int) -> FloatArray:
        """Return the change of the bound with each value: what is used beyond the memory.

        Parameters
        ----------
        runs
            Times, and how many of each type start then, shape (types,).
        memory
            M (tokens).
        """
        if not len(self):
            return np.zeros(0)
        use = np.zeros(self._hats.shape[1])
        for t, group in runs:
            for k in np.flatnonzero(group).tolist():
                ages = np.arange(1, min(int(self._outputs[k]), len(use) - 1 - t) + 1)
                use[t + ages] += group[k] * (self._prompts[k] + ages)
        use[1:] -= memory
        excess: Any = self._hats @ use
        return np.asarray(excess, dtype=np.float64)
