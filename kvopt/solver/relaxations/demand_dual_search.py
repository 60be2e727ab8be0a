"""The search for the best prices of completions, and of memory that parts share.

The bound of `kvopt.solver.relaxations.demand_duals` is a concave function of the prices, and a
best way tells a slope.  The prices are found by cutting planes in a box around
the best ones so far.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.primal.list_schedules import pulled_forward
from kvopt.solver.relaxations.aggregate_state_kernel import FloatArray
from kvopt.solver.relaxations.demand_duals import (
    LARGEST,
    SCALE,
    Starts,
    Worth,
    WorthRelaxation,
    compiled,
    descend_by_arrays,
    start_times,
)
from kvopt.solver.relaxations.profile_graph import TYPES, number_of_sets
from kvopt.solver.result import Bound
from kvopt.solver.sizes import batch_states_fit
from kvopt.solver.stage import Incumbent

__all__ = ["DemandDuals", "divided", "in_sequence", "worth_bound"]

REQUESTS = 5_000
"""With more requests mending schedules takes too long."""

SETS, PART_SETS, SEQUENCE_SETS = 10_000_000, 1_000_000, 100_000
"""With more sets of requests that can run together the graph is too large to be tried: that of all
types, that of a part of them, and that of a part where one starts after the other."""

FIRST_SETS = 500_000
"""With more sets of requests that can run together batch states come first, if they fit."""

PARTED_COUNT = 10
"""With fewer requests of a type, in the mean, types are not divided into parts."""

FIRST_BOX = 1 / 32
"""Half the side of the first box, as a part of the largest price."""

LEAST_GAIN = 0.01
"""A possible gain below this part of a round ends the search for prices..."""

SMALLEST_BOX = 1.0
"""...when the box is at least so wide (rounds)."""

MENDED_SHARE = 0.1
"""Up to this part of the requests in excess or missing, a way is mended into a schedule."""

SEQUENCE_SHARE, PARTED_SHARE = 0.25, 0.6
"""Which part of the time goes into one part after the other, if there are several; and which part
of what is left into prices of memory."""

COMPILING_SECONDS = 8.0
"""With less time than this nothing is compiled; it takes a few seconds, once."""


def divided(instance: Instance, most: float) -> tuple[tuple[int, ...], ...] | None:
    """Divide the types into few parts, of similar requests, each with few enough profiles.

    Parameters
    ----------
    instance
        The instance.
    most
        With more sets of requests that can run together a part is too large.

    Returns
    -------
    tuple of tuples, or None
        The types of each part, those of the smallest requests first; None if there is no such
        division, or more parts than pay.
    """
    types = instance.types()
    if len(types) > TYPES or len(instance) > REQUESTS:
        return None
    parts: list[tuple[int, ...]] = []
    for k in sorted(range(len(types)), key=lambda k: -types[k][0].area):
        if parts and number_of_sets(instance, (k, *parts[0]), most) < math.inf:
            parts[0] = (k, *parts[0])
        elif number_of_sets(instance, (k,), most) < math.inf:
            parts.insert(0, (k,))
        else:
            return None
    return tuple(parts) if len(parts) == 1 or len(instance) >= PARTED_COUNT * len(types) else None


class DemandDuals:
    """The stage of the demand-dual relaxation, on one graph of profiles or on blocks of types.

    Parameters
    ----------
    many
        Whether it applies to many requests, or to few.
    """

    name = "demand-duals"

    def __init__(self, many: bool) -> None:
        self.many = many

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there are few enough types; with many profiles batch states come first."""
        instance, params = state.instance, state.params.demand_duals
        if (len(instance) > params.many_requests) is not self.many:
            return False
        if len(state.types) > TYPES or len(instance) > REQUESTS:
            return False
        if not self.many:
            return not state.proved("batch-state")
        if "profile sets" not in state.cache:
            types = range(len(state.types))
            state.cache["profile sets"] = number_of_sets(instance, types, FIRST_SETS)
        return not (state.cache["profile sets"] == math.inf and batch_states_fit(state))

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer schedules and prove bounds on the way."""
        if stop.over():
            return

        def keep(found: Worth) -> None:
            if found.starts is not None:
                state.offer(found.starts)
            if found.worth:
                proof = found.content(state.instance)
                state.prove(Bound(min(found.bound, state.objective), proof["rule"], proof))

        worth_bound(state.instance, state.starts, stop, keep)


def worth_bound(
    instance: Instance,
    starts: IntArray,
    stop: Stopping,
    report: Callable[[Worth], None] = lambda worth: None,
) -> Worth | None:
    """Look for prices that prove a good bound, and for schedules on the way.

    Parameters
    ----------
    instance
        The instance.
    starts
        Starts of a good schedule (rounds), shape (n,).
    stop
        How long it may take.
    report
        Called whenever bound or schedule have become better; without prices if there are none
        yet.

    Returns
    -------
    Worth or None
        None if the graphs of profiles are too large, or no prices were looked at in time.
    """
    types = len(instance.types())
    whole: tuple[tuple[int, ...], ...] = (tuple(range(types)),)
    if types > TYPES or len(instance) > REQUESTS:
        return None
    divisions = [whole] if number_of_sets(instance, whole[0], SETS) < math.inf else []
    parts = divided(instance, PART_SETS)
    if parts is not None and len(parts) > 1:
        divisions.append(parts)
    if not divisions:
        return None
    compile_it = stop.left() > COMPILING_SECONDS or compiled.cache_info().currsize > 0
    function = (compiled() if compile_it else None) or descend_by_arrays
    best = Worth((), 0, None)
    cost = int(starts.sum())

    def keep(found: Starts) -> None:
        nonlocal best, cost
        times = pulled_forward(instance, start_times(instance, found), stop.part(1.0))
        if times.sum() < cost:
            cost = int(times.sum())
            best = dataclasses.replace(best, starts=times)

    last_worth = None
    sequence = divided(instance, SEQUENCE_SETS) if divisions[-1] != whole else None
    if sequence is not None:
        part = stop.part(SEQUENCE_SHARE * stop.left())
        if (found := in_sequence(instance, function, sequence, part)) is not None:
            keep(found[0])
            last_worth = found[1]
            report(best)
    for division in divisions:
        relaxation = WorthRelaxation(instance, function, division)
        prices = relaxation.first_prices.copy()
        if last_worth is not None:
            prices[:types] = np.where(last_worth > 0, last_worth, prices[:types])
        if relaxation.phases(prices, stop) is not None:
            break
    else:
        return None
    if len(division) > 1:
        stop = stop.part(PARTED_SHARE * stop.left())
    search = _Search(relaxation, prices)
    going = True
    while going and not cost + instance.total_output <= best.bound:
        before, going = best, search.step(stop)
        if search.placed is not None:
            keep(search.placed)
        if search.bound > best.bound:
            best = search.worth(best.starts)
        if best is not before:
            report(best)
    return best if best.worth else None


def in_sequence(
    instance: Instance,
    function: Callable[..., None],
    parts: Sequence[Sequence[int]],
    stop: Stopping,
) -> tuple[Starts, IntArray] | None:
    """Start one part after the other, each as well as can be after those before it.

    Parameters
    ----------
    instance
        The instance.
    function
        `descend`, compiled or not, or `descend_by_arrays`.
    parts
        The types of each part.
    stop
        How long it may take.

    Returns
    -------
    pair of list and ndarray, or None
        The starts, and prices of completions of the last part (multiples of 1 / SCALE, 0 for
        others), shape (types,); None if it was not finished.
    """
    fixed: Starts = []
    for number, part in enumerate(parts):
        relaxation = WorthRelaxation(instance, function, [part], fixed)
        search = _Search(relaxation, relaxation.first_prices)
        own = stop.part(stop.left() / (len(parts) - number))
        best: Starts | None = None
        going = True
        while going:
            going = search.step(own)
            if search.placed is not None:
                best = min(best or search.placed, search.placed, key=relaxation.burden)
        if best is None:
            return None
        fixed = best
    return fixed, np.where(relaxation.counts > 0, search.center, 0)


class _Search:
    """Cutting planes for the best prices.

    The bound is a concave function of the prices, and a best way tells a slope at each of
    them: counts less what it serves, and what it uses less the memory.  The next prices are where
    the least of the planes so far is highest, in a box around the best prices so far; the box is
    doubled when that paid and halved when it did not.

    Parameters
    ----------
    relaxation
        The relaxation.
    prices
        The first prices.

    Attributes
    ----------
    center
        The best prices so far.
    value
        What they prove, a multiple of 1 / SCALE.
    placed
        The starts that the latest way was made into; None if it serves the wrong numbers.
    """

    def __init__(self, relaxation: WorthRelaxation, prices: IntArray) -> None:
        self.relaxation = relaxation
        self.prices = self.center = prices
        box = float(prices[: len(relaxation.counts)].max()) / SCALE * FIRST_BOX
        self.box = max(SMALLEST_BOX, box)
        self.planes: list[tuple[float, FloatArray, IntArray]] = []
        self.value = -LARGEST
        self.placed: Starts | None = None

    @property
    def bound(self) -> int:
        """Lower bound so far (rounds)."""
        return -(-self.value // SCALE)

    def worth(self, starts: IntArray | None) -> Worth:
        """Return the best prices so far, with these starts."""
        relaxation = self.relaxation
        memory: tuple[int, ...] = ()
        if len(relaxation.parts) > 1:
            memory = tuple(relaxation.memory_prices(self.center).tolist())
        worth = tuple(self.center[: len(relaxation.counts)].tolist())
        return Worth(worth, self.bound, starts, relaxation.parts, memory)

    def step(self, stop: Stopping) -> bool:
        """Look at the current prices and choose the next ones; return whether to go on."""
        relaxation = self.relaxation
        found = relaxation.best_way(self.prices, stop)
        self.placed = None
        if found is None:
            return False
        value = found[0] + relaxation.constant(self.prices)
        if self.planes:
            self.box *= 2 if value > self.value else 1 / 2
        self.planes.append((value / SCALE, relaxation.slope(found[1]), self.prices))
        if value > self.value:
            self.value, self.center = value, self.prices
        missing = np.abs(relaxation.counts - relaxation.served(found[1])).sum()
        if missing <= max(2, MENDED_SHARE * relaxation.counts.sum()):
            self.placed = relaxation.placed(found[1])
        return self._choose()

    def _choose(self) -> bool:
        """Choose the next prices; return False if hardly anything can be gained."""
        while True:
            prices, top = self._highest()
            self.prices = np.rint(prices * SCALE).astype(np.int64)
            if top - self.value / SCALE >= LEAST_GAIN:
                return not any((self.prices == seen).all() for _, _, seen in self.planes)
            if self.box >= SMALLEST_BOX:
                return False
            self.box = 4 * SMALLEST_BOX

    def _highest(self) -> tuple[Any, float]:
        """Return where the least of the planes is highest in the box, and how high."""
        from kvopt.solver.highs import quiet_highs  # loads HiGHS

        units = self.relaxation.units
        center, best = self.center / SCALE / units, self.value / SCALE
        variables = len(center)
        highs = quiet_highs()
        for middle in center.tolist():  # all numbers relative to the center, so they stay small
            highs.addVar(max(-middle, -self.box), self.box)
        highs.addVar(-1e15, 1e15)
        highs.changeColCost(variables, -1.0)
        places = np.arange(variables + 1, dtype=np.int32)
        for value, slope, prices in self.planes:
            each = slope * units
            limit = value - best + float((each * (center - prices / SCALE / units)).sum())
            highs.addRow(-1e30, limit, variables + 1, places, np.concatenate([-each, [1.0]]))
        highs.run()
        solution = np.array(highs.getSolution().col_value)
        return (center + solution[:variables]) * units, best + float(solution[variables])
