"""Schedules of requests with release times, laid out round by round; for compiled code."""

from __future__ import annotations

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.theory.ordering import lay_out

__all__ = ["best_released_layout"]


def best_released_layout(
    memory: int, prompts: IntArray, outputs: IntArray, releases: IntArray
) -> int:
    """Return the total latency of the best of five schedules (rounds).

    Each request in turn starts as early as it fits, gaps included: by output, by area, by release,
    and by outputs or areas put off by the releases.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    releases
        Release times (rounds), shape (n,).
    """
    areas = prompts * outputs + outputs * (outputs + 1) // 2
    best = -1
    for kind in range(5):
        keys = outputs if kind in (0, 3) else areas if kind in (1, 4) else releases
        if kind >= 3:
            keys = keys + releases
        order = np.argsort(keys * (outputs.max() + 1) + outputs, kind="mergesort")
        load = np.zeros(releases.max() + outputs.sum() + 1, dtype=np.int64)
        cost = lay_out(memory, prompts, outputs, releases, order, False, load)
        if best < 0 or cost < best:
            best = cost
    return int(best - releases.sum())
