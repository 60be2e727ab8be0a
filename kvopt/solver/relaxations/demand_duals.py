"""The demand-dual relaxation: memory is exact, the numbers of requests are relaxed.

A schedule is a path through the graph of profiles (`kvopt.solver.relaxations.profile_graph`)
that starts n_k requests of each type k.  If these demand rows get Lagrange multipliers w_k, the
demand duals, and any number of requests may be served, the cheapest path is found by a
recursion over time.  It bounds the cost of every schedule:

    cost  >=  sum over k of n_k w_k  +  min over paths of sum over starts of (completion - w_k)

(derived: proofs/text/demand_duals.md), and at the best duals the cheapest path serves nearly the
right numbers, often exactly: then it is an optimal schedule.  Otherwise it is repaired into a good
one (`kvopt.solver.primal.path_repair`).  When starts of a type no longer pay, a smaller graph
follows.  Several blocks of types are linked by duals of the memory rows
(`kvopt.solver.relaxations.blocks`).

Values are integers, multiples of 1 / SCALE of a round.  The best duals are sought in
`kvopt.solver.relaxations.demand_dual_ascent`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.params import DemandDualParams
from kvopt.solver.primal.path_repair import Started, Starts, repaired, served
from kvopt.solver.relaxations.blocks import LinkingDuals, Partition
from kvopt.solver.relaxations.demand_dual_kernel import Descend
from kvopt.solver.relaxations.fluid_duals import fluid_duals
from kvopt.solver.relaxations.profile_graph import ProfileGraph, profile_graph
from kvopt.solver.stage import refuse_releases

__all__ = ["SCALE", "CheckCost", "DemandDualRelaxation", "DualSolution", "Phase"]

SCALE = 1 << 12
"""Duals are multiples of 1 / SCALE."""

LARGEST = 1 << 62
"""No value may exceed this in size."""


LISTED = 60
"""Bytes of an integer in a list of the checker."""


class CheckCost(NamedTuple):
    """Steps and bytes that the checker takes."""

    steps: int
    size: int


class Phase(NamedTuple):
    """Times begin..end at which the same types may start, and pay.

    From time `drained` on, nothing else runs any more.
    """

    graph: ProfileGraph
    begin: int
    end: int
    drained: int

    def sections(self) -> Iterator[tuple[int, int, int]]:
        """Yield (nodes, low, high): up to which node values are needed at times low..high - 1.

        The last times come first.
        """
        drained = min(max(self.drained, self.begin), self.end + 1)
        yield self.graph.core, drained, self.end + 1
        yield len(self.graph.profiles), self.begin, drained

    @property
    def start_at_once(self) -> int:
        """The largest number of requests that start at one time."""
        return int(self.graph.groups.sum(axis=1).max())


@dataclass(frozen=True, slots=True)
class DualSolution:
    """Duals of the demand rows and of the memory that links blocks, and what they prove.

    Attributes
    ----------
    demand_duals
        Dual of the demand row of each type, in the order of `RequestTypes` (1 / SCALE);
        empty before the first ones.
    bound
        Lower bound that they prove (rounds).
    starts
        Starts of the best schedule that was met (rounds), shape (n,); None if there was none.
    blocks
        The types of each block.
    linking_duals
        Dual of the memory in round r at place r (1 / SCALE); empty if there is one block.
    slack, nodes
        If a search through profiles proves the bound: what a start may cost there (1 / SCALE), and
        how many nodes it keeps; else 0.
    checked
        Whether the checker takes no more than its usual budget.
    """

    demand_duals: tuple[int, ...]
    bound: int
    starts: IntArray | None
    blocks: Partition = ()
    linking_duals: tuple[int, ...] = ()
    slack: int = 0
    nodes: int = 0
    checked: bool = True

    @property
    def rule(self) -> str:
        """The name of the rule by which the bound holds."""
        return "demand-duals" if len(self.blocks) == 1 else "blocks"

    def content(self, instance: Instance) -> dict[str, Any]:
        """Return the object "proof" of a certificate of the bound.

        Parameters
        ----------
        instance
            The instance that the duals belong to.
        """
        types = instance.request_types()
        if len(self.blocks) == 1:
            rows = types.rows(self.demand_duals)
            found = {"slack": self.slack, "nodes": self.nodes} if self.nodes else {}
            return {"rule": "demand-duals", "scale": SCALE, "duals": rows, **found}
        requests = types.requests
        blocks = [[r.prompt, r.output, w] for r, w in zip(requests, self.demand_duals, strict=True)]
        return {
            "rule": "blocks",
            "scale": SCALE,
            "memory": [[r, dual] for r, dual in enumerate(self.linking_duals) if dual > 0],
            "blocks": [sorted(blocks[k] for k in block) for block in self.blocks],
        }


class DemandDualRelaxation:
    """The relaxation of one instance.

    Its duals are an array of integers, multiples of 1 / SCALE: first those of the demand rows
    of each type; then, if there are several blocks, the values of the linking duals at their
    knots.

    Parameters
    ----------
    instance
        The instance.
    descend
        The recursion, compiled or not.
    blocks
        The types of each block; by default one block has all.  Others are left out.
    fixed
        Requests of other types that have started before (one block only).
    params
        The tuning numbers.

    Attributes
    ----------
    demand
        How many requests of each type are to be served, shape (types,).
    descend
        The recursion.
    first_duals
        A first guess of the duals (1 / SCALE), shape (size,).
    units
        What counts as one round in each of them, shape (size,).
    """

    def __init__(
        self,
        instance: Instance,
        descend: Descend,
        blocks: Sequence[Sequence[int]] | None = None,
        fixed: Starts | None = None,
        params: DemandDualParams | None = None,
    ) -> None:
        refuse_releases(instance, "the graph of profiles")
        self.instance = instance
        self.types = types = instance.request_types()
        self.blocks: Partition = tuple(
            map(tuple, [range(len(types))] if blocks is None else blocks)
        )
        self.fixed = sorted(fixed or [])
        self.params = params or DemandDualParams()
        self.descend = descend
        own = [k for block in self.blocks for k in block]
        self.demand = np.zeros(len(types), dtype=np.int64)
        self.demand[own] = types.counts[own]
        seen = sorted({*own, *(k for _, k in self.fixed)})
        guess = np.zeros(len(types))
        guess[seen] = fluid_duals(
            [types.requests[k] for k in seen],
            types.counts[seen].tolist(),
            instance.memory,
            self.params.pipeline_share,
        )
        self.linking = LinkingDuals(types, self.blocks, guess, self.params)
        first = np.concatenate([guess, self.linking.first_values])
        self.first_duals: IntArray = np.rint(first * SCALE).astype(np.int64)
        self.units = np.ones(len(first))
        self.units[len(types) :] = self.linking.unit
        self._graphs: dict[Partition, ProfileGraph | None] = {}
        self._begin, self._drained, self._first = 0, 0, None
        if self.fixed:
            self._begin = self.fixed[-1][0]
            self._drained = max(t + int(types.outputs[k]) for t, k in self.fixed)
            self._first = self._profile_after_fixed()

    def _profile_after_fixed(self) -> NDArray[Any]:
        """Return the profile, as a row, when the last of the fixed requests has just started."""
        longest = int(self.types.outputs.max())
        profile = np.zeros((1, longest), dtype=np.min_scalar_type(2 * self.instance.memory))
        for t, k in self.fixed:
            age = self._begin - t
            to_go = int(self.types.outputs[k]) - age
            if to_go > 0:
                use = self.types.prompts[k] + age + 1 + np.arange(to_go)
                profile[0, :to_go] += use.astype(profile.dtype)
        return profile

    def demand_duals(self, duals: IntArray) -> IntArray:
        """Return the duals of the demand rows among all, shape (types,)."""
        return duals[: len(self.types)]

    def linking_duals(self, duals: IntArray) -> IntArray:
        """Return the dual of the memory in round r at place r, up to the last that is not 0."""
        return self.linking.by_round(duals[len(self.types) :])

    def costs(self, duals: IntArray, low: int, high: int) -> IntArray:
        """Return the cost of starts of each type at times low..high - 1, shape (times, types)."""
        starts = np.arange(low, high)[:, None]
        use = self.linking.use_costs(self.linking_duals(duals), starts)
        costs: IntArray = SCALE * (starts + self.types.outputs) - self.demand_duals(duals) + use
        return costs

    def last_starts(self, duals: IntArray) -> list[int]:
        """Return the last time at which a start of each type pays, or -1 if there is none."""
        rounds = len(self.linking_duals(duals))
        last = ((self.demand_duals(duals) - SCALE * self.types.outputs) // SCALE).tolist()
        pays = self.costs(duals, 0, rounds) <= 0
        return [
            t if t >= rounds else int(np.flatnonzero(column).max(initial=-1))
            for t, column in zip(last, pays.T, strict=True)
        ]

    def constant(self, duals: IntArray) -> int:
        """Return the part of the bound that no path changes (1 / SCALE)."""
        served = int((self.demand * self.demand_duals(duals)).sum())
        return served - self.instance.memory * int(self.linking_duals(duals).sum())

    def phases(self, duals: IntArray, stop: Stopping) -> list[list[Phase]] | None:
        """Return the phases of each block in which starts can pay.

        Parameters
        ----------
        duals
            The duals.
        stop
            How long it may take.

        Returns
        -------
        list of lists of Phase, or None
            None if there is no time, or no room.
        """
        last = self.last_starts(duals)
        found: list[list[Phase]] = []
        steps = choices = 0
        for block in self.blocks:
            phases: list[Phase] = []
            for phase in self._phases_of(block, last, stop):
                if phase is None:
                    return None
                for nodes, low, high in phase.sections():
                    steps += int(phase.graph.first[nodes]) * (high - low)
                    choices += nodes * (high - low)
                if steps > self.params.most_steps or choices > self.params.most_choices:
                    return None
                phases.append(phase)
            found.append(phases)
        most = max((phase.start_at_once for phases in found for phase in phases), default=0)
        return found if self._is_small(duals, max(last), most) else None

    def to_check(self, duals: IntArray, stop: Stopping, slack: int = 0) -> CheckCost | None:
        """Return what the checker takes with these duals, or a little more.

        Parameters
        ----------
        duals
            The duals.
        stop
            None is returned if it is over.
        slack
            What a start may cost (1 / SCALE); with more than 0 the checker keeps costs-to-go.
        """
        raised = duals.copy()
        self.demand_duals(raised)[:] += slack
        phases = self.phases(raised, stop)
        if phases is None:
            return None
        rounds = len(self.linking_duals(duals))
        steps = (rounds + 1) * (10 + 3 * (2 + len(self.types)))
        held = LISTED * rounds * (2 * len(self.types) + 14) if len(self.blocks) > 1 else 0
        most = 0
        last = self.last_starts(raised)
        for block, own in zip(self.blocks, phases, strict=True):
            longest = int(self.types.outputs[list(block)].max())
            bits = (self.instance.memory.bit_length() + 2) * longest
            long, before = 1 + bits // 1_000, 1
            for phase in own:
                chosen = [k for k in block if last[k] >= phase.end]
                graph, shortest = phase.graph, int(self.types.outputs[chosen].min())
                edges, profiles = len(graph.target), len(graph.profiles)
                steps += 4 * (len(block) + 1) * longest * (3 + bits // 1_000)
                steps += edges * (25 + 2 * (len(chosen) + shortest) * long)
                ranks = int(np.diff(graph.first).max()) + edges // 1_000
                each = 60 + len(chosen) * (3 + len(graph.groups)) + 10 * ranks
                for nodes, low, high in phase.sections():
                    row = 2 * int(graph.first[nodes]) + each + (2 * nodes if slack else 0)
                    steps += row * (high - low)
                    held += (4 * nodes + 320) * (high - low) if slack else 0
                choice = 200 + bits // 8 + 8 * len(chosen)
                held += 8 * (edges + profiles) + choice * len(graph.groups)
                building = (250 + bits // 8) * (profiles + before)
                building += choice * len(chosen) * (2 + phase.start_at_once)  # choices to be made
                most = max(most, building, 10 * edges + 240 * profiles + 400 * ranks)
                before = profiles
        return CheckCost(steps, held + most)

    def _phases_of(
        self, block: tuple[int, ...], last: list[int], stop: Stopping
    ) -> Iterator[Phase | None]:
        """Yield the phases of a block, first to last; None if a graph cannot be had."""
        sequence: Partition = ()
        begin, drained = self._begin, self._drained
        for end in sorted({last[k] for k in block if last[k] >= begin}):
            sequence = (*sequence, tuple(k for k in block if last[k] >= end))
            graph = self._graph(sequence, stop)
            yield None if graph is None else Phase(graph, begin, end, drained)
            ends = [end + int(self.types.outputs[k]) for k in block if last[k] == end]
            drained = max(drained, *ends)
            begin = end + 1

    def _is_small(self, duals: IntArray, last: int, at_once: int) -> bool:
        """Tell whether no sum of costs can exceed `LARGEST`."""
        tokens = self.instance.memory * int(self.linking_duals(duals).sum())
        size = abs(self.demand_duals(duals))
        each = SCALE * (last + 1 + int(self.types.outputs.max())) + int(size.max()) + tokens
        return (last + 1) * at_once * each + int((self.demand * size).sum()) + tokens <= LARGEST

    def _graph(self, sequence: Partition, stop: Stopping) -> ProfileGraph | None:
        """Return the graph of the last of some sets of types that follow each other."""
        if sequence not in self._graphs:
            before = self._first
            if len(sequence) > 1:
                earlier = self._graph(sequence[:-1], stop)
                if earlier is None:
                    return None
                before = earlier.profiles
            most = self.params.most_edges
            graph = profile_graph(self.instance, stop, sequence[-1], before, most)
            if graph is None and stop.over():
                return None
            self._graphs[sequence] = graph
        return self._graphs[sequence]

    def cheapest_paths(self, duals: IntArray, stop: Stopping) -> tuple[int, list[Started]] | None:
        """Return what the cheapest paths cost (1 / SCALE), and what they start, by time.

        Parameters
        ----------
        duals
            The duals.
        stop
            None is returned if it is over.
        """
        phases = self.phases(duals, stop)
        if phases is None:
            return None
        total, starts = 0, []
        for own in phases:
            found = self._cheapest_path(own, duals, stop)
            if found is None:
                return None
            total += found[0]
            starts += found[1]
        return total, sorted(starts)

    def _cheapest_path(
        self, phases: list[Phase], duals: IntArray, stop: Stopping
    ) -> tuple[int, list[Started]] | None:
        """Return cost and starts of the cheapest path through the graphs of some phases."""
        if not phases:
            return 0, []
        kept: list[tuple[Phase, int, NDArray[Any]]] = []  # phase, first time, choices
        values = np.zeros(len(phases[-1].graph.profiles), dtype=np.int64)
        for number in range(len(phases) - 1, -1, -1):
            if number + 1 < len(phases):
                values = values[phases[number + 1].graph.entry]
            pieces = self._pass_phase(phases[number], duals, values, stop)
            if pieces is None:
                return None
            kept += pieces
        return int(values[phases[0].graph.entry[0]]), _followed(kept[::-1])

    def _pass_phase(
        self, phase: Phase, duals: IntArray, values: IntArray, stop: Stopping
    ) -> list[tuple[Phase, int, NDArray[Any]]] | None:
        """Change costs-to-go after a phase into those at its begin, in place.

        Returns
        -------
        list of tuples, or None
            Phase, first time and choices of each piece, the last times first; None if `stop`
            is over.
        """
        graph = phase.graph
        kind: Any = np.uint8 if np.diff(graph.first).max() < 1 << 8 else np.uint32
        pieces = []
        for nodes, low, high in phase.sections():
            if high <= phase.end:  # the others cannot be met at `high`, and tell if they are
                values[graph.core :] = -LARGEST
            edges = int(graph.first[nodes])
            length = max(1, 100_000_000 // edges)  # about a second between looks at the limit
            other = np.zeros(nodes, dtype=np.int64)
            arrays = (graph.first[: nodes + 1], graph.target[:edges], graph.group[:edges])
            for end in range(high, low, -length):
                if stop.over():
                    return None
                begin = max(low, end - length)
                choices = np.zeros((end - begin, nodes), dtype=kind)
                costs = self.costs(duals, begin, end)
                self.descend(*arrays, graph.groups, costs, values[:nodes], other, choices)
                pieces.append((phase, begin, choices))
        return pieces

    def supergradient(self, path: list[Started]) -> FloatArray:
        """Return how the bound changes with each dual: what is missing, of requests and use."""
        runs = [(t, np.array(group)) for t, group in path]
        use = self.linking.supergradient(runs, self.instance.memory)
        return np.concatenate([self.demand - self.served(path), use])

    def served(self, path: list[Started]) -> IntArray:
        """Return how many requests of each type a path serves, shape (types,)."""
        return served(path, len(self.types))

    def repaired(self, path: list[Started]) -> Starts:
        """Return a path as starts that fit and serve the right numbers; see `path_repair`."""
        return repaired(self.instance, path, self.demand, self.fixed)


def _followed(pieces: list[tuple[Phase, int, NDArray[Any]]]) -> list[Started]:
    """Return what the path starts that follows the choices, pieces by time."""
    phase = pieces[0][0]
    node, path = int(phase.graph.entry[0]), []
    for own, low, choices in pieces:
        graph = own.graph
        if own is not phase:
            node, phase = int(graph.entry[node]), own
        for t, row in enumerate(choices, start=low):
            edge = int(graph.first[node]) + int(row[node])
            if row[node]:
                path.append(Started(t, tuple(graph.groups[graph.group[edge]].tolist())))
            node = int(graph.target[edge])
    return path
