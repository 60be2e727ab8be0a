"""Hypothesis strategies shared by all tests."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from kvopt import Instance, Schedule
from kvopt.theory.gsa_bounds import GSA_ALPHA
from kvopt.theory.quadratic import GOLDEN_RATIO

ALPHAS = [
    Fraction(4, 3),
    Fraction(3, 2),
    Fraction(169, 100),
    Fraction(2),
    Fraction(7, 2),
    GOLDEN_RATIO,
    GSA_ALPHA,
]
alphas = st.sampled_from(ALPHAS)

POLICY_SPECS = [
    "gba",
    "gba:alpha=2",
    "gba:spacing=sps2:drain=no",
    "gba:spacing=tight:slices=area",
    "gba-d",
    "gsa",
    "gsa:alpha=2",
    "gsa:alpha=phi:beta=3",
    "gsa:spacing=sps2:drain=no",
    "gsa:spacing=tight:slices=area",
    "gsa:spacing=tight:slices=certified",
    "gsa:offset=random:order=random:seed=7",
    "gsa:drain=no:order=random:seed=8",
    "gsa:early=yes",
    "gsa:early=fits:slices=area:alpha=2",
    "gsa-spec",
    "gsa-spec:alpha=2:beta=2",
    "spt-pipeline",
    "mc-sf",
    "mc-sf:skip=yes:passes=2",
    "a-max",
    "a-max:width=3/2",
    "a-min",
    "a-min:width=2",
    "fcfs",
    "fcfs:skip=yes:passes=2",
    "fcfs:keep=yes",
    "fcfs:skip=yes:keep=yes",
    "alpha-protection",
    "alpha-protection:keep=yes",
    "alpha-protection:a=1/3:clearing=1/2:seed=3",
    "sorted-f",
    "svf",
    "svf-batches",
    "svf-batches:pull=yes",
    "route",
    "rect",
    "response",
    "area-phases",
    "area-phases:alpha=phi",
    "area-budget",
    "area-budget:alpha=3:budget=3/2",
    "level-pool",
    "level-pool:alpha=3/2:width=3",
]
policy_specs = st.sampled_from(POLICY_SPECS)


@st.composite
def instances(
    draw: st.DrawFn,
    max_requests: int = 10,
    max_memory: int = 30,
    mixed: bool | None = None,
    latest_release: int = 0,
) -> Instance:
    """Instances with a common prompt, with mixed prompts, or with either (None).

    With a latest release above 0, half of them have release times.
    """
    memory = draw(st.integers(1, max_memory))
    n = draw(st.integers(1, max_requests))
    if mixed is None:
        mixed = draw(st.booleans())
    prompts = st.integers(0, memory - 1)
    lengths = draw(st.lists(prompts, min_size=n, max_size=n)) if mixed else [draw(prompts)] * n
    outputs = [draw(st.integers(1, memory - s)) for s in lengths]
    releases = None
    if latest_release and draw(st.booleans()):
        times = st.integers(0, latest_release)
        releases = draw(st.lists(times, min_size=n, max_size=n))
    return Instance(memory, lengths, outputs, releases=releases)


@st.composite
def schedules(draw: st.DrawFn, max_time: int = 40) -> Schedule:
    """Arbitrary attempts on small instances, almost always infeasible."""
    instance = draw(instances(max_requests=4, max_memory=12))
    attempt = st.tuples(
        st.integers(-1, len(instance)),
        st.integers(-2, max_time),
        st.integers(-2, 12),
        st.booleans(),
    )
    rows = draw(st.lists(attempt, max_size=8))
    request, start, rounds, killed = zip(*rows, strict=True) if rows else ((), (), (), ())
    end = [s + r for s, r in zip(start, rounds, strict=True)]
    return Schedule(instance, request, start, end, killed)


@st.composite
def feasible_starts(draw: st.DrawFn, instance: Instance) -> list[int]:
    """Start times of a feasible schedule: requests put one by one where they fit."""
    used: dict[int, int] = {}
    starts = []
    for request in instance:
        start = request.release + draw(st.integers(0, 20))
        while any(
            used.get(start + j, 0) + request.prompt + j > instance.memory
            for j in range(1, request.output + 1)
        ):
            start += 1
        for j in range(1, request.output + 1):
            used[start + j] = used.get(start + j, 0) + request.prompt + j
        starts.append(start)
    return starts
