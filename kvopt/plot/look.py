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
    "DPI",
    "FEW",
    "KILLED",
    "MARKERS",
    "ORANGE",
    "PALE_BLUE",
    "STYLES",
    "TIME",
    "VERMILLION",
    "WIDTH",
    "axes_or_new",
    "curve_label",
    "curve_look",
    "instances_text",
    "legend",
    "number_curve",
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

OKABE_ITO = (BLUE, VERMILLION, "#009E73", "#CC79A7", ORANGE, "#56B4E9", "#000000")
TOL = ("#882255", "#44AA99", "#999933", "#332288", "#AA4499", "#117733", "#661100", "#888888")
COLOURS = (*OKABE_ITO, *TOL, "#B5651D")
"""After the seven of Okabe and Ito those of Tol (2021), his scheme "muted"."""

STYLES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">", "h", "p", "d", "8", "H", "1")

FEW = len(OKABE_ITO)
"""Of more curves than that each is numbered, too."""

DPI = 160.0
"""Dots per inch of a PNG."""

TIME = "time (rounds"
"""How the label of a time axis begins."""

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
    "savefig.dpi": DPI,
    "pdf.fonttype": 42,  # text that can be searched and edited
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


def curve_look(number: int) -> dict[str, Any]:
    """Return colour, line style and marker of the curve with this number, from 0."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": STYLES[number % len(STYLES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def curve_label(number: int, curves: int, text: str) -> str:
    """Return what the legend says of a curve: with its number from 1 if there are many."""
    return f"{number + 1}  {text}" if curves > FEW else text


def number_curve(ax: Axes, number: int, curves: int, point: tuple[float, float]) -> None:
    """Write the number of a curve beside a point of it if there are many."""
    if curves <= FEW:
        return
    from matplotlib.patheffects import withStroke

    ax.annotate(
        str(number + 1),
        point,
        (4, 4),
        textcoords="offset points",
        fontsize=8,
        color=COLOURS[number % len(COLOURS)],
        path_effects=[withStroke(linewidth=2, foreground="white")],
    )


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
    ax.set_xlabel(f"{TIME})")


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
