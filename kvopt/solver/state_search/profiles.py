"""Memory profiles of the searches in plain Python: one big integer for all coming rounds.

It has a field for each coming round, so that adding a run, moving on by a round and comparing two
profiles in every round at once are single operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Profiled", "Profiles"]


class Profiled(Protocol):
    """A state of a search."""

    cost: int
    """What it has cost so far (rounds)."""
    profile: int
    """Memory that the running ones will use in each coming round, packed."""


class Profiles:
    """The profiles of an instance.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    shapes
        Prompt and output of each kind of requests (tokens, rounds).

    Attributes
    ----------
    width, mask
        How wide a field is (bits), and the mask of the first one.
    tops
        The top bits of all fields.
    offsets
        A profile that exceeds the memory in some round has one of `tops` with this added.
    runs
        The profile of a run of each kind, from its first round on.
    """

    def __init__(self, memory: int, shapes: Sequence[tuple[int, int]]) -> None:
        self.memory = memory
        # A field holds up to 2M; with the offset its top bit says "more than M".
        self.width = memory.bit_length() + 2
        self.mask = (1 << self.width) - 1
        ones = sum(1 << (self.width * j) for j in range(max(o for _, o in shapes)))
        self.tops = ones << (self.width - 1)
        self.offsets = ones * ((1 << (self.width - 1)) - 1 - memory)
        self.runs = [sum((s + j + 1) << (self.width * j) for j in range(o)) for s, o in shapes]

    def no_worse(self, a: Profiled, b: Profiled) -> bool:
        """Tell whether a, with as much left to do at the same time, is as good as b in all."""
        tops = self.tops
        return a.cost <= b.cost and ((b.profile | tops) - a.profile) & tops == tops
