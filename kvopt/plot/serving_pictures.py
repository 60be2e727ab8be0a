"""Pictures of what serving systems look at: arrivals, the queue, and distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kvopt.model.instance import Instance
from kvopt.plot.look import (
    BLUE,
    PALE_BLUE,
    axes_or_new,
    curve_label,
    curve_look,
    legend,
    number_curve,
    short,
    time_axis,
    title,
    whole_numbers,
)
from kvopt.plot.shapes import Run, distribution, queue_curve, release_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kvopt.simulation.metrics import Metrics

__all__ = [
    "QUANTITIES",
    "distributions_of",
    "mark_releases",
    "plot_distribution",
    "plot_queue",
    "plot_released",
]

BINS = 800
"""So many places on the time axis can be told apart."""

MAX_STEPS = 2000
"""A curve is drawn with at most this many steps."""

GREY = "#555555"

QUANTITIES = {
    "latency": "latency",
    "ttft": "time to first token",
    "tpot": "time per output token",
    "slowdown": "slowdown",
}
"""The quantities of which a distribution can be drawn, and what they are called."""


def mark_releases(instance: Instance, ax: Axes) -> None:
    """Mark the release times at the top edge, if any is after time 0."""
    if not instance.has_releases:
        return
    times = np.unique(instance.releases)
    if len(times) > BINS:
        width = max(int(times[-1]) // BINS, 1)
        times = np.unique(times // width) * width
    ax.vlines(
        times,
        0.965,
        1.0,
        transform=ax.get_xaxis_transform(),
        color=GREY,
        linewidth=0.8,
        label="released",
    )


def plot_released(instance: Instance, ax: Axes) -> None:
    """Draw how many requests have been released over time, if any is after time 0."""
    if instance.has_releases:
        times, counts = release_curve(instance, MAX_STEPS)
        end = max(ax.get_xlim()[1], float(times[-1]))
        ax.step(
            np.append(times, end),
            np.append(counts, counts[-1]),
            where="post",
            color=GREY,
            linewidth=1,
            label="released",
        )


def plot_queue(run: Run, ax: Axes | None = None) -> Axes:
    """Draw how many requests wait over time: released, and neither running nor completed.

    More than `MAX_STEPS` steps are summed up as the largest number in each of `BINS` bins.

    Parameters
    ----------
    run
        The schedule.
    ax
        Where to draw.
    """
    ax = axes_or_new(ax)
    time_axis(ax, run.schedule.makespan)
    times, waiting = queue_curve(run.schedule)
    most = int(waiting.max())
    if len(times) > MAX_STEPS:
        edges = np.unique(np.linspace(0, times[-1] + 1, BINS + 1).astype(np.int64))
        begin = np.searchsorted(times, edges[:-1], side="right") - 1
        waiting = np.maximum.reduceat(waiting, begin)
        ax.stairs(waiting, edges, fill=True, color=PALE_BLUE)
        ax.stairs(waiting, edges, color=BLUE, linewidth=0.9, label="waiting (largest in each bin)")
    else:
        ax.fill_between(times, waiting, step="post", color=PALE_BLUE, linewidth=0)
        ax.step(times, waiting, where="post", color=BLUE, linewidth=0.9, label="waiting")
    mark_releases(run.schedule.instance, ax)
    ax.set_ylim(0, max(most, 1) * 1.12)
    whole_numbers(ax.yaxis)
    ax.set_ylabel("waiting (requests)")
    title(ax, f"{short(run.label)}: at most {most:,} waiting")
    legend(ax)
    return ax


def plot_distribution(
    measured: Mapping[str, Metrics], quantity: str = "latency", ax: Axes | None = None
) -> Axes:
    """Draw the share of requests with at most so much latency, a curve for each policy.

    The axis is logarithmic where values differ much.

    Parameters
    ----------
    measured
        Metrics by the name of the policy, all in the same unit.
    quantity
        "latency", "ttft", "tpot" or "slowdown".
    ax
        Where to draw.
    """
    ax = axes_or_new(ax)
    least, most = np.inf, 0.0
    for i, (label, metrics) in enumerate(measured.items()):
        values = getattr(metrics, quantity)
        values = values[~np.isnan(values)]
        if not len(values):
            continue
        x, share = distribution(values, MAX_STEPS)
        least, most = min(least, float(x[0])), max(most, float(x[-1]))
        marked = np.searchsorted(share, (np.arange(5) + (i + 1) / (len(measured) + 1)) / 5)
        look: dict[str, Any] = {
            **curve_look(i),
            "markevery": np.minimum(marked + 1, len(share)).tolist(),
        }
        ax.step(
            np.append(x[0], x),
            np.append(0, share),
            where="post",
            markersize=4,
            linewidth=1.4,
            label=curve_label(i, len(measured), short(label)),
            **look,
        )
        place = min(int(marked[2]), len(x) - 1)
        number_curve(ax, i, len(measured), (float(x[place]), float(share[place])))
    if least > 0 and most > 50 * least:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:,.10g}")
        ax.xaxis.set_minor_formatter("")
    unit = next(iter(measured.values())).unit
    per_token = " per token" if quantity in ("tpot", "slowdown") else ""
    ax.set_xlabel(f"{QUANTITIES[quantity]} ({unit}{per_token})")
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("share of requests")
    ax.grid(alpha=0.3, linewidth=0.5)
    legend(ax)
    return ax


def distributions_of(runs: Sequence[Run]) -> Mapping[str, Metrics]:
    """Return the metrics of some schedules, in rounds, by their labels."""
    from kvopt.simulation.metrics import metrics

    return {run.label: metrics(run.schedule) for run in runs}
