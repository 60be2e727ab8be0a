"""Companion of release_times.md: each link of its proofs on small instances, in fractions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations
from typing import NamedTuple

from companions.checking import modules
from companions.knapsack_rows import largest, random_counts, steps_of
from companions.lower_bounds import Weights, memory_weights, slot_weights
from kvopt import Instance, Stopping
from kvopt.model.formats import instance_to_json
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.releases.busy_time import released_busy_time_bound, released_slot_bound
from kvopt.solver.releases.search import solve_by_release_search
from kvopt.solver.window_covers import cover_windows

Pieces = list[list[tuple[Fraction, Fraction]]]
"""Of each request the stretches of time in which it is served at rate 1."""


def random_instance(rng: random.Random) -> Instance:
    """Return a small instance with releases, often several of one shape."""
    memory = rng.randint(2, 10)
    rows = []
    for _ in range(rng.randint(1, 5)):
        prompt = rng.randint(0, min(3, memory - 1))
        output = rng.randint(1, min(6, memory - prompt))
        rows.append((prompt, output, rng.choice([0, rng.randint(0, 9)])))
    if rng.random() < 0.4:
        rows = [(*rng.choice(rows)[:2], a) for _, _, a in rows]
    prompts, outputs, releases = zip(*rows, strict=True)
    return Instance(memory, prompts, outputs, releases=releases)


def fluid(instance: Instance, total: Sequence[Fraction], ties: Sequence[int]) -> Pieces:
    """Return the fluid schedule: the released and unfinished request of the least weight first."""
    releases = [Fraction(r.release) for r in instance]
    left = list(total)
    pieces: Pieces = [[] for _ in total]
    now = Fraction(0)
    while any(left):
        ready = [i for i, rest in enumerate(left) if rest and releases[i] <= now]
        coming = [a for a, rest in zip(releases, left, strict=True) if rest and a > now]
        if not ready:
            now = min(coming)
            continue
        i = min(ready, key=lambda i: (total[i], ties[i]))
        until = min([now + left[i], *coming])
        pieces[i].append((now, until))
        left[i] -= until - now
        now = until
    return pieces


def busy_time(pieces: Sequence[tuple[Fraction, Fraction]], total: Fraction) -> Fraction:
    """Return the mean busy time of a request."""
    return sum(((y * y - x * x) / 2 for x, y in pieces), Fraction(0)) / total


def served(pieces: Pieces, chosen: Sequence[int], until: Fraction) -> Fraction:
    """Return what some requests have got in the fluid by a time."""
    spans = [(x, min(y, until)) for i in chosen for x, y in pieces[i]]
    return sum((y - x for x, y in spans if y > x), Fraction(0))


def check_busy_time(
    instance: Instance, starts: Sequence[int], weights: Weights, late: bool = False
) -> int:
    """Theorem 1, link by link; returns the bound on the total latency, rounded up.

    A `late` fluid begins after the releases: that is to see the theorem fail.
    """
    asked = instance
    if late:
        after = [2 * a + 3 for a in instance.releases.tolist()]
        asked = Instance(instance.memory, instance.prompts, instance.outputs, releases=after)
    total = [sum(w, Fraction(0)) for w in weights]
    age = [
        sum((w[j] * (j + Fraction(1, 2)) for j in range(len(w))), Fraction(0)) / whole
        for w, whole in zip(weights, total, strict=True)
    ]
    order = sorted(range(len(total)), key=lambda i: (total[i], i))
    pieces = fluid(asked, total, range(len(total)))
    fluid_times = [busy_time(own, whole) for own, whole in zip(pieces, total, strict=True)]
    busy = [t + a for t, a in zip(starts, age, strict=True)]
    times = range(max(t + r.output for t, r in zip(starts, instance, strict=True)) + 1)
    for k in range(1, len(order) + 1):
        chosen = order[:k]
        for u in times:  # what the k least weights have got by time u
            got = sum(
                (sum(weights[i][: max(0, u - starts[i])], Fraction(0)) for i in chosen), Fraction(0)
            )
            assert got <= served(pieces, chosen, Fraction(u))
        assert sum(total[i] * busy[i] for i in chosen) >= sum(
            total[i] * fluid_times[i] for i in chosen
        )
    delta = sum((r.output - a for r, a in zip(instance, age, strict=True)), Fraction(0))
    bound = sum(fluid_times, delta) - instance.total_release
    cost = sum(t + r.output - r.release for t, r in zip(starts, instance, strict=True))
    assert bound <= cost
    return -(-bound.numerator // bound.denominator)


def check_window_weights(instance: Instance, starts: Sequence[int]) -> None:
    """Of those in their windows of a level m at most m run: Lemma 4 of model.md as weights."""
    types = instance.request_types()
    for level in (1, 2, 3):
        windows = [cover_windows(instance, level)[k] for k in types.index.tolist()]
        last = max(starts) + max(instance.outputs.tolist())
        for u in range(1, last + 1):
            inside = sum(t < u <= t + d for t, d in zip(starts, windows, strict=True))
            assert inside <= level


def check_idle(instance: Instance, starts: Sequence[int]) -> None:
    """Lemma 2 on an optimal schedule."""
    runs = list(zip(starts, instance.outputs.tolist(), strict=True))
    makespan = max(t + o for t, o in runs)
    latest = int(instance.releases.max())
    for r in range(latest + 1, makespan + 1):
        assert any(t < r <= t + o for t, o in runs)
    assert makespan <= latest + instance.total_output


def in_order(instance: Instance, starts: Sequence[int]) -> list[int]:
    """Lemma 3: exchange starts within each shape until they are in the order of the releases."""
    new = list(starts)
    shapes: dict[tuple[int, int], list[int]] = {}
    for i, r in enumerate(instance):
        shapes.setdefault((r.prompt, r.output), []).append(i)
    for own in shapes.values():
        by_release = sorted(own, key=lambda i: instance[i].release)
        for i, start in zip(by_release, sorted(starts[j] for j in own), strict=True):
            assert start >= instance[i].release
            new[i] = start
    assert sum(new) == sum(starts)
    return new


def check_states(instance: Instance, starts: Sequence[int]) -> None:
    """Lemma 4: the waits, counted time by time."""
    waits = 0
    for t in range(max(starts) + 1):
        waits += sum(r.release <= t < u for u, r in zip(starts, instance, strict=True))
    assert waits == sum(starts) - instance.total_release


def check_prices(instance: Instance, starts: Sequence[int], rng: random.Random) -> None:
    """Theorems 5 to 7 for any duals: links on the schedule, and what the checker makes of them."""
    scale = rng.randint(1, 4)
    names = sorted({(r.prompt, r.output, r.release) for r in instance})
    duals = {name: rng.randint(-scale, 20 * scale) for name in names}
    for r, t in zip(instance, starts, strict=True):
        alike = [name for name in names if name[:2] == (r.prompt, r.output) and name[2] <= t]
        assert duals[r.prompt, r.output, r.release] <= max(duals[name] for name in alike)
    cost = sum(t + r.output - r.release for t, r in zip(starts, instance, strict=True))
    rows = [[*name, dual] for name, dual in duals.items()]
    rounds = sorted(rng.sample(range(1, 25), 5))
    counts = random_counts(instance, rng)
    knapsack = {"limit": largest(instance, counts), "steps": steps_of(counts)}
    leaf = {
        "memory": [[r, rng.randint(0, 3)] for r in rounds],
        "covers": [[1, rng.randint(0, 15), rng.randint(0, 5)]],
        "branch": [],
        "first_completion": [{"heights": [[0, 2], [2, 1]], "duals": [[rng.randint(1, 9), 1]]}],
        "knapsacks": [{**knapsack, "duals": [[rng.randint(1, 9), rng.randint(0, 2)]]}],
    }
    for proof in (
        {"rule": "demand-duals", "scale": scale, "duals": rows},
        {"rule": "batch-state", "scale": scale, "duals": rows, "horizon": 30, "nodes": 0},
        {"rule": "linear-duals", "scale": rng.randint(1, 9), "tree": [leaf]},
    ):
        assert bound(instance, proof) <= cost


Starts = tuple[int | None, ...]
"""When each request has started, None if it has not."""


class Node(NamedTuple):
    """What Lemma 8 says of a node, by brute force.

    Attributes
    ----------
    runs
        Memory in use in each round after t by those who have started.
    waiting
        Prompt and output of those who wait.
    cost
        The sum of the starts so far, those who wait starting now.
    least
        The least sum of all starts.
    largest
        The most that those use in each round after t who have yet to start.
    usable
        The bound on it.
    """

    runs: list[int]
    waiting: list[tuple[int, int]]
    cost: int
    least: int
    largest: list[int]
    usable: list[int]


def memory_use(instance: Instance, starts: Starts, t: int, rounds: int) -> list[int]:
    """Return the memory in use in the rounds t + 1, t + 2, ..."""
    use = [0] * rounds
    for r, start in zip(instance, starts, strict=True):
        if start is not None:
            for j in range(max(1, t + 1 - start), r.output + 1):
                use[start + j - t - 1] += r.prompt + j
    return use


def ways(
    instance: Instance, starts: Starts, choices: Sequence[Sequence[int | None]]
) -> list[Starts]:
    """Return all feasible starts, those of the requests without one from some choices."""
    rounds = int(instance.releases.max()) + 2 * instance.total_output + 12
    found: list[Starts] = [starts]
    for i, own in enumerate(choices):
        found = [
            new
            for one in found
            for start in own
            if max(memory_use(instance, new := (*one[:i], start, *one[i + 1 :]), 0, rounds))
            <= instance.memory
        ]
    return found


def usable_memory(
    instance: Instance, starts: Starts, t: int, runs: list[int], short_ones: bool
) -> list[int]:
    """Return the bounds U(r) on what those use who have yet to start, for the rounds after t.

    Without `short_ones` who ends in a round is forgotten: that is to see the lemma fail.
    """
    rounds, memory = len(runs), instance.memory
    passing, ending = [False] * rounds, [0] * rounds
    for r, start in zip(instance, starts, strict=True):
        if start is None:
            for u in range(max(r.release, t), t + rounds - r.output + 1):
                own = range(u - t, u - t + r.output)
                if all(r.prompt + at - u + t + 1 <= memory - runs[at] for at in own):
                    for at in own:
                        passing[at] = True
                    ending[own[-1]] += (r.prompt + r.output) * short_ones
    bounds = [memory] * (rounds + 1)
    for at in range(sum(map(bool, runs)) - 1, -1, -1):
        bound = min(memory - runs[at], max(0, bounds[at + 1] - 1) + ending[at])
        prompts = min(instance.prompts.tolist())
        bounds[at] = bound if passing[at] and bound > prompts else 0
    return bounds[:-1]


def nodes_at(instance: Instance, t: int, short_ones: bool = True) -> list[Node]:
    """Return all nodes of a time."""
    rounds = int(instance.releases.max()) + instance.total_output + 1
    nobody: Starts = (None,) * len(instance)
    before = [[None, *range(r.release, t)] for r in instance]
    found = []
    for starts in ways(instance, nobody, before):
        runs = memory_use(instance, starts, t, rounds + instance.total_output)
        later = [
            [start] if start is not None else range(max(r.release, t), t + rounds)
            for r, start in zip(instance, starts, strict=True)
        ]
        on = ways(instance, starts, later)
        uses = [memory_use(instance, one, t, len(runs)) for one in on]
        waiting = [
            (r.prompt, r.output)
            for r, start in zip(instance, starts, strict=True)
            if start is None and r.release <= t
        ]
        found.append(
            Node(
                runs,
                waiting,
                sum(start for start in starts if start is not None) + t * len(waiting),
                min(sum(start for start in one if start is not None) for one in on),
                [max(use[at] for use in uses) - own for at, own in enumerate(runs)],
                usable_memory(instance, starts, t, runs, short_ones),
            )
        )
    return found


def takes_places(first: Node, second: Node) -> bool:
    """Tell whether those who wait at one node can take places of those who wait at another."""
    every = permutations(second.waiting, len(first.waiting))
    found = any(
        all(s == t and o <= p for (s, o), (t, p) in zip(first.waiting, images, strict=True))
        for images in every
    )
    counted = all(
        sum(s == t and p >= o for t, p in first.waiting)
        <= sum(s == t and p >= o for t, p in second.waiting)
        for s, o in first.waiting
    )
    assert found == counted
    return found


def check_dominance(instance: Instance, t: int, short_ones: bool = True) -> int:
    """Lemma 8 on all pairs of nodes of a time; returns in how many more memory is in use."""
    nodes = nodes_at(instance, t, short_ones)
    more = 0
    for second in nodes:
        assert all(u >= most for u, most in zip(second.usable, second.largest, strict=True))
        for first in nodes:
            rounds = zip(first.runs, second.usable, strict=True)
            fits = all(use <= instance.memory - usable for use, usable in rounds)
            if first.cost <= second.cost and fits and takes_places(first, second):
                assert first.least <= second.least
                more += any(a > b for a, b in zip(first.runs, second.runs, strict=True))
    return more


def bound(instance: Instance, proof: dict[str, object]) -> int:
    """Return what the checker makes of a proof, about the total latency."""
    found = modules()
    arrivals = found["instances"].read_instance(instance_to_json(instance)).arrivals
    late = instance.total_release
    rule = found["releases"].WITH_RELEASES[proof["rule"]]
    return int(rule(instance.memory, arrivals, late, proof, found["budget"].Budget())) - late


def check(instance: Instance, rng: random.Random) -> None:
    """All of it on an optimal schedule and a worse one."""
    known = best_list_schedule(instance)
    optimum = solve_by_release_search(instance, known, Stopping())
    assert optimum.objective == optimum.lower_bound
    best = optimum.starts.tolist()
    check_idle(instance, best)
    for starts in (best, in_order(instance, best), known.tolist()):
        memory = check_busy_time(instance, starts, memory_weights(instance))
        slots = check_busy_time(instance, starts, slot_weights(instance))
        assert (memory, slots) == (
            released_busy_time_bound(instance),
            released_slot_bound(instance),
        )
        check_window_weights(instance, starts)
        check_states(instance, starts)
        check_prices(instance, starts, rng)


def tiny_instance(rng: random.Random) -> Instance:
    """Return an instance of three requests, or two, and of a prompt or two."""
    memory = rng.randint(4, 7)
    prompts = [rng.choice([0, rng.randint(0, 2)]) for _ in range(rng.choice([2, 3, 3]))]
    outputs = [rng.randint(1, min(4, memory - s)) for s in prompts]
    return Instance(memory, prompts, outputs, releases=[rng.randint(0, 3) for _ in prompts])


def main(fast: bool) -> None:
    rng = random.Random(41)
    for _ in range(60 if fast else 1000):
        check(random_instance(rng), rng)
    tiny = [(tiny_instance(rng), rng.randint(1, 3)) for _ in range(40 if fast else 2000)]
    assert sum(check_dominance(instance, t) for instance, t in tiny) > 10
    example = Instance(6, [2, 3, 3, 3], [4, 1, 1, 1], releases=[0, 1, 1, 1])
    known = best_list_schedule(example)
    assert solve_by_release_search(example, known, Stopping()).objective == 14
