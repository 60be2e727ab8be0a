"""Sorted-F, literally (arXiv 2508.06133)."""

from fractions import Fraction
from itertools import combinations

from oracles.in_order import place_in_order
from oracles.model import Attempt, Request, check, within_budget


def sorted_f(memory: int, requests: list[Request], releases: list[int]) -> list[Attempt]:
    """Run Sorted-F: time and again the set that can start together with the least sum / number^2.

    Of up to 10 requests every subset is looked at. Of more, requests are added one by one.
    """
    check(memory, requests)

    def startable(chosen: list[int]) -> bool:
        together = [(i, 0, requests[i][1], False) for i in chosen]
        return within_budget(memory, requests, together)

    def measure(chosen: list[int]) -> Fraction:
        return Fraction(sum(requests[i][1] for i in chosen), len(chosen) ** 2)

    def best_first(left: list[int]) -> list[int]:
        order: list[int] = []
        while left:
            best = best_set(left)
            order += sorted(best, key=lambda i: (requests[i][1], i))
            left = [i for i in left if i not in best]
        return order

    def best_set(left: list[int]) -> list[int]:
        if len(left) <= 10:
            subsets = [
                list(chosen)
                for size in range(1, len(left) + 1)
                for chosen in combinations(left, size)
                if startable(list(chosen))
            ]
            return min(subsets, key=lambda chosen: (measure(chosen), -len(chosen), chosen))
        best: list[int] = []
        for i in sorted(left, key=lambda i: (requests[i][1], requests[i][0], i)):
            longer = [*best, i]
            if not best or (startable(longer) and measure(longer) < measure(best)):
                best = longer
        return best

    return place_in_order(memory, requests, releases, best_first)
