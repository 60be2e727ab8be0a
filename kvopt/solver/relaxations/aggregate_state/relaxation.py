"""The aggregate-state relaxation: schedules as paths that forget how long requests have run.

Look at a schedule through two numbers only: how many requests run, K, and how many tokens
they hold together, W.  A start of prompt s adds (1, s), a round adds (0, K) and must leave
W <= M, and a completion of (s, o) takes (1, s + o) away.  So a schedule is a path through
the states (t, K, W), and what such a path lacks to be a schedule gets Lagrange multipliers:

- demand: every type completes as often as it has requests;
- linking: at every time as many requests of a prompt start as later complete with such a start;
- covers: at most m requests start within their windows (`kvopt.solver.window_covers`);
- second moments: the sum of the squares of the tokens held, which starts, rounds and completions
  change by amounts that K and W tell, is at least what it must be for K numbers of sum W.

For any multipliers a shortest path in an acyclic graph gives a lower bound on the cost of every
schedule (derived: proofs/text/aggregate_state.md, theorem 5).  With the minimum over the paths
smoothed (log-sum-exp) it has a gradient, the difference of the sides of these rows on a random
path.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.model.request_types import RequestTypes
from kvopt.solver.arrays import FloatArray
from kvopt.solver.relaxations.aggregate_state.kernel import (
    NO_PATH,
    EventCosts,
    Flow,
    Functions,
    Shape,
)
from kvopt.solver.stage import refuse_releases
from kvopt.solver.window_covers import LEVELS, cover_windows

__all__ = ["LEVELS", "SCALE", "AggregateDuals", "AggregateRelaxation"]

SCALE = 1 << 24
"""Duals are rounded to multiples of 1 / SCALE rounds."""


@dataclass(frozen=True, slots=True, eq=False)
class AggregateDuals:
    """Duals in multiples of 1 / SCALE rounds, and the bound that they prove.

    Parameters
    ----------
    linking
        For each distinct prompt, ascending, the dual of the starts at each time, shape
        (prompts, horizon).
    demand
        Demand duals, shape (types,), in the order of `RequestTypes`.
    covers
        Duals >= 0 of the cover cuts of each level and time, shape (levels, horizon).
    second_moments
        Duals >= 0 of the second-moment cuts of each time, shape (horizon,).
    bound
        Lower bound on the total completion time (rounds).
    """

    linking: IntArray
    demand: IntArray
    covers: IntArray
    second_moments: IntArray
    bound: int

    def content(self, types: RequestTypes) -> dict[str, Any]:
        """Return the object "proof" of a certificate of the bound.

        Parameters
        ----------
        types
            The types of the instance that the duals belong to.
        """
        prompts = np.unique(types.prompts).tolist()
        return {
            "rule": "aggregate-state",
            "scale": SCALE,
            "start": [list(row) for row in zip(prompts, self.linking.tolist(), strict=True)],
            "duals": types.rows(self.demand.tolist()),
            "covers": [list(row) for row in zip(LEVELS, self.covers.tolist(), strict=True)],
            "second_moments": self.second_moments.tolist(),
        }


class Rows(NamedTuple):
    """One number for each relaxed row, as views of one vector; types are ordered by peak."""

    linking: NDArray[Any]
    """Shape (prompts, horizon)."""
    demand: NDArray[Any]
    """Shape (types,)."""
    covers: NDArray[Any]
    """Shape (levels, horizon)."""
    second_moments: NDArray[Any]
    """Shape (horizon,)."""


class AggregateRelaxation:
    """The relaxation of one instance up to a horizon.

    Its duals are looked for as one vector of floats (rounds), shape (size,), those of
    second moments in multiples of `moment_unit`.

    Parameters
    ----------
    instance
        The instance.
    horizon
        Duals end here (rounds); any value is safe, and one beyond the makespan of a good
        schedule is best.
    functions
        Compiled or plain functions.
    """

    def __init__(self, instance: Instance, horizon: int, functions: Functions) -> None:
        refuse_releases(instance, "the aggregate-state relaxation")
        types = instance.request_types()
        by_peak = types.by_peak
        self.instance = instance
        self.horizon = horizon
        self.functions = functions
        self.types = types
        self.counts = types.counts[by_peak]
        prompts, prompt_of = np.unique(types.prompts[by_peak], return_inverse=True)
        self.prompt_of = prompt_of.reshape(-1)
        windows = [cover_windows(instance, level) for level in LEVELS]
        self.windows = np.array(windows, dtype=np.int64)[:, by_peak]
        self.levels = np.array(LEVELS)[:, None]
        running = min(len(instance), instance.memory // (int(prompts[0]) + 1))
        self.shape = Shape(
            instance.memory,
            running,
            prompts,
            types.peaks[by_peak],
            types.outputs[by_peak],
            least_squares(running, instance.memory),
        )
        h, p = horizon, len(prompts)
        sizes = np.cumsum([0, p * h, len(types), len(LEVELS) * h, h])
        self._places = [slice(a, b) for a, b in itertools.pairwise(sizes)]
        self.size = int(sizes[-1])
        self.moment_unit = 1 / instance.memory**2

    def rows(self, x: NDArray[Any]) -> Rows:
        """Return the parts of a vector."""
        linking, demand, covers, second_moments = (x[place] for place in self._places)
        h = self.horizon
        return Rows(linking.reshape(-1, h), demand, covers.reshape(-1, h), second_moments)

    def room(self) -> FloatArray:
        """Return room for the states, shape (horizon + 1, running + 1, memory + 1)."""
        return np.empty((self.horizon + 1, self.shape.running + 1, self.shape.memory + 1))

    def area_duals(self) -> FloatArray:
        """Return the duals of the area bound: memory gets cheaper as time goes by."""
        areas = sorted(self.types.areas[self.types.index].tolist())
        ends = np.cumsum(areas) / self.shape.memory
        times = np.arange(self.horizon + 1)
        # Poured in, smallest first, the memory of round t is worth the rest of the slopes.
        memory = np.zeros(self.horizon + 1)
        for area, begin, end in zip(areas, [0.0, *ends[:-1]], ends, strict=True):
            memory += np.clip(end - np.maximum(times, begin), 0, None) / area
        return self.from_time_indexed(memory, np.zeros((len(LEVELS), self.horizon)))

    def from_linear_proof(self, proof: Mapping[str, Any]) -> FloatArray | None:
        """Return duals that prove at least as much as the leaf of a proof by linear duals.

        First-completion rows stand for memory rows, so with them it may be somewhat less.

        Parameters
        ----------
        proof
            The object "proof" of a certificate by the rule "linear-duals".

        Returns
        -------
        ndarray or None
            None if its tree is more than one leaf.
        """
        leaf, *more = proof["tree"]
        if more:
            return None
        memory = np.zeros(self.horizon + 1)
        covers = np.zeros((len(LEVELS), self.horizon))
        for r, dual in leaf["memory"]:
            if r <= self.horizon:
                memory[r] = dual / proof["scale"]
        for family in leaf.get("first_completion", []):  # they are nearly memory rows
            at, duals = np.array(family.get("knots", []), dtype=float).reshape(-1, 2).T
            if len(at):
                low = family["heights"][-1][1] / proof["scale"]
                rounds = np.arange(self.horizon + 1)
                memory += low * np.interp(rounds, at, duals, left=0.0, right=0.0)
        for level, u, dual in leaf["covers"]:
            if level in LEVELS and u < self.horizon:
                covers[LEVELS.index(level), u] = dual / proof["scale"]
        return self.from_time_indexed(memory, covers)

    def from_time_indexed(self, memory: FloatArray, covers: FloatArray) -> FloatArray:
        """Return duals that prove at least what those of a time-indexed program prove.

        Parameters
        ----------
        memory
            Dual of the memory in each round r, at place r, shape (horizon + 1,).
        covers
            Duals of the cover cuts, shape (levels, horizon).
        """
        h, shape = self.horizon, self.shape
        memory = np.concatenate([[0.0], memory[1:]])
        sums, weighted = np.cumsum(memory), np.cumsum(memory * np.arange(h + 1))
        cover_sums = np.zeros((len(LEVELS), h + 1))
        np.cumsum(covers, axis=1, out=cover_sums[:, 1:])
        x = np.zeros(self.size)
        rows = self.rows(x)
        rows.covers[:] = covers
        ahead = np.arange(h)
        for p, prompt in enumerate(shape.prompts.tolist()):
            rows.linking[p] = -(
                (prompt - ahead) * (sums[-1] - sums[:-1]) + weighted[-1] - weighted[:-1]
            )
        for i, (peak, output) in enumerate(zip(shape.peaks, shape.outputs, strict=True)):
            to = np.minimum(ahead + output, h)
            run = (peak - output - ahead) * (sums[to] - sums[:-1]) + weighted[to] - weighted[:-1]
            for row, window in zip(cover_sums, self.windows[:, i], strict=True):
                run += row[np.minimum(ahead + window, h)] - row[:-1]
            rows.demand[i] = min(h + output, (ahead + output + run).min())
        return x

    def event_costs(self, x: NDArray[Any], unit: int | float) -> EventCosts:
        """Return what events cost, as the kernel wants it.

        Parameters
        ----------
        x
            Duals, floats (rounds) or integers (multiples of 1 / SCALE rounds).
        unit
            What a round costs, 1.0 or SCALE.
        """
        h, shape = self.horizon, self.shape
        rows = self.rows(x)
        tail = np.zeros(h + 2, dtype=x.dtype)
        tail[:h] = np.cumsum(rows.second_moments[::-1])[::-1]
        sums = np.zeros((len(LEVELS), h + 1), dtype=x.dtype)
        np.cumsum(rows.covers, axis=1, out=sums[:, 1:])
        finish = np.zeros((len(rows.demand), h + 1), dtype=x.dtype)
        end = x.dtype.type(0)
        self._worst = (-1, 0)  # the type and start of the run beyond the horizon that costs `end`
        begins = np.zeros(h + 1, dtype=x.dtype)
        for i, (peak, output) in enumerate(zip(shape.peaks, shape.outputs, strict=True)):
            # A run that starts at t costs unit * (t + o) - demand - linking[t] + its windows.
            begins[:h] = rows.linking[self.prompt_of[i]]
            run = unit * (np.arange(h + 1) + output) - rows.demand[i] - begins
            for level, window in enumerate(self.windows[:, i]):
                to = np.minimum(np.arange(h + 1) + window, h)
                run += sums[level, to] - sums[level]
            done = max(0, h + 1 - output)
            finish[i, output:] = run[:done] + peak * peak * tail[output : h + 1]
            late = run[done:]
            if (least := late.min()) < end:
                end = least
                self._worst = (i, int(late.argmin()) + h + 1 - len(late))
        squares = shape.prompts[:, None] ** 2
        start = rows.linking - squares * tail[1 : h + 1]
        return EventCosts(start, finish, rows.second_moments, tail, end)

    def constant(self, x: NDArray[Any]) -> Any:
        """Return what the duals add to the cost of the cheapest path."""
        rows = self.rows(x)
        return (self.counts * rows.demand).sum() - (self.levels * rows.covers).sum()

    def smoothed(
        self, x: FloatArray, temperature: float, states: FloatArray
    ) -> tuple[float, FloatArray]:
        """Return the smoothed bound (rounds) and its gradient, shape (size,).

        Parameters
        ----------
        x
            Duals, shape (size,).
        temperature
            Temperature (rounds), > 0.
        states
            See `room`.
        """
        h, shape = self.horizon, self.shape
        y = x.copy()
        self.rows(y).second_moments[:] *= self.moment_unit
        costs = self.event_costs(y, 1.0)
        total = self.functions.smoothed_total(shape, costs, temperature, states)
        starts, finishes = np.zeros_like(costs.start), np.zeros_like(costs.finish)
        flow = Flow(starts, finishes, np.zeros(h + 1), np.zeros(h + 1))
        late = self.functions.smoothed_flow(shape, costs, temperature, states, total, flow)
        return total + self.constant(y), self._slope(flow, late if costs.end < 0 else 0.0)

    def _slope(self, flow: Flow, late: float) -> FloatArray:
        """Return the expected difference of the sides of all rows.

        Parameters
        ----------
        flow
            What is expected of a path.
        late
            How many of its requests complete after the horizon; they are all of the type and
            start that cost least.
        """
        h, shape = self.horizon, self.shape
        slope = np.zeros(self.size)
        rows = self.rows(slope)
        rows.linking[:] += flow.starts
        rows.demand[:] += self.counts - flow.finishes.sum(axis=1)
        ends = np.zeros((len(LEVELS), h + 1))
        for i, output in enumerate(shape.outputs):
            begun = flow.finishes[i, output:]
            if self._worst[0] == i and late:
                begun = np.concatenate([begun, np.zeros(h + 1 - len(begun))])
                begun[self._worst[1]] += late
                rows.demand[i] -= late
            begun = begun[:h]
            rows.linking[self.prompt_of[i], : len(begun)] -= begun
            for level, window in enumerate(self.windows[:, i]):
                if window > 0:
                    ends[level, : len(begun)] += begun
                    to = np.minimum(np.arange(len(begun)) + window, h)
                    np.subtract.at(ends[level], to, begun)
        rows.covers[:] += np.cumsum(ends, axis=1)[:, :h] - self.levels
        begun_squares = (flow.starts * shape.prompts[:, None] ** 2).sum(axis=0)
        ended_squares = (flow.finishes * shape.peaks[:, None] ** 2).sum(axis=0)
        squares = np.cumsum(flow.grown[:h]) - np.cumsum(ended_squares)[:h]
        squares[1:] += np.cumsum(begun_squares)[: h - 1]
        rows.second_moments[:] += (flow.least[:h] - squares) * self.moment_unit
        return slope

    def largest(self, x: NDArray[Any]) -> float:
        """Return more than what any path can cost, or any of its events, up or down."""
        h, shape = self.horizon, self.shape
        rows = Rows(*(np.abs(part.astype(np.float64)) for part in self.rows(x)))
        squares = float(rows.second_moments.sum()) * (shape.memory + 1) ** 2
        run = SCALE * float(h + shape.outputs.max()) + float(rows.demand.max() + rows.linking.max())
        run += float(rows.covers.sum()) + squares
        own = float((self.counts * rows.demand).sum() + (self.levels * rows.covers).sum())
        return (h + 1) * (2 * shape.running * run + 2 * squares) + own

    def rounded(self, x: FloatArray) -> AggregateDuals:
        """Round duals to integers and recompute the bound that they prove."""
        y = x * SCALE
        self.rows(y).second_moments[:] *= self.moment_unit
        z = np.rint(np.clip(y, -1e15, 1e15)).astype(np.int64)
        rows = self.rows(z)
        np.maximum(rows.covers, 0, out=rows.covers)
        np.maximum(rows.second_moments, 0, out=rows.second_moments)
        np.minimum(rows.demand, (self.horizon + self.shape.outputs) * SCALE, out=rows.demand)
        while self.largest(z) > NO_PATH / 4 and abs(z).max() > 1:
            z //= 2  # any duals prove something, if nothing overflows
        value = 0
        if self.largest(z) <= NO_PATH / 4:
            costs = self.event_costs(z, SCALE)
            value = int(self.functions.shortest_path(self.shape, costs))
            value += int(self.constant(z))
        demand = np.empty_like(rows.demand)
        demand[self.types.by_peak] = rows.demand
        linking, _, covers, second_moments = (part.copy() for part in rows)
        return AggregateDuals(linking, demand, covers, second_moments, -(-value // SCALE))

    def box(self, size: float) -> list[tuple[float, float]]:
        """Return least and largest values between which duals are looked for, at most `size`."""
        low, high = np.full(self.size, -size), np.full(self.size, size)
        self.rows(low).covers[:] = self.rows(low).second_moments[:] = 0.0
        self.rows(high).demand[:] = np.minimum(size, self.horizon + self.shape.outputs)
        return list(zip(low.tolist(), high.tolist(), strict=True))


def least_squares(running: int, memory: int) -> IntArray:
    """Return the least sum of squares of K integers >= 0 of sum W at [K, W].

    Parameters
    ----------
    running, memory
        The largest K and W.

    Returns
    -------
    ndarray of int64, shape (running + 1, memory + 1)
        Row 0 is 0.
    """
    least = np.zeros((running + 1, memory + 1), dtype=np.int64)
    for k in range(1, running + 1):
        each, larger = np.divmod(np.arange(memory + 1), k)
        least[k] = k * each * each + larger * (2 * each + 1)
    return least
