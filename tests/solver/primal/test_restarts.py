"""Searches for schedules that begin anew: which one goes on, and what is kept."""

from __future__ import annotations

import numpy as np

from kvopt import Instance, Schedule, Stopping, violations
from kvopt.generate import generate_random
from kvopt.model.instance import IntArray
from kvopt.solver.params import RestartParams, SolverParams
from kvopt.solver.primal.alternation import AlternatingSearch
from kvopt.solver.primal.annealing import search_of
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.primal.restarts import RestartedSearch
from kvopt.solver.primal.schedule_search import ScheduleSearch
from kvopt.solver.stage import Incumbent

INSTANCE = Instance(9, [1, 1], [2, 2])
"""Two requests, so that a turn is four times `work`."""


class Falling(ScheduleSearch):
    """A search whose cost falls by one a piece, from 100 down to what depends on the seed."""

    def __init__(self, seed: int, floors: dict[int, int]) -> None:
        super().__init__(INSTANCE, seed)
        self.seed, self.cost, self.floor = seed, 100, floors.get(seed, 99)

    def best_starts(self) -> IntArray:
        return np.array([0, self.cost])

    def take(self, starts: IntArray) -> bool:
        better = int(starts.sum()) < self.cost
        self.cost = min(self.cost, int(starts.sum()))
        return better

    def chain(self) -> bool:
        self.work += 1
        self.evaluations += 2
        better = self.cost > self.floor
        self.cost -= better
        return better


def begun(floors: dict[int, int], params: RestartParams) -> tuple[RestartedSearch, list[Falling]]:
    """Return a search for seed 3, and a list of the searches that it begins."""
    made: list[Falling] = []

    def make(seed: int) -> Falling:
        made.append(Falling(seed, floors))
        return made[-1]

    return RestartedSearch(INSTANCE, 3, params, make), made


def test_the_best_goes_on_between_new_ones() -> None:
    search, made = begun({3: 98, 1003: 80, 2003: 97}, RestartParams(work=2, growth=1, leading=0.5))
    costs = []
    for _ in range(32):
        search.chain()
        costs.append(int(search.best_starts().sum()))
    # Eight pieces a turn, and four for the best of all: seed 3, 1003 and 1003 again.
    assert [one.seed for one in made] == [3, 1003, 2003]
    assert costs[:8] == [99] + 7 * [98]
    assert costs[8:20] == [98, 98, 97, 96, 95, 94, 93, 92, 91, 90, 89, 88]
    assert costs[20:] == 8 * [88] + [87, 86, 85, 84]
    assert [one.work for one in made] == [8, 16, 8]
    assert (search.work, search.evaluations) == (32, 64)


def test_what_others_find_is_for_the_best_only() -> None:
    search, made = begun({}, RestartParams(work=2, growth=2))
    assert search.take(np.array([0, 50]))
    assert not search.take(np.array([0, 50]))
    assert made[0].cost == 50
    for _ in range(9):
        assert not search.chain()
    assert made[1].cost == 99
    assert search.best_starts().tolist() == [0, 50]
    for _ in range(9 + 2):
        search.chain()
    assert [one.work for one in made] == [8 + 3, 8, 1]


def test_two_searches_side_by_side_begin_with_different_seeds() -> None:
    instance = generate_random("real:requests=24:memory=1000", 1, 0)
    state = Incumbent(instance, SolverParams.usual())
    state.offer(best_list_schedule(instance))
    first, second = (search_of(state, Stopping(), seed) for seed in (0, 1))
    for search in (first, second):
        while search.work < 100_000_000:
            search.chain()
    assert (first.best_starts() != second.best_starts()).any()


def test_better_than_one_search_by_the_same_work() -> None:
    instance = generate_random("real:requests=24:memory=1000", 1, 7)
    state = Incumbent(instance, SolverParams.usual())
    state.offer(best_list_schedule(instance))
    alone = SolverParams(restarts=RestartParams(most_requests=0))
    found = []
    for params in (SolverParams(), alone):
        state.params = params
        search = search_of(state, Stopping())
        assert isinstance(search, RestartedSearch if params is not alone else AlternatingSearch)
        while search.work < 1_200_000_000:
            search.chain()
        assert not violations(Schedule.from_starts(instance, search.best_starts()))
        found.append(int(search.best_starts().sum()))
    assert found[0] < found[1]
