"""Whole pictures of each kind, and the bytes of their files."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from kvopt.model.errors import InputError
from kvopt.plot.fitting import bend_for_log, drop_numbers_outside, fit_legend, fit_rows
from kvopt.plot.fonts import use_fonts_for
from kvopt.plot.look import DPI, FEW, TIME, WIDTH, instances_text, style, time_axis
from kvopt.plot.pictures import MAX_BARS, plot_completions, plot_gantt, plot_memory, plot_running
from kvopt.plot.ratio_pictures import RATIO, Group, plot_causes, plot_ratios
from kvopt.plot.serving_pictures import distributions_of, plot_distribution, plot_queue
from kvopt.plot.shapes import RatioBar, Run, instances_of, lanes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kvopt.adversary.attribution import Attribution

__all__ = ["Format", "figure_of", "rendered"]

STAMPS: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What would make the bytes of two equal pictures differ."""


def figure_of(
    kind: str,
    runs: Sequence[Run] = (),
    bars: Sequence[RatioBar] = (),
    explanation: Attribution | None = None,
    group: Group = "instance",
) -> Callable[[], Figure]:
    """Return a function that makes the whole picture of a kind.

    Parameters
    ----------
    kind
        "memory", "gantt", "completions", "queue", "latency", "ratios" or "causes".
    runs
        The schedules, for the first five kinds.
    bars
        The rows, for "ratios".
    explanation
        The parts of the costs, for "causes".
    group
        What rows of "ratios" stand together by: "instance" or "policy".
    """
    if kind == "causes":
        return lambda: _single(plot_causes, explanation, 3.6, 2)
    if kind == "ratios":
        height = 1.6 + 0.28 * len(bars) + 0.15 * len({getattr(bar, group) for bar in bars})
        return lambda: _single(partial(plot_ratios, group=group), bars, height, 3)
    if kind == "completions":
        columns = 2 if len(runs) > FEW else 1
        height = 4.2 + 0.2 * math.ceil(len(runs) / columns)
        return lambda: _single(plot_completions, runs, height, columns)
    if kind == "latency":
        return lambda: _distributions(runs)
    if kind == "queue":
        return lambda: _queues(runs)
    if kind == "memory":
        return lambda: _multiples(plot_memory, runs, [2.2] * len(runs))
    if any(len(run.schedule) > MAX_BARS for run in runs):
        return lambda: _multiples(plot_running, runs, [2.4] * len(runs), sharey=True)
    at_once = [int(lanes(r.schedule.start, r.schedule.end).max(initial=0)) + 1 for r in runs]
    return lambda: _multiples(plot_gantt, runs, [min(1.1 + 0.22 * n, 3.2) for n in at_once])


@dataclass(frozen=True, slots=True)
class Format:
    """How large a picture is, how fine, and how time runs in it.

    Parameters
    ----------
    size
        Width and height (inches); None for what suits its content.
    dpi
        Dots per inch of a PNG.
    log_time
        Whether time runs logarithmically from round 1 on.
    until
        Last round shown; None for all.
    """

    size: tuple[float, float] | None = None
    dpi: float = DPI
    log_time: bool = False
    until: int | None = None


def rendered(
    make: Callable[[], Figure],
    file_type: str,
    form: Format | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> bytes:
    """Draw a picture as the bytes of a file; the same picture gives the same bytes.

    Parameters
    ----------
    make
        Makes the picture.
    file_type
        "png", "svg" or "pdf".
    form
        Its size, and how time runs.
    tell
        Called with one line if no font that is installed has all its characters.

    Raises
    ------
    InputError
        If the size is too small for what is to be drawn.
    """
    form = form or Format()
    out = io.BytesIO()
    with style():
        figure = make()
        if form.size is not None:
            figure.set_size_inches(*form.size)
        timed = [ax for ax in figure.axes if TIME in ax.get_xlabel()]
        for ax, end in [(ax, ax.get_xlim()[1]) for ax in timed]:
            _set_time(ax, end, form)
        if form.log_time:
            for ax in figure.axes:
                bend_for_log(ax, ax.get_xlim()[1])
        _fit(figure, form)
        if missing := use_fonts_for(figure):
            tell(f"no font that is installed has {missing}; boxes are drawn instead")
        figure.savefig(out, format=file_type, metadata=STAMPS[file_type], dpi=form.dpi)
    return out.getvalue()


def _fit(figure: Figure, form: Format) -> None:
    """Make everything fit into the figure."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied")
        try:
            if form.log_time or form.until is not None:
                drop_numbers_outside(figure)
            fit_legend(figure)
            for ax in figure.axes:
                if RATIO in ax.get_xlabel():
                    fit_rows(figure, ax)
            figure.draw_without_rendering()
        except UserWarning:
            raise InputError("--size: is too small for what is to be drawn") from None


def _set_time(ax: Axes, end: float, form: Format) -> None:
    """Let time, which ends there, run as asked for; axes that share it with these follow."""
    if form.log_time:
        ax.set_xscale("symlog", linthresh=1)
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.set_xlabel(ax.get_xlabel().replace(")", ", logarithmic)"))
    if form.until is not None and form.until < end:
        ax.set_xlim(0, form.until)
        ax.set_xlabel(f"{ax.get_xlabel()}, cut off at {form.until:,}")


def _single(
    plot: Callable[[Any, Axes], Axes], data: Any, height: float, columns: int = 1
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, height), layout="constrained")
    plot(data, figure.add_subplot())
    _common_legend(figure, columns)
    return figure


def _distributions(runs: Sequence[Run]) -> Figure:
    """Draw the distributions of latency and time to first token side by side."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, 3.8 + 0.2 * len(runs)), layout="constrained")
    measured = distributions_of(runs)
    for quantity, ax in zip(("latency", "ttft"), figure.subplots(1, 2, sharey=True), strict=True):
        plot_distribution(measured, quantity, ax)
    figure.axes[1].set_ylabel("")
    figure.suptitle(instances_text(runs), x=0.01, ha="left")
    _common_legend(figure, 2)
    return figure


def _queues(runs: Sequence[Run]) -> Figure:
    """Draw queue and memory over time, a row for each schedule."""
    from matplotlib.figure import Figure

    figure = Figure((1.25 * WIDTH, 2.1 * len(runs) + 1.4), layout="constrained")
    one = len(instances_of(runs)) == 1
    rows = figure.subplots(
        len(runs), 2, squeeze=False, sharex=True if one else "row", sharey="col" if one else False
    )
    top = 0.0
    for run, (queue, memory) in zip(runs, rows, strict=True):
        plot_queue(run, queue)
        plot_memory(run, memory)
        top = max(top, queue.get_ylim()[1])
        if one and run is not runs[-1]:
            queue.set_xlabel("")
            memory.set_xlabel("")
    if one:
        rows[-1][0].set_ylim(0, top)
        time_axis(rows[-1][0], max(run.schedule.makespan for run in runs))
    figure.suptitle(instances_text(runs), x=0.01, ha="left")
    _common_legend(figure, 4)
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
        time_axis(all_axes[-1], max(run.schedule.makespan for run in runs))
    top = 0.0
    for run, ax in zip(runs, all_axes, strict=True):
        plot(run, ax)
        top = max(top, ax.get_ylim()[1])
        if one and ax is not all_axes[-1]:
            ax.set_xlabel("")
    if one and sharey:
        all_axes[-1].set_ylim(0, top)
    figure.suptitle(instances_text(runs), x=0.01, ha="left")
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
