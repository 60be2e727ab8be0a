"""Schedules and ratios as a page to explore in a browser.

A page is one file that loads nothing: `page.html` with the data put into it.
It is drawn by some 300 lines of our own script, because the usual library,
inlined, would take 4.8 MB in every file, a hundred times as much.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance
from kvopt.model.text import NAME, one_line
from kvopt.plot.shapes import (
    RatioBar,
    Run,
    completion_curve,
    instance_of,
    instances_of,
    lanes,
    memory_band,
    release_curve,
    running_bands,
    summary,
)
from kvopt.report.tables import bound_text, decimal
from kvopt.theory.decimals import rounded_down, rounded_up

__all__ = ["embedded", "ratios_page", "release_data", "run_data", "runs_page"]

MAX_BARS = 20_000
"""Up to this many attempts of a schedule are drawn one by one."""

MAX_STEPS = 5000
"""A completion curve is drawn with at most this many steps."""

BINS = 2000
"""Bins of time when there is too much to draw in full."""


def runs_page(runs: Sequence[Run], kind: str | None = None) -> str:
    """Return a page with completion curves, Gantt charts and memory profiles.

    Parameters
    ----------
    runs
        The schedules.
    kind
        "memory", "gantt" or "completions" for that alone; None for all.
    """
    instances = instances_of(runs)
    title = ", ".join(one_line(instance.name, NAME) for instance in instances)
    rows = [
        run_data(run) | _completions(run) | {"instance": instance_of(run, instances)}
        for run in runs
    ]
    return _page(
        f"kvopt: {title}",
        {
            "kinds": [kind] if kind else ["completions", "gantt", "memory"],
            "instances": [
                {
                    "name": instance.name,
                    "memory": instance.memory,
                    "requests": len(instance),
                    "groups": instance.groups()
                    if any("bars" in row and row["instance"] == i for row in rows)
                    else [],  # only bars speak of single requests
                    **release_data(instance),
                }
                for i, instance in enumerate(instances)
            ],
            "runs": rows,
        },
    )


def ratios_page(bars: Sequence[RatioBar]) -> str:
    """Return a page with brackets of competitive ratios, and the bounds that apply."""
    rows = [
        {
            "instance": bar.instance,
            "policy": bar.policy,
            "low": float(bar.low),
            "high": float(bar.high),
            "ratio": decimal(bar.low)
            if bar.high == bar.low
            else f"{rounded_down(bar.low, 3)} to {rounded_up(bar.high, 3)}",
            "bound": None if bar.bound is None else float(bar.bound),
            "bound_text": "" if bar.bound is None else bound_text(bar.bound),
            "verdict": bar.verdict.value,
        }
        for bar in bars
    ]
    return _page("kvopt: competitive ratios", {"ratios": rows})


def _page(title: str, data: dict[str, Any]) -> str:
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    head, _, tail = template.partition("@TITLE@")
    middle, _, tail = tail.partition("@DATA@")
    return head + html.escape(title) + middle + embedded(data) + tail


def embedded(data: Any) -> str:
    r"""Return data as JSON that may stand in a script: only "<" could end that or begin a comment.

    Examples
    --------
    >>> print(embedded("</script>"))
    "\u003c/script>"
    """
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _completions(run: Run) -> dict[str, Any]:
    times, counts = completion_curve(run.schedule, MAX_STEPS)
    return {"completions": {"time": _steps(times), "count": counts.tolist()}}


def run_data(run: Run) -> dict[str, Any]:
    """Return what a page needs to draw the attempts and the memory of a schedule.

    Up to `MAX_BARS` attempts that is all of them; times are the first one and then differences.
    """
    schedule = run.schedule
    row: dict[str, Any] = {
        "label": run.label,
        "words": summary(schedule),
        "makespan": schedule.makespan,
        "attempts": len(schedule),
    }
    profile = schedule.memory_profile()
    row["peak"] = profile.peak()
    if len(schedule) <= MAX_BARS:
        lane = lanes(schedule.start, schedule.end)
        row["bars"] = {
            "request": schedule.request.tolist(),
            "start": _steps(schedule.start),
            "rounds": (schedule.end - schedule.start).tolist(),
            "killed": "".join(map(str, schedule.killed.astype(int).tolist())),
            "lane": lane.tolist(),
        }
        row["profile"] = {
            "time": _steps(profile.times),
            "last": profile.last.tolist(),
            "running": profile.running.tolist(),
        }
    else:
        memory = memory_band(profile, BINS)
        done, killed = running_bands(schedule, BINS)
        row["bins"] = {
            "low": np.floor(memory.low).astype(int).tolist(),
            "high": np.ceil(memory.high).astype(int).tolist(),
            "completed": done.high.round(2).tolist(),
            "killed": (killed.high - killed.low).round(2).tolist(),
        }
    return row


def release_data(instance: Instance) -> dict[str, Any]:
    """Return how many requests have been released over time; nothing if all are at time 0."""
    if not instance.has_releases:
        return {}
    times, counts = release_curve(instance, MAX_STEPS)
    return {"released": {"time": _steps(times), "count": counts.tolist()}}


def _steps(values: NDArray[np.int64]) -> list[int]:
    """Return the first value and then the differences, which take less space."""
    steps: list[int] = np.diff(values, prepend=0).tolist()
    return steps
