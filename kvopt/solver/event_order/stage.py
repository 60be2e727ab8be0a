"""The stage of the search over what runs at completions."""

from __future__ import annotations

from kvopt.model.stopping import Stopping
from kvopt.solver.stage import Incumbent

__all__ = ["EventOrder"]


class EventOrder:
    """Few requests, at every magnitude."""

    name = "event-order"
    with_releases = True

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there are few requests and many rounds."""
        params, instance = state.params.event_order, state.instance
        few = len(instance) <= params.most_requests
        return few and instance.total_output >= params.least_output and not state.closed

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove what is to be proved in one search; if that is too large, less and then more."""
        from kvopt.solver.event_order.search import EventOrderSearch

        params = state.params.event_order
        search = EventOrderSearch(state, stop)
        nodes = params.first_nodes
        if search.run(1.0, nodes):
            return
        for step in range(1, params.steps + 1):
            nodes *= params.growth
            if state.closed or not search.run(1 - 0.5**step, nodes):
                break
        if not state.closed:
            search.run(1.0, None)
