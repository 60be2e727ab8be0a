"""Batch algorithms with release times, literally."""

from collections.abc import Callable

from oracles.model import Attempt, Request, by_start

Batch = tuple[list[Attempt], int]
"""Attempts from time 0, and the time at which the next batch may begin."""


def in_batches(
    requests: list[Request], releases: list[int], run_batch: Callable[[list[Request]], Batch]
) -> list[Attempt]:
    """Run what has been released as a batch; what arrives meanwhile makes the next one."""
    attempts: list[Attempt] = []
    waiting = list(range(len(requests)))
    now = 0
    while waiting:
        batch = [i for i in waiting if releases[i] <= now]
        if not batch:
            now += 1
            continue
        ran, length = run_batch([requests[i] for i in batch])
        for place, start, end, killed in ran:
            attempts.append((batch[place], now + start, now + end, killed))
        now += length
        waiting = [i for i in waiting if i not in batch]
    return by_start(attempts)


def until_last_end(attempts: list[Attempt]) -> Batch:
    """Return a batch that is over when the last of its attempts ends."""
    return attempts, max(end for _, _, end, _ in attempts)
