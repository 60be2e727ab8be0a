"""MC-SF, literally (arXiv 2502.07115)."""

from oracles.model import Attempt, Request, by_start, check, memory_by_round


def mc_sf(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run MC-SF: admit the shortest outputs first, as long as no future round overflows."""
    check(memory, requests)
    attempts: list[Attempt] = []
    waiting = sorted(range(len(requests)), key=lambda i: (requests[i][1], i))
    now = 0
    while waiting:
        while waiting:
            first = waiting[0]
            longer = [*attempts, (first, now, now + requests[first][1], False)]
            if max(memory_by_round(memory, requests, longer)) > memory:
                break
            attempts = longer
            waiting.pop(0)
        now += 1
    return by_start(attempts)
