"""Exhaustive search with release times: all instances of a cell, every order of each.

Nothing is left out but what cannot be worse than the worst so far: a set of requests whose
largest cost over a lower bound on the optimum is no more.  A schedule depends on differences
between times alone, so the first release is at 0 in all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

from kvopt.adversary.candidate import Candidate
from kvopt.adversary.cells import Cell
from kvopt.adversary.configuration import Record, SearchConfiguration, WorkUnit
from kvopt.adversary.score import cost_function
from kvopt.adversary.time_limit import ends_within
from kvopt.model.stopping import Stopping
from kvopt.policies import policy_from_spec
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.solver.releases.search import least_latency
from kvopt.theory.orders import distinct_orders

__all__ = ["run_unit", "sets"]

Requests = tuple[tuple[int, int, int], ...]
"""Prompt length, output length (tokens) and release time (rounds) of each request."""


def run_unit(
    configuration: SearchConfiguration, number: int, cell: Cell, stop: Stopping
) -> WorkUnit:
    """Find the worst instance of a cell, with releases up to the latest of the limits.

    Parameters
    ----------
    configuration
        What is searched for.
    number
        Number of the unit.
    cell
        The memory budget, the number of requests, and whether prompts differ.
    stop
        When it is over, the unit is cut short.
    """
    search = _CellSearch(configuration, number, stop)
    complete = ends_within(stop, lambda: search.run(cell)) and search.complete
    return WorkUnit(number, search.evaluations, tuple(search.records), complete)


def sets(cell: Cell, arrivals: int) -> Iterator[Requests]:
    """Yield every multiset of requests of a cell once, the first of them released at 0.

    Parameters
    ----------
    cell
        The cell.
    arrivals
        Latest release time (rounds).
    """
    prompts = range(cell.memory)
    for some in [prompts] if cell.mixed else [[prompt] for prompt in prompts]:
        types = [
            (prompt, output, release)
            for prompt in some
            for output in range(1, cell.memory - prompt + 1)
            for release in range(arrivals + 1)
        ]
        for requests in itertools.combinations_with_replacement(types, cell.requests):
            mixed = requests[0][0] != requests[-1][0]  # sorted by prompt
            if mixed == cell.mixed and min(release for _, _, release in requests) == 0:
                yield requests


class _CellSearch:
    """A cell on its way: the worst instance so far."""

    def __init__(self, configuration: SearchConfiguration, number: int, stop: Stopping) -> None:
        self.number = number
        self.stop = stop
        self.arrivals = configuration.limits.arrivals
        self.cost = cost_function(policy_from_spec(configuration.policy))
        against = configuration.against
        self.other = cost_function(policy_from_spec(against)) if against else None
        self.records: list[Record] = []
        self.ratio = Fraction(0)
        self.evaluations = 0
        self.complete = False

    def run(self, cell: Cell) -> None:
        """Look at all instances of the cell."""
        for requests in sets(cell, self.arrivals):
            if self.stop.over():
                return
            orders = [_candidate(cell.memory, order) for order in distinct_orders(requests)]
            orders.reverse()  # those that count if others cost as much come first
            self.evaluations += len(orders)
            if self.other is not None:
                for one in orders:
                    self._keep(self.cost(one), self.other(one), one)
                continue
            costs = [self.cost(one) for one in orders]
            worst = costs.index(max(costs))
            instance = orders[worst].instance()
            if Fraction(costs[worst], best_lower_bound(instance).value) > self.ratio:
                self._keep(costs[worst], least_latency(instance, costs[worst]), orders[worst])
        self.complete = True

    def _keep(self, cost: int, reference: int, candidate: Candidate) -> None:
        """Note an instance if it is worse than all so far."""
        if Fraction(cost, reference) > self.ratio:
            self.ratio = Fraction(cost, reference)
            record = Record(self.number, self.evaluations, int(cost), int(reference), candidate)
            self.records.append(record)


def _candidate(memory: int, requests: Requests) -> Candidate:
    return Candidate.of(memory, ((s, o, 1, release) for s, o, release in requests))
