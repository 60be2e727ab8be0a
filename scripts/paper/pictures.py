"""The pictures of the experiments, drawn with matplotlib in the style of `kvopt.plot`."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from kvopt.plot import Run, plot_completions, plot_memory
from kvopt.plot.figures import figure_of, rendered
from kvopt.plot.look import BLUE, COLOURS, MARKERS, ORANGE, STYLES
from paper.measures import Measurement, Results, Setting, average

WIDTH = 8.0
"""Width of a picture (inches)."""

USEFUL, THROWN, IDLE = BLUE, ORANGE, "#DDDDDD"


def save(make: Callable[[], Figure], path: Path) -> None:
    """Draw a picture into a PNG file, with a palette to keep it small."""
    with Image.open(io.BytesIO(rendered(make, "png"))) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def memory_of(runs: Sequence[Run]) -> Callable[[], Figure]:
    """Return the picture of the memory over time, a panel for each run."""
    return figure_of("memory", runs)


def starvation(runs: Sequence[Run]) -> Callable[[], Figure]:
    """Return the picture of memory and completions over time of runs on one instance."""

    def make() -> Figure:
        figure = Figure((WIDTH, 1.55 * len(runs) + 3.4), layout="constrained")
        axes = figure.subplots(
            len(runs) + 1, 1, sharex=True, height_ratios=[*(1.0 for _ in runs), 1.9]
        )
        for run, ax in zip(runs, axes, strict=False):
            plot_memory(run, ax)
            ax.set_xlabel("")
            ax.get_legend().remove()
        plot_completions(runs, axes[-1])
        axes[-1].set_title("Requests completed, in all", loc="left")
        axes[-1].get_legend().remove()
        axes[-1].set_xlim(0, 1.01 * max(run.schedule.makespan for run in runs))
        handles, labels = axes[0].get_legend_handles_labels()
        more, names = axes[-1].get_legend_handles_labels()
        figure.legend([*handles, *more], [*labels, *names], loc="outside lower left", ncols=2)
        return figure

    return make


def mean_completions(
    results: Results, rows: Sequence[Sequence[Setting]], shown: Callable[[Setting], dict[str, str]]
) -> Callable[[], Figure]:
    """Return the picture of the mean completion time against the number of requests.

    Parameters
    ----------
    results
        The measurements.
    rows
        The settings, a panel for each.
    shown
        The policies to show in a setting, and what to call them.
    """

    def make() -> Figure:
        figure = Figure((WIDTH, 0.6 + 3.0 * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), len(rows[0]), squeeze=False, sharex=True)
        for line, settings in zip(axes, rows, strict=True):
            for ax, setting in zip(line, settings, strict=True):
                _curves(ax, results, setting, shown(setting))
            line[0].set_ylabel("mean completion time (rounds)")
        for ax in axes[-1]:
            ax.set_xlabel("requests")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower left", ncols=3)
        return figure

    return make


def _curves(ax: Axes, results: Results, setting: Setting, shown: dict[str, str]) -> None:
    """Draw the mean over samples as a line, and their range as a band."""
    sizes = results.sizes(setting)
    for i, (policy, name) in enumerate(shown.items()):
        means = [[m.mean for m in results.runs(setting, n, policy)] for n in sizes]
        colour = COLOURS[i % len(COLOURS)]
        ax.fill_between(
            sizes, list(map(min, means)), list(map(max, means)), color=colour, alpha=0.13, lw=0
        )
        ax.plot(
            sizes,
            [results.mean(setting, n, policy) for n in sizes],
            color=colour,
            linestyle=STYLES[i % len(STYLES)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=4.5,
            linewidth=1.4,
            label=name,
        )
    ax.set_title(setting.words, loc="left")
    ax.set_xlim(0, None)
    ax.set_ylim(0, None)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.grid(axis="y", linewidth=0.4, color="#BBBBBB")


def memory_shares(
    results: Results, rows: Sequence[Sequence[Setting]], shown: Callable[[Setting], dict[str, str]]
) -> Callable[[], Figure]:
    """Return the picture of what the memory is used for, from the largest samples.

    A bar is as long as the makespan; its parts are the shares of the memory times rounds
    that completing attempts use, that killed attempts use, and that is idle.
    """

    def make() -> Figure:
        count = max(len(shown(s)) for line in rows for s in line)
        figure = Figure((WIDTH, 0.8 + len(rows) * (0.6 + 0.27 * count)), layout="constrained")
        axes = figure.subplots(len(rows), len(rows[0]), squeeze=False, sharey="row")
        for line, settings in zip(axes, rows, strict=True):
            for ax, setting in zip(line, settings, strict=True):
                _shares(ax, results, setting, shown(setting))
            line[0].invert_yaxis()
        for ax in axes[-1]:
            ax.set_xlabel("time (rounds)")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower left", ncols=4)
        return figure

    return make


def _shares(ax: Axes, results: Results, setting: Setting, shown: dict[str, str]) -> None:
    size = results.sizes(setting)[-1]
    runs = [results.runs(setting, size, policy) for policy in shown]
    memory = setting.memory
    left = [0.0] * len(runs)
    parts: tuple[tuple[str, str, Callable[[Measurement], float]], ...] = (
        ("attempts that complete", USEFUL, lambda m: m.useful / memory),
        ("attempts that are killed", THROWN, lambda m: m.thrown_away / memory),
        ("idle", IDLE, lambda m: m.makespan * m.idle_share),
    )
    names = list(shown.values())
    for label, colour, value in parts:
        widths = [average(some, value) for some in runs]
        ax.barh(names, widths, left=left, height=0.7, color=colour, label=label)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    ax.plot(
        [average(some, lambda m: m.mean) for some in runs],
        names,
        linestyle="none",
        marker="D",
        markersize=5,
        color="white",
        markeredgecolor="black",
        label="mean completion time",
    )
    ax.set_title(f"{setting.words}, {size:,} requests", loc="left")
    ax.set_xlim(0, 1.02 * max(left))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.tick_params(axis="y", length=0)


def ratios(results: Results, panels: Sequence[Sequence[Setting]]) -> Callable[[], Figure]:
    """Return the picture of cost / lower bound of every policy, from the largest samples.

    Parameters
    ----------
    results
        The measurements.
    panels
        The settings, those of a panel together.
    """
    settings = [setting for panel in panels for setting in panel]
    policies = list(dict.fromkeys(p for s in settings for p in results.policies(s)))
    values = {
        (setting, policy): float(results.ratio_high(setting, results.sizes(setting)[-1], policy))
        for setting in settings
        for policy in results.policies(setting)
    }

    def typical(policy: str) -> float:
        found = sorted(values[s, policy] for s in settings if (s, policy) in values)
        return found[len(found) // 2]

    rows = sorted(policies, key=typical)

    def make() -> Figure:
        figure = Figure((WIDTH, 1.3 + 0.22 * len(rows)), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
        for ax, panel in zip(axes, panels, strict=True):
            for i, setting in enumerate(panel):
                points = [
                    (values[setting, policy], row)
                    for row, policy in enumerate(rows)
                    if (setting, policy) in values
                ]
                ax.plot(
                    *zip(*points, strict=True),
                    linestyle="none",
                    marker=MARKERS[i],
                    color=COLOURS[i],
                    fillstyle="full" if i == 0 else "none",
                    markersize=5 if i == 0 else 6.5,
                    label=setting.words,
                )
            ax.grid(linewidth=0.4, color="#CCCCCC")
            ax.set_axisbelow(True)
            ax.tick_params(axis="y", length=0, labelsize=8)
            ax.legend(loc="lower left", bbox_to_anchor=(-0.06, 1), fontsize=8, handletextpad=0.1)
        axes[0].set_yticks(range(len(rows)), rows)
        axes[0].set_ylim(len(rows) - 0.4, -0.6)
        axes[0].set_xscale("log")
        axes[0].set_xlim(1, 1.15 * max(values.values()))
        ticks = [t for t in (1, 3, 10, 30, 100, 300) if t <= max(values.values())]
        axes[0].set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes[0].set_xticks([], minor=True)
        figure.supxlabel("total completion time / lower bound (logarithmic)", fontsize=10)
        return figure

    return make
