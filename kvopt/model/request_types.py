"""The distinct requests of an instance, in the one order that every engine uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kvopt.model.request import IntArray, Request

__all__ = ["RequestTypes"]


@dataclass(frozen=True, eq=False)
class RequestTypes:
    """The distinct requests of an instance, by (output, prompt, release), with their numbers.

    Identical requests are interchangeable, so a schedule is told by the start times of each type.

    Parameters
    ----------
    prompts, outputs
        Prompt and output length of each type (tokens), shape (types,).
    releases
        Release time of each type (rounds), shape (types,).
    counts
        Number of requests of each type, >= 1, shape (types,).
    index
        Type of each request of the instance, shape (n,).

    Examples
    --------
    >>> from kvopt import Instance
    >>> types = Instance(10, [2, 2, 0, 2], [3, 8, 3, 3]).request_types()
    >>> types.outputs.tolist(), types.prompts.tolist(), types.counts.tolist()
    ([3, 3, 8], [0, 2, 2], [1, 2, 1])
    >>> types.to_instance_order([[0], [5, 1], [9]]).tolist()
    [1, 9, 0, 5]
    """

    prompts: IntArray
    outputs: IntArray
    releases: IntArray
    counts: IntArray
    index: IntArray

    @classmethod
    def of(cls, prompts: IntArray, outputs: IntArray, releases: IntArray) -> RequestTypes:
        """Group requests by their lengths (tokens) and release times (rounds), shape (n,) each."""
        keys = (outputs << 30) | prompts  # lengths have 30 bits at most
        distinct, index, counts = np.unique(keys, return_inverse=True, return_counts=True)
        at = np.zeros_like(distinct)
        if releases.any():
            pairs = np.stack((index, releases), axis=1)
            both, index, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
            index = index.reshape(-1)  # of shape (n, 1) in numpy 2.0
            distinct, at = distinct[both[:, 0]], both[:, 1]
        arrays = (distinct & ((1 << 30) - 1), distinct >> 30, at, counts, index)
        for array in arrays:
            array.setflags(write=False)
        return cls(*arrays)

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def requests(self) -> list[Request]:
        """A request of each type."""
        columns = (self.prompts, self.outputs, self.releases)
        return list(map(Request, *(c.tolist() for c in columns)))

    @cached_property
    def peaks(self) -> IntArray:
        """Memory in the last round of each type (tokens), shape (types,)."""
        return self.prompts + self.outputs

    @cached_property
    def areas(self) -> IntArray:
        """Memory summed over the rounds of a run of each type (token-rounds), shape (types,)."""
        return self.prompts * self.outputs + self.outputs * (self.outputs + 1) // 2

    @cached_property
    def by_peak(self) -> IntArray:
        """The numbers of the types ordered by peak, then by prompt, shape (types,)."""
        return np.lexsort((self.prompts, self.peaks))

    def number_of(self, prompt: int, output: int, release: int = 0) -> int:
        """Return the number of the type with these lengths and release.

        Raises
        ------
        KeyError
            If no request has them.
        """
        return self._numbers[Request(prompt, output, release)]

    @cached_property
    def _numbers(self) -> dict[Request, int]:
        return {request: k for k, request in enumerate(self.requests)}

    def rows(self, values: Sequence[int]) -> list[list[int]]:
        """Return rows [prompt, output, value] by (prompt, output), as certificates hold them.

        They are [prompt, output, release, value] if some release is after 0.

        Parameters
        ----------
        values
            A number for each type, shape (types,).
        """
        columns = [self.prompts.tolist(), self.outputs.tolist(), values]
        if self.releases.any():
            columns.insert(2, self.releases.tolist())
        return sorted(map(list, zip(*columns, strict=True)))

    def to_instance_order(self, times: Sequence[Iterable[int]]) -> IntArray:
        """Return the start of every request from those of each type.

        Parameters
        ----------
        times
            The start times of each type (rounds), as many as it has requests, in any order.

        Returns
        -------
        ndarray of int64, shape (n,)
            Start times in instance order; of one type, earlier requests start earlier.

        Raises
        ------
        ValueError
            If a type has more or fewer start times than requests.
        """
        starts = np.empty(len(self.index), dtype=np.int64)
        by_type = np.argsort(self.index, kind="stable")
        starts[by_type] = [t for k in range(len(self)) for t in self._sorted(k, times[k])]
        return starts

    def to_types(self, starts: IntArray) -> list[list[int]]:
        """Return the start times of each type, ascending, from those of every request (rounds)."""
        times: list[list[int]] = [[] for _ in range(len(self))]
        for k, start in zip(self.index.tolist(), starts.tolist(), strict=True):
            times[k].append(start)
        return [sorted(own) for own in times]

    def _sorted(self, k: int, times: Iterable[int]) -> list[int]:
        own = sorted(times)
        if len(own) != self.counts[k]:
            raise ValueError(f"type {k} has {self.counts[k]} requests, {len(own)} start times")
        return own
