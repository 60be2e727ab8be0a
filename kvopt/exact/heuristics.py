"""Good feasible schedules, quickly: requests placed one by one, then pulled forward."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from kvopt.instance import Instance, IntArray, Request
from kvopt.pipeline import sps_spacing
from kvopt.profile import LiveProfile

__all__ = [
    "best_list_schedule",
    "earliest_fit",
    "list_schedules",
    "pulled_forward",
    "staggered_fit",
    "tightest_spacing",
]

FILLED_REQUESTS = 3_000
"""Up to this many requests gaps in schedules are looked for."""

BISECTIONS = 20
COUNTED_COPIES = 10_000

PASSES = 5
"""How often at most a schedule is gone through to pull requests forward."""


def best_list_schedule(instance: Instance) -> IntArray:
    """Return the starts of the cheapest of `list_schedules` (rounds), shape (n,)."""
    return min(list_schedules(instance), key=lambda starts: int(starts.sum()))


def list_schedules(instance: Instance) -> Iterator[IntArray]:
    """Yield the starts of a few quick schedules (rounds), shape (n,) each, one at a time.

    The requests are listed by output length, by area and by peak; each list is
    placed staggered, as early as possible in list order, and as early as possible
    with gaps filled; and every schedule is pulled forward at the end.  Beyond
    `FILLED_REQUESTS` requests gaps are not looked for, so that time grows about
    linearly.
    """
    prompts, outputs = instance.prompts, instance.outputs
    areas = prompts * outputs + outputs * (outputs + 1) // 2
    lists = {  # with a common prompt they are one and the same
        tuple(np.lexsort(keys).tolist())
        for keys in ((prompts, outputs), (outputs, areas), (outputs, prompts + outputs))
    }
    if len(instance) > FILLED_REQUESTS:
        for order in sorted(lists):
            yield staggered_fit(instance, order)
            yield earliest_fit(instance, order, in_order=True)
        return
    for order in sorted(lists):
        yield pulled_forward(instance, staggered_fit(instance, order))
        yield pulled_forward(instance, earliest_fit(instance, order, in_order=True))
        yield pulled_forward(instance, earliest_fit(instance, order, in_order=False))


def earliest_fit(instance: Instance, order: Sequence[int], in_order: bool) -> IntArray:
    """Place requests one after another, each at the earliest start at which it fits.

    Parameters
    ----------
    instance
        The instance.
    order
        The requests in the order in which they are placed, shape (n,).
    in_order
        True if no request may start before the one placed before it.

    Returns
    -------
    ndarray of int64, shape (n,)
        Start times in instance order (rounds).
    """
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    starts = np.zeros(len(instance), dtype=np.int64)
    now = 0
    for i in order:
        start = profile.earliest_start(prompts[i], outputs[i], now)
        profile.add(start, prompts[i], start + outputs[i])
        starts[i] = start
        if in_order and start > now:
            now = start
            profile.advance(now)
    return starts


def staggered_fit(instance: Instance, order: Sequence[int]) -> IntArray:
    """Place requests as far apart as requests of their own kind must be in the long run.

    Starting many requests at once makes their memory peak at once; spread starts
    use the memory evenly.  Parameters and result are as for `earliest_fit`.
    """
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    spacing = {r: tightest_spacing(r, instance.memory) for r, _ in instance.types()}
    starts = np.zeros(len(instance), dtype=np.int64)
    target = 0.0
    for i in order:
        profile.advance(math.floor(target))
        start = profile.earliest_start(prompts[i], outputs[i], math.floor(target))
        profile.add(start, prompts[i], start + outputs[i])
        starts[i] = start
        target += spacing[instance[i]]
    return starts


def tightest_spacing(request: Request, memory: int) -> float:
    """Return the smallest distance d, roughly, at which copies of a request fit.

    Copies that start at floor(j * d), j = 0, 1, ..., use at most the sum over j with
    j * d < o of s + o - floor(j * d) tokens in any round (proofs/pipeline.md).
    """
    low, high = request.area / memory, float(request.output)
    if request.output / low > COUNTED_COPIES:  # then the pipeline is about as tight
        return float(sps_spacing(request.prompt, request.output, memory))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        ages = np.arange(0.0, request.output, middle)
        if len(ages) * request.peak - np.floor(ages).sum() <= memory:
            high = middle
        else:
            low = middle
    return high


def pulled_forward(instance: Instance, starts: IntArray) -> IntArray:
    """Move single requests to earlier starts at which they fit, until none can move.

    Parameters
    ----------
    instance
        The instance.
    starts
        Start times of a feasible schedule (rounds), shape (n,).

    Returns
    -------
    ndarray of int64, shape (n,)
        Start times, none later than before; after a few passes it stops even if
        something could still move.
    """
    profile = LiveProfile(instance.memory)
    prompts, outputs = instance.prompts.tolist(), instance.outputs.tolist()
    current = starts.tolist()
    for i, start in enumerate(current):
        profile.add(start, prompts[i], start + outputs[i])
    for _ in range(PASSES):
        moved = False
        for i in sorted(range(len(current)), key=current.__getitem__):
            start = current[i]
            profile.remove(start, prompts[i], start + outputs[i])
            current[i] = profile.earliest_start(prompts[i], outputs[i], 0)
            profile.add(current[i], prompts[i], current[i] + outputs[i])
            moved |= current[i] < start
        if not moved:
            break
    return np.array(current, dtype=np.int64)
