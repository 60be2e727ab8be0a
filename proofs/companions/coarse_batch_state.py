"""Companion of coarse_batch_state.md: looks, shifts and coarse paths, on schedules and optima."""

from __future__ import annotations

import functools
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from companions.checking import checker
from companions.model import random_feasible
from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.state_graph import solve_by_state_graph

Kind = tuple[int, int]
Mark = tuple[int, int]
Batch = tuple[Mark, ...]
FAR = 10**60


class Seen(NamedTuple):
    """P, x, q and r of a request, for a grid and a shift."""

    before: int
    offset: int
    looks: int
    rest: int


class Run(NamedTuple):
    """A start, the looks and the completion of a variant on a coarse path.

    Attributes
    ----------
    start
        After which look it starts.
    kind
        Prompt and output.
    looks
        How many looks see it, at least 1.
    """

    start: int
    kind: Kind
    looks: int


def seen(start: int, output: int, grid: int, shift: int) -> Seen:
    """Return P, x, q and r as the document defines them."""
    before = (start + shift) // grid
    offset = start + shift - grid * before
    looks, rest = divmod(output + offset, grid)
    return Seen(before, offset, looks, rest)


def check_looks(kind: Kind, start: int, grid: int, shift: int) -> None:
    """Lemma 1, look by look."""
    s, o = kind
    before, offset, looks, rest = seen(start, o, grid, shift)
    assert 0 <= offset < grid
    assert 0 <= rest < grid
    running = []
    for look in range(1, (start + o + shift) // grid + 3):
        rounds = grid * look - shift - start  # that have been gone through
        if 1 <= rounds <= o:
            running.append(look)
            j = look - before
            assert s + rounds == s + 1 + grid * (j - 1) + (grid - 1 - offset)
    assert running == list(range(before + 1, before + looks + 1))
    if looks:
        assert start + o - (grid * (before + looks) - shift) == rest


def check_shifts(start: int, output: int, grid: int) -> None:
    """Lemma 2."""
    every = [seen(start, output, grid, shift) for shift in range(grid)]
    assert sum(one.before for one in every) == start
    assert sum(one.before + one.looks for one in every) == start + output
    looks, rest = divmod(output, grid)
    assert Counter(one.looks for one in every) == Counter(
        [looks] * (grid - rest) + [looks + 1] * rest
    )


def room(kind: Kind, looks: int, running: int, grid: int) -> int:
    """Return for how many tokens more than the marks a completion has to have room."""
    short, rest = divmod(kind[1], grid)
    return rest - 1 if looks > short else grid - 1 + running * rest


def path_of(instance: Instance, starts: Sequence[int], grid: int, shift: int) -> list[Run]:
    """Return the coarse path of a schedule, its runs in the order of their completions."""
    runs = []
    for t, request in zip(starts, instance, strict=True):
        one = seen(t, request.output, grid, shift)
        if one.looks:
            run = Run(one.before, (request.prompt, request.output), one.looks)
            runs.append((one.before + one.looks, one.rest, run))
    return [run for _, _, run in sorted(runs)]


def check_path(memory: int, grid: int, path: Sequence[Run], more: int = 0, each: int = 0) -> None:
    """Assert that runs are a coarse path; `more` and `each` ask for more room than is proved."""
    for t in range(1, max((run.start + run.looks for run in path), default=0) + 1):
        held = [
            (run.kind[0] + 1 + grid * (t - run.start - 1), run)
            for run in path
            if run.start < t <= run.start + run.looks
        ]
        assert sum(tokens for tokens, _ in held) <= memory
        for one in [one for one in held if one[1].start + one[1].looks == t]:
            tokens = sum(tokens for tokens, _ in held)
            asked = room(one[1].kind, one[1].looks, len(held), grid) + more + each * len(held)
            assert tokens + asked <= memory
            held.remove(one)


class Coarse:
    """The bound of theorem 4 as the document defines it, by recursion.

    Parameters
    ----------
    instance
        The instance.
    grid, scale
        g and D.
    worth
        The duals of the short and the long variant of each type.
    """

    def __init__(
        self, instance: Instance, grid: int, scale: int, worth: dict[Kind, tuple[int, int]]
    ) -> None:
        self.memory, self.grid, self.scale, self.worth = instance.memory, grid, scale, worth
        self.counts = Counter((r.prompt, r.output) for r in instance)
        self.firsts = sorted({(s + 1, s) for s, _ in self.counts})
        self.last = max(max(pair) for pair in worth.values()) // scale
        self.label = functools.cache(self._label)
        self.lives = functools.cache(self._lives)
        self.last_look = functools.cache(self._last_look)
        self.living_label = functools.cache(self._living_label)

    def dual(self, kind: Kind, looks: int) -> int:
        """Return w of the variant that so many looks see."""
        return self.worth[kind][looks - kind[1] // self.grid] if looks else 0

    def cost(self, run: Run) -> int:
        """Return what the completion of a run costs."""
        return self.scale * (run.start + run.looks) - self.dual(run.kind, run.looks)

    def completed(self, batch: Batch, t: int) -> Iterator[tuple[int, Batch]]:
        """Yield what a completion costs, and the batch without it."""
        held = sum(tokens for tokens, _ in batch)
        for i, (tokens, s) in enumerate(batch):
            looks = 1 + (tokens - s - 1) // self.grid
            for kind in self.counts:
                if kind[0] == s and looks - kind[1] // self.grid in (0, 1):
                    if looks > kind[1] // self.grid and kind[1] % self.grid == 0:
                        continue  # nobody is long
                    if held + room(kind, looks, len(batch), self.grid) <= self.memory:
                        yield self.scale * t - self.dual(kind, looks), batch[:i] + batch[i + 1 :]

    def looked(self, batch: Batch) -> Iterator[Batch]:
        """Yield what the next look may see."""
        old = [(tokens + self.grid, s) for tokens, s in batch]
        left = self.memory - sum(tokens for tokens, _ in old)
        for number in range(left // self.firsts[0][0] + 1):
            for new in itertools.combinations_with_replacement(self.firsts, number):
                if sum(tokens for tokens, _ in new) <= left:
                    yield tuple(sorted((*old, *new)))

    def _label(self, t: int, batch: Batch) -> int:
        if t > self.last:
            return 0  # nothing pays any more
        ways = [FAR if batch else 0]
        ways += [cost + self.label(t, left) for cost, left in self.completed(batch, t)]
        ways += [self.label(t + 1, new) for new in self.looked(batch)]
        return min(ways)

    def aged(self, batch: Batch) -> Batch | None:
        """Return a batch a look later, if nobody starts, or None if that is no coarse batch."""
        older = tuple((tokens + self.grid, s) for tokens, s in batch)
        return older if sum(tokens for tokens, _ in older) <= self.memory else None

    def _lives(self, batch: Batch, t: int) -> bool:
        """Whether all of a batch can complete after look t, each while that pays."""
        if t > self.last or not batch:
            return not batch
        if any(cost < 0 and self.lives(left, t) for cost, left in self.completed(batch, t)):
            return True
        older = self.aged(batch)
        return older is not None and self.lives(older, t + 1)

    def _last_look(self, batch: Batch) -> int:
        """Return L of Lemma 6, or -1 if it is less."""
        if not batch:
            return FAR
        found = [-1]
        for worth, left in self.completed(batch, 0):  # at time 0 it costs minus the dual
            found.append(min(self.last_look(left), -(worth // self.scale) - 1))
        older = self.aged(batch)
        if older is not None:
            found.append(self.last_look(older) - 1)
        return max(found)

    def _living_label(self, t: int, batch: Batch) -> int:
        """Return what `label` does, for paths that see living batches only."""
        through = max((1 + (tokens - s - 1) // self.grid for tokens, s in batch), default=0)
        assert through <= t
        if t > self.last:
            return 0 if not batch else FAR
        ways = [FAR if batch else 0]
        ways += [cost + self.living_label(t, left) for cost, left in self.completed(batch, t)]
        following = self.looked(batch)
        ways += [self.living_label(t + 1, new) for new in following if self.lives(new, t + 1)]
        return min(ways)

    def constant(self) -> int:
        """Return the sum of the duals of all requests and shifts."""
        return sum(
            n
            * (
                (self.grid - o % self.grid) * self.worth[s, o][0]
                + o % self.grid * self.worth[s, o][1]
            )
            for (s, o), n in self.counts.items()
        )

    def bound(self) -> int:
        """Return the bound of Theorem 4."""
        value = self.constant() + self.grid * self.label(0, ())
        return max(0, -(-value // self.scale))

    def proof(self) -> dict[str, Any]:
        """Return the same as in a certificate."""
        duals = [[*kind, *self.worth[kind]] for kind in sorted(self.counts)]
        return {
            "rule": "coarse-batch-state",
            "grid": self.grid,
            "scale": self.scale,
            "duals": duals,
        }


def random_duals(instance: Instance, grid: int, rng: random.Random) -> Coarse:
    """Return duals that nobody has chosen, about what completions cost, or anything."""
    scale = rng.randint(1, 4)
    late, noise = rng.randint(0, 3 * scale), rng.choice([0, scale, 4 * scale])
    worth = {}
    for s, o in {(r.prompt, r.output) for r in instance}:
        looks, rest = divmod(o, grid)
        short, long = (scale * (looks + i) + late + rng.randint(-noise, noise) for i in (0, 1))
        worth[s, o] = (short if looks else 0, long if rest else 0)
    return Coarse(instance, grid, scale, worth)


def check_living(path: Sequence[Run], coarse: Coarse) -> None:
    """Lemma 6, for the batches of a path on which all completions pay."""
    for t in range(1, max((run.start + run.looks for run in path), default=0) + 1):
        batch = sorted(
            (run.kind[0] + 1 + coarse.grid * (t - run.start - 1), run.kind[0])
            for run in path
            if run.start < t <= run.start + run.looks
        )
        assert coarse.lives(tuple(batch), t)
        for number in range(len(batch)):
            for some in set(itertools.combinations(batch, number)):
                for look in range(1, coarse.last + 3):
                    assert coarse.lives(some, look) == (look <= coarse.last_look(some))
                assert coarse.last_look(some) >= t


def check_schedule(instance: Instance, starts: Sequence[int], coarse: Coarse) -> None:
    """Lemmas 1 to 3, 5 and 6, and Theorem 4, link by link."""
    grid, total = coarse.grid, sum(starts) + instance.total_output
    cheapest = coarse.label(0, ())
    sums = 0
    for t, request in zip(starts, instance, strict=True):
        check_shifts(t, request.output, grid)
    for shift in range(grid):
        unseen = 0
        for t, request in zip(starts, instance, strict=True):
            check_looks((request.prompt, request.output), t, grid, shift)
            one = seen(t, request.output, grid, shift)
            unseen += one.before if not one.looks else 0
        path = path_of(instance, starts, grid, shift)
        check_path(instance.memory, grid, path)
        for i in range(len(path)):  # Lemma 5
            check_path(instance.memory, grid, path[:i] + path[i + 1 :])
        cost = sum(map(coarse.cost, path))
        assert cheapest <= sum(min(0, coarse.cost(run)) for run in path) <= cost
        check_living([run for run in path if coarse.cost(run) < 0], coarse)
        sums += cost + coarse.scale * unseen
    assert sums == coarse.scale * total - coarse.constant()
    assert coarse.bound() <= total
    assert coarse.living_label(0, ()) == cheapest


def main(fast: bool) -> None:
    rng = random.Random(6)
    for number in range(12 if fast else 300):
        tiny = generate_random("tiny", 38, number)
        best = solve_by_state_graph(tiny)
        some = random_feasible(tiny, rng)
        for grid in rng.sample(range(1, 9), 3):
            coarse = random_duals(tiny, grid, rng)
            check_schedule(tiny, some, coarse)
            check_schedule(tiny, best.starts.tolist(), coarse)
            found = checker().bound(tiny.memory, dict(coarse.counts), coarse.proof())
            assert found == coarse.bound() <= best.objective
