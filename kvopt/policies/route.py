"""Route, and its two parts Rect and Response: non-clairvoyant with any prompts."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.policies.phases import in_batches, run_pipeline
from kvopt.policies.policy import Policy
from kvopt.simulation.decisions import NEVER, Decisions, Until, Wait
from kvopt.simulation.machine import Machine
from kvopt.theory.pipeline import sps_spacing, staggered

__all__ = ["Rect", "Response", "Route"]

Rungs = defaultdict[int, int]
"""How many attempts of each request were killed so far."""


def _prompt_heavy(prompt: int, rung: int) -> bool:
    """Tell whether a request killed at all ages below 2^rung may be no longer than its prompt."""
    return prompt >= 1 if rung == 0 else 2 ** (rung - 1) < prompt


class _Rectangle(NamedTuple):
    """An attempt as Rect sees it: memory kept for it, when it is killed, and its priority."""

    width: int
    limit: int
    key: int

    @classmethod
    def of(cls, prompt: int, rung: int, memory: int) -> _Rectangle:
        if _prompt_heavy(prompt, rung):
            limit = min(2**rung, prompt, memory - prompt)
            return cls(min(2 * prompt, memory), limit, 2 * prompt * 2**rung)
        limit = min(2**rung, memory - prompt)
        return cls(prompt + limit, limit, (prompt + limit) * 2**rung)


class _Queue:
    """Waiting requests by (key of their rectangle, request), and the first of those that fit.

    The requests whose rectangles have the same width w wait in one heap.  A binary tree over
    the widths, up to M, has at node p of level l the first of all with w >> l == p.  So the
    first of those with a width of at most so much is found in O(log M), and a request is
    entered or taken in O(log n + log M).

    Parameters
    ----------
    memory
        Memory budget M (tokens), the largest width.
    """

    def __init__(self, memory: int) -> None:
        self._heaps: dict[int, list[tuple[int, int, _Rectangle]]] = {}
        levels = (memory + 1).bit_length()
        self._tree: list[dict[int, tuple[int, int, _Rectangle]]] = [{} for _ in range(levels)]

    def add(self, rectangle: _Rectangle, request: int) -> None:
        """Enter a request."""
        entry = (rectangle.key, request, rectangle)
        heap = self._heaps.setdefault(rectangle.width, [])
        heapq.heappush(heap, entry)
        if heap[0] is entry:
            node = rectangle.width
            for level in self._tree:
                first = level.get(node)
                if first is not None and first < entry:
                    return
                level[node] = entry
                node >>= 1

    def take(self, free: int, longest: int) -> Iterator[tuple[_Rectangle, int]]:
        """Go through the requests in order, and take out and yield those that fit.

        Parameters
        ----------
        free
            Memory that may be kept for them (tokens).
        longest
            The largest limit allowed (rounds).  It is not larger at a later call: what has
            a larger limit is forgotten.
        """
        while (first := self._first(free)) is not None:
            _, request, rectangle = first
            self._remove_first(rectangle.width)
            if rectangle.limit <= longest:
                free -= rectangle.width
                yield rectangle, request

    def _first(self, widest: int) -> tuple[int, int, _Rectangle] | None:
        """Return the first request whose rectangle is at most so wide."""
        node, firsts = widest + 1, []
        for level in self._tree:
            if node & 1 and (first := level.get(node - 1)) is not None:
                firsts.append(first)
            node >>= 1
        return min(firsts, default=None)

    def _remove_first(self, width: int) -> None:
        heap = self._heaps[width]
        removed = heapq.heappop(heap)
        first = heap[0] if heap else None
        node = width
        for level in self._tree:
            if level.get(node) is not removed:
                return
            if first is None:
                del level[node]
            else:
                level[node] = first
            sibling = level.get(node ^ 1)
            if sibling is not None and (first is None or sibling < first):
                first = sibling
            node >>= 1


class _Rectangles:
    """Requests run as rectangles: smallest area first, each while its width fits.

    Parameters
    ----------
    machine
        The machine.
    rungs
        How many attempts of each request were killed so far; updated.
    """

    def __init__(self, machine: Machine, rungs: Rungs) -> None:
        self.machine = machine
        self.rungs = rungs

    def run(self, requests: list[int] | None, until: int | None) -> Decisions:
        """Run requests until all have completed, or a time is reached.

        Parameters
        ----------
        requests
            Which requests, which leave when they have outlived their prompt; None for
            all, those included that arrive meanwhile.
        until
            No attempt is started whose limit lies beyond this time, and it is waited
            for unless nothing could be started at all; None for no such time.
        """
        machine = self.machine
        waiting = _Queue(machine.memory)
        for i in requests or ():
            waiting.add(self._rectangle(i), i)
        running: dict[int, _Rectangle] = {}
        ends: list[tuple[int, int]] = []  # a heap of (limit reached, request)
        free = machine.memory
        began = False
        while True:
            for i in machine.arrivals().tolist() if requests is None else ():
                waiting.add(self._rectangle(i), i)
            longest = NEVER if until is None else until - machine.now
            for rectangle, i in waiting.take(free, longest):
                machine.start(i, kill_at=rectangle.limit)
                running[i] = rectangle
                free -= rectangle.width
                heapq.heappush(ends, (machine.now + rectangle.limit, i))
                began = True
            if not running and requests is not None:
                break
            next_end = ends[0][0] if running else None
            for i in (yield Wait(next_end, releases=requests is None)).tolist():
                free += running.pop(i).width
            while ends and (ends[0][1] not in running or ends[0][0] <= machine.now):
                _, i = heapq.heappop(ends)
                if i in running:
                    free += running.pop(i).width
                    self.rungs[i] += 1
                    if requests is None or _prompt_heavy(machine.prompt(i), self.rungs[i]):
                        waiting.add(self._rectangle(i), i)
        if until is not None and began and machine.now < until:
            yield Until(until)

    def _rectangle(self, request: int) -> _Rectangle:
        return _Rectangle.of(self.machine.prompt(request), self.rungs[request], self.machine.memory)


@dataclass(frozen=True, slots=True)
class Rect(Policy):
    """Rect: attempts as rectangles of width 2 s and length 2^r, smallest area first.

    Attempt r = 0, 1, ... of a request is killed after 2^r rounds, and 2 s tokens are
    kept for it, which is enough while it has not outlived its prompt.  At each time
    all waiting requests are gone through [our reading] by (2 s 2^r, request), and those
    whose width fits are started.  A request that turns out to be longer than its prompt
    [our reading] is killed at age s once, and then gets s plus the limit of each attempt.
    With release times the same goes for what has been released [our reading].

    Guarantee: none claimed for this reading; the source has 36 for its own if every output
    is at most the prompt, and no prompt is more than a quarter of the memory.  Here narrow
    requests that end one at a time keep wide ones waiting, whatever the priority
    (proofs/text/mixed_prompts.md).  Source: arXiv 2607.09248.
    """

    name: ClassVar[str] = "rect"
    clairvoyant: ClassVar[bool] = False

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        return _Rectangles(machine, defaultdict(int)).run(None, None)


@dataclass(frozen=True, slots=True)
class Response(Policy):
    """Response: GSA(2) on a surrogate prompt; a request takes part once slices exceed its prompt.

    In phase p [our reading] the unfinished requests with a prompt below 2^p get slices
    of 2^p rounds by a staggered pipeline, as if all had the largest prompt S among them; or,
    if 2^p > M - S, one at a time, request i in a slot of min(2^p, M - s_i) rounds.
    What is released while a batch runs forms the next one [our reading].

    Guarantee: none claimed for this reading; the source has 236/3 for its own if every
    output exceeds the prompt.  Source: arXiv 2607.09248.
    """

    name: ClassVar[str] = "response"
    clairvoyant: ClassVar[bool] = False

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        return in_batches(machine, lambda batch: self._run_batch(machine, batch))

    def _run_batch(self, machine: Machine, batch: IntArray) -> Decisions:
        for phase in itertools.count():
            alive = machine.unfinished(batch)
            if not len(alive):
                return
            slice = 2**phase
            members = alive[machine.prompts_of(alive) < slice]
            if not len(members):
                continue
            if slice <= machine.memory - int(machine.prompts_of(members).max()):
                yield from run_pipeline(machine, members, slice, sps_spacing)
                continue
            slots = np.minimum(slice, machine.memory - machine.prompts_of(members))
            ends = machine.now + np.cumsum(slots)
            machine.commit(members, ends - slots, kill_at=slots)
            yield Until(int(ends[-1]))


@dataclass(frozen=True, slots=True)
class Route(Policy):
    """Route: prompt-heavy, response-heavy and large requests take turns.

    Large requests have a prompt above M/4.  Any other is prompt-heavy until it has
    outlived its prompt, then response-heavy.  For w = 0, 1, ... each of the three in turn has the
    machine for 2^w rounds [our reading]: prompt-heavy ones as by Rect, response-heavy ones
    in pipelines of slices 2^r as by Response, lowest r first, large ones one at a time.
    Attempt r of a request lasts at most 2^r rounds.  Only attempts that surely end
    within the window are started, and a window in which none can be is left out.

    Guarantee: none claimed for this reading; the source has O(1) for its own, whatever the
    prompts, the constant unspecified.  Source: arXiv 2607.09248.
    """

    name: ClassVar[str] = "route"
    clairvoyant: ClassVar[bool] = False

    def run(self, machine: Machine) -> Decisions:
        """Schedule all requests; see `Policy.run`."""
        rungs: Rungs = defaultdict(int)
        rectangles = _Rectangles(machine, rungs)
        window = 0
        while True:
            if not len(machine.unfinished()):
                window = 0
                yield Wait()
                continue
            length = 2**window
            window += 1
            heavy = [
                i
                for i, prompt in _with_prompts(machine)
                if 4 * prompt <= machine.memory and _prompt_heavy(prompt, rungs[i])
            ]
            yield from rectangles.run(heavy, machine.now + length)
            yield from _response_window(machine, rungs, machine.now + length)
            yield from _large_window(machine, rungs, machine.now + length)


def _with_prompts(machine: Machine) -> list[tuple[int, int]]:
    """Return the unfinished requests with their prompt lengths (tokens)."""
    requests = machine.unfinished()
    return list(zip(requests.tolist(), machine.prompts_of(requests).tolist(), strict=True))


def _response_window(machine: Machine, rungs: Rungs, until: int) -> Decisions:
    """Run response-heavy requests in pipelines, lowest rung first, up to a time."""
    memory = machine.memory
    began = False
    while True:
        groups: dict[int, list[int]] = {}
        for i, prompt in _with_prompts(machine):
            if 4 * prompt <= memory and not _prompt_heavy(prompt, rungs[i]):
                groups.setdefault(rungs[i], []).append(i)
        for rung, group in sorted(groups.items()):
            slice, prompt = 2**rung, max(map(machine.prompt, group))
            if slice <= memory - prompt:
                distance = sps_spacing(prompt, slice, memory)
                starts = staggered(Fraction(machine.now), len(group), distance)
                count = int(np.searchsorted(starts, until - slice, side="right"))
            else:
                group, starts = group[:1], np.array([machine.now])
                slice = min(slice, memory - machine.prompt(group[0]))
                count = int(machine.now + slice <= until)
            if count:
                break
        else:
            if began and machine.now < until:
                yield Until(until)
            return
        began = True
        machine.commit(group[:count], starts[:count], kill_at=slice)
        yield Until(int(starts[count - 1]) + slice)
        for i in group[:count]:
            rungs[i] += not machine.completed(i)


def _large_window(machine: Machine, rungs: Rungs, until: int) -> Decisions:
    """Run large requests one at a time, lowest rung first, up to a time."""
    memory = machine.memory
    waiting = [(rungs[i], i) for i, prompt in _with_prompts(machine) if 4 * prompt > memory]
    heapq.heapify(waiting)
    began = False
    while waiting:
        rung, i = heapq.heappop(waiting)
        limit = min(2**rung, memory - machine.prompt(i))
        if machine.now + limit > until:
            continue
        machine.start(i, kill_at=limit)
        began = True
        yield Wait(machine.now + limit, releases=False)
        if not machine.completed(i):
            rungs[i] += 1
            heapq.heappush(waiting, (rungs[i], i))
    if began and machine.now < until:
        yield Until(until)
