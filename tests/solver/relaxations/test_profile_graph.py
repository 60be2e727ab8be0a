"""Graphs of profiles are those of the checker, and too large ones are known beforehand."""

from __future__ import annotations

import math
import random

from companions.checking import checker

from kvopt import Instance, Stopping
from kvopt.generate import generate_random
from kvopt.solver.relaxations.profile_graph import number_of_sets, profile_graph


def test_graphs_are_those_of_the_checker() -> None:
    rng = random.Random(6)
    for number in range(60):
        instance = generate_random(rng.choice(["tiny", "small"]), 53, number)
        kinds = [(r.prompt, r.output) for r, _ in instance.types()][:4]
        instance = Instance.from_groups(instance.memory, [(s, o, 1) for s, o in kinds])
        kinds = [(r.prompt, r.output) for r, _ in instance.types()]
        before, known = None, [0]
        for size in range(len(kinds), 0, -1):
            chosen = rng.sample(range(len(kinds)), size)
            graph = profile_graph(instance, Stopping(), chosen=chosen, profiles_before=before)
            assert graph is not None
            theirs, known = checker().profile_graph(
                instance.memory, kinds, [kinds[k] for k in chosen], known
            )
            assert len(known) == theirs.size
            assert (len(graph.profiles), graph.core) == (theirs.size, theirs.core)
            assert len(graph.target) == len(theirs.after)
            assert len(graph.groups) == len(theirs.groups)
            assert len(set(graph.entry.tolist())) == len(set(theirs.entry))
            before = graph.profiles


def test_gives_up_in_time() -> None:
    instance = generate_random("alike", 1, 36)
    assert profile_graph(instance, Stopping(), most_edges=100) is None
    assert profile_graph(instance, Stopping(0)) is None


def sets(instance: Instance) -> float:
    return number_of_sets(instance, range(len(instance.types())), 10**6)


def test_few_profiles_are_told_from_many() -> None:
    assert sets(Instance(5, [1], [4])) == 4  # alone at ages 1 to 3, or nobody
    assert sets(generate_random("alike", 1, 36)) < math.inf
    assert sets(generate_random("alike", 1, 8)) == math.inf
    assert sets(generate_random("model1", 1, 0)) == math.inf
    assert sets(generate_random("long", 1, 0)) == math.inf
    assert sets(Instance(10**6, [10**6 - 2], [2])) < math.inf
    assert sets(Instance(10**6, [10] * 9, [5_000] * 9)) == math.inf
    assert sets(Instance(20, [10] * 10**4, [10] * 10**4)) < math.inf
