"""The time-indexed linear relaxation, and what its duals prove exactly.

The relaxation lets y[k,t] >= 0 say how many requests of type k start at time t:

    minimise    sum over k, t of (t + o_k) y[k,t]
    subject to  sum over t of y[k,t] = n_k                                        for every k
                sum over k and t < r <= t + o_k of (s_k + r - t) y[k,t] <= M      for rounds r
                sum over k and t in (u - d_k, u] of y[k,t] <= m                   for times u

(the last, window cover cuts, for some levels m, with d_k as in `cover_windows`), and rows of
branches may join them.  Any duals >= 0 of the rows prove a bound (proofs/checker says why), so
the solver's are rounded to multiples of 1 / scale and the bound is recomputed in integers:
nothing that a solver says is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.params import TimeIndexedParams
from kvopt.solver.primal.list_schedules import pipelined
from kvopt.solver.result import Bound
from kvopt.solver.stage import Incumbent, refuse_releases
from kvopt.solver.window_covers import cover_windows

if TYPE_CHECKING:
    import highspy

__all__ = [
    "LARGEST_DUAL",
    "SCALE",
    "Branch",
    "DualTree",
    "Duals",
    "TimeIndexed",
    "TimeIndexedProgram",
    "root_duals",
]

SCALE = 1 << 20
"""Duals are multiples of 1 / SCALE."""

LARGEST_DUAL = 2.0**40
"""No dual is above this (rounds)."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch on N, the number of starts of some types before some times.

    Parameters
    ----------
    until
        Pairs (k, u): starts t < u of type k count; every k at most once, u >= 1 (rounds).
    at_most
        The b >= 0 of the split.
    below
        True for the branch N <= b, False for N >= b + 1.
    """

    until: tuple[tuple[int, int], ...]
    at_most: int
    below: bool

    @property
    def sign(self) -> int:
        """Coefficient of N in the row, which is written as "at most"."""
        return 1 if self.below else -1

    @property
    def limit(self) -> int:
        """Right-hand side of the row: sign * N <= limit."""
        return self.at_most if self.below else -(self.at_most + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Duals:
    """Duals of the rows of a `TimeIndexedProgram`, at least 0, in multiples of 1 / scale.

    Parameters
    ----------
    memory
        Dual of the memory row of round r at place r, shape (horizon + 1,).
    covers
        Dual of the window cover cut of each level at each time, shape (levels, horizon).
    branch
        Duals of the rows of branches, root first.
    """

    memory: IntArray
    covers: IntArray
    branch: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DualTree:
    """A tree of branches with duals at its leaves, as it stands in a certificate.

    Parameters
    ----------
    nodes
        Splits and leaves in preorder, as JSON objects.
    scale
        The duals are multiples of 1 / scale.
    lower_bound
        The bound that the tree proves (rounds).
    """

    nodes: tuple[dict[str, Any], ...]
    scale: int
    lower_bound: int

    def content(self) -> dict[str, Any]:
        """Return the object "proof" of a certificate of the bound."""
        return {"rule": "linear-duals", "scale": self.scale, "tree": list(self.nodes)}


class TimeIndexedProgram:
    """The relaxation of one instance up to a horizon, and exact bounds from its duals.

    Columns are (k, t) for t = 0..horizon, k by k; rows are those of the types, then
    memory rows for r = 1..horizon, then for each level window cover cuts for
    u = 0..horizon - 1.  A start at the horizon meets no row, so the program is feasible
    for any horizon, and its duals hold for every schedule, however long.

    Parameters
    ----------
    instance
        The instance.
    horizon
        Last round with a dual, >= 1.  Rows beyond the makespan of a good schedule
        rarely help.
    levels
        The levels m of the window cover cuts, increasing.
    scale
        Duals are multiples of 1 / scale.

    Attributes
    ----------
    types
        The types of the instance.
    windows
        The d_k of each level and type (rounds), shape (levels, types).
    """

    def __init__(
        self,
        instance: Instance,
        horizon: int,
        levels: Sequence[int] = (1, 2),
        scale: int = SCALE,
    ) -> None:
        refuse_releases(instance, "the time-indexed program")
        self.instance = instance
        self.types = instance.request_types()
        self.horizon = horizon
        self.levels = tuple(levels)
        self.scale = scale
        self.windows = np.array([cover_windows(instance, m) for m in self.levels]).reshape(
            len(self.levels), len(self.types)
        )

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.types) * (self.horizon + 1)

    @property
    def rows(self) -> int:
        """Number of rows without those of branches."""
        return len(self.types) + self.horizon * (1 + len(self.levels))

    @property
    def entries(self) -> int:
        """Number of nonzero coefficients, or slightly more."""
        return self.horizon * int((1 + self.types.outputs + self.windows.sum(axis=0)).sum())

    def column(self, k: int, t: int) -> int:
        """Return the number of the column of y[k,t]."""
        return k * (self.horizon + 1) + t

    def program(self) -> highspy.HighsLp:
        """Return the relaxation without branches."""
        import highspy

        types, horizon = len(self.types), self.horizon
        times = np.arange(horizon + 1)[:, None]
        lengths, places, values = [], [], []
        for k, request in enumerate(self.types.requests):
            ages = np.arange(1, request.output + 1)[None, :]
            groups = [(np.full_like(times, k), np.ones_like(times), times >= 0)]
            rounds = times + ages
            weights = np.broadcast_to(request.prompt + ages, rounds.shape)
            groups.append((types - 1 + rounds, weights, rounds <= horizon))
            for level, window in enumerate(self.windows[:, k].tolist()):
                at = times + np.arange(window)[None, :]
                first = types + horizon * (1 + level)
                groups.append((first + at, np.ones_like(at), at < horizon))
            row, value, there = (np.hstack(parts) for parts in zip(*groups, strict=True))
            lengths.append(there.sum(axis=1))
            places.append(row[there])
            values.append(value[there])
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.columns, self.rows
        lp.col_cost_ = (self.types.outputs[:, None] + np.arange(horizon + 1)).ravel().astype(float)
        lp.col_lower_ = np.zeros(self.columns)
        lp.col_upper_ = np.full(self.columns, highspy.kHighsInf)
        limits = [self.types.counts, np.full(horizon, self.instance.memory)]
        limits += [np.full(horizon, m) for m in self.levels]
        lp.row_upper_ = np.concatenate(limits).astype(float)
        lp.row_lower_ = np.where(np.arange(self.rows) < types, lp.row_upper_, -highspy.kHighsInf)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.concatenate(([0], np.cumsum(np.concatenate(lengths))))
        lp.a_matrix_.index_ = np.concatenate(places)
        lp.a_matrix_.value_ = np.concatenate(values).astype(float)
        return lp

    def branch_row(self, branch: Branch) -> tuple[float, IntArray, FloatArray]:
        """Return upper limit, columns and coefficients of the row of a branch."""
        columns = [
            np.arange(self.column(k, 0), self.column(k, min(u, self.horizon + 1)))
            for k, u in branch.until
        ]
        place = np.concatenate(columns)
        return float(branch.limit), place, np.full(len(place), float(branch.sign))

    def rounded(self, row_duals: FloatArray) -> Duals:
        """Round a solver's duals to multiples of 1 / scale.

        Parameters
        ----------
        row_duals
            Duals of the rows, those of branches last, shape (rows + branches,); at most 0
            for rows of the sense "at most" in a minimisation.  Wrong ones give bad bounds,
            never false ones.
        """
        finite = np.nan_to_num(-np.asarray(row_duals), nan=0.0, posinf=0.0, neginf=0.0)
        duals = np.rint(np.clip(finite, 0.0, LARGEST_DUAL) * self.scale).astype(np.int64)
        types, horizon = len(self.types), self.horizon
        memory = np.concatenate(([0], duals[types : types + horizon]))
        covers = duals[types + horizon : self.rows].reshape(len(self.levels), horizon)
        return Duals(memory, covers, tuple(duals[self.rows :].tolist()))

    def bound(self, duals: Duals, branches: Sequence[Branch] = ()) -> int:
        """Return the lower bound that duals prove under some branches, exactly (rounds).

        Parameters
        ----------
        duals
            The duals, those of the branches in the same order as `branches`.
        branches
            The branches, root first.
        """
        value, costs = self.reduced_costs(duals, branches)
        for count, least in zip(
            self.types.counts.tolist(), costs.min(axis=1).tolist(), strict=True
        ):
            value += count * int(least)
        return -(-value // self.scale)

    def reduced_costs(self, duals: Duals, branches: Sequence[Branch] = ()) -> tuple[int, Any]:
        """Return the Lagrangian of all rows but those of the types: constant and reduced costs.

        Parameters
        ----------
        duals
            The duals, those of the branches in the same order as `branches`.
        branches
            The branches, root first.

        Returns
        -------
        tuple
            The cost of no start at all, usually below 0, and of a start of each type at each
            time, shape (types, times), both in multiples of 1 / scale.  The times end with
            the last that meets a row; a later start costs no less than one there.
        """
        horizon, scale, memory = self.horizon, self.scale, self.instance.memory
        last = max([horizon, *(u for branch in branches for _, u in branch.until)])
        total = int(duals.memory.sum(dtype=object)) + int(duals.covers.sum(dtype=object))
        total += sum(duals.branch)
        # No number below exceeds this in size; where 64 bits are too few, Python's integers do.
        largest = (scale + 4 * total) * (last + memory)
        kind: Any = np.int64 if largest < 2**62 else object
        times = np.arange(last + 1)
        outputs = self.types.outputs[:, None]
        costs = (times + outputs).astype(kind) * scale
        by_round = np.zeros(last + 1, dtype=kind)
        by_round[: horizon + 1] = duals.memory
        sums, weighted = np.cumsum(by_round), np.cumsum(by_round * times.astype(kind))
        ends = np.minimum(times + outputs, last)
        ages = (self.types.prompts[:, None] - times).astype(kind)
        costs += ages * (sums[ends] - sums) + weighted[ends] - weighted
        value = -memory * int(sums[-1])
        for m, row, windows in zip(self.levels, duals.covers, self.windows, strict=True):
            steps = np.zeros(last + 1, dtype=kind)
            steps[1 : horizon + 1] = row
            sums = np.cumsum(steps)
            ends = np.minimum(times + windows[:, None], last)
            costs += sums[ends] - sums
            value -= m * int(sums[-1])
        for dual, branch in zip(duals.branch, branches, strict=True):
            value -= dual * branch.limit
            for k, u in branch.until:
                costs[k, :u] += branch.sign * dual
        return value, costs

    def leaf(self, duals: Duals) -> dict[str, Any]:
        """Return duals as a leaf of a certificate's tree, a JSON object."""
        rounds = np.flatnonzero(duals.memory)
        rows = [
            [m, u, int(row[u])]
            for m, row in zip(self.levels, duals.covers, strict=True)
            for u in np.flatnonzero(row).tolist()
        ]
        return {
            "memory": [[r, int(duals.memory[r])] for r in rounds.tolist()],
            "covers": rows,
            "branch": list(duals.branch),
        }

    def split(self, branch: Branch) -> dict[str, Any]:
        """Return the split that a branch belongs to as a node of a tree, a JSON object."""
        until = [(self.types.requests[k], u) for k, u in branch.until]
        return {"split": [[r.prompt, r.output, u] for r, u in until], "at_most": branch.at_most}


class TimeIndexed:
    """The stage of the time-indexed linear relaxation at the root, solved by HiGHS."""

    name = "linear-duals"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there are few types, and no finer relaxation has proved anything."""
        if any(map(state.proved, ("batch-state", "demand-duals", "blocks", "propagation"))):
            return False
        return len(state.types) <= state.params.time_indexed.most_types

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove the bound of its duals."""
        tree = root_duals(state.instance, stop, state.makespan, state.params.time_indexed)
        if tree is not None and tree.lower_bound > 0:  # less if HiGHS was broken off
            state.prove(Bound(tree.lower_bound, "linear-duals", tree.content()))


def root_duals(
    instance: Instance,
    stop: Stopping,
    horizon: int | None = None,
    params: TimeIndexedParams | None = None,
) -> DualTree | None:
    """Return the bound of the linear relaxation, proved by a tree of one leaf.

    Parameters
    ----------
    instance
        The instance.
    stop
        How long it may take.
    horizon
        Last round with a dual; by default the makespan of a pipeline schedule.
    params
        The tuning numbers.

    Returns
    -------
    DualTree or None
        None if the program is too large, or not solved in time.
    """
    params = params or TimeIndexedParams()
    if horizon is None:
        horizon = int((pipelined(instance) + instance.outputs).max())
    horizon = min(horizon, instance.total_output)
    program = TimeIndexedProgram(instance, horizon)
    if program.entries > params.second_level_entries:
        program = TimeIndexedProgram(instance, horizon, levels=(1,))
    if program.entries > params.most_entries or stop.over():
        return None
    from kvopt.solver.highs import quiet_highs, run_highs  # loads HiGHS

    highs = quiet_highs()
    # Presolve finds nothing here but empty rows, and does not stop: a minute for 4,000,000 entries.
    highs.setOptionValue("presolve", "off")
    highs.passModel(program.program())
    run_highs(highs, stop)
    row_duals = np.array(highs.getSolution().row_dual)
    if row_duals.shape != (program.rows,):
        return None
    duals = program.rounded(row_duals)
    return DualTree((program.leaf(duals),), program.scale, program.bound(duals))
