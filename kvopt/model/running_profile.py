"""The memory that running attempts will use, all of which started by now."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np

from kvopt.model.memory_profile import LiveProfile

__all__ = ["RunningProfile"]

MANY = 512
"""From so many attempts on, array work is cheaper than lists."""

TRIM = 64
"""So many ends that are over are dropped at once."""


class RunningProfile:
    """What `LiveProfile` is, if nothing is planned ahead: what is entered has started by now.

    Parameters
    ----------
    memory
        Memory budget M (tokens).

    Notes
    -----
    Let e be the end of an attempt, and U the memory in round e.  Another attempt, with prompt s,
    that starts at p < e and runs beyond e is within the budget in round e exactly if
    U + e + s - p <= M.  The list `_loads` holds U + e in the order of the ends.  With A the sum of
    s - p over the k attempts that end at e or later, U + e = A + (k + 1) e; so an attempt that is
    entered changes the loads up to its own end by s - p + e.  Of equal ends the first
    counts, whose load is the largest.  These lists are short; with many attempts a
    `LiveProfile` takes over.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.now = 0
        self._ends: list[int] = []
        self._loads: list[int] = []
        self._low = 0  # the ends ahead are those from this place on
        self._large: LiveProfile | None = None

    def advance(self, now: int) -> None:
        """Forget the rounds up to time `now`."""
        self.now = now
        if self._large is not None:
            self._large.advance(now)
            return
        ends, low = self._ends, self._low
        if low < len(ends) and ends[low] <= now:
            low = bisect_right(ends, now, low)
            if low >= TRIM:
                del ends[:low], self._loads[:low]
                low = 0
            self._low = low

    def add(self, start: int, prompt: int, end: int) -> None:
        """Enter an attempt: `prompt` tokens, from `start`, now at the latest, to `end` (rounds)."""
        if self._large is not None:
            self._large.add(start, prompt, end)
            return
        if end <= self.now:
            return
        ends, loads, low = self._ends, self._loads, self._low
        i, constant = bisect_left(ends, end, low), prompt - start
        after = len(ends) - i
        rest = loads[i] - (after + 1) * ends[i] if after else 0
        loads[low:i] = [u + e + constant for u, e in zip(loads[low:i], ends[low:i], strict=True)]
        ends.insert(i, end)
        loads.insert(i, rest + constant + (after + 2) * end)
        if len(ends) - low > MANY:
            self._grow_large()

    def remove(self, start: int, prompt: int, end: int) -> None:
        """Take out what is still ahead of an attempt that was entered before."""
        if end <= self.now:
            return
        if self._large is not None:
            self._large.remove(start, prompt, end)
            return
        ends, loads, low = self._ends, self._loads, self._low
        i, constant = bisect_left(ends, end, low), prompt - start
        load = loads[i] - constant - end
        loads[low:i] = [u - e - constant for u, e in zip(loads[low:i], ends[low:i], strict=True)]
        del ends[i], loads[i]
        while i < len(ends) and ends[i] == end:
            loads[i] = load
            i += 1

    def earliest_start(self, prompt: int, rounds: int, not_before: int) -> int:
        """Return the earliest start of an attempt that then fits; see `LiveProfile`."""
        start = not_before
        if self._large is not None:
            return self._large.earliest_start(prompt, rounds, start)
        ends, loads, low = self._ends, self._loads, self._low
        if start > self.now:
            low = bisect_right(ends, start, low)
        room = self.memory - prompt
        while True:
            i = bisect_left(ends, start + rounds, low)
            if low < i and (load := max(loads[low:i])) > room + start:
                # It is too early until the load fits, or until that end is no longer inside.
                start = min(load - room, ends[loads.index(load, low)])
            elif i == len(ends):
                return start
            else:
                running, end = len(ends) - i, ends[i]
                used = loads[i] - end - running * (end - start - rounds)  # in its last round
                if used + rounds <= room:
                    return start
                start = end + 1 - rounds  # until then that round gets only fuller
            low = bisect_right(ends, start, low)

    def _grow_large(self) -> None:
        """Hand everything to a `LiveProfile`."""
        ends = np.array(self._ends[self._low :], dtype=np.int64)
        loads = np.array(self._loads[self._low :], dtype=np.int64)
        times, first = np.unique(ends, return_index=True)
        self._large = LiveProfile.of_running(
            self.memory, self.now, times, loads[first] - times, len(ends) - first
        )
        self._ends, self._loads, self._low = [], [], 0
