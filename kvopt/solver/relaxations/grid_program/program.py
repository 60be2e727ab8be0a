"""The linear program with few rows, whose columns are generated.

Variables y[k,t] >= 0 say how many requests of type k start at time t = 0..T; starts at T meet no
row.  Rows are pairs (family, round).  The program holds few columns: after each solution the
duals give every start its reduced cost, and the cheapest join.  The same duals, rounded, prove a
bound over all starts, computed in integers; so nothing depends on what HiGHS says.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.highs import quiet_highs, run_highs
from kvopt.solver.relaxations.grid_program.families import Families
from kvopt.solver.relaxations.grid_program.kernel import GridFunctions
from kvopt.solver.stage_params import GridProgramParams

__all__ = ["GridProgram", "Solution"]

LARGEST = 1 << 61
"""No integer in the exact evaluation is above this in size."""


class GridProgram:
    """Rows, columns and the best duals so far.

    Parameters
    ----------
    instance
        The instance.
    horizon
        T, the last round with a row, >= 1.
    functions
        The kernel.
    params
        The tuning numbers.

    Attributes
    ----------
    families
        The families of rows.
    rows
        (family, round) of each row.
    bound
        The best lower bound so far (rounds).
    best_rows
        Its rows (family, round, dual), duals in multiples of 1 / scale.
    """

    def __init__(
        self, instance: Instance, horizon: int, functions: GridFunctions, params: GridProgramParams
    ) -> None:
        self.instance, self.horizon, self.params = instance, horizon, params
        self.functions = functions
        self.types = instance.request_types()
        self.spacing = max(1, -(-horizon // params.grid_rows))
        self.horizon = horizon = (horizon // self.spacing + 1) * self.spacing
        self.families = Families(instance, range(1, params.levels + 1), self.spacing)
        self.rows: dict[tuple[int, int], int] = {}
        self.column_types = np.zeros(0, dtype=np.int64)
        self.column_times = np.zeros(0, dtype=np.int64)
        self.highs = quiet_highs()
        self.bound = 0
        self.scale = 1
        self.best_rows: list[tuple[int, int, int]] = []
        self.values = np.zeros(0)
        for count in self.types.counts.tolist():
            self.highs.addRow(float(count), float(count), 0, [], [])
        step = max(1, horizon // params.first_columns)
        times = np.unique(np.append(np.arange(0, horizon, step), horizon))
        for k in range(len(self.types)):
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
        """Add rows (family, round) that are not there yet; return how many."""
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

    def solve(self, stop: Stopping) -> bool:
        """Solve, generating columns; tell whether it came to an end."""
        for _ in range(self.params.passes):
            if stop.over() or not run_highs(self.highs, stop):
                return False
            solution = self.highs.getSolution()
            self.values = np.array(solution.col_value)
            duals = np.array(solution.row_dual)
            count = len(self.types)
            prices = np.maximum(0.0, -duals[count:])
            costs = self._costs(prices)
            reduced = costs - duals[:count, None]
            value = float(self.types.counts @ costs.min(axis=1) - prices.sum())
            if value > self.bound:
                self.prove(prices)
            objective = self.highs.getInfo().objective_function_value
            if objective - value < self.params.precision * objective:
                return True
            if not self._generate(reduced):
                return True
        return True

    def _generate(self, reduced: FloatArray) -> int:
        """Add starts of the lowest reduced cost below 0; return how many."""
        added = 0
        width = max(1, self.horizon // self.params.first_columns)
        edges = np.arange(0, self.horizon + 1, width)
        types, times = [], []
        for k in np.flatnonzero(reduced.min(axis=1) < -1e-7).tolist():
            # The cheapest start of each stretch of time, and of those the cheapest few.
            row = reduced[k]
            cheapest = [int(e + np.argmin(row[e : e + width])) for e in edges]
            cheapest = sorted((t for t in cheapest if row[t] < -1e-7), key=lambda t: row[t])
            times += cheapest[: self.params.columns_each]
            types += [k] * min(len(cheapest), self.params.columns_each)
        if types:
            self.add_columns(np.array(types), np.array(times))
            added = len(types)
        return added

    def _costs(self, prices: FloatArray) -> FloatArray:
        """Return the cost of each start with the prices of rows, shape (types, horizon + 1)."""
        times = np.arange(self.horizon + 1)
        costs = (times[None, :] + self.types.outputs[:, None]).astype(float)
        rows = np.array(list(self.rows), dtype=np.int64).reshape(-1, 2)
        used = prices > 0
        families, rounds = rows[used].T
        duals = prices[used] / self.families.limits[families]
        self._add_rows(costs, self.families.stack.astype(float), families, rounds, duals)
        return costs

    def _add_rows(self, costs, stack, families, rounds, duals) -> None:
        """Add the costs of rows."""
        self.functions.add_rows(
            costs,
            self.types.outputs,
            self.families.first,
            self.families.reach,
            stack,
            np.ascontiguousarray(families),
            np.ascontiguousarray(rounds),
            duals,
        )

    def prove(self, prices: FloatArray) -> None:
        """Keep the bound that rounded prices prove, in integers, if it is the best."""
        rows = list(self.rows)
        limits = self.families.limits
        total = float(prices.sum()) + self.horizon + int(self.types.outputs.max())
        top = 2 * total * len(self.types)
        bits = max(0, int(np.log2(LARGEST / top)))
        scale = 1 << min(bits, 10 + int(limits.max()).bit_length())
        duals = [int(p * scale / limits[f]) for p, (f, _) in zip(prices.tolist(), rows, strict=True)]
        kept = [(f, r, d) for d, (f, r) in zip(duals, rows, strict=True) if d > 0]
        value = self.exact_value(kept, scale)
        bound = -(-value // scale)
        if bound > self.bound:
            self.bound, self.best_rows, self.scale = bound, kept, scale

    def exact_value(self, rows: list[tuple[int, int, int]], scale: int) -> int:
        """Return what rows (family, round, dual) prove, in multiples of 1 / scale."""
        times = np.arange(self.horizon + 1)
        costs = (times[None, :] + self.types.outputs[:, None]) * scale
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        families, rounds, duals = (np.ascontiguousarray(column) for column in table.T)
        self._add_rows(costs, self.families.stack, families, rounds, duals)
        least = costs.min(axis=1).tolist()
        value = sum(n * cost for n, cost in zip(self.types.counts.tolist(), least, strict=True))
        return value - sum(self.families.known[f].limit * dual for f, _, dual in rows)

    def activity(self, family: int) -> FloatArray:
        """Return left over right-hand side of a family's row at each round, shape (horizon + 1,)."""
        used = np.zeros(self.horizon + 1)
        values = self.families.known[family].values / self.families.known[family].limit
        for c in np.flatnonzero(self.values > 1e-9).tolist():
            k, t = int(self.column_types[c]), int(self.column_times[c])
            low = max(1 - self.families.reach, -t)
            high = min(int(self.types.outputs[k]) + self.families.reach, self.horizon - t)
            at = int(self.families.first[k]) - 1
            used[t + low : t + high + 1] += self.values[c] * values[at + low : at + high + 1]
        return used

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
