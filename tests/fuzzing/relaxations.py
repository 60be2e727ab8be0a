"""Duals of linear programs, of the right ones and of some that claim a little too much.

Proofs with duals of a program that is wrong in one number are what a checker with that fault
would take for better than they are.  SciPy solves; nothing that it says is believed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import lil_matrix

from fuzzing.families import KEY, coefficient, family, random_heights
from fuzzing.knapsacks import KNAPSACKS, any_knapsack, counted
from fuzzing.moves import postponed
from fuzzing.problems import Problem

__all__ = ["WRONG", "WRONG_WITH_RELEASES", "aggregate_seed", "linear_seed", "propagation_seed"]

Proof = dict[str, Any]

WRONG = (
    "memory",
    "age",
    "window",
    "window: own prompt",
    "window: largest prompt",
    "level",
    "branch",
    "count",
    "late",
    "moment",
    "moment: above the mean",
    "first: right",
    "first: now",
    "first: now if far",
    "first: without the last",
    "first: give back",
    "first: age",
    "first: below",
    "knapsack: limit",
    "knapsack: age",
    "starts: no lengths",
    "starts: no ends",
)
"""What may be off by one in a program."""

WRONG_WITH_RELEASES = ("released: after", "released: after", "memory", "window", "level", "late")
"""The same with releases; "after" leaves out starts at the release itself."""


class Rows:
    """Rows of a linear program, by names, and their duals."""

    def __init__(self) -> None:
        self.columns: dict[Any, int] = {}
        self.costs: list[float] = []
        self.rows: dict[Any, dict[int, float]] = defaultdict(dict)
        self.right: dict[Any, float] = {}
        self.equal: set[Any] = set()

    def column(self, name: Any, cost: float) -> int:
        self.costs.append(cost)
        return self.columns.setdefault(name, len(self.costs) - 1)

    def add(self, row: Any, column: int, value: float) -> None:
        self.rows[row][column] = self.rows[row].get(column, 0) + value

    def duals(self) -> tuple[float, dict[Any, float]] | None:
        """Return the optimum, and the duals, those of inequalities (<=) as numbers >= 0."""
        tables, rights, names = [], [], []
        for equal in (False, True):
            some = [name for name in self.rows if (name in self.equal) == equal]
            table = lil_matrix((len(some), len(self.costs)))
            for i, name in enumerate(some):
                for column, value in self.rows[name].items():
                    table[i, column] = value
            tables.append(table.tocsr())
            rights.append(np.array([self.right[name] for name in some]))
            names.append(some)
        found = linprog(
            self.costs,
            A_ub=tables[0] if names[0] else None,
            b_ub=rights[0] if names[0] else None,
            A_eq=tables[1],
            b_eq=rights[1],
            method="highs",
        )
        if found.status != 0:
            return None
        values = dict(zip(names[1], found.eqlin.marginals, strict=True))
        if names[0]:
            values |= zip(names[0], -found.ineqlin.marginals, strict=True)
        return float(found.fun), {name: float(value) for name, value in values.items()}


def window(problem: Problem, kind: tuple[int, int], m: int, wrong: str) -> int:
    s, o = kind
    smallest = min(s for s, _ in problem.types)
    if wrong == "window: own prompt":
        smallest = s
    elif wrong == "window: largest prompt":
        smallest = max(s for s, _ in problem.types)
    excess = s + o + m * (smallest + o) - problem.memory
    if excess <= 0:
        return 0
    return int(min(o, -(-excess // m) + (wrong == "window")))


Branch = tuple[dict[tuple[int, int], int], int, int]


def time_indexed(
    problem: Problem,
    levels: list[int],
    branches: list[Branch],
    horizon: int,
    wrong: str,
    heights: Sequence[list[list[int]]] = (),
    gap: int = 0,
    knapsacks: Sequence[Proof] = (),
) -> tuple[float, dict[Any, float]] | None:
    """Return optimum and duals of the time-indexed program with covers, branches and families.

    The duals of a family are those of rounds, or of hats so far apart (`families.family`).
    """
    program = Rows()
    sparse = wrong.startswith("starts")
    for demand, count in problem.demands.items():
        s, o, release = demand
        kind = s, o
        program.right["count", demand] = count + (wrong == "count")
        program.equal.add(("count", demand))
        for t in range(release + (wrong == "released: after"), horizon + 1):
            if unseen(t, o, wrong):
                continue
            y = program.column((demand, t), t + o)
            program.add(("count", demand), y, 1)
            for r in range(t + 1, t + o + 1):
                if sparse and r % 3:
                    continue
                program.add(("memory", r), y, s + r - t + (wrong == "age"))
                for i, steps in enumerate(heights):
                    a = coefficient(problem.memory, s + r - t, t + o - r, steps, wrong)
                    for hat, share in hats(r, gap):
                        program.add(("first", i, hat), y, share * a)
                for i, one in enumerate(knapsacks):
                    c = counted(one["steps"], kind, r - t + (wrong == "knapsack: age"))
                    for hat, share in hats(r, gap):
                        program.add(("knapsack", i, hat), y, share * c)
            for m in levels:
                for u in range(t, t + window(problem, kind, m, wrong)):
                    if not sparse or u % 3 == 2:
                        program.add(("cover", m, u), y, 1)
            for i, (until, sign, _) in enumerate(branches):
                if t < until.get(kind, 0) + (wrong == "late"):
                    program.add(("branch", i), y, sign)
    for name in program.rows:
        if name[0] == "memory":
            program.right[name] = problem.memory - (wrong == "memory")
        elif name[0] == "cover":
            program.right[name] = name[1] - (wrong == "level") * 0.5
        elif name[0] == "first":
            low = heights[name[1]][-1][1] - (wrong == "first: right")
            program.right[name] = problem.memory * low * width(name[2], gap)
        elif name[0] == "knapsack":
            limit = knapsacks[name[1]]["limit"] - (wrong == "knapsack: limit")
            program.right[name] = limit * width(name[2], gap)
        elif name[0] == "branch":
            program.right[name] = branches[name[1]][2] - (wrong == "branch")
    return program.duals()


def unseen(t: int, o: int, wrong: str) -> bool:
    """Tell whether a start is left out, of those where a linear piece of the costs may end.

    Rows are of every third round then: "no lengths" leaves out pieces that begin at r - o.
    """
    if wrong == "starts: no lengths":
        return t > 0 and t % 3 == 1
    return wrong == "starts: no ends" and t > 0 and t % 3 != 0 and (t + o) % 3 != 0


def hats(r: int, gap: int) -> list[tuple[int, int]]:
    """Return the hats that are not 0 in a round, and what they are there."""
    if not gap:
        return [(r, 1)]
    j, x = divmod(r - 1, gap)
    return [(j, gap - x), (j + 1, x)] if x else [(j, gap)]


def width(hat: int, gap: int) -> int:
    """Return the sum of a hat over all rounds."""
    return gap * (gap + 1) // 2 if hat == 0 and gap else max(1, gap) ** 2


def whole(value: float, scale: int) -> int:
    return max(0, round(value * scale))


def leaf(
    duals: dict[Any, float],
    depth: int,
    scale: int,
    heights: Sequence[list[list[int]]] = (),
    gap: int = 0,
    knapsacks: Sequence[Proof] = (),
) -> Proof:
    """Return duals as they are written in a leaf."""
    rows = {name: p for name, value in sorted(duals.items()) if (p := whole(value, scale))}
    found: Proof = {
        "memory": [[name[1], p] for name, p in rows.items() if name[0] == "memory"],
        "covers": [[name[1], name[2], p] for name, p in rows.items() if name[0] == "cover"],
        "branch": [rows.get(("branch", i), 0) for i in range(depth)],
    }
    written = [("first", KEY, [{"heights": steps} for steps in heights])]
    written += [("knapsack", KNAPSACKS, list(knapsacks))]
    for row, key, given in written:
        families = []
        for i, one in enumerate(given):
            some = {name[2]: p for name, p in rows.items() if name[:2] == (row, i)}
            families += [family(one, some, gap)] if some else []
        if families:
            found[key] = families
    return found


def linear_seed(problem: Problem, rng: random.Random, wrong: str) -> tuple[Proof, float]:
    """Return a tree of optimal duals, and what they would prove.

    The programs are wrong in one number, or in none.
    """
    scale = rng.choice([1, 2, 6, 12, 60, 2520, 1 << 20])
    levels = rng.choice([[], [1], [1, 2], [1, 2, 3]])
    kinds = sorted(problem.types)
    horizon = problem.rounds + 1
    first = wrong.startswith("first") or (wrong == "" and rng.random() < 0.5)
    number = rng.randint(1, 3) if first else 0
    heights = [random_heights(problem, rng, wrong) for _ in range(number)]
    knapsacks = []
    if wrong.startswith("knapsack") or (wrong == "" and rng.random() < 0.4):
        knapsacks = [some_knapsack(problem, rng) for _ in range(rng.randint(1, 3))]
    gap = rng.choice([0, 1, 2, 3, 5])
    depth = rng.choice([0, 1, 2, 3]) if wrong not in ("branch", "late") else rng.randint(1, 3)
    nodes: list[Proof] = []
    values: list[float] = []

    def grow(branches: list[Branch]) -> None:
        if len(branches) >= depth or (branches and rng.random() < 0.2):
            families = (heights, gap, knapsacks)
            solved = time_indexed(problem, levels, branches, horizon, wrong, *families)
            value, duals = solved or (inf, {})
            values.append(value)
            nodes.append(leaf(duals, len(branches), scale, *families))
            return
        some = rng.sample(kinds, rng.randint(1, min(2, len(kinds))))
        until = {kind: rng.randint(1, max(1, problem.rounds - kind[1] + 1)) for kind in some}
        most = rng.randint(0, max(0, sum(problem.types[kind] for kind in some) - 1))
        nodes.append({"split": [[*kind, u] for kind, u in until.items()], "at_most": most})
        grow([*branches, (until, 1, most)])
        grow([*branches, (until, -1, -(most + 1))])

    grow([])
    proof: Proof = {"rule": "linear-duals", "scale": scale, "tree": nodes}
    return postponed(proof, rng) if wrong.startswith("starts") else proof, min(values)


def some_knapsack(problem: Problem, rng: random.Random) -> Proof:
    """Return knapsack rows without duals."""
    rows = any_knapsack(problem.memory, problem.shapes, 1, 1, rng)
    return {"limit": rows["limit"], "steps": rows["steps"]}


def propagation_seed(
    problem: Problem, rng: random.Random, tree: list[Proof], cutoff: int, horizon: int
) -> Proof:
    """Return a tree with optimal duals at its root, and at some other nodes."""
    scale = rng.choice([1, 2, 12, 60])
    horizon += rng.choice([0, 0, 1])
    above: list[list[Branch]] = [[]]
    for i, node in enumerate(tree):
        branches = above.pop()
        if i == 0 or rng.random() < 0.1:
            wrong = rng.choice(["", "memory", "first: now", "first: give back"])
            first = wrong.startswith("first") or rng.random() < 0.5
            heights = [random_heights(problem, rng, wrong)] if first else []
            knapsacks = [some_knapsack(problem, rng)] if rng.random() < 0.3 else []
            families = (heights, 0, knapsacks)
            solved = time_indexed(problem, [1, 2], branches, problem.total, wrong, *families)
            _, duals = solved or (0, {})
            rows = leaf(duals, len(branches), scale, *families)
            for key in rows.keys() & {KEY, KNAPSACKS}:
                for one in rows[key]:
                    one["duals"] = [row for row in one["duals"] if row[0] <= horizon]
                rows[key] = [one for one in rows[key] if one["duals"]]
                if not rows[key]:
                    del rows[key]
            rows["memory"] = [row for row in rows["memory"] if row[0] <= horizon]
            rows["covers"] = [row for row in rows["covers"] if row[1] < horizon]
            node.update(rows)
        if "split" in node:
            ((s, o, u),) = node["split"]
            most = node["at_most"]
            above.append([*branches, ({(s, o): u}, -1, -(most + 1))])
            above.append([*branches, ({(s, o): u}, 1, most)])
    start: Proof = {"rule": "propagation", "scale": scale, "horizon": horizon, "cutoff": cutoff}
    return {**start, "tree": tree}


def states(problem: Problem) -> Iterator[tuple[int, int]]:
    """Yield the states (K, W) of the aggregate-state relaxation."""
    unit = min(s for s, _ in problem.types) + 1
    running = min(len(problem.shapes), problem.memory // unit)
    for k in range(running + 1):
        for w in range(k * (unit - 1), problem.memory + 1 if k else 1):
            yield k, w


def least_squares(k: int, w: int, wrong: str) -> int:
    if k == 0:
        return 0
    least = (k - w % k) * (w // k) ** 2 + (w % k) * (w // k + 1) ** 2
    if wrong == "moment" and w % k > 0:
        return least + 1
    if wrong == "moment: above the mean":
        return least + (w % k) * (2 * (w // k) + 3)
    return least


def aggregate_seed(problem: Problem, rng: random.Random, wrong: str) -> tuple[Proof, float] | None:
    """Return optimal duals of the paths of (K, W), and what they would prove.

    The program is wrong in one number, or in none.
    """
    horizon = problem.total + rng.choice([0, 0, 1]) + 4 * (wrong == "count")
    levels = rng.choice([[], [1], [1, 2]])
    moments = rng.random() < 0.6 or wrong.startswith("moment")
    program, known = Rows(), set(states(problem))
    unit = min(s for s, _ in problem.types) + 1
    prompts = sorted({s for s, _ in problem.types})

    def edge(a: Any, b: Any, cost: float) -> int:
        column = program.column((a, b, len(program.costs)), cost)
        program.add(a, column, -1)
        program.add(b, column, 1)
        return column

    def square(column: int, t: int, value: int) -> None:  # of what is in Q of times from t on
        for x in range(t, horizon) if moments else ():
            program.add(("moment", x), column, -value)

    for t in range(horizon + 1):
        for k, w in known:
            here = ("before", t, k, w)
            for kind in problem.types:
                s, o = kind
                to = (k - 1, w - s - o)
                fits = to == (0, 0) or (to[0] >= 1 and to[1] >= to[0] * unit)
                if t >= o and to in known and fits:
                    f = edge(here, ("before", t, *to), t)
                    program.add(("count", kind), f, 1)
                    program.add(("start", s, t - o), f, -1)
                    for m in levels:
                        for u in range(t - o, t - o + window(problem, kind, m, wrong)):
                            program.add(("cover", m, u), f, 1)
                    square(f, t, -((s + o) ** 2))
            if t > 0 and k == 0:
                edge(here, "end", 0)
            if t < horizon and (k == 0 or w >= k * unit):
                stay = edge(here, ("after", t, k, w), 0)
                if moments:
                    program.add(("moment", t), stay, least_squares(k, w, wrong))
            if t == horizon:
                if k:  # who runs on completes late, once each
                    program.add("late", edge(here, "end", 0), -k)
                continue
            here = ("after", t, k, w)
            for s in prompts:
                if (k + 1, w + s) in known:
                    begun = edge(here, ("after", t, k + 1, w + s), 0)
                    program.add(("start", s, t), begun, 1)
                    square(begun, t + 1, s * s)
            if k and (k, w + k) in known:
                square(edge(here, ("before", t + 1, k, w + k), 0), t + 1, 2 * w + k)
    for kind in problem.types:
        s, o = kind
        for t in range(max(o, horizon + 1), horizon + o):
            f = program.column((kind, t), t)
            program.add(("count", kind), f, 1)
            program.add(("start", s, t - o), f, -1)
            program.add("late", f, 1)
            for m in levels:
                for u in range(t - o, min(horizon, t - o + window(problem, kind, m, wrong))):
                    program.add(("cover", m, u), f, 1)
    return aggregate_proof(problem, rng, program, horizon, levels, wrong)


def aggregate_proof(
    problem: Problem,
    rng: random.Random,
    program: Rows,
    horizon: int,
    levels: list[int],
    wrong: str,
) -> tuple[Proof, float] | None:
    """Solve, and write the duals as a proof."""
    for name in list(program.rows):
        kind = name[0]
        program.right[name] = 0
        if kind == "count":
            program.right[name] = problem.types[name[1]] + (wrong == "count")
        elif kind == "cover":
            program.right[name] = name[1] - (wrong == "level") * 0.5
        if kind not in ("cover", "moment") and name != "late":
            program.equal.add(name)
    program.right["before", 0, 0, 0] = -1
    program.right["end"] = 1
    solved = program.duals()
    if solved is None:
        return None
    value, duals = solved
    scale = rng.choice([1, 12, 60, 2520, 2520, 1 << 16])

    def at(name: Any) -> int:
        return round(duals.get(name, 0.0) * scale)

    proof = {
        "rule": "aggregate-state",
        "scale": scale,
        "start": [
            [s, [-at(("start", s, t)) for t in range(horizon)]]
            for s in sorted({s for s, _ in problem.types})
        ],
        "duals": [
            [s, o, min(at(("count", (s, o))), scale * (horizon + o))]
            for s, o in sorted(problem.types)
        ],
        "covers": [[m, [max(0, at(("cover", m, u))) for u in range(horizon)]] for m in levels],
        "second_moments": [max(0, at(("moment", t))) for t in range(horizon)],
    }
    return proof, value
