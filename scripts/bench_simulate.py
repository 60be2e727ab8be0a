"""Measure the simulator: seconds, growth and memory of every policy, and against the textbook.

    python scripts/bench_simulate.py [--traces DIR] [--policy A,B] [--requests N,N,...]
                                     [--output docs/results/speed.md]
    python scripts/bench_simulate.py --load 0.9 [--traces DIR] [--policy A,B] [--requests N,N]
                                     [--output docs/results/speed-online.md]

Output lengths are those of DIR/lmsys_lengths.csv.gz, over and over again as often as needed, or
else drawn from a log-normal distribution. Every run has a process of its own, so that its peak
memory is its own; times are those of the processor, for the simulation alone, with the check of
the schedule that is part of it. At the end MC-SF is run side by side with a version that does
what the definition says, round by round.

With --update the rows of --output are kept, but for those of the policies that --policy names.

With --load the requests arrive one by one (Poisson), and every policy is run twice on the largest
number of them, with their release times and without, one right after the other.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kvopt import Instance, policy_from_spec, simulate
from kvopt.model.files import write_text
from kvopt.model.instance import IntArray
from kvopt.traces import FORMATS, Selection, import_trace

PROMPT, MEMORY = 79, 16_492
LENGTHS = "lmsys_lengths.csv.gz"
SIZES = (10_000, 100_000, 1_000_000)

PLANNED = (
    "gba",
    "gba:spacing=tight",
    "gba:slices=area:alpha=2",
    "gba:spacing=tight:drain=no",
    "gsa",
    "gsa:alpha=2:beta=64",
    "gsa:spacing=tight",
    "gsa:slices=area:alpha=2128/1000",
    "gsa:slices=certified:spacing=tight",
    "gsa:drain=no",
    "gsa:slices=area:alpha=318/100:offset=random:order=random",
    "spt-pipeline",
    "mc-sf",
)
"""What plans its attempts in arrays; run on every size."""

OTHERS = (
    "mc-sf:skip=yes",
    "gba-d",
    "gsa-spec",
    "gsa-spec:alpha=2:beta=256",
    "a-max:width=2",
    "a-max",
    "a-min:width=2",
    "a-min",
    "fcfs",
    "fcfs:skip=yes",
    "fcfs:keep=yes",
    "alpha-protection",
    "alpha-protection:keep=yes",
    "svf",
    "svf-batches",
    "svf-batches:pull=yes",
    "sorted-f",
    "route",
    "rect",
    "response",
    "area-phases",
    "area-budget",
    "level-pool",
)
"""What decides event by event; run on all sizes but those beyond `OTHERS_AT_MOST`."""

OTHERS_AT_MOST = 100_000
"""Requests; also the most with release times."""

SLOWER_AT_MOST = Fraction(4, 3)
"""Target with release times: so many times the seconds without them."""

SECONDS_FOR_PLANNED = 10.0
"""Target for a million requests."""

SECONDS_FOR_OTHERS = 60.0
"""Target for 100,000 requests."""

LARGEST_EXPONENT = 1.25
"""Target for the growth from 10,000 to 100,000 requests: time ~ requests^exponent."""

SHORTEST = 0.05
"""Runs below so many seconds say nothing about growth."""

TEXTBOOK_REQUESTS = 10_000
TEXTBOOK_TARGET = 30
"""MC-SF is to be so many times as fast as its textbook version."""

REPEAT_BELOW = 1.0
"""Runs below so many seconds are done three times; the median counts."""


Running = list[tuple[int, int, int]]
"""What runs: start (time), prompt (tokens) and end (time) of each attempt."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement.

    Parameters
    ----------
    seconds
        Processor time of the simulation.
    attempts
        Attempts in its schedule.
    megabytes
        Peak memory of its process, Python and its libraries included (1e6 bytes).
    """

    seconds: float
    attempts: int
    megabytes: float


def lengths(traces: Path | None) -> IntArray:
    """Return output lengths (tokens): those of the trace, or made-up ones."""
    if traces is not None:
        selection = Selection(prompt=PROMPT, oversize="drop")
        return import_trace(FORMATS[0], traces / LENGTHS, MEMORY, selection).instance.outputs
    rng = random.Random(0)
    drawn = [max(1, round(rng.lognormvariate(5.0, 1.0))) for _ in range(20_000)]
    return np.minimum(np.array(drawn, dtype=np.int64), MEMORY - PROMPT)


def instance_of(traces: Path | None, requests: int, load: float | None = None) -> Instance:
    """Return so many requests, the lengths repeated as often as needed.

    With a load, they arrive at so many times the rate at which their mean area would fill the
    memory.
    """
    outputs = np.resize(lengths(traces), requests)
    releases = None
    if load is not None:
        area = float((PROMPT * outputs + outputs * (outputs + 1) / 2).mean())
        gaps = np.random.default_rng(0).exponential(area / (load * MEMORY), requests)
        releases = np.floor(np.cumsum(gaps)).astype(np.int64)
    return Instance(MEMORY, np.full(requests, PROMPT), outputs, releases=releases)


def seconds_of(work: Callable[[], object]) -> float:
    """Return the processor time of some work; of short work the median of three times."""
    times: list[float] = []
    while not times or (len(times) < 3 and times[0] < REPEAT_BELOW):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return statistics.median(times)


def measure(spec: str, instance: Instance) -> Run:
    """Run a policy in this process."""
    policy = policy_from_spec(spec)
    attempts = 0

    def work() -> None:
        nonlocal attempts
        attempts = len(simulate(instance, policy))

    seconds = seconds_of(work)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Run(seconds, attempts, kilobytes * 1024 / 1e6)


def in_a_process(traces: Path | None, *arguments: str) -> Any:
    """Run this script on its own with hidden arguments, and return what it prints."""
    command = [sys.executable, __file__, *arguments]
    if traces is not None:
        command += ["--traces", str(traces)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip() or f"{arguments} failed")
    return json.loads(done.stdout)


def textbook_mc_sf(instance: Instance, fits: Callable[[Running, int], bool]) -> int:
    """Return the total completion time of MC-SF (rounds), run as it is defined.

    In every round the waiting requests are gone through by (output length, request). One is
    admitted if at every completion of what runs, of what is admitted, and its own, the memory
    of all that runs then is within the budget.
    """
    waiting = sorted(range(len(instance)), key=lambda i: (instance[i].output, i), reverse=True)
    running: Running = []
    now = total = 0
    while waiting or running:
        running = [attempt for attempt in running if attempt[2] > now]
        while waiting:
            request = instance[waiting[-1]]
            prefix = [*running, (now, request.prompt, now + request.output)]
            if not fits(prefix, instance.memory):
                break
            running = prefix
            waiting.pop()
            total += now + request.output
        now += 1
    return total


def used_at(time: int, attempts: Running) -> int:
    """Return the memory that attempts, all running now, use in the last round up to a time."""
    return sum(prompt + time - start for start, prompt, end in attempts if end >= time)


def as_defined(attempts: Running, memory: int) -> bool:
    """Tell whether attempts are within the budget, from the memory at every completion."""
    return max([used_at(end, attempts) for _, _, end in attempts]) <= memory


def with_care(attempts: Running, memory: int) -> bool:
    """Tell the same, looking at equal completions once and no further than an excess."""
    return all(used_at(end, attempts) <= memory for end in {end for _, _, end in attempts})


def against_textbook(instance: Instance) -> dict[str, float]:
    """Time MC-SF and its textbook versions on the same instance, in this process."""
    policy = policy_from_spec("mc-sf")
    cost = simulate(instance, policy).total_completion_time()
    seconds = {"ours": seconds_of(lambda: simulate(instance, policy))}
    for name, fits in (("textbook", as_defined), ("careful", with_care)):
        began = time.process_time()
        if textbook_mc_sf(instance, fits) != cost:
            sys.exit("MC-SF and its textbook version disagree")
        seconds[name] = time.process_time() - began
    return seconds


def exponent(runs: dict[int, Run]) -> float | None:
    """Return e with time ~ requests^e from the smallest to the next size; None if too short."""
    sizes = sorted(runs)
    if len(sizes) < 2 or runs[sizes[0]].seconds < SHORTEST:
        return None
    small, large = sizes[:2]
    return math.log(runs[large].seconds / runs[small].seconds) / math.log(large / small)


def verdict(spec: str, runs: dict[int, Run]) -> str:
    """Say whether a policy keeps to the targets, as far as it was run."""
    if spec in PLANNED:
        size, seconds = 1_000_000, SECONDS_FOR_PLANNED
    else:
        size, seconds = 100_000, SECONDS_FOR_OTHERS
    if size not in runs:
        return "-"
    growth = exponent(runs)
    met = runs[size].seconds <= seconds and (growth is None or growth <= LARGEST_EXPONENT)
    return "met" if met else "missed"


def rows_of(page: Path | None) -> dict[str, str]:
    """Return the row of each policy in the table of a page; none without a page."""
    text = page.read_text() if page else ""
    return {row[1]: row[0] for row in re.finditer(r"^\| `([^`]+)` \|.*$", text, re.MULTILINE)}


def in_usual_order(rows: dict[str, str]) -> list[str]:
    """Return rows in the order in which policies are named here."""
    named = [*PLANNED, *OTHERS]
    return [rows[spec] for spec in sorted(rows, key=lambda s: (s not in named, *indices(s, named)))]


def indices(spec: str, named: list[str]) -> list[int]:
    """Return the place of a policy among those named, if it is there."""
    return [named.index(spec)] if spec in named else []


def table(results: dict[str, dict[int, Run]], sizes: Sequence[int], kept: dict[str, str]) -> str:
    """Return all measurements as a Markdown table, beside rows that are kept."""
    heads = ["policy"]
    for size in sizes:
        heads += [f"{size:,}: s", "MB"]
    heads += ["attempts a request", "exponent", "target"]
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 2) + "|---|"]
    rows = dict(kept)
    for spec, runs in results.items():
        cells = [f"`{spec}`"]
        for size in sizes:
            run = runs.get(size)
            cells += [f"{run.seconds:.2f}", f"{run.megabytes:.0f}"] if run else ["-", "-"]
        growth = exponent(runs)
        largest = max(runs)
        cells.append(f"{runs[largest].attempts / largest:.1f}")
        cells += ["-" if growth is None else f"{growth:.2f}", verdict(spec, runs)]
        rows[spec] = "| " + " | ".join(cells) + " |"
    return "\n".join([*lines, *in_usual_order(rows)])


def report(
    results: dict[str, dict[int, Run]],
    textbook: dict[str, float],
    sizes: Sequence[int],
    options: argparse.Namespace,
) -> str:
    """Return everything as a page."""
    traces = options.traces
    source = (
        f"output lengths of `{LENGTHS}` (LMSYS-Chat-1M), repeated"
        if traces
        else "made-up (log-normal) output lengths, repeated"
    )
    faster, careful = (textbook[name] / textbook["ours"] for name in ("textbook", "careful"))
    judged = "reached" if faster >= TEXTBOOK_TARGET else "missed"
    times_larger = "" if len(sizes) < 2 else f" from {sizes[0]:,} to {sizes[1]:,} requests"
    mcsf = (
        f"MC-SF on {TEXTBOOK_REQUESTS:,} requests, side by side in one process: ours takes"
        f" {textbook['ours']:.2f} s; the textbook version, which in every round works out the"
        f" memory of the whole prefix at every completion, {textbook['textbook']:.1f} s:"
        f" **{faster:.0f} times** ours (target: {TEXTBOOK_TARGET} times; {judged}). With equal"
        " completions looked at once, and no further than the first excess, it takes"
        f" {textbook['careful']:.1f} s, {careful:.0f} times ours. All three give the same cost."
    )
    paragraphs = (
        "# Speed",
        f"Every policy on {source}; s = {PROMPT}, M = {MEMORY:,} tokens. Seconds of processor time"
        " for one simulation, in which the schedule is checked against the budget, and peak memory"
        " of the process (MB, Python and NumPy included). The exponent e is that of"
        f" time ~ requests^e{times_larger}.",
        f"Targets: a million requests in {SECONDS_FOR_PLANNED:.0f} s where the attempts are planned"
        f" in arrays (the rows with a million), else 100,000 in {SECONDS_FOR_OTHERS:.0f} s; and an"
        f" exponent of at most {LARGEST_EXPONENT}, where the shorter run takes at least"
        f" {SHORTEST} s.",
        table(results, sizes, rows_of(options.kept)),
        mcsf,
        f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, one"
        f" core of a shared machine.{at_other_times(options)} Made by"
        " `python scripts/bench_simulate.py --traces DIR --output docs/results/speed.md`.",
    )
    return "\n\n".join(paragraphs) + "\n"


def online_report(
    results: dict[str, dict[int, Run]],
    without: dict[str, Run],
    sizes: Sequence[int],
    options: argparse.Namespace,
) -> str:
    """Return the measurements with release times as a page."""
    lengths = f"those of `{LENGTHS}`" if options.traces else "made-up (log-normal) ones"
    heads = ["policy", *(f"{size:,}: s" for size in sizes), "MB", "without: s", "times"]
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    rows = rows_of(options.kept)
    for spec, runs in results.items():
        largest, plain = runs[max(runs)], without[spec].seconds
        cells = [f"`{spec}`", *(f"{runs[size].seconds:.2f}" for size in sizes)]
        cells += [f"{largest.megabytes:.0f}", f"{plain:.2f}", f"{largest.seconds / plain:.1f}"]
        rows[spec] = "| " + " | ".join(cells) + " |"
    lines += in_usual_order(rows)
    cells_of = {spec: row.replace("|", " ").split() for spec, row in rows.items()}
    slower = [spec for spec, cells in cells_of.items() if is_slower(*map(float, cells[-4:-1:2]))]
    reached = f"missed by {', '.join(f'`{spec}`' for spec in slower)}" if slower else "reached"
    paragraphs = (
        "# Speed with release times",
        f"Every policy on requests that arrive one by one (Poisson) at load {options.load}; output"
        f" lengths are {lengths}, repeated; s = {PROMPT}, M = {MEMORY:,} tokens. Seconds of"
        " processor time for one simulation, in which the schedule is checked against the budget,"
        f" and peak memory of the process (MB). Beside it, {sizes[-1]:,} requests released at"
        " time 0, measured right after, and how many times as long it takes with release times.",
        f"Target: at most {SLOWER_AT_MOST} of the time without release times, or less than a"
        f" second; {reached}. `mc-sf`, `svf`, `sorted-f`, `svf-batches`, `a-max` leave their starts"
        " to an order, which the simulator follows in one pass over the arrivals; for the others"
        " an arrival is an event of its own, unless something waits that goes first in any case.",
        "\n".join(lines),
        f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, one"
        f" core of a shared machine.{at_other_times(options)} Made by"
        f" `python scripts/bench_simulate.py --load"
        f" {options.load} --traces DIR --output docs/results/speed-online.md`.",
    )
    return "\n\n".join(paragraphs) + "\n"


def at_other_times(options: argparse.Namespace) -> str:
    """Return a sentence about rows that were kept."""
    return " Rows were measured at different times (`--update`)." if options.kept else ""


def is_slower(seconds: float, without: float) -> bool:
    """Tell whether a run with release times misses its target, by the time without."""
    return seconds > max(1.0, SLOWER_AT_MOST * without)


def run_online(options: argparse.Namespace) -> str:
    """Run all policies with release times and without, and return the page."""
    sizes = [n for n in sorted(map(int, options.requests.split(","))) if n <= OTHERS_AT_MOST]
    results: dict[str, dict[int, Run]] = {}
    without: dict[str, Run] = {}
    for spec in options.policy.split(","):
        for n in sizes:
            arguments = ("--one", spec, str(n), "--load", str(options.load))
            results.setdefault(spec, {})[n] = Run(*in_a_process(options.traces, *arguments))
        without[spec] = Run(*in_a_process(options.traces, "--one", spec, str(sizes[-1])))
        seconds = [f"{run.seconds:.2f}" for run in (*results[spec].values(), without[spec])]
        print(f"{spec}  {', '.join(seconds[:-1])} s, without {seconds[-1]} s", file=sys.stderr)
    return online_report(results, without, sizes, options)


def sizes_for(spec: str, sizes: Sequence[int]) -> list[int]:
    """Return the numbers of requests on which to run a policy."""
    return [n for n in sizes if spec in PLANNED or n <= OTHERS_AT_MOST]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=Path, help=f"folder with {LENGTHS}")
    parser.add_argument("--policy", default=",".join((*PLANNED, *OTHERS)))
    parser.add_argument("--requests", default=",".join(map(str, SIZES)))
    parser.add_argument("--load", type=float, help="arrival rate x mean area / M")
    parser.add_argument("--output", type=Path, help="where to write the page; else it is printed")
    parser.add_argument("--update", action="store_true", help="keep other rows of --output")
    parser.add_argument("--one", nargs=2, metavar=("POLICY", "N"), help=argparse.SUPPRESS)
    parser.add_argument("--textbook", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.traces and not (options.traces / LENGTHS).is_file():
        sys.exit(f"--traces {options.traces}: has no {LENGTHS}")
    if options.one:
        instance = instance_of(options.traces, int(options.one[1]), options.load)
        run = measure(options.one[0], instance)
        print(json.dumps([run.seconds, run.attempts, run.megabytes]))
        return
    if options.textbook:
        print(json.dumps(against_textbook(instance_of(options.traces, TEXTBOOK_REQUESTS))))
        return
    if options.update and not (options.output and options.output.is_file()):
        sys.exit("--update: needs an --output that is there")
    options.kept = options.output if options.update else None
    page = run_online(options) if options.load else run_offline(options)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.output, page)
    else:
        print(page)


def run_offline(options: argparse.Namespace) -> str:
    """Run all policies without release times, and return the page."""
    sizes = sorted(map(int, options.requests.split(",")))
    results: dict[str, dict[int, Run]] = {}
    for spec in options.policy.split(","):
        for n in sizes_for(spec, sizes):
            run = Run(*in_a_process(options.traces, "--one", spec, str(n)))
            results.setdefault(spec, {})[n] = run
            print(f"{spec}  {n:,}: {run.seconds:.2f} s, {run.megabytes:.0f} MB", file=sys.stderr)
    return report(results, in_a_process(options.traces, "--textbook"), sizes, options)


if __name__ == "__main__":
    main()
