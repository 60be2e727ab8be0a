"""Schedules from paths that serve nearly the right numbers of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.model.request_types import RequestTypes

__all__ = ["Started", "Starts", "estimated_cost", "repaired", "served", "start_times"]


class Started(NamedTuple):
    """What a path starts at a time: how many requests of each type of the instance."""

    time: int
    group: tuple[int, ...]


Starts = list[tuple[int, int]]
"""Time (rounds) and type of each start."""


def served(path: Sequence[Started], types: int) -> IntArray:
    """Return how many requests of each type a path serves, shape (types,)."""
    return sum((np.array(group) for _, group in path), start=np.zeros(types, dtype=np.int64))


def repaired(
    instance: Instance, path: Sequence[Started], demand: IntArray, fixed: Starts
) -> Starts:
    """Make a path into starts that fit: without the last in excess, with the missing added.

    The missing start after the last of their type, or after all, whichever is better.  What
    does not fit, as blocks know nothing of each other, starts later.

    Parameters
    ----------
    instance
        The instance.
    path
        What the path starts, by time.
    demand
        How many requests of each type are to be served, shape (types,).
    fixed
        Requests of other types that have started before, by time.

    Returns
    -------
    list of pairs
        Time and type of each start, with the fixed ones.
    """
    types = instance.request_types()
    times: list[list[int]] = [[] for _ in demand]
    for t, group in path:
        for k in np.flatnonzero(group).tolist():
            times[k] += [t] * int(group[k])
    end = max((t for t, _ in path), default=fixed[-1][0] if fixed else 0)
    found = []
    for last in ([end] * len(times), [max(own, default=end) for own in times]):
        order = [(t, 0, k) for t, k in fixed]
        for k, count in enumerate(demand.tolist()):
            own = times[k][:count]
            order += [(t, 1, k) for t in own] + [(last[k], 2, k)] * (count - len(own))
        found.append(_delayed_to_fit(types, instance.memory, [(t, k) for t, _, k in sorted(order)]))
    return min(found, key=lambda starts: estimated_cost(starts, len(instance)))


def _delayed_to_fit(types: RequestTypes, memory: int, order: Starts) -> Starts:
    """Return starts at these times or later, so that they fit; the first ones come first."""
    profile = LiveProfile(memory)
    prompts, outputs = types.prompts.tolist(), types.outputs.tolist()
    found = []
    for t, k in order:
        start = profile.earliest_start(prompts[k], outputs[k], t)
        profile.add(start, prompts[k], start + outputs[k])
        found.append((start, k))
    return found


def estimated_cost(starts: Starts, requests: int) -> int:
    """Return the sum of starts of so many requests, those to come counting as the last (rounds)."""
    to_come = requests - len(starts)
    return sum(t for t, _ in starts) + to_come * max((t for t, _ in starts), default=0)


def start_times(types: RequestTypes, starts: Starts) -> IntArray:
    """Return start times in instance order (rounds), shape (n,)."""
    times: list[list[int]] = [[] for _ in range(len(types))]
    for t, k in starts:
        times[k].append(t)
    return types.to_instance_order(times)
