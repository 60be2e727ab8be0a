"""What is known about a policy that makes some instances enough to find its worst.

Policies look at the order of requests.  For some it is proved that it does not matter,
matters only between requests that the policy cannot tell apart otherwise, or which one is
the worst; for the others all are tried.  Of some it is known in which phase or class each
request completes.  Why that decides on the worst instances: proofs/text/worst_cases.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kvopt.policies import Policy
from kvopt.policies.policy import facts_of
from kvopt.theory.orders import RequestType

__all__ = ["has_classes", "orders_to_try", "outlived_slices"]


def orders_to_try(
    policy: Policy, memory: int, requests: Sequence[RequestType]
) -> Iterator[Sequence[RequestType]]:
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
    return facts_of(policy).worst_orders(memory, requests)


def has_classes(policy: Policy) -> bool:
    """Tell whether it is known which slices requests outlive: see `outlived_slices`."""
    return facts_of(policy).outlived_slices(1, [(0, 1)]) is not None


def outlived_slices(policy: Policy, memory: int, requests: Sequence[RequestType]) -> Sequence[int]:
    """Return the slice that each request outlives (rounds): see `Policy.outlived_slices`.

    Parameters are as for `orders_to_try`, for a policy for which `has_classes` is true.
    """
    found = facts_of(policy).outlived_slices(memory, requests)
    assert found is not None
    return found
