"""One run of the search, which proves an optimum or nothing."""

from __future__ import annotations

import math

import numpy as np

from kvopt.model.stopping import Stopping
from kvopt.solver.event_order.linear_program import requests_of
from kvopt.solver.event_order.proof import RULE, proof_of
from kvopt.solver.event_order.search_kernel import (
    BEST,
    DONE,
    EVENT_ORDER,
    LOST,
    MORE,
    NODES,
    RECORDS,
    open_root,
    room_for,
    tree_for,
)
from kvopt.solver.stage import Bound, Incumbent

__all__ = ["search"]

LEAST_MARGIN, MARGIN, MOST_MARGIN = 1e-3, 1e-9, 0.5
"""How much less than 1 what is to be beaten is exceeded by at least, its part of the cost, at
most."""


def search(state: Incumbent, stop: Stopping, most_nodes: int | None) -> None:
    """Offer all better schedules that are met, and prove the last one optimal, or nearly so.

    A part in which memory does not matter any more, but no starts are integers, is given up after
    a few splits: its value is then the bound, less than the cost by a few rounds.

    The kernel computes in floats.  What it proves is believed when all of the tree has been made
    integers; of a tree that is too large to be written down, or takes longer than there is time, it
    is the search's word.

    Parameters
    ----------
    state
        The bracket.
    stop
        How long it may take.
    most_nodes
        It may take about so many nodes; None if any.
    """
    instance, params = state.instance, state.params.event_order
    fixed = instance.total_output - instance.total_release
    best = state.objective - fixed
    margin = LEAST_MARGIN + MARGIN * max(state.objective, best)
    if margin > MOST_MARGIN or stop.over():
        return
    explore = EVENT_ORDER.compiled(stop).explore
    n, depths = len(instance), params.most_depth
    requests = requests_of(instance)
    open_nodes = open_root(n, best, best - 1 + margin, depths)
    tree, room = tree_for(n, params.most_records), room_for(n, depths)
    end, counted = MORE, 0
    while end == MORE and not stop.over():
        end = explore(
            requests, open_nodes, tree, room,
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
    if end != DONE:
        return
    bound = None
    if not open_nodes.numbers[LOST]:
        records = int(open_nodes.numbers[RECORDS])
        bound = proof_of(instance, tree, records, state.objective, stop)
    if bound is None:
        given_up = open_nodes.least[0]
        value = state.objective
        if given_up < np.inf:
            value = min(value, math.ceil(given_up - margin) + fixed)
        bound = Bound(value, RULE)
    state.prove(bound)
