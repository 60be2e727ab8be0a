"""What is known of policies that run requests in phases: GSA and GBA.

With phases that wait for each other, and nothing random, the cost is a short sum, and only
the phase in which a request completes matters to the others (proofs/text/worst_cases.md).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.simulation.policy import Compiler, Cost
from kvopt.theory.orders import RequestType
from kvopt.theory.phases import Phases
from kvopt.theory.pipeline import SPACINGS, SliceRule, capped_slices

__all__ = ["PhaseRule", "late_and_small_first", "outlived_slices"]


@dataclass(frozen=True, slots=True)
class PhaseRule:
    """How a policy runs requests in phases that wait for each other.

    Parameters
    ----------
    slices
        The slice rule for a common or largest prompt length (tokens).
    by_area
        Whether the slices depend on the prompt at all.
    spacing
        Name of the spacing rule.
    everyone
        As in `kvopt.theory.phases.Phases`.
    """

    slices: Callable[[int], SliceRule]
    by_area: bool
    spacing: str
    everyone: bool

    def phases(self, memory: int, prompt: int) -> Phases:
        """Return the phases for a common prompt length; see `Policy.phases`."""
        slices = list(capped_slices(self.slices(prompt), memory - prompt))
        distances = [SPACINGS[self.spacing](prompt, slice, memory) for slice in slices]
        pairs = [[d.numerator for d in distances], [d.denominator for d in distances]]
        arrays = np.array(slices, dtype=np.int64), np.array(pairs, dtype=np.int64)
        return Phases(*arrays, self.everyone)

    def cost(self, compiled: Compiler) -> Cost:
        """Return the closed form; see `Policy.cost_formula`."""
        common_cost = compiled(gsa_cost if self.everyone else gba_cost)
        mixed = compiled(mixed_cost)
        common_phases = functools.lru_cache(maxsize=4096)(self.phases)

        @functools.lru_cache(maxsize=256)
        def mixed_phases(memory: int, largest: int) -> _MixedPhases:
            return _MixedPhases(self, memory, largest)

        def cost(memory: int, s: IntArray, o: IntArray) -> int:
            if (s == s[0]).all():
                phases = common_phases(memory, int(s[0]))
                return common_cost(o, phases.slices, phases.distances)
            table = mixed_phases(memory, int(s.max()) if self.by_area else 0)
            table.fill(set(s.tolist()))
            return mixed(self.everyone, memory, s, o, table.slices, table.distances)

        return cost


class _MixedPhases:
    """The slices of phases, and distances for each largest prompt.

    Parameters
    ----------
    rule
        The phases.
    memory
        Memory budget M (tokens).
    largest
        The largest prompt of all, on which slices by areas depend (tokens).

    Attributes
    ----------
    slices, distances
        As for `mixed_cost`; distances are filled in by `fill`.
    """

    def __init__(self, rule: PhaseRule, memory: int, largest: int) -> None:
        self.memory = memory
        self.spacing = SPACINGS[rule.spacing]
        self.slices = np.array([*capped_slices(rule.slices(largest), memory)], dtype=np.int64)
        self.distances = np.zeros((2, memory, len(self.slices)), dtype=np.int64)

    def fill(self, prompts: Iterable[int]) -> None:
        """Make sure that the distances for these prompts are there."""
        for prompt in prompts:
            if not self.distances[1, prompt, 0]:
                for phase, slice in enumerate(self.slices.tolist()):
                    d = self.spacing(prompt, min(slice, self.memory - prompt), self.memory)
                    self.distances[:, prompt, phase] = d.numerator, d.denominator


def late_and_small_first(
    outlived: Sequence[int], requests: Sequence[RequestType]
) -> Iterator[tuple[RequestType, ...]]:
    """Yield a worst order, the only one to try (proofs/text/worst_cases.md).

    Parameters
    ----------
    outlived
        What `Policy.outlived_slices` returns for the requests, shape (n,).
    requests
        The requests, shape (n,).
    """

    def key(late: tuple[int, RequestType]) -> tuple[int, int, int]:
        outlived, (prompt, output) = late
        return -outlived, prompt, -output

    late = zip(outlived, requests, strict=True)
    yield tuple(request for _, request in sorted(late, key=key))


def outlived_slices(
    memory: int,
    requests: Sequence[RequestType],
    slice_of: SliceRule,
    members_of: Callable[[list[int], int], Sequence[int]],
) -> list[int]:
    """Return the slice that each request outlives before the one in which it completes.

    For what runs one at a time in the end that is the last slice.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    requests
        The requests, shape (n,).
    slice_of
        The slice rule.
    members_of
        (unfinished requests, slice before it is capped) -> requests whose largest prompt
        caps the slice; none if the phase is empty.

    Returns
    -------
    list of int
        Shape (n,) (rounds).
    """
    found = [0] * len(requests)
    alive = list(range(len(requests)))
    phase = 0
    while alive:
        slice = slice_of(phase)
        phase += 1
        last = False
        if members := members_of(alive, slice):
            longest = memory - max(requests[i][0] for i in members)
            slice, last = min(slice, longest), slice >= longest
        alive = [i for i in alive if requests[i][1] > slice]
        for i in alive:
            found[i] = slice
        if last:
            break
    return found


def gsa_cost(outputs: IntArray, slices: IntArray, distances: IntArray) -> int:
    """Return the cost of GSA with phases that wait for each other.

    In a phase that begins at b, the j-th unfinished request starts at b + floor(j d); it
    completes if its output is no longer than the slice.

    Parameters
    ----------
    outputs
        Output lengths (tokens), none longer than the last slice, shape (n,).
    slices
        Length of the slices in each phase, increasing (rounds), shape (p,).
    distances
        Distance d between starts in each phase: numerators and denominators, shape (2, p).
    """
    n = outputs.shape[0]
    total = begin = longest = 0
    alive = n
    for phase in range(slices.shape[0]):
        slice = slices[phase]
        p, q = distances[0, phase], distances[1, phase]
        place = 0
        for i in range(n):
            output = outputs[i]
            if output > longest:
                if output <= slice:
                    total += begin + place * p // q + output
                    alive -= 1
                place += 1
        if alive == 0:
            break
        begin += (place - 1) * p // q + slice
        longest = slice
    return total


def gba_cost(outputs: IntArray, ends: IntArray, distances: IntArray) -> int:
    """Return the cost of GBA with classes that wait for each other.

    Parameters are as for `gsa_cost`, the slices being the class ends.
    """
    n = outputs.shape[0]
    total = begin = longest = 0
    alive = n
    for phase in range(ends.shape[0]):
        end = ends[phase]
        p, q = distances[0, phase], distances[1, phase]
        place = 0
        for i in range(n):
            if longest < outputs[i] <= end:
                total += begin + place * p // q + outputs[i]
                place += 1
        alive -= place
        if alive == 0:
            break
        if place:
            begin += (place - 1) * p // q + end
        longest = end
    return total


def mixed_cost(
    gsa: bool,
    memory: int,
    prompts: IntArray,
    outputs: IntArray,
    slices: IntArray,
    distances: IntArray,
) -> int:
    """Return the cost of GSA or GBA with mixed prompts and phases that wait for each other.

    A phase uses the largest prompt s among its requests; after a slice of M - s the rest
    run one at a time, request i in a slot of M - s_i rounds.

    Parameters
    ----------
    gsa
        True for GSA, False for GBA.
    memory
        Memory budget M (tokens).
    prompts, outputs
        Prompt and output lengths (tokens), shape (n,) each.
    slices
        Slices or class ends before they are capped, increasing to M or more, shape (p,).
    distances
        For each largest prompt and phase the distance between starts: numerators and
        denominators, shape (2, M, p).
    """
    n = outputs.shape[0]
    total = begin = longest = 0
    for phase in range(slices.shape[0]):
        prompt = -1
        for i in range(n):
            if outputs[i] > longest and (gsa or outputs[i] <= slices[phase]):
                prompt = max(prompt, prompts[i])
        if prompt < 0:
            if gsa:
                break
            longest = slices[phase]
            continue
        slice = min(slices[phase], memory - prompt)
        p, q = distances[0, prompt, phase], distances[1, prompt, phase]
        place = 0
        for i in range(n):
            if outputs[i] > longest:
                if outputs[i] <= slice:
                    total += begin + place * p // q + outputs[i]
                if gsa or outputs[i] <= slice:
                    place += 1
        begin += (place - 1) * p // q + slice
        longest = slice
        if slice == memory - prompt:
            break
    for i in range(n):
        if outputs[i] > longest:
            total += begin + outputs[i]
            begin += memory - prompts[i]
    return total
