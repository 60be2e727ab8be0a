"""Small instances with a known optimum, of kinds on which some rule can be tight."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fuzzing.truth import hash_of, known_optimum, released_optimum

__all__ = [
    "FAMILIES",
    "Kind",
    "Problem",
    "from_certificate",
    "problem_of",
    "random_problem",
    "released_problem",
]

Kind = tuple[int, int]
Draw = tuple[int, list[tuple[int, int, int]]]


@dataclass(frozen=True)
class Problem:
    """An instance, by types in the order of the file, and its optimal total latency (rounds)."""

    memory: int
    groups: tuple[tuple[int, int, int], ...]
    """Prompt, output, count."""
    optimum: int
    releases: tuple[int, ...] = ()
    """The release of each group, if some are above 0 (rounds)."""

    @property
    def latest(self) -> int:
        """The last release (rounds)."""
        return max(self.releases, default=0)

    @property
    def rounds(self) -> int:
        """Rounds after which some optimal schedule has ended."""
        return self.latest + self.total

    @property
    def late(self) -> int:
        """Sum of the releases of all requests (rounds)."""
        return sum(release for _, _, release in self.requests)

    @property
    def requests(self) -> list[tuple[int, int, int]]:
        """Prompt, output and release of each request."""
        releases = self.releases or (0,) * len(self.groups)
        pairs = zip(self.groups, releases, strict=True)
        return [(s, o, a) for (s, o, n), a in pairs for _ in range(n)]

    @property
    def demands(self) -> dict[tuple[int, int, int], int]:
        """How many requests there are of each prompt, output and release."""
        return dict(Counter(self.requests))

    @property
    def types(self) -> dict[Kind, int]:
        """How many requests there are of each type."""
        found: dict[Kind, int] = {}
        for s, o, n in self.groups:
            found[s, o] = found.get((s, o), 0) + n
        return found

    @property
    def shapes(self) -> list[Kind]:
        """Prompt and output of each request."""
        return [(s, o) for s, o, n in self.groups for _ in range(n)]

    @property
    def total(self) -> int:
        """Sum of the outputs (rounds)."""
        return sum(o * n for _, o, n in self.groups)

    def content(self, low: int, proof: Any, **more: Any) -> dict[str, Any]:
        """Return a certificate that claims a lower bound."""
        requests = [{"prompt": s, "output": o, "count": n} for s, o, n in self.groups]
        for request, release in zip(requests, self.releases, strict=False):
            request |= {"release": release} if release else {}
        return {
            "format": "kvopt-certificate/2",
            "instance": {"memory": self.memory, "requests": requests},
            "instance_sha256": hash_of(self.memory, self.requests),
            "lower_bound": low,
            "proof": proof,
            **more,
        }

    def text(self, low: int, proof: Any, **more: Any) -> str:
        """Return the same as a text."""
        return json.dumps(self.content(low, proof, **more))


def problem_of(
    memory: int, groups: list[tuple[int, int, int]], releases: tuple[int, ...] = ()
) -> Problem | None:
    """Return a problem, or None if its optimum is too much to find."""
    if any(releases):
        problem = Problem(memory, tuple(groups), 0, releases)
        best = released_optimum(memory, tuple(sorted(problem.requests)))
        return None if best is None else replace(problem, optimum=best)
    shapes = tuple(sorted((s, o) for s, o, n in groups for _ in range(n)))
    best = known_optimum(memory, shapes)
    return None if best is None else Problem(memory, tuple(groups), best)


def from_certificate(content: dict[str, Any]) -> Problem | None:
    """Return the problem of a certificate, or None if its optimum is too much to find."""
    requests = content["instance"]["requests"]
    groups = [(one["prompt"], one["output"], one.get("count", 1)) for one in requests]
    releases = tuple(one.get("release", 0) for one in requests)
    return problem_of(content["instance"]["memory"], groups, releases)


def mixed(rng: random.Random, size: int) -> Draw:
    """Anything: up to `size` requests."""
    memory = rng.randint(2, 5 + size)
    groups = []
    for _ in range(rng.randint(1, size)):
        s = rng.randint(0, min(3, memory - 1))
        groups.append((s, rng.randint(1, memory - s), 1))
    return memory, groups


def common(rng: random.Random, size: int) -> Draw:
    """One prompt."""
    memory = rng.randint(3, 5 + size)
    s = rng.randint(0, min(3, memory - 2))
    return memory, [(s, rng.randint(1, memory - s), 1) for _ in range(rng.randint(2, size))]


def alike(rng: random.Random, size: int) -> Draw:
    """One or two types, several of each."""
    memory = rng.randint(3, 5 + size)
    groups = []
    for _ in range(rng.choice([1, 2, 2])):
        s = rng.randint(0, min(2, memory - 1))
        groups.append((s, rng.randint(1, min(memory - s, 5)), rng.randint(1, size // 2 + 1)))
    return memory, groups


def short(rng: random.Random, size: int) -> Draw:
    """Outputs of one round: how many fit is all there is; some of them many."""
    s, k = rng.randint(0, 3), rng.randint(1, 5)
    memory = k * (s + 1) + rng.choice([0, 0, rng.randint(0, s)])
    count = k * rng.randint(1, 2 * size) + rng.choice([0, 0, 1])
    return memory, [(s, 1, count)]


def single(rng: random.Random, size: int) -> Draw:
    """No two fit together."""
    memory = rng.randint(3, 14)
    least = memory // 2
    groups = []
    for _ in range(rng.randint(1, size)):
        s = rng.randint(least, min(memory - 1, least + rng.choice([0, 0, 2])))
        groups.append((s, rng.randint(1, memory - s), rng.choice([1, 1, 2, size])))
    return memory, groups


def machines(rng: random.Random, size: int) -> Draw:
    """Memory limits only how many run: k machines."""
    k = rng.randint(2, 4)
    s = rng.randint(1, 12)
    longest = (s + 1) // k + 1
    memory = k * (s + longest)
    if (k + 1) * (s + 1) <= memory:
        longest, memory = 1, k * (s + 1)
    groups = [(s, rng.randint(1, longest), rng.choice([1, k, k])) for _ in range(3)]
    return memory, groups


FAMILIES: tuple[Callable[[random.Random, int], Draw], ...] = (
    mixed,
    mixed,
    common,
    alike,
    short,
    single,
    machines,
)


def random_problem(rng: random.Random, size: int, most: int | None = None) -> Problem:
    """Return a problem of some family; of at most `most` requests and not long, if given."""
    while True:
        memory, groups = rng.choice(FAMILIES)(rng, size)
        if rng.random() < 0.5:  # the order of requests must not matter
            rng.shuffle(groups)
        if most is not None and (sum(n for *_, n in groups) > most or memory > 12):
            continue
        if (found := problem_of(memory, groups)) is not None:
            return found


def divided(rng: random.Random, size: int) -> Draw:
    """Something long that is there first, and some that come later, as in release_times.md."""
    memory = rng.randint(4, 9)
    s = rng.randint(0, 2)
    late = rng.randint(0, memory - 2)
    some = [(late, rng.randint(1, min(2, memory - late)), 1) for _ in range(rng.randint(1, size))]
    return memory, [(s, rng.randint(2, memory - s), 1), *some]


RELEASED_FAMILIES = (mixed, common, alike, short, single, machines, divided, divided)


def released_problem(rng: random.Random, size: int, most: int = 5) -> Problem:
    """Return a problem with some release above 0; of at most `most` requests."""
    while True:
        memory, groups = rng.choice(RELEASED_FAMILIES)(rng, min(size, most))
        if memory > 14 or sum(n for *_, n in groups) > most:
            continue
        if rng.random() < 0.6:  # alike requests with different releases
            groups = [(s, o, 1) for s, o, n in groups for _ in range(n)]
        latest = rng.choice([1, 1, 2, 3, 5, 9])
        few = rng.choice([0.3, 0.6, 1])
        releases = [rng.randint(1, latest) * (rng.random() < few) for _ in groups]
        if rng.random() < 0.1:  # nobody is there at first
            releases = [release + rng.randint(1, 2) for release in releases]
        if any(releases) and (found := problem_of(memory, groups, tuple(releases))) is not None:
            return found
