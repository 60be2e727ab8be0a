"""Optima of instances so small that they take milliseconds, which searches compare costs to."""

from __future__ import annotations

from kvopt.adversary.candidate import Candidate
from kvopt.solver.releases.search import least_latency
from kvopt.solver.state_search.many import optima

__all__ = ["is_small", "small_optimum"]

SMALL_REQUESTS, SMALL_MEMORY = 14, 32
"""Up to so many requests and tokens an optimum takes milliseconds, in compiled code."""

RELEASE_STATES = 3_000
"""So many states the search for an optimum with release times may keep."""


def is_small(candidate: Candidate) -> bool:
    """Tell whether the optimum takes little time."""
    return candidate.memory <= SMALL_MEMORY and len(candidate) <= SMALL_REQUESTS


def small_optimum(candidate: Candidate, reference: int, enough: int | None = None) -> int:
    """Return the optimum; with releases the least cost known, if it takes too many states.

    Parameters
    ----------
    candidate
        The instance, a small one.
    reference
        Cost of a feasible schedule (rounds).
    enough
        If the optimum is at least that, it may be returned instead (rounds); None for no limit.
    """
    if candidate.has_releases:
        cutoff = reference if enough is None else min(reference, enough)
        return min(reference, least_latency(candidate.instance(), cutoff, RELEASE_STATES))
    prompts, outputs = (lengths.tolist() for lengths in candidate.arrays())
    cutoffs = None if enough is None else [enough]
    return optima([(candidate.memory, prompts, outputs)], cutoffs=cutoffs)[0]
