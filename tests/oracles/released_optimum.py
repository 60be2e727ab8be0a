"""The exact optimum with release times, by trying every vector of start times."""

from itertools import count

from oracles.model import check

Released = tuple[int, int, int]
"""Prompt, output, release."""


def optimum(memory: int, requests: list[Released]) -> int:
    """Return the least total latency, by trying every vector of start times.

    Some optimal schedule ends by the last release plus the sum of the outputs: after the last
    release it need not idle. A branch is cut when its cost, plus what the rest would cost if each
    ran alone beside what is placed, at its earliest fit, is not below the best known. Nothing is
    said about equal requests, nor about idle rounds.
    """
    check(memory, [(prompt, output) for prompt, output, _ in requests])
    horizon = max(release for _, _, release in requests) + sum(o for _, o, _ in requests)

    def fits(used: list[int], request: Released, start: int) -> bool:
        prompt, output, _ = request
        return all(used[start + j] + prompt + j <= memory for j in range(1, output + 1))

    def search(index: int, used: list[int], cost: int, best: int) -> int:
        if index == len(requests):
            return min(best, cost)
        prompt, output, release = requests[index]
        rest = sum(
            next(t for t in count(later[2]) if fits(used, later, t)) + later[1] - later[2]
            for later in requests[index + 1 :]
        )
        for start in range(release, horizon - output + 1):
            if cost + start + output - release + rest >= best:
                break
            if fits(used, requests[index], start):
                beside = used.copy()
                for j in range(1, output + 1):
                    beside[start + j] += prompt + j
                best = search(index + 1, beside, cost + start + output - release, best)
        return best

    now = one_by_one = 0
    for _, output, release in sorted(requests, key=lambda request: request[2]):
        now = max(now, release) + output
        one_by_one += now - release
    return search(0, [0] * (2 * horizon + 2), 0, one_by_one + 1)
