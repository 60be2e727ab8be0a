"""Rule "coarse-aggregate-state": how many run at every g-th round (text/coarse_aggregate_state.md).

Looks, shifts and variants are those of coarse-batch-state.  Of the batch that a look sees, only two
numbers are known here: K, how many run, and J, how many looks they have been through before, all
together.  With s the shortest prompt they hold K (s + 1) + g J tokens at least, so that is at most
M.  A completion of a variant with q looks takes 1 and q - 1 away, if with K (s + 1) + g J there is
room for what the variant needs; a look adds K to J, and those who start to K (lemma 1).

A start at time t costs m(t), and a completion at time t of a variant with q looks and the dual w
D t - w - m(t - q), so a request pays D t - w in all.  D times the cost of a schedule is at least
g V + sum of n ((g - b) w + b w') over all types, V the least cost of a path (theorem 4).

Only completions with D t < w are needed, and of each look t and K only those J <= K (t - 1) from
which all who run can complete, each while D t < w (lemma 3); what is between the least and the
largest of them is looked at, too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from budget import LARGE, Budget
from coarse_batch_state import MAX_GRID, MAX_HORIZON, NONE, Variants, read_variants
from instances import Types
from limits import MAX_NUMBER
from reading import Refused, fields, integer, listed, series


class Way(NamedTuple):
    """How a variant completes: its looks, its dual, and the last time at which that pays.

    `fits` is the largest J from which it has room, for each K, or -1.
    """

    looks: int
    dual: int
    pays: int
    fits: list[int]


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return what the duals give."""
    fields(proof, "proof", ("rule", "grid", "scale", "duals", "starts"))
    grid = integer(proof["grid"], 1, MAX_GRID, "proof.grid")
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    variants, value = read_variants(types, grid, proof["duals"], budget)
    highest = max(one.dual for those in variants.values() for one in those)
    horizon = max(0, -(-highest // scale))
    if horizon > MAX_HORIZON:
        raise Refused(f"proof.duals: some completion pays after time {MAX_HORIZON}")
    starts = read_starts(proof["starts"], horizon, budget)
    first = min(s for s, _ in types) + 1
    running = min(sum(types.values()), memory // first)
    width = memory // grid + running + 1
    budget.spend((running + 1) * (5 * width + 20 * horizon))
    budget.hold((running + 1) * (4 * LARGE * width + 2 * LARGE * horizon))
    most = [(memory - k * first) // grid if k else 0 for k in range(running + 1)]
    ways = all_ways(memory, variants, grid, scale, first, most, budget)
    if 4 * (horizon + 1) * (running + 1) * highest_price(ways, starts, scale, horizon) > NONE:
        raise Refused("proof: has duals that are too large")
    value += grid * cheapest(most, ways, starts, scale, horizon, budget)
    return max(0, -(-value // scale))


def read_starts(given: Any, horizon: int, budget: Budget) -> list[int]:
    """Return what a start costs at the times 0, 1, ..., horizon, from [time, price] at knots."""
    budget.spend(20 * horizon)
    budget.hold(LARGE * horizon)
    knots = [
        series(entry, 2, -MAX_NUMBER, "proof.starts") for entry in listed(given, "proof.starts")
    ]
    times = [time for time, _ in knots]
    if not times or times[0] != 0 or any(b <= a for a, b in zip(times, times[1:])):
        raise Refused("proof.starts: times must increase from 0 on")
    prices: list[int] = []
    for (begin, price), (end, next_price) in zip(knots, knots[1:]):
        rise, span = next_price - price, end - begin
        prices += [price + rise * (t - begin) // span for t in range(begin, min(end, horizon + 1))]
    return prices + [knots[-1][1]] * (horizon + 1 - len(prices))


def all_ways(
    memory: int,
    variants: Variants,
    grid: int,
    scale: int,
    first: int,
    most: list[int],
    budget: Budget,
) -> list[Way]:
    """Return how all variants complete, those that ever pay."""
    ways = []
    for (_, looks), those in variants.items():
        for one in those:
            budget.spend(10 * len(most))
            budget.hold(LARGE * len(most))
            fits = [-1]
            for k in range(1, len(most)):
                room = memory - k * first - one.own - k * one.each
                fits.append(min(most[k], room // grid) if room >= 0 else -1)
            if one.dual > 0:
                ways.append(Way(looks, one.dual, (one.dual - 1) // scale, fits))
    return ways


def highest_price(ways: list[Way], starts: list[int], scale: int, horizon: int) -> int:
    """Return more than any start or completion costs or pays."""
    duals = max((way.dual for way in ways), default=0)
    return scale * (horizon + 1) + duals + max(map(abs, starts))


Windows = list[tuple[list[int], list[int]]]  # for each K: by look, the least J, and the largest


def find_windows(most: list[int], ways: list[Way], horizon: int, budget: Budget) -> Windows:
    """Return which J are looked at; none if the least is more than the largest."""
    windows = [([0] * (horizon + 1), [0] * (horizon + 1))]
    smaller = [horizon]  # the last look at which a state with one less lives, 0 if there is none
    for k in range(1, len(most)):
        last = [0] * (most[k] + 1)
        for looks, _, pays, fits in ways:
            begin, end = looks - 1, min(looks + len(smaller) - 2, fits[k]) + 1
            if begin < end:
                budget.spend(20 + 2 * (end - begin))
                last[begin:end] = [
                    max(old, min(rest, pays))
                    for old, rest in zip(last[begin:end], smaller[: end - begin])
                ]
        for j in range(most[k] - k, -1, -1):  # a look first
            last[j] = max(last[j], last[j + k] - 1)
        least, largest = [most[k] + 1] * (horizon + 1), [-1] * (horizon + 1)
        for j, look in enumerate(last):
            least[look] = min(least[look], j)
            largest[look] = j
        for t in range(horizon - 1, -1, -1):
            least[t] = min(least[t], least[t + 1])
            largest[t] = max(largest[t], largest[t + 1])
        windows.append((least, [min(j, k * (t - 1)) for t, j in enumerate(largest)]))
        smaller = last
    return windows


def cheapest(
    most: list[int], ways: list[Way], starts: list[int], scale: int, horizon: int, budget: Budget
) -> int:
    """Return the cost of the cheapest path; no completion pays from the horizon on."""
    windows = find_windows(most, ways, horizon, budget)
    nothing = [NONE] * (max(most) + len(most))
    # Costs-to-go from look t + 1 on, before the completions of t + 1, by K and J.
    after = [[0, *nothing[1:]]] + [nothing] * (len(most) - 1)
    for t in range(horizon - 1, 0, -1):
        budget.spend(2 * len(after) * len(nothing) + 10 * len(ways))
        begun = after_starts(after, starts[t])
        open_ways = [way for way in ways if way.looks <= t <= way.pays]
        after = []
        for k, (least, largest) in enumerate(windows):
            begin, end = least[t], largest[t] + 1
            row = list(nothing)
            if begin < end:
                row[begin:end] = begun[k][begin + k : end + k]
            for looks, dual, _, fits in open_ways if k else ():
                before = windows[k - 1]
                low = max(begin, before[0][t] + looks - 1)
                high = min(end, before[1][t] + looks, fits[k] + 1)
                budget.spend(10)
                if low < high:
                    budget.spend(10 + high - low)
                    charge = scale * t - dual - starts[t - looks]
                    row[low:high] = [
                        cost if cost < (through := rest + charge) else through
                        for cost, rest in zip(
                            row[low:high], after[k - 1][low - looks + 1 : high - looks + 1]
                        )
                    ]
            after.append(row)
    return min(0, after_starts(after, starts[0])[0][0])


def after_starts(after: list[list[int]], price: int) -> list[list[int]]:
    """Return the costs-to-go before the starts of a time, by K and the J of the next look."""
    begun = [after[-1]]
    for row in reversed(after[:-1]):
        begun.append(
            [
                cost if cost < (through := larger + price) else through
                for cost, larger in zip(row, begun[-1])
            ]
        )
    return begun[::-1]
