"""Propagation: start-time domains, narrowed by timetabling and by reduced-cost fixing.

In a node of a branch and bound on start times every type has a domain, the starts that can
still belong to a schedule below the cutoff, and every request an earliest and a latest start.
From its latest start to its earliest end a request is certain to run: its compulsory part, in
which it uses at least what it would if it started last.  A start beside which the compulsory
parts of the others do not fit is impossible (timetabling, as for resource-constrained
projects); so is a start whose reduced cost alone makes every schedule too costly (reduced-cost
fixing).  Both go on until neither takes a start away.

Derived: proofs/text/propagation.md; proofs/checker does the same in plain Python on intervals
instead of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.relaxations.time_indexed import Branch, Duals, TimeIndexedProgram

__all__ = ["BoolArray", "Propagated", "full_domains", "reduced_cost_fixing", "timetabling"]

BoolArray = NDArray[np.bool_]


class Propagated(NamedTuple):
    """What propagation makes of a node.

    Attributes
    ----------
    bound
        Lower bound on what schedules of the node cost (rounds).
    domains
        Which starts of each type at times 0..horizon can belong to a schedule below the cutoff,
        shape (types, horizon + 1); the last time stands for all later ones, too.  None if there
        is no such schedule.
    """

    bound: int
    domains: BoolArray | None


def full_domains(program: TimeIndexedProgram) -> BoolArray:
    """Return the domains of all starts, shape (types, horizon + 1)."""
    return np.ones((len(program.types), program.horizon + 1), dtype=np.bool_)


def timetabling(
    program: TimeIndexedProgram, branches: Sequence[Branch], domains: BoolArray
) -> BoolArray | None:
    """Return the starts that fit beside the compulsory parts of the other requests.

    Parameters
    ----------
    program
        The program of the instance; its last round is the horizon.
    branches
        Branches of one type each: they give earliest and latest starts of its first, second, ...
        request.
    domains
        The domains so far, shape (types, horizon + 1).

    Returns
    -------
    ndarray of bool, shape (types, horizon + 1), or None
        None if there is no start for some request.
    """
    timetable = _Timetable(program, branches)
    starts: list[BoolArray] = [domains[k] for k, _ in timetable.requests]
    changed = True
    while changed:
        changed = False
        for i, (k, _) in enumerate(timetable.requests):
            starts[i] = timetable.fitting(i) & domains[k]
            times = np.flatnonzero(starts[i])
            if len(times) == 0:
                return None
            changed |= timetable.narrow(i, int(times[0]), int(times[-1]))
    fits = np.zeros_like(domains)
    for (k, _), mask in zip(timetable.requests, starts, strict=True):
        fits[k] |= mask
    return fits


class _Timetable:
    """The earliest and latest start of every request, and the sum of all compulsory parts.

    Attributes
    ----------
    requests
        (type, its number among those of the type by start) of each request.
    """

    def __init__(self, program: TimeIndexedProgram, branches: Sequence[Branch]) -> None:
        types = program.types
        self._horizon, self._memory = program.horizon, program.instance.memory
        self._prompts, self._outputs = types.prompts.tolist(), types.outputs.tolist()
        self._rounds = np.arange(self._horizon + max(self._outputs) + 2)
        counts = types.counts.tolist()
        self.requests = [(k, m) for k, count in enumerate(counts) for m in range(count)]
        place = {request: i for i, request in enumerate(self.requests)}
        self._earliest = [0] * len(self.requests)
        self._latest = [self._horizon] * len(self.requests)
        for branch in branches:
            ((k, before),) = branch.until
            if branch.below:
                for i in (place[k, m] for m in range(branch.at_most, counts[k])):
                    self._earliest[i] = max(self._earliest[i], before)
            else:
                for i in (place[k, m] for m in range(min(branch.at_most + 1, counts[k]))):
                    self._latest[i] = min(self._latest[i], before - 1)
        self._parts = [self._compulsory_part(i) for i in range(len(self.requests))]
        self._total = np.sum(self._parts, axis=0)

    def _compulsory_part(self, i: int) -> IntArray:
        """Return the memory that a request is certain to use in each round (tokens)."""
        k, latest = self.requests[i][0], self._latest[i]
        if latest == self._horizon:  # it may start as late as it likes
            return np.zeros(len(self._rounds), dtype=np.int64)
        runs = (self._rounds > latest) & (self._rounds <= self._earliest[i] + self._outputs[k])
        return np.where(runs, self._prompts[k] + self._rounds - latest, 0)

    def fitting(self, i: int) -> BoolArray:
        """Return which starts of a request fit, shape (horizon + 1,)."""
        k, horizon = self.requests[i][0], self._horizon
        times = self._rounds[: horizon + 1]
        # A start t fits if s + r - t <= what is free, for all rounds r of the run.
        ready = self._prompts[k] + self._rounds - self._memory + (self._total - self._parts[i])
        fits = _largest_ahead(ready, self._outputs[k])[: horizon + 1] <= times
        fits[horizon] = True
        fits &= (times >= self._earliest[i]) & (times <= self._latest[i])
        return fits

    def narrow(self, i: int, earliest: int, latest: int) -> bool:
        """Set the earliest and the latest start of a request; tell whether that is new."""
        if (earliest, latest) == (self._earliest[i], self._latest[i]):
            return False
        self._earliest[i], self._latest[i] = earliest, latest
        part = self._compulsory_part(i)
        self._total += part - self._parts[i]
        self._parts[i] = part
        return True


def reduced_cost_fixing(
    program: TimeIndexedProgram,
    duals: Duals,
    branches: Sequence[Branch],
    domains: BoolArray,
    cutoff: int,
) -> Propagated:
    """Return bound and domains by what duals prove, and by timetabling whenever they change.

    Parameters
    ----------
    program
        The program of the instance.
    duals
        The duals, those of the branches in the same order as `branches`.
    branches
        The branches, root first, of one type each and times up to the horizon.
    domains
        The domains so far, shape (types, horizon + 1).
    cutoff
        Only schedules that cost less than this matter (rounds).
    """
    scale, counts = program.scale, program.types.counts.tolist()
    base, costs = program.reduced_costs(duals, branches)
    while True:
        least = [row[there].min() for row, there in zip(costs, domains, strict=True)]
        value = base + sum(n * int(cost) for n, cost in zip(counts, least, strict=True))
        bound = -(-value // scale)
        if bound >= cutoff:
            return Propagated(cutoff, None)
        slack = (cutoff - 1) * scale - value
        # No limit exceeds what stands in its row, so none is too large for the row's numbers.
        limits = [min(int(cost) + slack, row.max()) for row, cost in zip(costs, least, strict=True)]
        cheap = domains & (costs <= np.array(limits, dtype=costs.dtype)[:, None])
        if (cheap == domains).all():
            return Propagated(bound, domains)
        fits = timetabling(program, branches, cheap)
        if fits is None:
            return Propagated(cutoff, None)
        domains = fits


def _largest_ahead(values: IntArray, by: int) -> IntArray:
    """Return the largest of values[t + 1], ..., values[t + by] for each t."""
    least = np.iinfo(np.int64).min
    window = np.concatenate([values[1:], np.full(by, least)])
    width = 1
    while 2 * width <= by:
        window = np.maximum(window[:-width], window[width:])
        width *= 2
    largest: IntArray = np.maximum(window[: len(values)], window[by - width :][: len(values)])
    return largest
