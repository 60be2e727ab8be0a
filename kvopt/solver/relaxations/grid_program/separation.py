"""Finding first-completion rows that a fractional solution violates.

A row is about one round, but a family of heights is good for a stretch of time, so heights are
looked for that are violated most by the mean of the solution over a window of rounds: by the
weights w(b, r) of requests that hold b tokens and have r rounds to go.  With L = 1 and without
the max(0, .) a row is violated by

    sum over b, r of w(b, r) (theta(b) - (h(r) - 1))  -  1,
    theta(b)  <=  (b + x) h(x) / M  for all x,

which is linear in h and theta: a small linear program.
"""

from __future__ import annotations

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import FloatArray
from kvopt.solver.highs import quiet_highs
from kvopt.solver.relaxations.grid_program.families import Heights
from kvopt.solver.stage_params import GridProgramParams

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
    values, mass = _grouped(held, weights, params.groups)
    m, n = len(steps) - 1, len(values)
    away = np.bincount(np.searchsorted(steps, to_go, "right") - 1, weights, minlength=m + 1)
    rises = (values[None, :] + steps[:, None]) / memory  # shape (steps, values)
    # Variables: h - 1 at all steps but the last, theta of each value.
    highs = quiet_highs()
    upper = np.concatenate([np.full(m, params.highest - 1.0), rises[m]])
    highs.addVars(m + n, np.zeros(m + n), upper)
    costs = np.concatenate([away[:m], -mass])
    highs.changeColsCost(m + n, np.arange(m + n, dtype=np.int32), costs)
    i, j = (each.ravel() for each in np.meshgrid(np.arange(m), np.arange(n), indexing="ij"))
    places = np.stack([i, m + j], axis=1).astype(np.int32)
    entries = np.stack([-rises[i, j], np.ones(len(i))], axis=1)
    highs.addRows(
        len(i),
        np.full(len(i), -np.inf),
        rises[i, j],
        2 * len(i),
        2 * np.arange(len(i), dtype=np.int32),
        places.ravel(),
        entries.ravel(),
    )
    for x in range(m - 1):  # heights fall
        highs.addRow(0.0, np.inf, 2, np.array([x, x + 1], dtype=np.int32), np.array([1.0, -1.0]))
    highs.run()
    above = np.array(highs.getSolution().col_value)[:m]
    heights = [*np.rint((1 + above) * params.height_scale).astype(int).tolist()]
    heights.append(params.height_scale)
    kept = [x for x in range(m + 1) if x == 0 or heights[x] != heights[x - 1]]
    found = tuple((int(steps[x]), heights[x]) for x in kept)
    return -highs.getInfo().objective_function_value - 1.0, found


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
