"""MC-SF, literally (arXiv 2502.07115)."""

from oracles.model import Attempt, Request, by_start, check, memory_by_round


def mc_sf(
    memory: int, requests: list[Request], releases: list[int], passes: int = 0
) -> list[Attempt]:
    """Run MC-SF: admit the shortest outputs first, as long as no future round overflows.

    A request that does not fit may be passed so many times.
    """
    check(memory, requests)
    attempts: list[Attempt] = []
    waiting = set(range(len(requests)))
    passed = [0] * len(requests)
    now = 0
    while waiting:
        before: list[int] = []
        for i in sorted(waiting, key=lambda i: (requests[i][1], i)):
            if releases[i] > now:
                continue
            longer = [*attempts, (i, now, now + requests[i][1], False)]
            if max(memory_by_round(memory, requests, longer)) <= memory:
                attempts = longer
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
