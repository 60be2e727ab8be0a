"""Cells: all instances of one size, which exhaustive search goes through one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

from kvopt.adversary.candidate import Limits
from kvopt.solver.state_search.problem import MOST_MEMORY, MOST_REQUESTS

__all__ = ["Cell", "Cells", "cells"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A set of instances: all of one size, with a common prompt or without one.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    requests
        Number of requests n.
    mixed
        Whether the prompts differ; else there is a common one.
    """

    memory: int
    requests: int
    mixed: bool = False

    def __str__(self) -> str:
        prompts = "mixed prompts" if self.mixed else "common prompt"
        return f"n = {self.requests}, M = {self.memory}, {prompts}"


class Cells(Sequence[Cell]):
    """The cells within some limits, small memories first; a unit's number is its place.

    They are made when asked for, as there are many.  Where optima cannot be computed, with more
    than 63 requests or 4,095 tokens, there are none.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = replace(
            limits,
            requests=min(limits.requests, MOST_REQUESTS),
            memory=min(limits.memory, MOST_MEMORY),
        )
        limits = self._limits
        # For one memory budget; mixed prompts need two requests, and two tokens.
        self._mixed = limits.requests - 1 if limits.mixed else 0
        self._of_a_memory = limits.requests + self._mixed

    def __len__(self) -> int:
        return self._limits.requests + (self._limits.memory - 1) * self._of_a_memory

    @overload
    def __getitem__(self, number: int) -> Cell: ...
    @overload
    def __getitem__(self, number: slice) -> list[Cell]: ...
    def __getitem__(self, number: int | slice) -> Cell | list[Cell]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        if number < self._limits.requests:
            return Cell(1, number + 1)
        memory, place = divmod(number - self._limits.requests, self._of_a_memory)
        if not self._mixed or not place:
            return Cell(memory + 2, place + 1)
        requests, mixed = divmod(place - 1, 2)
        return Cell(memory + 2, requests + 2, bool(mixed))


def cells(limits: Limits) -> Cells:
    """Return the cells within the limits."""
    return Cells(limits)
