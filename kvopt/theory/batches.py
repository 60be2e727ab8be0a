"""The order of Sorted-F: batches that minimise output per squared number of requests.

Source: Wang, Ye, Zhou 2025, arXiv 2508.06133; the greedy batches are our reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, combinations

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping

__all__ = ["EXACT_REQUESTS", "batch_order", "batches", "clusters"]

EXACT_REQUESTS = 10
"""Up to so many waiting requests the best batch is found by trying all."""

TAKEN = np.iinfo(np.int64).max
"""Stands for the prompt of a request that is in a batch already."""

Lengths = Sequence[int] | Mapping[int, int]
"""The length of each request (tokens)."""

BLOCK = 64
"""How many requests are looked at in one go, at first."""


def batch_order(
    prompts: IntArray, outputs: IntArray, memory: int, stop: Stopping | None = None
) -> list[int]:
    """Return the places of requests, batch by batch, each by (output length, place).

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    memory
        Memory budget M (tokens).
    stop
        When it is over, the rest follows as one batch; None for no limit.
    """
    return [i for batch in batches(prompts, outputs, memory, stop) for i in batch]


def batches(
    prompts: IntArray, outputs: IntArray, memory: int, stop: Stopping | None = None
) -> Iterator[list[int]]:
    """Yield the places of requests batch by batch, as `batch_order` has them."""
    waiting = _Waiting(prompts, outputs)
    prompt_list, output_list = prompts.tolist(), outputs.tolist()

    def by_length(batch: Iterable[int]) -> list[int]:
        return sorted(batch, key=lambda i: (output_list[i], i))

    while waiting.number > EXACT_REQUESTS:
        if stop is not None and stop.over():
            yield by_length(waiting.rest())
            return
        yield by_length(waiting.take_batch(memory))
    rest = waiting.rest()
    while rest:
        batch = _best_batch(rest, prompt_list, output_list, memory)
        yield by_length(batch)
        rest = [i for i in rest if i not in batch]


def clusters(waiting: list[tuple[int, int, int]], memory: int) -> Iterator[list[int]]:
    """Yield requests in the order of `batch_order`, those of equal output in a batch together.

    Only as much is worked out as is asked for: of a batch that is built greedily, its beginning.

    Parameters
    ----------
    waiting
        (output length, prompt length, request) of each, ascending; copied when the first are
        asked for.
    memory
        Memory budget M (tokens).
    """
    waiting = waiting.copy()
    while len(waiting) > EXACT_REQUESTS:
        batch: set[int] = set()
        for cluster in _greedy_clusters(waiting, memory):
            yield cluster
            batch.update(cluster)
        waiting = [row for row in waiting if row[2] not in batch]
    if len(waiting) == 1:
        yield [waiting[0][2]]
        return
    rest = sorted(request for _, _, request in waiting)
    outputs = {request: output for output, _, request in waiting}
    prompts = {request: prompt for _, prompt, request in waiting}
    while rest:
        best = _best_batch(rest, prompts, outputs, memory)
        yield sorted(best, key=lambda i: (outputs[i], i))
        rest = [i for i in rest if i not in best]


def _greedy_clusters(waiting: list[tuple[int, int, int]], memory: int) -> Iterator[list[int]]:
    """Yield the requests of a batch that is built greedily; see `_Waiting.take_batch`."""
    cluster: list[int] = []
    lengths: list[int] = []  # o_j
    loads: list[int] = []  # (k + 1 - j) o_j - P_j
    total = used = 0
    room, limit = memory, waiting[-1][0] + 1
    for output, prompt, request in waiting:
        if output >= limit:
            break
        if prompt > room:
            continue
        if cluster and output > lengths[-1]:
            yield sorted(cluster)
            cluster = []
        cluster.append(request)
        loads = [load + o for load, o in zip(loads, lengths, strict=True)]
        loads.append(2 * output - used)
        lengths.append(output)
        total += output
        used += prompt
        room = memory - used - max(loads)
        size = len(lengths)
        limit = -(-total * (2 * size + 1) // (size * size))
    yield sorted(cluster)


def _fits(batch: list[int], prompts: Lengths, outputs: Lengths, memory: int) -> bool:
    """Tell whether a batch may start at once on an empty machine."""
    used = 0  # prompts of those that still run
    longest_first = sorted(batch, key=lambda i: outputs[i], reverse=True)
    for running, i in enumerate(longest_first, start=1):
        used += prompts[i]
        if used + running * outputs[i] > memory:
            return False
    return True


def _best_batch(waiting: list[int], prompts: Lengths, outputs: Lengths, memory: int) -> set[int]:
    """Return the batch with the smallest quotient, of all there are.

    Of equal quotients that of the largest batch counts, then of that with the lowest places.
    """
    waiting = sorted(waiting)
    lengths = sorted(outputs[i] for i in waiting)
    best: Iterable[int] = ()
    total, size = 1, 0  # the quotient is total / size^2; no batch yet
    if _fits(waiting, prompts, outputs, memory):  # so does any batch: the shortest are best
        for more, length in enumerate(accumulate(lengths), start=1):
            if length * size * size <= total * more * more:
                total, size = length, more
        return set(sorted(waiting, key=lambda i: outputs[i])[:size])
    for more in range(1, len(waiting) + 1):
        if sum(lengths[:more]) * size * size > total * more * more:
            continue  # even the shortest ones are too long
        found = _shortest_batch(more, waiting, prompts, outputs, memory)
        if found:
            length = sum(outputs[i] for i in found)
            if length * size * size <= total * more * more:
                best, total, size = found, length, more
    return set(best)


def _shortest_batch(
    size: int, waiting: list[int], prompts: Lengths, outputs: Lengths, memory: int
) -> tuple[int, ...]:
    """Return the batch of a size with the least total output; empty if none may start."""
    longest = sorted(outputs[i] for i in waiting)[size - 1]
    shorter = [i for i in waiting if outputs[i] < longest]
    equal = [i for i in waiting if outputs[i] == longest]
    for chosen in combinations(equal, size - len(shorter)):
        if _fits(batch := sorted([*shorter, *chosen]), prompts, outputs, memory):
            return tuple(batch)
    best: tuple[int, tuple[int, ...]] | None = None
    for chosen in combinations(waiting, size):
        key = (sum(outputs[i] for i in chosen), chosen)
        if (best is None or key < best) and _fits(list(chosen), prompts, outputs, memory):
            best = key
    return best[1] if best else ()


class _Waiting:
    """The requests that are in no batch yet, by (output length, prompt, request).

    A batch takes most of its requests from the front.  Those it takes stay where they
    are, marked, until they are the better part; so a batch costs its own size and the part of
    the queue it looks at, not the whole queue.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.

    Attributes
    ----------
    number
        Number of requests that are in no batch yet.
    """

    def __init__(self, prompts: IntArray, outputs: IntArray) -> None:
        self.requests = np.lexsort((prompts, outputs))
        self.prompts, self.outputs = prompts[self.requests], outputs[self.requests]
        self.number = len(prompts)

    def take_batch(self, memory: int) -> list[int]:
        """Take out and return the next batch, which begins with the shortest request.

        In the last round of the j-th of k requests in order of length, j = 0, 1, ..., those
        from it on run at age o_j.  With P the sum of all their prompts and P_j of those
        before it, they use P - P_j + (k - j) o_j tokens.  Another request, with prompt s,
        adds s + o_j.  So whether it fits depends on its prompt alone.
        """
        places: list[int] = []
        lengths, fixed = np.zeros((2, 64), dtype=np.int64)  # o_j, and -P_j - j o_j
        total = used = 0
        place, room, stop = -1, memory, len(self.requests)
        while (place := self._next_fitting(place + 1, stop, room)) < stop:
            size = len(places)
            if size == len(lengths):
                lengths, fixed = np.append(lengths, lengths), np.append(fixed, fixed)
            length = int(self.outputs[place])
            lengths[size], fixed[size] = length, -used - size * length
            places.append(place)
            total += length
            used += int(self.prompts[place])
            size += 1
            loads = fixed[:size] + lengths[:size] * (size + 1)
            room = memory - used - int(loads.max())
            # From the output length total (2 size + 1) / size^2 on the quotient would not fall.
            limit = -(-total * (2 * size + 1) // (size * size))
            stop = int(np.searchsorted(self.outputs, limit))
        return self._take(places)

    def rest(self) -> list[int]:
        """Return the requests that are in no batch yet, in order."""
        rest: list[int] = self.requests[self.prompts != TAKEN].tolist()
        return rest

    def _next_fitting(self, place: int, stop: int, room: int) -> int:
        """Return the first place from `place` on with a prompt of at most `room`, else `stop`."""
        size = BLOCK
        while place < stop:
            fits = self.prompts[place : min(place + size, stop)] <= room
            if fits.any():
                return place + int(np.argmax(fits))
            place += size
            size *= 2
        return stop

    def _take(self, places: list[int]) -> list[int]:
        batch: list[int] = self.requests[places].tolist()
        self.prompts[places] = TAKEN
        self.number -= len(batch)
        if 2 * self.number < len(self.requests):
            keep = self.prompts != TAKEN
            columns = (self.requests, self.prompts, self.outputs)
            self.requests, self.prompts, self.outputs = (column[keep] for column in columns)
        return batch
