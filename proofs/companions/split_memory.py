"""Companion of split_memory.md: the policy, literally, and each step of its bound."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from companions.area_slices import area, check_optimum, level_of, pair_sum, slice_at
from kvopt import Instance, policy_from_spec, solve
from kvopt.theory.mixed_bounds import area_budget_bound

GROWTH = Fraction(2)
OWN = Fraction("9.98")
"""b, rounded up."""


class Attempt(NamedTuple):
    """An attempt: who, at which level, with which slice, from when to when (rounds)."""

    request: int
    level: int
    slice: int
    start: int
    end: int
    short: bool


def plan(prompt: int, output: int, memory: int) -> list[tuple[int, int]]:
    """Return (level, slice) of the levels in which a request takes part, up to p(i)."""
    found: list[tuple[int, int]] = []
    for q in range(level_of(prompt, output, memory, GROWTH) + 1):
        slice = slice_at(prompt, q, memory, GROWTH)
        if slice > (found[-1][1] if found else 0):
            found.append((q, slice))
    return found


class Split:
    """A run of split memory, round by round."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.half = instance, instance.memory // 2
        self.plans = [plan(r.prompt, r.output, instance.memory) for r in instance]
        self.attempts: list[Attempt] = []
        self.running: list[Attempt] = []
        self.queue: list[int] = []  # of the present level of long attempts
        now = 0
        while any(self.plans):
            self._start_short(now)
            self._start_long(now)
            assert self.running
            now = min(a.end for a in self.running)
            for attempt in [a for a in self.running if a.end == now]:
                self.running.remove(attempt)
                self.plans[attempt.request].pop(0)

    def _waiting(self, short: bool) -> list[tuple[int, int]]:
        """Return (level, request) of all whose next attempt is short, or long, in order."""
        taken = {a.request for a in self.running}
        return sorted(
            (left[0][0], i)
            for i, left in enumerate(self.plans)
            if left and i not in taken and (left[0][1] <= self.instance[i].prompt) == short
        )

    def _start(self, request: int, now: int, short: bool) -> None:
        level, slice = self.plans[request][0]
        end = now + min(slice, self.instance[request].output)
        self.running.append(Attempt(request, level, slice, now, end, short))
        self.attempts.append(self.running[-1])

    def reserved(self, attempt: Attempt) -> int:
        """Return twice the prompt, or the peak of a long attempt."""
        prompt = self.instance[attempt.request].prompt
        return 2 * prompt if attempt.short else prompt + attempt.slice

    def _free(self, short: bool) -> int:
        return self.half - sum(self.reserved(a) for a in self.running if a.short == short)

    def _start_short(self, now: int) -> None:
        for _, i in self._waiting(True):
            if 2 * self.instance[i].prompt > self._free(True):
                return
            self._start(i, now, True)

    def _start_long(self, now: int) -> None:
        if not self.queue and all(a.short for a in self.running):
            waiting = self._waiting(False)
            pool = [q for q, _ in self._waiting(True)]
            pool += [a.level for a in self.running]
            if waiting and all(q > waiting[0][0] for q in pool):
                self.queue = [i for q, i in waiting if q == waiting[0][0]]
        while self.queue:
            i = self.queue[0]
            if self.instance[i].prompt + self.plans[i][0][1] > self._free(False):
                return
            self._start(self.queue.pop(0), now, False)


def share_of(instance: Instance) -> Fraction:
    """Return the least w of lemma 1."""
    peaks = []
    for r in instance:
        peaks.append(2 * r.prompt)
        slices = [slice for _, slice in plan(r.prompt, r.output, instance.memory)]
        peaks += [r.prompt + slice for slice in slices if slice > r.prompt]
    return Fraction(max(peaks), instance.memory)


def covered(instance: Instance) -> bool:
    return instance.memory % 2 == 0 and 2 * share_of(instance) < 1


def root_above(x: Fraction) -> Fraction:
    """Return a number from the root of x to 2^-20 above it."""
    return Fraction(math.isqrt(math.floor(x * 4**20)) + 1, 2**20)


def check_memory(run: Split) -> None:
    """Check that what runs fits into its half, so that all fits into M, round by round."""
    instance = run.instance
    for t in range(max(a.end for a in run.attempts)):
        now = [a for a in run.attempts if a.start <= t < a.end]
        for short in (True, False):
            assert sum(run.reserved(a) for a in now if a.short == short) <= run.half
        used = [instance[a.request].prompt + t + 1 - a.start for a in now]
        assert all(u <= run.reserved(a) for u, a in zip(used, now, strict=True))
        assert sum(used) <= instance.memory


def check(instance: Instance, areas: Fraction = Fraction(2), roots: bool = True) -> None:
    """Lemma 1 and theorem 2, link by link; against the optimum if it is small.

    A smaller factor than the 2 in c, or no square roots, may take the place of what is
    proved, to see it fail.
    """
    memory, requests = instance.memory, list(instance)
    run = Split(instance)
    check_memory(run)
    room = (Fraction(1, 2) - share_of(instance)) * memory
    last = {a.request: a for a in run.attempts}  # that of the largest level
    weights = Fraction(0)
    for i, r in enumerate(requests):
        mine = last[i]
        assert mine.end - mine.start == r.output
        lower = [a for a in run.attempts if a.level <= mine.level and a is not mine]
        y = sum(GROWTH**a.level for a in lower)
        weights += y
        bound = areas / room * y + r.output
        if mine.short:
            earlier = sum(a.slice for a in run.attempts if a.request == i and a is not mine)
            assert earlier <= Fraction(341422, 100000) * r.output  # 2 + sqrt 2, rounded up
            bound += earlier
        else:
            square = sum(root_above(2 * GROWTH**q) for q in range(mine.level))
            square += root_above(2 * GROWTH**mine.level / 3)
            assert square + r.output <= OWN * r.output
            assert 4 * r.area < 9 * r.output**2 or mine.level == 0
            bound += square * roots
        assert mine.end <= bound
    average = Fraction(pair_sum(instance), 2 * memory)
    assert weights <= 8 * memory * average
    factor, total = 16 * memory / room, instance.total_output
    cost = sum(last[i].end for i in range(len(requests)))
    assert cost <= factor * average + OWN * total
    if len(requests) < 8:
        optimum = solve(instance, math.inf).lower_bound
        check_optimum(instance, optimum)
        assert cost <= max(factor, 2 * factor / 3 + OWN) * optimum


def check_numbers() -> None:
    """Check where area budget has less (mixed_non_clairvoyant.md, theorem 14), and constants."""
    root2, root3 = (root_above(Fraction(k)) for k in (2, 3))
    assert 4 + 3 * root2 + root3 < OWN

    def ratio(w: Fraction) -> Fraction:
        factor = 16 / (Fraction(1, 2) - w)
        return max(factor, 2 * factor / 3 + OWN)

    assert ratio(Fraction(1, 8)) < Fraction("42.67")
    assert ratio(Fraction(1, 4)) == 64
    assert ratio(Fraction(0)) == 32
    for k in range(1, 250):
        w = Fraction(k, 500)
        assert (area_budget_bound(2 / (1 - w) + Fraction(3, 2)) > ratio(w)) == (
            w < Fraction("0.086")
        )


def check_areas(prompt: int, output: int) -> None:
    """Check v < (9/4) o^2 where the last attempt is long."""
    memory = 10**9
    q = level_of(prompt, output, memory, GROWTH)
    if q and slice_at(prompt, q, memory, GROWTH) > prompt:
        assert 4 * area(prompt, output) < 9 * output**2


def random_instance(rng: random.Random, most: int) -> Instance | None:
    """Return requests of a few kinds, if the assumptions hold for them."""
    memory = 2 * rng.randint(2, 60)
    kinds = []
    for _ in range(rng.randint(1, 4)):
        prompt = rng.choice((0, rng.randint(0, memory // 4)))
        output = rng.randint(1, max(1, memory // rng.choice((3, 6, 12))))
        if prompt + output > memory:
            return None
        kinds.append((prompt, output))
    rows = [rng.choice(kinds) for _ in range(rng.randint(1, most))]
    instance = Instance(memory, [s for s, _ in rows], [o for _, o in rows])
    return instance if covered(instance) else None


def tiny_instances(memory: int, requests: int) -> Iterator[Instance]:
    """Return all instances that are covered, as sequences of requests."""
    kinds = [(s, o) for s in range(memory // 4 + 1) for o in range(1, memory // 2)]

    def rows(number: int) -> Iterator[Sequence[tuple[int, int]]]:
        if not number:
            yield ()
            return
        for first in kinds:
            for rest in rows(number - 1):
                yield (first, *rest)

    for chosen in rows(requests):
        instance = Instance(memory, [s for s, _ in chosen], [o for _, o in chosen])
        if covered(instance):
            yield instance


def check_area_budget(instance: Instance) -> None:
    """Check what it is compared to: area budget claims at most 57.30 on the same instance."""
    guarantee = policy_from_spec("area-budget").guarantee(instance)
    assert guarantee is not None
    assert guarantee.bound <= Fraction(1375, 24)


def main(fast: bool) -> None:
    rng = random.Random(17)
    check_numbers()
    for prompt in range(20 if fast else 120):
        for output in range(1, 12 if fast else 80):
            check_areas(prompt, output)
    for most, many in ((6, 60), (40, 20)) if fast else ((6, 600), (60, 100)):
        for _ in range(many):
            if (instance := random_instance(rng, most)) is not None:
                check(instance)
                check_area_budget(instance)
    for memory, requests in ((8, 2),) if fast else ((8, 3), (12, 2), (16, 2)):
        for instance in tiny_instances(memory, requests):
            check(instance)


if __name__ == "__main__":
    main(fast=False)
