"""Placing a few requests of a schedule anew, in the best order, compiled together.

The functions are plain Python on arrays of integers; the tests run the same source uncompiled.
Loads: `kvopt.solver.primal.moves`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.solver.arrays import copy_into
from kvopt.solver.compiling import Kernel, inlined, lean
from kvopt.solver.primal.moves import Lengths, Loaded, are_alike, earliest, enter, no_lengths

__all__ = ["NEIGHBOURHOODS", "Functions", "Tree", "tree_for"]


class Tree(NamedTuple):
    """Room for a search over the orders of `size` requests, its members."""

    member: Any
    """The requests, shape (size,)."""
    start: Any
    """Where they are placed (rounds), shape (size,)."""
    best: Any
    """The same for the best order so far, shape (size,)."""
    placed: Any
    """1 for those that are placed, shape (size,)."""
    soonest: Any
    """At each depth, where each member fits (rounds), shape (size + 1, size)."""
    child: Any
    """At each depth, the members that may come next, the soonest first, shape (size + 1, size)."""
    children: Any
    """At each depth, how many may, shape (size + 1,)."""
    tried: Any
    """At each depth, how many of them were tried, shape (size + 1,)."""
    cost: Any
    """At each depth, the sum of the starts (rounds), shape (size + 1,)."""


def tree_for(size: int) -> Tree:
    """Return room for so many members."""
    lists = [np.zeros(size, dtype=np.int64) for _ in range(4)]
    tables = [np.zeros((size + 1, size), dtype=np.int64) for _ in range(2)]
    return Tree(*lists, *tables, *(np.zeros(size + 1, dtype=np.int64) for _ in range(3)))


@inlined
@lean
def put(lengths: Lengths, load: Any, i: int, start: int, sign: int) -> None:
    """Add a request to a load, or take it out."""
    enter(load, lengths.prompts[i], lengths.outputs[i], start, sign)


@inlined
@lean
def find_soonest(
    lengths: Lengths, load: Any, tree: Tree, members: int, depth: int, last: int
) -> tuple[int, int]:
    """Find where the members fit that are not placed, after one was placed.

    Parameters
    ----------
    lengths, load
        The instance and what is placed.
    tree
        Where it is written, at `depth`.
    members, depth
        How many there are, and how many are placed.
    last
        The one that was placed last.

    Returns
    -------
    bound, work
        No completion of this order has a smaller sum of starts (rounds); how many rounds were
        looked at.
    """  # fmt: skip
    bound = tree.cost[depth]
    work = 0
    begin = tree.start[last]
    end = begin + lengths.outputs[tree.member[last]]
    for k in range(members):
        if tree.placed[k] == 0:
            i = tree.member[k]
            before = tree.soonest[depth - 1, k]
            now = before
            if before < end and before + lengths.outputs[i] > begin:
                now = earliest(load, lengths.memory, lengths.prompts[i], lengths.outputs[i], before)
                work += now - before + lengths.outputs[i]
            tree.soonest[depth, k] = now
            bound += now
    return bound, work


@inlined
@lean
def list_children(lengths: Lengths, tree: Tree, members: int, depth: int, last: int) -> None:
    """List the members that are to be tried next, the soonest first.

    Left out are those like an earlier one, and those that could as well have come before the last
    one: the same starts come in another order.
    """
    soonest = tree.soonest[depth]
    count = 0
    for k in range(members):
        if tree.placed[k] == 1:
            continue
        i = tree.member[k]
        needless = False
        if last >= 0 and k < last and tree.soonest[depth - 1, k] == soonest[k]:
            begin = tree.start[last]
            end = begin + lengths.outputs[tree.member[last]]
            needless = soonest[k] >= end or soonest[k] + lengths.outputs[i] <= begin
        for j in range(k):
            if tree.placed[j] == 0 and are_alike(lengths, i, tree.member[j]):
                needless = True
        if not needless:
            place = count
            while place > 0 and soonest[tree.child[depth, place - 1]] > soonest[k]:
                tree.child[depth, place] = tree.child[depth, place - 1]
                place -= 1
            tree.child[depth, place] = k
            count += 1
    tree.children[depth] = count
    tree.tried[depth] = 0


@inlined
def search_orders(
    lengths: Lengths, loaded: Loaded, tree: Tree, members: int, allowed: int, nodes: int
) -> tuple[int, int]:
    """Look for the order in which the members, placed one by one as early as they fit, cost least.

    Parameters
    ----------
    lengths, loaded
        The instance, and the load of all other requests.
    tree
        The members, where each fits at depth 0, and room.
    members
        How many there are.
    allowed
        Largest sum of starts that is of interest (rounds).
    nodes
        After so many nodes it ends with the best order so far.

    Returns
    -------
    cost, work
        Sum of starts of the best order (rounds), or -1; how many rounds were looked at.
    """  # fmt: skip
    load = loaded.load
    found = -1
    work = depth = 0
    tree.cost[0] = 0
    list_children(lengths, tree, members, 0, -1)
    while depth >= 0:
        if nodes > 0 and tree.tried[depth] < tree.children[depth]:
            k = tree.child[depth, tree.tried[depth]]
            tree.tried[depth] += 1
            i = tree.member[k]
            start = tree.soonest[depth, k]
            if start + lengths.outputs[i] > loaded.horizon:
                continue
            nodes -= 1
            tree.start[k] = start
            tree.placed[k] = 1
            tree.cost[depth + 1] = tree.cost[depth] + start
            put(lengths, load, i, start, 1)
            work += lengths.outputs[i]
            depth += 1
            bound, looked = find_soonest(lengths, load, tree, members, depth, k)
            work += looked
            tree.children[depth] = tree.tried[depth] = 0
            if bound <= allowed and depth == members:
                found = bound
                allowed = bound - 1
                copy_into(tree.best, tree.start, 0, members)
            elif bound <= allowed:
                list_children(lengths, tree, members, depth, k)
        else:
            depth -= 1
            if depth >= 0:
                k = tree.child[depth, tree.tried[depth] - 1]
                tree.placed[k] = 0
                put(lengths, load, tree.member[k], tree.start[k], -1)
    return found, work


@inlined
def take_out(lengths: Lengths, loaded: Loaded, tree: Tree, drawn: Any) -> tuple[int, int]:
    """Make requests, each once, the members, and take them out of the load.

    Returns
    -------
    members, begin
        How many there are, and the earliest of their starts (rounds).
    """  # fmt: skip
    members = 0
    begin = loaded.horizon
    for i in drawn:
        new = True
        for k in range(members):
            if tree.member[k] == i:
                new = False
        if new:
            tree.member[members] = i
            tree.placed[members] = 0
            members += 1
            begin = min(begin, loaded.start[i])
            put(lengths, loaded.load, i, loaded.start[i], -1)
    return members, begin


def place_anew(
    lengths: Lengths, loaded: Loaded, tree: Tree, drawn: Any, nodes: int
) -> tuple[int, int]:
    """Take out some requests and place them in the best order, again and again.

    Parameters
    ----------
    lengths
        The instance.
    loaded
        The schedule, which changes if that is no worse.
    tree
        Room.
    drawn
        Requests to take out, shape (times, at most the room of the tree).
    nodes
        Most nodes of a search.

    Returns
    -------
    gain, work
        By how much the sum of starts is less (rounds); how many rounds were looked at.
    """  # fmt: skip
    gain = work = 0
    for number in range(len(drawn)):
        members, begin = take_out(lengths, loaded, tree, drawn[number])
        cost = 0
        for k in range(members):
            i = tree.member[k]
            s = lengths.prompts[i]
            o = lengths.outputs[i]
            cost += loaded.start[i]
            # Before the first of them, nothing has become free.
            low = max(lengths.releases[i], begin - o)
            soonest = earliest(loaded.load, lengths.memory, s, o, low)
            tree.soonest[0, k] = soonest
            work += soonest - low + 3 * o
        found, looked = search_orders(lengths, loaded, tree, members, cost, nodes)
        work += looked
        for k in range(members):
            i = tree.member[k]
            if found >= 0:
                loaded.start[i] = tree.best[k]
            put(lengths, loaded.load, i, loaded.start[i], 1)
        if found >= 0:
            gain += cost - found
    return gain, work


class Functions(NamedTuple):
    """The function that is called from outside, compiled or not."""

    place_anew: Callable[..., tuple[int, int]]


def _warm_up(functions: Functions) -> None:
    """Call it with nothing to do."""
    numbers = np.zeros(2, dtype=np.int64)
    loaded = Loaded(numbers, numbers.copy(), 0)
    nothing = np.zeros((0, 2), dtype=np.int64)
    functions.place_anew(no_lengths(), loaded, tree_for(2), nothing, 0)


NEIGHBOURHOODS = Kernel(
    "placing of requests anew",
    (
        copy_into,
        are_alike,
        earliest,
        enter,
        put,
        find_soonest,
        list_children,
        search_orders,
        take_out,
        place_anew,
    ),
    Functions,
    _warm_up,
    error_model="numpy",
)
"""All that large neighbourhoods compile; see `kvopt.solver.compiling`."""
