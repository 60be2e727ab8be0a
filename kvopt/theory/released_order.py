"""Starting requests in an order as they are released, each as soon as it fits."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from fractions import Fraction
from heapq import heappop, heappush
from typing import Literal, Protocol, get_args

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.running_profile import RunningProfile
from kvopt.theory import area_batches
from kvopt.theory.batches import batch_order, clusters
from kvopt.theory.ordering import areas, earliest_starts, shortest_first_starts

__all__ = [
    "ONE",
    "ORDERS",
    "Order",
    "longest_expected",
    "ordered_starts",
    "planned_starts",
    "released_starts",
]

Order = Literal["length", "area", "batches", "area-batches"]
"""By (output length, request); by (area, request); by the batches of Sorted-F; by those of SVF."""

ONE = Fraction(1)
"""The width of predictions that are exact."""

NEVER = 1 << 62
"""After all releases (rounds)."""

ORDERS: tuple[str, ...] = get_args(Order)
"""All orders."""


def longest_expected(
    prompts: IntArray, outputs: IntArray | None, memory: int, width: Fraction | None
) -> IntArray:
    """Return the upper ends of predicted output lengths (tokens), shape (n,).

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each; outputs may be None without a width.
    memory
        Memory budget M (tokens).
    width
        w >= 1, for floor(o_i * w), at most M - s_i; None for no prediction: M - s_i.
    """
    longest: IntArray = memory - prompts
    if width is None or outputs is None:
        return longest
    p, q = width.numerator, width.denominator
    if p == q:
        return outputs
    return np.minimum([o * p // q for o in outputs.tolist()], longest)


def planned_starts(order: Order, prompts: IntArray, outputs: IntArray, memory: int) -> IntArray:
    """Return the starts of requests that wait at time 0, in an order, as early as they fit.

    Parameters
    ----------
    order
        The order, in which none starts before its predecessor.
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    memory
        Memory budget M (tokens).

    Returns
    -------
    ndarray of int64, shape (n,)
        Starts (rounds).
    """
    if order == "batches":
        places = np.array(batch_order(prompts, outputs, memory), dtype=np.int64)
    elif order == "area-batches":
        places = area_batches.batch_order(prompts, outputs, memory)
    else:
        places = np.argsort(_keys(order, prompts, outputs), kind="stable")
    rule = shortest_first_starts if order == "length" else earliest_starts
    starts = np.zeros(len(prompts), dtype=np.int64)
    starts[places] = rule(prompts[places], outputs[places], memory)
    return starts


def released_starts(
    order: Order,
    prompts: IntArray,
    outputs: IntArray,
    releases: IntArray,
    memory: int,
    expected: IntArray | None = None,
) -> IntArray:
    """Return the starts of requests in an order, as early as they fit, once they are released.

    At every time the requests that have been released and have not started wait in the order; the
    first of them starts as soon as it fits for its whole run beside what runs, and then the next
    one.  So what is released later changes nothing before, and time is gone through only once.

    Parameters
    ----------
    order
        The order.
    prompts, outputs, releases
        Prompt and output lengths (tokens), and release times (rounds), shape (n,) each.
    memory
        Memory budget M (tokens).
    expected
        For how long each is expected to run until it completes (rounds), at least its output,
        shape (n,); the order and what fits go by that.  None for the outputs.

    Returns
    -------
    ndarray of int64, shape (n,)
        Starts (rounds).
    """
    expected = outputs if expected is None else expected
    queue = _queue(order, prompts, expected, memory)
    profile = RunningProfile(memory)
    prompt_list, output_list, rounds = prompts.tolist(), outputs.tolist(), expected.tolist()
    arrivals = np.argsort(releases, kind="stable")
    to_come, times = arrivals.tolist(), [*releases[arrivals].tolist(), NEVER]
    left = len(to_come)
    starts = [0] * left
    early: list[tuple[int, int]] = []  # a heap of the completions before the expected end
    now, place = times[0], 0
    start, known = now, -1  # the start of a request that waits, as long as nothing changes
    while True:
        while times[place] <= now:
            queue.put(to_come[place])
            place += 1
        profile.advance(now)
        while early and early[0][0] <= now:
            done = heappop(early)[1]
            profile.remove(starts[done], prompt_list[done], starts[done] + rounds[done])
            known = -1
        while (request := queue.first()) >= 0:
            if request != known:
                start = profile.earliest_start(prompt_list[request], rounds[request], now)
                known = request
            if start > now:
                break
            profile.add(now, prompt_list[request], now + rounds[request])
            starts[request] = now
            if output_list[request] < rounds[request]:
                heappush(early, (now + output_list[request], request))
            queue.take()
            known, left = -1, left - 1
        if not left:
            return np.array(starts, dtype=np.int64)
        if request < 0:
            now = times[place]
        else:
            now = min(start, times[place], early[0][0] if early else NEVER)


def ordered_starts(
    order: Order,
    prompts: IntArray,
    outputs: IntArray,
    releases: IntArray,
    memory: int,
    width: Fraction | None = ONE,
) -> IntArray:
    """Return the same as `released_starts`, planned in one go if nothing unforeseen happens.

    Each request is expected to run as long as `longest_expected` says with this width.
    """
    first = int(releases.min())
    if width == 1 and (releases == first).all():
        return first + planned_starts(order, prompts, outputs, memory)
    expected = longest_expected(prompts, outputs, memory, width)
    return released_starts(order, prompts, outputs, releases, memory, expected)


class _Queue(Protocol):
    """Requests that wait, in an order."""

    def put(self, request: int) -> None:
        """Enter a request."""
        ...

    def first(self) -> int:
        """Return the first request; -1 if there is none."""
        ...

    def take(self) -> None:
        """Remove the first request."""
        ...


class _RankedQueue:
    """Requests by (key, request).

    Parameters
    ----------
    keys
        Key of each request, shape (n,).
    """

    def __init__(self, keys: IntArray) -> None:
        by_rank = np.argsort(keys, kind="stable")
        ranks = np.empty_like(by_rank)
        ranks[by_rank] = np.arange(len(keys))
        self._by_rank: list[int] = by_rank.tolist()
        self._ranks: list[int] = ranks.tolist()
        self._heap: list[int] = []

    def put(self, request: int) -> None:
        """Enter a request; see `_Queue`."""
        heappush(self._heap, self._ranks[request])

    def first(self) -> int:
        """Return the first request; see `_Queue`."""
        return self._by_rank[self._heap[0]] if self._heap else -1

    def take(self) -> None:
        """Remove the first request; see `_Queue`."""
        heappop(self._heap)


class _BatchQueue:
    """Requests in the batches of Sorted-F, formed anew of what waits when one is entered.

    Only as much of them is worked out as is asked for.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    memory
        Memory budget M (tokens).
    """

    def __init__(self, prompts: IntArray, outputs: IntArray, memory: int) -> None:
        self._rows = list(zip(outputs.tolist(), prompts.tolist(), range(len(prompts)), strict=True))
        self._memory = memory
        self._waiting: list[tuple[int, int, int]] = []  # sorted
        self._clusters: Iterator[list[int]] = iter(())
        self._next: list[int] = []  # the rest of a cluster, in reverse

    def put(self, request: int) -> None:
        """Enter a request; see `_Queue`."""
        insort(self._waiting, self._rows[request])
        self._clusters = clusters(self._waiting, self._memory)
        self._next = []

    def first(self) -> int:
        """Return the first request; see `_Queue`."""
        if not self._next:
            if not self._waiting:
                return -1
            self._next = next(self._clusters)[::-1]
        return self._next[-1]

    def take(self) -> None:
        """Remove the first request; see `_Queue`."""
        self._waiting.remove(self._rows[self._next.pop()])


class _GatheredQueue:
    """Requests in the order of SVF in batches, of all that was entered while the last ones waited.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    memory
        Memory budget M (tokens).
    """

    def __init__(self, prompts: IntArray, outputs: IntArray, memory: int) -> None:
        self._prompts, self._outputs, self._memory = prompts, outputs, memory
        self._keys = list(zip(areas(prompts, outputs).tolist(), range(len(prompts)), strict=True))
        self._lengths: list[int] = outputs.tolist()
        self._narrow: list[bool] = (2 * (prompts + outputs) <= memory).tolist()
        self._gathered: list[int] = []
        self._next: list[int] = []  # in reverse

    def put(self, request: int) -> None:
        """Enter a request; see `_Queue`."""
        self._gathered.append(request)

    def first(self) -> int:
        """Return the first request; see `_Queue`."""
        if not self._next:
            if not self._gathered:
                return -1
            self._next = self._ordered(sorted(self._gathered))[::-1]
            self._gathered = []
        return self._next[-1]

    def take(self) -> None:
        """Remove the first request; see `_Queue`."""
        self._next.pop()

    def _ordered(self, requests: list[int]) -> list[int]:
        by_area = sorted(requests, key=self._keys.__getitem__)
        lengths = [self._lengths[i] for i in by_area]
        if all(self._narrow[i] for i in by_area) and lengths == sorted(lengths):
            return by_area  # one order for all ways to cut
        chosen = np.array(requests, dtype=np.int64)
        order = area_batches.batch_order(self._prompts[chosen], self._outputs[chosen], self._memory)
        found: list[int] = chosen[order].tolist()
        return found


def _queue(order: Order, prompts: IntArray, outputs: IntArray, memory: int) -> _Queue:
    if order == "batches":
        return _BatchQueue(prompts, outputs, memory)
    if order == "area-batches":
        return _GatheredQueue(prompts, outputs, memory)
    return _RankedQueue(_keys(order, prompts, outputs))


def _keys(order: Order, prompts: IntArray, outputs: IntArray) -> IntArray:
    return areas(prompts, outputs) if order == "area" else outputs
