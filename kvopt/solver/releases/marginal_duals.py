"""A first guess of demand duals from a schedule: what one request more would cost, or one less."""

from __future__ import annotations

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.solver.arrays import FloatArray

__all__ = ["marginal_duals"]


def marginal_duals(instance: Instance, starts: IntArray, most_requests: int = 300) -> FloatArray:
    """Return what one request more of each type would cost, roughly (rounds), shape (types,).

    The requests are placed again in the order of their starts, without one of them, and with one
    of them twice in a row; the mean of what that saves and of what that costs is the guess.  With
    many requests it is when they complete.

    Parameters
    ----------
    instance
        The instance.
    starts
        Starts of a good schedule (rounds), shape (n,).
    most_requests
        Up to so many requests they are placed again.
    """
    types = instance.request_types()
    order = np.lexsort((instance.outputs, starts)).tolist()
    guess = (starts + instance.outputs).astype(np.float64)
    if len(instance) <= most_requests:
        whole = _completions(instance, order)
        for place, i in enumerate(order):
            less = whole - _completions(instance, order[:place] + order[place + 1 :])
            more = _completions(instance, [*order[:place], i, *order[place:]]) - whole
            guess[i] = (less + more) / 2
    sums = np.bincount(types.index, weights=guess, minlength=len(types))
    means: FloatArray = sums / types.counts
    return means


def _completions(instance: Instance, order: list[int]) -> int:
    """Return the sum of the completion times of requests that are placed one by one (rounds)."""
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    releases = instance.releases.tolist()
    total = 0
    for i in order:
        start = profile.earliest_start(prompts[i], outputs[i], releases[i])
        profile.add(start, prompts[i], start + outputs[i])
        total += start + outputs[i]
    return total
