"""Few types in the place of many, for a program that only looks for good duals.

A bound may come from any duals, and those of a program with similar requests in the place of
alike ones are nearly as good, so the program need not know all types.
"""

from __future__ import annotations

import numpy as np

from kvopt.model.instance import Instance, IntArray

__all__ = ["clustered"]


RELEASE_WEIGHT = 6.0
"""How much the releases count when types are split."""


def clustered(instance: Instance, most: int) -> Instance:
    """Return an instance with as many requests, of at most so many types.

    Types are split again and again where they differ most, in proportion, in prompt or output, or
    in release, `RELEASE_WEIGHT` times in parts of the last one; each cluster has the mean lengths
    and release of its requests.

    Parameters
    ----------
    instance
        The instance.
    most
        At most so many types, >= 1.
    """
    types = instance.request_types()
    if len(types) <= most:
        return instance
    lengths = np.stack([types.prompts, types.outputs, types.releases], axis=1)
    logs = np.log(lengths + 1.0 + lengths.mean(axis=0) / 10)
    logs[:, 2] = RELEASE_WEIGHT * types.releases / max(1, int(types.releases.max()))
    groups = [np.arange(len(types))]
    spreads = [_spread(logs, groups[0], types.counts)]
    while len(groups) < most:
        widest = int(np.argmax([spread for spread, _ in spreads]))
        group, (_, axis) = groups[widest], spreads[widest]
        group = group[np.argsort(logs[group, axis], kind="stable")]
        passed = np.cumsum(types.counts[group])
        middle = int(np.searchsorted(passed, passed[-1] / 2)) + 1
        middle = min(max(middle, 1), len(group) - 1)
        groups[widest : widest + 1] = halves = [group[:middle], group[middle:]]
        spreads[widest : widest + 1] = [_spread(logs, half, types.counts) for half in halves]
    counts = [int(types.counts[group].sum()) for group in groups]
    means = [types.counts[g] @ lengths[g] / n for g, n in zip(groups, counts, strict=True)]
    rows = [(int(s), max(1, int(o)), n, int(a)) for (s, o, a), n in zip(means, counts, strict=True)]
    return Instance.from_groups(instance.memory, rows)


def _spread(logs: np.ndarray, group: IntArray, counts: IntArray) -> tuple[float, int]:
    """Return how much a group is spread, times its size, and along which axis."""
    if len(group) < 2:
        return 0.0, 0
    widths = np.ptp(logs[group], axis=0)
    axis = int(np.argmax(widths))
    return float(widths[axis] * counts[group].sum()), axis
