"""Rule "exhaustive" with release times (text/release_times.md, lemmas 2 to 4).

As in exhaustive.py, but a state has a time, too, until the last release; only then no round is
idle.  Requests of one prompt and output start in the order of their releases.  A round costs the
number of those that are released and wait through it, which adds up to the sum of the starts less
that of the releases; so the search is for a sum below the bound less the outputs.  While nothing
runs and nobody waits nothing happens before the next release.

to_come: a bound on what those who are released will still wait, for those to come wait 0 at least.
When i of those have completed, at least their i smallest areas (memory times rounds of a whole
run) have found room in what the running ones leave of the memory; that gives the i-th
completion time, and the sum of these less the outputs is a bound.  So is their busy-time bound,
less the outputs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from budget import Budget
from busy_time import busy_time, total_output
from exhaustive import MAX_SEARCHED, MAX_STATES
from instances import Arrivals
from packing import packed
from reading import Refused, fields, integer


def prove(memory: int, arrivals: Arrivals, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return how many states were looked at to find that the sum of the C_i is `low` at least."""
    fields(proof, "proof", ("rule", "states"))
    limit = integer(proof["states"], 0, MAX_STATES, "proof.states")
    return searched(memory, arrivals, low, limit, budget)


def searched(memory: int, arrivals: Arrivals, low: int, limit: int, budget: Budget) -> int:
    """Search for a schedule that costs less than `low`; refuse if there is one.

    `limit` bounds the choices looked at; returned is how many there were.
    """
    kinds = sorted(arrivals)
    if sum(n for groups in arrivals.values() for _, n in groups) > MAX_SEARCHED:
        raise Refused("proof: the instance is too large for an exhaustive search")
    width, field, tops, spare, shapes = packed(memory, kinds, budget)
    known: dict[tuple[int, ...], tuple[list[int], int, int]] = {}

    def to_come(waiting: tuple[int, ...], profile: int) -> int:
        if waiting not in known:
            rest = {kind: count for kind, count in zip(kinds, waiting) if count}
            budget.spend(20 * len(waiting) + 3 * sum(waiting))
            budget.hold(300 + 8 * len(waiting) + 40 * sum(waiting))
            areas = [s * o + o * (o + 1) // 2 for (s, o), n in rest.items() for _ in range(n)]
            alone = busy_time(memory, rest, slots=False) if rest else 0
            known[waiting] = list(accumulate(sorted(areas))), total_output(rest), alone
        areas, outputs, alone = known[waiting]
        bits = profile.bit_length()
        budget.spend(10 + len(areas) + 2 * (bits // width) * (1 + bits // 500))
        completions = room = now = 0
        for area in areas:
            while room < area and profile:
                room += memory - (profile & field)
                profile >>= width
                now += 1
            # Once nothing runs any more, M a round; the last round is counted whole.
            completions += now if room >= area else now - (room - area) // memory
        return max(completions, alone) - outputs

    at = [[a for a, n in arrivals[kind] for _ in range(n)] for kind in kinds]  # releases
    latest = max(map(max, at))
    outputs = sum(len(own) * output for own, (_, output) in zip(at, kinds))
    target = low - outputs - sum(map(sum, at))
    root = tuple(map(len, at))
    by_cost: dict[int, list[tuple[tuple[int, ...], int, int]]] = {0: [(root, 0, 0)]}
    done: dict[tuple[int, tuple[int, ...]], set[int]] = {}
    looked_at = 0
    for cost in range(target):
        if not by_cost:
            break
        for waiting, profile, now in each(by_cost, cost):
            if profile in done.setdefault((now, waiting), set()):
                continue
            done[now, waiting].add(profile)
            coming = [len(own) - bisect_right(own, now) for own in at]  # not released yet
            then = min(now + 1, latest)
            later = [len(own) - bisect_right(own, then) for own in at]
            size = 320 + profile.bit_length() // 8 + 8 * len(kinds)
            budget.hold(size)
            most = min(limit - looked_at, budget.room // (2 * size))
            choices: list[tuple[tuple[int, ...], int]] = [((), profile)]
            for shape, count, ahead in zip(shapes, waiting, coming):
                longer = []
                for rest, used in choices:
                    for number in range(max(0, count - ahead) + 1):
                        longer.append(((*rest, count - number), used))
                        used += shape
                        if (used + spare) & tops:
                            break
                    if len(longer) > most:
                        budget.use(2 * len(longer) * size)
                        raise Refused(f"proof.states: the search takes more than {limit}")
                choices = longer
                budget.spend(3 * len(choices) * (1 + size // 500))
            looked_at += len(choices)
            for rest, used in choices:
                if not any(rest):
                    claimed, found = outputs + target, outputs + cost
                    raise Refused(f"lower_bound: is {claimed}, a schedule costs {found}")
                after = cost + sum(rest) - sum(coming)
                if not (used or now < latest) or after >= target:
                    continue
                begin = then
                if not used >> width and after == cost:  # nothing happens before the next release
                    begin = max(then, min(own[-n] for own, n in zip(at, rest) if n))
                if used >> width not in done.get((begin, rest), ()):
                    ready = tuple(max(0, n - ahead) for n, ahead in zip(rest, later))
                    if after + to_come(ready, used >> width) < target:
                        budget.hold(size)
                        by_cost.setdefault(after, []).append((rest, used >> width, begin))
    return looked_at


def each(by_cost: dict[int, list[Any]], cost: int) -> Iterator[Any]:
    """Yield the states of a cost, also those that are added meanwhile."""
    while cost in by_cost:
        yield from by_cost.pop(cost)
