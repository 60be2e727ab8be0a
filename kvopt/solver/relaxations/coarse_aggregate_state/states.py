"""Coarse aggregate states: which there are, and how the variants of requests go through them.

Requests of one type are told apart by how far before a look they start, x rounds.  The first x make
them count one step of tokens more, the last ones make one look more see them, and so there are up
to three *variants* (proofs/text/coarse_aggregate_state.md, lemma 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kvopt.model.instance import Instance, IntArray

__all__ = ["AggregateVariants", "Pairs", "bounds_of", "pairs_of", "variants_of"]


class AggregateVariants(NamedTuple):
    """The variants that some look sees, by type, in ascending order of x."""

    type: IntArray
    """The type of request, shape (variants,)."""
    interval: IntArray
    """Which of the three intervals of x it is, shape (variants,)."""
    looks: IntArray
    """How many looks see it, at least 1, shape (variants,)."""
    added: IntArray
    """How many steps its prompt is longer than the shortest one, shape (variants,)."""
    own: IntArray
    """The room that a completion needs (tokens), shape (variants,)."""
    each: IntArray
    """The room that it needs for each request that runs (tokens), shape (variants,)."""
    counts: IntArray
    """How many requests of how many shifts it stands for, shape (variants,)."""


class Pairs(NamedTuple):
    """What is possible with K who run and J looks and steps of tokens."""

    least: IntArray
    """The least J for each K, shape (most who run + 1,)."""
    most: IntArray
    """The largest J for each K, shape (most who run + 1,)."""
    added: IntArray
    """What starts may add to J, ascending, shape (kinds,)."""
    kind: IntArray
    """Which of these each variant adds, shape (variants,)."""
    looks: IntArray
    """How many looks see each variant, shape (variants,)."""
    away: IntArray
    """What its completion takes away from J, shape (variants,)."""
    completes: IntArray
    """The largest J from which one of K is such a variant and has room to complete, -1 if there
    is none, shape (most who run + 1, variants)."""


def variants_of(instance: Instance, grid: int) -> AggregateVariants:
    """Return the variants that some look sees, for looks in every `grid`-th round."""
    types = instance.request_types()
    more = types.prompts - instance.prompts.min()
    high, long = more % grid, grid - types.outputs % grid  # up to the former, and from the latter
    ends = np.stack((np.minimum(high, long), np.maximum(high, long), np.full_like(high, grid)), 1)
    begins = np.roll(ends, 1, axis=1)
    begins[:, 0] = 0
    looks = (types.outputs // grid)[:, None] + (begins >= long[:, None])
    kind, interval = np.nonzero((begins < ends) & (looks > 0))
    begin, end, looks = (each[kind, interval] for each in (begins, ends, looks))
    added = more[kind] // grid + (begin < high[kind])
    own = more[kind] + grid - 1 - begin - grid * added
    room = types.outputs[kind] + begin - grid * looks
    return AggregateVariants(
        kind, interval, looks, added, own, room, types.counts[kind] * (end - begin)
    )


def bounds_of(instance: Instance, grid: int) -> tuple[IntArray, IntArray]:
    """Return the least and the largest J for each K that is possible."""
    shortest, memory = int(instance.prompts.min()), instance.memory
    running = min(len(instance), memory // (shortest + 1))
    steps = np.sort((instance.prompts - shortest) // grid)[:running]
    least = np.append(0, np.cumsum(steps))
    most = (memory - (shortest + 1) * np.arange(running + 1)) // grid
    most[0] = 0
    possible = int((least <= most).sum())
    return least[:possible], most[:possible]


def pairs_of(instance: Instance, grid: int) -> Pairs:
    """Return what is possible, and how variants complete."""
    variants = variants_of(instance, grid)
    least, most = bounds_of(instance, grid)
    first = int(instance.prompts.min()) + 1
    running = np.arange(len(most))
    room = instance.memory - np.multiply.outer(running, first + variants.each) - variants.own
    completes = np.where(room >= 0, np.minimum(room // grid, most[:, None]), -1)
    completes[0] = -1
    added, kind = np.unique(variants.added, return_inverse=True)
    away = variants.looks - 1 + variants.added
    return Pairs(least, most, added, kind.reshape(-1), variants.looks, away, completes)
