"""The search of rule "demand-duals" through profiles and numbers (text/demand_duals.md, theorem 7).

If the bound of the duals, the sum of n_k w_k plus V, is too small, all schedules that cost less
than `low` are looked for.  No start of one costs more than
    D (low - 1) - sum of n_k w_k - V  <=  slack :
leave it out with all others that cost more than 0; what remains is a path, and costs V at least.
So V and the costs-to-go are those of paths on which no start costs more than the slack.  A node
is a time, a profile, and how many of each type have yet to start; kept is the cheapest path to
it.  Along the path of the schedule no node's cost and cost-to-go exceed what may be spent,
D (low - 1) - sum of n_k w_k, and each is kept with no more than what it costs there.  So its end,
where all have started, would be found.
"""

from __future__ import annotations

from budget import LARGE, Budget
from instances import Types
from profile_graph import Graph
from profile_paths import LOWEST, Duals, Phase, cheapest_path
from reading import Refused

Nodes = dict[int, dict[int, int]]  # by profile and who has yet to start: costs

NODE_BYTES = 200  # of a node, beside the integer that says who has yet to start
PROFILE_BYTES = 400  # of a profile that has nodes


def prove(
    memory: int,
    types: Types,
    low: int,
    duals: Duals,
    scale: int,
    slack: int,
    limit: int,
    budget: Budget,
) -> int:
    """Return what the duals give, or `low` if that is more and a search has proved it."""
    phases: list[Phase] = []
    costs: dict[tuple[int, int], list[int]] = {kind: [] for kind in duals}
    least = cheapest_path(memory, duals, costs, scale, budget, slack, phases)
    value = sum(types[kind] * dual for kind, dual in duals.items())
    bound = -(-(value + least) // scale)
    if bound >= low:
        return bound
    below = scale * (low - 1) - value  # what may be spent
    if below - least > slack:
        raise Refused("proof.slack: is less than what a start may cost")
    if Search({kind: types[kind] for kind in duals}, below, limit, budget).run(phases):
        raise Refused(f"lower_bound: is {low}, a schedule costs less")
    return low


class Search:
    """The search.

    How many of each type have yet to start is one integer, with a field for each type; the top
    bits of all fields, the guards, are set, and one that is lost says that not so many were left.
    Long integers whose fields are 61 bits apart would share their hashes (2^61 = 1 there), so
    above the fields each type adds a number that no file can know.
    """

    def __init__(self, counts: Types, below: int, limit: int, budget: Budget) -> None:
        self.counts, self.below, self.budget = counts, below, budget
        self.nodes = self.limit = limit  # in all, and still to come
        self.units: dict[tuple[int, int], int] = {}
        size = sum(count.bit_length() + 1 for count in counts.values())
        self.large = 1 + size // 1_000  # steps for one with such an integer
        self.bytes = size // 7
        budget.spend(5 * len(counts) * self.large)
        budget.hold(len(counts) * (LARGE + self.bytes))
        self.guards = self.everyone = place = 0
        for kind, count in counts.items():
            self.units[kind] = 1 << place
            if size > 60:
                self.units[kind] += abs(hash(f"{kind}")) << size
            self.everyone += count * self.units[kind]
            place += count.bit_length()
            self.guards |= 1 << place
            place += 1

    def run(self, phases: list[Phase]) -> bool:
        """Return whether a schedule costs at most `below`; refuse if that takes too many nodes."""
        nodes: Nodes = {0: {self.guards | self.everyone: 0}}
        for number, phase in enumerate(phases):
            nodes = entered(nodes, phase.graph)
            takes = self.taken(phase)
            later = phases[number + 1] if number + 1 < len(phases) else None
            for t in range(phase.begin, phase.end):
                nodes = self.passed(nodes, phase, later, t, takes)
                for those in nodes.values():
                    if those.pop(self.guards, self.below + 1) <= self.below:
                        return True
        return False

    def taken(self, phase: Phase) -> list[int]:
        """Return what each group takes from those who are left, 0 where it is more than there are.

        Nothing starts in group 0.
        """
        groups = phase.graph.groups
        self.budget.spend(5 * len(groups) * (1 + len(phase.chosen)) * self.large)
        self.budget.hold(len(groups) * (LARGE + self.bytes))
        takes = []
        for group in groups:
            some = list(zip(group, phase.chosen))
            fits = all(n <= self.counts[kind] for n, kind in some)
            takes.append(sum(n * self.units[kind] for n, kind in some) if fits else 0)
        return takes

    def passed(
        self, nodes: Nodes, phase: Phase, later: Phase | None, t: int, takes: list[int]
    ) -> Nodes:
        """Return the nodes after a round."""
        graph, guards, after = phase.graph, self.guards, {}
        costs = phase.costs(t)
        before = found = sum(map(len, nodes.values()))
        self.budget.spend(20 + len(takes) * (3 + len(phase.chosen)))
        for one, those in nodes.items():
            edges = range(graph.first[one], graph.first[one + 1])
            self.budget.spend(len(edges) * (20 + 6 * len(those) * self.large))
            for edge in edges:
                to, which = graph.after[edge], graph.group[edge]
                take, cost = takes[which], costs[which]
                if which and not take:
                    continue
                most = self.below - to_go(phase, later, t + 1, to)
                there = after.setdefault(to, {})
                found -= len(there)
                for who, spent in those.items():
                    new, more = who - take, spent + cost
                    if more <= most and new & guards == guards:
                        if more < there.get(new, more + 1):
                            there[new] = more
                found += len(there)
                self.budget.use(found * (NODE_BYTES + self.bytes) + PROFILE_BYTES * len(after))
                if found - before > self.limit:
                    raise Refused(f"proof.nodes: the search takes more than {self.nodes}")
        self.limit -= found - before
        return {one: those for one, those in after.items() if those}


def entered(nodes: Nodes, graph: Graph) -> Nodes:
    """Return nodes of the phase before as nodes of the phase of a graph."""
    after: Nodes = {}
    for one, those in nodes.items():
        there = after.setdefault(graph.entry[one], {})
        for who, spent in those.items():
            there[who] = min(spent, there.get(who, spent))
    return after


def to_go(phase: Phase, later: Phase | None, t: int, profile: int) -> int:
    """Return the cost-to-go of a profile of a phase at a time, at most; 0 after all phases."""
    if t == phase.end:
        if later is None:
            return 0
        phase, profile = later, later.graph.entry[profile]
    place, base, above = phase.rows[t]
    if profile >= len(place) or above[place[profile]] == LOWEST:
        raise Refused("proof.duals: lead to a profile that is not in the core")
    return base + above[place[profile]]
