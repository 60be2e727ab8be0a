"""A bundle method: climbing a concave function that is known by its values and slopes.

Each value and slope gives a plane above the function.  The next point maximises the lowest of
the planes less the square of the distance from the best point so far, the centre.  If the
function rises enough there, the centre moves; if not, the new plane makes the next
proposal better.  See Lemaréchal, "Nonsmooth optimization", and Kiwiel 1990, "Proximity control
in bundle methods".  Floating point throughout: what is found is checked elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kvopt.solver.arrays import FloatArray
from kvopt.solver.params import BundleParams

__all__ = ["Bundle", "Weigh", "lightest"]

Weigh = Callable[[FloatArray, FloatArray, float], FloatArray]
"""A function that does what `lightest` does."""


class Bundle:
    """The planes, the centre, and how far to go from it.

    Parameters
    ----------
    params
        The tuning numbers; by default the usual ones.
    weigh
        `lightest`, compiled or not.

    Attributes
    ----------
    center
        The best point so far, shape (n,).
    value
        The value there.
    """

    def __init__(self, params: BundleParams | None = None, weigh: Weigh | None = None) -> None:
        self.params = params or BundleParams()
        self._weigh = weigh or lightest
        self.center: FloatArray = np.zeros(0)
        self.value = 0.0
        self._slopes: list[FloatArray] = []
        self._offsets: list[float] = []
        self._reach = self._first_reach = 0.0
        self._expected = 0.0
        self._vain = 0

    def add(self, x: FloatArray, value: float, slope: FloatArray) -> None:
        """Add the plane of a point."""
        self._slopes.append(slope)
        self._offsets.append(value - float(slope @ x))

    def move(self, x: FloatArray, value: float) -> None:
        """Make a point the centre."""
        if not len(self.center):
            slope = self._slopes[-1]
            rise = max(1.0, self.params.first_step * abs(value))
            self._reach = rise / max(1.0, float(slope @ slope))
            self._first_reach = self._reach
        self.center, self.value = x, value

    def proposal(self) -> FloatArray | None:
        """Return where to look next; None if there is hardly anything to gain."""
        if self._vain >= self.params.most_vain:
            return None
        while True:
            slopes = np.array(self._slopes)
            errors = np.array(self._offsets) + slopes @ self.center - self.value
            weights = self._weigh(slopes @ slopes.T, errors, self._reach)
            direction = weights @ slopes
            length = float(direction @ direction)
            self._expected = self._reach * length + float(errors @ weights)
            if self._expected >= self.params.least_rise * abs(self.value):
                break
            if self._reach >= self._first_reach:
                return None
            self._reach *= 4  # farther from the centre there may still be something to gain
        last = len(weights) - self.params.kept
        kept = [i for i, weight in enumerate(weights.tolist()) if weight > 0 or i >= last]
        self._slopes = [self._slopes[i] for i in kept]
        self._offsets = [self._offsets[i] for i in kept]
        return self.center + self._reach * direction

    def judge(self, x: FloatArray, value: float) -> bool:
        """Move to the point that was proposed if it is good enough; tell whether it is."""
        rise = value - self.value
        if rise <= self.params.accepted * self._expected:
            self._vain += 1
            if self._vain % self.params.patience == 0 or rise < -1e6 * abs(self.value):
                self._reach *= self.params.shorter
            return False
        if rise > self.params.good * self._expected:
            self._reach *= self.params.longer
        self._vain = 0
        self.move(x, value)
        return True


def lightest(gram: FloatArray, errors: FloatArray, reach: float) -> FloatArray:
    """Return weights x >= 0 of sum 1 that minimise reach / 2 * x gram x + errors x.

    Weight is moved from the plane where the slope of this is largest to that where it is least.
    """
    m = len(errors)
    x = np.zeros(m)
    x[int(errors.argmin())] = 1.0
    slope = reach * gram[:, int(errors.argmin())] + errors
    for _ in range(400 + 20 * m):
        i = int(slope.argmin())
        j = int(np.where(x > 0, slope, -np.inf).argmax())
        gap = slope[j] - slope[i]
        if gap <= 1e-7 * (1 + abs(slope[i])):
            break
        curve = reach * (gram[i, i] + gram[j, j] - 2 * gram[i, j])
        step = x[j] if curve <= 0 else min(x[j], gap / curve)
        x[i] += step
        x[j] -= step
        slope += reach * step * (gram[:, i] - gram[:, j])
    return x
