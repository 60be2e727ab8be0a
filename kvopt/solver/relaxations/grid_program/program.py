"""The linear program with few rows, whose columns are generated.

Variables y[k,t] >= 0 say how many requests of type k start at time t = 0..T; starts at T meet no
row.  Rows are pairs (kind, round).  The program holds few columns: after each solution the
duals give every start its reduced cost, and the cheapest join.  The same duals, rounded, prove a
bound over all starts, computed in integers; so nothing depends on what HiGHS says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.request_types import RequestTypes
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.highs import quiet_highs, run_highs
from kvopt.solver.relaxation_params import GridProgramParams
from kvopt.solver.relaxations.grid_program.clusters import clustered
from kvopt.solver.relaxations.grid_program.exact import ExactBound
from kvopt.solver.relaxations.grid_program.families import Families, Row, written
from kvopt.solver.relaxations.grid_program.grid import grid_of
from kvopt.solver.relaxations.grid_program.kernel import GridFunctions
from kvopt.solver.relaxations.grid_program.knapsacks import Items
from kvopt.solver.window_covers import cover_windows

__all__ = ["GridProgram", "places"]

LARGEST = 1 << 61
"""No cost of a start is above this in size, in multiples of 1 / scale."""


class GridProgram:
    """Rows, columns and the best duals so far.

    Parameters
    ----------
    instance
        The instance.  The program is about clusters of its types, the bound about itself.
    last
        The last round with a row, >= 1, or somewhat less.
    knots
        How many knots there are, roughly.
    functions
        The kernel.
    params
        The tuning numbers.

    Attributes
    ----------
    grid, horizon
        The knots, and T, the first time from which on no start meets a row.
    kinds
        The types without their releases; None if the program is about clusters.
    families
        The families of rows.
    rows
        Number of each row (kind, round).
    column_types, column_times, values
        Type and start of each column, and the solution, shape (columns,).
    prices
        Duals that prove `bound`, each times its right-hand side, of the first rows, shape (rows,).
    bound
        The best lower bound on the total latency so far (rounds).
    proof
        The object "proof" of a certificate of it; None if the checker would refuse it as too long.
    """

    def __init__(
        self,
        instance: Instance,
        last: int,
        knots: int,
        functions: GridFunctions,
        params: GridProgramParams,
    ) -> None:
        self.params, self.functions = params, functions
        levels = [m for m in range(1, params.levels + 1) if max(cover_windows(instance, m)) > 0]
        self.exact = ExactBound(instance, levels, functions)
        self.late = instance.total_release
        few = len(instance.request_types()) <= params.most_types
        most = params.most_types if few else params.clusters
        if instance.has_releases:
            most = params.released_types
        self.instance = clustered(instance, most)
        self.types = types = self.instance.request_types()
        nothing = np.zeros(len(instance), dtype=np.int64)
        kinds = RequestTypes.of(self.instance.prompts, self.instance.outputs, nothing)
        self.kinds = kinds if self.instance is instance else None
        self._kind_of = np.zeros(len(types), dtype=np.int64)
        self._kind_of[types.index] = kinds.index
        self.grid = grid_of(instance, last, knots, params.even, params.doublings)
        self.horizon = horizon = self.grid.horizon
        self.families = Families(self.instance, levels, self.grid.widest)
        self.rows: dict[tuple[int, int], int] = {}
        self.column_types = np.zeros(0, dtype=np.int64)
        self.column_times = np.zeros(0, dtype=np.int64)
        self.highs = quiet_highs()
        self.bound = 0
        self.proof: dict[str, Any] | None = None
        self.prices = np.zeros(0)
        self.values = np.zeros(0)
        for count in self.types.counts.tolist():
            self.highs.addRow(float(count), float(count), 0, [], [])
        self.stretch = max(1, horizon // params.first_columns)
        for k, release in enumerate(self.types.releases.tolist()):
            some = np.append(np.arange(0, horizon, self.stretch), [release, horizon])
            times = np.unique(some[some >= release])
            self.add_columns(np.full(len(times), k), times)

    def add_columns(self, types: IntArray, times: IntArray) -> None:
        """Add starts that are not there yet."""
        count = len(self.types)
        rows = np.array(list(self.rows), dtype=np.int64).reshape(-1, 2)
        entries = self._entries(types, times, rows)
        there = entries != 0
        lengths = 1 + there.sum(axis=1)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32)
        indices = np.empty(int(lengths.sum()), dtype=np.int32)
        values = np.empty(len(indices))
        demand = np.zeros(len(indices), dtype=np.bool_)
        demand[starts] = True
        indices[demand], values[demand] = types, 1.0
        indices[~demand] = count + np.nonzero(there)[1]
        values[~demand] = entries[there]
        number = len(types)
        self.highs.addCols(
            number,
            (times + self.types.outputs[types]).astype(float),
            np.zeros(number),
            np.full(number, np.inf),
            len(indices),
            starts,
            indices,
            values,
        )
        self.column_types = np.concatenate([self.column_types, types])
        self.column_times = np.concatenate([self.column_times, times])

    def add_rows(self, rows: Iterable[tuple[int, int]]) -> int:
        """Add rows (kind, round) that are not there yet; return how many."""
        new = [row for row in dict.fromkeys(rows) if row not in self.rows]
        if not new:
            return 0
        entries = self._entries(self.column_types, self.column_times, np.array(new)).T
        there = entries != 0
        lengths = there.sum(axis=1)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32)
        self.highs.addRows(
            len(new),
            np.full(len(new), -np.inf),
            np.ones(len(new)),
            int(lengths.sum()),
            starts,
            np.nonzero(there)[1].astype(np.int32),
            entries[there],
        )
        for row in new:
            self.rows[row] = len(self.rows)
        return len(new)

    def inherit(self, other: GridProgram) -> None:
        """Take over what was of use in a program with fewer knots: its starts and its rows.

        A row with the weights of a hat becomes those of all hats that have their knots below it.
        """
        there = other.values > 1e-7
        self.add_columns(other.column_types[there], other.column_times[there])
        numbers: dict[int, int] = {}
        kinds, rows = list(other.families.kinds), list(other.rows)
        knots = list(zip(*(each.tolist() for each in self.grid), strict=True))
        added = []
        for (kind, t), price in zip(rows, other.prices.tolist(), strict=False):
            if price <= 0:
                continue
            family, left, right = kinds[kind]
            if family not in numbers:
                numbers[family] = self.families.copied(other.families.known[family], family)
            if left == 0:
                added.append((self.families.kind(Row(numbers[family], 0, 0)), t))
                continue
            added += [
                (self.families.kind(Row(numbers[family], before, after)), at)
                for at, before, after in knots
                if t - left < at < t + right
            ]
        self.add_rows(added)

    def _entries(self, types: IntArray, times: IntArray, rows: IntArray) -> FloatArray:
        """Return coefficients over right-hand sides, shape (columns, rows)."""
        if not len(rows):
            return np.zeros((len(types), 0))
        ages = rows[:, 1][None, :] - times[:, None]
        reach = self.families.reach
        meet = (ages >= 1 - reach) & (ages <= self.types.outputs[types][:, None] + reach)
        places = np.where(meet, self.families.first[types][:, None] + ages - 1, 0)
        stack = self.families.stack
        limits = self.families.limits[rows[:, 0]]
        found: FloatArray = np.where(meet, stack[rows[:, 0][None, :], places], 0) / limits
        return found

    def solve(self, stop: Stopping, precision: float | None = None) -> bool:
        """Solve, generating columns; tell whether it came to an end.

        Parameters
        ----------
        stop
            How long it may take.
        precision
            It ends when what columns may still gain is less than this part of the value; by
            default as in the parameters.
        """
        if precision is None:
            precision = self.params.precision
        best = 0.0
        for _ in range(self.params.passes):
            if stop.over() or not run_highs(self.highs, stop):
                return False
            solution = self.highs.getSolution()
            self.values = np.array(solution.col_value)
            duals = np.array(solution.row_dual)
            count = len(self.types)
            prices = np.maximum(0.0, -duals[count:])
            least, times = self.cheapest(prices)
            value = float(self.types.counts @ least.min(axis=1) - prices.sum())
            if value > best:
                best = value
                self.prove(prices)
            objective = self.highs.getInfo().objective_function_value
            done = objective - value < precision * objective
            if done or not self._generate(least - duals[:count, None], times):
                return True
        return True

    def _generate(self, reduced: FloatArray, times: IntArray) -> bool:
        """Add for each type a few starts of the lowest reduced costs below 0; tell if any."""
        order = np.argsort(reduced, axis=1)[:, : self.params.columns_each]
        chosen = np.take_along_axis(reduced, order, axis=1) < -1e-7
        kinds, place = np.nonzero(chosen)
        if len(kinds):
            self.add_columns(kinds, times[kinds, order[kinds, place]])
        return len(kinds) > 0

    def cheapest(self, prices: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return the least cost of each type in each stretch of time, and its time.

        Parameters
        ----------
        prices
            Duals of the rows, each over its right-hand side, shape (rows,).
        """
        rows = np.array(list(self.rows), dtype=np.int64).reshape(-1, 2)[prices > 0]
        duals = prices[prices > 0] / self.families.limits[rows[:, 0]]
        stretches = -(-(self.horizon + 1) // self.stretch)
        least = np.empty((len(self.types), stretches))
        times = np.empty(least.shape, dtype=np.int64)
        for some, costs in self._costs(rows, duals):
            padded = np.full((len(costs), stretches * self.stretch), np.inf)
            padded[:, : self.horizon + 1] = costs
            split = padded.reshape(len(costs), stretches, self.stretch)
            at = split.argmin(axis=2)
            least[some] = np.take_along_axis(split, at[:, :, None], axis=2)[:, :, 0]
            times[some] = at + self.stretch * np.arange(stretches)
        return least, times

    def _costs(self, rows: IntArray, duals: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Yield slices of types, and the costs of all their starts, shape (types, times)."""
        times = np.arange(self.horizon + 1)
        outputs, first = self.types.outputs, self.families.first
        stack = self.families.stack
        kinds, rounds = (np.ascontiguousarray(column) for column in rows.T)
        size = max(1, self.params.chunk // len(times))
        for begin in range(0, len(outputs), size):
            some = slice(begin, begin + size)
            costs = (times[None, :] + outputs[some, None]).astype(float)
            reach = self.families.reach
            self.functions.add_rows(
                costs, outputs[some], first[some], reach, stack, kinds, rounds, duals
            )
            costs[times[None, :] < self.types.releases[some, None]] = np.inf
            yield some, costs

    def prove(self, prices: FloatArray) -> None:
        """Keep the bound that rounded prices prove, in integers, if it is the best."""
        rows = list(self.rows)
        limits = self.families.limits
        # No cost of a start is above this; see `ExactBound.value`.
        total = float(prices.sum()) + self.horizon + int(self.exact.families.outputs.max())
        bits = max(0, int(np.log2(LARGEST / total)))
        scale = 1 << min(bits, 10 + int(limits.max()).bit_length())
        duals = [
            int(p * scale / limits[f]) for p, (f, _) in zip(prices.tolist(), rows, strict=True)
        ]
        kept = [(f, r, d) for d, (f, r) in zip(duals, rows, strict=True) if d > 0]
        leaf = written(self.families, kept)
        bound = -(-self.exact.value(leaf, scale) // scale) - self.late
        if bound > self.bound:
            self.bound, self.prices = bound, prices
            short = self.exact.steps(leaf) <= self.params.checked_steps
            proof = {"rule": "linear-duals", "scale": scale, "tree": [leaf]}
            self.proof = proof if short else None

    def activity(self, family: int) -> FloatArray:
        """Return a family's rows at all rounds, in parts of their limit, shape (horizon + 1,)."""
        used = np.zeros(self.horizon + 1)
        values = self.families.known[family].values / self.families.known[family].limit
        for c in np.flatnonzero(self.values > 1e-9).tolist():
            k, t = int(self.column_types[c]), int(self.column_times[c])
            low = max(1 - self.families.reach, -t)
            high = min(int(self.types.outputs[k]) + self.families.reach, self.horizon - t)
            at = int(self.families.first[k]) - 1
            used[t + low : t + high + 1] += self.values[c] * values[at + low : at + high + 1]
        return used

    def items(self, knot: int, left: int, right: int) -> Items:
        """Return the mean with the weights of a hat of what runs."""
        hat = np.cumsum(np.append(0, self.families.hat(left, right)))
        entries = []
        for c in np.flatnonzero(self.values > 1e-7).tolist():
            k, t = int(self.column_types[c]), int(self.column_times[c])
            low = max(knot - left + 1, t + 1)
            high = min(knot + right, t + int(self.types.outputs[k]) + 1)
            if low < high:
                begin = knot - left + 1
                part = (hat[high - begin] - hat[low - begin]) / hat[-1]
                entries.append((int(self._kind_of[k]), low - t, part * float(self.values[c])))
        entries.sort()
        merged: list[tuple[int, int, float]] = []
        for kind, first, mass in entries:
            if merged and merged[-1][0] == kind and first - merged[-1][1] < max(left, right):
                merged[-1] = (kind, merged[-1][1], merged[-1][2] + mass)
            else:
                merged.append((kind, first, mass))
        table = np.array(merged).reshape(-1, 3)
        return Items(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2])

    def average(self, begin: int, end: int) -> tuple[IntArray, FloatArray]:
        """Return the mean over rounds begin..end - 1 of what runs: places, and how many of each."""
        weights = np.zeros(len(self.families.types))
        for c in np.flatnonzero(self.values > 1e-9).tolist():
            k, t = int(self.column_types[c]), int(self.column_times[c])
            low = max(begin - t, 1)
            high = min(end - t, int(self.types.outputs[k]) + 1)
            if low < high:
                at = int(self.families.first[k]) - 1
                weights[at + low : at + high] += self.values[c] / (end - begin)
        places = np.flatnonzero(weights)
        return places, weights[places]


def places(instance: Instance, horizon: int) -> int:
    """Return roughly how many numbers a program holds for each kind of rows."""
    types = instance.request_types()
    return int(types.outputs.sum()) + len(types) * max(1, horizon // 50)
