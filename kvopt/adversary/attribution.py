"""Where the cost of a schedule comes from: every round divided by what its memory held.

The total completion time is the number of unfinished requests, summed over the rounds; the total
latency counts those of them that are released.  What a round adds is divided by the tokens of
the budget, each of which is put down to one of the seven `CAUSES` below.  So the parts are exact
fractions and add up to the cost.

This is bookkeeping, not a proof of blame: an optimal schedule, too, leaves memory empty and
may hold requests out of order.  This is why two schedules are shown side by side.

Notes
-----
The causes are defined from the schedule alone, with hindsight, so they mean the same for every
policy, clairvoyant or not.  In round r, of the memory in use,

- *killed* is held by attempts that are killed, then or later;
- *order* is held by attempts that complete, while a request of smaller area is released and has
  not yet begun the attempt that completes it;
- *useful* is held by the other attempts that complete.

A request waits in round r if it is released and unfinished, and no attempt of it runs.  The
empty memory of the round is

- *end* if no request waits;
- *full* if none of those that wait could start now: with its first round in r and until it
  completes, it would not fit beside the attempts that run in r, each to its own end;
- *drain* if one could, and no attempt starts before all that run in r have ended, as between
  two phases, or where requests run one at a time;
- *idle* if one could, and attempts do start before that.

When a smaller request waits is a union of intervals, each from a release to the start of the
attempt that completes.  Of requests with one prompt length only the shortest that waits needs
a test, as its run is the beginning of the others'.  So the work grows with the number of
attempts, and with that of attempts at once, but not with the number of rounds.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from kvopt.model.errors import InputError, KvoptError
from kvopt.model.feasibility import violations
from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import Events
from kvopt.model.schedule import Schedule
from kvopt.policies import Policy, spec_of
from kvopt.simulation.simulate import simulate
from kvopt.theory.ordering import areas

__all__ = ["CAUSES", "MOST_ATTEMPTS", "Account", "Attribution", "account", "attribute"]

CAUSES: Mapping[str, str] = {
    "useful": "used by attempts that complete, smaller requests first",
    "order": "used by attempts that complete, while smaller requests wait",
    "killed": "used by attempts that are killed",
    "idle": "empty, though a waiting request would fit",
    "drain": "empty while draining, though one would fit",
    "full": "empty, too little for any waiting request",
    "end": "empty, with no request waiting",
}
"""What the memory can be put down to, in words."""

MOST_ATTEMPTS = 200_000
"""Schedules with more attempts are refused; so many take about half a minute."""


@dataclass(frozen=True, slots=True)
class Account:
    """The cost of one schedule by cause.

    Parameters
    ----------
    label
        What made the schedule.
    memory
        Memory budget M (tokens).
    cost
        Total completion time, or total latency if there are release times (rounds).
    tokens
        For each of `CAUSES`, the tokens put down to it, summed over the rounds and over the
        requests unfinished in them; they add up to cost * memory.
    """

    label: str
    memory: int
    cost: int
    tokens: Mapping[str, int]

    def rounds(self, cause: str) -> Fraction:
        """Return the part of the cost put down to a cause (rounds)."""
        return Fraction(self.tokens[cause], self.memory)

    def share(self, cause: str) -> Fraction:
        """Return the part of the cost put down to a cause, as a share of the cost."""
        return self.rounds(cause) / self.cost


@dataclass(frozen=True, slots=True)
class Attribution:
    """The cost of a policy and that of a better schedule, by cause.

    Parameters
    ----------
    policy
        The schedule of the policy.
    reference
        What it is compared to.
    """

    policy: Account
    reference: Account

    @property
    def ratio(self) -> Fraction:
        """Cost of the policy / cost of the reference."""
        return Fraction(self.policy.cost, self.reference.cost)

    def excess(self, cause: str) -> Fraction:
        """Return how much more the policy pays for a cause than the reference (rounds)."""
        return self.policy.rounds(cause) - self.reference.rounds(cause)

    def text(self) -> str:
        """Return a few lines of plain text; the numbers are rounded for reading."""
        ours, theirs = self.policy, self.reference
        main = max(CAUSES, key=self.excess)
        more = self.excess(main) > 0
        lines = [
            f"{ours.label} pays {ours.cost:,} rounds, {float(self.ratio):.3f} times "
            f"the {theirs.cost:,} of {theirs.label}"
            + (f", above all for memory\n{CAUSES[main]}." if more else "."),
            "By what the memory held, as rounds and share of the cost:",
        ]
        numbers = [(f"{account.cost:,}", account.label) for account in (ours, theirs)]
        width = max(9, *(len(number) + 3 for number, _ in numbers))
        for cause, words in CAUSES.items():
            if ours.tokens[cause] or theirs.tokens[cause]:
                cells = (
                    f"{float(one.rounds(cause)):{width},.1f} {float(one.share(cause)):6.1%}"
                    for one in (ours, theirs)
                )
                lines.append("  ".join(cells) + f"  {words}")
        heads = (_cut(label, width + 7).rjust(width + 7) for _, label in numbers)
        lines.insert(2, "  ".join(heads))
        return "\n".join(lines)


def attribute(
    instance: Instance,
    policy: Policy,
    optimum_starts: ArrayLike,
    reference: str = "the optimum",
) -> Attribution:
    """Say where the cost of a policy comes from, and that of an optimal schedule.

    Parameters
    ----------
    instance
        The instance.
    policy
        The policy, which is simulated.
    optimum_starts
        Start of each request in the schedule it is compared to (rounds), shape (n,).
    reference
        What that schedule is; "the best schedule known" if it is not proved optimal.

    Returns
    -------
    Explanation
        Both costs by cause, exact.

    Raises
    ------
    InputError
        As for `account`.
    PolicyError
        If the policy misbehaves.

    Examples
    --------
    >>> from kvopt import FCFS
    >>> attribution = attribute(Instance(4, [0, 0], [4, 3]), FCFS(), [2, 0])
    >>> print(attribution.text())
    fcfs pays 11 rounds, 1.222 times the 9 of the optimum, above all for memory
    used by attempts that complete, while smaller requests wait.
    By what the memory held, as rounds and share of the cost:
                fcfs       the optimum
          1.5  13.6%        5.8  63.9%  used by attempts that complete, smaller requests first
          5.0  45.5%        0.0   0.0%  used by attempts that complete, while smaller requests wait
          2.0  18.2%        0.0   0.0%  used by attempts that are killed
          0.0   0.0%        2.5  27.8%  empty, too little for any waiting request
          2.5  22.7%        0.8   8.3%  empty, with no request waiting
    """
    starts = np.asarray(optimum_starts, dtype=np.int64)
    if starts.shape != (len(instance),):
        raise InputError(f"starts: must be {len(instance)} numbers, got shape {starts.shape}")
    return Attribution(
        account(spec_of(policy), simulate(instance, policy)),
        account(reference, Schedule.from_starts(instance, starts)),
    )


def account(label: str, schedule: Schedule) -> Account:
    """Divide the cost of a schedule by cause.

    Parameters
    ----------
    label
        What made the schedule.
    schedule
        The schedule.

    Raises
    ------
    InputError
        If the schedule is not feasible, or has more than `MOST_ATTEMPTS` attempts.
    """
    if len(schedule) > MOST_ATTEMPTS:
        raise InputError(
            f"{label}: must have at most {MOST_ATTEMPTS} attempts to be explained, "
            f"got {len(schedule)}"
        )
    if schedule.keeps_tokens:
        raise InputError(f"{label}: must not keep tokens of killed attempts to be explained")
    for violation in violations(schedule):
        raise InputError(f"{label}: must be feasible to be explained, got {violation}")
    pieces = _Pieces.of(schedule)
    tokens = dict.fromkeys(CAUSES, 0)
    done, attempts = ~schedule.killed, (schedule.start, schedule.end)
    prompts = schedule.instance.prompts[schedule.request]
    tokens["order"] = pieces.held(*_out_of_order(schedule))
    tokens["useful"] = pieces.held(*(a[done] for a in (*attempts, prompts))) - tokens["order"]
    tokens["killed"] = pieces.held(*(a[~done] for a in (*attempts, prompts)))
    for cause, amount in _empty(schedule, pieces):
        tokens[cause] += amount
    memory, cost = schedule.instance.memory, schedule.total_latency()
    if sum(tokens.values()) != cost * memory:
        raise KvoptError(f"{label}: the parts of the cost do not add up")
    return Account(label, memory, cost, tokens)


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """The time up to the last completion, cut wherever an attempt starts or ends.

    Parameters
    ----------
    times
        The cuts, from 0 (rounds), shape (m+1,).
    unfinished
        Number of released and unfinished requests in each piece, shape (m,).
    """

    times: IntArray
    unfinished: IntArray

    @classmethod
    def of(cls, schedule: Schedule) -> _Pieces:
        releases = np.sort(schedule.instance.releases)
        times = np.unique(np.concatenate(([0], releases, schedule.start, schedule.end)))
        completions = np.sort(schedule.completion_times())
        finished = np.searchsorted(completions, times[:-1], side="right")
        return cls(times, np.searchsorted(releases, times[:-1], side="right") - finished)

    def held(self, starts: IntArray, ends: IntArray, prompts: IntArray) -> int:
        """Return the tokens that attempts hold, summed over rounds and unfinished requests.

        Attempts that end where they start hold nothing.
        """
        last, running = Events(starts, ends, prompts).memory(self.times[1:])
        columns = (self.unfinished, last, running, np.diff(self.times))
        return sum(
            unfinished * _sum_back(used, count, rounds)
            for unfinished, used, count, rounds in zip(*(c.tolist() for c in columns), strict=True)
            if count
        )


def _sum_back(last: int, slope: int, rounds: int) -> int:
    """Return last + (last - slope) + ..., so many numbers."""
    return rounds * last - slope * (rounds * (rounds - 1) // 2)


def _out_of_order(schedule: Schedule) -> tuple[IntArray, IntArray, IntArray]:
    """Return the parts of attempts that complete during which a smaller request waits.

    Returns
    -------
    array, array, array
        Start, end (rounds), and what is held before the first round (tokens), shape (parts,).
    """
    instance, starts = schedule.instance, schedule.starts()
    sizes = areas(instance.prompts, instance.outputs)
    columns = (sizes, instance.releases, starts, instance.outputs, instance.prompts)
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    waits: list[tuple[int, int]] = []  # of smaller requests, disjoint and in order
    parts: list[tuple[int, int, int]] = []
    for _, alike in itertools.groupby(rows, key=lambda row: row[0]):
        same = list(alike)
        for _, _, start, output, prompt in same:
            end = start + output
            place = bisect.bisect_right(waits, start, key=lambda wait: wait[1])
            while place < len(waits) and waits[place][0] < end:
                first, last = max(start, waits[place][0]), min(end, waits[place][1])
                parts.append((first, last, prompt + first - start))
                place += 1
        for _, release, start, _, _ in same:
            if release < start:
                _insert(waits, release, start)
    table = np.array(parts, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _insert(intervals: list[tuple[int, int]], first: int, end: int) -> None:
    """Add an interval to disjoint ones in order, and join those that it touches."""
    low = bisect.bisect_left(intervals, first, key=lambda one: one[1])
    high = bisect.bisect_right(intervals, end, key=lambda one: one[0])
    if low < high:
        first, end = min(first, intervals[low][0]), max(end, intervals[high - 1][1])
    intervals[low:high] = [(first, end)]


class _Waiting:
    """The requests that wait, as they come and go."""

    def __init__(self) -> None:
        self.number = 0
        self._count: dict[tuple[int, int], int] = defaultdict(int)
        self._outputs: dict[int, list[int]] = defaultdict(list)
        self._prompts: list[int] = []

    def add(self, prompt: int, output: int) -> None:
        """Let a request wait."""
        self.number += 1
        self._count[prompt, output] += 1
        if self._count[prompt, output] == 1:
            if prompt not in self._outputs:
                bisect.insort(self._prompts, prompt)
            heapq.heappush(self._outputs[prompt], output)

    def remove(self, prompt: int, output: int) -> None:
        """Let a request no longer wait."""
        self.number -= 1
        self._count[prompt, output] -= 1

    def smallest(self, room: int) -> Iterator[tuple[int, int]]:
        """Yield those with a prompt below `room` of which none is smaller in both lengths."""
        shortest: float = np.inf
        for prompt in self._prompts:
            if prompt >= room:
                return
            outputs = self._outputs[prompt]
            while outputs and not self._count[prompt, outputs[0]]:
                heapq.heappop(outputs)
            if outputs and outputs[0] < shortest:
                shortest = outputs[0]
                yield prompt, outputs[0]


def _empty(schedule: Schedule, pieces: _Pieces) -> Iterator[tuple[str, int]]:
    """Yield cause and tokens of the empty memory, piece by piece."""
    instance = schedule.instance
    memory = instance.memory
    lengths = list(zip(instance.prompts.tolist(), instance.outputs.tolist(), strict=True))
    requests, starts, ends = (
        column.tolist() for column in (schedule.request, schedule.start, schedule.end)
    )
    killed = schedule.killed.tolist()
    by_end = np.argsort(schedule.end, kind="stable").tolist()
    waiting = _Waiting()
    releases = instance.releases.tolist()
    coming = np.argsort(-instance.releases, kind="stable").tolist()
    running: list[tuple[int, int]] = []  # end, and prompt - start, by end
    started = ended = 0
    times = pieces.times.tolist()
    for a, b, unfinished in zip(times[:-1], times[1:], pieces.unfinished.tolist(), strict=True):
        while ended < len(by_end) and ends[by_end[ended]] == a:
            attempt = by_end[ended]
            ended += 1
            running.pop(0)
            if killed[attempt]:
                waiting.add(*lengths[requests[attempt]])
        while coming and releases[coming[-1]] <= a:
            waiting.add(*lengths[coming.pop()])
        while started < len(starts) and starts[started] == a:
            prompt, output = lengths[requests[started]]
            bisect.insort(running, (ends[started], prompt - a))
            waiting.remove(prompt, output)
            started += 1
        room = _Room(memory, running, a, b)
        whole = room.empty(a, b)
        if not whole:
            continue
        if not waiting.number:
            yield "end", unfinished * whole
            continue
        fitting = sum(itertools.starmap(room.empty, room.starts(waiting)))
        drains = not running or started == len(starts) or starts[started] >= running[-1][0]
        yield "drain" if drains else "idle", unfinished * fitting
        yield "full", unfinished * (whole - fitting)


class _Room:
    """The memory that the attempts running in a piece leave, each to its own end.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    running
        End, and prompt minus start, of each attempt, by end.
    a, b
        The piece covers the rounds a + 1, ..., b.
    """

    def __init__(self, memory: int, running: list[tuple[int, int]], a: int, b: int) -> None:
        self.memory, self.running, self.a, self.b = memory, running, a, b
        used = sum(constant for _, constant in running) + len(running) * b
        self.last = memory - used

    def empty(self, first: int, end: int) -> int:
        """Return the empty memory of the rounds first + 1, ..., end (token-rounds)."""
        slope = len(self.running)
        return _sum_back(self.last + slope * (self.b - end), -slope, end - first)

    def starts(self, waiting: _Waiting) -> list[tuple[int, int]]:
        """Return the times in [a, b) at which a waiting request fits for its whole run.

        Returns
        -------
        list of tuples
            Disjoint intervals [first, end).
        """
        found: list[tuple[int, int]] = []
        for prompt, output in waiting.smallest(self.empty(self.a, self.a + 1)):
            found = _union(found + self._starts_of(prompt, output))
            if found == [(self.a, self.b)]:
                break
        return found

    def _starts_of(self, prompt: int, output: int) -> list[tuple[int, int]]:
        """Return the times in [a, b) at which a request fits."""
        # The rounds between two ends rule out the starts of one interval, around the start
        # whose last round is the later end: below it those that are in that round and too
        # old in it, above it those whose own last round comes too late before that end.
        table = np.array(self.running, dtype=np.int64).reshape(-1, 2)
        ends, counts = table[:, 0], np.arange(len(table), 0, -1)
        befores = np.concatenate(([self.a], ends))[:-1]
        constants = np.cumsum(table[::-1, 1])[::-1]  # in round r: constant + count * r in use
        used = constants + counts * ends
        latest = (self.memory - prompt - output - constants) // counts
        low = np.maximum(np.maximum(latest, befores) - output + 1, self.a)
        high = np.minimum(np.minimum(ends, used + ends + (prompt - self.memory)), self.b)
        inside = (used + (prompt + output) > self.memory) & (low < high)
        ruled_out = _union(list(zip(low[inside].tolist(), high[inside].tolist(), strict=True)))
        edges = [self.a, *(edge for pair in ruled_out for edge in pair), self.b]
        return [(x, y) for x, y in zip(edges[::2], edges[1::2], strict=True) if x < y]


def _union(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return disjoint intervals that cover the same."""
    joined: list[tuple[int, int]] = []
    for first, end in sorted(intervals):
        if joined and first <= joined[-1][1]:
            first, last = joined.pop()
            end = max(end, last)
        joined.append((first, end))
    return joined


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
