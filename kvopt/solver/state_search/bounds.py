"""Lower bounds on the remaining cost of a state: the fluid bound and the dual bound.

Derived: proofs/text/state_search.md, sections 3 and 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.compiling import inlined, lean
from kvopt.solver.state_search.duals import DUAL_BITS, Duals
from kvopt.solver.state_search.problem import SCALE_BITS, WEIGHTINGS, PackedProblem

__all__ = ["dual_bound", "fluid_bound"]


@inlined
@lean
def round_capacity(
    weighting: int, problem: PackedProblem, free: int, windows: NDArray[np.int32], r: int
) -> int:
    """Return what waiting requests may weigh together in round r, with so much memory free."""
    if weighting == 2:
        clear = 0 if windows[0] > r else 1
        most = problem.capacity[2, clear, free]
        return max(0, min(most, 2 - (windows[1] > r) - (windows[2] > r)))  # type: ignore[no-any-return]
    if windows[0] > r:
        return problem.capacity[weighting, 0, free]  # type: ignore[no-any-return]
    return problem.capacity[weighting, 1, free]  # type: ignore[no-any-return]


@lean
def fluid_completions(
    weighting: int,
    waiting: IntArray,
    free: IntArray,
    length: int,
    windows: NDArray[np.int32],
    problem: PackedProblem,
) -> int:
    """Return what the completion times sum to at least by one weighting, scaled.

    Parameters are as for `fluid_bound`.
    """
    order, weight = problem.order[weighting], problem.weight[weighting]
    delta = problem.delta[weighting]
    capacity = problem.capacity[weighting, 1, problem.memory[0]]
    r = 0
    room = capacity
    if length > 0:
        room = round_capacity(weighting, problem, free[0], windows, 0)
    total = 0
    for position in range(waiting.shape[0]):
        k = order[position]
        count = waiting[k]
        if count == 0:
            continue
        total += count * delta[k]
        w = weight[k]
        mass = count * w
        moment = 0
        while mass > 0:
            if room == 0:
                r += 1
                if r >= length:
                    whole = mass // capacity
                    # Rounds r .. r + whole - 1, counted from 0, with middles r + 1/2.
                    moment += capacity * whole * (2 * r + whole)
                    mass -= whole * capacity
                    r += whole
                    room = capacity
                else:
                    room = round_capacity(weighting, problem, free[r], windows, r)
                continue
            part = min(room, mass)
            moment += part * (2 * r + 1)
            mass -= part
            room -= part
        if w > 0:
            whole = moment // (2 * w)
            rest = moment - whole * 2 * w
            total += (whole << SCALE_BITS) + (rest << SCALE_BITS) // (2 * w)
    return total


@lean
def fluid_bound(
    waiting: IntArray,
    free: IntArray,
    length: int,
    windows: NDArray[np.int32],
    problem: PackedProblem,
    cutoff: int,
) -> int:
    """Return a lower bound on the sum of completion times of what waits, from now on (rounds).

    Requests flow into the rounds by weight, lightest first, as if they could be divided: the best
    of the mean-busy-time bounds of all weightings (derived:
    proofs/text/state_search.md, theorem 3).

    Parameters
    ----------
    waiting
        How many requests of each type wait, shape (types,).
    free
        Memory that the running ones leave in each coming round (tokens), shape (>= length,).
    length
        Number of rounds in which something runs.
    windows
        Rounds until windows of running requests close, as in `Pool.windows`, shape (3,).
    problem
        The types of requests.
    cutoff
        Stop as soon as the bound reaches this (rounds).
    """
    best = 0
    for weighting in range(WEIGHTINGS):
        total = fluid_completions(weighting, waiting, free, length, windows, problem)
        best = max(best, -((-total) >> SCALE_BITS))
        if best >= cutoff:
            break
    return best


@lean
def dual_bound(
    waiting: IntArray,
    free: IntArray,
    length: int,
    windows: NDArray[np.int32],
    time: int,
    problem: PackedProblem,
    duals: Duals,
) -> int:
    """Return a lower bound on the sum of the starts of what waits, counted from `time` on (rounds).

    The Lagrangian bound: every waiting request at its cheapest start, minus what all rows are
    worth, plus what the running ones use of them (derived: proofs/text/state_search.md, theorem 4).
    Parameters are as for `fluid_bound`.
    """
    values = duals.values
    rounds = values.shape[1]
    if time >= rounds:
        return 0
    memory = problem.memory[0]
    total = -duals.rest[time]
    here = time << DUAL_BITS
    for k in range(waiting.shape[0]):
        if waiting[k] > 0:
            total += waiting[k] * (duals.least[k, time] - here)
    for r in range(min(length, rounds - time)):
        total += values[0, time + r] * (memory - free[r])
    for r in range(min(windows[0], rounds - time)):
        total += values[1, time + r]
    for j in range(1, 3):
        for r in range(min(windows[j], rounds - time)):
            total += values[2, time + r]
    return -int((-total) >> DUAL_BITS)
