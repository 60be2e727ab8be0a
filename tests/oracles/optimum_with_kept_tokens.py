"""The exact optimum where a killed request keeps its tokens, by trying every set in every round."""

from functools import cache
from itertools import combinations

from oracles.model import Request, check


def optimum_with_kept_tokens(memory: int, requests: list[Request], releases: list[int]) -> int:
    """Return the least total completion time.

    As nothing is lost by a kill, a schedule is a set of requests in every round, each with its
    prompt, its tokens so far, and one more. What counts is how many tokens each has.

    >>> optimum_with_kept_tokens(4, [(1, 2), (1, 2)], [0, 0])
    5
    """
    check(memory, requests)
    everyone = range(len(requests))

    @cache
    def rest(now: int, tokens: tuple[int, ...]) -> int:
        """Return the completion times that are left, counted from time `now` on."""
        unfinished = [i for i in everyone if tokens[i] < requests[i][1]]
        if not unfinished:
            return 0
        ready = [i for i in unfinished if releases[i] <= now]
        least = None
        for size in range(len(ready), -1, -1):
            for chosen in combinations(ready, size):
                if sum(requests[i][0] + tokens[i] + 1 for i in chosen) > memory:
                    continue
                if not chosen and len(ready) == len(unfinished):
                    continue  # idle for ever
                then = tuple(tokens[i] + (i in chosen) for i in everyone)
                cost = len(unfinished) + rest(min(now + 1, max(releases)), then)
                least = cost if least is None else min(least, cost)
        assert least is not None
        return least

    return rest(0, (0,) * len(requests))
