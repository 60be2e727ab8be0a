"""Annealing, large-neighbourhood search and staggering in turn.

Annealing shifts what comes later, and so gets the rhythm of a schedule right; placing a few
requests anew exchanges such as are far apart, and fills what is left free; staggering, where there
are many copies of requests, spreads them all at once.  Each goes on from what the others have
found.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.params import NeighbourhoodParams
from kvopt.solver.primal.neighbourhoods import NeighbourhoodSearch
from kvopt.solver.primal.schedule_search import LocalSearch, ScheduleSearch
from kvopt.solver.primal.staggering import StaggeredSearch

__all__ = ["AlternatingSearch"]


class AlternatingSearch(ScheduleSearch):
    """Large-neighbourhood search, and annealing when that no longer pays; never finished.

    Parameters
    ----------
    instance, seed
        As of `ScheduleSearch`.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    params
        The tuning numbers.
    annealing
        The annealing, from the same schedule.
    neighbourhoods
        The large-neighbourhood search.
    staggering
        The search that staggers copies, or None.
    """

    def __init__(
        self,
        instance: Instance,
        starts: IntArray,
        seed: int,
        params: NeighbourhoodParams,
        annealing: ScheduleSearch,
        neighbourhoods: NeighbourhoodSearch,
        staggering: StaggeredSearch | None,
    ) -> None:
        super().__init__(instance, seed)
        self.params = params
        self._annealing = annealing
        self._neighbourhoods = neighbourhoods
        self._staggering = staggering
        self._searches = (annealing, neighbourhoods, *([] if staggering is None else [staggering]))
        self._best = starts.copy()
        self._cost = int(starts.sum())
        self._work = self._turns()

    def best_starts(self) -> IntArray:
        """Return the starts of the best schedule so far (rounds), shape (n,)."""
        return self._best.copy()

    def take(self, starts: IntArray) -> bool:
        """Go on from another schedule if it is cheaper; tell whether it is."""
        if int(starts.sum()) >= self._cost:
            return False
        self._best, self._cost = starts.copy(), int(starts.sum())
        for search in self._searches:
            search.take(starts)
        return True

    def chain(self) -> bool:
        """Do the next piece of work of one, and tell whether a better schedule was found."""
        before = self._cost
        next(self._work)
        self.work = sum(search.work for search in self._searches)
        self.evaluations = sum(search.evaluations for search in self._searches)
        return self._cost < before

    def _turns(self) -> Iterator[None]:
        """Go on for ever, a piece at a time."""
        rate = self._first_rate()
        yield from self._descent(self._neighbourhoods, rate)
        while True:
            work, cost, leg = self._annealing.work, self._cost, self._annealing.legs
            while self._annealing.legs == leg and not self._annealing.finished:
                if self._annealing.chain():
                    self.take(self._annealing.best_starts())
                yield
            work = self._annealing.work - work
            rate = (cost - self._cost) / work if work > 0 else 0.0
            for candidate in self._annealing.candidates():
                self._neighbourhoods.begin(candidate)
                yield from self._descent(self._neighbourhoods, max(rate, self._least_rate()))
            self._neighbourhoods.begin(self._best)
            yield from self._descent(self._neighbourhoods, rate)
            if self._staggering is not None and self._is_due(self._staggering):
                self._staggering.begin(self._best)
                yield from self._descent(self._staggering, rate)

    def _is_due(self, staggering: StaggeredSearch) -> bool:
        """Tell whether staggering has had no more than its part of the work."""
        return staggering.work <= staggering.params.most_work * self._annealing.work

    def _descent(self, search: LocalSearch, rate: float) -> Iterator[None]:
        """Place requests anew as long as a round looked at gains as much as `rate` (rounds)."""
        for _ in itertools.count():
            work, cost = search.work, int(search.best_starts().sum())
            while search.work - work < search.turn:
                if search.chain():
                    self.take(search.best_starts())
                yield
            gained = cost - int(search.best_starts().sum())
            if gained <= 0 or gained < rate * (search.work - work):
                return

    def _first_rate(self) -> float:
        """Return what has to be gained with each round looked at before annealing begins."""
        if len(self._instance) > self.params.first_requests:
            return 0.0
        return self._least_rate()

    def _least_rate(self) -> float:
        """Return the gain of a turn that is worth another one, for each round looked at."""
        return self.params.least_gain * self._cost / max(1, self.params.turn)
