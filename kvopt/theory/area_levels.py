"""Slices whose areas are powers of a growth factor, each request having its own prompt.

Level q = 0, 1, ... has the area A_q = alpha^q.  The slice of request i there is the largest
number of rounds with an area of at most A_q, but at most M - s_i.  A request takes part in the
levels at which its slice is longer than before.  Derived:
proofs/text/mixed_non_clairvoyant.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from fractions import Fraction
from itertools import count

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.theory.ordering import areas
from kvopt.theory.pipeline import area, geometric_slices, rounds_within
from kvopt.theory.quadratic import Exact

__all__ = ["AreaBudget", "AreaLadder", "AreaLevels", "longest_within", "phases", "stages"]


def longest_within(prompts: IntArray, most: int, memory: int) -> IntArray:
    """Return the largest numbers of rounds, at most M - s, whose area is at most `most`.

    Parameters
    ----------
    prompts
        Prompt lengths s (tokens), each below `memory`, shape (n,).
    most
        Largest area (token-rounds), >= 0.
    memory
        Memory budget M (tokens).

    Returns
    -------
    array
        Numbers of rounds, 0 where not even one is allowed, shape (n,).

    Examples
    --------
    >>> longest_within(np.array([0, 2, 7]), 7, 9).tolist()
    [3, 2, 0]
    """
    most = min(most, memory * memory)  # no run of M - s rounds has more
    b = 2 * prompts + 1
    root = np.sqrt(b.astype(np.float64) ** 2 + 8.0 * most)  # of t^2 + b t = 2 area
    rounds = np.clip(((root - b) / 2).astype(np.int64), 0, memory - prompts)
    # The float is off by less than one.
    rounds -= areas(prompts, rounds) > most
    rounds += (rounds < memory - prompts) & (areas(prompts, rounds + 1) <= most)
    return rounds


class AreaLadder:
    """The levels one request at a time, for policies in which each has a level of its own.

    Parameters
    ----------
    alpha
        Growth factor of the areas, > 1.
    scale
        Factor of all areas, from 1 to alpha.
    """

    def __init__(self, alpha: Exact, scale: Fraction = Fraction(1)) -> None:
        self._area_of = geometric_slices(alpha, scale)
        self._areas = [self._area_of(0)]

    def after(self, prompt: int, slice: int, longest: int) -> tuple[int, int]:
        """Return the first level at which a slice is longer than a given one, and that slice.

        Parameters
        ----------
        prompt
            Prompt length (tokens).
        slice, longest
            The given slice and the cap of all slices (rounds), 0 <= slice < longest.
        """
        needed = area(prompt, slice + 1)
        while self._areas[-1] < needed:
            self._areas.append(self._area_of(len(self._areas)))
        level = bisect_left(self._areas, needed)
        return level, min(rounds_within(prompt, self._areas[level]), longest)


class AreaLevels:
    """The levels at which some of a set of requests take part, one after the other.

    Parameters
    ----------
    prompts
        Prompt lengths (tokens), shape (n,).
    memory
        Memory budget M (tokens).
    alpha
        Growth factor of the areas, > 1.

    Attributes
    ----------
    slices
        The slice of each request at the present level (rounds), shape (n,).
    """

    def __init__(self, prompts: IntArray, memory: int, alpha: Exact) -> None:
        self.prompts = prompts
        self.memory = memory
        self.slices: IntArray = np.zeros(len(prompts), dtype=np.int64)
        self._area_of = geometric_slices(alpha, Fraction(1))
        self._level = 0

    def advance(self, alive: IntArray) -> IntArray:
        """Go on to the next level at which some requests take part, and return their places.

        Parameters
        ----------
        alive
            Places of the requests that have not completed, shape (a,), a >= 1; at least one
            of them has a slice below M - s.
        """
        prompts, slices = self.prompts[alive], self.slices[alive]
        longer = slices < self.memory - prompts
        needed = int(areas(prompts, slices + 1)[longer].min())
        while self._area_of(self._level) < needed:
            self._level += 1
        grown = longest_within(prompts, self._area_of(self._level), self.memory)
        self._level += 1
        self.slices[alive] = grown
        return alive[grown > slices]


class AreaBudget:
    """Equal areas for all of a set of requests, as much as is worth so many rounds.

    In stage k = 0, 1, ... slices are of at most T = alpha^k rounds, and all of the same area but
    for that, and for their cap M - s.  The area is the largest integer with which they add up
    to at most budget * M * T.  Derived: proofs/text/mixed_non_clairvoyant.md.

    Parameters
    ----------
    prompts
        Prompt lengths (tokens), shape (n,).
    memory
        Memory budget M (tokens).
    alpha
        Growth factor of T, > 1.
    budget
        Area given out in a round, as a share of the memory, > 0.
    """

    def __init__(self, prompts: IntArray, memory: int, alpha: Exact, budget: Fraction) -> None:
        self.memory = memory
        self._values, self._kind = np.unique(prompts, return_inverse=True)
        self._rounds_of = geometric_slices(alpha, Fraction(1))
        self._area_of = geometric_slices(alpha, budget * memory)

    def slices(self, stage: int, alive: IntArray) -> IntArray:
        """Return the slices of requests in a stage (rounds), shape (a,).

        Parameters
        ----------
        stage
            k, >= 0.
        alive
            Places of the requests that have not completed, shape (a,), a >= 1.
        """
        kinds = self._kind[alive]
        counts = np.bincount(kinds, minlength=len(self._values))
        there = np.flatnonzero(counts)
        prompts, counts = self._values[there], counts[there]
        most = min(self._rounds_of(stage), self.memory)  # which fits into 64 bits
        longest = np.minimum(self.memory - prompts, most)
        budget = self._area_of(stage)
        low, high = 0, int(areas(prompts, longest).max())  # the largest area is in between
        while low < high:
            middle = (low + high + 1) // 2
            rounds = np.minimum(longest_within(prompts, middle, self.memory), longest)
            if _exact_sum(areas(prompts, rounds), counts) <= budget:
                low = middle
            else:
                high = middle - 1
        found = np.zeros(len(self._values), dtype=np.int64)
        found[there] = np.minimum(longest_within(prompts, low, self.memory), longest)
        return found[kinds]


def _exact_sum(values: IntArray, counts: IntArray) -> int:
    """Return the sum of values * counts, which may exceed 64 bits; the counts add up to < 2^31."""
    high, low = values >> 32, values & 0xFFFFFFFF
    return (int(high @ counts) << 32) + int(low @ counts)


def phases(
    prompts: IntArray, outputs: IntArray, memory: int, alpha: Exact
) -> Iterator[tuple[IntArray, IntArray, NDArray[np.bool_]]]:
    """Yield what takes part at each level, if requests with these outputs are run level by level.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    memory
        Memory budget M (tokens).
    alpha
        Growth factor of the areas, > 1.

    Yields
    ------
    tuple
        Places of those that take part, shape (a,); their slices (rounds), shape (a,); which
        requests have not completed after it, shape (n,).
    """
    levels = AreaLevels(prompts, memory, alpha)
    unfinished = np.ones(len(prompts), dtype=np.bool_)
    while len(alive := np.flatnonzero(unfinished)):
        members = levels.advance(alive)
        unfinished[alive] = outputs[alive] > levels.slices[alive]
        yield members, levels.slices[members], unfinished.copy()


def stages(
    prompts: IntArray, outputs: IntArray, memory: int, alpha: Exact, budget: Fraction
) -> Iterator[tuple[int, IntArray, IntArray]]:
    """Yield who gets an attempt in each stage of `AreaBudget`, and their slices.

    Parameters
    ----------
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    memory, alpha, budget
        As for `AreaBudget`.

    Yields
    ------
    tuple
        The stage; places, shape (a,), a >= 1; slices (rounds), shape (a,).
    """
    areas_given = AreaBudget(prompts, memory, alpha, budget)
    longest = np.zeros(len(prompts), dtype=np.int64)
    for stage in count():
        if not len(alive := np.flatnonzero(outputs > longest)):
            return
        slices = areas_given.slices(stage, alive)
        longer = slices > longest[alive]
        members, slices = alive[longer], slices[longer]
        longest[members] = slices
        if len(members):
            yield stage, members, slices
