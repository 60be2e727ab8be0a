"""Companion of coarse_aggregate_state.md: states of coarse batches, on schedules and optima."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Sequence
from typing import Any

from companions.checking import checker
from companions.coarse_batch_state import (
    FAR,
    Coarse,
    Kind,
    Run,
    path_of,
    random_duals,
    room,
    seen,
)
from companions.model import random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.state_graph import solve_by_state_graph

State = tuple[int, int]


class Aggregate:
    """The bound of theorem 4 as the document defines it, by recursion.

    Parameters
    ----------
    coarse
        The grid, the scale and the duals.
    prices
        m(0), m(1), ...; behind the last one it is the last.
    """

    def __init__(self, coarse: Coarse, prices: Sequence[int]) -> None:
        self.coarse, self.prices = coarse, list(prices)
        self.grid, self.scale, self.memory = coarse.grid, coarse.scale, coarse.memory
        self.requests = sum(coarse.counts.values())
        self.prompt = min(s for s, _ in coarse.counts)
        self.last_look = functools.cache(self._last_look)
        self.interval = functools.cache(self._interval)
        self.label = functools.cache(self._label)

    def price(self, t: int) -> int:
        """Return m(t)."""
        return self.prices[min(t, len(self.prices) - 1)]

    def held(self, state: State) -> int:
        """Return the tokens that those of a state hold at least."""
        return state[0] * (self.prompt + 1) + self.grid * state[1]

    def possible(self, state: State) -> bool:
        """Whether a state is possible."""
        if state[0] == 0:
            return state == (0, 0)
        return state[0] <= self.requests and state[1] >= 0 and self.held(state) <= self.memory

    def has_room(self, state: State, kind: Kind, looks: int) -> bool:
        """Whether some variant can complete."""
        return self.held(state) + room(kind, looks, state[0], self.grid) <= self.memory

    def completed(self, state: State) -> Iterator[tuple[State, int, int]]:
        """Yield what a completion leaves, the looks of the variant, and its dual."""
        for kind in self.coarse.counts:
            short, rest = divmod(kind[1], self.grid)
            for looks in (short, short + 1) if rest else (short,):
                left = (state[0] - 1, state[1] - looks + 1)
                if state[0] and looks and self.possible(left) and self.has_room(state, kind, looks):
                    yield left, looks, self.coarse.dual(kind, looks)

    def _last_look(self, state: State) -> int:
        """Return L of Lemma 2, or -1 if it is less."""
        if state == (0, 0):
            return FAR
        found = [-1]
        for left, _, dual in self.completed(state):
            found.append(min(self.last_look(left), -(-dual // self.scale) - 1))
        older = (state[0], sum(state))
        if self.possible(older):
            found.append(self.last_look(older) - 1)
        return max(found)

    def _interval(self, running: int, t: int) -> range:
        """Return the J that are looked at, for t >= 1."""
        every = [j for j in range(self.memory) if self.possible((running, j))]
        living = [j for j in every if self.last_look((running, j)) >= t]
        living = [j for j in living if j <= running * (t - 1)] if living else []
        return range(living[0], living[-1] + 1) if living else range(0)

    def _label(self, t: int, state: State) -> int:
        """Return what is still to pay at time t, after its look."""
        if t > self.coarse.last:
            return FAR if state[0] else 0
        ways = [FAR if state[0] else 0]
        for left, looks, dual in self.completed(state):
            cost = self.scale * t - dual
            if cost < 0 and looks <= t and left[1] in self.interval(left[0], t):
                ways.append(cost - self.price(t - looks) + self.label(t, left))
        for new in range(self.requests - state[0] + 1):
            later = (state[0] + new, sum(state))
            if self.possible(later) and later[1] in self.interval(later[0], t + 1):
                ways.append(new * self.price(t) + self.label(t + 1, later))
        return min(ways)

    def bound(self) -> int:
        """Return the bound of Theorem 4."""
        value = self.coarse.constant() + self.grid * min(0, self.label(0, (0, 0)))
        return max(0, -(-value // self.scale))

    def proof(self) -> dict[str, Any]:
        """Return the same as in a certificate."""
        starts = [[t, price] for t, price in enumerate(self.prices)]
        return {**self.coarse.proof(), "rule": "coarse-aggregate-state", "starts": starts}


def check_path(path: Sequence[Run], aggregate: Aggregate, more: int = 0) -> None:
    """Lemmas 1 to 3 for some runs of a coarse path; `more` asks for more room than is proved."""
    coarse = aggregate.coarse
    paid = sum(coarse.cost(run) for run in path)
    pays = all(coarse.cost(run) < 0 for run in path)
    cost = 0
    state = (0, 0)
    for t in range(max((run.start + run.looks for run in path), default=0) + 1):
        if t:
            before = [run.start < t - 1 for run in path if run.start < t <= run.start + run.looks]
            state = (len(before), sum(state))
            assert state[0] - sum(before) == sum(run.start == t - 1 for run in path)
            assert aggregate.possible(state)
        for run in path:
            cost += aggregate.price(t) if run.start == t else 0
            if pays and t:
                assert aggregate.last_look(state) >= t
                assert state[1] in aggregate.interval(state[0], t)
            if run.start + run.looks == t:
                assert aggregate.has_room(state, run.kind, run.looks)
                needed = room(run.kind, run.looks, state[0], aggregate.grid) + more
                assert aggregate.held(state) + needed <= aggregate.memory
                state = (state[0] - 1, state[1] - run.looks + 1)
                assert aggregate.possible(state)
                cost += coarse.cost(run) - aggregate.price(t - run.looks)
    assert state == (0, 0)
    assert cost == paid


def check_schedule(instance: Instance, starts: Sequence[int], aggregate: Aggregate) -> None:
    """Lemmas 1 to 3 and Theorem 4, link by link."""
    coarse = aggregate.coarse
    total = sum(starts) + instance.total_output
    cheapest = min(0, aggregate.label(0, (0, 0)))
    for shift in range(coarse.grid):
        path = path_of(instance, starts, coarse.grid, shift)
        check_path(path, aggregate)
        paying = [run for run in path if coarse.cost(run) < 0]
        check_path(paying, aggregate)
        assert cheapest <= sum(map(coarse.cost, paying)) <= sum(map(coarse.cost, path))
        for t, request in zip(starts, instance, strict=True):
            assert seen(t, request.output, coarse.grid, shift).before >= 0
    assert aggregate.bound() <= total


def random_aggregate(instance: Instance, grid: int, rng: random.Random) -> Aggregate:
    """Return duals and prices that nobody has chosen."""
    coarse = random_duals(instance, grid, rng)
    size = rng.choice([0, coarse.scale, 4 * coarse.scale])
    return Aggregate(coarse, [rng.randint(-size, size) for _ in range(rng.randint(1, 9))])


def main(fast: bool) -> None:
    rng = random.Random(7)
    for number in range(12 if fast else 300):
        tiny = generate_random("tiny", 38, number)
        best = solve_by_state_graph(tiny)
        some = random_feasible(tiny, rng)
        for grid in rng.sample(range(1, 9), 3):
            aggregate = random_aggregate(tiny, grid, rng)
            check_schedule(tiny, some, aggregate)
            check_schedule(tiny, best.starts.tolist(), aggregate)
            counts = dict(aggregate.coarse.counts)
            found = checker().bound(tiny.memory, counts, aggregate.proof())
            assert found == aggregate.bound() <= best.objective
