"""GSA with early release of slots, literally (proofs/text/early_release.md)."""

from fractions import Fraction
from itertools import count

from oracles.area_phases import run_as_they_fit
from oracles.batches import Batch, in_batches
from oracles.model import Attempt, Request, by_start, check, largest_prompt, slot
from oracles.pipelines import run_spaced, slice_length, spacing_of


def gsa_early(
    memory: int,
    requests: list[Request],
    releases: list[int],
    alpha: Fraction | int | str,
    spacing: str,
    slices: str,
    early: str,
) -> list[Attempt]:
    """Run GSA(alpha, 1), slots going on at once where that is the rule, batch by batch."""
    return in_batches(
        requests,
        releases,
        lambda batch: gsa_early_batch(memory, batch, alpha, spacing, slices, early),
    )


def gsa_early_batch(
    memory: int,
    requests: list[Request],
    alpha: Fraction | int | str,
    spacing: str,
    slices: str,
    early: str,
) -> Batch:
    """Run one batch, which is over when nothing of it runs or is reserved."""
    check(memory, requests, alpha)
    attempts: list[Attempt] = []
    unfinished = list(range(len(requests)))
    now = previous = 0
    for phase in count():
        if not unfinished:
            break
        prompt = largest_prompt(requests, unfinished)
        longest = memory - prompt
        length = min(slice_length(requests, phase, alpha, 1, slices), longest)
        if length == previous:
            continue
        side_by_side = 0
        while (side_by_side + 1) * (prompt + length) <= memory:
            side_by_side += 1
        gained = side_by_side * spacing_of(memory, prompt, length, spacing) / length
        if length == previous + 1 or gained < (1 if early == "yes" else Fraction(2, 3)):
            ran, now = run_spaced(memory, requests, unfinished, now, length, spacing)
        elif early == "yes":
            ran, now = in_slots(requests, unfinished, now, length, side_by_side)
        else:
            ran, now = run_as_they_fit(memory, requests, dict.fromkeys(unfinished, length), now)
        attempts += ran
        unfinished = [i for i in unfinished if requests[i][1] > length]
        previous = length
        if length == longest:
            for i in unfinished:
                attempts.append((i, now, now + requests[i][1], False))
                now += requests[i][1]
            break
    return by_start(attempts), now


def in_slots(
    requests: list[Request], members: list[int], begin: int, length: int, slots: int
) -> Batch:
    """Give each member, in order, the slot that is free first."""
    free_at = [begin] * slots
    ran = []
    for i in members:
        start = min(free_at)
        ran.append(slot(requests, i, start, length))
        free_at[free_at.index(start)] = ran[-1][2]
    return ran, max(end for _, _, end, _ in ran)
