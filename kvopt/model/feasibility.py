"""An independent check of schedules against the model.

Written to be read and believed: plain loops over plain integers, nothing shared
with the simulator, the policies, the memory profiles or the solvers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from kvopt.model.errors import require
from kvopt.model.schedule import Attempt, Schedule

__all__ = ["Violation", "violations"]


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
