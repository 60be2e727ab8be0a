"""Experiments 1 and 2: identical requests, and the two-point instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from kvopt import Instance, Schedule, policy_from_spec, simulate
from kvopt.model.files import read_instance
from kvopt.plot import Run
from kvopt.theory.pipeline import sps_slots, sps_spacing, staggered
from paper.markdown import figure, markdown_table

ROOT = Path(__file__).parent.parent.parent
IDENTICAL = Instance(8192, [79] * 400, [256] * 400, "identical requests")


def identical_runs() -> list[Run]:
    """Return identical requests started all at once, again and again, and by SPS."""
    request = IDENTICAL[0]
    n, memory = len(IDENTICAL), IDENTICAL.memory
    together = memory // (request.prompt + request.output)
    at_once = np.arange(n) // together * request.output
    slots = sps_slots(request.prompt, request.output, memory)
    distance = sps_spacing(request.prompt, request.output, memory)
    return [
        Run(f"{together} at once", Schedule.from_starts(IDENTICAL, at_once)),
        Run(
            f"staggered, {slots} slots",
            Schedule.from_starts(IDENTICAL, staggered(Fraction(0), n, distance)),
        ),
    ]


def two_point_runs() -> list[Run]:
    """Return GSA, FCFS and A-Min on the two-point instance."""
    instance = read_instance(ROOT / "instances" / "two-point.json")
    specs = ("gsa", "fcfs", "a-min")
    return [Run(spec, simulate(instance, policy_from_spec(spec))) for spec in specs]


def identical_section() -> Iterator[str]:
    """Yield the paragraphs on experiment 1."""
    request, runs = IDENTICAL[0], identical_runs()
    yield "## 1. Identical requests: all at once, or staggered"
    yield (
        f"{len(IDENTICAL)} requests with s = {request.prompt} and o = {request.output},"
        f" M = {IDENTICAL.memory:,} tokens. Attempts that start together all need their largest"
        " memory at the same time, so that most of it is idle most of the time; staggered ones"
        " take turns."
    )
    rows = []
    for run in runs:
        schedule = run.schedule
        used = schedule.memory_profile().area() / (IDENTICAL.memory * schedule.makespan)
        mean = schedule.total_completion_time() / len(IDENTICAL)
        cells = (f"{mean:,.0f}", f"{schedule.makespan:,}", f"{used:.0%}")
        rows.append([run.label, *cells, f"{schedule.peak_memory():,}"])
    heads = ("start", "mean completion time", "makespan", "memory used", "peak memory")
    yield markdown_table(heads, rows)
    yield figure("pipeline.png", "Memory over time, all at once and staggered", 1, traces=False)


def two_point_section() -> Iterator[str]:
    """Yield the paragraphs on experiment 2."""
    runs = two_point_runs()
    instance = runs[0].schedule.instance
    short = instance.outputs == instance.outputs.min()
    yield "## 2. The two-point instance: short requests wait for long ones"
    yield (
        f"{int((~short).sum())} requests that fill the memory to the last token"
        f" ({instance.outputs.max()} rounds) come before {int(short.sum())} of a single round."
    )
    rows = []
    for run in runs:
        times = run.schedule.completion_times()
        cost = run.schedule.total_completion_time()
        shares = (f"{times[short].mean():,.0f}", f"{times[~short].mean():,.0f}")
        rows.append([f"`{run.label}`", f"{cost:,}", *shares, str(run.schedule.kills)])
    heads = ("policy", "total completion time", "mean of the short", "mean of the long", "kills")
    yield markdown_table(heads, rows)
    worst, best = max(rows, key=as_cost), min(rows, key=as_cost)
    yield (
        f"{best[0]} is {as_cost(worst) / as_cost(best):.1f} times as good as {worst[0]}. FCFS keeps"
        " readmitting the long requests that it kills, as they are first in the queue; GSA kills"
        " them after a round or two and lets the short ones pass."
    )
    words = "Memory and completions over time on the two-point instance"
    yield figure("two-point.png", words, 2, traces=False)


def as_cost(row: Sequence[str]) -> int:
    """Return the total completion time in a row of the table (rounds)."""
    return int(row[1].replace(",", ""))
