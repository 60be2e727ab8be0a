"""An instance as the compiled search sees it: types of requests, weightings, packed runs.

All is int64 in arrays of fixed shapes, so that numba compiles the functions here; the tests run
the same source as it stands.  The bounds on what is accepted keep every number below 2^63
(proofs/text/state_search.md, section 5).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import Instance, IntArray
from kvopt.solver.compiling import inlined, lean

__all__ = ["PackedProblem", "accepts", "make_problem"]

MOST_MEMORY = 4095
MOST_REQUESTS = 63
MOST_OUTPUT = 32767
MOST_KEYS = 1 << 20
"""Largest memory budget (tokens), number of requests, sum of outputs (rounds), and number of
combinations of waiting requests.  Then no number reaches 2^63 (proofs/text/state_search.md,
section 5)."""

SCALE_BITS = 16
"""Mean busy times are rounded down to multiples of 2^-16 rounds."""

WEIGHTINGS = 3
"""Weightings of rounds that give a fluid bound: see `round_weight`."""

WORD_BITS = 62
"""Bits of a word of a memory profile that are used: sums stay below 2^63."""


class PackedProblem(NamedTuple):
    """The types of requests, ordered by (output, prompt), and what the bounds need of them."""

    memory: NDArray[np.int64]
    """The memory budget (tokens), shape (1,)."""
    prompts: NDArray[np.int64]
    """Prompt lengths (tokens), shape (types,)."""
    outputs: NDArray[np.int64]
    """Output lengths (rounds), shape (types,)."""
    counts: NDArray[np.int64]
    """Requests of each type, shape (types,)."""
    windows: NDArray[np.int64]
    """Windows of the cover cuts of levels 1 and 2 (rounds), shape (2, types)."""
    place: NDArray[np.int64]
    """Place values of the counts in the key of a set of waiting requests, shape (types,)."""
    order: NDArray[np.int64]
    """Types by weight, shape (weightings, types)."""
    weight: NDArray[np.int64]
    """Sum of the weights of a request's rounds, shape (weightings, types)."""
    delta: NDArray[np.int64]
    """Completion minus mean busy time, scaled, rounded down, shape (weightings, types)."""
    capacity: NDArray[np.int64]
    """Most that rounds which fit into the free memory weigh together, if some running attempt
    is in its window [0] or none is [1]; shape (weightings, 2, memory + 1)."""
    runs: NDArray[np.int64]
    """Memory of a run in its rounds, packed, shape (types, words)."""
    tops: NDArray[np.int64]
    """The top bit of every field, shape (words,)."""
    offsets: NDArray[np.int64]
    """What sets the top bit of a field that exceeds the memory, shape (words,)."""
    packing: NDArray[np.int64]
    """Bits of a field, fields of a word; shape (2,)."""


def accepts(instance: Instance) -> bool:
    """Tell whether an instance has no releases and is within the limits of the arithmetic here."""
    if instance.has_releases or instance.memory > MOST_MEMORY or len(instance) > MOST_REQUESTS:
        return False
    counts = instance.request_types().counts.tolist()
    return instance.total_output <= MOST_OUTPUT and math.prod(n + 1 for n in counts) <= MOST_KEYS


def words_of_profile(memory: int, longest: int) -> int:
    """Return how many words a memory profile of so many rounds takes."""
    bits = memory.bit_length() + 1
    return -(-longest // (WORD_BITS // bits))


@inlined
@lean
def round_weight(weighting: int, problem: PackedProblem, k: int, j: int) -> int:
    """Return the weight of round j of a request of type k.

    By weighting: 0 the memory in use; 1 or 2 whether it is in its window of that level.
    """
    if weighting == 0:
        return int(problem.prompts[k]) + j
    return 1 if j <= problem.windows[weighting - 1, k] else 0


@lean
def weigh_type(weighting: int, problem: PackedProblem, k: int, heaviest: IntArray) -> int:
    """Fill in weight and delta of a type, and its rounds into `heaviest`; return the weight.

    `heaviest` takes the largest weight of a round that uses so much memory, in its window of
    level 1 [1] or not [0]; shape (2, memory + 1).
    """
    output = problem.outputs[k]
    total, moment = 0, 0
    for j in range(1, output + 1):
        w = round_weight(weighting, problem, k, j)
        total += w
        moment += w * (2 * j - 1)
        inside = 1 if j <= problem.windows[0, k] else 0
        used = problem.prompts[k] + j
        heaviest[inside, used] = max(heaviest[inside, used], w)
    problem.weight[weighting, k] = total
    problem.delta[weighting, k] = output << SCALE_BITS
    if total > 0:
        late = 2 * output * total - moment
        whole = late // (2 * total)
        rest = late - whole * 2 * total
        scaled = (whole << SCALE_BITS) + (rest << SCALE_BITS) // (2 * total)
        problem.delta[weighting, k] = scaled
    return total


@lean
def fill_capacity(weighting: int, problem: PackedProblem, heaviest: IntArray) -> None:
    """Fill in the capacities of a weighting: knapsacks with the rounds in `heaviest`."""
    memory = problem.memory[0]
    shut, clear = problem.capacity[weighting, 0], problem.capacity[weighting, 1]
    for free in range(1, memory + 1):
        most = shut[free - 1]
        for used in range(1, free + 1):
            most = max(most, heaviest[0, used] + shut[free - used])
        shut[free] = most
    for free in range(1, memory + 1):
        most = shut[free]
        for used in range(1, free + 1):
            most = max(most, heaviest[1, used] + shut[free - used])
        clear[free] = most
    if weighting == 2:  # at most two windows of level 2 are open
        for free in range(memory + 1):
            shut[free] = min(shut[free], 2)
            clear[free] = min(clear[free], 2)


def fill_weightings(problem: PackedProblem) -> None:
    """Fill in `order`, `weight`, `delta` and `capacity`."""
    heaviest = np.zeros((2, problem.memory[0] + 1), dtype=np.int64)
    for weighting in range(WEIGHTINGS):
        order, weight = problem.order[weighting], problem.weight[weighting]
        heaviest[:] = 0
        for k in range(problem.outputs.shape[0]):
            total = weigh_type(weighting, problem, k, heaviest)
            place = k
            while place > 0 and weight[order[place - 1]] > total:
                order[place] = order[place - 1]
                place -= 1
            order[place] = k
        fill_capacity(weighting, problem, heaviest)


def sorted_keys(prompts: IntArray, outputs: IntArray) -> IntArray:
    """Return the requests by (output, prompt), each as one number, shape (n,)."""
    n = prompts.shape[0]
    keys = np.zeros(n, dtype=np.int64)
    for i in range(n):
        key = outputs[i] * (MOST_MEMORY + 1) + prompts[i]
        place = i
        while place > 0 and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            place -= 1
        keys[place] = key
    return keys


def zero_problem(memory: int, types: int, longest: int) -> PackedProblem:
    """Return a problem of the right shapes, with the memory and the packing filled in."""
    bits = 1
    while memory >> (bits - 1) > 0:
        bits += 1
    fields = WORD_BITS // bits
    words = (longest - 1) // fields + 1
    problem = PackedProblem(
        np.full(1, memory, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros((2, types), dtype=np.int64),
        np.zeros(types, dtype=np.int64),
        np.zeros((WEIGHTINGS, types), dtype=np.int64),
        np.zeros((WEIGHTINGS, types), dtype=np.int64),
        np.zeros((WEIGHTINGS, types), dtype=np.int64),
        np.zeros((WEIGHTINGS, 2, memory + 1), dtype=np.int64),
        np.zeros((types, words), dtype=np.int64),
        np.zeros(words, dtype=np.int64),
        np.zeros(words, dtype=np.int64),
        np.zeros(2, dtype=np.int64),
    )
    problem.packing[0] = bits
    problem.packing[1] = fields
    for j in range(longest):
        problem.tops[j // fields] += 1 << (bits * (j % fields) + bits - 1)
        problem.offsets[j // fields] += ((1 << (bits - 1)) - 1 - memory) << (bits * (j % fields))
    return problem


@lean
def fill_type(problem: PackedProblem, k: int, key: int, smallest: int) -> None:
    """Fill in lengths, windows and packed run of type k.

    The window of level m of a request with prompt s and output o is min(o, ceil(excess / m)),
    or 0 if the excess s + o + m (smallest prompt + o) - memory is not positive
    (proofs/text/model.md, lemma 4).
    """
    memory, bits, fields = problem.memory[0], problem.packing[0], problem.packing[1]
    output = key // (MOST_MEMORY + 1)
    prompt = key - output * (MOST_MEMORY + 1)
    problem.prompts[k] = prompt
    problem.outputs[k] = output
    for level in range(1, 3):
        excess = prompt + output + level * (smallest + output) - memory
        problem.windows[level - 1, k] = max(0, min(output, -(-excess // level)))
    for j in range(output):
        problem.runs[k, j // fields] += (prompt + j + 1) << (bits * (j % fields))


def make_problem(memory: int, prompts: IntArray, outputs: IntArray) -> PackedProblem:
    """Group requests by type and prepare what the search needs to know about them.

    Parameters
    ----------
    memory
        The memory budget (tokens).
    prompts, outputs
        Prompt and output lengths of the requests (tokens), in any order, shape (n,).
    """
    keys = sorted_keys(prompts, outputs)
    n = keys.shape[0]
    smallest = memory
    types = 0
    for i in range(n):
        smallest = min(smallest, prompts[i])
        if i == 0 or keys[i] != keys[i - 1]:
            types += 1
    problem = zero_problem(memory, types, keys[n - 1] // (MOST_MEMORY + 1))
    k, value = -1, 1
    for i in range(n):
        if i == 0 or keys[i] != keys[i - 1]:
            if k >= 0:
                value *= problem.counts[k] + 1
            k += 1
            problem.place[k] = value
            fill_type(problem, k, keys[i], smallest)
        problem.counts[k] += 1
    fill_weightings(problem)
    return problem
