"""What FCFS does until something happens: attempts that are killed and start again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Course", "overflow_course"]


class Course(NamedTuple):
    """Attempts that run one after another until nothing is known any more.

    Parameters
    ----------
    places
        Place of each attempt's request in the queue, from 0.
    starts, ends
        Start, and the time at which the attempt is killed (rounds).
    until
        Time at which the course ends (rounds).
    """

    places: list[int]
    starts: list[int]
    ends: list[int]
    until: int


def overflow_course(
    prompts: Sequence[int], starts: Sequence[int], memory: int, limit: int, length: int
) -> Course:
    """Work out what FCFS does as long as nothing completes and nothing is released.

    The first of a queue run.  When the next round overflows, the last of them is killed, and
    so on until it fits; then the queue goes on being admitted.  What runs is the beginning of
    the queue at all times, so it is a stack; and the first k of it use c + k r tokens in
    round r, which tells when they overflow.  A kill and a start cost constant time.

    Parameters
    ----------
    prompts
        Prompt lengths of the queue, of what runs first (tokens).
    starts
        When what runs now started (rounds), at least one; the next round fits, and nothing
        more can be admitted now.
    memory
        Memory budget M (tokens).
    limit
        A request is admitted if the next round then uses at most so much (tokens).
    length
        The course ends after so many kills.  It ends when the first of the queue would be
        killed in any case.
    """
    number = len(prompts)
    began, fixed, last = [0] * number, [0] * number, [0] * number
    constant = 0  # c
    for place, start in enumerate(starts):
        constant += prompts[place] - start
        began[place], fixed[place] = start, constant
        last[place] = (memory - constant) // (place + 1)  # round before the overflow
    places: list[int] = []
    killed_starts: list[int] = []
    ends: list[int] = []
    top = len(starts) - 1
    now = last[top]
    while now < last[0] and len(places) < length:
        while last[top] <= now:
            places.append(top)
            killed_starts.append(began[top])
            ends.append(now)
            top -= 1
        constant = fixed[top]
        while top + 1 < number:
            constant += prompts[top + 1] - now
            if constant + (top + 2) * (now + 1) > limit:
                break
            top += 1
            began[top], fixed[top] = now, constant
            last[top] = (memory - constant) // (top + 1)
        now = last[top]
    for place in range(top + 1):  # these run on
        places.append(place)
        killed_starts.append(began[place])
        ends.append(now)
    return Course(places, killed_starts, ends, now)
