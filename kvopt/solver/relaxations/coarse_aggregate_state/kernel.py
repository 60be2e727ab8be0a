"""Costs-to-go of coarse aggregate states, in code that numba compiles.

A state is the number K of those who run and the number J of looks they have been through before,
all together.  At each look only those J are kept that lie between the least and the largest one
from which all can still complete, each while that pays (proofs/text/coarse_aggregate_state.md,
lemma 3).  The functions are plain Python on integers and arrays; the tests run the same source both
ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import Int32Array, copy_into
from kvopt.solver.compiling import Kernel
from kvopt.solver.dual_ascent.bundle import Weigh, lightest
from kvopt.solver.relaxations.batch_state.kernel import NO_PATH, OVERFLOW

__all__ = ["AGGREGATE_KERNEL", "Functions", "Pairs", "Prices", "Windows"]


class Pairs(NamedTuple):
    """What is possible with K who run and J looks."""

    most: IntArray
    """The largest J for each K, shape (most who run + 1,)."""
    looks: IntArray
    """How many looks see each variant, shape (variants,)."""
    completes: IntArray
    """The largest J from which one of K is such a variant and has room to complete, -1 if there
    is none, shape (most who run + 1, variants)."""


class Prices(NamedTuple):
    """What starts and completions cost, in multiples of 1 / scale steps of the grid."""

    scale: int
    """A completion costs so much for each look before it."""
    dual: IntArray
    """So much less for each variant, shape (variants,)."""
    start: IntArray
    """A start at each time costs this, which the completion gives back, shape (horizon + 1,)."""
    pays: IntArray
    """The last time at which a completion pays, for each variant, shape (variants,)."""


class Windows(NamedTuple):
    """Which J are looked at, for each look and K; none if `low` is more than `high`."""

    low: IntArray
    """The least, shape (horizon + 2, most who run + 1)."""
    high: IntArray
    """The largest, of the same shape."""


def find_windows(pairs: Pairs, prices: Prices, windows: Windows, last: IntArray, looks: int) -> int:
    """Fill `windows` up to look `looks` + 1, and return what `count_steps` does.

    Parameters
    ----------
    pairs, prices
        The states, and what is paid.
    windows
        Which states are looked at, from now on.
    last
        Becomes the last look at which each state lives, 0 if there is none, shape (most who run +
        1, largest J + 1).
    looks
        The last time at which some completion pays.
    """
    low, high = windows.low, windows.high
    most, completes = pairs.most, pairs.completes
    last[0, 0] = looks
    low[:, 0] = 0
    high[:, 0] = 0
    for k in range(1, most.shape[0]):
        low[:, k] = most[k] + 1
        high[:, k] = -1
        for j in range(most[k], -1, -1):
            best: Any = 0
            if j + k <= most[k]:
                best = max(best, last[k, j + k] - 1)
            for v in range(completes.shape[1]):
                rest = j - pairs.looks[v] + 1
                if 0 <= rest <= most[k - 1] and j <= completes[k, v] and prices.pays[v] > best:
                    best = max(best, min(last[k - 1, rest], prices.pays[v]))
            last[k, j] = best
            if j < low[best, k]:
                low[best, k] = j
            if j > high[best, k]:
                high[best, k] = j
        for t in range(looks, 0, -1):
            if low[t + 1, k] < low[t, k]:
                low[t, k] = low[t + 1, k]
            if high[t + 1, k] > high[t, k]:
                high[t, k] = high[t + 1, k]
    for t in range(1, looks + 1):
        for k in range(1, most.shape[0]):
            if high[t, k] > k * (t - 1):
                high[t, k] = k * (t - 1)
    return count_steps(pairs, prices, windows, looks)


def count_steps(pairs: Pairs, prices: Prices, windows: Windows, looks: int) -> int:
    """Return how many states can complete at all looks, each for each variant."""
    steps: Any = 0
    for t in range(1, looks + 1):
        number: Any = 0
        for v in range(pairs.looks.shape[0]):
            if pairs.looks[v] <= t <= prices.pays[v]:
                number += 1
        for k in range(1, pairs.most.shape[0]):
            steps += number * max(0, windows.high[t, k] - windows.low[t, k] + 1)
    return int(steps)


def lower(row: Int32Array, other: Int32Array, begin: int, end: int, away: int, cost: int) -> None:
    """Lower row[begin..end] to what `other` holds `away` before, plus a cost.

    The loop counts from 0, as with places that might be negative the compiler would not make
    several additions at a time.
    """
    more = np.int32(cost)
    here, there = row[begin : end + 1], other[begin - away : end + 1 - away]
    for j in range(here.shape[0]):
        through = np.int32(there[j] + more)
        here[j] = through if through < here[j] else here[j]


def fill_costs(
    pairs: Pairs, prices: Prices, windows: Windows, looks: int, cost: Int32Array, rows: Int32Array
) -> int:
    """Fill the costs-to-go before the completions of each look; return that of the cheapest path.

    Parameters
    ----------
    pairs, prices, windows
        The states, what is paid, and which states are looked at.
    looks
        The last time at which some completion pays.
    cost
        The costs-to-go, shape (horizon + 2, most who run + 1, largest J + most who run + 1); only
        those in the windows are written.
    rows
        Room for one number for each state, of the shape of one look of `cost`.

    Returns
    -------
    int
        At most 0; `OVERFLOW` if some cost-to-go does not fit.
    """
    low, high = windows.low, windows.high
    most, variants = pairs.most.shape[0] - 1, pairs.looks.shape[0]
    cost[looks + 1, 0, 0] = 0
    begin: Any
    end: Any
    lowest: Any
    for t in range(looks, -1, -1):
        begin, end = rows.shape[1], -1
        for k in range(most, -1, -1):
            rows[k] = NO_PATH
            if t == looks and k > 0:
                continue  # nothing pays any more
            least, largest = low[t + 1, k], high[t + 1, k]
            if least <= largest:
                copy_into(rows[k, least:], cost[t + 1, k, least:], 0, largest + 1 - least)
            if k < most and begin <= end:
                lower(rows[k], rows[k + 1], begin, end, 0, prices.start[t])
            begin, end = min(begin, low[t + 1, k]), max(end, high[t + 1, k])
        if t == 0:
            break
        for k in range(most + 1):
            begin, end = low[t, k], high[t, k]
            row = cost[t, k]
            if begin > end:
                continue
            copy_into(row[begin:], rows[k, begin + k :], 0, end + 1 - begin)
            if k == 0:
                row[0] = min(row[0], 0)
                continue
            for v in range(variants):
                if t < pairs.looks[v] or t > prices.pays[v]:
                    continue
                away = pairs.looks[v] - 1
                least = max(begin, low[t, k - 1] + away)
                largest = min(end, high[t, k - 1] + away, pairs.completes[k, v])
                if least <= largest:
                    charge = prices.scale * t - prices.dual[v] - prices.start[t - pairs.looks[v]]
                    lower(row, cost[t, k - 1], least, largest, away, charge)
            seen, lowest = row[begin : end + 1], np.int32(NO_PATH)
            for j in range(seen.shape[0]):
                seen[j] = seen[j] if seen[j] <= NO_PATH // 2 else NO_PATH
                lowest = min(lowest, seen[j])
            if lowest < -NO_PATH // 2:
                return OVERFLOW
    return int(min(0, rows[0, 0]))


def follow_costs(
    pairs: Pairs,
    prices: Prices,
    windows: Windows,
    looks: int,
    cost: Int32Array,
    done: IntArray,
    begun: IntArray,
) -> None:
    """Count what happens on a cheapest path.

    Parameters
    ----------
    pairs, prices, windows, looks, cost
        As in `fill_costs`.
    done
        Becomes the number of completions of each variant, shape (variants,).
    begun
        Becomes the number of starts at each time, less that of completions with so many looks that
        they have started then, shape (horizon + 1,).
    """
    low, high = windows.low, windows.high
    most, variants = pairs.most.shape[0] - 1, pairs.looks.shape[0]
    done[:] = 0
    begun[:] = 0
    k: Any = 0
    j: Any = 0
    for t in range(looks + 1):
        going = t > 0
        while going and k > 0:
            going = False
            for v in range(variants):
                rest = j - pairs.looks[v] + 1
                if t < pairs.looks[v] or t > prices.pays[v] or j > pairs.completes[k, v]:
                    continue
                if rest < low[t, k - 1] or rest > high[t, k - 1]:
                    continue
                first = t - pairs.looks[v]
                charge = prices.scale * t - prices.dual[v] - prices.start[first]
                if cost[t, k - 1, rest] + charge == cost[t, k, j]:
                    done[v] += 1
                    begun[first] -= 1
                    k, j = k - 1, rest
                    going = True
                    break
        if k == 0 and t > 0 and cost[t, 0, 0] == 0:
            return
        best: Any = NO_PATH
        number: Any = 0
        for new in range(most - k + 1):
            if low[t + 1, k + new] <= j + k <= high[t + 1, k + new]:
                through = cost[t + 1, k + new, j + k] + new * prices.start[t]
                if through < best:
                    best, number = through, new
        begun[t] += number
        k, j = k + number, j + k
        if k == 0 and t == 0 and best >= 0:
            return


class Functions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    find_windows: Callable[[Pairs, Prices, Windows, IntArray, int], int]
    fill_costs: Callable[[Pairs, Prices, Windows, int, Int32Array, Int32Array], int]
    follow_costs: Callable[[Pairs, Prices, Windows, int, Int32Array, IntArray, IntArray], None]
    lightest: Weigh


def warm_up(functions: Functions) -> None:
    """Call each function on one request of one token."""
    one, two = np.ones(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    pairs = Pairs(two, one, np.array([[-1], [0]], dtype=np.int64))
    prices = Prices(1, 3 * one, np.zeros(4, dtype=np.int64), 2 * one)
    low, high, last = np.zeros((3, 5, 2), dtype=np.int64)
    windows = Windows(low, high)
    cost = np.zeros((5, 2, 2), dtype=np.int32)
    functions.find_windows(pairs, prices, windows, last[:2, :1].copy(), 2)
    functions.fill_costs(pairs, prices, windows, 2, cost, cost[0].copy())
    functions.follow_costs(pairs, prices, windows, 2, cost, one.copy(), prices.start.copy())
    functions.lightest(np.ones((1, 1)), np.zeros(1), 1.0)


AGGREGATE_KERNEL = Kernel(
    "coarse aggregate states",
    (copy_into, lower, count_steps, find_windows, fill_costs, follow_costs, lightest),
    Functions,
    warm_up,
    error_model="numpy",
)
