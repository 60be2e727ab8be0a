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
    late
        Whether it comes after the grid program, for more requests.
    """

    with_releases = True

    def __init__(self, brief: bool = False, late: bool = False) -> None:
        self.brief, self.late = brief, late
        self.name = "event-order" + (", brief" if brief else "") + (", late" if late else "")

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there are few requests, with many rounds, and nothing is proved yet."""
        params, instance = state.params.event_order, state.instance
        most = params.most_briefly if self.brief else params.most_requests
        most = params.most_late if self.late else most
        few = len(instance) <= min(most, MOST)
        if self.late and len(instance) <= params.most_requests:
            return False
        return few and instance.total_output >= params.least_output and not state.closed

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Search for better schedules until it is proved that there are none."""
        from kvopt.solver.event_order.search import close, raise_by_steps

        params = state.params.event_order
        if self.brief:
            close(state, stop, params.brief_nodes)
        elif len(state.instance) < params.least_priced:
            close(state, stop)
        else:
            raise_by_steps(state, stop)
