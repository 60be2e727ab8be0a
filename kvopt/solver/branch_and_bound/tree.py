"""Branch and bound on start times: for few requests whose runs are long.

With outputs of hundreds of rounds the linear relaxation of
`kvopt.solver.relaxations.time_indexed` has thousands of rows, of which few matter.  Here it
has memory and staircase rows at some times only, first a coarse grid, then those that
solutions violate.  Between rows the cost of a start is linear in its time, so columns at the
ends of the pieces are enough, and the value is that of all columns.

Nodes are split by how many requests of a type start before a time.  A node has prices,
rounded and evaluated in integers, and only those starts that can still belong to a cheaper
schedule than the best one known (`kvopt.solver.branch_and_bound.propagation`).  First it is
looked at with the prices of the node above; the program is solved when its turn comes.
What comes out is a tree of prices that proofs/checker accepts.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.branch_and_bound.propagation import BoolArray, Left, all_starts, fitting, told
from kvopt.solver.highs import quiet_highs
from kvopt.solver.primal.list_schedules import earliest_fit
from kvopt.solver.relaxations.time_indexed import Branch, PriceProgram, Prices
from kvopt.solver.window_covers import cover_windows

__all__ = ["SparseProgram", "WindowTree", "branch_and_bound"]

LEVELS = (1, 2)
"""Levels of the staircase rows."""

ROWS = 96
"""Rows of each kind at first, on a grid."""

VIOLATION = 0.05
"""Rows are added that are violated by more than this part of their right-hand side."""

ROOT_PASSES, ROOT_ROWS = 2, 6
NODE_PASSES, NODE_ROWS = 0, 0
"""How often rows are looked for, and how many of a kind are added at a time."""

EXACT_PASSES, EXACT_ROWS = 20, 6
"""The same where a solution is nearly a schedule, however little it violates."""

HARD_PASSES, HARD_ROWS, HARD_VIOLATION = 1, 4, 0.02
"""The same where the program told nothing new."""

EARLY, LEAST_SPREAD = 0.03, 1e-3
"""A start is split that is spread most for its time; this part of the horizon is added to all
times.  With less spread than the second number (rounds) it is not split."""

MOST_ROWS = 500
"""With so many rows no more are added."""

LARGEST_PRICE = 2.0**40

INFINITY = highspy.kHighsInf

FloatArray = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class _Node:
    """A node of the tree, with the best prices known for it and the starts that are left."""

    branches: tuple[Branch, ...]
    entry: Left  # what the prices of the node above tell
    left: Left
    prices: Prices
    solution: FloatArray
    priced: bool = False  # whether the prices are its own
    children: list[_Node] = field(default_factory=list)

    def forget(self) -> None:
        """Keep only what the tree is written from."""
        self.entry = self.left = Left(self.left.bound, None)
        self.solution = np.zeros(0)


class SparseProgram:
    """The relaxation with the rows that matter.

    Parameters
    ----------
    instance
        The instance.
    horizon
        Last round with a price, >= 1.
    penalty
        What it costs to start one request too few before a time, where a branch asks for
        more: so much that it is as good as infeasible (rounds).  Not to start one at all
        costs twice as much.
    """

    def __init__(self, instance: Instance, horizon: int, penalty: int) -> None:
        levels = [m for m in LEVELS if max(cover_windows(instance, m)) > 0]
        self.exact = PriceProgram(instance, horizon, levels)
        self.types = instance.request_types()
        self.horizon = horizon
        self.penalty = penalty
        self.tolerance = VIOLATION
        self.outputs = [request.output for request in self.exact.requests]
        self.prompts = [request.prompt for request in self.exact.requests]
        self.highs = quiet_highs()
        self.rows: dict[tuple[int, int], int] = {}  # (0, round) or (level's place + 1, time)
        self.splits: dict[tuple[int, int], int] = {}  # (type, time)
        self.columns: dict[tuple[int, int], int] = {}  # (type, time); (-1 - type, time): missing
        for count in self.exact.counts:
            self.highs.addRow(float(count), float(count), 0, [], [])
        step = max(1, horizon // ROWS)
        for r in range(step, horizon + 1, step):
            for kind in range(len(levels) + 1):
                at = r - (kind > 0)
                self.rows[kind, at] = self.highs.getNumRow()
                self.highs.addRow(-INFINITY, float(self.limit(kind)), 0, [], [])
        for k in range(len(self.outputs)):
            ends = [t for kind, at in self.rows for t in self._ends(k, kind, at)]
            self._add_columns(k, [0, horizon, *ends])
            # If too few starts are left, requests are missing; time -1 says so.
            self.columns[-1 - k, -1] = self.highs.getNumCol()
            self.highs.addCol(2.0 * penalty, 0.0, INFINITY, 1, [k], [1.0])

    def _ends(self, k: int, kind: int, at: int) -> tuple[int, ...]:
        """Return the starts of type k just before and after a row counts them."""
        if kind == 0:
            return at - self.outputs[k] - 1, at
        window = int(self.exact.windows[kind - 1, k])
        return (at - window, at + 1) if window > 0 else ()

    def _coefficients(self, k: int, times: IntArray, kinds: IntArray, ats: IntArray) -> IntArray:
        """Return the coefficients of starts of type k in rows, shape (times, rows)."""
        times = times[:, None]
        windows = np.concatenate([[0], self.exact.windows[:, k]])[kinds]
        memory = (times < ats) & (ats <= times + self.outputs[k])
        stairs = (times <= ats) & (ats < times + windows)
        held = self.prompts[k] + ats - times
        return np.where(kinds == 0, np.where(memory, held, 0), stairs.astype(np.int64))

    def limit(self, kind: int) -> int:
        """Return the right-hand side of a row."""
        return self.exact.instance.memory if kind == 0 else self.exact.levels[kind - 1]

    def add_row(self, kind: int, at: int) -> None:
        """Add a memory row (kind 0, a round) or a staircase row (kind: its level's place + 1)."""
        for k in range(len(self.outputs)):
            self._add_columns(k, self._ends(k, kind, at))
        owners, times = np.array(list(self.columns)).T
        values = np.zeros(len(owners))
        row = np.array([kind]), np.array([at])
        for k in range(len(self.outputs)):
            values[owners == k] = self._coefficients(k, times[owners == k], *row)[:, 0]
        self.rows[kind, at] = self.highs.getNumRow()
        self._add(values, -INFINITY, self.limit(kind))

    def add_split(self, k: int, before: int) -> None:
        """Add a row that counts the starts of type k before a time, without limits yet."""
        if (k, before) in self.splits:
            return
        self._add_columns(k, (before - 1, before))
        values = np.array([float(i == k and t < before) for i, t in self.columns])
        self.splits[k, before] = row = self.highs.getNumRow()
        self._add(values, -INFINITY, INFINITY)
        # Its last column lets a start be missing.
        self.columns[-1 - k, before] = self.highs.getNumCol()
        self.highs.addCol(float(self.penalty), 0.0, INFINITY, 1, [row], [1.0])

    def _add(self, values: FloatArray, low: float, high: float) -> None:
        """Add a row by its coefficients in the order of `columns`."""
        places = np.flatnonzero(values).astype(np.int32)
        self.highs.addRow(float(low), float(high), len(places), places, values[places])

    def _add_columns(self, k: int, times: Iterable[int]) -> None:
        """Add columns of a type that are not there yet."""
        new = sorted({t for t in times if 0 <= t <= self.horizon and (k, t) not in self.columns})
        if not new:
            return
        at = np.array(new)
        kinds, ats = np.array(list(self.rows)).T
        blocks = [np.ones((len(new), 1)), self._coefficients(k, at, kinds, ats)]
        rows = [k, *self.rows.values()]
        for (i, before), row in self.splits.items():
            if i == k:
                blocks.append((at < before).astype(float)[:, None])
                rows.append(row)
        values = np.hstack(blocks)
        there = values != 0
        ends = np.cumsum(there.sum(axis=1))
        for number, t in enumerate(new):
            self.columns[k, t] = self.highs.getNumCol() + number
        self.highs.addCols(
            len(new),
            (at + self.outputs[k]).astype(float),
            np.zeros(len(new)),
            np.full(len(new), INFINITY),
            int(ends[-1]),
            np.concatenate([[0], ends[:-1]]).astype(np.int32),
            np.broadcast_to(np.array(rows, dtype=np.int32), values.shape)[there],
            values[there],
        )

    def solve(
        self, branches: tuple[Branch, ...], starts: BoolArray, passes: int, more: int
    ) -> FloatArray | None:
        """Solve with some branches, adding violated rows; return the solution.

        Parameters
        ----------
        branches
            Branches of one type each.
        starts
            The starts that are left, shape (types, horizon + 1).
        passes, more
            How often rows are looked for, and how many of a kind are added at a time.
        """
        limits = {place: [-INFINITY, INFINITY] for place in self.splits}
        for branch in branches:
            ((k, before),) = branch.until
            if branch.below:
                limits[k, before][1] = min(limits[k, before][1], branch.at_most)
            else:
                limits[k, before][0] = max(limits[k, before][0], branch.at_most + 1)
        for place, (low, high) in limits.items():
            self.highs.changeRowBounds(self.splits[place], float(low), float(high))
        for number in itertools.count():
            self._leave(starts)
            self.highs.run()
            if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return None
            solution = np.array(self.highs.getSolution().col_value)
            if number == passes or not self._cut(solution, more):
                return solution
        return None

    def _leave(self, starts: BoolArray) -> None:
        """Leave only some starts, with columns at the ends of their stretches."""
        for k, row in enumerate(starts):
            ends = np.flatnonzero(row[1:] != row[:-1])
            self._add_columns(k, [t for t in (*ends, *(ends + 1)) if row[t]])
        owners, times = np.array(list(self.columns)).T
        there = (owners < 0) | starts[np.maximum(owners, 0), np.maximum(times, 0)]
        self.highs.changeColsBounds(
            len(owners),
            np.arange(len(owners), dtype=np.int32),
            np.zeros(len(owners)),
            np.where(there, INFINITY, 0.0),
        )

    def _cut(self, solution: FloatArray, more: int) -> bool:
        """Add rows that a solution violates most; tell whether there were any."""
        if len(self.rows) >= MOST_ROWS:
            return False
        found = False
        chosen = [(k, t, y) for (k, t), y in zip(self.columns, solution, strict=True) if y > 1e-7]
        for kind in range(len(self.exact.levels) + 1):
            used = np.zeros(self.horizon + 1)
            for k, t, y in chosen:
                if k < 0:
                    continue
                if kind == 0:
                    end = min(self.horizon, t + self.outputs[k])
                    used[t + 1 : end + 1] += y * (self.prompts[k] + np.arange(1, end - t + 1))
                else:
                    used[t : t + int(self.exact.windows[kind - 1, k])] += y
            limit = self.limit(kind) * (1 + self.tolerance) + 1e-6
            padded = np.concatenate([[0.0], used, [0.0]])
            peaks = (used > limit) & (used >= padded[:-2]) & (used > padded[2:])
            places = np.flatnonzero(peaks)
            for at in places[np.argsort(-used[places], kind="stable")][:more].tolist():
                if (kind, at) not in self.rows and 1 <= at + (kind > 0) <= self.horizon:
                    self.add_row(kind, at)
                    found = True
        return found

    def prices(self, branches: tuple[Branch, ...]) -> Prices:
        """Return the solver's duals as prices of the exact program."""
        duals = np.nan_to_num(np.array(self.highs.getSolution().row_dual))
        scale = self.exact.scale
        values = np.rint(np.clip(duals, -LARGEST_PRICE, LARGEST_PRICE) * scale).astype(np.int64)
        memory = np.zeros(self.horizon + 1, dtype=np.int64)
        stairs = np.zeros((len(self.exact.levels), self.horizon), dtype=np.int64)
        for (kind, at), row in self.rows.items():
            if kind == 0:
                memory[at] = max(0, -values[row])
            else:
                stairs[kind - 1, at] = max(0, -values[row])
        on_branches = []
        left = {place: int(values[row]) for place, row in self.splits.items()}
        tightest: dict[tuple[tuple[int, int], bool], int] = {}
        for branch in branches:
            key = (branch.until[0], branch.below)
            pick = min if branch.below else max
            tightest[key] = pick(tightest.get(key, branch.at_most), branch.at_most)
        for branch in branches:
            place = branch.until[0]
            own = max(0, -left[place] if branch.below else left[place])
            if tightest[place, branch.below] != branch.at_most:
                own = 0
            elif own:
                left[place] = 0
            on_branches.append(own)
        return Prices(memory, stairs, tuple(on_branches))


@dataclass(frozen=True, slots=True)
class WindowTree:
    """A tree of prices over windows of starts, as it stands in a certificate.

    Parameters
    ----------
    nodes
        Splits and leaves in preorder, as JSON objects.
    scale
        The prices are multiples of 1 / scale.
    horizon
        Times from this one on are not told apart (rounds).
    goal
        Schedules that cost as much as this or more were not looked at (rounds).
    lower_bound
        The bound that the tree proves (rounds).
    """

    nodes: tuple[dict[str, Any], ...]
    scale: int
    horizon: int
    goal: int
    lower_bound: int

    def content(self) -> dict[str, Any]:
        """Return the object "proof" of a certificate of the bound."""
        return {
            "rule": "propagation",
            "scale": self.scale,
            "horizon": self.horizon,
            "cutoff": self.goal,
            "tree": list(self.nodes),
        }


def branch_and_bound(
    instance: Instance,
    starts: IntArray,
    stop: Stopping,
    report: Callable[[int, IntArray], None] = lambda bound, starts: None,
) -> WindowTree | None:
    """Return a tree of prices that proves a good bound.

    On the way requests are placed in the order of their mean starts, each where it fits.

    Parameters
    ----------
    instance
        The instance, of few requests.
    starts
        Starts of a good schedule (rounds), shape (n,); tells the horizon and when to stop.
    stop
        How long it may take.
    report
        Called with the bound and the starts of the best schedule whenever one is better.

    Returns
    -------
    WindowTree or None
        None if not even the relaxation could be solved.
    """
    search = _Search(instance, starts, stop)
    if search.root is None:
        return None
    known = counted = 0
    while True:
        bound, cost = search.bound(), search.cost
        if bound > known:
            known = bound
            report(known, search.starts)
        stop.count(search.nodes - counted)
        counted = search.nodes
        if bound >= cost or stop.over() or not search.step():
            break
        if search.cost < cost:
            report(known, search.starts)
    return search.tree()


class _Search:
    """Best first: the node whose bound is lowest is looked at next.

    Parameters
    ----------
    instance
        The instance.
    starts
        Starts of a good schedule (rounds), shape (n,).
    stop
        The first program may take so long, and at least a second.
    """

    def __init__(self, instance: Instance, starts: IntArray, stop: Stopping) -> None:
        horizon = min(int((starts + instance.outputs).max()), instance.total_output)
        self.instance = instance
        self.starts = starts
        self.cost = int(starts.sum()) + instance.total_output
        self.program = SparseProgram(instance, horizon, self.cost)
        self.program.highs.setOptionValue("time_limit", max(1.0, stop.left()))
        self.nodes = 1
        self.waiting: list[tuple[int, int, _Node]] = []
        self.root: _Node | None = None
        exact = self.program.exact
        memory = np.zeros(horizon + 1, dtype=np.int64)
        free = Prices(memory, np.zeros((len(exact.levels), horizon), dtype=np.int64), ())
        entry = Left(0, all_starts(exact))
        root = _Node((), entry, entry, free, np.zeros(0))
        if self._price(root, ROOT_PASSES, ROOT_ROWS):
            self.root = root
            self._wait(root)

    def bound(self) -> int:
        """Return the bound that is proved so far (rounds)."""
        return min(self.waiting[0][0], self.cost) if self.waiting else self.cost

    def _wait(self, node: _Node) -> None:
        if node.left.bound < self.cost:
            heapq.heappush(self.waiting, (node.left.bound, self.nodes, node))
        else:
            node.forget()
        self.nodes += 1

    def step(self) -> bool:
        """Look at a node: solve its program, or split it; tell whether anything came of it."""
        bound, _, node = heapq.heappop(self.waiting)
        if not node.priced:
            if not self._price(node, NODE_PASSES, NODE_ROWS) or node.left.bound == node.entry.bound:
                self._price_closely(node, HARD_PASSES, HARD_ROWS, HARD_VIOLATION)
            node.priced = True
            self._wait(node)
            return True
        placed = _placed(self.program, node.solution)
        if int(placed.sum()) < int(self.starts.sum()):
            self.starts = placed
            self.cost = int(placed.sum()) + self.instance.total_output
        split = _split(self.program, node)
        if split is None:
            # Nearly a schedule: rows that are missing can tell more...
            self._price_closely(node, EXACT_PASSES, EXACT_ROWS, 0.0)
            split = _any_split(node)  # ...and fewer starts can.
            if node.left.bound > bound or split is None:
                self._wait(node)
                return node.left.bound > bound
        self._branch(node, *split)
        return True

    def _branch(self, node: _Node, k: int, before: int, at_most: int) -> None:
        """Split a node, and look at both parts with its prices."""
        exact = self.program.exact
        self.program.add_split(k, before)
        own = node.prices
        prices = Prices(own.memory, own.staircase, (*own.branch, 0))
        assert node.left.starts is not None
        for below in (True, False):
            branches = (*node.branches, Branch(((k, before),), at_most, below))
            left = Left(self.cost, None)
            fits = fitting(exact, branches, node.left.starts)
            if fits is not None:
                left = told(exact, prices, branches, fits, self.cost)
                left = Left(max(left.bound, node.left.bound), left.starts)
            child = _Node(branches, left, left, prices, node.solution)
            node.children.append(child)
            self._wait(child)
        node.forget()

    def _price(self, node: _Node, passes: int, more: int) -> bool:
        """Solve the program of a node, and keep the prices if they tell more."""
        program, starts = self.program, node.entry.starts
        if starts is None:
            return False
        solution = program.solve(node.branches, starts, passes, more)
        if solution is None:
            return False
        prices = program.prices(node.branches)
        left = told(program.exact, prices, node.branches, starts, self.cost)
        if left.bound >= node.left.bound:
            node.prices = prices
            node.left = left
        node.priced = True
        node.solution = solution
        return True

    def _price_closely(self, node: _Node, passes: int, more: int, violation: float) -> None:
        """Solve the program of a node with rows that are hardly violated, too."""
        self.program.tolerance = violation
        self._price(node, passes, more)
        self.program.tolerance = VIOLATION

    def tree(self) -> WindowTree:
        """Return the tree so far."""
        assert self.root is not None
        exact = self.program.exact
        nodes = tuple(_written(exact, self.root, None))
        return WindowTree(nodes, exact.scale, exact.horizon, self.cost, self.bound())


def _placed(program: SparseProgram, solution: FloatArray) -> IntArray:
    """Return the starts of a schedule in the order of a solution (rounds), shape (n,)."""
    instance = program.exact.instance
    means = np.zeros(len(instance))
    for k, parts in enumerate(_per_request(program, solution)):
        means[program.types.index == k] = [sum(t * y for t, y in part) for part in parts]
    placed = earliest_fit(instance, np.argsort(means, kind="stable").tolist(), Stopping(), False)
    assert placed is not None  # there is no limit of time
    return placed


def _per_request(
    program: SparseProgram, solution: FloatArray
) -> Iterator[list[list[tuple[int, float]]]]:
    """Yield for each type what starts of it belongs to its first, second, ... request.

    A part is a list of (time, weight), weights adding up to 1.
    """
    found: list[list[tuple[int, float]]] = [[] for _ in program.outputs]
    for (k, t), y in zip(program.columns, solution, strict=False):
        if k >= 0 and y > 1e-7:
            found[k].append((t, y))
    for k, weights in enumerate(found):
        parts: list[list[tuple[int, float]]] = [[] for _ in range(program.exact.counts[k])]
        passed = 0.0
        for t, y in sorted(weights):
            for number, part in enumerate(parts):
                share = min(passed + y, number + 1) - max(passed, number)
                if share > 1e-6:
                    part.append((t, share))
            passed += y
        yield parts


def _split(program: SparseProgram, node: _Node) -> tuple[int, int, int] | None:
    """Return type, time and number of the split of a node; None if nothing is split.

    Early starts come first: what follows depends on them.
    """
    best, split = 0.0, None
    for k, parts in enumerate(_per_request(program, node.solution)):
        for number, part in enumerate(parts):
            mean = sum(t * y for t, y in part)
            spread = sum(y * abs(t - mean) for t, y in part)
            weight = spread / (EARLY * program.horizon + mean)
            if spread > LEAST_SPREAD and weight > best:
                best, split = weight, (k, math.floor(mean) + 1, number)
    return split


def _any_split(node: _Node) -> tuple[int, int, int] | None:
    """Return the split of the type with the most starts left, in their middle."""
    if node.left.starts is None:
        return None
    left = [np.flatnonzero(row) for row in node.left.starts]
    k = max(range(len(left)), key=lambda k: len(left[k]))
    if len(left[k]) < 2:
        return None
    before = int(left[k][len(left[k]) // 2])
    seen = {(branch.until[0], branch.at_most) for branch in node.branches}
    return None if ((k, before), 0) in seen else (k, before, 0)


def _written(exact: PriceProgram, node: _Node, above: Prices | None) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a tree in preorder, as in a certificate."""
    own = node.prices
    held = (
        above is not None
        and own.memory is above.memory
        and own.staircase is above.staircase
        and own.branch == (*above.branch, 0)
    )
    prices = {} if held else exact.leaf(own)
    split = exact.split(node.children[0].branches[-1]) if node.children else {}
    yield split | prices
    for child in node.children:
        yield from _written(exact, child, own)
