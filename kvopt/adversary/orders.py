"""In which orders the requests of a set have to be tried to find a policy's worst case.

Policies look at the order of requests.  For some it is proved that it does not matter, or
which one is the worst (proofs/worst_cases.md); for the others all are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kvopt.adversary.quick import slices_of
from kvopt.policies import GBA, GSA, MCSF, SVF, AMax, Policy, SortedF, SPTPipeline

__all__ = ["distinct_orders", "orders_to_try"]

Kind = tuple[int, int]
"""Prompt and output length of a request (tokens)."""

BY_KIND = (GBA, MCSF, SVF, SortedF, SPTPipeline)


def orders_to_try(policy: Policy, requests: Sequence[Kind]) -> Iterator[tuple[Kind, ...]]:
    """Yield orders of requests, a worst one for the policy among them.

    With a common prompt one order is enough for GSA with phases that wait for each other,
    longest first (proofs/worst_cases.md, lemma 2), and for the policies that sort by
    length or only count (lemma 1).

    Parameters
    ----------
    policy
        The policy.
    requests
        The requests, shape (n,).
    """
    longest_first = tuple(sorted(requests, key=lambda kind: (-kind[1], kind[0])))
    common = len({prompt for prompt, _ in requests}) == 1
    sorts = type(policy) in BY_KIND or (type(policy) is AMax and policy.width == 1)
    if common and (sorts or (type(policy) is GSA and slices_of(policy) is not None)):
        yield longest_first
    else:
        yield from distinct_orders(longest_first)


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
