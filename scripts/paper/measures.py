"""What the experiments measure, and what follows from the measurements."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from kvopt.model.memory_profile import MemoryProfile
from kvopt.model.schedule import Schedule

CLEAR_TREND = 0.8
"""A rank correlation from which on something is said to grow."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where requests come from.

    Parameters
    ----------
    trace
        Name of the file.
    memory
        Memory budget M (tokens).
    prompt
        Common prompt length (tokens), or None for those of the trace.
    rounded
        Whether outputs are rounded up to powers of two.
    """

    trace: str
    memory: int
    prompt: int | None
    rounded: bool

    @property
    def words(self) -> str:
        """The setting in a few words."""
        name = self.trace.split(".")[0].removesuffix("_lengths")
        lengths = " rounded" if self.rounded else " raw" if self.prompt is not None else ""
        return f"{name}{lengths}, M = {self.memory}"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of one policy on one sample.

    Parameters
    ----------
    setting, size, seed, policy
        What was run: `size` requests, drawn with `seed`.
    clairvoyant
        Whether the policy was given the output lengths (or predictions made from them).
    proved
        The proved bound on the policy's ratio on this instance, or None.
    lower_bound
        Lower bound on the optimal total completion time (rounds).
    dropped
        Share of the rows of the trace that do not fit into the memory even alone.
    cost
        Total completion time (rounds).
    makespan
        Time of the last completion or kill (rounds).
    kills
        Number of killed attempts.
    useful, thrown_away
        Memory times rounds of attempts that complete, and of attempts that are killed
        (token-rounds).
    peak
        Largest memory in use (tokens).
    wait
        Mean start of the completing attempts (rounds).
    """

    setting: Setting
    size: int
    seed: int
    policy: str
    clairvoyant: bool
    proved: float | None
    lower_bound: int
    dropped: float
    cost: int
    makespan: int
    kills: int
    useful: int
    thrown_away: int
    peak: int
    wait: float

    @property
    def key(self) -> tuple[Setting, int, int, str]:
        """What tells runs apart."""
        return self.setting, self.size, self.seed, self.policy

    @property
    def mean(self) -> float:
        """Mean completion time (rounds)."""
        return self.cost / self.size

    @property
    def capacity(self) -> int:
        """Memory times makespan (token-rounds)."""
        return self.setting.memory * self.makespan

    @property
    def idle(self) -> int:
        """Memory times rounds that is not used (token-rounds)."""
        return self.capacity - self.useful - self.thrown_away

    @property
    def thrown_share(self) -> float:
        """Share of the capacity spent on attempts that are killed."""
        return self.thrown_away / self.capacity

    @property
    def idle_share(self) -> float:
        """Share of the capacity that is not used."""
        return self.idle / self.capacity

    @property
    def earliness(self) -> float:
        """Mean completion time / makespan: the smaller, the more requests complete early."""
        return self.mean / self.makespan


def measured(schedule: Schedule) -> dict[str, Any]:
    """Return what a `Measurement` says about a schedule."""
    areas = {}
    for name, rows in (("useful", ~schedule.killed), ("thrown_away", schedule.killed)):
        prompts = schedule.instance.prompts[schedule.request[rows]]
        areas[name] = MemoryProfile.of(schedule.start[rows], schedule.end[rows], prompts).area()
    return {
        "cost": schedule.total_completion_time(),
        "makespan": schedule.makespan,
        "kills": schedule.kills,
        "peak": schedule.peak_memory(),
        "wait": float(np.mean(schedule.starts())),
        **areas,
    }


def average(measurements: Iterable[Measurement], value: Callable[[Measurement], float]) -> float:
    """Return the mean of a value over measurements."""
    return statistics.fmean(map(value, measurements))


class Results:
    """Measurements, to be looked up.

    Parameters
    ----------
    measurements
        All of them.
    """

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._runs: dict[tuple[Setting, int, str], list[Measurement]] = {}
        self._best: dict[tuple[Setting, int, int], int] = {}
        for m in sorted(measurements, key=lambda m: m.seed):
            self._runs.setdefault((m.setting, m.size, m.policy), []).append(m)
            key = (m.setting, m.size, m.seed)
            self._best[key] = min(m.cost, self._best.get(key, m.cost))
        self.settings = list(dict.fromkeys(m.setting for m in measurements))

    def sizes(self, setting: Setting) -> list[int]:
        """Return the numbers of requests in a setting, increasing."""
        return sorted({size for s, size, _ in self._runs if s == setting})

    def policies(self, setting: Setting) -> list[str]:
        """Return the policies run in a setting, in the order in which they were."""
        return list(dict.fromkeys(policy for s, _, policy in self._runs if s == setting))

    def runs(self, setting: Setting, size: int, policy: str) -> list[Measurement]:
        """Return the runs of a policy on all samples of a size, by seed."""
        return self._runs[setting, size, policy]

    def mean(self, setting: Setting, size: int, policy: str) -> float:
        """Return the mean completion time over all samples (rounds)."""
        return average(self.runs(setting, size, policy), lambda m: m.mean)

    def ratio_high(self, setting: Setting, size: int, policy: str) -> Fraction:
        """Return the mean over samples of cost / lower bound."""
        runs = self.runs(setting, size, policy)
        return sum((Fraction(m.cost, m.lower_bound) for m in runs), Fraction(0)) / len(runs)

    def ratio_low(self, setting: Setting, size: int, policy: str) -> Fraction:
        """Return the mean over samples of cost / cost of the cheapest schedule of any policy."""
        runs = self.runs(setting, size, policy)
        best = [self._best[m.setting, m.size, m.seed] for m in runs]
        ratios = (Fraction(m.cost, cost) for m, cost in zip(runs, best, strict=True))
        return sum(ratios, Fraction(0)) / len(runs)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much better one policy is than another, size by size.

    Parameters
    ----------
    sizes
        Numbers of requests, increasing.
    leads
        Mean completion time of the other policy minus that of the first (rounds), a number
        for each size.
    shares
        The same as a share of the other policy's.
    """

    sizes: tuple[int, ...]
    leads: tuple[float, ...]
    shares: tuple[float, ...]

    @property
    def wins(self) -> int:
        """At how many sizes the first policy is better."""
        return sum(lead > 0 for lead in self.leads)

    @property
    def trend(self) -> float:
        """Rank correlation of the lead with the size."""
        return rank_correlation(self.sizes, self.leads)

    @property
    def grows(self) -> bool:
        """Whether the lead is positive at the end and rises with the size."""
        return self.leads[-1] > 0 and self.trend >= CLEAR_TREND


def comparison(results: Results, setting: Setting, first: str, other: str) -> Comparison:
    """Compare two policies in a setting."""
    sizes = tuple(results.sizes(setting))
    pairs = [(results.mean(setting, n, first), results.mean(setting, n, other)) for n in sizes]
    return Comparison(sizes, tuple(b - a for a, b in pairs), tuple((b - a) / b for a, b in pairs))


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Return Kendall's tau: agreeing minus disagreeing pairs, over all pairs; 0 for a single one.

    Examples
    --------
    >>> rank_correlation([1, 2, 3], [10, 20, 15])
    0.3333333333333333
    """
    signs = [np.sign((x[j] - x[i]) * (y[j] - y[i])) for j in range(len(x)) for i in range(j)]
    return float(sum(signs) / len(signs)) if signs else 0.0
