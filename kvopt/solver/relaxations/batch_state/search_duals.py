"""Duals with which a search keeps few nodes, where those of the best bound leave many.

The best bound is that of the empty batch at time 0; most nodes of a search are batches some
rounds later, after the shortest requests in many orders, and other duals bound those better.  Any
duals will do for a search (proofs/text/batch_state.md, theorem 6).  Of the nodes of a small search
a sample is taken.  As a cutoff that is higher by one round lets a search grow by a factor, a node
counts by that factor to the power of minus its bound; the sum is about the nodes of a search, and
convex in the duals.  L-BFGS looks for its minimum (Byrd, Lu, Nocedal and Zhu 1995).
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.params import BatchStateParams
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo
from kvopt.solver.relaxations.batch_state.search import Found, place_values, search
from kvopt.solver.relaxations.batch_state.search_kernel import Pool

__all__ = ["Sample", "fewer_nodes", "sampled"]


class Sample(NamedTuple):
    """Some nodes of a search, by time."""

    time: IntArray
    """The time (rounds), shape (nodes,)."""
    state: IntArray
    """The batch state, shape (nodes,)."""
    left: IntArray
    """How many of each type have yet to complete, shape (nodes, types)."""
    cost: IntArray
    """The sum of the completion times so far (rounds), shape (nodes,)."""


class _Over(Exception):  # noqa: N818
    """There is no time left."""


def sampled(
    costs: CostsToGo, cutoff: int, found: Found, stop: Stopping, params: BatchStateParams
) -> Sample | None:
    """Do a search again, and take some of its nodes at random, always the same; None if none.

    Parameters
    ----------
    costs
        Costs-to-go, without release times.
    cutoff
        The cutoff of the search (rounds).
    found
        What it found.
    stop
        How long it may take.
    params
        How many nodes to take.
    """
    share = min(1.0, params.sampled_nodes / max(1, found.nodes))
    random = np.random.default_rng(0)
    parts: list[tuple[Any, ...]] = []

    def watch(now: int, pool: Pool, size: int) -> None:
        if not 0 < now <= costs.horizon:  # there are no costs-to-go, or they are 0
            return
        number = random.binomial(size, share)
        chosen = random.choice(size, number, replace=False)
        time = np.full(number, now, dtype=np.int64)
        parts.append((time, pool.state[chosen], pool.done[chosen], pool.cost[chosen]))

    search(costs, cutoff, stop, params=params, watch=watch)
    if not parts:  # it was over before the first round
        return None
    time, state, packed, cost = (np.concatenate(part) for part in zip(*parts, strict=True))
    if not len(time):
        return None
    counts = costs.counts
    done = packed[:, None] // place_values(counts) % (counts + 1)
    return Sample(time, state, counts - done, (cost + done @ costs.duals) // costs.scale)


def fewer_nodes(
    costs: CostsToGo, sample: Sample, growth: float, stop: Stopping, params: BatchStateParams
) -> None:
    """Change the duals of costs-to-go, so that a search keeps fewer nodes, and settle them.

    Parameters
    ----------
    costs
        The costs-to-go.
    sample
        Nodes of a search with them.
    growth
        How many times as large a search is with a cutoff that is higher by one round, more than 1.
    stop
        How long it may take; computing all costs-to-go once more may overrun it.
    params
        How many steps to take.
    """
    from scipy.optimize import minimize

    rate = np.log(growth)
    places, which = np.unique(np.array([sample.time, sample.state]), axis=1, return_inverse=True)
    before = costs.duals.copy()
    settle = costs.settle
    if costs.values.size > params.few_costs:
        _choose(costs, params)
        settle = costs.settle_chosen
    best: list[tuple[float, IntArray]] = []

    def falling(x: FloatArray) -> tuple[float, FloatArray]:
        """Return the logarithm of the weight of all nodes in rounds, and its gradient."""
        if stop.over():
            raise _Over
        value = settle(np.rint(x * costs.scale).astype(np.int64))
        if value is None:
            return 1e18, np.zeros_like(x)
        ahead = np.array([costs.completions(*place) for place in places.T.tolist()])
        slopes = sample.left - ahead[which]
        to_go = sample.left @ costs.duals + costs.values[sample.time, sample.state]
        bounds = sample.cost + to_go / costs.scale
        least = bounds.min()
        weights = np.exp(-rate * (bounds - least))
        total = weights.sum()
        height = float(np.log(total) / rate - least)
        if not best or height < best[0][0]:
            best[:] = [(height, costs.duals.copy())]
        return height, -slopes.T @ (weights / total)

    steps = params.search_dual_steps
    options = {"maxiter": steps, "maxfun": steps, "maxcor": params.remembered_steps}
    first, box = before / costs.scale, [(0, costs.horizon)] * len(before)
    with contextlib.suppress(_Over):
        minimize(falling, first, jac=True, method="L-BFGS-B", bounds=box, options=options)
    costs.settle(best[0][1] if best else before)


def _choose(costs: CostsToGo, params: BatchStateParams) -> None:
    """Leave out the states that cost more than nodes of any search will, or fewer if need be."""
    duals = costs.duals.copy()
    margin = params.sample_margin * (costs.settle(duals) or 0)
    most = costs.values.size // params.promising_share
    while not costs.choose(int(margin), most):
        margin /= 2
        costs.settle(duals)
