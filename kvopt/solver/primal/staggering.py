"""Better schedules of many requests of few types: copies of a request are staggered.

Placed as early as they fit, copies of one request start in bursts, and all of a burst need the most
memory at the same time.  Spread evenly, more of them run in the same memory; but as long as only
some have been moved, nothing is gained, so neither annealing nor large neighbourhoods get there.
Here all requests that start from some time on, or only those of one or two types among them, are
placed anew at once, each as early as it fits and a spacing of its type after the copy before it.
The time, the types and the spacings are drawn at random, spacings from somewhat tighter than now
on; the schedule stays if it is cheaper.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.params import StaggeringParams
from kvopt.solver.primal.moves import FAR, Loaded, lengths_of
from kvopt.solver.primal.schedule_search import LocalSearch
from kvopt.solver.primal.staggering_kernel import Functions

__all__ = ["StaggeredSearch", "copies_fit"]


def copies_fit(instance: Instance, params: StaggeringParams) -> bool:
    """Tell whether there are many requests, and enough of them of types that have many."""
    n = len(instance)
    if not params.least_requests <= n <= params.most_requests:
        return False
    counts = instance.request_types().counts
    many = counts >= max(params.least_copies, params.least_part * n)
    return int(counts[many].sum()) >= params.least_share * n


class StaggeredSearch(LocalSearch):
    """Random spacings for random parts of a schedule; never finished.

    Parameters
    ----------
    instance, starts, seed
        As of `LocalSearch`.
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
        params: StaggeringParams,
        functions: Functions,
    ) -> None:
        super().__init__(instance, starts, seed, params.turn)
        self.params = params
        self._functions = functions
        self._lengths = lengths_of(instance)
        self._kind = instance.request_types().index.astype(np.int64)
        self._kinds = len(instance.request_types())

    def begin(self, starts: IntArray) -> None:
        """Go on from another schedule, cheaper or not."""
        super().begin(starts)
        loaded = self._loaded
        self._trial = Loaded(loaded.start.copy(), loaded.load.copy(), loaded.horizon)
        self._by_output = np.lexsort((starts, self._instance.outputs))

    def chain(self) -> bool:
        """Try some spacings, and tell whether a better schedule was found."""
        found = [self._improves() for _ in range(max(1, self.params.times))]
        return any(found)

    def _room(self, makespan: int) -> int:
        """Return an eighth of the makespan: a cheaper schedule may end much later."""
        return makespan // 8

    def _improves(self) -> bool:
        """Place a part of the schedule anew, and keep it if it is cheaper."""
        start = self._loaded.start
        begin = int(self._random.integers(0, int(start.max()) + 1))
        later = start >= begin
        drawn = later & self._drawn_kinds(later)
        listed = self._by_start if self._random.integers(2) else self._by_output
        listed = listed[drawn[listed]]
        spacing = self._drawn_spacings(drawn)
        last = np.full(self._kinds, -FAR)
        np.maximum.at(last, self._kind[~later], start[~later])
        self.evaluations += 1
        cost, work = self._functions.place_staggered(
            self._lengths,
            self._loaded,
            self._trial,
            listed,
            self._kind,
            spacing,
            np.maximum(begin, last + spacing),
            int(start[listed].sum()) - 1,
        )
        self.work += int(work)
        if cost == FAR:
            return False
        starts = start.copy()
        starts[listed] = self._trial.start[listed]
        self.begin(starts)
        return True

    def _drawn_kinds(self, later: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each request whether its type is drawn: all are, or one, or two in a row."""
        how_many = int(self._random.integers(3))
        if how_many == 0:
            return np.ones(len(self._kind), dtype=np.bool_)
        first = self._kind[self._random.choice(np.flatnonzero(later))]
        present = np.unique(self._kind[later & (self._kind >= first)])
        return np.asarray(np.isin(self._kind, present[:how_many]))

    def _drawn_spacings(self, drawn: NDArray[np.bool_]) -> IntArray:
        """Return a spacing for each type: what it is now, times a random number (rounds)."""
        kind, start = self._kind[drawn], self._loaded.start[drawn]
        first, last = np.full(self._kinds, FAR), np.zeros(self._kinds, dtype=np.int64)
        np.minimum.at(first, kind, start)
        np.maximum.at(last, kind, start)
        gaps = np.bincount(kind, minlength=self._kinds) - 1
        mean = np.where(gaps > 0, last - first, 0) / np.maximum(gaps, 1)
        factor = self._random.uniform(self.params.tightest, self.params.widest, self._kinds)
        return np.rint(mean * factor).astype(np.int64)
