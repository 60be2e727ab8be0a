"""Companion of coarse_aggregate_state.md: states of batches at looks, on schedules and optima."""

from __future__ import annotations

import functools
import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from companions.checking import checker
from companions.coarse_batch_state import FAR, Kind, seen
from companions.model import random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.state_graph import solve_by_state_graph

State = tuple[int, int]
Intervals = dict[tuple[bool, bool], list[int]]


class Variant(NamedTuple):
    """An interval of a type: its place among the three, looks, steps added, and the room."""

    kind: Kind
    place: int
    looks: int
    added: int
    own: int
    each: int


class Run(NamedTuple):
    """A start, the looks and the completion of a variant on an aggregate path."""

    start: int
    variant: Variant


def intervals_of(kind: Kind, grid: int, shortest: int) -> Intervals:
    """Return the x of a type by whether it is high and whether it is long."""
    found: Intervals = {}
    for x in range(grid):
        high, long = x < (kind[0] - shortest) % grid, x >= grid - kind[1] % grid
        found.setdefault((high, long), []).append(x)
    return found


def variants_of(kind: Kind, grid: int, shortest: int) -> list[Variant]:
    """Return all intervals of a type that are not empty, those with no look too."""
    s, o = kind
    found = []
    for (high, long), every in intervals_of(kind, grid, shortest).items():
        place = 1 if high == long else 2 * long
        looks, added, x = o // grid + long, (s - shortest) // grid + high, every[0]
        own = s - shortest + grid - 1 - x - grid * added
        found.append(Variant(kind, place, looks, added, own, o + x - grid * looks))
    return found


def variant_at(kind: Kind, x: int, grid: int, shortest: int) -> Variant:
    """Return the variant of the requests of a type with one x."""
    every = intervals_of(kind, grid, shortest).values()
    at = next(i for i, some in enumerate(every) if x in some)
    return variants_of(kind, grid, shortest)[at]


class Aggregate:
    """The bound of theorem 5 as the document defines it, by recursion.

    Parameters
    ----------
    instance
        The instance.
    grid, scale
        g and D.
    worth
        The duals of the three intervals of each type.
    prices
        u and v of the times 0, 1, ...; behind the last one they are the last.
    """

    def __init__(
        self,
        instance: Instance,
        grid: int,
        scale: int,
        worth: dict[Kind, tuple[int, int, int]],
        prices: Sequence[tuple[int, int]],
    ) -> None:
        self.memory, self.grid, self.scale = instance.memory, grid, scale
        self.worth, self.prices = worth, list(prices)
        self.counts = Counter((r.prompt, r.output) for r in instance)
        self.shortest = min(s for s, _ in self.counts)
        self.steps = sorted((r.prompt - self.shortest) // grid for r in instance)
        self.last = max(max(duals) for duals in worth.values()) // scale
        self.variants = [
            one
            for kind in self.counts
            for one in variants_of(kind, grid, self.shortest)
            if one.looks
        ]
        self.most_added = max((one.added for one in self.variants), default=0)
        self.added_by = functools.cache(self._added_by)
        self.last_look = functools.cache(self._last_look)
        self.interval = functools.cache(self._interval)
        self.label = functools.cache(self._label)

    def dual(self, variant: Variant) -> int:
        """Return w of a variant."""
        return self.worth[variant.kind][variant.place]

    def cost(self, run: Run) -> int:
        """Return what a run costs in all."""
        return self.scale * (run.start + run.variant.looks) - self.dual(run.variant)

    def price(self, t: int, added: int) -> int:
        """Return what a start costs."""
        u, v = self.prices[min(t, len(self.prices) - 1)]
        return u + added * v

    def held(self, state: State) -> int:
        """Return the tokens that those of a state hold at least."""
        return state[0] * (self.shortest + 1) + self.grid * state[1]

    def possible(self, state: State, more: int = 0) -> bool:
        """Whether a state is possible; `more` asks for more steps than is proved."""
        if state[0] == 0:
            return state == (0, 0)
        if state[0] > len(self.steps) or self.held(state) > self.memory:
            return False
        return state[1] >= sum(self.steps[: state[0]]) + more

    def has_room(self, state: State, variant: Variant, own: int = 0, each: int = 0) -> bool:
        """Whether a variant can complete; `own` and `each` ask for more room than is proved."""
        asked = variant.own + own + state[0] * (variant.each + each)
        return self.held(state) + asked <= self.memory

    def completed(self, state: State) -> Iterator[tuple[State, Variant]]:
        """Yield what a completion leaves, for each variant."""
        for one in self.variants if state[0] else ():
            left = (state[0] - 1, state[1] - (one.looks - 1 + one.added))
            if self.possible(left) and self.has_room(state, one):
                yield left, one

    def pays_later(self, variant: Variant, t: int) -> bool:
        """Whether who starts at a time as this variant can complete while that pays."""
        return self.scale * (t + variant.looks) < self.dual(variant)

    def _added_by(self, starts: int, t: int) -> set[int]:
        """Return how many steps so many starts at a time may add."""
        if starts == 0:
            return {0}
        some = {one.added for one in self.variants if self.pays_later(one, t)}
        return {one + rest for one in some for rest in self.added_by(starts - 1, t)}

    def _last_look(self, state: State) -> int:
        """Return L of Lemma 3, or -1 if it is less."""
        if state == (0, 0):
            return FAR
        found = [-1]
        for left, one in self.completed(state):
            found.append(min(self.last_look(left), -(-self.dual(one) // self.scale) - 1))
        older = (state[0], sum(state))
        if self.possible(older):
            found.append(self.last_look(older) - 1)
        return max(found)

    def _interval(self, running: int, t: int) -> range:
        """Return the J that are looked at, for t >= 1."""
        every = [j for j in range(self.memory) if self.possible((running, j))]
        living = [j for j in every if self.last_look((running, j)) >= t]
        latest = running * (t - 1 + self.most_added)
        return range(living[0], min(living[-1], latest) + 1) if living else range(0)

    def is_seen(self, state: State, t: int) -> bool:
        """Whether a state is looked at."""
        return self.possible(state) and state[1] in self.interval(state[0], t)

    def _label(self, t: int, state: State) -> int:
        """Return what is still to pay at time t, after its look."""
        ways = [FAR if state[0] else 0]
        if t > self.last:
            return ways[0]
        for left, one in self.completed(state):
            cost = self.scale * t - self.dual(one)
            if cost < 0 and one.looks <= t and self.is_seen(left, t):
                ways.append(cost - self.price(t - one.looks, one.added) + self.label(t, left))
        for new in range(len(self.steps) - state[0] + 1):
            for added in self.added_by(new, t):
                later = (state[0] + new, sum(state) + added)
                if self.is_seen(later, t + 1):
                    cost = new * self.price(t, 0) + self.price(t, added) - self.price(t, 0)
                    ways.append(cost + self.label(t + 1, later))
        return min(ways)

    def constant(self) -> int:
        """Return the sum of the duals of all requests and all x."""
        return sum(
            number * self.dual(variant_at(kind, x, self.grid, self.shortest))
            for kind, number in self.counts.items()
            for x in range(self.grid)
        )

    def bound(self) -> int:
        """Return the bound of Theorem 5."""
        value = self.constant() + self.grid * min(0, self.label(0, (0, 0)))
        return max(0, -(-value // self.scale))

    def proof(self) -> dict[str, Any]:
        """Return the same as in a certificate."""
        return {
            "rule": "coarse-aggregate-state",
            "grid": self.grid,
            "scale": self.scale,
            "duals": [[*kind, *self.worth[kind]] for kind in sorted(self.counts)],
            "starts": [[t, *price] for t, price in enumerate(self.prices)],
        }


def check_intervals(kind: Kind, grid: int, shortest: int) -> None:
    """Check that c and g - b divide the x of a type, in the order of the duals."""
    cuts = [0, *sorted(((kind[0] - shortest) % grid, grid - kind[1] % grid)), grid]
    found = []
    for place, (begin, end) in enumerate(itertools.pairwise(cuts)):
        found += [place] * (end - begin)
    places = [variant_at(kind, x, grid, shortest).place for x in range(grid)]
    assert places == found


def check_room(
    instance: Instance,
    starts: Sequence[int],
    grid: int,
    shift: int,
    own: int = 0,
    each: int = 0,
) -> None:
    """Lemma 1, round by round; `own` and `each` claim that more tokens are held."""
    shortest = min(r.prompt for r in instance)
    every = [
        (t, (r.prompt, r.output), seen(t, r.output, grid, shift))
        for t, r in zip(starts, instance, strict=True)
    ]
    for _, kind, one in every:
        variant = variant_at(kind, one.offset, grid, shortest)
        assert variant.looks == one.looks
        if one.looks == 0:
            continue
        look = one.before + one.looks
        at = grid * look - shift
        least = tokens = running = 0
        for start, (s, o), other in every:
            if not (start < at and at + one.rest <= start + o):
                continue  # it does not run in both rounds
            running += 1
            tokens += s + at + one.rest - start
            added = variant_at((s, o), other.offset, grid, shortest).added
            bound = shortest + 1 + grid * (look - other.before - 1 + added)
            assert bound <= s + at - start
            least += bound
        asked = variant.own + own + running * (variant.each + each)
        assert least + asked <= tokens <= instance.memory


def path_of(instance: Instance, starts: Sequence[int], grid: int, shift: int) -> list[Run]:
    """Return the runs of a schedule that looks see, in the order of their completions."""
    shortest = min(r.prompt for r in instance)
    runs = []
    for t, request in zip(starts, instance, strict=True):
        one = seen(t, request.output, grid, shift)
        if one.looks:
            kind = request.prompt, request.output
            run = Run(one.before, variant_at(kind, one.offset, grid, shortest))
            runs.append((one.before + one.looks, one.rest, run))
    return [run for _, _, run in sorted(runs)]


def state_of(path: Iterable[Run], t: int) -> State:
    """Return the state that look t sees."""
    looks = [
        t - run.start - 1 + run.variant.added
        for run in path
        if run.start < t <= run.start + run.variant.looks
    ]
    return len(looks), sum(looks)


def check_path(
    path: Sequence[Run], aggregate: Aggregate, own: int = 0, each: int = 0, steps: int = 0
) -> None:
    """Lemmas 2 to 4 for some runs of a schedule.

    `own` and `each` ask for more room than is proved, `steps` for more steps of a state.
    """
    paid = sum(aggregate.cost(run) for run in path)
    pays = all(aggregate.cost(run) < 0 for run in path)
    cost, state = 0, (0, 0)
    for t in range(max((run.start + run.variant.looks for run in path), default=0) + 1):
        if t:
            added = [run.variant.added for run in path if run.start == t - 1]
            state = (state[0] + len(added), sum(state) + sum(added))
            assert state == state_of(path, t)
            check_state(state, t, aggregate, pays, steps)
        if pays:
            begun = [run.variant.added for run in path if run.start == t]
            assert sum(begun) in aggregate.added_by(len(begun), t)
        for run in path:
            looks, more = run.variant.looks, run.variant.added
            cost += aggregate.price(t, more) if run.start == t else 0
            if run.start + looks == t:
                assert aggregate.has_room(state, run.variant, own, each)
                state = (state[0] - 1, state[1] - (looks - 1 + more))
                check_state(state, t, aggregate, pays, steps)
                cost += aggregate.cost(run) - aggregate.price(t - looks, more)
    assert state == (0, 0)
    assert cost == paid


def check_state(state: State, t: int, aggregate: Aggregate, pays: bool, steps: int) -> None:
    """Check a state at look t, or after some completions of time t: possible, and looked at."""
    assert aggregate.possible(state, steps)
    if pays:
        assert aggregate.last_look(state) >= t
        assert aggregate.is_seen(state, t)


def check_schedule(instance: Instance, starts: Sequence[int], aggregate: Aggregate) -> None:
    """Lemmas 1 to 4 and Theorem 5, link by link."""
    grid, total = aggregate.grid, sum(starts) + instance.total_output
    cheapest = min(0, aggregate.label(0, (0, 0)))
    sums = 0
    for shift in range(grid):
        check_room(instance, starts, grid, shift)
        path = path_of(instance, starts, grid, shift)
        check_path(path, aggregate)
        for i in range(len(path)):
            check_path(path[:i] + path[i + 1 :], aggregate)
        paying = [run for run in path if aggregate.cost(run) < 0]
        check_path(paying, aggregate)
        cost = sum(map(aggregate.cost, path))
        assert cheapest <= sum(map(aggregate.cost, paying)) <= cost
        every = [
            seen(t, request.output, grid, shift)
            for t, request in zip(starts, instance, strict=True)
        ]
        sums += cost + aggregate.scale * sum(one.before for one in every if not one.looks)
    assert sums == aggregate.scale * total - aggregate.constant() >= grid * cheapest
    assert aggregate.bound() <= total


def random_aggregate(instance: Instance, grid: int, rng: random.Random) -> Aggregate:
    """Return duals and prices that nobody has chosen, about what completions cost, or anything."""
    scale = rng.randint(1, 4)
    late, noise = rng.randint(0, 3 * scale), rng.choice([0, scale, 4 * scale])
    worth = {}
    shortest = min(r.prompt for r in instance)
    for kind in {(r.prompt, r.output) for r in instance}:
        duals = [0, 0, 0]
        for one in variants_of(kind, grid, shortest):
            if one.looks:
                duals[one.place] = scale * one.looks + late + rng.randint(-noise, noise)
        worth[kind] = duals[0], duals[1], duals[2]
    size, steep = (rng.choice([0, scale, 4 * scale]) for _ in range(2))
    prices = [
        (rng.randint(-size, size), rng.randint(-steep, steep)) for _ in range(rng.randint(1, 9))
    ]
    return Aggregate(instance, grid, scale, worth, prices)


def mixed_instance(rng: random.Random) -> Instance:
    """Return an instance with prompts that are several steps apart."""
    memory = rng.randint(8, 14)
    prompts = [rng.randint(0, 7) for _ in range(rng.randint(2, 5))]
    return Instance(memory, prompts, [rng.randint(1, min(8, memory - s)) for s in prompts])


def main(fast: bool) -> None:
    rng = random.Random(7)
    for number in range(12 if fast else 300):
        for tiny in (generate_random("tiny", 38, number), mixed_instance(rng)):
            best = solve_by_state_graph(tiny)
            some = random_feasible(tiny, rng)
            for grid in rng.sample(range(1, 9), 3):
                aggregate = random_aggregate(tiny, grid, rng)
                for kind in aggregate.counts:
                    check_intervals(kind, grid, aggregate.shortest)
                check_schedule(tiny, some, aggregate)
                check_schedule(tiny, best.starts.tolist(), aggregate)
                found = checker().bound(tiny.memory, dict(aggregate.counts), aggregate.proof())
                assert found == aggregate.bound() <= best.objective
