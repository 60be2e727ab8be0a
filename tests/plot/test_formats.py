"""Size, fineness, time axis and fonts of pictures; order of ratios; many curves."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from drawing import BARS, PICTURE_KINDS, axes, run_of

from kvopt import POLICIES, Instance, Verdict, metrics, write_instance
from kvopt.cli import main
from kvopt.plot import fonts
from kvopt.plot.figures import Format, figure_of, rendered
from kvopt.plot.look import COLOURS, MARKERS, curve_look
from kvopt.plot.pictures import plot_completions
from kvopt.plot.ratio_pictures import arranged, plot_ratios
from kvopt.plot.serving_pictures import plot_distribution
from kvopt.plot.shapes import RatioBar


def png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_size_and_dots() -> None:
    make = figure_of("completions", runs=[run_of("gsa")])
    assert png_size(rendered(make, "png", Format((5, 3), 100))) == (500, 300)
    assert png_size(rendered(make, "png", Format((5, 3)))) == (800, 480)


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_pdf_has_the_same_bytes_each_time(kind: str) -> None:
    make = figure_of(kind, runs=[run_of("gsa")])
    data = rendered(make, "pdf")
    assert data.startswith(b"%PDF")
    assert data == rendered(make, "pdf")
    assert b"/Type3" not in data


@pytest.mark.parametrize("kind", ["memory", "gantt", "completions", "queue"])
def test_time_may_be_logarithmic_or_cut_off(kind: str) -> None:
    made: list[Any] = []

    def make() -> Any:
        made.append(figure_of(kind, runs=[run_of("gsa"), run_of("fcfs")])())
        return made[-1]

    rendered(make, "svg", Format(log_time=True, until=50))
    axes_of_time = [ax for ax in made[0].axes if "time" in ax.get_xlabel()]
    assert axes_of_time
    for ax in made[0].axes:
        assert ax.get_xscale() == "symlog"
        assert ax.get_xlim() == (0, 50)
    for ax in axes_of_time:
        assert ax.get_xlabel() == "time (rounds, logarithmic), cut off at 50"
    rendered(make, "svg", Format(until=10**9))
    assert "cut off" not in made[1].axes[0].get_xlabel()


def test_sixteen_curves_differ_in_colour_and_marker_and_are_numbered() -> None:
    assert len(set(COLOURS)) == len(set(MARKERS)) == 16
    assert len({(curve_look(i)["color"], curve_look(i)["marker"]) for i in range(16)}) == 16
    runs = [run_of(policy.name) for policy in POLICIES]
    ax = plot_completions(runs, axes())
    assert len(runs) > 7
    labels = ax.get_legend_handles_labels()[1]
    assert [label.split("  ")[0] for label in labels] == [str(i + 1) for i in range(len(runs))]
    assert {text.get_text() for text in ax.texts} == {str(i + 1) for i in range(len(runs))}
    few = plot_completions(runs[:3], axes())
    assert not few.texts
    measured = {run.label: metrics(run.schedule) for run in runs}
    other = plot_distribution(measured, "latency", axes())
    assert len(other.texts) == len(runs)


def test_ratios_are_grouped_and_sorted() -> None:
    names = [(bar.instance, bar.policy) for bar in arranged(BARS)]
    assert names == [("one", "gsa"), ("one", "mc-sf"), ("two", "gba"), ("two", "fcfs")]
    mixed = [BARS[0], BARS[2], BARS[1], BARS[3]]
    assert [bar.instance for bar in arranged(mixed)] == ["one", "one", "two", "two"]
    by_ratio = arranged(BARS, "instance", "ratio")
    assert [bar.low for bar in by_ratio] == [12, 5, Fraction(3, 2), 1]
    more = [*BARS, RatioBar("two", "gsa", Fraction(9), Fraction(9), None, Verdict.NO_CLAIM)]
    by_policy = arranged(more, "policy", "name")
    assert [bar.policy for bar in by_policy] == ["fcfs", "gba", "gsa", "gsa", "mc-sf"]
    ax = plot_ratios(arranged(more, "policy", "ratio"), axes(), "policy")
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["gba: two", "gsa: two", "gsa: one", "fcfs: two", "mc-sf: one"]
    first, second, third, *_ = ax.get_yticks()
    assert second - first > third - second == 1


def test_a_font_that_has_the_signs_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    # any that comes with matplotlib and has what the usual one has not stands for one installed
    family = "STIXGeneral"
    ours, theirs = fonts.characters(fonts.USUAL), fonts.characters(family)
    sign = chr(next(code for code in sorted(theirs - ours) if chr(code).isprintable()))
    said: list[str] = []
    made: list[Any] = []

    def make() -> Any:
        from matplotlib.figure import Figure

        made.append(Figure())
        made[-1].text(0, 0, f"a{sign}\N{CJK UNIFIED IDEOGRAPH-540D}")
        return made[-1]

    monkeypatch.setattr(fonts, "FURTHER", ("No Such Font", family))
    rendered(make, "svg", tell=said.append)
    assert made[0].texts[0].get_fontfamily() == [fonts.USUAL, family]
    assert len(said) == 1
    assert sign not in said[0]
    assert "\N{CJK UNIFIED IDEOGRAPH-540D}" in said[0]
    monkeypatch.setattr(fonts, "FURTHER", ())
    rendered(make, "svg", tell=said.append)
    assert sign in said[1]


@pytest.mark.parametrize("quiet", [True, False])
def test_signs_without_a_font_are_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any, quiet: bool
) -> None:
    monkeypatch.setattr(fonts, "FURTHER", ())
    name = "\N{CJK UNIFIED IDEOGRAPH-540D}\N{CJK UNIFIED IDEOGRAPH-524D}"
    write_instance(tmp_path / "x.json", Instance(5, [1], [2], name))
    option = ["--quiet"] if quiet else []
    target = str(tmp_path / "x.png")
    assert main(["plot", str(tmp_path / "x.json"), "--policy", "gba", "-o", target, *option]) == 0
    err = capsys.readouterr().err
    assert err.count("\n") == (not quiet)
    assert all(sign in err for sign in name) == (not quiet)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-o x.png --size 0x3", "must be WIDTHxHEIGHT in inches, 1 to 100 each"),
        ("-o x.png --size nanx3", "must be WIDTHxHEIGHT in inches"),
        ("-o x.png --size 100x100 --dpi 2400", "--size: must give at most 20000 pixels"),
        ("-o x.html --size 3x3", "--size: is for pictures, got 3x3 for .html"),
        ("-o x.pdf --dpi 100", "--dpi: is for .png, got 100 for .pdf"),
        ("-o x.png --dpi 5", "'--dpi': 5 is not in the range"),
        ("-o x.png --sort name", "--sort: is for --kind ratios, got name"),
        ("-o x.png --kind memory --group policy", "--group: is for --kind ratios, got policy"),
        ("-o x.png --kind latency --until 5", "--until: is for pictures of memory, gantt"),
        ("-o x.html --time-axis log", "--time-axis: is for pictures of memory, gantt"),
        ("-o x.png --kind ratios --until 9", "--until: is for pictures of memory, gantt"),
    ],
)
def test_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any, options: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_instance("x.json", Instance(5, [1], [2], "x"))
    assert main(["plot", "x.json", "--policy", "gba", *options.split()]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
