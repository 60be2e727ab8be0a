"""An independent check of schedules against the model.

Written to be read and believed: plain loops over plain integers, nothing shared
with the simulator, the policies, the memory profiles or the solvers.  Schedules of
many attempts are read as arrays first, which takes a hundredth of the time; the loops
have the word on all that the arrays do not accept.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kvopt.model.errors import require
from kvopt.model.request import IntArray
from kvopt.model.schedule import Attempt, Schedule

__all__ = ["Violation", "violations"]

MANY = 2_000
"""So many attempts are read as arrays first."""

LARGEST_SUM = 2**62
"""Up to this, sums in arrays are exact."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a schedule breaks the model.

    Parameters
    ----------
    rule
        Short name of the broken rule: "request", "time", "length", "missing",
        "doubled", "overlap", "finished", "release", "tokens" or "memory".
    message
        The violation in words, with all the numbers.
    """

    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


def violations(schedule: Schedule) -> list[Violation]:
    """List everything that is wrong with a schedule.

    The model is that of Feng, Yang and Zhang 2026 (arXiv 2601.22996): an attempt
    that starts at p uses s + j tokens in round p + j, completes after exactly o
    rounds, and may be killed after any earlier round; no attempt starts before time
    0 or the release of its request; every request completes exactly once, its
    attempts do not overlap, none follows the completion, and in every round the
    memory in use is at most the budget.

    Where kills keep tokens, an attempt that starts with g tokens uses s + g + j tokens in
    its j-th round and completes after o - g, and g is the number of rounds in which earlier
    attempts of its request ran.

    Parameters
    ----------
    schedule
        The schedule; its integers may be anything.

    Returns
    -------
    list of Violation
        Empty if and only if the schedule is feasible.  An overflow of memory is
        reported once for each maximal range of rounds.

    Raises
    ------
    TypeError
        If it is no schedule.
    """
    require(schedule, Schedule, "schedule")
    if len(schedule) >= MANY and _accepted_at_once(schedule):
        return []
    prompts = schedule.instance.prompts.tolist()
    outputs = schedule.instance.outputs.tolist()
    releases = schedule.instance.releases.tolist()
    n = len(outputs)
    found: list[Violation] = []
    attempts_of: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in schedule:
        if 0 <= attempt.request < n:
            attempts_of[attempt.request].append(attempt)
        else:
            found.append(Violation("request", f"{attempt} names no request of 0..{n - 1}"))

    for i in range(n):
        found += _of_one_request(i, outputs[i], releases[i], attempts_of[i])
        if schedule.keeps_tokens:
            found += _of_tokens(i, attempts_of[i])

    running = [a for own in attempts_of.values() for a in own if a.start < a.end]
    uses = [(a.start, a.end, prompts[a.request] + a.tokens) for a in running]
    found += _of_memory(uses, schedule.instance.memory)
    return found


def _accepted_at_once(schedule: Schedule) -> bool:
    """Tell whether arrays of all attempts show that a schedule is feasible; False if unsure."""
    instance = schedule.instance
    request, start, end = schedule.request, schedule.start, schedule.end
    killed, n = schedule.killed, len(instance)
    kept = np.zeros_like(start) if schedule.tokens is None else schedule.tokens
    if not len(request) or request.min() < 0 or request.max() >= n:
        return False
    largest = max(max(int(c.max()), -int(c.min())) for c in (start, end, kept))
    if (largest + instance.memory) * (len(request) + 1) > LARGEST_SUM:
        return False

    rounds, left = end - start, instance.outputs[request] - kept
    if (start < 0).any() or (start < instance.releases[request]).any():
        return False
    if (kept < 0).any() or (rounds < 1).any():
        return False
    if (np.where(killed, rounds >= left, rounds != left)).any():
        return False
    if (np.bincount(request[~killed], minlength=n) != 1).any():
        return False

    # The attempts of a request in a row, by start: none overlaps, and the last one completes.
    order = np.lexsort((start, request))
    mine, before, after = request[order], order[:-1], order[1:]
    same = mine[:-1] == mine[1:]
    if (same & ((start[after] < end[before]) | ~killed[before])).any():
        return False
    if not schedule.keeps_tokens:
        return not (kept.any() or _exceed(schedule, kept))
    run = kept + rounds
    first = ~np.concatenate(([False], same))
    if kept[order[first]].any() or (same & (kept[after] != run[before])).any():
        return False
    return not _exceed(schedule, kept)


def _exceed(schedule: Schedule, kept: IntArray) -> bool:
    """Tell whether attempts that begin with kept tokens (shape (a,)) ever exceed the memory.

    As `_of_memory`: between two times the memory is a sum of s + r - p over what runs.
    """
    start, end = schedule.start, schedule.end
    constant = schedule.instance.prompts[schedule.request] + kept - start
    times = np.concatenate((start, end))
    order = np.argsort(times, kind="stable")
    times = times[order]
    constants = np.cumsum(np.concatenate((constant, -constant))[order])
    counts = np.cumsum(np.repeat((1, -1), len(start))[order])
    peaks = constants[:-1] + counts[:-1] * times[1:]
    return bool((peaks[times[:-1] < times[1:]] > schedule.instance.memory).any())


def _of_one_request(i: int, output: int, release: int, attempts: list[Attempt]) -> list[Violation]:
    found = []
    completions = [a for a in attempts if not a.killed]
    if not completions:
        found.append(Violation("missing", f"request {i} never completes"))
    if len(completions) > 1:
        times = [a.end for a in completions]
        found.append(Violation("doubled", f"request {i} completes more than once, at {times}"))
    previous = None
    for a in sorted(attempts, key=lambda a: (a.start, a.end)):
        span = f"attempt of request {i} from {a.start} to {a.end}"
        rounds = a.end - a.start
        if a.start < 0:
            found.append(Violation("time", f"{span} starts before time 0"))
        elif a.start < release:
            found.append(Violation("release", f"{span} starts before its release at {release}"))
        left = output - a.tokens
        lengths = f"output is {output}" + (f", {a.tokens} tokens are kept" if a.tokens else "")
        if not a.killed and rounds != left:
            found.append(Violation("length", f"{span} completes after {rounds} rounds, {lengths}"))
        if a.killed and not 1 <= rounds < left:
            found.append(
                Violation(
                    "length", f"{span} is killed after {rounds} rounds, not after 1..{left - 1}"
                )
            )
        if previous is not None and a.start < previous.end:
            found.append(Violation("overlap", f"{span} overlaps the one from {previous.start}"))
        if completions and a.killed and a.start >= min(c.end for c in completions):
            found.append(Violation("finished", f"{span} starts after the request completed"))
        if previous is None or a.end > previous.end:
            previous = a
    return found


def _of_tokens(i: int, attempts: list[Attempt]) -> list[Violation]:
    found = []
    kept = 0
    for a in sorted(attempts, key=lambda a: (a.start, a.end)):
        if a.tokens != kept:
            span = f"attempt of request {i} from {a.start} to {a.end}"
            found.append(Violation("tokens", f"{span} starts with {a.tokens} tokens, not {kept}"))
        kept += a.end - a.start
    return found


def _of_memory(uses: list[tuple[int, int, int]], memory: int) -> list[Violation]:
    """Sweep over the times at which something starts or ends.

    Between two such times the attempts stay the same, and the memory is a sum
    of s + r - p over them: constant + count * r.
    """
    change: dict[int, tuple[int, int]] = {}
    for start, end, prompt in uses:
        constant, count = change.get(start, (0, 0))
        change[start] = constant + prompt - start, count + 1
        constant, count = change.get(end, (0, 0))
        change[end] = constant - (prompt - start), count - 1

    ranges: list[list[int]] = []  # first round, last round, peak
    times = sorted(change)
    constant = count = 0
    for time, following in pairwise(times):
        constant += change[time][0]
        count += change[time][1]
        peak = constant + count * following
        if peak <= memory:
            continue
        # The smallest round r > time with constant + count * r > memory.
        first = max(time + 1, (memory - constant) // count + 1)
        if ranges and ranges[-1][1] == first - 1:
            ranges[-1][1] = following
            ranges[-1][2] = max(ranges[-1][2], peak)
        else:
            ranges.append([first, following, peak])
    return [
        Violation("memory", f"rounds {a}..{b} use up to {peak} tokens, memory is {memory}")
        for a, b, peak in ranges
    ]
