"""The bounds of linear duals and of mean busy times from their definitions, term by term.

The checker sums differences, or looks only where a linear piece begins or ends; here every row is
asked about every start time from the
release on.  It serves requests that are alike together, in integers that are rounded down; here
they are served one by one, in fractions.  What it grants must be exactly this.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from fuzzing.families import KEY, coefficient
from fuzzing.knapsacks import KNAPSACKS, counted, fits
from fuzzing.layout import Malformed, proof_layout

__all__ = ["defined_bound"]

Kind = tuple[int, int]
Demands = dict[tuple[int, int, int], int]
"""How many requests there are of each prompt, output and release."""
Split = tuple[dict[Kind, int], int, int]
"""(until, sign, most): sign * (the number of starts of each type before its time) <= most."""

MOST_TERMS = 30_000
"""Pairs of a row and a start time that are looked at."""

MOST_SERVED = 40
"""Requests whose mean busy times are computed."""


def defined_bound(text: str) -> int | None:
    """Return what linear duals or mean busy times of a certificate prove, or None.

    None if the file is malformed, the rule another one, or there is too much to look at.
    """
    content = json.loads(text)
    memory, proof = content["instance"]["memory"], content["proof"]
    if proof["rule"] not in ("linear-duals", "busy-time"):
        return None
    demands: Demands = {}
    for entry in content["instance"]["requests"]:
        name = entry["prompt"], entry["output"], entry.get("release", 0)
        if not all(type(x) is int for x in (*name, entry.get("count", 1))):
            return None
        demands[name] = demands.get(name, 0) + entry.get("count", 1)
    late = sum(a * count for (_, _, a), count in demands.items())
    try:
        proof_layout(proof, {(s, o) for s, o, _ in demands})
    except Malformed:
        return None
    if not fits(memory, [(s, o) for (s, o, _), n in demands.items() for _ in range(n)], proof):
        return None
    if proof["rule"] == "busy-time":
        value = busy_time(memory, demands, proof["weights"])
        return None if value is None else value - late
    open_nodes: list[tuple[Split, ...]] = [()]
    bounds = []
    for node in proof["tree"]:
        above = open_nodes.pop()
        if "split" in node:
            until = {(s, o): time for s, o, time in node["split"]}
            most = node["at_most"]
            open_nodes += [(*above, (until, -1, -most - 1)), (*above, (until, 1, most))]
            continue
        value = leaf_value(memory, demands, proof["scale"], node, above)
        if value is None:
            return None
        bounds.append(-(-value // proof["scale"]))
    return min(bounds) - late


def leaf_value(
    memory: int, demands: Demands, scale: int, leaf: dict[str, Any], above: Sequence[Split]
) -> int | None:
    """Return the bound of a leaf times the scale, or None if there is too much to look at."""
    families = [(one["heights"], every_dual(one)) for one in leaf.get(KEY, [])]
    knapsacks = [(one["steps"], every_dual(one)) for one in leaf.get(KNAPSACKS, [])]
    times = [r for r, _ in leaf["memory"]] + [u + 1 for _, u, _ in leaf["covers"]]
    times += [time for until, _, _ in above for time in until.values()]
    times += [u for _, duals in (*families, *knapsacks) for u in duals]
    last = max([*times, *(a for _, _, a in demands)])
    if (last + 1) * len(times) * len(demands) > MOST_TERMS:
        return None
    value = -memory * sum(p for _, p in leaf["memory"]) - sum(m * p for m, _, p in leaf["covers"])
    value -= sum(p * most for p, (_, _, most) in zip(leaf["branch"], above, strict=True))
    value -= sum(memory * heights[-1][1] * sum(duals.values()) for heights, duals in families)
    for one, (_, duals) in zip(leaf.get(KNAPSACKS, []), knapsacks, strict=True):
        value -= one["limit"] * sum(duals.values())
    smallest = min(s for s, _, _ in demands)
    for (s, o, a), count in demands.items():
        costs = []
        for t in range(a, last + 1):
            cost = scale * (t + o) + sum(
                (s + r - t) * p for r, p in leaf["memory"] if t < r <= t + o
            )
            for m, u, p in leaf["covers"]:
                excess = s + o + m * (smallest + o) - memory
                if t <= u < t + o and excess > 0 and m * (u - t) < excess:
                    cost += p
            for p, (until, sign, _) in zip(leaf["branch"], above, strict=True):
                cost += sign * p * (t < until.get((s, o), 0))
            for heights, duals in families:
                for u in range(t + 1, t + o + 1):
                    if p := duals.get(u, 0):
                        cost += p * coefficient(memory, s + u - t, t + o - u, heights)
            for steps, duals in knapsacks:
                for u in range(t + 1, t + o + 1):
                    if p := duals.get(u, 0):
                        cost += p * counted(steps, (s, o), u - t)
            costs.append(cost)
        value += count * min(costs)
    return value


def every_dual(family: dict[str, Any]) -> dict[int, int]:
    """Return the dual of each round, those between knots among them."""
    if "duals" in family:
        return dict(family["duals"])
    knots = family["knots"]
    found = dict(knots)
    for (u, p), (v, q) in pairwise(knots):
        found |= {w: p + (q - p) * (w - u) // (v - u) for w in range(u, v)}
    return found


def busy_time(memory: int, demands: Demands, weights: str) -> int | None:
    """Return the bound of theorem 1 of release_times.md, or None if there is too much to serve."""
    if sum(demands.values()) > MOST_SERVED or max(o for _, o, _ in demands) > 10 * MOST_SERVED:
        return None
    smallest = min(s for s, _, _ in demands)
    rows: list[tuple[int, Fraction]] = []
    value = Fraction(0)
    for (s, o, a), count in demands.items():
        ages = range(1, o + 1)
        if weights == "memory":
            shares = [Fraction(s + j, memory) for j in ages]
        else:
            shares = [Fraction(1, 1 + (memory - s - j) // (smallest + 1)) for j in ages]
        whole = sum(shares, Fraction(0))
        mean = sum(
            (share * (2 * j - 1) for j, share in zip(ages, shares, strict=True)), Fraction(0)
        )
        value += count * (o - mean / (2 * whole))
        rows += [(a, whole)] * count
    least = sum((a + o) * count for (_, o, a), count in demands.items())
    return max(least, math.ceil(value + served(rows)))


def served(rows: list[tuple[int, Fraction]]) -> Fraction:
    """Return the sum of the mean busy times of (release, weight), the least weight first."""
    left = {i: weight for i, (_, weight) in enumerate(rows)}
    now = total = Fraction(0)
    while left:
        ready = [i for i in left if rows[i][0] <= now]
        to_come = min((rows[i][0] for i in left if rows[i][0] > now), default=None)
        if not ready:
            now = Fraction(to_come or 0)
            continue
        i = min(ready, key=lambda i: rows[i][1])
        taken = left[i] if to_come is None else min(left[i], to_come - now)
        total += taken * (now + taken / 2) / rows[i][1]
        now += taken
        left[i] -= taken
        if not left[i]:
            del left[i]
    return total
