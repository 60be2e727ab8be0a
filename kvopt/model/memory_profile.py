"""Memory over time: of a finished schedule, and of one that is still being built.

An attempt that starts at time p with a prompt of s tokens uses s + r - p tokens
in round r, for p < r <= end.  Between two events (starts and ends) the memory in
use is therefore a straight line whose slope is the number of running attempts.
Both classes here keep one value and one slope per piece, so their size grows
with the number of attempts and not with the number of rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kvopt.model.instance import IntArray

BLOCK = 256
LARGEST_BLOCK = 8192
"""Breakpoints looked at in one go when an earliest start is sought, at first and at most."""

__all__ = ["Events", "LiveProfile", "MemoryProfile", "first_overflow", "peak_memory"]


@dataclass(frozen=True, slots=True, eq=False)
class MemoryProfile:
    """Memory in use in every round, exact, as linear pieces.

    Piece i covers the rounds r with times[i] < r <= times[i+1].

    Parameters
    ----------
    times
        Times of starts and ends, increasing (rounds), shape (m+1,).
    last
        Memory in the last round of each piece (tokens), shape (m,).
    running
        Number of attempts running in each piece, which is also the growth of
        the memory per round, shape (m,).
    """

    times: IntArray
    last: IntArray
    running: IntArray

    @classmethod
    def of(cls, starts: IntArray, ends: IntArray, prompts: IntArray) -> MemoryProfile:
        """Build the profile of attempts.

        Parameters
        ----------
        starts, ends
            Start and end times of the attempts (rounds), shape (a,) each.
        prompts
            Prompt length of each attempt's request (tokens), shape (a,).
        """
        times = np.unique(np.concatenate((starts, ends)))
        if not len(times):
            times = np.zeros(1, dtype=np.int64)
        last, running = Events(starts, ends, prompts).memory(times[1:])
        return cls(times, last, running)

    @property
    def first(self) -> IntArray:
        """Memory in the first round of each piece (tokens), shape (m,)."""
        first: IntArray = self.last - self.running * (np.diff(self.times) - 1)
        return first

    def peak(self) -> int:
        """Return the largest memory in use in any round (tokens)."""
        return int(self.last.max(initial=0))

    def at(self, round: int) -> int:
        """Return the memory in use in a round (tokens); rounds count from 1."""
        i = int(np.searchsorted(self.times, round, side="left")) - 1
        if not 0 <= i < len(self.last):
            return 0
        return int(self.last[i] - self.running[i] * (self.times[i + 1] - round))

    def area(self) -> int:
        """Return the memory summed over all rounds (token-rounds)."""
        area = 0
        columns = (self.first, self.last, np.diff(self.times))
        for first, last, rounds in zip(*(c.tolist() for c in columns), strict=True):
            area += (first + last) * rounds
        return area // 2


class LiveProfile:
    """The memory that running and planned attempts will use, as it is known now.

    A policy asks it for the earliest time at which a request fits for its whole
    run.  The past is forgotten as time goes on, so a query costs array work in
    the number of attempts that are still ahead.

    Parameters
    ----------
    memory
        Memory budget M (tokens).

    Notes
    -----
    Breakpoints are the starts and ends that lie ahead.  For breakpoint b the
    arrays hold the memory in round b and the number of attempts that run in it;
    the memory falls only right after an end, so within a piece it is largest in
    the piece's last round.  This is why testing a candidate at the completions
    inside its run, and at its own, is enough (proofs/text/model.md, lemma 3).
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.now = 0
        self._low = 0  # the breakpoints ahead are [_low, _high) of the buffers
        self._high = 0
        self._use(np.zeros((3, 64), dtype=np.int64))

    @classmethod
    def of_running(
        cls, memory: int, now: int, ends: IntArray, used: IntArray, running: IntArray
    ) -> LiveProfile:
        """Build the profile of attempts that all run already.

        Parameters
        ----------
        memory
            Memory budget M (tokens).
        now
            Current time (rounds).
        ends
            When some of them end, increasing (rounds), shape (b,), b >= 1.
        used, running
            Memory in the last round before each end (tokens), and the number of attempts that
            run in it, shape (b,) each.
        """
        profile = cls(memory)
        buffer = np.zeros((3, 2 * len(ends) + 64), dtype=np.int64)
        buffer[:, : len(ends)] = ends, used, running
        profile._use(buffer)
        profile.now, profile._high = now, len(ends)
        return profile

    def advance(self, now: int) -> None:
        """Forget the rounds up to time `now`."""
        self.now = now
        if self._low < self._high and self._times[self._low] <= now:
            times = self._times[self._low : self._high]
            self._low += int(times.searchsorted(now, side="right"))

    def add(self, start: int, prompt: int, end: int) -> None:
        """Enter an attempt: `prompt` tokens, running from `start` to `end` (rounds)."""
        self._change(start, prompt, end, 1)

    def remove(self, start: int, prompt: int, end: int) -> None:
        """Take out what is still ahead of an attempt that was entered before."""
        self._change(start, prompt, end, -1)

    def in_round(self, round: int) -> int:
        """Return the memory in use in a round that lies ahead (tokens)."""
        i = self._low + int(self._times[self._low : self._high].searchsorted(round))
        if i == self._high:
            return 0
        return int(self._used[i] - self._running[i] * (self._times[i] - round))

    def earliest_start(self, prompt: int, rounds: int, not_before: int) -> int:
        """Return the earliest start of an attempt that then fits for its whole run.

        Parameters
        ----------
        prompt
            Prompt length (tokens).
        rounds
            How long the attempt is to run (rounds); prompt + rounds must be at
            most the memory budget.
        not_before
            Earliest start to consider (time), at least the current time.

        Returns
        -------
        int
            The smallest p >= not_before such that in every round r of
            (p, p + rounds] the memory known so far plus prompt + r - p is at
            most the budget.
        """
        # Breakpoint b, with piece (a, b], rules out the starts of one interval: those
        # too early for round b (or, if round b has no room left at all, any before b),
        # and those whose own last round comes late in the piece.
        p = not_before
        ahead = self._times[self._low : self._high]
        i = self._low + int(ahead.searchsorted(p, side="right"))
        if i == self._high or self._fits(prompt, rounds, p, i):
            return p
        piece_begin = int(self._times[i - 1]) if i > self._low else self.now
        size = BLOCK
        while i < self._high:
            block = slice(i, min(i + size, self._high))
            size = min(2 * size, LARGEST_BLOCK)
            times, used = self._times[block], self._used[block]
            if int(used.max()) + prompt + rounds <= self.memory:  # rules nothing out
                if p + rounds <= times[-1]:
                    return p
                i, piece_begin = block.stop, int(times[-1])
                continue
            excess = used + (prompt + rounds - self.memory)
            late = np.maximum((excess - 1) // np.maximum(self._running[block], 1), 0)
            begins = np.concatenate(([piece_begin], times[:-1]))
            first_ruled_out = np.maximum(begins + 1, times - late) - rounds
            first_allowed = times + np.minimum(used + (prompt - self.memory), 0)
            reach = np.maximum.accumulate(np.concatenate(([p], first_allowed)))
            gaps = reach[:-1] < first_ruled_out
            if gaps.any():
                return int(reach[int(np.argmax(gaps))])
            p = int(reach[-1])
            i, piece_begin = block.stop, int(times[-1])
        return p

    def _fits(self, prompt: int, rounds: int, start: int, i: int) -> bool:
        """Tell whether an attempt fits for its whole run; i is the first breakpoint in it."""
        end = start + rounds
        j = self._low + int(self._times[self._low : self._high].searchsorted(end))
        if j < self._high:  # the piece of its last round
            used = int(self._used[j]) - int(self._running[j]) * (int(self._times[j]) - end)
            if used + prompt + rounds > self.memory:
                return False
        if i == j:
            return True
        return int((self._used[i:j] + self._times[i:j]).max()) + prompt - start <= self.memory

    def _change(self, start: int, prompt: int, end: int, sign: int) -> None:
        if end <= self.now:
            return
        if self._high + 2 > len(self._times):
            self._make_room()
        first = self._low if start <= self.now else self._breakpoint(start) + 1
        ahead = slice(first, self._breakpoint(end) + 1)
        added = self._times[ahead] + (prompt - start)
        if sign > 0:
            self._used[ahead] += added
        else:
            self._used[ahead] -= added
        self._running[ahead] += sign

    def _breakpoint(self, time: int) -> int:
        """Return the position of breakpoint `time`, entered first if it is new."""
        low, high = self._low, self._high
        i = low + int(self._times[low:high].searchsorted(time))
        if i < high and self._times[i] == time:
            return i
        running = int(self._running[i]) if i < high else 0
        used = int(self._used[i]) - running * (int(self._times[i]) - time) if i < high else 0
        if i < high:
            self._buffer[:, i + 1 : high + 1] = self._buffer[:, i:high]
        self._times[i], self._used[i], self._running[i] = time, used, running
        self._high += 1
        return i

    def _make_room(self) -> None:
        """Move the breakpoints to the front of buffers at least twice their number."""
        count = self._high - self._low
        buffer = np.zeros((3, max(64, 2 * count)), dtype=np.int64)
        buffer[:, :count] = self._buffer[:, self._low : self._high]
        self._low, self._high = 0, count
        self._use(buffer)

    def _use(self, buffer: IntArray) -> None:
        self._buffer = buffer
        self._times, self._used, self._running = buffer


class Events:
    """Sorted starts and ends of attempts with running sums of s - p.

    Parameters are as for `MemoryProfile.of`.

    Notes
    -----
    The sums wrap around at 2^64 for very long schedules.  The memory computed
    from them is exact all the same: it is right modulo 2^64 and below 2^63.
    """

    def __init__(self, starts: IntArray, ends: IntArray, prompts: IntArray) -> None:
        constant = prompts - starts
        by_start = np.argsort(starts, kind="stable")
        self.starts = starts[by_start]
        self._sum_by_start = _sums(constant[by_start])
        by_end = np.argsort(ends, kind="stable")
        self.ends = ends[by_end]
        self._sum_by_end = _sums(constant[by_end])

    def memory(self, rounds: IntArray) -> tuple[IntArray, IntArray]:
        """Return memory in use (tokens) and number of running attempts in given rounds."""
        started = np.searchsorted(self.starts, rounds, side="left")
        ended = np.searchsorted(self.ends, rounds, side="left")
        running = started - ended
        used = self._sum_by_start[started] - self._sum_by_end[ended] + running * rounds
        return used, running


def peak_memory(starts: IntArray, ends: IntArray, prompts: IntArray) -> int:
    """Return the largest memory that attempts use in any round (tokens).

    Parameters are as for `MemoryProfile.of`.  Memory only falls after an end,
    so the rounds in which an attempt ends are all that need a look.
    """
    events = Events(starts, ends, prompts)
    return int(events.memory(events.ends)[0].max(initial=0))


def first_overflow(
    starts: IntArray, ends: IntArray, prompts: IntArray, memory: int
) -> tuple[int, int] | None:
    """Return the first round in which attempts exceed a memory budget.

    Parameters are as for `MemoryProfile.of`, and the budget (tokens).

    Returns
    -------
    tuple of int, or None
        The round and the position of the attempt that started last among those
        running in it; None if the budget is kept throughout.
    """
    if peak_memory(starts, ends, prompts) <= memory:
        return None
    profile = MemoryProfile.of(starts, ends, prompts)
    i = int(np.argmax(profile.last > memory))
    last_round, length = int(profile.times[i + 1]), int(np.diff(profile.times)[i])
    excess, growth = int(profile.last[i]) - memory, int(profile.running[i])
    round = last_round - min((excess - 1) // growth, length - 1)
    active = np.flatnonzero((starts < round) & (round <= ends))
    return round, int(active[np.argmax(starts[active])])


def _sums(values: IntArray) -> IntArray:
    """Return the sums of the first 0, 1, ..., n values."""
    result = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=result[1:])
    return result
