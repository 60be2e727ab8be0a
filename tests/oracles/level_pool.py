"""The level pool, literally (proofs/text/mixed_non_clairvoyant.md)."""

from collections.abc import Callable
from fractions import Fraction
from itertools import count
from math import floor, inf

from oracles.area_phases import area_slice
from oracles.batches import Batch, in_batches
from oracles.model import Attempt, Request, by_start, check, slot
from oracles.pipelines import floor_power


def level_pool(
    memory: int,
    requests: list[Request],
    releases: list[int],
    alpha: Fraction | str,
    width: Fraction,
    draw: Callable[[int], tuple[Fraction, list[int]]] = lambda n: (Fraction(1), list(range(n))),
) -> list[Attempt]:
    """Run the level pool, batch by batch; `draw` gives each the factor of its areas, and places."""
    check(memory, requests, alpha)

    def run(batch: list[Request]) -> Batch:
        scale, places = draw(len(batch))
        plans = [plan(memory, prompt, alpha, width, scale) for prompt, _ in batch]
        return pool_batch(memory, batch, plans, places)

    return in_batches(requests, releases, run)


def plan(
    memory: int, prompt: int, alpha: Fraction | str, width: Fraction, scale: Fraction
) -> list[tuple[float, int, int]]:
    """Return level, slice and reservation of all attempts that a request may have."""
    reserved = min(memory, max(prompt + 1, floor(width * prompt)))
    attempts: list[tuple[float, int, int]] = []
    slice = 0
    for level in count():
        if slice == reserved - prompt:
            break
        longer = min(
            area_slice(memory, prompt, floor_power(alpha, level, scale)), reserved - prompt
        )
        if longer > slice:
            attempts.append((level, longer, reserved))
            slice = longer
    return [*attempts, (inf, memory - prompt, memory)]


def pool_batch(
    memory: int,
    requests: list[Request],
    plans: list[list[tuple[float, int, int]]],
    places: list[int],
) -> Batch:
    """Start whoever is first by (level, place) as long as it fits, round by round."""
    waiting = set(range(len(requests)))
    running: list[Attempt] = []
    attempts: list[Attempt] = []
    for now in count():
        for attempt in [attempt for attempt in running if attempt[2] == now]:
            running.remove(attempt)
            i, _, _, killed = attempt
            if killed:
                plans[i].pop(0)
                waiting.add(i)
        while waiting:
            first = min(waiting, key=lambda i: (plans[i][0][0], places[i]))
            _, slice, reserved = plans[first][0]
            if sum(plans[i][0][2] for i, _, _, _ in running) + reserved > memory:
                break
            waiting.remove(first)
            running.append(slot(requests, first, now, slice))
            attempts.append(running[-1])
        if not running:
            return by_start(attempts), now
    raise AssertionError("unreachable")
