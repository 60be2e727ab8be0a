"""Starting requests in an order, literally."""

from oracles.model import Attempt, Request, by_start, within_budget


def place_in_order(memory: int, requests: list[Request], order: list[int]) -> list[Attempt]:
    """Start in this order, each as early as it fits, and not before its predecessor."""
    attempts: list[Attempt] = []
    start = 0
    for i in order:
        while not within_budget(
            memory, requests, [*attempts, (i, start, start + requests[i][1], False)]
        ):
            start += 1
        attempts.append((i, start, start + requests[i][1], False))
    return by_start(attempts)
