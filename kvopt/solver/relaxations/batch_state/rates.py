"""First demand duals for many requests with releases: a linear program over completion rates.

Seen from far away, batches complete so many requests of each shape in a round, and what rates are
possible does not change with time: those of cycles of batch states, and their mixtures.  The
program has these rates at some knots, and rates between them are linear.  Its dual is a price for
the completion of each shape that is linear between knots; each request takes the completion whose
time and price cost least, which is its demand dual, and at each knot no cycle earns more than a
round costs there.  Cycles are generated: at the prices so far, rounds of batch states end up in the
cycle that earns most.

All of that is a guess in floating point; what duals prove is computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.params import BatchStateParams
from kvopt.solver.primal.list_schedules import tightest_spacing
from kvopt.solver.relaxations.batch_state.rate_kernel import DEAD, RateFunctions
from kvopt.solver.relaxations.batch_state.states import BatchStates

__all__ = ["RateProgram", "rate_duals"]


def rate_duals(
    states: BatchStates,
    horizon: int,
    functions: RateFunctions,
    params: BatchStateParams,
    stop: Stopping,
) -> FloatArray | None:
    """Return demand duals from prices of completions (rounds), shape (types,).

    Parameters
    ----------
    states
        The batch states.
    horizon
        Where prices end (rounds).
    functions
        The kernel.
    params
        The tuning numbers.
    stop
        How long it may take.

    Returns
    -------
    ndarray of float64, shape (types,), or None
        None if `stop` was over before the first ones.
    """
    program = RateProgram(states, horizon, functions, params)
    if stop.over() or not program.solve(stop):
        return None
    best, center, last = -np.inf, program.prices, -np.inf
    for number in range(params.rate_passes):
        trial = program.prices if number % 2 == 0 else (program.prices + center) / 2
        value = program.value(trial, stop)
        if value is None:
            break
        if value > best:
            best, center = value, trial
        if number % 4 == 3:
            if best <= last + params.rate_least_rise * abs(best):
                break
            last = best
        if stop.over() or not program.solve(stop):
            break
    return None if best == -np.inf else program.duals(center)


class RateProgram:
    """The dual program, with the cycles that are known so far.

    Parameters
    ----------
    states, horizon, functions, params
        As in `rate_duals`.

    Attributes
    ----------
    times
        The knots, 0 first, and the horizon, where prices are 0 (rounds), shape (knots + 1,).
    prices
        The best prices for the cycles that are known, shape (knots, shapes).
    """

    def __init__(
        self,
        states: BatchStates,
        horizon: int,
        functions: RateFunctions,
        params: BatchStateParams,
    ) -> None:
        from kvopt.solver.highs import quiet_highs  # loads HiGHS

        self.states, self.functions, self.params = states, functions, params
        longest = int(states.types.outputs.max())
        knots = max(1, min(params.rate_knots, horizon // longest))
        self.times = np.unique(np.linspace(0, horizon, knots + 1).astype(np.int64))
        self.knots, self.shapes = len(self.times) - 1, len(states.shapes)
        gaps = np.diff(self.times)
        self.mass = (gaps + np.concatenate([[1], gaps[:-1]])) / 2
        types = states.types
        numbers = zip(types.prompts.tolist(), types.outputs.tolist(), strict=True)
        self._shape = np.array([states.shapes.number_of(s, o) for s, o in numbers])
        self._soonest = types.releases + types.outputs
        self.prices = np.zeros((self.knots, self.shapes))
        self._highs = quiet_highs()
        self._cuts: set[tuple[int, int]] = set()
        self._write_requests()
        spacings = [tightest_spacing(r, states.instance.memory) for r in states.shapes.requests]
        self._rates = np.diag(1.0 / np.array(spacings, dtype=np.float64))
        self._add_cuts((j, c) for j in range(self.knots) for c in range(self.shapes))

    def _write_requests(self) -> None:
        """Write the program without cycles: each request's dual is the least of its choices.

        Variables: the price of each knot and shape; the least that a completion at this
        knot or later costs; each group's dual; what a round costs at each knot.
        """
        shapes, mass = self.shapes, self.mass
        size = self.knots * shapes
        shape, soonest, count = self._groups()
        groups = len(shape)
        self._first_round = 2 * size + groups
        costs = np.concatenate([np.zeros(2 * size), -count, mass])
        number = len(costs)
        everything = np.arange(number, dtype=np.int32)
        self._highs.addVars(number, np.zeros(number), np.full(number, np.inf))
        self._highs.changeColsCost(number, everything, costs)
        price = np.arange(size).reshape(self.knots, shapes)
        later = size + price
        times, last = self.times[:-1], float(self.times[-1])
        self._add_rows(np.repeat(times, shapes), (later, price), (1.0, -1.0))
        self._add_rows(np.zeros(size - shapes), (later[:-1], later[1:]), (1.0, -1.0))
        self._add_rows(np.full(shapes, last), (later[-1],), (1.0,))
        own = 2 * size + np.arange(groups)
        knot = np.minimum(np.searchsorted(self.times, soonest, side="right") - 1, self.knots)
        self._add_rows(np.maximum(soonest, last), (own,), (1.0,))
        inner = knot < self.knots - 1
        at = knot[inner], shape[inner]
        following = at[0] + 1, at[1]
        part = (soonest[inner] - self.times[at[0]]) / np.diff(self.times)[at[0]]
        self._add_rows(
            soonest[inner],
            (own[inner], price[at], price[following]),
            (1.0, part - 1.0, -part),
        )
        self._add_rows(np.zeros(int(inner.sum())), (own[inner], later[following]), (1.0, -1.0))
        end = knot == self.knots - 1
        part = (last - soonest[end]) / (last - self.times[-2])
        self._add_rows(soonest[end], (own[end], price[-1, shape[end]]), (1.0, -part))

    def _groups(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return shape, mean of the soonest completions, and number of groups of requests.

        Those of one shape whose soonest completions are close to each other are one group.
        """
        counts = self.states.types.counts
        width = self.times[-1] / (self.knots * self.params.rate_groups)
        keys = np.stack([self._shape, (self._soonest / width).astype(np.int64)])
        found, index = np.unique(keys, axis=1, return_inverse=True)
        index = index.reshape(-1)
        number: FloatArray = np.bincount(index, counts).astype(np.float64)
        return found[0], np.bincount(index, counts * self._soonest) / number, number

    def _add_rows(
        self,
        most: FloatArray | IntArray,
        columns: tuple[IntArray, ...],
        values: tuple[float | FloatArray, ...],
    ) -> None:
        """Add rows with one entry in each of some columns, at most `most`."""
        index = np.stack([column.ravel() for column in columns], axis=1)
        size = index.size
        entries = np.empty(index.shape)
        for place, value in enumerate(values):
            entries[:, place] = value
        begins = np.arange(0, size, index.shape[1], dtype=np.int32)
        self._highs.addRows(
            len(index),
            np.full(len(index), -np.inf),
            most.astype(np.float64),
            size,
            begins,
            index.ravel().astype(np.int32),
            entries.ravel(),
        )

    def _add_cuts(self, pairs: Iterable[tuple[int, int]]) -> int:
        """Let no round at a knot cost less than a cycle earns, for pairs (knot, cycle)."""
        new = [pair for pair in pairs if pair not in self._cuts]
        for knot, cycle in new:
            self._cuts.add((knot, cycle))
            used = np.flatnonzero(self._rates[cycle])
            columns = np.append(knot * self.shapes + used, self._first_round + knot)
            entries = np.append(self._rates[cycle, used], -1.0)
            self._highs.addRow(-np.inf, 0.0, len(columns), columns.astype(np.int32), entries)
        return len(new)

    def solve(self, stop: Stopping) -> bool:
        """Find the best prices for the cycles so far; tell whether that came to an end."""
        from kvopt.solver.highs import run_highs

        while True:
            if not run_highs(self._highs, stop):
                return False
            solution = np.array(self._highs.getSolution().col_value)
            self.prices = solution[: self.prices.size].reshape(self.prices.shape)
            earned = self.prices @ self._rates.T
            rounds = solution[self._first_round :]
            dearest = np.argsort(-earned, axis=1)[:, :3]
            pairs = [
                (j, c)
                for j, own in enumerate(dearest.tolist())
                for c in own
                if earned[j, c] > rounds[j] + 1e-6 * (1 + abs(rounds[j]))
            ]
            if not self._add_cuts(pairs):
                return True

    def value(self, prices: FloatArray, stop: Stopping) -> float | None:
        """Return about what prices prove, and add the cycles that earn most at them.

        Parameters
        ----------
        prices
            Prices at the knots, shape (knots, shapes).
        stop
            How long it may take.

        Returns
        -------
        float or None
            None if `stop` was over first.
        """
        size, rounds = len(self.states), self.params.rate_rounds
        worth, joined = np.zeros((rounds + 1, size)), np.empty(size)
        cost, cycles, scale = 0.0, [], 0.0
        for knot in range(self.knots - 1, -1, -1):
            if stop.over():
                return None
            own = np.ascontiguousarray(prices[knot])
            if (total := float(own.sum())) <= 0.0:
                scale = 0.0
                continue
            # Begin with what the next knot ended with, as prices change little.
            alive = worth[-1] > DEAD / 2
            ratio = total / scale if scale > 0 else 0.0
            worth[0] = np.where(alive, ratio * (worth[-1] - worth[-1, 0]), DEAD)
            scale = total
            self.functions.fill_worth(self.states.table, own, worth, joined)
            alive = worth[-1] > DEAD / 2
            rise = np.where(alive, worth[-1] - worth[0], DEAD)
            begin = int(rise.argmax())
            cost += float(self.mass[knot]) * float(rise[begin]) / rounds
            cycles.append(self._cycle(own, worth, joined, begin))
        if cycles:
            first = len(self._rates)
            self._rates = np.vstack([self._rates, *cycles])
            places = range(first, len(self._rates))
            knots = [j for j in range(self.knots - 1, -1, -1) if prices[j].sum() > 0]
            self._add_cuts(list(zip(knots, places, strict=True)))
        return float(self.states.types.counts @ self.duals(prices)) - cost

    def _cycle(
        self, prices: FloatArray, worth: FloatArray, joined: FloatArray, begin: int
    ) -> FloatArray:
        """Return the rates of the best cycle on a path that earns most, shape (shapes,).

        If no state comes twice, it is the middle of the path.
        """
        rounds = len(worth) - 1
        visited = np.empty(rounds, dtype=np.int64)
        done = np.zeros((rounds, self.shapes), dtype=np.int64)
        table = self.states.table
        self.functions.follow_rounds(table, prices, worth, joined, begin, visited, done)
        earned = np.concatenate([[0.0], np.cumsum(done @ prices)])
        a, b = np.nonzero(np.triu(visited[:, None] == visited[None, :], 1))
        begin, end = rounds // 6, max(rounds // 6 + 1, rounds - rounds // 4)
        if len(a):
            best = int(((earned[b] - earned[a]) / (b - a)).argmax())
            begin, end = int(a[best]), int(b[best])
        rates: FloatArray = done[begin:end].sum(axis=0) / (end - begin)
        return rates

    def duals(self, prices: FloatArray) -> FloatArray:
        """Return the least that a completion costs each type, time and price (rounds)."""
        ended = np.vstack([prices, np.zeros(self.shapes)])
        later = np.minimum.accumulate((self.times[:, None] + ended)[::-1], axis=0)[::-1]
        found = self._soonest.astype(np.float64)
        for k in range(self.shapes):
            own = (self._shape == k) & (self._soonest <= self.times[-1])
            soonest = self._soonest[own]
            at_once = soonest + np.interp(soonest, self.times, ended[:, k])
            found[own] = np.minimum(at_once, later[np.searchsorted(self.times, soonest), k])
        return found
