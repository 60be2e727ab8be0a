"""Companion of model.md: its lemmas on random small instances, in integers."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from kvopt import Instance, solve
from kvopt.generate import generate_random
from kvopt.solver.milp import latest_starts
from kvopt.solver.state_search.state_graph import solve_by_state_graph
from kvopt.solver.window_covers import cover_windows


def memory_in_round(instance: Instance, starts: Sequence[int | None], r: int) -> int:
    """Return the memory in round r; a start of None means that the request is left out."""
    return sum(
        request.prompt + r - start
        for request, start in zip(instance, starts, strict=True)
        if start is not None and start < r <= start + request.output
    )


def random_feasible(instance: Instance, rng: random.Random) -> list[int]:
    """Return starts of a feasible schedule: random ones, delayed until they fit."""
    starts: list[int | None] = [None] * len(instance)
    order = list(range(len(instance)))
    rng.shuffle(order)
    for i in order:
        start = rng.randint(0, 10)
        while True:
            starts[i] = start
            rounds = range(start + 1, start + instance[i].output + 1)
            if all(memory_in_round(instance, starts, r) <= instance.memory for r in rounds):
                break
            start += 1
    return [start for start in starts if start is not None]


def check_no_idle_round(instance: Instance) -> None:
    """Lemma 1 on an optimum."""
    starts = solve_by_state_graph(instance).starts.tolist()
    ends = [t + r.output for t, r in zip(starts, instance, strict=True)]
    makespan = max(ends)
    for r in range(1, makespan + 1):
        assert any(t < r <= end for t, end in zip(starts, ends, strict=True))
    assert makespan <= instance.total_output


def check_horizon(instance: Instance, rng: random.Random) -> None:
    """Lemma 2 on an optimum, with the cost of a random schedule as upper bound."""
    optimum = solve(instance, math.inf)
    upper_bound = sum(random_feasible(instance, rng)) + instance.total_output
    kinds = [request for request, _ in instance.types()]
    latest = dict(zip(kinds, latest_starts(instance, upper_bound), strict=True))
    for request, start in zip(instance, optimum.starts.tolist(), strict=True):
        assert start <= latest[request]


def check_completions_are_enough(instance: Instance, rng: random.Random) -> None:
    """Lemma 3: add the last request to the others at a random time."""
    if len(instance) < 2:
        return
    others = Instance(instance.memory, instance.prompts[:-1], instance.outputs[:-1])
    starts = [*random_feasible(others, rng), rng.randint(0, 15)]
    new = range(starts[-1] + 1, starts[-1] + instance[-1].output + 1)
    ends = {t + r.output for t, r in zip(starts, instance, strict=True)}
    every_round = all(memory_in_round(instance, starts, r) <= instance.memory for r in new)
    completions = all(
        memory_in_round(instance, starts, r) <= instance.memory for r in new if r in ends
    )
    assert every_round == completions


def check_window_cover(instance: Instance, rng: random.Random, widened: int = 0) -> None:
    """Lemma 4 on a random feasible schedule; windows may be widened to see it fail."""
    starts = random_feasible(instance, rng)
    kinds = [request for request, _ in instance.types()]
    for level in (1, 2, 3):
        windows = dict(zip(kinds, cover_windows(instance, level), strict=True))
        for u in range(max(starts) + 1):
            inside = sum(
                u - (windows[request] + widened) < start <= u
                for request, start in zip(instance, starts, strict=True)
            )
            assert inside <= level


def main(fast: bool) -> None:
    rng = random.Random(1)
    for number in range(100 if fast else 2000):
        tiny = generate_random("tiny", 31, number)
        check_no_idle_round(tiny)
        check_horizon(tiny, rng)
        small = generate_random("small", 32, number)
        check_completions_are_enough(small, rng)
        check_window_cover(small, rng)
