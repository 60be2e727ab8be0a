"""Runs of the search with a limit, each of which proves one bound."""

from __future__ import annotations

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

__all__ = ["EventOrderSearch"]


class EventOrderSearch:
    """Searches for one instance.

    Parameters
    ----------
    state
        The bracket, which they improve.
    stop
        How long they may take together.
    """

    def __init__(self, state: Incumbent, stop: Stopping) -> None:
        self.state, self.stop = state, stop
        self.explore = EVENT_ORDER.compiled(stop).explore
        self.requests = requests_of(state.instance)
        self.fixed = state.instance.total_output - state.instance.total_release

    def run(self, part: float, most_nodes: int | None) -> bool:
        """Prove a bound, if that takes no more than so many nodes; tell whether it was proved.

        Parameters
        ----------
        part
            Which part of the way from the lower bound to the best schedule it is.
        most_nodes
            How many nodes it may take; None if any.
        """
        state, params = self.state, self.state.params.event_order
        n = len(state.instance)
        low = state.certified.value if state.certify else state.bound.value
        target = low + max(1, round(part * (state.objective - low)))
        margin = 1e-3 + 1e-9 * state.objective
        if margin > 0.5 or state.closed or self.stop.over():
            return False
        depths = params.most_depth
        cut = target - self.fixed - 1 + margin
        open_nodes = open_root(n, state.objective - self.fixed, cut, depths)
        tree, room = tree_for(n, params.most_records), room_for(n, depths)
        end = MORE
        while end == MORE:
            before = int(open_nodes.numbers[BEST])
            end = self.explore(
                self.requests, open_nodes, tree, room,
                params.slice_nodes, params.trial_pivots, params.most_trials, margin,
            )  # fmt: skip
            if open_nodes.numbers[BEST] < before:
                state.offer(open_nodes.best)
            too_many = most_nodes is not None and open_nodes.numbers[NODES] > most_nodes
            if self.stop.over() or too_many:
                break
        if end != DONE:
            return False
        proved = min(target, state.objective)
        if open_nodes.numbers[LOST]:
            state.prove(Bound(proved, RULE))
            return True
        bound = proof_of(state.instance, tree, int(open_nodes.numbers[RECORDS]), proved)
        if bound is not None:
            state.prove(bound)
        return bound is not None and bound.value >= proved
