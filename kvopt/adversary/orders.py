"""In which orders the requests of a set have to be tried to find a policy's worst case.

Policies look at the order of requests.  For some it is proved that it does not matter,
matters only between requests that the policy cannot tell apart otherwise, or which one is
the worst (proofs/worst_cases.md); for the others all are tried.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from kvopt.adversary.classes import Kind, floors, has_classes
from kvopt.policies import MCSF, SVF, AMax, Policy, SortedF, SPTPipeline

__all__ = ["distinct_orders", "number_of_orders", "orders_to_try"]


def orders_to_try(
    policy: Policy, memory: int, requests: Sequence[Kind]
) -> Iterator[tuple[Kind, ...]]:
    """Yield orders of requests, a worst one for the policy among them.

    Parameters
    ----------
    policy
        The policy.
    memory
        Memory budget M (tokens).
    requests
        The requests, shape (n,).
    """
    common = len({prompt for prompt, _ in requests}) == 1
    if has_classes(policy):
        late = zip(floors(policy, memory, requests), requests, strict=True)
        yield tuple(kind for _, kind in sorted(late, key=_late_and_small))
    elif type(policy) is SPTPipeline or (type(policy) is SortedF and common):
        yield tuple(requests)
    elif (key := _key(policy, memory)) is not None:
        groups = itertools.groupby(sorted(requests, key=key, reverse=True), key)
        ties = [list(distinct_orders(list(group))) for _, group in groups]
        for orders in itertools.product(*ties):
            yield tuple(itertools.chain(*orders))
    else:
        yield from distinct_orders(requests)


def _key(policy: Policy, memory: int) -> Callable[[Kind], int] | None:
    """Return by what a policy sorts requests before it looks at their order, if it does."""
    if type(policy) is MCSF:
        return lambda kind: kind[1]
    if type(policy) is SVF:
        return lambda kind: 2 * kind[0] * kind[1] + kind[1] * (kind[1] + 1)
    if type(policy) is AMax and isinstance(width := policy.width, Fraction):
        return lambda kind: min(kind[1] * width.numerator // width.denominator, memory - kind[0])
    return None


def _late_and_small(late: tuple[int, Kind]) -> tuple[int, int, int]:
    floor, (prompt, output) = late
    return -floor, prompt, -output


def number_of_orders(requests: Sequence[Kind]) -> int:
    """Return the number of distinct orders of requests."""
    counts = Counter(requests).values()
    return math.factorial(len(requests)) // math.prod(map(math.factorial, counts))


def distinct_orders(requests: Sequence[Kind]) -> Iterator[tuple[Kind, ...]]:
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
