"""Rule "exhaustive": a search over all states (text/state_search.md).

What can still happen depends on the state only: how many requests of each type wait, and
the memory that those running will use in each coming round, its profile.  A round costs the
number of requests that wait through it; that adds up to the sum of the starts, so the search
is for a sum below the bound less the outputs.  From each state everything that fits may start.
Left out are: a state met before at no greater cost (states come in the order of cost); a round
in which nothing runs (in a cheapest schedule there is none: all that follows could move one
round forward); and a state whose cost plus `to_come` reaches the sum searched for.

to_come: when i of those that wait have completed, at least their i smallest areas (memory
times rounds of a whole run) have found room in what the running ones leave of the memory;
that gives the i-th completion time, and the sum of these less the outputs is a bound on the
sum of the starts from now.  So is the busy-time bound of those that wait, less the outputs.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from budget import Budget
from busy_time import busy_time, total_output
from instances import Types
from packing import packed
from reading import Refused, fields, integer

MAX_STATES = 5_000_000  # looked at in a search
MAX_SEARCHED = 1_000  # requests in a search


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the number of states looked at to find that no schedule costs less than `low`."""
    fields(proof, "proof", ("rule", "states"))
    limit = integer(proof["states"], 0, MAX_STATES, "proof.states")
    return searched(memory, types, low, limit, budget)


def searched(memory: int, types: Types, low: int, limit: int, budget: Budget) -> int:
    """Search for a schedule that costs less than `low`; refuse if there is one.

    `limit` bounds the choices looked at; returned is how many there were.
    """
    kinds = sorted(types)
    if sum(types.values()) > MAX_SEARCHED:
        raise Refused("proof: the instance is too large for an exhaustive search")
    width, field, tops, spare, shapes = packed(memory, kinds, budget)
    known: dict[tuple[int, ...], tuple[list[int], int, int]] = {}

    def to_come(waiting: tuple[int, ...], profile: int) -> int:
        if waiting not in known:
            rest = {kind: count for kind, count in zip(kinds, waiting) if count}
            budget.spend(20 * len(waiting) + 3 * sum(waiting))
            budget.hold(300 + 8 * len(waiting) + 40 * sum(waiting))
            areas = [s * o + o * (o + 1) // 2 for (s, o), n in rest.items() for _ in range(n)]
            alone = busy_time(memory, rest, slots=False)
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

    target = low - total_output(types)
    root = tuple(types[kind] for kind in kinds)
    by_cost: dict[int, list[tuple[tuple[int, ...], int]]] = {0: [(root, 0)]}
    done: dict[tuple[int, ...], set[int]] = {}
    looked_at = 0
    for cost in range(target):
        if not by_cost:
            break
        for waiting, profile in by_cost.pop(cost, ()):
            if profile in done.setdefault(waiting, set()):
                continue
            done[waiting].add(profile)
            size = 320 + profile.bit_length() // 8 + 8 * len(kinds)
            budget.hold(size)
            most = min(limit - looked_at, budget.room // (2 * size))
            choices: list[tuple[tuple[int, ...], int]] = [((), profile)]
            for shape, count in zip(shapes, waiting):
                longer = []
                for rest, used in choices:
                    for number in range(count + 1):
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
                after = cost + sum(rest)
                if after == cost:
                    raise Refused(f"lower_bound: is {low}, a schedule costs {cost + low - target}")
                if used and after < target and used >> width not in done.get(rest, ()):
                    if after + to_come(rest, used >> width) < target:
                        budget.hold(size)
                        by_cost.setdefault(after, []).append((rest, used >> width))
    return looked_at
