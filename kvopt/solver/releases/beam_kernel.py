"""The steps of a search through time over what has started, in code that numba compiles.

The functions are plain Python on integers and arrays; the tests run the same source both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import FloatArray, copy_into
from kvopt.solver.compiling import Kernel
from kvopt.solver.releases.dominance_kernel import DOMINANCE_FUNCTIONS
from kvopt.solver.releases.node_arrays import Coming, Nodes, Queues, make_nodes

__all__ = ["BEAM_KERNEL", "BeamFunctions"]


def grow(
    queues: Queues,
    now: int,
    least: int,
    memory: int,
    most_each: int,
    nodes: Nodes,
    size: int,
    following: Nodes,
    ready: IntArray,
) -> int:
    """Let requests start at a time and a round pass; return the number of nodes that follow.

    Parameters
    ----------
    queues
        The requests.
    now
        The time (rounds).
    least
        1 if the round must not be idle, else 0.
    memory
        Tokens that fit.
    most_each
        At most so many nodes follow from each.
    nodes, size
        The nodes at this time, and their number.
    following
        Takes the nodes at the next time; those that do not fit are counted, but left out.
    ready
        How many of each shape are released by this time, shape (shapes,).
    """
    shapes, rounds = queues.counts.shape[0], nodes.profile.shape[1]
    chosen = np.empty(memory + 2, dtype=np.int64)
    begun = np.empty(shapes, dtype=np.int64)
    profile = np.empty(rounds, dtype=np.int64)
    total = 0
    for i in range(size):
        copy_into(begun, nodes.begun[i], 0, shapes)
        copy_into(profile, nodes.profile[i], 0, rounds)
        depth = made = k = 0
        fresh = True  # whether this choice is met for the first time
        while True:
            if fresh and (profile[0] > 0 or least == 0):
                if total < following.starts.shape[0]:
                    copy_into(following.begun[total], begun, 0, shapes)
                    for r in range(rounds - 1):
                        following.profile[total, r] = profile[r + 1]
                    following.profile[total, rounds - 1] = 0
                    following.starts[total] = nodes.starts[i] + depth * now
                    following.parent[total] = i
                total += 1
                made += 1
            while k < shapes and not (
                begun[k] < ready[k] and fits(profile, queues.prompt[k], queues.output[k], memory)
            ):
                k += 1
            fresh = k < shapes and made < most_each
            if fresh:
                hold(profile, queues.prompt[k], queues.output[k], 1)
                begun[k] += 1
                chosen[depth] = k
                depth += 1
            elif depth == 0:
                break
            else:
                depth -= 1
                k = chosen[depth]
                hold(profile, queues.prompt[k], queues.output[k], -1)
                begun[k] -= 1
                k += 1
    return total


def fits(profile: IntArray, prompt: int, output: int, memory: int) -> bool:
    """Tell whether a request may start beside a profile."""
    j = output - 1  # where most is used: its last round
    while j >= 0 and profile[j] + prompt + j + 1 <= memory:
        j -= 1
    return j < 0


def hold(profile: IntArray, prompt: int, output: int, sign: int) -> None:
    """Add what a request holds to a profile, or take it away."""
    for j in range(output):
        profile[j] += sign * (prompt + j + 1)


def estimate(
    queues: Queues,
    coming: Coming,
    now: int,
    speed: float,
    nodes: Nodes,
    size: int,
    ready: IntArray,
    costs: FloatArray,
) -> None:
    """Estimate the sum of all starts from the nodes on, by a fluid that serves the smallest first.

    Parameters
    ----------
    queues
        The requests.
    coming
        Those that are released later and count, too.
    now
        The time (rounds).
    speed
        Memory that the fluid takes in a round (tokens).
    nodes, size
        The nodes, and their number.
    ready
        How many of each shape are released by this time, shape (shapes,).
    costs
        Takes the estimates (rounds), shape (size,).
    """
    shapes = queues.counts.shape[0]
    left = np.empty(shapes, dtype=np.float64)
    for i in range(size):
        total = float(nodes.starts[i])
        clock = now + nodes.profile[i].sum() / speed
        for k in range(shapes):
            waiting = ready[k] - nodes.begun[i, k]
            left[k] = waiting * coming.area[k]
            total -= waiting * coming.lag[k]
        for at in range(coming.release.shape[0] + 1):
            last = at == coming.release.shape[0]
            until = np.inf if last else float(coming.release[at])
            for place in range(shapes):
                k = queues.by_area[place]
                if clock >= until:
                    break
                taken = min(left[k], (until - clock) * speed)
                if taken > 0:
                    total += taken / coming.area[k] * (clock + taken / speed / 2)
                    clock += taken / speed
                    left[k] -= taken
            if not last:
                clock = max(clock, until)
                left[coming.shape[at]] += coming.area[coming.shape[at]]
        costs[i] = total


class BeamFunctions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    grow: Callable[..., int]
    estimate: Callable[..., None]
    choose: Callable[..., int]


def warm_up(functions: BeamFunctions) -> None:
    """Call each function on one request of one token."""
    zero, one = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
    queues = Queues(zero, one, one, zero, one, np.zeros((1, 1), dtype=np.int64))
    coming = Coming(np.ones(1), np.zeros(1), zero, zero)
    nodes, following = make_nodes(1, 1, 1), make_nodes(4, 1, 1)
    size = functions.grow(queues, 0, 0, 1, 9, nodes, 1, following, one)
    functions.estimate(queues, coming, 1, 1.0, following, size, one, np.empty(size))
    kept = np.empty(4, dtype=np.int64)
    functions.choose(queues, coming, 1, 1, 4, following, np.arange(size), one, kept)


BEAM_KERNEL = Kernel(
    "beam search over starts",
    (copy_into, fits, hold, grow, estimate, *DOMINANCE_FUNCTIONS),
    BeamFunctions,
    warm_up,
    error_model="numpy",
)
