"""Rule "coarse-batch-state": the batch at every g-th round (text/coarse_batch_state.md).

Let a request start at p, and look at every g-th round, shifted by f < g rounds: with
    P = floor((p + f) / g),  x = p + f - g P,  q = floor((o + x) / g),  r = o + x - g q
it runs at the q looks after time P, at the j-th of them with at least s + 1 + g (j - 1) tokens, at
the last with g - 1 - x more, and then for r more rounds (lemma 1).  So for each shift a schedule is
a *path* of the batch, known by these tokens and prompts: together M at most.  Who completes after a
look has the whole batch beside him for r rounds: those who complete sooner are taken out before.
So as (k, x), k = (s, o), one completes only from a batch B with (lemma 3)
    sum of the tokens of B + (g - 1 - x) + |B| r  <=  M.

Let a completion of (k, x) at time t, after look t, cost D t - w.  Over all shifts the times P + q
of a request add up to its completion time, and it has each x once (lemma 2).  So D times the
cost of a schedule is at least g V + sum of n_k w over all k and x, V the cost of the cheapest path
(theorem 4).  With q = 0 a request is never seen, and its w is 0.
"""

from __future__ import annotations

from typing import Any

from batch_table import BatchTable
from budget import Budget
from instances import Types
from limits import MAX_NUMBER
from reading import Refused, fields, integer, listed, series

MAX_GRID = 10**4
MAX_HORIZON = 10**6
MAX_COST = 2**62

Variants = dict[tuple[int, int], list[tuple[int, int, int]]]  # (s, q): (r, g - 1 - x, dual) of each


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return what the duals give."""
    fields(proof, "proof", ("rule", "grid", "scale", "duals"))
    grid = integer(proof["grid"], 1, MAX_GRID, "proof.grid")
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    variants, value = read_variants(types, grid, proof["duals"], budget)
    most = max((dual for those in variants.values() for _, _, dual in those), default=0)
    horizon = max(0, -(-most // scale))
    if horizon > MAX_HORIZON:
        raise Refused(f"proof.duals: some completion pays after time {MAX_HORIZON}")
    table = BatchTable(memory, list(variants), budget, grid)
    done = completions(table, list(variants.values()), budget)
    return max(0, -(-(value + grid * cheapest(table, done, scale, horizon, budget)) // scale))


def read_variants(types: Types, grid: int, given: Any, budget: Budget) -> tuple[Variants, int]:
    """Return what completes with which dual, by prompt and looks, and the sum of all duals."""
    budget.spend(20 * grid * len(types))
    budget.use(200 * grid * len(types))
    variants: Variants = {}
    value, named = 0, []
    for entry in listed(given, "proof.duals"):
        s, o, *duals = series(entry, 2 + grid, -MAX_NUMBER, "proof.duals")
        named.append((s, o))
        for x, dual in enumerate(duals):
            looks, rest = divmod(o + x, grid)
            if looks:
                variants.setdefault((s, looks), []).append((rest, grid - 1 - x, dual))
            elif dual:
                raise Refused(f"proof.duals: {short_name(s, o)} has {dual} where no look sees it")
        value += types.get((s, o), 0) * sum(duals)
    if named != sorted(types):
        raise Refused("proof.duals: must name each type once, ascending")
    return variants, value


def short_name(prompt: int, output: int) -> str:
    """Return how a type is written in messages."""
    return f"prompt {prompt}, output {output}"


def completions(
    table: BatchTable, variants: list[list[tuple[int, int, int]]], budget: Budget
) -> list[list[tuple[int, int]]]:
    """Return for each batch (the batch after a completion, the largest dual with which it may be).

    A variant may complete if what it holds more, and what all hold more until then, finds room.
    """
    largest: dict[tuple[int, int, int], int | None] = {}
    found = []
    budget.spend(6 * table.completions)
    budget.hold(80 * table.completions)
    for running, room, done in zip(table.running, table.rooms, table.done):
        ends = []
        for rest, rank in done:
            if (key := (rank, running, room)) not in largest:
                budget.spend(20 + 4 * len(variants[rank]))
                budget.hold(200)
                fits = [dual for r, more, dual in variants[rank] if more + running * r <= room]
                largest[key] = max(fits, default=None)
            if (dual := largest[key]) is not None:
                ends.append((rest, dual))
        found.append(ends)
    return found


def cheapest(
    table: BatchTable, done: list[list[tuple[int, int]]], scale: int, horizon: int, budget: Budget
) -> int:
    """Return a bound on the cost of all paths: that of the cheapest one up to the horizon.

    From the horizon on no completion costs less than 0.
    """
    size = len(table.aged)
    after = [0] * size  # costs-to-go at the look after time t, before its completions
    tuples = list(zip(table.aged[1:], done[1:]))
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
        for aged, ends in tuples:
            best = starting[aged] if aged >= 0 else MAX_COST
            for rest, dual in ends:
                if (through := after[rest] + now - dual) < best:
                    best = through
            after.append(best)
    return min(0, after[0])
