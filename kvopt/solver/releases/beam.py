"""A beam search through time for schedules of requests that arrive over time.

A node says how many requests of each shape (prompt, output) have started by a time, and the memory
that they will use in each coming round.  Each time all choices of what starts are looked at.
A node is superfluous where another one could do all that it can, and costs no more; of the
others those stay for which a fluid promises most.  Why one node makes another superfluous:
proofs/text/release_times.md, lemma 8.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.arrays import FloatArray, Int32Array
from kvopt.solver.params import ReleaseBeamParams
from kvopt.solver.releases.beam_kernel import BEAM_KERNEL, BeamFunctions
from kvopt.solver.releases.node_arrays import Coming, Nodes, Queues, make_nodes, taken
from kvopt.solver.stage import Incumbent, total_latency

__all__ = ["Beam", "BeamTools", "ReleaseBeam", "beam_search"]


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
        """Offer what beams find, until one is no better, or the next would take too long."""
        functions = self.functions or BEAM_KERNEL.compiled(stop)
        params = state.params.release_beam
        tools = BeamTools(functions, params)
        width, gained = params.first_width, True
        best = math.inf
        while width <= params.most_width and gained and not stop.over():
            left = stop.left()
            starts = beam_search(state.instance, width, tools, stop)
            cost = math.inf if starts is None else total_latency(state.instance, starts)
            if starts is not None:
                state.offer(starts)
            gained = cost < best or cost == math.inf
            best = min(best, cost)
            if params.widening * (left - stop.left()) > stop.left():
                break
            width *= params.widening


class _Layer(NamedTuple):
    """What is kept of the nodes of one time."""

    begun: Int32Array
    parent: Int32Array


class BeamTools(NamedTuple):
    """What a search needs besides the instance."""

    functions: BeamFunctions
    params: ReleaseBeamParams


def beam_search(
    instance: Instance,
    width: int,
    tools: BeamTools | None = None,
    stop: Stopping | None = None,
) -> IntArray | None:
    """Return the starts of the best schedule that a beam finds (rounds), shape (n,).

    Parameters
    ----------
    instance
        The instance.
    width
        How many nodes of a time are kept.
    tools
        The functions, by default the compiled ones, and the tuning numbers.
    stop
        How long it may take.

    Returns
    -------
    ndarray or None
        None if time is over first, or none of the nodes that were kept led to a schedule.
    """
    tools = tools or BeamTools(BEAM_KERNEL.compiled(), ReleaseBeamParams())
    stop = stop or Stopping()
    beam = Beam(instance, width, tools)
    while beam.size:
        if stop.over():
            return None
        nodes, size = beam.grown()
        beam.keep(nodes, np.arange(size), beam.estimates(nodes, size))
        stop.count(beam.size)
    return beam.trace()


class Beam:
    """A search through time that keeps the best nodes.

    Parameters
    ----------
    instance
        The instance.
    width
        How many nodes of a time are kept.
    tools
        The functions, and the tuning numbers.
    cutoff
        Only schedules count whose starts add up to less than this (rounds).

    Attributes
    ----------
    order, begins
        The requests by shape, and those of a shape by release; and where each shape begins there.
    queues
        The shapes.
    now, nodes, size
        The time, the nodes that are kept, and their number.
    """

    def __init__(
        self, instance: Instance, width: int, tools: BeamTools, cutoff: int = 1 << 62
    ) -> None:
        self.instance, self.width, self.cutoff = instance, width, cutoff
        self.functions, self.params = tools
        self.order = np.lexsort((instance.releases, -instance.outputs, instance.prompts))
        self.queues, self.begins = _queues(instance, self.order)
        self.latest = int(instance.releases.max())
        self.now, self.size = 0, 1
        self._rounds = int(self.queues.output.max()) + 1
        self.nodes = make_nodes(1, len(self.queues.counts), self._rounds)
        self._room = make_nodes(64, len(self.queues.counts), self._rounds)
        self._coming = _coming(instance, self.queues)
        self._layers: list[_Layer] = []
        self._end: tuple[int, int] | None = None

    def grown(self) -> tuple[Nodes, int]:
        """Let requests start and a round pass; return the nodes that follow, and their number."""
        ready, idle = self._ready(), int(self.now < self.latest)
        args = (self.queues, self.now, 1 - idle, self.instance.memory, self.params.most_choices)
        while True:
            size = self.functions.grow(*args, self.nodes, self.size, self._room, ready)
            if size <= len(self._room.starts):
                break
            self._room = make_nodes(2 * size, len(self.queues.counts), self._rounds)
        self.now += 1
        return self._room, size

    def keep(self, nodes: Nodes, some: IntArray, costs: FloatArray | IntArray) -> IntArray:
        """Go on from the best of some nodes; return their numbers.

        Parameters
        ----------
        nodes
            What `grown` has returned.
        some
            The nodes in question, shape (some,).
        costs
            The best are those for which this is least (rounds), shape (some,).
        """
        left = self.queues.counts.sum() - nodes.begun[some].sum(axis=1)
        done = some[left == 0]
        if len(done):
            first = done[nodes.starts[done].argmin()]
            if nodes.starts[first] < self.cutoff:
                self.cutoff = int(nodes.starts[first])
                self._end = len(self._layers), int(nodes.parent[first])
        cheap = (left > 0) & (nodes.starts[some] + self.now * left < self.cutoff)
        order = some[cheap][np.argsort(costs[cheap], kind="stable")]
        kept = np.empty(min(self.width, len(order)), dtype=np.int64)
        requests = (self.queues, self._coming, self.now, self.instance.memory)
        args = (len(kept), nodes, order, self._ready(), kept)
        kept = kept[: self.functions.choose(*requests, *args) if len(kept) else 0]
        self.nodes, self.size = taken(nodes, kept), len(kept)
        self._layers.append(_Layer(self.nodes.begun, self.nodes.parent))
        return kept

    def estimates(self, nodes: Nodes, size: int) -> FloatArray:
        """Return what a fluid makes of nodes, shape (size,)."""
        costs = np.empty(size)
        first = int(np.searchsorted(self._coming.release, self.now, side="right"))
        some = slice(first, first + self.params.ahead)
        coming = self._coming._replace(
            release=self._coming.release[some], shape=self._coming.shape[some]
        )
        speed = self.params.speed * self.instance.memory
        args = (coming, self.now, speed, nodes, size, self._ready(), costs)
        self.functions.estimate(self.queues, *args)
        return costs

    def least_starts(self, nodes: Nodes, some: IntArray) -> IntArray:
        """Return sums of starts, those who wait starting now, shape (some,)."""
        waiting = self._ready().sum() - nodes.begun[some].sum(axis=1)
        least: IntArray = nodes.starts[some] + self.now * waiting
        return least

    def trace(self) -> IntArray | None:
        """Return the starts of the cheapest schedule below the cutoff (rounds), or None."""
        if self._end is None:
            return None
        at, i = self._end
        starts = np.empty(len(self.instance), dtype=np.int64)
        after = self.queues.counts
        while at >= 0:
            before = self._layers[at - 1].begun[i] if at else np.zeros_like(after)
            for k in np.flatnonzero(after > before).tolist():
                first = int(self.begins[k])
                starts[self.order[first + before[k] : first + after[k]]] = at
            after = before
            i = int(self._layers[at - 1].parent[i]) if at else 0
            at -= 1
        return starts

    def _ready(self) -> IntArray:
        """Return how many of each shape are released by now, shape (shapes,)."""
        ready: IntArray = (self.queues.release <= self.now).sum(axis=1)
        return ready


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
    shape = np.repeat(np.arange(len(areas)), queues.counts)
    there = np.arange(queues.release.shape[1]) < queues.counts[:, None]
    releases = queues.release[there]
    order = np.argsort(releases, kind="stable")
    return Coming(areas.astype(float), np.array(moments) / areas, releases[order], shape[order])
