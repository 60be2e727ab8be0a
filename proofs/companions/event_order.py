"""Companion of event_order.md: states, rows, heads, prices and trees, against all schedules."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from companions.checking import modules
from companions.model import random_feasible
from kvopt import Instance

Shape = tuple[int, int, int]  # prompt, output, release
Gaps = dict[tuple[int, int], int]  # (a, b): d of p_b - p_a >= d


def shapes_of(instance: Instance) -> list[Shape]:
    """Return prompt, output and release of each request."""
    return [(r.prompt, r.output, r.release) for r in instance]


def tokens_in(shapes: Sequence[Shape], starts: Sequence[int], i: int, r: int) -> int:
    """Return what request i holds in a round, by the model."""
    prompt, output, _ = shapes[i]
    return prompt + r - starts[i] if starts[i] < r <= starts[i] + output else 0


def schedules(shapes: Sequence[Shape], memory: int, latest: int) -> list[tuple[int, ...]]:
    """Return all schedules with starts up to `latest`."""
    found = []
    for starts in itertools.product(*(range(release, latest + 1) for _, _, release in shapes)):
        rounds = range(1, latest + max(o for _, o, _ in shapes) + 1)
        used = (sum(tokens_in(shapes, starts, i, r) for i in range(len(shapes))) for r in rounds)
        if max(used) <= memory:
            found.append(starts)
    return found


def state_gaps(shapes: Sequence[Shape], k: int, j: int, state: int, late: int = 0) -> Gaps:
    """Return what a state says (lemma 1); `late` makes "running" begin too late."""
    mine, others = shapes[j][1], shapes[k][1]
    if state == 0:
        return {(k, j): others - mine + 1}
    if state == 1:
        return {(k, j): 1 - mine + late, (j, k): mine - others}
    return {(j, k): mine}


def hold(gaps: Gaps, starts: Sequence[int]) -> bool:
    """Tell whether starts satisfy some gaps."""
    return all(starts[b] - starts[a] >= d for (a, b), d in gaps.items())


def check_states(shapes: Sequence[Shape], starts: Sequence[int], late: int = 0) -> None:
    """Lemma 1: one state of three, and who runs at a completion."""
    for k, j in itertools.permutations(range(len(shapes)), 2):
        states = [s for s in range(3) if hold(state_gaps(shapes, k, j, s, late), starts)]
        assert len(states) == 1
        runs = tokens_in(shapes, starts, k, starts[j] + shapes[j][1]) > 0
        assert runs == (states == [1])


def sorted_starts(shapes: Sequence[Shape], starts: Sequence[int]) -> list[int]:
    """Exchange starts of requests that are alike until they ascend (lemma 2)."""
    found = list(starts)
    for shape in set(shapes):
        alike = [i for i, other in enumerate(shapes) if other == shape]
        for i, start in zip(alike, sorted(starts[i] for i in alike), strict=True):
            found[i] = start
    return found


def check_memory(shapes: Sequence[Shape], memory: int, starts: Sequence[int], more: int = 0) -> int:
    """Lemma 3 for all sets of requests that run; return how many."""
    number = 0
    for j, (s, o, _) in enumerate(shapes):
        end = starts[j] + o
        others = [k for k in range(len(shapes)) if k != j]
        running = [k for k in others if tokens_in(shapes, starts, k, end)]
        for size in range(1, len(running) + 1):
            for some in itertools.combinations(running, size):
                number += 1
                left = sum(starts[k] for k in some) - size * starts[j]
                assert left >= s + o - memory + sum(shapes[k][0] + o for k in some) + more
    return number


def area(shape: Shape) -> tuple[int, int]:
    """Return v and w of a request, as they are defined."""
    prompt, output, _ = shape
    used = [prompt + x for x in range(1, output + 1)]
    return sum(used), sum(x * tokens for x, tokens in enumerate(used, 1))


def filled(memory: int, total: int, e: int) -> int:
    """Return F(V, e) of lemma 4, by its formula."""
    full = total // memory
    return memory * (e * full + full * (full + 1) // 2) + (total - full * memory) * (e + full + 1)


def check_fill(memory: int, total: int, e: int) -> None:
    """F is the least sum of r u_r: compared with all ways to fill rounds, for tiny numbers."""
    rounds = range(e + 1, e + total // memory + 3)
    ways = itertools.product(range(memory + 1), repeat=len(rounds))
    least = min(
        sum(r * u for r, u in zip(rounds, way, strict=True)) for way in ways if sum(way) == total
    )
    assert filled(memory, total, e) == least


def check_area(shapes: Sequence[Shape], memory: int, starts: Sequence[int], more: int = 0) -> int:
    """Lemma 4 for all sets of requests; return how often it is tight."""
    tight = 0
    for size in range(1, len(shapes) + 1):
        for some in itertools.combinations(range(len(shapes)), size):
            sums = [area(shapes[i]) for i in some]
            ends = range(1, max(starts) + max(o for _, o, _ in shapes) + 1)
            left = sum(v * starts[i] + w for i, (v, w) in zip(some, sums, strict=True))
            assert left == sum(r * sum(tokens_in(shapes, starts, i, r) for i in some) for r in ends)
            for e in range(min(starts[i] for i in some) + 1):
                right = filled(memory, sum(v for v, _ in sums), e) + more
                assert left >= right
                tight += left == right
    return tight


def window(shapes: Sequence[Shape], memory: int, m: int, i: int) -> int:
    """Return the d_i of window covers of a level (model.md, lemma 4)."""
    prompt, output, _ = shapes[i]
    excess = prompt + output + m * (min(s for s, _, _ in shapes) + output) - memory
    return max(0, min(output, -(-excess // m)))


def check_cover(shapes: Sequence[Shape], memory: int, starts: Sequence[int], more: int = 0) -> int:
    """Lemma 4 for window covers and all sets of requests; return how often it is tight."""
    tight = 0
    for m in (1, 2):
        d = [window(shapes, memory, m, i) for i in range(len(shapes))]
        for r in range(1, max(starts) + max(d) + 1):
            assert sum(start < r <= start + x for start, x in zip(starts, d, strict=True)) <= m
        for size in range(1, len(shapes) + 1):
            for some in itertools.combinations(range(len(shapes)), size):
                left = sum(d[i] * starts[i] + d[i] * (d[i] + 1) // 2 for i in some)
                for e in range(min(starts[i] for i in some) + 1):
                    right = filled(m, sum(d[i] for i in some), e) + more
                    assert left >= right
                    tight += left == right
    return tight


def any_prices(rng: random.Random) -> dict[str, Any]:
    """Return any duals of memory rows and window covers."""

    def some() -> list[int]:
        return sorted(rng.sample(range(1, 9), rng.randint(0, 4)))

    return {
        "memory": [[r, rng.randint(0, 5)] for r in some()],
        "covers": [[m, u, rng.randint(0, 9)] for m in (1, 2) for u in some()],
        "branch": [],
    }


def costs_of(
    shapes: Sequence[Shape], memory: int, prices: dict[str, Any], times: int
) -> tuple[list[list[int]], int]:
    """Return f_i(t) for t < times and P (before lemma 8), by the definition of the rows."""
    costs = []
    for i, (prompt, output, _) in enumerate(shapes):
        costs.append([0] * times)
        for t in range(times):
            for r, dual in prices["memory"]:
                costs[i][t] += dual * (prompt + r - t) * (t < r <= t + output)
            for m, u, dual in prices["covers"]:
                costs[i][t] += dual * (u - window(shapes, memory, m, i) < t <= u)
    limit = memory * sum(dual for _, dual in prices["memory"])
    return costs, limit + sum(m * dual for m, _, dual in prices["covers"])


def below(costs: Sequence[int], slope_down: int = 0) -> list[int]:
    """Return g of lemma 9, with the hull as the least of all chords; an error may make it steep."""

    def hull(t: int) -> Fraction:
        chords = itertools.product(range(t + 1), range(t, len(costs)))
        return min(
            Fraction(costs[a] * (b - t) + costs[b] * (t - a), b - a)
            if a < b
            else Fraction(costs[a])
            for a, b in chords
        )

    found = [0]
    for t in reversed(range(len(costs) - 1)):
        found.insert(0, found[0] - math.ceil(hull(t + 1) - hull(t)) + slope_down)
    return found


def check_prices(
    shapes: Sequence[Shape],
    memory: int,
    all_starts: Sequence[Sequence[int]],
    rng: random.Random,
    steep: int = 0,
) -> int:
    """Lemmas 8 to 10; return how many schedules make the row of prices tight."""
    times = 12
    prices = any_prices(rng)
    costs, limit = costs_of(shapes, memory, prices, times)
    sums = [sum(costs[i][p] for i, p in enumerate(s) if p < times) for s in all_starts]
    assert max(sums) <= limit
    convex, least = (getattr(modules()["convex_costs"], name) for name in ("convex", "least"))
    for f in costs:
        g = below(f, steep)
        assert all(low <= cost for low, cost in zip(g, f, strict=True))
        steps = [b - a for a, b in itertools.pairwise([*g, 0])]
        assert steps == sorted(steps)
        assert g == convex(f)
        rate, head, y = rng.randint(0, 9), rng.randint(0, times + 2), rng.randint(1, 3)
        every = [rate * t + y * (g[t] if t < times else 0) for t in range(head, head + 2 * times)]
        assert least(rate, head, [(y, g)]) == min(every)
    return sum(total == limit for total in sums) if limit else 0


def heads_of(lows: Sequence[int], gaps: Gaps) -> list[int] | None:
    """Return the least starts by n rounds of Bellman and Ford; None if they do not settle."""
    heads = list(lows)
    for _ in heads:
        before = list(heads)
        for (a, b), d in gaps.items():
            heads[b] = max(heads[b], heads[a] + d)
    return heads if heads == before else None


def check_heads(rng: random.Random) -> bool:
    """Lemma 5: heads are the least of all solutions, or there is none; return whether there is."""
    n, top = rng.randint(2, 4), 9
    lows = [rng.randint(0, 2) for _ in range(n)]
    pairs = list(itertools.permutations(range(n), 2))
    gaps = {pair: rng.randint(-3, 2) for pair in rng.sample(pairs, rng.randint(1, len(pairs)))}
    found = [
        starts
        for starts in itertools.product(*(range(low, top) for low in lows))
        if hold(gaps, starts)
    ]
    heads = heads_of(lows, gaps)
    assert (heads is not None) == bool(found)  # with a solution, one is below the top
    if heads is not None:
        assert heads == [min(starts[i] for starts in found) for i in range(n)]
    return heads is not None


def any_leaf(
    rng: random.Random, shapes: Sequence[Shape], path: dict[str, Any], memory: int, prices: int
) -> tuple[dict[str, Any], int]:
    """Return a leaf with any rows of its path, and its largest coefficient."""
    rows: list[list[Any]] = [["gap", *pair] for pair in path["gaps"]]
    rows += [["end", i] for i in path["ends"]]
    for j in range(len(shapes)):
        running = [k for k, i in path["running"] if i == j]
        if running:
            rows.append(["memory", j, *rng.sample(running, rng.randint(1, len(running)))])
    heads = heads_of(path["lows"], path["gaps"])
    for e in set(heads or ()):
        later = [i for i, head in enumerate(heads or ()) if head >= e]
        rows += [["area", e, *later], ["cover", 1, e, *later], ["cover", 2, e, *later]]
    some = [[rng.randint(1, 9), *row] for row in rng.sample(rows, min(len(rows), 3))]
    coefficients = [0] * len(shapes)
    for y, kind, first, *rest in some:
        if kind == "area":
            for i in rest:
                coefficients[i] += y * area(shapes[i])[0]
        elif kind == "cover":
            for i in rest[1:]:
                coefficients[i] += y * window(shapes, memory, first, i)
        else:
            coefficients[first] -= y * (len(rest) or 1)
            for i in rest:
                coefficients[i] += y
    some += [[rng.randint(1, 9), "price", k] for k in range(prices) if rng.random() < 0.7]
    return {"rows": some}, max(coefficients)


def check_tree(
    shapes: Sequence[Shape], memory: int, all_starts: Sequence[Sequence[int]], rng: random.Random
) -> int:
    """Theorems 6, 7 and 11 with any tree: no schedule costs less; return how much it lacks."""
    prices = [any_prices(rng) for _ in range(rng.choice([0, 1, 2]))]
    tree: list[dict[str, Any]] = []
    sums = [1]
    last: dict[Shape, int] = {}
    order: Gaps = {}
    for i, shape in enumerate(shapes):
        if shape in last:
            order[last[shape], i] = 0
        last[shape] = i

    def grow(path: dict[str, Any], depth: int) -> None:
        if depth == 0 or rng.random() < 0.2:
            node, largest = any_leaf(rng, shapes, path, memory, len(prices))
            sums.append(largest)
            tree.append(node)
            return
        k, j = rng.sample(range(len(shapes)), 2)
        if (k, j) in path["known"] or rng.random() < 0.2:
            t = rng.randint(0, 6)
            tree.append({"start": [k, t]})
            grow({**path, "ends": {*path["ends"], k}}, depth - 1)
            lows = [max(low, t + 1) if i == k else low for i, low in enumerate(path["lows"])]
            grow({**path, "lows": lows}, depth - 1)
            return
        tree.append({"at": [k, j]})
        for state in range(3):
            gaps = dict(path["gaps"])
            for pair, d in state_gaps(shapes, k, j, state).items():
                gaps[pair] = max(d, gaps.get(pair, d))
            running = [*path["running"], (k, j)] if state == 1 else path["running"]
            known = {*path["known"], (k, j)}
            grow({**path, "gaps": gaps, "running": running, "known": known}, depth - 1)

    lows = [release for _, _, release in shapes]
    root: dict[str, Any] = {"gaps": order, "lows": lows, "ends": set(), "running": [], "known": ()}
    grow(root, rng.randint(0, 4) if len(shapes) > 1 else 0)
    found = modules()
    groups = [found["instances"].Group(*shape, 1) for shape in shapes]
    proof = {"rule": "event-order", "scale": max(sums), "tree": tree, "prices": prices}
    bound = found["event_order"].prove(memory, groups, 0, proof, found["budget"].Budget())
    fixed = sum(o - release for _, o, release in shapes)
    least = fixed + min(map(sum, all_starts))
    assert bound <= least
    return int(least - bound)


def random_shapes(rng: random.Random) -> tuple[int, list[Shape]]:
    """Return a memory and up to three requests, often alike, some of them released later."""
    memory = rng.randint(2, 6)
    shapes = []
    for _ in range(rng.randint(1, 3)):
        prompt = rng.randint(0, min(2, memory - 1))
        release = rng.choice([0, 0, rng.randint(1, 3)])
        shapes.append((prompt, rng.randint(1, min(3, memory - prompt)), release))
    if rng.random() < 0.4:
        shapes = [rng.choice(shapes) for _ in shapes]
    return memory, shapes


def main(fast: bool) -> None:
    rng = random.Random(9)
    tight = covered = priced = exact = rows = settled = 0
    for memory, total, e in itertools.product((1, 2, 3), range(8), (0, 2)):
        check_fill(memory, total, e)
    for number in range(60 if fast else 1500):
        memory, shapes = random_shapes(rng)
        latest = max(release for _, _, release in shapes) + sum(o for _, o, _ in shapes)
        every = schedules(shapes, memory, latest)
        for starts in rng.sample(every, min(len(every), 20)):
            check_states(shapes, starts)
            rows += check_memory(shapes, memory, starts)
            tight += check_area(shapes, memory, starts)
            covered += check_cover(shapes, memory, starts)
            assert tuple(sorted_starts(shapes, starts)) in set(every)
        exact += sum(check_tree(shapes, memory, every, rng) == 0 for _ in range(4))
        settled += check_heads(rng)
        priced += check_prices(shapes, memory, every, rng)
        large = Instance(60, [number % 5] * 6, [rng.randint(1, 50) for _ in range(6)])
        starts = random_feasible(large, rng)
        check_states(shapes_of(large), starts)
        check_memory(shapes_of(large), 60, starts)
    assert min(tight, covered, exact, rows, settled) > 20
    assert priced > 0


if __name__ == "__main__":
    main(fast=False)
