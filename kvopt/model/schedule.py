"""Schedules: which request runs when, what it costs and how much memory it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kvopt.model.errors import InputError, KvoptError
from kvopt.model.instance import Instance, IntArray, abridged
from kvopt.model.memory_profile import MemoryProfile, peak_memory
from kvopt.model.rows import frame_of, to_csv
from kvopt.model.text import ShownAsText

__all__ = ["Attempt", "Schedule", "exact_sum", "kept_tokens", "whole_numbers"]


COLUMNS = ("request", "start", "end", "killed", "tokens")
"""The columns of a schedule, the last one only where kills keep tokens."""


MOST_SHOWN = 30
"""Up to so many attempts are listed in the text of a schedule."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One uninterrupted run of a request.

    Parameters
    ----------
    request
        Index of the request, 0-based in instance order.
    start, end
        The attempt runs in the rounds start + 1, ..., end.
    killed
        True if it was killed at `end`, False if it completed there.
    tokens
        Tokens of output that the request has kept from killed attempts when it starts; 0
        unless kills keep tokens, see `Schedule`.
    """

    request: int
    start: int
    end: int
    killed: bool = False
    tokens: int = field(default=0, repr=False)


@dataclass(frozen=True, slots=True, eq=False, init=False, repr=False)
class Schedule(ShownAsText):
    """All attempts made on an instance, kept sorted by (start, request).

    A schedule says what was done and recomputes everything else from it.  It
    does not promise to be feasible: `kvopt.model.feasibility.violations` tells.

    Parameters
    ----------
    instance
        The instance that was scheduled.
    request, start, end
        Request index, start time and end time (rounds) of each attempt, in any
        order, shape (a,) each.
    killed
        Whether the attempt was killed, shape (a,).
    tokens
        None, as in the model of the package, where a kill discards all progress.  Or, where
        kills keep tokens, the tokens of output that the request has when the attempt starts,
        shape (a,): with g of them it uses s + g + j tokens of memory in its j-th further
        round, and completes after o - g.
    """

    instance: Instance
    request: IntArray
    start: IntArray
    end: IntArray
    killed: NDArray[np.bool_]
    tokens: IntArray | None

    def __init__(
        self,
        instance: Instance,
        request: ArrayLike,
        start: ArrayLike,
        end: ArrayLike,
        killed: ArrayLike,
        tokens: ArrayLike | None = None,
    ) -> None:
        given = {"request": request, "start": start, "end": end}
        columns = [whole_numbers(column, name) for name, column in given.items()]
        columns.append(np.asarray(killed, dtype=np.bool_))
        if tokens is not None:
            columns.append(whole_numbers(tokens, "tokens"))
        later = np.diff(columns[1])
        if (later < 0).any() or ((later == 0) & (np.diff(columns[0]) < 0)).any():
            order = order_by(columns[1], columns[0])
            columns = [c[order] for c in columns]
        object.__setattr__(self, "instance", instance)
        object.__setattr__(self, "tokens", None)
        for name, column in zip(COLUMNS, columns, strict=False):
            column = column.view()
            column.setflags(write=False)
            object.__setattr__(self, name, column)

    @classmethod
    def of(cls, instance: Instance, attempts: Iterable[Attempt]) -> Schedule:
        """Build a schedule from attempts in any order, where kills discard all progress."""
        rows = [(a.request, a.start, a.end, a.killed) for a in attempts]
        request, start, end, killed = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(instance, request, start, end, killed)

    @classmethod
    def from_starts(cls, instance: Instance, starts: ArrayLike) -> Schedule:
        """Build the schedule that runs every request once, without kills.

        Parameters
        ----------
        instance
            The instance.
        starts
            Start time of each request in instance order (rounds), shape (n,).

        Raises
        ------
        InputError
            If they are not n whole numbers.
        """
        start, n = whole_numbers(starts, "starts"), len(instance)
        if start.shape != (n,):
            raise InputError(f"starts: must be {n} numbers, one for each request, got {starts!r}")
        return cls(instance, np.arange(n), start, start + instance.outputs, np.zeros(n, np.bool_))

    def __len__(self) -> int:
        return len(self.request)

    def __iter__(self) -> Iterator[Attempt]:
        columns = (getattr(self, name) for name in COLUMNS)
        return map(Attempt, *(c.tolist() for c in columns if c is not None))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        columns = ((getattr(self, c), getattr(other, c)) for c in COLUMNS)
        return self.instance == other.instance and all(
            (a is None) == (b is None) and (a is None or np.array_equal(a, b)) for a, b in columns
        )

    __hash__ = None  # type: ignore[assignment]  # arrays inside; nobody keys by schedules

    def __repr__(self) -> str:
        return f"Schedule({self.instance!r}, attempts={len(self)}, makespan={self.makespan})"

    def __str__(self) -> str:
        try:
            cost = f"total completion time {self.total_completion_time()}"
            if self.instance.has_releases:
                cost = f"total latency {self.total_latency()}, {cost}"
        except KvoptError:  # it is no schedule of all requests
            cost = "incomplete"
        lines = [
            f"schedule of {self.instance}",
            f"{cost}, makespan {self.makespan}, peak memory {self.peak_memory()},"
            f" {len(self)} attempts, {self.kills} of them killed",
        ]
        if 0 < len(self) <= MOST_SHOWN:
            lines.append(f"{'request':>7}  {'start':>7}  {'end':>7}")
        for attempt in self if len(self) <= MOST_SHOWN else ():
            line = f"{attempt.request:7}  {attempt.start:7}  {attempt.end:7}"
            lines.append(line + ("  killed" if attempt.killed else ""))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of a schedule file, of plain numbers, texts and truth values."""
        from kvopt.model.formats import schedule_to_json

        return schedule_to_json(self)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each attempt: request, start, end (rounds), and whether it was killed.

        Where kills keep tokens, the tokens at its start, too.
        """
        columns: dict[str, NDArray[Any]] = {"request": self.request, "start": self.start}
        columns |= {"end": self.end, "killed": self.killed}
        if self.tokens is not None:
            columns["tokens"] = self.tokens
        lists = [column.tolist() for column in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]

    def to_csv(self) -> str:
        """Return the rows as comma-separated values with a header."""
        return to_csv(self.rows())

    def to_frame(self, library: str | None = None) -> Any:
        """Return the rows as a data frame of pandas or polars (`pip install kvopt[frames]`).

        Parameters and errors are as for `kvopt.model.rows.frame_of`.
        """
        return frame_of(self.rows(), library)

    @property
    def keeps_tokens(self) -> bool:
        """Whether killed requests keep their tokens, which is another model."""
        return self.tokens is not None

    @property
    def held(self) -> IntArray:
        """Tokens that each attempt begins with: the prompt and what was kept, shape (a,)."""
        prompts: IntArray = self.instance.prompts[self.request]
        return prompts if self.tokens is None else prompts + self.tokens

    @property
    def kills(self) -> int:
        """Number of killed attempts."""
        return int(self.killed.sum())

    @property
    def makespan(self) -> int:
        """Time at which the last attempt ends (rounds)."""
        return int(self.end.max(initial=0))

    def completion_times(self) -> IntArray:
        """Return when each request completes, in instance order (rounds), shape (n,).

        Raises
        ------
        KvoptError
            If a request completes never or more than once.
        """
        n = len(self.instance)
        done = ~self.killed
        times = np.bincount(self.request[done], minlength=n)
        if len(times) > n or (times != 1).any():
            i = int(np.argmax(times != 1)) if len(times) == n else n
            raise KvoptError(f"schedule: request {i} completes {times[i]} times instead of once")
        completions = np.empty(n, dtype=np.int64)
        completions[self.request[done]] = self.end[done]
        return completions

    def starts(self) -> IntArray:
        """Return the start of each request's completing attempt (rounds), shape (n,)."""
        starts = self.completion_times() - self.instance.outputs
        if self.tokens is not None:
            starts[self.request[~self.killed]] += self.tokens[~self.killed]
        return starts

    def total_completion_time(self) -> int:
        """Return the sum of the completion times (rounds), the objective.

        With release times that is the total latency, but for the sum of the releases, which
        no schedule changes.
        """
        return exact_sum(self.completion_times())

    def total_latency(self) -> int:
        """Return the sum of completion minus release times (rounds)."""
        return self.total_completion_time() - self.instance.total_release

    def without_kills(self) -> Schedule:
        """Return the schedule of the completing attempts alone; it costs the same.

        Raises
        ------
        KvoptError
            If kills keep tokens: then these attempts need what was killed before.
        """
        if self.keeps_tokens:
            raise KvoptError("schedule: kills keep tokens, so it is none without them")
        done = ~self.killed
        columns = (self.request, self.start, self.end, self.killed)
        return Schedule(self.instance, *(c[done] for c in columns))

    def memory_profile(self) -> MemoryProfile:
        """Return the memory in use in every round, exact and piecewise linear."""
        return MemoryProfile.of(self.start, self.end, self.held)

    def peak_memory(self) -> int:
        """Return the largest memory in use in any round (tokens)."""
        return peak_memory(self.start, self.end, self.held)


def kept_tokens(request: IntArray, start: IntArray, end: IntArray) -> IntArray:
    """Return the rounds of all earlier attempts of the same request (tokens), shape (a,).

    Parameters
    ----------
    request, start, end
        Request, start and end of each attempt (rounds), in any order, shape (a,) each.
    """
    order = np.lexsort((start, request))
    rounds = (end - start)[order]
    before = np.cumsum(rounds) - rounds
    first = np.append(True, np.diff(request[order]) != 0)[: len(order)]
    before -= np.maximum.accumulate(np.where(first, before, 0))
    result: IntArray = np.empty_like(before)
    result[order] = before
    return result


def order_by(first: IntArray, second: IntArray) -> IntArray:
    """Return the positions sorted by (first, second), shape (a,), equal pairs in their order.

    Pairs of non-negative numbers that fit into one are sorted as one: several times as
    fast as sorting twice, the more so the longer the runs that are in order already.
    """
    span = int(second.max(initial=0)) + 1
    smallest = min(int(first.min(initial=0)), int(second.min(initial=0)))
    if smallest < 0 or (int(first.max(initial=0)) + 1) * span > 2**63:
        return np.lexsort((second, first))
    return np.argsort(first * span + second, kind="stable")


def exact_sum(values: IntArray) -> int:
    """Return the sum of an integer array as a Python int, without overflow."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def whole_numbers(values: ArrayLike, name: str) -> IntArray:
    """Return a column of whole numbers; floats that are whole will do.

    Raises
    ------
    InputError
        If they are something else, or do not fit into 64 bits.
    """
    try:
        given = np.asarray(values)
        with np.errstate(invalid="ignore"):  # nan and what is too large
            whole = given.astype(np.int64)
        if given.dtype.kind in "iu" or not given.size or np.array_equal(whole, given):
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{name}: must be whole numbers, got {abridged(values)}")
