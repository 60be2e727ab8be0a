"""Experiment 6: policies on traces with their own arrival times, at several loads.

Rounds have a fixed length, or take what a clock says.  Loads are those of rounds of the fixed
length: the rate of the trace is scaled so that it comes to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from measurements import read_objects, refuse

from kvopt import Instance, metrics, policy_from_spec, simulate
from kvopt.model.files import write_text
from kvopt.plot.look import COLOURS, MARKERS, STYLES
from kvopt.simulation.by_clock import simulate_by_clock
from kvopt.simulation.clock import clock_from_spec
from kvopt.solver.releases.busy_time import released_busy_time_bound
from kvopt.theory.decimals import rounded_up
from kvopt.traces import FORMATS, Arrivals, Selection, import_trace
from paper.markdown import SCRIPT, markdown_table
from paper.pictures import save

TRACES = ("azure_conv.csv.gz", "azure_code.csv.gz")
MEMORY = 65_536
ROUND = 30_000
"""Length of a round where it is fixed (microseconds)."""

CLOCK = "linear:c0=11:c1=0.05:c2=0.0002:c3=0.002"
LOADS = ("0.5", "0.7", "0.9", "1", "1.1")
ROWS = 2000
"""So many rows of a trace are used."""

POLICIES = (
    *("fcfs", "fcfs:keep=yes", "fcfs:skip=yes", "alpha-protection", "a-min", "a-min:width=2"),
    *("a-max", "a-max:width=2", "mc-sf", "mc-sf:skip=yes", "svf", "svf-batches"),
    *("svf-batches:pull=yes", "sorted-f", "gsa", "gsa-spec", "gba", "gba-d", "spt-pipeline"),
    *("route", "rect", "response", "area-phases", "area-budget", "level-pool"),
)
"""All policies, some with other parameters, too."""

DRAWN = ("fcfs", "fcfs:skip=yes", "a-min", "mc-sf", "svf", "svf-batches:pull=yes", "gsa-spec")


@dataclass(frozen=True, slots=True)
class Point:
    """What a policy does on a trace at a load.

    Parameters
    ----------
    trace, load, policy, rows
        What was run; the load as text, and the number of rows of the trace.
    mean_rounds, p99_rounds
        Latency with rounds of a fixed length (rounds).
    least_mean
        Lower bound on the mean latency of every schedule (rounds).
    mean_ms, p99_ms
        Latency by the clock (ms).
    """

    trace: str
    load: str
    policy: str
    rows: int
    mean_rounds: float
    p99_rounds: float
    least_mean: float
    mean_ms: float
    p99_ms: float

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What was run."""
        return self.trace, self.load, self.policy, self.rows


def instance_at(path: Path, load: str, rows: int) -> Instance:
    """Return the first rows of a trace that fit, arriving at a load."""
    format = next(format for format in FORMATS if format.name == "azure")

    def at(rate: Fraction) -> Instance:
        arrivals = Arrivals(round_length=ROUND, rate=rate)
        selection = Selection(requests=rows, oversize="drop", arrivals=arrivals)
        return import_trace(format, path, MEMORY, selection).instance

    usual = at(Fraction(1)).load
    assert usual is not None
    return at((Fraction(load) / usual).limit_denominator(10**6))


def measure(path: Path, load: str, specs: Sequence[str], rows: int) -> Iterator[Point]:
    """Yield what policies do on a trace at a load."""
    instance = instance_at(path, load, rows)
    least = max(instance.total_output, released_busy_time_bound(instance)) / len(instance)
    for spec in specs:
        policy = policy_from_spec(spec)
        fixed = metrics(simulate(instance, policy)).statistics()["latency"]
        timed = metrics(*simulate_by_clock(instance, policy, clock_from_spec(CLOCK)))
        by_clock = timed.statistics()["latency"]
        values = (fixed["mean"], fixed["p99"], least, by_clock["mean"], by_clock["p99"])
        yield Point(path.name, load, spec, rows, *(float(value or 0) for value in values))


def run(traces: Path, store: Path, news: Callable[[str], None]) -> list[Point]:
    """Measure what is not in a store yet, one JSON object a line, and return all points."""
    points = []
    for number, entry in read_objects(store) if store.exists() else ():
        try:
            points.append(Point(**entry))
        except TypeError as error:
            refuse(store, number, f"is not a measurement: {error}")
    known = {point.key for point in points}
    for trace in TRACES:
        for load in LOADS:
            missing = [p for p in POLICIES if (trace, load, p, ROWS) not in known]
            for point in measure(traces / trace, load, missing, ROWS) if missing else ():
                points.append(point)
                with store.open("a") as file:
                    file.write(json.dumps(asdict(point)) + "\n")
            news(f"{trace} at load {load} done")
    return points


def picture(points: Sequence[Point], quantity: str, words: str) -> Callable[[], Figure]:
    """Return the picture of a latency against the load, a panel for each trace."""

    def make() -> Figure:
        figure = Figure((8.0, 4.2), layout="constrained")
        for trace, ax in zip(TRACES, figure.subplots(1, len(TRACES)), strict=True):
            mine = [point for point in points if point.trace == trace]
            for i, policy in enumerate(DRAWN):
                curve = sorted(
                    (float(p.load), getattr(p, quantity)) for p in mine if p.policy == policy
                )
                ax.plot(
                    *zip(*curve, strict=True),
                    color=COLOURS[i % len(COLOURS)],
                    marker=MARKERS[i],
                    linestyle=STYLES[i % len(STYLES)],
                    label=policy,
                )
            if quantity == "mean_rounds":
                least = sorted({(float(p.load), p.least_mean) for p in mine})
                ax.plot(*zip(*least, strict=True), color="#555555", label="lower bound")
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter("{x:,.10g}")
            ax.yaxis.set_minor_formatter("")
            ax.set_xlabel("load")
            ax.set_title(trace.partition(".")[0], loc="left")
        figure.axes[0].set_ylabel(words)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=4)
        return figure

    return make


def over_bound(point: Point) -> Fraction:
    """Return the mean latency over the lower bound."""
    return Fraction(point.mean_rounds) / Fraction(point.least_mean)


def above(point: Point) -> str:
    """Return the mean latency over the lower bound, rounded up."""
    return rounded_up(over_bound(point), 2)


def best_rows(points: Sequence[Point]) -> Iterator[list[str]]:
    """Yield the best policies at each load: told the lengths or not, by mean and by p99."""
    for trace in TRACES:
        for load in LOADS:
            mine = [p for p in points if (p.trace, p.load) == (trace, load)]
            row = [trace.partition(".")[0], load]
            for told in (False, True):
                some = [p for p in mine if policy_from_spec(p.policy).clairvoyant == told]
                best = min(some, key=lambda p: p.mean_rounds)
                quickest = min(some, key=lambda p: p.p99_ms)
                row += [f"`{best.policy}`", above(best), f"`{quickest.policy}`"]
            yield row


def regret(points: Sequence[Point], policy: str, quantity: str) -> Fraction:
    """Return the most by which a latency of a policy exceeds the least of some points (a factor).

    Traces and loads are looked at one by one.
    """
    factors = []
    for point in (p for p in points if p.policy == policy):
        rivals = [p for p in points if (p.trace, p.load) == (point.trace, point.load)]
        least = min(getattr(p, quantity) for p in rivals)
        factors.append(Fraction(getattr(point, quantity)) / Fraction(least))
    return max(factors)


def answers(points: Sequence[Point]) -> Iterator[str]:
    """Yield which policy to run, told the output lengths or not, as items of a list."""
    for told, words in ((False, "not told output lengths"), (True, "told them")):
        some = [p for p in points if policy_from_spec(p.policy).clairvoyant == told]
        names = sorted({p.policy for p in some})
        best = min(names, key=lambda name: regret(some, name, "mean_rounds"))
        tail = min(names, key=lambda name: regret(some, name, "p99_ms"))
        ranges = []
        for trace in TRACES:
            mine = [p for p in some if (p.trace, p.policy) == (trace, best)]
            low, high = (above(f(mine, key=over_bound)) for f in (min, max))
            ranges.append(f"{low} to {high} times the bound on {trace.partition('.')[0]}")
        yield (
            f"- {words}: `{best}` for the mean, which is at most"
            f" {rounded_up(regret(some, best, 'mean_rounds'), 2)} times the least of these policies"
            f" anywhere, {' and '.join(ranges)}; `{tail}` for the 99th percentile by the clock,"
            f" at most {rounded_up(regret(some, tail, 'p99_ms'), 2)} times the least"
        )


def sections(points: Sequence[Point]) -> Iterator[str]:
    """Yield the paragraphs of the page."""
    yield "# Policies on traces with their arrivals"
    yield (
        f"The first {ROWS:,} rows of the Azure traces of 2023, with their own arrivals at scaled"
        f" rates, M = {MEMORY:,} tokens: `{SCRIPT} --traces DIR --only 6`. Load: arrival rate per"
        f" round of {ROUND // 1000} ms times mean area / M. Latency is in rounds of that length, or"
        f" in ms by the clock `{CLOCK}`. No schedule has a smaller mean than the lower bound, the"
        " larger of the total output and the bound of busy times with release times (rounds of"
        " a fixed length only); a ratio to it is rounded up."
    )
    yield (
        "Which to run, by the largest factor by which a policy misses the best at any load of"
        " either trace:"
    )
    yield "\n".join(answers(points))
    yield (
        "So the optimum has at least 1/r of the mean latency where the table says r. Where r is"
        " large the bound may be weak as well: it serves requests in slices of memory without"
        " waste. `fcfs:keep=yes` runs another model, in which a killed request keeps its tokens;"
        " the bound holds there, too. `a-min:width=2` and `a-max:width=2` are told lengths up to a"
        " factor of 2 and count among those that are told them."
    )
    yield "Best of the policies that are not told output lengths, and of those that are:"
    heads = ("trace", "load", "not told: mean", "/ bound", "p99 (ms)")
    heads += ("told: mean", "/ bound", "p99 (ms)")
    yield markdown_table(heads, list(best_rows(points)), left=8)
    yield "![mean latency against load](online-mean.png)"
    yield "![99th percentile of latency by the clock against load](online-p99.png)"
    yield "All runs; batch algorithms (GSA, GBA and their kin) gather what arrives meanwhile:"
    heads = ("trace", "load", "policy", "mean", "/ bound", "p99", "mean (ms)", "p99 (ms)")
    rows = []
    for trace in TRACES:
        for load in LOADS:
            mine = [p for p in points if (p.trace, p.load) == (trace, load)]
            rows += [
                [
                    *(trace.partition(".")[0], load, f"`{p.policy}`"),
                    *(f"{p.mean_rounds:,.1f}", above(p)),
                    *(f"{p.p99_rounds:,.0f}", f"{p.mean_ms:,.0f}", f"{p.p99_ms:,.0f}"),
                ]
                for p in sorted(mine, key=lambda p: p.mean_rounds)
            ]
    yield markdown_table(heads, rows, left=3)


def write(folder: Path, points: Sequence[Point]) -> None:
    """Write the page and its pictures."""
    save(picture(points, "mean_rounds", "mean latency (rounds)"), folder / "online-mean.png")
    save(picture(points, "p99_ms", "p99 of latency (ms)"), folder / "online-p99.png")
    write_text(folder / "online.md", "\n\n".join(sections(points)) + "\n")
