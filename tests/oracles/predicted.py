"""A-Max and A-Min, literally (arXiv 2508.14544)."""

from fractions import Fraction
from itertools import count
from math import ceil, floor

from oracles.model import Attempt, Request, by_start, check, within_budget


def interval(memory: int, request: Request, width: Fraction | int | None) -> tuple[int, int]:
    """Return the least and the greatest output a policy is told to expect."""
    prompt, output = request
    if width is None:
        return 1, memory - prompt
    return max(1, ceil(output / Fraction(width))), min(floor(output * width), memory - prompt)


def a_max(
    memory: int,
    requests: list[Request],
    releases: list[int],
    width: Fraction | int | None = None,
) -> list[Attempt]:
    """Run A-Max: MC-SF that takes each output to be the greatest of its interval."""
    check(memory, requests)
    greatest = [interval(memory, request, width)[1] for request in requests]
    attempts: list[Attempt] = []
    running: dict[int, int] = {}  # request -> start
    waiting = set(range(len(requests)))
    for now in count():
        done = [i for i, start in running.items() if start + requests[i][1] == now]
        attempts += [(i, running.pop(i), now, False) for i in done]
        for i in sorted(waiting, key=lambda i: (greatest[i], i)):
            if releases[i] > now:
                continue
            longer = {**running, i: now}
            assumed = [(j, start, start + greatest[j], False) for j, start in longer.items()]
            # Rounds of the past, which these did not use alone, are within the budget anyway.
            if not within_budget(memory, requests, assumed):
                break
            running = longer
            waiting.remove(i)
        if not running and not waiting:
            return by_start(attempts)
    raise AssertionError("unreachable")


def a_min(
    memory: int,
    requests: list[Request],
    releases: list[int],
    width: Fraction | int | None = None,
) -> list[Attempt]:
    """Run A-Min: take each output to be the least it can be, and evict when that was too little."""
    check(memory, requests)
    estimate = [interval(memory, request, width)[0] for request in requests]
    attempts: list[Attempt] = []
    running: dict[int, int] = {}  # request -> start
    waiting = set(range(len(requests)))
    for now in count():
        done = [i for i, start in running.items() if start + requests[i][1] == now]
        attempts += [(i, running.pop(i), now, False) for i in done]
        while sum(requests[i][0] + now + 1 - start for i, start in running.items()) > memory:
            i = min(running, key=lambda i: (estimate[i], i))
            start = running.pop(i)
            attempts.append((i, start, now, True))
            estimate[i] = max(estimate[i], now - start)
            waiting.add(i)
        for i in sorted(waiting, key=lambda i: (estimate[i], i)):
            if releases[i] > now:
                continue
            longer = {**running, i: now}
            used_in = {
                round_: sum(
                    requests[other][0] + round_ - start
                    for other, start in longer.items()
                    if round_ <= start + max(estimate[other], now - start + 1)
                )
                for round_ in range(now + 1, now + memory + 1)
            }
            if max(used_in.values()) > memory:
                break
            running = longer
            waiting.remove(i)
        if not running and not waiting:
            return by_start(attempts)
    raise AssertionError("unreachable")
