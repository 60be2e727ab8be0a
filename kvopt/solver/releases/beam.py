"""A beam search through time for schedules of requests that arrive over time.

A node says how many requests of each shape (prompt, output) have started by a time, and the memory
that they will use in each coming round.  Each time all choices of what starts are looked at.
A node is superfluous where another one could do all that it can, and costs no more; of the
others those stay for which a fluid promises most.  Why one node makes another superfluous:
proofs/text/release_times.md, lemma 8.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import Int32Array
from kvopt.solver.params import ReleaseBeamParams
from kvopt.solver.releases.beam_kernel import (
    BEAM_KERNEL,
    BeamFunctions,
    Coming,
    Nodes,
    Queues,
    make_nodes,
)
from kvopt.solver.stage import Incumbent

__all__ = ["ReleaseBeam", "beam_search"]


class ReleaseBeam:
    """The stage of beam searches through time, each wider than the one before.

    Parameters
    ----------
    functions
        The functions to use; by default the compiled ones.
    """

    name = "release-beam"
    with_releases = True

    def __init__(self, functions: BeamFunctions | None = None) -> None:
        self.functions = functions

    def applies(self, state: Incumbent) -> bool:
        """Tell whether there are few enough choices in a round, and rounds."""
        params, instance = state.params.release_beam, state.instance
        few = instance.memory <= params.most_memory and len(instance) <= params.most_requests
        return few and state.makespan <= params.most_rounds

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Offer the schedule of each beam, until the next one would take too long."""
        functions = self.functions or BEAM_KERNEL.compiled(stop)
        params = state.params.release_beam
        width = params.first_width
        while width <= params.most_width and not stop.over():
            left = stop.left()
            starts = beam_search(state.instance, width, functions, stop, params)
            if starts is not None:
                state.offer(starts)
            if params.widening * (left - stop.left()) > stop.left():
                break
            width *= params.widening


class _Layer(NamedTuple):
    """What is kept of the nodes of one time."""

    begun: Int32Array
    parent: Int32Array


def beam_search(
    instance: Instance,
    width: int,
    functions: BeamFunctions | None = None,
    stop: Stopping | None = None,
    params: ReleaseBeamParams | None = None,
) -> IntArray | None:
    """Return the starts of the best schedule that a beam finds (rounds), shape (n,).

    Parameters
    ----------
    instance
        The instance.
    width
        How many nodes of a time are kept.
    functions
        The functions to use; by default the compiled ones.
    stop
        How long it may take.
    params
        The tuning numbers.

    Returns
    -------
    ndarray or None
        None if time is over first.
    """
    functions = functions or BEAM_KERNEL.compiled()
    beam = _Beam(instance, width, functions, params or ReleaseBeamParams())
    return beam.run(stop or Stopping())


class _Beam:
    """A beam search in progress."""

    def __init__(
        self, instance: Instance, width: int, functions: BeamFunctions, params: ReleaseBeamParams
    ) -> None:
        self.instance, self.width = instance, width
        self.functions, self.params = functions, params
        self.order = np.lexsort(
            (instance.releases, -instance.outputs, instance.prompts)
        )  # requests by shape, and those of a shape by release
        self.queues, self.begin = _queues(instance, self.order)
        self.latest = int(instance.releases.max())
        self.layers: list[_Layer] = []
        self.best: tuple[int, int, int] | None = None  # the sum of starts, layer and node
        self._coming = _coming(instance, self.queues)

    def run(self, stop: Stopping) -> IntArray | None:
        """Go on from time to time until all have started."""
        shapes, rounds = len(self.queues.count), int(self.queues.output.max()) + 1
        nodes, size, now = make_nodes(1, shapes, rounds), 1, 0
        following = make_nodes(4 * self.width + 64, shapes, rounds)
        while size:
            if stop.over():
                return None
            ready = self.ready(now)
            while True:
                args = (self.queues, now, int(now >= self.latest), self.instance.memory)
                each = self.params.most_choices
                new = self.functions.grow(*args, each, nodes, size, following, ready)
                if new <= len(following.starts):
                    break
                following = make_nodes(2 * new, shapes, rounds)
            now += 1
            kept = self.kept(now, following, new)
            nodes, size = Nodes(*(array[kept] for array in following)), len(kept)
            stop.count(size)
            self.layers.append(_Layer(nodes.begun.astype(np.int32), nodes.parent))
        return self.trace()

    def ready(self, now: int) -> IntArray:
        """Return how many of each shape are released by a time, shape (shapes,)."""
        ready: IntArray = (self.queues.release <= now).sum(axis=1)
        return ready

    def kept(self, now: int, nodes: Nodes, size: int) -> IntArray:
        """Return the nodes to go on from, and note whoever has nothing left to start."""
        left = self.queues.count.sum() - nodes.begun[:size].sum(axis=1)
        done = np.flatnonzero(left == 0)
        if len(done):
            first = done[nodes.starts[done].argmin()]
            cost = int(nodes.starts[first])
            if self.best is None or cost < self.best[0]:
                self.best = cost, len(self.layers), int(nodes.parent[first])
        costs, ready = np.empty(size), self.ready(now)
        coming, speed = self.coming(now), self.params.speed * self.instance.memory
        self.functions.estimate(self.queues, coming, now, speed, nodes, size, ready, costs)
        order = np.argsort(costs, kind="stable")
        order = order[left[order] > 0]
        if self.best is not None:
            order = order[nodes.starts[order] + now * left[order] < self.best[0]]
        kept = np.empty(self.width, dtype=np.int64)
        args = (self.queues, now, self.width, nodes, order, ready, kept)
        return kept[: self.functions.choose(*args)]

    def coming(self, now: int) -> Coming:
        """Return those of the requests that are released after a time that count."""
        first = int(np.searchsorted(self._coming.release, now, side="right"))
        some = slice(first, first + self.params.ahead)
        releases, shapes = self._coming.release[some], self._coming.shape[some]
        return self._coming._replace(release=releases, shape=shapes)

    def trace(self) -> IntArray | None:
        """Return the starts of the best schedule."""
        if self.best is None:
            return None
        _, at, i = self.best
        starts = np.empty(len(self.instance), dtype=np.int64)
        after = self.queues.count
        while at >= 0:
            before = self.layers[at - 1].begun[i] if at else np.zeros_like(after)
            for k in np.flatnonzero(after > before).tolist():
                first = int(self.begin[k])
                starts[self.order[first + before[k] : first + after[k]]] = at
            after = before
            i = int(self.layers[at - 1].parent[i]) if at else 0
            at -= 1
        return starts


def _queues(instance: Instance, order: IntArray) -> tuple[Queues, IntArray]:
    """Return the requests by shape, and where each shape begins in the order."""
    keys = np.stack((instance.prompts[order], -instance.outputs[order]), axis=1)
    distinct, begin, counts = np.unique(keys, axis=0, return_index=True, return_counts=True)
    prompts, outputs = distinct[:, 0].copy(), -distinct[:, 1]
    releases = np.full((len(counts), int(counts.max())), np.iinfo(np.int64).max)
    for k, (first, count) in enumerate(zip(begin.tolist(), counts.tolist(), strict=True)):
        releases[k, :count] = instance.releases[order[first : first + count]]
    leads = np.diff(prompts, prepend=-1).astype(bool).astype(np.int64)
    areas = prompts * outputs + outputs * (outputs + 1) // 2
    by_area = np.argsort(areas, kind="stable")
    return Queues(prompts, outputs, leads, by_area, counts, releases), begin


def _coming(instance: Instance, queues: Queues) -> Coming:
    """Return all requests by release, with the areas of the shapes and their means in time."""
    moments = [
        sum((s + j) * (j - 0.5) for j in range(1, o + 1))
        for s, o in zip(queues.prompt.tolist(), queues.output.tolist(), strict=True)
    ]
    areas = queues.prompt * queues.output + queues.output * (queues.output + 1) // 2
    shape = np.repeat(np.arange(len(areas)), queues.count)
    there = np.arange(queues.release.shape[1]) < queues.count[:, None]
    releases = queues.release[there]
    order = np.argsort(releases, kind="stable")
    return Coming(areas.astype(float), np.array(moments) / areas, releases[order], shape[order])
