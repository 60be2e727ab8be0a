"""Better schedules of many requests of few types: copies of a request start at a pace.

Placed as early as they fit, copies of one request start in bursts, and all of a burst need the most
memory at the same time.  Spread evenly, more of them run in the same memory; but as long as only
some have been moved, nothing is gained, so neither annealing nor large neighbourhoods get there.
Here all requests that start from some time on, or only those of one or two types among them, are
placed anew at once, each type at a pace: a copy starts so many rounds after the one before it at
the soonest.  The time, the types and the paces are drawn at random, paces from somewhat tighter
than now on; the schedule stays if it is cheaper.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.params import PacingParams
from kvopt.solver.primal.moves import lengths_of
from kvopt.solver.primal.neighbourhoods import load_of
from kvopt.solver.primal.pacing_kernel import FAR, Functions, Paced, Scratch
from kvopt.solver.primal.schedule_search import ScheduleSearch

__all__ = ["PacedSearch", "paces_fit"]


def paces_fit(instance: Instance, params: PacingParams) -> bool:
    """Tell whether there are many requests, and enough of them of types that have many."""
    n = len(instance)
    if not params.least_requests <= n <= params.most_requests:
        return False
    counts = instance.request_types().counts
    many = counts >= max(params.least_copies, params.least_part * n)
    return int(counts[many].sum()) >= params.least_share * n


class PacedSearch(ScheduleSearch):
    """Random paces for random parts of a schedule; never finished.

    Parameters
    ----------
    instance, seed
        As of `ScheduleSearch`.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    params
        The tuning numbers.
    functions
        The functions to use.
    """

    def __init__(
        self,
        instance: Instance,
        starts: IntArray,
        seed: int,
        params: PacingParams,
        functions: Functions,
    ) -> None:
        super().__init__(instance, seed)
        self.params = params
        self._functions = functions
        self._lengths = lengths_of(instance)
        self._kind = np.array(instance.request_types().index, dtype=np.int64)
        self._kinds = len(instance.request_types())
        self.begin(starts)

    def best_starts(self) -> IntArray:
        """Return the starts of the best schedule so far (rounds), shape (n,)."""
        return np.array(self._paced.start, dtype=np.int64)

    def take(self, starts: IntArray) -> bool:
        """Go on from another schedule if it is cheaper; tell whether it is."""
        if int(starts.sum()) >= self._sum:
            return False
        self.begin(starts)
        return True

    def begin(self, starts: IntArray) -> None:
        """Go on from another schedule, cheaper or not.

        Parameters
        ----------
        starts
            Start times of a feasible schedule (rounds), shape (n,).
        """
        longest = int(self._lengths.outputs.max())
        end = int((starts + self._lengths.outputs).max())
        load = load_of(self._instance, starts, end + end // 8 + 2 * longest + 2)
        self._paced = Paced(np.array(starts, dtype=np.int64), load, end)
        self._scratch = Scratch(self._paced.start.copy(), load.copy())
        self._sum = int(starts.sum())
        self._by_start = np.lexsort((self._lengths.outputs, starts))
        self._by_output = np.lexsort((starts, self._lengths.outputs))

    def chain(self) -> bool:
        """Try some paces, and tell whether a better schedule was found."""
        before = self._sum
        for _ in range(max(1, self.params.times)):
            self._try()
        return self._sum < before

    def _try(self) -> None:
        """Place a part of the schedule anew, and keep it if it is cheaper."""
        start = self._paced.start
        begin = int(self._random.integers(0, int(start.max()) + 1))
        drawn = (start >= begin) & self._drawn_kinds(start >= begin)
        listed = self._by_start if self._random.integers(2) else self._by_output
        listed = listed[drawn[listed]]
        pace = self._drawn_paces(drawn)
        last = np.full(self._kinds, -FAR)
        np.maximum.at(last, self._kind[start < begin], start[start < begin])
        self.evaluations += 1
        cost, work = self._functions.place_paced(
            self._lengths,
            self._paced,
            self._scratch,
            listed,
            self._kind,
            pace,
            np.maximum(begin, last + pace),
            int(start[listed].sum()) - 1,
        )
        self.work += int(work)
        if cost < FAR:
            starts = start.copy()
            starts[listed] = self._scratch.start[listed]
            self.begin(starts)

    def _drawn_kinds(self, later: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each request whether its type is drawn: all are, or one, or two in a row."""
        how_many = int(self._random.integers(3))
        if how_many == 0:
            return np.ones(len(self._kind), dtype=np.bool_)
        first = self._kind[self._random.choice(np.flatnonzero(later))]
        present = np.unique(self._kind[later & (self._kind >= first)])
        return np.asarray(np.isin(self._kind, present[:how_many]))

    def _drawn_paces(self, drawn: NDArray[np.bool_]) -> IntArray:
        """Return a pace for each type: what it is now, times a random number (rounds)."""
        kind, start = self._kind[drawn], self._paced.start[drawn]
        first, last = np.full(self._kinds, FAR), np.zeros(self._kinds, dtype=np.int64)
        np.minimum.at(first, kind, start)
        np.maximum.at(last, kind, start)
        gaps = np.bincount(kind, minlength=self._kinds) - 1
        mean = np.where(gaps > 0, last - first, 0) / np.maximum(gaps, 1)
        factor = self._random.uniform(self.params.tightest, self.params.widest, self._kinds)
        return np.rint(mean * factor).astype(np.int64)
