"""Better schedules: a few requests are taken out and placed anew, in the best order.

All other requests stay where they are.  The few are placed one after another, each as early as it
fits beside those; a branch and bound finds the order that costs least (large-neighbourhood search:
Shaw 1998, "Using constraint programming and local search methods to solve vehicle routing
problems").  The sum of the starts at which those not placed yet would fit bounds what an order
can cost.

Which requests are taken out is drawn from stretches of a list: requests that start one soon after
the other, have about the same output, or any.  Stretches and numbers of requests that pay are drawn
more often.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.params import NeighbourhoodParams
from kvopt.solver.primal.moves import lengths_of
from kvopt.solver.primal.neighbourhood_kernel import Functions, tree_for
from kvopt.solver.primal.schedule_search import LocalSearch

__all__ = ["NeighbourhoodSearch"]


@dataclass(slots=True)
class _Way:
    """A way to draw requests, and what it has been worth lately.

    Parameters
    ----------
    by_start
        Whether from a list in the order of starts; else of outputs.
    span
        From how many neighbours in the list.
    size
        How many, at most.
    times
        How often it was gone.
    gain, work
        How much that has gained lately, and how many rounds were looked at (rounds).
    """

    by_start: bool
    span: int
    size: int
    times: int = 0
    gain: float = 0.0
    work: float = 0.0

    def learn(self, gain: int, work: int, forgetting: float) -> None:
        """Take into account what it has gained now."""
        self.times += 1
        share = max(forgetting, 1 / self.times)
        self.gain += share * (gain - self.gain)
        self.work += share * (work - self.work)


class NeighbourhoodSearch(LocalSearch):
    """Large-neighbourhood search; never finished.

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
        params: NeighbourhoodParams,
        functions: Functions,
    ) -> None:
        super().__init__(instance, starts, seed, params.turn)
        n = len(instance)
        self.params = params
        self._functions = functions
        self._lengths = lengths_of(instance)
        largest = min(n, max(1, params.largest))
        sizes = range(min(largest, max(1, params.smallest)), largest + 1)
        spans = sorted({min(n, span) for span in (params.span, params.long_span, n)})
        drawn = [(by_start, span) for by_start in (True, False) for span in spans]
        drawn.remove((False, n))  # the same as (True, n)
        self._ways = [_Way(*way, size) for way, size in itertools.product(drawn, sizes)]
        self._tree = tree_for(largest)
        self._by_output = np.lexsort((instance.prompts, instance.outputs))

    def begin(self, starts: IntArray) -> None:
        """Go on from another schedule, cheaper or not."""
        super().begin(starts)
        self._since_listed = 0

    def chain(self) -> bool:
        """Take requests out some times in one way, and tell whether a better schedule was found."""
        params, n = self.params, len(self._instance)
        way = self._drawn_way()
        times = max(1, params.times)
        self._since_listed += times
        if self._since_listed > n and way.by_start:
            self._by_start = np.lexsort((self._lengths.outputs, self._loaded.start))
            self._since_listed = 0
        listed = self._by_start if way.by_start else self._by_output
        first = self._random.integers(0, n - way.span + 1, (times, 1))
        drawn = listed[first + self._random.integers(0, way.span, (times, way.size))]
        gain, work = self._functions.place_anew(
            self._lengths, self._loaded, self._tree, drawn, max(1, params.nodes)
        )
        self.evaluations += times
        self.work += work
        way.learn(gain, work, params.forgetting)
        return gain > 0

    def _drawn_way(self) -> _Way:
        """Draw a way: the more work the better it has paid, and some work for all."""
        for way in self._ways:
            if way.times == 0:
                return way
        work = np.array([max(1.0, way.work) for way in self._ways])
        worth = (np.array([way.gain for way in self._ways]) / work) ** 2
        explored = self.params.exploring / len(worth)
        share = explored + (1 - self.params.exploring) * worth / max(worth.sum(), 1e-300)
        chance = share / work
        return self._ways[self._random.choice(len(chance), p=chance / chance.sum())]
