"""Alpha-protection, literally: FCFS as in vLLM with a protected share (arXiv 2502.07115)."""

from fractions import Fraction

from oracles.model import Attempt, Request, by_start, check


def alpha_protection(memory: int, requests: list[Request], a: Fraction) -> list[Attempt]:
    """Run FCFS that leaves a share of the memory free when it admits, unless nothing runs."""
    check(memory, requests)
    attempts: list[Attempt] = []
    queue = list(range(len(requests)))
    running: list[tuple[int, int]] = []  # (request, start), oldest admission first
    now = 0

    def next_round() -> int:
        return sum(requests[i][0] + now + 1 - start for i, start in running)

    while queue or running:
        for i, start in running:
            if start + requests[i][1] == now:
                attempts.append((i, start, now, False))
        running = [(i, start) for i, start in running if start + requests[i][1] > now]
        while next_round() > memory:
            i, start = running.pop()
            attempts.append((i, start, now, True))
            queue.insert(0, i)
        while queue and (
            not running or next_round() + requests[queue[0]][0] + 1 <= (1 - a) * memory
        ):
            running.append((queue.pop(0), now))
        now += 1
    return by_start(attempts)
