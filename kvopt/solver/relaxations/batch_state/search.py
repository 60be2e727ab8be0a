"""Search for the cheapest schedule through batch states, bounded by costs-to-go.

Its nodes are (time, batch state, completions of each type); it leaves out those whose cost and
cost-to-go exceed a cutoff, so it either finds the cheapest schedule below the cutoff or proves
that there is none (derived: proofs/text/batch_state.md, theorem 6).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import Int32Array
from kvopt.solver.params import BatchStateParams
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo
from kvopt.solver.relaxations.batch_state.search_kernel import Demand, Pool, make_pool

__all__ = ["Found", "can_search", "place_values", "search"]


Watch = Callable[[int, Pool, int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found.

    Attributes
    ----------
    finished
        Whether it came to its end.
    starts
        Starts of the cheapest schedule below the cutoff (rounds), shape (n,), or None.
    nodes
        How many nodes it kept.
    """

    finished: bool
    starts: IntArray | None
    nodes: int


class _Layer(NamedTuple):
    """The nodes of one time."""

    state: Int32Array
    """Their batch states, shape (nodes,)."""
    parent: Int32Array
    """As in `Pool`, shape (nodes,)."""
    kept: IntArray | None
    """Those from which the search went on, if not all."""


def can_search(costs: CostsToGo) -> bool:
    """Tell whether the completions of all shapes fit into one integer."""
    most: int = math.prod((costs.states.shapes.counts + 1).tolist())
    return most < 1 << 62


def search(
    costs: CostsToGo,
    cutoff: int,
    stop: Stopping,
    width: int | None = None,
    params: BatchStateParams | None = None,
    watch: Watch | None = None,
) -> Found:
    """Look for the cheapest schedule that costs less than `cutoff`.

    Parameters
    ----------
    costs
        Costs-to-go, for any duals; see `can_search`.
    cutoff
        Only schedules are found whose total completion time is less than this (rounds).
    stop
        How long it may take; it is looked at once for each round of the schedule.
    width
        Keep only so many of the most promising nodes in each round; then a schedule may be
        found, but nothing is proved, and a search that left out any counts as unfinished.
    params
        Limits of memory; by default the usual ones.
    watch
        Called with each time, the nodes of that time, and their number.
    """
    return _Search(costs, cutoff, width, params or BatchStateParams(), watch).run(stop)


def place_values(counts: IntArray) -> IntArray:
    """Return the place value of the completions of each shape in `Pool.done`, shape (shapes,)."""
    return np.concatenate([[1], np.cumprod(counts[:-1] + 1)])


class _Search:
    """A search in progress: the layers of nodes of the times so far."""

    def __init__(
        self,
        costs: CostsToGo,
        cutoff: int,
        width: int | None,
        params: BatchStateParams,
        watch: Watch | None,
    ) -> None:
        counts = costs.states.shapes.counts
        place = place_values(counts)
        self.costs = costs
        self.width = width
        self.params = params
        self.watch = watch
        self.first_pool = 1 << (params.first_pool - 1).bit_length()
        self.demand = _demand(costs, place)
        self.latest = int(costs.states.types.releases.max())
        self.everyone = int((place * counts).sum())
        self.cutoff = costs.scale * (cutoff - 1) - costs.demand()
        self.beyond: Int32Array = np.zeros(len(costs.states), dtype=np.int32)
        self.layers: list[_Layer] = []
        self.end: tuple[int, int] | None = None

    def run(self, stop: Stopping) -> Found:
        """Go on from time to time until no nodes are left."""
        pool, size = make_pool(self.first_pool), 1
        pool.state[0] = pool.done[0] = pool.cost[0] = pool.parent[0] = 0
        nodes, whole = 0, True
        following: tuple[Pool, int] | None = pool, size
        while size > 0:
            following = self.complete(pool, size) if self.layers else (pool, size)
            if following is None:
                return Found(False, None, nodes)
            pool, size = following
            kept = self.kept(pool, size)
            self.layers.append(_Layer(pool.state[:size].copy(), pool.parent[:size].copy(), kept))
            nodes += size
            if self.watch is not None:
                self.watch(len(self.layers) - 1, pool, size)
            stop.count(size)
            if nodes > self.params.search_nodes or stop.over():
                return Found(False, None, nodes)
            self.look_for_end(pool, size)
            if kept is not None:
                pool, size, whole = taken(pool, kept), len(kept), False
            following = self.pass_round(pool, size)
            if following is None:
                return Found(False, None, nodes)
            pool, size = following
        return Found(whole, None if self.end is None else self.trace(*self.end), nodes)

    def row(self, t: int) -> Int32Array:
        """Return the costs-to-go at a time."""
        return self.costs.values[t] if t <= self.costs.horizon else self.beyond

    def kept(self, pool: Pool, size: int) -> IntArray | None:
        """Return the most promising nodes, if they are too many."""
        if self.width is None or size <= self.width:
            return None
        promise = pool.cost[:size] + self.row(len(self.layers))[pool.state[:size]]
        return np.sort(np.argpartition(promise, self.width)[: self.width])

    def look_for_end(self, pool: Pool, size: int) -> None:
        """Lower the cutoff to below the cost of a schedule that has just ended."""
        ends = np.flatnonzero((pool.done[:size] == self.everyone) & (pool.state[:size] == 0))
        for i in ends.tolist():  # one at most
            if pool.cost[i] <= self.cutoff:
                self.end = len(self.layers) - 1, i
                self.cutoff = int(pool.cost[i]) - 1

    def complete(self, pool: Pool, size: int) -> tuple[Pool, int] | None:
        """Add what completions lead to, in a larger pool if need be; None if that is too large."""
        costs, t = self.costs, len(self.layers)
        cost, parent = pool.cost[:size].copy(), pool.parent[:size].copy()
        while True:
            args = (t, costs.scale, self.row(t), self.cutoff, pool, size)
            new = costs.functions.add_completions(costs.states.table, self.demand, *args)
            if new <= len(pool.state):
                return pool, new
            if len(pool.state) >= self.params.time_nodes:
                return None
            pool = doubled(pool)  # and as it was before, for parents that are not there now
            pool.cost[:size], pool.parent[:size] = cost, parent

    def pass_round(self, pool: Pool, size: int) -> tuple[Pool, int] | None:
        """Let requests start and a round pass; None if that leads to too many nodes."""
        costs, row = self.costs, self.row(len(self.layers))
        least = 0 if len(self.layers) <= self.latest else 1
        most = max(self.first_pool, 1 << (size - 1).bit_length())
        while most <= self.params.time_nodes:
            following = make_pool(most)
            args = (self.everyone, least, pool, size, following, costs.room)
            new = costs.functions.pass_round(costs.states.table, row, self.cutoff, *args)
            if new <= most:
                return following, new
            most *= 2
        return None

    def trace(self, t: int, i: int) -> IntArray:
        """Return the starts of the schedule that ends in node i of time t."""
        states = self.costs.states
        table, outputs = states.table, states.shapes.outputs.tolist()
        times: list[list[int]] = [[] for _ in outputs]
        while t > 0:
            layer = self.layers[t]
            before = int(layer.parent[i])
            if before >= 0:
                t -= 1
                kept = self.layers[t].kept
                i = before if kept is None else int(kept[before])
                continue
            before = -1 - before
            state = layer.state[before]
            for e in range(table.first[state], table.first[state + 1]):
                if table.completed[e] == layer.state[i]:
                    k = int(table.shape[e])
                    times[k].append(t - outputs[k])
            i = before
        return states.to_instance_order(times)


def _demand(costs: CostsToGo, place: IntArray) -> Demand:
    """Return the requests of each shape, by release."""
    states = costs.states
    instance, counts = states.instance, np.array(states.shapes.counts)  # writable, for kernels
    ready, duals = np.zeros((2, len(counts), int(counts.max())), dtype=np.int64)
    shape, number, value = states.by_release(instance.releases + instance.outputs)
    ready[shape, number] = value
    shape, number, value = states.by_release(costs.duals[states.types.index])
    duals[shape, number] = value
    return Demand(counts, place, ready, duals)


def taken(pool: Pool, kept: IntArray) -> Pool:
    """Return the nodes that are kept; the hash table is empty room of the old size."""
    state, done, cost, parent, slots = pool
    return Pool(state[kept], done[kept], cost[kept], parent[kept], slots)


def doubled(pool: Pool) -> Pool:
    """Return a pool with the same nodes and room for as many more."""
    size = len(pool.state)
    larger = make_pool(2 * size)
    larger.state[:size], larger.done[:size] = pool.state, pool.done
    larger.cost[:size], larger.parent[:size] = pool.cost, pool.parent
    return larger
