"""Companion of demand_duals.md: paths are schedules, unusable memory, and the bounds."""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from companions.checking import checker
from companions.model import random_feasible
from kvopt import Instance, Stopping
from kvopt.generate import generate_random
from kvopt.solver.relaxations.demand_dual_kernel import descend
from kvopt.solver.relaxations.demand_duals import DemandDualRelaxation
from kvopt.solver.relaxations.profile_graph import profile_graph
from kvopt.solver.state_search.state_graph import solve_by_state_graph

Kinds = tuple[tuple[int, int], ...]
Profile = tuple[int, ...]
Group = tuple[int, ...]


def shorter(profile: list[int]) -> Profile:
    """Return a profile without zeros at its end."""
    while profile and profile[-1] == 0:
        profile.pop()
    return tuple(profile)


def with_group(profile: Profile, kinds: Kinds, group: Group) -> Profile:
    """Return the memory of the coming rounds after a group has started (lemma 1)."""
    longest = max([len(profile), *(o for (_, o), c in zip(kinds, group, strict=True) if c)])
    used = [profile[r] if r < len(profile) else 0 for r in range(longest)]
    for (s, o), c in zip(kinds, group, strict=True):
        for r in range(1, o + 1 if c else 0):
            used[r - 1] += c * (s + r)
    return tuple(used)


@functools.cache
def edges(memory: int, kinds: Kinds, profile: Profile) -> list[tuple[Group, Profile]]:
    """Return the groups that may start, and the profiles after the round."""
    ways: list[tuple[Group, Profile]] = [((), profile)]
    for k, (s, _) in enumerate(kinds):
        more = []
        for group, _ in ways:
            for c in range(memory // (s + 1) + 1):
                used = with_group(profile, kinds[: k + 1], (*group, c))
                if max(used, default=0) > memory:
                    break
                more.append(((*group, c), used))
        ways = more
    return [(group, shorter(list(used[1:]))) for group, used in ways]


def usable(memory: int, kinds: Kinds, profile: Profile, taken: int = 1) -> Profile:
    """Return P' of lemma 2; more `taken` than 1 is wrong."""
    shortest, least = min(o for _, o in kinds), min(s for s, _ in kinds) + 1
    used = [*profile, *[0] * (shortest - len(profile))]
    for r in range(shortest, 0, -1):
        if r < shortest and used[r] > 0:
            used[r - 1] = max(used[r - 1], used[r] + taken)
        if memory - used[r - 1] < least:
            used[r - 1] = memory
    return shorter(used)


def with_usable(memory: int, profile: Profile, kinds: Kinds) -> Profile:
    """Return what `usable` makes of a profile if these kinds may start."""
    return usable(memory, kinds, profile)


def cheapest(
    memory: int,
    kinds: Kinds,
    worth: list[int],
    scale: int,
    node: Callable[[Profile, Kinds], Profile],
    phases: bool = False,
) -> int:
    """Return V of theorem 3 or 4, `node` being applied to profiles and who may start."""
    last = [(w - scale * o) // scale for w, (_, o) in zip(worth, kinds, strict=True)]

    @functools.cache
    def way_on(profile: Profile, t: int) -> int:
        if t > max(last):
            return 0
        now = tuple(k for k, end in zip(kinds, last, strict=True) if t <= (end if phases else t))
        profile = node(profile, now)
        cost = {(s, o): scale * (t + o) - w for w, (s, o) in zip(worth, kinds, strict=True)}
        return min(
            sum(c * cost[kind] for c, kind in zip(group, now, strict=True)) + way_on(after, t + 1)
            for group, after in edges(memory, now, profile)
        )

    return way_on((), 0)


def check_schedule(
    instance: Instance, starts: list[int], worth: list[int], scale: int, taken: int = 1
) -> int:
    """Follow a schedule as a way, also with usable memory only; return its cost less V."""
    kinds = tuple((r.prompt, r.output) for r, _ in instance.types())
    counts = [n for _, n in instance.types()]
    begun = Counter((t, (r.prompt, r.output)) for t, r in zip(starts, instance, strict=True))
    plain: Profile = ()
    less: Profile = ()
    cost = 0
    for t in range(max(starts) + 1):
        group = tuple(begun[t, kind] for kind in kinds)
        plain, less = (with_group(profile, kinds, group) for profile in (plain, less))
        assert max(plain, default=0) <= instance.memory
        assert max(less, default=0) <= instance.memory
        for c, w, (_, o) in zip(group, worth, kinds, strict=True):
            cost += c * (scale * (t + o) - w)
        plain, less = shorter(list(plain[1:])), shorter(list(less[1:]))
        less = usable(instance.memory, kinds, less, taken)
        assert all(a <= b for a, b in zip(plain, less, strict=False))
        assert len(plain) <= len(less)
    total = sum(starts) + instance.total_output
    assert cost == scale * total - sum(n * w for n, w in zip(counts, worth, strict=True))
    value = cheapest(
        instance.memory, kinds, worth, scale, lambda p, now: usable(instance.memory, now, p, taken)
    )
    assert value <= cost
    return cost - value


def check_bound(instance: Instance, optimum: int, worth: list[int], scale: int) -> bool:
    """Theorem 3 with and without lemma 2, and the checker; return whether the bound is tight."""
    types = instance.types()
    kinds = tuple((r.prompt, r.output) for r, _ in types)
    node = functools.partial(with_usable, instance.memory)
    value = cheapest(instance.memory, kinds, worth, scale, node, phases=True)
    assert value == cheapest(instance.memory, kinds, worth, scale, node)
    assert value == cheapest(instance.memory, kinds, worth, scale, lambda p, now: p, phases=True)
    bound = -(-(value + sum(n * w for (_, n), w in zip(types, worth, strict=True))) // scale)
    assert bound <= optimum
    rows = sorted([s, o, w] for (s, o), w in zip(kinds, worth, strict=True))
    proof: dict[str, Any] = {"rule": "demand-duals", "scale": scale, "duals": rows}
    counts = {(r.prompt, r.output): n for r, n in types}
    assert bound == checker().bound(instance.memory, counts, proof)
    return bound == optimum


def search_finds(
    instance: Instance, worth: list[int], scale: int, low: int, slack: int
) -> tuple[bool, int]:
    """Do the search of theorem 7 on plain profiles.

    Returns whether it finds a schedule that costs less than `low`, and X - V(S).
    """
    kinds = tuple((r.prompt, r.output) for r, _ in instance.types())
    counts = tuple(n for _, n in instance.types())
    last = [(w + slack - scale * o) // scale for w, (_, o) in zip(worth, kinds, strict=True)]
    spent = scale * (low - 1) - sum(n * w for n, w in zip(counts, worth, strict=True))

    def ways(profile: Profile, t: int) -> list[tuple[Group, int, Profile]]:
        found = []
        for group, after in edges(instance.memory, kinds, profile):
            if all(t <= end for c, end in zip(group, last, strict=True) if c):
                costs = [scale * (t + o) - w for w, (_, o) in zip(worth, kinds, strict=True)]
                found.append((group, sum(c * x for c, x in zip(group, costs, strict=True)), after))
        return found

    @functools.cache
    def to_go(profile: Profile, t: int) -> int:
        if t > max(last):
            return 0
        return min(cost + to_go(after, t + 1) for _, cost, after in ways(profile, t))

    nodes = {((), (0,) * len(kinds)): 0}
    for t in range(max(last) + 1):
        later: dict[tuple[Profile, Group], int] = {}
        for (profile, done), cost in nodes.items():
            for group, more, after in ways(profile, t):
                key = after, tuple(a + c for a, c in zip(done, group, strict=True))
                fits = all(a <= n for a, n in zip(key[1], counts, strict=True))
                if fits and cost + more + to_go(after, t + 1) <= spent:
                    later[key] = min(cost + more, later.get(key, cost + more))
        if any(done == counts and cost <= spent for (_, done), cost in later.items()):
            return True, spent - to_go((), 0)
        nodes = later
    return False, spent - to_go((), 0)


def check_search(
    instance: Instance, optimum: int, worth: list[int], scale: int, less: int = 0
) -> None:
    """Theorem 7, and the checker, which takes no slack that is too small.

    If the slack may be `less` than the theorem allows, it is wrong.
    """
    types = instance.types()
    counts = {(r.prompt, r.output): n for r, n in types}
    rows = sorted([r.prompt, r.output, w] for (r, _), w in zip(types, worth, strict=True))
    proof: dict[str, Any] = {"rule": "demand-duals", "scale": scale, "duals": rows}
    proved = checker().bound(instance.memory, counts, proof)
    for low in (optimum, optimum + 1):
        for slack in (0, scale, 6 * scale):
            found, needed = search_finds(instance, worth, scale, low, slack)
            if needed <= slack + less:
                assert found == (low > optimum)
            search = proof | {"slack": slack, "nodes": 10**6}
            by = functools.partial(checker().bound, instance.memory, counts, search, low)
            if low > proved and (found or needed > slack):
                assert refused(by)
            else:
                assert by() == max(low, proved)


def refused(by: Callable[[], int]) -> bool:
    """Tell whether the checker refuses."""
    try:
        by()
    except checker().Refused:
        return True
    return False


def cheapest_of_part(
    memory: int, part: list[int], kinds: Kinds, costs: Callable[[int, int], int], last: list[int]
) -> int:
    """Return V_p of theorem 6; costs(k, t) is c_k(t), and `last` has the T_k."""
    own = tuple(kinds[k] for k in part)

    @functools.cache
    def way_on(profile: Profile, t: int) -> int:
        if t > max(last[k] for k in part):
            return 0
        return min(
            sum(c * costs(k, t) for k, c in zip(part, group, strict=False)) + way_on(after, t + 1)
            for group, after in edges(memory, own, profile)
            if all(t <= last[k] for k, c in zip(part, group, strict=False) if c)
        )

    return way_on((), 0)


def check_parts(
    instance: Instance,
    optimum: int,
    parts: list[list[int]],
    worth: list[int],
    tokens: dict[int, int],
    scale: int,
    paid_back: int | None = None,
) -> bool:
    """Theorem 6, and the checker; return whether it is tight.

    A `paid_back` other than M is wrong.
    """
    memory = instance.memory
    types = instance.types()
    kinds = tuple((r.prompt, r.output) for r, _ in types)

    def costs(k: int, t: int) -> int:
        s, o = kinds[k]
        use = sum(price * (s + r - t) for r, price in tokens.items() if t < r <= t + o)
        return scale * (t + o) - worth[k] + use

    far = max([0, *tokens, *worth])
    last = [
        max((t for t in range(far + 1) if costs(k, t) <= 0), default=-1) for k in range(len(kinds))
    ]
    total = sum(n * w for (_, n), w in zip(types, worth, strict=True))
    total -= (memory if paid_back is None else paid_back) * sum(tokens.values())
    total += sum(cheapest_of_part(memory, part, kinds, costs, last) for part in parts)
    bound = -(-total // scale)
    assert bound <= optimum
    proof: dict[str, Any] = {
        "rule": "blocks",
        "scale": scale,
        "memory": [[r, tokens[r]] for r in sorted(tokens)],
        "blocks": [sorted([*kinds[k], worth[k]] for k in part) for part in parts],
    }
    counts = {(r.prompt, r.output): n for r, n in types}
    if paid_back is None:
        assert bound == checker().bound(memory, counts, proof)
    return bound == optimum


def check_graph(instance: Instance, rng: random.Random) -> None:
    """Compare the library's graph with the ways of this file: as many, and as cheap."""
    kinds = tuple((r.prompt, r.output) for r, _ in instance.types())
    graph = profile_graph(instance, Stopping())
    assert graph is not None
    reached, waiting = {()}, [()]
    total = 0
    while waiting:
        for _, after in edges(instance.memory, kinds, waiting.pop()):
            total += 1
            after = usable(instance.memory, kinds, after)
            if after not in reached:
                reached.add(after)
                waiting.append(after)
    assert len(graph.first) - 1 == len(reached)
    assert len(graph.target) == total
    assert graph.core == len(reached)
    relaxation = DemandDualRelaxation(instance, descend)
    worth = [rng.randint(0, 12) * 4096 for _ in kinds]
    relaxed = relaxation.cheapest_paths(relaxation.demand * 0 + worth, Stopping())
    assert relaxed is not None
    node = functools.partial(with_usable, instance.memory)
    assert relaxed[0] == cheapest(instance.memory, kinds, worth, 4096, node)


def main(fast: bool) -> None:
    rng = random.Random(4)
    tight = shared = 0
    for number in range(12 if fast else 400):
        instance = generate_random("tiny", 41, number)
        best = solve_by_state_graph(instance)
        for _ in range(3):
            scale = rng.randint(1, 5)
            ends = best.starts + instance.outputs
            worth = [
                scale
                * int(ends[(instance.prompts == r.prompt) & (instance.outputs == r.output)].max())
                + rng.randint(-3 * scale, scale)
                for r, _ in instance.types()
            ]
            tight += check_bound(instance, best.objective, worth, scale)
            if number % 4 == 0:
                check_search(instance, best.objective, worth, scale)
            check_schedule(instance, best.starts.tolist(), worth, scale)
            check_schedule(instance, list(random_feasible(instance, rng)), worth, scale)
            types = list(range(len(worth)))
            rng.shuffle(types)
            cut = rng.randint(0, len(types))
            parts = [part for part in (types[:cut], types[cut:]) if part]
            tokens = {r: rng.randint(0, scale) for r in range(1, rng.randint(1, 9))}
            check_parts(instance, best.objective, parts, worth, tokens, scale)
            shared += check_parts(instance, best.objective, parts, worth, {}, scale)
        check_graph(instance, rng)
    assert tight > 0
    assert shared > 0


if __name__ == "__main__":
    main(fast=False)
