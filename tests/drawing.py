"""Schedules and ratios to draw."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from matplotlib.figure import Figure
from strategies import instances, policy_specs

from kvopt import (
    Instance,
    Schedule,
    Verdict,
    policy_from_spec,
    read_instance,
    simulate,
)
from kvopt.model.files import curated_instances
from kvopt.plot.shapes import (
    RatioBar,
    Run,
)

KINDS = ("memory", "gantt", "completions")

PICTURE_KINDS = (*KINDS, "queue", "latency")


BARS = [
    RatioBar("one", "gsa", Fraction(3, 2), Fraction(2), Fraction("61.9"), Verdict.WITHIN),
    RatioBar("one", "mc-sf", Fraction(1), Fraction(1), Fraction(9216), Verdict.WITHIN),
    RatioBar("two", "gba", Fraction(12), Fraction(12), Fraction("10.7"), Verdict.VIOLATES),
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
    return Run(spec, simulate(draw(instances(latest_release=40)), policy_from_spec(spec)))


def literally_waiting(schedule: Schedule, time: int) -> int:
    """Count the requests that are there at a time, and neither run nor are completed."""
    completions = schedule.completion_times().tolist()
    running = {a.request for a in schedule if a.start <= time < a.end}
    return sum(
        release <= time < completion and i not in running
        for i, (release, completion) in enumerate(
            zip(schedule.instance.releases.tolist(), completions, strict=True)
        )
    )


RELEASED = Instance(10, [1, 1, 2, 0], [3, 9, 5, 1], "late", releases=[0, 2, 2, 30])


def many(attempts: int) -> Schedule:
    """A schedule of many attempts of which every third is killed, made without a policy."""
    rng = np.random.default_rng(1)
    start = np.sort(rng.integers(0, 3 * attempts, attempts))
    killed = np.arange(attempts) % 3 == 0
    n = attempts - int(killed.sum())
    request = np.where(killed, 0, np.cumsum(~killed) - 1)
    instance = Instance(10**6, np.full(n, 3), np.full(n, 40), "many")
    return Schedule(instance, request, start, start + np.where(killed, 20, 40), killed)
