"""GSA-Spec: GSA, with its free memory used for speculative attempts."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.policies.gsa import GSA
from kvopt.policies.phases import in_batches
from kvopt.policies.policy import Policy, parameter
from kvopt.simulation.decisions import Decisions, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.gsa_bounds import GSA_ALPHA
from kvopt.theory.guarantee import Guarantee, inherited
from kvopt.theory.parsing import at_least_one, growth_factor
from kvopt.theory.pipeline import geometric_slices, sps_spacing, staggered
from kvopt.theory.quadratic import Exact

__all__ = ["GSASpec"]

UNKNOWN = np.iinfo(np.int64).max
"""Output length of a request that has not completed."""


@dataclass(frozen=True, slots=True)
class GSASpec(Policy):
    """GSA-Spec(alpha, beta): GSA's schedule, and speculative attempts in the memory it leaves.

    The base attempts are those of GSA at GSA's times.  At each time [our reading],
    first base attempts end and start, a request's speculative attempt being killed
    when its base attempt starts; then, while the next round would overflow, the
    speculative attempt started last is killed; then unfinished requests that do not
    run are started speculatively, in request order, while the next round fits.  A
    request that completes speculatively takes no further base attempt; its places
    stay empty, so that all others keep theirs.

    Where the memory is full of long requests, the latest speculative attempt is killed at
    each overflow and may start again at once, as by FCFS.  Such kills are really decided one by
    one, not worked out ahead, as base attempts of announced ends run beside them: logarithmic
    time each, a million in some 7 seconds.

    Guarantee: that of GSA, as no request completes later (proofs/text/sharper_bounds.md,
    lemma 18).  Source: Feng, Yang, Zhang 2026, arXiv 2601.22996, which leaves the
    details open.

    Parameters
    ----------
    alpha
        Growth factor of the slices, > 1.
    beta
        First slice (rounds), >= 1.
    """

    name: ClassVar[str] = "gsa-spec"
    clairvoyant: ClassVar[bool] = False

    alpha: Exact = parameter(GSA_ALPHA, growth_factor, "growth factor of the slices")
    beta: Fraction = parameter(Fraction(1), at_least_one, "first slice in rounds")

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""

        def run_batch(batch: IntArray) -> Decisions:
            speculation = _Speculation(machine, batch)
            for base in self._base_phases(machine, batch, speculation.lengths):
                yield from speculation.run_beside(base)

        return in_batches(machine, run_batch)

    def _base_phases(self, machine: Machine, batch: IntArray, lengths: IntArray) -> Iterator[_Base]:
        """Yield the phases of GSA, one when the last is over, from the lengths learnt so far."""
        slice_of = geometric_slices(self.alpha, self.beta)
        phase = previous = 0
        while not machine.completed_of(batch).all():
            alive = batch[lengths[batch] > previous]
            prompts = machine.prompts_of(alive)
            longest = machine.memory - int(prompts.max())
            slice = min(slice_of(phase), longest)
            phase += 1
            if slice == previous:
                continue
            distance = sps_spacing(int(prompts.max()), slice, machine.memory)
            starts = staggered(Fraction(machine.now), len(alive), distance)
            yield _Base(alive, starts, np.full(len(alive), slice))
            previous = slice
            if slice == longest and len(rest := batch[lengths[batch] > slice]):
                slots = machine.memory - machine.prompts_of(rest)
                yield _Base(rest, machine.now + np.cumsum(slots) - slots, slots)

    def guarantee(self, instance: Instance) -> Guarantee | None:
        """Return GSA's bound, if the theorem's assumptions hold."""
        gsa = GSA(self.alpha, self.beta)
        return inherited(gsa.guarantee(instance), "no request completes later than under GSA")

    def slice_lengths(self, memory: int, prompt: int) -> Sequence[int]:
        """Return GSA's slices; see `Policy.slice_lengths`."""
        return GSA(self.alpha, self.beta).slice_lengths(memory, prompt)

    def never_cheaper(self) -> Policy:
        """Return GSA (proofs/text/sharper_bounds.md, lemma 18); see `Policy.never_cheaper`."""
        return GSA(self.alpha, self.beta)


@dataclass(frozen=True, slots=True, eq=False)
class _Base:
    """A phase of GSA: requests, starts and slices (rounds) of its attempts, by start."""

    requests: IntArray
    starts: IntArray
    slices: IntArray


class _Speculation:
    """What runs, and which requests may be started speculatively.

    Parameters
    ----------
    machine
        The machine, with nothing running.
    batch
        The requests to run, in request order, shape (n,).

    Attributes
    ----------
    lengths
        Output length of each request (tokens), by its number, `UNKNOWN` until it completes.
    """

    def __init__(self, machine: Machine, batch: IntArray) -> None:
        self.machine = machine
        self.lengths = np.full(int(batch.max()) + 1, UNKNOWN)
        self.unfinished = len(batch)
        self.started: dict[int, int] = {}  # of what runs, when
        self.speculative: set[int] = set()
        self.stack: list[tuple[int, int]] = []  # (start, request), ended ones leave late
        self.candidates = batch.tolist()  # a heap; those that run leave late

    def run_beside(self, base: _Base) -> Decisions:
        """Run the base attempts of a phase, and speculative ones, until the phase is over."""
        machine = self.machine
        columns = (base.requests.tolist(), base.starts.tolist(), base.slices.tolist())
        to_start = deque(zip(*columns, strict=True))
        to_end: deque[tuple[int, int]] = deque()  # (end of slice, request)
        phase_end = int(base.starts[-1] + base.slices[-1])
        while machine.now < phase_end and self.unfinished:
            now = machine.now
            while to_end and to_end[0][0] <= now:
                self._end_of_slice(to_end.popleft()[1])
            due = []
            while to_start and to_start[0][1] == now:
                request, _, slice = to_start.popleft()
                if self.lengths[request] == UNKNOWN:
                    due.append((request, slice))
                    if request in self.speculative:
                        self._kill(request)
            for request, slice in due:
                self._make_room(self.machine.prompt(request) + 1)
                machine.start(request, kill_at=slice)
                self.started[request] = now
                to_end.append((now + slice, request))
            self._make_room(0)
            self._speculate()
            rounds = machine.rounds_until_overflow()
            wake = phase_end if rounds is None else min(phase_end, now + rounds)
            if to_start:
                wake = min(wake, to_start[0][1])
            if to_end:
                wake = min(wake, to_end[0][0])
            for request in (yield Wait(wake, releases=False)).tolist():
                self.lengths[request] = machine.now - self.started.pop(request)
                self.speculative.discard(request)
                self.unfinished -= 1
        while to_end:
            self._end_of_slice(to_end.popleft()[1])

    def _end_of_slice(self, request: int) -> None:
        if self.lengths[request] == UNKNOWN:
            del self.started[request]
            heapq.heappush(self.candidates, request)

    def _make_room(self, tokens: int) -> None:
        """Kill the latest speculative attempts until the next round leaves so many tokens free."""
        machine = self.machine
        while machine.memory_next_round() + tokens > machine.memory:
            start, request = self.stack.pop()
            if request in self.speculative and self.started[request] == start:
                self._kill(request)

    def _kill(self, request: int) -> None:
        self.machine.kill(request)
        self.speculative.discard(request)
        del self.started[request]
        heapq.heappush(self.candidates, request)

    def _speculate(self) -> None:
        machine = self.machine
        while self.candidates:
            request = self.candidates[0]
            if request not in self.started and self.lengths[request] == UNKNOWN:
                if machine.memory_next_round() + self.machine.prompt(request) + 1 > machine.memory:
                    return
                machine.start(request)
                self.started[request] = machine.now
                self.speculative.add(request)
                self.stack.append((machine.now, request))
            heapq.heappop(self.candidates)
