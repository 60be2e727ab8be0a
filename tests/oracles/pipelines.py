"""Pipelines of slices, literally: what GSA, GBA and others are made of.

Source: Feng, Yang, Zhang 2026 (arXiv 2601.22996)."""

from fractions import Fraction
from functools import cache
from itertools import count
from math import ceil, floor, isqrt

from oracles.model import (
    Attempt,
    Request,
    area,
    largest_prompt,
    memory_by_round,
    slot,
    within_budget,
)

# Irrational alphas (a + b * sqrt(c)) / d, as (a, b, c, d).
SURDS = {"phi": (1, 1, 5, 2), "(7+sqrt(13))/6": (7, 1, 13, 6)}


def floor_power(alpha: Fraction | int | str, exponent: int, beta: Fraction | int = 1) -> int:
    """Return floor(beta * alpha ** exponent) exactly.

    alpha = (a + b sqrt(c)) / d gives alpha^p = (A + B sqrt(c)) / d^p with integers A, B >= 0.
    For integers x, y >= 0 and n >= 1, floor((x + sqrt(y)) / n) = (x + isqrt(y)) // n, because
    the multiples of n are integers. So there is no rounding anywhere.

    >>> [floor_power("phi", p) for p in range(8)]
    [1, 1, 2, 4, 6, 11, 17, 29]
    """
    if isinstance(alpha, str):
        a, b, c, d = SURDS[alpha]
    else:
        a, b, c, d = Fraction(alpha).numerator, 0, 0, Fraction(alpha).denominator
    whole, root = 1, 0
    for _ in range(exponent):
        whole, root = a * whole + b * c * root, b * whole + a * root
    top, bottom = Fraction(beta).numerator, Fraction(beta).denominator
    return (top * whole + isqrt(c * (top * root) ** 2)) // (bottom * d**exponent)


def stagger(begin: int, number: int, length: int, slots: int) -> list[int]:
    """Return the start times of a staggered pipeline of `number` attempts of `length` rounds."""
    return [begin + i * length // slots for i in range(number)]


@cache
def pipeline_slots(memory: int, prompt: int, length: int) -> int:
    """Return the largest number of slots whose full pipeline stays within the budget.

    Each candidate is run through several whole turns, round by round, to see its peak.
    """
    if prompt + length > memory:
        raise ValueError("not even one attempt fits")
    for slots in count(2):
        starts = stagger(0, 4 * slots, length, slots)
        attempts = [(i, start, start + length, False) for i, start in enumerate(starts)]
        if max(memory_by_round(memory, [(prompt, length)] * len(starts), attempts)) > memory:
            return slots - 1
    raise AssertionError("unreachable")


def run_pipeline(
    memory: int, requests: list[Request], members: list[int], begin: int, length: int
) -> tuple[list[Attempt], int]:
    """Give each member one slice of `length` rounds; return the attempts and the phase's end."""
    prompt = max(requests[i][0] for i in members)
    slots = pipeline_slots(memory, prompt, length)
    starts = stagger(begin, len(members), length, slots)
    attempts = [
        (i, start, start + min(requests[i][1], length), requests[i][1] > length)
        for i, start in zip(members, starts, strict=True)
    ]
    return attempts, starts[-1] + length


def run_one_by_one(
    memory: int, requests: list[Request], members: list[int], begin: int
) -> list[Attempt]:
    """Run the members one at a time, each in a slot long enough for anything that can fit."""
    attempts = []
    for i in members:
        prompt, output = requests[i]
        attempts.append((i, begin, begin + output, False))
        begin += memory - prompt
    return attempts


@cache
def tight(memory: int, prompt: int, length: int) -> Fraction:
    """Return the smallest spacing d with which starts floor(0), floor(d), floor(2d), ... fit.

    The peak only changes where some j * d passes an integer a <= length, so d is one of the
    fractions a / j. At most memory // (prompt + 1) attempts run at a time, and length / d or more
    do, which limits j and d. Each candidate is run through two turns, round by round. (The peak
    is in round `length`: the attempt that started at 0 ends, and later gaps are never smaller.)
    """
    most = memory // (prompt + 1)
    candidates = {Fraction(a, j) for a in range(1, length + 1) for j in range(1, most + 1)}
    for spacing in sorted(candidates):
        if length / spacing > most:
            continue
        starts = [floor(i * spacing) for i in range(ceil(2 * length / spacing))]
        attempts = [(i, start, start + length, False) for i, start in enumerate(starts)]
        if within_budget(memory, [(prompt, length)] * len(starts), attempts):
            return spacing
    raise ValueError("not even one attempt fits")


@cache
def spacing_of(memory: int, prompt: int, length: int, rule: str) -> Fraction:
    """Return the distance between two starts of a pipeline, by one of the three rules."""
    if rule == "tight":
        return tight(memory, prompt, length)
    slots = pipeline_slots(memory, prompt, length)
    if rule == "sps2" and slots == 1:
        return Fraction(min(length, 2 * prompt + 2 * length - memory))
    if rule in ("sps", "sps2"):
        return Fraction(length, slots)
    raise ValueError(f"unknown spacing {rule}")


def slice_length(
    requests: list[Request],
    number: int,
    alpha: Fraction | int | str,
    beta: Fraction | int,
    rule: str,
) -> int:
    """Return slice or class end `number` (from 0), before it is capped.

    By the rule "area" it is the longest output whose area is at most (prompt + 1) * alpha ** number
    for the largest prompt of the instance; beta plays no part in it.
    """
    if rule == "alpha":
        return floor_power(alpha, number, beta)
    if rule != "area":
        raise ValueError(f"unknown slices {rule}")
    prompt = largest_prompt(requests)
    limit = floor_power(alpha, number, prompt + 1)
    length = 1
    while area(prompt, length + 1) <= limit:
        length += 1
    return length


def run_spaced(
    memory: int,
    requests: list[Request],
    members: list[int],
    begin: int,
    length: int,
    spacing: str,
) -> tuple[list[Attempt], int]:
    """Give each member one slice of `length` rounds; return the attempts and the phase's end."""
    distance = spacing_of(memory, largest_prompt(requests, members), length, spacing)
    starts = [begin + floor(turn * distance) for turn in range(len(members))]
    attempts = [slot(requests, i, start, length) for i, start in zip(members, starts, strict=True)]
    return attempts, starts[-1] + length
