"""Profiles of memory: what running requests will use in the coming rounds, as a graph.

What can start from now on depends on that only.  With few types there are few such profiles;
they are the nodes, and one round is an edge: some requests start, then a round passes
(derived: proofs/text/demand_duals.md).
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
from kvopt.solver.params import DemandDualParams

__all__ = ["ProfileGraph", "number_of_sets", "profile_graph"]


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
    chosen: Sequence[int] | None = None,
    profiles_before: NDArray[Any] | None = None,
    most_edges: int | None = None,
) -> ProfileGraph | None:
    """Return the graph of profiles of some types.

    Memory that nobody can use is taken away, so that profiles that differ in nothing else
    become one (derived: proofs/text/demand_duals.md, lemma 2).

    Parameters
    ----------
    instance
        The instance.
    stop
        How long it may take.
    chosen
        Which of the instance's types may start; by default all.
    profiles_before
        What the profile may be at first, as in `ProfileGraph.profiles`; by default that of
        the idle machine.
    most_edges
        Largest number of edges; by default that of `DemandDualParams`.

    Returns
    -------
    ProfileGraph or None
        None if it is too large, or takes too long.
    """
    most = DemandDualParams().most_edges if most_edges is None else most_edges
    builder = _Builder(instance, chosen, most)
    idle = np.zeros((1, builder.longest), dtype=builder.shapes.dtype)
    before = idle if profiles_before is None else profiles_before
    builder.number(idle)
    if not builder.expand(stop):
        return None
    core = len(builder.numbers)  # all that the idle machine leads to is there
    entry = builder.number(builder.usable(before))
    if not builder.expand(stop):
        return None
    return builder.graph(core, entry)


class _Builder:
    """A graph that is being built: numbered profiles, and the edges of those expanded."""

    def __init__(self, instance: Instance, chosen: Sequence[int] | None, most_edges: int) -> None:
        types = instance.request_types()
        self.types = len(types)
        self.chosen = list(range(len(types))) if chosen is None else list(chosen)
        self.memory, self.most_edges = instance.memory, most_edges
        self.longest = int(types.outputs.max())
        prompts, outputs = types.prompts[self.chosen], types.outputs[self.chosen]
        self.shortest, self.least = int(outputs.min()), int(prompts.min()) + 1
        ages = np.arange(1, self.longest + 1)
        use = np.where(ages <= outputs[:, None], prompts[:, None] + ages, 0)
        self.shapes = use.astype(np.min_scalar_type(2 * self.memory))  # of the runs of each type
        self.groups = _Groups(len(self.chosen))
        self.numbers: dict[bytes, int] = {}  # of the profiles
        self.waiting: list[NDArray[Any]] = []  # profiles by their numbers
        self.expanded = self.edges = 0  # how many arrays of `waiting` are done; how many edges
        self.degrees: list[IntArray] = []
        self.target: list[NDArray[np.int32]] = []
        self.group: list[NDArray[np.int32]] = []

    def number(self, profiles: NDArray[Any]) -> NDArray[np.int32]:
        """Return the nodes of profiles; those that are new wait for being expanded."""
        known = len(self.numbers)
        keys = profiles.view(f"V{profiles.dtype.itemsize * self.longest}").ravel().tolist()
        numbers = self.numbers
        nodes = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int32)
        _, places = np.unique(np.where(nodes >= known, nodes, -1), return_index=True)
        fresh = places[nodes[places] >= known]
        if len(fresh):
            self.waiting.append(profiles[fresh])
        return nodes

    def expand(self, stop: Stopping) -> bool:
        """Expand all that waits; return False if that is too much or takes too long."""
        while self.expanded < len(self.waiting):
            many = self.waiting[self.expanded]
            self.expanded += 1
            for first in range(0, len(many), size := 1 << 14):  # looking at the limit in between
                if stop.over() or not self._expand(many[first : first + size]):
                    return False
        return True

    def _expand(self, profiles: NDArray[Any]) -> bool:
        used, node, group = _possible_starts(profiles, self.memory, self.shapes, self.groups)
        self.edges += len(node)
        if self.edges > self.most_edges:
            return False
        after = np.zeros_like(used)
        after[:, :-1] = used[:, 1:]
        self.target.append(self.number(self.usable(after)))
        self.group.append(group)
        self.degrees.append(np.bincount(node, minlength=len(profiles)))
        return True

    def usable(self, profiles: NDArray[Any]) -> NDArray[Any]:
        """Return the profiles without memory that nobody can use, shape (profiles, rounds)."""
        usable = profiles.copy()
        for r in range(self.shortest - 1, -1, -1):
            used = usable[:, r]
            if r + 1 < self.shortest:
                later = usable[:, r + 1]
                np.maximum(used, later + (later > 0), out=used)
            used[used > self.memory - self.least] = self.memory
        return usable

    def graph(self, core: int, entry: NDArray[np.int32]) -> ProfileGraph:
        """Return the finished graph."""
        groups = np.zeros((len(self.groups.members), self.types), dtype=np.int64)
        groups[:, self.chosen] = self.groups.members
        return ProfileGraph(
            np.concatenate([[0], np.cumsum(np.concatenate(self.degrees))]),
            np.concatenate(self.target),
            np.concatenate(self.group),
            groups,
            core,
            entry,
            np.concatenate(self.waiting),
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


def _possible_starts(
    profiles: NDArray[Any], memory: int, shapes: NDArray[Any], groups: _Groups
) -> tuple[NDArray[Any], IntArray, NDArray[np.int32]]:
    """Return the tokens in use, the profile's place and the group, for all that may start.

    The groups of a profile follow each other; the first starts nothing.
    """
    found = [(profiles, np.arange(len(profiles)), np.zeros(len(profiles), dtype=np.int32))]
    for k, shape in enumerate(shapes):
        used, node, group = (np.concatenate(parts) for parts in zip(*found, strict=True))
        length = np.count_nonzero(shape)
        while len(node):
            fits = (used[:, :length] <= memory - shape[:length]).all(axis=1)
            used, node = used[fits] + shape, node[fits]
            group = groups.with_one_more(group[fits], k)
            found.append((used, node, group))
    used, node, group = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(node, kind="stable")
    return used[order], node[order], group[order]


def number_of_sets(
    instance: Instance,
    chosen: Sequence[int],
    most: float,
    params: DemandDualParams | None = None,
) -> float:
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
    params
        The tuning numbers.
    """
    params = params or DemandDualParams()
    types, memory = instance.request_types(), instance.memory
    prompts, outputs = types.prompts[list(chosen)], types.outputs[list(chosen)]
    pairs = list(zip(prompts.tolist(), outputs.tolist(), strict=True))
    running = min(len(instance), memory // (int(prompts.min()) + 1))
    work = int(outputs.sum()) * (running + 1) * (memory + 1)
    if len(pairs) > params.most_types or work > params.counting_work:
        return math.inf
    # sets[m, w]: so many sets of m requests that hold w tokens.  Who has most rounds to go comes
    # first; each must fit beside those before it up to its own end.
    sets = np.zeros((running + 1, memory + 1))
    sets[0, 0] = 1
    for to_go in range(int(outputs.max()) - 1, 0, -1):
        for s, o in pairs:
            held = s + o - to_go
            for m in range(running):
                room = memory - (m + 1) * to_go - held + 1
                if to_go < o and room > 0:
                    sets[m + 1, held : held + room] += sets[m, :room]
        if sets.sum() > most:
            return math.inf
    return float(sets.sum())
