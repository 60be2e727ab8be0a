"""Area phases, literally (proofs/text/mixed_non_clairvoyant.md)."""

from fractions import Fraction
from itertools import count

from oracles.batches import Batch, in_batches
from oracles.model import Attempt, Request, area, check, slot, within_budget
from oracles.pipelines import floor_power


def area_phases(
    memory: int, requests: list[Request], releases: list[int], alpha: Fraction | str
) -> list[Attempt]:
    """Run area phases, batch by batch."""
    check(memory, requests, alpha)
    return in_batches(requests, releases, lambda batch: area_phases_batch(memory, batch, alpha))


def area_slice(memory: int, prompt: int, largest_area: int) -> int:
    """Return the most rounds, up to the memory, whose area is no larger than allowed."""
    fitting = [t for t in range(1, memory - prompt + 1) if area(prompt, t) <= largest_area]
    return max(fitting, default=0)


def run_as_they_fit(
    memory: int, requests: list[Request], slices: dict[int, int], now: int
) -> Batch:
    """Start one attempt of each, wide ones first, then short slices, in this order as they fit."""
    queue = sorted(slices, key=lambda i: (2 * (requests[i][0] + slices[i]) <= memory, slices[i], i))
    ran: list[Attempt] = []
    while queue:
        first = queue[0]
        reserving = [(i, start, start + slices[i], False) for i, start, end, _ in ran if end > now]
        reserving.append((first, now, now + slices[first], False))
        if within_budget(memory, requests, reserving):
            ran.append(slot(requests, first, now, slices[first]))
            queue.pop(0)
        else:
            now += 1
    return ran, max((end for _, _, end, _ in ran), default=now)


def area_phases_batch(memory: int, requests: list[Request], alpha: Fraction | str) -> Batch:
    """Run slices of area 1, alpha, alpha^2, ..., each request while its slice grows."""
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    previous = [0] * len(requests)
    now = 0
    for phase in count():
        if not unfinished:
            return attempts, now
        slices = [area_slice(memory, s, floor_power(alpha, phase)) for s, _ in requests]
        longer = {i: slices[i] for i in unfinished if slices[i] > previous[i]}
        ran, now = run_as_they_fit(memory, requests, longer, now)
        attempts += ran
        previous = slices
        unfinished = [i for i in unfinished if requests[i][1] > slices[i]]
    raise AssertionError("unreachable")
