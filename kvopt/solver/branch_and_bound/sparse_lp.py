"""The time-indexed relaxation with few rows and columns, for runs of hundreds of rounds.

It has memory rows and window cover cuts at some times only, first on a coarse grid, then those
that solutions violate.  Between rows the cost of a start is linear in its time, so columns at
the ends of the pieces are enough, and the value is that of all columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import highspy
import numpy as np
from highspy import kHighsInf
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.branch_and_bound.propagation import BoolArray
from kvopt.solver.highs import quiet_highs
from kvopt.solver.params import BranchAndBoundParams
from kvopt.solver.relaxations.time_indexed import (
    LARGEST_DUAL,
    Branch,
    Duals,
    TimeIndexedProgram,
)
from kvopt.solver.window_covers import LEVELS, cover_windows

__all__ = ["SparseProgram"]

FloatArray = NDArray[np.float64]


class SparseProgram:
    """The relaxation with the rows that matter.

    A row belongs to a family: 0 are the memory rows, one for each round; family j > 0 are the
    window cover cuts of the j-th level, one for each time.

    Parameters
    ----------
    instance
        The instance.
    horizon
        Last round with a dual, >= 1.
    penalty
        What it costs to start one request too few before a time, where a branch asks for
        more: so much that it is as good as infeasible (rounds).  Not to start one at all
        costs twice as much.
    params
        The tuning numbers.

    Attributes
    ----------
    exact
        The program with all rows.
    rows
        Row of each (family, round or time) that is there.
    splits
        Row that counts the starts of a type before a time, for each such (type, time).
    columns
        Column of each start (type, time) that is there; (-1 - type, time) is one that is missing
        before that time, or at all if the time is -1.
    """

    def __init__(
        self,
        instance: Instance,
        horizon: int,
        penalty: int,
        params: BranchAndBoundParams | None = None,
    ) -> None:
        self.params = params or BranchAndBoundParams()
        levels = [m for m in LEVELS if max(cover_windows(instance, m)) > 0]
        self.exact = TimeIndexedProgram(instance, horizon, levels)
        self.types = self.exact.types
        self.horizon = horizon
        self.penalty = penalty
        self.outputs = self.types.outputs.tolist()
        self.prompts = self.types.prompts.tolist()
        self.highs = quiet_highs()
        self.rows: dict[tuple[int, int], int] = {}
        self.splits: dict[tuple[int, int], int] = {}
        self.columns: dict[tuple[int, int], int] = {}
        self._first_rows()
        self._first_columns()

    @property
    def families(self) -> range:
        """The families of rows."""
        return range(len(self.exact.levels) + 1)

    def _first_rows(self) -> None:
        """Add the rows of the types, and the others on a grid."""
        for count in self.types.counts.tolist():
            self.highs.addRow(float(count), float(count), 0, [], [])
        step = max(1, self.horizon // self.params.grid_rows)
        for r in range(step, self.horizon + 1, step):
            for family in self.families:
                at = r - (family > 0)
                self.rows[family, at] = self.highs.getNumRow()
                self.highs.addRow(-kHighsInf, float(self.limit(family)), 0, [], [])

    def _first_columns(self) -> None:
        """Add the columns that the first rows need, and one for what is missing of each type."""
        for k in range(len(self.outputs)):
            ends = [t for family, at in self.rows for t in self._ends(k, family, at)]
            self._add_columns(k, [0, self.horizon, *ends])
            self.columns[-1 - k, -1] = self.highs.getNumCol()
            self.highs.addCol(2.0 * self.penalty, 0.0, kHighsInf, 1, [k], [1.0])

    def _ends(self, k: int, family: int, at: int) -> tuple[int, ...]:
        """Return the starts of type k just before and after a row counts them."""
        if family == 0:
            return at - self.outputs[k] - 1, at
        window = int(self.exact.windows[family - 1, k])
        return (at - window, at + 1) if window > 0 else ()

    def _coefficients(self, k: int, times: IntArray, families: IntArray, ats: IntArray) -> IntArray:
        """Return the coefficients of starts of type k in rows, shape (times, rows)."""
        times = times[:, None]
        windows = np.concatenate([[0], self.exact.windows[:, k]])[families]
        runs = (times < ats) & (ats <= times + self.outputs[k])
        covered = (times <= ats) & (ats < times + windows)
        use = self.prompts[k] + ats - times
        return np.where(families == 0, np.where(runs, use, 0), covered.astype(np.int64))

    def limit(self, family: int) -> int:
        """Return the right-hand side of the rows of a family."""
        return self.exact.instance.memory if family == 0 else self.exact.levels[family - 1]

    def add_row(self, family: int, at: int) -> None:
        """Add the row of a family at a round or time."""
        for k in range(len(self.outputs)):
            self._add_columns(k, self._ends(k, family, at))
        owners, times = np.array(list(self.columns)).T
        values = np.zeros(len(owners))
        row = np.array([family]), np.array([at])
        for k in range(len(self.outputs)):
            values[owners == k] = self._coefficients(k, times[owners == k], *row)[:, 0]
        self.rows[family, at] = self.highs.getNumRow()
        self._add(values, -kHighsInf, self.limit(family))

    def add_split(self, k: int, before: int) -> None:
        """Add a row that counts the starts of type k before a time, without limits yet."""
        if (k, before) in self.splits:
            return
        self._add_columns(k, (before - 1, before))
        values = np.array([float(i == k and t < before) for i, t in self.columns])
        self.splits[k, before] = row = self.highs.getNumRow()
        self._add(values, -kHighsInf, kHighsInf)
        self.columns[-1 - k, before] = self.highs.getNumCol()
        self.highs.addCol(float(self.penalty), 0.0, kHighsInf, 1, [row], [1.0])

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
        families, ats = np.array(list(self.rows)).T
        groups = [np.ones((len(new), 1)), self._coefficients(k, at, families, ats)]
        rows = [k, *self.rows.values()]
        for (i, before), row in self.splits.items():
            if i == k:
                groups.append((at < before).astype(float)[:, None])
                rows.append(row)
        values = np.hstack(groups)
        there = values != 0
        ends = np.cumsum(there.sum(axis=1))
        for number, t in enumerate(new):
            self.columns[k, t] = self.highs.getNumCol() + number
        self.highs.addCols(
            len(new),
            (at + self.outputs[k]).astype(float),
            np.zeros(len(new)),
            np.full(len(new), kHighsInf),
            int(ends[-1]),
            np.concatenate([[0], ends[:-1]]).astype(np.int32),
            np.broadcast_to(np.array(rows, dtype=np.int32), values.shape)[there],
            values[there],
        )

    def solve(
        self,
        branches: tuple[Branch, ...],
        domains: BoolArray,
        passes: int,
        more: int,
        violation: float | None = None,
    ) -> FloatArray | None:
        """Solve with some branches, adding violated rows; return the solution.

        Parameters
        ----------
        branches
            Branches of one type each.
        domains
            The starts that may be used, shape (types, horizon + 1).
        passes, more
            How often rows are separated, and how many of a family are added at a time.
        violation
            Rows are added that are violated by more than this part of their right-hand side; by
            default as in the parameters.
        """
        if violation is None:
            violation = self.params.violation
        self._limit_splits(branches)
        for number in itertools.count():
            self._restrict(domains)
            self.highs.run()
            if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return None
            solution = np.array(self.highs.getSolution().col_value)
            if number == passes or not self._separate(solution, more, violation):
                return solution
        return None

    def _limit_splits(self, branches: tuple[Branch, ...]) -> None:
        """Give the rows of splits the limits that branches ask for, and no others."""
        limits = {place: [-kHighsInf, kHighsInf] for place in self.splits}
        for branch in branches:
            ((k, before),) = branch.until
            if branch.below:
                limits[k, before][1] = min(limits[k, before][1], branch.at_most)
            else:
                limits[k, before][0] = max(limits[k, before][0], branch.at_most + 1)
        for place, (low, high) in limits.items():
            self.highs.changeRowBounds(self.splits[place], float(low), float(high))

    def _restrict(self, domains: BoolArray) -> None:
        """Allow the starts in the domains only, with columns at the ends of their stretches."""
        for k, row in enumerate(domains):
            ends = np.flatnonzero(row[1:] != row[:-1])
            self._add_columns(k, [t for t in (*ends, *(ends + 1)) if row[t]])
        owners, times = np.array(list(self.columns)).T
        there = (owners < 0) | domains[np.maximum(owners, 0), np.maximum(times, 0)]
        self.highs.changeColsBounds(
            len(owners),
            np.arange(len(owners), dtype=np.int32),
            np.zeros(len(owners)),
            np.where(there, kHighsInf, 0.0),
        )

    def starts_in(self, solution: FloatArray) -> Iterator[tuple[int, int, float]]:
        """Yield (type, time, number) of the starts in a solution."""
        for (k, t), y in zip(self.columns, solution, strict=False):
            if k >= 0 and y > 1e-7:
                yield k, t, y

    def _separate(self, solution: FloatArray, more: int, violation: float) -> bool:
        """Add rows that a solution violates most; tell whether there were any."""
        if len(self.rows) >= self.params.most_rows:
            return False
        found = False
        chosen = list(self.starts_in(solution))
        for family in self.families:
            used = np.zeros(self.horizon + 1)
            for k, t, y in chosen:
                if family == 0:
                    end = min(self.horizon, t + self.outputs[k])
                    used[t + 1 : end + 1] += y * (self.prompts[k] + np.arange(1, end - t + 1))
                else:
                    used[t : t + int(self.exact.windows[family - 1, k])] += y
            limit = self.limit(family) * (1 + violation) + 1e-6
            padded = np.concatenate([[0.0], used, [0.0]])
            peaks = (used > limit) & (used >= padded[:-2]) & (used > padded[2:])
            places = np.flatnonzero(peaks)
            for at in places[np.argsort(-used[places], kind="stable")][:more].tolist():
                if (family, at) not in self.rows and 1 <= at + (family > 0) <= self.horizon:
                    self.add_row(family, at)
                    found = True
        return found

    def duals(self, branches: tuple[Branch, ...]) -> Duals:
        """Return the solver's duals as those of the exact program."""
        found = np.nan_to_num(np.array(self.highs.getSolution().row_dual))
        scale = self.exact.scale
        values = np.rint(np.clip(found, -LARGEST_DUAL, LARGEST_DUAL) * scale).astype(np.int64)
        memory = np.zeros(self.horizon + 1, dtype=np.int64)
        covers = np.zeros((len(self.exact.levels), self.horizon), dtype=np.int64)
        for (family, at), row in self.rows.items():
            if family == 0:
                memory[at] = max(0, -values[row])
            else:
                covers[family - 1, at] = max(0, -values[row])
        return Duals(memory, covers, self._branch_duals(branches, values))

    def _branch_duals(self, branches: tuple[Branch, ...], values: IntArray) -> tuple[int, ...]:
        """Return the dual of each branch: that of its split's row, for the tightest ones."""
        tightest: dict[tuple[tuple[int, int], bool], int] = {}
        for branch in branches:
            key = (branch.until[0], branch.below)
            pick = min if branch.below else max
            tightest[key] = pick(tightest.get(key, branch.at_most), branch.at_most)
        to_give = {place: int(values[row]) for place, row in self.splits.items()}
        duals = []
        for branch in branches:
            place = branch.until[0]
            own = max(0, -to_give[place] if branch.below else to_give[place])
            if tightest[place, branch.below] != branch.at_most:
                own = 0
            elif own:
                to_give[place] = 0
            duals.append(own)
        return tuple(duals)
