"""What proofs/checker/FORMAT.md says of the layout of files, read again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

__all__ = ["Malformed", "exact", "proof_layout", "slices_layout", "strict_json", "whole"]

Kind = tuple[int, int]

FAMILIES = ("first_completion", "knapsacks")
"""Keys of rows that differ in their round only."""


class Malformed(Exception):  # noqa: N818  # a verdict, not an error
    """FORMAT.md says that such a file is refused."""


def expect(holds: bool, what: str) -> None:
    """Raise `Malformed` unless something holds."""
    if not holds:
        raise Malformed(what)


def strict_json(text: str | bytes) -> Any:
    """Return the value of a text without doubled keys, fractions or too long integers."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in items]
        expect(len(keys) == len(set(keys)), "a doubled key")
        return dict(items)

    def no(word: str) -> None:
        raise Malformed(f"not an integer: {word}")

    def number(word: str) -> int:
        expect(len(word) <= 40, "a number is too long")
        return int(word)

    try:
        return json.loads(
            text, object_pairs_hook=pairs, parse_float=no, parse_constant=no, parse_int=number
        )
    except ValueError:
        raise Malformed("not JSON") from None


def exact(value: Any, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """Ask for an object with these keys."""
    expect(isinstance(value, dict), "not an object")
    expect(set(required) <= value.keys() <= {*required, *optional}, f"keys {sorted(value)}")


def whole(value: Any, low: int) -> int:
    """Ask for an integer, not less than `low`."""
    expect(type(value) is int and value >= low, f"not an integer from {low} on")
    return int(value)


def series(value: Any, length: int | None, low: int | None) -> list[int]:
    """Ask for a list of integers."""
    expect(isinstance(value, list) and length in (None, len(value)), "not a list of that length")
    expect(all(type(x) is int and (low is None or x >= low) for x in value), "not such integers")
    return list(value)


def table(value: Any, width: int, lows: tuple[int | None, ...]) -> list[tuple[int, ...]]:
    """Ask for rows of so many integers that increase, but for their last entries."""
    expect(isinstance(value, list), "not a list of rows")
    rows = [tuple(series(row, width, None)) for row in value]
    for row in rows:
        expect(all(low is None or x >= low for x, low in zip(row, lows, strict=True)), "too small")
    keys = [row[:-1] for row in rows]
    expect(keys == sorted(set(keys)), "rows do not increase")
    return rows


def proof_layout(proof: Any, types: set[Kind]) -> None:
    """Ask for a proof as FORMAT.md describes it."""
    expect(isinstance(proof, dict) and isinstance(proof.get("rule"), str), "no rule")
    expect(proof["rule"] in RULES, "no such rule")
    RULES[proof["rule"]]({key: proof[key] for key in proof if key != "rule"}, types)


def busy_time(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("weights",))
    expect(proof["weights"] in ("memory", "slots"), "weights")


def exhaustive(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("states",))
    whole(proof["states"], 0)


def each_type(value: Any, types: set[Kind]) -> list[tuple[int, ...]]:
    rows = table(value, 3, (0, 1, None))
    expect([row[:2] for row in rows] == sorted(types), "not each type once")
    return rows


def demand_duals(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("scale", "duals"))
    whole(proof["scale"], 1)
    each_type(proof["duals"], types)


def blocks(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("scale", "memory", "blocks"))
    whole(proof["scale"], 1)
    table(proof["memory"], 2, (1, 0))
    expect(isinstance(proof["blocks"], list), "blocks")
    seen: list[Kind] = []
    for block in proof["blocks"]:
        rows = table(block, 3, (0, 1, None))
        expect(bool(rows), "an empty block")
        seen += [(row[0], row[1]) for row in rows]
    expect(sorted(seen) == sorted(types), "not each type in one block")


def batch_state(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("scale", "horizon", "duals", "nodes"))
    most = whole(proof["scale"], 1) * whole(proof["horizon"], 1)
    expect(all(row[2] <= most for row in each_type(proof["duals"], types)), "a dual above D H")
    whole(proof["nodes"], 0)


def coarse_batch_state(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("grid", "scale", "duals"))
    grid = grid_of(proof)
    for _, output, short, long in duals_of(proof, types, 2):
        expect(short == 0 or output >= grid, "a dual of what no look sees")
        expect(long == 0 or output % grid > 0, "a dual of what no look sees")


def coarse_aggregate_state(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("grid", "scale", "duals", "starts"))
    grid = grid_of(proof)
    for prompt, output, *duals in duals_of(proof, types, 3):
        high = (prompt - min(s for s, _ in types)) % grid
        short = grid - output % grid
        inside = (min(high, short) > 0, high != short, max(high, short) < grid)
        looks = (output >= grid, output >= grid or short < high, True)
        for dual, some, seen in zip(duals, inside, looks, strict=True):
            expect(dual == 0 or (some and seen), "a dual of what no look sees")
    expect(isinstance(proof["starts"], list), "starts")
    times = [series(row, 3, None)[0] for row in proof["starts"]]
    expect(times[:1] == [0] and times == sorted(set(times)), "times that do not increase from 0")


def grid_of(proof: Any) -> int:
    """Ask for a grid that is not too wide."""
    grid = whole(proof["grid"], 1)
    expect(grid <= 10**6, "the grid is wide")
    return grid


def duals_of(proof: Any, types: set[Kind], count: int) -> list[list[int]]:
    """Ask for the scale, and so many duals of each type that do not pay too late."""
    most = 10**6 * whole(proof["scale"], 1)
    expect(isinstance(proof["duals"], list), "duals")
    rows = [series(row, 2 + count, None) for row in proof["duals"]]
    expect([tuple(row[:2]) for row in rows] == sorted(types), "not each type once")
    expect(all(max(row[2:]) <= most for row in rows), "a dual that pays too late")
    return rows


def dominance(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("scale", "horizon", "duals", "nodes"), ("usable",))
    expect(whole(proof.get("usable", 0), 0) <= 1, "usable")
    most = whole(proof["scale"], 1) * whole(proof["horizon"], 1)
    whole(proof["nodes"], 0)
    expect(isinstance(proof["duals"], list) and len(proof["duals"]) >= 1, "sets of duals")
    before = -1
    for one in proof["duals"]:
        expect(isinstance(one, dict), "a set of duals")
        exact(one, ("from", "duals"))
        expect(whole(one["from"], before + 1) == 0 or before >= 0, "the first set is late")
        before = one["from"]
        expect(isinstance(one["duals"], list), "duals")
        for row in one["duals"]:
            expect(isinstance(row, list) and len(row) == 4, "a row of duals")
            expect(type(row[2]) is int and row[2] == 0, "a release")
        rows = [[s, o, w] for s, o, _, w in one["duals"]]
        expect(all(row[2] <= most for row in each_type(rows, types)), "a dual above D H")


def aggregate_state(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("scale", "start", "duals", "covers", "second_moments"))
    scale = whole(proof["scale"], 1)
    horizon = len(series(proof["second_moments"], None, 0))
    expect(horizon >= 1, "no time")
    for key, low, least in (("start", None, 0), ("covers", 0, 1)):
        expect(isinstance(proof[key], list), key)
        names = []
        for pair in proof[key]:
            expect(isinstance(pair, list) and len(pair) == 2, key)
            names.append(whole(pair[0], least))
            series(pair[1], horizon, low)
        expect(names == sorted(set(names)), f"{key} does not ascend")
        if key == "start":
            expect(names == sorted({s for s, _ in types}), "not each prompt once")
    for _, output, dual in each_type(proof["duals"], types):
        expect(dual <= scale * (horizon + output), "a dual above D (H + o)")


def tree(nodes: Any, types: set[Kind], node: Callable[[Any, int], bool]) -> None:
    """Ask for a tree in preorder; `node` tests one, given the splits above it, and tells splits."""
    expect(isinstance(nodes, list), "tree")
    depths = [0]
    for one in nodes:
        expect(bool(depths), "a node is left over")
        depth = depths.pop()
        if node(one, depth):
            rows = [tuple(series(row, 3, 0)) for row in one["split"]]
            kinds = [row[:2] for row in rows]
            expect(len(kinds) == len(set(kinds)) and set(kinds) <= types, "types of a split")
            expect(bool(kinds) and all(row[2] >= 1 for row in rows), "split")
            whole(one["at_most"], 0)
            depths += [depth + 1] * 2
    expect(not depths, "nodes are missing")


def duals_of_rows(node: Any, depth: int) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    memory, covers = table(node["memory"], 2, (1, 0)), table(node["covers"], 3, (1, 0, 0))
    series(node["branch"], depth, 0)
    return memory, covers


def families(node: Any, types: set[Kind]) -> int:
    """Ask for first-completion and knapsack rows, if any; return the last round with a dual."""
    last = 0
    for name in FAMILIES:
        given = node.get(name, [])
        expect(isinstance(given, list), name)
        for one in given:
            key = "knots" if isinstance(one, dict) and "knots" in one else "duals"
            if name == "knapsacks":
                exact(one, ("limit", "steps", key))
                steps_and_limit(one, types)
            else:
                exact(one, ("heights", key))
                heights = table(one["heights"], 2, (0, 0))
                expect(bool(heights) and heights[0][0] == 0, "no heights")
                expect(all(h >= heights[-1][1] for _, h in heights), "a height below the last one")
            duals = table(one[key], 2, (1, 0))
            expect(bool(duals), "no duals")
            for (u, p), (v, q) in pairwise(duals):
                expect(key == "duals" or (q - p) % (v - u) == 0, "fractions between knots")
            last = max(last, duals[-1][0])
    return last


def steps_and_limit(one: Any, types: set[Kind]) -> None:
    """Ask for steps of types that rise, and a limit."""
    expect(whole(one["limit"], 0) <= 10**6, "a large limit")
    steps = table(one["steps"], 4, (0, 1, 1, 1))
    for s, o, j, _ in steps:
        expect((s, o) in types and j <= o, "a step of no type, or after its end")
    for before, after in pairwise(steps):
        expect(before[:2] != after[:2] or before[3] < after[3], "steps do not rise")


def linear_duals(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("scale", "tree"))
    whole(proof["scale"], 1)

    def node(one: Any, depth: int) -> bool:
        if isinstance(one, dict) and "split" in one:
            exact(one, ("split", "at_most"))
            expect(isinstance(one["split"], list), "split")
            return True
        exact(one, ("memory", "covers", "branch"), FAMILIES)
        duals_of_rows(one, depth)
        families(one, types)
        return False

    tree(proof["tree"], types, node)


def propagation(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("scale", "horizon", "cutoff", "tree"))
    whole(proof["scale"], 1)
    whole(proof["cutoff"], 1)
    horizon = whole(proof["horizon"], 1)

    def node(one: Any, depth: int) -> bool:
        expect(isinstance(one, dict), "node")
        keys: tuple[str, ...] = ()
        if "memory" in one:
            keys += ("memory", "covers", "branch")
        if splits := "split" in one:
            keys += ("split", "at_most")
        exact(one, keys, FAMILIES if "memory" in one else ())
        if "memory" in one:
            memory, covers = duals_of_rows(one, depth)
            late = max([r for r, _ in memory] + [u for _, u, _ in covers], default=0)
            late = max(late, families(one, types))
            expect(late <= horizon, "a dual after the horizon")
        if splits:
            one_type = isinstance(one["split"], list) and len(one["split"]) == 1
            expect(one_type, "a split of more than one type")
            expect(series(one["split"][0], 3, 0)[2] <= horizon, "a split after the horizon")
        return splits

    tree(proof["tree"], types, node)


def event_order(proof: Any, types: set[Kind]) -> None:
    exact(proof, ("scale", "tree"), ("prices",))
    prices = proof.get("prices", [])
    expect(isinstance(prices, list), "prices")
    for one in prices:
        exact(one, ("memory", "covers", "branch"), FAMILIES)
        duals_of_rows(one, 0)
        families(one, types)
    whole(proof["scale"], 1)
    expect(isinstance(proof["tree"], list), "tree")
    missing = 1
    for node in proof["tree"]:
        expect(missing > 0, "a node is left over")
        expect(isinstance(node, dict), "node")
        asked = next((key for key in ("rows", "start", "at") if key in node), "at")
        exact(node, (asked,))
        missing += {"rows": -1, "start": 1, "at": 2}[asked]
        if asked != "rows":
            i, j = series(node[asked], 2, 0)
            expect(asked == "start" or i != j, "a request and itself")
            continue
        expect(isinstance(node["rows"], list), "rows")
        for row in node["rows"]:
            expect(isinstance(row, list) and len(row) >= 3, "a row")
            whole(row[0], 1)
            numbers = series(row[2:], {"gap": 2, "end": 1, "price": 1}.get(str(row[1])), 0)
            expect(row[1] in ("gap", "end", "memory", "area", "cover", "price"), "kind of a row")
            named = numbers[{"area": 1, "cover": 2}.get(row[1], 0) :]
            expect(len(named) == len(set(named)), "a request twice")
            few = row[1] in ("gap", "end", "price")
            expect(few or len(named) > (row[1] == "memory"), "no requests")
            expect(row[1] != "price" or numbers[0] < len(prices), "no such prices")
            expect(row[1] != "cover" or numbers[0] >= 1, "no level")
    expect(missing == 0, "nodes are missing")


RULES: dict[str, Callable[[Any, set[Kind]], None]] = {
    "busy-time": busy_time,
    "exhaustive": exhaustive,
    "linear-duals": linear_duals,
    "propagation": propagation,
    "aggregate-state": aggregate_state,
    "batch-state": batch_state,
    "coarse-batch-state": coarse_batch_state,
    "coarse-aggregate-state": coarse_aggregate_state,
    "dominance": dominance,
    "demand-duals": demand_duals,
    "blocks": blocks,
    "event-order": event_order,
}


def fraction(value: Any) -> Fraction:
    """Ask for a text "p/q"."""
    expect(isinstance(value, str), "not a text")
    expect(re.fullmatch("[0-9]{1,40}/[0-9]{1,40}", value) is not None, "not a fraction")
    over, under = value.split("/")
    expect(int(under) > 0, "not a fraction")
    return Fraction(int(over), int(under))


def slices_layout(given: Any) -> None:
    """Ask for certified slices as FORMAT.md describes them."""
    exact(given, ("format", "prompt", "memory", "phases", "area_weight", "factor", "bound"))
    longest = whole(given["memory"], 1) - whole(given["prompt"], 0)
    expect(isinstance(given["phases"], list) and len(given["phases"]) >= 1, "phases")
    before = 0
    for pair in given["phases"]:
        expect(isinstance(pair, list) and len(pair) == 2, "phases")
        before = whole(pair[0], before + 1)
        expect(before <= longest and 0 < fraction(pair[1]) <= before, "a slice or distance")
    expect(fraction(given["area_weight"]) <= 1, "area_weight")
    for key in ("factor", "bound"):
        fraction(given[key])
