"""What there is to draw, as arrays: the same for pictures, pages and traces.

Nothing here knows how it will be drawn.  Time runs in rounds: round r lies
between r - 1 and r on the time axis.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kvopt.comparison.ratio import Ratio, Verdict
from kvopt.model.errors import InputError
from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import MemoryProfile
from kvopt.model.schedule import Schedule, exact_sum
from kvopt.theory.quadratic import Exact

__all__ = [
    "Band",
    "RatioBar",
    "Run",
    "check_drawable",
    "completion_curve",
    "distribution",
    "instance_of",
    "instances_of",
    "lanes",
    "memory_band",
    "memory_curve",
    "queue_curve",
    "ratio_bar",
    "release_curve",
    "running_bands",
    "summary",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A schedule and what to call it.

    Parameters
    ----------
    label
        The policy that made it, or the file it came from.
    schedule
        The schedule.
    """

    label: str
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class RatioBar:
    """What a picture says about one row of `kvopt ratio`.

    Parameters
    ----------
    instance, policy
        What was run on what.
    low, high
        Bracket of the ratio; `kvopt.comparison.ratio.Ratio.low` and `high`.
    bound
        What is proved for the policy on the instance, or None.
    verdict
        What follows from the three.
    """

    instance: str
    policy: str
    low: Fraction
    high: Fraction
    bound: Exact | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A quantity over time, summed up in bins of equal width.

    Parameters
    ----------
    edges
        Ends of the bins (time), shape (b+1,).
    low, high
        Range of the quantity in each bin, shape (b,).
    """

    edges: FloatArray
    low: FloatArray
    high: FloatArray


def ratio_bar(instance: str, ratio: Ratio) -> RatioBar:
    """Return what to draw for a ratio on an instance of a given name."""
    bound = ratio.guarantee.bound if ratio.guarantee else None
    return RatioBar(instance, ratio.policy, ratio.low, ratio.high, bound, ratio.verdict)


def check_drawable(schedule: Schedule) -> None:
    """Refuse attempts of no request and attempts that take no time.

    A schedule that breaks other rules can be drawn, and seeing it may help.

    Raises
    ------
    InputError
        If a request index is not one of the instance, an attempt starts before
        0, or it does not end after its start.
    """
    n = len(schedule.instance)
    tests = (
        ("request", schedule.request, (schedule.request < 0) | (schedule.request >= n)),
        ("start", schedule.start, schedule.start < 0),
        ("end", schedule.end, schedule.end <= schedule.start),
    )
    rules = (f"must be an integer from 0 to {n - 1}", "must be at least 0", "must be after start")
    for (field, values, wrong), rule in zip(tests, rules, strict=True):
        if wrong.any():
            raise InputError(f"attempts: {field}: {rule} to be drawn, got {values[wrong][0]}")


def instances_of(runs: Sequence[Run]) -> list[Instance]:
    """Return the instances of some runs, those with equal requests and memory once."""
    found: list[Instance] = []
    for run in runs:
        if instance_of(run, found) == len(found):
            found.append(run.schedule.instance)
    return found


def instance_of(run: Run, instances: Sequence[Instance]) -> int:
    """Return which of some instances a run is on, whatever its name; their number if none."""
    mine = run.schedule.instance
    for i, other in enumerate(instances):
        if (
            mine.memory == other.memory
            and np.array_equal(mine.prompts, other.prompts)
            and np.array_equal(mine.outputs, other.outputs)
            and np.array_equal(mine.releases, other.releases)
        ):
            return i
    return len(instances)


def summary(schedule: Schedule) -> str:
    """Return cost and kills in words; an incomplete schedule has no cost."""
    done = schedule.request[~schedule.killed]
    n = len(schedule.instance)
    if len(done) == n == len(np.unique(done)):
        total = exact_sum(schedule.end[~schedule.killed])
        cost = f"total completion time {total:,} rounds"
        if schedule.instance.has_releases:
            cost = f"total latency {total - schedule.instance.total_release:,} rounds"
    else:
        cost = f"incomplete: {len(np.unique(done)):,} of {n:,} requests"
    return f"{cost}, {schedule.kills:,} kill{'' if schedule.kills == 1 else 's'}"


def lanes(start: IntArray, end: IntArray) -> IntArray:
    """Pack attempts into as few lanes as possible, each in the lowest one free.

    Parameters
    ----------
    start, end
        Start and end times (rounds), sorted by start, shape (a,) each.

    Returns
    -------
    array
        Lane of each attempt, from 0, shape (a,).  Attempts in a lane do not
        overlap, and there are as many lanes as attempts running at once.
    """
    busy: list[tuple[int, int]] = []
    free: list[int] = []
    result = []
    for p, q in zip(start.tolist(), end.tolist(), strict=True):
        while busy and busy[0][0] <= p:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (q, lane))
        result.append(lane)
    return np.array(result, dtype=np.int64)


def memory_curve(profile: MemoryProfile) -> tuple[IntArray, IntArray]:
    """Return the corners of the memory in use over time.

    At time r, coming from the left, the curve is at the memory in use in round
    r.  Within a piece of the profile it is straight, because every running
    attempt adds a token a round; it jumps where attempts start or end.

    Returns
    -------
    tuple of arrays
        Times (rounds) and memory (tokens), shape (2m + 2,) each for a profile
        of m pieces: each piece's two ends, and the steps from and to zero.
    """
    ends = np.repeat(profile.times, 2)
    rounds = np.diff(profile.times)
    heights = np.zeros(len(ends), dtype=np.int64)
    heights[1:-1:2] = profile.last - profile.running * rounds
    heights[2:-1:2] = profile.last
    return ends, heights


def memory_band(profile: MemoryProfile, bins: int) -> Band:
    """Return the range of the memory in use in each of many bins, exact at the peaks.

    Parameters
    ----------
    profile
        The memory in use.
    bins
        Number of bins.
    """
    x, y = memory_curve(profile)
    edges = np.linspace(0, max(int(profile.times[-1]), 1), bins + 1)
    from_right = np.interp(edges, x, y)[:-1]
    from_left = np.interp(-edges, -x[::-1], y[::-1])[1:]
    low, high = np.minimum(from_left, from_right), np.maximum(from_left, from_right)
    for side, ends in (("right", slice(1, -1, 2)), ("left", slice(2, -1, 2))):
        bin_of = np.searchsorted(edges, x[ends], side=side) - 1  # type: ignore[call-overload]
        np.minimum.at(low, bin_of, y[ends])
        np.maximum.at(high, bin_of, y[ends])
    return Band(edges, low, high)


def running_bands(schedule: Schedule, bins: int) -> tuple[Band, Band]:
    """Return how many attempts run in each of many bins, on average, as a stack.

    Parameters
    ----------
    schedule
        The schedule.
    bins
        Number of bins.

    Returns
    -------
    tuple of Band
        From zero up those that will complete, and on top those that will be
        killed.
    """
    edges = np.linspace(0, max(schedule.makespan, 1), bins + 1)
    done, killed = (
        np.diff(_attempt_rounds(schedule.start[rows], schedule.end[rows], edges)) / np.diff(edges)
        for rows in (~schedule.killed, schedule.killed)
    )
    return Band(edges, np.zeros(bins), done), Band(edges, done, done + killed)


def completion_curve(schedule: Schedule, limit: int) -> tuple[IntArray, IntArray]:
    """Return how many requests have completed over time.

    Parameters
    ----------
    schedule
        The schedule.
    limit
        At most so many points are returned, evenly spread; at least 2.

    Returns
    -------
    tuple of arrays
        Times (rounds), increasing from 0, and the number of requests completed
        by then, to be joined by steps.
    """
    return _counted(schedule.end[~schedule.killed], limit)


def release_curve(instance: Instance, limit: int) -> tuple[IntArray, IntArray]:
    """Return how many requests have been released over time, as `completion_curve` does."""
    return _counted(instance.releases, limit)


def queue_curve(schedule: Schedule) -> tuple[IntArray, IntArray]:
    """Return how many requests wait over time: released, not completed, and not running.

    Returns
    -------
    tuple of arrays
        Times (rounds), increasing from 0, and the number of requests that wait from then on, to
        be joined by steps.
    """
    stops = (schedule.instance.releases, schedule.end[schedule.killed])
    times = np.concatenate(([0], *stops, schedule.start))
    changes = np.ones(len(times), dtype=np.int64)
    changes[0] = 0
    changes[len(times) - len(schedule.start) :] = -1
    times, place = np.unique(times, return_inverse=True)
    sums = np.zeros(len(times), dtype=np.int64)
    np.add.at(sums, place, changes)
    return times, np.cumsum(sums)


def distribution(values: NDArray[Any], limit: int) -> tuple[FloatArray, FloatArray]:
    """Return the empirical distribution function of some values.

    Parameters
    ----------
    values
        The values, shape (n,), n >= 1.
    limit
        At most so many points are returned, evenly spread over the ranks; at least 2.

    Returns
    -------
    tuple of arrays
        Values, ascending, and the share of values that are at most that, to be joined by steps.
    """
    ordered = np.sort(values).astype(np.float64)
    ranks = np.unique(np.linspace(0, len(ordered) - 1, limit).round().astype(np.int64))
    return ordered[ranks], (ranks + 1) / len(ordered)


def _counted(times: IntArray, limit: int) -> tuple[IntArray, IntArray]:
    """Return times, increasing from 0, and how many of those given are at most that."""
    distinct, counts = np.unique(times, return_counts=True)
    if distinct[:1].tolist() != [0]:
        distinct, counts = np.append(0, distinct), np.append(0, counts)
    counts = np.cumsum(counts)
    if len(distinct) > limit:
        keep = np.unique(np.linspace(0, len(distinct) - 1, limit).round().astype(np.int64))
        distinct, counts = distinct[keep], counts[keep]
    return distinct, counts


def _attempt_rounds(start: IntArray, end: IntArray, times: FloatArray) -> FloatArray:
    """Return how many rounds attempts have run altogether up to given times."""

    def since(events: IntArray) -> FloatArray:
        events = np.sort(events)
        passed = np.searchsorted(events, times, side="right")
        sums = np.concatenate(([0.0], np.cumsum(events, dtype=np.float64)))
        result: FloatArray = passed * times - sums[passed]
        return result

    return np.maximum(since(start) - since(end), 0)
