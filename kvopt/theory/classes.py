"""Classes of similar output lengths, shortest first: the starts of GBA and GBA-D.

Source: Feng, Yang, Zhang 2026, arXiv 2601.22996.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.model.memory_profile import LiveProfile
from kvopt.theory.pipeline import SliceRule, SpacingRule, staggered

__all__ = ["class_starts", "pulled_beside"]


def class_starts(
    prompts: IntArray,
    outputs: IntArray,
    memory: int,
    class_end: SliceRule,
    spacing: SpacingRule,
    drain: bool = True,
) -> IntArray:
    """Return the starts of a batch, class by class (rounds), shape (n,).

    Each class is a staggered pipeline in request order.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each, n >= 1.
    memory
        Memory budget M (tokens).
    class_end
        The longest output of each class (rounds), from 0 on.
    spacing
        The distances in a pipeline.
    drain
        Whether a class waits for the last slice of the one before it.
    """
    largest = int(prompts.max())
    starts = np.zeros(len(prompts), dtype=np.int64)
    remaining = np.arange(len(prompts))
    begin, end, phase = Fraction(0), 0, 0
    while len(remaining):
        limit = class_end(phase)
        phase += 1
        members = remaining[outputs[remaining] <= limit]
        if not len(members):
            continue
        prompt = int(prompts[members].max()) if drain else largest
        slice = min(limit, memory - prompt)
        members = members[outputs[members] <= slice]
        if len(members):
            distance = spacing(prompt, slice, memory)
            starts[members] = staggered(begin, len(members), distance)
            end = int(starts[members[-1]]) + slice
            begin = Fraction(end) if drain else begin + len(members) * distance
            remaining = remaining[outputs[remaining] > slice]
        if slice == memory - prompt:
            slots = memory - prompts[remaining]
            starts[remaining] = end + np.cumsum(slots) - slots
            break
    return starts


def pulled_beside(
    prompts: IntArray,
    outputs: IntArray,
    memory: int,
    planned: IntArray,
    profile: LiveProfile | None = None,
) -> IntArray:
    """Move each request to its earliest start beside all others, in the order of their starts.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    memory
        Memory budget M (tokens).
    planned
        Feasible starts (rounds), shape (n,).
    profile
        What else there is, with the planned runs, from now on; it is kept up to date.  None
        if there is nothing else.

    Returns
    -------
    ndarray of int64, shape (n,)
        Feasible starts, none later (rounds).
    """
    order = np.argsort(planned, kind="stable").tolist()
    lengths = list(zip(prompts.tolist(), outputs.tolist(), strict=True))
    starts = planned.tolist()
    if profile is None:
        profile = LiveProfile(memory)
        for i in order:
            prompt, output = lengths[i]
            profile.add(starts[i], prompt, starts[i] + output)
    now = profile.now
    # No start before this was possible for the last request of the same type, nor is it
    # now: since then rounds have become free only after `following`.
    earliest: dict[tuple[int, int], int] = {}
    for place, i in enumerate(order):
        start, (prompt, output) = starts[i], lengths[i]
        profile.remove(start, prompt, start + output)
        starts[i] = profile.earliest_start(prompt, output, earliest.get(lengths[i], now))
        profile.add(starts[i], prompt, starts[i] + output)
        following = starts[order[place + 1]] if place + 1 < len(order) else start
        earliest[lengths[i]] = max(now, min(starts[i], following - output + 1))
    return np.array(starts, dtype=np.int64)
