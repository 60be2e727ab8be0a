"""FCFS as in vLLM, literally."""

from oracles.model import Attempt, Request, by_start, check


def fcfs(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run FCFS: admit by arrival while the next round fits; on overflow kill the newest."""
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
        while queue and next_round() + requests[queue[0]][0] + 1 <= memory:
            running.append((queue.pop(0), now))
        now += 1
    return by_start(attempts)
