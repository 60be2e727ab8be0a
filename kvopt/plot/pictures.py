"""Pictures of schedules, drawn with matplotlib: memory, attempts, completions.

Each `plot_x(data, ax=None)` draws on the axes given, or on new ones, and returns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.plot.look import (
    BLUE,
    COMPLETED,
    KILLED,
    PALE_BLUE,
    VERMILLION,
    WIDTH,
    axes_or_new,
    curve_label,
    curve_look,
    instances_text,
    legend,
    number_curve,
    short,
    time_axis,
    title,
    whole_numbers,
)
from kvopt.plot.serving_pictures import mark_releases, plot_released
from kvopt.plot.shapes import (
    Run,
    completion_curve,
    instances_of,
    lanes,
    memory_band,
    memory_curve,
    running_bands,
    summary,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_completions", "plot_gantt", "plot_memory", "plot_running"]

MAX_BARS = 2500
"""Up to this many attempts are drawn one by one."""

MAX_PIECES = 2500
"""Up to this many linear pieces a memory curve is drawn in full."""

MAX_LABELS = 60
"""Up to this many attempts may carry the number of their request."""

MAX_STEPS = 2000
"""A completion curve is drawn with at most this many steps."""

BINS = 800
"""Bins of time when there is too much to draw in full."""


def plot_memory(run: Run, ax: Axes | None = None) -> Axes:
    """Draw the memory in use over time, and the budget.

    At time r, coming from the left, the curve is at the memory in use in round
    r.  A curve of more than `MAX_PIECES` pieces is summed up as a band.

    Parameters
    ----------
    run
        The schedule.
    ax
        Where to draw.
    """
    ax = axes_or_new(ax)
    time_axis(ax, run.schedule.makespan)
    profile = run.schedule.memory_profile()
    budget = run.schedule.instance.memory
    words = f"peak {profile.peak():,} of {budget:,} tokens"
    words += ", over budget" if profile.peak() > budget else ""
    if len(profile.last) <= MAX_PIECES:
        x, y = memory_curve(profile)
        ax.fill_between(x, y, color=PALE_BLUE, linewidth=0)
        ax.plot(x, y, color=BLUE, linewidth=0.9, label="memory in use")
    else:
        band = memory_band(profile, BINS)
        ax.stairs(band.high, band.edges, fill=True, color=PALE_BLUE)
        ax.stairs(
            band.high,
            band.edges,
            baseline=band.low,
            fill=True,
            color=BLUE,
            label="memory in use, lowest to highest",
        )
        words += f"; drawn: lowest to highest within {_width(band.edges)} rounds"
    ax.axhline(budget, color=VERMILLION, linestyle="--", linewidth=1.2, label="budget")
    mark_releases(run.schedule.instance, ax)
    ax.set_ylim(0, max(budget, profile.peak()) * 1.08)
    whole_numbers(ax.yaxis)
    ax.set_ylabel("memory (tokens)")
    title(ax, f"{short(run.label)}: {words}")
    legend(ax)
    return ax


def plot_gantt(run: Run, ax: Axes | None = None) -> Axes:
    """Draw every attempt as a bar, killed ones hatched, in as few lanes as possible.

    More than `MAX_BARS` attempts cannot be told apart: `plot_running` takes over.

    Parameters
    ----------
    run
        The schedule.
    ax
        Where to draw.
    """
    if len(run.schedule) > MAX_BARS:
        return plot_running(run, ax)
    ax = axes_or_new(ax)
    schedule = run.schedule
    lane = lanes(schedule.start, schedule.end)
    count = int(lane.max(initial=0)) + 1
    margin = 0.06 if count <= 40 else 0.0
    looks = (
        (~schedule.killed, COMPLETED, "completed"),
        (schedule.killed, KILLED, "killed, progress lost"),
    )
    time_axis(ax, schedule.makespan)
    points = 72 * 0.85 * WIDTH * (schedule.end - schedule.start) / ax.get_xlim()[1]
    for rows, look, label in looks:
        if rows.any():
            _bars(
                ax,
                (schedule.start[rows], schedule.end[rows]),
                (lane[rows] + margin, lane[rows] + 1 - margin),
                linewidths=(points[rows] / 8).clip(0.05, 0.6),
                label=label,
                **look,
            )
    killed = schedule.killed
    ax.vlines(  # a heavy end, which shows even where a bar is too small for a hatch
        schedule.end[killed],
        lane[killed] + margin,
        lane[killed] + 1 - margin,
        color=VERMILLION,
        linewidths=(points[killed] / 5).clip(0.1, 2.4),
    )
    if len(schedule) <= MAX_LABELS and count <= 20:
        _request_numbers(run, lane, points, ax)
    ax.set_ylim(0, count * 1.04 if schedule.instance.has_releases else count)
    mark_releases(schedule.instance, ax)
    whole_numbers(ax.yaxis)
    ax.set_ylabel("attempts at once")
    title(ax, f"{short(run.label)}: {summary(schedule)}")
    legend(ax)
    return ax


def plot_running(run: Run, ax: Axes | None = None) -> Axes:
    """Draw how many attempts run, and how many of those will be killed.

    Parameters
    ----------
    run
        The schedule.
    ax
        Where to draw.
    """
    ax = axes_or_new(ax)
    schedule = run.schedule
    time_axis(ax, schedule.makespan)
    done, killed = running_bands(schedule, BINS)
    for band, look, label in (
        (done, COMPLETED, "running, will complete"),
        (killed, KILLED, "running, will be killed"),
    ):
        if (band.high > band.low).any():
            ax.stairs(
                band.high,
                band.edges,
                baseline=band.low,
                fill=True,
                linewidth=0.5,
                label=label,
                **look,
            )
    ax.set_ylim(0, max(float(killed.high.max()), 1) * 1.22)
    words = f"number of attempts, mean over {_width(done.edges)} rounds"
    if len(schedule) > MAX_BARS:
        words = f"{len(schedule):,} attempts are too many for bars: {words}"
    ax.annotate(words, (0.99, 0.98), xycoords="axes fraction", ha="right", va="top", fontsize=9)
    mark_releases(schedule.instance, ax)
    ax.set_ylabel("running (attempts)")
    whole_numbers(ax.yaxis)
    title(ax, f"{short(run.label)}: {summary(schedule)}")
    legend(ax)
    return ax


def plot_completions(runs: Sequence[Run], ax: Axes | None = None) -> Axes:
    """Draw how many requests have completed over time, a curve for each schedule.

    Parameters
    ----------
    runs
        The schedules.
    ax
        Where to draw.
    """
    ax = axes_or_new(ax)
    time_axis(ax, max(run.schedule.makespan for run in runs))
    for instance in instances_of(runs):
        plot_released(instance, ax)
    for i, run in enumerate(runs):
        times, counts = completion_curve(run.schedule, MAX_STEPS)
        marked = np.searchsorted(counts, counts[-1] * (np.arange(6) + i / len(runs)) / 6)
        ax.step(
            times,
            counts,
            where="post",
            markevery=[*marked.tolist(), len(counts) - 1],
            markersize=5,
            linewidth=1.5,
            label=curve_label(i, len(runs), f"{short(run.label)}: {summary(run.schedule)}"),
            **curve_look(i),
        )
        number_curve(ax, i, len(runs), (float(times[marked[2]]), float(counts[marked[2]])))
    ax.set_ylim(0, max(len(run.schedule.instance) for run in runs) * 1.04)
    whole_numbers(ax.yaxis)
    ax.set_ylabel("completed (requests)")
    title(ax, instances_text(runs))
    legend(ax)
    return ax


def _bars(ax: Axes, x: Sequence[IntArray], y: Sequence[Any], **look: Any) -> None:
    """Draw rectangles with the sides x[0], x[1] and y[0], y[1], one artist for all."""
    from matplotlib.collections import PolyCollection

    corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
    shapes = np.array(corners, dtype=float).transpose(2, 0, 1)
    ax.add_collection(PolyCollection(list(shapes), **look))


def _request_numbers(run: Run, lane: IntArray, points: Any, ax: Axes) -> None:
    """Write the number of the request into each bar that is wide enough."""
    from matplotlib.patheffects import withStroke

    for attempt, y, width in zip(run.schedule, lane.tolist(), points.tolist(), strict=True):
        text = str(attempt.request)
        if width >= 3 + 6 * len(text):
            middle = (attempt.start + attempt.end) / 2
            halo = [withStroke(linewidth=2, foreground="white")]
            ax.text(middle, y + 0.5, text, ha="center", va="center", fontsize=8, path_effects=halo)


def _width(edges: Any) -> str:
    width = float(edges[1] - edges[0])
    return f"{width:,.0f}" if width >= 100 else f"{width:.3g}"
