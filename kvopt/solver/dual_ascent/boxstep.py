"""The boxstep method: cutting planes in a box that moves with the best point.

A concave function is known by its values and supergradients; each gives a plane above it.  The
next point is where the lowest of the planes is highest, in a box around the best point so far.
The box is doubled when that paid and halved when it did not.  See Marsten, Hogan and Blankenship
1975, "The boxstep method for large-scale optimization", Operations Research 23.

The points are integers, so that what was found at one of them is proved for exactly that one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import FloatArray

__all__ = ["Boxstep"]


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    point: IntArray
    value: float
    slope: FloatArray


class Boxstep:
    """The best point so far, the planes, and the box.

    Parameters
    ----------
    point
        The first point, in multiples of 1 / scale, shape (n,).
    scale
        Points and values are integers, multiples of 1 / scale.
    units
        The sides of the smallest box are as these, times twice `smallest`, shape (n,).
    half_side
        Half the side of the first box (units), at least `smallest`.
    smallest
        A box as wide as this or wider may end the ascent (units).
    least_gain
        It ends if less than this is to be gained in the box.

    Attributes
    ----------
    point
        Where to look next.
    center
        The best point so far.
    value
        The value there, in multiples of 1 / scale; None before the first.
    """

    def __init__(
        self,
        point: IntArray,
        scale: int,
        units: FloatArray,
        half_side: float,
        smallest: float,
        least_gain: float,
    ) -> None:
        self.point = self.center = point
        self.value: int | None = None
        self._scale, self._units = scale, units
        self._box = max(smallest, half_side)
        self._smallest, self._least_gain = smallest, least_gain
        self._planes: list[_Plane] = []

    def add(self, value: int, slope: FloatArray) -> bool:
        """Take in what was found at `point`, and choose the next; tell whether to go on.

        Parameters
        ----------
        value
            The value, in multiples of 1 / scale.
        slope
            A supergradient, shape (n,).
        """
        higher = self.value is None or value > self.value
        if self._planes:
            self._box *= 2 if higher else 1 / 2
        self._planes.append(_Plane(self.point, value / self._scale, slope))
        if higher:
            self.value, self.center = value, self.point
        return self._choose()

    def _choose(self) -> bool:
        """Choose the next point; return False if hardly anything can be gained."""
        assert self.value is not None
        while True:
            point, top = self._highest(self.value / self._scale)
            self.point = np.rint(point * self._scale).astype(np.int64)
            if top - self.value / self._scale >= self._least_gain:
                return not any((self.point == plane.point).all() for plane in self._planes)
            if self._box >= self._smallest:
                return False
            self._box = 4 * self._smallest

    def _highest(self, best: float) -> tuple[FloatArray, float]:
        """Return where the lowest of the planes is highest in the box, and how high."""
        from kvopt.solver.highs import quiet_highs  # loads HiGHS

        scale, units = self._scale, self._units
        center = self.center / scale / units
        n = len(center)
        highs = quiet_highs()
        for middle in center.tolist():  # all numbers relative to the center, so they stay small
            highs.addVar(max(-middle, -self._box), self._box)
        highs.addVar(-1e15, 1e15)  # the value of the model, relative to the best one
        highs.changeColCost(n, -1.0)
        columns = np.arange(n + 1, dtype=np.int32)
        for plane in self._planes:
            slope = plane.slope * units
            distance = center - plane.point / scale / units
            limit = plane.value - best + float((slope * distance).sum())
            highs.addRow(-math.inf, limit, n + 1, columns, np.concatenate([-slope, [1.0]]))
        highs.run()
        solution = np.array(highs.getSolution().col_value)
        return (center + solution[:n]) * units, best + float(solution[n])
