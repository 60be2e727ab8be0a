"""Smaller trees in the place of parts of a tree, for a shorter certificate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kvopt.model.stopping import Stopping
from kvopt.solver.event_order.conflicts import Conflicts
from kvopt.solver.event_order.linear_program import START, Requests, without_prices
from kvopt.solver.event_order.records import (
    AT,
    BEST,
    LEAVES,
    LOST,
    NODES,
    RECORDS,
    SPLIT,
    Tree,
    open_root,
    parts_of,
    tree_for,
)
from kvopt.solver.event_order.search_kernel import (
    DONE,
    EVENT_ORDER,
    MORE,
    Room,
    enter_path,
    room_for,
)

__all__ = ["Shortening", "room_after", "shortened", "size_of"]

PASSES = (
    (10**9, ((12, False), (8, True), (12, True))),
    (30_000, ((8, True), (12, False))),
    (10_000, ((6, True), (10, False))),
    (3_000, ((6, False), (10, True))),
    (1_000, ((6, True), (10, False))),
    (300, ((6, False), (10, True))),
    (100, ((6, True), (10, False))),
    (30, ((6, False), (10, True))),
    (3_000, ((8, True), (16, False))),
    (1_000, ((8, False), (16, True))),
    (300, ((8, True), (16, False))),
    (100, ((8, False), (16, True))),
    (30, ((8, True), (16, False))),
)
"""Parts of at most so many nodes are searched again, one search after another: with so many pairs
tried, and with prices or without.  Large parts come first, because they gain the most for their
time."""

LEAST, MORE_NODES = 6, 1.05
"""No smaller part is searched again; a search may take so many times as many nodes, some of which
are not written down."""

MORE_DEPTH, MORE_SPLITS, SLICE = 100, 60, 50
"""A part may take so many decisions more, splits of starts among them; nodes between two looks at
the clock."""

OF_NODE, OF_ROW = 13, 30
"""What a node takes in a certificate, and a row (bytes), roughly."""


def room_after(n: int, depths: int, learnt: Conflicts | None) -> Room:
    """Return room for n requests and so many decisions, with what a search has learnt before."""
    room = room_for(n, depths)
    if learnt is not None:
        room.conflicts.activity[:] = learnt.activity
        room.conflicts.unit[:] = learnt.unit
    return room


class Shortening:
    """Searches parts of a tree again.

    Parameters
    ----------
    requests
        The requests, with prices.
    wanted
        The sum of starts that the tree is to prove (rounds).
    margin
        By how much values are to exceed 1 less.
    pivots
        Pivots of what is tried.
    stop
        How long it may take.
    learnt
        What a search before has learnt about states that leaves need; None if there was none.
    """

    def __init__(
        self,
        requests: Requests,
        wanted: int,
        margin: float,
        pivots: int,
        stop: Stopping,
        learnt: Conflicts | None = None,
    ) -> None:
        self.requests, self.plain = requests, without_prices(requests)
        self.wanted, self.margin = wanted, margin
        self.pivots, self.stop = pivots, stop
        self.n = len(requests.outputs)
        self.room = room_after(self.n, MORE_DEPTH, learnt)

    def searched(
        self,
        decided: Sequence[tuple[int, int, int, int]],
        most: int,
        trials: int,
        priced: bool = True,
    ) -> tuple[Tree, int, int] | None:
        """Return a tree below some decisions, its records and leaves; None if it takes too much.

        Parameters
        ----------
        decided
            The decisions.
        most
            About so many nodes may be solved.
        trials
            About so many pairs are tried at a node.
        priced
            Whether it has prices, without which a node takes two thirds of the time.
        """
        depths = len(decided) + MORE_DEPTH
        if depths > len(self.room.path.counts):
            self.room = room_after(self.n, 2 * depths, self.room.conflicts)
        enter_path(self.room, decided)
        tree = tree_for(self.n, most + SLICE)
        splits = MORE_SPLITS + sum(kind == SPLIT for kind, *_ in decided)
        cut = self.wanted - 1 + self.margin
        open_nodes = open_root(self.n, self.wanted, cut, depths, len(decided), splits)
        end, numbers = MORE, open_nodes.numbers
        requests = self.requests if priced else self.plain
        while end == MORE and numbers[NODES] < most and not self.stop.over():
            end = EVENT_ORDER.compiled(self.stop).explore(
                requests, open_nodes, tree, self.room, SLICE, self.pivots, trials, self.margin
            )
        given_up = numbers[BEST] < self.wanted or open_nodes.least[0] < np.inf
        if end != DONE or numbers[LOST] or given_up:
            return None
        return tree, int(numbers[RECORDS]), int(numbers[LEAVES])


def size_of(tree: Tree, records: int, leaves: slice) -> int:
    """Return about how many bytes a tree takes in a certificate, with the leaves that have rows."""
    rows = (tree.duals[leaves] > 0) & (tree.rows[leaves, :, 0] != START)
    return int(OF_NODE * records + OF_ROW * rows.sum())


def shortened(shortening: Shortening, tree: Tree, records: int, enough: int) -> tuple[Tree, int]:
    """Return a smaller tree that proves the same, and its records.

    Parameters
    ----------
    shortening
        What searches again.
    tree, records
        The tree, and how many nodes it has.
    enough
        It need not take less than so many bytes.
    """
    for most, searches in PASSES:
        leaves = slice(0, int((tree.nodes[:records, 5] >= 0).sum()))
        if size_of(tree, records, leaves) <= enough or shortening.stop.over():
            break
        tree, records = with_smaller_parts(shortening, tree, records, most, searches)
    return tree, records


def with_smaller_parts(
    shortening: Shortening,
    tree: Tree,
    records: int,
    most: int,
    searches: Sequence[tuple[int, bool]],
) -> tuple[Tree, int]:
    """Return a tree in whose parts of at most so many nodes others take their place, if smaller."""
    parts = parts_of(tree, records)
    sizes, first = np.ones(records, dtype=np.int64), np.zeros(records + 1, dtype=np.int64)
    for number in range(records - 1, 0, -1):
        sizes[tree.nodes[number, 3]] += sizes[number]
    first[1:] = np.cumsum(tree.nodes[:records, 5] >= 0)  # leaves with rows before each node
    made = Tree(
        np.empty_like(tree.nodes[:records]),
        np.empty_like(tree.rows[: first[-1]]),
        np.empty_like(tree.duals[: first[-1]]),
    )
    decided: list[tuple[int, int, int, int]] = []
    todo: list[tuple[int, int, int, tuple[tuple[int, int, int, int], ...]]] = [(0, -1, 0, ())]
    at = leaf_at = 0
    while todo:
        number, parent, depth, decision = todo.pop()
        decided[depth:] = decision
        size = int(sizes[number])
        kind, a, b, _, part, _ = tree.nodes[number].tolist()
        if size > most and kind in (AT, SPLIT):
            made.nodes[at] = (kind, a, b, parent, part, -1)
            todo += [
                (int(parts[number, x]), at, len(decided), ((kind, a, b, x),))
                for x in reversed(range(3 if kind == AT else 2))
            ]
            at += 1
            continue
        best, begin, count = tree, number, size
        leaves = slice(int(first[number]), int(first[number + size]))
        room, least = leaves.stop - leaves.start, size_of(tree, size, leaves)
        for search in searches if size >= LEAST else ():
            found = shortening.searched(decided, math.ceil(MORE_NODES * count), *search)
            if found is None or found[1] > size or found[2] > room:
                continue
            taken = size_of(found[0], found[1], slice(0, found[2]))
            if taken < least:
                least, best, begin, count, leaves = taken, found[0], 0, found[1], slice(0, found[2])
        nodes = best.nodes[begin : begin + count].copy()
        nodes[:, 3] += at - begin
        nodes[0, 3:5] = (parent, part)
        with_rows = nodes[:, 5] >= 0
        nodes[with_rows, 5] += leaf_at - leaves.start
        made.nodes[at : at + count] = nodes
        rows = leaves.stop - leaves.start
        made.rows[leaf_at : leaf_at + rows] = best.rows[leaves]
        made.duals[leaf_at : leaf_at + rows] = best.duals[leaves]
        at, leaf_at = at + count, leaf_at + rows
    return made, at
