"""An exact search through time: all choices of starts, less what bounds and dominance leave out.

The nodes are those of the beam search (`kvopt.solver.releases.beam`), which are left out
where another one can do all that they can for no more (proofs/text/release_times.md, lemma 8),
or where a bound shows that they lead to nothing below the cutoff.  The bounds are costs-to-go of
batch states (theorem 9).  Duals that are good for the whole are not for what is left later, so
from time to time new ones are found, for a node that is in the middle then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.dual_ascent.bundle import Bundle
from kvopt.solver.params import BundleParams, ReleaseExactParams
from kvopt.solver.relaxations.batch_state.costs_to_go import CostsToGo
from kvopt.solver.relaxations.batch_state.search import Found
from kvopt.solver.releases.beam import Beam, BeamTools
from kvopt.solver.releases.beam_kernel import BEAM_KERNEL
from kvopt.solver.releases.exact_kernel import (
    EXACT_KERNEL,
    ExactFunctions,
    InTable,
    Runs,
    make_runs,
    taken_runs,
)
from kvopt.solver.releases.node_arrays import Nodes
from kvopt.solver.result import Bound
from kvopt.solver.stage import Incumbent

__all__ = ["ExactSearch", "search_starts"]


class _Prices(NamedTuple):
    """Duals, and the costs-to-go that they give, from some time on."""

    begin: int
    costs: CostsToGo
    duals: int
    saved: IntArray


def search_starts(state: Incumbent, costs: CostsToGo, bound: int, stop: Stopping) -> None:
    """Close the bracket by exact searches, or raise the lower end.

    Parameters
    ----------
    state
        The incumbent.
    costs
        The costs-to-go at the best duals for the whole.
    bound
        What they prove (rounds).
    stop
        How long it may take.
    """
    params = state.params.release_exact
    tools = BeamTools(BEAM_KERNEL.compiled(stop), state.params.release_beam)
    functions = EXACT_KERNEL.compiled(stop)
    search = ExactSearch(costs, tools, functions, params, state.params.bundle)
    proved, cutoff = bound, state.objective
    failed = cutoff + 1  # the least cutoff up to which a search has not come to its end
    for _ in range(params.searches):
        found = search.run(cutoff, stop.part(params.share * stop.left()))
        if found.starts is not None:
            state.offer(found.starts)
        if found.finished:
            proved = min(cutoff, state.objective)
            state.prove(Bound(proved, "dominance", search.content(found.nodes)))
        else:
            failed = min(cutoff, state.objective)
        cutoff = (proved + failed) // 2
        if cutoff <= proved or proved == state.objective or stop.over():
            break


class ExactSearch:
    """Searches for one instance; they share the duals that they find.

    Parameters
    ----------
    costs
        The costs-to-go at the best duals for the whole.
    tools
        The functions of the beam search, and its tuning numbers.
    functions
        Those of this search.
    params
        The tuning numbers.
    bundle
        Those of the bundle method.
    """

    def __init__(
        self,
        costs: CostsToGo,
        tools: BeamTools,
        functions: ExactFunctions,
        params: ReleaseExactParams | None = None,
        bundle: BundleParams | None = None,
    ) -> None:
        self.instance = costs.states.instance
        every = replace(tools.params, most_choices=1 << 62)
        self.costs, self.tools, self.functions = costs, tools._replace(params=every), functions
        self.params = params or ReleaseExactParams()
        self.bundle = bundle
        self.beam = Beam(self.instance, 1, self.tools)
        states, queues = costs.states, self.beam.queues
        distinct = sorted(set(queues.prompt.tolist()))
        row = np.searchsorted(distinct, queues.prompt)
        lengths = zip(queues.prompt.tolist(), queues.output.tolist(), strict=True)
        shapes = np.array([states.shapes.number_of(s, o) for s, o in lengths])
        self.places = InTable(row, shapes)
        self.at_once = int(states.table.running.max()) + 1
        self.type_of = states.types.index[self.beam.order]
        self.names = np.random.default_rng(0).integers(1 << 40, size=len(queues.counts))
        self.steps = 0
        self.prices = [self._priced(0, costs)]

    def content(self, nodes: int) -> dict[str, Any]:
        """Return the object "proof" of a certificate.

        Parameters
        ----------
        nodes
            How many nodes the search kept; the checker may need somewhat more.
        """
        types = self.costs.states.types
        return {
            "rule": "dominance",
            "scale": self.costs.scale,
            "horizon": self.costs.horizon,
            "duals": [
                {"from": one.begin, "duals": types.rows(one.costs.duals.tolist())}
                for one in self.prices
            ],
            "nodes": 2 * nodes + self.params.more_nodes,
            "usable": 1,
        }

    def run(self, cutoff: int, stop: Stopping) -> Found:
        """Look for the cheapest schedule that costs less than a cutoff.

        Parameters
        ----------
        cutoff
            Only schedules count whose total latency is less than this (rounds).
        stop
            How long it may take.
        """
        less = self.instance.total_output - self.instance.total_release
        beam = Beam(self.instance, self.params.most_nodes, self.tools, cutoff - less)
        runs, total = make_runs(1, len(beam.queues.counts), self.at_once), 0
        compared = 0  # pairs of different sets of those who wait
        while beam.size:
            steps = self.steps + self.params.node_steps * total + 3 * compared // 4
            if stop.over() or steps > self.params.checked_steps:
                return Found(False, None, total)
            before = beam.nodes
            nodes, size = beam.grown()
            if size > self.params.most_nodes:
                return Found(False, None, total)
            following = make_runs(size, len(beam.queues.counts), self.at_once)
            args = (beam.queues, self.places, beam.now, before, runs, nodes, size)
            self.functions.follow_runs(self.costs.states.table, *args, following)
            bounds = self._bounds(beam, nodes, following, size, stop)
            there = np.flatnonzero(bounds <= self._limit(beam))
            sets = len(np.unique(nodes.begun[there] @ self.names))
            if sets > self.params.most_sets:
                return Found(False, None, total)
            compared += sets * sets
            kept = beam.keep(nodes, there, beam.least_starts(nodes, there))
            runs = taken_runs(following, kept)
            total += len(kept)
            stop.count(len(kept))
        return Found(True, beam.trace(), total)

    def _bounds(self, beam: Beam, nodes: Nodes, runs: Runs, size: int, stop: Stopping) -> IntArray:
        """Return what schedules cost at least that go on from nodes, shape (size,)."""
        bounds = np.full(size, -(1 << 62), dtype=np.int64)
        for prices in [one for one in self.prices if one.begin <= beam.now][-2:]:
            self._raise(prices, beam.now, runs, size, bounds)
        last = self.prices[-1].begin
        if size and beam.now >= last + self._stretch(beam) and not stop.over():
            there = np.flatnonzero(bounds <= self._limit(beam))
            steps, most = self._steps(beam.now), self.params.checked_steps
            cheap = steps <= self.params.set_share * most and 2 * (self.steps + steps) <= most
            if cheap and len(there) >= self.params.retuned_nodes:
                middle = there[np.argsort(bounds[there], kind="stable")[len(there) // 2]]
                self.prices.append(self._retuned(beam.now, runs, int(middle), stop))
                self._raise(self.prices[-1], beam.now, runs, size, bounds)
        return bounds

    def _limit(self, beam: Beam) -> int:
        """Return what a schedule below the cutoff may cost (multiples of 1 / scale rounds)."""
        return self.costs.scale * (beam.cutoff - 1 + self.instance.total_output)

    def _steps(self, begin: int) -> int:
        """Return about what costs-to-go from a time on take the checker (steps)."""
        table = self.costs.states.table
        for_each = 4 * len(table.aged) + len(table.completed)
        return (self.costs.horizon - begin) * for_each

    def _stretch(self, beam: Beam) -> int:
        return max(1, self.costs.horizon // self.params.retunings)

    def _raise(self, prices: _Prices, now: int, runs: Runs, size: int, bounds: IntArray) -> None:
        costs = prices.costs
        row = costs.values[min(now, costs.horizon)]
        args = (costs.scale, prices.duals, prices.saved, row, runs, size, bounds)
        self.functions.raise_bounds(*args)

    def _priced(self, begin: int, costs: CostsToGo) -> _Prices:
        """Return costs-to-go with what a bound needs; they count as steps of the checker."""
        self.steps += self._steps(begin)
        queues = self.beam.queues
        own = costs.duals[self.type_of]
        saved = np.zeros((len(queues.counts), int(queues.counts.max()) + 1), dtype=np.int64)
        for k, (first, count) in enumerate(
            zip(self.beam.begins.tolist(), queues.counts.tolist(), strict=True)
        ):
            saved[k, 1 : count + 1] = np.cumsum(own[first : first + count])
        return _Prices(begin, costs, int(own.sum()), saved)

    def _retuned(self, now: int, runs: Runs, i: int, stop: Stopping) -> _Prices:
        """Return duals for what is left at a node, and their costs-to-go."""
        last = self.prices[-1].costs
        costs = CostsToGo(last.states, last.horizon, last.functions, last.scale)
        left = np.zeros(len(costs.duals), dtype=np.int64)
        for k, done in enumerate(runs.completed[i].tolist()):
            first, count = int(self.beam.begins[k]), int(self.beam.queues.counts[k])
            np.add.at(left, self.type_of[first + done : first + count], 1)
        climb = _Climb(costs, now, int(runs.state[i]), left, self.bundle)
        part = stop.part(self.params.retuning_share * stop.left())
        climb.run(last.duals, self.params.steps, part)
        return self._priced(now, costs)


class _Climb:
    """Looking for good duals of what is left at a time and batch state."""

    def __init__(
        self,
        costs: CostsToGo,
        now: int,
        state: int,
        left: IntArray,
        bundle: BundleParams | None,
    ) -> None:
        self.costs = costs
        self.now, self.state, self.left = now, state, left
        self.bundle = Bundle(bundle)

    def run(self, duals: IntArray, steps: int, stop: Stopping) -> None:
        """Take steps of the bundle method; the costs-to-go end up as those of the best duals."""
        value = self.look(duals)
        best = self.costs.duals.copy()
        self.bundle.move(best / self.costs.scale, value)
        for _ in range(steps):
            if stop.over() or (y := self.bundle.proposal()) is None:
                break
            value = self.look(np.rint(y * self.costs.scale).astype(np.int64))
            if self.bundle.judge(self.costs.duals / self.costs.scale, value):
                best = self.costs.duals.copy()
        self.costs.settle_from(best, self.now)

    def look(self, duals: IntArray) -> float:
        """Return the bound that duals prove on what is left (rounds), and add its plane."""
        costs = self.costs
        if not costs.settle_from(duals, self.now):
            return -np.inf
        value = int(costs.values[self.now, self.state]) + int((self.left * costs.duals).sum())
        done = costs.completions(self.now, self.state)
        slope: FloatArray = (self.left - done).astype(np.float64)
        self.bundle.add(costs.duals / costs.scale, value / costs.scale, slope)
        return value / costs.scale
