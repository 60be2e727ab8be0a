"""Pictures of schedules and ratios, drawn with matplotlib.

Each `plot_x(data, ax=None)` draws on the axes given, or on new ones, and
returns them.  Colours are those of Okabe and Ito (2008), which people with
colour-blindness can tell apart; line styles, markers and hatches say the same
to those who print in grey.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from kvopt.comparison.ratio import Verdict
from kvopt.model.instance import IntArray
from kvopt.plot.shapes import (
    RatioBar,
    Run,
    completion_curve,
    instances_of,
    lanes,
    memory_band,
    memory_curve,
    running_bands,
    summary,
)
from kvopt.report.tables import decimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from kvopt.adversary.attribution import Attribution

__all__ = [
    "figure_of",
    "plot_causes",
    "plot_completions",
    "plot_gantt",
    "plot_memory",
    "plot_ratios",
    "plot_running",
    "rendered",
]

BLUE, ORANGE, VERMILLION, PALE_BLUE = "#0072B2", "#E69F00", "#D55E00", "#9CCBE8"
COMPLETED: dict[str, Any] = {"facecolor": PALE_BLUE, "edgecolor": BLUE}
KILLED: dict[str, Any] = {"facecolor": "#FBE3B0", "edgecolor": VERMILLION, "hatch": "/////"}
CAUSE_LOOKS: dict[str, dict[str, Any]] = {
    "useful": {"facecolor": BLUE, "edgecolor": BLUE},
    "order": {"facecolor": PALE_BLUE, "edgecolor": BLUE, "hatch": "...."},
    "killed": KILLED,
    "idle": {"facecolor": "#F2F2F2", "edgecolor": "#555555", "hatch": "\\\\\\\\"},
    "drain": {"facecolor": "#BDBDBD", "edgecolor": "#555555", "hatch": "xxxx"},
    "full": {"facecolor": "#7F7F7F", "edgecolor": "#555555"},
    "end": {"facecolor": "white", "edgecolor": "#555555"},
}
"""In use: blue where it leads to a completion; empty: shades of grey."""

COLOURS = (BLUE, VERMILLION, "#009E73", "#CC79A7", ORANGE, "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
MARKERS = "osD^vPX*<>"

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

WIDTH = 8.0
"""Width of a picture (inches)."""

STYLE: Any = {  # matplotlib types the keys one by one
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the same everywhere
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "figure.titlesize": 12,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "hatch.linewidth": 0.7,
    "savefig.dpi": 160,
    "svg.hashsalt": "kvopt",
    "text.parse_math": False,  # names are text, whatever signs are in them
}


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
    ax = _axes(ax)
    _time_axis(ax, run.schedule.makespan)
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
    ax.set_ylim(0, max(budget, profile.peak()) * 1.08)
    _whole_numbers(ax.yaxis)
    ax.set_ylabel("memory (tokens)")
    _title(ax, f"{_short(run.label)}: {words}")
    _legend(ax)
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
    ax = _axes(ax)
    schedule = run.schedule
    lane = lanes(schedule.start, schedule.end)
    count = int(lane.max(initial=0)) + 1
    margin = 0.06 if count <= 40 else 0.0
    looks = (
        (~schedule.killed, COMPLETED, "completed"),
        (schedule.killed, KILLED, "killed, progress lost"),
    )
    _time_axis(ax, schedule.makespan)
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
    ax.set_ylim(0, count)
    _whole_numbers(ax.yaxis)
    ax.set_ylabel("attempts at once")
    _title(ax, f"{_short(run.label)}: {summary(schedule)}")
    _legend(ax)
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
    ax = _axes(ax)
    schedule = run.schedule
    _time_axis(ax, schedule.makespan)
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
    ax.set_ylabel("running (attempts)")
    _whole_numbers(ax.yaxis)
    _title(ax, f"{_short(run.label)}: {summary(schedule)}")
    _legend(ax)
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
    ax = _axes(ax)
    _time_axis(ax, max(run.schedule.makespan for run in runs))
    for i, run in enumerate(runs):
        times, counts = completion_curve(run.schedule, MAX_STEPS)
        marked = np.searchsorted(counts, counts[-1] * (np.arange(6) + i / len(runs)) / 6)
        ax.step(
            times,
            counts,
            where="post",
            color=COLOURS[i % len(COLOURS)],
            linestyle=STYLES[i % len(STYLES)],
            marker=MARKERS[i % len(MARKERS)],
            markevery=[*marked.tolist(), len(counts) - 1],
            markersize=5,
            linewidth=1.5,
            label=f"{_short(run.label)}: {summary(run.schedule)}",
        )
    ax.set_ylim(0, max(len(run.schedule.instance) for run in runs) * 1.04)
    _whole_numbers(ax.yaxis)
    ax.set_ylabel("completed (requests)")
    _title(ax, _instances(runs))
    _legend(ax)
    return ax


def plot_ratios(bars: Sequence[RatioBar], ax: Axes | None = None) -> Axes:
    """Draw brackets of competitive ratios, and the bounds that apply.

    The axis is logarithmic and starts at 1, the optimum.  A bound far beyond
    all ratios is written at the end of the row instead of drawn.

    Parameters
    ----------
    bars
        The rows, those of an instance together.
    ax
        Where to draw.
    """
    ax = _axes(ax)
    highest = float(max(bar.high for bar in bars))
    far = max(100.0, 2 * highest)
    near = [bar.bound for bar in bars if bar.bound is not None and bar.bound <= far]
    end = max([highest, *near, 1.2]) ** 1.06
    ax.set_xscale("log")
    ax.set_xlim(1, end)
    ax.set_xticks(*_ratio_ticks(end))
    ax.set_xticks([], minor=True)
    rows: list[float] = []
    for i, bar in enumerate(bars):
        gap = 0.6 if rows and bars[i - 1].instance != bar.instance else 0.0
        rows.append(rows[-1] + 1 + gap if rows else 0.0)
    low, high = (np.array([float(getattr(b, end)) for b in bars]) for end in ("low", "high"))
    brackets = bool((high > low).any())
    label = "ratio, at least" if brackets else "ratio"
    ax.barh(rows, low - 1, left=1, height=0.62, color=BLUE, label=label)
    if brackets:
        ax.barh(
            rows,
            high - low,
            left=low,
            height=0.62,
            color="white",
            edgecolor=BLUE,
            hatch="////",
            linewidth=0.8,
            label="ratio, at most (the optimum is known as a bracket)",
        )
    drawn = [(b.bound, row) for b, row in zip(bars, rows, strict=True) if b.bound in near]
    if drawn:
        ax.plot(
            *zip(*drawn, strict=True),
            color=VERMILLION,
            linestyle="none",
            marker="|",
            markersize=14,
            markeredgewidth=2.5,
            label="proved bound",
        )
    for row, bar in zip(rows, bars, strict=True):
        ax.annotate(
            _ratio_words(bar, far),
            (1.01, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
            fontweight="bold" if bar.verdict is Verdict.VIOLATES else "normal",
        )
    several = len({bar.instance for bar in bars}) > 1
    names = [f"{_short(b.instance)}: " if several else "" for b in bars]
    ax.set_yticks(rows, [n + _short(b.policy) for n, b in zip(names, bars, strict=True)])
    ax.set_ylim(rows[-1] + 0.7, -0.7)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", linewidth=0.4, color="#BBBBBB")
    ax.set_axisbelow(True)
    ax.set_xlabel("total completion time / optimum (logarithmic)")
    _title(ax, "Competitive ratios" + ("" if several else f" on {_short(bars[0].instance)}"))
    _legend(ax)
    return ax


def plot_causes(explanation: Attribution, ax: Axes | None = None) -> Axes:
    """Draw the cost of a policy and of what it is compared to, by cause.

    Parameters
    ----------
    explanation
        The parts of both costs.
    ax
        Where to draw.
    """
    from matplotlib.patheffects import withStroke

    ax = _axes(ax)
    rows = (explanation.policy, explanation.reference)
    longest = max(row.cost for row in rows)
    left = [0.0, 0.0]
    for cause, (words, look) in _cause_looks().items():
        parts = [float(row.rounds(cause)) for row in rows]
        if not any(parts):
            continue
        ax.barh((0, 1), parts, left=left, height=0.6, linewidth=0.8, label=words, **look)
        for y, part in enumerate(parts):
            text = f"{part:,.0f}"
            if part >= (0.012 * len(text) + 0.008) * longest:  # wide enough to hold it
                halo = [withStroke(linewidth=3, foreground="white")]
                middle = left[y] + part / 2
                ax.text(middle, y, text, ha="center", va="center", fontsize=9, path_effects=halo)
            left[y] += part
    for y, row in enumerate(rows):  # above its bar, where a long name takes no room from it
        ax.text(0.005 * longest, y - 0.34, f"{_short(row.label)}: {row.cost:,} rounds")
    ax.set_yticks([])
    ax.set_ylim(1.4, -0.6)
    ax.set_xlim(0, 1.02 * longest)
    _whole_numbers(ax.xaxis)
    ax.set_xlabel("total completion time by what the memory held (rounds)")
    ratio = decimal(explanation.ratio)
    _title(ax, f"{_short(rows[0].label)}: {ratio} times {_short(rows[1].label)}")
    _legend(ax)
    return ax


def _cause_looks() -> dict[str, tuple[str, dict[str, Any]]]:
    from kvopt.adversary.attribution import CAUSES

    return {cause: (words, CAUSE_LOOKS[cause]) for cause, words in CAUSES.items()}


def figure_of(
    kind: str,
    runs: Sequence[Run] = (),
    bars: Sequence[RatioBar] = (),
    explanation: Attribution | None = None,
) -> Callable[[], Figure]:
    """Return a function that makes the whole picture of a kind.

    Parameters
    ----------
    kind
        "memory", "gantt", "completions", "ratios" or "causes".
    runs
        The schedules, for the first three kinds.
    bars
        The rows, for "ratios".
    explanation
        The parts of the costs, for "causes".
    """
    if kind == "causes":
        return lambda: _single(plot_causes, explanation, 3.6)
    if kind == "ratios":
        groups = len({bar.instance for bar in bars})
        return lambda: _single(plot_ratios, bars, 1.6 + 0.28 * len(bars) + 0.15 * groups)
    if kind == "completions":
        return lambda: _single(plot_completions, runs, 4.2 + 0.2 * len(runs))
    if kind == "memory":
        return lambda: _multiples(plot_memory, runs, [2.2] * len(runs))
    if any(len(run.schedule) > MAX_BARS for run in runs):
        return lambda: _multiples(plot_running, runs, [2.4] * len(runs), sharey=True)
    at_once = [int(lanes(r.schedule.start, r.schedule.end).max(initial=0)) + 1 for r in runs]
    return lambda: _multiples(plot_gantt, runs, [min(1.1 + 0.22 * n, 3.2) for n in at_once])


def rendered(make: Callable[[], Figure], file_type: str) -> bytes:
    """Draw a picture as the bytes of a file; the same picture gives the same bytes.

    Parameters
    ----------
    make
        Makes the picture.
    file_type
        "png" or "svg".
    """
    out = io.BytesIO()
    with _style():
        figure = make()
        stamps = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
        figure.savefig(out, format=file_type, metadata=stamps[file_type])
    return out.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    """Use our settings alone, so that nobody's own change the picture."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        mpl.rcdefaults()
        with mpl.rc_context(STYLE):
            yield


def _single(plot: Callable[[Any, Axes], Axes], data: Any, height: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, height), layout="constrained")
    plot(data, figure.add_subplot())
    _common_legend(figure, {plot_ratios: 3, plot_causes: 2}.get(plot, 1))
    return figure


def _multiples(
    plot: Callable[[Run, Axes], Axes],
    runs: Sequence[Run],
    heights: Sequence[float],
    sharey: bool = False,
) -> Figure:
    """Draw one picture below the other; on one instance they share their axes."""
    from matplotlib.figure import Figure

    if len(runs) == 1:
        heights = [max(heights[0], 3.2)]
    one = len(instances_of(runs)) == 1
    figure = Figure((WIDTH, sum(heights) + 0.45 * len(runs) + 0.8), layout="constrained")
    all_axes = figure.subplots(
        len(runs), 1, squeeze=False, sharex=one, sharey=one and sharey, height_ratios=heights
    )[:, 0]
    if one:
        _time_axis(all_axes[-1], max(run.schedule.makespan for run in runs))
    top = 0.0
    for run, ax in zip(runs, all_axes, strict=True):
        plot(run, ax)
        top = max(top, ax.get_ylim()[1])
        if one and ax is not all_axes[-1]:
            ax.set_xlabel("")
    if one and sharey:
        all_axes[-1].set_ylim(0, top)
    figure.suptitle(_instances(runs), x=0.01, ha="left")
    _common_legend(figure, 3)
    return figure


def _common_legend(figure: Figure, columns: int) -> None:
    """Replace the legends of all axes by one below them, where it hides nothing."""
    from matplotlib.lines import Line2D

    entries: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(text, handle)
        if (old := ax.get_legend()) is not None:
            old.remove()
    order = sorted(entries, key=lambda text: isinstance(entries[text], Line2D))
    figure.legend([entries[text] for text in order], order, loc="outside lower left", ncols=columns)


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


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _time_axis(ax: Axes, makespan: int) -> None:
    """Set up the axis of time, to be long enough for what is there already too."""
    ax.set_xlim(0, max(makespan * 1.01, ax.get_xlim()[1]))
    _whole_numbers(ax.xaxis)
    ax.set_xlabel("time (rounds)")


def _whole_numbers(axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    axis.set_major_formatter("{x:,.0f}")


def _legend(ax: Axes) -> None:
    if ax.get_legend_handles_labels()[0]:
        ax.legend()


def _title(ax: Axes, words: str) -> None:
    ax.set_title(words, loc="left", parse_math=False)


def _instances(runs: Sequence[Run]) -> str:
    """Name the instance, or say that there are several."""
    instance, *others = instances_of(runs)
    if others:
        names = ", ".join(one.name for one in (instance, *others))
        return names if len(names) <= 70 else f"{len(others) + 1} instances"
    return f"{_short(instance.name)}: {len(instance):,} requests, budget {instance.memory:,} tokens"


def _short(name: str) -> str:
    """Return a name, cut to a length that leaves room for the picture."""
    return name if len(name) <= 40 else name[:39] + "\N{HORIZONTAL ELLIPSIS}"


def _width(edges: Any) -> str:
    width = float(edges[1] - edges[0])
    return f"{width:,.0f}" if width >= 100 else f"{width:.3g}"


def _ratio_words(bar: RatioBar, far: float) -> str:
    words = decimal(bar.low)
    if bar.high > bar.low:
        words += f" to {decimal(bar.high)}"
    if bar.bound is not None:
        words += f"   bound {bar.bound:,.2f}".removesuffix(".00")
        words += " (not drawn)" if bar.bound > far else ""
    return f"{words}   {bar.verdict.value}"


def _ratio_ticks(end: float) -> tuple[list[float], list[str]]:
    """Return round numbers from 1 to `end`, few enough to be told apart."""
    decades = math.ceil(math.log10(end)) + 1
    steps = (1, 2, 5) if end > 4 else (1, 1.1, 1.2, 1.3, 1.5, 2, 3) if end > 1.6 else None
    if steps is None:
        ticks = [1 + i / 20 for i in range(13)]
    else:
        ticks = [s * 10.0**d for d in range(decades) for s in steps]
    ticks = [t for t in ticks if t <= end]
    return ticks, [f"{t:,.2f}".rstrip("0").rstrip(".") for t in ticks]
