"""Lagrange multipliers of the memory and window rows, by subgradient steps from the root.

Any nonnegative multipliers give a bound (proofs/text/state_search.md, theorem 4); these steps only
make it good.  Volume-like: the direction is a moving average of subgradients, and the length of
a step is that of Polyak with a shrinking factor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kvopt.model.instance import IntArray
from kvopt.solver.arrays import copy_into
from kvopt.solver.compiling import lean
from kvopt.solver.state_search.problem import PackedProblem

__all__ = ["Ascent", "Duals", "find_duals", "make_duals"]

DUAL_BITS = 16
"""Multipliers are multiples of 2^-16."""

MOST_DUAL = 1 << 28
"""Multipliers of a whole right-hand side are cut off at 4096 rounds, scaled."""

STEP_UNIT, SHARE_UNIT = 256, 16
"""Lengths of steps are in 256ths, the share of the new direction is in 16ths."""


class Duals(NamedTuple):
    """Multipliers of the memory and window rows in each round, and what follows from them."""

    values: NDArray[np.int64]
    """Of a token, of a place in a window of level 1 and of level 2, scaled, shape (3, rounds)."""
    least: NDArray[np.int64]
    """The least of t + multipliers used over all starts t of a type from some time on, scaled,
    shape (types, rounds + 1)."""
    rest: NDArray[np.int64]
    """Multipliers times right-hand sides from some time on, scaled, shape (rounds + 1,)."""


class Ascent(NamedTuple):
    """How subgradient steps go."""

    steps: int
    """Steps at most."""
    length: int
    """First length of a step, in 256ths of Polyak's, at most 256."""
    patience: int
    """After so many steps without gain they become shorter."""
    share: int
    """Share of the new subgradient in the direction, in 16ths, at most 16."""


class Iterate(NamedTuple):
    """What the subgradient steps work on, shape (3, rounds) each."""

    whole: NDArray[np.int64]
    """Multipliers times right-hand sides, scaled."""
    best: NDArray[np.int64]
    """The multipliers with the best bound so far."""
    use: NDArray[np.int64]
    """What the cheapest starts use of each row."""
    direction: NDArray[np.int64]
    """Moving average of subgradients, in 256ths of right-hand sides."""


def make_duals(types: int, rounds: int) -> Duals:
    """Return multipliers that are all zero."""
    return Duals(
        np.zeros((3, rounds), dtype=np.int64),
        np.zeros((types, rounds + 1), dtype=np.int64),
        np.zeros(rounds + 1, dtype=np.int64),
    )


def prefix_sums(duals: Duals) -> IntArray:
    """Return sums of the three multipliers, and of the first times its round, shape (4, ...)."""
    values = duals.values
    rounds = values.shape[1]
    sums = np.zeros((4, rounds + 1), dtype=np.int64)
    for r in range(rounds):
        sums[0, r + 1] = sums[0, r] + values[0, r]
        sums[1, r + 1] = sums[1, r] + values[1, r]
        sums[2, r + 1] = sums[2, r] + values[2, r]
        sums[3, r + 1] = sums[3, r] + values[0, r] * (r + 1)
    return sums


def settle(problem: PackedProblem, duals: Duals, cheapest: IntArray) -> int:
    """Bring `least` and `rest` up to date, and return the bound at the root, scaled.

    Writes the cheapest start of each type into `cheapest`, shape (types,).
    """
    values, least, rest = duals.values, duals.least, duals.rest
    memory = problem.memory[0]
    rounds = values.shape[1]
    sums = prefix_sums(duals)
    rest[rounds] = 0
    for r in range(rounds - 1, -1, -1):
        rest[r] = rest[r + 1] + values[0, r] * memory + values[1, r] + 2 * values[2, r]
    total = -rest[0]
    for k in range(problem.outputs.shape[0]):
        prompt, output = problem.prompts[k], problem.outputs[k]
        one, two = problem.windows[0, k], problem.windows[1, k]
        best = rounds << DUAL_BITS
        least[k, rounds] = best
        cheapest[k] = rounds
        for t in range(rounds - 1, -1, -1):
            end = min(rounds, t + output)
            cost = (
                (t << DUAL_BITS)
                + (prompt - t) * (sums[0, end] - sums[0, t])
                + sums[3, end]
                - sums[3, t]
                + sums[1, min(rounds, t + one)]
                - sums[1, t]
                + sums[2, min(rounds, t + two)]
                - sums[2, t]
            )
            if cost <= best:
                best = cost
                cheapest[k] = t
            least[k, t] = best
        total += problem.counts[k] * best
    return int(total)


@lean
def count_use(problem: PackedProblem, cheapest: IntArray, use: IntArray) -> None:
    """Write what all requests use of each row if each starts at its cheapest time."""
    rounds = use.shape[1]
    use[:] = 0
    for k in range(problem.outputs.shape[0]):
        start, count = cheapest[k], problem.counts[k]
        for j in range(min(problem.outputs[k], rounds - start)):
            use[0, start + j] += count * (problem.prompts[k] + j + 1)
            if j < problem.windows[0, k]:
                use[1, start + j] += count
            if j < problem.windows[1, k]:
                use[2, start + j] += count


@lean
def turn(memory: int, iterate: Iterate, share: int) -> int:
    """Turn the direction towards the new subgradient; return the square of its length."""
    use, direction, whole = iterate.use, iterate.direction, iterate.whole
    norm = 0
    for row in range(3):
        limit = memory if row == 0 else row
        for r in range(use.shape[1]):
            slope = (use[row, r] - limit) * STEP_UNIT // limit
            slope = (slope * share + direction[row, r] * (SHARE_UNIT - share)) // SHARE_UNIT
            direction[row, r] = slope
            if whole[row, r] > 0 or slope > 0:
                norm += slope * slope
    return norm


@lean
def move(memory: int, iterate: Iterate, duals: Duals, gain: int, norm: int) -> None:
    """Move the multipliers along the direction, so far that the bound might rise by `gain`."""
    direction, whole = iterate.direction, iterate.whole
    for row in range(3):
        limit = memory if row == 0 else row
        for r in range(whole.shape[1]):
            if whole[row, r] == 0 and direction[row, r] <= 0:
                continue
            new = whole[row, r] + gain * direction[row, r] // norm * STEP_UNIT
            whole[row, r] = max(0, min(MOST_DUAL, new))
            duals.values[row, r] = whole[row, r] // limit


def find_duals(problem: PackedProblem, duals: Duals, cutoff: int, ascent: Ascent) -> int:
    """Find multipliers that give a good bound, by subgradient steps; return it (scaled).

    Parameters
    ----------
    problem
        The types of requests.
    duals
        Takes the multipliers.
    cutoff
        Smallest sum of starts known (rounds); a bound as high as that ends it.
    ascent
        How the steps go.
    """
    memory = problem.memory[0]
    shape = duals.values.shape
    iterate = Iterate(
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.int64),
    )
    cheapest = np.zeros(problem.outputs.shape[0], dtype=np.int64)
    best = -1
    step, stale = ascent.length, 0
    for _ in range(ascent.steps):
        value = settle(problem, duals, cheapest)
        if value > best:
            best = value
            for row in range(3):
                copy_into(iterate.best[row], duals.values[row], 0, shape[1])
            stale = 0
        else:
            stale += 1
            if stale == ascent.patience:
                step, stale = step * 3 // 4, 0
        if best >> DUAL_BITS >= cutoff or step < 4:
            break
        count_use(problem, cheapest, iterate.use)
        norm = turn(memory, iterate, ascent.share)
        if norm == 0:
            break
        gain = ((cutoff << DUAL_BITS) - value) * step // STEP_UNIT
        move(memory, iterate, duals, gain, norm)
    for row in range(3):
        copy_into(duals.values[row], iterate.best[row], 0, shape[1])
    settle(problem, duals, cheapest)
    return best
