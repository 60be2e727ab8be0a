"""Trees of the rule "event-order", grown slowly: a linear program at each node, by HiGHS.

A node that does not prove the bound is divided by a pair of requests, or by a start where all
pairs are decided and a start is fractional.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from fuzzing.knapsacks import KNAPSACKS, any_knapsack
from scipy.optimize import linprog

__all__ = ["Node", "any_event_order", "any_prices", "event_order_proof", "shapes_of"]

SCALE = 10**6
SLACK = 10**3  # of SCALE, so that rounded multipliers are feasible

Shape = tuple[int, int, int]
"""Prompt, output, release."""

Row = tuple[list[Any], dict[int, int], int]
"""[kind, numbers...], the coefficients of the starts, and the right-hand side (at least)."""


def shapes_of(instance: Any) -> list[Shape]:
    """The requests of an instance, in their order."""
    return [(r.prompt, r.output, r.release) for r in instance]


class Node:
    """What the decisions above a node say; found anew for each."""

    def __init__(
        self, memory: int, shapes: Sequence[Shape], decisions: tuple[tuple[Any, ...], ...]
    ) -> None:
        self.memory = memory
        self.shapes = shapes
        self.gaps: dict[tuple[int, int], int] = {}
        self.states: dict[tuple[int, int], int] = {}
        self.ends: dict[int, int] = {}
        lows = [release for _, _, release in self.shapes]
        for i, shape in enumerate(self.shapes):
            alike = [j for j in range(i) if self.shapes[j] == shape]
            if alike:
                self.gaps[alike[-1], i] = 0
        for asked, k, j, number in decisions:
            if asked == "at":
                self.decide(k, j, number)
            elif number == 0:
                self.ends[k] = min(j, self.ends.get(k, j))
            else:
                lows[k] = max(lows[k], j + 1)
        self.heads: list[int] | None = lows
        for _ in range(len(lows) + 1):
            before = list(lows)
            for (a, b), d in self.gaps.items():
                lows[b] = max(lows[b], lows[a] + d)
        if lows != before:
            self.heads = None

    def decide(self, k: int, j: int, state: int) -> None:
        self.states[k, j] = state
        mine, others = self.shapes[j][1], self.shapes[k][1]
        new = [
            [(k, j, others - mine + 1)],
            [(k, j, 1 - mine), (j, k, mine - others)],
            [(j, k, mine)],
        ][state]
        for a, b, d in new:
            self.gaps[a, b] = max(d, self.gaps.get((a, b), d))

    def rows(self) -> list[Row]:
        memory, shapes = self.memory, self.shapes
        found: list[Row] = [(["gap", *ab], {ab[0]: -1, ab[1]: 1}, d) for ab, d in self.gaps.items()]
        found += [(["end", i], {i: -1}, -t) for i, t in self.ends.items()]
        for j, (s, o, _) in enumerate(shapes):
            running = [k for k in range(len(shapes)) if self.states.get((k, j)) == 1]
            if running:
                right = s + o - memory + sum(shapes[k][0] + o for k in running)
                found.append(
                    (["memory", j, *running], {j: -len(running)} | dict.fromkeys(running, 1), right)
                )
        for e in set(self.heads or ()):
            chosen = [i for i, head in enumerate(self.heads or ()) if head >= e]
            used = {i: [shapes[i][0] + x for x in range(1, shapes[i][1] + 1)] for i in chosen}
            moments = sum(x * tokens for row in used.values() for x, tokens in enumerate(row, 1))
            total, filled = sum(map(sum, used.values())), 0
            for r in itertools.count(e + 1):
                filled += r * min(memory, total)
                total -= min(memory, total)
                if not total:
                    break
            found.append(
                (["area", e, *chosen], {i: sum(used[i]) for i in chosen}, filled - moments)
            )
            for m in (1, 2):
                found += self.cover(m, e, chosen)
        return found

    def cover(self, m: int, e: int, chosen: list[int]) -> list[Row]:
        windows = {i: self.window(m, i) for i in chosen}
        if not any(windows.values()):
            return []
        total, filled = sum(windows.values()), 0
        for r in itertools.count(e + 1):
            filled += r * min(m, total)
            total -= min(m, total)
            if not total:
                break
        moments = sum(x for d in windows.values() for x in range(1, d + 1))
        return [(["cover", m, e, *chosen], windows, filled - moments)]

    def window(self, m: int, i: int) -> int:
        """The window of a request: m + 1 of them that start in it exceed the memory."""
        smallest = min(s for s, _, _ in self.shapes)
        s, o, _ = self.shapes[i]
        excess = s + o + m * (smallest + o) - self.memory
        return sum(1 for x in range(1, o + 1) if m * (x - 1) < excess)


def event_order_proof(memory: int, shapes: Sequence[Shape], goal: int) -> dict[str, Any]:
    """An object "proof" whose bound on the total latency is `goal` if that is true."""
    outputs = sum(output - release for _, output, release in shapes)
    nodes: list[dict[str, Any]] = []

    def grow(decisions: tuple[tuple[Any, ...], ...]) -> None:
        node = Node(memory, shapes, decisions)
        if node.heads is None:
            nodes.append({"rows": []})
            return
        rows = node.rows()
        matrix = np.zeros((len(rows), len(shapes)))
        for r, (_, coefficients, _) in enumerate(rows):
            for i, a in coefficients.items():
                matrix[r, i] = a
        right = np.array([b for _, _, b in rows], dtype=float)
        ends = [node.ends.get(i, np.inf) for i in range(len(shapes))]
        if any(end < head for head, end in zip(node.heads, ends, strict=True)):
            i = next(i for i, head in enumerate(node.heads) if ends[i] < head)
            nodes.append({"rows": [[10**12, "end", i]]})
            return
        found = linprog(
            np.ones(len(shapes)),
            A_ub=-matrix if rows else None,
            b_ub=-right if rows else None,
            bounds=[(head, None) for head in node.heads],
            method="highs",
        )
        if found.status == 2:
            ray = infeasible(matrix, right, node.heads)
            nodes.append(leaf(rows, ray * 10**3))
            return
        assert found.status == 0
        if math.ceil(found.fun - 1e-6) + outputs >= goal:
            nodes.append(leaf(rows, -found.ineqlin.marginals if rows else np.zeros(0)))
            return
        divide(node, found.x, decisions)

    def divide(node: Node, starts: Any, decisions: tuple[tuple[Any, ...], ...]) -> None:
        pairs = itertools.permutations(range(len(shapes)), 2)
        open_pairs = [pair for pair in pairs if pair not in node.states]
        if open_pairs:
            k, j = min(open_pairs, key=lambda pair: abs(starts[pair[0]] - starts[pair[1]]))
            nodes.append({"at": [k, j]})
            parts = [("at", k, j, state) for state in range(3)]
        else:
            i = int(np.argmax(np.abs(starts - np.rint(starts))))
            t = math.floor(starts[i])
            nodes.append({"start": [i, t]})
            parts = [("start", i, t, side) for side in range(2)]
        for part in parts:
            grow((*decisions, part))

    grow(())
    return {"rule": "event-order", "scale": SCALE, "tree": nodes}


def infeasible(matrix: Any, right: Any, heads: list[int]) -> Any:
    """Multipliers y of rows a p >= b with y a <= 0 and y b > y a heads."""
    gain = right - matrix @ np.array(heads)
    found = linprog(-gain, A_ub=matrix.T, b_ub=np.zeros(len(heads)), bounds=(0, 1), method="highs")
    assert found.status == 0
    assert found.fun < 0
    return found.x


def leaf(rows: list[Row], duals: Any) -> dict[str, Any]:
    rounded = [max(0, round((SCALE - SLACK) * float(y))) for y in duals]
    return {"rows": [[y, *row] for y, (row, _, _) in zip(rounded, rows, strict=True) if y]}


def any_event_order(
    memory: int, shapes: Sequence[Shape], rng: random.Random, depth: int
) -> dict[str, Any]:
    """An object "proof" with any decisions, prices and multipliers that are allowed."""
    prices = [any_prices(rng) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    for one in prices:
        if rng.random() < 0.4:
            requests = [(s, o) for s, o, *_ in shapes]
            one[KNAPSACKS] = [any_knapsack(memory, requests, 12, rng.choice([2, 20]), rng)]
    nodes: list[dict[str, Any]] = []
    sums: list[int] = [1]
    pairs = list(itertools.permutations(range(len(shapes)), 2))

    def grow(decisions: tuple[tuple[Any, ...], ...]) -> None:
        node = Node(memory, shapes, decisions)
        if len(decisions) == depth or rng.random() < 0.2:
            rows = node.rows()
            some = rng.sample(rows, rng.randint(0, min(4, len(rows))))
            nodes.append({"rows": [[rng.randint(1, 9), *row] for row, _, _ in some]})
            for i in range(len(shapes)):
                given = zip(nodes[-1]["rows"], some, strict=True)
                sums.append(sum(y * a.get(i, 0) for (y, *_), (_, a, _) in given))
            nodes[-1]["rows"] += [
                [rng.randint(1, 9), "price", k] for k in range(len(prices)) if rng.random() < 0.7
            ]
            return
        open_pairs = [pair for pair in pairs if pair not in node.states]
        if open_pairs and rng.random() < 0.7:
            k, j = rng.choice(open_pairs)
            nodes.append({"at": [k, j]})
            parts = [("at", k, j, state) for state in range(3)]
        else:
            i, t = rng.randrange(len(shapes)), rng.randint(0, 9)
            nodes.append({"start": [i, t]})
            parts = [("start", i, t, side) for side in range(2)]
        for part in parts:
            grow((*decisions, part))

    grow(())
    proof = {"rule": "event-order", "scale": max(sums), "tree": nodes}
    return {**proof, "prices": prices} if prices or rng.random() < 0.1 else proof


def any_prices(rng: random.Random) -> dict[str, Any]:
    """Any duals of memory rows, window covers and first-completion rows, mostly of good sizes."""

    def some() -> list[int]:
        return sorted(rng.sample(range(1, 12), rng.randint(0, 5)))

    most = rng.choice([2, 20])
    low = rng.randint(1, 3)
    heights = [[0, low + rng.randint(0, 4)], [rng.randint(1, 4), low]]
    duals = [[u, rng.randint(0, most)] for u in some()]
    prices = {
        "memory": [[r, rng.randint(0, most)] for r in some()],
        "covers": [[m, u, rng.randint(0, 4 * most)] for m in (1, 2) for u in some()],
        "branch": [],
    }
    if duals and rng.random() < 0.6:
        prices["first_completion"] = [{"heights": heights, "duals": duals}]
    return prices
