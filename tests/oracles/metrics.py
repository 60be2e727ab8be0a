"""Metrics of a schedule, literally: one round after the other.

For the model see `oracles.model`; releases are times, one for each request."""

from fractions import Fraction
from typing import Any

from oracles.model import Attempt, Request


def tokens_held(requests: list[Request], attempts: list[Attempt], keeps: bool) -> list[int]:
    """Return what each attempt begins with: its prompt and, if kills keep tokens, these."""
    return [
        requests[i][0] + sum(b - a for j, a, b, _ in attempts if keeps and j == i and b <= start)
        for i, start, _, _ in attempts
    ]


def request_metrics(
    requests: list[Request], releases: list[int], attempts: list[Attempt], keeps: bool
) -> list[dict[str, Any]]:
    """Return the metrics of each request, by watching every round."""
    held = tokens_held(requests, attempts, keeps)
    found: list[dict[str, Any]] = [
        {"first_round": None, "kills": 0, "wasted": 0, "completion": None} for _ in requests
    ]
    for round_ in range(1, max(end for _, _, end, _ in attempts) + 1):
        for (i, start, end, killed), first in zip(attempts, held, strict=True):
            if not start < round_ <= end:
                continue
            mine = found[i]
            if mine["first_round"] is None:
                mine["first_round"] = round_
            if killed:
                mine["wasted"] += first + round_ - start
            if round_ == end:
                mine["kills"] += killed
                if not killed:
                    mine["completion"] = round_
    for (_, output), release, mine in zip(requests, releases, found, strict=True):
        mine["latency"] = mine["completion"] - release
        mine["ttft"] = mine["first_round"] - release
        mine["tpot"] = None
        if output > 1:
            mine["tpot"] = Fraction(mine["completion"] - mine["ttft"] - release, output - 1)
        mine["slowdown"] = Fraction(mine["latency"], output)
    return found


def percentile(values: list[Fraction], percent: int) -> Fraction:
    """Return a percentile, linear between the order statistics."""
    ordered = sorted(values)
    place = Fraction(percent, 100) * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def memory_utilisation(
    memory: int,
    requests: list[Request],
    releases: list[int],
    attempts: list[Attempt],
    keeps: bool,
) -> Fraction:
    """Return the mean share of the memory in use after the earliest release."""
    held = tokens_held(requests, attempts, keeps)
    last = max(end for _, _, end, _ in attempts)
    used = [
        sum(
            first + round_ - start
            for (_, start, end, _), first in zip(attempts, held, strict=True)
            if start < round_ <= end
        )
        for round_ in range(min(releases) + 1, last + 1)
    ]
    return Fraction(sum(used), memory * len(used))
