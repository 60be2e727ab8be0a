"""Area budget, literally (proofs/text/mixed_non_clairvoyant.md)."""

from fractions import Fraction
from itertools import count

from oracles.area_phases import run_as_they_fit
from oracles.batches import Batch, in_batches
from oracles.model import Attempt, Request, area, check
from oracles.pipelines import floor_power


def area_budget(
    memory: int,
    requests: list[Request],
    releases: list[int],
    alpha: Fraction | str,
    budget: Fraction,
) -> list[Attempt]:
    """Run area budget, batch by batch."""
    check(memory, requests, alpha)
    return in_batches(requests, releases, lambda batch: budget_batch(memory, batch, alpha, budget))


def equal_areas(memory: int, prompts: list[int], longest: int, most: int) -> list[int]:
    """Return the slices of the largest area with which they add up to at most `most`."""
    runs = [[area(s, t) for t in range(min(longest, memory - s) + 1)] for s in prompts]
    best = [0] * len(prompts)
    for largest in sorted({a for one in runs for a in one}):
        slices = [max(t for t, a in enumerate(one) if a <= largest) for one in runs]
        if sum(one[t] for one, t in zip(runs, slices, strict=True)) <= most:
            best = slices
    return best


def budget_batch(
    memory: int, requests: list[Request], alpha: Fraction | str, budget: Fraction
) -> Batch:
    """Give equal areas to the unfinished, in stages whose time and area grow by alpha."""
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    previous = [0] * len(requests)
    now = 0
    for stage in count():
        if not unfinished:
            return attempts, now
        found = equal_areas(
            memory,
            [requests[i][0] for i in unfinished],
            floor_power(alpha, stage),
            floor_power(alpha, stage, budget * memory),
        )
        slices = dict(zip(unfinished, found, strict=True))
        longer = {i: t for i, t in slices.items() if t > previous[i]}
        ran, now = run_as_they_fit(memory, requests, longer, now)
        attempts += ran
        for i, t in longer.items():
            previous[i] = t
        unfinished = [i for i in unfinished if requests[i][1] > previous[i]]
    raise AssertionError("unreachable")
