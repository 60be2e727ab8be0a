"""Pictures, pages and traces: what is in them, not how they look."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from strategies import instances, policy_specs

from kvopt import (
    Attempt,
    InputError,
    Instance,
    Schedule,
    Verdict,
    policy_from_spec,
    read_instance,
    simulate,
    write_instance,
    write_schedule,
)
from kvopt.cli import main
from kvopt.model.files import curated_instances
from kvopt.plot import page, pictures, trace_events
from kvopt.plot.figures import figure_of, rendered
from kvopt.plot.pictures import plot_completions, plot_gantt, plot_memory, plot_running
from kvopt.plot.ratio_pictures import plot_ratios
from kvopt.plot.shapes import (
    RatioBar,
    Run,
    check_drawable,
    completion_curve,
    lanes,
    memory_band,
    memory_curve,
    running_bands,
    summary,
)

KINDS = ("memory", "gantt", "completions")

BARS = [
    RatioBar("one", "gsa", Fraction(3, 2), Fraction(2), 61.9, Verdict.WITHIN),
    RatioBar("one", "mc-sf", Fraction(1), Fraction(1), 9216.0, Verdict.WITHIN),
    RatioBar("two", "gba", Fraction(12), Fraction(12), 10.7, Verdict.VIOLATES),
    RatioBar("two", "fcfs", Fraction(5), Fraction(7), None, Verdict.NO_CLAIM),
]


def run_of(spec: str, name: str = "two-point") -> Run:
    instance = read_instance(curated_instances() / f"{name}.json")
    return Run(spec, simulate(instance, policy_from_spec(spec)))


def axes() -> Any:
    return Figure().add_subplot()


@st.composite
def runs(draw: st.DrawFn) -> Run:
    spec = draw(policy_specs)
    return Run(spec, simulate(draw(instances()), policy_from_spec(spec)))


def many(attempts: int) -> Schedule:
    """A schedule of many attempts of which every third is killed, made without a policy."""
    rng = np.random.default_rng(1)
    start = np.sort(rng.integers(0, 3 * attempts, attempts))
    killed = np.arange(attempts) % 3 == 0
    n = attempts - int(killed.sum())
    request = np.where(killed, 0, np.cumsum(~killed) - 1)
    instance = Instance(10**6, np.full(n, 3), np.full(n, 40), "many")
    return Schedule(instance, request, start, start + np.where(killed, 20, 40), killed)


# Shapes.


@given(runs())
def test_lanes_hold_no_two_attempts_at_once_and_are_as_few_as_possible(run: Run) -> None:
    schedule = run.schedule
    lane = lanes(schedule.start, schedule.end)
    for i in range(int(lane.max()) + 1):
        start, end = schedule.start[lane == i], schedule.end[lane == i]
        assert (end[:-1] <= start[1:]).all()
    assert lane.max() + 1 == schedule.memory_profile().running.max()


@given(runs())
def test_memory_curve_is_the_profile(run: Run) -> None:
    profile = run.schedule.memory_profile()
    x, y = memory_curve(profile)
    assert (y[0], y[-1]) == (0, 0)
    for left, right, first, last in zip(x[1:-1:2], x[2::2], y[1:-1:2], y[2::2], strict=True):
        for r in range(left + 1, right + 1):  # the curve is straight, and right in every round
            assert (profile.at(r) - first) * (right - left) == (last - first) * (r - left)


@given(runs(), st.integers(1, 30))
def test_memory_band_covers_every_round_and_keeps_the_peak(run: Run, bins: int) -> None:
    profile = run.schedule.memory_profile()
    band = memory_band(profile, bins)
    assert band.high.max() == profile.peak()
    assert band.low.min() >= memory_curve(profile)[1][1:-1].min()
    for r in range(1, run.schedule.makespan + 1):
        bin = max(0, int(np.searchsorted(band.edges, r, side="left")) - 1)
        assert band.low[bin] <= profile.at(r) + 1e-9
        assert band.high[bin] >= profile.at(r) - 1e-9


@given(runs(), st.integers(1, 30))
def test_running_bands_add_up_to_all_attempt_rounds(run: Run, bins: int) -> None:
    schedule = run.schedule
    done, killed = running_bands(schedule, bins)
    width = np.diff(done.edges)
    rounds = schedule.end - schedule.start
    assert (done.high * width).sum() == pytest.approx(rounds[~schedule.killed].sum())
    lost = ((killed.high - killed.low) * width).sum()
    assert lost == pytest.approx(rounds[schedule.killed].sum())


@given(runs(), st.integers(2, 12))
def test_completion_curve(run: Run, limit: int) -> None:
    completions = run.schedule.completion_times()
    times, counts = completion_curve(run.schedule, 10**6)
    assert (times[0], counts[0]) == (0, 0)
    assert counts.tolist() == [int((completions <= t).sum()) for t in times]
    thin_times, thin_counts = completion_curve(run.schedule, limit)
    assert len(thin_times) <= limit
    assert thin_counts[-1] == len(completions)
    assert set(zip(thin_times, thin_counts, strict=True)) <= set(zip(times, counts, strict=True))


def test_summary() -> None:
    assert summary(run_of("fcfs").schedule) == "total completion time 185,892 rounds, 30 kills"
    instance = Instance(10, [1, 1], [3, 3])
    lost = Schedule.of(instance, [Attempt(0, 0, 3), Attempt(1, 0, 2, True)])
    assert summary(lost) == "incomplete: 1 of 2 requests, 1 kill"


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (Attempt(2, 0, 1), "attempts: request: must be an integer from 0 to 1 to be drawn, got 2"),
        (Attempt(0, -1, 1), "attempts: start: must be at least 0 to be drawn, got -1"),
        (Attempt(0, 4, 4), "attempts: end: must be after start to be drawn, got 4"),
    ],
)
def test_what_cannot_be_drawn(attempt: Attempt, message: str) -> None:
    schedule = Schedule.of(Instance(10, [1, 1], [3, 3]), [attempt])
    with pytest.raises(InputError, match=re.escape(message)):
        check_drawable(schedule)


# Pictures.


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
    assert ax.get_xlabel() == "total completion time / optimum (logarithmic)"
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


def test_a_million_attempts_are_drawn_in_seconds() -> None:
    run = Run("made", many(1_000_000))
    before = time.monotonic()
    sizes = [len(rendered(figure_of(kind, runs=[run]), "svg")) for kind in KINDS]
    sizes.append(len(page.runs_page([run])))
    assert max(sizes) < 1_000_000
    assert time.monotonic() - before < 60


# Pages.


def data_of(text: str) -> dict[str, Any]:
    line = next(line for line in text.splitlines() if line.startswith("const DATA = "))
    data: dict[str, Any] = json.loads(line.removeprefix("const DATA = ").removesuffix(";"))
    return data


@pytest.mark.parametrize(
    "make",
    [lambda: page.runs_page([run_of("gsa"), run_of("fcfs")]), lambda: page.ratios_page(BARS)],
    ids=["runs", "ratios"],
)
def test_a_page_stands_alone(make: Callable[[], str]) -> None:
    text = make()
    loads = (
        r"https?:|//[a-z0-9]|\bsrc=|\bhref|@import|\burl\(|\bfetch\(|\bimport\(|XMLHttp|WebSocket"
    )
    assert not re.search(loads, text)
    assert "default-src 'none'" in text
    assert "@TITLE@" not in text
    assert "@DATA@" not in text
    assert len(text) < 60_000


def test_a_page_holds_every_attempt() -> None:
    run = run_of("fcfs")
    data = data_of(page.runs_page([run]))
    (row,) = data["runs"]
    bars = row["bars"]
    starts = np.cumsum(bars["start"])
    rows = [
        Attempt(request, int(start), int(start) + rounds, killed == "1")
        for request, start, rounds, killed in zip(
            bars["request"], starts, bars["rounds"], bars["killed"], strict=True
        )
    ]
    assert rows == list(run.schedule)
    profile = run.schedule.memory_profile()
    assert np.cumsum(row["profile"]["time"]).tolist() == profile.times.tolist()
    assert row["profile"]["last"] == profile.last.tolist()
    assert data["instances"][0]["groups"] == [[96, 160, 6], [96, 1, 194]]
    assert data["kinds"] == ["completions", "gantt", "memory"]
    assert data_of(page.runs_page([run], "memory"))["kinds"] == ["memory"]
    assert page.runs_page([run]) == page.runs_page([run])


def test_a_page_names_each_instance_once() -> None:
    other = run_of("gsa", "tiny")
    tiny = other.schedule.instance
    data = data_of(page.runs_page([run_of("gsa"), other, run_of("fcfs")]))
    assert [instance["memory"] for instance in data["instances"]] == [256, tiny.memory]
    assert [row["instance"] for row in data["runs"]] == [0, 1, 0]


def test_a_page_is_not_broken_by_names() -> None:
    name = "</script><script>alert(1)</script><!-- @DATA@ @TITLE@"
    instance = Instance(23, [0] * 2, [5, 9], name)
    text = page.runs_page([Run(name, simulate(instance, policy_from_spec("gsa")))])
    assert text.count("<script") == text.count("</script") == 1
    assert data_of(text)["runs"][0]["label"] == name


def test_a_page_sums_up_too_many_attempts() -> None:
    run = Run("made", many(page.MAX_BARS + 1))
    data = data_of(page.runs_page([run]))
    (row,) = data["runs"]
    assert "bars" not in row
    assert max(row["bins"]["high"]) == row["peak"] == run.schedule.peak_memory()
    assert data["instances"][0]["groups"] == []


# Traces.


@given(runs())
def test_trace(run: Run) -> None:
    schedule = run.schedule
    text = trace_events.trace_text([run])
    content = json.loads(text)
    assert content["displayTimeUnit"] == "ms"
    assert "1 round is shown as 1 ms" in content["otherData"]["unit"]
    events = content["traceEvents"]
    for event in events:
        assert {"name", "ph", "pid", "tid", "ts", "args"} <= set(event)
        assert event["ph"] in ("X", "C", "M")
        assert isinstance(event["ts"], int)
    by_phase = {ph: [e for e in events if e["ph"] == ph] for ph in "XCM"}

    complete = by_phase["X"]
    drawn = [
        Attempt(e["args"]["request"], e["ts"] // 1000, (e["ts"] + e["dur"]) // 1000, e["cat"] == k)
        for e in complete
        for k in ["killed"]
    ]
    assert drawn == list(schedule)
    assert all(e["ts"] % 1000 == e["dur"] % 1000 == 0 for e in complete)
    for event in complete:
        request = schedule.instance[event["args"]["request"]]
        assert (event["args"]["prompt"], event["args"]["output"]) == (
            request.prompt,
            request.output,
        )
        assert event["args"]["killed"] == ("killed" in event["name"])
    threads = {e["tid"] for e in by_phase["M"] if e["name"] == "thread_name"}
    assert {e["tid"] for e in complete} == threads
    for thread in threads:  # viewers need slices of a thread to nest; ours do not even overlap
        mine = sorted((e["ts"], e["ts"] + e["dur"]) for e in complete if e["tid"] == thread)
        assert all(a[1] <= b[0] for a, b in pairwise(mine))

    counters: dict[str, list[tuple[int, int]]] = {}
    for event in by_phase["C"]:
        ((_, value),) = event["args"].items()
        counters.setdefault(event["name"], []).append((event["ts"] // 1000, value))
    memory = counters["memory in use (tokens)"]
    profile = schedule.memory_profile()
    assert memory == [
        (r - 1, profile.at(r)) for r in range(int(profile.times[0]) + 1, schedule.makespan + 2)
    ]
    assert counters["memory budget (tokens)"][0] == (0, schedule.instance.memory)
    assert counters["completed (requests)"][-1][1] == len(schedule.instance)


def test_trace_gives_the_ends_of_pieces_when_there_are_too_many_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace_events, "MAX_ROUNDS", 10)
    run = run_of("gsa")
    profile = run.schedule.memory_profile()
    rounds, used = trace_events._memory(profile)
    assert (np.diff(rounds) > 0).all()
    assert [profile.at(r) for r in rounds.tolist()] == used.tolist()
    assert set((profile.times[1:]).tolist()) <= set(rounds.tolist())


def test_trace_of_several_schedules() -> None:
    events = json.loads(trace_events.trace_text([run_of("gsa"), run_of("fcfs")]))["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert [names[pid].split(":")[0] for pid in (1, 2)] == ["gsa", "fcfs"]


# The command.


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder but for an instance, a schedule and a file of ratios."""
    monkeypatch.chdir(tmp_path)
    instance = Instance.from_groups(23, [(0, 17, 2), (0, 9, 7), (0, 5, 3)], "twelve")
    write_instance(tmp_path / "small.json", instance)
    write_schedule(tmp_path / "best.json", simulate(instance, policy_from_spec("mc-sf")))
    write_schedule(
        tmp_path / "late.json",
        Schedule.of(Instance(9, [1], [2]), [Attempt(7, 0, 1, True)]),
    )
    row = {
        "instance": "twelve",
        "policy": "gsa",
        "ratio_low": "5/2",
        "ratio_high": "3/1",
        "bound_float": 61.9,
        "verdict": "within",
    }
    (tmp_path / "ratios.json").write_text(json.dumps({"rows": [row]}))
    for field, value in {
        "ratio_low": "1/2",
        "ratio_high": "2/1",
        "bound_float": True,
        "verdict": "fine",
        "policy": 3,
    }.items():
        (tmp_path / f"bad_{field}.json").write_text(json.dumps({"rows": [row | {field: value}]}))
    (tmp_path / "none.json").write_text('{"rows": []}')
    return tmp_path


@pytest.mark.parametrize("kind", [*KINDS, "ratios", None])
@pytest.mark.parametrize("end", ["png", "SVG", "html"])
def test_command(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str | None, end: str
) -> None:
    option = ["--kind", kind] if kind else []
    assert main(["plot", "small.json", "--policy", "gsa,fcfs", "-o", f"x.{end}", *option]) == 0
    assert (folder / f"x.{end}").stat().st_size > 2000
    if kind != "ratios":
        assert main(["plot", "best.json", "-o", f"y.{end}", *option]) == 0
    if kind in ("ratios", None):
        assert main(["plot", "ratios.json", "-o", f"z.{end}", *option]) == 0
        assert (folder / f"z.{end}").stat().st_size > 2000
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", "")


def test_command_writes_traces_and_mixes_files(folder: Path) -> None:
    files = ["best.json", "small.json"]
    assert main(["plot", *files, "--policy", "gsa", "-o", "x.trace.json"]) == 0
    events = json.loads((folder / "x.trace.json").read_text())["traceEvents"]
    names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert [name.split(":")[0] for name in names] == ["best", "gsa"]


def test_command_takes_what_ratio_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ratio", "small.json", "--policy", "gsa,gba,mc-sf,fcfs", "--json"]) == 0
    (folder / "saved.json").write_text(capsys.readouterr().out)
    assert main(["plot", "saved.json", "-o", "saved.svg"]) == 0
    assert main(["plot", "small.json", "--policy", "gsa,gba,mc-sf,fcfs", "--kind", "ratios",
                 "-o", "made.svg"]) == 0  # fmt: skip
    assert (folder / "saved.svg").read_bytes() == (folder / "made.svg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("small.json --policy gsa -o x.pdf", "--output: must end in one of .png, .svg, .html"),
        ("small.json --policy gsa -o x.json", "--output: must end in one of"),
        ("small.json --policy gsa -o x", "--output: must end in one of"),
        ("small.json --policy gsa", "Missing option '-o'"),
        ("-o x.png", "Missing argument 'FILES...'"),
        ("missing.json -o x.png", "missing.json: cannot be read"),
        ("small.json -o x.png", "small.json: is an instance: say with --policy"),
        ("best.json --policy gsa -o x.png", "--policy: must come with an instance"),
        ("small.json --policy x -o x.png", "policy: must be one of"),
        ("small.json --policy gsa -o no/x.png", "no/x.png: cannot be written"),
        ("best.json --kind pie -o x.png", "'pie' is not one of"),
        ("best.json --kind ratios -o x.png", "best.json: is a schedule: ratios need"),
        ("best.json --kind memory -o x.trace.json", "--kind: does not apply to .trace.json"),
        ("ratios.json --kind memory -o x.png", "ratios.json: holds ratios: --kind memory needs"),
        ("ratios.json -o x.trace.json", "ratios.json: holds ratios: .trace.json needs"),
        ("late.json -o x.png", "late.json: attempts: request: must be an integer from 0 to 0"),
        ("none.json -o x.png", "none.json: rows: must be a list of ratios, got []"),
        ("bad_policy.json -o x.png", "bad_policy.json: rows[0].policy: must be a printable"),
        ("bad_ratio_low.json -o x.png", "rows[0].ratio_low: must be a fraction"),
        ("bad_ratio_high.json -o x.png", "rows[0].ratio_high: must be a fraction"),
        ("bad_bound_float.json -o x.png", "rows[0].bound_float: must be null or a number"),
        ("bad_verdict.json -o x.png", "rows[0].verdict: must be one of within, violates"),
        (f"{'best.json ' * 17}-o x.png", "FILE: must make at most 16 schedules together, got 17"),
        (f"{'ratios.json ' * 301}-o x.png", "FILE: must hold at most 300 ratios together"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert main(["plot", *arguments.split()]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert message in out.err
    assert out.err.startswith("kvopt: ")
    assert out.err.count("\n") == 1
    assert not list(folder.glob("x*"))


def test_without_matplotlib_the_command_says_how_to_install_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvopt.cli.plotting.find_spec", lambda name: None)
    assert main(["plot", "best.json", "-o", "x.png"]) == 2
    error = capsys.readouterr().err
    assert "pip install 'kvopt[plot]'" in error
    assert error.count("\n") == 1
    assert main(["plot", "best.json", "-o", "x.html"]) == 0


def test_nothing_but_commands_that_draw_imports_plot() -> None:
    package = Path(pictures.__file__).parent.parent
    users = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if "kvopt.plot" in file.read_text() and file.parent.name != "plot"
    }
    assert users == {"cli/plotting.py", "cli/search_report.py"}


@pytest.mark.parametrize("command", ["policies", "plot best.json -o x.html"])
def test_no_other_command_loads_matplotlib(folder: Path, command: str) -> None:
    code = (
        "import sys; from kvopt.cli import main; main(sys.argv[1:]);"
        " assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, *command.split()], check=True, capture_output=True)
