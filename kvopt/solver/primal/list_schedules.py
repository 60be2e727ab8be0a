"""List schedules: requests placed one by one, then moved to earlier starts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np

from kvopt.model.instance import Instance, IntArray, Request
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.request_types import RequestTypes
from kvopt.model.schedule import exact_sum
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray
from kvopt.solver.params import ListScheduleParams, WindowParams
from kvopt.solver.primal.dispatch_kernel import dispatched_at_least
from kvopt.solver.primal.window_annealing import (
    AS_BEFORE,
    WITHOUT_DELAYS,
    Line,
    rounds_needed,
)
from kvopt.solver.primal.window_kernel import WINDOWS
from kvopt.solver.stage import Incumbent, refuse_releases
from kvopt.theory.batches import batch_order
from kvopt.theory.classes import class_starts, pulled_beside
from kvopt.theory.gba_bounds import GBA_ALPHA
from kvopt.theory.ordering import area_order, length_order, pipeline_starts
from kvopt.theory.pipeline import geometric_slices, sps_slots_of_each, sps_spacing

__all__ = [
    "ListSchedules",
    "best_list_schedule",
    "earliest_fit",
    "list_schedules",
    "pipelined",
    "pulled_forward",
    "staggered_fit",
    "tightest_spacing",
]


PLACED_AT_ONCE = 1_000
"""Requests placed between two looks at the limit."""


class ListSchedules:
    """The stage that offers the quick schedules."""

    name = "list-schedules"

    def applies(self, state: Incumbent) -> bool:
        """Return True."""
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer each of `list_schedules`; the first alone if it was interrupted."""
        params = state.params
        for starts in list_schedules(state.instance, stop, params.list_schedules, params.windows):
            state.offer(starts)
            if stop.interrupted:
                return


def best_list_schedule(instance: Instance) -> IntArray:
    """Return the starts of the cheapest of `list_schedules` (rounds), shape (n,)."""
    if instance.has_releases:
        from kvopt.solver.releases.list_schedules import released_list_schedules

        return min(released_list_schedules(instance, Stopping()), key=exact_sum)
    return min(list_schedules(instance, Stopping()), key=exact_sum)


def list_schedules(
    instance: Instance,
    stop: Stopping,
    params: ListScheduleParams | None = None,
    windows: WindowParams | None = None,
) -> Iterator[IntArray]:
    """Yield the starts of a few quick schedules (rounds), shape (n,) each, one at a time.

    The first are pipelines and the classes of GBA, which cost array work only; with many requests
    the list by area comes before them, even if `stop` is over.  Then the requests are listed by
    output length, by area, by peak and by the batches of Sorted-F; each list is placed as early as
    possible in list order, staggered, and as early as possible with gaps filled; and in the end the
    requests of all of these are moved to earlier starts.  So no clairvoyant policy is cheaper:
    MC-SF, SVF, Sorted-F, the SPT pipeline and GBA are among these, and GBA-D up to some number of
    requests.  With many requests the lists are placed by compiled code, and no request is moved.

    Parameters
    ----------
    instance
        The instance.
    stop
        When it is over, no further schedule comes.
    params
        The tuning numbers.
    windows
        Those of the compiled code.
    """
    refuse_releases(instance, "what clairvoyant policies do with all requests at once")
    params = params or ListScheduleParams()
    prompts, outputs, memory = instance.prompts, instance.outputs, instance.memory
    place = _placer(instance, stop, params, windows or WindowParams())
    placed, ways = [], []
    many = len(instance) >= params.compiled_requests

    def of_policies() -> Iterator[IntArray]:
        for order in _policy_orders(instance, stop, one=many):
            ways.append(place(order))
            if (starts := next(ways[-1], None)) is not None:
                placed.append(starts)
                yield starts

    by_rule = of_policies()
    if many:  # with little time the best rule comes first
        yield from itertools.islice(by_rule, 1)
    yield pipelined(instance)
    yield pipeline_starts(prompts, outputs, memory)
    largest = geometric_slices(GBA_ALPHA, Fraction(1))
    classes = class_starts(prompts, outputs, memory, largest, sps_spacing)
    yield classes
    small = len(instance) <= params.gap_filling_requests
    yield from by_rule
    if not stop.over():
        ways += [place(order) for order in _lists(instance)]
    for starts in itertools.chain.from_iterable(ways):
        if starts is not None:
            placed.append(starts)
            yield starts
    if small and not stop.over():
        yield pulled_beside(prompts, outputs, memory, classes)
    for starts in placed if small else ():
        if stop.over():
            return
        yield pulled_forward(instance, starts, stop, params.passes)


def _placer(
    instance: Instance, stop: Stopping, params: ListScheduleParams, windows: WindowParams
) -> Callable[[Sequence[int]], Iterator[IntArray | None]]:
    """Return a function that places a list in several ways, yielding None for what is not done."""
    many = len(instance) >= params.compiled_requests
    if many:
        compiled = CompiledLists.of(instance, stop, windows)
        if compiled is not None:
            return compiled.placed

    def place(order: Sequence[int]) -> Iterator[IntArray | None]:
        if many:
            yield dispatched_at_least(instance, np.array(order), stop)
        else:
            yield earliest_fit(instance, order, stop, in_order=True)
        yield staggered_fit(instance, order, stop, params)
        if len(instance) <= params.gap_filling_requests:
            yield earliest_fit(instance, order, stop, in_order=False)

    return place


class CompiledLists:
    """Placing lists of many requests, in compiled code.

    Parameters
    ----------
    instance
        The instance.
    rounds
        For how many rounds there is room.
    stop
        How long it may take.
    params
        The tuning numbers.
    """

    def __init__(
        self, instance: Instance, rounds: int, stop: Stopping, params: WindowParams
    ) -> None:
        self.instance = instance
        self.stop = stop
        self._rounds = rounds
        self._params = params

    @classmethod
    def of(cls, instance: Instance, stop: Stopping, params: WindowParams) -> CompiledLists | None:
        """Return one if there is room, and time is not over."""
        rounds = 2 * rounds_needed(instance, pipelined(instance))
        if rounds > params.most_rounds or stop.over():
            return None
        return cls(instance, rounds, stop, params)

    def placed(self, order: Sequence[int]) -> Iterator[IntArray | None]:
        """Yield the list in order, staggered, and with gaps filled."""
        places = np.array(order, dtype=np.int64)
        yield dispatched_at_least(self.instance, places, self.stop)
        for delays in (AS_BEFORE, WITHOUT_DELAYS):
            if self.stop.over():
                return
            self._line.list(places)
            if delays == AS_BEFORE:
                targets = np.cumsum(self._spacings[places])
                self._line.placed.start[0] = 0
                self._line.placed.start[1:] = targets[:-1]
            yield self._starts(delays)

    @cached_property
    def _line(self) -> Line:
        """Room for schedules in the making, which is not needed for the first ways."""
        functions = WINDOWS.compiled(self.stop)
        return Line(self.instance, self._rounds, self._params, functions)

    @cached_property
    def _spacings(self) -> FloatArray:
        """Return how far apart copies of each request are (rounds), shape (n,)."""
        types = self.instance.request_types()
        return _pipeline_spacings(types, self.instance.memory)[types.index]

    def _starts(self, delays: int) -> IntArray | None:
        """Place all requests; None if there is no room or time is over."""
        line, n = self._line, len(self.instance)
        for last in range(PLACED_AT_ONCE, n + PLACED_AT_ONCE, PLACED_AT_ONCE):
            if self.stop.over() or not line.know(last, delays):
                return None
            line.move_prefix(min(last, n))
        return line.starts()


def _policy_orders(instance: Instance, stop: Stopping, one: bool) -> Iterator[tuple[int, ...]]:
    """Yield the orders of SVF, MC-SF and Sorted-F, each once, until it is over; at least `one`."""
    prompts, outputs = instance.prompts, instance.outputs
    rules: tuple[Callable[[], Sequence[int]], ...] = (
        lambda: area_order(prompts, outputs).tolist(),
        lambda: length_order(outputs).tolist(),
        lambda: batch_order(prompts, outputs, instance.memory, stop),
    )
    seen: set[tuple[int, ...]] = set()
    for rule in rules:
        if stop.over() and (seen or not one):
            return
        order = tuple(rule())
        if order not in seen:
            seen.add(order)
            yield order


def _lists(instance: Instance) -> list[tuple[int, ...]]:
    """Return the requests by output, by area and by peak; with a common prompt that is one list."""
    types = instance.request_types()
    keys = (
        (types.prompts, types.outputs),
        (types.outputs, types.areas),
        (types.outputs, types.peaks),
    )
    return sorted({tuple(np.lexsort([key[types.index] for key in pair]).tolist()) for pair in keys})


def pipelined(instance: Instance) -> IntArray:
    """Start the requests shortest first, each as long after the last as its type needs.

    All are treated as if they had the largest prompt.  As the lengths do not decrease,
    the memory suffices (derived: proofs/text/pipeline.md).  Requests too long to run beside the
    largest prompt's tokens come last, one at a time.
    """
    outputs, memory = instance.outputs, instance.memory
    prompt = int(instance.prompts.max())
    starts = np.zeros(len(instance), dtype=np.int64)
    order = np.argsort(outputs, kind="stable")
    lengths, counts = np.unique(outputs, return_counts=True)
    now = end = done = 0
    for length, count in zip(lengths.tolist(), counts.tolist(), strict=True):
        members = order[done : done + count]
        done += count
        if prompt + length <= memory:
            spacing = sps_spacing(prompt, length, memory)
            numbers = np.arange(count)
            starts[members] = now + numbers * spacing.numerator // spacing.denominator
            end = int(starts[members[-1]]) + length
            now += math.ceil(count * spacing)
        else:
            starts[members] = max(now, end) + np.arange(count) * length
            now = end = max(now, end) + count * length
    return starts


def earliest_fit(
    instance: Instance, order: Sequence[int], stop: Stopping, in_order: bool
) -> IntArray | None:
    """Place requests one after another, each at the earliest start at which it fits.

    None starts before its release.

    Parameters
    ----------
    instance
        The instance.
    order
        The requests in the order in which they are placed, shape (n,).
    stop
        How long it may take.
    in_order
        True if no request may start before the one placed before it.

    Returns
    -------
    ndarray of int64, shape (n,), or None
        Start times in instance order (rounds); None if `stop` was over first.
    """
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    releases = instance.releases.tolist()
    starts = np.zeros(len(instance), dtype=np.int64)
    now = 0
    for placed, i in enumerate(order):
        if placed % 256 == 0 and stop.over():
            return None
        start = profile.earliest_start(prompts[i], outputs[i], max(now, releases[i]))
        profile.add(start, prompts[i], start + outputs[i])
        starts[i] = start
        if in_order and start > now:
            now = start
            profile.advance(now)
    return starts


def staggered_fit(
    instance: Instance,
    order: Sequence[int],
    stop: Stopping,
    params: ListScheduleParams | None = None,
) -> IntArray | None:
    """Place requests as far apart as requests of their own type must be in the long run.

    Starting many requests at once makes their memory peak at once; spread starts
    use the memory evenly.  Parameters and result are as for `earliest_fit`.
    """
    if stop.over():
        return None
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    types = instance.request_types()
    spacing = _spacings(types, instance.memory, params or ListScheduleParams())
    index = types.index.tolist()
    starts = np.zeros(len(instance), dtype=np.int64)
    target = 0.0
    for placed, i in enumerate(order):
        if placed % 256 == 0 and stop.over():
            return None
        profile.advance(math.floor(target))
        start = profile.earliest_start(prompts[i], outputs[i], math.floor(target))
        profile.add(start, prompts[i], start + outputs[i])
        starts[i] = start
        target += spacing[index[i]]
    return starts


def _spacings(types: RequestTypes, memory: int, params: ListScheduleParams) -> list[float]:
    """Return how far apart the starts of each type are (rounds)."""
    if len(types) > params.bisected_types:
        spacings: list[float] = _pipeline_spacings(types, memory).tolist()
        return spacings
    return [tightest_spacing(request, memory, params) for request in types.requests]


def tightest_spacing(
    request: Request, memory: int, params: ListScheduleParams | None = None
) -> float:
    """Return the smallest distance d, roughly, at which copies of a request fit (rounds).

    Copies that start at floor(j * d), j = 0, 1, ..., use at most the sum over j with
    j * d < o of s + o - floor(j * d) tokens in any round (derived: proofs/text/pipeline.md).
    """
    params = params or ListScheduleParams()
    low, high = request.area / memory, float(request.output)
    if request.output / low > params.most_copies:  # then the pipeline is about as tight
        return float(sps_spacing(request.prompt, request.output, memory))
    for _ in range(params.bisections):
        middle = (low + high) / 2
        ages = np.arange(0.0, request.output, middle)
        if len(ages) * request.peak - np.floor(ages).sum() <= memory:
            high = middle
        else:
            low = middle
    return high


def _pipeline_spacings(types: RequestTypes, memory: int) -> FloatArray:
    """Return how far apart pipelines of each type have their starts (rounds), shape (types,)."""
    return types.outputs / sps_slots_of_each(types.prompts, types.outputs, memory)


def pulled_forward(
    instance: Instance, starts: IntArray, stop: Stopping, passes: int | None = None
) -> IntArray:
    """Move single requests to earlier starts at which they fit, until none can move.

    Parameters
    ----------
    instance
        The instance.
    starts
        Start times of a feasible schedule (rounds), shape (n,).
    stop
        How long it may take.
    passes
        At most so often it goes through the schedule; by default as in `ListScheduleParams`.

    Returns
    -------
    ndarray of int64, shape (n,)
        Start times, none later than before; after the last pass, or when `stop` is over, something
        may be left that could still move.
    """
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    releases = instance.releases.tolist()
    current = starts.tolist()
    for i, start in enumerate(current):
        profile.add(start, prompts[i], start + outputs[i])
    for _ in range(ListScheduleParams().passes if passes is None else passes):
        moved = False
        for seen, i in enumerate(sorted(range(len(current)), key=current.__getitem__)):
            if seen % 256 == 0 and stop.over():
                moved = False
                break
            start = current[i]
            profile.remove(start, prompts[i], start + outputs[i])
            current[i] = profile.earliest_start(prompts[i], outputs[i], releases[i])
            profile.add(current[i], prompts[i], current[i] + outputs[i])
            moved |= current[i] < start
        if not moved:
            break
    return np.array(current, dtype=np.int64)
