"""The exact optimum, by trying every vector of start times."""

from itertools import count

from oracles.model import Request, check


def optimum(memory: int, requests: list[Request]) -> int:
    """Return the least total completion time, by trying every vector of start times.

    Some optimal schedule never idles, so no start exceeds the sum of the outputs. A branch is
    cut when its cost, plus what the rest would cost if each ran alone beside what is placed, at
    its earliest fit, is not below the best known. Equal requests start in request order.
    """
    check(memory, requests)
    order = sorted(requests)
    horizon = sum(output for _, output in order)

    def fits(used: list[int], request: Request, start: int) -> bool:
        prompt, output = request
        return all(used[start + j] + prompt + j <= memory for j in range(1, output + 1))

    def search(index: int, last_start: int, used: list[int], cost: int, best: int) -> int:
        if index == len(order):
            return min(best, cost)
        prompt, output = order[index]
        rest = sum(
            next(t for t in count() if fits(used, later, t)) + later[1]
            for later in order[index + 1 :]
        )
        equal = index > 0 and order[index] == order[index - 1]
        for start in range(last_start if equal else 0, horizon + 1):
            if cost + start + output + rest >= best:
                break
            if fits(used, order[index], start):
                beside = used.copy()
                for j in range(1, output + 1):
                    beside[start + j] += prompt + j
                best = search(index + 1, start, beside, cost + start + output, best)
        return best

    one_by_one = 0
    for done, (_, output) in enumerate(sorted(order, key=lambda request: request[1])):
        one_by_one += output * (len(order) - done)
    return search(0, 0, [0] * (3 * horizon + 1), 0, one_by_one)
