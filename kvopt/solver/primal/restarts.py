"""Searches for schedules from several random seeds, of which the best goes on.

A search comes to a local optimum within about a second, and seldom to a better one later; from
seed to seed they differ by several per mille.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.params import RestartParams
from kvopt.solver.primal.schedule_search import ScheduleSearch

__all__ = ["RestartedSearch"]

STRIDE = 1_000
"""Seeds of one of these searches differ by this; those of searches side by side by less."""


class RestartedSearch(ScheduleSearch):
    """A new search and the one with the best schedule in turn; never finished.

    Parameters
    ----------
    instance, seed
        As of `ScheduleSearch`.
    params
        The tuning numbers.
    make
        Returns a search, of the same first schedule, for a random seed.
    """

    def __init__(
        self,
        instance: Instance,
        seed: int,
        params: RestartParams,
        make: Callable[[int], ScheduleSearch],
    ) -> None:
        super().__init__(instance, seed)
        self._seed = seed
        self._params = params
        self._make = make
        self._leader = make(seed)
        self._best = self._leader.best_starts()
        self._pieces = self._turns()

    def best_starts(self) -> IntArray:
        """Return the starts of the best schedule so far (rounds), shape (n,)."""
        return self._best.copy()

    def take(self, starts: IntArray) -> bool:
        """Let the leader go on from another schedule if it is cheaper; tell whether it is."""
        better = self._keep(starts)
        if better:
            self._leader.take(starts)
        return better

    def chain(self) -> bool:
        """Do the next piece of work, and tell whether a better schedule was found."""
        return next(self._pieces)

    def _turns(self) -> Iterator[bool]:
        """Go on for ever, a piece at a time."""
        work = float(self._params.work * len(self._instance) ** 2)
        yield from self._piece(self._leader, work)
        for number in itertools.count(1):
            fresh = self._make(self._seed + STRIDE * number)
            yield from self._piece(fresh, work)
            if (fresh.best_starts() == self._best).all():
                self._leader = fresh
            yield from self._piece(self._leader, work * self._params.leading)
            work *= self._params.growth

    def _piece(self, search: ScheduleSearch, work: float) -> Iterator[bool]:
        """Go on with a search until it has looked at so many more rounds."""
        end = search.work + work
        while search.work < end:
            before, evaluations = search.work, search.evaluations
            better = search.chain()
            self.work += search.work - before
            self.evaluations += search.evaluations - evaluations
            yield better and self._keep(search.best_starts())

    def _keep(self, starts: IntArray) -> bool:
        better = int(starts.sum()) < int(self._best.sum())
        if better:
            self._best = starts.copy()
        return better
