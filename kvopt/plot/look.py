"""How all pictures look: colours, sizes, axes, titles and legends.

Colours are those of Okabe and Ito (2008), which people with colour-blindness can tell apart; line
styles, markers and hatches say the same to those who print in grey.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kvopt.plot.shapes import Run, instances_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = [
    "BLUE",
    "CAUSE_LOOKS",
    "COLOURS",
    "COMPLETED",
    "KILLED",
    "MARKERS",
    "ORANGE",
    "PALE_BLUE",
    "STYLES",
    "VERMILLION",
    "WIDTH",
    "axes_or_new",
    "instances_text",
    "legend",
    "short",
    "style",
    "time_axis",
    "title",
    "whole_numbers",
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


@contextmanager
def style() -> Iterator[None]:
    """Use these settings alone, whatever the user has set for other pictures."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        mpl.rcdefaults()
        with mpl.rc_context(STYLE):
            yield


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the axes given, or new ones."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def time_axis(ax: Axes, makespan: int) -> None:
    """Set up the time axis (rounds), at least as long as what is drawn already."""
    ax.set_xlim(0, max(makespan * 1.01, ax.get_xlim()[1]))
    whole_numbers(ax.xaxis)
    ax.set_xlabel("time (rounds)")


def whole_numbers(axis: Axis) -> None:
    """Mark an axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    axis.set_major_formatter("{x:,.0f}")


def legend(ax: Axes) -> None:
    """Draw a legend if there is anything to say in it."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend()


def title(ax: Axes, words: str) -> None:
    """Write a title; its signs are text, not mathematics."""
    ax.set_title(words, loc="left", parse_math=False)


def instances_text(runs: Sequence[Run]) -> str:
    """Name the instance, or say that there are several."""
    instance, *others = instances_of(runs)
    if others:
        names = ", ".join(one.name for one in (instance, *others))
        return names if len(names) <= 70 else f"{len(others) + 1} instances"
    return f"{short(instance.name)}: {len(instance):,} requests, budget {instance.memory:,} tokens"


def short(name: str) -> str:
    """Return a name, cut to a length that leaves room for the picture."""
    return name if len(name) <= 40 else name[:39] + "\N{HORIZONTAL ELLIPSIS}"
