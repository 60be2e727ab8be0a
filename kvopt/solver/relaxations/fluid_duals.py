"""A first guess of demand duals: the requests as a fluid, shortest first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Request
from kvopt.solver.primal.list_schedules import tightest_spacing

__all__ = ["fluid_duals"]


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
    volumes = np.array([r.area for r in requests]) / memory
    spacings = np.array([tightest_spacing(r, memory) for r in requests])
    takes = pipeline_share * spacings + (1 - pipeline_share) * volumes
    duals = np.empty(len(takes))
    now, after = 0.0, sum(counts)
    for k in np.argsort(takes, kind="stable").tolist():
        now += takes[k] * counts[k]
        after -= counts[k]
        duals[k] = now + takes[k] * (after + 1)
    return duals
