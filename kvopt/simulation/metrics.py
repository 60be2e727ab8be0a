"""What a serving system measures: latency, time to first token, time per output token.

Times are counted in ticks, whole numbers, of which a unit (a round, or a millisecond by a clock)
has a whole number, so that everything up to the last division is exact.  The statistics are
floats: they support no claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kvopt.model.errors import InputError, require
from kvopt.model.instance import IntArray
from kvopt.model.milliseconds import exact_number
from kvopt.model.rows import frame_of, to_csv
from kvopt.model.schedule import Schedule, exact_sum
from kvopt.model.text import ShownAsText
from kvopt.theory.ordering import areas

__all__ = ["COLUMNS", "STATISTICS", "Metrics", "Timeline", "metrics"]

FloatArray = NDArray[np.float64]

PERCENTILES = (50, 90, 95, 99)

STATISTICS = ("mean", *(f"p{p}" for p in PERCENTILES), "max")
"""The statistics of each quantity."""

QUANTITIES = ("latency", "ttft", "tpot", "slowdown")

COLUMNS = (
    *("request", "release", "prompt", "output", "start", "first_token", "completion"),
    *QUANTITIES,
    *("kills", "wasted_token_rounds"),
)
"""The columns of a table with a row for each request."""


class Timeline(Protocol):
    """When rounds end, and when requests arrive, in ticks: see `kvopt.simulation.clock`."""

    unit: str
    """The unit in which times are told."""
    ticks: int
    """So many ticks make a unit."""

    def at(self, rounds: IntArray) -> IntArray:
        """Return when some rounds end (ticks), shape (a,)."""
        ...

    def arrivals(self) -> IntArray:
        """Return when requests arrive (ticks), shape (n,)."""
        ...

    def memory_share(self, last: int) -> Fraction:
        """Return the mean share of the memory in use, from the first arrival to a round's end."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Metrics(ShownAsText):
    """What a serving system measures of a schedule.

    Parameters
    ----------
    schedule
        The schedule.
    unit
        The unit of times: "rounds" or "ms".
    ticks
        So many ticks make a unit: 1 for rounds.
    release_ticks, start_ticks, first_token_ticks, completion_ticks
        When each request is released (by a clock: arrives), when its first attempt starts, when
        the first round of it ends, and when it completes (ticks), shape (n,) each.
    kills
        How often each request is killed, shape (n,).
    wasted_token_rounds
        Memory times rounds of the killed attempts of each request (token-rounds), shape (n,);
        of Python integers where they exceed 64 bits.
    memory_utilisation
        The mean over time, from the earliest release to the end, of the memory in use, as a share
        of the budget.
    """

    schedule: Schedule
    unit: str
    ticks: int
    release_ticks: IntArray
    start_ticks: IntArray
    first_token_ticks: IntArray
    completion_ticks: IntArray
    kills: IntArray
    wasted_token_rounds: NDArray[Any]
    memory_utilisation: float

    @property
    def latency(self) -> FloatArray:
        """Completion minus release, C - a (in `unit`), shape (n,)."""
        return self._units(self.completion_ticks - self.release_ticks)

    @property
    def ttft(self) -> FloatArray:
        """Time to first token: end of the first round of any attempt, minus release, shape (n,)."""
        return self._units(self.first_token_ticks - self.release_ticks)

    @cached_property
    def tpot(self) -> FloatArray:
        """Time per output token after the first one (in `unit`), shape (n,); NaN for o = 1."""
        gaps = self.schedule.instance.outputs - 1
        time = self._units(self.completion_ticks - self.first_token_ticks)
        return np.where(gaps > 0, time / np.maximum(gaps, 1), np.nan)

    @property
    def slowdown(self) -> FloatArray:
        """Latency over output length (in `unit` per token), shape (n,)."""
        return self.latency / self.schedule.instance.outputs

    @property
    def total_latency(self) -> Fraction:
        """The sum of the latencies (in `unit`), exact."""
        return Fraction(exact_sum(self.completion_ticks - self.release_ticks), self.ticks)

    @property
    def makespan(self) -> Fraction:
        """When the last request completes (in `unit`), exact."""
        return Fraction(int(self.completion_ticks.max()), self.ticks)

    def goodput(self, ttft: Fraction | int | str, tpot: Fraction | int | str) -> float:
        """Return the share of requests that keep both limits, compared exactly.

        Parameters
        ----------
        ttft, tpot
            Limits of the time to first token and the time per output token (in `unit`); a
            request with an output of 1 has no time per output token, and keeps its limit.

        Raises
        ------
        InputError
            If a limit is not a decimal number >= 0.
        """
        first, per_token = limit(ttft, "ttft"), limit(tpot, "tpot")
        slack = _at_most(self.first_token_ticks - self.release_ticks, 1, first * self.ticks)
        gaps = self.schedule.instance.outputs - 1
        times = self.completion_ticks - self.first_token_ticks
        keeps = (gaps == 0) | _at_most(times, gaps, per_token * self.ticks)
        return float((slack & keeps).mean())

    def statistics(self) -> dict[str, dict[str, float | None]]:
        """Return mean, percentiles (linear, as in numpy) and maximum of each quantity.

        Those of the time per output token are None if every output is 1.
        """
        return {name: _statistics(getattr(self, name)) for name in QUANTITIES}

    def rows(self) -> Mapping[str, NDArray[Any]]:
        """Return a table with a row for each request: its `COLUMNS`, shape (n,) each."""
        instance = self.schedule.instance
        columns = {
            "request": np.arange(len(instance)),
            "release": self._exact(self.release_ticks),
            "prompt": instance.prompts,
            "output": instance.outputs,
            "start": self._exact(self.start_ticks),
            "first_token": self._exact(self.first_token_ticks),
            "completion": self._exact(self.completion_ticks),
            "latency": self._exact(self.completion_ticks - self.release_ticks),
            "ttft": self._exact(self.first_token_ticks - self.release_ticks),
            "tpot": self.tpot,
            "slowdown": self.slowdown,
            "kills": self.kills,
            "wasted_token_rounds": self.wasted_token_rounds,
        }
        return {name: columns[name] for name in COLUMNS}

    def to_csv(self) -> str:
        """Return the rows as comma-separated values with a header; no TPOT where o = 1."""
        return to_csv(self._records())

    def to_frame(self, library: str | None = None) -> Any:
        """Return the rows as a data frame of pandas or polars (`pip install kvopt[frames]`).

        Parameters and errors are as for `kvopt.model.rows.frame_of`.
        """
        return frame_of(self._records(), library)

    def _records(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries; the TPOT is None where o = 1."""
        lists: dict[str, list[Any]] = {
            name: column.tolist() for name, column in self.rows().items()
        }
        lists["tpot"] = [None if math.isnan(value) else value for value in lists["tpot"]]
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]

    def __repr__(self) -> str:
        return f"Metrics({self.schedule!r}, unit={self.unit!r})"

    def __str__(self) -> str:
        lines = [
            f"metrics of {self.schedule.instance}",
            f"{f'in {self.unit}':<9}" + "".join(f"{name:>11}" for name in STATISTICS),
        ]
        for name, values in self.statistics().items():
            cells = ("-" if value is None else f"{value:.3f}" for value in values.values())
            lines.append(f"{name:<9}" + "".join(f"{cell:>11}" for cell in cells))
        wasted = sum(self.wasted_token_rounds.tolist())
        lines.append(f"{wasted} token-rounds wasted, memory used {self.memory_utilisation:.3f}")
        return "\n".join(lines)

    def summary(self) -> dict[str, Any]:
        """Return the statistics and totals as one JSON object."""
        return {
            "unit": self.unit,
            **self.statistics(),
            "wasted_token_rounds": sum(self.wasted_token_rounds.tolist()),
            "memory_utilisation": self.memory_utilisation,
        }

    def _units(self, ticks: IntArray) -> FloatArray:
        """Return times in units, as floats."""
        result: FloatArray = ticks / self.ticks
        return result

    def _exact(self, ticks: IntArray) -> NDArray[Any]:
        """Return times in units, as integers if a tick is a unit."""
        return ticks if self.ticks == 1 else self._units(ticks)


def metrics(schedule: Schedule, timeline: Timeline | None = None) -> Metrics:
    """Measure a schedule.

    Parameters
    ----------
    schedule
        A feasible schedule.
    timeline
        When rounds end, as `kvopt.simulation.by_clock.simulate_by_clock` returns it; None to
        measure in rounds.

    Raises
    ------
    KvoptError
        If a request completes never or more than once.

    Examples
    --------
    >>> from kvopt import FCFS, Instance, simulate
    >>> instance = Instance(4, [1, 1], [3, 1], releases=[0, 2])
    >>> measured = metrics(simulate(instance, FCFS()))
    >>> measured.latency.tolist(), measured.ttft.tolist(), measured.tpot.tolist()
    ([3.0, 2.0], [1.0, 2.0], [1.0, nan])
    >>> measured.goodput(ttft=1, tpot="1.5")
    0.5
    """
    require(schedule, Schedule, "schedule")
    instance, n = schedule.instance, len(schedule.instance)
    completion = schedule.completion_times()
    start = completion.copy()
    np.minimum.at(start, schedule.request, schedule.start)
    first_token = start + 1
    if timeline is None:
        release, share = instance.releases, _memory_share(schedule)
    else:
        release, share = timeline.arrivals(), timeline.memory_share(schedule.makespan)
        start, first_token, completion = map(timeline.at, (start, first_token, completion))
    killed = schedule.request[schedule.killed]
    return Metrics(
        schedule,
        "rounds" if timeline is None else timeline.unit,
        1 if timeline is None else timeline.ticks,
        release,
        start,
        first_token,
        completion,
        kills=np.bincount(killed, minlength=n),
        wasted_token_rounds=_sums(killed, _areas(schedule)[schedule.killed], n),
        memory_utilisation=float(share),
    )


def limit(value: Fraction | int | str, name: str) -> Fraction:
    """Return a limit of a metric, exact.

    Raises
    ------
    InputError
        If it is not a decimal number >= 0, or a float.
    """
    exact = exact_number(value)
    if exact is None or exact < 0:
        raise InputError(f"{name}: must be a decimal number of at least 0, got {value!r}")
    return exact


def _areas(schedule: Schedule) -> IntArray:
    """Return memory times rounds of each attempt (token-rounds), shape (a,)."""
    return areas(schedule.held, schedule.end - schedule.start)


def _memory_share(schedule: Schedule) -> Fraction:
    """Return the mean share of the memory in use, from the earliest release to the end."""
    rounds = schedule.makespan - int(schedule.instance.releases.min())
    return Fraction(exact_sum(_areas(schedule)), rounds * schedule.instance.memory)


def _sums(keys: IntArray, values: IntArray, n: int) -> NDArray[Any]:
    """Return the sum of the values of each key, exact, shape (n,)."""
    exact = np.bincount(keys, values, n).max(initial=0) < 2**62
    sums = np.zeros(n, dtype=np.int64 if exact else np.object_)
    np.add.at(sums, keys, values if exact else values.astype(np.object_))
    return sums


def _at_most(times: IntArray, factors: IntArray | int, bound: Fraction) -> NDArray[np.bool_]:
    """Tell which times are at most their factor times a bound, exactly."""
    p, q = bound.numerator, bound.denominator
    largest = max(max(int(times.max()), 1) * q, max(int(np.max(factors)), 1) * p)
    kind: Any = np.int64 if largest < 2**63 else np.object_
    left = times.astype(kind) * q
    right = np.asarray(factors).astype(kind) * p
    return np.asarray(left <= right, dtype=np.bool_)


def _statistics(values: FloatArray) -> dict[str, float | None]:
    known = values[~np.isnan(values)]
    if not len(known):
        return dict.fromkeys(STATISTICS)
    parts = [known.mean(), *np.percentile(known, PERCENTILES), known.max()]
    return dict(zip(STATISTICS, map(float, parts), strict=True))
