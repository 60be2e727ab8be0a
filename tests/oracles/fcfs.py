"""FCFS as in vLLM, literally."""

from oracles.model import Attempt, Request, by_start, check


def fcfs(memory: int, requests: list[Request], releases: list[int]) -> list[Attempt]:
    """Run FCFS: admit by arrival while the next round fits; on overflow kill the newest."""
    check(memory, requests)
    attempts: list[Attempt] = []
    waiting = set(range(len(requests)))
    running: list[tuple[int, int]] = []  # (request, start), oldest admission first
    now = 0

    def next_round() -> int:
        return sum(requests[i][0] + now + 1 - start for i, start in running)

    while waiting or running:
        for i, start in running:
            if start + requests[i][1] == now:
                attempts.append((i, start, now, False))
        running = [(i, start) for i, start in running if start + requests[i][1] > now]
        while next_round() > memory:
            i, start = running.pop()
            attempts.append((i, start, now, True))
            waiting.add(i)
        for i in sorted(waiting, key=lambda i: (releases[i], i)):
            if releases[i] > now or next_round() + requests[i][0] + 1 > memory:
                break
            running.append((i, now))
            waiting.remove(i)
        now += 1
    return by_start(attempts)
