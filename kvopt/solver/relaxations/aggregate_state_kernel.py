"""The shortest paths of the aggregate-state relaxation, in code that numba can compile.

The functions in `KERNEL` are plain Python on arrays.  numba compiles them where it is
installed (`pip install kvopt[fast]`), and the tests run the same source both ways.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from math import exp, log, log1p
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.compiling import jitted, working

__all__ = ["FAR", "NO_PATH", "PLAIN", "FloatArray", "Functions", "Shape", "compiled"]

FloatArray = NDArray[np.float64]

FAR = 1e17
NO_PATH = 1 << 60

TAIL = 35.0
"""Paths that cost more than this many temperatures above the cheapest do not count."""

SHARE = 1e-11
"""States with a smaller probability are not looked at."""


class Shape(NamedTuple):
    """What the compiled functions need to know about an instance."""

    memory: int
    running: int
    """Most requests that run at a time."""
    prompts: IntArray
    """Distinct prompts (tokens), shape (p,)."""
    peaks: IntArray
    """Prompt + output of each type, ascending (tokens), shape (k,)."""
    outputs: IntArray
    """Outputs in the same order (rounds), shape (k,)."""
    least: FloatArray
    """Least sum of squares of K integers >= 0 of sum W, shape (running + 1, memory + 1)."""


def soft_min(a: float, b: float, heat: float) -> float:
    """Return -heat * log(exp(-a / heat) + exp(-b / heat))."""
    if a > b:
        a, b = b, a
    if b - a > TAIL * heat:
        return a
    return a - heat * log1p(exp((a - b) / heat))


def start_requests(
    shape: Shape, t: int, after: Any, start: Any, moment: Any, heat: float, begun: Any
) -> None:
    """Fill `begun` with the cheapest ways to each (K, W) at time t, after its starts."""
    memory, running, prompts, least = shape.memory, shape.running, shape.prompts, shape.least
    begun[:] = FAR
    for k in range(running + 1):
        for w in range(memory - k + 1):
            if after[t, k, w] < FAR:
                value = after[t, k, w] + moment[t] * least[k, w]
                begun[k, w] = soft_min(begun[k, w], value, heat)
            if k == running or begun[k, w] >= FAR:
                continue
            for p in range(prompts.shape[0]):
                full = w + prompts[p]
                if full + k + 1 <= memory:
                    value = begun[k, w] + start[p, t]
                    begun[k + 1, full] = soft_min(begun[k + 1, full], value, heat)


def soft_forward(
    shape: Shape,
    start: Any,
    finish: Any,
    moment: Any,
    tail: Any,
    end: float,
    heat: float,
    after: Any,
) -> float:
    """Return the soft minimum over all paths; fills `after`, the costs of what leads to states.

    `after` is at time t after completions and before starts, shape (times, K, W).
    """
    memory, running, peaks, outputs = shape.memory, shape.running, shape.peaks, shape.outputs
    types, last = peaks.shape[0], after.shape[0] - 1
    unit = shape.prompts[0] + 1
    before = np.full((running + 1, memory + 1), FAR)
    begun = np.empty((running + 1, memory + 1))
    after[:] = FAR
    after[0, 0, 0] = 0.0
    for t in range(last + 1):
        for k in range(running, -1, -1):
            if t == 0:
                break
            row = after[t, k]
            top = memory if k > 0 else 0
            for w in range(k * unit, top + 1):
                row[w] = before[k, w]
            if k == running:
                continue
            above = after[t, k + 1]
            for i in range(types):
                if outputs[i] > t:
                    continue
                cost, peak = finish[i, t], peaks[i]
                for w in range(k * unit, min(top, memory - peak) + 1):
                    value = above[w + peak] + cost
                    if value < row[w]:  # becomes vector code
                        row[w] = value
            for w in range(k * unit, top + 1):
                best = row[w]
                if best >= FAR:
                    row[w] = FAR
                    continue
                total = 0.0
                if before[k, w] - best < TAIL * heat:
                    total += exp((best - before[k, w]) / heat)
                for i in range(types):
                    if w + peaks[i] > memory:
                        break
                    if outputs[i] <= t:
                        more = above[w + peaks[i]] + finish[i, t] - best
                        if more < TAIL * heat:
                            total += exp(-more / heat)
                row[w] = best - heat * log(total)
        if t == last:
            break
        start_requests(shape, t, after, start, moment, heat, begun)
        before[:] = FAR
        for k in range(1, running + 1):
            for w in range(memory - k + 1):
                if begun[k, w] < FAR:
                    before[k, w + k] = begun[k, w] - tail[t + 1] * (2 * w + k)
    total = FAR
    for t in range(1, last + 1):
        total = soft_min(total, after[t, 0, 0], heat)
    for k in range(1, running + 1):
        for w in range(memory + 1):
            if after[last, k, w] < FAR:
                total = soft_min(total, after[last, k, w] + k * end, heat)
    return total


def soft_backward(
    shape: Shape,
    start: Any,
    finish: Any,
    moment: Any,
    end: float,
    heat: float,
    after: Any,
    total: float,
    starts: Any,
    finishes: Any,
    least: Any,
    grown: Any,
) -> float:
    """Fill in the expected starts, completions, least squares and growth; return who is left.

    A path is taken with probability exp((total - cost) / heat).  `least` holds the expected
    least sum of squares at each time, `grown` by how much each round makes the sum grow.
    """
    memory, running = shape.memory, shape.running
    peaks, outputs, prompts = shape.peaks, shape.outputs, shape.prompts
    types, last = peaks.shape[0], after.shape[0] - 1
    unit = prompts[0] + 1
    starts[:] = 0.0
    finishes[:] = 0.0
    least[:] = 0.0
    grown[:] = 0.0
    share = np.zeros((running + 1, memory + 1))
    later = np.zeros((running + 1, memory + 1))
    begun = np.empty((running + 1, memory + 1))
    left = 0.0
    for t in range(last, -1, -1):
        share[:] = 0.0
        if t < last:
            start_requests(shape, t, after, start, moment, heat, begun)
            # `later` becomes the probability of a state after the starts.
            for k in range(running, 0, -1):
                for w in range(memory - k + 1):
                    grown[t + 1] += later[k, w + k] * (2 * w + k)
            flow = np.zeros((running + 1, memory + 1))
            for k in range(running, -1, -1):
                for w in range(memory - k, -1, -1):
                    here = flow[k, w]
                    if k > 0:
                        here += later[k, w + k]
                    if here <= SHARE:
                        continue
                    gone = 0.0
                    if k > 0:
                        for p in range(prompts.shape[0]):
                            if prompts[p] > w or begun[k - 1, w - prompts[p]] >= FAR:
                                continue
                            more = begun[k - 1, w - prompts[p]] + start[p, t] - begun[k, w]
                            if more < TAIL * heat:
                                part = here * exp(-more / heat)
                                starts[p, t] += part
                                flow[k - 1, w - prompts[p]] += part
                                gone += part
                    share[k, w] = max(0.0, here - gone)
                    least[t] += share[k, w] * shape.least[k, w]
        else:
            for k in range(1, running + 1):
                for w in range(memory + 1):
                    more = after[last, k, w] + k * end - total
                    if more < TAIL * heat:
                        share[k, w] = exp(-more / heat)
                        left += k * share[k, w]
        if t > 0:
            more = after[t, 0, 0] - total
            if more < TAIL * heat:
                share[0, 0] += exp(-more / heat)
            for k in range(running):
                for w in range(k * unit, memory + 1):
                    here = share[k, w]
                    if here <= SHARE:
                        continue
                    gone = 0.0
                    for i in range(types):
                        if w + peaks[i] > memory:
                            break
                        if outputs[i] > t:
                            continue
                        more = after[t, k + 1, w + peaks[i]] + finish[i, t] - after[t, k, w]
                        if more < TAIL * heat:
                            part = here * exp(-more / heat)
                            finishes[i, t] += part
                            share[k + 1, w + peaks[i]] += part
                            gone += part
                    share[k, w] = max(0.0, here - gone)
        later[:] = share
    return left


def shortest(
    shape: Shape, start: Any, finish: Any, moment: Any, tail: Any, end: int, squares: Any
) -> int:
    """Return the cost of the cheapest path, in integers (multiples of 1 / SCALE)."""
    memory, running, peaks, outputs = shape.memory, shape.running, shape.peaks, shape.outputs
    prompts, types, last = shape.prompts, peaks.shape[0], finish.shape[1] - 1
    unit = prompts[0] + 1
    state = np.full((running + 1, memory + 1), NO_PATH)
    begun = np.empty((running + 1, memory + 1), dtype=np.int64)
    state[0, 0] = 0
    best = NO_PATH
    for t in range(last + 1):
        if t > 0:
            for k in range(running - 1, -1, -1):
                top = memory if k > 0 else 0
                for i in range(types):
                    if outputs[i] > t:
                        continue
                    cost, peak = finish[i, t], peaks[i]
                    for w in range(k * unit, min(top, memory - peak) + 1):
                        if state[k + 1, w + peak] < NO_PATH:
                            state[k, w] = min(state[k, w], state[k + 1, w + peak] + cost)
            best = min(best, state[0, 0])
        if t == last:
            break
        begun[:] = NO_PATH
        for k in range(running + 1):
            for w in range(memory - k + 1):
                if state[k, w] < NO_PATH:
                    begun[k, w] = min(begun[k, w], state[k, w] + moment[t] * squares[k, w])
                if k == running or begun[k, w] == NO_PATH:
                    continue
                for p in range(prompts.shape[0]):
                    full = w + prompts[p]
                    if full + k + 1 <= memory:
                        begun[k + 1, full] = min(begun[k + 1, full], begun[k, w] + start[p, t])
        state[:] = NO_PATH
        for k in range(1, running + 1):
            for w in range(memory - k + 1):
                if begun[k, w] < NO_PATH:
                    state[k, w + k] = begun[k, w] - tail[t + 1] * (2 * w + k)
    for k in range(1, running + 1):
        for w in range(memory + 1):
            if state[k, w] < NO_PATH:
                best = min(best, state[k, w] + k * end)
    return best


KERNEL = (soft_min, start_requests, soft_forward, soft_backward, shortest)


class Functions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    soft_forward: Callable[..., float]
    soft_backward: Callable[..., float]
    shortest: Callable[..., int]


PLAIN = Functions(soft_forward, soft_backward, shortest)


@functools.cache
def compiled() -> Functions:
    """Return the compiled functions, or None if numba is not there or fails."""

    def build(cache: bool) -> Functions:
        names = jitted(KERNEL, globals(), lambda _: {"cache": cache})
        return Functions(*(names[name] for name in Functions._fields))

    found: Functions = working(build)
    return found
