"""The memory that runs use in coming rounds, packed into one integer."""

from __future__ import annotations

from typing import NamedTuple

from budget import Budget
from reading import Refused

MAX_BITS = 100_000  # of a profile


class Packing(NamedTuple):
    """How profiles are written, and the profiles of whole runs.

    Each round has a field of `width` bits, the next round the lowest; a field holds up to 2 M,
    and after adding `spare` its bit in `tops` says whether it exceeds M.
    """

    width: int
    field: int
    tops: int
    spare: int
    shapes: list[int]


def packed(memory: int, kinds: list[tuple[int, int]], budget: Budget) -> Packing:
    """Return the packing for runs of these prompts and outputs."""
    width = memory.bit_length() + 2
    longest = max(o for _, o in kinds)
    if width * longest > MAX_BITS:
        raise Refused("proof: the outputs are too long for this rule")
    budget.spend((len(kinds) + 1) * longest * (3 + width * longest // 1_000))
    budget.hold(len(kinds) * width * longest // 8)
    ones = sum(1 << (width * j) for j in range(longest))
    shapes = [sum((s + j + 1) << (width * j) for j in range(o)) for s, o in kinds]
    top = 1 << (width - 1)
    return Packing(width, 2 * top - 1, ones * top, ones * (top - 1 - memory), shapes)
