"""Finding first-completion rows that a fractional solution violates.

A row is about one round, but a family of heights is good for a stretch of time, so heights are
looked for that are violated most by the mean of the solution over a window of rounds: by the
weights w(b, r) of requests that hold b tokens and have r rounds to go.  With L = 1 and without
the max(0, .) a row is violated by

    sum over b, r of w(b, r) (theta(b, r) - (h(r) - 1))  -  1,
    theta(b, r)  <=  (b + x) h(x) / M  for all x <= r,

which is linear in h and theta: a small linear program.  Requests whose coefficient turns out to
be below 0 are left out of the next one, as the max(0, .) leaves them out.
"""

from __future__ import annotations

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import FloatArray
from kvopt.solver.highs import quiet_highs
from kvopt.solver.relaxation_params import GridProgramParams
from kvopt.solver.relaxations.grid_program.families import Heights

__all__ = ["best_heights", "steps_up_to"]

STEPS = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 26, 34, 44, 56, 70, 90, 115, 150, 200, 260, 340, 450)


def steps_up_to(last: float) -> IntArray:
    """Return where heights may fall: from these rounds to go on; spaced more and more widely."""
    unit = max(1, int(last / STEPS[-1]))
    return np.array([unit * x for x in STEPS if unit * x <= max(1, last)])


def best_heights(
    memory: int,
    held: IntArray,
    to_go: IntArray,
    weights: FloatArray,
    steps: IntArray,
    params: GridProgramParams,
) -> tuple[float, Heights]:
    """Return the heights that are violated most by some weights, and by how much.

    Parameters
    ----------
    memory
        M (tokens).
    held, to_go, weights
        What requests hold (tokens), their rounds to go, and how many there are, same shape.
    steps
        Where the heights may fall (rounds to go), shape (steps,).
    params
        The tuning numbers.

    Returns
    -------
    tuple
        The violation of the row (part of its right-hand side) and the heights.
    """
    stretch = np.searchsorted(steps, to_go, "right") - 1
    m = len(steps) - 1
    parts = []
    for x in range(m + 1):
        there = stretch == x
        if there.any():
            groups = params.groups if x == m else params.near_groups
            values, mass = _grouped(held[there], weights[there], groups)
            parts.append((values, mass, np.full(len(values), x)))
    values, mass, step = (np.concatenate(each) for each in zip(*parts, strict=True))
    kept = np.ones(len(values), dtype=np.bool_)
    best, found = 0.0, np.zeros(m)
    for _ in range(params.height_passes):
        above = _highest(values[kept] / memory, mass[kept], step[kept], steps / memory, params)
        gains = _gains(values / memory, step, steps / memory, above)
        violation = float(np.maximum(gains, 0) @ mass) - 1.0
        if violation <= best:
            break
        best, found = violation, above
        if (gains[kept] > 0).all():
            break
        kept = gains > 0
    heights = np.rint((1 + found) * params.height_scale).astype(int).tolist()
    heights.append(params.height_scale)
    used = [x for x in range(m + 1) if x == 0 or heights[x] != heights[x - 1]]
    return best, tuple((int(steps[x]), heights[x]) for x in used)


def _highest(
    held: FloatArray,
    mass: FloatArray,
    step: IntArray,
    steps: FloatArray,
    params: GridProgramParams,
) -> FloatArray:
    """Return h - 1 at all steps but the last that violate a row most if nothing is clipped.

    Parameters
    ----------
    held, steps
        Tokens of each group, shape (groups,), and rounds of each step, in parts of M.
    mass, step
        How many requests a group has, and the step that they have to go, shape (groups,).
    params
        The tuning numbers.
    """
    m, n = len(steps) - 1, len(held)
    highs = quiet_highs()
    # Variables: h - 1 at all steps but the last, theta of each group.
    far = np.where(step == m, held + steps[m], np.inf)
    highs.addVars(m + n, np.zeros(m + n), np.concatenate([np.full(m, params.highest - 1.0), far]))
    costs = np.concatenate([np.bincount(step, mass, minlength=m + 1)[:m], -mass])
    highs.changeColsCost(m + n, np.arange(m + n, dtype=np.int32), costs)
    x, j = np.nonzero(np.arange(m)[:, None] <= step[None, :])
    rises = held[j] + steps[x]
    highs.addRows(
        len(x),
        np.full(len(x), -np.inf),
        rises,
        2 * len(x),
        2 * np.arange(len(x), dtype=np.int32),
        np.stack([x, m + j], axis=1).astype(np.int32).ravel(),
        np.stack([-rises, np.ones(len(x))], axis=1).ravel(),
    )
    for i in range(m - 1):  # heights fall
        highs.addRow(0.0, np.inf, 2, np.array([i, i + 1], dtype=np.int32), np.array([1.0, -1.0]))
    highs.run()
    return np.array(highs.getSolution().col_value)[:m]


def _gains(held: FloatArray, step: IntArray, steps: FloatArray, above: FloatArray) -> FloatArray:
    """Return the coefficient of each group without the max(0, .), in parts of M L."""
    heights = np.append(1 + above, 1.0)
    rises = (held[:, None] + steps[None, :]) * heights[None, :]
    rises = np.where(np.arange(len(steps))[None, :] <= step[:, None], rises, np.inf)
    gains: FloatArray = rises.min(axis=1) - (heights[step] - 1)
    return gains


def _grouped(held: IntArray, weights: FloatArray, groups: int) -> tuple[IntArray, FloatArray]:
    """Return at most so many values of tokens held, rounded down to them, and their weights."""
    values, inverse = np.unique(held, return_inverse=True)
    mass: FloatArray = np.bincount(inverse, weights).astype(float)
    if len(values) <= groups:
        return values, mass
    passed = np.cumsum(mass)
    group = np.minimum((passed / passed[-1] * groups).astype(int), groups - 1)
    used = np.unique(group)
    least = np.array([values[group == g].min() for g in used])
    return least, np.array([mass[group == g].sum() for g in used])
