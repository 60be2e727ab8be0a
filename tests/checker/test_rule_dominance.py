"""Rule "dominance": memory that nobody can use, and faults there that would prove what is false."""

from __future__ import annotations

import random
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mutation import dominance_proof
from released import bound
from small_instances import optimum_of, random_released_instance

import dominance
import pareto
import start_search
import usable_memory
from budget import Budget
from kvopt import Instance
from kvopt.solver.releases.dominance_kernel import fill_up, make_users
from packing import packed
from reading import Refused

FAULTS = (
    ("usable_memory", " + ending[r]", ""),
    ("usable_memory", "if usable <= least:", "if usable <= least + 1:"),
    ("usable_memory", "r - begin + 1 <= free[r]", "r - begin + 2 <= free[r]"),
    ("usable_memory", "if r > begin:", "if r > begin + 1:"),
    ("usable_memory", "if most < shortest:", "if most <= shortest:"),
    ("usable_memory", "if delay <= begin", "if delay < begin"),
    ("usable_memory", "count * (s + output)", "s"),
    ("usable_memory", "passing[end] -= 1", "passing[end - 1] -= 1"),
    ("pareto", "if (larger - other) & tops == tops:", "if other <= raised:"),
    ("start_search", "if t < a < t + longest", "if t + longest < a"),
    ("start_search", "(*kind, 0, number - ahead)", "(*kind, 1, number - ahead)"),
    ("start_search", "cheapest.setdefault(node[2:4], i)", "cheapest.setdefault(node[2:3], i)"),
    ("start_search", "if node[0] < nodes[other][0]:", "if node[0] > nodes[other][0]:"),
)  # fmt: skip
"""Module, a piece of its text, and what it is replaced by."""


def with_fault(module: types.ModuleType, old: str, new: str) -> Any:
    """Return a copy of a module of the checker with another text."""
    text = Path(str(module.__file__)).read_text()
    assert text.count(old) == 1, old
    copy = types.ModuleType(module.__name__)
    exec(compile(text.replace(old, new), old, "exec"), copy.__dict__)
    return copy


def false_claim(count: int) -> Instance | None:
    """Return an instance of which more than the optimum is proved, if one is found."""
    rng = random.Random(21)
    for _ in range(count):
        instance = random_released_instance(rng)
        best = optimum_of(instance)
        try:
            bound(instance, dominance_proof(instance, rng, usable=True), best + 1)
        except Refused:
            continue
        return instance
    return None


@pytest.mark.parametrize(("name", "old", "new"), FAULTS)
def test_faults_in_it_prove_what_is_false(
    name: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "usable_memory":
        copy = with_fault(usable_memory, old, new)
        monkeypatch.setattr(start_search, "UsableMemory", copy.UsableMemory)
    elif name == "pareto":
        monkeypatch.setattr(start_search, "least", with_fault(pareto, old, new).least)
    else:
        copy = with_fault(start_search, old, new)
        monkeypatch.setattr(dominance, "Search", copy.Search)
    assert false_claim(600)


def test_without_a_fault_they_prove_nothing_false() -> None:
    assert not false_claim(200)


def test_rows_are_left_out_beside_those_kept_that_are_nowhere_larger() -> None:
    rng = random.Random(23)
    width, left_out = 5, 0

    def together(numbers: list[int]) -> int:
        return sum(n << (width * j) for j, n in enumerate(numbers))

    guards, tops = together([16] * 2), together([16] * 3)
    for _ in range(300):
        rows, numbers = [], []
        for name in range(rng.randint(1, 25)):
            first = [rng.randint(0, 3) for _ in range(2)]
            second = [rng.randint(0, 5) for _ in range(3)]
            raised = [n + rng.choice((0, 0, 1, 9)) for n in second]
            cost = rng.randint(0, 3)
            rows.append((cost, together(first), together(second), together(raised), name))
            numbers.append((first, second, raised))
        kept: list[int] = []
        for *_, name in sorted(rows):
            first, _, raised = numbers[name]
            least = [*first, *raised]
            smaller = ([*numbers[k][0], *numbers[k][1]] for k in kept)
            if not any(all(a <= b for a, b in zip(one, least, strict=True)) for one in smaller):
                kept.append(name)
        assert pareto.least(rows, guards, tops, Budget()) == kept
        left_out += len(rows) - len(kept)
    assert left_out > 300


@pytest.mark.parametrize(
    ("free", "users", "usable"),
    [
        ([4, 3, 2], [(0, 5, 0, 1)], [0, 1, 2]),  # it may start in the second round
        ([4, 3, 2], [(0, 2, 0, 1)], [2, 3, 2]),  # or end there
        ([4, 3, 2], [(0, 2, 1, 1)], [0, 1, 2]),
        ([1], [(0, 3, 0, 1)], [1]),
        ([1, 5, 1], [(1, 2, 0, 2)], [0, 0, 0]),
        ([1, 5, 5], [(1, 2, 0, 2)], [0, 4, 5]),
        ([3, 3], [], [0, 0]),
    ],
)
def test_what_may_be_used_of_small_profiles(
    free: list[int], users: list[usable_memory.User], usable: list[int]
) -> None:
    memory, width = 6, 5
    found = usable_memory.UsableMemory(memory, users[0][0] if users else 0, width, Budget())
    full = found.filled(sum((memory - own) << (width * j) for j, own in enumerate(free)), users)
    assert full == sum((memory - own) << (width * j) for j, own in enumerate(usable))


def test_it_is_what_the_solver_computes() -> None:
    rng = random.Random(22)
    more = 0
    for _ in range(400):
        memory = rng.randint(2, 20)
        least = rng.randint(0, min(2, memory - 1))
        rows = []
        for _ in range(rng.randint(0, 4)):
            prompt = rng.randint(least, min(least + 2, memory - 1))
            output = rng.randint(1, memory - prompt)
            rows.append((prompt, output, rng.randint(0, 4), rng.randint(1, 2)))
        rows.sort()
        profile = np.zeros(21, dtype=np.int32)
        last = rng.randint(0, 12)
        profile[:last] = [rng.randint(1, memory) for _ in range(last)]
        users, full = make_users(5), np.zeros(21, dtype=np.int32)
        for k, (prompt, output, delay, count) in enumerate(rows):
            users.prompt[k], users.output[k] = prompt, output
            users.delay[k], users.number[k] = delay, count
        room = np.zeros((3, 22), dtype=np.int64)
        fill_up(memory, least, profile, users, len(rows), room, full)
        width = packed(memory, [(least, 20)], Budget()).width
        usable = usable_memory.UsableMemory(memory, least, width, Budget())
        found = usable.filled(sum(int(p) << (width * j) for j, p in enumerate(profile)), rows)
        assert found == sum(int(p) << (width * j) for j, p in enumerate(full))
        more += bool((full > profile).any())
    assert more > 100
