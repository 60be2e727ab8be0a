"""Rule "coarse-batch-state": the batch at every g-th round (text/coarse_batch_state.md).

Let a request start at p, and look at every g-th round, shifted by f < g rounds: with
    P = floor((p + f) / g),  x = p + f - g P,  q = floor((o + x) / g),  r = o + x - g q
it runs at the q looks after time P, at the j-th of them with at least s + 1 + g (j - 1) tokens, at
the last with g - 1 - x more, and then for r more rounds (lemma 1).  So for each shift a schedule is
a *path* of the batch, known by these tokens and prompts: together M at most.  Who completes after
a look has the whole batch beside him for r rounds: those who complete sooner are taken out before.
With b = o mod g, the *long* ones, q = floor(o / g) + 1, complete only if with the tokens of the
batch B there is room for b - 1 more, the *short* ones for g - 1 + |B| b more (lemma 3).

Let a completion at time t, after look t, cost D t - w.  Over all shifts the times P + q of a
request add up to its completion time, and it is long b times (lemma 2).  So D times the cost of a
schedule is at least g V + sum of n ((g - b) w + b w') over all types, V the cost of the cheapest
path and w, w' the duals of the short and the long (theorem 4).  With q = 0 no look sees it, and w
is 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from batch_table import BatchTable
from budget import Budget
from instances import Types
from limits import MAX_NUMBER
from reading import Refused, fields, integer, listed, series

MAX_GRID = 10**6
MAX_HORIZON = 10**6
MAX_COST = 2**62


class Variant(NamedTuple):
    """How a type may complete: the room it needs, by itself and for each who runs, and its dual."""

    own: int
    each: int
    dual: int


Variants = dict[tuple[int, int], list[Variant]]  # by (prompt, looks)
Ends = list[list[tuple[int, int]]]  # for each batch: (batch after a completion, largest dual)


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return what the duals give."""
    fields(proof, "proof", ("rule", "grid", "scale", "duals"))
    grid = integer(proof["grid"], 1, MAX_GRID, "proof.grid")
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    variants, value = read_variants(types, grid, proof["duals"], budget)
    most = max(one.dual for those in variants.values() for one in those)
    horizon = max(0, -(-most // scale))
    if horizon > MAX_HORIZON:
        raise Refused(f"proof.duals: some completion pays after time {MAX_HORIZON}")
    table = BatchTable(memory, list(variants), budget, grid)
    ends = completions(table, list(variants.values()), budget)
    return max(0, -(-(value + grid * cheapest(table, ends, scale, horizon, budget)) // scale))


def read_variants(types: Types, grid: int, given: Any, budget: Budget) -> tuple[Variants, int]:
    """Return what completes, and the sum of all duals of all shifts."""
    budget.spend(40 * len(types))
    budget.use(1000 * len(types))
    variants: Variants = {}
    value, named = 0, []
    for entry in listed(given, "proof.duals"):
        s, o, short, long = series(entry, 4, -MAX_NUMBER, "proof.duals")
        named.append((s, o))
        looks, rest = divmod(o, grid)
        if looks:
            variants.setdefault((s, looks), []).append(Variant(grid - 1, rest, short))
        if rest:
            variants.setdefault((s, looks + 1), []).append(Variant(rest - 1, 0, long))
        if (short and not looks) or (long and not rest):
            raise Refused("proof.duals: must be 0 for what no look sees")
        value += types.get((s, o), 0) * ((grid - rest) * short + rest * long)
    if named != sorted(types):
        raise Refused("proof.duals: must name each type once, ascending")
    return variants, value


def completions(table: BatchTable, variants: list[list[Variant]], budget: Budget) -> Ends:
    """Return what completions lead from each batch to which, with the largest dual each."""
    largest: dict[tuple[int, int, int], int | None] = {}
    found = []
    budget.spend(6 * table.completions)
    budget.hold(80 * table.completions + 80 * len(table.done))
    for running, room, done in zip(table.running, table.rooms, table.done):
        ends = []
        for rest, rank in done:
            if (key := (rank, running, room)) not in largest:
                budget.spend(20 + 4 * len(variants[rank]))
                budget.hold(300)
                fits = [dual for own, each, dual in variants[rank] if own + running * each <= room]
                largest[key] = max(fits, default=None)
            if (dual := largest[key]) is not None:
                ends.append((rest, dual))
        found.append(ends)
    return found


def cheapest(table: BatchTable, ends: Ends, scale: int, horizon: int, budget: Budget) -> int:
    """Return the cost of the cheapest path, or less: all is free from the horizon on.

    No completion costs less than 0 there.
    """
    size = len(table.aged)
    after = [0] * size  # costs-to-go from look t + 1 on, before the completions of time t + 1
    batches = list(zip(table.aged[1:], ends[1:]))
    budget.hold(200 * size)
    for t in range(horizon - 1, -1, -1):
        budget.spend(10 * size + 3 * table.completions)
        starting = after
        for one, larger in table.joining:  # the largest first
            if starting[larger] < starting[one]:
                starting[one] = starting[larger]
        if t == 0:
            break
        now = scale * t
        after = [min(0, starting[0])]
        for aged, those in batches:
            best = starting[aged] if aged >= 0 else MAX_COST
            for rest, dual in those:
                if (through := after[rest] + now - dual) < best:
                    best = through
            after.append(best)
    return min(0, after[0])
