"""The graph of profiles that rules "demand-duals" and "blocks" search (text/demand_duals.md).

A profile says how much memory those who run use in each coming round.  What can start now,
and the profile after the round, depend on it only.  So every schedule is a path in a graph:
it begins with the empty profile, and in each round an edge says what starts, and leads on.

`usable`: more may be counted as used in a round than is, as long as no path on could use the
rest.  What starts from now on and runs in round r < (the shortest output) is at age r at most,
so it runs in round r + 1 too, using a token more: if at most U can be used there, at most
U - 1 can here, or nothing if U = 0.  And nothing can if there is no room for the smallest prompt
and one token.
"""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

from budget import Budget
from packing import packed

EDGE_STEPS = 25  # to find an edge of a graph
PROFILE_BYTES = 250  # of a profile and its number, while a graph is built

Kinds = list[tuple[int, int]]


class Graph(NamedTuple):
    """Profiles, of which the first `core` are those that the empty one, number 0, leads to.

    Edge number e leads to profile after[e] as group[e] starts; those of profile x have the numbers
    first[x] .. first[x + 1] - 1.
    """

    size: int
    first: Any
    after: Any
    group: Any
    groups: list[tuple[int, ...]]  # how many of each chosen type start; group 0 is nothing
    core: int
    entry: Any  # where the profiles of the phase before are


def profile_graph(
    memory: int, kinds: Kinds, chosen: Kinds, profiles_before: list[int], budget: Budget
) -> tuple[Graph, list[int]]:
    """Return the graph of the profiles that the empty one and those before lead to, and these.

    Chosen types may start.  The first edge of each profile is of group 0.
    """
    width, field, tops, spare, _ = packed(memory, kinds, budget)
    shapes = packed(memory, chosen, budget).shapes
    shortest, least = min(o for _, o in chosen), min(s for s, _ in chosen) + 1

    def usable(profile: int) -> int:
        near = later = 0
        for place in range(width * (shortest - 1), -1, -width):
            used = max((profile >> place) & field, later + 1 if later else 0)
            later = used if used + least <= memory else memory
            near = near << width | later
        return profile >> (width * shortest) << (width * shortest) | near

    nothing = (0,) * len(chosen)
    groups, nodes, profiles = {nothing: 0}, {0: 0}, [0]
    first, afters, group = array("i", [0]), array("i"), array("i")
    entry = array("i")
    core = 0
    # What an edge takes: packed integers, more than one round of them in `usable`, and a group.
    size = width * max(o for _, o in kinds)
    each = EDGE_STEPS + (2 * len(chosen) + 2 * shortest) * (1 + size // 1_000)
    large = PROFILE_BYTES + size // 8
    choice = 200 + size // 8 + 8 * len(chosen)
    for profile in profiles:  # which grow on the way
        open_choices = [(profile, nothing, 0)]
        while open_choices:
            used, started, k = open_choices.pop()
            budget.spend(each)
            known = (len(profiles) + len(profiles_before)) * large
            budget.use(known + (len(open_choices) + len(chosen)) * choice)
            after = usable(used >> width)
            if after not in nodes:
                budget.hold(4)
                nodes[after] = len(profiles)
                profiles.append(after)
            if started not in groups:
                budget.hold(choice)
                groups[started] = len(groups)
            budget.hold(8)
            afters.append(nodes[after])
            group.append(groups[started])
            for j in range(k, len(chosen)):
                if not (used + shapes[j] + spare) & tops:
                    more = (*started[:j], started[j] + 1, *started[j + 1 :])
                    open_choices.append((used + shapes[j], more, j))
        first.append(len(afters))
        if not core and len(first) > len(profiles):  # all that the empty one leads to is there
            core = len(profiles)
            budget.hold(4 * len(profiles_before))
            for before in map(usable, profiles_before):
                if before not in nodes:
                    budget.hold(4)
                    nodes[before] = len(profiles)
                    profiles.append(before)
                entry.append(nodes[before])
    return Graph(len(profiles), first, afters, group, list(groups), core, entry), profiles
