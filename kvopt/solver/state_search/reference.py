"""Small instances: best-first search over states, in integers throughout.

Only two things about the past matter for the future: how many requests of each
type still wait, and the memory that the running ones will use in each coming
round.  Time itself does not, if every round costs the number of requests that
wait through it: the total is the sum of the starts.  So the optimum is a
shortest path in a graph of states, and A* finds it.

A state's memory profile is one big integer with a field for each coming round,
so that adding a run, moving on by a round and comparing two profiles in every
round at once are single operations.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from itertools import accumulate

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.solver.result import Result

__all__ = ["solve_by_search"]

BEAM_WIDTH = 30
"""States kept at each time when a first good schedule is looked for."""

STATE_LIMIT = 300_000
"""States kept at most, by default; about 200 MB."""

Counts = tuple[int, ...]
"""A number of requests of each type."""


def solve_by_search(
    instance: Instance,
    known: IntArray,
    stop: Stopping,
    state_limit: int = STATE_LIMIT,
) -> Result:
    """Solve a small instance by search over states.

    Parameters
    ----------
    instance
        The instance; practical up to about a dozen requests and a memory of a
        few dozen tokens.
    known
        Starts of some feasible schedule (rounds), shape (n,).
    stop
        How long it may take.
    state_limit
        Largest number of states to keep.

    Returns
    -------
    Result
        Optimal, or the bracket reached when the budget ran out or the limit struck.

    Raises
    ------
    SolverError
        If `known` is not feasible.
    """
    began = time.perf_counter()
    graph = _StateGraph(instance)
    ceiling = int(known.sum())
    best = _beam(graph, ceiling, BEAM_WIDTH, stop)
    ceiling = best.cost if best else ceiling
    lower_bound, better = _best_first(graph, ceiling, state_limit, stop)
    best = better or best
    return Result.checked(
        instance,
        _starts(graph, best) if best else known,
        instance.total_output + lower_bound,
        "search over states",
        time.perf_counter() - began,
    )


class _State:
    """A point in time, before it is decided what starts there.

    Attributes
    ----------
    waiting
        How many requests of each type wait.
    profile
        Memory that the running ones will use in each coming round, packed.
    cost
        Number of waiting requests, summed over the rounds so far.
    parent, started
        The state one round earlier, and what was started then.
    dropped
        True once another state was found to be at least as good.
    """

    __slots__ = ("cost", "dropped", "parent", "profile", "started", "waiting")

    def __init__(
        self, waiting: Counts, profile: int, cost: int, parent: _State | None, started: Counts
    ) -> None:
        self.waiting = waiting
        self.profile = profile
        self.cost = cost
        self.parent = parent
        self.started = started
        self.dropped = False


class _StateGraph:
    """The states of an instance: what follows a state, and what it will cost at least."""

    def __init__(self, instance: Instance) -> None:
        types = instance.types()
        self.instance = instance
        self.memory = instance.memory
        self.requests = [request for request, _ in types]
        self.root = _State(tuple(count for _, count in types), 0, 0, None, ())
        # A field holds up to 2M; with the offset its top bit says "more than M".
        self.width = self.memory.bit_length() + 2
        self.mask = (1 << self.width) - 1
        fields = range(max(r.output for r in self.requests))
        ones = sum(1 << (self.width * j) for j in fields)
        self.tops = ones << (self.width - 1)
        self.offsets = ones * ((1 << (self.width - 1)) - 1 - self.memory)
        self.runs = [
            sum((r.prompt + j + 1) << (self.width * j) for j in range(r.output))
            for r in self.requests
        ]
        self._facts: dict[Counts, tuple[list[int], int, int]] = {}

    def no_worse(self, a: _State, b: _State) -> bool:
        """Tell whether a, with the same requests waiting, is as good as b in every way."""
        tops = self.tops
        return a.cost <= b.cost and ((b.profile | tops) - a.profile) & tops == tops

    def children(self, state: _State) -> Iterator[_State]:
        """Yield the states one round later, one for each choice of what to start.

        Choosing nothing is left out when nothing runs: some optimal schedule has
        no fully idle round (proofs/model.md, lemma 1).
        """
        last = len(self.requests)
        runs, offsets, tops, width = self.runs, self.offsets, self.tops, self.width
        choice = [0] * last

        def choose(k: int, profile: int, waiting: int) -> Iterator[_State]:
            if k == last:
                if profile:
                    left = tuple(map(int.__sub__, state.waiting, choice))
                    cost = state.cost + waiting
                    yield _State(left, profile >> width, cost, state, tuple(choice))
                return
            yield from choose(k + 1, profile, waiting)
            for number in range(1, state.waiting[k] + 1):
                profile += runs[k]
                if (profile + offsets) & tops:
                    break
                choice[k] = number
                yield from choose(k + 1, profile, waiting - number)
            choice[k] = 0

        return choose(0, state.profile, sum(state.waiting))

    def remaining(self, state: _State) -> int:
        """Return a lower bound on what will be added to the cost of a state."""
        sums, outputs, alone = self._facts.get(state.waiting) or self._new_facts(state.waiting)
        # The waiting request that completes as number i does so after the i smallest
        # areas have fitted into the memory that the running ones leave.
        memory, width, mask, profile = self.memory, self.width, self.mask, state.profile
        completions = free = rounds = 0
        for area in sums:
            while free < area and profile:
                free += memory - (profile & mask)
                profile >>= width
                rounds += 1
            completions += rounds if free >= area else rounds - (free - area) // memory
        return max(completions - outputs, alone)

    def _new_facts(self, waiting: Counts) -> tuple[list[int], int, int]:
        """Return sums of the smallest areas, sum of outputs, and a bound without a profile."""
        requests = [
            r for r, count in zip(self.requests, waiting, strict=True) for _ in range(count)
        ]
        sums = list(accumulate(sorted(r.area for r in requests)))
        outputs = sum(r.output for r in requests)
        alone = 0
        if requests:
            rest = Instance(self.memory, [r.prompt for r in requests], [r.output for r in requests])
            alone = best_lower_bound(rest).value - outputs
        self._facts[waiting] = sums, outputs, alone
        return self._facts[waiting]


def _beam(graph: _StateGraph, ceiling: int, width: int, stop: Stopping) -> _State | None:
    """Go through time keeping the best `width` states; return an end cheaper than `ceiling`."""
    best = None
    layer = [graph.root]
    while layer:
        scores: dict[_State, int] = {}
        for child in (c for state in layer for c in graph.children(state)):
            if stop.over():
                return best
            if not any(child.waiting):
                if child.cost < ceiling:
                    best, ceiling = child, child.cost
            elif (score := child.cost + graph.remaining(child)) < ceiling:
                scores[child] = score
        layer = []
        seen = set()
        for child in sorted(scores, key=scores.__getitem__):
            if len(layer) == width:
                break
            if (key := (child.waiting, child.profile)) not in seen:
                seen.add(key)
                layer.append(child)
    return best


def _best_first(
    graph: _StateGraph, ceiling: int, state_limit: int, stop: Stopping
) -> tuple[int, _State | None]:
    """Return a lower bound on the sum of starts, and an end cheaper than `ceiling` if found.

    The bound equals the cheapest sum known, unless a limit struck.
    """
    best = None
    heap = [(graph.remaining(graph.root), 0, graph.root)]
    kept: dict[Counts, list[_State]] = {}
    states = 0
    while heap:
        bound, _, state = heapq.heappop(heap)
        if bound >= ceiling:
            break
        if state.dropped:
            continue
        for child in graph.children(state):
            if states > state_limit or stop.over():
                return bound, best
            if child.cost >= ceiling:
                continue
            if not any(child.waiting):
                best, ceiling = child, child.cost
                continue
            child_bound = max(bound, child.cost + graph.remaining(child))
            if child_bound >= ceiling:
                continue
            rivals = kept.setdefault(child.waiting, [])
            if any(graph.no_worse(rival, child) for rival in rivals):
                continue
            for rival in rivals:
                rival.dropped = graph.no_worse(child, rival)
            rivals[:] = [rival for rival in rivals if not rival.dropped]
            rivals.append(child)
            states += 1
            stop.count()
            heapq.heappush(heap, (child_bound, states, child))
    return ceiling, best


def _starts(graph: _StateGraph, end: _State) -> IntArray:
    """Return the start of every request in the schedule that leads to a state."""
    steps = []
    state: _State | None = end
    while state is not None and state.parent is not None:
        steps.append(state.started)
        state = state.parent
    times: dict[tuple[int, int], list[int]] = {}
    for now, started in enumerate(reversed(steps)):
        for request, number in zip(graph.requests, started, strict=True):
            times.setdefault((request.prompt, request.output), []).extend([now] * number)
    queues = {key: iter(values) for key, values in times.items()}
    return np.array([next(queues[r.prompt, r.output]) for r in graph.instance], dtype=np.int64)
