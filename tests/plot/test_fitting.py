"""Pictures of the sizes and with the time axes that users ask for."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from kvopt import InputError, Instance, Verdict, simulate
from kvopt.plot.figures import Format, figure_of, rendered
from kvopt.plot.shapes import RatioBar, Run

INSTANCE = Instance(16, [2] * 8, [9, 3, 1, 6, 1, 2, 8, 1], name="first")


def runs(*policies: str) -> list[Run]:
    return [Run(policy, simulate(INSTANCE, policy)) for policy in policies]


def drawn(kind: str, form: Format, shown: list[Run], **more: Any) -> Any:
    """Return the figure as it is when its file is written."""
    kept = []
    make = figure_of(kind, shown, **more)

    def keep() -> Any:
        kept.append(make())
        return kept[0]

    rendered(keep, "svg", form)
    return kept[0]


def numbers(figure: Any) -> list[Any]:
    return [text for ax in figure.axes for text in ax.texts]


def test_what_grows_steadily_is_a_curve_on_a_logarithmic_axis() -> None:
    long = Instance(1100, [1], [1000])
    figure = drawn("memory", Format(log_time=True), [Run("fcfs", simulate(long, "fcfs"))])
    x, y = figure.axes[0].lines[0].get_data()
    inner = [(a, b) for a, b in zip(x, y, strict=True) if 0 < a < 1000]
    assert len(inner) > 300
    assert max(abs(b - (1 + a)) for a, b in inner) < 1.01
    assert max(np.diff(np.log10([a for a, _ in inner]))) < 0.01
    filled = figure.axes[0].collections[0].get_paths()[0].vertices
    assert len(filled) > 300


def test_on_a_linear_axis_a_line_has_only_its_ends() -> None:
    long = Instance(1100, [1], [1000])
    figure = drawn("memory", Format(), [Run("fcfs", simulate(long, "fcfs"))])
    assert len(figure.axes[0].lines[0].get_data()[0]) < 6


@pytest.mark.parametrize("form", [Format(until=12), Format(log_time=True), Format(until=1)])
def test_no_number_is_outside_or_on_another(form: Format) -> None:
    figure = drawn("gantt", form, runs("gsa", "fcfs", "mc-sf"))
    places = []
    for ax in figure.axes:
        frame = ax.get_window_extent()
        for text in ax.texts:
            place = text.get_window_extent()
            assert frame.x0 <= place.x0
            assert place.x1 <= frame.x1
            places.append(place)
    assert places
    assert not any(a.overlaps(b) for i, a in enumerate(places) for b in places[:i])


def test_numbers_that_fit_stay() -> None:
    whole = {text.get_text() for text in numbers(drawn("gantt", Format(), runs("mc-sf")))}
    cut = {text.get_text() for text in numbers(drawn("gantt", Format(until=6), runs("mc-sf")))}
    assert cut == whole - {"0"} == set("1234567")


@pytest.mark.parametrize("width", [4.5, 6.5, 12])
def test_the_legend_is_no_wider_than_the_picture(width: float) -> None:
    eight = runs("gsa", "gba", "gba-d", "mc-sf", "fcfs", "a-min", "svf", "svf-batches")
    figure = drawn("completions", Format(size=(width, 5)), eight)
    (legend,) = figure.legends
    assert legend.get_window_extent().x1 <= figure.bbox.x1
    assert len(legend.get_texts()) == 8


def bars(count: int) -> list[RatioBar]:
    two = Fraction(2)
    return [RatioBar("one", f"p{i}", two, two, Fraction(3), Verdict.WITHIN) for i in range(count)]


@pytest.mark.parametrize("height", [3, 4, 9])
def test_the_words_of_rows_do_not_touch(height: float) -> None:
    figure = drawn("ratios", Format(size=(7, height)), [], bars=bars(20))
    words = figure.axes[0].texts
    places = sorted((text.get_window_extent() for text in words), key=lambda box: box.y0)
    assert len(places) == 20
    assert all(low.y1 <= high.y0 for low, high in pairwise(places))


@pytest.mark.parametrize("size", [(7.0, 2.0), (1.0, 1.0)])
def test_a_size_that_is_too_small_is_refused(size: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="--size: "):
        drawn("ratios", Format(size=size), [], bars=bars(60))
