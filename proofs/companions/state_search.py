"""Companion of state_search.md: its bounds against the true remaining cost of random states."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import numpy as np

from kvopt import Instance
from kvopt.generate import generate_random
from kvopt.solver.state_search.bounds import dual_bound, fluid_bound
from kvopt.solver.state_search.duals import Ascent, Duals, find_duals, make_duals
from kvopt.solver.state_search.packed_states import tighten
from kvopt.solver.state_search.problem import PackedProblem, make_problem
from kvopt.solver.window_covers import cover_windows

Pair = tuple[int, int]


def remaining_cost(memory: int, waiting: list[Pair], profile: list[int]) -> int:
    """Return the least sum of starts of what waits, by trying everything."""

    @cache
    def least(waiting: tuple[Pair, ...], profile: tuple[int, ...]) -> int:
        if not waiting:
            return 0
        best = 10**9
        for chosen in range(1 << len(waiting)):
            used = list(profile)
            left = []
            for i, (prompt, output) in enumerate(waiting):
                if not chosen >> i & 1:
                    left.append((prompt, output))
                    continue
                used += [0] * (output - len(used))
                for j in range(output):
                    used[j] += prompt + j + 1
            if used and max(used) <= memory:
                best = min(best, len(left) + least(tuple(left), tuple(used[1:])))
        return best

    return least(tuple(waiting), tuple(profile))


class State:
    """A random state of an instance: some requests run, some wait, some are gone.

    Attributes
    ----------
    waiting
        The requests that wait.
    left
        How many of each type.
    profile
        Memory of the running ones in each coming round.
    windows
        Rounds until windows of running requests close: the last of level 1, the last two
        of level 2.
    """

    def __init__(self, instance: Instance, problem: PackedProblem, rng: random.Random) -> None:
        one, two = cover_windows(instance, 1), cover_windows(instance, 2)
        self.waiting: list[Pair] = []
        self.left = np.zeros(len(one), dtype=np.int64)
        # Started at times up to now, feasible in the past as well.
        past = [0] * (2 * instance.total_output + 1)
        now = rng.randint(0, instance.total_output // 2)
        first, second = [0], [0, 0]
        for k, (request, count) in enumerate(instance.types()):
            for _ in range(count):
                start = rng.randint(max(0, now - request.output), now)
                rounds = range(start + 1, start + request.output + 1)
                fits = all(past[r] + request.prompt + r - start <= instance.memory for r in rounds)
                if rng.random() < 0.5 or start == now or not fits:
                    self.waiting.append((request.prompt, request.output))
                    self.left[k] += 1
                    continue
                for r in rounds:
                    past[r] += request.prompt + r - start
                first.append(max(0, start + one[k] - now))
                second.append(max(0, start + two[k] - now))
        self.profile = past[now + 1 :]
        while self.profile and self.profile[-1] == 0:
            self.profile.pop()
        second.sort()
        self.windows = np.array([max(first), second[-1], second[-2]], dtype=np.int32)

    def free(self, memory: int) -> np.ndarray:
        """Return the free memory in each coming round, with room to spare."""
        return np.array([memory - used for used in self.profile] + [memory], dtype=np.int64)


def check_state(
    instance: Instance,
    problem: PackedProblem,
    duals: Duals,
    rng: random.Random,
    fluid: Callable[..., int] = fluid_bound,
) -> None:
    """Lemma 2 and theorems 3 and 4 on a random state; the bound may be replaced."""
    state = State(instance, problem, rng)
    memory, length = instance.memory, len(state.profile)
    true = remaining_cost(memory, state.waiting, state.profile)
    outputs = sum(output for _, output in state.waiting)
    free = state.free(memory)
    packed = np.zeros(len(problem.tops) + 8, dtype=np.int64)
    time = rng.randint(0, instance.total_output)
    for _ in range(2):
        cutoff = 10**9
        flowed = fluid(state.left, free, length, state.windows, problem, cutoff)
        assert flowed <= true + outputs
        dual = dual_bound(state.left, free, length, state.windows, time, problem, duals)
        assert dual <= true
        if state.waiting:
            tighten(free, length, state.left, problem, packed, np.zeros_like(free))
        tight = [memory - int(f) for f in free[:length]]
        assert all(a >= b for a, b in zip(tight, state.profile, strict=True))
    assert remaining_cost(memory, state.waiting, tight) == true


def main(fast: bool) -> None:
    rng = random.Random(2)
    for number in range(40 if fast else 1000):
        instance = generate_random("tiny", 35, number)
        problem = make_problem(instance.memory, instance.prompts, instance.outputs)
        duals = make_duals(len(problem.counts), instance.total_output)
        find_duals(problem, duals, instance.total_output * len(instance), Ascent(30, 256, 20, 10))
        for _ in range(10):
            check_state(instance, problem, duals, rng)
