"""Knots: the times between which the duals of rows are linear.

A dual that is linear between knots belongs to a sum of rows, each with the weight of a hat: 1 at
its knot, 0 at its neighbours.  The duals of an optimal relaxation fall steeply at first, when
short requests run, so knots are closer there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray

__all__ = ["Grid", "grid_of"]


class Grid(NamedTuple):
    """Knots and how far their neighbours are.

    Attributes
    ----------
    times
        The knots, rounds >= 1, ascending, shape (knots,); the last hat ends at `horizon`.
    left, right
        Distance to the neighbours (rounds), all of them parts of `widest`; the first left
        neighbour is 0, the last right one is `horizon`.
    """

    times: IntArray
    left: IntArray
    right: IntArray

    @property
    def horizon(self) -> int:
        """The first round without a dual from there on."""
        return int(self.times[-1] + self.right[-1])

    @property
    def widest(self) -> int:
        """The largest distance."""
        return int(max(self.left.max(), self.right.max()))


def grid_of(instance: Instance, last: int, knots: int, even: float, doublings: int) -> Grid:
    """Return about so many knots up to a round.

    The busy-time bound has duals whose slope is -1 / W where a request of area W M runs; a
    piecewise linear function is nearest to them with knots whose density goes with the cube
    root of the second derivative.  With releases after time 0 they are spaced evenly.

    Parameters
    ----------
    instance
        The instance.
    last
        Round where knots may end.
    knots
        How many there are, roughly.
    even
        Part of the knots that are spaced evenly.
    doublings
        The widest distance is 2 to the power of this times the smallest one at most.
    """
    areas = np.sort(np.array([request.area for request in instance], dtype=float))
    widths = areas / areas.sum() * last
    ends = np.cumsum(widths)
    rise = np.maximum(0.0, np.diff(widths, prepend=0.0))
    bend = np.cbrt(rise / np.maximum(widths, 1.0) ** 3)
    smoothed = np.convolve(np.pad(bend, 2, "edge"), np.ones(5) / 5, "valid")
    density = np.interp(np.arange(last + 1), ends, smoothed)
    even = 1.0 if instance.has_releases else even
    density = even / (last + 1) + (1 - even) * density / max(density.sum(), 1e-12)
    smallest = max(1, round(1 / density.max() / knots))
    smallest = max(smallest, round(last / knots / 2**doublings))
    times, distances = [0], []
    while times[-1] < last:
        ideal = 1 / density[times[-1]] / knots / smallest
        power = min(doublings, max(0, int(np.floor(np.log2(max(ideal, 1.0)) + 0.5))))
        distances.append(smallest << power)
        times.append(times[-1] + distances[-1])
    distances.append(distances[-1])
    return Grid(np.array(times[1:]), np.array(distances[:-1]), np.array(distances[1:]))
