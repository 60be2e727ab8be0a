"""Check certificates: files that prove bounds on an optimal total completion time.

    python check.py FILE...

prints one line for each file and exits with 0 only if every claim is proved.  This file is
all there is to trust: plain Python 3.9 or newer, its standard library, nothing of kvopt.

The model.  A schedule gives every request i, of prompt s_i and output o_i, a start t_i >= 0.
The request uses s_i + j tokens of memory in round t_i + j, for j = 1..o_i, and completes at
C_i = t_i + o_i.  In every round the memory in use is at most M.  The cost is the sum of the
C_i.  (Runs that are killed help nobody: without them memory only falls and no completion
moves.)  A certificate claims that every schedule costs at least `lower_bound`, and, if it
has `starts`, that these are a schedule of cost exactly `upper_bound`.  The layout of the file
is in certificates.md.  Anything that is not exactly so is refused.

Why the claim follows from what is tested is said at each function: `cost_of` for the upper
bound; `busy_time`, `priced`, `by_windows`, `by_paths`, `by_holdings`, `by_worth`, `by_parts` and
`searched` for the rules that prove a lower bound.
Prices and bounds are integers throughout; there is no floating point number in this file.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from array import array
from itertools import accumulate, compress
from typing import Any, NamedTuple

FORMAT = "kvopt-certificate/1"
MAX_BYTES = 200_000_000  # of a file
MAX_DIGITS = 40  # of an integer
MAX_TOKENS = 10**9  # memory, prompt or output
MAX_REQUESTS = 10**7
MAX_TIME = 10**15  # of a start
MAX_PRICED = 10**7  # last round or time with a price
MAX_DEPTH = 1_000  # of a tree
MAX_WORK = 10**8  # elementary steps for one leaf
MAX_STARTS = 10**7  # that are left in a node
MAX_STEPS = 2 * 10**9  # of paths: (horizon, K, W, type or prompt)
MAX_HELD = 400_000  # ways to hold tokens
MAX_LABELS = 150_000_000  # of these, times rounds
MAX_LABEL = 2**62
MAX_HORIZON = 10**6
MAX_NODES = 50_000_000  # kept in a search, all times together
MAX_EDGES = 10_000_000  # of a graph of profiles, and...
MAX_ROUNDS = 4 * 10**9  # ...of all graphs together, times the rounds for which they are needed
MAX_SLOTS = 64  # with slot weights
MAX_STATES = 5_000_000  # looked at in a search, or at one time of a path
MAX_BITS = 100_000  # of a profile
MAX_SEARCHED = 1_000  # requests in a search


class Refused(Exception):  # noqa: N818  # a verdict, not an error
    """The certificate does not prove its claim; the message says why."""


Starts = dict[tuple[int, int], bytearray]  # which starts of each type are left


class Claim(NamedTuple):
    """What a certificate has proved."""

    requests: int
    memory: int
    lower_bound: int
    upper_bound: int | None
    rule: str

    def __str__(self) -> str:
        low, high = self.lower_bound, self.upper_bound
        if low == high:
            return f"the optimum is {low} ({self.rule})"
        end = "" if high is None else f" and at most {high}"
        return f"the optimum is at least {low}{end} ({self.rule})"


def check(data: str | bytes) -> Claim:
    """Return what a certificate proves, or raise `Refused`, and nothing else."""
    try:
        given = fields(
            parsed(data),
            "certificate",
            ("format", "instance", "instance_sha256", "lower_bound", "proof"),
            ("upper_bound", "starts"),
        )
        if given["format"] != FORMAT:
            raise Refused(f"format: must be {FORMAT!r}, got {short(given['format'])}")
        memory, groups = read_instance(given["instance"])
        if given["instance_sha256"] != digest(memory, groups):
            raise Refused(f"instance_sha256: the instance has {digest(memory, groups)}")
        types: dict[tuple[int, int], int] = {}
        for prompt, output, count in groups:
            types[prompt, output] = types.get((prompt, output), 0) + count
        low = integer(given["lower_bound"], 0, 10**MAX_DIGITS, "lower_bound")
        high = None
        if ("upper_bound" in given) != ("starts" in given):
            raise Refused("upper_bound and starts: must both be there, or neither")
        if "starts" in given:
            high = integer(given["upper_bound"], 0, 10**MAX_DIGITS, "upper_bound")
            cost = cost_of(memory, groups, listed(given["starts"], "starts"))
            if high != cost:
                raise Refused(f"upper_bound: is {high}, the starts cost {cost}")
            if low > high:
                raise Refused(f"lower_bound: is {low}, the starts cost {cost}")
        rule = proved_by(memory, types, low, given["proof"])
        return Claim(sum(types.values()), memory, low, high, rule)
    except (MemoryError, RecursionError, OverflowError):
        raise Refused("is too large for this machine") from None


def proved_by(memory: int, types: dict[tuple[int, int], int], low: int, proof: Any) -> str:
    """Return the name of the rule that proves `low`; refuse if it does not."""
    rule = proof.get("rule") if isinstance(proof, dict) else None
    if rule == "busy-time":
        weights = fields(proof, "proof", ("rule", "weights"))["weights"]
        if weights not in ("memory", "slots"):
            raise Refused(f"proof.weights: must be memory or slots, got {short(weights)}")
        proved = max(total_output(types), busy_time(memory, types, weights == "slots"))
    elif rule == "prices":
        fields(proof, "proof", ("rule", "scale", "tree"))
        scale = integer(proof["scale"], 1, 10**MAX_DIGITS, "proof.scale")
        proved = priced(memory, types, scale, listed(proof["tree"], "proof.tree"))
    elif rule == "windows":
        proved = by_windows(memory, types, proof)
    elif rule == "paths":
        proved = by_paths(memory, types, proof)
    elif rule == "holdings":
        proved = by_holdings(memory, types, low, proof)
    elif rule == "worth":
        proved = by_worth(memory, types, proof)
    elif rule == "parts":
        proved = by_parts(memory, types, proof)
    elif rule == "exhaustive":
        fields(proof, "proof", ("rule", "states"))
        limit = integer(proof["states"], 0, MAX_STATES, "proof.states")
        searched(memory, types, low, limit)
        return "exhaustive"
    else:
        known = "busy-time, prices, windows, paths, holdings, worth, parts or exhaustive"
        raise Refused(f"proof.rule: must be {known}, got {short(rule)}")
    if proved < low:
        raise Refused(f"lower_bound: is {low}, the proof gives {proved}")
    return str(rule)


# --- The upper bound --------------------------------------------------------------------------


def cost_of(memory: int, groups: list[tuple[int, int, int]], starts: list[Any]) -> int:
    """Return the cost of a schedule, refused if it overflows the memory in some round.

    It is enough to test the rounds in which something completes: from any round to the
    next of these nothing ends, so every run goes on and uses more.
    """
    total = sum(count for _, _, count in groups)
    if len(starts) != total:
        raise Refused(f"starts: must be {total}, one for each request, got {len(starts)}")
    for i, start in enumerate(starts):
        integer(start, 0, MAX_TIME, "starts", i)
    shapes = ((prompt, output) for prompt, output, count in groups for _ in range(count))
    runs = [(start, start + output, prompt) for start, (prompt, output) in zip(starts, shapes)]
    to_begin = sorted(runs, reverse=True)
    constant = number = 0  # what runs uses constant + number * r tokens in round r
    for start, end, prompt in sorted(runs, key=lambda run: run[1]):
        while to_begin and to_begin[-1][0] < end:
            first = to_begin.pop()
            constant += first[2] - first[0]
            number += 1
        if constant + number * end > memory:
            raise Refused(
                f"starts: round {end} uses {constant + number * end} tokens, memory is {memory}"
            )
        constant -= prompt - start
        number -= 1
    return sum(end for _, end, _ in runs)


# --- Rule "busy-time" ---------------------------------------------------------------------------


def total_output(types: dict[tuple[int, int], int]) -> int:
    """Return the sum of the outputs: no request completes before its own output."""
    return sum(output * count for (_, output), count in types.items())


def busy_time(memory: int, types: dict[tuple[int, int], int], slots: bool) -> int:
    """Return the bound sum over pairs of min(W_i, W_j) + sum W_i / 2 + sum delta_i, rounded up.

    Give round j of request i a weight w_i(j) such that what runs in one round never weighs
    more than 1.  W_i is the sum of the w_i(j) and delta_i = o_i - sum w_i(j) (j - 1/2) / W_i,
    so that C_i = B_i + delta_i, where B_i is the mean time of the weight of request i.  As at
    most a weight of 1 fits into a unit of time, sum over i in S of W_i B_i >= W(S)^2 / 2 for
    every set S; for W_1 <= W_2 <= ... the sets {1..k}, weighted with 1/W_k - 1/W_{k+1} >= 0,
    add up to sum B_i >= sum over pairs of min(W_i, W_j) + sum W_i / 2.  (lower_bounds.md)

    Memory weights: w_i(j) = (s_i + j) / M, at most 1 together as the memory suffices.
    Slot weights: beside a run that uses m tokens at most (M - m) / (s_min + 1) others run, so
    with q = 1 + floor((M - m) / (s_min + 1)), w = 1/q, each of r runs weighs at most 1/r.
    """
    unit = min(prompt for prompt, _ in types) + 1
    capacity = memory
    if slots:
        if memory // unit > MAX_SLOTS:
            raise Refused(f"proof.weights: slots is for up to {MAX_SLOTS} requests at once")
        capacity = math.lcm(*range(1, memory // unit + 1))
    weights = []  # (W_i, count), W in units of 1 / capacity
    total = 0  # in units of 2^-64; every term is rounded down, so it stays a lower bound
    for (s, o), count in types.items():
        weight, moment = s * o + o * (o + 1) // 2, 6 * s * o * o + o * (o + 1) * (4 * o - 1)
        if slots:
            weight = moment = done = 0  # moment is 12 * sum of w(j) (j - 1/2)
            while done < o:  # rounds done + 1 .. end have the same q
                q = 1 + (memory - s - done - 1) // unit
                end = min(o, memory - s - (q - 1) * unit)
                weight += capacity // q * (end - done)
                moment += capacity // q * 6 * (end * end - done * done)
                done = end
        weights.append((weight, count))
        total += (count * (12 * o * weight - moment) << 64) // (12 * weight)
    doubled = larger = 0  # twice the pairs' sum, plus the sum of the W_i
    for weight, count in sorted(weights, reverse=True):
        doubled += weight * count * (count + 2 * larger)
        larger += count
    return -(-(total + (doubled << 64) // (2 * capacity)) >> 64)


# --- Rule "prices" ------------------------------------------------------------------------------
#
# Let y[k,t] be how many requests of type k = (s, o) start at time t.  Every schedule satisfies
#   memory row r:         sum over t < r <= t + o of (s + r - t) y[k,t]  <=  M
#   staircase row m, u:   sum over t in (u - d_k, u] of y[k,t]           <=  m
# with n_k = s + o + m (s_min + o) - M and d_k = min(o, ceil(n_k / m)), or 0 if n_k <= 0.  For
# suppose that m + 1 requests start so, and let i complete first, at C_i = t_i + o_i > u.  In
# that round the m others still run and use s_min + C_i - u at least, i itself s_i + o_i:
# together s_i + o_i + m (s_min + o_i) - m (u - t_i) = M + n_i - m (u - t_i) > M, as
# u - t_i < d_i means u - t_i < n_i / m.  (model.md, lemma 4)
#
# A split of the tree asks for N = the number of starts of certain types before certain times.
# One subtree has N <= at_most, the other N >= at_most + 1: together they miss no schedule.
# In a leaf, rows and the splits above it are inequalities a y <= b.  For any prices p >= 0,
#   cost  >=  cost + sum of p (a y - b)  =  sum over k, t of c_k(t) y[k,t]  -  sum of p b
#         >=  sum over k of count_k * (min over t >= 0 of c_k(t))  -  sum of p b,
# where c_k(t) = t + o plus the priced coefficients of y[k,t].  From the last priced time on no
# coefficient is left, so c_k(t) = t + o rises and the minimum over t up to there is enough.
# All of that is computed times `scale`, in whose fractions the prices are written.


def priced(memory: int, types: dict[tuple[int, int], int], scale: int, tree: list[Any]) -> int:
    """Return the least bound of the leaves of a tree that is written in preorder."""
    open_nodes: list[tuple[Any, ...]] = [()]  # the splits above each subtree still to come
    lowest = None
    for i, node in enumerate(tree):
        place = f"proof.tree[{i}]"
        if not open_nodes:
            raise Refused(f"{place}: is left over, the tree ended before it")
        above = open_nodes.pop()
        if isinstance(node, dict) and "split" in node:
            fields(node, place, ("split", "at_most"))
            open_nodes += sides(types, node, above, MAX_PRICED, place)
        else:
            bound = leaf_bound(memory, types, scale, node, above, place)
            lowest = bound if lowest is None else min(lowest, bound)
    if open_nodes or lowest is None:
        raise Refused(f"proof.tree: ends with {len(open_nodes)} subtrees missing")
    return lowest


def sides(
    types: dict[tuple[int, int], int], node: Any, above: tuple[Any, ...], last: int, place: str
) -> list[tuple[Any, ...]]:
    """Return the splits above both subtrees of a split, those of the first one last."""
    most = integer(node["at_most"], 0, MAX_REQUESTS, f"{place}.at_most")
    until = {}  # type: the time before which its starts count
    for prompt, output, time in rows(node["split"], 3, f"{place}.split"):
        if (prompt, output) not in types or (prompt, output) in until:
            raise Refused(f"{place}.split: must name types of the instance, each once")
        until[prompt, output] = integer(time, 1, last, f"{place}.split")
    if not until or len(above) == MAX_DEPTH:
        raise Refused(f"{place}.split: is empty, or deeper than {MAX_DEPTH}")
    # -N <= -(most + 1), and N <= most, which comes first
    return [(*above, (until, -1, -(most + 1))), (*above, (until, 1, most))]


def leaf_bound(
    memory: int,
    types: dict[tuple[int, int], int],
    scale: int,
    leaf: Any,
    above: tuple[Any, ...],
    place: str,
) -> int:
    """Return the bound that the prices of a leaf give, rounded up."""
    fields(leaf, place, ("memory", "staircase", "branch"))
    value, costs = charged(memory, types, scale, leaf, above, 0, place)
    value += sum(count * min(costs[kind]) for kind, count in types.items())
    return -(-value // scale)


def charged(
    memory: int,
    types: dict[tuple[int, int], int],
    scale: int,
    given: Any,
    above: tuple[Any, ...],
    least: int,
    place: str,
) -> tuple[int, dict[tuple[int, int], list[int]]]:
    """Return - sum of p b, and the costs c_k(t) of starts up to the last priced time.

    The costs go on up to time `least` at least.
    """
    on_memory = rows(given["memory"], 2, f"{place}.memory")
    on_stairs = rows(given["staircase"], 3, f"{place}.staircase")
    on_splits = listed(given["branch"], f"{place}.branch")
    if len(on_splits) != len(above):
        raise Refused(f"{place}.branch: must be {len(above)} prices, got {len(on_splits)}")
    last = max([r for r, _ in on_memory] + [u + 1 for _, u, _ in on_stairs] + [least])
    last = max([last, *(time for until, _, _ in above for time in until.values())])
    levels = sorted({m for m, _, _ in on_stairs})
    if last > MAX_PRICED or (last + 1) * len(types) * (1 + len(levels)) > MAX_WORK:
        raise Refused(f"{place}: has prices too late, at {last}")

    value = 0
    prices = [0] * (last + 1)  # prices[r] of memory row r
    for r, price in increasing(on_memory, 1, f"{place}.memory"):
        prices[r] = price
        value -= price * memory
    steps = {m: [0] * (last + 1) for m in levels}  # steps[m][u + 1] of staircase row (m, u)
    for m, u, price in increasing(on_stairs, 1, f"{place}.staircase"):
        steps[m][u + 1] = price
        value -= price * m
    ends: dict[tuple[int, int], list[int]] = {}  # for each type, what starts before a time pay
    for i, (until, sign, most) in enumerate(above):
        price = integer(on_splits[i], 0, 10**MAX_DIGITS, f"{place}.branch", i)
        value -= price * most
        for kind, time in until.items():
            ends.setdefault(kind, [0] * (last + 1))[time - 1] += sign * price

    # Prefix sums: to_round[x] = sum of p_r over r <= x, weighted[x] = sum of r p_r.
    to_round = list(accumulate(prices))
    weighted = list(accumulate(r * price for r, price in enumerate(prices)))
    stairs = [(m, list(accumulate(steps[m]))) for m in levels]
    smallest = min(s for s, _ in types)
    found = {}
    for s, o in types:
        # Rows t + 1 .. t + o with s + r - t each: (s - t) * (sum of p) + (sum of r p).
        costs = [
            scale * (t + o) + (s - t) * (p1 - p0) + q1 - q0
            for t, p0, p1, q0, q1 in zip(
                range(last + 1), to_round, ahead(to_round, o), weighted, ahead(weighted, o)
            )
        ]
        for m, sums in stairs:  # rows u = t .. t + d - 1, at places t + 1 .. t + d
            excess = s + o + m * (smallest + o) - memory
            if (d := min(o, -(-excess // m))) > 0:
                costs = [c + b - a for c, a, b in zip(costs, sums, ahead(sums, d))]
        if (s, o) in ends:  # a start at t pays for every time > t
            pays = list(accumulate(reversed(ends[s, o])))
            costs = [c + p for c, p in zip(costs, reversed(pays))]
        found[s, o] = costs
    return value, found


def ahead(sums: list[int], by: int) -> list[int]:
    """Return the list of sums[t + by], the last one going on for ever."""
    return sums[by:] + sums[-1:] * min(by, len(sums))


# --- Rule "windows" -----------------------------------------------------------------------------
#
# A tree of splits and prices as above, with two things more.  It looks only at schedules that
# cost less than a goal, and keeps for each type k a set X_k of the starts, among 0..H, that
# can belong to one; H, the horizon, stands for all times t >= H.  Every price is of a row or a
# split up to H, so no coefficient is left from there on.  Each split is of one type.
#
# The splits above a node say of the j-th request of a type (by start) that it starts in some
# window a..b.  Two things take starts away:
#   - Suppose that no schedule of the node below the goal starts the request outside a..b, and
#     b < H.  Then it runs in rounds b + 1 .. a + o and uses s + r - b there at least.
#     Another request cannot start at a time t < H where that, added up over all others, and its
#     own s + r - t are more than M in some round r of its run.  Windows shrink with what is left.
#   - By rule "prices" a schedule costs at least V = sum of count_k * (min over X_k of c_k) - sum
#     of p b, and V + c_k(t) - (min over X_k of c_k) if it starts a k at t.  Where this is more
#     than goal - 1 the start is taken away.  For H it stands for all later times, which cost
#     more.
# If nothing is left for some request, or V rounded up is the goal, no schedule of the node costs
# less.  Prices, bounds and sets hold for the nodes below, too, where prices of splits are 0 if
# they are not told.  So every schedule costs at least the goal or the bound of its leaf.


def by_windows(memory: int, types: dict[tuple[int, int], int], proof: dict[str, Any]) -> int:
    """Return the least bound of the leaves, or the goal if that is less."""
    fields(proof, "proof", ("rule", "scale", "horizon", "goal", "tree"))
    scale = integer(proof["scale"], 1, 10**MAX_DIGITS, "proof.scale")
    horizon = integer(proof["horizon"], 1, MAX_PRICED, "proof.horizon")
    goal = lowest = integer(proof["goal"], 1, 10**MAX_DIGITS, "proof.goal")
    if (horizon + 1) * len(types) > MAX_STARTS:
        raise Refused(f"proof.horizon: is too late, {horizon}")
    everything: Starts | None = {kind: bytearray([1]) * (horizon + 1) for kind in types}
    # The splits above each subtree still to come, its starts, bound, and prices from above.
    open_nodes: list[Any] = [((), everything, 0, None)]
    for i, node in enumerate(listed(proof["tree"], "proof.tree")):
        place = f"proof.tree[{i}]"
        if not open_nodes:
            raise Refused(f"{place}: is left over, the tree ended before it")
        above, left, bound, given = open_nodes.pop()
        own = isinstance(node, dict) and "memory" in node
        split = isinstance(node, dict) and "split" in node
        known = ("split", "at_most") * split + ("memory", "staircase", "branch") * own
        fields(node, place, known)
        left = left and fitting(memory, types, left, above)
        for prices in ([] if given is None else [given]) + [node] * own:
            padded = dict(prices)
            if prices is not node:
                padded["branch"] = prices["branch"] + [0] * (len(above) - len(prices["branch"]))
            value, costs = charged(memory, types, scale, padded, above, horizon, place)
            if any(len(row) > horizon + 1 for row in costs.values()):
                raise Refused(f"{place}: has prices after the horizon")
            while left:
                least = {k: min(compress(costs[k], there)) for k, there in left.items()}
                total = value + sum(count * least[k] for k, count in types.items())
                bound = max(bound, -(-total // scale))
                spare = (goal - 1) * scale - total
                if spare < 0:
                    left = None
                    break
                fewer = {
                    k: bytearray(a and c <= least[k] + spare for a, c in zip(there, costs[k]))
                    for k, there in left.items()
                }
                if fewer == left:
                    break
                left = fitting(memory, types, fewer, above)
        if split:
            one, two = sides(types, node, above, horizon, place)
            if len(one[-1][0]) > 1:
                raise Refused(f"{place}.split: must be of one type")
            held = node if own else given
            open_nodes += [(one, left, bound, held), (two, left, bound, held)]
        elif left:
            lowest = min(lowest, bound)
    if open_nodes:
        raise Refused(f"proof.tree: ends with {len(open_nodes)} subtrees missing")
    return lowest


def fitting(
    memory: int, types: dict[tuple[int, int], int], left: Starts, above: tuple[Any, ...]
) -> Starts | None:
    """Return the starts that fit beside what runs for certain; None if none is left for some."""
    horizon = len(next(iter(left.values()))) - 1
    requests = [(kind, j) for kind, count in types.items() for j in range(count)]
    windows = dict.fromkeys(requests, (0, horizon))
    for until, sign, most in above:
        ((kind, time),) = until.items()
        for j in range(types[kind]):
            low, high = windows[kind, j]
            if sign > 0 and j >= most:
                windows[kind, j] = (max(low, time), high)
            elif sign < 0 and j < -most:
                windows[kind, j] = (low, min(high, time - 1))
    changed = True
    while changed:
        changed = False
        fits: Starts = {kind: bytearray(horizon + 1) for kind in types}
        for place in requests:
            kind, (low, high) = place[0], windows[place]
            others = [other for other in requests if other != place]
            runs = [(b, a + o, s) for (s, o), a, b in ((q[0], *windows[q]) for q in others)]
            runs = [run for run in runs if run[0] < min(run[1], horizon)]
            rest = bytearray(horizon - max(high, low - 1))
            own = bytearray(low) + left[kind][low : high + 1] + rest
            for first, last in too_much(memory, *kind, runs):
                first, last = max(first, 0), min(last, horizon - 1)
                if first <= last:
                    own[first : last + 1] = bytearray(last + 1 - first)
            if 1 not in own:
                return None
            if (now := (own.index(1), own.rindex(1))) != (low, high):
                windows[place] = now
                changed = True
            fits[kind] = bytearray(map(max, fits[kind], own)) if types[kind] > 1 else own
    return fits


def too_much(
    memory: int, s: int, o: int, runs: list[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """Return stretches of starts t of (s, o) with s + r - t + U(r) > M in a round r of the run.

    U(r) is what others use for certain, s' + r - b for each of `runs` (b, e, s') with b < r <= e.
    A round that is not the last of the run nor some e is followed by one in which all of it is
    larger, so only those rounds matter.
    """
    found = []
    for _, r, _ in runs:  # rounds e: starts r - o .. r - 1 are in their run there
        used = sum(more + r - b for b, e, more in runs if b < r <= e)
        found.append((r - o, min(r - 1, s + r + used - memory - 1)))
    # The last round, r = t + o: between changes U(r) goes up by `number` a round.
    changes = sorted({x + 1 for b, e, _ in runs for x in (b, e)})
    for i in range(1, len(changes)):
        r, after = changes[i - 1], changes[i]
        there = [(b, more) for b, e, more in runs if b < r <= e]
        used, number = sum(more + r - b for b, more in there), len(there)
        if number and used + number * (after - 1 - r) > memory - s - o:
            late = max(0, -(-(memory - s - o + 1 - used) // number))  # rounds until it is too much
            found.append((r + late - o, after - 1 - o))
    return found


# --- Rule "paths" -------------------------------------------------------------------------------
#
# Take a cheapest schedule; it has no idle round (model.md, lemma 1).  Of what happens at a time
# see only that K requests run and hold W tokens; a run that started at u holds s + t - u at time
# t.  At each time t = 0, 1, ... some requests complete, each takes (1, s + o) from (K, W); then
# some start, each adds (1, s); then there is a round, which adds (0, K), and needs K >= 1 and
# W + K <= M.  Whoever runs on after completions has had a round, so there W >= K (s_min + 1); at
# most min(n, M / (s_min + 1)) run.  That is a path; it ends with K = 0, or goes on to time H.
#
# Let F[k,t] be the completions of type k = (s, o) at t, S[s,t] the starts of prompt s.  Then
#   worth, k:          sum over t of F[k,t]  =  n_k
#   start, s, t < H:   S[s,t]  =  sum over types (s, o) of F[(s,o),t+o]
#   staircase, m, u:   sum over k, t in (u - d_k, u] of F[k,t+o]  <=  m   (d_k as above)
#   moment, t < H:     sum of b^2  >=  least(K, W), for the tokens b of those who run after the
#                      completions of t; least is for K integers of sum W as equal as can be.
# As (b + 1)^2 = b^2 + 2 b + 1, this sum of b^2 is the sum of s^2 over the starts before t, plus
# 2 W + K over the rounds before t, less (s + o)^2 over the completions up to t.
#
# Multiplied with prices (staircase, moment: >= 0) and added to the cost, these add 0 or less:
# what every event costs is then told by the event and its time.  With rest(t) = the sum of the
# moment prices from t on:
#   a completion at t:          D t - worth - start(s, t - o) + the staircase prices of
#                               u = t - o .. t - o + d - 1, + (s + o)^2 rest(t)
#   a start at t:               start(s, t) - s^2 rest(t + 1)
#   a round from t to t + 1:    -(2 W + K) rest(t + 1)
#   K, W after completions:     moment(t) least(K, W)
# So D times the cost is at least sum of n_k worth_k - sum of m q, plus the cheapest path.  Beyond
# H only completions cost something.  One who starts at H or later costs at least
# D (H + o) - worth, and worth is refused if that is negative; one who runs at H costs at least
# `end`, the least of 0 and all completions after H.


def by_paths(memory: int, types: dict[tuple[int, int], int], proof: dict[str, Any]) -> int:
    """Return the bound that prices on paths give, rounded up."""
    fields(proof, "proof", ("rule", "scale", "start", "worth", "staircase", "moments"))
    scale = integer(proof["scale"], 1, 10**MAX_DIGITS, "proof.scale")
    horizon = len(listed(proof["moments"], "proof.moments"))
    prompts = sorted({s for s, _ in types})
    smallest = prompts[0]
    unit = smallest + 1
    running = min(sum(types.values()), memory // unit)
    levels = len(listed(proof["staircase"], "proof.staircase"))
    states = (running + 1) * (memory + 1)
    steps = (horizon + 1) * (states * (len(types) + len(prompts) + 2) + len(types) * levels)
    if horizon < 1 or states > MAX_STATES or steps > MAX_STEPS:
        raise Refused(f"proof.moments: {horizon} times are none, or more than can be checked")
    moments = series(proof["moments"], horizon, 0, "proof.moments")
    rest = list(accumulate(reversed([*moments, 0])))[::-1]
    given = named(proof["start"], horizon, -(10**MAX_DIGITS), "proof.start")
    if list(given) != prompts:
        raise Refused("proof.start: must name each prompt once, ascending")
    starts = {s: [p - s * s * r for p, r in zip(row, rest[1:])] for s, row in given.items()}
    value = 0  # becomes scale times the bound
    stairs = []  # (m, sum of the prices of all rows before u, for each u)
    for m, row in named(proof["staircase"], horizon, 0, "proof.staircase").items():
        stairs.append((m, [0, *accumulate(row)]))
        value -= m * sum(row)
    worth = read_worth(types, proof["worth"], "proof.worth")
    for (s, o), w in worth.items():
        if w > scale * (horizon + o):
            entry = [s, o, w]
            raise Refused(f"proof.worth: is more than a late completion costs, got {short(entry)}")

    end = 0
    ends = []  # (peak, output, what completions cost at output, output + 1, ...) of each type
    for (s, o), count in sorted(types.items()):
        value += count * worth[s, o]
        runs = [scale * (u + o) - worth[s, o] - p for u, p in enumerate([*given[s], 0])]
        for m, sums in stairs:
            excess = s + o + m * (smallest + o) - memory
            if (d := min(o, -(-excess // m))) > 0:
                runs = [c + b - a for c, a, b in zip(runs, sums, ahead(sums, d))]
        end = min([end, *runs[max(0, horizon + 1 - o) :]])
        ends.append((s + o, o, [c + (s + o) ** 2 * r for c, r in zip(runs, rest[o:])]))

    # No path costs `far` / 2 or more, or less than -`far` / 2; states without path have about far.
    largest = max(abs(p) for row in [*starts.values(), *(row for _, _, row in ends)] for p in row)
    each = running * (2 * largest - end) + (rest[0] + 1) * (memory * memory + 2 * memory + running)
    far = 4 * (horizon + 1) * each
    # fits[k]: who can complete and leave k behind.  squares[k - 1][w]: the least sum of squares,
    # that of w % k numbers w // k + 1 and k - w % k numbers w // k.
    fits = [[one for one in ends if k * unit + one[0] <= memory] for k in range(running)]
    squares = [
        [(k - w % k) * (w // k) ** 2 + w % k * (w // k + 1) ** 2 for w in range(memory + 1)]
        for k in range(1, running + 1)
    ]
    state = [[far] * (memory + 1) for _ in range(running + 1)]  # state[K][W], its cheapest path
    state[0][0] = 0
    best = far
    for t in range(horizon + 1):
        for k in range(running - 1, -1, -1):
            row, above, low = state[k], state[k + 1], k * unit
            for peak, o, costs in fits[k]:
                if o <= t:
                    high, c = (memory + 1 - peak if k else 1), costs[t - o]
                    through = [b + c for b in above[low + peak : high + peak]]
                    row[low:high] = [a if a < b else b for a, b in zip(row[low:high], through)]
        if t > 0:
            best = min(best, state[0][0])
        if t == horizon:
            break
        if price := moments[t]:
            for k, least in enumerate(squares, start=1):
                state[k] = [a + price * b for a, b in zip(state[k], least)]
        for k in range(running):
            for s, prices in starts.items():
                low, high, p = k * smallest, memory - k - s, prices[t]
                if low < high:
                    row = state[k + 1]
                    through = [b + p for b in state[k][low:high]]
                    row[low + s : high + s] = [
                        a if a < b else b for a, b in zip(row[low + s : high + s], through)
                    ]
        for k, row in enumerate(state):  # from W to W + K; none stays empty
            low, p = k * smallest, rest[t + 1]
            grown = [
                a - p * (2 * w + k) for w, a in enumerate(row[low : memory + 1 - k], start=low)
            ]
            state[k] = [far] * (low + k) + grown if k else [far] * (memory + 1)
    best = min([best, *(min(row) + k * end for k, row in enumerate(state) if k)])
    return -(-(value + best) // scale)


def read_worth(
    types: dict[tuple[int, int], int], given: Any, place: str
) -> dict[tuple[int, int], int]:
    """Return what a completion of each type is worth, in the order of the types."""
    worth = {}
    for entry in listed(given, place):
        s, o, w = series(entry, 3, -(10**MAX_DIGITS), place)
        worth[s, o] = w
    if list(worth) != sorted(types) or len(worth) != len(given):
        raise Refused(f"{place}: must name each type once, ascending")
    return worth


def series(value: Any, length: int, low: int, place: str) -> list[int]:
    """Return a list of so many integers, not less than `low`."""
    if len(listed(value, place)) != length:
        raise Refused(f"{place}: must hold {length} integers, got {short(value)}")
    for number in value:
        integer(number, low, 10**MAX_DIGITS, place)
    return value


def named(value: Any, length: int, low: int, place: str) -> dict[int, list[int]]:
    """Return lists of integers by their names, which are tokens or levels and increase."""
    result: dict[int, list[int]] = {}
    least = int(place == "proof.staircase")
    for entry in listed(value, place):
        if len(listed(entry, place)) != 2:
            raise Refused(f"{place}: must hold pairs of a number and a list, got {short(entry)}")
        if integer(entry[0], 0, MAX_TOKENS, place) < least:
            raise Refused(f"{place}: must increase from {least} on, got {short(entry)}")
        result[entry[0]] = series(entry[1], length, low, place)
        least = entry[0] + 1
    return result


# --- Rule "holdings" ----------------------------------------------------------------------------
#
# Take a cheapest schedule; it has no idle round (model.md, lemma 1).  See what is *held*: of
# each request that runs its tokens b and its prompt s, but not its output.  A round adds one
# token to each; then all b together are M at most.  Then some with b = s + o may complete as
# requests of type (s, o); some may start, with b = s; then comes the next round, in which
# somebody runs.  That is a path: all it forgets is how often each type has completed.
#
# Let a completion of type k at time t cost D t - w_k.  As n_k requests of type k complete, D
# times the cost of a schedule is sum of n_k w_k plus what its path costs; so it is at least the
# same with the cheapest of all paths.  The *label* of a time and what is held is the cost of
# the cheapest path from there on.  As w_k <= D H is tested, nothing that happens at time H or
# later costs less than 0: labels at H and later may be 0.
#
# If that bound is not enough, all schedules that cost less than `low` are looked for.  A node
# is a time, what is held, and how many of each type have completed; kept is the cheapest way
# to it.  What follows it costs at least its label.  So along a schedule that costs less than
# `low` no node's cost and label exceed D (low - 1) - sum of n_k w_k, and each is kept with no
# more than what it costs there, as it follows from one that is.  So its end would be found.


class Held(NamedTuple):
    """All that can be held, by the number of those that run; nothing is number 0.

    Where something is not possible, its number is that of one more, `end`.
    """

    end: int
    levels: list[tuple[int, int]]  # first number and end of those in which as many run
    grown: list[int]  # what is held after a round in which nobody starts or completes
    joined: list[list[int]]  # for each prompt: what is held if one more is in its first round
    done: list[list[tuple[int, int]]]  # for each: what is held after a completion, and its type


def by_holdings(
    memory: int, types: dict[tuple[int, int], int], low: int, proof: dict[str, Any]
) -> int:
    """Return a lower bound: what the prices give, or `low` if a search has proved it."""
    fields(proof, "proof", ("rule", "scale", "horizon", "worth", "nodes"))
    scale = integer(proof["scale"], 1, 10**MAX_DIGITS, "proof.scale")
    horizon = integer(proof["horizon"], 1, MAX_HORIZON, "proof.horizon")
    limit = integer(proof["nodes"], 0, MAX_NODES, "proof.nodes")
    kinds = sorted(types)
    place = "proof.worth"
    given = [series(entry, 3, -(10**MAX_DIGITS), place) for entry in listed(proof["worth"], place)]
    if [(s, o) for s, o, _ in given] != kinds:
        raise Refused("proof.worth: must name each type once, ascending")
    worth = [w for _, _, w in given]
    if max(worth) > scale * horizon:
        raise Refused("proof.worth: is more than a completion at the horizon costs")
    # At each time at most M complete: no path costs `far` / 2, up or down.  Labels of what leads
    # nowhere are not less than that, and not `far` / 2 more than `far`.
    far = 2 * (horizon + 1) * memory * (scale * horizon + max(abs(w) for w in worth) + 1)
    if far > MAX_LABEL:
        raise Refused("proof.worth: has prices that are too large")
    held = all_held(memory, kinds, horizon)
    labels = [array("q", [0]) * held.end]  # of each time, from the horizon back
    for t in range(horizon - 1, 0, -1):
        gains = [scale * t - w for w in worth]
        label = array("q", labels_before(held, labels[-1], gains, far))
        if limit == 0:
            labels.clear()  # only a search needs them again
        labels.append(label)
    begun = best_start(held, joining_of(held, labels[-1], far))
    value = sum(types[kind] * w for kind, w in zip(kinds, worth))
    proved = -(-(value + begun) // scale)
    if proved >= low or limit == 0:
        return proved
    labels.append(array("q"))  # of time 0, not needed
    labels.reverse()
    below = scale * (low - 1) - value  # what may be spent
    if search_held(held, [types[kind] for kind in kinds], scale, worth, labels, below, limit):
        raise Refused(f"lower_bound: is {low}, a schedule costs less")
    return low


def all_held(memory: int, kinds: list[tuple[int, int]], horizon: int) -> Held:
    """Return all that can be held after a round; refused if that is too much."""
    longest = dict(kinds)  # the last of each prompt
    if sum(longest.values()) * memory > MAX_WORK:
        raise Refused("proof: there is more to be held than can be checked")
    parts = sorted((s + j, s) for s, o in longest.items() for j in range(1, o + 1))
    ways = [1] + [0] * memory  # how many there are of so many tokens
    for b, _ in parts:
        for tokens in range(b, memory + 1):
            ways[tokens] += ways[tokens - b]
        if sum(ways) > MAX_HELD or sum(ways) * (horizon + 1) > MAX_LABELS:
            raise Refused("proof: there is more to be held than can be checked")
    level: list[tuple[tuple[int, int], ...]] = [()]
    held: list[tuple[tuple[int, int], ...]] = []
    levels = []
    while level:
        levels.append((len(held), len(held) + len(level)))
        held += level
        level = [
            (*those, part)
            for those in level
            for room in [memory - sum(b for b, _ in those)]
            for part in parts
            if part[0] <= room and (not those or part >= those[-1])
        ]
    number = {those: i for i, those in enumerate(held)}
    end = len(held)
    kind_of = {(s + o, s): k for k, (s, o) in enumerate(kinds)}
    done = []
    for those in held:
        ready = {part: j for j, part in enumerate(those) if part in kind_of}
        done.append(
            [(number[those[:j] + those[j + 1 :]], kind_of[part]) for part, j in ready.items()]
        )
    return Held(
        end,
        levels,
        [number.get(tuple((b + 1, s) for b, s in those), end) for those in held],
        [[number.get(tuple(sorted((*those, (s + 1, s)))), end) for those in held] for s in longest],
        done,
    )


def joining_of(held: Held, after: Any, far: int) -> list[int]:
    """Return the cheapest labels after a round if any number of others were in their first."""
    joining = [*after, far]
    for first, end in reversed(held.levels):
        for to in held.joined:
            through = [joining[i] for i in to[first:end]]
            joining[first:end] = map(min, joining[first:end], through)
    return joining


def best_start(held: Held, joining: list[int]) -> int:
    """Return the cheapest label after a round if nobody ran before it."""
    return min(joining[to[0]] for to in held.joined)


def labels_before(held: Held, after: Any, gains: list[int], far: int) -> list[int]:
    """Return the labels of a time, before its completions, from those after the next round."""
    joining = joining_of(held, after, far)
    label = [joining[i] for i in held.grown]
    label[0] = min(0, best_start(held, joining))
    for i, done in enumerate(held.done):
        if done:
            best = label[i]
            for left, kind in done:
                if (through := label[left] + gains[kind]) < best:
                    best = through
            label[i] = best
    return label


def search_held(
    held: Held,
    counts: list[int],
    scale: int,
    worth: list[int],
    labels: list[Any],
    below: int,
    limit: int,
) -> bool:
    """Tell whether a schedule costs at most `below`; refuse if that takes too many nodes."""
    place = [1, *accumulate((n + 1 for n in counts), lambda a, b: a * b)]
    everyone = sum(n * p for n, p in zip(counts, place))
    free = [0] * held.end
    level_of = [k for k, (first, end) in enumerate(held.levels) for _ in range(first, end)]
    ways: dict[int, list[int]] = {}  # what may be held after a round, by what was before
    # A node is (who has completed) * held.end + what is held, with its cost; by level.
    nodes: list[dict[int, int]] = [{} for _ in held.levels]
    nodes[0][0] = 0
    t = looked_at = 0
    while any(nodes):
        label = labels[t] if t < len(labels) else free
        gains = [scale * t - w for w in worth]
        for k in range(len(nodes) - 1, 0, -1):
            fewer = nodes[k - 1]
            for node, cost in nodes[k].items():
                who, state = divmod(node, held.end)
                for left, kind in held.done[state]:
                    more = cost + gains[kind]
                    if more + label[left] <= below and (
                        who // place[kind] % (counts[kind] + 1) < counts[kind]
                    ):
                        new = (who + place[kind]) * held.end + left
                        if more < fewer.get(new, more + 1):
                            fewer[new] = more
        looked_at += sum(map(len, nodes))
        if looked_at > limit:
            raise Refused(f"proof.nodes: the search takes more than {limit}")
        if nodes[0].get(everyone * held.end, below + 1) <= below:
            return True
        t += 1
        label = labels[t] if t < len(labels) else free
        following: list[dict[int, int]] = [{} for _ in held.levels]
        for those in nodes:
            for node, cost in those.items():
                who, state = divmod(node, held.end)
                if who == everyone:
                    continue
                if state not in ways:
                    ways[state] = after_starts(held, state)
                for new in ways[state]:
                    if cost + label[new] <= below:
                        key = node - state + new
                        fresh = following[level_of[new]]
                        if cost < fresh.get(key, cost + 1):
                            fresh[key] = cost
        nodes = following
    return False


def after_starts(held: Held, state: int) -> list[int]:
    """Return all that can be held after a round, however many start before it; somebody runs."""
    if held.grown[state] == held.end:
        return []
    found = {held.grown[state]: None}  # in this order
    todo = list(found)
    for one in todo:
        for to in held.joined:
            if to[one] != held.end and to[one] not in found:
                found[to[one]] = None
                todo.append(to[one])
    return [one for one in found if one != 0]


# --- Rules "worth" and "parts" ------------------------------------------------------------------
#
# A profile tells the memory that those who run use in each coming round.  What can start now,
# and the profile after the round, depend on it only.  So every schedule is a way through a graph:
# it begins with the empty profile, and in each round an edge says what starts, and leads on.
# If completions of type k are worth w_k,
#     D * cost  =  sum of n_k w_k  +  the sum over all starts (k, t) of D (t + o_k) - w_k.
# Leaving out starts after T_k, the last t at which this is not more than 0, makes another way.
# So the last sum is at least the cost of the cheapest way that starts type k up to T_k only, and
# any number of each type.
#
# Rule "parts" divides the types into parts.  In every schedule those of a part are a way, too, and
# in round r all together use at most M tokens: for prices q_r >= 0, in fractions of D,
#     D * cost  >=  sum of n_k w_k - sum of M q_r + the sum over all starts (k, t) of c_k(t) - w_k
# where c_k(t) = D (t + o_k) + the sum of (s_k + r - t) q_r over rounds r of the run.  The last sum
# is at least the sum over the parts of what the cheapest way of each costs.
#
# Phases: between two of the T_k the same types may start, so there is a graph for each phase.  It
# begins with the profiles of the phase before.  Once everything else has gone (`drained`), only
# the `core` is needed, the profiles that the empty one leads to: what can be met depends on those
# who run only.  If that were wrong, the rest being worth -LOST, the bound would be worthless.
#
# `usable`: more may be counted as used in a round than is, as long as no way on could use the
# rest.  What starts from now on and runs in round r < (the shortest output) is at age r at most,
# so it runs in round r + 1 too, using a token more: if at most U can be used there, at most
# U - 1 can here, or nothing if U = 0.  And nothing can if there is no room for the smallest prompt
# and one token.  (worth.md)

LOST = 10**99  # more than any way can cost

Edges = list[list[tuple[int, int]]]  # for each profile: (profile after the round, group), ...


def by_worth(memory: int, types: dict[tuple[int, int], int], proof: dict[str, Any]) -> int:
    """Return the bound that prices of completions give, rounded up."""
    fields(proof, "proof", ("rule", "scale", "worth"))
    parts = [read_worth(types, proof["worth"], "proof.worth")]
    return worth_of_parts(memory, types, proof["scale"], parts, [])


def by_parts(memory: int, types: dict[tuple[int, int], int], proof: dict[str, Any]) -> int:
    """Return the bound that prices of completions and of memory give, rounded up."""
    fields(proof, "proof", ("rule", "scale", "memory", "parts"))
    left = dict(types)
    parts = []
    for i, part in enumerate(listed(proof["parts"], "proof.parts")):
        place = f"proof.parts[{i}]"
        rows_of = [series(row, 3, -(10**MAX_DIGITS), place) for row in listed(part, place)]
        own = {(s, o): left.pop((s, o)) for s, o, _ in rows_of if (s, o) in left}
        parts.append(read_worth(own, part, place))
    if left or not all(parts):
        raise Refused("proof.parts: must name each type once, and none may be empty")
    return worth_of_parts(memory, types, proof["scale"], parts, proof["memory"])


def worth_of_parts(
    memory: int,
    types: dict[tuple[int, int], int],
    scale: Any,
    parts: list[dict[tuple[int, int], int]],
    on_memory: Any,
) -> int:
    """Return the bound of parts with these prices of completions, and those on memory."""
    scale = integer(scale, 1, 10**MAX_DIGITS, "proof.scale")
    given = {"memory": on_memory, "staircase": [], "branch": []}
    total, costs = charged(memory, types, scale, given, (), 0, "proof")
    total += sum(types[kind] * w for part in parts for kind, w in part.items())
    steps = 0
    for worth in parts:
        value, more = cheapest_way(memory, worth, costs, scale, MAX_ROUNDS - steps)
        total += value
        steps += more
    return -(-total // scale)


def cheapest_way(
    memory: int,
    worth: dict[tuple[int, int], int],
    costs: dict[tuple[int, int], list[int]],
    scale: int,
    most: int,
) -> tuple[int, int]:
    """Return the cost of the cheapest way that starts these types, and the steps it took.

    Costs of starts go on with `scale` more for each round.
    """
    last = {}
    for (s, o), w in worth.items():
        end = (w - scale * o) // scale
        pays = [t for t, cost in enumerate(costs[s, o]) if cost <= w]
        last[s, o] = end if end >= len(costs[s, o]) else max(pays, default=-1)

    phases: list[tuple[Any, ...]] = []
    profiles, begin, steps = [0], 0, 0
    for end in sorted({t for t in last.values() if t >= 0}):
        chosen = [kind for kind in worth if last[kind] >= end]
        drained = max([t + o for (_, o), t in last.items() if 0 <= t < end], default=0)
        drained = min(max(drained, begin), end + 1)
        profiles, edges, groups, core, entry = profile_graph(memory, list(worth), chosen, profiles)
        steps += sum(map(len, edges)) * (drained - begin)
        steps += sum(map(len, edges[:core])) * (end + 1 - drained)
        if steps > most:
            raise Refused(f"proof: takes more than {MAX_ROUNDS} steps to check")
        starts = [(costs[kind], scale * kind[1], worth[kind]) for kind in chosen]

        def now(t: int, groups: Any = groups, starts: Any = starts) -> list[int]:
            each = [(c[t] if t < len(c) else scale * t + late) - w for c, late, w in starts]
            return [sum(n * cost for n, cost in zip(group, each)) for group in groups]

        phases.append((edges, now, core, entry, begin, drained, end + 1))
        begin = end + 1

    values = [0] * len(profiles)  # of the cheapest ways on from each profile, after the last phase
    enter = range(len(profiles))
    for edges, now, core, entry, begin, drained, end in reversed(phases):
        values = [values[x] for x in enter]
        if drained < end:
            values = [
                *ways_on(edges[:core], now, values[:core], drained, end),
                *[-LOST] * (len(edges) - core),
            ]
        values = ways_on(edges, now, values, begin, drained)
        enter = entry
    return values[0], steps


def ways_on(edges: Edges, costs: Any, values: list[int], low: int, high: int) -> list[int]:
    """Return the costs of the cheapest ways on at time `low`, from those at time `high`.

    costs(t) are those of the groups at time t.
    """
    # Who has most edges comes first, so that the i-th edges belong to nodes 0, 1, ....
    order = sorted(range(len(edges)), key=lambda x: -len(edges[x]))
    place = {x: i for i, x in enumerate(order)}
    ranks = []  # the first edges of all, the second of all who have one, ...: to where, with what
    for i in range(len(edges[order[0]])):
        own = [edges[x][i] for x in order if i < len(edges[x])]
        ranks.append(([place[after] for after, _ in own], [group for _, group in own]))
    values = [values[x] for x in order]
    for t in range(high - 1, low - 1, -1):
        now = costs(t)
        before = [values[x] for x in ranks[0][0]]  # nothing starts
        for after, which in ranks[1:]:
            before[: len(after)] = [
                a if a < (b := values[x] + now[g]) else b for a, x, g in zip(before, after, which)
            ]
        values = before
    return [values[place[x]] for x in range(len(edges))]


def profile_graph(
    memory: int,
    kinds: list[tuple[int, int]],
    chosen: list[tuple[int, int]],
    profiles_before: list[int],
) -> tuple[list[int], Edges, list[tuple[int, ...]], int, list[int]]:
    """Return profiles, the edges of each, groups, core, and the places of the profiles before.

    Chosen types may start.  Profile 0 is the empty one; those that it leads to are the first
    ones, `core` in number.  Group 0 starts nothing, and the first edge of each is of that group.
    """
    width, field, tops, spare, _ = packed(memory, kinds)
    shapes = packed(memory, chosen)[-1]
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
    edges: list[list[tuple[int, int]]] = []
    entry: list[int] = []
    core = total = 0
    for profile in profiles:  # which grow on the way
        own = []
        ways = [(profile, nothing, 0)]
        while ways:
            used, started, k = ways.pop()
            after = usable(used >> width)
            if after not in nodes:
                nodes[after] = len(profiles)
                profiles.append(after)
            own.append((nodes[after], groups.setdefault(started, len(groups))))
            if total + len(own) > MAX_EDGES:
                raise Refused(f"proof: there are more than {MAX_EDGES} edges in a graph")
            for j in range(k, len(chosen)):
                if not (used + shapes[j] + spare) & tops:
                    more = (*started[:j], started[j] + 1, *started[j + 1 :])
                    ways.append((used + shapes[j], more, j))
        edges.append(own)
        total += len(own)
        if not core and len(edges) == len(profiles):  # all that the empty one leads to is there
            core = len(profiles)
            for before in map(usable, profiles_before):
                if before not in nodes:
                    nodes[before] = len(profiles)
                    profiles.append(before)
                entry.append(nodes[before])
    return profiles, edges, list(groups), core, entry


def packed(memory: int, kinds: list[tuple[int, int]]) -> tuple[int, int, int, int, list[int]]:
    """Return width, field, tops, spare and shapes, for memory in coming rounds as one integer.

    Each round has a field of `width` bits, the next round the lowest; a field holds up to 2 M,
    and after adding `spare` its bit in `tops` says whether it exceeds M.  A shape is the memory
    of a whole run.
    """
    width = memory.bit_length() + 2
    longest = max(o for _, o in kinds)
    if width * longest > MAX_BITS:
        raise Refused("proof: the outputs are too long for this rule")
    ones = sum(1 << (width * j) for j in range(longest))
    shapes = [sum((s + j + 1) << (width * j) for j in range(o)) for s, o in kinds]
    top = 1 << (width - 1)
    return width, 2 * top - 1, ones * top, ones * (top - 1 - memory), shapes


# --- Rule "exhaustive" --------------------------------------------------------------------------


def searched(memory: int, types: dict[tuple[int, int], int], low: int, limit: int) -> int:
    """Search for a schedule that costs less than `low`; refuse if there is one.

    What can still happen depends on the state only: how many requests of each type wait, and
    the memory that those running will use in each coming round.  A round costs the number of
    requests that wait through it; that adds up to the sum of the starts, so the search is for
    a sum below `low` minus the outputs.  From each state everything that fits may start.  Left
    out are: a state met before at no greater cost (states come in the order of cost); a round
    in which nothing runs (in a cheapest schedule there is none: all that follows could move
    one round forward); and a state whose cost plus `to_come` reaches the sum searched for.

    to_come: when i of those that wait have completed, at least their i smallest areas (memory
    times rounds of a whole run) have found room in what the running ones leave of the memory;
    that gives the i-th completion time, and the sum of these less the outputs is a bound on the
    sum of the starts from now.  So is the busy-time bound of those that wait, less the outputs.

    The memory in the coming rounds is one integer (see `packed`).  `limit` bounds the choices
    looked at; returned is how many there were.
    """
    kinds = sorted(types)
    if sum(types.values()) > MAX_SEARCHED:
        raise Refused("proof: the instance is too large for an exhaustive search")
    width, field, tops, spare, shapes = packed(memory, kinds)
    known: dict[tuple[int, ...], tuple[list[int], int, int]] = {}

    def to_come(waiting: tuple[int, ...], profile: int) -> int:
        if waiting not in known:
            left = {kind: count for kind, count in zip(kinds, waiting) if count}
            areas = [s * o + o * (o + 1) // 2 for (s, o), n in left.items() for _ in range(n)]
            alone = busy_time(memory, left, slots=False)
            known[waiting] = list(accumulate(sorted(areas))), total_output(left), alone
        areas, outputs, alone = known[waiting]
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
            choices: list[tuple[tuple[int, ...], int]] = [((), profile)]
            for shape, count in zip(shapes, waiting):
                longer = []
                for left, used in choices:
                    for number in range(count + 1):
                        longer.append(((*left, count - number), used))
                        used += shape
                        if (used + spare) & tops:
                            break
                    if looked_at + len(longer) > limit:
                        raise Refused(f"proof.states: the search takes more than {limit}")
                choices = longer
            looked_at += len(choices)
            for left, used in choices:
                after = cost + sum(left)
                if after == cost:
                    raise Refused(f"lower_bound: is {low}, a schedule costs {cost + low - target}")
                if used and after < target and used >> width not in done.get(left, ()):
                    if after + to_come(left, used >> width) < target:
                        by_cost.setdefault(after, []).append((left, used >> width))
    return looked_at


# --- Reading, fail closed -----------------------------------------------------------------------


def parsed(data: str | bytes) -> Any:
    """Return the JSON value, refused unless it is strict, with short integers only."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(result := dict(pairs)) < len(pairs):
            raise Refused(f"a key appears twice in {short(sorted(key for key, _ in pairs))}")
        return result

    def small(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise Refused(f"a number has more than {MAX_DIGITS} digits")
        return int(digits)

    def none(text: str) -> None:
        raise Refused(f"numbers must be integers, got {short(text)}")

    if len(data) > MAX_BYTES:
        raise Refused(f"is longer than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        return json.loads(
            text, object_pairs_hook=unique, parse_int=small, parse_float=none, parse_constant=none
        )
    except ValueError as error:
        raise Refused(f"is not JSON: {short(str(error))}") from None
    except RecursionError:
        raise Refused("is not JSON that can be read: nested too deeply") from None


def read_instance(given: Any) -> tuple[int, list[tuple[int, int, int]]]:
    """Return the memory and the requests as (prompt, output, count), in order."""
    place = "instance"
    fields(given, place, ("memory", "requests"), ("format", "name", "comment", "source"))
    if given.get("format", "kvopt-instance/1") != "kvopt-instance/1":
        raise Refused(f"instance.format: is unknown, got {short(given['format'])}")
    for key in ("name", "comment", "source"):
        if not isinstance(given.get(key, ""), str):
            raise Refused(f"instance.{key}: must be a text, got {short(given[key])}")
    memory = integer(given["memory"], 1, MAX_TOKENS, "instance.memory")
    groups = []
    for i, entry in enumerate(listed(given["requests"], "instance.requests")):
        place = f"instance.requests[{i}]"
        fields(entry, place, ("prompt", "output"), ("count",))
        prompt = integer(entry["prompt"], 0, memory - 1, f"{place}.prompt")
        output = integer(entry["output"], 1, memory - prompt, f"{place}.output")
        count = integer(entry.get("count", 1), 1, MAX_REQUESTS, f"{place}.count")
        groups.append((prompt, output, count))
    if not 1 <= sum(count for _, _, count in groups) <= MAX_REQUESTS:
        raise Refused(f"instance.requests: must be 1 to {MAX_REQUESTS} requests")
    return memory, groups


def digest(memory: int, groups: list[tuple[int, int, int]]) -> str:
    """Return the SHA-256 of {"memory":M,"requests":[[prompt,output],...]}, a pair a request."""
    sha = hashlib.sha256(f'{{"memory":{memory},"requests":['.encode())
    comma = 0
    for prompt, output, count in groups:
        for left in range(count, 0, -10_000):
            sha.update((f",[{prompt},{output}]" * min(left, 10_000))[1 - comma :].encode())
            comma = 1
    sha.update(b"]}")
    return sha.hexdigest()


def fields(
    value: Any, place: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return an object, refused unless it has the required and no unknown keys."""
    if not isinstance(value, dict):
        raise Refused(f"{place}: must be an object, got {short(value)}")
    for key in value:
        if key not in required and key not in optional:
            raise Refused(f"{place}: has an unknown key {short(key)}")
    for key in required:
        if key not in value:
            raise Refused(f"{place}: has no {key!r}")
    return value


def listed(value: Any, place: str) -> list[Any]:
    """Return a list, refused unless it is one."""
    if not isinstance(value, list):
        raise Refused(f"{place}: must be a list, got {short(value)}")
    return value


def rows(value: Any, length: int, place: str) -> list[list[int]]:
    """Return a list of lists of `length` integers >= 0."""
    for row in listed(value, place):
        if not isinstance(row, list) or len(row) != length:
            raise Refused(f"{place}: must hold lists of {length} integers, got {short(row)}")
        for number in row:
            integer(number, 0, 10**MAX_DIGITS, place)
    return value


def increasing(table: list[list[int]], least: int, place: str) -> list[list[int]]:
    """Return the rows, refused unless all but their last entries increase from `least` on."""
    for row, following in zip([[least - 1], *table], table):
        if following[0] < least or row[:-1] >= following[:-1]:
            raise Refused(f"{place}: rows must increase from {least} on, got {short(following)}")
    return table


def integer(value: Any, low: int, high: int, place: str, index: int | None = None) -> int:
    """Return an integer from low to high; true, false and 1.0 are none."""
    if type(value) is not int or not low <= value <= high:
        where = place if index is None else f"{place}[{index}]"
        raise Refused(f"{where}: must be an integer from {low} to {high}, got {short(value)}")
    return value


def short(value: Any) -> str:
    """Return a value as it is shown in messages."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def main(names: list[str]) -> int:
    """Check files; print one line for each."""
    if not names:
        print("usage: python check.py FILE...", file=sys.stderr)
        return 2
    failed = False
    for name in names:
        try:
            with open(name, "rb") as file:
                print(f"{name}: holds: {check(file.read(MAX_BYTES + 1))}", flush=True)
        except Refused as error:
            failed = True
            print(f"{name}: REFUSED: {error}", flush=True)
        except OSError as error:
            failed = True
            print(f"{name}: REFUSED: cannot be read: {error.strerror}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a file may have any name
    sys.exit(main(sys.argv[1:]))
