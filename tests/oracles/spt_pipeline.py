"""The SPT pipeline, literally."""

from fractions import Fraction
from math import floor

from oracles.model import Attempt, Request, by_start, check, largest_prompt
from oracles.pipelines import tight


def spt_pipeline(memory: int, requests: list[Request]) -> list[Attempt]:
    """Run the shortest first, the starts as close as a tight pipeline of that length has them."""
    check(memory, requests)
    if not requests:
        return []
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
