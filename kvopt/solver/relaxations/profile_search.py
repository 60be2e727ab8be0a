"""Search through memory profiles and the numbers that have started, bounded by costs-to-go.

The duals of the demands bound what a schedule still costs from a time and a profile on; a node is
a time, a profile, and how many requests of each type have started.  Those whose cost and
cost-to-go exceed a cutoff are left out, so it finds the cheapest schedule below the cutoff or
proves that there is none (derived: proofs/text/demand_duals.md, theorem 7).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.params import DemandDualParams
from kvopt.solver.primal.path_repair import Starts
from kvopt.solver.relaxations.demand_duals import SCALE, CheckCost, DemandDualRelaxation, Phase
from kvopt.solver.relaxations.profile_costs import CostsToGo, ProfileCosts

__all__ = ["FoundStarts", "ProfileSearch"]

NODE_SIZE = 620
"""Bytes of a node in the checker, if each has its own profile."""


class FoundStarts(NamedTuple):
    """What a search has found."""

    finished: bool
    """Whether it came to its end, with no node left out for its number."""
    starts: Starts | None
    """The starts of the cheapest schedule below the cutoff, or None."""
    cost: int
    """Its cost (rounds), or the cutoff."""
    nodes: int
    """How many nodes it kept."""
    to_check: CheckCost
    """What the checker takes for it, or a little more."""


class _Nodes(NamedTuple):
    """The nodes of one time."""

    profile: IntArray
    started: IntArray
    cost: IntArray


class _Passed(NamedTuple):
    """The nodes after a round, where from and by what group, and what it took."""

    nodes: _Nodes
    parent: NDArray[np.int32]
    group: IntArray
    all_kept: bool
    """Whether none was left out for its number."""
    edges: int
    """How many edges were looked at."""


class ProfileSearch:
    """Searches with some duals of the demands.

    Parameters
    ----------
    relaxation
        The relaxation, with all types in one block.
    duals
        The duals (1 / SCALE), shape (types,).
    slack
        No start may cost more than this (1 / SCALE).
    params
        The tuning numbers.

    Attributes
    ----------
    value
        The cost of the cheapest path and all duals together (1 / SCALE).
    """

    def __init__(
        self,
        relaxation: DemandDualRelaxation,
        duals: IntArray,
        slack: int,
        params: DemandDualParams,
    ) -> None:
        self.relaxation, self.duals, self.slack, self.params = relaxation, duals, slack, params
        self.place = np.concatenate([[1], np.cumprod(relaxation.demand[:-1] + 1)])
        self.value = relaxation.constant(duals)
        self.costs: ProfileCosts | None = None

    def prepare(self, stop: Stopping) -> bool:
        """Find the costs-to-go; tell whether there was room and time."""
        most = np.prod((self.relaxation.demand + 1).astype(float))
        found = self.relaxation.phases(self.duals + self.slack, stop)
        if most >= 1 << 62 or found is None or not found[0]:
            return False
        costs = ProfileCosts(self.relaxation, self.duals, found[0], self.params.most_kept)
        if not costs.fits or not costs.prepare(stop):
            return False
        self.costs, self.value = costs, self.value + costs.first
        return True

    def run(self, cutoff: int, stop: Stopping, width: int | None = None) -> FoundStarts:
        """Look for the cheapest schedule that costs less than a cutoff.

        Parameters
        ----------
        cutoff
            The cutoff (rounds), at most so large that no start may cost more than the slack.
        stop
            How long it may take.
        width
            Keep only so many of the most promising nodes of each time.
        """
        relaxation, params = self.relaxation, self.params
        assert self.costs is not None
        phases, constant = self.costs.phases, relaxation.constant(self.duals)
        below = SCALE * (cutoff - 1) - constant
        everyone = int((self.place * relaxation.demand).sum())
        nodes = _Nodes(*(np.zeros(1, dtype=np.int64) for _ in range(3)))
        taken: list[tuple[int, Phase, NDArray[np.int32], IntArray]] = []
        end: tuple[int, int] | None = None
        kept, steps, most, whole = 0, 0, 0, True

        def found_so_far(finished: bool) -> FoundStarts:
            to_check = CheckCost(steps, NODE_SIZE * most)
            return FoundStarts(finished, self._traced(taken, end), cutoff, kept, to_check)

        for number, phase in enumerate(phases):
            nodes = nodes._replace(profile=phase.graph.entry[nodes.profile].astype(np.int64))
            later = phases[number + 1] if number + 1 < len(phases) else None
            for t in range(phase.begin, phase.end + 1):
                to_go = self.costs.at(t + 1, stop)
                if to_go is None:
                    return found_so_far(False)
                passed = self._passed(nodes, phase, later, to_go, t, below, width)
                nodes, parent, group = passed.nodes, passed.parent, passed.group
                steps += 100 + 26 * passed.edges + 3 * len(phase.graph.groups)
                most = max(most, len(parent))
                whole &= passed.all_kept
                taken.append((t, phase, parent, group))
                kept += len(parent)
                if kept > params.search_nodes or len(parent) > params.time_nodes or stop.over():
                    return found_so_far(False)
                done = np.flatnonzero((nodes.started == everyone) & (nodes.cost <= below))
                if len(done):
                    i = int(done[nodes.cost[done].argmin()])
                    end, below = (len(taken) - 1, i), int(nodes.cost[i]) - 1
                    cutoff = (int(nodes.cost[i]) + constant) // SCALE
        return found_so_far(whole)

    def _passed(
        self,
        nodes: _Nodes,
        phase: Phase,
        later: Phase | None,
        to_go: CostsToGo,
        t: int,
        below: int,
        width: int | None,
    ) -> _Passed:
        """Return what a round leads to."""
        graph, demand, place = phase.graph, self.relaxation.demand, self.place
        degree = graph.first[nodes.profile + 1] - graph.first[nodes.profile]
        edges = int(degree.sum())
        parent = np.repeat(np.arange(len(degree)), degree)
        begins = np.repeat(graph.first[nodes.profile] - (np.cumsum(degree) - degree), degree)
        edge = begins + np.arange(edges)
        group, profile = graph.group[edge], graph.target[edge].astype(np.int64)
        cost = nodes.cost[parent]
        cost += (graph.groups @ self.relaxation.costs(self.duals, t, t + 1)[0])[group]
        entered = profile
        if later is not None and t == phase.end:
            entered = later.graph.entry[profile].astype(np.int64)
        bound = cost + to_go.of(entered)
        chosen = np.flatnonzero(bound <= below)
        parent, group = parent[chosen], group[chosen]
        before = nodes.started[parent, None] // place % (demand + 1)
        fits = (before + graph.groups[group] <= demand).all(axis=1)
        chosen, parent, group = chosen[fits], parent[fits], group[fits]
        started = nodes.started[parent] + (graph.groups @ place)[group]
        profile, cost, bound = profile[chosen], cost[chosen], bound[chosen]
        order = np.lexsort((cost, started, profile))
        first = np.ones(len(order), dtype=bool)
        first[1:] = np.diff(profile[order]) != 0
        first[1:] |= np.diff(started[order]) != 0
        order = order[first]
        few = width is None or len(order) <= width
        if width is not None and not few:
            order = order[np.sort(np.argpartition(bound[order], width)[:width])]
        found = _Nodes(profile[order], started[order], cost[order])
        return _Passed(found, parent[order].astype(np.int32), group[order], few, edges)

    def _traced(
        self,
        taken: list[tuple[int, Phase, NDArray[np.int32], IntArray]],
        end: tuple[int, int] | None,
    ) -> Starts | None:
        """Return the starts on the way to a node."""
        if end is None:
            return None
        step, i = end
        starts: Starts = []
        while step >= 0:
            t, phase, parent, group = taken[step]
            for k, n in enumerate(phase.graph.groups[group[i]].tolist()):
                starts += [(t, k)] * n
            i = int(parent[i])
            step -= 1
        return sorted(starts)
