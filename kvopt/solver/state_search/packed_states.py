"""States packed into words: free memory, what can start together, and the state a round later.

A memory profile has a field for each coming round, as many as fit in a word.  Adding a run to it
and comparing two profiles are a few operations on words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.compiling import inlined, lean
from kvopt.solver.state_search.problem import PackedProblem

__all__ = ["Workspace", "make_workspace", "tighten", "unpack"]


class Workspace(NamedTuple):
    """Arrays that the search writes into while it expands one state."""

    waiting: NDArray[np.int64]
    """How many requests of each type wait in the state, shape (types,)."""
    remaining: NDArray[np.int64]
    """How many still wait in its child, shape (types,)."""
    candidates: NDArray[np.int64]
    """The types that could start, shape (types,); the first so many count."""
    choice: NDArray[np.int64]
    """How many of each candidate start, shape (types,)."""
    stack: NDArray[np.int64]
    """Row i: the memory profile, packed, if only the first i candidates start;
    shape (types + 1, words)."""
    profile: NDArray[np.int64]
    """Memory profile of the child, packed, shape (words,)."""
    windows: NDArray[np.int32]
    """Rounds until windows close in the child, as in `Pool.windows`, shape (3,)."""
    free: NDArray[np.int64]
    """Free memory in each coming round of the child (tokens), shape (longest + 1,)."""
    usable: NDArray[np.int64]
    """Scratch space of `tighten`, shape (longest + 1,)."""


def make_workspace(problem: PackedProblem) -> Workspace:
    """Return arrays of the right shapes."""
    types, words = problem.outputs.shape[0], problem.tops.shape[0]
    longest = problem.outputs[types - 1]
    return Workspace(
        np.zeros(types, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros((types + 1, words), dtype=np.int64),
        np.zeros(words, dtype=np.int64),
        np.zeros(3, dtype=np.int32),
        np.zeros(longest + 1, dtype=np.int64),
        np.zeros(longest + 1, dtype=np.int64),
    )


@inlined
@lean
def unpack(profile: IntArray, problem: PackedProblem, free: IntArray) -> int:
    """Write the free memory of each coming round into `free`; return for how many rounds."""
    memory, bits, fields = problem.memory[0], problem.packing[0], problem.packing[1]
    mask = (1 << bits) - 1
    r = 0
    for j in range(problem.tops.shape[0]):
        word = profile[j]
        if word == 0:
            break
        r = j * fields
        while word > 0:
            free[r] = memory - (word & mask)
            word >>= bits
            r += 1
    return r


@inlined
@lean
def mark_usable(
    prompt: int, output: int, count: int, free: IntArray, length: int, usable: IntArray
) -> None:
    """Add to `usable` what `count` waiting requests of a type can use at most in each round."""
    start = 0
    covered = 0  # the rounds before this one are done with
    while start < length:
        end = min(start + output, length)
        fault = -1
        for r in range(end - 1, start - 1, -1):
            if prompt + r - start + 1 > free[r]:
                fault = r
                break
        if fault >= 0:
            # The next start that could work is not before this one.
            start = max(start + 1, min(fault + 1, prompt + fault + 1 - free[fault]))
            continue
        for r in range(max(start, covered), end):
            usable[r] += count * (prompt + r - start + 1)
        covered = end
        start += 1
        if covered >= length:
            break


@lean
def tighten(
    free: IntArray,
    length: int,
    waiting: IntArray,
    problem: PackedProblem,
    profile: IntArray,
    usable: IntArray,
) -> None:
    """Take away free memory that no waiting request could ever use, in `free` and `profile`.

    A request that starts from now on and runs in round r < o - 1 runs in round r + 1 as
    well, and uses a token more there; and one that runs alone uses at least s + 1
    (derived: proofs/text/state_search.md, lemma 2).
    """
    memory, bits, fields = problem.memory[0], problem.packing[0], problem.packing[1]
    shortest = 0
    smallest = memory
    for k in range(waiting.shape[0] - 1, -1, -1):
        if waiting[k] > 0:
            shortest = problem.outputs[k]
            smallest = min(smallest, problem.prompts[k])
    for r in range(length):
        usable[r] = 0
    for k in range(waiting.shape[0]):
        if waiting[k] > 0:
            mark_usable(problem.prompts[k], problem.outputs[k], waiting[k], free, length, usable)
    following = memory
    for r in range(length - 1, -1, -1):
        unused = min(free[r], usable[r])
        if r < shortest - 1:
            unused = min(unused, following - 1)
        if unused <= smallest:
            unused = 0
        following = unused
        if unused < free[r]:
            profile[r // fields] += (free[r] - unused) << (bits * (r % fields))
            free[r] = unused


@inlined
@lean
def count_waiting(key: int, problem: PackedProblem, waiting: IntArray) -> int:
    """Write how many requests of each type wait into `waiting`; return how many altogether."""
    total = 0
    for k in range(waiting.shape[0]):
        waiting[k] = key // problem.place[k] % (problem.counts[k] + 1)
        total += waiting[k]
    return total


@inlined
@lean
def first_choice(profile: IntArray, problem: PackedProblem, work: Workspace) -> int:
    """Prepare `next_choice` for a state, nothing chosen; return the number of candidates."""
    words = problem.tops.shape[0]
    candidates = 0
    for k in range(work.waiting.shape[0]):
        if work.waiting[k] == 0:
            continue
        over = 0
        for j in range(words):
            over |= (profile[j] + problem.runs[k, j] + problem.offsets[j]) & problem.tops[j]
        if over == 0:
            work.candidates[candidates] = k
            work.choice[candidates] = 0
            candidates += 1
    for i in range(candidates + 1):
        for j in range(words):
            work.stack[i, j] = profile[j]
    return candidates


@inlined
@lean
def next_choice(candidates: int, problem: PackedProblem, work: Workspace) -> bool:
    """Go to the next set of requests that can start together; False if there is none."""
    choice, stack = work.choice, work.stack
    words = problem.tops.shape[0]
    i = candidates - 1
    while i >= 0:
        k = work.candidates[i]
        if choice[i] < work.waiting[k]:
            over = 0
            for j in range(words):
                total = stack[i + 1, j] + problem.runs[k, j]
                over |= (total + problem.offsets[j]) & problem.tops[j]
                stack[i + 1, j] = total
            if over == 0:
                choice[i] += 1
                for later in range(i + 1, candidates):
                    choice[later] = 0
                    for j in range(words):
                        stack[later + 1, j] = stack[i + 1, j]
                return True
        choice[i] = 0
        i -= 1
    return False


@inlined
@lean
def chosen(candidates: int, work: Workspace) -> int:
    """Return how many requests start."""
    number = 0
    for i in range(candidates):
        number += work.choice[i]
    return number


@inlined
@lean
def start_chosen(
    candidates: int, before: NDArray[np.int32], problem: PackedProblem, work: Workspace
) -> int:
    """Let what was chosen start and a round pass; return by how much the key becomes smaller.

    Writes `remaining`, `profile` and `windows` of the child.

    Parameters
    ----------
    candidates
        The number of candidates.
    before
        Rounds until windows close in the state, shape (3,).
    problem, work
        The types of requests, and what is chosen.
    """
    for k in range(work.waiting.shape[0]):
        work.remaining[k] = work.waiting[k]
    less = 0
    one, two, three = before[0], before[1], before[2]
    for i in range(candidates):
        number = work.choice[i]
        if number > 0:
            k = work.candidates[i]
            work.remaining[k] -= number
            less += number * problem.place[k]
            one = max(one, problem.windows[0, k])
            for _ in range(number):
                three = max(three, min(two, problem.windows[1, k]))
                two = max(two, problem.windows[1, k])
    work.windows[0] = max(0, one - 1)
    work.windows[1] = max(0, two - 1)
    work.windows[2] = max(0, three - 1)
    pass_round(candidates, problem, work)
    return less


@inlined
@lean
def pass_round(candidates: int, problem: PackedProblem, work: Workspace) -> None:
    """Write the memory profile with all that was chosen, a round later, into `profile`."""
    bits, fields = problem.packing[0], problem.packing[1]
    words = problem.tops.shape[0]
    mask = (1 << bits) - 1
    for j in range(words):
        word = work.stack[candidates, j] >> bits
        if j + 1 < words:
            word |= (work.stack[candidates, j + 1] & mask) << (bits * (fields - 1))
        work.profile[j] = word


@inlined
@lean
def make_child(
    candidates: int, before: NDArray[np.int32], problem: PackedProblem, work: Workspace
) -> tuple[int, int]:
    """Make the child of a state by what was chosen, without memory that nobody can use.

    Returns
    -------
    less, length
        By how much its key is smaller; for how many rounds something runs.
    """
    less = start_chosen(candidates, before, problem, work)
    length = unpack(work.profile, problem, work.free)
    tighten(work.free, length, work.remaining, problem, work.profile, work.usable)
    return less, length
