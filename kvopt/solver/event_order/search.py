"""Runs of the search: one that proves an optimum or nothing, and steps towards it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kvopt.model.stopping import Stopping
from kvopt.solver.event_order.linear_program import requests_of
from kvopt.solver.event_order.prices import Prices, known_prices
from kvopt.solver.event_order.proof import RULE, proof_of
from kvopt.solver.event_order.search_kernel import (
    BEST,
    DONE,
    EVENT_ORDER,
    LOST,
    MORE,
    NODES,
    RECORDS,
    Open,
    Tree,
    open_root,
    room_for,
    tree_for,
)
from kvopt.solver.stage import Bound, Incumbent

__all__ = ["Run", "Search", "close", "raise_by_steps"]

LEAST_MARGIN, MARGIN, MOST_MARGIN = 1e-3, 1e-9, 0.5
"""How much less than 1 what is to be beaten is exceeded by at least, its part of the cost, at
most."""


class Run(NamedTuple):
    """A run of the search with some target."""

    target: int
    """What it was to prove (rounds)."""
    open_nodes: Open
    tree: Tree

    @property
    def lost(self) -> bool:
        """Whether its tree is too large to be written down."""
        return bool(self.open_nodes.numbers[LOST])


class Search:
    """Runs of the search on one instance.

    The kernel computes in floats.  What it proves is believed when all of the tree has been made
    integers; of a tree that is too large to be written down, or takes longer than there is time, it
    is the search's word.

    Parameters
    ----------
    state
        The bracket.
    prices
        What starts cost.
    """

    def __init__(self, state: Incumbent, prices: Sequence[Prices] = ()) -> None:
        self.state, self.prices = state, prices
        self.instance, self.params = state.instance, state.params.event_order
        self.fixed = self.instance.total_output - self.instance.total_release
        best = state.objective - self.fixed
        self.margin = LEAST_MARGIN + MARGIN * max(state.objective, best)
        self.requests = requests_of(self.instance, prices)

    def run(self, target: int, stop: Stopping, most_nodes: int | None = None) -> Run | None:
        """Close all nodes at a target; None if it does not end.

        Offer all better schedules that are met.  With the cost of the best one as its target it
        shows that there is none.  A part in which memory does not matter any more, but no starts
        are integers, is given up after a few splits: its value is then the bound, less than the
        cost by a few rounds.

        Parameters
        ----------
        target
            What to prove (rounds).
        stop
            How long it may take.
        most_nodes
            It may take about so many nodes; None if any.
        """
        state, params, margin = self.state, self.params, self.margin
        if margin > MOST_MARGIN or stop.over():
            return None
        explore = EVENT_ORDER.compiled(stop).explore
        n, depths = len(self.instance), params.most_depth
        best = state.objective - self.fixed
        open_nodes = open_root(n, best, target - self.fixed - 1 + margin, depths)
        tree, room = tree_for(n, params.most_records), room_for(n, depths)
        end, counted = MORE, 0
        while end == MORE and not stop.over():
            end = explore(
                self.requests, open_nodes, tree, room,
                int(min(params.slice_nodes, stop.nodes_left())),
                params.trial_pivots, params.most_trials, margin,
            )  # fmt: skip
            nodes = int(open_nodes.numbers[NODES])
            stop.count(nodes - counted)
            counted = nodes
            if open_nodes.numbers[BEST] < best:
                best = int(open_nodes.numbers[BEST])
                state.offer(open_nodes.best)
            if most_nodes is not None and nodes > most_nodes:
                break
        return Run(min(target, state.objective), open_nodes, tree) if end == DONE else None

    def prove(self, run: Run, stop: Stopping) -> None:
        """Make integers of what a run has proved, or take its word."""
        bound = None
        if not run.lost:
            records = int(run.open_nodes.numbers[RECORDS])
            bound = proof_of(self.instance, run.tree, records, run.target, stop, self.prices)
        if bound is None:
            given_up = run.open_nodes.least[0]
            value = run.target
            if given_up < np.inf:
                value = min(value, math.ceil(given_up - self.margin) + self.fixed)
            bound = Bound(value, RULE)
        self.state.prove(bound)


def close(state: Incumbent, stop: Stopping, most_nodes: int | None = None) -> None:
    """Prove the best schedule optimal, or nearly so, or prove nothing."""
    search = Search(state)
    run = search.run(state.objective, stop, most_nodes)
    if run is not None:
        search.prove(run, stop)


def raise_by_steps(state: Incumbent, stop: Stopping) -> None:
    """Prove more and more, with the prices of the grid program, until all is proved.

    A run that does not end proves nothing, so the first ones have part of the way to the best
    schedule as their target; steps get longer while a run takes a small part of the time left.
    """
    params = state.params.event_order
    if Search(state).margin > MOST_MARGIN or stop.over():
        return
    search = Search(state, known_prices(state, stop))
    step, last, written = params.first_step, None, None
    at = state.bound.value
    while not state.closed and not stop.over():
        target = min(state.objective, at + max(1, math.ceil(step * (state.objective - at))))
        if target + params.least_left * state.objective > state.objective:
            target = state.objective
        began = stop.left()
        share = params.first_share if last is None else params.later_share
        run = search.run(target, stop.part(share * began))
        if run is None:
            break
        last, at = run, run.target
        if not run.lost:
            written = run
        if at == state.objective:
            break
        used = (began - stop.left()) / max(began, 1e-9)
        if used < params.quick:
            step = min(1.0, 2 * step)
    for run in (last, written if last is not written else None):
        if run is not None:
            search.prove(run, stop)
