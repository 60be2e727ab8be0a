"""What FCFS does until something happens: attempts that are killed and start again."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.simulation.decisions import Until, Wait
from kvopt.simulation.machine import Machine

__all__ = ["MANY_KILLS", "Course", "course_from_now", "follow", "overflow_course", "still_running"]

MANY_KILLS = 32
"""After so many kills in a row the next ones are worked out ahead."""


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
    prompts: Sequence[int],
    starts: Sequence[int],
    memory: int,
    limit: int,
    length: int,
    *,
    floor: int = 1,
    behind: Sequence[int] | None = None,
) -> Course:
    """Work out what FCFS does as long as nothing completes and nothing is released.

    The first of a queue run.  When the next round overflows, the last of them is killed, and
    so on until it fits; then the queue goes on being admitted.  What runs is the beginning of
    the queue at all times, so it is a stack; and the first k of it use c + k r tokens in
    round r, which tells when they overflow.  A kill and a start cost constant time.

    With bypass it ends before the first time at which one would pass another.

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
        The course ends after so many kills.
    floor
        It ends when one of so many, the first of the queue, would be killed; at least 1, at
        most as many as run.
    behind
        For each place the least prompt of those that may pass it when it does not fit (tokens);
        None without bypass.
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
    passing = False
    while now < last[floor - 1] and len(places) < length and not passing:
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
        if behind and top + 1 < number:
            least = fixed[top] + behind[top + 1] - now
            passing = least + (top + 2) * (now + 1) <= limit
        now = now if passing else last[top]
    for place in range(top + 1):  # these run on
        if began[place] < now:
            places.append(place)
            killed_starts.append(began[place])
            ends.append(now)
    return Course(places, killed_starts, ends, now)


def course_from_now(
    machine: Machine,
    order: IntArray,
    running: int,
    limit: int,
    length: int,
    *,
    floor: int = 1,
    behind: Sequence[int] | None = None,
) -> Course:
    """Return the course that begins now; see `overflow_course`.

    Parameters
    ----------
    machine
        The machine.
    order
        All requests that run or wait, shape (n,).
    running
        The first so many run, in the order of their starts.
    limit, length, floor, behind
        See `overflow_course`.
    """
    prompts = machine.prompts_of(order).tolist()
    starts = [machine.started(i) for i in order[:running].tolist()]
    return overflow_course(
        prompts, starts, machine.memory, limit, length, floor=floor, behind=behind
    )


def follow(
    machine: Machine, order: IntArray, course: Course
) -> Generator[Wait | Until, IntArray, IntArray]:
    """Let a course happen until something else does, and return what completed."""
    places, starts, ends = (np.array(column) for column in course[:3])
    machine.foresee(order[places], starts, ends)
    done = yield Wait(course.until)
    return done


def still_running(machine: Machine, course: Course) -> int:
    """Return how many of the order run after a course, or have just completed: the first ones."""
    places, starts, ends = (np.array(column) for column in course[:3])
    return 1 + int(places[(starts < machine.now) & (ends >= machine.now)].max())
