"""Rule "batch-state": paths of the batch, known by its ages (text/batch_state.md).

Take a cheapest schedule; it has no idle round (model.md, lemma 1).  See the *batch*: of each
request that runs the tokens b that it holds and its prompt s, but not its output.  A round adds
one token to each; then all b together are M at most.  Then some with b = s + o may complete as
requests of type (s, o); some may be admitted, with b = s; then comes the next round, in which
somebody runs.  That is a path: all it forgets is how often each type has completed.

Let a completion of type k at time t cost D t - w_k, w_k the dual of its demand.  As n_k requests
of type k complete, D times the cost of a schedule is sum of n_k w_k plus what its path costs; so
it is at least the same with the cheapest of all paths.  The *cost-to-go* of a time and a batch is
that of the cheapest path from there on.  As w_k <= D H is tested, nothing that happens at time H
or later costs less than 0: costs-to-go at H and later may be 0.

If that bound is too small, all schedules that cost less than `low` are looked for.  A node
is a time, a batch, and how many of each type have completed; kept is the cheapest path
to it.  What follows it costs at least its cost-to-go.  So along a schedule that costs less than
`low` no node's cost and cost-to-go exceed D (low - 1) - sum of n_k w_k, and each is kept with no
more than what it costs there, as it follows from one that is.  So its end would be found.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Any, NamedTuple

from instances import Types
from limits import MAX_LEAF, MAX_NUMBER
from reading import Refused, fields, integer, read_duals

MAX_BATCHES = 400_000
MAX_ENTRIES = 20_000_000  # requests in these batches, all together
MAX_COSTS = 150_000_000  # batches, times rounds
MAX_COST = 2**62
MAX_HORIZON = 10**6
MAX_NODES = 50_000_000  # kept in a search, all times together


class Batches(NamedTuple):
    """All batches, numbered by how many run; the empty one is number 0.

    Where something is not possible, its number is that of one more, `end`.
    """

    end: int
    levels: list[tuple[int, int]]  # first number and end of those in which as many run
    aged: list[int]  # the batch after a round in which nobody starts or completes
    admitted: list[list[int]]  # for each prompt: the batch if one more is in its first round
    completed: list[list[tuple[int, int]]]  # for each: the batch after a completion, and its type


def prove(memory: int, types: Types, low: int, proof: dict[str, Any]) -> int:
    """Return what the duals give, or `low` if that is more and a search has proved it."""
    fields(proof, "proof", ("rule", "scale", "horizon", "duals", "nodes"))
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    horizon = integer(proof["horizon"], 1, MAX_HORIZON, "proof.horizon")
    limit = integer(proof["nodes"], 0, MAX_NODES, "proof.nodes")
    given = read_duals(types, proof["duals"], "proof.duals")
    kinds, duals = list(given), list(given.values())
    if max(duals) > scale * horizon:
        raise Refused("proof.duals: is more than a completion at the horizon costs")
    # At each time at most M complete: no path costs `far` / 2, up or down.  Costs-to-go of what
    # leads nowhere are not less than that, and not `far` / 2 more than `far`.
    far = 2 * (horizon + 1) * memory * (scale * horizon + max(abs(w) for w in duals) + 1)
    if far > MAX_COST:
        raise Refused("proof.duals: has duals that are too large")
    batches = all_batches(memory, kinds, horizon)
    to_go = [array("q", [0]) * batches.end]  # of each time, from the horizon back
    for t in range(horizon - 1, 0, -1):
        gains = [scale * t - w for w in duals]
        before = array("q", costs_before(batches, to_go[-1], gains, far))
        if limit == 0:
            to_go.clear()  # only a search needs them again
        to_go.append(before)
    begun = best_start(batches, admission(batches, to_go[-1], far))
    value = sum(types[kind] * w for kind, w in given.items())
    proved = -(-(value + begun) // scale)
    if proved >= low or limit == 0:
        return proved
    to_go.append(array("q"))  # of time 0, not needed
    to_go.reverse()
    below = scale * (low - 1) - value  # what may be spent
    if search(batches, [types[kind] for kind in kinds], scale, duals, to_go, below, limit):
        raise Refused(f"lower_bound: is {low}, a schedule costs less")
    return low


def all_batches(memory: int, kinds: list[tuple[int, int]], horizon: int) -> Batches:
    """Return all batches after a round; refused if they are too many."""
    longest = dict(kinds)  # the last of each prompt
    if sum(longest.values()) * memory > MAX_LEAF:
        raise Refused("proof: there are more batches than can be checked")
    states = sorted((s + j, s) for s, o in longest.items() for j in range(1, o + 1))
    number_of = [1] + [0] * memory  # how many batches there are of so many tokens
    entries = [0] * (memory + 1)  # and how many requests in all of them
    for b, _ in states:
        for tokens in range(b, memory + 1):
            number_of[tokens] += number_of[tokens - b]
            entries[tokens] += entries[tokens - b] + number_of[tokens - b]
        total = sum(number_of)
        if total > MAX_BATCHES or total * (horizon + 1) > MAX_COSTS or sum(entries) > MAX_ENTRIES:
            raise Refused("proof: there are more batches than can be checked")
    level: list[tuple[tuple[int, int], ...]] = [()]
    found: list[tuple[tuple[int, int], ...]] = []
    levels = []
    while level:
        levels.append((len(found), len(found) + len(level)))
        found += level
        level = [
            (*batch, state)
            for batch in level
            for room in [memory - sum(b for b, _ in batch)]
            for state in states
            if state[0] <= room and (not batch or state >= batch[-1])
        ]
    number = {batch: i for i, batch in enumerate(found)}
    end = len(found)
    kind_of = {(s + o, s): k for k, (s, o) in enumerate(kinds)}
    completed = []
    for batch in found:
        ready = {state: j for j, state in enumerate(batch) if state in kind_of}
        completed.append(
            [(number[batch[:j] + batch[j + 1 :]], kind_of[state]) for state, j in ready.items()]
        )
    return Batches(
        end,
        levels,
        [number.get(tuple((b + 1, s) for b, s in batch), end) for batch in found],
        [
            [number.get(tuple(sorted((*batch, (s + 1, s)))), end) for batch in found]
            for s in longest
        ],
        completed,
    )


def admission(batches: Batches, after: Any, far: int) -> list[int]:
    """Return the least costs-to-go after a round if any number of others were in their first."""
    admitting = [*after, far]
    for first, end in reversed(batches.levels):
        for to in batches.admitted:
            through = [admitting[i] for i in to[first:end]]
            admitting[first:end] = map(min, admitting[first:end], through)
    return admitting


def best_start(batches: Batches, admitting: list[int]) -> int:
    """Return the least cost-to-go after a round if nobody ran before it."""
    return min(admitting[to[0]] for to in batches.admitted)


def costs_before(batches: Batches, after: Any, gains: list[int], far: int) -> list[int]:
    """Return the costs-to-go of a time, before its completions, from those of the next time."""
    admitting = admission(batches, after, far)
    costs = [admitting[i] for i in batches.aged]
    costs[0] = min(0, best_start(batches, admitting))
    for i, completed in enumerate(batches.completed):
        if completed:
            best = costs[i]
            for rest, kind in completed:
                if (through := costs[rest] + gains[kind]) < best:
                    best = through
            costs[i] = best
    return costs


def search(
    batches: Batches,
    counts: list[int],
    scale: int,
    duals: list[int],
    to_go: list[Any],
    below: int,
    limit: int,
) -> bool:
    """Return whether a schedule costs at most `below`; refuse if that takes too many nodes."""
    place = [1, *accumulate((n + 1 for n in counts), lambda a, b: a * b)]
    everyone = sum(n * p for n, p in zip(counts, place))
    free = [0] * batches.end
    level_of = [k for k, (first, end) in enumerate(batches.levels) for _ in range(first, end)]
    following: dict[int, list[int]] = {}  # the batches that may come after a round, by that before
    # A node is (who has completed) * batches.end + the batch, with its cost; by level.
    nodes: list[dict[int, int]] = [{} for _ in batches.levels]
    nodes[0][0] = 0
    t = looked_at = 0
    while any(nodes):
        rest = to_go[t] if t < len(to_go) else free
        gains = [scale * t - w for w in duals]
        for k in range(len(nodes) - 1, 0, -1):
            fewer = nodes[k - 1]
            for node, cost in nodes[k].items():
                who, batch = divmod(node, batches.end)
                for left, kind in batches.completed[batch]:
                    more = cost + gains[kind]
                    if more + rest[left] <= below and (
                        who // place[kind] % (counts[kind] + 1) < counts[kind]
                    ):
                        new = (who + place[kind]) * batches.end + left
                        if more < fewer.get(new, more + 1):
                            fewer[new] = more
        looked_at += sum(map(len, nodes))
        if looked_at > limit:
            raise Refused(f"proof.nodes: the search takes more than {limit}")
        if nodes[0].get(everyone * batches.end, below + 1) <= below:
            return True
        t += 1
        rest = to_go[t] if t < len(to_go) else free
        after: list[dict[int, int]] = [{} for _ in batches.levels]
        for level in nodes:
            for node, cost in level.items():
                who, batch = divmod(node, batches.end)
                if who == everyone:
                    continue
                if batch not in following:
                    following[batch] = after_admissions(batches, batch)
                for new in following[batch]:
                    if cost + rest[new] <= below:
                        key = node - batch + new
                        fresh = after[level_of[new]]
                        if cost < fresh.get(key, cost + 1):
                            fresh[key] = cost
        nodes = after
    return False


def after_admissions(batches: Batches, batch: int) -> list[int]:
    """Return the batches after a round, however many start before it; somebody runs."""
    if batches.aged[batch] == batches.end:
        return []
    found = {batches.aged[batch]: None}  # in this order
    todo = list(found)
    for one in todo:
        for to in batches.admitted:
            if to[one] != batches.end and to[one] not in found:
                found[to[one]] = None
                todo.append(to[one])
    return [one for one in found if one != 0]
