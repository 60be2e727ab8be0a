"""Rounds that take milliseconds, literally: one round after the other.

For the model see `oracles.model`.  A clock is a function (running, memory, prompt tokens) -> time
that a round takes."""

from collections.abc import Callable
from fractions import Fraction
from math import ceil

from oracles.model import Attempt, Request, by_start

Time = Fraction
Clock = Callable[[int, int, int], Time]


def linear(c0: Time, c1: Time, c2: Time, c3: Time) -> Clock:
    """Return the clock c0 + c1 K + c2 W + c3 b."""
    return lambda running, memory, prompts: c0 + c1 * running + c2 * memory + c3 * prompts


def tiled(c: Time, a: Time, b0: int) -> Clock:
    """Return the clock c + a ceil(tokens / b0)."""
    return lambda running, memory, prompts: c + a * ceil(Fraction(running + prompts, b0))


def round_ends(
    requests: list[Request], attempts: list[Attempt], kept: list[int], clock: Clock, last: int
) -> list[Time]:
    """Return the times at the ends of rounds 0, 1, ..., last, none of which is waited out.

    An attempt at a request that keeps tokens fills the memory anew with its prompt and them."""
    ends = [Fraction(0)]
    for round_ in range(1, last + 1):
        running = [
            (requests[i][0] + tokens, start)
            for (i, start, end, _), tokens in zip(attempts, kept, strict=True)
            if start < round_ <= end
        ]
        memory = sum(prompt + round_ - start for prompt, start in running)
        prompts = sum(prompt for prompt, start in running if start == round_ - 1)
        ends.append(ends[-1] + clock(len(running), memory, prompts))
    return ends


def fcfs_by_clock(
    memory: int, requests: list[Request], arrivals: list[Time], clock: Clock
) -> tuple[list[Attempt], list[int], list[Time]]:
    """Run FCFS; return its attempts, when requests were seen (round), and the ends of rounds."""
    attempts: list[Attempt] = []
    seen: dict[int, int] = {}
    queue: list[int] = []
    running: list[tuple[int, int]] = []
    ends = [Fraction(0)]
    while True:
        now = len(ends) - 1
        for i, start in running:
            if start + requests[i][1] == now:
                attempts.append((i, start, now, False))
        running = [(i, start) for i, start in running if start + requests[i][1] > now]
        for i, arrival in enumerate(arrivals):
            if i not in seen and arrival <= ends[-1]:
                seen[i] = now
                queue.append(i)
        queue.sort(key=lambda i: (seen[i], i))
        while _held(requests, running, now + 1) > memory:
            i, start = running.pop()
            attempts.append((i, start, now, True))
            queue.append(i)
            queue.sort(key=lambda i: (seen[i], i))
        while queue and _held(requests, running, now + 1) + requests[queue[0]][0] + 1 <= memory:
            running.append((queue.pop(0), now))
        if not running and not queue:
            if len(seen) == len(requests):
                return by_start(attempts), [seen[i] for i in range(len(requests))], ends
            ends.append(min(t for i, t in enumerate(arrivals) if i not in seen))
            continue
        prompts = sum(requests[i][0] for i, start in running if start == now)
        ends.append(ends[-1] + clock(len(running), _held(requests, running, now + 1), prompts))


def _held(requests: list[Request], running: list[tuple[int, int]], round_: int) -> int:
    """Return the memory that attempts (request, start) use in a round."""
    return sum(requests[i][0] + round_ - start for i, start in running)
