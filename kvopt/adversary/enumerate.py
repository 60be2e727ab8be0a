"""Exhaustive search: all instances of a size, so that the worst of them is proved to be it.

A unit is a cell: all instances with exactly n requests, a memory budget of exactly M, and
a common prompt or different ones.  A complete unit's last record is the worst instance of its
cell, with the optimum as reference (proofs/text/worst_cases.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from kvopt.adversary import enumerate_arrivals
from kvopt.adversary import enumeration_kernel as enumeration
from kvopt.adversary.candidate import Candidate
from kvopt.adversary.cells import Cell, cells
from kvopt.adversary.closed_forms import compiled
from kvopt.adversary.configuration import Record, SearchConfiguration, WorkUnit
from kvopt.adversary.orders import has_classes, orders_to_try, outlived_slices
from kvopt.adversary.score import MOST_WORK, cost_function, work
from kvopt.adversary.time_limit import ends_within
from kvopt.model.errors import InputError
from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.policies import Policy, policy_from_spec
from kvopt.policies.policy import facts_of
from kvopt.solver.state_search.many import Problem, optima
from kvopt.theory.orders import RequestType, distinct_orders, number_of_orders

__all__ = ["run_unit"]

BATCH = 64
"""So many optima are computed at a time, those that promise most first."""

PROMISING = 8
"""So many instances of each prompt length are looked at before all others."""


def run_unit(configuration: SearchConfiguration, number: int, stop: Stopping) -> WorkUnit:
    """Find the worst instance of a cell.

    Parameters
    ----------
    configuration
        What is searched for.
    number
        Number of the cell in `cells`.
    stop
        When it is over, the unit is cut short.

    Returns
    -------
    WorkUnit
        If it is complete, its last record is the worst of the cell.
    """
    cell = cells(configuration.limits)[number]
    if configuration.limits.arrivals:
        return enumerate_arrivals.run_unit(configuration, number, cell, stop)
    search = _CellSearch(configuration, number, stop)
    complete = ends_within(stop, lambda: search.run(cell)) and search.complete
    return WorkUnit(number, search.evaluations, tuple(search.records), complete)


Requests = Sequence[RequestType]

Cost = Callable[[Candidate], int]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Sets of requests with a common prompt, made of an array of outputs when asked for."""

    prompt: int
    outputs: IntArray

    def __getitem__(self, row: int) -> Requests:
        return [(self.prompt, output) for output in self.outputs[row].tolist()]


class _CellSearch:
    """A cell on its way: the worst instance so far."""

    def __init__(self, configuration: SearchConfiguration, number: int, stop: Stopping) -> None:
        self.number = number
        self.stop = stop
        self.policy = policy_from_spec(configuration.policy)
        self.cost = cost_function(self.policy, compiled)
        other = policy_from_spec(configuration.against) if configuration.against else None
        self.other = cost_function(other, compiled) if other else None
        self.bounding = None if other else facts_of(self.policy).never_cheaper()
        self.bounding_cost = cost_function(self.bounding or self.policy, compiled)
        self.shortest_only = other is None and has_classes(self.policy)
        self.records: list[Record] = []
        self.ratio = Fraction(0)
        self.evaluations = 0
        self.complete = False

    def run(self, cell: Cell) -> None:
        """Look at all instances of the cell."""
        enumerable = (
            not cell.mixed and not self.other and facts_of(self.policy).phases(1, 0) is not None
        )
        try:
            self.complete = self._enumerate(cell) if enumerable else self._one_by_one(cell)
        except InputError:  # of an instance beyond what the compiled search takes
            self.complete = False

    def _enumerate(self, cell: Cell) -> bool:
        """Go through the instances in compiled code; False if the time was over first.

        First some that promise much, so that of the others few have to be looked at closely.
        """
        function = enumeration.compiled()
        promising: list[tuple[int, int, Requests]] = []
        for prompt in range(cell.memory):
            walk = enumeration.Enumeration(
                self.policy, cell.memory, prompt, cell.requests, function
            )
            values, outputs = walk.more(Fraction(1))
            sets = _Rows(prompt, outputs)
            best = _by_promise(values)[:PROMISING].tolist()
            promising += [(*values[row].tolist(), sets[row]) for row in best]
        if not self._settle_list(cell.memory, promising):
            return False
        for prompt in range(cell.memory):
            walk = enumeration.Enumeration(
                self.policy, cell.memory, prompt, cell.requests, function
            )
            before = self.evaluations
            while not walk.over:
                values, outputs = walk.more(self.ratio)
                self.evaluations = before + walk.seen
                if not self._settle(cell.memory, values, _Rows(prompt, outputs).__getitem__):
                    return False
        return True

    def _one_by_one(self, cell: Cell) -> bool:
        """Go through sets of requests and their orders; False if the time was over first."""
        waiting: list[tuple[int, int, Requests]] = []
        for requests in _sets(cell):
            if self.shortest_only and not _shortest(self.policy, cell.memory, requests):
                continue
            waiting += self._worst_order(cell.memory, requests)
            if len(waiting) >= BATCH or self.stop.over():
                if not self._settle_list(cell.memory, waiting):
                    return False
                waiting = []
        return self._settle_list(cell.memory, waiting)

    def _worst_order(self, memory: int, requests: Requests) -> Iterator[tuple[int, int, Requests]]:
        """Yield the worst order of a set of requests, if it may be worse than the worst so far."""
        if self.other is not None:
            yield from self._worst_against(self.other, memory, requests)
            return
        bound = enumeration.lower_bound(memory, requests)
        if self.bounding is not None:
            candidate = _candidate(memory, next(orders_to_try(self.bounding, memory, requests)))
            if candidate.common_prompt is not None:
                self.evaluations += 1
                if Fraction(self.bounding_cost(candidate), bound) <= self.ratio:
                    return
        cost, order = self._worst_cost(memory, requests)
        if Fraction(cost, bound) > self.ratio:
            yield cost, bound, order

    def _worst_cost(self, memory: int, requests: Requests) -> tuple[int, Requests]:
        """Return the largest cost over all orders of a set of requests, and the order."""
        orders = number_of_orders(requests)
        few = orders * work(_candidate(memory, requests)) <= MOST_WORK
        if few and (found := facts_of(self.policy).worst_order(memory, requests, compiled)):
            self.evaluations += orders
            return found
        worst: tuple[int, Requests] | None = None
        for order in orders_to_try(self.policy, memory, requests):
            cost = self.cost(_candidate(memory, order))
            self.evaluations += 1
            if worst is None or cost > worst[0]:
                worst = cost, order
        assert worst is not None
        return worst

    def _worst_against(
        self, other: Cost, memory: int, requests: Requests
    ) -> Iterator[tuple[int, int, Requests]]:
        """Yield the worst order compared to another policy, if it is worse than all so far."""
        best = self.ratio
        worst: tuple[int, int, Requests] | None = None
        for order in distinct_orders(requests):
            candidate = _candidate(memory, order)
            cost, reference = self.cost(candidate), other(candidate)
            self.evaluations += 1
            if cost * best.denominator > best.numerator * reference:
                best = Fraction(cost, reference)
                worst = cost, reference, order
        if worst is not None:
            yield worst

    def _settle_list(self, memory: int, waiting: list[tuple[int, int, Requests]]) -> bool:
        values = np.array([one[:2] for one in waiting], dtype=np.int64).reshape(-1, 2)
        return self._settle(memory, values, lambda row: waiting[row][2])

    def _settle(
        self, memory: int, values: IntArray, requests_of: Callable[[int], Requests]
    ) -> bool:
        """Replace bounds by optima wherever that may matter; False if the time was over first.

        Parameters
        ----------
        memory
            Memory budget M (tokens).
        values
            Cost of the policy, and lower bound on the reference (rounds), shape (rows, 2).
        requests_of
            Gives the requests of a row.
        """
        rows = _by_promise(values)
        while True:
            p, q = self.ratio.numerator, self.ratio.denominator
            rows = rows[values[rows, 0] * q > p * values[rows, 1]]
            if not len(rows):
                break
            if self.stop.over():
                return False
            batch, rows = rows[:BATCH], rows[BATCH:]
            sets = [requests_of(row) for row in batch.tolist()]
            costs = values[batch, 0].tolist()
            for cost, reference, requests in zip(
                costs, self._references(memory, costs, values[batch, 1], sets), sets, strict=True
            ):
                if Fraction(cost, reference) > self.ratio:
                    self.ratio = Fraction(cost, reference)
                    candidate = _candidate(memory, requests)
                    record = Record(self.number, self.evaluations, cost, reference, candidate)
                    self.records.append(record)
        return not self.stop.over()

    def _references(
        self, memory: int, costs: list[int], bounds: IntArray, sets: list[Requests]
    ) -> list[int]:
        """Return the optima, or what is enough to know that the ratio is no news (rounds)."""
        if self.other is not None:
            given: list[int] = bounds.tolist()
            return given
        problems = [_problem(memory, requests) for requests in sets]
        p, q = self.ratio.numerator, self.ratio.denominator
        return optima(problems, cutoffs=[-(-cost * q // p) for cost in costs] if p else None)


def _candidate(memory: int, requests: Requests) -> Candidate:
    return Candidate.of(memory, ((s, o, 1) for s, o in requests))


def _shortest(policy: Policy, memory: int, requests: Requests) -> bool:
    """Tell whether no request could be shorter and still complete in its phase or class."""
    outputs = [output - 1 for _, output in requests]
    return outputs == list(outlived_slices(policy, memory, requests))


def _by_promise(values: IntArray) -> IntArray:
    """Return the rows of costs and bounds, those with the largest quotient first."""
    rows: IntArray = np.argsort(-values[:, 0] / values[:, 1], kind="stable")
    return rows


def _problem(memory: int, requests: Requests) -> Problem:
    return memory, [prompt for prompt, _ in requests], [output for _, output in requests]


def _sets(cell: Cell) -> Iterator[Requests]:
    """Yield all sets of requests of a cell, each once."""
    if not cell.mixed:
        for prompt in range(cell.memory):
            types = [(prompt, o) for o in range(1, cell.memory - prompt + 1)]
            yield from itertools.combinations_with_replacement(types, cell.requests)
        return
    types = [(s, o) for s in range(cell.memory) for o in range(1, cell.memory - s + 1)]
    for requests in itertools.combinations_with_replacement(types, cell.requests):
        if requests[0][0] != requests[-1][0]:  # sorted by prompt
            yield requests
