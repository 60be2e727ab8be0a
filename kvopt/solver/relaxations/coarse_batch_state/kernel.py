"""Costs-to-go of coarse batches, in code that numba compiles.

Only batches that *live* are looked at: those from which all who run can still complete, each while
that pays (proofs/text/coarse_batch_state.md, lemma 6).  The functions are plain Python on integers
and arrays; the tests run the same source both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import Int32Array
from kvopt.solver.compiling import Kernel
from kvopt.solver.relaxations.batch_state.kernel import (
    NO_PATH,
    OVERFLOW,
    Room,
    StateTable,
    admissions,
    table_of_one,
)

__all__ = ["COARSE_KERNEL", "Functions", "Gains", "Lives", "Seen"]


class Lives(NamedTuple):
    """When each batch may be seen."""

    first: Int32Array
    """The first look, by how many looks each who runs has been through, shape (states,)."""
    last: Int32Array
    """The last look at which it lives, 0 if there is none, shape (states,)."""
    levels: IntArray
    """Where the batches of 0, 1, 2, ... who run begin, and their number, shape (most + 2,)."""


class Gains(NamedTuple):
    """What completions of each class cost: `scale` for each look less a dual."""

    dual: IntArray
    """The largest dual of the class, far below 0 if nobody may complete, shape (classes,)."""
    scale: int
    """Duals are multiples of 1 / scale steps of the grid."""


class Seen(NamedTuple):
    """Some batches of each look; those of t are batch[begins[t]] .. batch[begins[t + 1] - 1]."""

    begins: IntArray
    """Where those of each look begin, shape (looks + 2,), looks from 0, which has none."""
    batch: Int32Array
    """The batches, ascending at each look, shape (most,)."""
    cost: Int32Array
    """What the cheapest path from there costs, before the completions, shape (most,)."""


def find_lives(table: StateTable, gains: Gains, lives: Lives, begins: IntArray) -> int:
    """Fill `lives.last` and `begins`, and return how many batches live, over all looks."""
    first, last, levels = lives.first, lives.last, lives.levels
    looks = begins.shape[0] - 2
    begins[:] = 0
    last[0] = looks
    for level in range(1, levels.shape[0] - 1):
        for i in range(levels[level + 1] - 1, levels[level] - 1, -1):  # the older ones first
            best: Any = 0
            if table.aged[i] >= 0:
                best = max(best, last[table.aged[i]] - 1)
            for e in range(table.first[i], table.first[i + 1]):
                pays = (gains.dual[table.shape[e]] - 1) // gains.scale
                best = max(best, min(np.int64(last[table.completed[e]]), pays))
            last[i] = best
    for i in range(last.shape[0]):
        if last[i] >= first[i]:
            begins[first[i]] += 1
            begins[last[i] + 1] -= 1
    size, number = 0, 0
    for t in range(looks + 2):
        number += begins[t]
        begins[t] = size
        size += number
    return size


def list_living(lives: Lives, seen: Seen) -> None:
    """Fill `seen.batch` with those that live."""
    first, last = lives.first, lives.last
    begins, batch = seen.begins, seen.batch
    looks = begins.shape[0] - 2
    place = np.zeros(looks + 2, dtype=np.int64)  # of those that live up to a look no more
    for i in range(last.shape[0]):
        if last[i] >= first[i]:
            place[last[i]] += 1
    total = 0
    for t in range(looks + 2):
        place[t], total = total, total + place[t]
    by_last = np.empty(total, dtype=np.int32)
    for i in range(last.shape[0]):
        if last[i] >= first[i]:
            by_last[place[last[i]]] = i
            place[last[i]] += 1
    for t in range(looks, 0, -1):
        new, stop = place[t - 1], place[t]
        at = begins[t]
        for before in range(begins[t + 1], begins[t + 2] if t < looks else begins[t + 1]):
            i = batch[before]
            if first[i] <= t:
                while new < stop and by_last[new] < i:
                    batch[at] = by_last[new]
                    at += 1
                    new += 1
                batch[at] = i
                at += 1
        while new < stop:
            batch[at] = by_last[new]
            at += 1
            new += 1


def fill_seen(
    table: StateTable, gains: Gains, seen: Seen, after: Int32Array, row: Int32Array
) -> int:
    """Fill `seen.cost`; return the cost of the cheapest path, or `OVERFLOW`.

    Parameters
    ----------
    table
        The batches.
    gains
        What completions cost.
    seen
        The batches that are looked at; through others there is no path.
    after, row
        Room for one number for each batch, shape (states,).
    """
    begins, batch, admitted = seen.begins, seen.batch, table.admitted
    first, completed, class_of = table.first, table.completed, table.shape
    looks = begins.shape[0] - 2
    after[:] = NO_PATH
    row[:] = NO_PATH
    after[0] = 0
    for t in range(looks, 0, -1):
        now = gains.scale * t
        for at in range(begins[t], begins[t + 1]):
            i = batch[at]
            best: Any = NO_PATH
            if table.aged[i] >= 0:
                best = np.int64(after[table.aged[i]])
            if i == 0:
                best = min(0, best)
            for e in range(first[i], first[i + 1]):
                if row[completed[e]] < NO_PATH:
                    best = min(best, row[completed[e]] + now - gains.dual[class_of[e]])
            if best < -NO_PATH:
                return OVERFLOW
            row[i] = seen.cost[at] = min(best, NO_PATH)
        if t < looks:
            for at in range(begins[t + 1], begins[t + 2]):
                after[batch[at]] = NO_PATH
        after[0] = NO_PATH
        for at in range(begins[t + 1] - 1, begins[t] - 1, -1):  # the larger ones first
            i = batch[at]
            for p in range(admitted.shape[0]):
                if admitted[p, i] >= 0:
                    row[i] = min(row[i], row[admitted[p, i]])
        after, row = row, after
    return int(min(0, after[0]))


def choose_seen(
    table: StateTable,
    gains: Gains,
    seen: Seen,
    cutoff: int,
    chosen: Seen,
) -> int:
    """Choose the batches on paths that cost at most `cutoff`; return their number.

    Writes them to `chosen`; returns -1 if there are more than it has room for.
    """
    begins, batch, admitted = seen.begins, seen.batch, table.admitted
    first, completed, class_of = table.first, table.completed, table.shape
    looks, states = begins.shape[0] - 2, table.aged.shape[0]
    reach = np.full(states, NO_PATH, dtype=np.int32)  # what it costs to get there, at least
    reached = np.full(states, NO_PATH, dtype=np.int32)  # the same at the next look
    onward = np.full(states, NO_PATH, dtype=np.int32)  # what it costs from there, after starts
    promising = np.zeros(states, dtype=np.bool_)
    chosen.begins[:] = 0
    reach[0] = 0
    size = 0
    for t in range(1, looks + 1):
        chosen.begins[t] = size
        begin, end = begins[t], begins[t + 1]
        for at in range(begin, end):
            onward[batch[at]] = seen.cost[at]
        for at in range(end - 1, begin - 1, -1):
            i = batch[at]
            for p in range(admitted.shape[0]):
                if admitted[p, i] >= 0:
                    onward[i] = min(onward[i], onward[admitted[p, i]])
        for at in range(begin, end):  # starts
            i = batch[at]
            promising[i] = np.int64(reach[i]) + onward[i] <= cutoff
            for p in range(admitted.shape[0]):
                j = admitted[p, i]
                if j >= 0 and onward[j] < NO_PATH:
                    reach[j] = min(reach[j], reach[i])
        now = gains.scale * t
        for at in range(end - 1, begin - 1, -1):  # completions, and the look
            i = batch[at]
            if reach[i] >= NO_PATH:
                continue
            if np.int64(reach[i]) + seen.cost[at] <= cutoff:
                promising[i] = True
            for e in range(first[i], first[i + 1]):
                j = completed[e]
                if onward[j] < NO_PATH:
                    cost = reach[i] + now - gains.dual[class_of[e]]
                    if cost < reach[j]:
                        reach[j] = cost
            if table.aged[i] >= 0:
                reached[table.aged[i]] = min(reached[table.aged[i]], reach[i])
        for at in range(begin, end):
            i = batch[at]
            if promising[i] or i == 0:
                if size == chosen.batch.shape[0]:
                    return -1
                chosen.batch[size] = i
                size += 1
            reach[i] = onward[i] = NO_PATH
        reach, reached = reached, reach
    chosen.begins[looks + 1] = size
    return size


def follow_seen(
    table: StateTable, gains: Gains, seen: Seen, room: Room, row: Int32Array, done: IntArray
) -> None:
    """Count the completions of each class on a cheapest path, `done` of shape (classes,)."""
    begins, batch = seen.begins, seen.batch
    done[:] = 0
    row[:] = NO_PATH
    i = 0
    for t in range(1, begins.shape[0] - 1):
        for at in range(begins[t], begins[t + 1]):
            row[batch[at]] = seen.cost[at]
        size = admissions(table, i, room)
        best: Any = NO_PATH
        for s in range(size):
            if row[room.reached[s]] < best:
                best = row[room.reached[s]]
                i = room.reached[s]
        going = True
        while going:
            going = False
            for e in range(table.first[i], table.first[i + 1]):
                k = table.shape[e]
                if row[table.completed[e]] + gains.scale * t - gains.dual[k] == row[i]:
                    done[k] += 1
                    i = table.completed[e]
                    going = True
                    break
        if i == 0 and row[0] == 0:
            return
        for at in range(begins[t], begins[t + 1]):
            row[batch[at]] = NO_PATH
        i = table.aged[i]


class Functions(NamedTuple):
    """The functions that are called from outside the kernel, compiled or not."""

    find_lives: Callable[[StateTable, Gains, Lives, IntArray], int]
    list_living: Callable[[Lives, Seen], None]
    fill_seen: Callable[[StateTable, Gains, Seen, Int32Array, Int32Array], int]
    choose_seen: Callable[[StateTable, Gains, Seen, int, Seen], int]
    follow_seen: Callable[[StateTable, Gains, Seen, Room, Int32Array, IntArray], None]


def warm_up(functions: Functions) -> None:
    """Call each function on one request of one token."""
    table, gains = table_of_one(), Gains(np.array([3], dtype=np.int64), 1)
    one, two = np.ones(2, dtype=np.int32), np.zeros(2, dtype=np.int32)
    lives = Lives(one, two, np.array([0, 1, 2], dtype=np.int64))
    begins = np.zeros(4, dtype=np.int64)
    size = functions.find_lives(table, gains, lives, begins)
    seen = Seen(begins, np.zeros(size, dtype=np.int32), np.zeros(size, dtype=np.int32))
    functions.list_living(lives, seen)
    functions.fill_seen(table, gains, seen, two.copy(), two.copy())
    functions.choose_seen(table, gains, seen, 0, seen._replace(begins=begins.copy()))
    room = Room(two.copy(), two.copy())
    functions.follow_seen(table, gains, seen, room, two.copy(), np.zeros(1, dtype=np.int64))


COARSE_KERNEL = Kernel(
    "coarse batch states",
    (admissions, find_lives, list_living, fill_seen, choose_seen, follow_seen),
    Functions,
    warm_up,
    error_model="numpy",
)
