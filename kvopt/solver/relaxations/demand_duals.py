"""Bounds and schedules for many requests of few types: the memory is exact, counts are priced.

A schedule is a way through the graph of profiles (`kvopt.solver.relaxations.profile_graph`).
When a start of a type no longer pays, a smaller graph follows.  If every completion
of type k is worth a price w_k, and any number of requests of any type may be served, the best way
through the graph is found round by round.  It bounds the cost of every schedule:

    cost  >=  sum over k of n_k w_k  +  min over ways of sum over runs of (completion - w_k)

(proofs/worth.md), and at the best prices the best way serves nearly the right numbers,
often exactly: then it is an optimal schedule.  Otherwise it is mended into a good one.

Where even few types have too many profiles, they are divided into parts.  Each part has the
whole memory to itself, and a graph of its own; that together they may not use more is priced,
too: every token in use in round r costs q_r, and M q_r is paid back.

Values are integers, multiples of 1 / SCALE of a round.  The best prices are looked for in
`kvopt.solver.relaxations.demand_dual_search`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.stopping import Stopping
from kvopt.solver.compiling import jitted, working
from kvopt.solver.primal.list_schedules import fluid_worth
from kvopt.solver.relaxations.aggregate_state_kernel import FloatArray
from kvopt.solver.relaxations.profile_graph import EDGES, ProfileGraph, profile_graph

__all__ = [
    "SCALE",
    "Started",
    "Starts",
    "Worth",
    "WorthRelaxation",
    "compiled",
    "descend",
    "descend_by_arrays",
    "start_times",
]

SCALE = 1 << 12
"""Prices are multiples of 1 / SCALE."""

STEPS = 4_000_000_000
"""Most edges of all graphs together, times the rounds for which they are needed."""

CHOICES = 1_500_000_000
"""Most choices to keep, one for each node and time: nearly always a byte each."""

LARGEST = 1 << 62
"""No value may exceed this in size."""

KNOTS, PRICED = 8, 1.25
"""Prices of memory are linear between so many times, of which more are early, and 0 from that
multiple on of the time up to which a type of a part that is not the last may pay."""


class Started(NamedTuple):
    """What starts at a time: how many of each type of the instance."""

    time: int
    group: tuple[int, ...]


Starts = list[tuple[int, int]]
"""Time and type of each start."""


class Phase(NamedTuple):
    """Times begin..end at which the same types may start, and pay.

    From time `drained` on, nothing else runs any more.
    """

    graph: ProfileGraph
    begin: int
    end: int
    drained: int

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """Yield (nodes, low, high): up to which node values are needed at times low..high - 1.

        The last times come first.
        """
        drained = min(max(self.drained, self.begin), self.end + 1)
        yield self.graph.core, drained, self.end + 1
        yield len(self.graph.profiles), self.begin, drained


@dataclass(frozen=True, slots=True)
class Worth:
    """Prices of completions and of memory, and what they tell.

    Attributes
    ----------
    worth
        Price of a completion of each type in the order of `Instance.types`, multiples of
        1 / SCALE; empty before the first prices.
    bound
        Lower bound that they prove (rounds).
    starts
        Starts of the best schedule that was met (rounds), shape (n,); None if there was none.
    parts
        The types of each part.
    memory
        Price of a token in round r at place r, multiples of 1 / SCALE; empty if there is one
        part.
    """

    worth: tuple[int, ...]
    bound: int
    starts: IntArray | None
    parts: tuple[tuple[int, ...], ...] = ()
    memory: tuple[int, ...] = ()

    def content(self, instance: Instance) -> dict[str, Any]:
        """Return the object "proof" of a certificate of the bound.

        Parameters
        ----------
        instance
            The instance that the prices belong to.
        """
        requests = instance.request_types().requests
        rows = [[r.prompt, r.output, w] for r, w in zip(requests, self.worth, strict=True)]
        if len(self.parts) == 1:
            return {"rule": "demand-duals", "scale": SCALE, "duals": sorted(rows)}
        return {
            "rule": "blocks",
            "scale": SCALE,
            "memory": [[r, price] for r, price in enumerate(self.memory) if price > 0],
            "blocks": [sorted(rows[k] for k in part) for part in self.parts],
        }


def descend(
    first: IntArray,
    target: NDArray[np.int32],
    group: NDArray[np.int32],
    groups: IntArray,
    costs: IntArray,
    values: IntArray,
    other: IntArray,
    choices: IntArray,
) -> None:
    """Go back one time for each row of `choices`, starting from the last.

    Parameters
    ----------
    first, target, group, groups
        The graph.
    costs
        Cost of a start of each type at each of the times, shape (times, types).
    values
        Cost of the cheapest way on from each node, at first after the last time; changed in
        place.
    other
        Room, like `values`.
    choices
        Number of the best edge of each node among its own, the first of equals, shape
        (times, nodes); filled in.
    """
    now = np.zeros(groups.shape[0], np.int64)
    for row in range(choices.shape[0] - 1, -1, -1):
        for g in range(groups.shape[0]):
            now[g] = 0
            for k in range(groups.shape[1]):
                now[g] += groups[g, k] * costs[row, k]
        for x in range(values.shape[0]):
            begin = first[x]
            best = values[target[begin]]
            choice = 0
            for e in range(begin + 1, first[x + 1]):
                value = values[target[e]] + now[group[e]]
                if value < best:
                    best = value
                    choice = e - begin
            other[x] = best
            choices[row, x] = choice
        values[:] = other


def descend_by_arrays(
    first: IntArray,
    target: NDArray[np.int32],
    group: NDArray[np.int32],
    groups: IntArray,
    costs: IntArray,
    values: IntArray,
    other: IntArray,
    choices: IntArray,
) -> None:
    """Do the same as `descend` by array operations."""
    begins, degrees = first[:-1], np.diff(first)
    numbers = np.arange(len(target)) - np.repeat(begins, degrees)
    for now, row in zip(costs[::-1], choices[::-1], strict=True):
        through = values[target] + (groups @ now)[group]
        np.minimum.reduceat(through, begins, out=other)
        others = np.where(through == np.repeat(other, degrees), numbers, len(target))
        row[:] = np.minimum.reduceat(others, begins)
        values[:] = other


@functools.cache
def compiled() -> Callable[..., None]:
    """Return `descend` compiled, or None if numba is not there or fails."""

    def build(cache: bool) -> Callable[..., None]:
        function: Callable[..., None] = jitted([descend], globals(), lambda _: {"cache": cache})[
            "descend"
        ]
        return function

    found: Callable[..., None] = working(build)
    return found


class WorthRelaxation:
    """The relaxation of one instance.

    Its prices are an array of integers, multiples of 1 / SCALE: first the worth of each type;
    then, if there are several parts, of a token in use at each of the `knots`, between which they
    are linear.

    Parameters
    ----------
    instance
        The instance.
    function
        `descend`, compiled or not, or `descend_by_arrays`.
    parts
        The types of each part; by default one part has all.  Others are left out.
    fixed
        Requests of other types that have started before (one part only).
    """

    def __init__(
        self,
        instance: Instance,
        function: Callable[..., None],
        parts: Sequence[Sequence[int]] | None = None,
        fixed: Starts | None = None,
    ) -> None:
        types = instance.types()
        self.instance = instance
        self.function = function
        self.parts = tuple(map(tuple, [range(len(types))] if parts is None else parts))
        self.fixed = sorted(fixed or [])
        counts = [n for _, n in types]
        own = [k for part in self.parts for k in part]
        self.counts = np.array([n if k in own else 0 for k, n in enumerate(counts)], dtype=np.int64)
        self.prompts = np.array([r.prompt for r, _ in types], dtype=np.int64)
        self.outputs = np.array([r.output for r, _ in types], dtype=np.int64)
        seen = sorted({*own, *(k for _, k in self.fixed)})
        worth = np.zeros(len(types))
        worth[seen] = fluid_worth(
            [types[k][0] for k in seen], [counts[k] for k in seen], instance.memory
        )
        areas = np.array([r.area for r, _ in types])
        # Who may start in a part before the last should not pay long after it has, so a token
        # then costs what makes up for waiting.
        early = [k for part in self.parts[:-1] for k in part]
        pays = np.maximum(1.0, (worth - self.outputs)[early])
        self.knots = np.zeros(1)
        if early:
            self.knots = PRICED * pays.max() * np.linspace(0, 1, KNOTS + 1) ** 2
        most = (pays[:, None] - self.knots[:-1]) / areas[early, None] if early else np.zeros((1, 0))
        tokens = np.maximum(0.0, most.max(axis=0))
        self.first_prices = np.rint(np.concatenate([worth, tokens]) * SCALE).astype(np.int64)
        self.units = np.concatenate([np.ones(len(types)), np.full(len(tokens), 1 / areas.min())])
        rounds = np.arange(int(self.knots[-1]) + 1)
        each = np.eye(KNOTS + 1)[: len(tokens)]
        self._tents = np.array([np.interp(rounds, self.knots, one) for one in each])
        self._graphs: dict[tuple[tuple[int, ...], ...], ProfileGraph | None] = {}
        self._begin, self._drained, self._first = 0, 0, None
        if self.fixed:
            self._begin = self.fixed[-1][0]
            self._drained = max(t + int(self.outputs[k]) for t, k in self.fixed)
            self._first = self._profile_after_fixed()

    def _profile_after_fixed(self) -> NDArray[Any]:
        """Return the profile, as a row, when the last of the fixed requests has just started."""
        memory = self.instance.memory
        profile = np.zeros((1, int(self.outputs.max())), dtype=np.min_scalar_type(2 * memory))
        for t, k in self.fixed:
            age = self._begin - t
            left = int(self.outputs[k]) - age
            if left > 0:
                profile[0, :left] += (self.prompts[k] + age + 1 + np.arange(left)).astype(
                    profile.dtype
                )
        return profile

    def memory_prices(self, prices: IntArray) -> IntArray:
        """Return the price of a token in round r at place r, up to the last round with one."""
        tokens = prices[len(self.counts) :]
        if not len(tokens):
            return np.zeros(1, dtype=np.int64)
        by_round: IntArray = np.floor(tokens @ self._tents).astype(np.int64)
        by_round[0] = 0
        return by_round

    def costs(self, prices: IntArray, low: int, high: int) -> IntArray:
        """Return what a start of each type costs at times low..high - 1, shape (times, types)."""
        by_round = self.memory_prices(prices)
        sums, weighted = np.cumsum(by_round), np.cumsum(by_round * np.arange(len(by_round)))
        starts = np.arange(low, high)[:, None]
        a = np.minimum(starts, len(by_round) - 1)
        b = np.minimum(starts + self.outputs, len(by_round) - 1)
        use = (self.prompts - starts) * (sums[b] - sums[a]) + weighted[b] - weighted[a]
        found: IntArray = SCALE * (starts + self.outputs) - prices[: len(self.counts)] + use
        return found

    def last_starts(self, prices: IntArray) -> list[int]:
        """Return the last time at which a start of each type pays, or -1 if there is none."""
        rounds = len(self.memory_prices(prices))
        last = ((prices[: len(self.counts)] - SCALE * self.outputs) // SCALE).tolist()
        pays = self.costs(prices, 0, rounds) <= 0
        return [
            t if t >= rounds else int(np.flatnonzero(column).max(initial=-1))
            for t, column in zip(last, pays.T, strict=True)
        ]

    def constant(self, prices: IntArray) -> int:
        """Return what is paid in any case (1 / SCALE)."""
        served = int((self.counts * prices[: len(self.counts)]).sum())
        return served - self.instance.memory * int(self.memory_prices(prices).sum())

    def phases(self, prices: IntArray, stop: Stopping) -> list[list[Phase]] | None:
        """Return the phases of each part in which starts can pay.

        Parameters
        ----------
        prices
            The prices.
        stop
            How long it may take.

        Returns
        -------
        list of lists of Phase, or None
            None if there is no time, or no room.
        """
        last = self.last_starts(prices)
        found: list[list[Phase]] = []
        steps = room = most = 0
        for part in self.parts:
            phases: list[Phase] = []
            path: tuple[tuple[int, ...], ...] = ()
            begin, drained = self._begin, self._drained
            for end in sorted({last[k] for k in part if last[k] >= begin}):
                path = (*path, tuple(k for k in part if last[k] >= end))
                graph = self._graph(path, stop)
                if graph is None:
                    return None
                phase = Phase(graph, begin, end, drained)
                for nodes, low, high in phase.parts():
                    steps += int(phase.graph.first[nodes]) * (high - low)
                    room += nodes * (high - low)
                if steps > STEPS or room > CHOICES:
                    return None
                most = max(most, int(graph.groups.sum(axis=1).max()))
                for k in part:
                    drained = max(drained, end + int(self.outputs[k]) if last[k] == end else 0)
                phases.append(phase)
                begin = end + 1
            found.append(phases)
        tokens = self.instance.memory * int(self.memory_prices(prices).sum())
        worth = abs(prices[: len(self.counts)])
        each = SCALE * (max(last) + 1 + int(self.outputs.max())) + int(worth.max()) + tokens
        own = int((self.counts * worth).sum()) + tokens
        return found if (max(last) + 1) * most * each + own <= LARGEST else None

    def _graph(self, path: tuple[tuple[int, ...], ...], stop: Stopping) -> ProfileGraph | None:
        """Return the graph of the last types of a path, after those before them."""
        if path not in self._graphs:
            before = self._first
            if len(path) > 1:
                earlier = self._graph(path[:-1], stop)
                if earlier is None:
                    return None
                before = earlier.profiles
            graph = profile_graph(self.instance, stop, EDGES, path[-1], before)
            if graph is None and stop.over():
                return None
            self._graphs[path] = graph
        return self._graphs[path]

    def best_way(self, prices: IntArray, stop: Stopping) -> tuple[int, list[Started]] | None:
        """Return what the cheapest ways cost (1 / SCALE), and what they start, by time.

        Parameters
        ----------
        prices
            The prices.
        stop
            None is returned if it is over.
        """
        phases = self.phases(prices, stop)
        if phases is None:
            return None
        total, ways = 0, []
        for part in phases:
            found = self._best_way_of(part, prices, stop)
            if found is None:
                return None
            total += found[0]
            ways += found[1]
        return total, sorted(ways)

    def _best_way_of(
        self, phases: list[Phase], prices: IntArray, stop: Stopping
    ) -> tuple[int, list[Started]] | None:
        kept: list[tuple[Phase, int, IntArray]] = []  # phase, first time, choices
        values = np.zeros(len(phases[-1].graph.profiles) if phases else 1, dtype=np.int64)
        for number in range(len(phases) - 1, -1, -1):
            phase = phases[number]
            graph = phase.graph
            kind: Any = np.uint8 if np.diff(graph.first).max() < 1 << 8 else np.uint32
            if number + 1 < len(phases):
                values = values[phases[number + 1].graph.entry]
            for nodes, low, high in phase.parts():
                if high <= phase.end:  # the others cannot be met at `high`, and tell if they are
                    values[graph.core :] = -LARGEST
                edges = int(graph.first[nodes])
                piece = max(1, 100_000_000 // edges)  # about a second
                part = values[:nodes]
                other = np.zeros(nodes, dtype=np.int64)
                arrays = (graph.first[: nodes + 1], graph.target[:edges], graph.group[:edges])
                for end in range(high, low, -piece):
                    if stop.over():
                        return None
                    begin = max(low, end - piece)
                    choices = np.zeros((end - begin, nodes), dtype=kind)
                    costs = self.costs(prices, begin, end)
                    self.function(*arrays, graph.groups, costs, part, other, choices)
                    kept.append((phase, begin, choices))
        first = node = int(phases[0].graph.entry[0]) if phases else 0
        now, way = phases[0] if phases else None, []
        for phase, low, choices in reversed(kept):
            graph = phase.graph
            if phase is not now:
                node, now = int(graph.entry[node]), phase
            for t, row in enumerate(choices, start=low):
                edge = int(graph.first[node]) + int(row[node])
                if row[node]:
                    way.append(Started(t, tuple(graph.groups[graph.group[edge]].tolist())))
                node = int(graph.target[edge])
        return int(values[first]), way

    def slope(self, way: list[Started]) -> FloatArray:
        """Return how the bound changes with each price: what is missing, of requests and use."""
        use = np.zeros(self._tents.shape[1] if len(self._tents) else 0)
        for t, group in way:
            for k in np.flatnonzero(group).tolist():
                ages = np.arange(1, min(int(self.outputs[k]), len(use) - 1 - t) + 1)
                use[t + ages] += group[k] * (self.prompts[k] + ages)
        use[1:] -= self.instance.memory
        tokens = self._tents @ use if len(use) else use
        return np.concatenate([self.counts - self.served(way), tokens])

    def served(self, way: list[Started]) -> IntArray:
        """Return how many requests of each type a way serves, shape (types,)."""
        return sum((np.array(group) for _, group in way), start=0 * self.counts)

    def placed(self, way: list[Started]) -> Starts:
        """Make a way into starts that fit: without the last in excess, with the missing added.

        The missing start after the last of their type, or after all, whatever is better.  What
        does not fit, as parts know nothing of each other, starts later.

        Parameters
        ----------
        way
            What it starts, by time.

        Returns
        -------
        list of pairs
            Time and type of each start, with the fixed ones.
        """
        times: list[list[int]] = [[] for _ in self.counts]
        for t, group in way:
            for k in np.flatnonzero(group).tolist():
                times[k] += [t] * int(group[k])
        end = max((t for t, _ in way), default=self._begin)
        found = []
        for last in ([end] * len(times), [max(own, default=end) for own in times]):
            order = [(t, 0, k) for t, k in self.fixed]
            for k, count in enumerate(self.counts.tolist()):
                own = times[k][:count]
                order += [(t, 1, k) for t in own] + [(last[k], 2, k)] * (count - len(own))
            found.append(self._fitted([(t, k) for t, _, k in sorted(order)]))
        return min(found, key=self.burden)

    def _fitted(self, order: Starts) -> Starts:
        """Return starts at these times or later, so that they fit; the first ones come first."""
        profile = LiveProfile(self.instance.memory)
        found = []
        for t, k in order:
            s, o = int(self.prompts[k]), int(self.outputs[k])
            start = profile.earliest_start(s, o, t)
            profile.add(start, s, start + o)
            found.append((start, k))
        return found

    def burden(self, starts: Starts) -> int:
        """Return the sum of starts, those to come counting as the last (rounds)."""
        later = len(self.instance) - len(starts)
        return sum(t for t, _ in starts) + later * max((t for t, _ in starts), default=0)


def start_times(instance: Instance, starts: Starts) -> IntArray:
    """Return start times in instance order (rounds), shape (n,)."""
    types = instance.request_types()
    times: list[list[int]] = [[] for _ in range(len(types))]
    for t, k in starts:
        times[k].append(t)
    return types.to_instance_order(times)
