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
from kvopt.solver.event_order.records import (
    BEST,
    LOST,
    NODES,
    RECORDS,
    Open,
    Tree,
    open_root,
    tree_for,
)
from kvopt.solver.event_order.search_kernel import (
    DONE,
    EVENT_ORDER,
    FAILED,
    MORE,
    Room,
)
from kvopt.solver.event_order.shorten import Shortening, room_after, shortened
from kvopt.solver.stage import Bound, Incumbent

__all__ = ["Run", "Search", "close", "raise_by_steps"]

LEAST_MARGIN, MARGIN, MOST_MARGIN = 0.01, 1e-9, 0.5
"""How much less than 1 what is to be beaten is exceeded by at least, its part of the cost, at
most."""

WRITING = 5e-5
"""Writing a node down takes so long, roughly (seconds); shortening leaves time for it."""

OTHER_TRIALS = (8, 2)
"""So many pairs are tried where the usual number is not enough: runs differ much in their sizes."""


class Run(NamedTuple):
    """A run of the search with some target, which may be interrupted."""

    target: int
    """What it is to prove (rounds)."""
    open_nodes: Open
    tree: Tree
    room: Room
    trials: int
    """About so many pairs are tried at a node."""

    @property
    def nodes(self) -> int:
        """How many nodes it has solved."""
        return int(self.open_nodes.numbers[NODES])

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

    def begin(self, target: int, trials: int | None = None, before: Run | None = None) -> Run:
        """Return a run with a target (rounds) that has not begun.

        Parameters
        ----------
        target
            The target.
        trials
            About so many pairs are tried at a node; None for the usual number.
        before
            A run from which it takes over what that has learnt of states that leaves need.
        """
        params, n = self.params, len(self.instance)
        best = self.state.objective - self.fixed
        cut = target - self.fixed - 1 + self.margin
        open_nodes = open_root(n, best, cut, params.most_depth)
        learnt = None if before is None else before.room.conflicts
        tree, room = tree_for(n, params.most_records), room_after(n, params.most_depth, learnt)
        return Run(target, open_nodes, tree, room, trials or params.most_trials)

    def go_on(self, run: Run, stop: Stopping, most_nodes: int | None = None) -> int:
        """Close nodes of a run until there are none; return how it ends.

        Offer all better schedules that are met.  With the cost of the best one as its target a run
        shows that there is none.  A part in which memory does not matter any more, but no starts
        are integers, is given up after a few splits: its value is then the bound, less than the
        cost by a few rounds, until its certificate is written.

        Parameters
        ----------
        run
            The run.
        stop
            How long it may take now.
        most_nodes
            It may take about so many nodes in all; None if any.

        Returns
        -------
        int
            DONE; MORE if it may go on; FAILED if not, because its numbers are too large.
        """
        state, params, margin = self.state, self.params, self.margin
        if margin > MOST_MARGIN:
            return FAILED
        if stop.over():
            return MORE
        explore = EVENT_ORDER.compiled(stop).explore
        open_nodes, end = run.open_nodes, MORE
        best = state.objective - self.fixed
        if open_nodes.numbers[BEST] > best:
            open_nodes.numbers[BEST] = best
            open_nodes.cut[0] = min(open_nodes.cut[0], best - 1 + margin)
        counted = run.nodes
        while end == MORE and not stop.over():
            end = explore(
                self.requests, open_nodes, run.tree, run.room,
                int(min(params.slice_nodes, stop.nodes_left())),
                params.trial_pivots, run.trials, margin,
            )  # fmt: skip
            stop.count(run.nodes - counted)
            counted = run.nodes
            if open_nodes.numbers[BEST] < best:
                best = int(open_nodes.numbers[BEST])
                state.offer(open_nodes.best)
            if most_nodes is not None and counted > most_nodes:
                break
        return end

    def run(self, target: int, stop: Stopping, most_nodes: int | None = None) -> Run | None:
        """Return a run with a target (rounds) that has ended; None if it does not end."""
        if self.margin > MOST_MARGIN or stop.over():
            return None
        run = self.begin(target)
        return run if self.go_on(run, stop, most_nodes) == DONE else None

    def prove(self, run: Run, stop: Stopping) -> None:
        """Make integers of what a run has proved, or take its word."""
        bound, target = None, min(run.target, self.state.objective)
        if not run.lost:
            tree, records = self.shorter(run, target, stop)
            bound = proof_of(self.instance, tree, records, target, stop, self.prices)
        if bound is None:
            given_up = run.open_nodes.least[0]
            value = target
            if given_up < np.inf:
                value = min(value, math.ceil(given_up - self.margin) + self.fixed)
            bound = Bound(value, RULE)
        self.state.prove(bound)

    def shorter(self, run: Run, target: int, stop: Stopping) -> tuple[Tree, int]:
        """Return the tree of a run and its records, made smaller if a certificate is asked for."""
        tree, records = run.tree, int(run.open_nodes.numbers[RECORDS])
        if not self.state.certify:
            return tree, records
        left = stop.left()
        share = max(0.0, min(self.params.shorten_share * left, left - WRITING * records))
        shortening = Shortening(
            self.requests,
            target - self.fixed,
            self.margin,
            self.params.trial_pivots,
            stop.part(share),
            run.room.conflicts,
        )
        return shortened(shortening, tree, records, self.params.short_enough)


def close(state: Incumbent, stop: Stopping, most_nodes: int | None = None) -> None:
    """Prove the best schedule optimal, or nearly so, or prove nothing."""
    search = Search(state)
    run = search.run(state.objective, stop, most_nodes)
    if run is not None:
        search.prove(run, stop)


def raise_by_steps(state: Incumbent, stop: Stopping) -> None:
    """Prove all, or else more and more, with the prices of the grid program.

    A run that does not end proves nothing.  So those that are to prove all, each with another
    number of pairs tried, are interrupted after a while, and others have part of the way to the
    best schedule as their target; steps get longer while a run takes a small part of the time left.
    Once a step fails the last run for all goes on, as briefly as at first if no step was reached.
    """
    params = state.params.event_order
    if Search(state).margin > MOST_MARGIN or stop.over():
        return
    search = Search(state, known_prices(state, stop))
    if state.closed or stop.over():
        return
    whole = search.begin(state.objective)
    end = search.go_on(whole, stop.part(params.whole_share * stop.left()))
    for trials in OTHER_TRIALS:
        if end == DONE or stop.over():
            break
        whole = search.begin(state.objective, trials, whole)
        end = search.go_on(whole, stop.part(params.whole_share * stop.left()))
    runs = [] if end == DONE else _steps(search, stop)
    if end == MORE and not (runs and runs[0].target >= state.objective):
        share = params.later_share if runs else params.whole_share
        end = search.go_on(whole, stop.part(share * stop.left()))
    if end == DONE:
        search.prove(whole, stop)
    for run in runs:
        if run.target > (state.bound if run.lost else state.certified).value:
            search.prove(run, stop)


def _steps(search: Search, stop: Stopping) -> list[Run]:
    """Return the last run that ends, and the last one that is not too large to be written down."""
    state, params = search.state, search.params
    step, last, written = params.first_step, None, None
    at = state.bound.value
    while at < state.objective and not stop.over():
        target = min(state.objective, at + max(1, math.ceil(step * (state.objective - at))))
        if target + params.least_left * state.objective > state.objective:
            target = state.objective
        began = stop.left()
        share = params.first_share if last is None else params.later_share
        run = search.run(target, stop.part(share * began))
        if run is None:
            break
        last, at = run, min(run.target, state.objective)
        if not run.lost:
            written = run
        used = (began - stop.left()) / max(began, 1e-9)
        if used < params.quick:
            step = min(1.0, 2 * step)
    return [run for run in (last, written if last is not written else None) if run is not None]
