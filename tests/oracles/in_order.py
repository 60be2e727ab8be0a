"""Starting requests in an order, literally."""

from collections.abc import Callable

from oracles.model import Attempt, Request, by_start, within_budget


def place_in_order(
    memory: int,
    requests: list[Request],
    releases: list[int],
    order_of: Callable[[list[int]], list[int]],
) -> list[Attempt]:
    """Start in order, each as early as it fits for its whole run, and not before its predecessor.

    When something is released, all that waits is put into order again.
    """
    attempts: list[Attempt] = []
    to_come = set(range(len(requests)))
    queue: list[int] = []
    now = 0
    while queue or to_come:
        released = [i for i in to_come if releases[i] == now]
        if released:
            to_come -= set(released)
            queue = order_of(sorted(queue + released))
        while queue:
            first = queue[0]
            longer = [*attempts, (first, now, now + requests[first][1], False)]
            if not within_budget(memory, requests, longer):
                break
            attempts = longer
            queue.pop(0)
        now += 1
    return by_start(attempts)
