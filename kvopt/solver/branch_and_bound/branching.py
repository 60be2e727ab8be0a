"""Where a node is split: how many requests of a type start before a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.branch_and_bound.propagation import BoolArray
from kvopt.solver.branch_and_bound.sparse_lp import SparseProgram
from kvopt.solver.primal.list_schedules import earliest_fit
from kvopt.solver.relaxations.time_indexed import Branch

__all__ = ["Split", "middle_split", "placed", "spread_split"]

FloatArray = NDArray[np.float64]


class Split(NamedTuple):
    """At most so many requests of a type start before a time, or more than that."""

    type: int
    before: int
    at_most: int


def starts_per_request(
    program: SparseProgram, solution: FloatArray
) -> Iterator[list[list[tuple[int, float]]]]:
    """Yield for each type which of its starts belong to its first, second, ... request.

    Those of a request are a list of (time, weight), weights adding up to 1.
    """
    found: list[list[tuple[int, float]]] = [[] for _ in program.outputs]
    for k, t, y in program.starts_in(solution):
        found[k].append((t, y))
    for weights, count in zip(found, program.types.counts.tolist(), strict=True):
        requests: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        passed = 0.0
        for t, y in sorted(weights):
            for number, own in enumerate(requests):
                share = min(passed + y, number + 1) - max(passed, number)
                if share > 1e-6:
                    own.append((t, share))
            passed += y
        yield requests


def spread_split(program: SparseProgram, solution: FloatArray) -> Split | None:
    """Return the split at the mean start of the request that is spread most for its time.

    Early starts come first: what follows depends on them.  None if no request is spread.
    """
    params = program.params
    best, split = 0.0, None
    for k, requests in enumerate(starts_per_request(program, solution)):
        for number, own in enumerate(requests):
            mean = sum(t * y for t, y in own)
            spread = sum(y * abs(t - mean) for t, y in own)
            weight = spread / (params.early_share * program.horizon + mean)
            if spread > params.least_spread and weight > best:
                best, split = weight, Split(k, math.floor(mean) + 1, number)
    return split


def middle_split(domains: BoolArray | None, branches: Sequence[Branch]) -> Split | None:
    """Return the split of the type with the largest domain, in its middle.

    None if there is nothing to split, or that was split before.
    """
    if domains is None:
        return None
    times = [np.flatnonzero(row) for row in domains]
    k = max(range(len(times)), key=lambda k: len(times[k]))
    if len(times[k]) < 2:
        return None
    before = int(times[k][len(times[k]) // 2])
    seen = {(branch.until[0], branch.at_most) for branch in branches}
    return None if ((k, before), 0) in seen else Split(k, before, 0)


def placed(program: SparseProgram, solution: FloatArray) -> IntArray:
    """Return a schedule of the requests in the order of their mean starts (rounds), shape (n,)."""
    instance = program.exact.instance
    means = np.zeros(len(instance))
    for k, requests in enumerate(starts_per_request(program, solution)):
        means[program.types.index == k] = [sum(t * y for t, y in own) for own in requests]
    starts = earliest_fit(instance, np.argsort(means, kind="stable").tolist(), Stopping(), False)
    assert starts is not None  # there is no limit of time
    return starts
