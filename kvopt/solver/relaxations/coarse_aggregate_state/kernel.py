"""Costs-to-go of coarse aggregate states, in code that numba compiles.

A state is the number K of those who run and the number J of looks that they have been through
before, and of steps of tokens that their prompts add, all together.  At each look only those J are
kept that lie between the least and the largest one from which all can still complete, each while
that pays (proofs/text/coarse_aggregate_state.md, lemma 4).  The functions are plain Python on
integers and arrays; the tests run the same source both ways.
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
from kvopt.solver.relaxations.coarse_aggregate_state.states import Pairs

__all__ = ["AGGREGATE_KERNEL", "Begun", "Functions", "Prices", "Windows"]


class Prices(NamedTuple):
    """What starts and completions cost, in multiples of 1 / scale steps of the grid."""

    scale: int
    """A completion costs so much for each look before it."""
    dual: IntArray
    """So much less for each variant, shape (variants,)."""
    start: IntArray
    """A start of each kind at each time costs this, which the completion gives back, shape (kinds,
    horizon + 1)."""
    pays: IntArray
    """The last time at which a completion pays, for each variant, shape (variants,)."""
    until: IntArray
    """The last time from which a start of each kind can complete while that pays, shape
    (kinds,)."""


class Windows(NamedTuple):
    """Which J are looked at, for each look and K; none if `low` is more than `high`."""

    low: IntArray
    """The least, shape (horizon + 2, most who run + 1)."""
    high: IntArray
    """The largest, of the same shape."""


class Begun(NamedTuple):
    """The costs-to-go before the starts of a time, by K and the J of the next look."""

    rows: Int32Array
    """These, shape (most who run + 1, largest J + most who run + 1)."""
    low: IntArray
    """Which J are needed at least, shape (most who run + 1,)."""
    high: IntArray
    """And at most; none if `low` is more, shape (most who run + 1,)."""


def find_windows(
    pairs: Pairs, prices: Prices, windows: Windows, begun: Begun, last: IntArray, looks: int
) -> int:
    """Fill `windows` up to look `looks` + 1, and return what `count_steps` does.

    Parameters
    ----------
    pairs, prices
        The states, and what is paid.
    windows
        Which states are looked at, from now on.
    begun
        Room for which are needed.
    last
        Becomes the last look at which each state lives, 0 if there is none, shape (most who run +
        1, largest J + 1).
    looks
        The last time at which some completion pays.
    """
    low, high = windows.low, windows.high
    least, most, completes = pairs.least, pairs.most, pairs.completes
    latest: Any = 0
    for added in pairs.added:
        latest = max(latest, added)
    last[0, 0] = looks
    low[:, 0] = 0
    high[:, 0] = 0
    for k in range(1, most.shape[0]):
        low[:, k] = most[k] + 1
        high[:, k] = -1
        for j in range(most[k], least[k] - 1, -1):
            best: Any = 0
            if j + k <= most[k]:
                best = max(best, last[k, j + k] - 1)
            for v in range(completes.shape[1]):
                rest = j - pairs.away[v]
                if rest < least[k - 1] or rest > most[k - 1]:
                    continue
                if j <= completes[k, v] and prices.pays[v] > best:
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
            if high[t, k] > k * (t - 1 + latest):
                high[t, k] = k * (t - 1 + latest)
    return count_steps(pairs, prices, windows, begun, looks)


def count_steps(pairs: Pairs, prices: Prices, windows: Windows, begun: Begun, looks: int) -> int:
    """Return how many states can complete at all looks, each for each variant.

    Starts count as much as the checker takes for them.
    """
    steps: Any = 0
    for t in range(1, looks + 1):
        find_needed(pairs, prices, windows, t, begun)
        each: Any = 9 + (prices.until >= t).sum() // 4
        for k in range(pairs.most.shape[0]):
            steps += each * max(0, begun.high[k] - begun.low[k] + 1)
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


def find_needed(pairs: Pairs, prices: Prices, windows: Windows, t: int, begun: Begun) -> None:
    """Find which J of each K are looked at after the completions of time t, or become such ones."""
    width = begun.rows.shape[1]
    few: Any = width
    many: Any = -1
    for kind in range(pairs.added.shape[0]):
        if t <= prices.until[kind]:
            few, many = min(few, pairs.added[kind]), max(many, pairs.added[kind])
    begin: Any = width
    end: Any = -1
    for k in range(pairs.most.shape[0]):
        if begin <= end and few <= many:
            begin, end = begin + few, min(width - 1, end + many)
        else:
            begin, end = width, -1
        least, largest = windows.low[t, k] + k, windows.high[t, k] + k
        if t == 0 and k > 0:
            least, largest = 1, 0
        if least <= largest:
            begin, end = min(begin, least), max(end, largest)
        begun.low[k], begun.high[k] = begin, end


def fill_begun(
    pairs: Pairs, prices: Prices, windows: Windows, t: int, after: Int32Array, begun: Begun
) -> None:
    """Fill the costs-to-go before the starts of time t, those that are needed.

    Parameters
    ----------
    pairs, prices, windows
        As in `fill_costs`.
    t
        The time.
    after
        The costs-to-go before the completions of look t + 1.
    begun
        Becomes those before the starts.
    """
    find_needed(pairs, prices, windows, t, begun)
    low, high = windows.low[t + 1], windows.high[t + 1]
    begin: Any = 0  # from which J to which one there is a path, with one more who runs
    end: Any = -1
    for k in range(pairs.most.shape[0] - 1, -1, -1):
        row, least, largest = begun.rows[k], begun.low[k], begun.high[k]
        for j in range(least, largest + 1):
            row[j] = NO_PATH
        first, last = max(least, low[k]), min(largest, high[k])
        if first <= last:
            copy_into(row[first:], after[k, first:], 0, last + 1 - first)
        if begin <= end:
            for kind in range(pairs.added.shape[0]):
                if t > prices.until[kind]:
                    continue
                more = pairs.added[kind]
                begins, ends = max(least, begin - more), min(largest, end - more)
                if begins <= ends:
                    lower(row, begun.rows[k + 1], begins, ends, -more, prices.start[kind, t])
                    if first > last:
                        first, last = begins, ends
                    first, last = min(first, begins), max(last, ends)
        begin, end = first, last


def fill_costs(
    pairs: Pairs, prices: Prices, windows: Windows, looks: int, cost: Int32Array, begun: Begun
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
    begun
        Room for the costs-to-go before starts.

    Returns
    -------
    int
        At most 0; `OVERFLOW` if some cost-to-go does not fit.
    """
    low, high = windows.low, windows.high
    variants = pairs.looks.shape[0]
    cost[looks + 1, 0, 0] = 0
    lowest: Any
    for t in range(looks, 0, -1):
        fill_begun(pairs, prices, windows, t, cost[t + 1], begun)
        for k in range(pairs.most.shape[0]):
            begin, end = low[t, k], high[t, k]
            row = cost[t, k]
            if begin > end:
                continue
            copy_into(row[begin:], begun.rows[k, begin + k :], 0, end + 1 - begin)
            if k == 0:
                row[0] = min(row[0], 0)
                continue
            for v in range(variants):
                if t < pairs.looks[v] or t > prices.pays[v]:
                    continue
                away = pairs.away[v]
                least = max(begin, low[t, k - 1] + away)
                largest = min(end, high[t, k - 1] + away, pairs.completes[k, v])
                if least <= largest:
                    given = prices.start[pairs.kind[v], t - pairs.looks[v]]
                    charge = prices.scale * t - prices.dual[v] - given
                    lower(row, cost[t, k - 1], least, largest, away, charge)
            seen, lowest = row[begin : end + 1], np.int32(NO_PATH)
            for j in range(seen.shape[0]):
                seen[j] = seen[j] if seen[j] <= NO_PATH // 2 else NO_PATH
                lowest = min(lowest, seen[j])
            if lowest < -NO_PATH // 2:
                return OVERFLOW
    fill_begun(pairs, prices, windows, 0, cost[1], begun)
    return int(min(0, begun.rows[0, 0]))


def follow_costs(
    pairs: Pairs,
    prices: Prices,
    windows: Windows,
    looks: int,
    cost: Int32Array,
    begun: Begun,
    done: IntArray,
    begins: IntArray,
) -> None:
    """Count what happens on a cheapest path.

    Parameters
    ----------
    pairs, prices, windows, looks, cost, begun
        As in `fill_costs`, after it.
    done
        Becomes the number of completions of each variant, shape (variants,).
    begins
        Becomes the number of starts of each kind at each time, less that of completions with so
        many looks that they have started then, shape (kinds, horizon + 1).
    """
    low, high = windows.low, windows.high
    done[:] = 0
    begins[:] = 0
    value: Any = begun.rows[0, 0]
    k: Any = 0
    j: Any = 0
    for t in range(looks + 1):
        going = t > 0
        while going and k > 0:
            going = False
            for v in range(pairs.looks.shape[0]):
                rest = j - pairs.away[v]
                if t < pairs.looks[v] or t > prices.pays[v] or j > pairs.completes[k, v]:
                    continue
                if rest < low[t, k - 1] or rest > high[t, k - 1]:
                    continue
                kind, first = pairs.kind[v], t - pairs.looks[v]
                charge = prices.scale * t - prices.dual[v] - prices.start[kind, first]
                if cost[t, k - 1, rest] + charge == cost[t, k, j]:
                    done[v] += 1
                    begins[kind, first] -= 1
                    k, j = k - 1, rest
                    going = True
                    break
        if t > 0:
            value = cost[t, k, j]
        if k == 0 and value >= 0:
            return
        j += k
        fresh = True
        for _ in range(pairs.most.shape[0]):
            if low[t + 1, k] <= j <= high[t + 1, k] and cost[t + 1, k, j] == value:
                break
            if fresh:
                fill_begun(pairs, prices, windows, t, cost[t + 1], begun)
                fresh = False
            for kind in range(pairs.added.shape[0]):
                then, left = j + pairs.added[kind], value - prices.start[kind, t]
                possible = begun.low[k + 1] <= then <= begun.high[k + 1] and t <= prices.until[kind]
                if possible and begun.rows[k + 1, then] == left:
                    begins[kind, t] += 1
                    value = left
                    k, j = k + 1, then
                    break


class Functions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    find_windows: Callable[[Pairs, Prices, Windows, Begun, IntArray, int], int]
    fill_costs: Callable[[Pairs, Prices, Windows, int, Int32Array, Begun], int]
    follow_costs: Callable[
        [Pairs, Prices, Windows, int, Int32Array, Begun, IntArray, IntArray], None
    ]
    lightest: Weigh


def warm_up(functions: Functions) -> None:
    """Call each function on one request of one token."""
    one, two = np.ones(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    none = np.zeros(1, dtype=np.int64)
    pairs = Pairs(two, two, none, none, one, none, np.array([[-1], [0]], dtype=np.int64))
    prices = Prices(1, 3 * one, np.zeros((1, 4), dtype=np.int64), 2 * one, one)
    low, high, last = np.zeros((3, 5, 2), dtype=np.int64)
    windows = Windows(low, high)
    cost = np.zeros((5, 2, 2), dtype=np.int32)
    begun = Begun(cost[0].copy(), two.copy(), two.copy())
    functions.find_windows(pairs, prices, windows, begun, last[:2, :1].copy(), 2)
    functions.fill_costs(pairs, prices, windows, 2, cost, begun)
    functions.follow_costs(pairs, prices, windows, 2, cost, begun, one.copy(), prices.start.copy())
    functions.lightest(np.ones((1, 1)), np.zeros(1), 1.0)


AGGREGATE_KERNEL = Kernel(
    "coarse aggregate states",
    (
        copy_into,
        lower,
        find_needed,
        count_steps,
        find_windows,
        fill_begun,
        fill_costs,
        follow_costs,
        lightest,
    ),
    Functions,
    warm_up,
    error_model="numpy",
)
