"""Beam search through time: a good schedule quickly, and a lower bound at the root."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.compiling import inlined, lean
from kvopt.solver.state_search.bounds import dual_bound, fluid_bound
from kvopt.solver.state_search.duals import Duals
from kvopt.solver.state_search.packed_states import (
    Workspace,
    chosen,
    count_waiting,
    first_choice,
    make_child,
    make_workspace,
    next_choice,
)
from kvopt.solver.state_search.pool import Pool, start_pool, store_child, trace_back
from kvopt.solver.state_search.problem import PackedProblem

__all__ = ["beam"]

SCORE_UNIT = 64
"""Scores are lower bounds times this, plus the number of waiting requests, at most 63."""


class Layer(NamedTuple):
    """The states kept at one time."""

    score: NDArray[np.int64]
    """Of each, shape (width,); the lower the better."""
    first: NDArray[np.int64]
    """Their first row in the pool, shape (1,)."""
    kept: NDArray[np.int64]
    """How many there are, shape (1,)."""


class BestEnd(NamedTuple):
    """The best schedule found, shape (1,) each."""

    cutoff: NDArray[np.int64]
    """Its sum of starts (rounds)."""
    state: NDArray[np.int64]
    """The state after which everything starts that waits, or -1."""


@lean
def run_serially(problem: PackedProblem, starts: IntArray) -> int:
    """Let the requests run one after another, shortest first; return the sum of starts."""
    total = now = place = 0
    for k in range(problem.outputs.shape[0]):
        for _ in range(problem.counts[k]):
            starts[place] = now
            total += now
            now += problem.outputs[k]
            place += 1
    return total


@inlined
@lean
def waiting_outputs(waiting: IntArray, problem: PackedProblem) -> int:
    """Return the sum of the outputs of what waits (rounds)."""
    total = 0
    for k in range(waiting.shape[0]):
        total += waiting[k] * problem.outputs[k]
    return total


@lean
def root_bound(pool: Pool, problem: PackedProblem, work: Workspace) -> int:
    """Return a lower bound on the sum of starts (rounds), from state 0."""
    count_waiting(pool.key[0], problem, work.waiting)
    # numba would compile a function anew for a literal argument.
    none, most = int(np.int64(0)), int(np.int64(1 << 60))
    bound = fluid_bound(work.waiting, work.free, none, work.windows, problem, most)
    return bound - waiting_outputs(work.waiting, problem)


@lean
def place_in_layer(layer: Layer, pool: Pool, key: int, score: int, work: Workspace) -> int:
    """Return the place of the child in the workspace among the best of its time, or -1.

    Where there is no room it takes that of the worst; of two equal states the better one stays.
    """
    kept, width, first = layer.kept[0], layer.score.shape[0], layer.first[0]
    place = kept
    if kept == width:
        place = 0
        for i in range(1, width):
            if layer.score[i] > layer.score[place]:
                place = i
        if score >= layer.score[place]:
            return -1
    for i in range(kept):
        same = pool.key[first + i] == key
        for j in range(work.profile.shape[0]):
            same = same and pool.profile[first + i, j] == work.profile[j]
        if same:
            return i if score < layer.score[i] else -1
    return place  # type: ignore[no-any-return]


@lean
def child_bound(
    cost: int, length: int, time: int, problem: PackedProblem, duals: Duals, work: Workspace
) -> int:
    """Return a lower bound on the remaining cost of the child in the workspace (rounds).

    Parameters
    ----------
    cost
        By how much the cutoff exceeds what it costs so far (rounds).
    length, time
        For how many rounds something runs; rounds so far.
    problem, duals, work
        The types of requests, the multipliers, and the child.
    """
    outputs = waiting_outputs(work.remaining, problem)
    fluid = fluid_bound(work.remaining, work.free, length, work.windows, problem, cost + outputs)
    dual = dual_bound(work.remaining, work.free, length, work.windows, time, problem, duals)
    return max(0, fluid - outputs, dual)


@lean
def keep_child(
    layer: Layer,
    best: BestEnd,
    pool: Pool,
    state: int,
    candidates: int,
    problem: PackedProblem,
    duals: Duals,
    work: Workspace,
) -> None:
    """Put the child of a state by what is chosen into the layer, or take it as a schedule."""
    waiting = 0
    for k in range(work.waiting.shape[0]):
        waiting += work.waiting[k]
    waiting -= chosen(candidates, work)
    cost = pool.cost[state] + waiting
    if cost >= best.cutoff[0]:
        return
    if waiting == 0:
        best.cutoff[0] = cost
        best.state[0] = state
        return
    less, length = make_child(candidates, pool.windows[state], problem, work)
    time = pool.time[state] + 1
    bound = cost + child_bound(best.cutoff[0] - cost, length, time, problem, duals, work)
    if bound >= best.cutoff[0]:
        return
    key = pool.key[state] - less
    score = bound * SCORE_UNIT + waiting
    place = place_in_layer(layer, pool, key, score, work)
    if place >= 0:
        layer.score[place] = score
        store_child(pool, layer.first[0] + place, state, key, cost, work)
        if place == layer.kept[0]:
            layer.kept[0] += 1


def beam(
    problem: PackedProblem, duals: Duals, pool: Pool, width: int, children: int, starts: IntArray
) -> tuple[int, int]:
    """Return a lower bound on the sum of starts, and the sum of a good schedule in `starts`.

    First the requests run one after another, shortest first.  Then the search goes
    through time and keeps the `width` most promising states, as long as the pool has room
    and there are no more than so many `children`.
    """
    work = make_workspace(problem)
    best = BestEnd(np.zeros(1, dtype=np.int64), np.full(1, -1, dtype=np.int64))
    layer = Layer(
        np.zeros(width, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    )
    best.cutoff[0] = run_serially(problem, starts)
    start_pool(pool, problem)
    base = root_bound(pool, problem, work)
    first, last = 0, 1
    while first < last and base < best.cutoff[0] and last + width <= pool.key.shape[0]:
        layer.first[0], layer.kept[0] = last, 0
        for state in range(first, last):
            count_waiting(pool.key[state], problem, work.waiting)
            candidates = first_choice(pool.profile[state], problem, work)
            more = True
            if pool.profile[state, 0] == 0:  # no fully idle round
                more = next_choice(candidates, problem, work)
            while more and children > 0:
                children -= 1
                keep_child(layer, best, pool, state, candidates, problem, duals, work)
                more = next_choice(candidates, problem, work)
        first, last = last, last + layer.kept[0]
    if best.state[0] >= 0:
        trace_back(pool, problem, best.state[0], starts)
    return base, best.cutoff[0]
