"""Shortest paths through aggregate states, exact and smoothed, in code that numba compiles.

The functions are plain Python on integers, floats and arrays; the tests run the same source both
ways.  In all of them the types are ordered by peak.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, log1p
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import FloatArray, copy_into
from kvopt.solver.compiling import Kernel

__all__ = ["AGGREGATE_STATE_KERNEL", "FAR", "NO_PATH", "EventCosts", "Flow", "Functions", "Shape"]

FAR = 1e17
"""Cost of a state without a path to it, in floats."""

NO_PATH = 1 << 60
"""The same in integers."""

TAIL = 35.0
"""Paths that cost so many temperatures above the cheapest are below the accuracy of floats."""

SHARE = 1e-11
"""States with a smaller probability are not looked at."""


class Shape(NamedTuple):
    """What the functions need to know about an instance."""

    memory: int
    """M (tokens)."""
    running: int
    """Most requests that run at a time."""
    prompts: IntArray
    """Distinct prompts, ascending (tokens), shape (prompts,)."""
    peaks: IntArray
    """Prompt + output of each type, ascending (tokens), shape (types,)."""
    outputs: IntArray
    """Outputs in the same order (rounds), shape (types,)."""
    least_squares: IntArray
    """Least sum of squares of K integers >= 0 of sum W, shape (running + 1, memory + 1)."""


class EventCosts(NamedTuple):
    """What the events of a path cost: floats (rounds), or integers (multiples of 1 / SCALE)."""

    start: Any
    """A start of each prompt at each time, shape (prompts, horizon)."""
    finish: Any
    """A completion of each type at each time, shape (types, horizon + 1)."""
    moment: Any
    """The least sum of squares at each time costs so many times itself, shape (horizon,)."""
    tail: Any
    """The sum of `moment` from each time on, shape (horizon + 2,)."""
    end: Any
    """What each request costs that still runs at the horizon, at most 0."""


class Flow(NamedTuple):
    """What is expected of a path that is drawn with probability exp((total - cost) / temperature).

    Each array is filled in by `smoothed_flow`.
    """

    starts: FloatArray
    """Starts of each prompt at each time, shape (prompts, horizon)."""
    finishes: FloatArray
    """Completions of each type at each time, shape (types, horizon + 1)."""
    least: FloatArray
    """Least sum of squares at each time, shape (horizon + 1,)."""
    grown: FloatArray
    """By how much each round makes the sum of squares grow, shape (horizon + 1,)."""


def smoothed_min(a: float, b: float, temperature: float) -> float:
    """Return -temperature * log(exp(-a / temperature) + exp(-b / temperature))."""
    if a > b:
        a, b = b, a
    if b - a > TAIL * temperature:
        return a
    return a - temperature * log1p(exp((a - b) / temperature))


def start_requests(
    shape: Shape, costs: EventCosts, t: int, state: Any, temperature: float, begun: Any
) -> None:
    """Fill `begun` with the costs of each (K, W) after the starts of a time.

    Parameters
    ----------
    shape, costs
        The instance, and what events cost.
    t
        The time.
    state
        The costs of the states before the starts, shape (running + 1, memory + 1).
    temperature
        The temperature (rounds).
    begun
        Takes the costs, of the same shape.
    """
    memory, running, prompts = shape.memory, shape.running, shape.prompts
    begun[:] = FAR
    for k in range(running + 1):
        for w in range(memory - k + 1):
            if state[k, w] < FAR:
                value = state[k, w] + costs.moment[t] * shape.least_squares[k, w]
                begun[k, w] = smoothed_min(begun[k, w], value, temperature)
            if k == running or begun[k, w] >= FAR:
                continue
            for p in range(prompts.shape[0]):
                full = w + prompts[p]
                if full + k + 1 <= memory:
                    value = begun[k, w] + costs.start[p, t]
                    begun[k + 1, full] = smoothed_min(begun[k + 1, full], value, temperature)


def finish_requests(
    shape: Shape, costs: EventCosts, t: int, before: Any, temperature: float, state: Any
) -> None:
    """Fill `state` with the costs of each (K, W) after the completions of a time t > 0.

    Parameters
    ----------
    shape, costs, t, temperature
        As in `start_requests`.
    before
        The costs of the states after the round, shape (running + 1, memory + 1).
    state
        Takes the costs, of the same shape, all `FAR`.
    """
    memory, running, peaks, outputs = shape.memory, shape.running, shape.peaks, shape.outputs
    finish = costs.finish
    types, unit = peaks.shape[0], shape.prompts[0] + 1
    for k in range(running, -1, -1):
        row = state[k]
        top = memory if k > 0 else 0
        for w in range(k * unit, top + 1):
            row[w] = before[k, w]
        if k == running:
            continue
        above = state[k + 1]
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
            if before[k, w] - best < TAIL * temperature:
                total += exp((best - before[k, w]) / temperature)
            for i in range(types):
                if w + peaks[i] > memory:
                    break
                if outputs[i] <= t:
                    more = above[w + peaks[i]] + finish[i, t] - best
                    if more < TAIL * temperature:
                        total += exp(-more / temperature)
            row[w] = best - temperature * log(total)


def smoothed_total(shape: Shape, costs: EventCosts, temperature: float, states: Any) -> float:
    """Return the smoothed minimum of the costs of all paths.

    Parameters
    ----------
    shape, costs
        The instance, and what events cost.
    temperature
        The temperature (rounds), > 0.
    states
        Takes the costs of what leads to each state after the completions and before the starts
        of each time, shape (horizon + 1, running + 1, memory + 1).
    """
    memory, running, last = shape.memory, shape.running, states.shape[0] - 1
    before = np.full((running + 1, memory + 1), FAR)
    begun = np.empty((running + 1, memory + 1))
    states[:] = FAR
    states[0, 0, 0] = 0.0
    for t in range(last + 1):
        if t > 0:
            finish_requests(shape, costs, t, before, temperature, states[t])
        if t == last:
            break
        start_requests(shape, costs, t, states[t], temperature, begun)
        before[:] = FAR
        for k in range(1, running + 1):
            for w in range(memory - k + 1):
                if begun[k, w] < FAR:
                    before[k, w + k] = begun[k, w] - costs.tail[t + 1] * (2 * w + k)
    total = FAR
    for t in range(1, last + 1):
        total = smoothed_min(total, states[t, 0, 0], temperature)
    for k in range(1, running + 1):
        for w in range(memory + 1):
            if states[last, k, w] < FAR:
                total = smoothed_min(total, states[last, k, w] + k * costs.end, temperature)
    return total


def flow_before_starts(
    shape: Shape,
    costs: EventCosts,
    t: int,
    temperature: float,
    begun: Any,
    later: Any,
    flow: Flow,
    share: Any,
) -> None:
    """Fill `share` with the probabilities of the states of a time before its starts.

    Parameters
    ----------
    shape, costs, t, temperature
        As in `start_requests`.
    begun
        The costs of the states after the starts, shape (running + 1, memory + 1).
    later
        Probabilities of the states after the round, of the same shape.
    flow
        What is expected, to which this time is added.
    share
        Takes the probabilities; all 0.
    """
    memory, running, prompts = shape.memory, shape.running, shape.prompts
    for k in range(running, 0, -1):
        for w in range(memory - k + 1):
            flow.grown[t + 1] += later[k, w + k] * (2 * w + k)
    through = np.zeros((running + 1, memory + 1))
    for k in range(running, -1, -1):
        for w in range(memory - k, -1, -1):
            here = through[k, w]
            if k > 0:
                here += later[k, w + k]
            if here <= SHARE:
                continue
            gone = 0.0
            if k > 0:
                for p in range(prompts.shape[0]):
                    if prompts[p] > w or begun[k - 1, w - prompts[p]] >= FAR:
                        continue
                    more = begun[k - 1, w - prompts[p]] + costs.start[p, t] - begun[k, w]
                    if more < TAIL * temperature:
                        part = here * exp(-more / temperature)
                        flow.starts[p, t] += part
                        through[k - 1, w - prompts[p]] += part
                        gone += part
            share[k, w] = max(0.0, here - gone)
            flow.least[t] += share[k, w] * shape.least_squares[k, w]


def flow_before_completions(
    shape: Shape, costs: EventCosts, t: int, temperature: float, state: Any, flow: Flow, share: Any
) -> None:
    """Turn `share` into the probabilities of the states of a time t > 0 before its completions.

    Parameters
    ----------
    shape, costs, t, temperature, flow
        As in `flow_before_starts`.
    state
        The costs of the states after the completions, shape (running + 1, memory + 1).
    share
        The probabilities, of the same shape.
    """
    memory, running, peaks, outputs = shape.memory, shape.running, shape.peaks, shape.outputs
    types, unit = peaks.shape[0], shape.prompts[0] + 1
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
                more = state[k + 1, w + peaks[i]] + costs.finish[i, t] - state[k, w]
                if more < TAIL * temperature:
                    part = here * exp(-more / temperature)
                    flow.finishes[i, t] += part
                    share[k + 1, w + peaks[i]] += part
                    gone += part
            share[k, w] = max(0.0, here - gone)


def smoothed_flow(
    shape: Shape, costs: EventCosts, temperature: float, states: Any, total: float, flow: Flow
) -> float:
    """Fill in what is expected of a random path; return how many requests run at its horizon.

    Parameters
    ----------
    shape, costs, temperature, states
        As in `smoothed_total`, which has filled `states`.
    total
        What it has returned.
    flow
        Takes what is expected; all 0.
    """
    memory, running, last = shape.memory, shape.running, states.shape[0] - 1
    share = np.zeros((running + 1, memory + 1))
    later = np.zeros((running + 1, memory + 1))
    begun = np.empty((running + 1, memory + 1))
    left = 0.0
    for t in range(last, -1, -1):
        share[:] = 0.0
        if t < last:
            start_requests(shape, costs, t, states[t], temperature, begun)
            flow_before_starts(shape, costs, t, temperature, begun, later, flow, share)
        else:
            for k in range(1, running + 1):
                for w in range(memory + 1):
                    more = states[last, k, w] + k * costs.end - total
                    if more < TAIL * temperature:
                        share[k, w] = exp(-more / temperature)
                        left += k * share[k, w]
        if t > 0:
            more = states[t, 0, 0] - total
            if more < TAIL * temperature:
                share[0, 0] += exp(-more / temperature)
            flow_before_completions(shape, costs, t, temperature, states[t], flow, share)
        for k in range(running + 1):
            copy_into(later[k], share[k], 0, memory + 1)
    return left


def pass_round(shape: Shape, costs: EventCosts, t: int, state: Any, begun: Any) -> None:
    """Turn the cheapest costs before the starts of a time into those after its round, in integers.

    Parameters
    ----------
    shape, costs, t
        As in `start_requests`.
    state
        The costs, shape (running + 1, memory + 1).
    begun
        Room for as many.
    """
    memory, running, prompts = shape.memory, shape.running, shape.prompts
    begun[:] = NO_PATH
    for k in range(running + 1):
        for w in range(memory - k + 1):
            if state[k, w] < NO_PATH:
                value = state[k, w] + costs.moment[t] * shape.least_squares[k, w]
                begun[k, w] = min(begun[k, w], value)
            if k == running or begun[k, w] == NO_PATH:
                continue
            for p in range(prompts.shape[0]):
                full = w + prompts[p]
                if full + k + 1 <= memory:
                    begun[k + 1, full] = min(begun[k + 1, full], begun[k, w] + costs.start[p, t])
    state[:] = NO_PATH
    for k in range(1, running + 1):
        for w in range(memory - k + 1):
            if begun[k, w] < NO_PATH:
                state[k, w + k] = begun[k, w] - costs.tail[t + 1] * (2 * w + k)


def shortest_path(shape: Shape, costs: EventCosts) -> int:
    """Return the cost of the cheapest path, in integers (multiples of 1 / SCALE)."""
    memory, running, peaks, outputs = shape.memory, shape.running, shape.peaks, shape.outputs
    types, last, unit = peaks.shape[0], costs.finish.shape[1] - 1, shape.prompts[0] + 1
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
                    cost, peak = costs.finish[i, t], peaks[i]
                    for w in range(k * unit, min(top, memory - peak) + 1):
                        if state[k + 1, w + peak] < NO_PATH:
                            state[k, w] = min(state[k, w], state[k + 1, w + peak] + cost)
            best = min(best, state[0, 0])
        if t < last:
            pass_round(shape, costs, t, state, begun)
    for k in range(1, running + 1):
        for w in range(memory + 1):
            if state[k, w] < NO_PATH:
                best = min(best, state[k, w] + k * costs.end)
    return best


class Functions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    smoothed_total: Callable[..., float]
    smoothed_flow: Callable[..., float]
    shortest_path: Callable[..., int]


def warm_up(functions: Functions) -> None:
    """Call each function on one request of one token and a horizon of one round."""
    one = np.array([1], dtype=np.int64)
    shape = Shape(1, 1, one * 0, one, one, np.array([[0, 0], [0, 1]], dtype=np.int64))

    def costs(kind: type) -> EventCosts:
        start: Any = np.zeros((1, 1), dtype=kind)
        finish: Any = np.zeros((1, 2), dtype=kind)
        return EventCosts(start, finish, start[0], np.zeros(3, dtype=kind), finish.dtype.type(0))

    flow = Flow(np.zeros((1, 1)), np.zeros((1, 2)), np.zeros(2), np.zeros(2))
    states = np.empty((2, 2, 2))
    total = functions.smoothed_total(shape, costs(np.float64), 1.0, states)
    functions.smoothed_flow(shape, costs(np.float64), 1.0, states, total, flow)
    functions.shortest_path(shape, costs(np.int64))


AGGREGATE_STATE_KERNEL = Kernel(
    "aggregate-state relaxation",
    (
        copy_into,
        smoothed_min,
        start_requests,
        finish_requests,
        smoothed_total,
        flow_before_starts,
        flow_before_completions,
        smoothed_flow,
        pass_round,
        shortest_path,
    ),
    Functions,
    warm_up,
)
