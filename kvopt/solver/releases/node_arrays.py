"""The arrays of searches through time: requests, and nodes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import FloatArray, Int32Array

__all__ = ["Coming", "Nodes", "Queues", "make_nodes", "taken"]


class Queues(NamedTuple):
    """The requests by shape (prompt, output), prompts ascending, then outputs descending."""

    prompt: IntArray
    """Prompt of each shape (tokens), shape (shapes,)."""
    output: IntArray
    """Its output (tokens), shape (shapes,)."""
    leads: IntArray
    """1 where a prompt begins, else 0, shape (shapes,)."""
    by_area: IntArray
    """The shapes by ascending area, shape (shapes,)."""
    counts: IntArray
    """Requests of each shape, shape (shapes,)."""
    release: IntArray
    """Releases of those of each shape, ascending (rounds), shape (shapes, most)."""


class Coming(NamedTuple):
    """Requests that are released later, by release, and what the fluid needs of all shapes."""

    area: FloatArray
    """Memory that a run of each shape takes over its rounds (tokens), shape (shapes,)."""
    lag: FloatArray
    """How long after its start the mean of that memory is (rounds), shape (shapes,)."""
    release: IntArray
    """Releases (rounds), shape (coming,)."""
    shape: IntArray
    """Shape of each, shape (coming,)."""


class Nodes(NamedTuple):
    """What may have happened by a time: requests of each shape start by ascending release."""

    begun: Int32Array
    """How many of each shape have started, shape (most, shapes)."""
    profile: Int32Array
    """Memory that they use in each coming round (tokens), shape (most, longest output)."""
    starts: IntArray
    """The sum of their starts (rounds), shape (most,)."""
    parent: Int32Array
    """The node a round before, shape (most,)."""


def make_nodes(most: int, shapes: int, rounds: int) -> Nodes:
    """Return room for so many nodes; the first one has nothing begun."""
    nodes = Nodes(
        np.empty((most, shapes), dtype=np.int32),
        np.empty((most, rounds), dtype=np.int32),
        np.empty(most, dtype=np.int64),
        np.empty(most, dtype=np.int32),
    )
    for array in nodes:
        array[0] = 0
    return nodes


def taken(nodes: Nodes, kept: IntArray) -> Nodes:
    """Return those of the nodes that are kept, by their numbers."""
    begun, profile, starts, parent = nodes
    return Nodes(begun[kept], profile[kept], starts[kept], parent[kept])
