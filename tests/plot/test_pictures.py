"""Pictures: what is in them, not how they look."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from drawing import BARS, KINDS, RELEASED, axes, many, run_of
from matplotlib.collections import PolyCollection
from matplotlib.patches import StepPatch

from kvopt import (
    Attempt,
    Instance,
    Schedule,
    Verdict,
    metrics,
    policy_from_spec,
    simulate,
)
from kvopt.plot import page, pictures, trace_events
from kvopt.plot.figures import figure_of, rendered
from kvopt.plot.pictures import plot_completions, plot_gantt, plot_memory, plot_running
from kvopt.plot.ratio_pictures import plot_ratios
from kvopt.plot.serving_pictures import plot_distribution, plot_queue
from kvopt.plot.shapes import (
    RatioBar,
    Run,
    memory_curve,
    queue_curve,
)


def test_memory_picture() -> None:
    run = run_of("gsa")
    ax = plot_memory(run, axes())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (rounds)", "memory (tokens)")
    assert ax.get_title("left") == "gsa: peak 256 of 256 tokens"
    curve, stop = ax.get_lines()
    x, y = memory_curve(run.schedule.memory_profile())
    assert np.array_equal(curve.get_xdata(), x)
    assert np.array_equal(curve.get_ydata(), y)
    assert set(stop.get_ydata()) == {256}
    assert stop.get_linestyle() != curve.get_linestyle()
    assert ax.get_ylim()[1] > 256
    assert ax.get_xlim() == (0, pytest.approx(1.01 * run.schedule.makespan))


def test_memory_picture_says_when_the_budget_is_exceeded() -> None:
    instance = Instance(10, [4, 4], [3, 3])
    ax = plot_memory(Run("x", Schedule.from_starts(instance, [0, 0])), axes())
    assert ax.get_title("left") == "x: peak 14 of 10 tokens, over budget"
    assert ax.get_ylim()[1] > 14


def bars(ax: Any) -> dict[str, PolyCollection]:
    return {c.get_label(): c for c in ax.collections if isinstance(c, PolyCollection)}


@pytest.mark.parametrize("spec", ["gsa", "fcfs", "mc-sf"])
def test_gantt_picture(spec: str) -> None:
    run = run_of(spec)
    ax = plot_gantt(run, axes())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (rounds)", "attempts at once")
    found = bars(ax)
    kills = run.schedule.kills
    assert len(found["completed"].get_paths()) == len(run.schedule) - kills
    assert found["completed"].get_hatch() is None
    if kills:
        killed = found["killed, progress lost"]
        assert len(killed.get_paths()) == kills
        assert killed.get_hatch()
        extents = [path.get_extents() for path in killed.get_paths()]
        drawn = sorted((int(box.x0), int(box.x1)) for box in extents)
        assert drawn == sorted((a.start, a.end) for a in run.schedule if a.killed)
    assert ax.get_xlim() == (0, pytest.approx(1.01 * run.schedule.makespan))


def test_gantt_numbers_the_requests_of_few_attempts() -> None:
    run = run_of("mc-sf", "slice-boundary-2")
    assert {int(t.get_text()) for t in plot_gantt(run, axes()).texts} == set(range(12))
    assert not plot_gantt(run_of("fcfs"), axes()).texts


def test_too_many_attempts_are_summed_up_and_the_picture_says_so() -> None:
    run = Run("made", many(pictures.MAX_BARS + 1))
    ax = plot_gantt(run, axes())
    assert not bars(ax)
    patches = {p.get_label(): p for p in ax.patches if isinstance(p, StepPatch)}
    assert patches["running, will be killed"].get_hatch()
    assert not patches["running, will complete"].get_hatch()
    assert "2,501 attempts are too many for bars" in ax.texts[0].get_text()
    assert ax.get_ylabel() == "running (attempts)"
    assert "drawn: lowest to highest within" in plot_memory(run, axes()).get_title("left")


def test_one_figure_never_mixes_bars_and_sums() -> None:
    big, small = Run("big", many(pictures.MAX_BARS + 1)), run_of("gsa")
    figure = figure_of("gantt", runs=[big, small])()
    assert not any(bars(ax) for ax in figure.axes)
    assert "too many" not in plot_running(small, axes()).texts[0].get_text()


def test_completions_picture() -> None:
    both = [run_of("gsa"), run_of("fcfs")]
    ax = plot_completions(both, axes())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (rounds)", "completed (requests)")
    assert ax.get_title("left") == "two-point: 200 requests, budget 256 tokens"
    lines = ax.get_lines()
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
    assert all(len(set(column)) == 2 for column in zip(*looks, strict=True))
    for run, line in zip(both, lines, strict=True):
        total = run.schedule.total_completion_time()
        assert f"{run.label}: total completion time {total:,} rounds" in line.get_label()
        x, y = line.get_data()
        # The area left of the curve is the total completion time.
        assert (np.diff(y) * x[1:]).sum() == total


def test_ratios_picture() -> None:
    ax = plot_ratios(BARS, axes())
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "cost / optimum (logarithmic)"  # of total latencies, if released late
    solid, hatched = ax.containers
    assert [bar.get_x() + bar.get_width() for bar in solid] == [1.5, 1, 12, 5]
    assert [bar.get_x() + bar.get_width() for bar in hatched] == [2, 1, 12, 7]
    assert all(bar.get_hatch() for bar in hatched)
    (bounds,) = ax.get_lines()
    assert list(bounds.get_xdata()) == [61.9, 10.7]
    assert bounds.get_ydata()[1] > bounds.get_ydata()[0]
    words = [text.get_text() for text in ax.texts]
    assert words == [
        "1.500 to 2.000   bound 61.90   within",
        "1.000   bound 9,216 (not drawn)   within",
        "12.000   bound 10.70   violates",
        "5.000 to 7.000   no claim",
    ]
    ticks = [t.get_text() for t in ax.get_yticklabels()]
    assert ticks == ["one: gsa", "one: mc-sf", "two: gba", "two: fcfs"]


@pytest.mark.parametrize("high", [1, 1.01, 1.3, 2, 3.9, 4.1, 37, 5000, 1e15])
def test_ratio_axes_have_ticks_that_can_be_told_apart(high: float) -> None:
    bar = RatioBar("i", "p", Fraction(1), Fraction(high), None, Verdict.NO_CLAIM)
    ax = plot_ratios([bar], axes())
    ticks = ax.get_xticks()
    assert ticks[0] == 1
    assert 2 <= len(ticks) <= 60
    assert ax.get_xlim()[1] > high
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert len(set(labels)) == len(labels)


def test_plots_make_their_own_axes_when_given_none() -> None:
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    run = run_of("mc-sf", "slice-boundary-2")
    for ax in (plot_memory(run), plot_gantt(run), plot_completions([run]), plot_ratios(BARS)):
        assert ax.get_title("left")
        assert ax.get_legend()
        plt.close(ax.figure)


@pytest.mark.parametrize("file_type", ["png", "svg"])
@pytest.mark.parametrize("kind", [*KINDS, "ratios"])
def test_the_same_picture_gives_the_same_bytes(kind: str, file_type: str) -> None:
    import matplotlib as mpl

    both = [run_of("gsa", "slice-boundary-2"), run_of("fcfs", "slice-boundary-2")]
    first = rendered(figure_of(kind, runs=both, bars=BARS), file_type)
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "mine", "axes.grid": True}):
        second = rendered(figure_of(kind, runs=both, bars=BARS), file_type)
        assert mpl.rcParams["font.size"] == 30
    assert first == second
    assert first.startswith(b"\x89PNG" if file_type == "png" else b"<?xml")
    assert b"<dc:date>" not in first


def test_names_are_text_whatever_signs_are_in_them() -> None:
    instance = Instance(23, [0] * 2, [5, 9], r"$\nope$ 漢字 <b>_&" + 300 * "long")
    run = Run("_$x$", simulate(instance, policy_from_spec("gsa")))
    bar = RatioBar("$a_$", "$", Fraction(1), Fraction(2), None, Verdict.UNDECIDED)
    for kind in (*KINDS, "ratios"):
        assert rendered(figure_of(kind, runs=[run, run], bars=[bar, bar]), "svg")


def test_a_schedule_without_attempts_can_be_drawn() -> None:
    run = Run("nothing", Schedule(Instance(5, [1], [2], "idle"), [], [], [], []))
    for kind in KINDS:
        assert rendered(figure_of(kind, runs=[run]), "png")
    assert page.runs_page([run])
    assert trace_events.trace_text([run])


def test_long_times_can_be_drawn() -> None:
    instance = Instance(10, [1, 1], [3, 3], "late")
    run = Run("late", Schedule.of(instance, [Attempt(0, 0, 3), Attempt(1, 10**15 - 3, 10**15)]))
    for kind in KINDS:
        assert rendered(figure_of(kind, runs=[run]), "svg")
    assert page.runs_page([run])
    assert trace_events.trace_text([run])


@pytest.mark.slow
def test_a_million_attempts_are_drawn_in_seconds() -> None:
    run = Run("made", many(1_000_000))
    before = time.process_time()
    sizes = [len(rendered(figure_of(kind, runs=[run]), "svg")) for kind in KINDS]
    sizes.append(len(page.runs_page([run])))
    assert max(sizes) < 1_000_000
    assert time.process_time() - before < 60


@pytest.mark.parametrize("plot", [plot_memory, plot_gantt, plot_running, plot_queue])
def test_releases_are_marked(plot: Any) -> None:
    def marks(instance: Instance) -> list[float]:
        ax = plot(Run("mc-sf", simulate(instance, policy_from_spec("mc-sf"))), axes())
        return [
            segment[0][0]
            for lines in ax.collections
            if lines.get_label() == "released"
            for segment in lines.get_segments()
        ]

    assert marks(RELEASED) == [0, 2, 30]
    assert marks(Instance(10, [1, 1], [3, 9])) == []


def test_completions_show_the_releases() -> None:
    runs = [Run(spec, simulate(RELEASED, policy_from_spec(spec))) for spec in ("mc-sf", "fcfs")]
    ax = plot_completions(runs, axes())
    released, *_ = ax.get_lines()
    assert len(ax.get_lines()) == 3
    assert released.get_label() == "released"
    assert list(released.get_xdata())[:3] == [0, 2, 30]
    assert list(released.get_ydata())[:3] == [1, 3, 4]


def test_queue_picture() -> None:
    run = Run("fcfs", simulate(RELEASED, policy_from_spec("fcfs")))
    ax = plot_queue(run, axes())
    times, waiting = queue_curve(run.schedule)
    (line,) = ax.get_lines()
    assert np.array_equal(line.get_xdata(), times)
    assert np.array_equal(line.get_ydata(), waiting)
    assert ax.get_title("left") == f"fcfs: at most {waiting.max()} waiting"


def test_queue_picture_of_many_keeps_the_peak() -> None:
    n = 5000
    releases = np.arange(n)
    starts = releases + np.where(releases == 1234, 40, 0)
    instance = Instance(10**6, np.zeros(n, int), np.ones(n, int), "many", releases=releases)
    ax = plot_queue(Run("x", Schedule.from_starts(instance, starts)), axes())
    steps = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    assert max(steps[0].get_data().values) == 1
    assert (steps[0].get_data().values == 1).sum() <= 8


def test_distributions_side_by_side() -> None:
    specs = ("mc-sf", "fcfs")
    runs = [Run(spec, simulate(RELEASED, policy_from_spec(spec))) for spec in specs]
    figure = figure_of("latency", runs=runs)()
    latency, ttft = figure.axes
    assert latency.get_xlabel() == "latency (rounds)"
    assert ttft.get_xlabel() == "time to first token (rounds)"
    for ax, quantity in ((latency, "latency"), (ttft, "ttft")):
        for line, run in zip(ax.get_lines(), runs, strict=True):
            values = np.sort(getattr(metrics(run.schedule), quantity))
            assert np.array_equal(line.get_xdata()[1:], values)
            assert line.get_ydata()[-1] == 1
    ax = plot_distribution({"one": metrics(runs[0].schedule)}, "tpot", axes())
    assert ax.get_xlabel() == "time per output token (rounds per token)"


@pytest.mark.parametrize("kind", ["queue", "latency"])
def test_pictures_of_several_instances(kind: str) -> None:
    other = Instance(10, [1, 1], [3, 9], "early")
    runs = [Run("fcfs", simulate(i, policy_from_spec("fcfs"))) for i in (RELEASED, other)]
    assert len(rendered(figure_of(kind, runs=runs), "png")) > 2000
