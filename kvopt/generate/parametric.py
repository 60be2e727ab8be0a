"""Parametric families of instances that are known to be hard, or easy, for a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from kvopt.model.errors import InputError
from kvopt.model.instance import MAX_REQUESTS, Instance
from kvopt.model.spec import Parser, integer
from kvopt.theory.parsing import growth_factor
from kvopt.theory.pipeline import geometric_slices
from kvopt.theory.quadratic import Exact

__all__ = [
    "PARAMETRIC",
    "ParametricFamily",
    "equal_areas",
    "identical",
    "late_short",
    "slice_boundary",
    "two_point",
]


def two_point(memory: int = 256, prompt: int = 96, long: int = 6, short: int = 194) -> Instance:
    """Return the two-point instance: requests that fill the memory, then one-token ones.

    With its default numbers it is the example of Feng, Yang and Zhang 2026 (arXiv
    2601.22996): the long requests come first and starve the short ones under FCFS.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompt
        Common prompt length s (tokens).
    long
        Number of requests with output M - s.
    short
        Number of requests with output 1.
    """
    return Instance.from_groups(
        memory,
        [(prompt, memory - prompt, long), (prompt, 1, short)],
        name="two-point",
        comment="long requests first: FCFS runs them one by one while the short ones wait",
    )


def identical(memory: int = 100, prompt: int = 5, output: int = 20, count: int = 50) -> Instance:
    """Return identical requests, the case in which a staggered pipeline is nearly optimal.

    Parameters
    ----------
    memory, prompt, output
        Memory budget, prompt and output length (tokens).
    count
        Number of requests.
    """
    return Instance.from_groups(
        memory,
        [(prompt, output, count)],
        name="identical",
        comment="identical requests: all at once waste memory, staggered ones do not",
    )


def slice_boundary(alpha: Exact, memory: int, counts: list[int], prompt: int = 0) -> Instance:
    """Return requests just above the ends of consecutive slices, long ones first.

    They are the worst for GSA(alpha) that simple reasoning finds: a request of
    length floor(alpha^p) + 1 fails in phase p by a single round and runs in phase
    p + 1 in a slice almost alpha times too long.

    Parameters
    ----------
    alpha
        Growth factor > 1.
    memory
        Memory budget M (tokens).
    counts
        How many requests of each length, the longest first; the longest is the
        largest floor(alpha^p) + 1 that fits.
    prompt
        Common prompt length s (tokens).

    Raises
    ------
    InputError
        If there are more counts than lengths.
    """
    slice_of = geometric_slices(alpha, Fraction(1))
    lengths: list[int] = []
    phase = 0
    while slice_of(phase) + 1 <= memory - prompt:
        if not lengths or slice_of(phase) + 1 > lengths[-1]:
            lengths.append(slice_of(phase) + 1)
        phase += 1
    if len(counts) > len(lengths):
        raise InputError(f"counts: must be at most {len(lengths)} in number, got {len(counts)}")
    groups = [(prompt, o, c) for o, c in zip(reversed(lengths), counts, strict=False)]
    return Instance.from_groups(
        memory,
        groups,
        name="slice-boundary",
        comment=f"each output just above a slice of GSA({alpha}), long ones first",
    )


def late_short(memory: int = 100, count: int = 100) -> Instance:
    """Return one long request, and short ones that are released once it runs.

    The long one takes M rounds and all the memory in its last one; a short one has a
    prompt of M - 1 and an output of 1, and fits beside nothing.  They are released at the times
    1, ..., count.  A policy that starts the long request at time 0, as nothing else is there,
    and does not kill it, lets each short one wait until time M: a total latency of M + M count.
    Running the short ones as they come, and the long one after them, costs 2 count + M + 1.  With
    count = M the ratio is at least (M^2 + M) / (3 M + 1), which grows without limit; 2502.07115
    (Jaillet et al. 2025) shows that no deterministic policy is spared.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    count
        Number of short requests, at most M.

    Raises
    ------
    InputError
        If there are more short requests than that.
    """
    if count > memory:
        raise InputError(f"count: must be at most memory = {memory}, got {count}")
    short = [(memory - 1, 1, 1, release) for release in range(1, count + 1)]
    return Instance.from_groups(
        memory,
        [(0, memory, 1), *short],
        name="late-short",
        comment="the long request starts before the short ones are released, and they wait",
    )


def equal_areas(count: int = 16) -> Instance:
    """Return requests that grow from no prompt, alternating with ones that fill the memory.

    With l = 2 count - 1 and M = l (l + 1) / 2, the former have output l, the latter prompt M - 1
    and output 1, so all have the area M.  SVF takes them as they come, and drains the memory
    for every second one: its cost is more than 4 count / 7 times what it is with all that fill
    the memory first (proofs/text/mixed_prompts.md, theorem 2).

    Parameters
    ----------
    count
        Number of requests of each kind.
    """
    length = 2 * count - 1
    memory = count * length
    return Instance.from_groups(
        memory,
        [(0, length, 1), (memory - 1, 1, 1)] * count,
        name="equal-areas",
        comment="all of one area: SVF drains the memory for every second request",
    )


def _counts(text: str, name: str) -> list[int]:
    one = integer(1, MAX_REQUESTS)
    return [one(part, name) for part in text.split("+")]


@dataclass(frozen=True, slots=True)
class ParametricFamily:
    """A parametric family as it is named on the command line.

    Parameters
    ----------
    name
        Its name.
    build
        The function that makes the instance.
    parameters
        How each of the function's parameters is read from text.
    required
        The parameters without a default.
    """

    name: str
    build: Callable[..., Instance]
    parameters: Mapping[str, Parser]
    required: tuple[str, ...] = ()


_TOKENS = {"memory": integer(1), "prompt": integer(0)}
_NUMBER = integer(1, MAX_REQUESTS)

PARAMETRIC: tuple[ParametricFamily, ...] = (
    ParametricFamily("two-point", two_point, {**_TOKENS, "long": _NUMBER, "short": _NUMBER}),
    ParametricFamily("identical", identical, {**_TOKENS, "output": integer(1), "count": _NUMBER}),
    ParametricFamily("late-short", late_short, {"memory": integer(1), "count": _NUMBER}),
    ParametricFamily("equal-areas", equal_areas, {"count": integer(1, 20_000)}),
    ParametricFamily(
        "slice-boundary",
        slice_boundary,
        {**_TOKENS, "alpha": growth_factor, "counts": _counts},
        required=("alpha", "memory", "counts"),
    ),
)
"""Every parametric family; counts are written 2+7+3."""
