"""The SPT pipeline, literally."""

from fractions import Fraction
from math import floor

from oracles.batches import in_batches, until_last_end
from oracles.model import Attempt, Request, by_start, check, largest_prompt
from oracles.pipelines import tight


def spt_pipeline(memory: int, requests: list[Request], releases: list[int]) -> list[Attempt]:
    """Run the SPT pipeline, batch by batch."""
    return in_batches(requests, releases, lambda batch: until_last_end(spt_batch(memory, batch)))


def spt_batch(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run the shortest first, the starts as close as a tight pipeline of that length has them."""
    check(memory, requests)
    prompt = largest_prompt(requests)
    order = sorted(range(len(requests)), key=lambda i: (requests[i][1], i))
    attempts: list[Attempt] = []
    x = Fraction(0)
    for i in order:
        output = requests[i][1]
        if output <= memory - prompt:
            attempts.append((i, floor(x), floor(x) + output, False))
            x += tight(memory, prompt, output)
    now = max(end for _, _, end, _ in attempts)
    for i in order:
        output = requests[i][1]
        if output > memory - prompt:
            attempts.append((i, now, now + output, False))
            now += output
    return by_start(attempts)
