"""A second witness for tiny instances: the whole state graph, and Dijkstra's algorithm.

Nothing is bounded, pruned or merged cleverly, and nothing is shared with the
search in `kvopt.solver.state_search.reference`: here a state lists who waits and how long each
running request has run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import networkx as nx

from kvopt.model.errors import InputError, SolverError
from kvopt.model.instance import Instance, Request
from kvopt.solver.result import NOTHING, Bound, Result
from kvopt.solver.stage import recomputed, refuse_releases

__all__ = ["solve_by_state_graph"]

Waiting = tuple[Request, ...]
Running = tuple[tuple[Request, int], ...]
State = tuple[Waiting, Running]
"""Who waits, and who runs with what age (rounds); both sorted."""


def solve_by_state_graph(instance: Instance, state_limit: int = 200_000) -> Result:
    """Solve a tiny instance as a shortest path through all its states.

    An edge of the graph starts some waiting requests and lets one round pass; its
    weight is the number of requests that still wait, so that a path weighs as much
    as the sum of the starts.

    Parameters
    ----------
    instance
        The instance; practical up to about 6 requests and a memory of a dozen tokens.
    state_limit
        Largest number of states.

    Raises
    ------
    InputError
        If there are more states.
    """
    began = time.perf_counter()
    refuse_releases(instance, "the state graph")
    root: State = (tuple(sorted(instance)), ())
    end: State = ((), ())
    graph: nx.DiGraph[State] = nx.DiGraph()
    queue = deque([root])
    graph.add_node(root)
    while queue:
        state = queue.popleft()
        for chosen, following in _moves(state, instance.memory):
            if following not in graph:
                queue.append(following)
            graph.add_edge(state, following, weight=len(following[0]), chosen=chosen)
        if len(graph) > state_limit:
            raise InputError(f"instance: must have at most {state_limit} states, got more")
    path: list[State] = nx.dijkstra_path(graph, root, end)
    weight = sum(len(waiting) for waiting, _ in path[1:])
    types = instance.request_types()
    times: list[list[int]] = [[] for _ in types.requests]
    for now, edge in enumerate(pairwise(path)):
        for request in graph.edges[edge]["chosen"]:
            times[types.number_of(request.prompt, request.output)].append(now)
    starts, objective = recomputed(instance, types.to_instance_order(times))
    bound = Bound(weight + instance.total_output, "state-graph")
    if bound.value != objective:
        raise SolverError(
            f"{instance!r}: a path of cost {bound.value} is a schedule of {objective}"
        )
    return Result(instance, starts, objective, bound, NOTHING, time.perf_counter() - began)


def _moves(state: State, memory: int) -> Iterator[tuple[Waiting, State]]:
    """Yield what may start in a state, and the state one round later."""
    waiting, running = state
    for chosen in _subsets(waiting):
        active = running + tuple((request, 0) for request in chosen)
        if not active or not _fits(active, memory):
            continue
        rest = list(waiting)
        for request in chosen:
            rest.remove(request)
        older = ((request, age + 1) for request, age in active if age + 1 < request.output)
        yield chosen, (tuple(rest), tuple(sorted(older)))


def _subsets(waiting: Waiting) -> Iterator[Waiting]:
    """Yield every sub-multiset of a sorted tuple once."""
    if not waiting:
        yield ()
        return
    first = waiting[0]
    count = waiting.count(first)
    for rest in _subsets(waiting[count:]):
        for number in range(count + 1):
            yield (first,) * number + rest


def _fits(active: Running, memory: int) -> bool:
    """Tell whether running requests fit in every round until the last of them completes."""
    for rounds in range(1, max(request.output - age for request, age in active) + 1):
        used = sum(
            request.prompt + age + rounds
            for request, age in active
            if age + rounds <= request.output
        )
        if used > memory:
            return False
    return True
