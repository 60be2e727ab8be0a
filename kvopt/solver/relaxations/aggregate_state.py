"""Lower bounds from paths: schedules whose requests forget how long they have run.

Look at a schedule through two numbers only: how many requests run, K, and how many tokens
they hold together, W.  A start of prompt s adds (1, s), a round adds (0, K) and must leave
W <= M, and a completion of (s, o) takes (1, s + o) away.  So a schedule is a path through
the states (t, K, W), and what a path of this kind lacks to be a schedule can be priced:

- every type completes as often as it has requests (`worth`),
- at every time as many requests of a prompt start as later complete with such a start
  (`start`),
- at most m requests start within their staircase windows (`stairs`, see
  `kvopt.solver.window_covers`),
- the sum of the squares of the tokens held, which starts, rounds and completions change by
  amounts that K and W tell, is at least what it must be for K numbers of sum W (`moments`).

For any prices the cheapest path, a shortest path in a graph without circles, gives a lower
bound on the cost of every schedule; proofs/paths.md has the argument.  The best prices are
found by L-BFGS on the bound with the minimum smoothed ("soft"), cooled down step by step;
then they are rounded, and the bound is recomputed in integers.

What takes the time is in `kvopt.solver.relaxations.aggregate_state_kernel`; it needs
`pip install kvopt[fast]`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray, Request
from kvopt.model.stopping import Stopping
from kvopt.solver.relaxations.aggregate_state_kernel import (
    FAR,
    NO_PATH,
    FloatArray,
    Functions,
    Shape,
    compiled,
)
from kvopt.solver.result import Bound
from kvopt.solver.stage import Incumbent
from kvopt.solver.window_covers import cover_windows

__all__ = [
    "LEVELS",
    "SCALE",
    "AggregateState",
    "PathPrices",
    "PathRelaxation",
    "has_room",
    "path_bound",
]

SCALE = 1 << 24
"""Prices are rounded to multiples of 1 / SCALE."""

LEVELS = (1, 2)
"""Levels of the staircase inequalities that are priced."""

STATES = 24_000_000
"""Most states of a relaxation, (horizon + 1) * (running + 1) * (memory + 1); 8 bytes each."""

WORK = 2_000_000_000
"""Most steps of one evaluation, states times types and prompts, as in proofs/checker."""

STAGES = 10
"""Temperatures at most, each half of the one before; the first is a twentieth of the mean
completion time..."""

LEAST_GAIN = 1 / 4000
"""...until one raises the bound by less than this part."""

STEPS, FEWEST_STEPS, TIME_SHARE = 200, 25, 0.2
"""Steps of L-BFGS at each temperature, and fewest if they would take more than this part of the
time left."""

MEMORY = 20
"""Steps that L-BFGS remembers."""

PROGRAM_TYPES, PROGRAM_SHARE = 12, 0.4
"""With so few types the prices of the linear program are a better first guess, if it can be
solved in this part of the time."""


@dataclass(frozen=True, slots=True)
class PathPrices:
    """Prices, as multiples of 1 / SCALE, and the bound that they prove.

    Attributes
    ----------
    start
        For each distinct prompt, ascending, the price of a start at each time, shape (p, H).
    worth
        What a completion of each type is worth, shape (k,), types by (prompt + output, prompt).
    stairs
        Prices >= 0 of the staircase rows of each level and time, shape (levels, H).
    moments
        Prices >= 0 of the squares at each time, shape (H,).
    bound
        Lower bound on the total completion time (rounds).
    """

    start: IntArray
    worth: IntArray
    stairs: IntArray
    moments: IntArray
    bound: int

    def content(self, instance: Instance) -> dict[str, Any]:
        """Return the object "proof" of a certificate of the bound.

        Parameters
        ----------
        instance
            The instance that the prices belong to.
        """
        kinds = [request for request, _ in ordered_types(instance)]
        prompts = sorted({request.prompt for request in kinds})
        worth = zip(kinds, self.worth.tolist(), strict=True)
        return {
            "rule": "aggregate-state",
            "scale": SCALE,
            "start": [list(row) for row in zip(prompts, self.start.tolist(), strict=True)],
            "duals": sorted([request.prompt, request.output, w] for request, w in worth),
            "covers": [list(row) for row in zip(LEVELS, self.stairs.tolist(), strict=True)],
            "second_moments": self.moments.tolist(),
        }


def ordered_types(instance: Instance) -> list[tuple[Request, int]]:
    """Return the types and their numbers in the order of the prices, by peak, then prompt."""
    return sorted(instance.types(), key=lambda kind: (kind[0].peak, kind[0].prompt))


class PathRelaxation:
    """The relaxation of one instance up to a horizon.

    Parameters
    ----------
    instance
        The instance.
    horizon
        Prices end here (rounds); any value is safe, and one beyond the makespan of a good
        schedule is best.
    functions
        Compiled or plain functions.
    """

    def __init__(self, instance: Instance, horizon: int, functions: Functions) -> None:
        kinds = ordered_types(instance)
        requests = [request for request, _ in instance.types()]
        order = [requests.index(request) for request, _ in kinds]
        self.instance = instance
        self.horizon = horizon
        self.functions = functions
        self.counts = np.array([n for _, n in kinds], dtype=np.int64)
        prompts = sorted({r.prompt for r, _ in kinds})
        self.prompt_of = np.array([prompts.index(r.prompt) for r, _ in kinds])
        windows = [cover_windows(instance, level) for level in LEVELS]
        self.windows = np.array([[row[k] for k in order] for row in windows], dtype=np.int64)
        running = min(len(instance), instance.memory // (prompts[0] + 1))
        least = np.zeros((running + 1, instance.memory + 1), dtype=np.int64)
        for k in range(1, running + 1):
            each, larger = np.divmod(np.arange(instance.memory + 1), k)
            least[k] = k * each * each + larger * (2 * each + 1)
        self.squares = least
        self.shape = Shape(
            instance.memory,
            running,
            np.array(prompts, dtype=np.int64),
            np.array([r.peak for r, _ in kinds], dtype=np.int64),
            np.array([r.output for r, _ in kinds], dtype=np.int64),
            least.astype(np.float64),
        )
        h, p = horizon, len(prompts)
        sizes = np.cumsum([0, p * h, len(kinds), len(LEVELS) * h, h])
        self.places = [slice(a, b) for a, b in itertools.pairwise(sizes)]
        self.size = int(sizes[-1])
        self.moment_unit = 1 / instance.memory**2

    def parts(self, x: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return start, worth, stairs and moments as views of one vector."""
        start, worth, stairs, moments = (x[place] for place in self.places)
        return start.reshape(-1, self.horizon), worth, stairs.reshape(-1, self.horizon), moments

    def first_guess(self) -> FloatArray:
        """Return the prices of the area bound: memory gets cheaper as time goes by."""
        volumes = sorted(r.prompt * r.output + r.output * (r.output + 1) / 2 for r in self.instance)
        ends = np.cumsum(volumes) / self.shape.memory
        times = np.arange(self.horizon + 1)
        # Poured in, smallest first, the memory of round t is worth the rest of the slopes.
        price = np.zeros(self.horizon + 1)
        for volume, begin, end in zip(volumes, [0.0, *ends[:-1]], ends, strict=True):
            price += np.clip(end - np.maximum(times, begin), 0, None) / volume
        return self.from_rounds(price, np.zeros((len(LEVELS), self.horizon)))

    def from_rounds(self, price: FloatArray, stairs: FloatArray) -> FloatArray:
        """Return prices that prove at least what prices of a linear program prove.

        Parameters
        ----------
        price
            Price of the memory in each round r, at place r, shape (horizon + 1,).
        stairs
            Prices of the staircase rows, shape (levels, horizon).
        """
        h, shape = self.horizon, self.shape
        price = np.concatenate([[0.0], price[1:]])
        sums, weighted = np.cumsum(price), np.cumsum(price * np.arange(h + 1))
        rows = np.zeros((len(LEVELS), h + 1))
        np.cumsum(stairs, axis=1, out=rows[:, 1:])
        x = np.zeros(self.size)
        start, worth, on_stairs, _ = self.parts(x)
        on_stairs[:] = stairs
        ahead = np.arange(h)
        for p, prompt in enumerate(shape.prompts.tolist()):
            start[p] = -((prompt - ahead) * (sums[-1] - sums[:-1]) + weighted[-1] - weighted[:-1])
        for i, (peak, output) in enumerate(zip(shape.peaks, shape.outputs, strict=True)):
            to = np.minimum(ahead + output, h)
            memory = (peak - output - ahead) * (sums[to] - sums[:-1]) + weighted[to] - weighted[:-1]
            for row, window in zip(rows, self.windows[:, i], strict=True):
                memory += row[np.minimum(ahead + window, h)] - row[:-1]
            worth[i] = min(h + output, (ahead + output + memory).min())
        return x

    def costs(self, x: NDArray[Any], unit: int | float) -> tuple[Any, ...]:
        """Return start, finish, moment, tail and end as the kernel wants them.

        Parameters
        ----------
        x
            Prices, floats or integers.
        unit
            What a round costs, 1.0 or SCALE.
        """
        h, shape = self.horizon, self.shape
        start, worth, stairs, moments = self.parts(x)
        tail = np.zeros(h + 2, dtype=x.dtype)
        tail[:h] = np.cumsum(moments[::-1])[::-1]
        sums = np.zeros((len(LEVELS), h + 1), dtype=x.dtype)
        np.cumsum(stairs, axis=1, out=sums[:, 1:])
        finish = np.zeros((len(worth), h + 1), dtype=x.dtype)
        end: Any = 0
        self.worst = (-1, 0)
        begins = np.zeros(h + 1, dtype=x.dtype)
        for i, (peak, output) in enumerate(zip(shape.peaks, shape.outputs, strict=True)):
            # A run that starts at t pays unit * (t + o) - worth - start[t] + its windows.
            begins[:h] = start[self.prompt_of[i]]
            run = unit * (np.arange(h + 1) + output) - worth[i] - begins
            for level, window in enumerate(self.windows[:, i]):
                to = np.minimum(np.arange(h + 1) + window, h)
                run += sums[level, to] - sums[level]
            done = max(0, h + 1 - output)
            finish[i, output:] = run[:done] + peak * peak * tail[output : h + 1]
            late = run[done:]
            if (least := late.min()) < end:
                end = least
                self.worst = (i, int(late.argmin()) + h + 1 - len(late))
        squares = shape.prompts[:, None] ** 2
        return start - squares * tail[1 : h + 1], finish, moments, tail, end

    def constant(self, x: NDArray[Any]) -> Any:
        """Return what the prices are worth, beside the cheapest path."""
        _, worth, stairs, _ = self.parts(x)
        return (self.counts * worth).sum() - (np.array(LEVELS)[:, None] * stairs).sum()

    def soft(self, x: FloatArray, heat: float, after: FloatArray) -> tuple[float, FloatArray]:
        """Return the smoothed bound (rounds) and its gradient.

        Parameters
        ----------
        x
            Prices; moments in multiples of `moment_unit`.
        heat
            Temperature (rounds), > 0.
        after
            Room for the states, shape (horizon + 1, running + 1, memory + 1).
        """
        h, shape = self.horizon, self.shape
        y = x.copy()
        y[self.places[3]] *= self.moment_unit
        start, finish, moment, tail, end = self.costs(y, 1.0)
        total = self.functions.soft_forward(shape, start, finish, moment, tail, end, heat, after)
        starts, finishes = np.zeros_like(start), np.zeros_like(finish)
        least, grown = np.zeros(h + 1), np.zeros(h + 1)
        left = self.functions.soft_backward(
            shape, start, finish, moment, end, heat, after, total, starts, finishes, least, grown
        )
        slope = np.zeros(self.size)
        by_start, by_worth, by_stairs, by_moment = self.parts(slope)
        by_start += starts
        by_worth += self.counts - finishes.sum(axis=1)
        ends = np.zeros((len(LEVELS), h + 1))
        for i, output in enumerate(shape.outputs):
            begun = finishes[i, output:]
            if len(begun) == 0:
                continue
            if self.worst[0] == i and end < 0:
                begun = np.concatenate([begun, np.zeros(h + 1 - len(begun))])
                begun[self.worst[1]] += left
                by_worth[i] -= left
            begun = begun[:h]
            by_start[self.prompt_of[i], : len(begun)] -= begun
            for level, window in enumerate(self.windows[:, i]):
                if window > 0:
                    ends[level, : len(begun)] += begun
                    np.subtract.at(
                        ends[level], np.minimum(np.arange(len(begun)) + window, h), begun
                    )
        by_stairs += np.cumsum(ends, axis=1)[:, :h] - np.array(LEVELS)[:, None]
        squares = (starts * shape.prompts[:, None] ** 2).sum(axis=0)
        held = np.cumsum(grown[:h]) - np.cumsum((finishes * shape.peaks[:, None] ** 2).sum(0))[:h]
        held[1:] += np.cumsum(squares)[: h - 1]
        by_moment += (least[:h] - held) * self.moment_unit
        return total + self.constant(y), slope

    def largest(self, x: NDArray[Any]) -> float:
        """Return more than what any path can cost, or any of its events, up or down."""
        h, shape = self.horizon, self.shape
        start, worth, stairs, moments = (np.abs(part.astype(np.float64)) for part in self.parts(x))
        squares = float(moments.sum()) * (shape.memory + 1) ** 2
        run = SCALE * float(h + shape.outputs.max()) + float(worth.max() + start.max())
        run += float(stairs.sum()) + squares
        own = float((self.counts * worth).sum() + (np.array(LEVELS)[:, None] * stairs).sum())
        return (h + 1) * (2 * shape.running * run + 2 * squares) + own

    def rounded(self, x: FloatArray) -> PathPrices:
        """Round prices to integers and recompute the bound that they prove."""
        y = x * SCALE
        y[self.places[3]] *= self.moment_unit
        z = np.rint(np.clip(y, -1e15, 1e15)).astype(np.int64)
        start, worth, stairs, moments = self.parts(z)
        np.maximum(stairs, 0, out=stairs)
        np.maximum(moments, 0, out=moments)
        np.minimum(worth, (self.horizon + self.shape.outputs) * SCALE, out=worth)
        while self.largest(z) > NO_PATH / 4 and abs(z).max() > 1:
            z //= 2  # any prices prove something, if nothing overflows
        value = 0
        if self.largest(z) <= NO_PATH / 4:
            costs = self.costs(z, SCALE)
            value = int(self.functions.shortest(self.shape, *costs, self.squares))
            value += int(self.constant(z))
        return PathPrices(
            start.copy(), worth.copy(), stairs.copy(), moments.copy(), -(-value // SCALE)
        )

    def bounds(self, size: float) -> list[tuple[float, float]]:
        """Return the box in which prices are looked for."""
        low, high = np.full(self.size, -size), np.full(self.size, size)
        low[self.places[2]] = low[self.places[3]] = 0.0
        high[self.places[1]] = np.minimum(size, self.horizon + self.shape.outputs)
        return list(zip(low.tolist(), high.tolist(), strict=True))


class AggregateState:
    """The stage of the aggregate-state relaxation."""

    name = "aggregate-state"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether its states fit, and no finer relaxation has had its say."""
        if any(map(state.proved, ("batch-state", "demand-duals", "blocks", "propagation"))):
            return False
        return has_room(state.instance, state.makespan)

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove a bound at each temperature."""

        def prove(prices: PathPrices) -> None:
            value = min(prices.bound, state.objective)
            state.prove(Bound(value, "aggregate-state", prices.content(state.instance)))

        path_bound(state.instance, state.starts, stop, prove)


def has_room(instance: Instance, horizon: int) -> bool:
    """Tell whether the relaxation of an instance is of a size that can be handled."""
    unit = int(instance.prompts.min()) + 1
    running = min(len(instance), instance.memory // unit)
    states = (horizon + 1) * (running + 1) * (instance.memory + 1)
    steps = states * (len(instance.types()) + len(set(instance.prompts.tolist())))
    return states <= STATES and steps <= WORK


def path_bound(
    instance: Instance,
    starts: IntArray,
    stop: Stopping,
    report: Callable[[PathPrices], None] = lambda prices: None,
) -> PathPrices | None:
    """Look for prices that prove a good lower bound.

    Parameters
    ----------
    instance
        The instance.
    starts
        Starts of a good schedule (rounds), shape (n,); tells the horizon and when to stop.
    stop
        How long it may take.
    report
        Called with the prices whenever a temperature is done.

    Returns
    -------
    PathPrices or None
        None if the instance is too large.
    """
    horizon = int((starts + instance.outputs).max())
    functions = compiled()
    if functions is None or not has_room(instance, horizon):
        return None
    from scipy.optimize import minimize

    cost = int(starts.sum()) + instance.total_output
    relaxation = PathRelaxation(instance, horizon, functions)
    x = relaxation.first_guess()
    best = relaxation.rounded(x)
    report(best)
    heat = cost / len(instance) / 20
    if len(instance.types()) <= PROGRAM_TYPES:
        y = _from_program(relaxation, stop.part(PROGRAM_SHARE * stop.left()))
        if y is not None and (better := relaxation.rounded(y)).bound > best.bound:
            x, best, heat = y, better, heat / 4
            report(best)
    shape = relaxation.shape
    after = np.empty((horizon + 1, shape.running + 1, shape.memory + 1))
    box = relaxation.bounds(8.0 * cost)

    class Over(Exception):  # noqa: N818
        """The budget is over."""

    def falling(y: FloatArray, heat: float) -> tuple[float, FloatArray]:
        if stop.over():
            raise Over
        value, slope = relaxation.soft(y, heat, after)
        return (-value, -slope) if abs(value) < FAR / 1e4 else (FAR, 0 * slope)

    def keep(y: FloatArray) -> None:
        nonlocal x
        x = y.copy()

    relaxation.soft(x, heat, after)  # compiles
    began = time.perf_counter()
    relaxation.soft(x, heat, after)
    seconds = time.perf_counter() - began
    for _ in range(STAGES):
        affordable = TIME_SHARE * stop.left() / seconds
        steps = int(min(STEPS, max(FEWEST_STEPS, affordable)))
        try:
            found = minimize(
                falling,
                x,
                args=(heat,),
                jac=True,
                method="L-BFGS-B",
                bounds=box,
                callback=keep,
                options={"maxiter": steps, "maxfun": 2 * steps, "maxcor": MEMORY},
            )
            x = found.x
        except Over:
            pass
        before = best.bound
        best = max(best, relaxation.rounded(x), key=lambda prices: prices.bound)
        report(best)
        little = before < best.bound < before * (1 + LEAST_GAIN)
        if best.bound >= cost or little or stop.over():
            break
        heat /= 2
    return best


def _from_program(relaxation: PathRelaxation, stop: Stopping) -> FloatArray | None:
    """Return the prices that the linear program finds, or None."""
    from kvopt.solver.relaxations.time_indexed import root_prices  # loads HiGHS

    tree = root_prices(relaxation.instance, stop, relaxation.horizon)
    if tree is None:
        return None
    price = np.zeros(relaxation.horizon + 1)
    stairs = np.zeros((len(LEVELS), relaxation.horizon))
    leaf = tree.nodes[0]
    for r, p in leaf["memory"]:
        price[r] = p / tree.scale
    for m, u, p in leaf["covers"]:
        if m in LEVELS and u < relaxation.horizon:
            stairs[LEVELS.index(m), u] = p / tree.scale
    return relaxation.from_rounds(price, stairs)
