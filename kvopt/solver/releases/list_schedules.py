"""List schedules that respect release times: dispatching by priority, gaps filled from lists."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.stopping import Stopping
from kvopt.solver.params import ListScheduleParams
from kvopt.solver.primal.dispatch_kernel import dispatched_at_least, dispatched_by_rank
from kvopt.solver.primal.list_schedules import earliest_fit, pulled_forward
from kvopt.solver.stage import Incumbent

__all__ = ["ReleaseLists", "dispatched", "released_list_schedules"]


class ReleaseLists:
    """The stage that offers the quick schedules of instances with release times."""

    name = "list-schedules"
    with_releases = True

    def applies(self, state: Incumbent) -> bool:
        """Return True."""
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer each of `released_list_schedules`."""
        for starts in released_list_schedules(state.instance, stop, state.params.list_schedules):
            state.offer(starts)


def released_list_schedules(
    instance: Instance, stop: Stopping, params: ListScheduleParams | None = None
) -> Iterator[IntArray]:
    """Yield the starts of a few quick schedules (rounds), shape (n,) each, one at a time.

    Whenever something fits, the first of what waits is started, by output (this is MC-SF), area
    or release; then the same orders, and those of outputs and areas put off by releases, are placed
    with gaps filled; and in the end all of these are pulled forward.

    Parameters
    ----------
    instance
        The instance.
    stop
        When it is over, no further schedule comes.
    params
        The tuning numbers.
    """
    params = params or ListScheduleParams()
    types = instance.request_types()
    areas = types.areas[types.index]
    placed: list[IntArray] = []
    many = len(instance) >= params.compiled_requests
    for key in (instance.outputs, areas, instance.releases):
        if many and key is instance.outputs:  # however little time there is
            starts = dispatched_at_least(instance, np.argsort(key, kind="stable"), stop)
        else:
            starts = dispatched(instance, key, stop, params.compiled_requests)
        if starts is not None:
            placed.append(starts)
            yield starts
    if len(instance) > params.gap_filling_requests:
        return
    late = instance.releases
    for key in (instance.outputs, areas, late, late + instance.outputs, late + areas):
        order = np.lexsort((instance.outputs, key)).tolist()
        starts = earliest_fit(instance, order, stop, in_order=False)
        if starts is not None:
            placed.append(starts)
            yield starts
    for starts in placed:
        if stop.over():
            return
        yield pulled_forward(instance, starts, stop, params.passes)


def dispatched(
    instance: Instance, key: IntArray, stop: Stopping, compiled_requests: int | None = None
) -> IntArray | None:
    """Start at each time the first of what is released and waits, as soon as it fits.

    Parameters
    ----------
    instance
        The instance.
    key
        Requests of a smaller key come first, of one key in their order, shape (n,).
    stop
        How long it may take.
    compiled_requests
        From so many requests on compiled code does it; by default as in `ListScheduleParams`.

    Returns
    -------
    ndarray of int64, shape (n,), or None
        Start times in instance order (rounds); None if `stop` was over first.
    """
    if compiled_requests is None:
        compiled_requests = ListScheduleParams().compiled_requests
    if len(instance) >= compiled_requests:
        by_rank = np.argsort(key, kind="stable")
        return None if stop.over() else dispatched_by_rank(instance, by_rank, stop)
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    releases, keys = instance.releases.tolist(), key.tolist()
    starts = np.zeros(len(instance), dtype=np.int64)
    arrivals: Sequence[int] = np.argsort(instance.releases, kind="stable").tolist()
    waiting: list[tuple[int, int]] = []
    now = arrived = looked = 0
    while arrived < len(arrivals) or waiting:
        if looked % 256 == 0 and stop.over():
            return None
        looked += 1
        if not waiting:
            now = max(now, releases[arrivals[arrived]])
        while arrived < len(arrivals) and releases[arrivals[arrived]] <= now:
            i = arrivals[arrived]
            heapq.heappush(waiting, (keys[i], i))
            arrived += 1
        profile.advance(now)
        i = waiting[0][1]
        start = profile.earliest_start(prompts[i], outputs[i], now)
        if arrived < len(arrivals) and releases[arrivals[arrived]] <= start and start > now:
            now = releases[arrivals[arrived]]  # somebody may come who goes first
            continue
        heapq.heappop(waiting)
        profile.add(start, prompts[i], start + outputs[i])
        starts[i] = now = start
    return starts
