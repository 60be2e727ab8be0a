"""The open nodes of the search, and what is written down of its tree, compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.compiling import lean
from kvopt.solver.event_order.conflicts import Conflicts
from kvopt.solver.event_order.linear_program import PRICE, Basis, Requests, weight_of_prices

__all__ = [
    "AT",
    "BEST",
    "LEAF",
    "LEAVES",
    "LOST",
    "MOST_SPLITS",
    "NODES",
    "RECORDS",
    "SPLIT",
    "TOP",
    "Open",
    "Tree",
    "close_nodes",
    "open_root",
    "parts_of",
    "push",
    "record",
    "record_leaf",
    "replace",
    "tree_for",
]

AT, SPLIT, LEAF = 0, 1, 2
"""Kinds of nodes: branched on a state, on a start, not at all."""

TOP, NODES, RECORDS, LEAVES, BEST, LOST, MOST_SPLITS, ABOVE = 0, 1, 2, 3, 4, 5, 6, 7
"""Places of `Open.numbers`."""

SPLITS = 8
"""Starts are split so often on a path, as a rule."""


class Open(NamedTuple):
    """The nodes that are still to be solved."""

    nodes: Any
    """Depth, AT or SPLIT or -1 for the root, a, b, part, record of the parent, shape (room, 6)."""
    values: Any
    """A lower bound on each (sum of starts), shape (room,)."""
    numbers: Any
    """How many there are; nodes, records and leaves so far; the best sum of starts; 1 if records
    were lost; how often starts are split on a path; the depth of the root, shape (8,)."""
    cut: Any
    """Values from this on are enough, shape (1,)."""
    best: Any
    """The starts of the best schedule so far (rounds), shape (n,)."""
    least: Any
    """The least value of a node that was given up, whose starts are not integers, shape (1,)."""


class Tree(NamedTuple):
    """What is written down of the nodes for a certificate."""

    nodes: Any
    """(kind, a, b, parent, part, leaf), shape (records, 6)."""
    rows: Any
    """The rows of leaves and how many of them count, shape (leaves, n + 1, 4)."""
    duals: Any
    """Their duals, shape (leaves, n + 1)."""


def open_root(
    instance_size: int, best: int, cut: float, depths: int, above: int = 0, splits: int = SPLITS
) -> Open:
    """Return the root as the only open node, below so many decisions."""
    room = 3 * depths
    nodes = np.zeros((room, 6), dtype=np.int64)
    nodes[0] = (above, -1, 0, 0, 0, -1)
    numbers = np.array([1, 0, 0, 0, best, 0, splits, above], dtype=np.int64)
    starts = np.zeros(instance_size, dtype=np.int64)
    return Open(nodes, np.zeros(room), numbers, np.array([cut]), starts, np.array([np.inf]))


def tree_for(n: int, records: int) -> Tree:
    """Return room for so many records, two thirds of them leaves."""
    leaves = records * 2 // 3 + 1
    rows = np.zeros((leaves, n + 1, 4), dtype=np.int64)
    return Tree(np.zeros((records, 6), dtype=np.int64), rows, np.zeros((leaves, n + 1)))


def parts_of(tree: Tree, records: int) -> Any:
    """Return the numbers of the parts of each node, 0 where there is none, shape (records, 3)."""
    parts = np.zeros((records, 3), dtype=np.int64)
    for number in range(1, records):
        parent, part = tree.nodes[number, 3:5].tolist()
        parts[parent, part] = number
    return parts


@lean
def push(open_nodes: Open, value: float, depth: int, kind: int, a: int, b: int, part: int) -> None:
    """Add a part of the last record to the open nodes; `depth` is its own."""
    top = open_nodes.numbers[TOP]
    node = open_nodes.nodes[top]
    node[0], node[1], node[2], node[3], node[4] = depth, kind, a, b, part
    node[5] = open_nodes.numbers[RECORDS] - 1
    open_nodes.values[top] = value
    open_nodes.numbers[TOP] = top + 1


@lean
def record(open_nodes: Open, tree: Tree, kind: int, a: int, b: int, parent: int, part: int) -> None:
    """Write a node down, if there is room."""
    number = open_nodes.numbers[RECORDS]
    if number >= tree.nodes.shape[0]:
        open_nodes.numbers[LOST] = 1
        return
    node = tree.nodes[number]
    node[0], node[1], node[2], node[3], node[4], node[5] = kind, a, b, parent, part, -1
    open_nodes.numbers[RECORDS] = number + 1


@lean
def record_leaf(
    requests: Requests,
    open_nodes: Open,
    tree: Tree,
    basis: Basis,
    depth: int,
    conflicts: Conflicts,
) -> None:
    """Write the rows and duals of the last record down."""
    leaf = open_nodes.numbers[LEAVES]
    if leaf >= tree.rows.shape[0] or open_nodes.numbers[LOST] == 1:
        open_nodes.numbers[LOST] = 1
        return
    n = basis.duals.shape[1]
    for i in range(n):
        tree.duals[leaf, i] = conflicts.duals[i]
        for q in range(4):
            tree.rows[leaf, i, q] = basis.rows[depth, i, q]
        if basis.rows[depth, i, 0] == PRICE:
            k = basis.rows[depth, i, 1]
            tree.duals[leaf, i] /= weight_of_prices(requests, k, basis.points[depth, i])
    more = conflicts.duals[n]
    if more > 0 and conflicts.row[0] == PRICE:
        more /= weight_of_prices(requests, conflicts.row[1], conflicts.points)
    tree.duals[leaf, n] = more
    for q in range(4):
        tree.rows[leaf, n, q] = conflicts.row[q] if more > 0 else 0
    tree.nodes[open_nodes.numbers[RECORDS] - 1, 5] = leaf
    open_nodes.numbers[LEAVES] = leaf + 1


@lean
def replace(open_nodes: Open, tree: Tree, first: Any, depth: int) -> None:
    """Put the last part of a node in its place; `depth` is that of the part."""
    if open_nodes.numbers[LOST] == 1:
        return
    node, node_leaf = first[depth - 1]
    part, part_leaf = first[depth]
    less, less_leaves = part - node, part_leaf - node_leaf
    parent, number = tree.nodes[node, 3], tree.nodes[node, 4]
    for x in range(part, open_nodes.numbers[RECORDS]):
        for q in range(6):
            tree.nodes[x - less, q] = tree.nodes[x, q]
        tree.nodes[x - less, 3] -= less
        if tree.nodes[x, 5] >= 0:
            tree.nodes[x - less, 5] -= less_leaves
    tree.nodes[node, 3], tree.nodes[node, 4] = parent, number
    for x in range(part_leaf, open_nodes.numbers[LEAVES]):
        for i in range(tree.rows.shape[1]):
            tree.duals[x - less_leaves, i] = tree.duals[x, i]
            for q in range(4):
                tree.rows[x - less_leaves, i, q] = tree.rows[x, i, q]
    open_nodes.numbers[RECORDS] -= less
    open_nodes.numbers[LEAVES] -= less_leaves


@lean
def close_nodes(open_nodes: Open, tree: Tree, conflicts: Conflicts, depth: int) -> None:
    """Close what the last leaf completes, as far up as all parts are closed or not needed."""
    keep, needed = conflicts.keep, conflicts.needed
    while depth > open_nodes.numbers[ABOVE]:
        top = open_nodes.numbers[TOP]
        if keep[depth] == 1:
            for d in range(1, depth):
                needed[depth, d] |= keep[d]
            if top > 0 and open_nodes.nodes[top - 1, 0] == depth:
                return
            for d in range(1, depth):
                keep[d] = needed[depth, d]
        else:
            while top > 0 and open_nodes.nodes[top - 1, 0] == depth:
                top -= 1
            open_nodes.numbers[TOP] = top
            replace(open_nodes, tree, conflicts.first, depth)
        depth -= 1
