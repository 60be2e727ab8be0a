"""Window cover cuts: no more than m requests start within their windows.

For a level m >= 1 and a request with n_i = s_i + o_i + m (s_min + o_i) - M > 0 let
d_i = min(o_i, ceil(n_i / m)).  Then for every time u at most m requests have a start in
(u - d_i, u] (derived: proofs/text/model.md, lemma 4).  At level 1 they are clique inequalities.
"""

from __future__ import annotations

import numpy as np

from kvopt.model.instance import Instance

__all__ = ["COVER_LEVELS", "LEVELS", "cover_window", "cover_windows"]

LEVELS = (1, 2)
"""Levels m of the cuts that the linear and aggregate-state relaxations contain."""

COVER_LEVELS = (1,)
"""Levels m of the cuts that the integer program contains.

Levels 2 and 3 raise the linear relaxation little and triple the size."""


def cover_windows(instance: Instance, level: int) -> list[int]:
    """Return for each type the window d_i of the cuts of a level m (rounds).

    Parameters
    ----------
    instance
        The instance; types in the order of `RequestTypes`.
    level
        The m of the cuts, >= 1.
    """
    types = instance.request_types()
    excess = types.peaks + level * (types.prompts.min() + types.outputs) - instance.memory
    windows: list[int] = np.clip(-(-excess // level), 0, types.outputs).tolist()
    return windows


def cover_window(memory: int, smallest: int, prompt: int, output: int, level: int) -> int:
    """Return the window of one request, where the smallest prompt is `smallest` (rounds)."""
    excess = prompt + output + level * (smallest + output) - memory
    return max(0, min(output, -(-excess // level)))
