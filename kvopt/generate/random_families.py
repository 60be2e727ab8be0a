"""Random families of instances: seeded sets to measure on.

A random instance depends on its family with its parameters, the seed and its number only, so a
larger set begins with the smaller one.  With release times (`arrivals=poisson:load=0.9`) the
requests are those of the set without; another load stretches the same gaps between them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from kvopt.generate.arrival_processes import ArrivalProcess, arrival_process
from kvopt.generate.real_lengths import (
    CHAT,
    CODE,
    CONVERSATION,
    LONG,
    MIXED,
    Lengths,
    drawn_length,
)
from kvopt.model.errors import InputError
from kvopt.model.instance import MAX_REQUESTS, MAX_TOKENS, Instance, abridged
from kvopt.model.spec import Parser, choice, integer, parse_values, split_spec

__all__ = ["RANDOM", "RandomFamily", "Range", "canonical_spec", "generate_random"]

Draw = tuple[int, list[int], list[int]]
"""Memory budget, prompt lengths and output lengths (tokens)."""


class Range(NamedTuple):
    """A range of integers, both ends included; written LOW..HIGH, or LOW where they are equal."""

    low: int
    """The smallest."""

    high: int
    """The largest."""

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}..{self.high}"

    def draw(self, rng: random.Random, most: int = MAX_TOKENS) -> int:
        """Draw an integer of the range that is at most `most`, each with the same chance."""
        return rng.randint(self.low, min(self.high, most))

    def nearest(self, value: int) -> int:
        """Return the integer of the range that is nearest to a value."""
        return max(self.low, min(self.high, value))


def integer_range(low: int, high: int) -> Parser:
    """Return a parser of INTEGER or LOW..HIGH within [low, high]."""
    one = integer(low, high)

    def parse(text: str, name: str) -> Range:
        first, dots, last = text.partition("..")
        result = Range(one(first, name), one(last if dots else first, name))
        if result.low > result.high:
            raise InputError(f"{name}: must be LOW..HIGH with LOW <= HIGH, got {abridged(text)}")
        return result

    return parse


Ranges = Mapping[str, Range]
"""The parameters of a random family by name."""


def _mixed_or_not(rng: random.Random, of: Ranges) -> Draw:
    """Draw an instance with a common prompt, or with mixed prompts, each in half of the cases."""
    memory = of["memory"].draw(rng)
    mixed = rng.random() < 0.5
    n = of["requests"].draw(rng)
    most = memory - of["output"].low
    common = of["prompt"].draw(rng, most)
    prompts = [of["prompt"].draw(rng, most) if mixed else common for _ in range(n)]
    return memory, prompts, [of["output"].draw(rng, memory - s) for s in prompts]


def _common(rng: random.Random, of: Ranges) -> Draw:
    """Draw an instance with a common prompt and independent outputs."""
    memory, prompt, n = _common_part(rng, of)
    return memory, [prompt] * n, [of["output"].draw(rng, memory - prompt) for _ in range(n)]


def _alike(rng: random.Random, of: Ranges) -> Draw:
    """Draw an instance of few types with a common prompt, shortest requests first."""
    memory, prompt, n = _common_part(rng, of)
    types = of["types"].draw(rng)
    lengths = [of["output"].draw(rng, memory - prompt) for _ in range(types)]
    return memory, [prompt] * n, sorted(rng.choice(lengths) for _ in range(n))


def _common_part(rng: random.Random, of: Ranges) -> tuple[int, int, int]:
    """Draw a memory budget, a common prompt length (tokens) and a number of requests."""
    memory = of["memory"].draw(rng)
    prompt = of["prompt"].draw(rng, memory - of["output"].low)
    return memory, prompt, of["requests"].draw(rng)


DRAWS = 1_000
"""So often lengths that do not fit into the memory are drawn anew."""


def _real(lengths: Lengths) -> Callable[[random.Random, Ranges], Draw]:
    """Return a function that draws requests by the quantiles of a trace.

    A length outside its range becomes the nearest end, so a range of one length is a common one,
    and an upper end is a cap.  Requests that exceed the memory are drawn anew; should none be
    found that fits, it is the shortest one.
    """

    def draw(rng: random.Random, of: Ranges) -> Draw:
        memory = of["memory"].draw(rng)
        pairs = []
        for _ in range(of["requests"].draw(rng)):
            for _ in range(DRAWS):
                s = of["prompt"].nearest(drawn_length(rng, lengths.prompts))
                o = of["output"].nearest(drawn_length(rng, lengths.outputs))
                if s + o <= memory:
                    break
            else:
                s = of["prompt"].nearest(lengths.prompts[0])
                o = of["output"].nearest(lengths.outputs[0])
            pairs.append((s, o))
        return memory, [s for s, _ in pairs], [o for _, o in pairs]

    return draw


_PARSERS: Mapping[str, Parser] = {
    "requests": integer_range(1, MAX_REQUESTS),
    "memory": integer_range(1, MAX_TOKENS),
    "prompt": integer_range(0, MAX_TOKENS),
    "output": integer_range(1, MAX_TOKENS),
    "types": integer_range(1, MAX_REQUESTS),
}


@dataclass(frozen=True, slots=True)
class RandomFamily:
    """A random family as it is named on the command line.

    Parameters
    ----------
    name
        Its name.
    draw
        Draws an instance from ranges of its parameters.
    defaults
        Its parameters: requests (number), memory, prompt and output (tokens), and types (number
        of distinct requests) where it has that.  Lengths are uniform in their range as far as the
        memory allows, those of kinds drawn by their quantiles.
    lengths
        The quantiles by which lengths are drawn, if they are.
    kinds
        Other families by the values of its parameter "kind", the first of which is the default;
        empty without that parameter.
    """

    name: str
    draw: Callable[[random.Random, Ranges], Draw]
    defaults: Ranges
    lengths: Lengths | None = None
    kinds: Mapping[str, RandomFamily] = field(default_factory=dict)

    def of_kind(self, given: dict[str, str]) -> RandomFamily:
        """Return the family of the kind that is given as text, which is taken out.

        Raises
        ------
        InputError
            If there is no such kind.
        """
        if not self.kinds or "kind" not in given:
            return self
        return self.kinds[choice(*self.kinds)(given.pop("kind"), f"family {self.name}: kind")]

    def ranges(self, given: Mapping[str, str]) -> Ranges:
        """Return its parameters, some of them given as text.

        Raises
        ------
        InputError
            If a parameter is unknown or unacceptable, or the shortest request might not fit.
        """
        what = f"family {self.name}"
        known = {key: _PARSERS[key] for key in self.defaults}
        ranges = {**self.defaults, **parse_values(given, known, what)}
        least = Lengths((0,), (1,)) if self.lengths is None else self.lengths
        prompt = ranges["prompt"].nearest(least.prompts[0])
        shortest = prompt + ranges["output"].nearest(least.outputs[0])
        if shortest > ranges["memory"].low:
            raise InputError(
                f"{what}: memory: must be at least the smallest prompt + output = {shortest},"
                f" got {ranges['memory']}"
            )
        return ranges


def _ranges(**ends: tuple[int, int]) -> Ranges:
    return {"output": Range(1, MAX_TOKENS)} | {key: Range(*pair) for key, pair in ends.items()}


def _real_family(kind: str, lengths: Lengths, memory: int, **ends: tuple[int, int]) -> RandomFamily:
    usual = {"requests": (40, 40), "memory": (memory, memory), "prompt": (0, MAX_TOKENS)}
    return RandomFamily(f"real:kind={kind}", _real(lengths), _ranges(**usual | ends), lengths)


_CHAT = _real_family("chat", CHAT, 2_000, prompt=(79, 79))

_REAL_KINDS: Mapping[str, RandomFamily] = {
    "chat": _CHAT,
    "capped": _real_family("capped", CHAT, 2_000, prompt=(79, 79), output=(1, 256)),
    "code": _real_family("code", CODE, 16_384),
    "conversation": _real_family("conversation", CONVERSATION, 16_384),
    "long": _real_family("long", LONG, 262_144),
    "mixed": _real_family("mixed", MIXED, 8_192),
}

RANDOM: Mapping[str, RandomFamily] = {
    family.name: family
    for family in (
        RandomFamily(
            "tiny", _mixed_or_not, _ranges(requests=(1, 6), memory=(2, 12), prompt=(0, 5))
        ),
        RandomFamily(
            "small", _mixed_or_not, _ranges(requests=(1, 12), memory=(8, 24), prompt=(0, 5))
        ),
        RandomFamily("model1", _common, _ranges(requests=(40, 60), memory=(30, 50), prompt=(1, 5))),
        RandomFamily(
            "long",
            _common,
            _ranges(requests=(4, 12), memory=(400, 1000), prompt=(0, 50), output=(1, 400)),
        ),
        RandomFamily(
            "alike",
            _alike,
            _ranges(requests=(100, 400), memory=(20, 100), prompt=(0, 10), types=(1, 5)),
        ),
        replace(_CHAT, name="real", kinds=_REAL_KINDS),
    )
}
"""Random families: tiny (n <= 6, M <= 12, half with mixed prompts), small (n <= 12,
M <= 24, likewise), model1 (the synthetic setting of Jaillet et al. 2025, arXiv
2502.07115: M ~ U{30..50}, s ~ U{1..5}, n ~ U{40..60}, o ~ U{1..M-s}), long (outputs
up to 400), alike (100 to 400 requests of at most 5 types), real (lengths as in traces of chats,
code, conversations and more: `kvopt.generate.real_lengths`)."""


class _Recipe(NamedTuple):
    """A random family with its parameters.

    Parameters
    ----------
    lengths
        The canonical spec without the parameters of arrivals.
    family, ranges
        The family and its ranges.
    arrivals
        How requests arrive; None if all are released at time 0.
    """

    lengths: str
    family: RandomFamily
    ranges: Ranges
    arrivals: ArrivalProcess | None

    @property
    def spec(self) -> str:
        """The canonical spec."""
        return self.lengths if self.arrivals is None else f"{self.lengths}:{self.arrivals.text()}"


def _read(spec: str) -> _Recipe:
    """Return what a spec says."""
    name, given = split_spec(spec, "family")
    if name not in RANDOM:
        raise InputError(f"family: must be one of {', '.join(RANDOM)}, got {abridged(name)}")
    kind = given.get("kind", "")
    family = RANDOM[name].of_kind(given)
    arrivals = arrival_process(given, f"family {name}")
    ranges = family.ranges(given)
    usual = next(iter(RANDOM[name].kinds), "")
    changed = [
        f"{key}={ranges[key]}"
        for key in _PARSERS
        if key in ranges and ranges[key] != family.defaults[key]
    ]
    if kind not in ("", usual):
        changed.insert(0, f"kind={kind}")
    return _Recipe(":".join([name, *changed]), family, ranges, arrivals)


def canonical_spec(spec: str) -> str:
    """Return a random family in the one form that stands for it in names and sources.

    Parameters
    ----------
    spec
        NAME or NAME:key=value:...; a value is INTEGER or LOW..HIGH.

    Raises
    ------
    InputError
        If there is no such family, or a parameter is unknown or unacceptable.

    Examples
    --------
    >>> canonical_spec("model1:memory=100..200:requests=40..60")
    'model1:memory=100..200'
    >>> canonical_spec("model1:load=0.70:arrivals=poisson")
    'model1:arrivals=poisson:load=0.7'
    """
    return _read(spec).spec


def generate_random(family: str, seed: int, number: int) -> Instance:
    """Return one instance of a random family.

    Parameters
    ----------
    family
        NAME or NAME:key=value:..., the name a key of `RANDOM`.
    seed
        Seed of the set.
    number
        Number of the instance in the set, from 0.

    Raises
    ------
    InputError
        If there is no such family, or a parameter is unknown or unacceptable.
    """
    recipe = _read(family)
    rng = random.Random(f"{recipe.lengths}/{seed}/{number}")
    memory, prompts, outputs = recipe.family.draw(rng, recipe.ranges)
    releases = None
    if recipe.arrivals is not None:
        pattern = f"{recipe.lengths}/{recipe.arrivals.pattern()}/{seed}/{number}"
        releases = recipe.arrivals.releases(random.Random(pattern), memory, prompts, outputs)
    spec = recipe.spec
    return Instance(
        memory,
        prompts,
        outputs,
        name=f"{spec.replace(':', '-')}-{seed}-{number:03d}",
        source=f"kvopt generate {spec} --seed {seed}: number {number}",
        releases=releases,
    )
