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

On the cheapest path every completion pays, D t < w: runs whose completion does not can be left
out.  Leave out the starts after a look, too: so a batch seen there *lives*, all who run can
complete from there on, each while that pays (lemma 6).  No others are looked at, nor those with
someone who has been through more looks than there were.
"""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

from budget import Budget
from coarse_batches import NOBODY, CoarseBatches, Pay
from instances import Types
from limits import MAX_NUMBER
from reading import Refused, fields, integer, listed, series

MAX_GRID = 10**6
MAX_HORIZON = 10**6
NONE = 2**62  # more than any path costs


class Variant(NamedTuple):
    """How a type may complete: the room it needs, by itself and for each who runs, and its dual."""

    own: int
    each: int
    dual: int


Variants = dict[tuple[int, int], list[Variant]]  # by (prompt, looks)


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
    value += grid * cheapest(memory, variants, grid, scale, horizon, budget)
    return max(0, -(-value // scale))


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


def cheapest(
    memory: int, variants: Variants, grid: int, scale: int, horizon: int, budget: Budget
) -> int:
    """Return the cost of the cheapest path; no completion pays from the horizon on."""
    looks: dict[int, int] = {}
    for s, q in variants:
        looks[s] = max(looks.get(s, 0), q)
    batches = CoarseBatches(memory, looks, grid, budget)
    duals, pay = payments(batches, variants, grid, scale)
    if horizon * len(batches.bounds) * duals[-1] > NONE:
        raise Refused("proof.duals: has duals that are too large")
    budget.spend((20 + 2 * len(duals)) * horizon)
    levels = list(batches.living(horizon, pay))
    for level in levels:
        for group in (*level.batches, *level.starts):
            budget.spend(20 * horizon)
            group.sort()
    # Costs-to-go from look t + 1 on, before the completions of t + 1; then those of look t.
    after = array("q", [0]) + array("q", [NONE]) * len(batches)
    costs = array("q", after)
    for t in range(horizon - 1, 0, -1):
        costs[0] = min(0, after[0])
        charges = [scale * t - dual for dual in duals]
        for level in levels:
            for group in level.batches:
                batch, aged, *ends = group.at(t)
                if not batch:
                    continue
                best = [after[one] for one in aged]
                for rests, numbers in zip(ends[::2], ends[1::2]):
                    best = [
                        cost if cost < (through := costs[rest] + charges[number]) else through
                        for cost, rest, number in zip(best, rests, numbers)
                    ]
                for one, cost in zip(batch, best):
                    costs[one] = cost
        for level in reversed(levels):
            for group in level.starts:
                for one, larger in zip(*group.at(t)):
                    if costs[larger] < costs[one]:
                        costs[one] = costs[larger]
        after, costs = costs, after
    return after[0]


def payments(
    batches: CoarseBatches, variants: Variants, grid: int, scale: int
) -> tuple[list[int], Pay]:
    """Return all duals, and what tells which one a completion has, and how long it pays."""
    duals = sorted({one.dual for those in variants.values() for one in those})
    number = {dual: i for i, dual in enumerate(duals)}
    of_mark: list[list[Variant]] = [[] for _ in batches.marks]
    for (s, q), those in variants.items():
        of_mark[batches.marks[s + 1 + grid * (q - 1), s]] = those

    def pay(mark: int, running: int, room: int) -> tuple[int, int]:
        batches.budget.spend(20 + 4 * len(of_mark[mark]))
        batches.budget.hold(300)
        fits = [dual for own, each, dual in of_mark[mark] if own + running * each <= room]
        return ((max(fits) - 1) // scale, number[max(fits)]) if fits else NOBODY

    return duals, pay
