"""Small instances: best-first search over states, in integers throughout.

Only two things about the past matter for the future: how many requests of each
type still wait, and the memory that the running ones will use in each coming
round.  Time itself does not, if every round costs the number of requests that
wait through it: the total is the sum of the starts.  So the optimum is a
shortest path in a graph of states, and A* finds it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import accumulate

from kvopt.model.instance import Instance, IntArray
from kvopt.model.request_types import RequestTypes
from kvopt.model.stopping import Stopping
from kvopt.solver.combinatorial_bounds import best_lower_bound
from kvopt.solver.result import Bound, Result
from kvopt.solver.sizes import plain_search_fits
from kvopt.solver.stage import Incumbent, refuse_releases, run_alone
from kvopt.solver.state_search.profiles import Profiles

__all__ = ["ReferenceSearch", "solve_by_search"]

Counts = tuple[int, ...]
"""A number of requests of each type."""


class ReferenceSearch:
    """The stage that searches over states in plain Python; exact for about a dozen requests.

    Parameters
    ----------
    state_limit
        Largest number of states to keep; by default what `ReferenceSearchParams` says.
    """

    name = "reference-search"

    def __init__(self, state_limit: int | None = None) -> None:
        self.state_limit = state_limit

    def applies(self, state: Incumbent) -> bool:
        """Tell whether the instance is small enough for that."""
        return plain_search_fits(state) and state.bound.value < state.objective

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer the best schedule found, and prove the bound that was reached."""
        params, outputs = state.params.reference_search, state.instance.total_output
        graph = _StateGraph(state.instance)
        cutoff = state.objective - outputs
        best = _beam(graph, cutoff, max(1, params.beam_width), stop)
        cutoff = best.cost if best else cutoff
        limit = params.first_states if self.state_limit is None else self.state_limit
        lower_bound, better = _best_first(graph, cutoff, limit, stop)
        best = better or best
        if best:
            state.offer(_starts(graph, best, state.types))
        state.prove(Bound(outputs + lower_bound, "reference-search"))


def solve_by_search(
    instance: Instance,
    known: IntArray,
    stop: Stopping,
    state_limit: int = 300_000,
) -> Result:
    """Solve a small instance by the plain search over states alone.

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
        Largest number of states to keep; 300,000 take about 200 MB.

    Raises
    ------
    SolverError
        If `known` is not feasible.
    """
    return run_alone(ReferenceSearch(state_limit), instance, known, stop)


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


class _StateGraph(Profiles):
    """The states of an instance: what follows a state, and what it will cost at least."""

    def __init__(self, instance: Instance) -> None:
        refuse_releases(instance, "the search over states")
        types = instance.request_types()
        super().__init__(instance.memory, [(r.prompt, r.output) for r in types.requests])
        self.requests = types.requests
        self.root = _State(tuple(types.counts.tolist()), 0, 0, None, ())
        self._relaxations: dict[Counts, tuple[list[int], int, int]] = {}

    def children(self, state: _State) -> Iterator[_State]:
        """Yield the states one round later, one for each choice of what to start.

        Choosing nothing is left out when nothing runs: some optimal schedule has
        no fully idle round (proofs/text/model.md, lemma 1).
        """
        last = len(self.requests)
        runs, offsets, tops, width = self.runs, self.offsets, self.tops, self.width
        choice = [0] * last

        def choose(k: int, profile: int, waiting: int) -> Iterator[_State]:
            if k == last:
                if profile:
                    remaining = tuple(map(int.__sub__, state.waiting, choice))
                    cost = state.cost + waiting
                    yield _State(remaining, profile >> width, cost, state, tuple(choice))
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
        sums, outputs, alone = self._relaxations.get(state.waiting) or self._new_relaxation(
            state.waiting
        )
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

    def _new_relaxation(self, waiting: Counts) -> tuple[list[int], int, int]:
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
        self._relaxations[waiting] = sums, outputs, alone
        return self._relaxations[waiting]


def _beam(graph: _StateGraph, cutoff: int, width: int, stop: Stopping) -> _State | None:
    """Go through time keeping the best `width` states; return an end cheaper than `cutoff`."""
    best = None
    layer = [graph.root]
    while layer:
        scores: dict[_State, int] = {}
        for child in (c for state in layer for c in graph.children(state)):
            if stop.over():
                return best
            if not any(child.waiting):
                if child.cost < cutoff:
                    best, cutoff = child, child.cost
            elif (score := child.cost + graph.remaining(child)) < cutoff:
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
    graph: _StateGraph, cutoff: int, state_limit: int, stop: Stopping
) -> tuple[int, _State | None]:
    """Return a lower bound on the sum of starts, and an end cheaper than `cutoff` if found.

    The bound equals the cheapest sum known, unless a limit struck.
    """
    best = None
    heap = [(graph.remaining(graph.root), 0, graph.root)]
    kept: dict[Counts, list[_State]] = {}
    states = 0
    while heap:
        bound, _, state = heapq.heappop(heap)
        if bound >= cutoff:
            break
        if state.dropped:
            continue
        for child in graph.children(state):
            if states > state_limit or stop.over():
                return bound, best
            if child.cost >= cutoff:
                continue
            if not any(child.waiting):
                best, cutoff = child, child.cost
                continue
            child_bound = max(bound, child.cost + graph.remaining(child))
            if child_bound >= cutoff:
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
    return cutoff, best


def _starts(graph: _StateGraph, end: _State, types: RequestTypes) -> IntArray:
    """Return the start of every request in the schedule that leads to a state."""
    steps = []
    state: _State | None = end
    while state is not None and state.parent is not None:
        steps.append(state.started)
        state = state.parent
    times: list[list[int]] = [[] for _ in graph.requests]
    for now, started in enumerate(reversed(steps)):
        for own, number in zip(times, started, strict=True):
            own += [now] * number
    return types.to_instance_order(times)
