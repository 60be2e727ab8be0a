"""The linear program with memory rows and window covers at few exact times, at any scale.

Between rows the cost of a start is linear in its time, so columns at the ends of the pieces are
all that is needed, and nothing depends on how many rounds there are.  Window covers of a level
stand at the multiples of the windows: for identical requests of which m fit together that is
where they are tight.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.relaxation_params import GridProgramParams
from kvopt.solver.stage import refuse_releases
from kvopt.solver.window_covers import cover_windows

__all__ = ["PiecewiseBound", "piecewise_bound"]

LOOK_EVERY = 64
"""Types between two looks at the limit."""


class PiecewiseBound(NamedTuple):
    """A bound (rounds) and the object "proof" of a certificate of it."""

    value: int
    proof: dict[str, Any]


def piecewise_bound(
    instance: Instance, horizon: int, params: GridProgramParams, stop: Stopping
) -> PiecewiseBound | None:
    """Return the bound of the program; None if it has no rows, or time is over.

    Parameters
    ----------
    instance
        The instance.
    horizon
        Last round with a row.
    params
        The tuning numbers.
    stop
        How long it may take.
    """
    from kvopt.solver.highs import quiet_highs, run_highs  # loads HiGHS

    refuse_releases(instance, "the program on a grid")
    types = instance.request_types()
    windows = {m: cover_windows(instance, m) for m in range(1, params.levels + 1)}
    most = max(2, params.piecewise_columns // (4 * len(types)))
    rows = _chosen_rows(windows, horizon, most)
    if not rows:  # there are too many types for it
        return None
    limits = np.array([instance.memory if m == 0 else m for m, _ in rows], dtype=float)
    unit = 1 << horizon.bit_length()  # a power of two, so that integers stay exact
    highs = quiet_highs()
    for count in types.counts.tolist():
        highs.addRow(float(count), float(count), 0, [], [])
    for _ in rows:
        highs.addRow(-np.inf, 1.0, 0, [], [])
    ends = []
    for k, (s, o) in enumerate(zip(types.prompts.tolist(), types.outputs.tolist(), strict=True)):
        if k % LOOK_EVERY == 0 and stop.over():
            return None
        own = {m: each[k] for m, each in windows.items()}
        times = np.array(_ends(o, own, rows))
        ends.append(times)
        entries = _coefficients(s, o, own, rows, times) / limits
        entries = np.hstack([np.ones((len(times), 1)), entries])
        there = entries != 0
        starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))[:-1]]).astype(np.int32)
        places = np.broadcast_to([k, *range(len(types), len(types) + len(rows))], there.shape)
        highs.addCols(
            len(times),
            (times + o) / unit,
            np.zeros(len(times)),
            np.full(len(times), np.inf),
            int(there.sum()),
            starts,
            places[there].astype(np.int32),
            entries[there],
        )
    if stop.over() or not run_highs(highs, stop):
        return None
    prices = np.maximum(0, -np.array(highs.getSolution().row_dual)[len(types) :])
    prices *= unit / limits
    found = []
    for scale in (1, 1 << params.piecewise_bits):
        duals = [round(p * scale) for p in prices.tolist()]
        kept = [(m, at, p) for (m, at), p in zip(rows, duals, strict=True) if p]
        value = _value(instance, windows, ends, kept, scale, stop)
        if value is None:
            return None
        memory = [[r, p] for m, r, p in kept if m == 0]
        covers = [[m, u, p] for m, u, p in kept if m > 0]
        leaf = {"memory": memory, "covers": covers, "branch": []}
        proof = {"rule": "linear-duals", "scale": scale, "tree": [leaf]}
        found.append(PiecewiseBound(-(-value // scale), proof))
    return max(found, key=lambda bound: bound.value)


def _chosen_rows(windows: dict[int, list[int]], horizon: int, most: int) -> list[tuple[int, int]]:
    """Return rows (0, round) of memory and (level, time) of window covers, sorted.

    Half of them are spaced evenly; the others are covers at multiples of windows, all those of
    a window or none, those of the longest windows first.
    """
    levels = [m for m, each in windows.items() if max(each) > 0]
    step = max(1, -(-2 * horizon * (1 + len(levels)) // most))
    rows = {(0, r) for r in range(step, horizon + 1, step)}
    rows |= {(m, r - 1) for m in levels for r in range(step, horizon + 1, step)}
    left = most // 2
    known = {(d, m) for m in levels for d in windows[m]}
    known = {(d, m) for m in levels for d in windows[m]}
    for d, m in sorted(known, reverse=True):
        if d and (left := left - horizon // d) >= 0:
            rows |= {(m, d * i - 1) for i in range(1, horizon // d + 1)}
    return sorted(rows)


def _ends(o: int, windows: dict[int, int], rows: Sequence[tuple[int, int]]) -> list[int]:
    """Return the starts at which pieces begin or end."""
    begins = {0}
    for m, at in rows:
        if m == 0:
            begins |= {at - o, at}
        elif windows[m]:
            begins |= {at - windows[m] + 1, at + 1}
    return sorted({max(0, x) for first in begins for x in (first - 1, first)})


def _coefficients(
    s: int, o: int, windows: dict[int, int], rows: Sequence[tuple[int, int]], times: IntArray
) -> FloatArray:
    """Return the coefficients of starts at some times, shape (times, rows)."""
    levels, at = np.array(rows, dtype=np.int64).T
    width = np.array([windows.get(int(m), 0) for m in levels])
    age = at[None, :] - times[:, None]
    runs = (levels == 0) & (age > 0) & (age <= o)
    covered = (levels > 0) & (age >= 0) & (age < width)
    found: FloatArray = np.where(runs, s + age, covered).astype(float)
    return found


def _value(
    instance: Instance,
    windows: dict[int, list[int]],
    ends: Sequence[IntArray],
    rows: Sequence[tuple[int, int, int]],
    scale: int,
    stop: Stopping,
) -> int | None:
    """Return what duals (level, time, dual) prove, in multiples of 1 / scale, exactly.

    None if time is over.
    """
    by_level: dict[int, list[tuple[int, int]]] = {0: []}
    for m, at, p in rows:
        by_level.setdefault(m, []).append((at, p))
    times_of = {m: [t for t, _ in table] for m, table in by_level.items()}
    sums = {m: [0, *itertools.accumulate(p for _, p in table)] for m, table in by_level.items()}
    weighted = [0, *itertools.accumulate(r * p for r, p in by_level[0])]
    value = -sum((instance.memory if m == 0 else m) * total[-1] for m, total in sums.items())
    types = instance.request_types()
    numbers = (types.prompts.tolist(), types.outputs.tolist(), types.counts.tolist())
    for k, (s, o, count) in enumerate(zip(*numbers, strict=True)):
        if k % LOOK_EVERY == 0 and stop.over():
            return None
        costs = []
        for t in ends[k].tolist():
            i, j = bisect_right(times_of[0], t), bisect_right(times_of[0], t + o)
            cost = scale * (t + o) + weighted[j] - weighted[i]
            cost += (s - t) * (sums[0][j] - sums[0][i])
            for m, times in times_of.items():
                if m and windows[m][k]:
                    until = bisect_right(times, t + windows[m][k] - 1)
                    cost += sums[m][until] - sums[m][bisect_right(times, t - 1)]
            costs.append(cost)
        value += count * min(costs)
    return value
