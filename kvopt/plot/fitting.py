"""What makes a picture fit the size, and the time axis, that a user asks for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from kvopt.model.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bend_for_log", "drop_numbers_outside", "fit_legend", "fit_rows"]

POINTS = 512
"""Places between the first round and the last at which a slanted line is bent."""

ROW = 11.0
"""Height of a row of ratios from which on its text has its usual size (points)."""

SMALLEST_ROW = 5.0
"""Height of a row below which nobody can read it (points)."""


def bend_for_log(ax: Axes, end: float) -> None:
    """Let what grows steadily look so where time runs logarithmically: as a curve.

    Parameters
    ----------
    ax
        What is drawn, with straight lines between its points.
    end
        The last time (rounds).
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.path import Path

    grid = np.geomspace(1, max(end, 2), POINTS)
    for line in ax.lines:
        if line.get_marker() in ("None", "", None) and line.get_transform() == ax.transData:
            points = np.column_stack(line.get_data(orig=False)).astype(float)
            line.set_data(*_bent(points, grid).T)
    for shape in ax.collections:
        if isinstance(shape, PolyCollection):
            paths: Any = shape.get_paths()
            bent = [_bent(np.asarray(path.vertices, dtype=float), grid) for path in paths]
            if any(len(new) > len(old.vertices) for new, old in zip(bent, paths, strict=True)):
                paths[:] = [Path(points, closed=True) for points in bent]


def _bent(points: Any, grid: Any) -> Any:
    """Return the points of a path, shape (n, 2), with further ones on its slanted parts."""
    steps = np.diff(points, axis=0)
    parts = [points[:1]]
    last = 0
    for i in np.flatnonzero((steps != 0).all(axis=1)).tolist():
        (x0, y0), (x1, y1) = points[i], points[i + 1]
        low, high = np.searchsorted(grid, sorted((x0, x1)), side="right")
        inner = grid[low:high] if x0 < x1 else grid[low:high][::-1]
        heights = y0 + (inner - x0) * ((y1 - y0) / (x1 - x0))
        parts += [points[last + 1 : i + 1], np.column_stack([inner, heights])]
        last = i
    return np.concatenate([*parts, points[last + 1 :]])


def drop_numbers_outside(figure: Figure) -> None:
    """Remove numbers of bars that the axes do not hold, or that would lie on others."""
    numbers = []
    for ax in figure.axes:
        begin, end = ax.get_xlim()
        for text in [one for one in ax.texts if one.get_transform() == ax.transData]:
            if begin < text.get_position()[0] < end:
                numbers.append((text, ax))
            else:
                text.remove()
    figure.draw_without_rendering()
    kept: list[Any] = []
    for text, ax in numbers:
        place, frame = text.get_window_extent(), ax.get_window_extent()
        held = frame.x0 <= place.x0 and place.x1 <= frame.x1
        if held and not any(place.overlaps(other) for other in kept):
            kept.append(place)
        else:
            text.remove()


def fit_legend(figure: Figure) -> None:
    """Give the legend of a figure fewer columns until it is no wider than the figure."""
    if not figure.legends:
        return
    legend = figure.legends[0]
    columns = int(legend._ncols)  # type: ignore[attr-defined]
    while columns > 1:
        figure.draw_without_rendering()
        if legend.get_window_extent().x1 <= figure.bbox.x1:
            return
        columns -= 1
        words = [text.get_text() for text in legend.get_texts()]
        handles: Any = legend.legend_handles
        legend.remove()
        legend = figure.legend(handles, words, loc="outside lower left", ncols=columns)


def fit_rows(figure: Figure, ax: Axes) -> None:
    """Let the text of rows be as small as the rows are.

    Raises
    ------
    InputError
        If nobody could read it.
    """
    figure.draw_without_rendering()
    low, high = ax.get_ylim()
    row = ax.get_window_extent().height / abs(high - low) * 72 / figure.dpi
    if row < SMALLEST_ROW:
        missing = (SMALLEST_ROW - row) * abs(high - low) / 72
        least = math.ceil(figure.get_figheight() + missing)
        raise InputError(f"--size: must have a height of about {least} inches for so many rows")
    if row < ROW:
        for text in (*ax.get_yticklabels(), *ax.texts):
            text.set_fontsize(0.8 * row)
        for line in ax.lines:
            line.set_markersize(min(line.get_markersize(), 1.2 * row))
