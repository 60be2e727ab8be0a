"""In which phase of GSA or class of GBA each request completes.

Why that decides on the worst instances: proofs/worst_cases.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from kvopt.adversary.closed_forms import slices_of
from kvopt.policies import GBA, GSA, Policy
from kvopt.theory.pipeline import SliceRule, area_slices, geometric_slices

__all__ = ["Kind", "floors", "has_classes"]

Kind = tuple[int, int]
"""Prompt and output length of a request (tokens)."""


def has_classes(policy: Policy) -> bool:
    """Tell whether the class of a request does not depend on the order: see `floors`."""
    return type(policy) is GBA or (type(policy) is GSA and slices_of(policy) is not None)


def floors(policy: Policy, memory: int, requests: Sequence[Kind]) -> list[int]:
    """Return the slice that each request outlives before the one in which it completes.

    For GSA that is the slice of the phase before, for GBA the end of the class before, or
    0 in the first; for those that run one at a time in the end it is the last slice.  With
    any output that exceeds this number by 1 or more, but not the next slice, a request
    completes in the same phase or class.

    Parameters
    ----------
    policy
        A policy for which `has_classes` is true.
    memory
        Memory budget M (tokens).
    requests
        The requests, shape (n,).

    Returns
    -------
    list of int
        Shape (n,) (rounds).
    """
    found = [0] * len(requests)
    alive = list(range(len(requests)))
    for slice, last in _slices(policy, memory, requests, alive):
        alive[:] = [i for i in alive if requests[i][1] > slice]
        for i in alive:
            found[i] = slice
        if last:
            break
    return found


def _slices(
    policy: Policy, memory: int, requests: Sequence[Kind], alive: list[int]
) -> Iterator[tuple[int, bool]]:
    """Yield slices, and whether what outlives one runs alone; `alive` is kept by the caller."""
    slice_of = _rule(policy, max(prompt for prompt, _ in requests))
    phase = 0
    while alive:
        slice = slice_of(phase)
        phase += 1
        members = alive
        if isinstance(policy, GBA):
            members = [i for i in alive if requests[i][1] <= slice]
            if not policy.drain:
                members = members and list(range(len(requests)))
        if members:
            longest = memory - max(requests[i][0] for i in members)
            yield min(slice, longest), slice >= longest
        else:
            yield slice, False


def _rule(policy: Policy, prompt: int) -> SliceRule:
    if isinstance(policy, GBA):
        if policy.slices == "area":
            return area_slices(policy.alpha, prompt)
        return geometric_slices(policy.alpha, Fraction(1))
    rule = slices_of(policy)
    assert rule is not None
    return rule(prompt)
