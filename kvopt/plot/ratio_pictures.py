"""Pictures of costs and their ratios: brackets beside bounds, and costs by cause.

Each `plot_x(data, ax=None)` draws on the axes given, or on new ones, and returns them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kvopt.comparison.ratio import Verdict
from kvopt.plot.look import (
    BLUE,
    CAUSE_LOOKS,
    VERMILLION,
    axes_or_new,
    legend,
    short,
    title,
    whole_numbers,
)
from kvopt.plot.shapes import RatioBar
from kvopt.report.tables import bound_text, decimal
from kvopt.theory.decimals import rounded_down, rounded_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kvopt.adversary.attribution import Attribution

__all__ = ["RATIO", "Group", "arranged", "plot_causes", "plot_ratios"]


Group = Literal["instance", "policy"]
"""What rows stand together by."""


RATIO = "cost / optimum"
"""How the label of an axis of ratios begins."""


def arranged(
    bars: Sequence[RatioBar], group: Group = "instance", sort: str = "given"
) -> list[RatioBar]:
    """Return rows in the order in which they are drawn.

    Parameters
    ----------
    bars
        The rows.
    group
        What rows stand together by.
    sort
        Order of the groups, and of the rows in each: "given"; "ratio", largest first by the
        lower end; or "name".
    """
    other = "policy" if group == "instance" else "instance"
    groups: dict[str, list[RatioBar]] = {}
    for bar in bars:
        groups.setdefault(getattr(bar, group), []).append(bar)
    found = list(groups.values())
    if sort == "name":
        found = [sorted(rows, key=lambda bar: str(getattr(bar, other))) for rows in found]
        found.sort(key=lambda rows: str(getattr(rows[0], group)))
    elif sort == "ratio":
        found = [sorted(rows, key=lambda bar: bar.low, reverse=True) for rows in found]
        found.sort(key=lambda rows: rows[0].low, reverse=True)
    return [bar for rows in found for bar in rows]


def plot_ratios(
    bars: Sequence[RatioBar], ax: Axes | None = None, group: Group = "instance"
) -> Axes:
    """Draw brackets of competitive ratios, and the bounds that apply.

    The axis is logarithmic and starts at 1, the optimum.  A bound far beyond
    all ratios is written at the end of the row instead of drawn.

    Parameters
    ----------
    bars
        The rows, those of a group together; see `arranged`.
    ax
        Where to draw.
    group
        What rows stand together by.
    """
    ax = axes_or_new(ax)
    highest = float(max(bar.high for bar in bars))
    far = max(100.0, 2 * highest)
    bounds = [math.inf if bar.bound is None else float(bar.bound) for bar in bars]
    _ratio_axis(ax, max([highest, *(bound for bound in bounds if bound <= far), 1.2]) ** 1.06)
    rows: list[float] = []
    for i, bar in enumerate(bars):
        new = bool(rows) and getattr(bars[i - 1], group) != getattr(bar, group)
        gap = 0.6 if new else 0.0
        rows.append(rows[-1] + 1 + gap if rows else 0.0)
    _brackets(ax, bars, rows)
    drawn = [(bound, row) for bound, row in zip(bounds, rows, strict=True) if bound <= far]
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
    ax.set_yticks(rows, [_row_name(bar, group, several) for bar in bars])
    ax.set_ylim(rows[-1] + 0.7, -0.7)
    ax.tick_params(axis="y", length=0)
    title(ax, "Competitive ratios" + ("" if several else f" on {short(bars[0].instance)}"))
    legend(ax)
    return ax


def _row_name(bar: RatioBar, group: Group, several: bool) -> str:
    """Return what stands before a row: first what the rows stand together by."""
    if not several:
        return short(bar.policy)
    names = (bar.instance, bar.policy) if group == "instance" else (bar.policy, bar.instance)
    return ": ".join(map(short, names))


def _ratio_axis(ax: Axes, end: float) -> None:
    """Set up the logarithmic axis of ratios from 1 to `end`."""
    ax.set_xscale("log")
    ax.set_xlim(1, end)
    ax.set_xticks(*_ratio_ticks(end))
    ax.set_xticks([], minor=True)
    ax.grid(axis="x", linewidth=0.4, color="#BBBBBB")
    ax.set_axisbelow(True)
    ax.set_xlabel(f"{RATIO} (logarithmic)")


def _brackets(ax: Axes, bars: Sequence[RatioBar], rows: Sequence[float]) -> None:
    """Draw a bar for each ratio, hatched from the lower to the upper end of a bracket."""
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

    ax = axes_or_new(ax)
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
        ax.text(0.005 * longest, y - 0.34, f"{short(row.label)}: {row.cost:,} rounds")
    ax.set_yticks([])
    ax.set_ylim(1.4, -0.6)
    ax.set_xlim(0, 1.02 * longest)
    whole_numbers(ax.xaxis)
    ax.set_xlabel("cost by what the memory held (rounds)")
    ratio = decimal(explanation.ratio)
    title(ax, f"{short(rows[0].label)}: {ratio} times {short(rows[1].label)}")
    legend(ax)
    return ax


def _cause_looks() -> dict[str, tuple[str, dict[str, Any]]]:
    from kvopt.adversary.attribution import CAUSES

    return {cause: (words, CAUSE_LOOKS[cause]) for cause, words in CAUSES.items()}


def _ratio_words(bar: RatioBar, far: float) -> str:
    words = decimal(bar.low)
    if bar.high > bar.low:
        words = f"{rounded_down(bar.low, 3)} to {rounded_up(bar.high, 3)}"
    if bar.bound is not None:
        words += f"   bound {bound_text(bar.bound)}"
        words += " (not drawn)" if float(bar.bound) > far else ""
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
