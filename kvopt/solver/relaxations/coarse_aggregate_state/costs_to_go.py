"""Costs-to-go of coarse aggregate states for some duals, and how duals carry over to finer grids.

All shifts of the grid have the same cheapest path; g times its cost, plus the duals of all variants
of all requests, is a lower bound (proofs/text/coarse_aggregate_state.md, theorem 5).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.arrays import FloatArray
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo
from kvopt.solver.relaxations.batch_state.kernel import NO_PATH, OVERFLOW
from kvopt.solver.relaxations.coarse_aggregate_state.kernel import (
    Begun,
    Functions,
    Prices,
    Windows,
)
from kvopt.solver.relaxations.coarse_aggregate_state.states import (
    AggregateVariants,
    pairs_of,
    variants_of,
)

__all__ = ["CoarseAggregateCosts", "first_duals", "refined", "worth_of"]

SCALE = 1 << 10
"""Duals are multiples of 1 / SCALE steps of the grid."""

MOST = NO_PATH // 4
"""No start or completion costs more (multiples of 1 / SCALE steps of the grid)."""


class CoarseAggregateCosts(CostsToGo):
    """The costs-to-go of all coarse aggregate states that live, for some duals.

    Parameters
    ----------
    instance
        The instance; its releases play no part.
    grid
        The distance of the looks, g >= 1 (rounds), and the steps in which tokens count.
    horizon
        No dual of a variant exceeds this (steps of the grid).
    knots
        At these times the prices of starts are duals; in between they are interpolated, and behind
        the last one it is the last price.  Ascending from 0, at most `horizon`, shape (knots,).
    functions
        Compiled or plain functions.

    Attributes
    ----------
    most_added
        What a start of the longest prompt adds.
    prices
        How many duals are prices: one at each knot, that of a start of the shortest prompt, and, if
        prompts differ, by how much that of the longest one is more.
    duals
        The prices, then the duals of the variants (multiples of 1 / scale steps of the grid),
        shape (prices + variants,).
    steps
        How many steps the checker takes for what the last evaluation has looked at, or a few more.
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
        self.most_added = int(self.pairs.added[-1])
        self.prices = len(knots) * (2 if self.most_added else 1)
        self._functions = functions
        self.duals = np.zeros(self.prices + len(self.variants.type), dtype=np.int64)
        self.steps = 0
        running, most = len(self.pairs.most), 1 + int(self.pairs.most.max())
        shape = (horizon + 2, running)
        self._windows = Windows(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))
        self._last = np.zeros((running, most), dtype=np.int64)
        self._costs = np.empty((horizon + 2, running, most + running), dtype=np.int32)
        needed = np.zeros((2, running), dtype=np.int64)
        self._begun = Begun(np.empty_like(self._costs[0]), *needed)
        self._take(self.duals)

    @property
    def counts(self) -> IntArray:
        """How often each dual is paid, whatever is done, shape (prices + variants,)."""
        return np.append(np.zeros(self.prices, dtype=np.int64), self.variants.counts)

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
        args = (self.pairs, self._prices, self._windows, self._begun)
        self.steps = self._functions.find_windows(*args, self._last, self.looks)
        return self._filled()

    def completions(self, now: int = 0, state: int = 0) -> FloatArray:
        """Return how often a path pays each dual, over all shifts, less how often it gets it."""
        done, begins = np.zeros_like(self.variants.looks), np.zeros_like(self._prices.start)
        if self._cheapest < 0:
            args = (self.pairs, self._prices, self._windows, self.looks, self._costs, self._begun)
            self._functions.follow_costs(*args, done, begins)
        each = begins.sum(axis=0), self.pairs.added @ begins / max(1, self.most_added)
        net = [self._at_knots(number) for number in each[: 2 if self.most_added else 1]]
        return self.grid * np.concatenate((*(-number for number in net), done.astype(np.float64)))

    def to_check(self) -> tuple[int, int]:
        """Return how many steps and bytes the checker takes with these duals, or a little more."""
        running, width = self._begun.rows.shape
        variants, looks, types = len(self.variants.type), self.looks + 1, len(self.types)
        paying = np.maximum(0, self._prices.pays - self.variants.looks + 1).sum()
        kinds = len(self.pairs.added)
        starts = (9 + kinds // 4) * running * width  # at time 0
        steps = self.steps + 20 * running * int(paying) + starts
        steps += looks * (2 * running * width // 5 + 80 * running + 30 * variants + 40)
        steps += running * (10 * width + 2 * variants * width + 30 * variants)
        steps += 100 * types + 20 * len(self.instance)
        steps += looks * running * self.most_added
        size = running * (240 * (width + self.grid) + 120 * looks + 60 * variants)
        size += 120 * (width + self.most_added) + 8 * kinds * width
        return steps, size + 1500 * types + 240 * (looks + len(self.instance))

    def can_be_checked(self, most_steps: int, most_bytes: int) -> bool:
        """Tell whether the checker can do with so many steps and bytes, with the settled duals."""
        steps, size = self.to_check()
        return steps <= most_steps and size <= most_bytes

    def content(self, nodes: int = 0) -> dict[str, Any]:
        """Return the object "proof" of a certificate."""
        u, v, duals = self._parts(self.duals)
        rows = np.zeros((len(self.types), 5), dtype=np.int64)
        rows[:, 0], rows[:, 1] = self.types.prompts, self.types.outputs
        rows[self.variants.type, 2 + self.variants.interval] = duals
        return {
            "rule": "coarse-aggregate-state",
            "grid": self.grid,
            "scale": self.scale,
            "duals": sorted(rows.tolist()),
            "starts": np.stack((self.knots, u, v), axis=1).tolist(),
        }

    def _parts(self, duals: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return the prices of a start and of a step at the knots, and the duals of variants."""
        u, more, own = np.split(duals, [len(self.knots), self.prices])
        v = np.rint(more / self.most_added).astype(np.int64) if self.most_added else 0 * u
        return u, v, own

    def _take(self, duals: IntArray) -> None:
        u, v, own = self._parts(duals)
        own = np.minimum(own, self.scale * self.horizon)
        more = self.most_added * v if self.most_added else v[:0]
        self.duals = np.concatenate((u, more, own))
        each, step = (interpolated(self._between, values) for values in (u, v))
        start = each + np.multiply.outer(self.pairs.added, step)
        pays = (own - 1) // self.scale
        until = np.full(len(self.pairs.added), -1)
        np.maximum.at(until, self.pairs.kind, pays - self.variants.looks)
        self._prices = Prices(self.scale, own, start, pays, until)

    def _at_knots(self, number: FloatArray) -> FloatArray:
        """Return how often the prices at the knots are paid, from how often those at all times."""
        before, after, since, width = self._between
        part = np.where(after > before, since / width, 0.0)
        net = np.zeros(len(self.knots))
        np.add.at(net, before, number * (1 - part))
        np.add.at(net, after, number * part)
        return net

    def _filled(self) -> int | None:
        prices = self._prices
        if abs(prices.start).max() + abs(prices.dual).max() + self.scale * self.horizon > MOST:
            return None
        args = (self.pairs, prices, self._windows, self.looks)
        return self._value(self._functions.fill_costs(*args, self._costs, self._begun))

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


def first_duals(costs: CoarseAggregateCosts) -> FloatArray:
    """Return a first guess of the duals (steps of the grid), shape (prices + variants,).

    Requests take the memory one after the other, the smallest first, as a fluid.  What memory is
    worth then is what all who come later would gain.
    """
    instance, grid, variants = costs.instance, costs.grid, costs.variants
    firsts = instance.prompts + 1
    areas = np.sort(instance.outputs * (2 * firsts + instance.outputs - 1) // 2)
    ends = np.cumsum(areas) / instance.memory
    begins = np.append(0.0, ends[:-1])
    times = np.arange(costs.horizon + 1)
    worth = np.zeros(len(times))  # of a token for a look (steps of the grid)
    for area, begin, end in zip(areas, begins, ends, strict=True):
        worth += np.maximum(0, end - np.maximum(begin, grid * times)) / area
    # What a request pays that holds `first` tokens at its first look, starts at time P, and is
    # there up to look U: lead[U] - lead[P] - (P + 1) g (total[U] - total[P]).
    total = np.append(0.0, np.cumsum(worth[1:]))
    growth = np.append(0.0, np.cumsum(worth[1:] * grid * times[1:]))

    def paid(added: int, begin: IntArray, end: IntArray) -> FloatArray:
        lead = growth + (int(firsts.min()) + grid * added) * total
        rent: FloatArray = (
            lead[end] - lead[begin] - grid * (begin + 1) * (total[end] - total[begin])
        )
        return rent

    start = [-paid(added, costs.knots, times[-1:]) for added in (0, costs.most_added)]
    prices = np.concatenate((start[0], start[1] - start[0]))[: costs.prices]
    duals = np.empty(len(variants.type))
    for v, (looks, added) in enumerate(zip(variants.looks.tolist(), variants.added, strict=True)):
        begin = times[: len(times) - looks]
        duals[v] = (begin + looks + paid(added, begin, begin + looks)).min(initial=costs.horizon)
    return np.concatenate((prices, duals))


def refined(coarse: CoarseAggregateCosts, fine: CoarseAggregateCosts) -> FloatArray:
    """Return duals for a grid from those of a wider one (steps of the grid).

    The prices of starts are taken at the same rounds.

    Returns
    -------
    ndarray of float64, shape (prices + variants of the finer one,)
    """
    ratio = coarse.grid / fine.grid
    prices, own = np.split(coarse.duals / coarse.scale, [coarse.prices])
    start = np.zeros((2, len(fine.knots)))
    for row, wide in zip(start, prices.reshape(-1, len(coarse.knots)), strict=False):
        row[:] = np.interp(fine.knots, coarse.knots * ratio, wide * ratio)
    types, old = fine.types, coarse.variants
    rounds, tokens = worth_of(old, own, len(types))
    # Where nothing shows what a round is worth, the first duals say it; a token's is rarely needed.
    guessed = np.isnan(rounds)
    usual = np.nanmedian(tokens) if not np.isnan(tokens).all() else 0.0
    rounds, tokens = np.nan_to_num(rounds), np.where(np.isnan(tokens), usual, tokens)

    def expected(costs: CoarseAggregateCosts) -> FloatArray:
        """Return what the duals of variants are beyond a number for each type, in rounds."""
        variants = costs.variants
        kind = variants.type
        first = costs.grid * first_duals(costs)[costs.prices :]
        shown = rounds[kind] * variants.looks + tokens[kind] * variants.added
        return np.where(guessed[kind], first, costs.grid * shown)

    number = np.bincount(old.type, old.counts, minlength=len(types))
    above = np.bincount(
        old.type, old.counts * (coarse.grid * own - expected(coarse)), minlength=len(types)
    )
    base = above / np.maximum(number, 1)
    duals = (base[fine.variants.type] + expected(fine)) / fine.grid
    return np.concatenate((start.ravel()[: fine.prices], duals))


def worth_of(
    variants: AggregateVariants, duals: FloatArray, types: int
) -> tuple[FloatArray, FloatArray]:
    """Return what a round more, and a token more, is worth to each type (rounds).

    Variants of a type that see one look more, or add one step less, show it; nan if there are none.
    """
    rounds, tokens = np.full((2, types), np.nan)
    kind, rises = variants.type[:-1], np.diff(duals)
    same, looks, steps = (np.diff(each) for each in (variants.type, variants.looks, variants.added))
    longer = (same == 0) & (looks == 1) & (steps == 0)
    less = (same == 0) & (looks == 0) & (steps == -1)
    rounds[kind[longer]] = rises[longer]
    tokens[kind[less]] = -rises[less]
    return rounds, tokens
