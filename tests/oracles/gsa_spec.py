"""GSA-Spec, literally (Feng, Yang, Zhang 2026, arXiv 2601.22996)."""

from fractions import Fraction

from oracles.batches import in_batches, until_last_end
from oracles.gsa import gsa_batch
from oracles.model import Attempt, Request, by_start


def gsa_spec(
    memory: int,
    requests: list[Request],
    releases: list[int],
    alpha: Fraction | int | str,
    beta: Fraction | int = 1,
) -> list[Attempt]:
    """Run GSA-Spec(alpha, beta), batch by batch."""
    return in_batches(
        requests, releases, lambda batch: until_last_end(gsa_spec_batch(memory, batch, alpha, beta))
    )


def gsa_spec_batch(
    memory: int, requests: list[Request], alpha: Fraction | int | str, beta: Fraction | int
) -> list[Attempt]:
    """Run GSA's plan, with speculative attempts in the memory it leaves.

    The plan's attempts keep their starts. Those of a request that completed in a speculative
    attempt are left out, and nothing takes their place.
    """
    plan, _ = gsa_batch(memory, requests, alpha, beta)
    attempts: list[Attempt] = []
    unfinished = set(range(len(requests)))
    base: dict[int, Attempt] = {}  # running attempts of the plan
    speculative: dict[int, int] = {}  # request -> start
    now = 0

    def next_round() -> int:
        starts = {i: attempt[1] for i, attempt in base.items()} | speculative
        return sum(requests[i][0] + now + 1 - start for i, start in starts.items())

    while unfinished:
        for i, attempt in list(base.items()):
            if attempt[2] == now:
                attempts.append(base.pop(i))
                if not attempt[3]:
                    unfinished.remove(i)
        for i, start in list(speculative.items()):
            if start + requests[i][1] == now:
                attempts.append((i, speculative.pop(i), now, False))
                unfinished.remove(i)
        for attempt in plan:
            i, start, _, _ = attempt
            if start == now and i in unfinished:
                if i in speculative:
                    attempts.append((i, speculative.pop(i), now, True))
                base[i] = attempt
        while next_round() > memory:
            i = max(speculative, key=lambda i: (speculative[i], i))
            attempts.append((i, speculative.pop(i), now, True))
        for i in sorted(unfinished):
            if i not in base and i not in speculative:
                if next_round() + requests[i][0] + 1 > memory:
                    break
                speculative[i] = now
        now += 1
    return by_start(attempts)
