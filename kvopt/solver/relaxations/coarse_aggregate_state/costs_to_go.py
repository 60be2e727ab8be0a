"""Costs-to-go of coarse aggregate states for some duals, and how duals carry over to finer grids.

All shifts of the grid have the same cheapest path; g times its cost, plus the duals of all variants
of all requests, is a lower bound (proofs/text/coarse_aggregate_state.md, theorem 4).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.arrays import FloatArray
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo
from kvopt.solver.relaxations.batch_state.kernel import NO_PATH, OVERFLOW
from kvopt.solver.relaxations.coarse_aggregate_state.kernel import (
    Functions,
    Pairs,
    Prices,
    Windows,
)
from kvopt.solver.relaxations.coarse_batch_state.states import variants_of

__all__ = ["CoarseAggregateCosts", "first_duals", "most_looks", "refined"]

SCALE = 1 << 10
"""Duals are multiples of 1 / SCALE steps of the grid."""

MOST = NO_PATH // 4
"""No start or completion costs more (multiples of 1 / SCALE steps of the grid)."""


class CoarseAggregateCosts(CostsToGo):
    """The costs-to-go of all coarse aggregate states that live, for some duals.

    Parameters
    ----------
    instance
        The instance; its releases play no part, and all prompts count as the shortest one.
    grid
        The distance of the looks, g >= 1 (rounds).
    horizon
        No dual of a variant exceeds this (steps of the grid).
    knots
        At these times the prices of starts are duals; in between they are interpolated, and behind
        the last one it is the last price.  Ascending from 0, at most `horizon`, shape (knots,).
    functions
        Compiled or plain functions.

    Attributes
    ----------
    duals
        The prices at the knots, then the duals of the variants (multiples of 1 / scale steps of the
        grid), shape (knots + variants,).
    steps
        How many ways to complete the last evaluation of all states has looked at, or a few more.
    """

    def __init__(
        self, instance: Instance, grid: int, horizon: int, knots: IntArray, functions: Functions
    ) -> None:
        self.instance, self.grid, self.horizon, self.knots = instance, grid, horizon, knots
        self.scale = SCALE
        self._between = Between.of(knots, horizon)
        self.types = instance.request_types()
        self.variants = variants_of(instance, grid)
        self.pairs = pairs_of(instance, grid)
        self._functions = functions
        self.duals = np.zeros(len(knots) + len(self.variants.type), dtype=np.int64)
        self.steps = 0
        running, most = len(self.pairs.most), 1 + int(self.pairs.most.max())
        shape = (horizon + 2, running)
        self._windows = Windows(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))
        self._last = np.zeros((running, most), dtype=np.int64)
        self._costs = np.empty((horizon + 2, running, most + running), dtype=np.int32)
        self._row = np.empty_like(self._costs[0])
        self._take(self.duals)

    @property
    def counts(self) -> IntArray:
        """How often each dual is paid, whatever is done, shape (knots + variants,)."""
        return np.append(np.zeros(len(self.knots), dtype=np.int64), self.variants.counts)

    @property
    def size(self) -> int:
        """How many steps an evaluation takes."""
        return self.steps

    @property
    def looks(self) -> int:
        """The last time at which some completion pays, at least 0."""
        return max(0, int(self._prices.pays.max()))

    def settle(self, duals: IntArray) -> int | None:
        """Take duals over and compute the costs-to-go.

        Returns
        -------
        int or None
            The bound on the total completion time that they prove (multiples of 1 / scale rounds);
            None if a cost-to-go does not fit into 32 bits.
        """
        self._take(duals)
        args = (self.pairs, self._prices, self._windows)
        self.steps = self._functions.find_windows(*args, self._last, self.looks)
        return self._filled()

    def completions(self, now: int = 0, state: int = 0) -> FloatArray:
        """Return how often a path pays each dual, over all shifts, less how often it gets it."""
        done, begun = np.zeros_like(self.variants.looks), np.zeros_like(self._prices.start)
        if self._cheapest < 0:
            args = (self.pairs, self._prices, self._windows, self.looks)
            self._functions.follow_costs(*args, self._costs, done, begun)
        times = np.flatnonzero(begun)
        before, after, since, width = (each[times] for each in self._between)
        part = np.where(after > before, since / width, 0.0)
        net = np.zeros(len(self.knots))
        np.add.at(net, before, begun[times] * (1 - part))
        np.add.at(net, after, begun[times] * part)
        return self.grid * np.concatenate((-net, done.astype(np.float64)))

    def to_check(self) -> tuple[int, int]:
        """Return how many steps and bytes the checker takes with these duals, or a little more."""
        running, width = self._row.shape
        variants, looks = len(self.variants.type), self.looks + 1
        paying = np.maximum(0, self._prices.pays - self.variants.looks + 1).sum()
        steps = self.steps + 20 * running * int(paying)
        steps += looks * (2 * running * width + 40 * running + 10 * variants)
        steps += running * (10 * width + 2 * variants * width + 20 * variants) + 40 * len(
            self.types
        )
        size = running * (240 * (width + self.grid) + 120 * looks + 60 * variants)
        return steps, size + 1100 * len(self.types) + 60 * looks

    def can_be_checked(self, most_steps: int, most_bytes: int) -> bool:
        """Tell whether the checker can do with so many steps and bytes, with the settled duals."""
        steps, size = self.to_check()
        return steps <= most_steps and size <= most_bytes

    def content(self, nodes: int = 0) -> dict[str, Any]:
        """Return the object "proof" of a certificate."""
        prices, duals = np.split(self.duals, [len(self.knots)])
        rows = np.zeros((len(self.types), 4), dtype=np.int64)
        rows[:, 0], rows[:, 1] = self.types.prompts, self.types.outputs
        rows[self.variants.type, 2 + self.variants.long] = duals
        return {
            "rule": "coarse-aggregate-state",
            "grid": self.grid,
            "scale": self.scale,
            "duals": sorted(rows.tolist()),
            "starts": np.stack((self.knots, prices), axis=1).tolist(),
        }

    def _take(self, duals: IntArray) -> None:
        prices, own = np.split(duals, [len(self.knots)])
        own = np.minimum(own, self.scale * self.horizon)
        self.duals = np.concatenate((prices, own))
        start = interpolated(self._between, prices)
        self._prices = Prices(self.scale, own, start, (own - 1) // self.scale)

    def _filled(self) -> int | None:
        prices = self._prices
        if abs(prices.start).max() + abs(prices.dual).max() + self.scale * self.horizon > MOST:
            return None
        args = (self.pairs, prices, self._windows, self.looks)
        return self._value(self._functions.fill_costs(*args, self._costs, self._row))

    def _value(self, cheapest: int) -> int | None:
        if cheapest == OVERFLOW:
            return None
        self._cheapest = int(cheapest)
        return self.grid * self._cheapest + self.demand()


class Between(NamedTuple):
    """Between which knots each time is, from 0 to the horizon, shape (horizon + 1,) each."""

    before: IntArray
    """The last knot that is no later."""
    after: IntArray
    """The next one, or the same behind the last one."""
    since: IntArray
    """The time since the former."""
    width: IntArray
    """Their distance, at least 1."""

    @classmethod
    def of(cls, knots: IntArray, horizon: int) -> Between:
        """Return those of some knots, which ascend from 0, shape (knots,)."""
        times = np.arange(horizon + 1)
        before = np.searchsorted(knots, times, side="right") - 1
        after = np.minimum(before + 1, len(knots) - 1)
        width = np.maximum(knots[after] - knots[before], 1)
        return cls(before, after, times - knots[before], width)


def interpolated(between: Between, values: IntArray) -> IntArray:
    """Return the prices of starts at all times, rounded down to integers, from those at knots."""
    before, after, since, width = between
    rise: IntArray = (values[after] - values[before]) * since // width
    return values[before] + rise


def most_looks(instance: Instance, grid: int) -> IntArray:
    """Return the largest J for each K, shape (most who run + 1,)."""
    first, memory = int(instance.prompts.min()) + 1, instance.memory
    most: IntArray = (memory - first * np.arange(min(len(instance), memory // first) + 1)) // grid
    most[0] = 0
    return most


def pairs_of(instance: Instance, grid: int) -> Pairs:
    """Return what is possible with K who run and J looks."""
    variants, most = variants_of(instance, grid), most_looks(instance, grid)
    first, memory = int(instance.prompts.min()) + 1, instance.memory
    running = np.arange(len(most))
    room = memory - np.multiply.outer(running, first + variants.each) - variants.own
    completes = np.where(room >= 0, np.minimum(room // grid, most[:, None]), -1)
    completes[0] = -1
    return Pairs(most, variants.looks, completes)


def first_duals(costs: CoarseAggregateCosts) -> FloatArray:
    """Return a first guess of the duals (steps of the grid), shape (knots + variants,).

    Requests take the memory one after the other, the smallest first, as a fluid.  What memory is
    worth then is what all who come later would gain.
    """
    instance, grid, variants = costs.instance, costs.grid, costs.variants
    first = int(instance.prompts.min()) + 1
    areas = np.sort(instance.outputs * (2 * first + instance.outputs - 1) // 2)
    ends = np.cumsum(areas) / instance.memory
    begins = np.append(0.0, ends[:-1])
    times = np.arange(costs.horizon + 1)
    worth = np.zeros(len(times))  # of a token for a look (steps of the grid)
    for area, begin, end in zip(areas, begins, ends, strict=True):
        worth += np.maximum(0, end - np.maximum(begin, grid * times)) / area
    # What a request pays that starts at time P, up to look U: lead[U] - lead[P] - (P + 1) g
    # (total[U] - total[P]).
    total = np.append(0.0, np.cumsum(worth[1:]))
    lead = np.append(0.0, np.cumsum(worth[1:] * (first + grid * times[1:])))
    start = -(lead[-1] - lead - grid * (times + 1) * (total[-1] - total))
    duals = np.empty(len(variants.type))
    for v, looks in enumerate(variants.looks.tolist()):
        begin = times[: len(times) - looks]
        end = begin + looks
        held = lead[end] - lead[begin] - grid * (begin + 1) * (total[end] - total[begin])
        duals[v] = (end + held).min(initial=costs.horizon)
    return np.concatenate((start[costs.knots], duals))


def refined(coarse: CoarseAggregateCosts, fine: CoarseAggregateCosts) -> FloatArray:
    """Return duals for a grid from those of a wider one (steps of the grid).

    The prices of starts are taken at the same rounds.  The dual of a variant is one for so many
    rounds of looks; between those of both variants, and beyond, it is linear.

    Returns
    -------
    ndarray of float64, shape (knots + variants of the finer one,)
    """
    ratio = coarse.grid / fine.grid
    prices, own = np.split(coarse.duals / coarse.scale * ratio, [len(coarse.knots)])
    start = np.interp(fine.knots, coarse.knots * ratio, prices)
    old, new = coarse.variants, fine.variants
    duals = np.empty(len(new.type))
    for v, kind in enumerate(new.type.tolist()):
        (those,) = np.nonzero(old.type == kind)
        if not len(those):
            duals[v] = new.looks[v]
            continue
        looks = old.looks[those] * ratio
        slope = (own[those[1]] - own[those[0]]) / (looks[1] - looks[0]) if len(those) > 1 else 1.0
        duals[v] = own[those[0]] + slope * (new.looks[v] - looks[0])
    return np.concatenate((start, duals))
