"""Instances by recipe: seeded random sets, and parametric families known to be hard.

A random instance depends on family, seed and its number only, so a larger set
begins with the smaller one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from kvopt.model.errors import InputError
from kvopt.model.instance import MAX_REQUESTS, Instance, abridged
from kvopt.model.spec import Parser, integer, parse_values, split_spec
from kvopt.theory.parsing import growth_factor
from kvopt.theory.pipeline import geometric_slices
from kvopt.theory.quadratic import Exact

__all__ = [
    "PARAMETRIC",
    "RANDOM",
    "ParametricFamily",
    "family_from_spec",
    "generate_random",
    "identical",
    "slice_boundary",
    "two_point",
]

Draw = tuple[int, list[int], list[int]]
"""Memory budget, prompt lengths and output lengths (tokens)."""


def _tiny(rng: random.Random) -> Draw:
    return _up_to(rng, most=6, memory=rng.randint(2, 12))


def _small(rng: random.Random) -> Draw:
    return _up_to(rng, most=12, memory=rng.randint(8, 24))


def _up_to(rng: random.Random, most: int, memory: int) -> Draw:
    mixed = rng.random() < 0.5
    n = rng.randint(1, most)
    largest = min(5, memory - 1)
    common = rng.randint(0, largest)
    prompts = [rng.randint(0, largest) if mixed else common for _ in range(n)]
    return memory, prompts, [rng.randint(1, memory - s) for s in prompts]


def _model1(rng: random.Random) -> Draw:
    memory, prompt, n = rng.randint(30, 50), rng.randint(1, 5), rng.randint(40, 60)
    return memory, [prompt] * n, [rng.randint(1, memory - prompt) for _ in range(n)]


def _long(rng: random.Random) -> Draw:
    memory, prompt, n = rng.randint(400, 1000), rng.randint(0, 50), rng.randint(4, 12)
    longest = min(400, memory - prompt)
    return memory, [prompt] * n, [rng.randint(1, longest) for _ in range(n)]


def _alike(rng: random.Random) -> Draw:
    memory, prompt, n = rng.randint(20, 100), rng.randint(0, 10), rng.randint(100, 400)
    lengths = [rng.randint(1, memory - prompt) for _ in range(rng.randint(1, 5))]
    return memory, [prompt] * n, sorted(rng.choice(lengths) for _ in range(n))


RANDOM: Mapping[str, Callable[[random.Random], Draw]] = {
    "tiny": _tiny,
    "small": _small,
    "model1": _model1,
    "long": _long,
    "alike": _alike,
}
"""Random families: tiny (n <= 6, M <= 12, half with mixed prompts), small (n <= 12,
M <= 24, likewise), model1 (the synthetic setting of Jaillet et al. 2025, arXiv
2502.07115: M ~ U{30..50}, s ~ U{1..5}, n ~ U{40..60}, o ~ U{1..M-s}), long (outputs
up to 400), alike (100 to 400 requests of at most 5 kinds)."""


def generate_random(family: str, seed: int, number: int) -> Instance:
    """Return one instance of a random family.

    Parameters
    ----------
    family
        A key of `RANDOM`.
    seed
        Seed of the set.
    number
        Number of the instance in the set, from 0.
    """
    memory, prompts, outputs = RANDOM[family](random.Random(f"{family}/{seed}/{number}"))
    return Instance(
        memory,
        prompts,
        outputs,
        name=f"{family}-{seed}-{number:03d}",
        source=f"kvopt generate {family} --seed {seed}: number {number}",
    )


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
    ParametricFamily(
        "slice-boundary",
        slice_boundary,
        {**_TOKENS, "alpha": growth_factor, "counts": _counts},
        required=("alpha", "memory", "counts"),
    ),
)
"""Every parametric family; counts are written 2+7+3."""


def family_from_spec(spec: str) -> str | Instance:
    """Read what kind of instance is wanted.

    Parameters
    ----------
    spec
        Name of a random family, or NAME:key=value:... of a parametric one.

    Returns
    -------
    str or Instance
        The name of a random family (see `generate_random`), or the one instance
        that the parameters define.

    Raises
    ------
    InputError
        If there is no such family, or a parameter is missing, unknown or unacceptable.

    Examples
    --------
    >>> family_from_spec("slice-boundary:alpha=2:memory=23:counts=2+7+3").groups()
    [(0, 17, 2), (0, 9, 7), (0, 5, 3)]
    """
    name, given = split_spec(spec, "family")
    if name in RANDOM:
        parse_values(given, {}, f"family {name}")
        return name
    for family in PARAMETRIC:
        if family.name == name:
            values = parse_values(given, family.parameters, f"family {name}")
            for key in family.required:
                if key not in values:
                    raise InputError(f"family {name}: {key}: required parameter is missing")
            return family.build(**values)
    names = ", ".join([*RANDOM, *(family.name for family in PARAMETRIC)])
    raise InputError(f"family: must be one of {names}, got {abridged(name)}")
