"""All instances of GSA or GBA with given memory, prompt and number of requests, in turn.

With a common prompt the cost of GSA or GBA, the outputs themselves apart, depends on how
many requests complete in each phase only; so the ratio is largest when each has the
smallest output that completes in its phase, and other instances need not be looked at
(proofs/text/worst_cases.md, theorem 3).  The busy-time bounds are sums over the requests,
longest first.  So the next instance costs a few additions, millions a second where numba
is installed (`pip install kvopt[fast]`).  What is left to do elsewhere are the instances
whose cost is more than a given ratio times their lower bound.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from kvopt.model.instance import IntArray
from kvopt.policies import Policy, policy_from_spec
from kvopt.policies.policy import facts_of
from kvopt.solver.compiling import Kernel
from kvopt.theory.orders import RequestType
from kvopt.theory.phases import Phases

__all__ = ["Enumeration", "Tables", "compiled", "count_of", "lower_bound", "shortest_outputs"]

SCALE_BITS = 20
"""Terms of the lower bounds are rounded down to multiples of 2^-20 rounds."""

LEVELS = (1, 2, 3, 4, 5)
"""Levels of the window covers that give lower bounds."""

ROWS = 20_000
"""So many instances are handed over at a time, at most."""

STEPS = 5_000_000
"""So many instances are looked at between two looks at the budget, at most."""


class Tables(NamedTuple):
    """what the enumeration knows of a policy with memory M and a common prompt s.

    Attributes
    ----------
    lengths
        The output lengths that requests may have, increasing (tokens), shape (l,).
    slices
        Length of the slice of each phase (rounds), shape (p,).
    phase
        In which phase a request of each length completes, shape (l,).
    starts
        Start of the j-th attempt of each phase, counted from its begin (rounds), shape
        (p, n + 1).
    sums
        Sum of the first j of them, shape (p, n + 1).
    halves, late
        For each weighting and length half the weight, and the delta, of the busy-time
        bound (2^-20 rounds), shape (forms, l) each.
    """

    lengths: IntArray
    slices: IntArray
    phase: IntArray
    starts: IntArray
    sums: IntArray
    halves: IntArray
    late: IntArray


class Position(NamedTuple):
    """Where the enumeration is.

    Attributes
    ----------
    letters
        The lengths in the instance to look at next, longest first, by their places in
        `Tables.lengths`, shape (n,).
    counts
        How many of its requests complete in each phase, shape (p,).
    bounds, tokens
        Lower bounds and output tokens of its first i requests, shape (forms, n + 1) and
        (n + 1,), up to date to the first that changed.
    changed
        The first request that changed, or -1 at the end; how many instances were seen.
    """

    letters: IntArray
    counts: IntArray
    bounds: IntArray
    tokens: IntArray
    changed: IntArray


def enumerate_multisets(
    everyone: bool,
    tables: Tables,
    position: Position,
    numerator: int,
    denominator: int,
    found: IntArray,
    values: IntArray,
    steps: int,
) -> int:
    """Go on until an array is full, so many steps are done, or the end; return rows filled.

    Parameters
    ----------
    everyone
        As in `kvopt.theory.phases.Phases`.
    tables, position
        See there; the position moves on.
    numerator, denominator
        Instances whose cost exceeds this ratio times the lower bound are kept.
    found, values
        Take their outputs, shape (rows, n), and cost and lower bound, shape (rows, 2).
    steps
        How many instances to look at.
    """
    slices, phase, starts, sums = tables.slices, tables.phase, tables.starts, tables.sums
    letters, counts, bounds = position.letters, position.counts, position.bounds
    tokens = position.tokens
    forms = bounds.shape[0]
    n = letters.shape[0]
    first = position.changed[0]
    rows = 0
    for _ in range(steps):
        for i in range(first, n):
            letter = letters[i]
            tokens[i + 1] = tokens[i] + tables.lengths[letter]
            for f in range(forms):
                # The shorter of a pair counts, so the i-th longest counts i times, and a half.
                pairs = tables.halves[f, letter] * (2 * i + 1)
                bounds[f, i + 1] = bounds[f, i] + pairs + tables.late[f, letter]
        total, begin, alive = tokens[n], 0, n
        for q in range(slices.shape[0]):
            m = counts[q]
            if everyone:
                total += m * begin + sums[q, alive] - sums[q, alive - m]
                if m == alive:
                    break
                begin += starts[q, alive - 1] + slices[q]
                alive -= m
            elif m > 0:
                total += m * begin + sums[q, m]
                begin += starts[q, m - 1] + slices[q]
        bound = tokens[n]
        for f in range(forms):
            bound = max(bound, -((-bounds[f, n]) >> SCALE_BITS))
        if total * denominator > numerator * bound:
            for i in range(n):
                found[rows, i] = tables.lengths[letters[i]]
            values[rows, 0] = total
            values[rows, 1] = bound
            rows += 1
        position.changed[1] += 1
        first = n - 1
        while first >= 0 and letters[first] == 0:
            first -= 1
        if first < 0:
            break
        letter = letters[first] - 1
        for i in range(first, n):
            counts[phase[letters[i]]] -= 1
            letters[i] = letter
        counts[phase[letter]] += n - first
        if rows == found.shape[0]:
            break
    position.changed[0] = first
    return rows


class Functions(NamedTuple):
    """The functions of the kernel that are called from outside."""

    enumerate_multisets: Callable[..., int]


def _warm_up(functions: Functions) -> None:
    trial = Enumeration(policy_from_spec("gsa"), 2, 0, 1, functions.enumerate_multisets)
    trial.more(Fraction(1))


KERNEL = Kernel(
    "enumeration of instances", [enumerate_multisets], Functions, _warm_up, error_model="numpy"
)


def compiled() -> Callable[..., int]:
    """Return the compiled `enumerate_multisets`."""
    return KERNEL.compiled().enumerate_multisets


def count_of(lengths: int, requests: int) -> int:
    """Return the number of multisets of so many requests with so many different lengths."""
    return math.comb(lengths + requests - 1, requests)


def shortest_outputs(phases: Phases) -> IntArray:
    """Return the smallest output length that completes in each phase (tokens), shape (p,)."""
    return np.append(0, phases.slices[:-1]) + 1


class Enumeration:
    """A walk through all multisets of some output lengths.

    Parameters
    ----------
    policy
        A policy that has phases, see `Policy.phases`.
    memory, prompt
        Memory budget M and common prompt length s (tokens).
    requests
        Number of requests n.
    function
        The enumeration to use, compiled or not.
    lengths
        The output lengths, increasing (tokens), shape (l,); by default those that make
        the worst instances, `shortest_outputs`.
    """

    def __init__(
        self,
        policy: Policy,
        memory: int,
        prompt: int,
        requests: int,
        function: Callable[..., int] = enumerate_multisets,
        lengths: IntArray | None = None,
    ) -> None:
        phases = facts_of(policy).phases(memory, prompt)
        assert phases is not None
        if lengths is None:
            lengths = shortest_outputs(phases)
        self.everyone = phases.everyone
        self.function = function
        self.tables = _tables(phases, memory, prompt, requests, lengths)
        counts = np.zeros(len(self.tables.slices), dtype=np.int64)
        counts[self.tables.phase[-1]] = requests
        self.position = Position(
            np.full(requests, len(lengths) - 1, dtype=np.int64),
            counts,
            np.zeros((len(self.tables.halves), requests + 1), dtype=np.int64),
            np.zeros(requests + 1, dtype=np.int64),
            np.zeros(2, dtype=np.int64),
        )
        self.found = np.zeros((ROWS, requests), dtype=np.int64)
        self.values = np.zeros((ROWS, 2), dtype=np.int64)

    @property
    def over(self) -> bool:
        """Whether all instances were seen."""
        return bool(self.position.changed[0] < 0)

    @property
    def seen(self) -> int:
        """How many instances were seen."""
        return int(self.position.changed[1])

    def more(self, ratio: Fraction, steps: int = STEPS) -> tuple[IntArray, IntArray]:
        """Go on, and return the instances on which more than a ratio is possible.

        Returns
        -------
        array, array
            Cost of the policy and lower bound on the optimum (rounds), shape (rows, 2), and
            the output lengths, longest first (tokens), shape (rows, n).
        """
        rows = self.function(
            self.everyone,
            self.tables,
            self.position,
            ratio.numerator,
            ratio.denominator,
            self.found,
            self.values,
            steps,
        )
        return self.values[:rows].copy(), self.found[:rows].copy()


def _tables(phases: Phases, memory: int, prompt: int, requests: int, lengths: IntArray) -> Tables:
    slices, (p, q) = phases.slices, phases.distances
    starts = np.arange(requests + 1) * p[:, None] // q[:, None]
    sums = np.zeros_like(starts)
    np.cumsum(starts[:, :-1], axis=1, out=sums[:, 1:])
    forms = [halves_and_lates(memory, prompt, o, prompt) for o in lengths.tolist()]
    halves = np.array([[half for half, _ in of] for of in forms], dtype=np.int64).T.copy()
    late = np.array([[delta for _, delta in of] for of in forms], dtype=np.int64).T.copy()
    assert (np.diff(halves, axis=1) >= 0).all()  # of a pair the shorter one counts
    return Tables(lengths, slices, np.searchsorted(slices, lengths), starts, sums, halves, late)


@functools.lru_cache(maxsize=1 << 16)
def halves_and_lates(
    memory: int, prompt: int, output: int, smallest: int
) -> tuple[tuple[int, int], ...]:
    """Return half the weight and the delta of a request in each busy-time bound, rounded down.

    The weights of rounds never add up to more than 1: first the share of the memory in
    use, and then, for m = 1, 2, ..., 1/m in the window cover of level m, as at most m
    requests are in it at a time (proofs/text/worst_cases.md, lemma 4).

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompt, output
        Prompt and output length of the request (tokens).
    smallest
        The smallest prompt length in the instance (tokens).

    Returns
    -------
    tuple
        Half the weight and the delta for each weighting (2^-20 rounds).
    """
    rounds = range(1, output + 1)
    weightings = [[Fraction(prompt + j, memory) for j in rounds]]
    for level in LEVELS:
        excess = prompt + output + level * (smallest + output) - memory
        window = -(-excess // level)
        weightings.append([Fraction(j <= window, level) for j in rounds])
    found = []
    for weights in weightings:
        total = sum(weights, Fraction(0))
        moment = sum((w * (2 * j - 1) for j, w in zip(rounds, weights, strict=True)), Fraction(0))
        delta = output - (moment / 2 / total if total else 0)
        found.append((math.floor(total / 2 * 2**SCALE_BITS), math.floor(delta * 2**SCALE_BITS)))
    return tuple(found)


def lower_bound(memory: int, requests: Sequence[RequestType]) -> int:
    """Return a lower bound on the optimum (rounds), quickly: the same as the enumeration uses.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    requests
        The requests, shape (n,).
    """
    smallest = min(prompt for prompt, _ in requests)
    best = sum(output for _, output in requests)
    forms = zip(*[halves_and_lates(memory, s, o, smallest) for s, o in requests], strict=True)
    for form in forms:
        total = 0
        # The smaller of a pair counts, so the i-th largest counts i times, and a half.
        for i, (half, late) in enumerate(sorted(form, reverse=True)):
            total += (2 * i + 1) * half + late
        best = max(best, -(-total >> SCALE_BITS))
    return best
