"""FCFS as in vLLM, literally."""

from oracles.model import Attempt, Request, by_start, check


def fcfs(
    memory: int,
    requests: list[Request],
    releases: list[int],
    passes: int = 0,
    keep: bool = False,
) -> list[Attempt]:
    """Run FCFS: admit by arrival while the next round fits; on overflow kill the newest.

    A request that does not fit may be passed so many times. A killed request loses its tokens,
    or keeps them.
    """
    check(memory, requests)
    attempts: list[Attempt] = []
    waiting = set(range(len(requests)))
    running: list[tuple[int, int]] = []  # (request, start)
    kept = [0] * len(requests)
    passed = [0] * len(requests)
    now = 0

    def next_round() -> int:
        return sum(requests[i][0] + kept[i] + now + 1 - start for i, start in running)

    while waiting or running:
        for i, start in list(running):
            if start + requests[i][1] - kept[i] == now:
                attempts.append((i, start, now, False))
                running.remove((i, start))
        while next_round() > memory:
            i, start = max(running, key=lambda run: (run[1], releases[run[0]], run[0]))
            running.remove((i, start))
            attempts.append((i, start, now, True))
            kept[i] += now - start if keep else 0
            waiting.add(i)
        before: list[int] = []
        for i in sorted(waiting, key=lambda i: (releases[i], i)):
            if releases[i] > now:
                break
            if next_round() + requests[i][0] + kept[i] + 1 <= memory:
                running.append((i, now))
                waiting.remove(i)
                for other in before:
                    passed[other] += 1
                if any(passed[other] == passes for other in before):
                    break
            elif passed[i] >= passes:
                break
            else:
                before.append(i)
        now += 1
    return by_start(attempts)
