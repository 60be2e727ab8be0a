"""The stage of the search over what runs at completions."""

from __future__ import annotations

from kvopt.model.stopping import Stopping
from kvopt.solver.stage import Incumbent

__all__ = ["EventOrder"]

MOST = 60
"""Sets of requests are the bits of a number."""


class EventOrder:
    """Few requests, at every magnitude up to costs, and sums of starts, of 5 * 10^8 rounds.

    Parameters
    ----------
    brief
        Whether it stops after a few nodes, which is enough for most instances that it solves.
    """

    with_releases = True

    def __init__(self, brief: bool = False) -> None:
        self.brief = brief
        self.name = "event-order, brief" if brief else "event-order"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there are few requests, with many rounds, and nothing is proved yet."""
        params, instance = state.params.event_order, state.instance
        most = params.most_briefly if self.brief else params.most_requests
        few = len(instance) <= min(most, MOST)
        return few and instance.total_output >= params.least_output and not state.closed

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Search for better schedules until it is proved that there are none."""
        from kvopt.solver.event_order.search import search

        search(state, stop, state.params.event_order.brief_nodes if self.brief else None)
