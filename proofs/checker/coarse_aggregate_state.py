"""Rule "coarse-aggregate-state": how many run at every g-th round (text/coarse_aggregate_state.md).

Looks and shifts are those of coarse-batch-state.  Of the batch that a look sees, only two numbers
are known here: K, how many run, and J, the looks they have been through before and the steps of g
tokens that their prompts add to the shortest one, s, all together.  They hold K (s + 1) + g J
tokens at least, so that is at most M.  A type has up to three variants, by how far before a look
its requests start (x rounds); a completion of one with q looks that adds a takes 1 and q - 1 + a
away, if with K (s + 1) + g J there is room for what the variant needs; a start adds 1 and a; and a
look adds K to J (lemma 2).

A start at time t costs u(t) + a v(t), and a completion at time t of a variant with the dual w
D t - w, less what its start cost q looks before; so a request pays D t - w in all.  D times the
cost of a schedule is at least g V, V the least cost of a path, and the duals w of all requests for
all x (theorem 5).

Only completions with D t < w are needed, and of each look t and K only those J from which all who
run can complete, each while D t < w, and no more than t looks make possible (lemma 4); what is
between the least and the largest of them is looked at, too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aggregate_variants import Bounds, Prices, Variant, possible, read_prices, read_variants
from budget import LARGE, Budget
from coarse_batch_state import MAX_GRID, MAX_HORIZON, NONE
from instances import Types
from limits import MAX_NUMBER
from reading import Refused, fields, integer


class Way(NamedTuple):
    """How a variant completes: also what it takes from J, and the last time at which that pays.

    `fits` is the largest J from which it has room, for each K, or -1.
    """

    looks: int
    added: int
    away: int
    dual: int
    pays: int
    fits: list[int]


Windows = list[tuple[list[int], list[int]]]  # for each K: by look, the least J, and the largest


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return what the duals give."""
    fields(proof, "proof", ("rule", "grid", "scale", "duals", "starts"))
    grid = integer(proof["grid"], 1, MAX_GRID, "proof.grid")
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    variants, value = read_variants(types, grid, proof["duals"], budget)
    highest = max((one.dual for one in variants), default=0)
    horizon = max(0, -(-highest // scale))
    if horizon > MAX_HORIZON:
        raise Refused(f"proof.duals: some completion pays after time {MAX_HORIZON}")
    prices = read_prices(proof["starts"], horizon, budget)
    bounds = possible(memory, types, grid, budget)
    running, width = len(bounds.most), max(bounds.most) + 1
    budget.spend(running * (5 * width + 20 * horizon))
    budget.hold(running * (4 * LARGE * width + 2 * LARGE * horizon))
    first = min(s for s, _ in types) + 1
    ways = all_ways(memory, variants, grid, scale, first, bounds, budget)
    most_added = max((one.added for one in variants), default=0)
    highest = scale * (horizon + 1) + highest_price(ways, prices, width + running)
    if 4 * (horizon + 1) * running * highest > NONE:
        raise Refused("proof: has duals that are too large")
    value += grid * cheapest(bounds, ways, most_added, prices, scale, horizon, budget)
    return max(0, -(-value // scale))


def all_ways(
    memory: int,
    variants: list[Variant],
    grid: int,
    scale: int,
    first: int,
    bounds: Bounds,
    budget: Budget,
) -> list[Way]:
    """Return how all variants complete, those that ever pay."""
    ways = []
    for looks, added, own, each, dual in variants:
        budget.spend(10 * len(bounds.most))
        budget.hold(LARGE * len(bounds.most))
        fits = [-1]
        for k in range(1, len(bounds.most)):
            room = memory - k * first - own - k * each
            fits.append(min(bounds.most[k], room // grid) if room >= 0 else -1)
        if dual > 0:
            away = looks - 1 + added
            ways.append(Way(looks, added, away, dual, (dual - 1) // scale, fits))
    return ways


def highest_price(ways: list[Way], prices: Prices, width: int) -> int:
    """Return more than any start costs, with what it is shifted by, and any completion pays."""
    duals = max((way.dual for way in ways), default=0)
    return duals + max(abs(u) + width * abs(v) for u, v in prices)


def find_windows(
    bounds: Bounds, ways: list[Way], most_added: int, horizon: int, budget: Budget
) -> Windows:
    """Return which J are looked at; none if the least is more than the largest."""
    windows = [([0] * (horizon + 1), [0] * (horizon + 1))]
    smaller = [horizon]  # the last look at which a state with one less lives, 0 if there is none
    for k in range(1, len(bounds.most)):
        lowest, most = bounds.least[k], bounds.most[k]
        last = [0] * (most + 1)
        for _, _, away, _, pays, fits in ways:
            begin = max(lowest, away + bounds.least[k - 1])
            end = min(away + len(smaller) - 1, fits[k]) + 1
            if begin < end:
                budget.spend(20 + 2 * (end - begin))
                last[begin:end] = [
                    max(old, min(rest, pays))
                    for old, rest in zip(last[begin:end], smaller[begin - away : end - away])
                ]
        for j in range(most - k, lowest - 1, -1):  # a look first
            last[j] = max(last[j], last[j + k] - 1)
        least, largest = [most + 1] * (horizon + 1), [-1] * (horizon + 1)
        for j, look in enumerate(last):
            least[look] = min(least[look], j)
            largest[look] = j
        for t in range(horizon - 1, -1, -1):
            least[t] = min(least[t], least[t + 1])
            largest[t] = max(largest[t], largest[t + 1])
        latest = [min(j, k * (t - 1 + most_added)) for t, j in enumerate(largest)]
        windows.append((least, latest))
        smaller = last
    return windows


def cheapest(
    bounds: Bounds,
    ways: list[Way],
    most_added: int,
    prices: Prices,
    scale: int,
    horizon: int,
    budget: Budget,
) -> int:
    """Return the cost of the cheapest path; no completion pays from the horizon on."""
    windows = find_windows(bounds, ways, most_added, horizon, budget)
    nothing = [NONE] * (max(bounds.most) + len(bounds.most))
    # Costs-to-go from look t + 1 on, before the completions of t + 1, by K and J.
    after = [[0, *nothing[1:]]] + [nothing] * (len(bounds.most) - 1)
    for t in range(horizon - 1, 0, -1):
        budget.spend(len(after) * (20 + len(nothing) // 5) + 20 * len(ways))
        needed = [(low[t] + k, high[t] + k + 1) for k, (low, high) in enumerate(windows)]
        begun = after_starts(after, opening(ways, t), prices[t], needed, budget)
        open_ways = [way for way in ways if way.looks <= t <= way.pays]
        after = []
        for k, (least, largest) in enumerate(windows):
            begin, end = least[t], largest[t] + 1
            row = list(nothing)
            if begin < end:
                row[begin:end] = begun[k][begin + k : end + k]
            for looks, added_before, away, dual, _, fits in open_ways if k else ():
                before = windows[k - 1]
                low = max(begin, before[0][t] + away)
                high = min(end, before[1][t] + away + 1, fits[k] + 1)
                budget.spend(10)
                if low < high:
                    budget.spend(10 + high - low)
                    u, v = prices[t - looks]
                    charge = scale * t - dual - u - added_before * v
                    row[low:high] = [
                        cost if cost < (through := rest + charge) else through
                        for cost, rest in zip(row[low:high], after[k - 1][low - away : high - away])
                    ]
            after.append(row)
    needed = [(0, 1)] + [(0, 0)] * (len(after) - 1)
    return min(0, after_starts(after, opening(ways, 0), prices[0], needed, budget)[0][0])


def opening(ways: list[Way], t: int) -> list[int]:
    """Return what starts at time t may add, so that they can complete while that pays."""
    return sorted({way.added for way in ways if t + way.looks <= way.pays})


def after_starts(
    after: list[list[int]],
    added: list[int],
    price: tuple[int, int],
    needed: list[tuple[int, int]],
    budget: Budget,
) -> list[list[int]]:
    """Return the costs-to-go before the starts of a time, by K and the J of the next look.

    `needed` are the J of each K that are asked for, from one to before another; others may be
    missing.
    """
    width, (u, v) = len(after[0]), price
    needed = reached(needed, added, width)
    begun = [after[-1]]
    for (begin, end), row in zip(reversed(needed[:-1]), reversed(after[:-1])):
        if begin < end and added:
            last = end + added[-1]
            number = end - begin
            budget.spend(20 + width // 5 + last - begin + (8 + len(added) // 4) * number)
            budget.use(2 * LARGE * (last - begin) + 8 * len(added) * number)
            larger = [cost + v * j for j, cost in enumerate(begun[-1][begin:last], begin)]
            larger += [NONE] * (last - begin - len(larger))
            every = [larger[more : more + number] for more in added]
            least = map(min, *every) if len(every) > 1 else every[0]
            row = list(row)
            row[begin:end] = [
                cost if cost < (through := rest + u - v * j) else through
                for j, (cost, rest) in enumerate(zip(row[begin:end], least), begin)
            ]
        begun.append(row)
    return begun[::-1]


def reached(needed: list[tuple[int, int]], added: list[int], width: int) -> list[tuple[int, int]]:
    """Return which J of each K are needed, some of them as others become them by starts."""
    found: list[tuple[int, int]] = []
    begin, end = width, 0
    for least, last in needed:
        if begin < end and added:
            begin, end = begin + added[0], min(width, end + added[-1])
        else:
            begin, end = width, 0
        if least < last:
            begin, end = min(begin, least), max(end, last)
        found.append((begin, end))
    return found
