"""A first guess of demand duals: the requests as a fluid, shortest first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray, Request
from kvopt.solver.primal.list_schedules import tightest_spacing

__all__ = ["fluid_duals", "queue_duals"]


def fluid_duals(
    requests: Sequence[Request], counts: Sequence[int], memory: int, pipeline_share: float = 0.8
) -> NDArray[np.float64]:
    """Return what one request more of each type would cost, roughly (rounds), shape (types,).

    How much time a request takes from those behind it is between its share of the memory and
    the spacing of copies of it in a pipeline.

    Parameters
    ----------
    requests
        A request of each type.
    counts
        How many there are of each.
    memory
        M (tokens).
    pipeline_share
        How much the spacing counts, from 0 (the share of the memory alone) to 1.
    """
    takes = _takes(requests, memory, pipeline_share)
    duals = np.empty(len(takes))
    now, after = 0.0, sum(counts)
    for k in np.argsort(takes, kind="stable").tolist():
        now += takes[k] * counts[k]
        after -= counts[k]
        duals[k] = now + takes[k] * (after + 1)
    return duals


def queue_duals(
    instance: Instance, starts: IntArray, pipeline_share: float = 0.8
) -> NDArray[np.float64]:
    """Return what one request more of each type would cost, roughly, from a schedule (rounds).

    It completes as those of its type do, and delays those who start after it, up to the first
    one that did not have to wait.

    Parameters
    ----------
    instance
        The instance.
    starts
        Starts of a good schedule (rounds), shape (n,).
    pipeline_share
        As for `fluid_duals`.
    """
    types = instance.request_types()
    takes = _takes(types.requests, instance.memory, pipeline_share)
    order = np.argsort(starts, kind="stable")
    waited = (starts > instance.releases)[order].tolist()
    costs = np.zeros(len(order))
    behind = 0
    for place in range(len(order) - 1, -1, -1):
        i = order[place]
        costs[i] = starts[i] + instance.outputs[i] + takes[types.index[i]] * (behind + 1)
        behind = behind + 1 if waited[place] else 0
    sums = np.bincount(types.index, weights=costs, minlength=len(types))
    means: NDArray[np.float64] = sums / types.counts
    return means


def _takes(requests: Sequence[Request], memory: int, pipeline_share: float) -> NDArray[np.float64]:
    """Return how much time a request of each type takes from those behind it (rounds)."""
    volumes = np.array([r.area for r in requests]) / memory
    spacings = np.array([tightest_spacing(r, memory) for r in requests])
    takes: NDArray[np.float64] = pipeline_share * spacings + (1 - pipeline_share) * volumes
    return takes
