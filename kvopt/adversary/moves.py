"""Small changes to instances, the steps of the local search.

An instance is held as a `Candidate` here: a memory budget, one prompt length
(the proved bounds assume one) and the output lengths in request order.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from kvopt.instance import Instance

__all__ = ["MOVES", "Candidate", "Limits", "random_candidate"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an instance may get.

    Parameters
    ----------
    requests
        Largest number of requests.
    memory
        Largest memory budget (tokens).
    """

    requests: int
    memory: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance with one common prompt length.

    Parameters
    ----------
    memory
        Memory budget M (tokens).
    prompt
        Common prompt length s (tokens).
    outputs
        Output lengths o_i (tokens), in request order.
    """

    memory: int
    prompt: int
    outputs: tuple[int, ...]

    def valid(self, limits: Limits) -> bool:
        """Tell whether it is an instance within the limits."""
        return (
            self.prompt >= 0
            and self.memory <= limits.memory
            and 1 <= len(self.outputs) <= limits.requests
            and min(self.outputs) >= 1
            and max(self.outputs) + self.prompt <= self.memory
        )

    def instance(self, name: str = "") -> Instance:
        """Return it as an instance."""
        prompts = [self.prompt] * len(self.outputs)
        return Instance(self.memory, prompts, self.outputs, name)


def random_candidate(rng: random.Random, limits: Limits) -> Candidate:
    """Draw a candidate: a few lengths, long ones first, in about the largest memory."""
    memory = rng.randint(max(1, limits.memory * 2 // 3), limits.memory)
    prompt = rng.choice((0, 0, 0, min(1, memory - 1), rng.randint(0, memory - 1)))
    lengths = [rng.randint(1, memory - prompt) for _ in range(rng.randint(1, 3))]
    n = rng.randint(max(1, limits.requests // 2), limits.requests)
    outputs = sorted((rng.choice(lengths) for _ in range(n)), reverse=True)
    return Candidate(memory, prompt, tuple(outputs))


def change_length(c: Candidate, rng: random.Random) -> Candidate:
    """Change one output length, by one or to anything."""
    i = rng.randrange(len(c.outputs))
    o = rng.choice((c.outputs[i] - 1, c.outputs[i] + 1, rng.randint(1, c.memory)))
    return replace(c, outputs=(*c.outputs[:i], o, *c.outputs[i + 1 :]))


def change_kind(c: Candidate, rng: random.Random) -> Candidate:
    """Change all output lengths of one value, by one or to anything."""
    old = rng.choice(c.outputs)
    new = rng.choice((old - 1, old + 1, rng.randint(1, c.memory)))
    return replace(c, outputs=tuple(new if o == old else o for o in c.outputs))


def convert(c: Candidate, rng: random.Random) -> Candidate:
    """Give one request the length of another."""
    i = rng.randrange(len(c.outputs))
    return replace(c, outputs=(*c.outputs[:i], rng.choice(c.outputs), *c.outputs[i + 1 :]))


def duplicate(c: Candidate, rng: random.Random) -> Candidate:
    """Put a copy of a request beside it."""
    i = rng.randrange(len(c.outputs))
    return replace(c, outputs=(*c.outputs[: i + 1], *c.outputs[i:]))


def remove(c: Candidate, rng: random.Random) -> Candidate:
    """Take a request out."""
    i = rng.randrange(len(c.outputs))
    return replace(c, outputs=(*c.outputs[:i], *c.outputs[i + 1 :]))


def reorder(c: Candidate, rng: random.Random) -> Candidate:
    """Sort the requests, long ones or short ones first, or move one elsewhere."""
    outputs = list(c.outputs)
    if rng.random() < 0.5:
        outputs.sort(reverse=rng.random() < 0.8)
    else:
        o = outputs.pop(rng.randrange(len(outputs)))
        outputs.insert(rng.randint(0, len(outputs)), o)
    return replace(c, outputs=tuple(outputs))


def change_memory(c: Candidate, rng: random.Random) -> Candidate:
    """Change the memory budget by one or two tokens."""
    return replace(c, memory=c.memory + rng.choice((-2, -1, 1, 2)))


def change_prompt(c: Candidate, rng: random.Random) -> Candidate:
    """Change the prompt length by one token."""
    return replace(c, prompt=c.prompt + rng.choice((-1, 1)))


Move = Callable[[Candidate, random.Random], Candidate]

MOVES: tuple[Move, ...] = (
    change_length,
    change_kind,
    convert,
    duplicate,
    remove,
    reorder,
    change_memory,
    change_prompt,
)
"""Every move; a result that is no valid candidate is thrown away."""
