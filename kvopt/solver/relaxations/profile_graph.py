"""Profiles of memory: what running requests will use in the coming rounds, as a graph.

What can start from now on depends on that only.  With few types there are few such profiles;
they are the nodes, and one round is an edge: some requests start, then a round passes
(proofs/worth.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping

__all__ = ["EDGES", "ProfileGraph", "number_of_sets", "profile_graph"]

EDGES = 6_000_000
"""Most edges of a graph."""

TYPES = 12
"""With more types there are too many profiles, nearly always."""

COUNTING_WORK = 500_000_000
"""Additions that counting sets of requests may take."""

EXPANDED = 1 << 14
"""At most so many nodes are expanded between two looks at the budget."""


@dataclass(frozen=True, slots=True, eq=False)
class ProfileGraph:
    """The profiles of memory that can be met, and what may start in a round.

    Attributes
    ----------
    first
        Number of the first edge of each node and of the end, shape (nodes + 1,); node 0 is
        the idle machine, and the first edge of a node starts nothing.
    target
        The profile after the round, shape (edges,).
    group
        What starts: a row of `groups`, shape (edges,).
    groups
        How many requests of each type of the instance start, shape (groups, types); row 0
        is zero.
    core
        The nodes before this one can be reached from the idle machine; they come first.
    entry
        The nodes of the profiles from which the graph was built, in their order.
    profiles
        Tokens in use in coming rounds of each node, shape (nodes, longest output of the
        instance).
    """

    first: IntArray
    target: NDArray[np.int32]
    group: NDArray[np.int32]
    groups: IntArray
    core: int
    entry: NDArray[np.int32]
    profiles: NDArray[Any]


def profile_graph(
    instance: Instance,
    stop: Stopping,
    edges: int = EDGES,
    chosen: Sequence[int] | None = None,
    profiles_before: NDArray[Any] | None = None,
) -> ProfileGraph | None:
    """Return the graph of profiles of some types.

    Memory that nobody can use is taken away, so that profiles that differ in nothing else
    become one: proofs/worth.md, lemma 2.

    Parameters
    ----------
    instance
        The instance.
    stop
        How long it may take.
    edges
        Largest number of edges.
    chosen
        Which of the instance's types may start; by default all.
    profiles_before
        What the profile may be at first, as in `ProfileGraph.profiles`; by default that of
        the idle machine.

    Returns
    -------
    ProfileGraph or None
        None if it is too large, or takes too long.
    """
    types = [(r.prompt, r.output) for r, _ in instance.types()]
    chosen = range(len(types)) if chosen is None else chosen
    kinds = [types[k] for k in chosen]
    memory, longest = instance.memory, max(o for _, o in types)
    shortest, least = min(o for _, o in kinds), min(s for s, _ in kinds) + 1
    shapes = np.zeros((len(kinds), longest), dtype=np.min_scalar_type(2 * memory))
    for shape, (s, o) in zip(shapes, kinds, strict=True):
        shape[:o] = s + 1 + np.arange(o)
    idle = np.zeros((1, longest), dtype=shapes.dtype)
    before = idle if profiles_before is None else profiles_before

    numbers: dict[bytes, int] = {}
    blocks: list[NDArray[Any]] = []  # the profiles, in their order

    def numbered(profiles: NDArray[Any]) -> NDArray[np.int32]:
        """Return the nodes of these profiles; those not met before come into `blocks`."""
        known = len(numbers)
        keys = profiles.view(f"V{profiles.dtype.itemsize * longest}").ravel().tolist()
        nodes = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int32)
        _, places = np.unique(np.where(nodes >= known, nodes, -1), return_index=True)
        fresh = places[nodes[places] >= known]
        if len(fresh):
            blocks.append(profiles[fresh])
        return nodes

    groups = _Groups(len(kinds))
    degrees, target, group = [], [], []
    entry = np.zeros(0, dtype=np.int32)
    core = count = 0
    numbered(idle)
    waiting = 0  # of the blocks
    while waiting < len(blocks) or not core:
        if waiting == len(blocks):  # all that the idle machine leads to is there
            core = len(numbers)
            entry = numbered(_usable(before, memory, shortest, least))
            continue
        block = blocks[waiting]
        waiting += 1
        for first in range(0, len(block), EXPANDED):
            if stop.over():
                return None
            profiles = block[first : first + EXPANDED]
            used, node, what = _ways_to_start(profiles, memory, shapes, groups)
            count += len(node)
            if count > edges:
                return None
            after = np.zeros_like(used)
            after[:, :-1] = used[:, 1:]
            target.append(numbered(_usable(after, memory, shortest, least)))
            group.append(what)
            degrees.append(np.bincount(node, minlength=len(profiles)))
    all_groups = np.zeros((len(groups.members), len(types)), dtype=np.int64)
    all_groups[:, list(chosen)] = groups.members
    starts = np.concatenate([[0], np.cumsum(np.concatenate(degrees))])
    return ProfileGraph(
        starts,
        np.concatenate(target),
        np.concatenate(group),
        all_groups,
        core,
        entry,
        np.concatenate(blocks),
    )


class _Groups:
    """Numbers for multisets of types: 0 for none; others are made by adding the last type."""

    def __init__(self, types: int) -> None:
        self.members: list[tuple[int, ...]] = [(0,) * types]
        self._added: list[dict[int, int]] = [{} for _ in range(types)]

    def with_one_more(self, groups: NDArray[np.int32], k: int) -> NDArray[np.int32]:
        """Return the numbers of these groups with one more of type k, the last of their types."""
        added, one = self._added[k], np.eye(len(self._added), dtype=int)[k]
        different, places = np.unique(groups, return_inverse=True)
        for group in different.tolist():
            if group not in added:
                added[group] = len(self.members)
                self.members.append(tuple((one + self.members[group]).tolist()))
        return np.array([added[group] for group in different.tolist()], dtype=np.int32)[places]


def _usable(profiles: NDArray[Any], memory: int, shortest: int, least: int) -> NDArray[Any]:
    """Return the profiles without memory that nobody can use.

    Parameters
    ----------
    profiles
        Tokens in use in coming rounds, shape (profiles, rounds).
    memory
        M (tokens).
    shortest
        The smallest output (tokens).
    least
        The smallest prompt, and one token.
    """
    usable = profiles.copy()
    for r in range(shortest - 1, -1, -1):
        used = usable[:, r]
        if r + 1 < shortest:
            later = usable[:, r + 1]
            np.maximum(used, later + (later > 0), out=used)
        used[used > memory - least] = memory
    return usable


def _ways_to_start(
    profiles: NDArray[Any], memory: int, shapes: NDArray[Any], groups: _Groups
) -> tuple[NDArray[Any], IntArray, NDArray[np.int32]]:
    """Return the tokens in use, the profile's place and the group, for all that may start.

    The ways of a profile follow each other; the first starts nothing.
    """
    ways = [(profiles, np.arange(len(profiles)), np.zeros(len(profiles), dtype=np.int32))]
    for k, shape in enumerate(shapes):
        used, node, what = (np.concatenate(parts) for parts in zip(*ways, strict=True))
        length = np.count_nonzero(shape)
        while len(node):
            fits = (used[:, :length] <= memory - shape[:length]).all(axis=1)
            used, node = used[fits] + shape, node[fits]
            what = groups.with_one_more(what[fits], k)
            ways.append((used, node, what))
    used, node, what = (np.concatenate(parts) for parts in zip(*ways, strict=True))
    order = np.argsort(node, kind="stable")
    return used[order], node[order], what[order]


def number_of_sets(instance: Instance, chosen: Sequence[int], most: float) -> float:
    """Return how many sets of requests can run together, types and ages told apart.

    Of the graph's profiles there are fewer; it is a quick way to know what not to try.

    Parameters
    ----------
    instance
        The instance.
    chosen
        Which of the instance's types there are.
    most
        With more than this the answer is infinite; so it is if there are too many to count.
    """
    kinds = [(r.prompt, r.output) for r, _ in instance.types()]
    kinds = [kinds[k] for k in chosen]
    memory = instance.memory
    running = min(len(instance), memory // (min(s for s, _ in kinds) + 1))
    work = sum(o for _, o in kinds) * (running + 1) * (memory + 1)
    if len(kinds) > TYPES or work > COUNTING_WORK:
        return math.inf
    # sets[m, w]: so many sets of m requests that hold w tokens.  Who has most rounds to go comes
    # first; each must fit beside those before it up to its own end.
    sets = np.zeros((running + 1, memory + 1))
    sets[0, 0] = 1
    for left in range(max(o for _, o in kinds) - 1, 0, -1):
        for s, o in kinds:
            held = s + o - left
            for m in range(running):
                room = memory - (m + 1) * left - held + 1
                if left < o and room > 0:
                    sets[m + 1, held : held + room] += sets[m, :room]
        if sets.sum() > most:
            return math.inf
    return float(sets.sum())
