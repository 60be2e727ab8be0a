"""Which nodes of a time are superfluous beside others, in code that numba compiles.

A node is superfluous beside another one that can do all that it can, and costs no more
(proofs/text/release_times.md, lemma 8).  What nobody can use of the memory counts as used there.
Numbers that are compared share words, each in a field whose top bit is free: if no number of one
is above that of the other, all top bits are left when one is taken from the other with these set.

The functions are plain Python on integers and arrays; the tests run the same source both ways.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import Int32Array, copy_into
from kvopt.solver.releases.node_arrays import Coming, Nodes, Queues

__all__ = ["DOMINANCE_FUNCTIONS", "choose"]

FAR = 1 << 30
"""A round that is after all others."""


class Layout(NamedTuple):
    """How numbers are packed."""

    field: int
    """Bits of a field."""
    each: int
    """Fields of a word."""
    tops: int
    """The top bits of the fields of a word."""


class Users(NamedTuple):
    """Who may use memory in coming rounds; room for all shapes and all requests."""

    prompt: IntArray
    """Prompts (tokens)."""
    output: IntArray
    """Outputs (tokens)."""
    delay: IntArray
    """From how many rounds on each may start."""
    number: IntArray
    """How many are alike."""


class Chosen(NamedTuple):
    """The nodes that are chosen, by groups that have the same requests waiting."""

    words: IntArray
    """Who waits, then the profile, packed, shape (width, words)."""
    cost: IntArray
    """The sum of all starts, those who wait starting now (rounds), shape (width,)."""
    before: IntArray
    """The one before it in its group, or -1, shape (width,)."""
    last: IntArray
    """The last one of each group, shape (width,)."""


def choose(
    queues: Queues,
    coming: Coming,
    now: int,
    memory: int,
    width: int,
    nodes: Nodes,
    order: IntArray,
    ready: IntArray,
    kept: IntArray,
) -> int:
    """Choose the first nodes of an order that none of those before makes superfluous.

    Parameters
    ----------
    queues, coming
        The requests.
    now
        The time (rounds).
    memory
        Tokens that fit.
    width
        How many are chosen at most.
    nodes
        The nodes.
    order
        Their numbers, the best first, shape (size,).
    ready
        How many of each shape are released by this time, shape (shapes,).
    kept
        Takes the numbers of those chosen, shape (width,) or more.

    Returns
    -------
    int
        How many are chosen.
    """
    shapes, rounds = queues.counts.shape[0], nodes.profile.shape[1]
    layout = layout_for(max(memory, queues.counts.sum()))
    split = -(-shapes // layout.each)  # the words before tell who waits
    chosen = make_chosen(width, split + -(-rounds // layout.each))
    own, most = np.empty(chosen.words.shape[1], np.int64), np.empty(chosen.words.shape[1], np.int64)
    longer, full = np.empty(shapes, dtype=np.int32), np.empty(rounds, dtype=np.int32)
    users = make_users(shapes + coming.release.shape[0])
    room = np.empty((3, rounds + 1), dtype=np.int64)
    size = groups = 0
    for at in range(order.shape[0]):
        i = order[at]
        waiting = count_longer(queues, ready, nodes.begun[i], longer)
        cost = nodes.starts[i] + now * waiting
        pack(longer, layout, own, 0)
        pack(nodes.profile[i], layout, own, split)
        copy_into(most, own, 0, split)
        number = find_users(queues, coming, now, ready, nodes.begun[i], rounds, users)
        fill_up(memory, queues.prompt[0], nodes.profile[i], users, number, room, full)
        pack(full, layout, most, split)
        group = look_up(chosen, groups, split, layout.tops, own, most, cost)
        if group < 0:
            continue
        groups = max(groups, group + 1)
        copy_into(chosen.words[size], own, 0, own.shape[0])
        chosen.cost[size] = cost
        chosen.before[size], chosen.last[group] = chosen.last[group], size
        kept[size] = i
        size += 1
        if size == width:
            break
    return size


def layout_for(largest: int) -> Layout:
    """Return how numbers up to `largest` are packed."""
    field = 2
    while largest >> (field - 1):
        field += 1
    each = max(1, 62 // field)
    tops = 0
    for j in range(each):
        tops |= 1 << (field * (j + 1) - 1)
    return Layout(field, each, tops)


def make_chosen(width: int, words: int) -> Chosen:
    """Return room for so many nodes."""
    return Chosen(
        np.empty((width, words), dtype=np.int64),
        np.empty(width, dtype=np.int64),
        np.empty(width, dtype=np.int64),
        np.full(width, -1, dtype=np.int64),
    )


def make_users(most: int) -> Users:
    """Return room for so many."""
    return Users(
        np.empty(most, dtype=np.int64),
        np.empty(most, dtype=np.int64),
        np.empty(most, dtype=np.int64),
        np.empty(most, dtype=np.int64),
    )


def count_longer(queues: Queues, ready: IntArray, begun: Int32Array, longer: Int32Array) -> int:
    """Count who waits, and for each shape those of its prompt and at least its output."""
    waiting = together = 0
    for k in range(begun.shape[0]):
        number = ready[k] - begun[k]
        together = number + (0 if queues.leads[k] == 1 else together)
        longer[k] = together
        waiting += number
    return waiting


def pack(numbers: Int32Array, layout: Layout, words: IntArray, first: int) -> None:
    """Write numbers to words, from one on."""
    each = layout.each
    for begin in range(0, numbers.shape[0], each):
        word = 0
        for j in range(begin, min(begin + each, numbers.shape[0])):
            word |= int(np.int64(numbers[j])) << (layout.field * (j - begin))
        words[first + begin // each] = word


def look_up(
    chosen: Chosen, groups: int, split: int, tops: int, own: IntArray, most: IntArray, cost: int
) -> int:
    """Return -1 if a chosen node makes another one superfluous, else the group of the latter."""
    found = groups
    for group in range(groups):
        other = chosen.last[group]
        if not is_below(chosen.words[other], most, 0, split, tops):
            continue
        alike = True
        for w in range(split):
            alike = alike and chosen.words[other, w] == own[w]
        if alike:
            found = group
        while other >= 0:
            words = chosen.words[other]
            if chosen.cost[other] <= cost and is_below(words, most, split, own.shape[0], tops):
                return -1
            other = chosen.before[other]
    return found


def is_below(one: IntArray, other: IntArray, begin: int, end: int, tops: int) -> bool:
    """Tell whether no number of one is above that of the other, in some words."""
    w = begin
    while w < end and ((other[w] | tops) - one[w]) & tops == tops:
        w += 1
    return bool(w == end)


def find_users(
    queues: Queues,
    coming: Coming,
    now: int,
    ready: IntArray,
    begun: Int32Array,
    rounds: int,
    users: Users,
) -> int:
    """Write who has yet to start and may do so in the next rounds; return their number."""
    size = 0
    for k in range(begun.shape[0]):
        if ready[k] > begun[k]:
            users.prompt[size], users.output[size] = queues.prompt[k], queues.output[k]
            users.delay[size], users.number[size] = 0, ready[k] - begun[k]
            size += 1
    at = np.searchsorted(coming.release, now, side="right")
    while at < coming.release.shape[0] and coming.release[at] < now + rounds:
        k = coming.shape[at]
        users.prompt[size], users.output[size] = queues.prompt[k], queues.output[k]
        users.delay[size], users.number[size] = coming.release[at] - now, 1
        size += 1
        at += 1
    return size


def fill_up(
    memory: int,
    least: int,
    profile: Int32Array,
    users: Users,
    size: int,
    room: IntArray,
    full: Int32Array,
) -> None:
    """Write a profile to which the memory is added that nobody can use.

    What may be used is bounded from the last round of the profile to the first.  It is nothing
    where no run that fits alone passes; those who end in a round are counted apart, and the others
    use a token more each in the next round (release_times.md, lemma 8).

    Parameters
    ----------
    memory
        Tokens that fit.
    least
        The smallest prompt (tokens).
    profile
        What the running ones will use in each coming round (tokens), shape (rounds,).
    users, size
        Who has yet to start, and their number.
    room
        Room for numbers, shape (3, rounds + 1).
    full
        Takes the new profile (tokens), shape (rounds,).
    """
    last, prompt = 0, -1
    while last < profile.shape[0] and profile[last] > 0:
        last += 1
    reach, ending, changes = room[0], room[1], room[2]
    ending[: last + 1] = 0
    changes[: last + 1] = 0
    for u in range(size):
        if users.prompt[u] != prompt:
            prompt = users.prompt[u]
            find_reach(memory, prompt, profile, last, reach)
        output = users.output[u]
        for begin in range(users.delay[u], last):
            if begin + output <= reach[begin]:
                changes[begin] += 1
                changes[min(begin + output, last)] -= 1
                if begin + output <= last:
                    ending[begin + output - 1] += users.number[u] * (prompt + output)
    passing = changes[:last].cumsum()
    full[:] = 0
    usable = memory
    for r in range(last - 1, -1, -1):
        usable = min(memory - profile[r], max(0, usable - 1) + ending[r])
        if usable <= least or passing[r] == 0:
            usable = 0
        full[r] = memory - usable


def find_reach(memory: int, prompt: int, profile: Int32Array, last: int, reach: IntArray) -> None:
    """Write the first round that does not fit of a run that begins with each round.

    It is found from that of the round before: what begins later uses less.
    """
    r = 0
    for begin in range(last):
        r = max(r, begin)
        while r < last and profile[r] + prompt + r - begin + 1 <= memory:
            r += 1
        reach[begin] = r if r < last else FAR


DOMINANCE_FUNCTIONS = (
    layout_for,
    make_chosen,
    make_users,
    count_longer,
    pack,
    is_below,
    look_up,
    find_users,
    find_reach,
    fill_up,
    choose,
)
"""The functions, each after those it calls."""
