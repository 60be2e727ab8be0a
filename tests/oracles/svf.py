"""SVF, literally (arXiv 2606.22327)."""

from oracles.in_order import place_in_order
from oracles.model import Attempt, Request, area, check


def svf(memory: int, requests: list[Request], releases: list[int]) -> list[Attempt]:
    """Run the smallest area first."""
    check(memory, requests)
    return place_in_order(
        memory,
        requests,
        releases,
        lambda waiting: sorted(waiting, key=lambda i: (area(*requests[i]), i)),
    )
