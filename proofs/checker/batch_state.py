"""Rule "batch-state": paths of the batch, known by its ages (text/batch_state.md).

Take a cheapest schedule; it has no idle round (model.md, lemma 1).  See the *batch*: of each
request that runs the tokens b that it holds and its prompt s, but not its output.  A round adds
one token to each; then all b together are M at most.  Then some with b = s + o may complete as
requests of type (s, o); some may be admitted, with b = s; then comes the next round.  That is a
path, from the empty batch to the empty batch: all it forgets is how often each type has completed.

Let a completion of type k at time t cost D t - w_k, w_k the dual of its demand.  As n_k requests
of type k complete, D times the cost of a schedule is sum of n_k w_k plus what its path costs.
Leave out of it all runs whose completions cost more than 0: a path remains (rounds may be idle
now), which does not cost more.  So D times the cost is at least the sum of n_k w_k plus the cost
of the cheapest path on which no completion costs more than 0.  (Nor is a cost less than the sum of
the outputs, which is more where nothing pays.)

If that bound, sum of n_k w_k + V, is too small, all schedules that cost less than `low` are
looked for.  On the path of such a schedule no completion costs more than the
    slack  =  D (low - 1) - sum of n_k w_k - V :
leave out that run and all others that cost more than 0; what remains costs V at least.  The
*cost-to-go* of a time and a batch is that of the cheapest path on from there on which no
completion costs more than the slack; there may be none.  Batches are left out that cost more from
there on than the empty one and the slack: the completions so far of the schedule and the cost-to-go
of the empty batch are V at least, as the runs of those who run can be left out.  A node is a time,
a batch, and how many of each type have yet to complete; kept is the cheapest path to it.  Along the
path of the schedule no node's cost and cost-to-go exceed D (low - 1) - sum of n_k w_k, and each is
kept with no more than what it costs there, as it follows from one that is.  So its end would be
found.

With release times (text/release_times.md, theorem 5) a completion at t costs the bound D t less
the largest dual of those who may have started at t - o (release_duals); nodes know which it is,
as those of one prompt and output complete in the order of their releases.
"""

from __future__ import annotations

from array import array
from typing import Any

from batches import Batches
from budget import Budget
from charges import Charges
from instances import Arrivals, Types
from limits import MAX_NUMBER
from reading import Refused, fields, integer, read_duals
from release_duals import Prices, duals_in_order, read_prices

MAX_COST = 2**62
MAX_HORIZON = 10**6
MAX_NODES = 50_000_000  # kept in a search, all times together

Costs = dict[int, int]  # cost-to-go of batches, by their numbers


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return what the duals give, or `low` if that is more and a search has proved it."""
    fields(proof, "proof", ("rule", "scale", "horizon", "duals", "nodes"))
    pay_for(sum(types.values()), budget)
    given = read_duals(types, proof["duals"], "proof.duals")
    value = sum(types[kind] * dual for kind, dual in given.items())
    prices = {kind: [(0, dual)] for kind, dual in given.items()}
    queues = {kind: [(0, dual)] * types[kind] for kind, dual in given.items()}
    return proved(memory, prices, queues, value, low, proof, budget)


def prove_with_releases(
    memory: int, arrivals: Arrivals, low: int, proof: dict[str, Any], budget: Budget
) -> int:
    """Return what the duals give, or `low` if that is more and a search has proved it."""
    fields(proof, "proof", ("rule", "scale", "horizon", "duals", "nodes"))
    pay_for(sum(n for groups in arrivals.values() for _, n in groups), budget)
    prices, value = read_prices(arrivals, proof["duals"], "proof.duals")
    queues = duals_in_order(arrivals, proof["duals"])
    return proved(memory, prices, queues, value, low, proof, budget)


def pay_for(requests: int, budget: Budget) -> None:
    """Pay for what is kept of each request."""
    budget.spend(20 * requests)
    budget.hold(200 * requests)


def proved(
    memory: int,
    prices: Prices,
    queues: Prices,
    value: int,
    low: int,
    proof: dict[str, Any],
    budget: Budget,
) -> int:
    """Return the bound, from the duals by type and by request and the sum of the latter."""
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    horizon = integer(proof["horizon"], 1, MAX_HORIZON, "proof.horizon")
    limit = integer(proof["nodes"], 0, MAX_NODES, "proof.nodes")
    kinds = sorted(prices, key=lambda kind: -prices[kind][-1][1])
    duals = Charges(kinds, scale, prices, queues)
    if duals.most[0] > scale * horizon:
        raise Refused("proof.duals: is more than a completion at the horizon costs")
    batches = Batches(memory, kinds, budget)
    # A slack of 0 is enough for the bound, one that is not too small for the search as well.
    slack = 0 if limit == 0 else low // 256 * scale
    begun, kept = costs_to_go(batches, duals, slack, keep=limit > 0)
    least = sum(a + o for (_, o), queue in queues.items() for a, _ in queue)
    bound = max(least, -(-(value + begun) // scale))
    if bound >= low or limit == 0:
        return bound
    below = scale * (low - 1) - value  # what may be spent
    if below - begun > slack:
        _, kept = costs_to_go(batches, duals, below - begun, keep=True)
    if search(batches, [len(queues[kind]) for kind in kinds], duals, kept, below, limit):
        late = sum(release for queue in queues.values() for release, _ in queue)
        raise Refused(f"lower_bound: is {low - late}, a schedule costs less")
    return low


def costs_to_go(
    batches: Batches, charges: Charges, slack: int, keep: bool
) -> tuple[int, list[tuple[Any, Any]]]:
    """Return the cost of the cheapest path without completions that cost more than the slack.

    And, if they are kept, the batches of each time before its completions, those from which such
    a path goes on, with their costs-to-go.
    """
    budget, before = batches.budget, batches.before
    scale, duals = charges.scale, charges.most
    largest = max(abs(dual) for queue in charges.queues for _, dual in queue)
    last = (duals[0] + slack) // scale  # time of the last completion that may be
    # In a round at most M run, and whoever completes has run.
    if (last + 1) * batches.memory * (scale * (last + 1) + largest) > MAX_COST:
        raise Refused("proof.duals: has duals that are too large")
    costs = [MAX_COST] * len(batches.batches)  # by their numbers; so if no path goes on
    costs[0] = 0
    found = [0]  # the batches from which one does
    kept: list[tuple[Any, Any]] = []
    ranks = 0
    for t in range(last, 0, -1):
        after: dict[int, int] = {}  # costs after the completions of t
        for batch in found:
            cost, costs[batch] = costs[batch], MAX_COST
            if cost < after.get(one := before[batch], MAX_COST):
                after[one] = cost
        while ranks < len(duals) and scale * t - duals[ranks] <= slack:
            ranks += 1
        budget.spend(10 + 3 * len(found) + 10 * ranks)
        found = completing(batches, costs, after, charges.least(t, ranks, slack), slack)
        if keep:
            budget.hold(200 + 12 * len(found))
            kept.append((array("i", found), array("q", [costs[one] for one in found])))
    kept.append((array("i", [0]), array("q", [0])))  # of time 0
    kept.reverse()
    return min([costs[one] for one in found if before[one] == 0], default=0), kept


def completing(
    batches: Batches, costs: list[int], after: dict[int, int], gains: list[int], slack: int
) -> list[int]:
    """Enter the costs-to-go before the completions of a time; return the batches that have one.

    `after` are the costs after them; `gains` what completions cost, of the ranks that may be.
    Batches that cost more from there on than the empty one and the slack are left out.
    """
    ranks, most = len(gains), after[0] + slack
    levels: list[list[int]] = [[] for _ in range(1 + max(map(batches.running.__getitem__, after)))]
    for one, cost in after.items():
        costs[one] = cost
        levels[batches.running[one]].append(one)
    found: list[int] = []
    tried, grown = batches.tried, batches.grown
    for i, level in enumerate(levels):  # by how many run; there may become more
        more = levels[i + 1] if i + 1 < len(levels) else []
        steps = 2 * len(level)
        for batch in level:
            if (cost := costs[batch]) > most:
                costs[batch] = MAX_COST
                continue
            found.append(batch)
            larger = grown[batch]
            if tried[batch] < ranks:
                larger = batches.more(batch, ranks)
                costs.extend([MAX_COST] * (len(grown) - len(costs)))
            steps += len(larger)
            for one, rank in larger:
                if rank < ranks and (through := cost + gains[rank]) < (known := costs[one]):
                    costs[one] = through
                    if known == MAX_COST:
                        more.append(one)
        batches.budget.spend(2 * steps)
        if more and i + 1 == len(levels):
            levels.append(more)
    return found


def search(
    batches: Batches,
    counts: list[int],
    charges: Charges,
    kept: list[tuple[Any, Any]],
    below: int,
    limit: int,
) -> bool:
    """Return whether a schedule costs at most `below`; refuse if that takes too many nodes.

    How many of each type have yet to complete is one integer, with a field for each type; the
    top bits of all fields, the guards, are set, and one that is lost says that none was left.
    """
    units, fields_of, guards, everyone, place = [], [], 0, 0, 0
    for count in counts:
        units.append(1 << place)
        fields_of.append((place, (1 << count.bit_length()) - 1))
        everyone += count << place
        place += count.bit_length()
        guards |= 1 << place
        place += 1
    budget, running = batches.budget, batches.running
    fewer: dict[int, list[tuple[int, int]]] = {}
    nodes: dict[int, Costs] = {0: {guards | everyone: 0}}  # batch: who is left, cost
    looked_at = 0
    for t in range(len(kept)):
        rest = dict(zip(*kept[t]))
        budget.spend(3 * sum(counts))
        gains = charges.by_number_left(t)
        waiting: list[list[int]] = [[] for _ in range(max(running[one] for one in nodes) + 1)]
        for one in nodes:
            waiting[running[one]].append(one)
        for level in range(len(waiting) - 1, 0, -1):
            for one in waiting[level]:
                if one not in fewer:
                    fewer[one] = batches.fewer(one)
                for left, rank in fewer[one]:
                    if left not in rest:
                        continue
                    gain, unit, (shift, field) = gains[rank], units[rank], fields_of[rank]
                    most = below - rest[left]
                    if left not in nodes:
                        nodes[left] = {}
                        waiting[level - 1].append(left)
                    there = nodes[left]
                    budget.spend(10 + 2 * len(nodes[one]))
                    for who, cost in nodes[one].items():
                        more = cost + gain[who >> shift & field]
                        if more <= most and (new := who - unit) & guards == guards:
                            if more < there.get(new, more + 1):
                                there[new] = more
        if nodes.get(0, {}).get(guards, below + 1) <= below:
            return True
        number = sum(map(len, nodes.values()))
        looked_at += number
        if looked_at > limit:
            raise Refused(f"proof.nodes: the search takes more than {limit}")
        for those in nodes.values():
            those.pop(guards, None)  # all done, and either too dear or with others who run
        if t + 1 == len(kept):
            break
        following = dict(zip(*kept[t + 1]))
        budget.use(200 * number)
        after: dict[int, Costs] = {}
        for one, those in nodes.items():
            idle = [0] if one == 0 and t < charges.latest else []
            for new in idle + batches.after[one]:
                if new in following:
                    most = below - following[new]
                    budget.spend(10 + len(those))
                    left_over = {who: cost for who, cost in those.items() if cost <= most}
                    if left_over:
                        after[new] = left_over
        nodes = after
        if not nodes:
            break
    return False
