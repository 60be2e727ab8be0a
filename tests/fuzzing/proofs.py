"""Proofs of a problem by each rule, to begin a climb with: poor, wild or out of a small tree."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

from event_trees import any_event_order, event_order_proof

from fuzzing.families import KEY, random_families
from fuzzing.knapsacks import KNAPSACKS, any_knapsack
from fuzzing.problems import Problem
from fuzzing.slices_theorem import least_bound, least_factor, peak, sums

__all__ = ["BUILDERS", "any_duals", "enumeration_tree", "random_slices"]

Proof = dict[str, Any]


def some_scale(rng: random.Random) -> int:
    return rng.choice([1, 1, 2, 3, 4, 6, 12, 60])


def busy_time(problem: Problem, rng: random.Random) -> Proof:
    return {"rule": "busy-time", "weights": rng.choice(["memory", "slots"])}


def exhaustive(problem: Problem, rng: random.Random) -> Proof:
    return {"rule": "exhaustive", "states": 1_000_000}


def demand(problem: Problem, rng: random.Random, scale: int) -> list[list[int]]:
    """Duals of about what a completion costs: o, o + its share of the waiting, or anything."""
    count = len(problem.shapes)
    waiting = Fraction(problem.optimum - problem.total, max(1, count))
    names = problem.demands if problem.releases else problem.types
    wild = rng.random() < 0.1
    duals = []
    for s, o, *release in sorted(names):
        dual = scale * (
            sum(release) + o + waiting * rng.choice([0, 1, 1, 2]) * Fraction(rng.randint(1, 8), 4)
        )
        if wild:
            dual = Fraction(rng.choice([-1, 0, 1]) * rng.randint(0, 10 ** rng.randint(0, 3)))
        duals.append([s, o, *release, int(dual)])
    return duals


def demand_duals(problem: Problem, rng: random.Random) -> Proof:
    scale = some_scale(rng)
    return {"rule": "demand-duals", "scale": scale, "duals": demand(problem, rng, scale)}


def blocks(problem: Problem, rng: random.Random) -> Proof:
    scale = some_scale(rng)
    duals = demand(problem, rng, scale)
    parts: list[list[list[int]]] = [[], [], []]
    for row in duals:
        parts[rng.randrange(3)].append(row)
    rounds = range(1, problem.total + 2)
    memory = [[r, rng.randint(0, scale)] for r in rounds if rng.random() < 0.3]
    filled = [part for part in parts if part]
    rng.shuffle(filled)
    return {"rule": "blocks", "scale": scale, "memory": memory, "blocks": filled}


def batch_state(problem: Problem, rng: random.Random) -> Proof:
    scale = some_scale(rng)
    horizon = max(1, problem.rounds + rng.choice([-2, -1, 0, 0, 1, 5]))
    duals = [[*name, min(w, scale * horizon)] for *name, w in demand(problem, rng, scale)]
    nodes = rng.choice([0, 0, 100_000])
    proof: Proof = {"rule": "batch-state", "scale": scale, "horizon": horizon}
    return {**proof, "duals": duals, "nodes": nodes}


def coarse_batch_state(problem: Problem, rng: random.Random) -> Proof:
    """Duals by the looks that see a variant, with the share of the waiting on this grid."""
    scale = some_scale(rng)
    grid = rng.choice([1, 2, 2, 3, 3, 4, 5, 7, 11])
    duals = []
    for s, o, w in demand(problem, rng, scale):
        looks, rest = divmod(o, grid)
        late = (w - scale * o) // grid
        duals.append([s, o, looks and scale * looks + late, rest and scale * (looks + 1) + late])
    return {"rule": "coarse-batch-state", "grid": grid, "scale": scale, "duals": duals}


def coarse_aggregate_state(problem: Problem, rng: random.Random) -> Proof:
    """Duals by the looks that see a variant, as of coarse batch states, with some prices."""
    scale = some_scale(rng)
    grid = rng.choice([1, 2, 2, 3, 3, 4, 5, 7, 11])
    duals = []
    for s, o, w in demand(problem, rng, scale):
        row = [s, o]
        high = (s - min(s for s, _ in problem.types)) % grid
        for begin, end in pairwise((0, *sorted((high, grid - o % grid)), grid)):
            looks = (o + begin) // grid if begin < end else 0
            row.append(looks and scale * looks + (w - scale * o) // grid)
        duals.append(row)
    sizes = [rng.choice([0, scale, 3 * scale]) for _ in range(2)]
    times = sorted(rng.sample(range(1, 15), rng.randint(0, 4)))
    starts = [[t, *(rng.randint(-size, size) for size in sizes)] for t in (0, *times)]
    given = {"rule": "coarse-aggregate-state", "grid": grid, "scale": scale}
    return {**given, "duals": duals, "starts": starts}


def dominance(problem: Problem, rng: random.Random) -> Proof:
    """Duals of any kind, as the search proves all that is true."""
    scale = some_scale(rng)
    horizon = max(1, problem.latest, problem.rounds + rng.choice([-2, -1, 0, 0, 1, 5]))
    sets = []
    for t in (0, *sorted(rng.sample(range(1, horizon + 3), rng.randint(0, 2)))):
        rows = []
        for s, o, *release, w in demand(problem, rng, scale):
            rows.append([s, o, *(release or [0]), min(w, scale * horizon)])
        sets.append({"from": t, "duals": rows})
    proof: Proof = {"rule": "dominance", "scale": scale, "horizon": horizon}
    proof |= {"duals": sets, "nodes": 100_000}
    return {**proof, "usable": 1} if rng.random() < 0.5 else proof


def aggregate_state(problem: Problem, rng: random.Random) -> Proof:
    scale = some_scale(rng)
    horizon = max(1, problem.total + rng.choice([-2, -1, 0, 0, 1, 4]))
    prompts = sorted({s for s, _ in problem.types})
    levels = sorted(rng.sample([1, 2, 3], rng.randint(0, 2)))
    few = rng.choice([0, 0.1, 0.4])

    def row(low: int, high: int) -> list[int]:
        return [rng.randint(low, high) * (rng.random() < few) for _ in range(horizon)]

    duals = [[s, o, min(w, scale * (horizon + o))] for s, o, w in demand(problem, rng, scale)]
    return {
        "rule": "aggregate-state",
        "scale": scale,
        "start": [[s, row(-2 * scale, 2 * scale)] for s in prompts],
        "duals": duals,
        "covers": [[m, row(0, 2 * scale)] for m in levels],
        "second_moments": row(0, 1),
    }


def some_rows(problem: Problem, rng: random.Random, scale: int, last: int) -> Proof:
    """Duals of memory rows, covers and maybe families of rows up to a last round."""
    few = rng.choice([0, 0.2, 0.5])
    memory = [
        [r, rng.randint(0, max(1, 2 * scale // problem.memory))]
        for r in range(1, last + 1)
        if rng.random() < few
    ]
    covers = [
        [m, u, rng.randint(0, 2 * scale)] for m in (1, 2) for u in range(last) if rng.random() < few
    ]
    rows: Proof = {"memory": memory, "covers": covers}
    if last > 0 and rng.random() < 0.5:
        rows[KEY] = random_families(problem, rng, scale, last)
    if last > 0 and rng.random() < 0.3:
        some = (problem.memory, problem.shapes, last, max(1, scale // 2), rng)
        rows[KNAPSACKS] = [any_knapsack(*some) for _ in range(rng.randint(1, 2))]
    return rows


def linear_duals(problem: Problem, rng: random.Random) -> Proof:
    scale = rng.choice([4, 12, 60])
    last = max(1, problem.rounds + rng.choice([-3, 0, 1]))
    kinds = sorted(problem.types)
    times = [rng.randint(1, last) for _ in range(rng.randint(1, 4))]  # so that some meet
    nodes: list[Proof] = []

    def grow(depth: int) -> None:
        if depth < 3 and rng.random() < 0.5:
            some = rng.sample(kinds, rng.randint(1, min(2, len(kinds))))
            split = [[*kind, rng.choice(times)] for kind in some]
            most = sum(problem.types[kind] for kind in some)
            nodes.append({"split": split, "at_most": rng.randint(0, most)})
            grow(depth + 1)
            grow(depth + 1)
        else:
            branch = [rng.choice([0, 1, scale, 3 * scale]) for _ in range(depth)]
            nodes.append({**some_rows(problem, rng, scale, last), "branch": branch})

    grow(0)
    return {"rule": "linear-duals", "scale": scale, "tree": nodes}


def propagation(problem: Problem, rng: random.Random) -> Proof:
    """A tree of all starts that are cheap enough, its root with some duals or none."""
    scale = some_scale(rng)
    cutoff = problem.optimum + rng.choice([1, 1, 1, 2, 3])
    horizon = max(1, problem.total + rng.choice([-1, 0, 1]))
    if rng.random() < 0.4:  # the last time of a domain, which stands for all later, counts
        horizon = rng.randint(1, horizon)
    root = {**some_rows(problem, rng, scale, horizon - 1), "branch": []}
    start: Proof = {"rule": "propagation", "scale": scale, "horizon": horizon, "cutoff": cutoff}
    tree = enumeration_tree(problem, rng, cutoff, horizon, 150)
    if tree is None or rng.random() < 0.1:
        return {**start, "tree": [root]}
    tree[0].update(root)
    return {**start, "tree": tree}


def enumeration_tree(
    problem: Problem, rng: random.Random, cutoff: int, horizon: int, most: int
) -> list[Proof] | None:
    """Return a tree with leaves that are too costly or fix all starts; None if it is large.

    Which starts are split on is random.  A leaf whose bound tells something has duals, all 0.
    """
    requests = [(kind, j) for kind, n in sorted(problem.types.items()) for j in range(n)]
    nodes: list[Proof] = []
    last = dict.fromkeys(problem.types, horizon)

    def grow(windows: dict[tuple[Any, int], tuple[int, int]], depth: int) -> bool:
        if len(nodes) > most:
            return False
        cost = problem.total + sum(low for low, _ in windows.values())
        wide = [q for q in requests if windows[q][0] < windows[q][1]]
        if cost >= cutoff or any(a > b for a, b in windows.values()) or not wide:
            duals = {"memory": [], "covers": [], "branch": [0] * depth}
            nodes.append(duals if rng.random() < 0.9 else {})
            return True
        kind, j = rng.choice(wide)
        low, high = windows[kind, j]
        slack = min(high, low + cutoff - cost)
        u = rng.randint(low + 1, max(low + 1, min(last[kind], slack)))
        nodes.append({"split": [[*kind, u]], "at_most": j})
        late, early = dict(windows), dict(windows)
        for q in requests:
            if q[0] == kind and q[1] >= j:
                late[q] = (max(windows[q][0], u), windows[q][1])
            if q[0] == kind and q[1] <= j:
                early[q] = (windows[q][0], min(windows[q][1], u - 1))
        return grow(late, depth + 1) and grow(early, depth + 1)

    return nodes if grow(dict.fromkeys(requests, (0, horizon)), 0) else None


def event_order(problem: Problem, rng: random.Random) -> Proof:
    """A tree that proves the optimum if requests are few, or any tree."""
    given = problem.memory, problem.requests
    if len(problem.requests) < 4 and rng.random() < 0.5:
        return event_order_proof(*given, problem.optimum)
    return any_event_order(*given, rng, rng.randint(0, 3))


BUILDERS: dict[str, Callable[[Problem, random.Random], Proof]] = {
    "busy-time": busy_time,
    "linear-duals": linear_duals,
    "propagation": propagation,
    "aggregate-state": aggregate_state,
    "batch-state": batch_state,
    "coarse-batch-state": coarse_batch_state,
    "coarse-aggregate-state": coarse_aggregate_state,
    "dominance": dominance,
    "demand-duals": demand_duals,
    "blocks": blocks,
    "exhaustive": exhaustive,
    "event-order": event_order,
}


def any_duals(problem: Problem, rng: random.Random) -> Proof:
    """Return linear duals that prove little, of few rows, the least costs anywhere among them.

    The last row is late, so that "linear-duals" looks at ends of pieces alone.
    """
    scale = rng.choice([4, 12, 60])
    last = problem.latest + max(o for _, o in problem.types) + rng.randint(2, 9)

    def duals(number: int, *levels: int) -> list[list[int]]:
        places = {(rng.choice(levels), rng.randint(1, last)) for _ in range(number)}
        rows = sorted(places) if levels != (0,) else [(r,) for _, r in sorted(places)]
        # A little more than 1, costs fall while a row is held; much more, it is not to be met.
        sizes = [scale + 1, scale + 1 + scale // 4, 2 * scale, 9 * scale, rng.randint(0, scale)]
        return [[*row, rng.choice(sizes)] for row in rows]

    depth = rng.choice([0, 0, 1])
    kinds = rng.sample(sorted(problem.types), 1)
    split = {"split": [[*kind, rng.randint(1, last)] for kind in kinds], "at_most": 1}
    nodes: list[Proof] = [split] * depth
    for _ in range(depth + 1):
        memory, covers = duals(rng.randint(1, 3), 0), duals(rng.randint(0, 3), 1, 2)
        memory.append([last + 40 * (len(memory) + len(covers) + 3), 0])
        branch = [rng.randint(0, 3 * scale) for _ in range(depth)]
        nodes.append({"memory": memory, "covers": covers, "branch": branch})
    return {"rule": "linear-duals", "scale": scale, "tree": nodes}


def text_of(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def random_slices(rng: random.Random) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield files of certified slices at the edge of what holds, and whether they hold.

    Distances are the least that fit, or a little less or more; so are the factor and the bound.
    """
    memory = rng.randint(2, 14)
    s = rng.randint(0, min(4, memory - 1))
    longest = memory - s
    cuts = sorted(rng.sample(range(1, longest + 1), rng.randint(1, min(4, longest))))
    theta = Fraction(rng.randint(0, 4), 4)
    denominator = rng.choice([2, 3, 5, 8])
    phases = []
    for slice in cuts:
        steps = range(1, slice * denominator + 1)
        fits = [x for x in steps if peak(s, (slice, Fraction(x, denominator))) <= memory]
        x = fits[0] if fits else slice * denominator
        phases.append((slice, Fraction(x, denominator)))
    phi = sums(s, memory, theta, cuts[-1])
    fine = rng.choice([1, 16, 1000])
    factor = least_factor(phases, phi, fine)
    bound = max(factor, least_bound(phases, phi, factor))
    good = {
        "format": "kvopt-slices/1",
        "prompt": s,
        "memory": memory,
        "phases": [[slice, text_of(d)] for slice, d in phases],
        "area_weight": text_of(theta),
        "factor": text_of(factor),
        "bound": text_of(bound),
    }
    yield good, len(text_of(bound)) < 40
    for key, value, by in (("factor", factor, fine), ("bound", bound, 10**6)):
        less = value - Fraction(rng.choice([1, 1, 5]), by)
        if less >= 0:
            yield {**good, key: text_of(less)}, False
    q = rng.randrange(len(phases))
    slice, distance = phases[q]
    closer = distance - Fraction(1, denominator)
    if closer > 0:
        rows = [*good["phases"][:q], [slice, text_of(closer)], *good["phases"][q + 1 :]]
        yield {**good, "phases": rows, "factor": "99/1", "bound": "999/1"}, False
    yield {**good, "memory": memory - 1}, False
    yield {**good, "prompt": s + 1}, False
