"""Costs-to-go of batch states for some demand duals, and the search for the best duals.

A schedule is a path through the states (time, batch state); what a path lacks to be a schedule is
that every type completes as often as it has requests.  These demand rows get multipliers, the
demand duals.  The cheapest path, plus the duals of all requests, is a lower bound for any of
them (derived: proofs/text/batch_state.md, theorem 4).  A bundle method looks for the best ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray, Int32Array
from kvopt.solver.dual_ascent.bundle import Bundle, Weigh
from kvopt.solver.params import BatchStateParams, BundleParams
from kvopt.solver.relaxations.batch_state.kernel import (
    NEVER,
    OVERFLOW,
    Charges,
    Promising,
    Room,
)
from kvopt.solver.relaxations.batch_state.search_kernel import Functions
from kvopt.solver.relaxations.batch_state.states import BatchStates

__all__ = ["SCALE", "CostsToGo", "DualAscent"]

SCALE = 1 << 10
"""Duals are multiples of 1 / SCALE rounds."""


class CostsToGo:
    """The costs-to-go of all batch states of an instance for some duals.

    Parameters
    ----------
    states
        The batch states.
    horizon
        No dual exceeds this (rounds); from then on costs-to-go are 0.
    functions
        Compiled or plain functions.
    scale
        Duals are multiples of 1 / scale.

    Attributes
    ----------
    duals
        The demand duals (multiples of 1 / scale rounds), shape (types,).
    values
        What a cheapest path costs from each time and state on (multiples of 1 / scale rounds),
        shape (horizon + 1, states).
    """

    def __init__(
        self, states: BatchStates, horizon: int, functions: Functions, scale: int = SCALE
    ) -> None:
        size = len(states)
        self.states = states
        self.horizon = horizon
        self.functions = functions
        self.scale = scale
        self.duals: IntArray = np.zeros(len(self.counts), dtype=np.int64)
        self.values: Int32Array = np.empty((horizon + 1, size), dtype=np.int32)
        self._charges = self._charges_of(self.duals)
        self.room = Room(np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32))
        self._starting = np.empty(size, dtype=np.int64)
        self._promising = Promising(np.zeros(horizon + 2, dtype=np.int64), self.room.reached[:0])

    @property
    def counts(self) -> IntArray:
        """How many requests have each dual, shape (types,)."""
        return self.states.types.counts

    @property
    def size(self) -> int:
        """How many costs-to-go there are."""
        return self.values.size

    def settle(self, duals: IntArray) -> int | None:
        """Take duals over and compute the costs-to-go.

        Parameters
        ----------
        duals
            The duals (multiples of 1 / scale rounds), shape (types,).

        Returns
        -------
        int or None
            The bound on the total completion time that they prove (multiples of 1 / scale
            rounds); None if a cost-to-go does not fit into 32 bits.
        """
        self._take(duals)
        args = (self._charges, self.values, self._starting)
        return self._value(self.functions.fill_costs(self.states.table, *args))

    def settle_from(self, duals: IntArray, begin: int) -> bool:
        """Do as `settle` for the times from `begin` >= 1 on; those before keep what they had.

        Returns
        -------
        bool
            Whether all costs-to-go fit into 32 bits.
        """
        self._take(duals)
        charges, rows = self._charges, slice(begin - 1, None)
        later = Charges(charges.cost[rows], charges.type[rows], charges.latest - begin + 1)
        args = (later, self.values[rows], self._starting)
        return self.functions.fill_costs(self.states.table, *args) != OVERFLOW

    def choose(self, margin: int, most: int) -> bool:
        """Leave out the states through which paths cost more than others.

        Parameters
        ----------
        margin
            States stay through which some path costs at most so much more than the cheapest
            (multiples of 1 / scale rounds).
        most
            At most so many stay, over all times.

        Returns
        -------
        bool
            Whether that is so; if not, costs-to-go have to be computed again.
        """
        if len(self._promising.states) != most:
            self._promising = self._promising._replace(states=np.empty(most, dtype=np.int32))
        args = (self._charges, self.values, self._cheapest + margin, self._promising, self.room)
        return self.functions.find_promising(self.states.table, *args) >= 0

    def settle_chosen(self, duals: IntArray) -> int | None:
        """Do as `settle`, for paths through the states that were chosen; this is no bound."""
        self._take(duals)
        args = (self._charges, self.values, self._promising, self.room)
        return self._value(self.functions.fill_promising(self.states.table, *args))

    def completions(self, now: int = 0, state: int = 0) -> IntArray | FloatArray:
        """Return how often each type completes on a cheapest path, shape (types,).

        Parameters
        ----------
        now, state
            The path is from this time (rounds) and the batch state of this number on.
        """
        done = np.zeros(len(self.duals), dtype=np.int64)
        args = (self._charges, self.values, self.room, now, state, done)
        self.functions.follow_path(self.states.table, *args)
        return done

    def content(self, nodes: int) -> dict[str, Any]:
        """Return the object "proof" of a certificate.

        Parameters
        ----------
        nodes
            How many nodes a search for something cheaper keeps.
        """
        return {
            "rule": "batch-state",
            "scale": self.scale,
            "horizon": self.horizon,
            "duals": self.states.types.rows(self.duals.tolist()),
            "nodes": nodes,
        }

    def demand(self) -> int:
        """Return what the duals of all requests add up to (multiples of 1 / scale rounds)."""
        return int((self.counts * self.duals).sum())

    def _take(self, duals: IntArray) -> None:
        self.duals = np.minimum(duals, self.scale * self.horizon)
        self._charges = self._charges_of(self.duals)

    def _charges_of(self, duals: IntArray) -> Charges:
        """Return what completions cost at each time: those of each shape by its best request."""
        states, types = self.states, self.states.types
        times = self.scale * np.arange(len(self.values))
        cost = np.full((len(self.values), len(states.shapes)), NEVER)
        best = np.zeros(cost.shape, dtype=np.int64)
        for k, request in enumerate(types.requests):
            shape = states.shapes.number_of(request.prompt, request.output)
            first = request.release + request.output
            own = times[first:] - duals[k]
            cheaper = own < cost[first:, shape]
            cost[first:, shape][cheaper] = own[cheaper]
            best[first:, shape][cheaper] = k
        return Charges(cost, best, int(types.releases.max()))

    def _value(self, cheapest: int) -> int | None:
        if cheapest == OVERFLOW:
            return None
        self._cheapest = int(cheapest)
        return self._cheapest + self.demand()


class DualAscent:
    """Looking for the duals that prove the highest bound.

    Parameters
    ----------
    values
        The costs-to-go; they end up as those of the best duals.
    params
        Tuning numbers.
    bundle
        Those of the bundle method.
    weigh
        What it weighs its planes with, compiled or not.

    Attributes
    ----------
    best
        The best bound so far (rounds), minus infinity if there is none.
    """

    def __init__(
        self,
        costs: CostsToGo,
        params: BatchStateParams,
        bundle: BundleParams | None = None,
        weigh: Weigh | None = None,
    ) -> None:
        self.costs = costs
        self.params = params
        self.best = -math.inf
        self._best_duals: IntArray = costs.duals
        self._bundle = Bundle(bundle, weigh)

    def run(self, guesses: Sequence[FloatArray], stop: Stopping) -> int | None:
        """Climb; return the best bound (multiples of 1 / scale rounds).

        Parameters
        ----------
        guesses
            First duals (rounds), shape (types,) each; it begins with those that prove most.
        stop
            How long it may take; computing all costs-to-go once for each guess may overrun it.

        Returns
        -------
        int or None
            None if a cost-to-go of one of the first duals does not fit into 32 bits.
        """
        costs = self.costs
        for duals in guesses:
            value = self._look(costs.settle, duals)
            if value == -math.inf:
                return None
            if value > self.best:
                self._keep(value)
        if len(guesses) > 1:
            costs.settle(self._best_duals)
        self._bundle.move(self._best_duals / costs.scale, self.best)
        if costs.size <= self.params.few_costs:
            self._climb(costs.settle, stop)
        else:
            self._climb_by_promising(stop)
        return costs.settle(self._best_duals)

    def _climb_by_promising(self, stop: Stopping) -> None:
        """Take most steps with promising states only, and look at all states in between."""
        costs, params, bundle = self.costs, self.params, self._bundle
        margin, chances = params.first_margin, params.misled_looks
        most = costs.size // params.promising_share
        while not stop.over():
            before = self.best
            while not costs.choose(allowed := int(costs.scale * margin * abs(self.best)), most):
                costs.settle(self._best_duals)  # choosing has spoilt the costs-to-go
                if allowed == 0 or stop.over():  # too many paths are cheapest
                    self._climb(costs.settle, stop)
                    return
                margin /= 2  # too many are promising
            self._climb(costs.settle_chosen, stop, params.promising_steps)
            # Paths through other states may be cheaper: look again, at all.
            value = self._look(costs.settle, bundle.center)
            misled = value < bundle.value
            if value > self.best:
                self._keep(value)
            else:
                costs.settle(self._best_duals)
            bundle.move(self._best_duals / costs.scale, self.best)
            if misled and chances == 0:
                self._climb(costs.settle, stop)
                return
            if misled:
                chances -= 1
                margin = min(2 * margin, params.most_margin)
            elif self.best <= before + params.least_rise * abs(before):
                break
            else:
                margin = max(margin / 2, params.least_margin)

    def _climb(
        self,
        settle: Callable[[IntArray], int | None],
        stop: Stopping,
        most_steps: float = math.inf,
    ) -> None:
        """Take steps of the bundle method; keep the best duals if all states are looked at."""
        costs, bundle = self.costs, self._bundle
        steps = 0
        while (y := bundle.proposal()) is not None and not stop.over() and steps < most_steps:
            steps += 1
            value = self._look(settle, y)
            if bundle.judge(costs.duals / costs.scale, value) and settle == costs.settle:
                self._keep(value)

    def _look(self, settle: Callable[[IntArray], int | None], duals: FloatArray) -> float:
        """Return the value at some duals (rounds), and add its plane to the bundle."""
        costs = self.costs
        value = settle(np.rint(duals * costs.scale).astype(np.int64))
        if value is None:
            return -math.inf
        slope = np.asarray(costs.counts - costs.completions(), dtype=np.float64)
        self._bundle.add(costs.duals / costs.scale, value / costs.scale, slope)
        return value / costs.scale

    def _keep(self, value: float) -> None:
        self.best, self._best_duals = value, self.costs.duals.copy()
