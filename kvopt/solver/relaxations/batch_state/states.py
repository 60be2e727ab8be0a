"""Batch states: all multisets of ages that running requests can form, and how one leads to another.

A running request is known by its prompt and the tokens that it uses; a batch state is the multiset
of these over the requests that run in one round (derived: proofs/text/batch_state.md, lemma 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.request_types import RequestTypes
from kvopt.solver.arrays import FloatArray, Int32Array
from kvopt.solver.relaxations.batch_state.kernel import StateTable
from kvopt.solver.relaxations.fluid_duals import fluid_duals
from kvopt.solver.releases.marginal_duals import marginal_duals
from kvopt.solver.sizes import longest_outputs

__all__ = ["BatchStates", "Members", "members_of"]


class Members(NamedTuple):
    """What a batch state may consist of, by (tokens, prompt)."""

    tokens: IntArray
    """Tokens of a request, shape (members,)."""
    prompt: IntArray
    """Its prompt (tokens), shape (members,)."""
    aged: IntArray
    """The same request when it is seen next, or -1 if none runs so long, shape (members,)."""
    first: IntArray
    """Each prompt, in its first round, prompts ascending, shape (prompts,)."""
    shape: IntArray
    """The shape of what may complete so, or -1, shape (members,)."""


def members_of(seen: dict[int, int], step: int, shape_of: dict[tuple[int, int], int]) -> Members:
    """Return what a batch state may consist of.

    Parameters
    ----------
    seen
        How often a request of each prompt is seen at most, prompts ascending.
    step
        The rounds from one time to the next.
    shape_of
        The shape of what may complete with so many tokens and such a prompt.
    """
    pairs = sorted((s + 1 + step * j, s) for s, most in seen.items() for j in range(most))
    number = {pair: i for i, pair in enumerate(pairs)}
    return Members(
        np.array([b for b, _ in pairs]),
        np.array([s for _, s in pairs]),
        np.array([number.get((b + step, s), -1) for b, s in pairs]),
        np.array([number[s + 1, s] for s in seen]),
        np.array([shape_of.get(pair, -1) for pair in pairs]),
    )


class BatchStates:
    """All batch states of an instance, by ascending number of running requests.

    Parameters
    ----------
    instance
        The instance.

    Attributes
    ----------
    types
        The types of requests.
    shapes
        The requests by prompt and output alone, in the order of their releases.
    table
        The states as the kernel wants them; state 0 is the empty one.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.types = self.shapes = instance.request_types()
        self._order = np.argsort(instance.releases, kind="stable")
        if instance.has_releases:
            columns = (instance.prompts[self._order], instance.outputs[self._order])
            self.shapes = RequestTypes.of(*columns, np.zeros_like(instance.releases))
        self._members = self._all_members()
        self._grow()
        admitted, aged = self._admitted(), self._aged()
        self.table = StateTable(self._running, aged, admitted, *self._completed())

    def __len__(self) -> int:
        return len(self._last)

    def first_duals(self, starts: IntArray | None = None) -> FloatArray:
        """Return a first guess of the demand duals (rounds), shape (types,).

        Parameters
        ----------
        starts
            Starts of a good schedule (rounds), shape (n,); by default those of the releases.
            Without releases after time 0 they play no part.
        """
        if self.instance.has_releases:
            known = self.instance.releases if starts is None else starts
            return marginal_duals(self.instance, known)
        counts = self.types.counts.tolist()
        return fluid_duals(self.types.requests, counts, self.instance.memory)

    def by_release(self, values: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return shapes, places and values of all requests, by release.

        Parameters
        ----------
        values
            A number for each request, in instance order, shape (n,).

        Returns
        -------
        shape, place, value
            The shape of each request, how many of that shape come before it, and its number,
            shape (n,) each.
        """
        shape = self.shapes.index
        by_shape = np.argsort(shape, kind="stable")
        begin = np.cumsum(self.shapes.counts) - self.shapes.counts
        place = np.empty_like(shape)
        place[by_shape] = np.arange(len(shape)) - begin[shape[by_shape]]
        return shape, place, values[self._order]

    def to_instance_order(self, times: list[list[int]]) -> IntArray:
        """Return the start of every request from those of each shape (rounds), shape (n,)."""
        starts = np.empty(len(self._order), dtype=np.int64)
        starts[self._order] = self.shapes.to_instance_order(times)
        return starts

    def members(self, state: int) -> tuple[tuple[int, int], ...]:
        """Return a state as pairs (tokens, prompt), ascending."""
        pairs = []
        while state:
            member = self._last[state]
            pairs.append((int(self._members.tokens[member]), int(self._members.prompt[member])))
            state = int(self._parent[state])
        return tuple(reversed(pairs))

    def _all_members(self) -> Members:
        lengths = zip(self.shapes.prompts.tolist(), self.shapes.outputs.tolist(), strict=True)
        shape_of = {(s + o, s): k for k, (s, o) in enumerate(lengths)}
        return members_of(longest_outputs(self.instance), 1, shape_of)

    def _grow(self) -> None:
        """Enumerate the states: each is its parent and a last member, no smaller than the others.

        The children of a state follow each other, by last member; so a state is found from its
        parent by arithmetic (`_child`).
        """
        memory, tokens = self.instance.memory, self._members.tokens
        parent, last, used = np.array([0]), np.array([0]), np.array([0])
        levels = [(parent, last, used)]
        children, sizes, size = [], [], 1
        while len(parent):
            most = np.searchsorted(tokens, memory - used, side="right")
            number = np.maximum(most - last, 0)
            begin = np.cumsum(number) - number
            children.append(size + begin)
            sizes.append(number)
            here = np.repeat(np.arange(len(parent)), number)
            new = last[here] + np.arange(len(here)) - begin[here]
            parent = size - len(parent) + here
            last, used = new, used[here] + tokens[new]
            levels.append((parent, last, used))
            size += len(parent)
        self._bounds = np.cumsum([0, *(len(level[0]) for level in levels[:-1])]).tolist()
        self._parent, self._last, _ = (np.concatenate(part) for part in zip(*levels, strict=True))
        self._children, self._sizes = np.concatenate(children), np.concatenate(sizes)
        running = np.repeat(np.arange(len(levels) - 1), np.diff(self._bounds))
        self._running = running.astype(np.int32)

    def _child(self, state: IntArray, member: IntArray) -> IntArray:
        """Return states with one more member, or -1; for states -1, too.

        The member must be no smaller than those of the state.
        """
        place = member - self._last[state]
        fits = (state >= 0) & (member >= 0) & (place < self._sizes[state])
        return np.where(fits, self._children[state] + place, -1)

    def _levels(self) -> list[slice]:
        """Return the places of the states with 1, 2, ... running requests."""
        return list(map(slice, self._bounds[1:-1], self._bounds[2:]))

    def _aged(self) -> Int32Array:
        """Return what each state is after one more round of all its requests, or -1."""
        aged = np.full(len(self), -1, dtype=np.int32)
        aged[0] = 0
        for level in self._levels():
            member = self._members.aged[self._last[level]]
            aged[level] = self._child(aged[self._parent[level]], member)
        return aged

    def _admitted(self) -> Int32Array:
        """Return what each state is with one more request of each prompt in its first round."""
        admitted = np.full((len(self._members.first), len(self)), -1, dtype=np.int32)
        for row, member in zip(admitted, self._members.first.tolist(), strict=True):
            row[0] = self._child(np.array([0]), np.array([member]))[0]
            for level in self._levels():
                own = np.arange(level.start, level.stop)
                last = self._last[level]
                later = last > member  # the new one comes before the last
                state = np.where(later, row[self._parent[level]], own)
                row[level] = self._child(state, np.where(later, last, member))
        return admitted

    def _completed(self) -> tuple[Int32Array, Int32Array, Int32Array]:
        """Return `first`, `completed` and `shape` of a `StateTable`."""
        counts = [np.zeros(2, dtype=np.int64)]  # before the empty state, and its own
        completed, shapes = [], []
        without = np.empty((1, 0), dtype=np.int64)  # each state without its member j, at [i, j]
        members = np.empty((1, 0), dtype=np.int64)
        begin = 0
        for level in self._levels():
            parent, last = self._parent[level], self._last[level]
            above = parent - begin
            before = self._child(without[above], last[:, None])
            without = np.hstack((before, parent[:, None]))
            members = np.hstack((members[above], last[:, None]))
            begin = level.start
            shape_of = self._members.shape[members]
            may = shape_of >= 0
            may[:, 1:] &= members[:, 1:] != members[:, :-1]  # equal members count once
            counts.append(may.sum(axis=1))
            completed.append(without[may])
            shapes.append(shape_of[may])
        first = np.cumsum(np.concatenate(counts)).astype(np.int32)
        ends = np.concatenate(completed).astype(np.int32)
        return first, ends, np.concatenate(shapes).astype(np.int32)
