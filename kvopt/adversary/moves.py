"""Small changes to instances, the steps of the local search."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kvopt.adversary.candidate import Candidate, Group, Limits
from kvopt.policies import Policy
from kvopt.policies.policy import facts_of

__all__ = ["MOVES", "Landmarks", "Move", "Moves", "crossover", "random_candidate", "with_groups"]


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Output lengths at which a policy changes what it does, the first ones to try.

    Parameters
    ----------
    policies
        The policies of the search.
    """

    policies: tuple[Policy, ...]

    def lengths(self, memory: int, prompt: int) -> Sequence[int]:
        """Return output lengths (tokens), ascending, none above memory - prompt.

        They are 1, the lengths of which one, two or three fit at once, and those at the
        ends of slices and just above them.
        """
        return _landmarks(self.policies, memory, prompt)


@lru_cache(maxsize=1 << 14)
def _landmarks(policies: tuple[Policy, ...], memory: int, prompt: int) -> tuple[int, ...]:
    longest = memory - prompt
    found = {1, 2, longest, longest - 1}
    for together in (2, 3):
        found |= {memory // together - prompt, memory // together - prompt + 1}
    for policy in policies:
        for end in facts_of(policy).slice_lengths(memory, prompt):
            found |= {end, end + 1}
    return tuple(sorted(o for o in found if 1 <= o <= longest))


@dataclass(frozen=True, slots=True)
class Moves:
    """What a move may use.

    Parameters
    ----------
    rng
        Source of all randomness.
    landmarks
        Lengths worth trying.
    limits
        How large the instance may get.
    """

    rng: random.Random
    landmarks: Landmarks
    limits: Limits

    def length(self, memory: int, prompt: int, near: int = 0) -> int:
        """Draw an output length: beside `near`, a landmark, or any."""
        rng, kind = self.rng, self.rng.random()
        if near and kind < 0.4:
            return near + rng.choice((-1, 1))
        if kind < 0.7:
            return rng.choice(self.landmarks.lengths(memory, prompt))
        return rng.randint(1, max(1, memory - prompt))

    def time(self) -> tuple[int, ...]:
        """Draw when a request is released (rounds), as the end of its group: often at 0."""
        if not self.limits.arrivals or self.rng.random() < 0.4:
            return ()
        return (self.rng.randint(1, self.limits.arrivals),)


def random_candidate(moves: Moves) -> Candidate:
    """Draw a candidate: a few lengths, long ones first, in about the largest memory."""
    rng, limits = moves.rng, moves.limits
    memory = rng.randint(max(1, limits.memory * 2 // 3), limits.memory)
    prompt = rng.choice((0, 0, 0, min(1, memory - 1), rng.randint(0, memory - 1)))
    types = rng.randint(1, 4)
    lengths = sorted((moves.length(memory, prompt) for _ in range(types)), reverse=True)
    n = rng.randint(max(1, limits.requests // 2), limits.requests)
    counts = [0] * types
    for _ in range(min(n, 64)):
        counts[rng.randrange(types)] += max(1, n // 64)
    groups = ((prompt, o, c) for o, c in zip(lengths, counts, strict=True) if c)
    return Candidate.of(memory, ((*group, *moves.time()) for group in groups))


def with_groups(c: Candidate, place: int, *groups: Group) -> Candidate:
    """Return the candidate with other groups in the place of one."""
    return Candidate.of(c.memory, (*c.groups[:place], *groups, *c.groups[place + 1 :]))


def change_length(c: Candidate, moves: Moves) -> Candidate:
    """Give a group another output length."""
    place = moves.rng.randrange(len(c.groups))
    prompt, output, count, *late = c.groups[place]
    return with_groups(c, place, (prompt, moves.length(c.memory, prompt, output), count, *late))


def change_count(c: Candidate, moves: Moves) -> Candidate:
    """Make a group larger or smaller, by one or by a share of it."""
    place = moves.rng.randrange(len(c.groups))
    prompt, output, count, *late = c.groups[place]
    step = moves.rng.choice((1, 1, max(1, count // 8), max(1, count // 2)))
    return with_groups(c, place, (prompt, output, count + moves.rng.choice((-step, step)), *late))


def split(c: Candidate, moves: Moves) -> Candidate:
    """Give a part of a group another output length, or all of it if it is one request."""
    place = moves.rng.randrange(len(c.groups))
    prompt, output, count, *late = c.groups[place]
    part = moves.rng.randint(1, count)
    other = (prompt, moves.length(c.memory, prompt, output), part, *late)
    rest = ((prompt, output, count - part, *late),) if part < count else ()
    return with_groups(c, place, *((*rest, other) if moves.rng.random() < 0.5 else (other, *rest)))


def merge(c: Candidate, moves: Moves) -> Candidate:
    """Make a group part of a neighbour."""
    if len(c.groups) < 2:
        return c
    place = moves.rng.randrange(len(c.groups) - 1)
    kind = c.groups[place + moves.rng.randrange(2)]
    count = c.groups[place][2] + c.groups[place + 1][2]
    groups = (*c.groups[:place], (*kind[:2], count, *kind[3:]), *c.groups[place + 2 :])
    return Candidate.of(c.memory, groups)


def transfer(c: Candidate, moves: Moves) -> Candidate:
    """Move one request from a group to another."""
    give, take = (moves.rng.randrange(len(c.groups)) for _ in range(2))
    groups = list(c.groups)
    for place, change in ((give, -1), (take, 1)):
        prompt, output, count, *late = groups[place]
        groups[place] = (prompt, output, count + change, *late)
    return Candidate.of(c.memory, (group for group in groups if group[2]))


def insert(c: Candidate, moves: Moves) -> Candidate:
    """Put in a request."""
    place = moves.rng.randint(0, len(c.groups))
    prompt = moves.rng.choice(c.groups)[0]
    new = (prompt, moves.length(c.memory, prompt), 1, *moves.time())
    return Candidate.of(c.memory, (*c.groups[:place], new, *c.groups[place:]))


def remove(c: Candidate, moves: Moves) -> Candidate:
    """Take a group out."""
    return with_groups(c, moves.rng.randrange(len(c.groups)))


def reorder(c: Candidate, moves: Moves) -> Candidate:
    """Sort the groups, long ones or short ones first, or move one elsewhere."""
    groups = list(c.groups)
    if moves.rng.random() < 0.5:
        groups.sort(key=lambda group: group[1], reverse=moves.rng.random() < 0.8)
    else:
        group = groups.pop(moves.rng.randrange(len(groups)))
        groups.insert(moves.rng.randint(0, len(groups)), group)
    return Candidate.of(c.memory, groups)


def change_memory(c: Candidate, moves: Moves) -> Candidate:
    """Change the memory budget, and perhaps with it the lengths."""
    step = moves.rng.choice((-2, -1, 1, 2, c.memory // 2, -(c.memory // 3)))
    memory = max(1, c.memory + step)
    if moves.rng.random() < 0.5:
        return Candidate(memory, c.groups)
    groups = ((s, max(1, o * memory // c.memory), *n) for s, o, *n in c.groups)
    return Candidate.of(memory, groups)


def change_prompt(c: Candidate, moves: Moves) -> Candidate:
    """Change the prompt length, of all or of one group if prompts may differ."""
    step = moves.rng.choice((-1, 1))
    if moves.limits.mixed and moves.rng.random() < 0.7:
        place = moves.rng.randrange(len(c.groups))
        prompt, output, count, *late = c.groups[place]
        prompt = moves.rng.choice((prompt + step, moves.rng.randint(0, c.memory - 1)))
        return with_groups(c, place, (prompt, output, count, *late))
    return Candidate.of(c.memory, ((s + step, *rest) for s, *rest in c.groups))


Move = Callable[[Candidate, Moves], Candidate]

MOVES: tuple[Move, ...] = (
    change_length,
    change_count,
    split,
    merge,
    transfer,
    insert,
    remove,
    reorder,
    change_memory,
    change_prompt,
)
"""Every move that keeps release times; a result that is no valid candidate is thrown away."""


def crossover(a: Candidate, b: Candidate, moves: Moves) -> Candidate:
    """Return a child with the memory and prompt of one parent and groups of both."""
    prompt = a.groups[0][0]
    cut, other = moves.rng.randint(0, len(a.groups)), moves.rng.randint(0, len(b.groups))
    common = a.common_prompt is not None and not moves.limits.mixed
    tail = ((prompt if common else s, *rest) for s, *rest in b.groups[other:])
    return Candidate.of(a.memory, (*a.groups[:cut], *tail))
