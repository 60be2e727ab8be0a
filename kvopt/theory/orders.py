"""Orders of requests: all distinct ones, or those that differ between ties only."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

__all__ = ["RequestType", "distinct_orders", "number_of_orders", "orders_of_ties"]

RequestType = tuple[int, int]
"""Prompt and output length of a request (tokens)."""

T = TypeVar("T", bound=tuple[int, ...])
"""A request, with its release time or without."""


def number_of_orders(requests: Sequence[RequestType]) -> int:
    """Return the number of distinct orders of requests."""
    counts = Counter(requests).values()
    return math.factorial(len(requests)) // math.prod(map(math.factorial, counts))


def distinct_orders(requests: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Yield every distinct order of requests once, in descending order."""
    current = sorted(requests, reverse=True)
    while True:
        yield tuple(current)
        # The next smaller permutation, as in Knuth's algorithm L.
        i = len(current) - 2
        while i >= 0 and current[i] <= current[i + 1]:
            i -= 1
        if i < 0:
            return
        j = len(current) - 1
        while current[j] >= current[i]:
            j -= 1
        current[i], current[j] = current[j], current[i]
        current[i + 1 :] = reversed(current[i + 1 :])


def orders_of_ties(
    requests: Sequence[RequestType], key: Callable[[RequestType], int]
) -> Iterator[tuple[RequestType, ...]]:
    """Yield the distinct orders of requests by descending key: those of equal keys vary.

    They are enough for a policy that sorts by the key before it looks at the order.
    """
    groups = itertools.groupby(sorted(requests, key=key, reverse=True), key)
    ties = [list(distinct_orders(list(group))) for _, group in groups]
    for orders in itertools.product(*ties):
        yield tuple(itertools.chain(*orders))
