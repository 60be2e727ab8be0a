"""Alpha-protection, literally: FCFS as in vLLM with a protected share (arXiv 2502.07115)."""

import random
from fractions import Fraction

from oracles.model import Attempt, Request, by_start, check


def alpha_protection(
    memory: int,
    requests: list[Request],
    releases: list[int],
    a: Fraction,
    clearing: Fraction | None = None,
    seed: int = 0,
    keep: bool = False,
) -> list[Attempt]:
    """Run FCFS that leaves a share of the memory free when it admits, unless nothing runs.

    With clearing, each running request is killed with that probability, time and again until
    the next round fits. A killed request loses its tokens, or keeps them.
    """
    check(memory, requests)
    rng = random.Random(seed)
    attempts: list[Attempt] = []
    to_come = sorted(range(len(requests)), key=lambda i: (releases[i], i))
    queue: list[int] = []
    running: list[tuple[int, int]] = []  # (request, start), oldest admission first
    kept = [0] * len(requests)
    now = 0

    def next_round() -> int:
        return sum(requests[i][0] + kept[i] + now + 1 - start for i, start in running)

    while queue or running or to_come:
        for i, start in running:
            if start + requests[i][1] - kept[i] == now:
                attempts.append((i, start, now, False))
        running = [(i, start) for i, start in running if start + requests[i][1] - kept[i] > now]
        while to_come and releases[to_come[0]] <= now:
            queue.append(to_come.pop(0))
        while next_round() > memory:
            if clearing is None:
                killed = [running[-1]]
            else:
                killed = [attempt for attempt in running if rng.random() < float(clearing)]
            running = [attempt for attempt in running if attempt not in killed]
            attempts += [(i, start, now, True) for i, start in killed]
            for i, start in killed:
                kept[i] += now - start if keep else 0
            queue = sorted((i for i, _ in killed), key=lambda i: (releases[i], i)) + queue
        while queue and (
            not running
            or next_round() + requests[queue[0]][0] + kept[queue[0]] + 1 <= (1 - a) * memory
        ):
            running.append((queue.pop(0), now))
        now += 1
    return by_start(attempts)
